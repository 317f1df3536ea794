"""Settings of a training: groups that every task has. Each default stands here, or with the task that changes it."""

from __future__ import annotations

import os
import re
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

from dl4j_bridge.errors import InputError
from dl4j_bridge.settings.checks import (
    ABOVE_0,
    BELOW_1,
    CODEC_NAMES,
    COUNT,
    FROM_0,
    SEED,
    Range,
    Settings,
    check,
    one_of,
    option,
    setting,
    up_to,
)
from dl4j_bridge.settings.schedules import SCHEDULES

# Of the fastest converters; soxr and libsndfile take any number, and the memory for it.
MAX_RATE = 768_000
LAYERS = ("fused", "stock")
CELLS = ("graves", "lstm")
UPDATERS = ("adam", "rmsprop", "nesterovs", "adagrad", "sgd")
INITS = ("auto", "smooth", "wide", "one-hot", "xavier")
# The default of `neighbours`.
NEIGHBOURS = 0.85
# The default of `cell_penalty`.
CELL_PENALTY = 0.01
AUGMENTATIONS = ("shift", "speed", "gain", "polarity", "noise")
_ALIGN = Range(
    "auto, off or a whole number of samples", lambda v: bool(re.fullmatch(r"auto|off|[+-]?\d+", v)), ("auto", "off")
)
_ADDRESS = Range("an address such as 10.0.0.1:6379", lambda v: 0 < len(v) <= 300 and v.isprintable())
_TEXT = Range("1 to 2000 printable characters", lambda v: 0 < len(v) <= 2000 and v.replace("\n", "").isprintable())


@dataclass(frozen=True)
class DataSettings(Settings):
    """How recordings are read."""

    rate: int | None = setting(None, "Training rate in Hz; the input's own if not given.", up_to(MAX_RATE))
    channel: int | None = setting(None, "Channel to read, counted from 1; all are mixed down if not given.", COUNT)
    codec: str = setting(
        "auto", "8-bit code: linear or mulaw; auto is linear for 8-bit sources, else mulaw.", same=CODEC_NAMES
    )
    pre_emphasis: float = setting(0.0, "Coefficient of the pre-emphasis filter, 0 for none.", BELOW_1)
    align: str = setting("auto", "Delay of the target to cut out: auto, off or samples.", _ALIGN)
    predict: str | None = setting(
        None,
        "What is learned: the sample of the target, or the next one of the input; target if one is given, else next.",
        one_of(["target", "next"]),
    )


@dataclass(frozen=True)
class NetworkSettings(Settings):
    """The network and its optimizer. The field names are those of the Java class of the same name."""

    task: str = setting(
        "samples",
        "What the network learns: samples (8-bit classes), language-model (classes without a target), "
        "frames (numbers) or spectrogram (magnitudes).",
    )
    layer: str = setting("fused", "Implementation of the recurrent layers: fused, or stock (DL4J's).", one_of(LAYERS))
    cell: str = setting(
        "graves", "Recurrent cell: graves (with peepholes) or lstm (DL4J's LSTM, without).", one_of(CELLS)
    )
    gradient_state: str = setting(
        "auto",
        "Initial state of a segment's gradient: carried, or stock (zero, as in DL4J); auto: by --layer.",
        one_of(["auto", "carried", "stock"]),
    )
    layers: int = setting(2, "Number of recurrent layers.", up_to(64))
    hidden: int = setting(200, "Number of units in each layer.", up_to(16_384))
    tbptt: int = setting(50, "Time steps in a segment of truncated back-propagation.", up_to(1 << 20))
    init: str = setting(
        "auto",
        "Initial weights: xavier (DL4J's), one-hot, wide (one-hot with larger weights in upper layers) or smooth (wide "
        "with similar weights for neighbouring classes of the input). auto is smooth.",
        one_of(INITS),
    )
    slow_units: float = setting(
        0.0,
        "Share of the units of each recurrent layer that start with a memory of 100 to 8,000 time steps.",
        Range("0 to 1", lambda v: 0 <= v <= 1),
    )
    updater: str = setting("adam", "Optimizer.", one_of(UPDATERS))
    learning_rate: float = setting(0.01, "Initial learning rate.", ABOVE_0)
    l2: float = setting(0.0, "L2 regularization, added to the gradient.", FROM_0)
    weight_decay: float = setting(0.0, "Weight decay, applied after the updater.", FROM_0)
    clip: float = setting(1.0, "Maximum L2 norm of a layer's gradient, 0 for no clipping.", FROM_0)
    dropout: float = setting(0.0, "Share of the inputs dropped after the first layer.", BELOW_1)
    neighbours: float | None = setting(
        None,
        "Share of the gradient of a class of samples that the next class gets too, the one after it the square of that "
        "share, and so on; 0 for none. It grows from 0 over 200 steps. Needs fused layers and Adam, where it is 0.85 "
        "if not given.",
        BELOW_1,
    )
    cell_penalty: float | None = setting(
        None,
        "Weight of a penalty on memory cells beyond -10 to 10, which keeps units from adding up their input over a "
        f"long recording; 0 for none. Needs fused layers, where it is {CELL_PENALTY:g} if not given.",
        FROM_0,
    )
    seed: int = setting(12345, "Random seed of weights, windows and dropout.", SEED)

    def check(self) -> None:
        super().check()
        if self.layer == "stock" and self.gradient_state == "carried":
            wanted = "wanted --layer fused: stock cannot do it"
            raise InputError("--gradient-state", "carried with --layer stock", wanted)
        if self.neighbours and not self._can_share:
            raise InputError("--neighbours", "with other layers or updaters", "wanted --layer fused --updater adam")
        if self.cell_penalty and self.layer != "fused":
            raise InputError("--cell-penalty", "with --layer stock", "wanted --layer fused")

    @property
    def _can_share(self) -> bool:
        return self.layer == "fused" and self.updater == "adam" and not self.l2 and not self.weight_decay

    def resolved(self) -> NetworkSettings:
        """Replace "auto": the gradient state that fits the layers, and the best initial weights."""
        gradient_state = "carried" if self.layer == "fused" else "stock"
        automatic: dict[str, Any] = {"gradient_state": gradient_state, "init": "smooth"}
        neighbours = (NEIGHBOURS if self._can_share else 0.0) if self.neighbours is None else self.neighbours
        penalty = CELL_PENALTY if self.layer == "fused" else 0.0
        cell_penalty = penalty if self.cell_penalty is None else self.cell_penalty
        chosen = {name: v for name, v in automatic.items() if getattr(self, name) == "auto"}
        return replace(self, neighbours=neighbours, cell_penalty=cell_penalty, **chosen)


