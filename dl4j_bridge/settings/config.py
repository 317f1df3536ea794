"""Every setting with its default. No other place holds a default."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from dl4j_bridge.errors import InputError

CODECS = ("auto", "linear", "mulaw")
LAYERS = ("fused", "stock")
CELLS = ("graves", "lstm")
GRADIENT_STATES = ("auto", "carried", "stock")
UPDATERS = ("adam", "rmsprop", "nesterovs", "adagrad", "sgd")
INITS = ("auto", "wide", "one-hot", "xavier")
BACKENDS = ("cpu", "cuda")
DECODES = ("auto", "mean", "argmax", "sample")
TASKS = ("samples", "language-model", "frames", "spectrogram")
# Tasks whose network says a distribution over 8-bit classes.
CLASS_TASKS = ("samples", "language-model")
LOSSES = ("mse", "esr")
AUGMENTATIONS = ("shift", "speed", "gain", "polarity", "noise")
PRETRAINING = ("none", "autoencoder")
LONGEST_FRAME = 1 << 20
LONGEST_WINDOW = 1 << 16

# How many samples at the training rate may differ, as a share of the longer recording and in seconds (the smaller of
# the two), before two lengths count as two different recordings. Effects leave tails; the delay comes on top.
LENGTH_TOLERANCE_SHARE = 0.1
LENGTH_TOLERANCE_SECONDS = 0.5

DEMO_MINUTES = 2.0

# Shares of a recording, in this order and each in one piece.
SPLIT = (0.8, 0.1, 0.1)


@dataclass(frozen=True)
class DataSettings:
    """How recordings become class indices."""

    rate: int | None = field(default=None, metadata={"help": "Training rate in Hz; the input's own if not given."})
    channel: int | None = field(
        default=None, metadata={"help": "Channel to take, counted from 1; all mixed down if not given."}
    )
    codec: str = field(default="auto", metadata={"help": "8-bit code: linear for 8-bit sources, else mu-law."})
    pre_emphasis: float = field(default=0.0, metadata={"help": "Coefficient of the pre-emphasis filter, 0 for none."})
    align: str = field(default="auto", metadata={"help": "Delay of the target to cut out: auto, off or samples."})


@dataclass(frozen=True)
class NetworkSettings:
    """The network and how it is trained. The field names are those of the Java class of the same name."""

    task: str = field(
        default="samples",
        metadata={
            "help": "What is learnt: samples (8-bit classes), language-model (those without a target), frames "
            "(numbers) or spectrogram (magnitudes)."
        },
    )
    layer: str = field(default="fused", metadata={"help": "Implementation of the GravesLSTM: ours, or DL4J's own."})
    cell: str = field(
        default="graves",
        metadata={"help": "Recurrent cell: graves (GravesLSTM, with peepholes) or lstm (DL4J's LSTM, without)."},
    )
    gradient_state: str = field(
        default="auto",
        metadata={
            "help": "Where a segment's gradient starts: carried state, or zero as in stock DL4J (auto: by --layer)."
        },
    )
    layers: int = field(default=2, metadata={"help": "Number of GravesLSTM layers."})
    hidden: int = field(default=200, metadata={"help": "Units in each layer."})
    tbptt: int = field(default=50, metadata={"help": "Samples in a segment of truncated back-propagation."})
    init: str = field(
        default="auto",
        metadata={
            "help": "Weights: xavier (DL4J's), one-hot, or wide: also those above doubled. "
            "auto is wide, and one-hot without a target."
        },
    )
    updater: str = field(default="adam", metadata={"help": "Optimiser."})
    learning_rate: float = field(default=0.01, metadata={"help": "Learning rate at the start; without a target 0.005."})
    l2: float = field(default=0.0, metadata={"help": "L2 regularisation, added to the gradient."})
    weight_decay: float = field(default=0.0, metadata={"help": "Weight decay, applied behind the updater."})
    clip: float = field(default=1.0, metadata={"help": "Largest L2 norm of a layer's gradient, 0 for no clipping."})
    dropout: float = field(default=0.0, metadata={"help": "Share of the inputs dropped behind the first layer."})
    seed: int = field(default=12345, metadata={"help": "Seed of weights, windows and dropout."})

    def resolved(self) -> NetworkSettings:
        """Say what "auto" means: the gradient state of these layers, and weights for an input that is one-hot."""
        state = "carried" if self.layer == "fused" else "stock"
        return replace(
            self,
            gradient_state=state if self.gradient_state == "auto" else self.gradient_state,
            init="wide" if self.init == "auto" else self.init,
        )


@dataclass(frozen=True)
class FrameSettings:
    """Of ``--task frames``: recordings as they are, so many samples a time step, and squared error."""

    frame: int = field(default=1, metadata={"help": "Samples in a frame, which is one time step."})
    loss: str = field(
        default="mse",
        metadata={
            "help": "Squared error, or with frames of 1 esr: error to signal, pre-emphasis and offset weighed in."
        },
    )
    skip: bool = field(default=False, metadata={"help": "Learn what the effect adds to its input."})
    warm_up: int = field(
        default=0,
        metadata={
            "help": "With --loss esr: time steps of a window whose error does not count, as the state is still empty."
        },
    )
    input_noise: float = field(
        default=0.0,
        metadata={"help": "Without a target: deviation of noise on the input in training; 1 is full range."},
    )
    scheduled_sampling: float = field(
        default=0.0, metadata={"help": "Without a target: share of inputs that become the network's own predictions."}
    )


@dataclass(frozen=True)
class SmallDataSettings:
    """What makes more of little data: altered copies of the training part, and weights that begin elsewhere."""

    augment: str = field(
        default="",
        metadata={
            "help": "Changes to train on copies with, such as gain,polarity: "
            + ", ".join(AUGMENTATIONS)
            + "; not each is right for each effect. Needs the extra augment."
        },
    )
    augment_copies: int = field(default=4, metadata={"help": "Copies that --augment makes of the training part."})
    pretrain: str = field(
        default="none",
        metadata={
            "help": "Begin with the recurrent layers of an autoencoder of the same recordings: none, autoencoder."
        },
    )
    pretrain_steps: int = field(default=200, metadata={"help": "Steps of --pretrain, before the others."})
    pretrain_delay: int = field(
        default=0, metadata={"help": "Time steps by which the autoencoder gives back its input later."}
    )

    @property
    def changes(self) -> tuple[str, ...]:
        """The names in `augment`, in the order in which they are made."""
        return tuple(name for name in AUGMENTATIONS if name in self.augment.split(","))


@dataclass(frozen=True)
class SpectrogramSettings:
    """Of ``--task spectrogram``: magnitudes of a mixture in, those of one of its stems out."""

    window: int = field(default=768, metadata={"help": "Samples in a spectrum; half as many frequencies, and one."})
    hop: int = field(default=192, metadata={"help": "Samples from one spectrum to the next, which is one time step."})
    mask: bool = field(
        default=False, metadata={"help": "Learn the stem's share of each magnitude instead of the magnitude."}
    )


@dataclass(frozen=True)
class RunSettings:
    """How long and on what training runs. A step is one update: one segment of one batch."""

    length: int = field(
        default=1000,
        metadata={
            "help": "Time steps (samples) in a training window; state is carried through it.",
            "also": ["--context"],
        },
    )
    batch: int = field(default=32, metadata={"help": "Windows side by side in a step."})
    steps: int | None = field(default=None, metadata={"help": "Stop after so many steps."})
    epochs: float | None = field(default=None, metadata={"help": "Stop after so many passes over the training part."})
    minutes: float | None = field(default=None, metadata={"help": "Stop after so many minutes of training."})
    validate_every: int = field(default=100, metadata={"help": "Steps between validations."})
    patience: int = field(
        default=8, metadata={"help": "Stop after so many validations without improvement; a quarter halves the rate."}
    )
    min_gain: float = field(default=0.002, metadata={"help": "Bits that count as an improvement."})
    validation_samples: int = field(default=8000, metadata={"help": "Samples of the validation part to look at."})
    threads: int | None = field(
        default=None, metadata={"help": "CPU threads; if not given all cores, but one with stock layers."}
    )
    backend: str = field(default="cpu", metadata={"help": "ND4J backend."})


@dataclass(frozen=True)
class TrainSettings:
    """All of `train`'s settings."""

    data: DataSettings = DataSettings()
    network: NetworkSettings = NetworkSettings()
    run: RunSettings = RunSettings()
    frames: FrameSettings = FrameSettings()
    small_data: SmallDataSettings = SmallDataSettings()
    spectrogram: SpectrogramSettings = SpectrogramSettings()

    def with_options(self, options: dict[str, Any]) -> TrainSettings:
        """Replace every field named in `options`; names are unique over all groups."""
        groups = {}
        for group in fields(self):
            value = getattr(self, group.name)
            named = {f.name: options[f.name] for f in fields(value) if f.name in options}
            groups[group.name] = replace(value, **named)
        settings = replace(self, **groups)
        validate(settings)
        return settings

    @property
    def threads(self) -> int:
        """CPU threads to train with."""
        if self.run.threads is not None:
            return self.run.threads
        return 1 if self.network.layer == "stock" else default_threads(self.run.batch)

    @property
    def hop(self) -> int:
        """Samples of a recording in a time step."""
        hops = {"frames": self.frames.frame, "spectrogram": self.spectrogram.hop}
        return hops.get(self.network.task, 1)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def as_options(self) -> dict[str, Any]:
        """Give all fields of all groups in one dict, as `with_options` takes them."""
        return {name: value for group in self.as_dict().values() for name, value in group.items()}

    @staticmethod
    def from_dict(stored: dict[str, Any]) -> TrainSettings:
        # What an older version did not know has its default.
        return TrainSettings(
            **{group.name: _GROUPS[group.name](**stored.get(group.name, {})) for group in fields(TrainSettings)}
        )


