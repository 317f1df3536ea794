"""The best fixed model of bounded memory: what a pair has in common that no time, no noise and no mistake changes.

The model is a sum of FIR filters, one for each of a few signals made from the input: curves of several drives, and the
input times functions of its level at several time constants. So it explains filters and cabinets, most of a distortion
and of a compressor. Every sample is predicted with filters that were fitted on other samples. What is left is what the
checks of the recordings look at: a healthy effect leaves little, and what it leaves follows the input.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from dl4j_bridge.diagnostics import least_squares
from dl4j_bridge.diagnostics.relation import Floats

Spectra = npt.NDArray[np.complexfloating]

# Length of a filter, and of a frame of the spectra that it is fitted on: the power of 2 closest to this.
MEMORY_SECONDS = 0.046
# Share of a filter that lies before its sample, so that an error of the delay does no harm.
AHEAD = 1 / 8
# Filters are fitted on every other block of this length, and used on the blocks between.
BLOCK_SECONDS = 0.75
# Length of the frames to fit on, in all; those of a longer recording are evenly spread.
FITTED_SECONDS = 20
# Length of what exact filters are fitted on.
SHARPENED_SECONDS = 10
# Length of the loudest part, in which oscillators are searched.
SEARCHED_SECONDS = 10
# Number of neighbouring bands that share a mix of the signals.
WIDE = 17
# Models that are weighted against each other: bands that share a response, and fits of the mix. Tones leave most bands
# empty, so the response of wider bands is surer where there is noise.
MODELS = ((3, 0), (3, 2), (WIDE, 1), (8 * WIDE, 0))
# Weight of the bands around.
SURROUNDINGS = 1e-3
# What one filter for all of a recording may leave so that it is taken for the model.
LINEAR_ESR = 1e-3
# Ridge as a share of a signal's power in a band.
RIDGE = 1e-5
# The same as a share of its power in the loudest band.
SILENT_BAND = 1e-8


@dataclass(frozen=True)
class FixedModel:
    """A pair and what the best fixed model makes of its input.

    Attributes
    ----------
    rate
        In Hz.
    x, y, prediction : ndarray of float64, shape (n,)
        Input, target and predicted target, without the delay.
    starts
        First samples of the stretches of a longer recording that they are made of.
    """

    rate: int
    x: Floats
    y: Floats
    prediction: Floats
    starts: tuple[int, ...] = (0,)

    @cached_property
    def residual(self) -> Floats:
        return self.y - self.prediction

    @cached_property
    def esr(self) -> float:
        """Share of the target's energy that is not explained."""
        return float(np.dot(self.residual, self.residual) / max(float(np.dot(self.y, self.y)), 1e-30))

    @property
    def size(self) -> int:
        return frame_size(self.rate)

    @property
    def stretches(self) -> list[slice]:
        """Where time goes on without a gap."""
        return [slice(*ends) for ends in pairwise((*self.starts, self.y.size))]

    @cached_property
    def loudest(self) -> FixedModel:
        """The loudest stretch alone: an oscillator is in another phase in each of them."""
        return self.cut(max(self.stretches, key=lambda at: float(np.dot(self.y[at], self.y[at]))))

    @cached_property
    def loudest_seconds(self) -> FixedModel:
        """The loudest `SEARCHED_SECONDS` of it, for searches that would take too long in more."""
        model, size = self.loudest, round(SEARCHED_SECONDS * self.rate)
        energy = np.cumsum(np.concatenate([[0.0], model.y**2]))
        start = int(np.argmax(energy[size:] - energy[:-size])) if model.y.size > size else 0
        return model.cut(slice(start, start + size))

    def cut(self, at: slice | npt.NDArray[np.intp]) -> FixedModel:
        """The model of these samples alone."""
        return FixedModel(self.rate, self.x[at], self.y[at], self.prediction[at])


