"""Standard error, where everything goes that is not a result, and lines that break between words.

Import this after ``--quiet`` was parsed: the console is silent if warnings of ``dl4j_bridge`` are not enabled then.
"""

import logging
import re
import sys
from collections.abc import Iterable

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

stderr = Console(stderr=True, highlight=False, quiet=not logging.getLogger("dl4j_bridge").isEnabledFor(logging.WARNING))


def print_error(text: str) -> None:
    """Print an error as one line, also with ``--quiet``."""
    print(f"error: {' '.join(text.split())}", file=sys.stderr)


def print_notes(notes: Iterable[str], kind: str = "note") -> None:
    """Print what the user should know."""
    for text in notes:
        line(f"{kind}: {text}", stderr)


def line(text: str, console: Console | None = None) -> None:
    """Print a line on stdout or another console; a terminal breaks it between words, a file has it whole."""
    console = console or Console(highlight=False)
    console.print(text, soft_wrap=not console.is_terminal, markup=False)


def markdown(text: str) -> None:
    """Print Markdown on stdout: laid out on a terminal, and as it is into a file."""
    console = Console()
    if not console.is_terminal:
        print(text)
        return
    from rich.markdown import Markdown

    # Rich centres a heading, and shows the target of a link, which only the page can follow.
    plain = re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", re.sub(r"^#+ (.+)$", r"**\1**", text, flags=re.M))
    console.print(Markdown(plain))


def hanging(prefix: str, text: str, console: Console) -> None:
    """Print a line that begins with `prefix`, in Rich's markup; where it breaks, its rest stands below the text."""
    if not console.is_terminal:
        console.print(Text.assemble(Text.from_markup(prefix), text), soft_wrap=True)
        return
    grid = Table.grid()
    grid.add_column(width=cell_len(Text.from_markup(prefix).plain), no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(prefix, Text(text))
    console.print(grid)


def command_lines(command: str, console: Console, indent: str = "") -> str:
    """Indent a command, and break one that is wider than the terminal before its options, so that it can be pasted."""
    room = console.width - len(indent)
    if not console.is_terminal or len(command) <= room:
        return indent + command
    parts = re.split(r" (?=--)", command)
    lines = [parts[0]]
    for part in parts[1:]:
        # Room for the backslash.
        if len(lines[-1]) + len(part) + 3 <= room:
            lines[-1] += f" {part}"
        else:
            lines.append(f"  {part}")
    return indent + f" \\\n{indent}".join(lines)