_GROUPS: dict[str, Any] = {
    "data": DataSettings,
    "network": NetworkSettings,
    "run": RunSettings,
    "frames": FrameSettings,
    "small_data": SmallDataSettings,
    "spectrogram": SpectrogramSettings,
}


# Groups whose options one task has alone.
_TASK_OF_GROUP = {"frames": "frames", "spectrogram": "spectrogram"}


@dataclass(frozen=True)
class ProcessSettings:
    """How a recording is run through a model."""

    decode: str = field(
        default="auto", metadata={"help": "Distribution to sample value: mean, argmax or sample; auto is mean."}
    )
    seed: int = field(default=12345, metadata={"help": "Seed of --decode sample."})
    chunk: int = field(default=4096, metadata={"help": "Samples handed over at a time; changes nothing in the output."})


@dataclass(frozen=True)
class GenerateSettings:
    """How new audio is drawn from a model."""

    temperature: float | None = field(
        default=None,
        metadata={"help": "Below 1 plays safe, above 1 takes risks; if not given, what the end of training found."},
    )
    top_p: float = field(default=1.0, metadata={"help": "Draw only from the likeliest classes of this total share."})
    seed: int = field(default=12345, metadata={"help": "Same seed, same bytes."})
    steer: bool = field(
        default=True,
        metadata={"help": "Without --temperature: keep the audio as loud and as unpredictable as the recordings."},
    )


