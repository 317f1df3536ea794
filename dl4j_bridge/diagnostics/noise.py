"""Sound of the target that is not made from the input, and the best ESR that it leaves to any model."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from dl4j_bridge.diagnostics import repeats
from dl4j_bridge.diagnostics.fixed_model import FixedModel, Spectra, level
from dl4j_bridge.diagnostics.relation import Floats

# Frames in which levels are compared, and how long the target may answer to a sound.
FRAME_SECONDS, ANSWER_SECONDS = 0.01, 0.15
# The quietest frames: their share, and how far they are below the loudest.
QUIETEST = 0.1
PAUSE_DB = 35.0
# Noise has the same power in all pauses: the ratio of powers in quiet and less quiet ones, and of their quartiles.
STEADY = 2.0
# Without pauses, noise has about the same power at all levels of the sound: the smallest relative to the mean, where
# the levels vary by more and by less than this. What a model of healthy effects left came to 0.74 and 0.89. Loud noise,
# of this ESR, takes part in what the model makes of an amplifier, and came to 0.77.
FLAT, FLAT_IF_LOUD, NARROWLY_FLAT = 0.8, 0.75, 0.92
LOUD_ESR = 0.05
NARROW_DB = 6.0
LEVELS = 6
# Taps of the filter that takes out what a pause's own small sound explains, and degree of the curve beside it: a fuzz
# bends also what is small.
PAUSE_TAPS = 32
PAUSE_DEGREE = 5
# Mains frequencies in Hz, the number of harmonics, and how far a line stands out and keeps its phase.
MAINS, HARMONICS = (50.0, 60.0), 12
LINE_TO_NEIGHBOURS = 30.0
KEEPS_PHASE = 0.8
SEGMENTS = 6
# An input that repeats itself as a whole: at least this lag, up to this difference.
REPEAT_SECONDS = 0.15
REPEATED = 1e-7
# The least difference of the parts of what is repeated, relative to the mean.
REPEATS_FLAT = 0.5


@dataclass(frozen=True)
class Floor:
    """Energy of what the input does not explain, as a share of the target's; None where nothing shows it.

    Attributes
    ----------
    pauses
        From the pauses of the input.
    levels
        From what the fixed model leaves, if it does not depend on the level.
    repeats
        From passages that the input repeats exactly (half of NAM's self-ESR).
    hum
        From tones at multiples of the mains frequency.
    hertz
        These tones.
    """

    pauses: float | None = None
    levels: float | None = None
    repeats: float | None = None
    hum: float | None = None
    hertz: tuple[float, ...] = ()

    @property
    def esr(self) -> float | None:
        """Their sum, as the surest of them has it: exact repeats, or else pauses and levels.

        A hum is in each of the others too, if there are any.
        """
        others = (self.pauses, self.levels) if self.repeats is None else (self.repeats,)
        return max((each for each in (*others, self.hum) if each is not None), default=None)


def measure(model: FixedModel) -> Floor:
    power = float(np.mean(model.y**2))
    if not power:
        return Floor()
    tones, hertz = _hum(model)
    found = (_in_pauses(model), _at_all_levels(model), _in_repeats(model), tones or None)
    pauses, levels, repeats, hum_power = (None if each is None else each / power for each in found)
    return Floor(pauses, levels, repeats, hum_power, hertz)


def without_hum(model: FixedModel) -> FixedModel:
    """The same model of the target without the steady tones of the mains."""
    tones = hum(model)
    return model if tones is None else replace(model, y=model.y - tones)


def hum(model: FixedModel) -> Floats | None:
    """The steady tones of the mains that the input does not have; None if there are none."""
    hertz = _hum(model)[1]
    if not hertz:
        return None
    tones = np.zeros_like(model.y)
    for at in model.stretches:
        turns = 2 * np.pi * np.arange(tones[at].size) / model.rate
        waves = np.concatenate([[wave(tone * turns) for wave in (np.sin, np.cos)] for tone in hertz])
        tones[at] = np.linalg.lstsq(waves @ waves.T, waves @ model.residual[at], rcond=None)[0] @ waves
    return tones


def _frames(x: Floats, size: int) -> Floats:
    return x[: x.size // size * size].reshape(-1, size)


def _driving(model: FixedModel, seconds: float, size: int) -> Floats:
    """Power by frame of the loudest that the input was within the last `seconds`."""
    from scipy.ndimage import maximum_filter1d

    power = np.mean(_frames(model.x, size) ** 2, axis=1)
    reach = max(round(seconds * model.rate / size), 1)
    return np.asarray(maximum_filter1d(power, reach, origin=(reach - 1) // 2 - (1 - reach % 2)), np.float64)


def _in_pauses(model: FixedModel) -> float | None:
    """Power of what sounds in the pauses of the input and follows nothing in it."""
    size = round(FRAME_SECONDS * model.rate)
    driving = _driving(model, ANSWER_SECONDS, size)
    quiet = driving <= np.quantile(driving, QUIETEST)
    quiet[: PAUSE_TAPS // size + 1] = False
    loud = float(np.quantile(driving, 0.9))
    if quiet.sum() < 20 or driving[quiet].max() > loud * 10 ** (-PAUSE_DB / 10):
        return None
    left = _unfiltered(model, quiet, size)
    power = np.mean(left**2, axis=1)
    order = np.argsort(driving[quiet], kind="stable")
    smooth = np.convolve(power, np.ones(5) / 5, "valid")
    low, high = np.quantile(smooth, [0.2, 0.8])
    first, second = (float(part.mean()) for part in np.array_split(power[order], 2))
    early, late = (float(part.mean()) for part in np.array_split(power, 2))
    steady = high <= STEADY * low and max(first, second) <= STEADY * min(first, second)
    return float(power.mean()) if steady and max(early, late) <= STEADY * min(early, late) and low > 0 else None


def _unfiltered(model: FixedModel, quiet: npt.NDArray[np.bool], size: int) -> Floats:
    """The target in these frames without what the model, a filter and a curve explain there; (frames, size)."""
    rows = np.flatnonzero(quiet)
    y = _frames(model.residual, size)[rows]
    past = np.lib.stride_tricks.sliding_window_view(model.x, PAUSE_TAPS)
    scale = max(float(np.sqrt(np.mean(_frames(model.x, size)[rows] ** 2))), 1e-20)
    powers = np.arange(PAUSE_DEGREE + 1)

    predicted = _frames(model.prediction, size)

    def columns(row: np.integer) -> Floats:
        window = past[row * size - PAUSE_TAPS + 1 :][:size] / scale
        # Loud samples would decide about the curve alone.
        return np.column_stack([window, np.clip(window[:, -1:], -3, 3) ** powers, predicted[row]])

    chosen = rows if rows.size * size < 60_000 else rows[:: rows.size * size // 60_000 + 1]
    all_columns = np.concatenate([columns(row) for row in chosen])
    gram = all_columns.T @ all_columns
    wanted = all_columns.T @ _frames(model.residual, size)[chosen].ravel()
    gram[np.diag_indices(len(gram))] += 1e-6 * np.diag(gram) + 1e-20
    weights = np.linalg.solve(gram, wanted)
    return np.asarray(y - np.stack([columns(row) @ weights for row in rows]))


def _at_all_levels(model: FixedModel) -> float | None:
    """Power of what the fixed model leaves at the levels where it leaves least, if that is most of it everywhere."""
    lowest = np.inf
    # At the ends the model lacks the past or the future.
    inside = slice(model.size, max(model.y.size - model.size, model.size + 1))
    power = model.residual[inside] ** 2
    mean = float(power.mean())
    widest = 0.0
    # What a fuzz leaves is where it jumps.
    both = model.x, model.prediction
    for signal in (*both, *(np.diff(each, prepend=0.0) for each in both)):
        for seconds in (0.0007, 0.02):
            loudness = level(signal, model.rate, seconds)[inside]
            edges = np.quantile(loudness, np.linspace(0, 1, LEVELS + 1)[1:-1])
            at = np.searchsorted(edges, loudness)
            each = np.bincount(at, power, LEVELS) / np.maximum(np.bincount(at, minlength=LEVELS), 1)
            lowest = min(lowest, float(each.min()))
            widest = max(widest, float(20 * np.log10((edges[-1] + 1e-12) / (edges[0] + 1e-12))))
    least = FLAT_IF_LOUD if model.esr >= LOUD_ESR else FLAT
    return lowest if lowest > (least if widest >= NARROW_DB else NARROWLY_FLAT) * mean else None


def repeat_lag(model: FixedModel) -> int | None:
    """Samples after which the input repeats itself exactly; None if it does not."""
    from scipy import fft

    n = model.x.size
    size = fft.next_fast_len(2 * n, real=True)
    correlation = fft.irfft(np.abs(fft.rfft(model.x, size)) ** 2, size)[: n // 2]
    energy = np.cumsum(model.x**2)
    lags = np.arange(n // 2)
    # Energies of the first and of the last n - lag samples.
    both = np.sqrt(np.maximum(energy[n - 1 - lags] * (energy[-1] - np.concatenate([[0.0], energy])[lags]), 1e-30))
    match = correlation / both
    match[: round(REPEAT_SECONDS * model.rate)] = 0
    if not match.size or match.max() < 1 - 1e-5:
        return None
    lag = int(match.argmax())
    change = model.x[lag:] - model.x[:-lag]
    return lag if float(np.dot(change, change)) <= REPEATED * float(energy[-1]) else None


def _in_repeats(model: FixedModel) -> float | None:
    """Half the power of the difference between passages of the target where the input repeats itself exactly."""
    found = repeats.find(model.x, model.rate)
    if found is None:
        return None
    power = (model.y[found.at] - model.y[found.at - found.lag]) ** 2 / 2
    # A gain that moves makes a difference where the sound is loud, a gap where it is.
    loudness = level(model.x, model.rate, 0.02)[found.at]
    parts = [power[loudness <= np.median(loudness)], power[loudness > np.median(loudness)], *np.array_split(power, 6)]
    means = [float(part.mean()) for part in parts if part.size]
    return float(power.mean()) if min(means) > REPEATS_FLAT * float(power.mean()) else None


def _hum(model: FixedModel) -> tuple[float, tuple[float, ...]]:
    """Power of steady tones at multiples of the mains frequency that the input does not have, and the tones."""
    from scipy.signal.windows import hann

    best: tuple[float, tuple[float, ...]] = (0.0, ())
    model = model.loudest
    n = model.y.size
    window = hann(n, sym=False)
    left, source = (np.fft.rfft(each * window) for each in (model.residual, model.x))
    resolution = model.rate / n
    gain = float(model.y.std() / max(float(model.x.std()), 1e-12))
    times = np.arange(n) / model.rate
    for mains in MAINS:
        power, tones = 0.0, []
        for hertz in mains * np.arange(1, HARMONICS + 1):
            if hertz > 0.45 * model.rate:
                break
            near = slice(round((hertz - 0.6) / resolution) - 1, round((hertz + 0.6) / resolution) + 2)
            at = near.start + int(np.abs(left[near]).argmax())
            # What the input has of it may be left over by the model, but not more than the target has of the input.
            own = gain * np.abs(source[at - 1 : at + 2]).max() if _stands_out(source, at, resolution) else 0.0
            if not _stands_out(left, at, resolution) or np.abs(left[at]) < own:
                continue
            exact = at * resolution
            turns = model.residual * np.exp(-2j * np.pi * exact * times)
            parts = np.array([part.mean() for part in np.array_split(turns, SEGMENTS)])
            # Half a bin of error turns the phase by half a circle over the recording.
            slope = np.angle(np.sum(parts[1:] * parts[:-1].conj()))
            steady = parts * np.exp(-1j * slope * np.arange(SEGMENTS))
            sizes = np.abs(parts)
            if np.abs(steady.mean()) > KEEPS_PHASE * sizes.mean() and sizes.max() < 2 * sizes.min():
                power += 2 * float(np.abs(steady.mean()) ** 2)
                tones.append(round(exact, 2))
        if power > best[0]:
            best = power, tuple(tones)
    return best


def _stands_out(spectrum: Spectra, at: int, resolution: float) -> bool:
    far = max(round(1.5 / resolution), 4)
    wide = max(round(8 / resolution), 12)
    around = np.concatenate([spectrum[max(at - wide, 0) : max(at - far, 0)], spectrum[at + far : at + wide]])
    peak = np.abs(spectrum[at - 1 : at + 2]).max(initial=0.0)
    return bool(around.size and peak**2 > LINE_TO_NEIGHBOURS * np.mean(np.abs(around) ** 2))
