"""Does the target answer to what was played longer ago than the network can remember?"""

import numpy as np

from dl4j_bridge.diagnostics.case import Case
from dl4j_bridge.diagnostics.findings import WARNING, Kind, Outcome
from dl4j_bridge.diagnostics.fixed_model import FixedModel
from dl4j_bridge.diagnostics.noise import repeat_lag, without_hum
from dl4j_bridge.diagnostics.recordings.dropouts import has_dropouts
from dl4j_bridge.diagnostics.recordings.resolution import is_crushed
from dl4j_bridge.diagnostics.recordings.takes import wrong_parts
from dl4j_bridge.diagnostics.recordings.time_variant import is_moving

TOO_SHORT = Kind("memory-too-short")
RATHER_SHORT = Kind("memory-too-short", WARNING)

# Longest lag that is looked for.
LONGEST_SECONDS = 2.0
# ESR that the late part of the response costs.
FAULT_ESR, WARNING_ESR = 0.02, 0.0013
# Correlation of what is left of the target with what the other half's late response makes of it.
CORRELATION = 0.1
# Quiet bands of the input do not count, as a share of the mean power.
SILENT_BAND = 1e-2


def check(case: Case) -> Outcome:
    if case.model is None or is_crushed(case) or has_dropouts(case.model) or wrong_parts(case.model):
        return Outcome()
    if is_moving(case):
        # A delay or a filter that moves answers late too.
        return Outcome()
    carried = carried_samples(case)
    esr, correlation, lag = late_response(without_hum(case.model), carried)
    figures = {"late_response": {"esr": esr, "correlation": correlation, "after_samples": carried}}
    found = is_late(case)
    kind = TOO_SHORT if esr >= FAULT_ESR else RATHER_SHORT
    evidence = figures["late_response"] | {"lag_seconds": lag / case.rate, "carried_seconds": carried / case.rate}
    fix = "switch the echo or the reverb off and record the target again, and add it after the network"
    return kind.outcome(found, fix, evidence, figures)


def carried_samples(case: Case) -> int:
    """Samples through which training carries the state."""
    return case.settings.run.length * case.settings.own.hop


def is_late(case: Case) -> bool:
    """Whether the late response costs enough, and is sure."""
    assert case.model is not None
    if repeat_lag(case.model) is not None:
        # Both halves hold the same, so that neither can test the other.
        return False
    esr, correlation, _ = late_response(without_hum(case.model), carried_samples(case))
    return esr >= WARNING_ESR and correlation >= CORRELATION


def late_response(model: FixedModel, carried: int) -> tuple[float, float, int]:
    """Measure the response after `carried` samples: its share of the target's energy, how sure, and its largest lag.

    The response from the prediction to what it leaves is measured in each half of the recording and tried on the other
    half, so that chance explains nothing on average.
    """
    from scipy import fft

    half = model.y.size // 2
    longest = min(round(LONGEST_SECONDS * model.rate), half // 2)
    # The last of the lags that the fixed model has are not all its own.
    first = max(carried, 3 * model.size // 2)
    if first >= longest:
        return 0.0, 0.0, 0
    size = fft.next_fast_len(half + longest, real=True)
    parts = slice(half), slice(half, 2 * half)
    sources = [fft.rfft(model.prediction[part], size) for part in parts]
    left = [model.residual[part] for part in parts]
    product = made = total = 0.0
    responses = np.zeros(longest)
    for here, there in ((0, 1), (1, 0)):
        power = np.abs(sources[here]) ** 2
        cross = np.conj(sources[here]) * fft.rfft(left[here], size)
        response = fft.irfft(cross / (power + SILENT_BAND * power.mean() + 1e-30), size)
        response[:first] = response[longest:] = 0
        late = fft.irfft(fft.rfft(response) * sources[there], size)[:half]
        product += float(np.dot(left[there], late))
        made += float(np.dot(late, late))
        total += float(np.dot(left[there], left[there]))
        responses += response[:longest]
    if product <= 0:
        return 0.0, 0.0, 0
    energy = float(np.dot(model.y, model.y))
    # What is noise in the response adds to what it makes, not to the product.
    return min(product, total) / energy, float(product / np.sqrt(made * total)), int(np.abs(responses).argmax())
