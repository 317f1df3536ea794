"""Checks of single values, with errors that name the option as the command line spells it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from dl4j_bridge.errors import InputError


def option(name: str) -> str:
    """Spell a field's name as the command line does: ``learning_rate`` as ``--learning-rate``."""
    return "--" + name.replace("_", "-")


def check(name: str, value: float | None, wanted: str, holds: Callable[[Any], bool]) -> None:
    """Refuse a number out of range; None, which stands for "not given", passes.

    Parameters
    ----------
    name
        Name of the field.
    value
        Its value.
    wanted
        The allowed range in words.
    holds
        True for an allowed value.

    Raises
    ------
    InputError
        The value is not allowed, NaN, infinite, or too large for a float.
    """
    if value is None:
        return
    usable = abs(value) < float("inf") if isinstance(value, float) else abs(value) < 2**63
    if not usable or not holds(value):
        raise InputError(option(name), str(value), f"wanted {wanted}")


def check_count(name: str, value: int | None) -> None:
    """Refuse what is no positive 32-bit integer."""
    check(name, value, "1 to 2^31 - 1", lambda v: 1 <= v < 2**31)


def check_choice(name: str, value: str, choices: Iterable[str]) -> None:
    """Refuse a word that is not among `choices`.

    Raises
    ------
    InputError
        Names all choices.
    """
    if value not in choices:
        raise InputError(option(name), value, f"wanted one of {', '.join(choices)}")