@dataclass(frozen=True)
class CompareSettings:
    """What `compare` does beside its table."""

    wavs: Path | None = field(
        default=None, metadata={"help": "Folder for a wav of the input, the target and each row of the judged part."}
    )
    plot: Path | None = field(default=None, metadata={"help": "PNG to draw the table as a bar chart into."})
    pytorch: bool = field(
        default=False, metadata={"help": "Train a PyTorch nn.LSTM of the same size as one more row; takes a while."}
    )
    pytorch_steps: int = field(default=500, metadata={"help": "Updates of --pytorch; not more than the model had."})
    drift_seconds: float = field(
        default=5.0, metadata={"help": "Audio to draw from a next-sample model to see whether it drifts; 0 for none."}
    )

    def written(self, out: Path | None) -> dict[str, str | None]:
        """Name what a comparison writes: ``wavs``, ``plot`` and, in `out`, ``report``; None for what it does not."""
        files = {"wavs": self.wavs, "plot": self.plot, "report": out and out / "report.html"}
        return {name: None if file is None else str(file) for name, file in files.items()}


# What DL4J's character example (GravesLSTMCharModellingExample) says, read with today's DL4J.
_POSTED = {
    "updater": "rmsprop",
    "learning_rate": 0.1,
    "l2": 0.001,
    "clip": 0.0,
    "init": "xavier",
    "gradient_state": "stock",
    "patience": 1_000_000,
}

# A model that is fed its own samples comes out too calm or too loud more often with the defaults' quicker start.
NEXT_SAMPLE: dict[str, Any] = {"learning_rate": 0.005, "init": "one-hot"}
LANGUAGE_MODEL: dict[str, Any] = NEXT_SAMPLE | {"rate": 11025, "codec": "mulaw"}
# What differs from the defaults in a task, with a target and without.
_OF_TASK: dict[tuple[str, bool], dict[str, Any]] = {
    ("samples", True): {},
    ("samples", False): NEXT_SAMPLE,
    ("frames", True): {
        "layers": 1,
        "hidden": 40,
        "tbptt": 500,
        "length": 2000,
        "loss": "esr",
        "learning_rate": 0.005,
        "warm_up": 200,
        # Steps are short, and so are 8,000 samples at 44.1 kHz: a quiet passage would stop the training.
        "validate_every": 250,
        "validation_samples": 44100,
        "patience": 12,
    },
    ("frames", False): {"layers": 3, "hidden": 128, "frame": 200, "length": 50, "batch": 16, "learning_rate": 0.003},
    ("spectrogram", True): {
        "layers": 3,
        "hidden": 128,
        "batch": 8,
        "tbptt": 32,
        "length": 128,
        "learning_rate": 0.003,
    },
    ("language-model", False): LANGUAGE_MODEL,
}

