"""Does Java compute what it should, and does the input reach the first layer?"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge import reference as graves_lstm
from dl4j_bridge.diagnostics.findings import FAULT, Check, Finding, Outcome
from dl4j_bridge.java.interface import Interface
from dl4j_bridge.java.network import Network
from dl4j_bridge.settings.config import NetworkSettings
from dl4j_bridge.signal.codec import CLASSES
from dl4j_bridge.tasks.interface import Signal

Indices = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

BATCH, STEPS = 4, 16
# Largest difference of a probability between Java's floats and NumPy's doubles.
SAME_PROBABILITY = 1e-4
# Largest difference of a block of the gradient, against the block's length.
SAME_GRADIENT = 0.02
# Standard deviation of what the input adds to the first layer's gates: the start for one-hot inputs gives 1, and with
# DL4J's XAVIER, meant for dense inputs, 2 x 200 units get 0.05.
WEAK_INPUT = 0.2


def checks(settings: NetworkSettings, x: Indices, y: Indices, model: Network | None = None) -> list[Check]:
    """Parity and gradients against NumPy in double precision, then the scale of activations and gradients.

    Parameters
    ----------
    settings
        Of the network.
    x, y : ndarray of uint8, shape (n,)
        Input and target to run it on.
    model
        A trained network to look at; a fresh one if not given.
    """

    @functools.cache
    def network() -> Network:
        return model or Network.create(settings, Interface.of_classes(CLASSES))

    x, y = segments(x), segments(y)
    return [
        Check("parity with NumPy", lambda: parity(network().run_batch, _reference(settings, network()), x)),
        Check("gradients", lambda: gradients(settings, x, y)),
        Check("scale of activations", lambda: scale(_reference(settings, network()), x, y)),
    ]


def checks_of_vectors(
    settings: NetworkSettings, interface: Interface, x: Signal, y: Signal, model: Network | None = None
) -> list[Check]:
    """Parity and gradients of a network between vectors; as `checks`, with x and y float32 of shape (n, width)."""
    x, y = segments(x), segments(y)
    return [
        Check(
            "parity with NumPy", lambda: parity_of_vectors(model or Network.create(settings, interface), settings, x)
        ),
        Check("gradients", lambda: gradients_of_vectors(settings, interface, x, y)),
    ]


def segments(signal: Signal) -> Signal:
    """`BATCH` stretches of `STEPS` time steps from all over a recording; shape (batch, steps) and that of a value."""
    steps = min(STEPS, len(signal))
    return np.stack([signal[at : at + steps] for at in np.linspace(0, len(signal) - steps, BATCH).astype(int)])


def parity(java: Callable[[Indices], npt.NDArray[np.float32]], reference: graves_lstm.Network, x: Indices) -> Outcome:
    """Compare the distributions that Java gives with NumPy's, at the same parameters."""
    record = graves_lstm.forward(
        reference, graves_lstm.one_hot(x, CLASSES), graves_lstm.zero_states(reference, batch=len(x))
    )
    return _same(java(x), record.probabilities.transpose(0, 2, 1))


def parity_of_vectors(network: Network, settings: NetworkSettings, x: Signal) -> Outcome:
    """Compare the vectors that Java gives with NumPy's, at the same parameters."""
    reference = _unpack_vectors(settings, network.interface, network.parameters())
    return _same(network.run_batch(x), _outputs(reference, network.interface, x))


def _same(java: npt.NDArray[np.float32], numpy: Floats) -> Outcome:
    difference = float(np.abs(java - numpy).max())
    figures = {"largest_difference": difference, "allowed": SAME_PROBABILITY}
    # Not `>`: a NaN is no parity either.
    if difference <= SAME_PROBABILITY:
        return Outcome([], figures)
    fix = "dl4j-bridge doctor, then --layer stock: Java's arithmetic on this machine is wrong; please report it"
    return Outcome([Finding("parity-broken", FAULT, fix, figures)], figures)


def gradients(settings: NetworkSettings, x: Indices, y: Indices) -> Outcome:
    """Compare Java's gradient, taken from a plain SGD step at rate 1, with the slope of NumPy's loss by blocks."""
    network = Network.create(_plain(settings, 1.0), Interface.of_classes(CLASSES))
    before = network.parameters().astype(np.float64)
    network.step(x, y, x.shape[1], True, 1)
    return compare_gradients(settings, before, before - network.parameters(), x, y)


def compare_gradients(settings: NetworkSettings, at: Floats, gradient: Floats, x: Indices, y: Indices) -> Outcome:
    """Judge a gradient by central differences of the loss in double precision, along itself, block by block.

    Parameters
    ----------
    settings
        Of the network.
    at, gradient : ndarray of float64, shape (parameters,)
        In DL4J's order.
    x, y : ndarray of uint8, shape (batch, steps)
    """
    one_hot = graves_lstm.one_hot(x, CLASSES)

    def loss(flat: Floats) -> float:
        network = _unpack(settings, flat)
        return graves_lstm.loss(network, one_hot, y, graves_lstm.zero_states(network, batch=len(x)))

    return _slopes(
        graves_lstm.layout(CLASSES, settings.hidden, settings.layers, CLASSES, settings.cell), loss, at, gradient
    )


