"""Tables for a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.table import Table

from dl4j_bridge.tasks import columns


def comparison(rows: Sequence[Mapping[str, Any]], title: str) -> Table:
    """Make a table of the rows of a comparison that fits into 80 columns."""
    return plain(columns.spelled(rows), title)


def plain(rows: Sequence[Mapping[str, str]], title: str) -> Table:
    """Make a table of rows with the same keys; the first column is aligned left, the others right."""
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=0)
    for number, heading in enumerate(rows[0]):
        table.add_column(heading, justify="right" if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*row.values())
    return table
