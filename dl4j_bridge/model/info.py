"""Typed metadata of a model: the content of ``dl4j_bridge.json``."""

import platform
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Self, get_type_hints

import msgspec
import numpy as np

from dl4j_bridge import __version__
from dl4j_bridge.java import jars, jvm
from dl4j_bridge.settings.training import MAX_RATE, TrainSettings
from dl4j_bridge.signal.pairs import Pair, split
from dl4j_bridge.signal.recordings import Recording
from dl4j_bridge.tasks import registry
from dl4j_bridge.tasks.interface import Metrics, Task

# Samples in a recording of a year.
_LONGEST = 1 << 44
Count = Annotated[int, msgspec.Meta(ge=0, lt=1 << 31)]
StoredPath = Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Delay = Annotated[int, msgspec.Meta(ge=-_LONGEST, le=_LONGEST)]


@dataclass(frozen=True)
class RecordingInfo:
    """A recording that a model was trained with.

    Attributes
    ----------
    path
        Where it was, absolute.
    sha256
        Hash of the file.
    """

    path: StoredPath
    sha256: Sha256

    @classmethod
    def of(cls, recording: Recording) -> Self:
        return cls(str(recording.path.absolute()), recording.sha256())


@dataclass(frozen=True)
class PairInfo:
    """A pair that a model was trained with.

    Attributes
    ----------
    delay
        Samples at the model's rate by which the target comes later.
    confidence
        Confidence of an estimated delay, 0 to 1; None if it was given.
    length
        Samples that both have once the delay is cut out.
    split
        First and last border of ``train``, ``valid`` and ``test``, in samples; in each case the last is excluded.
    """

    input: RecordingInfo
    target: RecordingInfo | None
    delay: Delay
    confidence: float | None
    length: Annotated[int, msgspec.Meta(ge=1, le=_LONGEST)]
    split: dict[str, tuple[int, int]]

    def __post_init__(self) -> None:
        borders = [self.split[name] for name in ("train", "valid", "test")]
        if any(not 0 <= a <= b <= self.length for a, b in borders):
            raise ValueError(f"split {borders} of {self.length} samples")

    @classmethod
    def of(cls, pair: Pair, time_steps: int, hop: int) -> Self:
        """Describe a pair whose signals have `time_steps` of `hop` samples."""
        borders = {name: (a * hop, b * hop) for name, (a, b) in split(time_steps).items()}
        target = RecordingInfo.of(pair.target) if pair.target else None
        return cls(RecordingInfo.of(pair.input), target, pair.delay, pair.confidence, pair.length, borders)

    @property
    def paths(self) -> tuple[Path, Path | None]:
        return Path(self.input.path), Path(self.target.path) if self.target else None


@dataclass
class RunState:
    """What a resumed run needs, beside the network with its updater and carried state.

    Attributes
    ----------
    step
        Number of updates made.
    seconds
        Duration of the training.
    best_short_loss
        Smallest loss of the validations so far; None before the first.
    best_loss
        Loss of the best network on long stretches of the validation part; None before the first validation.
    plateau_loss
        Last validation loss that counted as an improvement.
    validations_since_best, validations_since_drop
        Validations since that improvement, and since the learning rate was last reduced.
    learning_rate
        Present learning rate.
    """

    step: Count = 0
    seconds: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    best_short_loss: float | None = None
    best_loss: float | None = None
    plateau_loss: float | None = None
    validations_since_best: Count = 0
    validations_since_drop: Count = 0
    learning_rate: Annotated[float, msgspec.Meta(ge=0, le=1e6)] = 0.0


# Names in runs that an older version began.
_RENAMED = {"best_bits": "best_loss", "plateau_bits": "plateau_loss"}


@dataclass(frozen=True)
class TrainingInfo:
    """The step at which a network was the best, and its validation metrics then."""

    step: Count
    valid: Metrics


