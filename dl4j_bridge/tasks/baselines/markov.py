"""Counts of the target after each context of one or two samples."""

from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge.signal.codecs import CLASSES, Codec
from dl4j_bridge.signal.pairs import Stretch
from dl4j_bridge.tasks.baselines.base import Baseline, Floats, Prediction, Signal, blocks


class Markov(Baseline):
    """p(target | the last `order` input samples), with shorter contexts for those not in the training part.

    Each order is interpolated with the next lower one (Witten and Bell, 1991, method C): a context with n occurrences
    and d different targets assigns d / (n + d) of the probability to the shorter context; the empty context assigns it
    to all classes equally. Only the most frequent contexts of two samples are stored, up to `LARGEST` counts in total;
    the others are replaced by the context of their newer sample. So the model file stays small (2.8 MB before
    compression) for recordings of any length.

    Parameters
    ----------
    codec
        Codec with the sample values of the classes.
    order
        Number of samples in a context: 0, 1 or 2, because 3 would need 2^32 counts.
    """

    name = "markov"
    fitted: tuple[str, ...] = ("pairs", "counts", "targets", "starts")
    ORDER = 2
    LARGEST = 450_000
    memory = ORDER - 1

    def __init__(self, codec: Codec, order: int = ORDER) -> None:
        super().__init__(codec)
        self._order = order
        self.fitted = ("pairs",) if order < self.ORDER else Markov.fitted

    def fit(self, stretches: list[Stretch]) -> None:
        counts = np.zeros(CLASSES**3, np.uint32)
        for x, y in blocks(stretches, self.memory):
            # The first sample of a stretch has no context of two samples.
            there = min(y.size, x.size - 1)
            keys = _contexts(x)[x.size - 1 - there :] * CLASSES + y[y.size - there :]
            found, times = np.unique(keys, return_counts=True)
            counts[found] += times.astype(np.uint32)
        self.pairs = counts.reshape(CLASSES, CLASSES, CLASSES).sum(axis=0, dtype=np.uint32)
        triples = _most_frequent(counts.reshape(CLASSES**2, CLASSES), self.LARGEST)
        self.counts, self.targets = triples.data, triples.indices.astype(np.uint8)
        self.starts = triples.indptr.astype(np.uint32)

    def predict(self, x: Signal) -> Prediction:
        from scipy.sparse import csr_array

        p = self._shorter()[x]
        if self._order == 2:
            triples = csr_array((self.counts, self.targets, self.starts), shape=(CLASSES**2, CLASSES))
            counts = triples[_contexts(x)].toarray().astype(np.float64)
            p[1:] = _interpolated(counts, p[1:])
        return Prediction(p @ self.codec.values, p.argmax(axis=1).astype(np.uint8), p.astype(np.float32))

    def _shorter(self) -> Floats:
        """p(target | the last sample), or with order 0 p(target) in each row; shape (256, 256)."""
        counts = self.pairs.astype(np.float64)
        order_0 = _interpolated(counts.sum(axis=0)[None], np.full((1, CLASSES), 1 / CLASSES))
        return np.broadcast_to(order_0, (CLASSES, CLASSES)) if self._order == 0 else _interpolated(counts, order_0)


def _contexts(x: Signal) -> npt.NDArray[np.int64]:
    """Number each context of two samples as ``256 * older + newer``; shape (n - 1,)."""
    return x[:-1].astype(np.int64) * CLASSES + x[1:]


def _most_frequent(counts: npt.NDArray[np.uint32], largest: int) -> Any:
    """Set all but the rows with the largest sums to 0 and return the at most `largest` nonzero counts, sparse."""
    from scipy.sparse import csr_array

    sizes = np.count_nonzero(counts, axis=1)
    order = np.argsort(counts.sum(axis=1), kind="stable")[::-1]
    counts[order[np.cumsum(sizes[order]) > largest]] = 0
    return csr_array(counts)


def _interpolated(counts: Floats, shorter: Floats) -> Floats:
    """Interpolate rows of counts with probabilities of shorter contexts (Witten and Bell), which replace empty rows."""
    distinct = np.count_nonzero(counts, axis=1)[:, None]
    total = counts.sum(axis=1, keepdims=True) + distinct
    return np.where(distinct > 0, (counts + distinct * shorter) / np.maximum(total, 1), shorter)
