"""A command: its help never cuts the name of an option, and an option that keeps one value may be given once."""

from typing import Any

from typer.core import TyperCommand

from dl4j_bridge.errors import InputError


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

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Refuse an option that is given twice and keeps one value."""
        if not ctx.resilient_parsing:
            given = self.make_parser(ctx).parse_args(args=list(args))[2]
            for parameter in given:
                if given.count(parameter) > 1 and parameter.param_type_name == "option" and not parameter.multiple:
                    name = max(parameter.opts, key=len)
                    raise InputError(name, "given more than once", "wanted it once: only one value counts")
        return super().parse_args(ctx, args)
