"""The stretch that a report shows: what went in, what should come out, and what came out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge.java.network import Network
from dl4j_bridge.jobs import generation, training
from dl4j_bridge.settings.config import GenerateSettings
from dl4j_bridge.signal.pairs import Pair
from dl4j_bridge.tasks.frames import FramesTask, Vectors
from dl4j_bridge.tasks.samples import Probabilities, SamplesTask
from dl4j_bridge.tasks.spectrogram import SpectrogramTask

Indices = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.floating]

SECONDS = 8.0
# Parameters times samples that a network may take for a report: three seconds of one core.
MOST_WORK = 3e10
# Of a stretch, when the loudest one is looked for.
STRIDE = 512


@dataclass(frozen=True)
class Excerpt:
    """Signals of one stretch, of equal length, by name.

    The names are ``input``, ``target`` and ``output``, as far as there are such. Of a model that predicts the next
    sample ``target`` is that sample, ``output`` its expected value, and ``drawn`` new audio, which fits to neither.

    Attributes
    ----------
    rate
        In Hz.
    start
        First sample of the stretch, counted in the signals that it was cut from.
    sounds : dict of ndarray of float64, shape (n,)
        Full scale is 1.
    classes : dict of ndarray of uint8, shape (n,)
        Of ``output`` the likeliest ones.
    """

    rate: int
    start: int
    sounds: dict[str, Floats]
    classes: dict[str, Indices]

    @property
    def size(self) -> int:
        return self.sounds["target"].size

    @property
    def error(self) -> Floats | None:
        """Output minus target; shape (n,)."""
        return self.sounds["output"] - self.sounds["target"] if "output" in self.sounds else None


def loudest(task: SamplesTask, y: Indices, part: slice, size: int) -> slice:
    """Up to `size` samples of `part` with the most energy in `y`, to `STRIDE` samples: a rest tells nothing.

    Parameters
    ----------
    task
        Gives the sample values.
    y : ndarray of uint8, shape (n,)
    part
        Where to look.
    size
        Samples wanted.
    """
    if part.stop - part.start <= size:
        return part
    power = task.codec.values**2
    # Block by block: of a long recording there is no room for floats.
    energies = np.array(
        [power[y[at : min(at + STRIDE, part.stop)]].sum() for at in range(part.start, part.stop, STRIDE)]
    )
    sums = np.convolve(energies, np.ones(max(size // STRIDE, 1)), "valid")
    start = min(part.start + int(sums.argmax()) * STRIDE, part.stop - size)
    return slice(start, start + size)


def of_pair(task: SamplesTask, x: Indices, y: Indices, part: slice, rate: int) -> Excerpt:
    """The loudest seconds of `part` as they are recorded; parameters as in `of_network`."""
    return cut(task, x, y, loudest(task, y, part, round(SECONDS * rate)), rate)


def of_network(
    network: Network, task: SamplesTask, x: Indices, y: Indices, part: slice, rate: int, about: dict[str, Any]
) -> Excerpt:
    """Run a network through the loudest seconds of `part`; a slow one through fewer.

    Parameters
    ----------
    network
        It hears a little of what comes before.
    task
        Of the network.
    x, y : ndarray of uint8, shape (n,)
        Input and target, the delay cut out.
    part
        Where to look.
    rate
        In Hz.
    about
        What the model file says, or will say: a network that predicts the next sample also draws as `generate` does.
    """
    size = min(round(SECONDS * rate), max(int(MOST_WORK / network.parameter_count), 1))
    if task.predicts == "next":
        # Half the work is left for drawing.
        size = max(size // 2, 1)
    where = loudest(task, y, part, size)
    stream = network.stream()
    found = cut(task, x, y, where, rate, training.run_through(stream, x, where.start, where.stop))
    if task.predicts == "next" and found.size:
        drawn = generation.from_silence(stream, about, found.size, GenerateSettings())
        found.classes["drawn"], found.sounds["drawn"] = drawn, task.to_samples(drawn)
    return found


def of_frames(network: Network, task: FramesTask, x: Vectors, y: Vectors, part: slice, rate: int) -> Excerpt:
    """Do the same for vectors.

    Parameters
    ----------
    x, y : ndarray of float32, shape (n, width)
        Input and target, the delay cut out.
    part
        Where to look, in time steps.
    """
    size = max(int(min(SECONDS * rate / task.hop, MOST_WORK / network.parameter_count)), 1)
    where = loudest_frames(y, part, size)
    heard = max(where.start - training.WARM_UP, 0)
    output = network.dense_stream().run(x[heard : where.stop])[where.start - heard :]
    frames = {"target": y[where], "output": output}
    if task.predicts == "target":
        frames = {"input": x[where]} | frames
    sounds: dict[str, Floats] = {name: task.to_samples(frame) for name, frame in frames.items()}
    return Excerpt(rate, where.start * task.hop, sounds, {})


def of_spectrogram(network: Network, task: SpectrogramTask, pair: Pair, x: Vectors, y: Vectors, part: slice) -> Excerpt:
    """Do the same for magnitudes; `pair` gives the mixture's phase."""
    size = max(int(min(SECONDS * pair.rate / task.hop, MOST_WORK / network.parameter_count)), 1)
    where = loudest_frames(task.stem(x, y), part, size)
    heard = max(where.start - training.WARM_UP, 0)
    output = network.dense_stream().run(x[heard : where.stop])[where.start - heard :]
    mixture, stem = task.mixture_and_stem(pair, where)
    spectra = {"input": mixture, "target": stem, "output": task.heard(mixture, output)}
    sounds: dict[str, Floats] = {name: np.concatenate(list(task.stft.samples([s]))) for name, s in spectra.items()}
    return Excerpt(pair.rate, where.start * task.hop, sounds, {})


def loudest_frames(y: Vectors, part: slice, size: int) -> slice:
    """Up to `size` of the vectors in `part`, of shape (n, width), with the most energy."""
    if part.stop - part.start <= size:
        return part
    energies = np.square(y[part] - y[part].mean(), dtype=np.float64).sum(axis=1)
    start = part.start + int(np.convolve(energies, np.ones(size), "valid").argmax())
    return slice(start, start + size)


def of_output(
    task: SamplesTask, x: Indices, y: Indices, part: slice, rate: int, sound: Floats, classes: Indices
) -> Excerpt:
    """Cut the loudest seconds out of what a model made of the whole `part`; other parameters as in `of_network`.

    Parameters
    ----------
    sound : ndarray of float64, shape (part.stop - part.start,)
    classes : ndarray of uint8, shape (part.stop - part.start,)
        The likeliest ones.
    """
    where = loudest(task, y, part, round(SECONDS * rate))
    found = cut(task, x, y, where, rate)
    here = slice(where.start - part.start, where.stop - part.start)
    found.sounds["output"], found.classes["output"] = sound[here], classes[here]
    return found


def cut(
    task: SamplesTask, x: Indices, y: Indices, where: slice, rate: int, blocks: Iterable[Probabilities] = ()
) -> Excerpt:
    """Take a stretch out of the signals, with what a network said of it, if one did."""
    classes = {"target": y[where]} if task.predicts == "next" else {"input": x[where], "target": y[where]}
    sounds: dict[str, Floats] = {name: task.to_samples(c) for name, c in classes.items()}
    decoder = task.decoder()
    heard = [(decoder.push(p), p.argmax(axis=1).astype(np.uint8)) for p in blocks]
    if heard:
        sounds["output"], classes["output"] = (np.concatenate(parts) for parts in zip(*heard, strict=True))
    return Excerpt(rate, where.start, sounds, classes)