@dataclass(frozen=True)
class SmallDataSettings(Settings):
    """Augmentation and pre-training, for little data."""

    augment: str = setting(
        "",
        f"Changes to make on copies of the training part, such as gain,polarity: {', '.join(AUGMENTATIONS)}; "
        "not each is right for each effect. Needs the extra augment.",
    )
    augment_copies: int = setting(
        4, "Number of copies that --augment makes.", Range("1 to 1000", lambda v: 1 <= v <= 1000)
    )
    pretrain: str = setting(
        "none",
        "Start from the recurrent layers of an autoencoder of the recordings: none, autoencoder.",
        one_of(["none", "autoencoder"]),
    )
    pretrain_steps: int = setting(200, "Number of steps of --pretrain, before the others.", COUNT)
    pretrain_delay: int = setting(0, "Time steps by which the autoencoder's output lags its input.")

    @property
    def changes(self) -> tuple[str, ...]:
        """The names in `augment`, in the order in which they are made."""
        return tuple(name for name in AUGMENTATIONS if name in self.augment.split(","))

    def check(self) -> None:
        super().check()
        for name in filter(None, self.augment.split(",")):
            check("augment", name, one_of(AUGMENTATIONS))


@dataclass(frozen=True)
class RunSettings(Settings):
    """Duration and batches of a training. A step is one update: one segment of one batch."""

    length: int = setting(
        1000, "Time steps in a training window; the state is carried through it.", up_to(1 << 24), ("--context",)
    )
    batch: int = setting(32, "Number of windows in a step.", up_to(1 << 16))
    steps: int | None = setting(None, "Maximum number of training steps.", COUNT)
    epochs: float | None = setting(None, "Maximum number of passes over the training part.", ABOVE_0)
    minutes: float | None = setting(None, "Maximum number of minutes of training.", ABOVE_0)
    validate_every: int = setting(100, "Steps between validations.", COUNT)
    schedule: str = setting(
        "auto",
        "Learning rate over the training: cooldown (constant, then falling linearly over the last 40 %), linear or "
        "cosine, all to zero at the end of --steps, --epochs or --minutes; or plateau (see --patience). auto is "
        "cooldown with one of these limits, else plateau.",
        one_of(["auto", *SCHEDULES, "plateau"]),
    )
    patience: int = setting(
        8,
        "With --schedule plateau: validations without improvement before training stops; after a quarter of them the "
        "learning rate is halved.",
        COUNT,
    )
    min_gain: float = setting(0.002, "Bits that count as an improvement.", FROM_0)
    stop_when_solved: bool = setting(True, "Stop when the validation part is learned exactly.")
    validation_samples: int = setting(8000, "Samples of the validation part to evaluate.", COUNT)
    preview: float = setting(
        30.0,
        "Minimum number of seconds between two updates of preview.wav in the run folder, the model's sound so far; 0 "
        "for none. It takes at most 1 % of the time.",
        FROM_0,
    )
    threads: int | None = setting(None, "CPU threads; if not given all cores, or one with stock layers.", up_to(1024))
    backend: str = setting("cpu", "ND4J backend: cpu or cuda.", one_of(["cpu", "cuda"]))

    @property
    def has_limit(self) -> bool:
        return any(limit is not None for limit in (self.steps, self.epochs, self.minutes))

    def resolved(self) -> RunSettings:
        """Replace "auto" by what fits the limits of a new run."""
        automatic = "cooldown" if self.has_limit else "plateau"
        return replace(self, schedule=automatic) if self.schedule == "auto" else self

    def check(self) -> None:
        super().check()
        if self.schedule in SCHEDULES and not self.has_limit:
            wanted = "wanted --steps, --epochs or --minutes: it falls to zero at that limit"
            raise InputError("--schedule", f"{self.schedule} without a limit", wanted)


