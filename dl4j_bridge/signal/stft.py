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

    # Number of frames in a block. It is fixed, because the rounding of `network.DenseStream` depends on it.
    BLOCK = 256

    @property
    def bins(self) -> int:
        """Number of frequencies from 0 to half the sample rate."""
        return self.window // 2 + 1

    def spectra(self, blocks: Iterable[Samples]) -> Iterator[Spectra]:
        """Compute the spectra of a recording.

        Parameters
        ----------
        blocks
            Samples of the recording in blocks of any size, n samples in total.

        Yields
        ------
        ndarray of complex128, shape (`BLOCK`, bins)
            The last one may be shorter; ``ceil((n + window - hop) / hop)`` frames in total.
        """
        held: npt.NDArray[np.float64] = np.zeros(self.window - self.hop)
        size = self.BLOCK * self.hop + self.window - self.hop
        for block in chain(blocks, [np.zeros(self.window - 1)]):
            held = np.concatenate([held, block])
            while held.size >= size:
                yield self._of_frames(held[:size])
                held = held[self.BLOCK * self.hop :]
        if held.size >= self.window:
            yield self._of_frames(held)

    def samples(self, blocks: Iterable[Spectra]) -> Iterator[Samples]:
        """Invert `spectra` by overlap-add; a sample is yielded once all of its frames have been added.

        Yields
        ------
        ndarray of float64, shape (n,)
            The samples of the recording, followed by those that complete its last frame.
        """
        lead = self.window - self.hop
        tail: npt.NDArray[np.float64] = np.zeros(lead)
        for block in blocks:
            added = self._overlap_added(block)
            added[: tail.size] += tail
            ready = len(block) * self.hop
            yield added[lead:ready]
            lead = max(lead - ready, 0)
            tail = added[ready:]

    @cached_property
    def _transform(self) -> ShortTimeFFT:
        from scipy.signal import ShortTimeFFT
        from scipy.signal.windows import hann

        return ShortTimeFFT(hann(self.window, sym=False), self.hop, fs=1, phase_shift=None)

    def _of_frames(self, x: Samples) -> Spectra:
        """Spectra of the whole frames in `x`; the first frame begins at the first sample."""
        count = (x.size - self.window) // self.hop + 1
        found = self._transform.stft(x, 0, count, k_offset=self._transform.m_num_mid)
        return np.asarray(found.T)

    def _overlap_added(self, spectra: Spectra) -> npt.NDArray[np.float64]:
        """Samples from the start of the first frame to the end of the last frame."""
        transform = self._transform
        # SciPy's first frames begin before sample 0 and it requires several frames, so pad both sides with zeros.
        first = -(-transform.m_num_mid // self.hop)
        padded = np.pad(spectra, ((first - transform.p_min,) * 2, (0, 0)))
        start = first * self.hop - transform.m_num_mid
        return np.asarray(transform.istft(padded.T, start, start + (len(spectra) - 1) * self.hop + self.window))
