"""The delay between a recording and a processed version of it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]

# Number of samples of each recording that a delay is estimated from.
STRETCH = 1 << 19
# Number of taps of the filters that compare candidate delays.
TAPS = 48
# A delay is removed only if a filter that starts after it explains the target as well as one that starts earlier:
# the error may increase by this share of itself plus this share of the target's energy.
ERROR_GROWTH = 0.001
ERROR_FLOOR = 1e-6
# Correlation below this share of the peak does not belong to the rise of the peak.
ONSET_SHARE = 0.02
# Number of samples in a frame of an averaged spectrum.
FRAME = 2048
# Share of the loudest band's power below which the filter's response in a band cannot be measured.
SILENT_BAND = 1e-5
# Share of a filter's largest gain below which its gain is not measurable.
SMALLEST_GAIN = 1e-4
# Confidence below which no common lag stands out.
LOW_CONFIDENCE = 0.3


@dataclass(frozen=True)
class Delay:
    """An estimated delay, in samples; positive if the target is later.

    Attributes
    ----------
    samples
        Delay that can be removed without making the effect acausal.
    peak
        Lag of the peak of the whitened cross-correlation. The group delay of a filter makes it larger than `samples`.
    confidence
        Prominence of the peak over the correlation at other lags, from 0 to 1.
    inverted
        True if the peak is negative: the polarity of the target is inverted.
    """

    samples: int
    peak: int
    confidence: float
    inverted: bool


def estimate_delay(x: Floats, y: Floats, longest: int, causal: bool = True) -> Delay:
    """Estimate the delay of `y` relative to `x`.

    The peak of the generalized cross-correlation (Knapp and Carter, 1976; Wiener weighting) is at the lag with the
    most energy. A low-pass filter shifts that peak although its output starts at once, and removing the shift would
    require the network to predict the future. So the peak is moved back to the latest lag from which a causal
    least-squares filter still explains `y` as well as one that starts earlier.

    Parameters
    ----------
    x, y : ndarray of float, shape (n,) and (m,)
        Recordings at the same sample rate.
    longest
        Maximum delay of either sign, in samples.
    causal
        If False, `Delay.samples` is the peak itself, which is many times faster.

    Returns
    -------
    Delay
        Delay 0 with confidence 0 if a recording is constant or too short.
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
        # Nonlinearity makes the response seem to start too early; the onset of the peak limits how far.
        samples = max(_latest_causal_start(x, y, peak), _onset(np.abs(correlation), at) - longest)
    return Delay(samples, peak, confidence, bool(correlation[at] < 0))


