"""Frames of samples as vectors of numbers: the processed frame at the same time, or the next one (regression)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from dl4j_bridge.errors import InputError
from dl4j_bridge.java.interface import Interface
from dl4j_bridge.settings.config import TrainSettings, option
from dl4j_bridge.signal import metrics
from dl4j_bridge.signal.audio import Recording
from dl4j_bridge.signal.pairs import Pair, split
from dl4j_bridge.tasks.interface import Metrics, Stretch

Vectors = npt.NDArray[np.float32]

# The loss of Wright et al., "Real-Time Guitar Amplifier Emulation with Deep Learning" (2020): error to signal behind a
# first-order pre-emphasis, and the squared offset of each recording's error; and how GuitarML weighs the two.
PRE_EMPHASIS = 0.85
ESR_SHARE, OFFSET_SHARE = 0.75, 0.25
# Mean power that is added to the target's, so that silence does not outweigh everything.
SMALLEST_POWER = 1e-5


@dataclass(frozen=True)
class Scale:
    """Sample values to what the network sees: ``(x - mean) / range``."""

    mean: float = 0.0
    range: float = 1.0

    def shrink(self, x: npt.NDArray[np.floating]) -> Vectors:
        return ((x - self.mean) / self.range).astype(np.float32)

    def grow(self, x: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        return np.asarray(x, np.float64) * self.range + self.mean


@dataclass(frozen=True)
class FramesTask:
    """Frames from float samples and back.

    Attributes
    ----------
    frame
        Samples in a frame, which is one time step.
    predicts
        ``target``: the processed frame at the same time. ``next``: the next frame of the same recording.
    scale
        With a target sample values stay what they are: an effect's gain is part of it. Without, they are scaled by mean
        and extent of the training part.
    weighed
        Whether the loss is error to signal with pre-emphasis and offset instead of mean squared error.
    skip
        Whether the network's output is added to its input.
    """

    frame: int
    predicts: str
    scale: Scale
    weighed: bool = False
    skip: bool = False

    name: ClassVar[str] = "frames"
    # On the same samples error to signal is the same but for a factor.
    loss: ClassVar[str] = "mse"
    learnt: ClassVar[tuple[str, ...]] = ("loss",)
    judged: ClassVar[tuple[str, ...]] = ("mse", "esr")
    solved: ClassVar[float] = 1e-10

    @classmethod
    def of_pairs(cls, settings: TrainSettings, pairs: list[Pair]) -> FramesTask:
        """Make the task that the settings and these recordings ask for."""
        frames = settings.frames
        predicts = "next" if pairs[0].target is None else "target"
        for name in ("input_noise", "scheduled_sampling") if predicts == "target" else ():
            if getattr(frames, name):
                raise InputError(option(name), "with a target", "wanted none: it is for what feeds on its own output")
        scale = Scale() if predicts == "target" else _scale(pairs)
        return cls(frames.frame, predicts, scale, frames.loss == "esr", frames.skip)

    @property
    def hop(self) -> int:
        return self.frame

    @property
    def interface(self) -> Interface:
        return Interface.of_vectors(self.frame, self.frame, skip=self.skip)

    def in_words(self) -> str:
        return f"frames of {self.frame}" if self.frame > 1 else "samples as numbers"

    def as_dict(self) -> dict[str, Any]:
        """What a model file says of the task."""
        return {
            "task": self.name,
            "predicts": self.predicts,
            "frame": self.frame,
            "scale": {"mean": self.scale.mean, "range": self.scale.range},
            "weighed": self.weighed,
            "skip": self.skip,
        }

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> FramesTask:
        scale = Scale(float(stored["scale"]["mean"]), float(stored["scale"]["range"]))
        return cls(int(stored["frame"]), stored["predicts"], scale, bool(stored["weighed"]), bool(stored["skip"]))

    def signals(self, pair: Pair) -> Stretch:
        """Input and target of a pair, frame by frame, the delay cut out; each float32 of shape (n, frame)."""
        source = self._frames(pair.input, pair.rate, pair.input_start, pair.length)
        if pair.target is None:
            return source[:-1], source[1:]
        return source, self._frames(pair.target, pair.rate, pair.target_start, pair.length)

    def _frames(self, recording: Recording, rate: int, start: int, length: int) -> Vectors:
        return self.to_frames(recording.read(rate, start, length))

    def to_frames(self, samples: npt.NDArray[np.floating]) -> Vectors:
        """Whole frames of float samples, shape (n, frame); what is left over at the end belongs to none."""
        return self.scale.shrink(samples[: samples.size // self.frame * self.frame]).reshape(-1, self.frame)

    def to_samples(self, frames: Vectors) -> npt.NDArray[np.float64]:
        """Float samples of a stretch of frames; shape (n * frame,)."""
        return self.scale.grow(frames.ravel())

    def of_step(self, loss: float, accuracy: float) -> dict[str, float]:
        return {"loss": loss}

    def weigh(self, target: Vectors) -> tuple[float, float, float] | None:
        """Weights of `Network.set_loss_weights` for a segment of shape (batch, n, 1); None for the usual ones."""
        if not self.weighed:
            return None
        y = target[:, :, 0].astype(np.float64)
        emphasised = y.copy()
        emphasised[:, 1:] -= PRE_EMPHASIS * y[:, :-1]
        floor = SMALLEST_POWER * y.size
        square = ESR_SHARE * y.size / (float(np.sum(emphasised**2)) + floor)
        return square, PRE_EMPHASIS, OFFSET_SHARE * len(y) / (float(np.sum(y**2)) + floor)

    def measure(self, outputs: Iterable[npt.NDArray[np.float32]], target: Vectors) -> Metrics:
        """Compare the network's frames with what should have come out.

        Returns
        -------
        dict
            ``mse`` of the scaled values, as DL4J's LossMSE has it, and ``esr`` and ``snr_db`` of the samples.
        """
        found = np.concatenate(list(outputs))
        esr = metrics.esr(self.to_samples(target), self.to_samples(found))
        mse = float(np.mean((found.astype(np.float64) - target) ** 2))
        return {"mse": mse, "esr": esr, "snr_db": metrics.snr_db(esr)}

    def bits_gained(self, before: float, now: float) -> float:
        """How many bits a value's error has lost: one for half the error."""
        return metrics.bits_of_error(before, now)


def _scale(pairs: list[Pair]) -> Scale:
    """Mean and extent of the training parts, and of nothing else: the rest must not be known."""
    parts = []
    for pair in pairs:
        start, end = split(pair.length)["train"]
        parts.append(pair.input.read(pair.rate, start, end - start))
    samples = np.concatenate(parts)
    extent = float(samples.max()) - float(samples.min())
    return Scale(float(samples.mean(dtype=np.float64)), extent or 1.0)
