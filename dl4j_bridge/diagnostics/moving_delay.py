"""A part of the target that is the sound at a delay that swings: chorus, flanger, vibrato, tape."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from dl4j_bridge.diagnostics import swinging_filter
from dl4j_bridge.diagnostics.fixed_model import FixedModel
from dl4j_bridge.diagnostics.relation import Floats

# Windows in which a delay is looked for, the longest one, and the steps of delays.
WINDOW_SECONDS, LONGEST_SECONDS, STEP_SECONDS = 0.015, 0.03, 0.00025
FEWEST_WINDOWS = 40
# Windows this far below the mean energy do not count.
QUIET = 0.05
# Oscillators that are tried: in Hz, and how far they swing to either side, in seconds.
SLOWEST, FASTEST = 0.3, 3.5
SWINGS = (0.0005, 0.001, 0.0015, 0.002, 0.003, 0.004, 0.006)
PHASES = 12


@dataclass(frozen=True)
class MovingDelay:
    """The delay that swings as a sine and explains most of what the fixed model leaves.

    Attributes
    ----------
    hertz, swing
        Frequency, and how far it swings to either side, in seconds.
    share
        Mean correlation of what is left with the sound at that delay, in windows that it was not chosen by.
    other
        The largest one there of the same swing at other phases.
    rhythm
        Share of the changes of the input's level that an oscillation at that frequency explains.
    """

    hertz: float = 0.0
    swing: float = 0.0
    share: float = 0.0
    other: float = 0.0
    rhythm: float = 0.0


def find(model: FixedModel) -> MovingDelay:
    """Find the delay in every other window, and measure what it explains in the windows between."""
    model = model.loudest_seconds
    starts, matches = _matches(model)
    if starts.size < FEWEST_WINDOWS:
        return MovingDelay()
    seconds = starts / model.rate
    chosen, tested = (
        (np.ascontiguousarray(matches[part]), seconds[part]) for part in (slice(0, None, 2), slice(1, None, 2))
    )
    hertz = np.arange(SLOWEST, FASTEST, 1 / (3 * seconds[-1]))
    turns = np.arange(PHASES) / PHASES
    tried = list(product(hertz.tolist(), SWINGS, turns.tolist()))
    best = max(tried, key=lambda each: _share(*chosen, *each))
    frequency, swing, turn = best
    other = max(_share(*tested, frequency, swing, turn + more) for more in (0.25, 0.5, 0.75))
    rhythm = swinging_filter.rhythm(model, frequency)
    return MovingDelay(frequency, swing, _share(*tested, *best), other, rhythm)


def _share(matches: Floats, seconds: Floats, hertz: float, swing: float, turn: float) -> float:
    """Largest mean of the matches along a delay that swings, around any one, whatever their sign."""
    offsets = np.round(swing / STEP_SECONDS * np.sin(2 * np.pi * (hertz * seconds + turn))).astype(np.intp)
    reach = round(swing / STEP_SECONDS)
    count = matches.shape[1] - 2 * reach
    # The sum over the windows of each one's matches, shifted by its offset.
    at = (np.arange(seconds.size) * matches.shape[1] + reach + offsets)[:, None] + np.arange(count)
    return float(np.abs(matches.ravel()[at].mean(axis=0)).max())


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
