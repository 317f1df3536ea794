"""Is the output as good as the network? How it is decoded, and whether the state is carried."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge.diagnostics.findings import FAULT, Check, Finding, Outcome
from dl4j_bridge.java.network import Network
from dl4j_bridge.jobs import generation, training
from dl4j_bridge.signal import metrics
from dl4j_bridge.tasks.samples import Probabilities, SamplesTask

Indices = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

# Samples that are looked at.
MOST = 60_000
# Noise that sampling adds counts from this share of the target's energy on (-40 dB), where it can be heard.
AUDIBLE = 1e-4
# Share of an output's difference from the network that an explanation may leave open.
EXPLAINED = 0.1
# Shortest distance of two seams that is looked for; the longest is a quarter of the recording.
SHORTEST_CHUNK = 16
# Samples behind a border that are looked at, and how many distances are tried with the network.
HEAD, CANDIDATES = 4, 3
# Worse than the best baseline by this factor of the error energy (1 dB), at an error that can be heard (20 dB below).
WORSE, POOR = 1.26, 0.01


@dataclass(frozen=True)
class Heard:
    """A model run over a recording, its state carried from the first sample to the last.

    Attributes
    ----------
    task
        How it decodes.
    x, y : ndarray of uint8, shape (n,)
        Input and target, the delay cut out.
    probabilities : ndarray of float32, shape (n, 256)
    """

    task: SamplesTask
    x: Indices
    y: Indices
    probabilities: Probabilities

    @property
    def mean(self) -> Floats:
        """Expected sample value in front of de-emphasis; shape (n,)."""
        return np.asarray(self.probabilities @ self.task.codec.values, np.float64)

    @property
    def variance(self) -> Floats:
        """Of a random draw, around the mean; shape (n,)."""
        return np.asarray(self.probabilities @ self.task.codec.values**2 - self.mean**2, np.float64).clip(0)


def listen(network: Network, task: SamplesTask, x: Indices, y: Indices, start: int = 0) -> Heard:
    """Run up to `MOST` samples from `start` on through a model that has heard a little before."""
    end = min(start + MOST, x.size)
    blocks = list(training.run_through(network.stream(), x, start, end))
    return Heard(task, x[start:end], y[start:end], np.concatenate(blocks))


def checks(heard: Heard, network: Network, decode: str, processed: Indices | None) -> list[Check]:
    """Decoding, seams, and what a baseline does instead.

    Parameters
    ----------
    heard
        From `listen`.
    network
        The same model.
    decode
        How the user decodes: ``mean``, ``argmax`` or ``sample``.
    processed : ndarray of uint8, shape (n,), optional
        What the user's own program made of the same samples.
    """
    found = [Check("decoding", lambda: decoding(heard, decode)), Check("memory", lambda: memory(heard, network))]
    if processed is not None:
        found.append(Check("your output", lambda: theirs(heard, network, processed)))
    return found


def decoding(heard: Heard, decode: str) -> Outcome:
    """What mean, argmax and sampling cost: sampling adds the variance of the distribution as noise."""
    values = heard.task.codec.values
    target = values[heard.y]
    energy = float(np.sum(target**2)) or 1.0
    # Target and outputs are compared in front of de-emphasis.
    flat = replace(heard.task, pre_emphasis=0.0)
    figures: dict[str, Any] = {
        "esr_mean": metrics.esr(target, heard.mean),
        "esr_argmax": metrics.esr(target, values[heard.probabilities.argmax(axis=1)]),
        "esr_sample": metrics.esr(target, flat.decoder("sample").push(heard.probabilities)),
        "sampling_noise_db": _decibels(float(heard.variance.sum()) / energy),
    }
    if decode != "sample" or heard.variance.sum() <= AUDIBLE * energy:
        return Outcome([], figures)
    fix = "--decode mean (the default), or argmax; in your program: the expected value instead of a random class"
    return Outcome([Finding("sampling-noise", FAULT, fix, figures)], figures)


def memory(heard: Heard, network: Network, chunk: int = 1000, head: int = 50) -> Outcome:
    """How much worse the first samples behind a border are where the state is dropped there; a figure, no verdict."""
    count = heard.x.size // chunk
    if not count:
        return Outcome()
    x = heard.x[: count * chunk].reshape(count, chunk)[:, :head]
    y = heard.y[: count * chunk].reshape(count, chunk)[:, :head]
    carried = heard.probabilities[: count * chunk].reshape(count, chunk, -1)[:, :head]
    dropped = network.run_batch(x)
    return Outcome([], {"bits_carried": _bits(carried, y), "bits_dropped": _bits(dropped, y), "samples": head})


def theirs(heard: Heard, network: Network, processed: Indices) -> Outcome:
    """Explain somebody's output: is it the network's, a random draw of it, or one with the state dropped?"""
    values = heard.task.codec.values
    n = min(processed.size, heard.x.size)
    output, mean, variance = values[processed[:n]], heard.mean[:n], heard.variance[:n]
    likeliest = values[heard.probabilities[:n].argmax(axis=1)]
    off = np.minimum((output - mean) ** 2, (output - likeliest) ** 2)
    energy = float(np.sum(values[heard.y[:n]] ** 2)) or 1.0
    figures: dict[str, Any] = {"difference_db": _decibels(float(off.sum()) / energy)}
    if off.sum() <= AUDIBLE * energy:
        return Outcome([], figures)
    for chunk in _seams(off):
        unexplained = _without_state(heard, network, processed[:n], chunk)
        if unexplained <= EXPLAINED:
            figures |= {"chunk": chunk, "unexplained_share": unexplained}
            fix = (
                "carry the state over the borders of your chunks: rnnTimeStep without rnnClearPreviousState, "
                "not output(); dl4j-bridge process does"
            )
            return Outcome([Finding("state-not-carried", FAULT, fix, figures)], figures)
    exact = float(np.mean(processed[:n] == heard.probabilities[:n].argmax(axis=1)))
    expected = float(heard.probabilities[:n].max(axis=1).mean())
    drawn = float(np.sum((output - mean) ** 2) / max(variance.sum(), 1e-12))
    figures |= {"likeliest_share": exact, "likeliest_share_of_a_draw": expected, "energy_against_a_draw": drawn}
    if abs(exact - expected) < 0.05 and 0.5 < drawn < 2:
        fix = "take the mean of the distribution, or argmax, instead of a random class: --decode mean"
        return Outcome([Finding("sampling-noise", FAULT, fix, figures)], figures)
    return Outcome([], figures)


def free_running(heard: Heard, network: Network, temperature: float) -> Outcome:
    """How a model that predicts the next sample does when it is fed its own; figures, no verdict."""
    size = min(generation.CALIBRATION_SAMPLES, heard.y.size)
    own = generation.own_audio(network.stream(), size, temperature)
    values = heard.task.codec.values
    level = float(np.var(values[own])) / max(float(np.var(values[heard.y])), 1e-12)
    figures: dict[str, Any] = {
        "teacher_forced_bits": _bits(heard.probabilities, heard.y),
        "order_1_bits_of_the_recording": metrics.order_1_entropy_bits(heard.y[:size]),
        "order_1_bits_of_its_own": metrics.order_1_entropy_bits(own),
        "level_db": _decibels(level),
        "temperature": temperature,
    }
    return Outcome([], figures)


def against_baselines(rows: list[dict[str, Any]]) -> Outcome:
    """Compare the model's error with that of every baseline on the same held-out samples.

    Parameters
    ----------
    rows
        Of `comparing.compare`: the model first.
    """
    model, *others = [row for row in rows if row["esr"] is not None]
    figures = {row["name"]: row["esr"] for row in [model, *others]}
    best = min(others, key=lambda row: float(row["esr"]), default=None)
    if best is None or model["name"] != "model":
        return Outcome([], figures)
    if model["esr"] <= POOR or model["esr"] <= WORSE * best["esr"]:
        return Outcome([], figures)
    fix = f"train for longer; until then {best['name']} is the better model of this pair"
    evidence = {"model_esr": model["esr"], f"{best['name']}_esr": best["esr"]}
    return Outcome([Finding("noisier-than-baseline", FAULT, fix, evidence)], figures)


def generalisation(network: Network, task: SamplesTask, x: Indices, y: Indices) -> Outcome:
    """Compare a trained model's bits on its training part with those on its validation part."""
    from dl4j_bridge.diagnostics import learning

    table = learning.table_bits(task.codec, (x, y))
    here, there = (learning.bits_on(network, training.part((x, y), name)) for name in ("train", "valid"))
    figures = {"train_bits": here, "valid_bits": there, "lookup_table": table}
    return Outcome(learning.overfit(here, there, table), figures)