def impulse_response(x: Floats, y: Floats, longest: int) -> Floats:
    """Estimate the impulse response from `x` to `y`, after removing the mean of each.

    Parameters
    ----------
    x, y : ndarray of float, shape (n,)
        Recordings at the same sample rate.
    longest
        Maximum lag of either sign, in samples; reduced to ``n // 2`` for a short `x`.

    Returns
    -------
    ndarray of float, shape (2 * longest + 1,)
        Response at lags -longest..longest; a single 0 if `x` is constant.
    """
    if not x.size or not np.ptp(x):
        return np.zeros(1)
    return _whitened_correlation(x - x.mean(), y - y.mean(), min(longest, x.size // 2))


@dataclass(frozen=True)
class ExcessLag:
    """A lag, split into the group delay of a filter and the excess over it.

    Attributes
    ----------
    samples
        Excess in samples: a delay if positive, a lead if negative.
    own
        Lag in samples that a filter with this magnitude response cannot avoid.
    inverted
        True if the polarity of the target is inverted.
    """

    samples: int
    own: int
    inverted: bool


def excess_lag(x: Floats, y: Floats, peak: int) -> ExcessLag:
    """Split the lag `peak` into the lag of the filter from `x` to `y` and the excess.

    The minimum-phase filter has the smallest lag of all causal filters with the same magnitude response. Its phase
    follows from the magnitude by the real cepstrum (Oppenheim and Schafer, 1975); the lag of the measured response
    relative to it is the excess. `Delay.samples` must not be too large; this estimate may be, but is closer on
    average: for a steep low-pass the error can reach a third of the filter's own lag.

    Parameters
    ----------
    x, y : ndarray of float, shape (n,) and (m,)
        Recordings at the same sample rate.
    peak
        `Delay.peak` of the two recordings.
    """
    from scipy import fft, signal

    n = min(x.size, y.size)
    x, y = x[max(-peak, 0) : n - max(peak, 0)], y[max(peak, 0) : n - max(-peak, 0)]
    size = min(FRAME, x.size // 4 * 2)
    if size < 2 * TAPS:
        return ExcessLag(peak, 0, False)
    power = signal.welch(x, nperseg=size)[1]
    # The gain of silent bands is interpolated from their neighbors, as is that of the bands around 0 Hz: they hold the
    # offset.
    audible = power > SILENT_BAND * power.max()
    audible[:2] = False
    response = signal.csd(x, y, nperseg=size)[1] / np.maximum(power, np.finfo(float).tiny)
    if not np.abs(response[audible]).max(initial=0.0):
        return ExcessLag(peak, 0, False)
    gain = np.interp(np.arange(power.size), np.flatnonzero(audible), np.abs(response[audible]))
    shortest = _minimum_phase(np.maximum(gain, SMALLEST_GAIN * gain.max()))
    weight = power / (power + 1e-3 * power.mean())
    match = fft.irfft(weight * response * np.exp(-1j * np.angle(shortest)), size)
    at = int(np.argmax(np.abs(match)))
    more = at - size if at > size // 2 else at
    return ExcessLag(peak + more, -more, bool(match[at] < 0))


def _minimum_phase(gain: Floats) -> npt.NDArray[np.complexfloating]:
    """Compute the minimum-phase frequency response with this magnitude, at 0 to half the rate; shape of `gain`."""
    from scipy import fft

    cepstrum = fft.irfft(np.log(np.maximum(gain, np.finfo(float).tiny)))
    half = gain.size - 1
    cepstrum[1:half] *= 2
    cepstrum[half + 1 :] = 0
    return np.asarray(np.exp(fft.rfft(cepstrum)))


def _whitened_correlation(x: Floats, y: Floats, longest: int) -> Floats:
    """Cross-correlate at lags -longest..longest, divided by the power spectrum of x where x has energy."""
    from scipy import fft

    size = fft.next_fast_len(x.size + longest, real=True)
    spectrum = fft.rfft(x, size)
    power = np.abs(spectrum) ** 2
    cross = np.conj(spectrum) * fft.rfft(y, size) / (power + 1e-3 * power.mean())
    return np.asarray(fft.irfft(cross, size)[np.arange(-longest, longest + 1)])


def _confidence(size: Floats, at: int) -> float:
    """1 minus the ratio of the largest correlation far from the peak to the peak."""
    elsewhere = np.concatenate([size[: max(at - TAPS, 0)], size[at + TAPS + 1 :]])
    return float(1 - elsewhere.max(initial=0.0) / size[at]) if size[at] else 0.0


def _onset(size: Floats, at: int) -> int:
    """Index at which the rise of the peak begins: from there to the peak, no two lags in a row are small."""
    small = size < ONSET_SHARE * size[at]
    while at > 1 and not (small[at - 1] and small[at - 2]):
        at -= 1
    return at


def _latest_causal_start(x: Floats, y: Floats, peak: int) -> int:
    """Latest lag up to `peak` at which a filter from x to y may start."""
    # An effect cannot start before its input: filter taps at negative lags only imitate its nonlinearity.
    earliest = max(peak - TAPS // 2, 0) if peak >= 0 else peak - TAPS // 2
    errors = filter_errors(x[None], y[None], earliest, peak, peak + TAPS)
    allowed = errors[0] * (1 + ERROR_GROWTH) + ERROR_FLOOR * float(np.dot(y, y))
    return earliest + int(np.flatnonzero(errors <= allowed)[-1])


def filter_errors(x: Floats, y: Floats, earliest: int, latest: int, end: int) -> Floats:
    """Compute the residual energy of least-squares filters from `x` to `y` that start at different lags.

    The filter for a start has taps at lags ``start..end - 1``. One Cholesky factor of the Gram matrix of all lags and
    `y`, with the latest lag first, contains the error of every filter, because a filter that starts one lag earlier
    has one more column. All lags are summed over the same time steps (the covariance method), so the residual of a
    pure delay is exactly 0 whatever the ends of the windows contain.

    Parameters
    ----------
    x, y : ndarray of float, shape (windows, n)
        Windows with zero mean; they need not be adjacent.
    earliest, latest
        First and last lag to start at, in samples; a filter with negative lags uses the future of `x`.
    end
        First lag after the last tap, in samples.

    Returns
    -------
    ndarray of float64, shape (latest - earliest + 1,)
        Residual energy for each start.
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
    # Quiet bands of the input make the columns almost linearly dependent.
    ridge = np.append(np.full(count, 1e-9 * gram[0, 0] + 1e-12), 1e-12)
    explained = np.cumsum(cholesky(gram + np.diag(ridge), lower=True)[-1, :-1] ** 2)
    errors = gram[-1, -1] - explained
    return np.asarray(np.maximum(errors[: -(latest - earliest + 2) : -1], 0.0))
