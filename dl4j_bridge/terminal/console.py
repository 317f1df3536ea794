"""Standard error, where everything goes that is not a result.

Import this after ``--quiet`` was parsed: the console is silent if warnings of ``dl4j_bridge`` are not enabled then.
"""

import logging
from collections.abc import Iterable

from rich.console import Console

stderr = Console(stderr=True, highlight=False, quiet=not logging.getLogger("dl4j_bridge").isEnabledFor(logging.WARNING))


def print_notes(notes: Iterable[str]) -> None:
    """Print what the user should know."""
    for text in notes:
        stderr.print(f"note: {text}", soft_wrap=True, markup=False)
