"""Settings of the commands that use a model: `process`, `generate`, `compare`, `export` and `adopt`."""

from dataclasses import dataclass
from pathlib import Path

from dl4j_bridge.settings.checks import (
    ABOVE_0,
    BELOW_1,
    CODEC_NAMES,
    FROM_0,
    FROM_1,
    SEED,
    Range,
    Settings,
    one_of,
    setting,
)

# Tasks that a network made elsewhere can have.
ADOPTABLE = ("samples", "frames")
DECODES = ("auto", "mean", "argmax", "sample")


@dataclass(frozen=True)
class OutputSettings(Settings):
    """How a command writes its files."""

    overwrite: bool = setting(False, "Replace existing files; an input is never replaced.")


@dataclass(frozen=True)
class ProcessSettings(OutputSettings):
    """How a recording is run through a model."""

    decode: str = setting(
        "auto", "How a distribution becomes a sample: mean (auto), argmax or sample.", one_of(DECODES)
    )
    seed: int = setting(12345, "Random seed of --decode sample.", FROM_0)
    chunk: int = setting(4096, "Samples per call; does not change the output.", FROM_1)


@dataclass(frozen=True)
class GenerateSettings(OutputSettings):
    """How new audio is sampled from a model."""

    seconds: float = setting(10.0, "Length of the new audio.", ABOVE_0)
    temperature: float | None = setting(
        None, "Sampling temperature; if not given, the one that training found.", ABOVE_0
    )
    top_p: float = setting(
        1.0,
        "Sample only from the most probable classes of this total probability.",
        Range("above 0 and up to 1", lambda v: 0 < v <= 1),
    )
    seed: int = setting(12345, "Random seed; the same seed gives the same bytes.", SEED)
    steer: bool = setting(True, "Without --temperature: hold level and entropy near those of the recordings.")


@dataclass(frozen=True)
class CompareSettings(OutputSettings):
    """What `compare` does beside its table."""

    wavs: Path | None = setting(None, "Folder for a wav of the input, the target and each row of the table.")
    plot: Path | None = setting(None, "PNG file for the table as a bar chart.")
    pytorch: bool = setting(False, "Train a PyTorch LSTM of the same size as one more row; takes a while.")
    pytorch_steps: int = setting(500, "Maximum number of updates of --pytorch; at most those of the model.", FROM_1)
    drift_seconds: float = setting(
        5.0, "Seconds that a next-sample model generates to measure its drift; 0 for none.", FROM_0
    )


@dataclass(frozen=True)
class ExportSettings(OutputSettings):
    """What a file for other programs says about the model, beside what was said when it was trained."""

    name: str | None = setting(None, "Name of the model.")
    modeled_by: str | None = setting(None, "Author of the model.")
    gear_make: str | None = setting(None, "Maker of the amplifier or pedal.")
    gear_model: str | None = setting(None, "The amplifier or pedal.")
    gear_type: str | None = setting(
        None, "Kind of the gear.", one_of(["amp", "pedal", "pedal_amp", "amp_cab", "amp_pedal_cab", "preamp", "studio"])
    )
    tone_type: str | None = setting(
        None, "Kind of the tone.", one_of(["clean", "overdrive", "crunch", "hi_gain", "fuzz"])
    )
    input_level_dbu: float | None = setting(None, "Level at the input of the gear for a full-scale sine, in dBu.")
    output_level_dbu: float | None = setting(None, "Level at its output for a full-scale sine, in dBu.")
    notes: str | None = setting(None, "Anything else that is worth knowing.")


@dataclass(frozen=True)
class AdoptSettings(Settings):
    """What a file of another program does not store about its network."""

    format: str | None = setting(
        None,
        "Format of the file, if its content does not show it.",
        one_of(["nam", "proteus", "rtneural", "pytorch", "dl4j"]),
    )
    task: str | None = setting(
        None, "samples (256 classes) or frames (numbers), if the sizes do not show it.", one_of(ADOPTABLE)
    )
    predicts: str = setting(
        "target",
        "What the network learned: the target's sample from the input's, or the next sample.",
        one_of(["target", "next"]),
    )
    rate: int | None = setting(None, "Sample rate in Hz, if the file does not store it.", FROM_1)
    codec: str | None = setting(None, "8-bit code of samples.", one_of(["linear", "mulaw"]), same=CODEC_NAMES)
    pre_emphasis: float | None = setting(None, "Coefficient of the pre-emphasis filter before the codec.", BELOW_1)
    skip: bool = setting(False, "The input is added to the network's output.")
    delay: int = setting(0, "Samples by which `process` delays the output.")
    like: Path | None = setting(
        None, "A model of this program that Java saved again: take everything but the weights from it."
    )
