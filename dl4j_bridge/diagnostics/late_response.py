"""The part of the target that answers to what was played longer ago than the fixed model or the network remembers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge.diagnostics.fixed_model import FixedModel

# Longest lag that is looked for.
LONGEST_SECONDS = 2.0
# Quiet bands of the input do not count, as a share of the mean power.
SILENT_BAND = 1e-2
# Over which the level is taken that divides the quieter half of the time from the louder one.
LEVEL_SECONDS = 0.02


@dataclass(frozen=True)
class LateResponse:
    """What a response beyond some memory explains.

    Attributes
    ----------
    esr
        Its share of the target's energy.
    correlation
        Of what is left of the target with what the other half's late response makes of it.
    lag
        Samples to its largest value.
    in_pauses
        The correlation in the quieter half of the time, as a multiple of that in the louder half. An echo is clearest
        in pauses. What hits of a drum have in common with those before, in a beat, is found where they are loud.
    made
        What each half's response, tried on the other half, adds to the prediction; float64, shape (n,) or empty.
    """

    esr: float = 0.0
    correlation: float = 0.0
    lag: int = 0
    in_pauses: float = 0.0
    made: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(0), compare=False, repr=False)


def measure(model: FixedModel, first: int) -> LateResponse:
    """Measure the response from the lag `first` on, in samples, beyond what the same samples ahead explain.

    A tune in time has something in common with what it was some beats ago, but as much with what it will be.
    """
    from scipy.ndimage import uniform_filter1d

    level = uniform_filter1d(np.square(model.prediction, dtype=np.float64), max(round(LEVEL_SECONDS * model.rate), 1))
    quiet = level < np.median(level)
    late, early = (_measured(model, first, sign, quiet) for sign in (1, -1))
    correlation = late.correlation - max(early.correlation, 0.0)
    return replace(late, esr=max(late.esr - early.esr, 0.0), correlation=correlation)


def _measured(model: FixedModel, first: int, sign: int, quiet: npt.NDArray[np.bool]) -> LateResponse:
    """The response from the lag `first` on, or that many samples ahead if `sign` is -1.

    The response from the prediction to what it leaves is measured in each half of the recording and tried on the other
    half, so that chance explains nothing on average.
    """
    from scipy import fft

    half = model.y.size // 2
    longest = min(round(LONGEST_SECONDS * model.rate), half // 2)
    if first >= longest:
        return LateResponse()
    size = fft.next_fast_len(half + longest, real=True)

    def half_of(x: npt.NDArray[Any], number: int) -> npt.NDArray[Any]:
        return x[number * half : (number + 1) * half][::sign]

    sources = [fft.rfft(half_of(model.prediction, number), size) for number in (0, 1)]
    left = [half_of(model.residual, number) for number in (0, 1)]
    # Of what is left with what is made, of what is made and of what is left; in the louder and the quieter half.
    product, made, total = np.zeros(2), np.zeros(2), np.zeros(2)
    responses, signal = np.zeros(longest), np.zeros(2 * half)
    for here, there in ((0, 1), (1, 0)):
        power = np.abs(sources[here]) ** 2
        cross = np.conj(sources[here]) * fft.rfft(left[here], size)
        response = fft.irfft(cross / (power + SILENT_BAND * power.mean() + 1e-30), size)
        response[:first] = response[longest:] = 0
        late = fft.irfft(fft.rfft(response) * sources[there], size)[:half]
        half_of(signal, there)[:] = late
        where = half_of(quiet, there)
        product += np.bincount(where, left[there] * late, 2)
        made += np.bincount(where, late**2, 2)
        total += np.bincount(where, left[there] ** 2, 2)
        responses += response[:longest]
    if product.sum() <= 0:
        return LateResponse()
    energy = float(np.dot(model.y, model.y))
    # What is noise in the response adds to what it makes, not to the product.
    correlation = float(product.sum() / np.sqrt(made.sum() * total.sum()))
    louder, quieter = product / np.sqrt(made * total + 1e-30)
    explained = float(min(product.sum(), total.sum()))
    in_pauses = float(quieter / louder) if louder > 0 else np.inf
    return LateResponse(explained / energy, correlation, int(np.abs(responses).argmax()), in_pauses, signal)
