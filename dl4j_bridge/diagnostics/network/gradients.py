"""Is Java's gradient the slope of the loss?"""

from dataclasses import replace

import numpy as np

from dl4j_bridge import reference as lstm
from dl4j_bridge.diagnostics.findings import Kind, Outcome
from dl4j_bridge.diagnostics.network.reference import loss, unpack
from dl4j_bridge.java.interface import Interface
from dl4j_bridge.java.network import Network
from dl4j_bridge.reference.parameters import Floats
from dl4j_bridge.settings.training import NetworkSettings
from dl4j_bridge.tasks.interface import Signal

GRADIENT_BROKEN = Kind("gradient-broken")

# Largest difference of a block of the gradient, relative to the block's length.
SAME_GRADIENT = 0.02
# Learning rate of the step that shows the gradient. Mean squares have small gradients: at a rate of 1 they would drown
# in the rounding of the parameters.
RATES = {"softmax": 1.0, "linear": 1000.0, "sigmoid": 1000.0}
# Length of the step to either side for central differences.
STEP = 1e-4


def gradients(settings: NetworkSettings, interface: Interface, x: Signal, y: Signal) -> Outcome:
    """Check Java's gradient, taken from a plain SGD step of a fresh network.

    Parameters
    ----------
    settings, interface
        Settings of the network.
    x, y : ndarray, shape (batch, steps) or (batch, steps, width)
        Classes or vectors, input and target.
    """
    rate = RATES[interface.output]
    # A step of these settings subtracts the rate times the gradient from the parameters, and nothing else.
    plain = replace(settings, updater="sgd", learning_rate=rate, clip=0.0, l2=0.0, weight_decay=0.0, dropout=0.0)
    network = Network.create(plain, interface)
    before = network.parameters().astype(np.float64)
    network.step(x, y, x.shape[1], True, 1)
    return compare_gradients(settings, interface, before, (before - network.parameters()) / rate, x, y)


def compare_gradients(
    settings: NetworkSettings, interface: Interface, at: Floats, gradient: Floats, x: Signal, y: Signal
) -> Outcome:
    """Compare a gradient with central differences of the loss in double precision, along itself, block by block.

    Parameters
    ----------
    settings, interface
        Settings of the network.
    at, gradient : ndarray of float64, shape (parameters,)
        In DL4J's order.
    x, y : ndarray, shape (batch, steps) or (batch, steps, width)
        Classes or vectors, input and target.
    """

    def loss_at(flat: Floats) -> float:
        return loss(unpack(settings, interface, flat), interface, x, y)

    figures = {}
    places = lstm.layout(interface.inputs, settings.hidden, settings.layers, interface.outputs, settings.cell)
    for name, (where, _) in places.items():
        length = float(np.linalg.norm(gradient[where]))
        along = np.zeros_like(at)
        along[where] = gradient[where] / length if length else 0.0
        slope = (loss_at(at + STEP * along) - loss_at(at - STEP * along)) / (2 * STEP)
        figures[name] = {"gradient": length, "slope": slope}
    wrong = {
        name: f for name, f in figures.items() if not abs(f["slope"] - f["gradient"]) <= SAME_GRADIENT * f["gradient"]
    }
    fix = "dl4j-bridge doctor, then --layer stock: the gradient is not that of the loss; please report it"
    return GRADIENT_BROKEN.outcome(bool(wrong), fix, wrong, figures)
