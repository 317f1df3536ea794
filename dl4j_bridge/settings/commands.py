"""Settings of the commands that use a model: `process`, `generate` and `compare`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from dl4j_bridge.settings.checks import check, check_choice

DECODES = ("auto", "mean", "argmax", "sample")


@dataclass(frozen=True)
class ProcessSettings:
    """How a recording is run through a model."""

    decode: str = field(
        default="auto", metadata={"help": "How a distribution becomes a sample: mean (auto), argmax or sample."}
    )
    seed: int = field(default=12345, metadata={"help": "Random seed of --decode sample."})
    chunk: int = field(default=4096, metadata={"help": "Samples per call; does not change the output."})

    def check(self) -> None:
        check_choice("decode", self.decode, DECODES)
        check("chunk", self.chunk, "1 or more", lambda v: v >= 1)
        check("seed", self.seed, "0 or more", lambda v: v >= 0)


@dataclass(frozen=True)
class GenerateSettings:
    """How new audio is sampled from a model."""

    temperature: float | None = field(
        default=None,
        metadata={"help": "Sampling temperature; if not given, the one that training found."},
    )
    top_p: float = field(
        default=1.0, metadata={"help": "Sample only from the most probable classes of this total probability."}
    )
    seed: int = field(default=12345, metadata={"help": "Random seed; the same seed gives the same bytes."})
    steer: bool = field(
        default=True,
        metadata={"help": "Without --temperature: hold level and entropy near those of the recordings."},
    )

    def check(self, seconds: float) -> None:
        """Refuse settings out of range; `seconds` is the length of the new audio."""
        check("seconds", seconds, "a number above 0", lambda v: v > 0)
        check("temperature", self.temperature, "a number above 0", lambda v: v > 0)
        check("top_p", self.top_p, "above 0 and up to 1", lambda v: 0 < v <= 1)
        check("seed", self.seed, "0 up to 2^63 - 1", lambda v: 0 <= v < 2**63)


@dataclass(frozen=True)
class CompareSettings:
    """What `compare` does beside its table."""

    wavs: Path | None = field(
        default=None, metadata={"help": "Folder for a wav of the input, the target and each row of the table."}
    )
    plot: Path | None = field(default=None, metadata={"help": "PNG file for the table as a bar chart."})
    pytorch: bool = field(
        default=False, metadata={"help": "Train a PyTorch LSTM of the same size as one more row; takes a while."}
    )
    pytorch_steps: int = field(
        default=500, metadata={"help": "Maximum number of updates of --pytorch; at most those of the model."}
    )
    drift_seconds: float = field(
        default=5.0, metadata={"help": "Seconds that a next-sample model generates to measure its drift; 0 for none."}
    )

    def check(self) -> None:
        check("pytorch_steps", self.pytorch_steps, "1 or more", lambda v: v >= 1)
        check("drift_seconds", self.drift_seconds, "0 or more", lambda v: v >= 0)
