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
# its error may grow by ERROR_GROWTH of itself and by ERROR_FLOOR of the target's energy.
ERROR_GROWTH = 0.001
ERROR_FLOOR = 1e-6
# Correlation below this share of its peak does not belong to the peak's rise.
ONSET_SHARE = 0.02
# Samples in a frame of an averaged spectrum.
FRAME = 2048
# Of the loudest band's power, below which a band says nothing about a filter; of a filter's largest gain, below which
# nothing is to be seen of it.
SILENT_BAND = 1e-5
SMALLEST_GAIN = 1e-4
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


def estimate_delay(x: Floats, y: Floats, longest: int, causal: bool = True) -> Delay:
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
    causal
        False leaves the peak where it is, which is many times faster.
    """
    n = min(x.size, y.size)
    if n < 4 * TAPS or not np.ptp(x[:n]) or not np.ptp(y[:n]):
        return Delay(0, 0, 0.0, False)
    x = np.asarray(x[:n], np.float64) - np.mean(x[:n])
    y = np.asarray(y[:n], np.float64) - np.mean(y[:n])
    longest = min(longest, n // 2)
    correlation = _whitened_correlation(x, y, longest)
    at = int(np.argmax(np.abs(correlation)))
    peak = at - longest
    confidence = _confidence(np.abs(correlation), at)
    samples = peak
    if causal and confidence >= LOW_CONFIDENCE:
        # What is not linear in x looks as if it began early; what is far from the peak and cut off from it is not.
        samples = max(_latest_causal_start(x, y, peak), _onset(np.abs(correlation), at) - longest)
    return Delay(samples, peak, confidence, bool(correlation[at] < 0))


def impulse_response(x: Floats, y: Floats, longest: int) -> Floats:
    """Estimate what of `x` is in `y`, at lags -longest..longest (fewer if `x` is short); offsets do not matter.

    Parameters
    ----------
    x, y : ndarray of float, shape (n,)
        At the same rate.
    longest
        Largest lag of either sign, in samples.
    """
    if not x.size or not np.ptp(x):
        return np.zeros(1)
    return _whitened_correlation(x - x.mean(), y - y.mean(), min(longest, x.size // 2))


@dataclass(frozen=True)
class ExcessLag:
    """How a lag divides into what a filter explains and what comes on top.

    Attributes
    ----------
    samples
        What comes on top: a delay, or, below 0, a lead.
    own
        What a filter of this frequency response cannot avoid.
    inverted
        The target's polarity is the other one.
    """

    samples: int
    own: int
    inverted: bool


def excess_lag(x: Floats, y: Floats, peak: int) -> ExcessLag:
    """Find what is left of the lag `peak` once the filter from `x` to `y` has had its share.

    Of all causal filters of one magnitude response the minimum-phase one lags least. Its phase follows from the
    magnitude (Oppenheim and Schafer, 1975, by the real cepstrum); what the measured response lags behind it is the
    excess. Unlike `Delay.samples`, which must not be too large, this is meant to be near: for a steep low-pass it may
    err by a third of the filter's own lag.

    Parameters
    ----------
    x, y : ndarray of float, shape (n,) and (m,)
        At the same rate.
    peak
        `Delay.peak` of the two.
    """
    from scipy import fft, signal

    n = min(x.size, y.size)
    x, y = x[max(-peak, 0) : n - max(peak, 0)], y[max(peak, 0) : n - max(-peak, 0)]
    size = min(FRAME, x.size // 4 * 2)
    if size < 2 * TAPS:
        return ExcessLag(peak, 0, False)
    power = signal.welch(x, nperseg=size)[1]
    # Bands without sound take the gain of their neighbours, and so does the one that holds the offset.
    heard = power > SILENT_BAND * power.max()
    heard[:2] = False
    response = signal.csd(x, y, nperseg=size)[1] / np.maximum(power, np.finfo(float).tiny)
    if not np.abs(response[heard]).max(initial=0.0):
        return ExcessLag(peak, 0, False)
    bands = np.arange(heard.size)
    gain = np.interp(bands, bands[heard], np.abs(response[heard]))
    shortest = _minimum_phase(np.maximum(gain, SMALLEST_GAIN * gain.max()))
    weight = power / (power + 1e-3 * power.mean())
    match = fft.irfft(weight * response * np.exp(-1j * np.angle(shortest)), size)
    at = int(np.argmax(np.abs(match)))
    more = at - size if at > size // 2 else at
    return ExcessLag(peak + more, -more, bool(match[at] < 0))


def _minimum_phase(gain: Floats) -> npt.NDArray[np.complexfloating]:
    """The frequency response of least lag with this magnitude, at 0 to half the rate; shape of `gain`."""
    from scipy import fft

    cepstrum = fft.irfft(np.log(np.maximum(gain, np.finfo(float).tiny)))
    half = gain.size - 1
    cepstrum[1:half] *= 2
    cepstrum[half + 1 :] = 0
    return np.asarray(np.exp(fft.rfft(cepstrum)))


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


def _onset(size: Floats, at: int) -> int:
    """Where the peak's own rise begins: the first place from which no two lags in a row are small."""
    small = size < ONSET_SHARE * size[at]
    while at > 1 and not (small[at - 1] and small[at - 2]):
        at -= 1
    return at


