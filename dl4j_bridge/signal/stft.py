"""Short-time Fourier transform (SciPy's) and its inverse, in blocks, so a recording may have any length."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from scipy.signal import ShortTimeFFT

Samples = npt.NDArray[np.floating]
Spectra = npt.NDArray[np.complex128]


@dataclass(frozen=True)
class Stft:
    """A transform with a Hann window whose frame t ends with sample ``(t + 1) * hop - 1``.

    The recording is padded with silence on both sides, so that every sample is in the same number of frames and the
    inverse is exact.

    Attributes
    ----------
    window
        Length of a frame in samples; an even number.
    hop
        Distance between frames in samples, at most half of `window`.
    """

    window: int
    hop: int

    # Maximum number of frames in a block, for the sake of memory.
    BLOCK = 256

    @property
    def bins(self) -> int:
        """Number of frequencies from 0 to half the sample rate."""
        return self.window // 2 + 1

    def analysis(self) -> Analysis:
        """Begin to transform a recording."""
        return Analysis(self)

    def synthesis(self) -> Synthesis:
        """Begin to invert the transform of a recording."""
        return Synthesis(self)

    def spectra(self, blocks: Iterable[Samples]) -> Iterator[Spectra]:
        """Compute the spectra of a recording.

        Parameters
        ----------
        blocks
            Samples of the recording in blocks of any size, n samples in total.

        Yields
        ------
        ndarray of complex128, shape (m, bins)
            `BLOCK` frames at most; ``ceil((n + window - hop) / hop)`` frames in total.
        """
        analysis = self.analysis()
        for block in chain(blocks, [analysis.padding]):
            yield from analysis.push(block)

    def samples(self, blocks: Iterable[Spectra]) -> Iterator[Samples]:
        """Invert `spectra` by overlap-add; a sample is yielded once all of its frames have been added.

        Yields
        ------
        ndarray of float64, shape (n,)
            The samples of the recording, followed by those that complete its last frame.
        """
        synthesis = self.synthesis()
        return (synthesis.push(block) for block in blocks)

    @cached_property
    def transform(self) -> ShortTimeFFT:
        """SciPy's object for the transform."""
        from scipy.signal import ShortTimeFFT
        from scipy.signal.windows import hann

        return ShortTimeFFT(hann(self.window, sym=False), self.hop, fs=1, phase_shift=None)


class Analysis:
    """Spectra from the blocks of a recording; the cut into blocks changes no bit.

    Attributes
    ----------
    padding : ndarray of float64, shape (window - 1,)
        Silence to push after the recording, which completes its last frames.
    """

    def __init__(self, stft: Stft) -> None:
        self._stft = stft
        self._held: npt.NDArray[np.float64] = np.zeros(stft.window - stft.hop)
        self.padding: npt.NDArray[np.float64] = np.zeros(stft.window - 1)

    def push(self, block: Samples) -> Iterator[Spectra]:
        """Compute the frames that end in a block; one array at least, which may have no frames.

        Yields
        ------
        ndarray of complex128, shape (m, bins)
            In C order.
        """
        stft = self._stft
        self._held = np.concatenate([self._held, block])
        while True:
            count = min((self._held.size - stft.window) // stft.hop + 1, stft.BLOCK)
            yield self._first(max(count, 0))
            self._held = self._held[max(count, 0) * stft.hop :]
            if self._held.size < stft.window:
                return

    def _first(self, count: int) -> Spectra:
        """Spectra of the first frames of what is held, the first of them from its first sample on."""
        if not count:
            return np.zeros((0, self._stft.bins), np.complex128)
        transform = self._stft.transform
        return np.ascontiguousarray(transform.stft(self._held, 0, count, k_offset=transform.m_num_mid).T)


class Synthesis:
    """Samples from the spectra of a recording; the cut into blocks changes no bit."""

    def __init__(self, stft: Stft) -> None:
        self._stft = stft
        # Samples that do not belong to the recording: the silence before it.
        self._lead = stft.window - stft.hop
        # Sums of the frames so far, from the first sample on that gets more.
        self._sums: npt.NDArray[np.float64] = np.zeros(0)

    def push(self, spectra: Spectra) -> npt.NDArray[np.float64]:
        """Add frames; returns the samples that are complete."""
        from scipy.fft import irfft

        stft = self._stft
        ready = len(spectra) * stft.hop
        sums = np.zeros(max(ready + stft.window - stft.hop, self._sums.size))
        sums[: self._sums.size] = self._sums
        # One after the other, so that each sample is the sum of its frames in their order.
        for frame, spectrum in enumerate(spectra):
            part = sums[frame * stft.hop : frame * stft.hop + stft.window]
            part += irfft(spectrum, stft.window) * stft.transform.dual_win
        self._sums = sums[ready:]
        lead = min(self._lead, ready)
        self._lead -= lead
        return sums[lead:ready]
