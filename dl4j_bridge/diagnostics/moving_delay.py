"""A part of the target that is the sound at a delay that swings: chorus, flanger, vibrato, tape."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from dl4j_bridge.diagnostics import swinging_filter
from dl4j_bridge.diagnostics.fixed_model import BLOCK_SECONDS, FixedModel
from dl4j_bridge.diagnostics.noise import repeat_lag
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
# For the first search, matches are smoothed over about a quarter of what the delay swings to one side.
SWINGS_TO_SMOOTH = 8
# Two oscillators are the same if in the middle their phases are this close, in turns.
SAME_PHASE = 1 / 8
# What was left of pairs in which no delay moves came to 4.6, but for one.
CERTAIN = 5.0
# Share of the changes of the input's level from which on an oscillator is in time with the music, and must be surer.
IN_TIME = 0.25
CERTAIN_IN_TIME = 10.0

# Frequency in Hz, swing in seconds, and phase in the middle in turns.
Oscillator = tuple[float, float, float]


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
        return self.certainty >= (CERTAIN if self.rhythm < IN_TIME else CERTAIN_IN_TIME)


def find(model: FixedModel) -> MovingDelay:
    """Find the delay in every other block, and measure what it explains in the blocks between; both ways."""
    model = model.loudest_seconds
    starts, matches = _matches(model)
    seconds = starts / model.rate
    is_odd = seconds // BLOCK_SECONDS % 2 == 1
    whole = float(seconds.max(initial=0.0))
    # In less than that, nearly no other frequency is left to compare with.
    if min(np.sum(is_odd), np.sum(~is_odd)) < FEWEST_WINDOWS // 2 or whole < 2 * FEWEST_PERIODS / FASTEST:
        return MovingDelay()
    grid = _Grid(np.arange(max(SLOWEST, FEWEST_PERIODS / whole), FASTEST, 1 / (3 * whole)), 1 / whole)
    odd, even = (_Side(matches[side], seconds[side] - whole / 2) for side in (is_odd, ~is_odd))
    best, other = sorted([_tested(grid, odd, even), _tested(grid, even, odd)], reverse=True)
    certainty, share, (hertz, swing, turn) = best
    apart = abs((turn - other[2][2] + 0.5) % 1 - 0.5)
    if abs(hertz - other[2][0]) <= grid.resolution and apart <= SAME_PHASE:
        # Both sides have the same oscillator: two proofs are more than one.
        certainty = max(certainty, (certainty + other[0]) / float(np.sqrt(2)))
    if repeat_lag(model) is not None:
        # Both sides hold the same passages, as if there were half as many of them.
        certainty /= float(np.sqrt(2))
    return MovingDelay(hertz, swing, share, certainty, swinging_filter.rhythm(model, hertz))


@dataclass(frozen=True)
class _Grid:
    """Frequencies that are tried, in steps of a third of the resolution."""

    hertz: Floats
    resolution: float

    @property
    def turns(self) -> Floats:
        return np.arange(PHASES) / PHASES

    def around(self, row: int, swing: float, phase: int) -> Iterable[Oscillator]:
        """Oscillators up to half a step from one of the grid."""
        hertz = self.hertz[row] + FINE * self.resolution / 3
        return product(hertz.tolist(), (swing,), (self.turns[phase] + FINE / PHASES).tolist())

    def far_from(self, hertz: float, swing: float) -> Iterable[Oscillator]:
        """Those of other frequencies."""
        far = self.hertz[np.abs(self.hertz - hertz) > 1.5 * self.resolution]
        return product(far.tolist(), (swing,), self.turns.tolist())


class _Side:
    """The matches of some windows, whose times are given in seconds."""

    def __init__(self, matches: Floats, seconds: Floats) -> None:
        self._matches, self._seconds = matches.astype(np.float32), seconds
        self._firsts = np.arange(seconds.size) * matches.shape[1]

    def smoothed(self, steps: int) -> _Side:
        """Matches that a delay meets even if it is some steps off."""
        from scipy.ndimage import uniform_filter1d

        return _Side(uniform_filter1d(self._matches, steps, axis=1), self._seconds)

    def share(self, hertz: float, swing: float, turn: float) -> float:
        """Largest mean of the matches along a delay that swings, around any one, whatever their sign."""
        offsets = swing / STEP_SECONDS * np.sin(2 * np.pi * (hertz * self._seconds + turn))
        reach = round(swing / STEP_SECONDS)
        around = reach + np.arange(self._matches.shape[1] - 2 * reach)
        # The mean over the windows of each one's matches, shifted by its offset.
        at = (self._firsts + np.round(offsets).astype(np.intp))[:, None] + around
        return float(np.abs(self._matches.ravel()[at].mean(axis=0)).max())

    def best(self, grid: _Grid) -> Oscillator:
        """The oscillator that explains most."""
        found = []
        for swing in SWINGS:
            # The farther it swings, the farther is one of the grid off.
            coarse = self.smoothed(1 + 2 * round(swing / STEP_SECONDS / SWINGS_TO_SMOOTH))
            shares = np.array([[coarse.share(hertz, swing, turn) for turn in grid.turns] for hertz in grid.hertz])
            row, phase = np.unravel_index(shares.argmax(), shares.shape)
            found += [(self.share(*each), each) for each in grid.around(int(row), swing, int(phase))]
        return max(found)[1]


def _tested(grid: _Grid, chosen: _Side, tested: _Side) -> tuple[float, float, Oscillator]:
    """The best oscillator of one side: its certainty and its share on the other side, and itself."""
    best = chosen.best(grid)
    share = tested.share(*best)
    others = [tested.share(*each) for each in grid.far_from(*best[:2])]
    return float((share - np.mean(others)) / max(float(np.std(others)), 1e-12)), share, best


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
