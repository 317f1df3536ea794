"""A part of the target that is the sound at a delay that swings: chorus, flanger, vibrato, tape."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from dl4j_bridge.diagnostics import swinging_filter
from dl4j_bridge.diagnostics.fixed_model import BLOCK_SECONDS, FixedModel
from dl4j_bridge.diagnostics.relation import Floats

# Windows in which a delay is looked for, the longest one, and the steps of delays.
WINDOW_SECONDS, LONGEST_SECONDS, STEP_SECONDS = 0.015, 0.03, 0.00025
FEWEST_WINDOWS = 40
# Windows this far below the mean energy do not count.
QUIET = 0.05
# Oscillators that are tried: in Hz, and how far they swing to either side, in seconds. Within fewer periods, a few
# notes may follow any oscillator.
SLOWEST, FASTEST, FEWEST_PERIODS = 0.3, 3.5, 4
SWINGS = (0.0005, 0.001, 0.0015, 0.002, 0.003, 0.004, 0.006)
PHASES = 12
# Shares of the steps between them in which the best ones are refined.
FINE = np.linspace(-0.5, 0.5, 7)
# Steps over which the matches are smoothed for the first search.
SMOOTHED = 5
# Two oscillators are the same if in the middle their phases are this close, in turns.
SAME_PHASE = 1 / 8
# What was left of pairs in which no delay moves came to 4.9.
CERTAIN = 5.5
# Share of the changes of the input's level from which on an oscillator is in time with the music.
IN_TIME = 0.25


@dataclass(frozen=True)
class MovingDelay:
    """The delay that swings as a sine and explains most of what the fixed model leaves.

    Attributes
    ----------
    hertz, swing
        Frequency, and how far it swings to either side, in seconds.
    share
        Mean correlation of what is left with the sound at that delay, in blocks that it was not chosen by.
    certainty
        By how many standard deviations that is more than what delays explain there that swing at other frequencies.
    rhythm
        Share of the changes of the input's level that an oscillation at that frequency explains.
    """

    hertz: float = 0.0
    swing: float = 0.0
    share: float = 0.0
    certainty: float = 0.0
    rhythm: float = 0.0

    @property
    def is_certain(self) -> bool:
        """Whether chance and the rhythm of the music do not explain it."""
        return self.certainty >= CERTAIN and self.rhythm < IN_TIME


def find(model: FixedModel) -> MovingDelay:
    """Find the delay in every other block, and measure what it explains in the blocks between; both ways."""
    from scipy.ndimage import uniform_filter1d

    model = model.loudest_seconds
    starts, matches = _matches(model)
    seconds = starts / model.rate
    is_odd = seconds // BLOCK_SECONDS % 2 == 1
    if min(np.sum(is_odd), np.sum(~is_odd)) < FEWEST_WINDOWS // 2:
        return MovingDelay()
    whole = float(seconds[-1])
    hertz = np.arange(max(SLOWEST, FEWEST_PERIODS / whole), FASTEST, 1 / (3 * whole))
    turns = np.arange(PHASES) / PHASES
    # A delay that is a few steps off meets the smoothed matches.
    sides, smooth = (
        [_Side(each[side], seconds[side] - whole / 2) for side in (is_odd, ~is_odd)]
        for each in (matches, uniform_filter1d(matches, SMOOTHED, axis=1))
    )
    tried = [np.array([[[side.share(f, s, t) for t in turns] for f in hertz] for s in SWINGS]) for side in smooth]
    found = []
    for here, there in ((0, 1), (1, 0)):
        refined = []
        for swing, shares in zip(SWINGS, tried[here], strict=True):
            row, phase = np.unravel_index(shares.argmax(), shares.shape)
            near = product(hertz[row] + FINE / (3 * whole), (swing,), turns[phase] + FINE / PHASES)
            refined.append(max((sides[here].share(*each), *each) for each in near))
        _, frequency, swing, turn = max(refined)
        share = sides[there].share(frequency, swing, turn)
        far = hertz[np.abs(hertz - frequency) > 1.5 / whole]
        others = [sides[there].share(other, swing, phase) for other in far for phase in turns]
        certainty = float((share - np.mean(others)) / max(float(np.std(others)), 1e-12))
        found.append((certainty, share, float(frequency), swing, float(turn)))
    certainty, share, frequency, swing, turn = max(found)
    least, _, other_frequency, _, other_turn = min(found)
    apart = abs((turn - other_turn + 0.5) % 1 - 0.5)
    if abs(frequency - other_frequency) <= 1 / whole and apart <= SAME_PHASE:
        # Both sides have the same oscillator: two proofs are more than one.
        certainty = max(certainty, (certainty + least) / float(np.sqrt(2)))
    return MovingDelay(frequency, swing, share, certainty, swinging_filter.rhythm(model, frequency))


class _Side:
    """The matches of some windows, whose times are given in seconds."""

    def __init__(self, matches: Floats, seconds: Floats) -> None:
        self._width = matches.shape[1]
        self._flat = matches.astype(np.float32).ravel()
        self._firsts = np.arange(seconds.size) * self._width
        self._seconds = seconds

    def share(self, hertz: float, swing: float, turn: float) -> float:
        """Largest mean of the matches along a delay that swings, around any one, whatever their sign."""
        offsets = swing / STEP_SECONDS * np.sin(2 * np.pi * (hertz * self._seconds + turn))
        reach = round(swing / STEP_SECONDS)
        around = reach + np.arange(self._width - 2 * reach)
        # The mean over the windows of each one's matches, shifted by its offset.
        along = self._flat[(self._firsts + np.round(offsets).astype(np.intp))[:, None] + around].mean(axis=0)
        return float(np.abs(along).max())


def _matches(model: FixedModel) -> tuple[npt.NDArray[np.intp], Floats]:
    """First samples of the windows, and correlations by window and delay, less their means over the windows.

    Both sides are whitened, so that a part of the target that comes from one place in the input has one peak.
    """
    from scipy.fft import irfft, next_fast_len, rfft
    from scipy.ndimage import uniform_filter1d
    from scipy.signal.windows import hann

    reach, size = (round(seconds * model.rate) for seconds in (LONGEST_SECONDS, WINDOW_SECONDS))
    spectra = [rfft(each - each.mean()) for each in (model.prediction, model.residual)]
    power = uniform_filter1d(np.abs(spectra[0]) ** 2, max(spectra[0].size // 200, 3))
    gain = 1 / np.sqrt(power + 1e-3 * power.max() + 1e-30)
    source, left = (irfft(each * gain, model.y.size) for each in spectra)
    starts = np.arange(reach, left.size - size, size)
    if not starts.size:
        return starts, np.zeros((0, 0))
    windows = np.lib.stride_tricks.sliding_window_view(left, size)[starts] * hann(size, sym=False)
    before = np.lib.stride_tricks.sliding_window_view(source, size + reach)[starts - reach]
    length = next_fast_len(size + reach, real=True)
    match = irfft(rfft(windows, length).conj() * rfft(before, length), length)[:, : reach + 1]
    sums = np.cumsum(np.pad(before**2, ((0, 0), (1, 0))), axis=1)
    energies = (sums[:, size:] - sums[:, :-size])[:, : reach + 1]
    match = match / np.sqrt(energies * (windows**2).sum(axis=1, keepdims=True) / 2 + 1e-20)
    loud = energies[:, -1] > QUIET * energies[:, -1].mean()
    step = max(round(STEP_SECONDS * model.rate), 1)
    count = match.shape[1] // step
    steps = match[loud, : count * step].reshape(-1, count, step)
    largest = np.abs(steps).argmax(axis=2)[..., None]
    matches = np.take_along_axis(steps, largest, 2)[..., 0]
    # What stands still does not count.
    return starts[loud], matches - matches.mean(axis=0)