def fit(x: Floats, y: Floats, rate: int) -> FixedModel:
    """Fit the model and predict the target.

    Parameters
    ----------
    x, y : ndarray of float, shape (n,)
        Input and target at `rate` in Hz; a delay up to an eighth of `MEMORY_SECONDS` either way does no harm.
    """
    given, offset = (x, y), float(y.mean())
    x, y = x - x.mean(), y - offset
    size, block = frame_size(rate), round(BLOCK_SECONDS * rate)
    signals = _signals(x, rate)
    starts = _starts(y.size, size, rate)
    spectra = np.stack([frames_at(signal, starts, size) for signal in signals])
    side = starts // block % 2
    chosen = [np.flatnonzero(side == each) for each in (0, 1)]
    if min(each.size for each in chosen) < 4 * len(signals):
        chosen = [np.arange(starts.size)] * 2
    target = frames_at(y, starts, size)
    filters = []
    for fitted, others in zip(chosen, chosen[::-1], strict=True):
        responses = np.stack([_joint(spectra[:, fitted], target[fitted], *each) for each in MODELS])
        # A band that was fitted on little may be far off on other frames: there simpler models get more weight.
        predicted = np.einsum("smb,asb->amb", spectra[:, others], responses)
        weights = _responses(predicted, target[others], WIDE, 1e-6, 0.0)
        filters.append(np.einsum("ab,asb->sb", weights, responses))
    # The blocks of one side are predicted with the filters of the other.
    is_odd = np.arange(y.size) // block % 2 == 1
    sides = _filtered(signals, [_taps(each, size) for each in filters], size)
    firsts = np.unique(starts // (2 * block)) * (2 * block)
    firsts = firsts[:: max(firsts.size * 2 * block // (SHARPENED_SECONDS * rate), 1)]
    runs = [slice(at, at + 2 * block) for at in firsts]
    even, odd = (_sharpened(x, y, p, (is_odd == number), runs, size) for number, p in enumerate(sides))
    prediction = np.where(is_odd, even, odd)
    least = LINEAR_ESR * float(np.dot(y, y))
    if float(np.sum((y - prediction) ** 2)) > least:
        # A sweep has each sound in one block only. Where one filter is enough for all of them, nothing is left to find.
        linear = _filtered_exactly([x], y, np.ones(y.size), runs, size)
        prediction = linear if float(np.sum((y - linear) ** 2)) <= least else prediction
    return FixedModel(rate, given[0], given[1], prediction + offset)


def _sharpened(
    x: Floats, y: Floats, p: Floats, fitted: npt.NDArray[np.bool], runs: Sequence[slice], size: int
) -> Floats:
    """A prediction, with what exact filters of it and of the input explain of what it leaves where it was fitted.

    As much of that is added as is right where it was not fitted.
    """
    more = _filtered_exactly([x, p], y - p, fitted.astype(np.float64), runs, size)
    left, other = (y - p)[~fitted], more[~fitted]
    right = float(np.dot(left, other)) / max(float(np.dot(other, other)), 1e-30)
    return np.asarray(p + np.clip(right, 0, 1) * more)


def _filtered_exactly(
    signals: Sequence[Floats], target: Floats, mask: Floats, runs: Sequence[slice], size: int
) -> Floats:
    """Sum of the signals through the filters that bring it closest to the target in these runs, where the mask is 1."""
    ahead = round(AHEAD * size)
    mask = mask.copy()
    for run in runs:
        # Runs stand end to end.
        mask[run.start : run.start + size] = mask[run.stop - ahead : run.stop] = 0
    *sources, wanted, counts = (np.concatenate([each[run] for run in runs]) for each in (*signals, target, mask))
    return _filtered(signals, [least_squares.filters(sources, wanted, counts, size, ahead)], size)[0]


def frame_size(rate: int) -> int:
    """Samples in a frame of the spectra."""
    return int(2 ** round(np.log2(MEMORY_SECONDS * rate)))


def frames_at(x: Floats, starts: npt.NDArray[np.integer], size: int) -> Spectra:
    """Spectra of windowed frames; complex64, shape (frames, size // 2 + 1)."""
    from scipy import fft
    from scipy.signal.windows import hann

    windows = np.lib.stride_tricks.sliding_window_view(x.astype(np.float32), size)[starts]
    return np.asarray(fft.rfft(windows * hann(size, sym=False).astype(np.float32)))


def level(x: Floats, rate: int, seconds: float) -> Floats:
    """Level that follows the sound within about this time: the root of the smoothed square."""
    from scipy.signal import lfilter

    smooth = np.exp(-1 / (seconds * rate))
    return np.sqrt(np.maximum(lfilter([1 - smooth], [1, -smooth], x**2), 0))


def frame_products(a: Floats, b: Floats, size: int) -> Floats:
    """Sums of the products of two signals over adjacent frames of `size` samples; shape (frames,)."""
    count = a.size // size
    return np.asarray((a[: count * size] * b[: count * size]).reshape(count, size).sum(axis=1))


def _signals(x: Floats, rate: int) -> list[Floats]:
    """The signals that are filtered and added."""
    from scipy.signal import butter, lfilter

    loud = np.sqrt(np.mean(np.sort(x**2)[-max(x.size // 2, 1) :])) + 1e-12
    u = x / loud
    curves = [np.tanh(u), np.tanh(4 * u), np.tanh(16 * u), np.abs(u), np.tanh(16 * u + 1), np.tanh(4 * np.abs(u))]
    tight = u - lfilter(*butter(1, 200, fs=rate), u)
    curves += [np.tanh(4 * tight), np.tanh(16 * tight)]
    levels = [level(u, rate, seconds) for seconds in (0.003, 0.03, 0.3)]
    followers = [u / (0.3 + each) for each in levels]
    return [u, *curves, *followers, u / (0.03 + levels[1]), np.tanh(4 * u) / (0.3 + levels[1])]


def _starts(length: int, size: int, rate: int) -> npt.NDArray[np.integer]:
    """First samples of the frames to fit on; they overlap by half within runs."""
    starts = np.arange(0, length - size + 1, size // 2)
    longest = max(FITTED_SECONDS * rate // (size // 2), 1)
    if starts.size > longest:
        # Whole blocks, or the filters of either side would be fitted on different parts.
        block = round(BLOCK_SECONDS * rate)
        pair = starts // (2 * block)
        wanted = np.linspace(0, pair[-1], max(longest * size // 2 // (2 * block), 1)).round()
        starts = starts[np.isin(pair, wanted)]
    return starts


def _joint(spectra: Spectra, target: Spectra, width: int, fits: int) -> Spectra:
    """Frequency responses, the product of one that all signals share and of a smooth mix of them; (signals, bands)."""
    mix = np.zeros((len(spectra), spectra.shape[2]), np.complex64)
    mix[0] = 1
    shared = _responses(spectra[:1], target, width, 0.0)
    for _ in range(fits):
        mix = _responses(spectra * shared, target, WIDE, RIDGE)
        mixed = np.einsum("smb,sb->mb", spectra, mix)
        shared = _responses(mixed[None], target, width, 0.0)
    return np.asarray(shared * mix)


def _responses(
    spectra: Spectra, target: Spectra, width: int, ridge: float, surroundings: float = SURROUNDINGS
) -> Spectra:
    """Frequency responses of the filters from `spectra` (signals, frames, bands) to `target`.

    They are constant over `width` bands. A quiet band takes the response of its wider surroundings.
    """
    rows = np.ascontiguousarray(np.concatenate([spectra, target[None]]).transpose(2, 0, 1))
    products = (rows.conj() @ rows.transpose(0, 2, 1)).astype(np.complex128)
    products = _smoothed(products, width) + surroundings * _smoothed(products, 8 * width)
    gram, cross = products[:, :-1, :-1], products[:, :-1, -1:]
    power = np.einsum("bii->bi", gram).real
    np.einsum("bii->bi", gram)[:] += ridge * power + SILENT_BAND * power.max(axis=0) + 1e-30
    return np.asarray(np.linalg.solve(gram, cross)[:, :, 0].T)


def _smoothed(products: Spectra, width: int) -> Spectra:
    """Mean over `width` neighbouring bands, along the first axis."""
    from scipy.ndimage import uniform_filter1d

    return uniform_filter1d(products.real, width, axis=0) + 1j * uniform_filter1d(products.imag, width, axis=0)


def _taps(responses: Spectra, size: int) -> Floats:
    """Filters that start `AHEAD` of their sample; shape (signals, size)."""
    ahead = round(AHEAD * size)
    # With hard ends, a large gain in an empty band would leak into the loud ones.
    rise, fall = (0.5 - 0.5 * np.cos(np.linspace(0, np.pi, count, endpoint=False)) for count in (ahead, size // 2))
    ends = np.concatenate([rise, np.ones(size - ahead - size // 2), fall[::-1]])
    return np.asarray(np.roll(np.fft.irfft(responses, size), ahead, axis=1) * ends)


def _filtered(signals: Sequence[Floats], filters: Sequence[Floats], size: int) -> list[Floats]:
    """Sums of the filtered signals, one for each set of filters, by overlap-save."""
    from scipy import fft

    ahead, length = round(AHEAD * size), signals[0].size
    count = -(-(length + ahead) // size)
    sums = [np.zeros((count, size + 1), np.complex64) for _ in filters]
    for at, signal in enumerate(signals):
        padded = np.zeros((count + 1) * size, np.float32)
        padded[size : size + length] = signal
        blocks = np.stack([padded[:-size].reshape(count, size), padded[size:].reshape(count, size)], 1)
        spectra = fft.rfft(blocks.reshape(count, 2 * size))
        for total, taps in zip(sums, filters, strict=True):
            total += spectra * fft.rfft(taps[at].astype(np.float32), 2 * size)
    made = [fft.irfft(total)[:, size:].ravel() for total in sums]
    return [each[ahead : ahead + length].astype(np.float64) for each in made]
