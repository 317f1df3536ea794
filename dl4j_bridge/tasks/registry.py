"""All tasks by name. A new task is a package of its own and a line in `KINDS`, or a call of `register`."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, get_type_hints

import msgspec

from dl4j_bridge.errors import InputError
from dl4j_bridge.settings import toml_file
from dl4j_bridge.settings.checks import check, one_of, option
from dl4j_bridge.settings.training import NetworkSettings, TrainSettings
from dl4j_bridge.tasks import frames, language_model, samples, spectrogram
from dl4j_bridge.tasks.kind import TaskKind

if TYPE_CHECKING:
    from dl4j_bridge.signal.pairs import Pair
    from dl4j_bridge.tasks.interface import Task

# Groups of settings that every task has, by their field in `TrainSettings`.
GROUPS: dict[str, type] = {f.name: type(f.default) for f in fields(TrainSettings) if f.name != "own"}
# The preset that changes nothing.
DEFAULT = "default"
# What runs were trained with before there was an option for it.
OLDER: dict[str, dict[str, Any]] = {"network": {"neighbours": 0.0, "cell_penalty": 0.0}, "run": {"schedule": "plateau"}}
KINDS: dict[str, TaskKind] = {
    kind.name: kind for kind in (samples.KIND, language_model.KIND, frames.KIND, spectrogram.KIND)
}


def register(kind: TaskKind) -> None:
    """Add a task of one's own; its options appear on the command line if this runs before `dl4j_bridge.cli.main`."""
    KINDS[kind.name] = kind


def find(name: str) -> TaskKind:
    """The task called `name`.

    Raises
    ------
    InputError
        There is none.
    """
    check("task", name, one_of(KINDS))
    return KINDS[name]


def train_settings(options: dict[str, Any], has_target: bool = True, preset: str = "default") -> TrainSettings:
    """Combine the defaults of a task, a preset and options.

    Parameters
    ----------
    options
        Values by name of field, ``task`` among them if it is not the default.
    has_target
        Whether there are processed recordings to learn from.
    preset
        Name of a preset.

    Raises
    ------
    InputError
        Unknown task, an unknown preset or option of the task, or a value out of range.
    """
    kind = find(options.get("task", NetworkSettings.task))
    changes = preset_options(preset, kind)
    defaults = kind.with_target if has_target else kind.without_target
    if defaults is None and has_target:
        wanted = "wanted none: it learns what comes next in a recording"
        raise InputError("--target", f"with --task {kind.name}", wanted)
    if defaults is None:
        raise InputError("--target", f"not given with --task {kind.name}", "wanted one for each --input")
    _check_options_of_other_tasks(kind, options)
    settings = TrainSettings(own=kind.settings())
    settings = settings.with_options({"task": kind.name} | defaults | changes | options)
    _check_codec(settings)
    return settings


def presets() -> list[str]:
    """The presets of all tasks."""
    return [DEFAULT, *(name for kind in KINDS.values() for name in kind.presets)]


def preset_options(name: str, kind: TaskKind) -> dict[str, Any]:
    """The options of a preset.

    Raises
    ------
    InputError
        The task has no such preset.
    """
    if name != DEFAULT and name not in kind.presets:
        found = f"{name} with --task {kind.name}"
        raise InputError("--preset", found, f"wanted one of {', '.join([DEFAULT, *kind.presets])}")
    return {} if name == DEFAULT else kind.presets[name].options


def _check_codec(settings: TrainSettings) -> None:
    """Refuse an unknown codec before any work, also with a task that uses none."""
    # Not at the top: the codecs import NumPy, which `--help` does not wait for.
    from dl4j_bridge.signal.codecs import get_codec

    get_codec(settings.data.codec)


def _check_options_of_other_tasks(kind: TaskKind, options: dict[str, Any]) -> None:
    own = {f.name for f in fields(kind.settings)}
    for other in KINDS.values():
        for f in fields(other.settings):
            if f.name not in own and options.get(f.name, f.default) != f.default:
                raise InputError(option(f.name), f"with --task {kind.name}", f"wanted --task {other.name}")


def settings_from_dict(stored: dict[str, Any]) -> TrainSettings:
    """Settings as `TrainSettings.as_dict` stored them; fields that an older version did not know as it behaved.

    Raises
    ------
    msgspec.ValidationError
        A value has another type.
    InputError
        Unknown task, or a value out of range.
    """
    kind = find(msgspec.convert(stored.get("network", {}), NetworkSettings).task)
    groups: dict[str, Any] = {
        name: msgspec.convert(OLDER.get(name, {}) | stored.get(name, {}), group) for name, group in GROUPS.items()
    }
    settings = TrainSettings(**groups, own=msgspec.convert(stored.get(kind.name, {}), kind.settings))
    settings.check()
    _check_codec(settings)
    return settings


def checked_options(source: str, given: dict[str, Any]) -> dict[str, Any]:
    """Check names and types of training options that `source` gives.

    Raises
    ------
    InputError
        An unknown name, or a value of the wrong type.
    """
    known: dict[str, tuple[str, Any]] = {}
    for group in (*GROUPS.values(), *(kind.settings for kind in KINDS.values())):
        known |= {name.replace("_", "-"): (name, hint) for name, hint in get_type_hints(group).items()}
    return toml_file.checked(source, given, known)


def choose(settings: TrainSettings, pairs: list[Pair]) -> Task:
    """Make the task that the settings and these recordings ask for."""
    return find(settings.network.task).load().from_pairs(settings, pairs)


def from_dict(stored: dict[str, Any]) -> Task:
    """The task that a model file describes.

    Raises
    ------
    KeyError, TypeError, ValueError, InputError
        The description does not fit the task.
    """
    return find(stored["task"]).load().from_dict(stored)
