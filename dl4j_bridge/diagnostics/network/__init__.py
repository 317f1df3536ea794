"""Does Java compute what it should, and does the input reach the first layer?"""

import functools

import numpy as np

from dl4j_bridge import reference as lstm
from dl4j_bridge.diagnostics.findings import Check
from dl4j_bridge.diagnostics.network.gradients import gradients
from dl4j_bridge.diagnostics.network.parity import parity
from dl4j_bridge.diagnostics.network.reference import unpack
from dl4j_bridge.diagnostics.network.scale import scale
from dl4j_bridge.java.interface import Interface
from dl4j_bridge.java.network import Network
from dl4j_bridge.settings.training import NetworkSettings
from dl4j_bridge.signal.stretches import starts
from dl4j_bridge.tasks.interface import Signal

BATCH, STEPS = 4, 16


def checks(
    settings: NetworkSettings, interface: Interface, x: Signal, y: Signal, model: Network | None = None
) -> list[Check]:
    """Parity and gradients against NumPy; for one-hot inputs, the scale of activations and gradients too.

    Parameters
    ----------
    settings, interface
        Settings of the network.
    x, y : ndarray, shape (n,) or (n, width)
        Input and target to run it on, classes or vectors.
    model
        A trained network to look at; a fresh one if not given.
    """

    @functools.cache
    def network() -> Network:
        return model or Network.create(settings, interface)

    def reference() -> lstm.Network:
        return unpack(settings, interface, network().parameters())

    x, y = segments(x), segments(y)
    found = [
        Check("parity with NumPy", lambda: parity(network().run_batch, reference(), interface, x)),
        Check("gradients", lambda: gradients(settings, interface, x, y)),
    ]
    if interface.input == "one-hot":
        found.append(Check("scale of activations", lambda: scale(settings, reference(), interface, x, y)))
    return found


def segments(signal: Signal) -> Signal:
    """`BATCH` stretches of `STEPS` time steps from all over a recording; shape (batch, steps) and that of a value."""
    steps = min(STEPS, len(signal))
    return np.stack([signal[at : at + steps] for at in starts(len(signal), steps, BATCH)])