def _latest_causal_start(x: Floats, y: Floats, peak: int) -> int:
    """The latest lag up to `peak` at which a filter from x to y may start."""
    # An effect cannot start before its input: lags on the far side of 0 only mimic what is not linear in it.
    earliest = max(peak - TAPS // 2, 0) if peak >= 0 else peak - TAPS // 2
    errors = filter_errors(x[None], y[None], earliest, peak, peak + TAPS)
    allowed = errors[0] * (1 + ERROR_GROWTH) + ERROR_FLOOR * float(np.dot(y, y))
    return earliest + int(np.flatnonzero(errors <= allowed)[-1])


def filter_errors(x: Floats, y: Floats, earliest: int, latest: int, end: int) -> Floats:
    """Energy that least-squares filters leave of y, with taps at lags start..end-1 for each start in earliest..latest.

    One Cholesky factor of the Gram matrix of all lags and y, the latest lag first, holds the error of every start: a
    filter that starts one lag earlier has one column more. All lags are summed over the same times (the covariance
    method), so that a pure delay leaves exactly nothing, whatever happens at the ends.

    Parameters
    ----------
    x, y : ndarray of float, shape (windows, n)
        Without mean; windows need not follow each other.
    earliest, latest
        First and last lag to start at; negative ones see the future of x.
    end
        Lag behind the last tap.

    Returns
    -------
    ndarray of float64, shape (latest - earliest + 1,)
    """
    from scipy.linalg import cholesky

    count = end - earliest
    first, last = max(end - 1, 0), x.shape[1] + min(earliest, 0)
    gram = np.zeros((count + 1, count + 1))
    for source, target in zip(x, y, strict=True):
        # Row t holds x[t - (end - 1)] .. x[t - earliest].
        past = np.lib.stride_tricks.sliding_window_view(source, count)[first - (end - 1) :]
        for start in range(0, last - first, 8192):
            stop = min(start + 8192, last - first)
            columns = np.column_stack([past[start:stop], target[first + start : first + stop]])
            gram += columns.T @ columns
    # Quiet bands of the input make its lags all but dependent.
    ridge = np.append(np.full(count, 1e-9 * gram[0, 0] + 1e-12), 1e-12)
    explained = np.cumsum(cholesky(gram + np.diag(ridge), lower=True)[-1, :-1] ** 2)
    errors = gram[-1, -1] - explained
    return np.asarray(np.maximum(errors[: -(latest - earliest + 2) : -1], 0.0))