@dataclass(frozen=True)
class Origin:
    """The file of another program that a model was adopted from.

    Attributes
    ----------
    path
        Where it was, absolute.
    format
        A key of `imports.FORMATS`.
    sha256
        Hash of the file.
    metadata
        What the file stores about the model, by the names of `ExportSettings`.
    """

    path: StoredPath
    format: str
    sha256: Sha256
    metadata: dict[str, str | float] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelInfo:
    """What must be known of a network to use it, to evaluate it, or to resume its training.

    Attributes
    ----------
    task
        With its scales, its codec or whatever else it learned from the recordings.
    rate
        Sample rate in Hz.
    layers
        Units of each recurrent layer.
    pairs
        Recordings of the training; none if the model was adopted.
    settings
        Settings of the training.
    delay
        Samples at `rate` by which the target comes later; `process` delays its output by them.
    silence
        Time steps of silence that are fed to the network before a recording; 0 for networks that are trained here.
    origin
        Where an adopted model came from; None for others.
    versions
        Versions that the model was made with, by name.
    training
        Step and validation of a best network; None for others.
    run_state
        State of the training of a network to resume from; None for others.
    pretraining
        Steps and last metrics of the pre-training, if there was one.
    """

    task: Task
    rate: int
    layers: tuple[int, ...]
    pairs: tuple[PairInfo, ...]
    settings: TrainSettings
    delay: Delay = 0
    silence: Annotated[int, msgspec.Meta(ge=0, le=MAX_RATE)] = 0
    origin: Origin | None = None
    versions: dict[str, str] = field(default_factory=dict)
    training: TrainingInfo | None = None
    run_state: RunState | None = None
    pretraining: dict[str, float] | None = None

    @classmethod
    def from_dict(cls, stored: Any) -> Self:
        """Check and convert what `as_dict` returned.

        Raises
        ------
        KeyError, TypeError, ValueError, InputError
            A field is missing, of another type, or out of range; `msgspec.ValidationError` is a ValueError.
        """
        state = stored.get("run_state")
        if isinstance(state, dict):
            stored = stored | {"run_state": {_RENAMED.get(name, name): value for name, value in state.items()}}
        if stored["predicts"] not in ("target", "next"):
            raise _unusable("predicts", stored["predicts"])
        if "delay" not in stored and stored["pairs"]:
            # Older files store it with each pair only.
            stored = stored | {"delay": stored["pairs"][0]["delay"]}
        kinds = get_type_hints(cls, include_extras=True)
        own = [f.name for f in fields(cls) if f.name in stored or f.name in ("rate", "layers", "pairs")]
        found = cls(
            task=registry.from_dict(stored),
            settings=registry.settings_from_dict(stored["settings"]),
            **{name: _converted(stored, name, kinds[name]) for name in own if name not in ("task", "settings")},
        )
        network = found.settings.network
        if not 1 <= found.rate <= MAX_RATE:
            raise _unusable("rate", found.rate)
        if found.layers != (network.hidden,) * network.layers:
            raise _unusable("layers", found.layers)
        return found

    def as_dict(self) -> dict[str, Any]:
        """JSON types only; None fields of the model as a whole are left out."""
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("task", "settings")}
        stored = {name: _plain(value) for name, value in own.items() if value is not None}
        return self.task.as_dict() | stored | {"settings": self.settings.as_dict()}

    @property
    def predicts(self) -> str:
        """``target`` or ``next``, see `Task`."""
        return self.task.predicts

    @property
    def steps(self) -> int | None:
        """Number of updates of the network; None if the file does not store it."""
        known = self.training or self.run_state
        return known.step if known else None

    @property
    def about(self) -> dict[str, str | float]:
        """What is said about the model, by the names of `ExportSettings`; an adopted file's words count less."""
        given = asdict(self.settings.about)
        found = {"name": given["name"], "gear_model": given["gear"]} | given
        known: dict[str, str | float] = dict(self.origin.metadata) if self.origin else {}
        return known | {name: text for name, text in found.items() if text is not None and name != "gear"}

    def pair_of(self, hashes: tuple[str, str | None]) -> PairInfo | None:
        """The pair of the training whose recordings have these hashes (SHA-256), if there is one."""
        for pair in self.pairs:
            if (pair.input.sha256, pair.target.sha256 if pair.target else None) == hashes:
                return pair
        return None


def _converted(stored: dict[str, Any], name: str, kind: Any) -> Any:
    """A field as `kind`; the error names it, since msgspec knows only what is inside."""
    try:
        return msgspec.convert(stored[name], kind)
    except msgspec.ValidationError as e:
        raise _unusable(name, stored[name], f" ({e})") from None


def _unusable(name: str, value: Any, why: str = "") -> ValueError:
    return ValueError(f"{name} {str(value)[:40]}{why}")


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    return asdict(value) if hasattr(value, "__dataclass_fields__") else value


def versions() -> dict[str, str]:
    """All versions; starts the JVM for its own."""
    java = jvm.java_class("java.lang.System").getProperty("java.version")
    return versions_without_java() | {"java": str(java)}


def versions_without_java() -> dict[str, str]:
    """The versions that are known before the JVM is started."""
    return {
        "dl4j_bridge": __version__,
        "dl4j": jars.dl4j_version(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "system": f"{platform.system()} {platform.machine()}",
    }
