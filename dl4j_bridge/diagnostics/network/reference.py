"""The same network in NumPy, in double precision."""

import numpy as np
import numpy.typing as npt

from dl4j_bridge import reference as lstm
from dl4j_bridge.java.interface import Interface
from dl4j_bridge.reference.parameters import Floats
from dl4j_bridge.settings.training import NetworkSettings
from dl4j_bridge.tasks.interface import Signal


def unpack(settings: NetworkSettings, interface: Interface, flat: npt.ArrayLike) -> lstm.Network:
    """The network that has these parameters, shape (parameters,) in DL4J's order."""
    return lstm.unpack(flat, interface.inputs, settings.hidden, settings.layers, interface.outputs, settings.cell)


def forward(network: lstm.Network, interface: Interface, x: Signal) -> lstm.Record:
    """Run a network from the zero state; `x` has shape (batch, steps) of classes or (batch, steps, inputs)."""
    one_hot = interface.input == "one-hot"
    inputs = lstm.one_hot(x, interface.inputs) if one_hot else x.astype(np.float64).transpose(0, 2, 1)
    return lstm.forward(network, inputs, lstm.zero_states(network, batch=len(x)))


def outputs(network: lstm.Network, interface: Interface, x: Signal) -> Floats:
    """The network's output, as Java returns it; shape (batch, steps, outputs)."""
    record = forward(network, interface, x)
    if interface.output == "softmax":
        return record.probabilities.transpose(0, 2, 1)
    found = record.logits.transpose(0, 2, 1)
    if interface.output == "sigmoid":
        found = (1 + np.tanh(found / 2)) / 2
    return found + x if interface.skip else found


def loss(network: lstm.Network, interface: Interface, x: Signal, y: Signal) -> float:
    """The loss whose gradient Java takes: cross-entropy, or the squared error for each value and recording."""
    if interface.output == "softmax":
        return lstm.cross_entropy(forward(network, interface, x), y)
    return float(np.sum((outputs(network, interface, x) - y) ** 2) / y[0, 0].size / len(y))
