"""How much of what the fixed model leaves is the work of a filter that swings at some frequency, tried on other blocks.

In each band, the model's prediction is multiplied by constants, by the input's levels and by an oscillator's first
harmonics, and fitted to what is left. What counts is how much more the oscillator explains where it was not fitted; an
oscillator of another frequency explains next to nothing there.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from dl4j_bridge.diagnostics.fixed_model import BLOCK_SECONDS, FixedModel, Spectra, frames_at, level
from dl4j_bridge.diagnostics.relation import Floats

HARMONICS = 2
# Other frequencies, as multiples, none of which is near a harmonic.
OTHERS = (0.63, 0.79, 1.27, 1.61)
# Number of bands that share a response and the ridge, as a share of the power; the better of them counts.
FITS = ((5, 0.01), (17, 0.1))
LEVEL_SECONDS = (0.01, 0.1, 1.0)
# Share of the blocks that do not count, those that are explained best.
LARGEST_BLOCKS = 0.25
# Bands that the prediction leaves empty do not count, and a loud frame counts as one of the mean energy.
EMPTY_BAND = 1e-5


def explained(model: FixedModel, frequencies: Sequence[float]) -> list[float]:
    """Share of the residual that each oscillator explains beyond what others do; negative if it explains nothing."""
    if not frequencies:
        return []
    model = model.loudest_seconds
    size, hop = model.size // 2, model.size // 4
    starts = np.arange(0, model.y.size - size, hop)
    p, r = (frames_at(each, starts, size) for each in (model.prediction, model.residual))
    energy = (np.abs(r) ** 2).sum(axis=1)
    even = np.sqrt(np.minimum(1, energy.mean() / (energy + 1e-30)))[:, None].astype(np.float32)
    power = (np.abs(p) ** 2).sum(axis=0)
    filled = power > EMPTY_BAND * power.max()
    p, r = (even * p)[:, filled], (even * r)[:, filled]
    seconds = (starts + size / 2) / model.rate
    levels = [each[starts + size // 2] for each in _levels(model)]
    known = [np.ones(starts.size), *(each - each.mean() for each in levels)]
    blocks = (seconds // BLOCK_SECONDS).astype(np.intp)
    total = max(float(np.sum(np.abs(r) ** 2)), 1e-30)

    def shares(hertz: float, width: int, ridge: float) -> Floats:
        """Shares of the residual that are explained in each block."""
        turns = 2 * np.pi * hertz * seconds
        waves = [wave(k * turns) for k in range(1, HARMONICS + 1) for wave in (np.cos, np.sin)]
        gains = np.stack([*known, *(waves if hertz else [])]).astype(np.float32)
        gained = np.zeros(seconds.size)
        for fitted, tried in ((blocks % 2 == side, blocks % 2 != side) for side in (0, 1)):
            mix = _mix(p[fitted], r[fitted], gains[:, fitted], width, ridge)
            made = p[tried] * (gains[:, tried].T @ mix)
            gained[tried] = np.sum(2 * (r[tried].conj() * made).real - np.abs(made) ** 2, axis=1)
        return np.bincount(blocks, gained) / total

    best = np.full(len(frequencies), -np.inf)
    for fit in FITS:
        before = shares(0.0, *fit)
        for number, hertz in enumerate(frequencies):
            other = max(_in_most(shares(hertz * multiple, *fit) - before) for multiple in OTHERS)
            best[number] = max(best[number], _in_most(shares(hertz, *fit) - before) - max(other, 0))
    return best.tolist()


def _in_most(shares: Floats) -> float:
    """Sum without the largest ones: one note that fits by chance proves nothing."""
    return float(np.sort(shares)[: -max(round(LARGEST_BLOCKS * shares.size), 1)].sum())


def rhythm(model: FixedModel, hertz: float) -> float:
    """Share of the changes of the input's level that an oscillation at this frequency explains."""
    model = model.loudest_seconds
    step = round(min(LEVEL_SECONDS) * model.rate)
    turns = 2 * np.pi * hertz * np.arange(0, model.x.size, step) / model.rate
    waves = [wave(k * turns) for k in range(1, HARMONICS + 1) for wave in (np.cos, np.sin)]
    columns = np.stack([np.ones(turns.size), *waves], axis=1)
    found = 0.0
    for each in _levels(model):
        wanted = each[::step] - each[::step].mean()
        left = wanted - columns @ np.linalg.lstsq(columns, wanted, rcond=None)[0]
        found = max(found, 1 - float(left @ left) / max(float(wanted @ wanted), 1e-30))
    return found


def _levels(model: FixedModel) -> list[Floats]:
    floor = 0.02 * float(model.x.std()) + 1e-12
    return [np.log(level(model.x, model.rate, each) + floor) for each in LEVEL_SECONDS]


def _mix(p: Spectra, r: Spectra, gains: npt.NDArray[np.float32], width: int, ridge: float) -> Spectra:
    """Weights of the gains by band, complex; shape (gains, bands)."""
    from scipy.ndimage import uniform_filter1d

    count = len(gains)
    products = (gains[:, None] * gains[None]).reshape(count * count, -1) @ (np.abs(p) ** 2)
    wanted = gains @ (p.conj() * r)
    gram = uniform_filter1d(products, width, axis=1).T.reshape(-1, count, count).astype(np.complex128)
    cross = uniform_filter1d(wanted.real, width, axis=1) + 1j * uniform_filter1d(wanted.imag, width, axis=1)
    power = np.einsum("bii->b", gram).real / count
    np.einsum("bii->bi", gram)[:] += (ridge * power + 1e-4 * power.mean() + 1e-30)[:, None]
    return np.asarray(np.linalg.solve(gram, cross.T[:, :, None])[:, :, 0].T)
