"""From exceptions to one line on stderr and an exit status."""

import os
import shutil
import signal
import sys
import textwrap
import threading
from typing import Any

import typer

from dl4j_bridge.errors import BridgeError
from dl4j_bridge.settings.habits import ours


def exit_status(app: typer.Typer) -> int:
    """Run a command; 0 if it succeeded, else the status of its error, which is printed on stderr.

    With ``--debug``, the traceback is printed too.
    """
    _prepare_streams()
    if threading.current_thread() is threading.main_thread():
        # A termination request ends a command as Ctrl-C does, so that its temporary files go.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        status = app(standalone_mode=False, prog_name="dl4j-bridge") or 0
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # The reader has seen enough, such as `head`. Python would complain once more at its exit.
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
        return 0
    except BridgeError as e:
        return _fail(str(e), e.exit_status, e)
    except (typer.Abort, KeyboardInterrupt) as e:
        return _fail("interrupted", 130, e)
    except MemoryError as e:
        return _fail("memory: not enough; wanted less, such as --hidden, --batch or --length, or a higher limit", 1, e)
    except OSError as e:
        return _fail(f"{e.filename or 'system'}: {e.strerror or e}; wanted a usable file or folder", 2, e)
    except UnicodeEncodeError as e:
        return _fail(f"{e.object!r}: a name that is not UTF-8; rename the file or folder", 2, e)
    except Exception as e:
        if hasattr(e, "format_message"):  # a usage error of Click, which Typer brings along but does not name
            return _fail(_usage_line(e), 2, e) if e.format_message() else 2
        return _fail(f"{type(e).__name__}: {e}; this is a bug: run again with --debug and report it", 1, e)


def _prepare_streams() -> None:
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            # The shell closed it (`>&-`); its number must not go to the next file that is opened.
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
        # A terminal that cannot show a tick is no reason to fail.
        getattr(sys, name).reconfigure(errors="replace")


def _usage_line(error: Any) -> str:
    text = " ".join(error.format_message().split()).rstrip(".")
    name = getattr(error, "option_name", "")
    if name and text.startswith("No such option") and error.ctx:
        known = [opt.lstrip("-") for p in error.ctx.command.params for opt in p.opts if opt.startswith("--")]
        near = ours(name.lstrip("-"), known, cutoff=0.4)
        text = f"{name}: no such option" + (f"; did you mean --{near}?" if near else "")
    # After an unknown command the path has the program's name twice.
    path = error.ctx.command_path.split() if error.ctx else []
    return f"{text}; see: {' '.join(dict.fromkeys(path)) or 'dl4j-bridge'} --help"


def _wrapped(text: str) -> str:
    """Break a line between words if a terminal shows it; elsewhere it stays one line."""
    if not sys.stderr.isatty():
        return text
    width = shutil.get_terminal_size().columns
    return textwrap.fill(text, width, break_long_words=False, break_on_hyphens=False)


def _fail(text: str, status: int, error: BaseException) -> int:
    if "--debug" in sys.argv:
        import traceback

        traceback.print_exception(error)
    print(_wrapped(f"error: {' '.join(text.split())}"), file=sys.stderr)
    return status
