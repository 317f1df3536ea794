"""What an effect does to the sound as time goes on, whatever the sound is: an oscillator's work.

Each measure takes what the best fixed model leaves and finds the share of it that a modulation at one frequency
explains. A compressor leaves something that changes with time too, but as the level of the input does. So what the
levels explain does not count, or the share is reduced by what the same modulation explains of signals that follow the
level (`_followers`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from dl4j_bridge.diagnostics import swinging_filter
from dl4j_bridge.diagnostics.fixed_model import FixedModel, Spectra, frame_products, frames_at, level
from dl4j_bridge.diagnostics.moving_delay import IN_TIME
from dl4j_bridge.diagnostics.relation import Floats

# Slowest oscillator that is looked for: this number of periods, and this frequency in Hz.
FEWEST_PERIODS = 3
SLOWEST, FASTEST = 0.3, 12.0
# From here on a modulation is looked for sample by sample, in Hz.
FAST = 15.0
# An oscillator's harmonics, of which the first one, two ... are added.
HARMONICS = (1, 2, 4, 8, 16)
# Steps between two frequencies that the frames of a gain resolve.
FINER_GAIN = 4
# Steps between two frequencies of the spectrum, so that the last harmonic is still met.
FINER = 16
# Largest energy of a frame of the residual, relative to the mean, that counts.
LOUDEST_FRAME = 1.0
# How often what the level explains is subtracted.
LEVEL_WEIGHT = 2.0
LEVEL_SECONDS = (0.01, 0.1, 1.0)
GAIN_SECONDS = 0.02
# A share that stands the test on other blocks, where the fixed model leaves this ESR; and the fastest one tested.
PROVEN, PROVEN_ESR, FASTEST_PROVEN = 0.1, 0.0015, 8.0
# What makes the error on other blocks larger by this share of what it explains is no oscillator there: what a model
# with too short a memory leaves of single hits has some rhythm in any few of them.
REFUTED = 0.25


@dataclass(frozen=True)
class Modulation:
    """The modulation that explains most of what the fixed model leaves.

    Attributes
    ----------
    share
        Share of the residual that it explains, beyond what the input's level explains.
    hertz
        Its frequency.
    kind
        What moves: ``gain``, ``delay``, ``response`` (of a filter); or ``multiplied`` (by a tone).
    is_proven
        Whether it explains its share in blocks in which it was not fitted too.
    is_refuted
        Whether it makes the error larger there.
    """

    share: float
    hertz: float
    kind: str
    is_proven: bool = False
    is_refuted: bool = False


def find(model: FixedModel) -> Modulation:
    """The strongest modulation, or the one that is proven best."""
    model = model.loudest
    found = [_multiplied(model), _moving_gain(model), _moving_response(model, _followers(model))]
    slow = [each for each in found if SLOWEST <= each.hertz <= FASTEST_PROVEN and model.esr >= PROVEN_ESR]
    # In time with the music, an oscillator and the model's errors look alike.
    slow = [each for each in slow if swinging_filter.rhythm(model, each.hertz) < IN_TIME]
    shares = swinging_filter.explained(model, [each.hertz for each in slow])
    tested = dict(zip(slow, shares, strict=True))
    proven = [
        replace(each, share=max(share, each.share), is_proven=True) for each, share in tested.items() if share >= PROVEN
    ]
    best = max(proven or found, key=lambda each: each.share)
    return replace(best, is_refuted=tested.get(best, 0.0) < -REFUTED * best.share)


def _followers(model: FixedModel) -> list[Floats]:
    """The input times its level, without the part that does not depend on the level."""
    weights = model.x**2 + 1e-20
    return [model.x * (each - np.average(each, weights=weights)) for each in _levels(model)]


def _levels(model: FixedModel) -> list[Floats]:
    """Logarithms of the input's level at several time constants."""
    return [np.log(level(model.x, model.rate, seconds) + 0.02 * model.x.std()) for seconds in LEVEL_SECONDS]


def _multiplied(model: FixedModel) -> Modulation:
    """The share that the input or its prediction explains when it is multiplied by a tone."""
    from scipy import fft

    size = fft.next_fast_len(2 * model.y.size, real=True)
    first = round(FAST * size / model.rate)
    best = Modulation(0.0, 0.0, "multiplied")
    for signal in (model.x, model.prediction):
        product = np.abs(fft.rfft(model.residual * signal, size)[first:]) ** 2
        energy = float(np.dot(signal, signal)) * float(np.dot(model.residual, model.residual))
        # Where the signal's own square has a tone, a distortion has it too.
        own = np.abs(fft.rfft(signal**2, size))
        shares = 2 * product / max(energy, 1e-30) * (1 - np.minimum(own[first:] / max(own[0], 1e-30), 1))
        at = int(shares.argmax())
        if shares[at] > best.share:
            best = Modulation(float(shares[at]), (first + at) * model.rate / size, "multiplied")
    return best