@dataclass(frozen=True)
class WorkersSettings(Settings):
    """Workers that train one network together, on Ray."""

    workers: int = setting(
        1,
        "Number of processes that share the windows of each batch, on Ray. 1 trains in this process, without Ray.",
        up_to(1 << 12),
    )
    cluster: str | None = setting(
        None, "Ray cluster for the workers, such as 10.0.0.1:6379; this machine if not given.", _ADDRESS
    )
    cores_per_worker: int = setting(1, "CPU cores and threads of a worker.", up_to(1024))
    sync_every: int = setting(
        1,
        "Steps between two exchanges. 1: of gradients, as if one worker had the whole batch. More, for slow networks: "
        "each worker trains a copy, and the changes of the copies are averaged (DiLoCo).",
        COUNT,
    )
    gradient_format: str = setting(
        "float32",
        "Numbers that workers send: float32, or bfloat16 for half the bytes.",
        one_of(["float32", "bfloat16"]),
    )
    worker_timeout: float = setting(
        60.0, "Seconds that a worker has for a step, after which another one computes it and it is replaced.", ABOVE_0
    )

    @property
    def on_ray(self) -> bool:
        return self.workers > 1 or self.cluster is not None

    def check_given(self, options: dict[str, Any]) -> None:
        """Refuse options that only workers use; what a run has stored of earlier workers is ignored."""
        given = next((f.name for f in fields(self) if options.get(f.name, f.default) != f.default), None)
        if given and not self.on_ray:
            raise InputError(option(given), f"{options[given]} without --workers", "wanted --workers 2 or more")


@dataclass(frozen=True)
class AboutSettings(Settings):
    """What a model's author says about it; `info`, reports and exports show it."""

    name: str | None = setting(None, "Name of the model, such as 'Plexi, bright channel'.", _TEXT)
    gear: str | None = setting(None, "The amplifier, pedal or program that was recorded.", _TEXT)
    modeled_by: str | None = setting(None, "Author of the model.", _TEXT)
    notes: str | None = setting(None, "Anything else: the knobs, the cabinet, the microphone.", _TEXT)


# Fields of one run alone: they may change when it is resumed, and other commands ignore them in its file.
OF_A_RUN = frozenset(f.name for group in (WorkersSettings, AboutSettings) for f in fields(group))


@dataclass(frozen=True)
class TaskSettings(Settings):
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

    def check_with(self, settings: TrainSettings) -> None:
        """Refuse values that do not go together with those of the other groups.

        Raises
        ------
        InputError
            Names the option and the value.
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
    workers: WorkersSettings = WorkersSettings()
    about: AboutSettings = AboutSettings()
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
        settings.workers.check_given(options)
        return settings

    def check(self) -> None:
        for group in fields(self):
            getattr(self, group.name).check()
        self.own.check_with(self)
        length = self.run.length
        lags = Range(f"0 to {length - 1}, below --length", lambda v: 0 <= v < length)
        check("pretrain_delay", self.small_data.pretrain_delay, lags)
        if self.workers.workers > self.run.batch:
            found = f"{self.workers.workers} for a --batch of {self.run.batch}"
            raise InputError("--workers", found, "wanted at most one for each window of a batch")
        if self.workers.workers > 1 and self.run.backend != "cpu":
            raise InputError("--workers", f"with --backend {self.run.backend}", "wanted --backend cpu")
        if length < self.network.tbptt:
            found = f"{self.network.tbptt} samples, longer than --length {length}"
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
    return max(1, min(cores(), batch // 8))


def cores() -> int:
    """The number of cores that this process may use."""
    import psutil

    found = psutil.cpu_count(logical=False) or 1
    return min(found, len(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else found


def parse_align(align: str) -> int | None:
    """The number of samples that `--align` fixes: 0 for ``off``, None for ``auto``."""
    named: dict[str, int | None] = {"auto": None, "off": 0}
    return named[align] if align in named else int(align)
