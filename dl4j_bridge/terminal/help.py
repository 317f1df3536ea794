"""The tables of ``--help``, in which the name of an option is never cut."""

from typing import Any

from typer.core import TyperCommand


class Command(TyperCommand):
    """A command whose help gives the names of options the room that they need, and the rest to their texts."""

    def format_help(self, *args: Any) -> None:
        # Only here: Rich takes longer to import than a command to begin.
        from rich.table import Table
        from typer import rich_utils

        class Unbroken(Table):
            def add_row(self, *cells: Any, **kwargs: Any) -> None:
                super().add_row(*cells, **kwargs)
                for column in self.columns[:-1]:
                    column.no_wrap = True

        rich_utils.Table = Unbroken  # type: ignore[attr-defined]
        super().format_help(*args)
