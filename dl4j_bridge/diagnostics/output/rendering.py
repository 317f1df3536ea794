"""A network of classes, run over a recording."""

import math
from dataclasses import dataclass

import numpy as np

from dl4j_bridge.diagnostics.relation import Floats
from dl4j_bridge.java.network import Network
from dl4j_bridge.signal.pairs import Stretch
from dl4j_bridge.tasks.samples.decoding import Indices, Probabilities, run_through
from dl4j_bridge.tasks.samples.task import SamplesTask

# Maximum number of samples that are looked at.
MOST = 60_000
# Share of the target's energy from which on an error can be heard (-40 dB).
AUDIBLE = 1e-4


@dataclass(frozen=True)
class Rendering:
    """The output of a model for a recording, with its state carried from the first sample to the last.

    Attributes
    ----------
    task
        How it decodes.
    x, y : ndarray of uint8, shape (n,)
        Input and target, with the delay cut out.
    probabilities : ndarray of float32, shape (n, 256)
        The network's output.
    """

    task: SamplesTask
    x: Indices
    y: Indices
    probabilities: Probabilities

    @property
    def stretch(self) -> Stretch:
        return self.x, self.y

    @property
    def mean(self) -> Floats:
        """Expected sample value before de-emphasis; shape (n,)."""
        return np.asarray(self.probabilities @ self.task.codec.values, np.float64)

    @property
    def variance(self) -> Floats:
        """Variance of a random sample around the mean; shape (n,)."""
        return np.asarray(self.probabilities @ self.task.codec.values**2 - self.mean**2, np.float64).clip(0)


def render(network: Network, task: SamplesTask, x: Indices, y: Indices) -> Rendering:
    """Run the first `MOST` samples through a model."""
    blocks = list(run_through(network.stream(), x, 0, min(MOST, x.size)))
    return Rendering(task, x[:MOST], y[:MOST], np.concatenate(blocks))


def decibels(share: float) -> float | None:
    """Energy in dB; None for 0."""
    return 10 * math.log10(share) if share > 0 else None
