"""Frames of samples as vectors of numbers: the processed frame at the same time, or the next frame."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Annotated, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from msgspec import Meta

from dl4j_bridge.errors import InputError
from dl4j_bridge.java.interface import Interface
from dl4j_bridge.java.network import WARM_UP, Network
from dl4j_bridge.settings.checks import option
from dl4j_bridge.settings.commands import AdoptSettings, GenerateSettings
from dl4j_bridge.settings.training import TrainSettings
from dl4j_bridge.signal.codecs import LINEAR, MULAW
from dl4j_bridge.signal.pairs import Pair, Split, Stretch, part, part_of
from dl4j_bridge.tasks import drift
from dl4j_bridge.tasks.baselines.base import Arrays, Baseline
from dl4j_bridge.tasks.baselines.copy import Copy
from dl4j_bridge.tasks.baselines.fir import Fir
from dl4j_bridge.tasks.baselines.linear_prediction import LinearPrediction
from dl4j_bridge.tasks.baselines.wiener_hammerstein import WienerHammerstein
from dl4j_bridge.tasks.comparison import Comparison, Contender, Drift, Evaluated
from dl4j_bridge.tasks.frames.settings import LONGEST_FRAME, FramesSettings
from dl4j_bridge.tasks.interface import Blocks, Fitted, LossWeights, Samples, Signal
from dl4j_bridge.tasks.shown import Chart, Curve
from dl4j_bridge.tasks.vectors import LARGEST, VectorComparison, Vectors, VectorTask, output

# The loss of Wright et al., "Real-Time Guitar Amplifier Emulation with Deep Learning" (2020): error to signal after a
# first-order pre-emphasis, and the squared offset of each recording's error; with GuitarML's weights of the two.
PRE_EMPHASIS = 0.85
ESR_SHARE, OFFSET_SHARE = 0.75, 0.25
# Mean power that is added to the target's, so that silence does not outweigh everything.
SMALLEST_POWER = 1e-5
# A target with a lower peak is learned slowly: updates have one size, whatever the size of the outputs.
QUIET_PEAK = 0.1
# 23 ms at 44.1 kHz: a loudspeaker's cabinet, but no room.
FIR_TAPS = 1024
# 1.5 ms at 44.1 kHz before the curve and after it: twice the taps take eight times as long to fit.
WIENER_HAMMERSTEIN_TAPS = 64
# Steps in which the share of own predictions grows from 0: predictions of a new network teach nothing.
RAMP_STEPS = 500


@dataclass(frozen=True)
class Scale:
    """Normalization of sample values for the network: ``(x - mean) / range``."""

    mean: Annotated[float, Meta(ge=-LARGEST, le=LARGEST)] = 0.0
    range: Annotated[float, Meta(gt=0, le=LARGEST)] = 1.0

    def normalize(self, x: npt.NDArray[np.floating]) -> Vectors:
        return ((x - self.mean) / self.range).astype(np.float32)

    def denormalize(self, x: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        return np.asarray(x, np.float64) * self.range + self.mean


@dataclass(frozen=True)
class FramesTask(VectorTask):
    """Frames from float samples and back.

    Attributes
    ----------
    frame
        Samples in a frame, which is one time step.
    predicts
        ``target``: the processed frame at the same time. ``next``: the next frame of the same recording.
    scale
        With a target, sample values stay as they are: an effect's gain is part of it. Without, they are normalized by
        mean and range of the training part.
    weighted
        Whether the loss is error to signal with pre-emphasis and offset instead of mean squared error.
    skip
        Whether the network's output is added to its input.
    """

    frame: Annotated[int, Meta(ge=1, le=LONGEST_FRAME)]
    # Without `field`, the base class would give it a default.
    predicts: str = field()
    scale: Scale
    weighted: bool = False
    skip: bool = False

    name: ClassVar[str] = "frames"

    @classmethod
    def from_pairs(cls, settings: TrainSettings, pairs: list[Pair]) -> Self:
        own = _own(settings)
        predicts = "next" if pairs[0].target is None else "target"
        for name in ("input_noise", "scheduled_sampling") if predicts == "target" else ():
            if getattr(own, name):
                raise InputError(option(name), "with a target", "wanted none: it is for what feeds on its own output")
        scale = Scale() if predicts == "target" else _scale(pairs)
        return cls(own.frame, predicts, scale, own.loss == "esr", own.skip)

    @classmethod
    def takes(cls, inputs: int, outputs: int, output: str | None) -> bool:
        return inputs == outputs and output in ("linear", None)

    @classmethod
    def adopted(cls, inputs: int, settings: AdoptSettings) -> tuple[Self, dict[str, Any]]:
        for name in ("codec", "pre_emphasis"):
            if getattr(settings, name) is not None:
                raise InputError(option(name), "with a network of frames", "wanted none: its samples are numbers")
        loss = "esr" if inputs == 1 and settings.predicts == "target" else "mse"
        task = cls(inputs, settings.predicts, Scale(), loss == "esr", settings.skip)
        return task, {"frame": inputs, "loss": loss, "skip": settings.skip}

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Self:
        return super().from_dict(stored | {"weighted": stored["weighed"], "skip": stored["skip"]})

    def as_dict(self) -> dict[str, Any]:
        stored = super().as_dict()
        stored["weighed"] = stored.pop("weighted")
        return stored

    def describe(self) -> str:
        return f"frames of {self.frame}" if self.frame > 1 else "samples as numbers"

    @property
    def hop(self) -> int:  # type: ignore[override]
        return self.frame

    @property
    def interface(self) -> Interface:
        return Interface.of_vectors(self.frame, self.frame, skip=self.skip)

    def notes(self, pairs: list[Pair]) -> list[str]:
        found = []
        for target in [pair.target for pair in pairs if pair.target]:
            if target.peak < QUIET_PEAK:
                decibels = -20 * math.log10(target.peak)
                found.append(
                    f"{target.path}: quiet (peak at -{decibels:.0f} dB); numbers are learned faster near full scale: "
                    f"raise the target by up to {decibels:.0f} dB, and lower the model's output as much"
                )
        return found

    # ---- samples to frames and back

    def signals(self, pair: Pair) -> Stretch:
        source = self.to_inputs(pair.input.read(pair.rate, pair.input_start, pair.length))
        if pair.target is None:
            return source[:-1], source[1:]
        return source, self.to_inputs(pair.target.read(pair.rate, pair.target_start, pair.length))

    def to_inputs(self, samples: Samples) -> Vectors:
        """Whole frames of float samples, shape (n, frame); the rest at the end belongs to none."""
        return self.scale.normalize(samples[: samples.size // self.frame * self.frame]).reshape(-1, self.frame)

    def to_samples(self, signal: Vectors) -> Samples:
        return self.scale.denormalize(signal.ravel())

    # ---- training

    def loss_weights(self, settings: TrainSettings, target: Signal, first: bool) -> LossWeights | None:
        if not self.weighted:
            return None
        y = target[:, :, 0].astype(np.float64)
        emphasized = y.copy()
        emphasized[:, 1:] -= PRE_EMPHASIS * y[:, :-1]
        floor = SMALLEST_POWER * y.size
        square = ESR_SHARE * y.size / (float(np.sum(emphasized**2)) + floor)
        # At most half a segment: the rest must be learned from.
        start = min(_own(settings).warm_up, settings.network.tbptt // 2) if first else 0
        return square, PRE_EMPHASIS, OFFSET_SHARE * len(y) / (float(np.sum(y**2)) + floor), start

    def training_input(
        self, network: Network, settings: TrainSettings, x: Signal, number: int, first: bool, start: int = 0
    ) -> Signal:
        """The recording, or with noise and own predictions for a network that is to feed on its own output.

        Noise is new for each step. Own predictions are scheduled sampling (Bengio et al., "Scheduled Sampling for
        Sequence Prediction with Recurrent Neural Networks", 2015): at each time step of each recording, chance decides
        whether the network gets the recording's frame or its own prediction from all that it consumed before. The share
        of predictions grows linearly over `RAMP_STEPS` steps. The first frame of a segment is always the recording's.
        The gradient takes the predictions as given. A resumed run uses the same random numbers.
        """
        own = _own(settings)
        share = own.scheduled_sampling * min(number / RAMP_STEPS, 1.0)
        if not own.input_noise and not share:
            return x
        noise, chance = (np.random.default_rng([settings.network.seed, number, kind]) for kind in (1, 2))
        found, end = x.copy(), start + len(x)
        if own.input_noise:
            found += np.float32(own.input_noise) * noise.standard_normal((end, *x.shape[1:]), np.float32)[start:]
        predicted = chance.random((end, x.shape[1]))[start:] < share
        predicted[:, 0] = False
        if predicted.any():
            predict = network.predictor(len(x), first)
            for t in range(int(np.flatnonzero(predicted.any(axis=0))[-1])):
                frames, chosen = predict(found[:, t]), predicted[:, t + 1]
                found[chosen, t + 1] = frames[chosen]
        return found

    def baselines(self) -> list[Baseline]:
        of_effects: list[Baseline] = [Fir(taps=FIR_TAPS), WienerHammerstein(taps=WIENER_HAMMERSTEIN_TAPS)]
        return of_effects if self.predicts == "target" else []

    # ---- using a trained network

    def generate(
        self, network: Network, rate: int, count: int, settings: GenerateSettings, prime: Samples | None
    ) -> Blocks:
        """Feed the network its own predictions."""
        primer = self.to_inputs(np.zeros(self.frame) if prime is None else prime)
        return self.feed_back(network, primer, count)

    def feed_back(self, network: Network, primer: Vectors, count: int) -> Blocks:
        """`count` samples that a network predicts from a primer, shape (n, frame), and then from its own output."""
        stream = network.dense_stream()
        frame = stream.run(primer)[-1:]
        for left in range(count, 0, -self.frame):
            yield self.to_samples(frame)[:left]
            frame = stream.run(frame)

    # ---- judging and showing

    def comparison(self, pair: Pair, split: Split | None, fitted: Fitted) -> Comparison:
        kind = NextFrameComparison if self.predicts == "next" else FramesComparison
        return kind(self, pair, split, fitted)

    def curves(self, signals: list[Stretch], fitted: Arrays) -> list[Curve]:
        if not self.weighted:
            return super().curves(signals, fitted)
        # The squares of training are weighted by the segment's power, as ESR is.
        return [self.loss_curve("esr", "Loss of training, and ESR of the validation without pre-emphasis.")]


class FramesComparison(VectorComparison):
    """With the rows ``8-bit-mulaw`` and ``8-bit-linear``: the target itself in 8 bits.

    No network of 8-bit samples can be better than those; they have no parameters and no speed.
    """

    chart = replace(
        VectorComparison.chart,
        caption=f"{VectorComparison.chart.caption} "
        "8-bit: the target itself in 8 bits, which no network of 8-bit samples can exceed.",
    )

    def contenders(self) -> list[Contender]:
        in_8_bits = [(codec.name, codec.decode(codec.encode(self.target))) for codec in (MULAW, LINEAR)]
        return super().contenders() + [
            Contender(f"8-bit-{name}", None, partial(iter, [sound])) for name, sound in in_8_bits
        ]


class NextFrameComparison(VectorComparison):
    """The test part of a recording, whether or not the model was trained with it.

    The linear prediction is fitted to the training part of the same recording.
    """

    task: FramesTask
    wav_subtype = "PCM_16"
    chart = Chart(
        ("snr_db",),
        "Against predictions without a network",
        "signal-to-noise ratios",
        "The model against the last frame, the mean, and the best linear prediction.",
    )

    def __init__(self, task: FramesTask, pair: Pair, split: Split | None, fitted: Fitted) -> None:
        where = part_of(max(pair.length // task.frame - 1, 0), "test")
        super().__init__(task, pair, {"test": (where.start * task.frame, where.stop * task.frame)}, fitted)
        self._training = task.to_samples(part((self.x, self.y), "train")[0])
        if not self.samples or not self._training.size:
            wanted = f"wanted {20 * task.frame} or more: frames of {task.frame} for every part"
            raise InputError(pair.input.path, f"{pair.length} samples at {pair.rate} Hz", wanted)

    def contenders(self) -> list[Contender]:
        network, linear = self.fitted.network, LinearPrediction(self.task.frame)
        linear.fit([(self._training, self._training)])
        here = slice(self.start, self.end)
        before = self.sound[: self.end * self.task.frame]
        mean = np.full_like(self.y[here], self.task.scale.normalize(self._training).mean())
        return [
            Contender("model", network.parameter_count, lambda: [output(network, self.x, here)]),
            Contender(Copy.name, 0, lambda: [self.x[here]]),
            Contender("mean", 1, lambda: [mean]),
            Contender(
                linear.name,
                linear.parameters,
                lambda: [self.task.to_inputs(linear.predict(before).last(self.samples).values)],
            ),
        ]

    def evaluate(self, name: str, blocks: Iterable[Vectors]) -> Evaluated:
        found = np.concatenate(list(blocks))
        return Evaluated(self.task.measure([found], self.y[self.start : self.end]), self.task.to_samples(found))

    def references(self) -> dict[str, Samples]:
        return {"target": self.target}

    def drift(self, seconds: float) -> Drift:
        """Let the network feed on its own output after the evaluated part's past."""
        primer = self.x[max(self.start - WARM_UP, 0) : self.start]
        count = max(round(seconds * self.rate), 1)
        own = np.concatenate(list(self.task.feed_back(self.fitted.network, primer, count)))
        facts = drift.measure(own, self._training, self.rate)
        until = drift.until(own, self._training, self.rate)
        return Drift(facts | {"until": until, "seconds": own.size / self.rate}, own)


def _own(settings: TrainSettings) -> FramesSettings:
    assert isinstance(settings.own, FramesSettings)
    return settings.own


def _scale(pairs: list[Pair]) -> Scale:
    """Mean and range of the training parts, and of nothing else: the rest must stay unknown."""
    samples = np.concatenate([pair.input.read(pair.rate, 0, part_of(pair.length, "train").stop) for pair in pairs])
    extent = float(samples.max()) - float(samples.min())
    return Scale(float(samples.mean(dtype=np.float64)), extent or 1.0)
