"""8-bit samples as 256 classes: the target's sample from the input's (an effect), or the next sample."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar, Self

import numpy as np

from dl4j_bridge.errors import InputError
from dl4j_bridge.java.interface import Interface
from dl4j_bridge.java.network import Network
from dl4j_bridge.java.streams import SampleStream
from dl4j_bridge.settings.commands import AdoptSettings, GenerateSettings, ProcessSettings
from dl4j_bridge.settings.training import DataSettings, TrainSettings
from dl4j_bridge.signal import metrics
from dl4j_bridge.signal.codecs import CLASSES, Codec, get_codec
from dl4j_bridge.signal.pairs import Pair, Split, Stretch, part_of
from dl4j_bridge.signal.pre_emphasis import DeEmphasis
from dl4j_bridge.signal.recordings import Recording
from dl4j_bridge.tasks.baselines.base import Arrays, Baseline, Prediction
from dl4j_bridge.tasks.baselines.constant import Constant
from dl4j_bridge.tasks.baselines.copy import Copy
from dl4j_bridge.tasks.baselines.fir import Fir
from dl4j_bridge.tasks.baselines.hammerstein import Hammerstein
from dl4j_bridge.tasks.baselines.lookup_table import LookupTable
from dl4j_bridge.tasks.baselines.markov import Markov
from dl4j_bridge.tasks.baselines.wiener_hammerstein import WienerHammerstein
from dl4j_bridge.tasks.comparison import Evaluated
from dl4j_bridge.tasks.excerpts import affordable_steps, loudest_samples
from dl4j_bridge.tasks.interface import Blocks, Fitted, Metrics, Samples, Task
from dl4j_bridge.tasks.samples.comparison import SamplesComparison
from dl4j_bridge.tasks.samples.decoding import (
    Decoder,
    Encoder,
    Indices,
    Probabilities,
    mean_values,
    run_through,
)
from dl4j_bridge.tasks.samples.generation import SILENT_PRIMER, STEERED_BLOCK, Sampling, Steering, calibrate, prime
from dl4j_bridge.tasks.samples.sharpness import sharpness
from dl4j_bridge.tasks.shown import Curve, Excerpt

# Samples of the validation part on which the baselines of a report are measured.
BASELINE_SAMPLES = 1 << 13
CHANCE_BITS = 8.0
# A longer training of an effect begins with a lower learning rate: at the full one it learns the recordings by heart.
EPOCHS_AT_FULL_RATE = 20.0
# Lowest rate in Hz at which 8 bits are the worst of a recording.
FINE_RATE = 32_000


@dataclass(frozen=True)
class SamplesTask(Task):
    """Classes from float samples and back.

    Attributes
    ----------
    codec
        The quantizer.
    pre_emphasis
        Coefficient of the filter before it; 0 for none.
    predicts
        ``target``: the processed sample at the same time. ``next``: the next sample of the same recording.
    sampling
        What `calibrate` measured; None before, and for a task with a target.
    """

    codec: Codec
    pre_emphasis: float
    # Without `field`, the base class would give it a default.
    predicts: str = field()
    sampling: Sampling | None = None

    name: ClassVar[str] = "samples"
    loss: ClassVar[str] = "bits"
    training_metrics: ClassVar[tuple[str, ...]] = ("bits", "accuracy")
    validation_metrics: ClassVar[tuple[str, ...]] = ("bits", "accuracy", "esr")
    # Not one of 10,000 samples is in doubt. Rare loud samples come last, and weigh most in ESR.
    solved: ClassVar[float] = 1e-4
    has_twin = True

    @classmethod
    def of_recordings(cls, settings: DataSettings, source_is_8_bit: bool, has_target: bool) -> Self:
        """Make the task that the settings and the kind of recordings ask for."""
        codec = get_codec(settings.codec, source_is_8_bit)
        return cls(codec, settings.pre_emphasis, "target" if has_target else "next")

    @classmethod
    def from_pairs(cls, settings: TrainSettings, pairs: list[Pair]) -> Self:
        is_8_bit = all(source.is_8_bit for pair in pairs for source in (pair.input, pair.target) if source)
        return cls.of_recordings(settings.data, is_8_bit, pairs[0].target is not None)

    def better_task(self, pairs: list[Pair], settings: TrainSettings) -> str | None:
        """`frames` for recordings of high fidelity with a target, unless a codec was asked for by name."""
        sources = [source for pair in pairs for source in (pair.input, pair.target) if source]
        is_fine = min(pair.rate for pair in pairs) >= FINE_RATE and not any(source.is_8_bit for source in sources)
        return "frames" if self.predicts == "target" and settings.data.codec == "auto" and is_fine else None

    @classmethod
    def takes(cls, inputs: int, outputs: int, output: str | None) -> bool:
        return (inputs, outputs) == (CLASSES, CLASSES) and output in ("softmax", None)

    @classmethod
    def adopted(cls, inputs: int, settings: AdoptSettings) -> tuple[Self, dict[str, Any]]:
        if settings.skip:
            raise InputError("--skip", "with a network of 256 classes", "wanted none: classes are not added")
        if settings.codec is None:
            wanted = "wanted the code that the network was trained with: linear or mulaw"
            raise InputError("--codec", "not given for a network of 256 classes", wanted)
        pre_emphasis = settings.pre_emphasis or 0.0
        task = cls(get_codec(settings.codec), pre_emphasis, settings.predicts)
        return task, {"codec": settings.codec, "pre_emphasis": pre_emphasis}

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Self:
        pre_emphasis = float(stored["pre_emphasis"])
        usable = {
            "codec": stored["codec"] != "auto",
            "classes": stored["classes"] == CLASSES,
            "pre_emphasis": 0 <= pre_emphasis < 1,
        }
        for name, holds in usable.items():
            if not holds:
                raise ValueError(f"{name} {stored[name]}")
        sampling = Sampling.from_dict(stored["sampling"]) if "sampling" in stored else None
        return cls(get_codec(stored["codec"]), pre_emphasis, stored["predicts"], sampling)

    def as_dict(self) -> dict[str, Any]:
        stored = {
            "task": self.name,
            "codec": self.codec.name,
            "pre_emphasis": self.pre_emphasis,
            "predicts": self.predicts,
            "classes": CLASSES,
        }
        return stored | ({"sampling": asdict(self.sampling)} if self.sampling else {})

    def describe(self) -> str:
        return f"{self.codec.name} codec"

    @property
    def interface(self) -> Interface:
        return Interface.of_classes(CLASSES)

    # ---- recordings to classes and back

    def encoder(self) -> Encoder:
        return Encoder(self.codec, self.pre_emphasis)

    def decoder(self, decode: str = "auto", seed: int = 0) -> Decoder:
        return Decoder(self.codec, self.pre_emphasis, decode, seed)

    def encode(self, recording: Recording, rate: int) -> Indices:
        """Read a whole recording into class indices: one byte a sample, whatever its length.

        Returns
        -------
        ndarray of uint8, shape (recording.length_at(rate),)
        """
        encoder = self.encoder()
        indices = np.empty(recording.length_at(rate), np.uint8)
        at = 0
        for block in recording.blocks(rate):
            indices[at : at + block.size] = encoder.push(block)
            at += block.size
        return indices

    def signals(self, pair: Pair) -> Stretch:
        source = self.encode(pair.input, pair.rate)[pair.input_start :][: pair.length]
        target = self.encode(pair.target, pair.rate)[pair.target_start :][: pair.length] if pair.target else None
        return self.input_and_target(source, target)

    def input_and_target(self, source: Indices, target: Indices | None) -> Stretch:
        """Input and target of the network, sample by sample; views."""
        return (source[:-1], source[1:]) if target is None else (source, target)

    def to_samples(self, signal: Indices) -> Samples:
        return DeEmphasis(self.pre_emphasis).push(self.codec.decode(signal))

    # ---- training

    def step_metrics(self, loss: float, accuracy: float) -> dict[str, float]:
        return {"bits": loss, "accuracy": accuracy}

    def bits_gained(self, before: float, now: float) -> float:
        return before - now

    def rate_share(self, epochs: float) -> float:
        return 1.0 if self.predicts == "next" else min(1.0, EPOCHS_AT_FULL_RATE / epochs)

    def measure(self, outputs: Iterable[Probabilities], target: Indices) -> Metrics:
        """Compare the network's distributions with the target.

        Parameters
        ----------
        outputs
            Blocks of shape (n, 256), `target.size` rows in all.
        target : ndarray of uint8, shape (m,)

        Returns
        -------
        dict
            As `evaluate` returns it, the sound being the mean of the distribution.
        """
        return self.evaluate(self.predictions(outputs), target).metrics

    def predictions(self, outputs: Iterable[Probabilities]) -> Iterator[Prediction]:
        """The mean value and the most probable class beside each of the network's distributions."""
        values = self.codec.values
        for p in outputs:
            yield Prediction(mean_values(p, values), p.argmax(axis=1).astype(np.uint8), p)

    def evaluate(self, predictions: Iterable[Prediction], target: Indices) -> Evaluated:
        """Collect an output and compare it with the target; only sound and classes are kept of each block.

        Parameters
        ----------
        predictions
            Blocks of the output, `target.size` samples in all.
        target : ndarray of uint8, shape (n,)

        Returns
        -------
        Evaluated
            With the metrics ``bits`` (cross-entropy per sample, or None without a distribution), ``accuracy`` (exact
            class), ``esr`` and ``snr_db`` against the decoded target, which is the target in 8 bits. ``esr`` is None
            where the target is silent and the sound is not; ``snr_db`` also for an exact copy.
        """
        de_emphasis = DeEmphasis(self.pre_emphasis)
        nats: float | None = 0.0
        sounds, kept, at = [], [], 0
        for block in predictions:
            assert block.classes is not None
            sounds.append(de_emphasis.push(block.values))
            kept.append(block.classes)
            if block.probabilities is None or nats is None:
                nats = None
            else:
                nats += metrics.cross_entropy_sum(block.probabilities, target[at : at + block.values.size])
            at += block.values.size
        sound, classes = np.concatenate(sounds), np.concatenate(kept)
        esr = metrics.esr(self.to_samples(target), sound)
        found: Metrics = {
            "bits": None if nats is None else float(nats / np.log(2) / target.size),
            "accuracy": float(np.mean(classes == target)),
            "esr": esr,
            "snr_db": metrics.snr_db(esr),
        }
        return Evaluated(found, sound, classes)

    def baselines(self) -> list[Baseline]:
        kinds = (Copy, Constant, LookupTable, Markov, Fir, Hammerstein, WienerHammerstein)
        return [kind(self.codec) for kind in kinds]

    def baseline_sounds(self, pair: Pair, signals: Stretch, fitted: Arrays, where: slice) -> dict[str, Samples]:
        x, y = signals
        found = {}
        for b in self.fitted_baselines(fitted):
            predicted = b.predict(x[max(where.start - b.memory, 0) : where.stop]).last(where.stop - where.start)
            found[b.name] = self.evaluate([predicted], y[where]).sound
        return found

    def sharpness(self, outputs: Iterable[Probabilities], target: Indices) -> float:
        return sharpness(outputs, target)

    def calibrate(self, network: Network, training: list[Stretch], rate: int) -> Self:
        if self.predicts != "next":
            return self
        recordings = [x for x, _ in training]
        return replace(self, sampling=calibrate(network.stream(), recordings, self.to_samples, rate))

    # ---- using a trained network

    def output_subtype(self, recording: Recording | None, rate: int, settings: ProcessSettings | None) -> str:
        if recording is None or settings is None:
            return self.codec.subtype
        exact = settings.decode == "argmax" and rate == recording.rate and not self.pre_emphasis
        return self.codec.subtype if exact else super().output_subtype(recording, rate, settings)

    def process(self, network: Network, blocks: Blocks, settings: ProcessSettings) -> Blocks:
        stream, encoder, decoder = network.stream(), self.encoder(), self.decoder(settings.decode, settings.seed)
        for block in blocks:
            yield decoder.run(stream, encoder.push(block))

    @property
    def temperature(self) -> float:
        """The temperature that training found; 1 for models that were made without."""
        return self.sampling.temperature if self.sampling else 1.0

    def generate(
        self, network: Network, rate: int, count: int, settings: GenerateSettings, prime: Samples | None
    ) -> Blocks:
        primer = SILENT_PRIMER if prime is None else self.encoder().push(prime)
        de_emphasis = DeEmphasis(self.pre_emphasis)
        de_emphasis.push(self.codec.decode(primer))
        for block in self.generated(network.stream(), rate, count, settings, primer):
            yield de_emphasis.push(self.codec.decode(block))

    def generated(
        self, stream: SampleStream, rate: int, count: int, settings: GenerateSettings, primer: Indices = SILENT_PRIMER
    ) -> Iterator[Indices]:
        """Generate `count` classes after a primer, block by block; without a given temperature they are steered.

        Parameters
        ----------
        stream
            Stream of the network; it is reset.
        rate
            Sample rate in Hz.
        count
            Number of samples.
        settings
            Seed, temperature, top-p and whether to steer.
        primer : ndarray of uint8, shape (n,)
            Classes that the network consumes first.
        """
        prime(stream, settings.seed, primer)
        temperature = settings.temperature or self.temperature
        goals = self.sampling.usual if self.sampling and settings.steer and settings.temperature is None else None
        if goals is None:
            for start in range(0, count, SampleStream.BLOCK):
                yield stream.generate(min(SampleStream.BLOCK, count - start), temperature, settings.top_p)
            return
        steered = Steering(self.to_samples, rate, goals, temperature)
        for start in range(0, count, STEERED_BLOCK):
            now, tilt = steered.next()
            block = stream.generate(min(STEERED_BLOCK, count - start), now, settings.top_p, tilt)
            steered.observe(block)
            yield block

    # ---- judging and showing

    def comparison(self, pair: Pair, split: Split | None, fitted: Fitted) -> SamplesComparison:
        return SamplesComparison(self, pair, split, fitted)

    def excerpt(self, network: Network, pair: Pair, signals: Stretch, part: slice, rate: int) -> Excerpt:
        """The loudest seconds; a network that predicts the next sample also generates as many from silence."""
        x, y = signals
        size = affordable_steps(network.parameter_count, rate)
        if self.predicts == "next":
            size = max(size // 2, 1)  # Half of the work is left for generating.
        where = loudest_samples(self.codec.values, y, part, size)
        stream = network.stream()
        outputs = run_through(stream, x, where.start, where.stop)
        found = self.cut(x, y, where, rate, self.evaluate(self.predictions(outputs), y[where]))
        if self.predicts == "next":
            found.classes["generated"] = np.concatenate([*self.generated(stream, rate, found.size, GenerateSettings())])
            found.sounds["generated"] = self.to_samples(found.classes["generated"])
        return found

    def cut(self, x: Indices, y: Indices, where: slice, rate: int, output: Evaluated) -> Excerpt:
        """A stretch of the signals, with the network's output for it."""
        assert output.classes is not None
        classes = {"target": y[where]} if self.predicts == "next" else {"input": x[where], "target": y[where]}
        sounds: dict[str, Samples] = {name: self.to_samples(c) for name, c in classes.items()}
        return Excerpt(rate, where.start, sounds | {"output": output.sound}, classes | {"output": output.classes})

    def curves(self, signals: list[Stretch], fitted: Arrays) -> list[Curve]:
        target = np.concatenate([y[part_of(y.size, "valid")] for _, y in signals])
        commonest = float(np.bincount(target).max() / target.size)
        entropy = metrics.entropy_bits(target)
        levels = {"chance (8 bits)": CHANCE_BITS, f"histogram of the target ({entropy:.2f} bits)": entropy}
        levels |= {f"{name} ({bits:.2f} bits)": bits for name, bits in self._baseline_bits(signals[0], fitted).items()}
        return [
            Curve(
                "loss",
                "bits",
                "valid_bits",
                "bits per sample",
                "Cross-entropy of training and validation. A run that stays on the chance line has learned nothing, "
                "one on the histogram line only the frequency of each class; a baseline's line needs no network.",
                "bits per sample over steps",
                levels=levels,
            ),
            Curve(
                "accuracy",
                "accuracy",
                "valid_accuracy",
                "exact classes",
                "Share of the samples whose most probable class is exactly the target's.",
                "exact classes over steps",
                "percent",
                {f"always the most frequent class ({commonest:.1%})": commonest},
            ),
        ]

    def _baseline_bits(self, signals: Stretch, fitted: Arrays) -> dict[str, float]:
        """Bits of the best memoryless map, and of the best baseline where that is another one."""
        x, y = signals
        part = part_of(y.size, "valid")
        where = slice(part.start, min(part.stop, part.start + BASELINE_SAMPLES))
        bits = {}
        for baseline in self.fitted_baselines(fitted):
            first = max(where.start - baseline.memory, 0)
            probabilities = baseline.predict(x[first : where.stop]).probabilities
            if probabilities is not None:
                bits[baseline.name] = metrics.bits_per_sample(probabilities[where.start - first :], y[where])
        names = dict.fromkeys([LookupTable.name, min(bits, key=bits.__getitem__, default=LookupTable.name)])
        return {name: bits[name] for name in names if name in bits}
