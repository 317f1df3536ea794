"""The settings that `search` varies, and between which values: a line of `TABLE` for each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dl4j_bridge.errors import InputError

if TYPE_CHECKING:
    from optuna import Trial

# A span whose ends are so far apart is sampled on a logarithmic scale.
LOGARITHMIC = 4


@dataclass(frozen=True)
class Choice:
    """One of several values."""

    values: tuple[Any, ...]

    def sample(self, trial: Trial, name: str) -> Any:
        return trial.suggest_categorical(name, self.values)

    def __contains__(self, value: Any) -> bool:
        return value in self.values

    def __str__(self) -> str:
        return ", ".join(str(value) or "none" for value in self.values)


@dataclass(frozen=True)
class Span:
    """A number between two others, both included; whole if these are."""

    low: float
    high: float

    def sample(self, trial: Trial, name: str) -> Any:
        scale = self.low > 0 and self.high >= LOGARITHMIC * self.low
        if isinstance(self.low, int) and isinstance(self.high, int):
            return trial.suggest_int(name, self.low, self.high, log=scale)
        return trial.suggest_float(name, self.low, self.high, log=scale)

    def __contains__(self, value: Any) -> bool:
        return isinstance(value, int | float) and self.low <= value <= self.high

    def __str__(self) -> str:
        return f"{self.low:.4g} to {self.high:.4g}"


Parameter = Choice | Span
Space = dict[str, Parameter]


def _around(low: float, high: float) -> Callable[[Any], Parameter]:
    """A span from `low` to `high` times the default."""
    return lambda default: Span(*(type(default)(share * default) or 1 for share in (low, high)))


def _of(*values: Any) -> Callable[[Any], Parameter]:
    return lambda default: Choice(values)


def _between(low: float, high: float) -> Callable[[Any], Parameter]:
    return lambda default: Span(low, high)


# By option of `train`: from the task's default to the values that are searched.
TABLE: dict[str, Callable[[Any], Parameter]] = {
    "layers": _between(1, 3),
    "hidden": _around(0.2, 2),
    "cell": _of("graves", "lstm"),
    "tbptt": _around(0.25, 2),
    "batch": _around(0.25, 2),
    "learning_rate": _around(0.1, 3),
    "schedule": _of("cooldown", "linear", "cosine"),
    "updater": _of("adam", "rmsprop", "nesterovs"),
    "clip": _of(0.0, 0.3, 1.0, 3.0),
    "dropout": _between(0.0, 0.3),
    "codec": _of("linear", "mulaw"),
    "augment": _of("", "gain", "polarity", "gain,polarity"),
}
# Where the codec is a parameter.
_TASKS_WITH_CODEC = ("samples", "language-model")
_COMPARABLE_OVER_CODECS = ("esr",)


def space(task: str, objective: str, defaults: Mapping[str, Any], fixed: Iterable[str], vary: Iterable[str]) -> Space:
    """The parameters of a search with their values.

    Parameters
    ----------
    task
        Name of the task.
    objective
        First metric to optimize.
    defaults
        Settings of a training by name of field.
    fixed
        Settings that the user chose, which stay as they are.
    vary
        If not empty, the only parameters to search, each as ``hidden``, ``hidden=16..64`` or ``cell=graves,lstm``.

    Raises
    ------
    InputError
        An unknown parameter, values of the wrong type, or a metric that does not compare codecs.
    """
    given = dict(_parsed(text, defaults) for text in vary)
    has_codec = task in _TASKS_WITH_CODEC and objective in _COMPARABLE_OVER_CODECS
    if "codec" in given and not has_codec:
        # A coarser code has fewer bits to predict: the loss would choose the worse sound.
        raise InputError("--vary", f"codec with --objective {objective}", "wanted --objective esr and 8-bit samples")
    # Which augmentation is right depends on the effect, so it is varied only where the user says so.
    left_out = {*fixed, "augment", *([] if has_codec else ["codec"])}
    names = given or {name: None for name in TABLE if name not in left_out}
    found = {name: given.get(name) or TABLE[name](defaults[name]) for name in names}
    return {name: _within(name, parameter, defaults) for name, parameter in found.items()}


def _parsed(text: str, defaults: Mapping[str, Any]) -> tuple[str, Parameter | None]:
    """Name of a parameter of `TABLE`, and its values if the text has some."""
    name, separator, values = text.partition("=")
    name = name.strip().removeprefix("--").replace("-", "_")
    if name not in TABLE:
        raise InputError("--vary", f"{name} is no parameter of a search", f"wanted one of {', '.join(TABLE)}")
    if not separator:
        return name, None
    kind = type(defaults[name])
    try:
        if span := re.fullmatch(r"(.+?)\.\.(.+)", values):
            low, high = (kind(end) for end in span.groups())
            if kind is not str and low < high:
                return name, Span(low, high)
        elif found := tuple(kind(value.strip()) for value in values.split(",")):
            return name, Choice(found)
    except ValueError:
        pass
    wanted = "wanted values such as hidden=16..64 or cell=graves,lstm"
    raise InputError("--vary", f"{text} is no list or span of {kind.__name__}", wanted)


def _within(name: str, parameter: Parameter, defaults: Mapping[str, Any]) -> Parameter:
    """Segments are no longer than the windows they are cut from."""
    if name == "tbptt" and isinstance(parameter, Span):
        return Span(parameter.low, min(parameter.high, defaults["length"]))
    return parameter
