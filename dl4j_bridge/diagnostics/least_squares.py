"""Long filters by exact least squares. Filters from windowed spectra are blurred: what rings on leaves the window."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dl4j_bridge.diagnostics.relation import Floats

# Steps of the conjugate gradients, which are also what keeps bands with little sound from growing.
STEPS = 15
# Ridge as a share of a signal's power in its loudest band.
RIDGE = 1e-3


def filters(signals: Sequence[Floats], target: Floats, mask: Floats, size: int, ahead: int) -> Floats:
    """Filters whose sum is closest to the target where the mask is 1.

    Parameters
    ----------
    signals
        What is filtered, each of shape (n,).
    target, mask : ndarray of float64, shape (n,)
        The target, and 1 where it counts, otherwise 0.
    size, ahead
        Samples of a filter, and how many of them lie before its sample.

    Returns
    -------
    ndarray of float64, shape (signals, size)
    """
    from scipy import fft

    n = target.size
    length = fft.next_fast_len(n + size, real=True)
    spectra = [fft.rfft(signal, length) for signal in signals]
    powers = np.stack([_power(signal * mask, size) for signal in signals])
    ridge = RIDGE * powers.max(axis=1, keepdims=True) + 1e-30

    def filtered(taps: Floats) -> Floats:
        products = [a * fft.rfft(b, length) for a, b in zip(spectra, taps, strict=True)]
        return np.asarray(np.roll(fft.irfft(np.sum(products, axis=0), length), -ahead)[:n] * mask)

    def correlated(left: Floats) -> Floats:
        spectrum = fft.rfft(left, length)
        return np.stack([np.roll(fft.irfft(a.conj() * spectrum, length), ahead)[:size] for a in spectra])

    taps = np.zeros((len(signals), size))
    left = target * mask
    gradient = correlated(left)
    direction, before = np.zeros_like(taps), 1.0
    for _ in range(STEPS):
        # Each band is divided by its power, which alone would do for white signals.
        whitened = fft.irfft(fft.rfft(gradient, 2 * size) / (powers + ridge), 2 * size)[:, :size]
        now = float(np.sum(gradient * whitened))
        direction = whitened + now / before * direction
        made = filtered(direction)
        step = now / max(float(np.dot(made, made) + np.sum(ridge * direction**2)), 1e-30)
        taps += step * direction
        left = left - step * made
        gradient = correlated(left) - ridge * taps
        before = max(now, 1e-30)
    return taps


def _power(x: Floats, size: int) -> Floats:
    """Power spectrum, smoothed to bands that filters of `size` samples resolve; shape (size + 1,)."""
    from scipy import fft

    correlation = fft.irfft(np.abs(fft.rfft(x, fft.next_fast_len(x.size + size, real=True))) ** 2)[:size]
    tapered = correlation * np.linspace(1, 0, size, endpoint=False)
    return np.asarray(np.maximum(fft.rfft(np.concatenate([tapered, [0.0], tapered[:0:-1]])).real, 0))
