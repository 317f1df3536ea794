"""The lag that a filter cannot avoid, and the excess over it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]

# Number of samples in a frame of an averaged spectrum.
FRAME = 2048
# Share of the loudest band's power below which the filter's response in a band cannot be measured.
SILENT_BAND = 1e-5
# Share of a filter's largest gain below which its gain is not measurable.
SMALLEST_GAIN = 1e-4
# Number of samples below which nothing is measured.
SHORTEST_FRAME = 96


@dataclass(frozen=True)
class ExcessLag:
    """A lag, split into the group delay of a filter and the excess over it.

    Attributes
    ----------
    samples
        Excess in samples: a delay if positive, a lead if negative.
    own
        Lag in samples that a filter with this magnitude response cannot avoid.
    inverted
        True if the polarity of the target is inverted.
    """

    samples: int
    own: int
    inverted: bool


def excess_lag(x: Floats, y: Floats, peak: int) -> ExcessLag:
    """Split the lag `peak` into the lag of the filter from `x` to `y` and the excess.

    The minimum-phase filter has the smallest lag of all causal filters with the same magnitude response. Its phase
    follows from the magnitude by the real cepstrum (Oppenheim and Schafer, 1975); the lag of the measured response
    relative to it is the excess. `Delay.samples` must not be too large; this estimate may be, but is closer on
    average: for a steep low-pass the error can reach a third of the filter's own lag.

    Parameters
    ----------
    x, y : ndarray of float, shape (n,) and (m,)
        Recordings at the same sample rate.
    peak
        `Delay.peak` of the two recordings.
    """
    n = min(x.size, y.size)
    x, y = x[max(-peak, 0) : n - max(peak, 0)], y[max(peak, 0) : n - max(-peak, 0)]
    size = min(FRAME, x.size // 4 * 2)
    if size < SHORTEST_FRAME:
        return ExcessLag(peak, 0, False)
    power, cross = _averaged_spectra(x, y, size)
    # The gain of silent bands is interpolated from their neighbors, as is that of the bands around 0 Hz: they hold the
    # offset.
    audible = power > SILENT_BAND * power.max()
    audible[:2] = False
    response = cross / np.maximum(power, np.finfo(float).tiny)
    if not np.abs(response[audible]).max(initial=0.0):
        return ExcessLag(peak, 0, False)
    gain = np.interp(np.arange(power.size), np.flatnonzero(audible), np.abs(response[audible]))
    shortest = _minimum_phase(np.maximum(gain, SMALLEST_GAIN * gain.max()))
    weight = power / (power + 1e-3 * power.mean())
    match = np.fft.irfft(weight * response * np.exp(-1j * np.angle(shortest)), size)
    at = int(np.argmax(np.abs(match)))
    more = at - size if at > size // 2 else at
    return ExcessLag(peak + more, -more, bool(match[at] < 0))


def _averaged_spectra(x: Floats, y: Floats, size: int) -> tuple[Floats, npt.NDArray[np.complexfloating]]:
    """Power spectrum of `x` and cross spectrum of both, averaged over frames that overlap by half (Welch, 1967)."""
    window = np.hanning(size + 1)[:-1]
    spectra = []
    for side in (x, y):
        frames = np.lib.stride_tricks.sliding_window_view(side, size)[:: size // 2]
        spectra.append(np.fft.rfft((frames - frames.mean(axis=1, keepdims=True)) * window))
    u, v = spectra
    return np.mean(np.abs(u) ** 2, axis=0), np.mean(np.conj(u) * v, axis=0)


def _minimum_phase(gain: Floats) -> npt.NDArray[np.complexfloating]:
    """Compute the minimum-phase frequency response with this magnitude, at 0 to half the rate; shape of `gain`."""
    cepstrum = np.fft.irfft(np.log(np.maximum(gain, np.finfo(float).tiny)))
    half = gain.size - 1
    cepstrum[1:half] *= 2
    cepstrum[half + 1 :] = 0
    return np.asarray(np.exp(np.fft.rfft(cepstrum)))
