"""How much of what the fixed model leaves is the work of a filter that swings at some frequency, tried on other blocks.

In each band, the model's prediction is multiplied by constants, by the input's levels and by an oscillator's first
harmonics, and fitted to what is left. What counts is how much more the oscillator explains where it was not fitted; an
oscillator of another frequency explains next to nothing there.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dl4j_bridge.diagnostics.fixed_model import BLOCK_SECONDS, FixedModel, frames_at, level
from dl4j_bridge.diagnostics.relation import Floats

HARMONICS = 2
# Other frequencies, as multiples, none of which is near a harmonic.
OTHERS = (0.63, 0.79, 1.27, 1.61)
# Number of bands that share a response and the ridge, as a share of the power; the better of them counts.
FITS = ((5, 0.01), (17, 0.1))
LEVEL_SECONDS = (0.01, 0.1, 1.0)
# Bands that the prediction leaves empty do not count, and a loud frame counts as one of the mean energy.
EMPTY_BAND = 1e-5


def explained(model: FixedModel, frequencies: Sequence[float]) -> list[float]:
    """Share of the residual that each oscillator explains beyond what others do; negative if it explains nothing."""
    if not frequencies:
        return []
    model = model.loudest
    size, hop = model.size // 2, model.size // 4
    starts = np.arange(0, model.y.size - size, hop)
    p, r = (frames_at(each, starts, size) for each in (model.prediction, model.residual))
    energy = (np.abs(r) ** 2).sum(axis=1)
    even = np.sqrt(np.minimum(1, energy.mean() / (energy + 1e-30)))[:, None].astype(np.float32)
    power = (np.abs(p) ** 2).sum(axis=0)
    filled = power > EMPTY_BAND * power.max()
    p, r = (even * p)[:, filled], (even * r)[:, filled]
    seconds = (starts + size / 2) / model.rate
    levels = [level(model.x, model.rate, each)[starts + size // 2] for each in LEVEL_SECONDS]
    levels = [np.log(each + 0.02 * float(model.x.std())) for each in levels]
    known = [np.ones(starts.size), *(each - each.mean() for each in levels)]
    sides = [seconds // BLOCK_SECONDS % 2 == side for side in (0, 1)]
    total = float(np.sum(np.abs(r) ** 2))

    def share(hertz: float, width: int, ridge: float) -> float:
        turns = 2 * np.pi * hertz * seconds
        waves = [wave(k * turns) for k in range(1, HARMONICS + 1) for wave in (np.cos, np.sin)]
        gains = np.stack([*known, *(waves if hertz else [])]).astype(np.float32)
        gained = 0.0
        for fitted, tried in (sides, sides[::-1]):
            mix = _mix(p[fitted], r[fitted], gains[:, fitted], width, ridge)
            made = p[tried] * (gains[:, tried].T @ mix)
            gained += float(np.sum(2 * (r[tried].conj() * made).real - np.abs(made) ** 2))
        return gained / max(total, 1e-30)

    best = np.full(len(frequencies), -np.inf)
    for fit in FITS:
        before = share(0.0, *fit)
        for number, hertz in enumerate(frequencies):
            other = max(share(hertz * multiple, *fit) for multiple in OTHERS)
            best[number] = max(best[number], share(hertz, *fit) - max(before, other))
    return best.tolist()


def _mix(p: Floats, r: Floats, gains: Floats, width: int, ridge: float) -> Floats:
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
