"""Writes docs/commands.md from the command line itself: `make docs`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer
from rich.text import Text

from dl4j_bridge.cli import app

# Typer's own options, for shell completion.
TYPER_OPTIONS = ("install_completion", "show_completion")
PAGE = Path(__file__).with_name("commands.md")
HEAD = """\
# Commands

Written by `make docs` from the program's own `--help`; change a text there, not here.

`dl4j-bridge COMMAND` and `python -m dl4j_bridge COMMAND` are the same. Results go to stdout,
progress and notes to stderr. Exit status: 0 done, 1 it ran and found or met a fault, 2 wrong input
or options, 130 interrupted. For error messages and how to fix them, see
[troubleshooting](troubleshooting.md).

Recordings, models and outputs may also be in an [object store](scaling.md#object-stores):
`s3://bucket/dry.wav`.
"""


def page() -> str:
    """Return the whole page."""
    root: Any = typer.main.get_command(app)
    commands = root.commands.items()
    index = [f"| [`{name}`](#{name}) | {_cell(command.help)} |" for name, command in commands]
    own = _table("Before the command", [p for p in root.params if p.name not in TYPER_OPTIONS])
    parts = [HEAD, "\n".join(["| command | does |", "| --- | --- |", *index]), *own]
    for name, command in commands:
        parts += [f"## {name}", command.help, f"```sh\n{_example(command)}\n```", *_tables(command)]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _example(command: Any) -> str:
    return str(command.epilog).removeprefix("Example: ")


def _tables(command: Any) -> list[str]:
    """Return one table for each panel of --help, in the same order."""
    panels: dict[str, list[Any]] = {}
    for parameter in command.params:
        if not parameter.hidden:
            panels.setdefault(parameter.rich_help_panel or "", []).append(parameter)
    return [part for title, parameters in panels.items() for part in _table(title, parameters)]


def _table(title: str, parameters: list[Any]) -> list[str]:
    rows = [f"| {_name(p)} | {_default(p)} | {_cell(p.help)} |" for p in parameters]
    heading = [f"**{title}**"] if title else []
    return [*heading, "\n".join(["| option | default | meaning |", "| --- | --- | --- |", *rows])] if rows else []


def _name(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.metavar or parameter.name.upper()}`"
    names = ", ".join([*parameter.opts, *parameter.secondary_opts])
    takes_value = not (parameter.is_flag or getattr(parameter, "count", False))
    return f"`{names} {parameter.metavar or 'VALUE'}`" if takes_value else f"`{names}`"


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    if isinstance(parameter.show_default, str):
        return f"`{parameter.show_default}`"
    is_hidden = parameter.default is None or isinstance(parameter.default, bool) or not parameter.show_default
    return "" if is_hidden else f"`{parameter.default}`"


def _cell(text: str | None) -> str:
    return " ".join(Text.from_markup(text or "").plain.split()).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
