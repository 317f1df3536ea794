"""The delay between a recording and a processed version of it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dl4j_bridge.signal.minimum_phase import excess_lag

Floats = npt.NDArray[np.floating]

# Number of samples of each recording that a delay is estimated from.
STRETCH = 1 << 19
# Number of taps of the filters that compare candidate delays.
TAPS = 48
# Power of noise, as a share of that of the input, below which a network makes no use of it.
RIDGE = 1e-6
# Maximum number of taps of the filter that shows where an effect starts.
LONGEST_FILTER = 512
# Number of samples before the peak at which such a filter may start.
BEFORE = 64
# Number of samples after the peak that show that it is the start.
AFTER = 4
# The loudest windows are compared: their length in samples, and the maximum number of them.
WINDOW = 4096
WINDOWS = 16
# Number of pieces of a curve from input to target, each a straight line.
PIECES = 32
# A curve is searched for within this number of samples of the peak.
CURVE_REACH = 6
# Steps in which the shift is then searched for between samples.
SHIFT_STEPS = (1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32, 1 / 64)
# A filter that explains more than this share of what a shifted curve leaves shows that the effect has a memory.
MEMORY_SHARE = 0.5
# Share of the target's energy that nobody misses.
NEGLIGIBLE = 1e-5
# A filter that starts one lag earlier explains a little more of what is not linear. The lag at which the effect starts
# explains this many times more than any lag before it.
JUMP = 3.0
# Number of lags that show how much that is.
SHORTEST_BASELINE = 8
SMALL_GAIN = 0.003
# Share of the target's energy below which no lag is one.
SMALLEST_JUMP = 1e-9
# Residual, as a share of the target's energy, of an effect that a filter or a curve describes.
LINEAR = 1e-3
# Without such a lag, the error may increase by this share of itself.
ERROR_GROWTH = 0.02
# Leaving in this number of samples does no harm, but cutting out one too many does.
HARMLESS = 4
# A filter that lags by this number of samples may start a sample earlier than it seems.
SLOW_START = 8
# Beyond the upper bound of the delay, the error increases by more than this share of itself.
CLEAR_GROWTH = 0.1
# Correlation below this share of the peak does not belong to the rise of the peak.
ONSET_SHARE = 0.02
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
    low, high
        Bounds of the delay. Where the target is a curve of the shifted input, they are a fraction of a sample apart.
        Otherwise they contain the filters that explain the target equally well.
    """

    samples: int
    peak: int
    confidence: float
    inverted: bool
    low: float = 0.0
    high: float = 0.0


