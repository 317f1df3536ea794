"""Standard error, where everything goes that is not a result.

Import this after ``--quiet`` was parsed: the console is silent if warnings of ``dl4j_bridge`` are not enabled then.
"""

import logging
import sys
from collections.abc import Iterable

from rich.console import Console

stderr = Console(stderr=True, highlight=False, quiet=not logging.getLogger("dl4j_bridge").isEnabledFor(logging.WARNING))


def print_error(text: str) -> None:
    """Print an error as one line, also with ``--quiet``."""
    print(f"error: {' '.join(text.split())}", file=sys.stderr)


def print_notes(notes: Iterable[str], kind: str = "note") -> None:
    """Print what the user should know."""
    for text in notes:
        stderr.print(f"{kind}: {text}", soft_wrap=True, markup=False)
