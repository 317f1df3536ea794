"""What mean, argmax and sampling cost."""

from dataclasses import replace

import numpy as np

from dl4j_bridge.diagnostics.findings import Kind, Outcome
from dl4j_bridge.diagnostics.output.rendering import AUDIBLE, Rendering, decibels
from dl4j_bridge.signal import metrics

SAMPLING_NOISE = Kind("sampling-noise")


def decoding(rendering: Rendering, decode: str) -> Outcome:
    """Measure all three ways to decode: sampling adds the variance of the distribution as noise.

    Parameters
    ----------
    rendering
        The model's output.
    decode
        How the user decodes: ``mean``, ``argmax`` or ``sample``.
    """
    values = rendering.task.codec.values
    target = values[rendering.y]
    energy = float(np.sum(target**2)) or 1.0
    # Target and outputs are compared before de-emphasis.
    flat = replace(rendering.task, pre_emphasis=0.0)
    figures = {
        "esr_mean": metrics.esr(target, rendering.mean),
        "esr_argmax": metrics.esr(target, values[rendering.probabilities.argmax(axis=1)]),
        "esr_sample": metrics.esr(target, flat.decoder("sample").push(rendering.probabilities)),
        "sampling_noise_db": decibels(float(rendering.variance.sum()) / energy),
    }
    found = decode == "sample" and not rendering.variance.sum() <= AUDIBLE * energy
    fix = "--decode mean (the default), or argmax; in your program: the expected value instead of a random class"
    return SAMPLING_NOISE.outcome(found, fix, figures, figures)
