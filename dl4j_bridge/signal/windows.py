"""Shuffled training windows in batches."""

import numpy as np
import numpy.typing as npt

from dl4j_bridge.signal.pairs import Stretch

# Most windows of an epoch whose order is kept in a list, of 16 bytes each.
LISTED = 1 << 20
# Of the shuffle that needs no list: its rounds, and a multiplier that mixes bits (of SplitMix64).
ROUNDS = 6
_MIX, _64_BITS = 0xBF58476D1CE4E5B9, (1 << 64) - 1


class Windows:
    """Shuffled training windows of several stretches.

    In each epoch every stretch is cut into adjacent windows, starting at a new random offset, and the windows of all
    stretches are shuffled. Batches continue across the borders of epochs, so each is full. A batch depends only on its
    number and the seed, so a resumed run needs to store only the number.

    Parameters
    ----------
    stretches
        Pairs of (input, target) with the same number of time steps on their first axis; they are not copied. All but
        the first may be anything that has a length and returns an array for a slice.
    length
        Number of time steps in a window.
    batch
        Number of windows in a batch.
    seed
        Seed of the offsets and the order.
    """

    def __init__(self, stretches: list[Stretch], length: int, batch: int, seed: int) -> None:
        self._stretches = stretches
        self._length = length
        self._batch = batch
        self._seed = seed
        self._counts = [len(x) // length for x, _ in stretches]
        # Number of windows in an epoch.
        self.per_epoch = sum(self._counts)
        self._ends = np.cumsum(self._counts)
        self._epoch_order: tuple[int, npt.NDArray[np.int64]] | None = None
        self._last: tuple[tuple[int, int, int], Stretch] | None = None

    def epochs(self, batches: float) -> float:
        """Convert a number of batches to a number of epochs."""
        return batches * self._batch / self.per_epoch

    def batch(self, number: int, rows: slice = slice(None)) -> Stretch:
        """Return input and target of a batch, or of some of its rows.

        Parameters
        ----------
        number
            Number of the batch, from 0.
        rows
            Windows of the batch to return; the others are not read.

        Returns
        -------
        tuple of ndarray
            Both of shape (rows, length, ...) with any further axes of a stretch. They are kept for the next call, so
            they must not be changed.
        """
        first, end, _ = rows.indices(self._batch)
        # All segments of a batch ask for it.
        if self._last is None or self._last[0] != (number, first, end):
            self._last = (number, first, end), self._read(number, range(first, end))
        return self._last[1]

    def _read(self, number: int, rows: range) -> Stretch:
        x, y = (np.empty((len(rows), self._length, *signal.shape[1:]), signal.dtype) for signal in self._stretches[0])
        for at, row in enumerate(rows):
            epoch, index = divmod(number * self._batch + row, self.per_epoch)
            stretch, start = self._place(epoch, index)
            source, target = self._stretches[stretch]
            x[at] = source[start : start + self._length]
            y[at] = target[start : start + self._length]
        return x, y

    def _place(self, epoch: int, index: int) -> tuple[int, int]:
        """Index of the stretch, and first time step, of a window of an epoch."""
        if self.per_epoch <= LISTED:
            stretch, start = self._order(epoch)[index].tolist()
            return stretch, start
        # A list of all windows would take more memory than some recordings.
        number = shuffled(index, self.per_epoch, (self._seed, epoch))
        stretch = int(np.searchsorted(self._ends, number, side="right"))
        rng = np.random.default_rng([self._seed, epoch, stretch])
        within = number - (int(self._ends[stretch - 1]) if stretch else 0)
        return stretch, self._offset(rng, stretch) + self._length * within

    def _offset(self, rng: np.random.Generator, stretch: int) -> int:
        left_over = len(self._stretches[stretch][0]) - self._counts[stretch] * self._length
        return int(rng.integers(0, left_over + 1))

    def _order(self, epoch: int) -> npt.NDArray[np.int64]:
        """Index of the stretch and first time step of every window of an epoch, shuffled; shape (windows, 2)."""
        if self._epoch_order is None or self._epoch_order[0] != epoch:
            rng = np.random.default_rng([self._seed, epoch])
            starts = []
            for stretch, count in enumerate(self._counts):
                at = self._offset(rng, stretch) + self._length * np.arange(count)
                starts.append(np.stack([np.full(count, stretch), at], axis=1))
            self._epoch_order = (epoch, rng.permutation(np.concatenate(starts)))
        return self._epoch_order[1]


def shuffled(index: int, count: int, seed: tuple[int, ...]) -> int:
    """Where a shuffle of ``0..count - 1`` puts `index`, without a list of them.

    A Feistel network permutes the numbers of an even number of bits, whatever its round function is; it is repeated
    until the result is below `count` (Black and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002).
    """
    half = max((count - 1).bit_length() + 1, 2) // 2
    mask = (1 << half) - 1
    keys = np.random.default_rng(seed).integers(0, 1 << 62, ROUNDS).tolist()
    while True:
        left, right = index >> half, index & mask
        for key in keys:
            left, right = right, left ^ ((((right ^ key) * _MIX & _64_BITS) >> (64 - half)) & mask)
        index = left << half | right
        if index < count:
            return index