PRESETS: dict[str, dict[str, Any]] = {
    "default": {},
    "posted": _POSTED,
    # Before 1.0.0-beta3 the division by the batch (32) came behind the updater, and L2 behind both. The gradient
    # carried the state too, which today only the fused layer does.
    "posted-legacy": _POSTED
    | {"learning_rate": 0.1 / 32, "l2": 0.0, "weight_decay": 0.001 / 32, "gradient_state": "carried"},
}


def default_threads(batch: int) -> int:
    """Give the cores of this machine, but to each at least 8 rows of a batch: fewer are no work to share."""
    import psutil

    cores = psutil.cpu_count(logical=False) or 1
    if hasattr(os, "sched_getaffinity"):
        cores = min(cores, len(os.sched_getaffinity(0)))
    return max(1, min(cores, batch // 8))


def preset(name: str, has_target: bool = True, task: str = "samples") -> TrainSettings:
    """Give the defaults of a task, with a target or without, changed by the preset `name`."""
    if name not in PRESETS:
        raise InputError("--preset", name, f"wanted one of {', '.join(PRESETS)}")
    check_task(task)
    if name != "default" and task != "samples":
        raise InputError("--preset", f"{name} with --task {task}", "wanted --task samples: it was posted for that")
    if (task, has_target) not in _OF_TASK:
        if has_target:
            wanted = "wanted none: it learns what comes next in a recording"
            raise InputError("--target", f"with --task {task}", wanted)
        raise InputError("--target", f"not given with --task {task}", "wanted one for each --input")
    return TrainSettings().with_options({"task": task} | _OF_TASK[task, has_target] | PRESETS[name])


def option(name: str) -> str:
    """Spell a field's name as the command line does."""
    return "--" + name.replace("_", "-")


def validate(settings: TrainSettings) -> None:
    """Refuse numbers that make no sense.

    Raises
    ------
    InputError
        Names the option, the value and the range.
    """
    data, network, run = settings.data, settings.network, settings.run
    for group, names in (
        (network, ("layers", "hidden", "tbptt")),
        (run, ("length", "batch", "steps", "validate_every", "patience", "validation_samples", "threads")),
        (data, ("rate", "channel")),
    ):
        for name in names:
            _check(name, getattr(group, name), "1 to 2^31 - 1", lambda v: 1 <= v < 2**31)
    for name in ("epochs", "minutes"):
        _check(name, getattr(run, name), "a number above 0", lambda v: v > 0)
    _check("learning_rate", network.learning_rate, "a number above 0", lambda v: v > 0)
    for name in ("l2", "weight_decay", "clip"):
        _check(name, getattr(network, name), "0 or more", lambda v: v >= 0)
    _check("min_gain", run.min_gain, "0 or more", lambda v: v >= 0)
    _check("dropout", network.dropout, "0 up to (not including) 1", lambda v: 0 <= v < 1)
    _check("pre_emphasis", data.pre_emphasis, "0 up to (not including) 1", lambda v: 0 <= v < 1)
    _check("seed", network.seed, "0 up to 2^63 - 1", lambda v: 0 <= v < 2**63)
    _check_choice("codec", data.codec, CODECS)
    _check_choice("layer", network.layer, LAYERS)
    _check_choice("cell", network.cell, CELLS)
    _check_choice("gradient_state", network.gradient_state, GRADIENT_STATES)
    if network.layer == "stock" and network.gradient_state == "carried":
        raise InputError("--gradient-state", "carried with --layer stock", "wanted --layer fused: stock cannot do it")
    _check_choice("updater", network.updater, UPDATERS)
    _check_choice("init", network.init, INITS)
    check_task(network.task)
    _check_choice("backend", run.backend, BACKENDS)
    parse_align(data.align)
    _check_options_of_other_tasks(settings)
    _check_frames(settings)
    _check_small_data(settings)
    _check_spectrogram(settings.spectrogram)
    if run.length < network.tbptt:
        raise InputError(
            "--tbptt", f"{network.tbptt} samples, longer than --length {run.length}", "wanted at most that"
        )


def _check_options_of_other_tasks(settings: TrainSettings) -> None:
    for name, task in _TASK_OF_GROUP.items():
        group = getattr(settings, name)
        for f in fields(group):
            if task != settings.network.task and getattr(group, f.name) != f.default:
                raise InputError(option(f.name), f"with --task {settings.network.task}", f"wanted --task {task}")


def check_task(task: str, names: tuple[str, ...] = TASKS) -> None:
    """Refuse a name that is no task's, or none of `names`."""
    _check_choice("task", task, names)


def _check_frames(settings: TrainSettings) -> None:
    frames = settings.frames
    _check("frame", frames.frame, f"1 to {LONGEST_FRAME}", lambda v: 1 <= v <= LONGEST_FRAME)
    _check("warm_up", frames.warm_up, "0 or more", lambda v: v >= 0)
    _check_choice("loss", frames.loss, LOSSES)
    _check("input_noise", frames.input_noise, "0 or more", lambda v: v >= 0)
    _check("scheduled_sampling", frames.scheduled_sampling, "0 to 1", lambda v: 0 <= v <= 1)
    if frames.loss == "esr" and frames.frame > 1:
        raise InputError("--loss", f"esr with --frame {frames.frame}", "wanted --frame 1: it filters samples")
    if frames.loss == "esr" and settings.network.layer == "stock":
        raise InputError("--loss", "esr with --layer stock", "wanted mse, which is all that stock DL4J has")


def _check_small_data(settings: TrainSettings) -> None:
    small = settings.small_data
    for name in filter(None, small.augment.split(",")):
        _check_choice("augment", name, AUGMENTATIONS)
    _check("augment_copies", small.augment_copies, "1 to 1000", lambda v: 1 <= v <= 1000)
    _check_choice("pretrain", small.pretrain, PRETRAINING)
    _check("pretrain_steps", small.pretrain_steps, "1 to 2^31 - 1", lambda v: 1 <= v < 2**31)
    longest = settings.run.length - 1
    _check("pretrain_delay", small.pretrain_delay, f"0 to {longest}, below --length", lambda v: 0 <= v <= longest)
    if small.pretrain != "none" and settings.frames.skip:
        raise InputError("--pretrain", f"{small.pretrain} with --skip", "wanted one of the two: nothing is added there")


def _check_spectrogram(spectrogram: SpectrogramSettings) -> None:
    window, hop = spectrogram.window, spectrogram.hop
    _check(
        "window", window, f"an even number, 4 to {LONGEST_WINDOW}", lambda v: 4 <= v <= LONGEST_WINDOW and v % 2 == 0
    )
    _check("hop", hop, f"1 to {window // 2}, half of --window", lambda v: 1 <= v <= window // 2)


def validate_process(settings: ProcessSettings) -> None:
    _check_choice("decode", settings.decode, DECODES)
    _check("chunk", settings.chunk, "1 or more", lambda v: v >= 1)
    _check("seed", settings.seed, "0 or more", lambda v: v >= 0)


def validate_generate(settings: GenerateSettings, seconds: float) -> None:
    _check("seconds", seconds, "a number above 0", lambda v: v > 0)
    _check("temperature", settings.temperature, "a number above 0", lambda v: v > 0)
    _check("top_p", settings.top_p, "above 0 and up to 1", lambda v: 0 < v <= 1)
    _check("seed", settings.seed, "0 up to 2^63 - 1", lambda v: 0 <= v < 2**63)


def validate_compare(settings: CompareSettings) -> None:
    """Check `compare`'s settings; the names in errors are those of its options."""
    _check("pytorch_steps", settings.pytorch_steps, "1 or more", lambda v: v >= 1)
    _check("drift_seconds", settings.drift_seconds, "0 or more", lambda v: v >= 0)


def parse_align(align: str) -> int | None:
    """Give the number of samples that `--align` fixes, 0 for ``off``, None for ``auto``."""
    if align == "auto":
        return None
    if align == "off":
        return 0
    try:
        return int(align)
    except ValueError:
        raise InputError("--align", align, "wanted auto, off or a whole number of samples") from None


def _check(name: str, value: float | None, wanted: str, holds: Any) -> None:
    # NaN and infinity fail this too, and so do whole numbers that no float can hold.
    usable = value is None or (abs(value) < float("inf") if isinstance(value, float) else abs(value) < 2**63)
    if not usable or (value is not None and not holds(value)):
        raise InputError(option(name), str(value), f"wanted {wanted}")


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InputError(option(name), value, f"wanted one of {', '.join(choices)}")
