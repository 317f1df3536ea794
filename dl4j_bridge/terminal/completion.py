"""Values of options that a shell offers when the tab key is pressed."""

from collections.abc import Callable, Iterable
from pkgutil import resolve_name
from typing import Any


def offer(values: str | Callable[[], Iterable[Any]]) -> Callable[[str], list[str]]:
    """A callback for Typer's `autocompletion`.

    Parameters
    ----------
    values
        Returns the values, or ``module:name`` of such a function or of a list, which is imported when the shell asks.
    """

    def complete(incomplete: str) -> list[str]:
        found = resolve_name(values) if isinstance(values, str) else values
        words = map(str, found() if callable(found) else found)
        return [word for word in words if word.startswith(incomplete)]

    return complete