def _bits(probabilities: Probabilities, target: Indices) -> float:
    return metrics.bits_per_sample(probabilities.reshape(-1, probabilities.shape[-1]), target.ravel())


def _seams(error: Floats) -> list[int]:
    """Distances of borders right behind which the error ranks highest, the likeliest first."""
    from scipy.stats import rankdata

    # Ranks, lest one loud place outvote all borders.
    sums = np.concatenate([[0.0], np.cumsum(rankdata(error) / error.size - 0.5)])
    distances = np.arange(SHORTEST_CHUNK, error.size // 4)
    scores = np.array([_score(sums, int(distance)) for distance in distances])
    return [int(distance) for distance in distances[np.argsort(-scores)[:CANDIDATES]]]


def _score(sums: Floats, distance: int) -> float:
    """How many standard deviations the mean rank right behind the borders lies above that of any place."""
    borders = np.arange(distance, sums.size - 1 - HEAD, distance)
    behind = (sums[borders + HEAD] - sums[borders]).mean() / HEAD
    return float(behind * math.sqrt(12 * HEAD * borders.size))


def _without_state(heard: Heard, network: Network, processed: Indices, chunk: int) -> float:
    """Share of the output's difference from the carried network that a network without a state leaves."""
    count = processed.size // chunk
    codec = heard.task.codec
    values = codec.values
    output = values[processed[: count * chunk]]
    probabilities = network.run_batch(heard.x[: count * chunk].reshape(count, chunk)).reshape(count * chunk, -1)
    carried = heard.probabilities[: count * chunk]

    def off(p: Probabilities) -> float:
        # As 8 bits, like the output: its rounding is nobody's fault.
        mean, likeliest = values[codec.encode(p @ values)], values[p.argmax(axis=1)]
        return min(float(np.sum((output - mean) ** 2)), float(np.sum((output - likeliest) ** 2)))

    return off(probabilities) / max(off(carried), 1e-12)


def _decibels(share: float) -> float | None:
    return 10 * math.log10(share) if share > 0 else None