def _moving_gain(model: FixedModel) -> Modulation:
    """The share that the prediction explains when its gain, or its delay, oscillates."""
    size = round(GAIN_SECONDS * model.rate)
    count = model.y.size // size
    hertz = np.arange(FINER_GAIN * count) / (FINER_GAIN * count * GAIN_SECONDS)
    slowest = max(SLOWEST, FEWEST_PERIODS / (count * GAIN_SECONDS))
    wanted = (hertz >= slowest) & (hertz <= 1.5 * FASTEST)
    levels = np.stack([each[size // 2 :: size][:count] for each in _levels(model)])
    found = []
    # A delay that moves a little adds the derivative at that gain.
    derivative = np.gradient(model.prediction)
    for kind, signal in (("gain", model.prediction), ("gain", model.x), ("delay", derivative)):
        weights = frame_products(signal, signal, size)
        shares = _explained_by_waves(levels, weights, frame_products(model.residual, signal, size))
        shares = np.where(wanted, shares, 0) / max(float(np.dot(model.residual, model.residual)), 1e-30)
        found.append(Modulation(float(shares.max()), float(hertz[shares.argmax()]), kind))
    return max(found, key=lambda each: each.share)


def _explained_by_waves(levels: Floats, weights: Floats, products: Floats) -> Floats:
    """Energy that least squares with a sine and a cosine explains, beyond what the levels of the input explain.

    `weights` are the frames' energies of the signal whose gain oscillates, `products` its products with the residual.
    The result is by frequency, in steps of 1 / `FINER_GAIN` of those that the frames resolve.
    """
    from scipy import fft

    size = FINER_GAIN * weights.size
    root = np.sqrt(weights + 1e-9 * weights.max() + 1e-30)
    # The line is for fades.
    known = np.concatenate([np.ones((1, root.size)), np.linspace(-1, 1, root.size)[None], levels, levels**2])
    basis = np.linalg.qr((known * root).T)[0].T
    wanted = products / root
    wanted = wanted - (basis @ wanted) @ basis
    # Products of the cosine and the sine, weighted by `root`, with what is wanted, with themselves and with the basis.
    with_wanted, with_known = fft.fft(root * wanted, size), fft.fft(root * basis, size)
    twice = fft.fft(root**2, size)[2 * np.arange(size) % size]
    energy = float(np.sum(root**2))
    whole = (energy + twice.real) / 2, (energy - twice.real) / 2
    aa = whole[0] - (with_known.real**2).sum(axis=0)
    bb = whole[1] - (with_known.imag**2).sum(axis=0)
    ab = twice.imag / 2 - (with_known.real * with_known.imag).sum(axis=0)
    a, b = with_wanted.real, with_wanted.imag
    # A wave that the levels explain themselves shows nothing.
    determinant = np.maximum.reduce([aa * bb - ab**2, 0.05 * whole[0] * whole[1], np.full(size, 1e-30)])
    return np.asarray((bb * a**2 - 2 * ab * a * b + aa * b**2) / determinant)


def _moving_response(model: FixedModel, followers: Sequence[Floats]) -> Modulation:
    """The share that the bands of the input explain when each one's response repeats itself."""
    size, hop = model.size, model.size // 4
    starts = np.arange(0, model.y.size - size, hop)
    residual, x, p = (frames_at(each, starts, size) for each in (model.residual, model.x, model.prediction))
    rate = model.rate / hop
    others = [
        _widened(_combs(_shares(frames_at(each, starts, size), x), rate, len(starts))[1], 4 * FINER + 1)
        for each in followers
    ]
    found = []
    for signal in (x, p):
        hertz, combs = _combs(_shares(residual, signal), rate, len(starts))
        combs = combs - LEVEL_WEIGHT * np.maximum(np.max(others, axis=0), 0)
        harmonic, at = np.unravel_index(combs.argmax(), combs.shape)
        found.append(Modulation(float(combs[harmonic, at]), float(hertz[at]), "response"))
    return max(found, key=lambda each: each.share)


def _shares(residual: Spectra, signal: Spectra) -> Floats:
    """Share of the residual that `signal` explains when its bands are modulated, by frequency of the modulation.

    The two halves are measured separately and multiplied: what is not the same in both is zero on average. The spacing
    of the frequencies is a quarter of what the frames resolve.
    """
    from scipy import fft

    # A single loud frame would agree with one at any distance.
    energy = (np.abs(residual) ** 2).sum(axis=1)
    even = np.sqrt(np.minimum(1, LOUDEST_FRAME * energy.mean() / (energy + 1e-30)))[:, None].astype(np.float32)
    residual, signal = even * residual, even * signal
    product = residual * signal.conj()
    half, size = len(product) // 2, fft.next_fast_len(4 * len(product))
    power = (np.abs(signal) ** 2).sum(axis=0)
    power += 1e-6 * power.max() + 1e-30
    later = np.zeros_like(product)
    later[half:] = product[half:]
    both = fft.fft(product[:half], size, axis=0) * fft.fft(later, size, axis=0).conj()
    shares = 4 * (both.real / power).sum(axis=1)
    return np.asarray(shares / max(float((np.abs(residual) ** 2).sum()), 1e-30))


def _combs(shares: Floats, rate: float, frames: int) -> tuple[Floats, Floats]:
    """Sums over the harmonics of each frequency, less what lies between them; (hertz,) and (HARMONICS, hertz)."""
    size = shares.size
    both = shares + np.concatenate([shares[:1], shares[:0:-1]])
    slowest = max(SLOWEST, FEWEST_PERIODS * rate / frames)
    at = np.arange(slowest * size / rate, FASTEST * size / rate, 1 / FINER)

    def share(multiple: float) -> Floats:
        where = np.round(at * multiple).astype(np.int64)
        return np.where(where < size // 2, both[np.minimum(where, size // 2)], 0.0)

    between = [(share(j - 0.5) + share(j + 0.5)) / 2 for j in range(1, HARMONICS[-1] + 1)]
    each = np.cumsum([share(j) - less for j, less in enumerate(between, 1)], axis=0)
    return at * rate / size, each[np.array(HARMONICS) - 1]


def _widened(shares: Floats, width: int = 5) -> Floats:
    from scipy.ndimage import maximum_filter1d

    return np.asarray(maximum_filter1d(shares, width, axis=-1))
