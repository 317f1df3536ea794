"""Settings of a training: groups that every task has. Each default stands here, or with the task that changes it."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Self

from dl4j_bridge.errors import InputError
from dl4j_bridge.settings.checks import check, check_choice, check_count

LAYERS = ("fused", "stock")
CELLS = ("graves", "lstm")
GRADIENT_STATES = ("auto", "carried", "stock")
UPDATERS = ("adam", "rmsprop", "nesterovs", "adagrad", "sgd")
INITS = ("auto", "wide", "one-hot", "xavier")
BACKENDS = ("cpu", "cuda")
AUGMENTATIONS = ("shift", "speed", "gain", "polarity", "noise")
PRETRAINING = ("none", "autoencoder")


@dataclass(frozen=True)
class DataSettings:
    """How recordings are read."""

    rate: int | None = field(default=None, metadata={"help": "Training rate in Hz; the input's own if not given."})
    channel: int | None = field(
        default=None, metadata={"help": "Channel to read, counted from 1; all are mixed down if not given."}
    )
    codec: str = field(default="auto", metadata={"help": "8-bit code: linear for 8-bit sources, else mulaw."})
    pre_emphasis: float = field(default=0.0, metadata={"help": "Coefficient of the pre-emphasis filter, 0 for none."})
    align: str = field(default="auto", metadata={"help": "Delay of the target to cut out: auto, off or samples."})

    def check(self) -> None:
        check_count("rate", self.rate)
        check_count("channel", self.channel)
        check("pre_emphasis", self.pre_emphasis, "0 up to (not including) 1", lambda v: 0 <= v < 1)
        parse_align(self.align)


@dataclass(frozen=True)
class NetworkSettings:
    """The network and its optimizer. The field names are those of the Java class of the same name."""

    task: str = field(
        default="samples",
        metadata={
            "help": "What the network learns: samples (8-bit classes), language-model (classes without a target), "
            "frames (numbers) or spectrogram (magnitudes)."
        },
    )
    layer: str = field(default="fused", metadata={"help": "Implementation of the recurrent layers: fused, or DL4J's."})
    cell: str = field(
        default="graves", metadata={"help": "Recurrent cell: graves (with peepholes) or lstm (DL4J's LSTM, without)."}
    )
    gradient_state: str = field(
        default="auto",
        metadata={
            "help": "Initial state of a segment's gradient: carried, or zero as in stock DL4J (auto: by --layer)."
        },
    )
    layers: int = field(default=2, metadata={"help": "Number of recurrent layers."})
    hidden: int = field(default=200, metadata={"help": "Number of units in each layer."})
    tbptt: int = field(default=50, metadata={"help": "Time steps in a segment of truncated back-propagation."})
    init: str = field(
        default="auto",
        metadata={
            "help": "Initial weights: xavier (DL4J's), one-hot, or wide (one-hot with larger weights in upper layers). "
            "auto is wide, and one-hot without a target."
        },
    )
    updater: str = field(default="adam", metadata={"help": "Optimizer."})
    learning_rate: float = field(default=0.01, metadata={"help": "Initial learning rate; without a target 0.005."})
    l2: float = field(default=0.0, metadata={"help": "L2 regularization, added to the gradient."})
    weight_decay: float = field(default=0.0, metadata={"help": "Weight decay, applied after the updater."})
    clip: float = field(default=1.0, metadata={"help": "Maximum L2 norm of a layer's gradient, 0 for no clipping."})
    dropout: float = field(default=0.0, metadata={"help": "Share of the inputs dropped after the first layer."})
    seed: int = field(default=12345, metadata={"help": "Random seed of weights, windows and dropout."})

    def check(self) -> None:
        for name in ("layers", "hidden", "tbptt"):
            check_count(name, getattr(self, name))
        check("learning_rate", self.learning_rate, "a number above 0", lambda v: v > 0)
        for name in ("l2", "weight_decay", "clip"):
            check(name, getattr(self, name), "0 or more", lambda v: v >= 0)
        check("dropout", self.dropout, "0 up to (not including) 1", lambda v: 0 <= v < 1)
        check("seed", self.seed, "0 up to 2^63 - 1", lambda v: 0 <= v < 2**63)
        check_choice("layer", self.layer, LAYERS)
        check_choice("cell", self.cell, CELLS)
        check_choice("gradient_state", self.gradient_state, GRADIENT_STATES)
        if self.layer == "stock" and self.gradient_state == "carried":
            wanted = "wanted --layer fused: stock cannot do it"
            raise InputError("--gradient-state", "carried with --layer stock", wanted)
        check_choice("updater", self.updater, UPDATERS)
        check_choice("init", self.init, INITS)

    def resolved(self) -> NetworkSettings:
        """Replace "auto": the gradient state that fits the layers, and weights for an input that is one-hot."""
        state = "carried" if self.layer == "fused" else "stock"
        return replace(
            self,
            gradient_state=state if self.gradient_state == "auto" else self.gradient_state,
            init="wide" if self.init == "auto" else self.init,
        )


@dataclass(frozen=True)
class SmallDataSettings:
    """Augmentation and pre-training, for little data."""

    augment: str = field(
        default="",
        metadata={
            "help": "Changes to make on copies of the training part, such as gain,polarity: "
            + ", ".join(AUGMENTATIONS)
            + "; not each is right for each effect. Needs the extra augment."
        },
    )
    augment_copies: int = field(default=4, metadata={"help": "Number of copies that --augment makes."})
    pretrain: str = field(
        default="none",
        metadata={"help": "Start from the recurrent layers of an autoencoder of the recordings: none, autoencoder."},
    )
    pretrain_steps: int = field(default=200, metadata={"help": "Number of steps of --pretrain, before the others."})
    pretrain_delay: int = field(
        default=0, metadata={"help": "Time steps by which the autoencoder's output lags its input."}
    )

    @property
    def changes(self) -> tuple[str, ...]:
        """The names in `augment`, in the order in which they are made."""
        return tuple(name for name in AUGMENTATIONS if name in self.augment.split(","))

    def check(self, length: int) -> None:
        """Refuse settings out of range; `length` is the number of time steps in a window."""
        for name in filter(None, self.augment.split(",")):
            check_choice("augment", name, AUGMENTATIONS)
        check("augment_copies", self.augment_copies, "1 to 1000", lambda v: 1 <= v <= 1000)
        check_choice("pretrain", self.pretrain, PRETRAINING)
        check_count("pretrain_steps", self.pretrain_steps)
        wanted = f"0 to {length - 1}, below --length"
        check("pretrain_delay", self.pretrain_delay, wanted, lambda v: 0 <= v < length)


@dataclass(frozen=True)
class RunSettings:
    """Duration and batches of a training. A step is one update: one segment of one batch."""

    length: int = field(
        default=1000,
        metadata={
            "help": "Time steps in a training window; the state is carried through it.",
            "also": ["--context"],
        },
    )
    batch: int = field(default=32, metadata={"help": "Number of windows in a step."})
    steps: int | None = field(default=None, metadata={"help": "Maximum number of training steps."})
    epochs: float | None = field(default=None, metadata={"help": "Maximum number of passes over the training part."})
    minutes: float | None = field(default=None, metadata={"help": "Maximum number of minutes of training."})
    validate_every: int = field(default=100, metadata={"help": "Steps between validations."})
    patience: int = field(
        default=8,
        metadata={
            "help": "Validations without improvement before training stops; after a quarter of them "
            "the learning rate is halved."
        },
    )
    min_gain: float = field(default=0.002, metadata={"help": "Bits that count as an improvement."})
    validation_samples: int = field(default=8000, metadata={"help": "Samples of the validation part to evaluate."})
    threads: int | None = field(
        default=None, metadata={"help": "CPU threads; if not given all cores, or one with stock layers."}
    )
    backend: str = field(default="cpu", metadata={"help": "ND4J backend: cpu or cuda."})

    def check(self) -> None:
        for name in ("length", "batch", "steps", "validate_every", "patience", "validation_samples", "threads"):
            check_count(name, getattr(self, name))
        for name in ("epochs", "minutes"):
            check(name, getattr(self, name), "a number above 0", lambda v: v > 0)
        check("min_gain", self.min_gain, "0 or more", lambda v: v >= 0)
        check_choice("backend", self.backend, BACKENDS)


@dataclass(frozen=True)
class TaskSettings:
    """Options that one task alone has; a task with options derives its group from this one.

    Attributes
    ----------
    hop
        Samples of a recording in a time step.
    width
        Values in a time step; None where the width of the classes counts.
    """

    @property
    def hop(self) -> int:
        return 1

    @property
    def width(self) -> int | None:
        return None

    def check(self, settings: TrainSettings) -> None:
        """Refuse values out of range, or that do not go together with the other groups.

        Raises
        ------
        InputError
            Names the option, the value and the range.
        """


@dataclass(frozen=True)
class TrainSettings:
    """All settings of a training.

    Attributes
    ----------
    own
        The group of the task.
    """

    data: DataSettings = DataSettings()
    network: NetworkSettings = NetworkSettings()
    run: RunSettings = RunSettings()
    small_data: SmallDataSettings = SmallDataSettings()
    own: TaskSettings = TaskSettings()

    def with_options(self, options: dict[str, Any]) -> Self:
        """Replace every field named in `options`; names are unique over all groups.

        Raises
        ------
        InputError
            A value is out of range, or two do not go together.
        """
        groups = {}
        for group in fields(self):
            value = getattr(self, group.name)
            named = {f.name: options[f.name] for f in fields(value) if f.name in options}
            groups[group.name] = replace(value, **named)
        settings = replace(self, **groups)
        settings.check()
        return settings

    def check(self) -> None:
        self.data.check()
        self.network.check()
        self.run.check()
        self.own.check(self)
        self.small_data.check(self.run.length)
        if self.run.length < self.network.tbptt:
            found = f"{self.network.tbptt} samples, longer than --length {self.run.length}"
            raise InputError("--tbptt", found, "wanted at most that")

    @property
    def threads(self) -> int:
        """CPU threads to train with."""
        if self.run.threads is not None:
            return self.run.threads
        return 1 if self.network.layer == "stock" else default_threads(self.run.batch)

    @property
    def nd4j_threads(self) -> int:
        """OpenMP threads of ND4J's own operations, which only stock layers consist of."""
        return self.threads if self.network.layer == "stock" else 1

    @property
    def hop(self) -> int:
        """Samples of a recording in a time step."""
        return self.own.hop

    def as_dict(self) -> dict[str, Any]:
        """All groups by name; that of the task has the task's name, and is left out if it is empty."""
        groups = asdict(self)
        own = groups.pop("own")
        return groups | ({self.network.task: own} if own else {})

    def as_options(self) -> dict[str, Any]:
        """All fields of all groups in one dict, as `with_options` takes them."""
        return {name: value for group in self.as_dict().values() for name, value in group.items()}


def default_threads(batch: int) -> int:
    """The number of cores of this machine, but at most one for each 8 rows of a batch: fewer are no work to share."""
    import psutil

    cores = psutil.cpu_count(logical=False) or 1
    if hasattr(os, "sched_getaffinity"):
        cores = min(cores, len(os.sched_getaffinity(0)))
    return max(1, min(cores, batch // 8))


def parse_align(align: str) -> int | None:
    """The number of samples that `--align` fixes: 0 for ``off``, None for ``auto``."""
    if align == "auto":
        return None
    if align == "off":
        return 0
    try:
        return int(align)
    except ValueError:
        raise InputError("--align", align, "wanted auto, off or a whole number of samples") from None
