"""Counted contexts: what the last one or two samples say without a network."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge.signal.codecs import CLASSES, Codec
from dl4j_bridge.signal.pairs import Stretch
from dl4j_bridge.tasks.baselines.base import Arrays, Baseline, Prediction, Signal, blocks

Floats = npt.NDArray[np.float64]


class Markov(Baseline):
    """p(target | the last `order` input samples), shorter contexts filling in for what was not seen.

    Each order is interpolated with the one below as by Witten and Bell (1991, method C): a context that was seen n
    times with d different targets leaves d / (n + d) of the mass to the shorter context; the empty one leaves it to
    all classes alike. Of the contexts of two samples only those seen most often are kept, whole, as many as go into
    `LARGEST` counts: the others are answered by their newer sample. So the model file stays small (2.8 MB before
    compression) whatever the recordings' length.

    Parameters
    ----------
    codec
        Gives the sample values of the classes.
    order
        0, 1 or 2. Three samples would have 2^32 counts.
    """

    name = "markov"
    ORDER = 2
    LARGEST = 450_000
    memory = ORDER - 1

    def __init__(self, codec: Codec, order: int = ORDER) -> None:
        super().__init__(codec)
        self._order = order

    def fit(self, stretches: list[Stretch]) -> None:
        counts = np.zeros(CLASSES**3, np.uint32)
        for x, y in blocks(stretches, self.memory):
            # A stretch's first sample has no context of two.
            there = min(y.size, x.size - 1)
            keys = _contexts(x)[x.size - 1 - there :] * CLASSES + y[y.size - there :]
            found, times = np.unique(keys, return_counts=True)
            counts[found] += times.astype(np.uint32)
        self._pairs = counts.reshape(CLASSES, CLASSES, CLASSES).sum(axis=0, dtype=np.uint32)
        self._triples = _most_seen(counts.reshape(CLASSES**2, CLASSES), self.LARGEST)

    def predict(self, x: Signal) -> Prediction:
        p = self._shorter()[x]
        if self._order == 2:
            seen = self._triples[_contexts(x)].toarray().astype(np.float64)
            p[1:] = _interpolated(seen, p[1:])
        return Prediction(p @ self.codec.values, p.argmax(axis=1).astype(np.uint8), p.astype(np.float32))

    def _shorter(self) -> Floats:
        """p(target | the last sample), or at order 0 the same row for all; shape (256, 256)."""
        counts = self._pairs.astype(np.float64)
        order_0 = _interpolated(counts.sum(axis=0)[None], np.full((1, CLASSES), 1 / CLASSES))
        return np.broadcast_to(order_0, (CLASSES, CLASSES)) if self._order == 0 else _interpolated(counts, order_0)

    def arrays(self) -> Arrays:
        if self._order == 0:
            return {"pairs": self._pairs.sum(axis=0, keepdims=True, dtype=np.uint32)}
        if self._order == 1:
            return {"pairs": self._pairs}
        kept = self._triples
        return {
            "pairs": self._pairs,
            "counts": kept.data,
            "targets": kept.indices.astype(np.uint8),
            "starts": kept.indptr.astype(np.uint32),
        }

    def restore(self, arrays: Arrays) -> None:
        from scipy.sparse import csr_array

        self._pairs = arrays["pairs"]
        if self._order == 2:
            parts = arrays["counts"], arrays["targets"].astype(np.int32), arrays["starts"].astype(np.int32)
            self._triples = csr_array(parts, shape=(CLASSES**2, CLASSES))


def _contexts(x: Signal) -> npt.NDArray[np.int64]:
    """Each sample but the first with the one before it as one number, the newer as its last digit."""
    return x[:-1].astype(np.int64) * CLASSES + x[1:]


def _most_seen(counts: npt.NDArray[np.uint32], largest: int) -> Any:
    """Rows of counts with the largest sums as a sparse array, `largest` counts other than 0 at most."""
    from scipy.sparse import csr_array

    sizes = np.count_nonzero(counts, axis=1)
    order = np.argsort(counts.sum(axis=1), kind="stable")[::-1]
    counts[order[np.cumsum(sizes[order]) > largest]] = 0
    return csr_array(counts)


def _interpolated(counts: Floats, shorter: Floats) -> Floats:
    """Witten and Bell's mixture of counted rows with the rows of shorter contexts, which stand in for empty ones."""
    distinct = np.count_nonzero(counts, axis=1)[:, None]
    total = counts.sum(axis=1, keepdims=True) + distinct
    return np.where(distinct > 0, (counts + distinct * shorter) / np.maximum(total, 1), shorter)
