"""Does the input reach the first layer?"""

from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge import reference as lstm
from dl4j_bridge.diagnostics.findings import Finding, Kind, Outcome
from dl4j_bridge.diagnostics.network.reference import forward, unpack
from dl4j_bridge.java.interface import Interface
from dl4j_bridge.settings.training import NetworkSettings
from dl4j_bridge.tasks.interface import Signal

WEAK_INPUT_SCALE = Kind("weak-input-scale")
INPUT_SCALE_FIX = (
    "--init {}; in DL4J, for the first layer: new GravesLSTM.Builder()"
    ".weightInit(new NormalDistribution(0, 1)).weightInitRecurrent(WeightInit.XAVIER)"
)

# Standard deviation of what the input adds to the first layer's gates, times the size of the output weights relative
# to XAVIER: `--init one-hot` gives 1, `smooth` 0.6; 2 x 200 units with DL4J's XAVIER, meant for dense inputs, get 0.05.
WEAK_INPUT = 0.2


def scale(settings: NetworkSettings, reference: lstm.Network, interface: Interface, x: Signal, y: Signal) -> Outcome:
    """Measure activations and gradients at the start, layer by layer.

    Parameters
    ----------
    settings
        Settings of the network.
    reference
        The network in NumPy.
    interface
        Input and output of the network.
    x, y : ndarray of uint8, shape (batch, steps)
        Input and target.
    """
    record = forward(reference, interface, x)
    flat, _ = lstm.backward(reference, record, y)
    # The gradient is cut into blocks as the parameters are.
    slopes = lstm.unpack_like(flat, reference)
    rows = [
        {
            "from_input": float(np.std(run.inputs @ layer.W)),
            "output": float(np.std(run.outputs)),
            "gradient": float(np.linalg.norm(slope.W)),
            "weights": float(np.linalg.norm(layer.W)),
        }
        for layer, run, slope in zip(reference.layers, record.layers, slopes.layers, strict=True)
    ]
    figures = {"layers": rows}
    found = _found(settings, rows[0]["from_input"], reference, {"layers": rows})
    return Outcome([found] if found else [], figures)


def weak_input(settings: NetworkSettings, interface: Interface, parameters: npt.ArrayLike) -> Finding | None:
    """The same finding from the weights alone: a one-hot input picks a row of them."""
    reference = unpack(settings, interface, parameters)
    return _found(settings, float(np.std(reference.layers[0].W)), reference, {})


def weak_input_scale(settings: NetworkSettings, evidence: dict[str, Any]) -> Finding:
    """The finding, with the start that learns with these settings: the smooth one needs a shared gradient."""
    shares = settings.resolved().neighbours
    fix = INPUT_SCALE_FIX.format("smooth, the default" if shares else "one-hot")
    return WEAK_INPUT_SCALE.found(fix, evidence, init="smooth" if shares else "one-hot")


def _found(
    settings: NetworkSettings, from_input: float, reference: lstm.Network, more: dict[str, Any]
) -> Finding | None:
    of_xavier = float(np.std(reference.output.W) / np.sqrt(2 / sum(reference.output.W.shape)))
    if from_input * of_xavier >= WEAK_INPUT:
        return None
    evidence = {"first_layer_from_input": from_input, "wanted_about": 1.0, "output_weights_to_xavier": of_xavier}
    return weak_input_scale(settings, evidence | more)
