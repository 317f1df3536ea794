"""How a model that predicts the next sample does when it is fed its own output."""

import numpy as np

from dl4j_bridge.diagnostics.findings import Outcome
from dl4j_bridge.diagnostics.output.rendering import Rendering, decibels
from dl4j_bridge.java.network import Network
from dl4j_bridge.signal import metrics
from dl4j_bridge.tasks.samples.generation import CALIBRATION_SAMPLES, own_audio


def free_running(rendering: Rendering, network: Network, temperature: float) -> Outcome:
    """Compare a model's own audio with the recording; figures, no verdict.

    Parameters
    ----------
    rendering
        The model's output for the recording.
    network
        The same model.
    temperature
        Temperature to sample at.
    """
    size = min(CALIBRATION_SAMPLES, rendering.y.size)
    own = own_audio(network.stream(), size, temperature)
    values = rendering.task.codec.values
    level = float(np.var(values[own])) / max(float(np.var(values[rendering.y])), 1e-12)
    figures = {
        "teacher_forced_bits": metrics.bits_per_sample(rendering.probabilities, rendering.y),
        "order_1_bits_of_the_recording": metrics.order_1_entropy_bits(rendering.y[:size]),
        "order_1_bits_of_its_own": metrics.order_1_entropy_bits(own),
        "level_db": decibels(level),
        "temperature": temperature,
    }
    return Outcome([], figures)
