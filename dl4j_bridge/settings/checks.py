"""Settings with their help and their range, and errors that name an option as the command line spells it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple, TypeVar

from dl4j_bridge.errors import InputError

T = TypeVar("T")


class Range(NamedTuple):
    """The allowed values of a setting: in words, and as a function that is True for them.

    Attributes
    ----------
    choices
        Words among them, for the help and for a shell to offer.
    """

    wanted: str
    holds: Callable[[Any], bool]
    choices: tuple[str, ...] = ()


COUNT = Range("1 to 2^31 - 1", lambda v: 1 <= v < 2**31)
ABOVE_0 = Range("a number above 0", lambda v: v > 0)
FROM_0 = Range("0 or more", lambda v: v >= 0)
FROM_1 = Range("1 or more", lambda v: v >= 1)
BELOW_1 = Range("0 up to (not including) 1", lambda v: 0 <= v < 1)
# The codec's name has no hyphen; the names that it has elsewhere have.
CODEC_NAMES = dict.fromkeys(("mu-law", "mu_law", "ulaw", "u-law", "µ-law", "μ-law"), "mulaw")
SEED = Range("0 up to 2^63 - 1", lambda v: 0 <= v < 2**63)


def up_to(largest: int) -> Range:
    """The range of a count with a limit: larger values are mistakes, or take more memory than any machine has."""
    return Range(f"1 to {largest}", lambda v: 1 <= v <= largest)


def one_of(choices: Iterable[str]) -> Range:
    """The range of a setting that is one of several words."""
    words = tuple(choices)
    return Range(f"one of {', '.join(words)}", words.__contains__, words)


def setting(
    default: T,
    help: str,
    allowed: Range | None = None,
    also: tuple[str, ...] = (),
    same: Mapping[str, str] | None = None,
) -> T:
    """A field of a group of settings.

    Parameters
    ----------
    default
        Its default.
    help
        Text of ``--help``.
    allowed
        Its range; None if any value of its type is allowed.
    also
        Further names of its option.
    same
        Other spellings of values, and the value that each stands for.
    """
    return field(default=default, metadata={"help": help, "allowed": allowed, "also": also, "same": same or {}})


@dataclass(frozen=True)
class Settings:
    """A group of settings, made by `setting`."""

    def __post_init__(self) -> None:
        """Replace other spellings of values by the values that they stand for."""
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, str) and value in f.metadata["same"]:
                object.__setattr__(self, f.name, f.metadata["same"][value])

    def check(self) -> None:
        """Refuse values out of range.

        Raises
        ------
        InputError
            Names the option, the value and the range.
        """
        for f in fields(self):
            if f.metadata["allowed"]:
                check(f.name, getattr(self, f.name), f.metadata["allowed"])


def option(name: str) -> str:
    """Spell a field's name as the command line does: ``learning_rate`` as ``--learning-rate``."""
    return "--" + name.replace("_", "-")


def check(name: str, value: Any, allowed: Range) -> None:
    """Refuse a value out of range; None, which stands for "not given", passes.

    Raises
    ------
    InputError
        The value is not allowed, NaN, infinite, or too large for a float.
    """
    if value is None:
        return
    limit = {float: float("inf"), int: 2**63}.get(type(value))
    if (limit and not abs(value) < limit) or not allowed.holds(value):
        shown = str(value) if len(str(value)) <= 60 else f"{str(value)[:57]}..."
        raise InputError(option(name), shown, f"wanted {allowed.wanted}")
