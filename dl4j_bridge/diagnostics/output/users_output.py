"""What the user's own program made of a model: is its state carried, and are its samples random?"""

import math

import numpy as np

from dl4j_bridge.diagnostics.findings import Kind, Outcome
from dl4j_bridge.diagnostics.output.decoding import SAMPLING_NOISE
from dl4j_bridge.diagnostics.output.rendering import AUDIBLE, Rendering, decibels
from dl4j_bridge.diagnostics.relation import Floats
from dl4j_bridge.java.network import Network
from dl4j_bridge.tasks.samples.decoding import Indices, Probabilities

STATE_NOT_CARRIED = Kind("state-not-carried")

# Share of an output's difference from the network that an explanation may leave open.
EXPLAINED = 0.1
# Shortest distance between two borders that is tried; the longest is a quarter of the recording.
SHORTEST_CHUNK = 16
# Samples after a border that are looked at, and number of distances that are tried with the network.
HEAD, CANDIDATES = 4, 3


def users_output(rendering: Rendering, network: Network, processed: Indices) -> Outcome:
    """Explain an output: is it the network's, a random sample of it, or one with the state dropped?

    Parameters
    ----------
    rendering
        The model's output.
    network
        The same model.
    processed : ndarray of uint8, shape (n,)
        What the user's program made of the same samples.
    """
    values = rendering.task.codec.values
    n = min(processed.size, rendering.x.size)
    output, mean, variance = values[processed[:n]], rendering.mean[:n], rendering.variance[:n]
    most_probable = rendering.probabilities[:n].argmax(axis=1)
    off = np.minimum((output - mean) ** 2, (output - values[most_probable]) ** 2)
    energy = float(np.sum(values[rendering.y[:n]] ** 2)) or 1.0
    figures = {"difference_db": decibels(float(off.sum()) / energy)}
    if off.sum() <= AUDIBLE * energy:
        return Outcome([], figures)
    for chunk in _border_distances(off):
        unexplained = _without_state(rendering, network, processed[:n], chunk)
        if unexplained <= EXPLAINED:
            figures |= {"chunk": chunk, "unexplained_share": unexplained}
            fix = "carry the state over the borders of your chunks: rnnTimeStep without rnnClearPreviousState, "
            return STATE_NOT_CARRIED.outcome(True, fix + "not output(); dl4j-bridge process does", figures, figures)
    exact = float(np.mean(processed[:n] == most_probable))
    expected = float(rendering.probabilities[:n].max(axis=1).mean())
    energy_ratio = float(np.sum((output - mean) ** 2) / max(variance.sum(), 1e-12))
    figures |= {"likeliest_share": exact, "likeliest_share_of_a_draw": expected, "energy_against_a_draw": energy_ratio}
    sampled = abs(exact - expected) < 0.05 and 0.5 < energy_ratio < 2
    fix = "take the mean of the distribution, or argmax, instead of a random class: --decode mean"
    return SAMPLING_NOISE.outcome(sampled, fix, figures, figures)


def _border_distances(error: Floats) -> list[int]:
    """Distances of borders directly after which the error ranks highest, the most probable one first."""
    from scipy.stats import rankdata

    # Ranks, so that one loud place cannot outweigh all borders.
    sums = np.concatenate([[0.0], np.cumsum(rankdata(error) / error.size - 0.5)])
    distances = np.arange(SHORTEST_CHUNK, error.size // 4)
    scores = np.array([_score(sums, int(distance)) for distance in distances])
    return [int(distance) for distance in distances[np.argsort(-scores)[:CANDIDATES]]]


def _score(sums: Floats, distance: int) -> float:
    """How many standard deviations the mean rank directly after the borders lies above that of any place."""
    borders = np.arange(distance, sums.size - 1 - HEAD, distance)
    after = (sums[borders + HEAD] - sums[borders]).mean() / HEAD
    return float(after * math.sqrt(12 * HEAD * borders.size))


def _without_state(rendering: Rendering, network: Network, processed: Indices, chunk: int) -> float:
    """Share of the output's difference from the network that a network without a state leaves."""
    count = processed.size // chunk
    codec = rendering.task.codec
    values = codec.values
    output = values[processed[: count * chunk]]
    dropped = network.run_batch(rendering.x[: count * chunk].reshape(count, chunk)).reshape(count * chunk, -1)

    def off(p: Probabilities) -> float:
        # As 8 bits, like the output, whose rounding is no fault.
        mean, most_probable = values[codec.encode(p @ values)], values[p.argmax(axis=1)]
        return min(float(np.sum((output - mean) ** 2)), float(np.sum((output - most_probable) ** 2)))

    return off(dropped) / max(off(rendering.probabilities[: count * chunk]), 1e-12)
