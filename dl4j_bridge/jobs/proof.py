"""Comparison of a network with what another program computes with its weights."""

from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge.java.interface import Interface
from dl4j_bridge.java.network import Network
from dl4j_bridge.tasks.interface import Signal

# The largest difference of an output that rounding explains.
CLOSE = 1e-4


def noise(ends: Interface, steps: int) -> npt.NDArray[Any]:
    """Random input of a network: class indices, shape (steps,), or vectors, shape (steps, inputs)."""
    rng = np.random.default_rng(1)
    if ends.input == "one-hot":
        return rng.integers(0, ends.inputs, steps, np.uint8)
    return rng.uniform(-0.5, 0.5, (steps, ends.inputs)).astype(np.float32)


def output(network: Network, x: Signal) -> npt.NDArray[np.float64]:
    """The output of a network for class indices or vectors; shape (n, outputs)."""
    stream = network.stream() if x.ndim == 1 else network.dense_stream()
    return stream.run(x).astype(np.float64)


def difference(found: npt.NDArray[np.floating], wanted: npt.NDArray[np.floating]) -> float:
    """The largest difference of two outputs."""
    return float(np.abs(found - wanted).max())
