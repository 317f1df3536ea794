"""Values of options that a shell offers when the tab key is pressed."""

from collections.abc import Callable, Iterable
from typing import Any


def offer(values: Callable[[], Iterable[Any]]) -> Callable[[str], list[str]]:
    """A callback for Typer's `autocompletion`; `values` is called when the shell asks."""

    def complete(incomplete: str) -> list[str]:
        return [word for word in map(str, values()) if word.startswith(incomplete)]

    return complete