def estimate_delay(x: Floats, y: Floats, longest: int, causal: bool = True, spread: int = TAPS) -> Delay:
    """Estimate the delay of `y` relative to `x`.

    The peak of the generalized cross-correlation (Knapp and Carter, 1976; Wiener weighting) is at the lag with the
    most energy. A low-pass filter shifts that peak although its output starts at once, and removing the shift would
    require the network to predict the future. So the peak is moved back to the lag at which the effect starts.

    Parameters
    ----------
    x, y : ndarray of float, shape (n,) and (m,)
        Recordings at the same sample rate.
    longest
        Maximum delay of either sign, in samples; reduced to the length that both have.
    causal
        If False, `Delay.samples` is the peak itself, which is many times faster.
    spread
        Number of samples on either side of the peak that belong to it.

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
    longest = min(longest, n - 1)
    correlation = _whitened_correlation(x, y, longest)
    size = np.abs(correlation)
    at = int(np.argmax(size))
    peak = at - longest
    confidence = _confidence(size, at, spread)
    low, start, high = float(peak), peak, float(peak)
    if causal and confidence >= LOW_CONFIDENCE:
        low, start, high = _start_of_effect(x, y, peak, _onset(size, at) - longest)
    return Delay(start, peak, confidence, bool(correlation[at] < 0), low, high)


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


def _whitened_correlation(x: Floats, y: Floats, longest: int) -> Floats:
    """Cross-correlate at lags -longest..longest, divided by the power spectrum of x where x has energy."""
    size = _fast_length(x.size + longest)
    spectrum = np.fft.rfft(x, size)
    power = np.abs(spectrum) ** 2
    cross = np.conj(spectrum) * np.fft.rfft(y, size) / (power + 1e-3 * power.mean())
    return np.asarray(np.fft.irfft(cross, size)[np.arange(-longest, longest + 1)])


def _confidence(size: Floats, at: int, spread: int) -> float:
    """1 minus the ratio of the largest correlation far from the peak to the peak."""
    elsewhere = np.concatenate([size[: max(at - spread, 0)], size[at + spread + 1 :]])
    return float(1 - elsewhere.max(initial=0.0) / size[at]) if size[at] else 0.0


def _onset(size: Floats, at: int) -> int:
    """Index at which the rise of the peak begins: from there to the peak, no two lags in a row are small."""
    small = size < ONSET_SHARE * size[at]
    while at > 1 and not (small[at - 1] and small[at - 2]):
        at -= 1
    return at


def unexplained(x: Floats, y: Floats) -> float:
    """Share of the energy of `y` that is left by a filter, or by a curve and a filter.

    Parameters
    ----------
    x, y : ndarray of float, shape (n,)
        Recordings without a delay; the filter may start `BEFORE` samples early.
    """
    if x.size < 8 * BEFORE or not np.ptp(x) or not np.ptp(y):
        return 1.0
    u, v = _loudest_windows(x - np.mean(x), y - np.mean(y))
    shift, shifted = _best_shift(u, v)
    return float(min(shifted, *(error[0] for error in _errors_by_start((u, v), (_curve(u, v, shift)(u), v)))))


def _start_of_effect(x: Floats, y: Floats, peak: int, onset: int) -> tuple[float, int, float]:
    """Lag at which the effect starts, between its bounds; `onset` is where the rise of the peak begins."""
    u, v = _loudest_windows(x[max(-peak, 0) : x.size - max(peak, 0)], y[max(peak, 0) : y.size - max(-peak, 0)])
    shift, shifted = _best_shift(u, v)
    # With no curve, with one before the filter, or with one after it, whose inverse is applied to the target.
    errors = _errors_by_start((u, v), (_curve(u, v, shift)(u), v), (u, _curve(v, u, -shift)(v)))
    error = min(errors, key=lambda each: float(each[0]))
    shortest = excess_lag(x, y, peak).samples
    if MEMORY_SHARE * shifted <= error[0] + NEGLIGIBLE and (shifted < LINEAR or peak + shift - shortest < HARMLESS):
        # A shift explains as much as a filter. A tenth of a sample is below the precision of the shift.
        width = 0.1 + float(np.sqrt(shifted))
        return peak + shift - width, int(np.floor(peak + shift + 0.1)), peak + shift + width
    jump = _first_jump(error, u.size)
    tolerated = int(np.flatnonzero(error <= error[0] * (1 + ERROR_GROWTH) + SMALLEST_JUMP)[-1])
    if jump is None:
        # What is not linear makes the response seem to start too early; the onset of the peak limits how far.
        jump = tolerated if error[0] < LINEAR else max(tolerated, onset - peak + BEFORE)
    # An effect cannot start before its input: filter taps at negative lags only imitate its nonlinearity.
    earliest = 0 if peak >= 0 else peak - BEFORE
    start = min(peak - BEFORE + jump, shortest, peak)
    # The response of a filter that lags by more starts more gently, and its first samples are not noticed.
    start = max(start - 1 - (peak - start) // SLOW_START, earliest)
    start = 0 if 0 < start <= HARMLESS else start
    clear = np.flatnonzero(error <= error[0] * (1 + CLEAR_GROWTH) + NEGLIGIBLE)[-1]
    return float(min(start, shortest)), start, float(max(peak - BEFORE + clear, start))


def _errors_by_start(*sides: tuple[Floats, Floats]) -> list[Floats]:
    """Residual for each start around lag 0 of a filter between two sides, as a share of the second one's energy."""
    taps = min(LONGEST_FILTER, sides[0][0].size // 16)
    return [filter_errors(x, y, -BEFORE, AFTER, taps, RIDGE) / max(float(np.sum(y**2)), 1e-300) for x, y in sides]


def _loudest_windows(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """The windows of both in which `y` is loudest; each of shape (windows, samples)."""
    if x.size < 2 * WINDOW:
        return x[None], y[None]
    count = x.size // WINDOW
    x, y = x[: count * WINDOW].reshape(count, WINDOW), y[: count * WINDOW].reshape(count, WINDOW)
    best = np.sort(np.argsort(np.sum(y**2, axis=1))[-WINDOWS:])
    return x[best], y[best]


def _best_shift(x: Floats, y: Floats) -> tuple[float, float]:
    """Fit y(t + shift) = f(x(t)) with any curve f; return the shift, and the share of the energy that is left."""
    inside, spectrum = _inside(x), np.fft.rfft(y, axis=1)
    pieces = _Pieces(x[:, inside])

    def error(shift: float) -> float:
        return pieces.error(_shifted(spectrum, y.shape[1], shift)[:, inside])

    errors = {float(shift): error(shift) for shift in range(-CURVE_REACH, CURVE_REACH + 1)}
    for step in SHIFT_STEPS:
        best = min(errors, key=errors.__getitem__)
        errors |= {shift: error(shift) for shift in (best - step, best + step)}
    shift, least = min(errors.items(), key=lambda each: each[1])
    return shift, least / max(float(np.sum(y[:, inside] ** 2)), 1e-300)


def _curve(x: Floats, y: Floats, shift: float) -> "_Lines":
    """The curve from x(t) to y(t + shift)."""
    inside = _inside(x)
    return _Pieces(x[:, inside]).fit(_shifted(np.fft.rfft(y, axis=1), y.shape[1], shift)[:, inside])


def _inside(x: Floats) -> slice:
    """Each window without its ends, which its spectrum joins."""
    margin = min(BEFORE, x.shape[1] // 8)
    return slice(margin, x.shape[1] - margin)


def _shifted(spectrum: npt.NDArray[np.complexfloating], size: int, shift: float) -> Floats:
    """y(t + shift) of windows of `size` samples with this spectrum."""
    turn = np.exp(2j * np.pi * np.fft.rfftfreq(size) * shift)
    return np.asarray(np.fft.irfft(spectrum * turn, size, axis=1))


@dataclass(frozen=True)
class _Lines:
    """A curve made of straight lines: y = offset + slope * x between two edges."""

    edges: Floats
    offset: Floats
    slope: Floats

    def __call__(self, x: Floats) -> Floats:
        return self.at(x, np.searchsorted(self.edges, x))

    def at(self, x: Floats, piece: npt.NDArray[np.intp]) -> Floats:
        """The curve at samples whose line is known."""
        return np.asarray(self.offset[piece] + self.slope[piece] * x)


class _Pieces:
    """The samples of `x` in pieces, for a line each. Half of the edges divide the samples evenly, half the levels."""

    def __init__(self, x: Floats) -> None:
        inner = np.linspace(0, 1, PIECES // 2 + 1)[1:-1]
        self.x = x
        self.edges = np.sort(np.r_[np.quantile(x, inner), x.min() + np.ptp(x) * inner])
        self.piece = np.searchsorted(self.edges, x)
        self.count = np.maximum(self._sums(np.ones_like(x)), 1)
        self.sx = self._sums(x)
        self.sxx = self._sums(x * x)

    def fit(self, y: Floats) -> _Lines:
        """Fit each line to `y` by least squares."""
        sy, sxy = self._sums(y), self._sums(self.x * y)
        spread = self.sxx - self.sx * self.sx / self.count
        moment = sxy - self.sx * sy / self.count
        slope = np.where(spread > 1e-12 * self.sxx, moment / np.maximum(spread, 1e-300), 0.0)
        return _Lines(self.edges, (sy - slope * self.sx) / self.count, slope)

    def error(self, y: Floats) -> float:
        """Energy of `y` that the best lines leave."""
        return float(np.sum((y - self.fit(y).at(self.x, self.piece)) ** 2))

    def _sums(self, values: Floats) -> Floats:
        return np.asarray(np.bincount(self.piece.ravel(), values.ravel(), self.edges.size + 1), np.float64)


def _first_jump(errors: Floats, count: int) -> int | None:
    """Index of the first start that the effect cannot do without, given the residual of `count` samples for each."""
    gains = np.diff(errors)
    # Chance explains 1 / count of the residual, more where neighboring samples are alike.
    smallest = 32 * errors[0] / count + SMALLEST_JUMP
    for at in range(SHORTEST_BASELINE, gains.size):
        if gains[at] > max(JUMP * max(gains[:at].max(), smallest), SMALL_GAIN * gains.max()):
            return at
    return None


def filter_errors(x: Floats, y: Floats, earliest: int, latest: int, end: int, ridge: float = 1e-9) -> Floats:
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
    ridge
        Power of noise that is added to the input, as a share of its own. A filter cannot use what is below it.

    Returns
    -------
    ndarray of float64, shape (latest - earliest + 1,)
        Residual energy for each start.
    """
    count = end - earliest
    first, last = max(end - 1, 0), x.shape[1] + min(earliest, 0)
    begin, end_of_first = first - (end - 1), last - (end - 1)
    target = y[:, first:last]
    # Column k holds lag end - 1 - k at all time steps: x from begin + k to end_of_first + k.
    first_column, all_columns = x[:, begin:end_of_first], x[:, begin : end_of_first + count - 1]
    gram = np.zeros((count + 1, count + 1))
    gram[0, :-1], gram[-1, :-1] = (_correlation(all_columns, side).sum(axis=0) for side in (first_column, target))
    gram[-1, -1] = np.sum(target**2)
    # The next column begins and ends one sample later, so each row follows from the one above.
    left, right = x[:, begin : begin + count - 1], x[:, end_of_first : end_of_first + count - 1]
    moved = right.T @ right - left.T @ left
    for k in range(count - 1):
        gram[k + 1, k + 1 : -1] = gram[k, k:-2] + moved[k, k:]
    gram[:-1, :-1] = np.triu(gram[:-1, :-1]) + np.triu(gram[:-1, :-1], 1).T
    # Quiet bands of the input make the columns almost linearly dependent.
    added = np.append(np.full(count, ridge * gram[0, 0] + 1e-12), 1e-12)
    explained = np.cumsum(np.linalg.cholesky(gram + np.diag(added))[-1, :-1] ** 2)
    errors = gram[-1, -1] - explained
    return np.asarray(np.maximum(errors[: -(latest - earliest + 2) : -1], 0.0))


def _correlation(x: Floats, y: Floats) -> Floats:
    """Correlate each row of `x` with that of `y`, which is shorter, at all lags where `y` lies inside."""
    size = _fast_length(x.shape[1])
    product = np.fft.rfft(x, size, axis=1) * np.conj(np.fft.rfft(y, size, axis=1))
    return np.asarray(np.fft.irfft(product, size, axis=1)[:, : x.shape[1] - y.shape[1] + 1])


def _fast_length(n: int) -> int:
    """The smallest length from `n` on that has no prime factor above 5: its FFT is fast."""
    most = n.bit_length()
    odd = (int(3**a * 5**b) for a in range(most) for b in range(most))
    return min(k << (-(-n // k) - 1).bit_length() for k in odd if k < 2 * n)
