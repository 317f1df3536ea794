"""Float samples to class indices, indices to distributions, and distributions to float samples, block by block."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from dl4j_bridge.java.network import LONG_WARM_UP
from dl4j_bridge.java.streams import SampleStream
from dl4j_bridge.signal.codecs import Codec
from dl4j_bridge.signal.pre_emphasis import DeEmphasis, PreEmphasis

Indices = npt.NDArray[np.uint8]
Probabilities = npt.NDArray[np.float32]


class Encoder:
    """Float samples to classes.

    Parameters
    ----------
    codec
        The quantizer.
    pre_emphasis
        Coefficient of the filter before it; 0 for none.
    """

    def __init__(self, codec: Codec, pre_emphasis: float) -> None:
        self._codec = codec
        self._filter = PreEmphasis(pre_emphasis)

    def push(self, x: npt.NDArray[np.floating]) -> Indices:
        return self._codec.encode(self._filter.push(x))


class Decoder:
    """Distributions over classes to float samples; the cut into blocks changes no bit.

    Parameters
    ----------
    codec, pre_emphasis
        As for `Encoder`.
    decode
        ``mean`` of the distribution (least squared error), ``argmax`` (an exact class), ``sample`` (a class sampled at
        random) or ``auto``: the mean, since no other estimate has a smaller squared error.
    seed
        Random seed of ``sample``.
    """

    def __init__(self, codec: Codec, pre_emphasis: float, decode: str = "auto", seed: int = 0) -> None:
        self._values = codec.values
        self._filter = DeEmphasis(pre_emphasis)
        self._decode = "mean" if decode == "auto" else decode
        self._rng = np.random.default_rng(seed)

    def run(self, stream: SampleStream, indices: Indices) -> npt.NDArray[np.floating]:
        """Feed classes to a network and decode its output."""
        if self._decode == "mean":
            return self._filter.push(stream.means(indices, self._values))
        return self.push(stream.run(indices))

    def push(self, probabilities: Probabilities) -> npt.NDArray[np.floating]:
        if self._decode == "mean":
            return self._filter.push(mean_values(probabilities, self._values))
        if self._decode == "argmax":
            return self._filter.push(self._values[probabilities.argmax(axis=1)])
        cumulative = np.cumsum(probabilities, axis=1, dtype=np.float64)
        sampled = self._rng.random(len(cumulative)) * cumulative[:, -1]
        classes = np.minimum((cumulative <= sampled[:, None]).sum(axis=1), self._values.size - 1)
        return self._filter.push(self._values[classes])


def mean_values(probabilities: Probabilities, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Expected sample value of each row, shape (n,)."""
    # Summed row by row: a matrix product may round a row differently with the number of rows.
    return np.asarray((probabilities * values).sum(axis=1))


def run_through(stream: SampleStream, x: Indices, start: int, end: int) -> Iterator[Probabilities]:
    """Distributions for samples start..end-1 of `x`, in blocks, after up to `LONG_WARM_UP` samples before them."""
    stream.reset()
    stream.consume(x[max(start - LONG_WARM_UP, 0) : start])
    for at in range(start, end, SampleStream.BLOCK):
        yield stream.run(x[at : min(at + SampleStream.BLOCK, end)])