def gradients_of_vectors(settings: NetworkSettings, interface: Interface, x: Signal, y: Signal) -> Outcome:
    """As `gradients`, of the mean squared error of vectors."""
    # Mean squares have small gradients: at a rate of 1 they would drown in the rounding of the parameters.
    rate = 1000.0
    network = Network.create(_plain(settings, rate), interface)
    before = network.parameters().astype(np.float64)
    network.step(x, y, x.shape[1], True, 1)

    def loss(flat: Floats) -> float:
        found = _outputs(_unpack_vectors(settings, interface, flat), interface, x)
        return float(np.sum((found - y) ** 2) / y[0, 0].size / len(y))

    places = graves_lstm.layout(interface.inputs, settings.hidden, settings.layers, interface.outputs, settings.cell)
    return _slopes(places, loss, before, (before - network.parameters()) / rate)


def _plain(settings: NetworkSettings, rate: float) -> NetworkSettings:
    """Parameters minus rate times gradient, and nothing else."""
    return replace(settings, updater="sgd", learning_rate=rate, clip=0.0, l2=0.0, weight_decay=0.0, dropout=0.0)


def _outputs(reference: graves_lstm.Network, interface: Interface, x: Signal) -> Floats:
    """What NumPy gives for vectors; shape (batch, steps, outputs)."""
    states = graves_lstm.zero_states(reference, batch=len(x))
    found = graves_lstm.forward(reference, x.astype(np.float64).transpose(0, 2, 1), states).logits.transpose(0, 2, 1)
    if interface.output == "sigmoid":
        found = (1 + np.tanh(found / 2)) / 2
    return found + x if interface.skip else found


def _slopes(
    places: dict[str, tuple[slice, tuple[int, ...]]], loss: Callable[[Floats], float], at: Floats, gradient: Floats
) -> Outcome:
    figures: dict[str, Any] = {}
    for name, (where, _) in places.items():
        length = float(np.linalg.norm(gradient[where]))
        along = np.zeros_like(at)
        along[where] = gradient[where] / length if length else 0.0
        slope = (loss(at + 1e-4 * along) - loss(at - 1e-4 * along)) / 2e-4
        figures[name] = {"gradient": length, "slope": slope}
    wrong = [
        name for name, f in figures.items() if not abs(f["slope"] - f["gradient"]) <= SAME_GRADIENT * f["gradient"]
    ]
    if not wrong:
        return Outcome([], figures)
    fix = "dl4j-bridge doctor, then --layer stock: the gradient is not that of the loss; please report it"
    return Outcome([Finding("gradient-broken", FAULT, fix, {name: figures[name] for name in wrong})], figures)


def scale(reference: graves_lstm.Network, x: Indices, y: Indices) -> Outcome:
    """How large are activations and gradients at the start, layer by layer?"""
    one_hot = graves_lstm.one_hot(x, CLASSES)
    record = graves_lstm.forward(reference, one_hot, graves_lstm.zero_states(reference, batch=len(x)))
    flat, _ = graves_lstm.backward(reference, record, y)
    # The same cut for gradients as for parameters.
    slopes = graves_lstm.unpack_like(flat, reference)
    rows = []
    for layer, run, slope in zip(reference.layers, record.layers, slopes.layers, strict=True):
        rows.append(
            {
                "from_input": float(np.std(run.inputs @ layer.W)),
                "output": float(np.std(run.outputs)),
                "gradient": float(np.linalg.norm(slope.W)),
                "weights": float(np.linalg.norm(layer.W)),
            }
        )
    figures = {"layers": rows}
    reaching = rows[0]["from_input"]
    if reaching >= WEAK_INPUT:
        return Outcome([], figures)
    evidence = {"first_layer_from_input": reaching, "wanted_about": 1.0, "layers": rows}
    return Outcome([Finding("weak-input-scale", FAULT, INPUT_SCALE_FIX, evidence)], figures)


INPUT_SCALE_FIX = (
    "--init one-hot (or wide, the default); in DL4J, for the first layer: new GravesLSTM.Builder()"
    ".weightInit(new NormalDistribution(0, 1)).weightInitRecurrent(WeightInit.XAVIER)"
)


def _reference(settings: NetworkSettings, network: Network) -> graves_lstm.Network:
    return _unpack(settings, network.parameters())


def _unpack(settings: NetworkSettings, flat: npt.ArrayLike) -> graves_lstm.Network:
    return _unpack_vectors(settings, Interface.of_classes(CLASSES), flat)


def _unpack_vectors(settings: NetworkSettings, interface: Interface, flat: npt.ArrayLike) -> graves_lstm.Network:
    return graves_lstm.unpack(
        flat, interface.inputs, settings.hidden, settings.layers, interface.outputs, settings.cell
    )
