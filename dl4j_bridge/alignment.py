"""The delay between two recordings of the same thing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]

# Samples of the two recordings that an estimate looks at.
STRETCH = 1 << 19
# Taps of the filters that compare candidate delays.
TAPS = 48
# A delay may be cut only if a filter that starts behind it explains the target as well as one that starts before it:
# its error may grow by this share, or by this share of the target's energy.
ERROR_GROWTH = 0.005
ERROR_FLOOR = 1e-5
# Below this the two recordings have no lag in common that stands out.
LOW_CONFIDENCE = 0.3


@dataclass(frozen=True)
class Delay:
    """An estimated delay, in samples; positive where the target comes later.

    Attributes
    ----------
    samples
        What can be cut out: behind it a causal network still has all it needs.
    peak
        Where the whitened cross-correlation is largest. A filter's own lag makes it larger than `samples`.
    confidence
        0 to 1: how far the peak stands out of the correlation elsewhere.
    inverted
        The peak is negative: the target's polarity is the other one.
    """

    samples: int
    peak: int
    confidence: float
    inverted: bool


def estimate_delay(x: Floats, y: Floats, longest: int) -> Delay:
    """Estimate how much later `y` comes than `x`.

    The peak of the generalised cross-correlation (Knapp and Carter, 1976; Wiener weighting) gives the lag of the most
    energy. A low-pass filter shifts that peak although its output starts at once, and cutting the shift out would ask
    the network for the future. So the peak is moved back to the latest lag from which a causal least-squares filter
    still explains `y` as well as one that starts earlier.

    Parameters
    ----------
    x, y : ndarray of float, shape (n,) and (m,)
        At the same rate.
    longest
        Largest delay to look for, of either sign, in samples.
    """
    n = min(x.size, y.size)
    if n < 4 * TAPS:
        return Delay(0, 0, 0.0, False)
    x = np.asarray(x[:n], np.float64) - np.mean(x[:n])
    y = np.asarray(y[:n], np.float64) - np.mean(y[:n])
    longest = min(longest, n // 2)
    correlation = _whitened_correlation(x, y, longest)
    at = int(np.argmax(np.abs(correlation)))
    peak = at - longest
    confidence = _confidence(np.abs(correlation), at)
    samples = peak if confidence < LOW_CONFIDENCE else _latest_causal_start(x, y, peak)
    return Delay(samples, peak, confidence, bool(correlation[at] < 0))


def _whitened_correlation(x: Floats, y: Floats, longest: int) -> Floats:
    """Lags -longest..longest of y against x, divided by x's spectrum where x has energy."""
    from scipy import fft

    size = fft.next_fast_len(x.size + longest, real=True)
    spectrum = fft.rfft(x, size)
    power = np.abs(spectrum) ** 2
    cross = np.conj(spectrum) * fft.rfft(y, size) / (power + 1e-3 * power.mean())
    lags = fft.irfft(cross, size)
    return np.concatenate([lags[-longest:], lags[: longest + 1]]) if longest else lags[:1]


def _confidence(size: Floats, at: int) -> float:
    """1 minus the share of the peak that the correlation reaches far away from it."""
    elsewhere = np.concatenate([size[: max(at - TAPS, 0)], size[at + TAPS + 1 :]])
    return float(1 - elsewhere.max(initial=0.0) / size[at]) if size[at] else 0.0


def _latest_causal_start(x: Floats, y: Floats, peak: int) -> int:
    """The latest lag up to `peak` at which a filter from x to y may start."""
    # An effect cannot start before its input: lags on the far side of 0 only mimic what is not linear in it.
    earliest = max(peak - TAPS // 2, 0) if peak >= 0 else peak - TAPS // 2
    end = peak + TAPS
    energy = float(np.dot(y, y))
    errors = [_filter_error(x, y, start, end) for start in range(earliest, peak + 1)]
    allowed = errors[0] * (1 + ERROR_GROWTH) + ERROR_FLOOR * energy
    return earliest + max(i for i, error in enumerate(errors) if error <= allowed)


def _filter_error(x: Floats, y: Floats, start: int, end: int) -> float:
    """Energy that the least-squares filter with taps at lags start..end-1 leaves of y."""
    from scipy.linalg import solve_toeplitz

    count = end - start
    auto = _lags(x, x, 0, count)
    cross = _lags(x, y, start, end)
    ridge = auto.copy()
    ridge[0] *= 1 + 1e-9
    taps = solve_toeplitz(ridge, cross)
    return float(max(np.dot(y, y) - np.dot(taps, cross), 0.0))


def _lags(x: Floats, y: Floats, start: int, end: int) -> Floats:
    """sum_t x[t - lag] y[t] for each lag in start..end-1."""
    n = x.size
    return np.array([np.dot(x[max(-k, 0) : n - max(k, 0)], y[max(k, 0) : n - max(-k, 0)]) for k in range(start, end)])
