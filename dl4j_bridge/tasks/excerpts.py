"""Which stretch a report shows."""

import numpy as np
import numpy.typing as npt

SECONDS = 10.0
# Parameters times samples that a network may take for a report: about ten seconds of one core.
MOST_WORK = 1e11
# Samples from one candidate for the loudest stretch to the next.
STRIDE = 512


def affordable_steps(parameters: int, rate: float) -> int:
    """Number of time steps in `SECONDS` at `rate` steps per second, fewer for a large network."""
    return max(int(min(SECONDS * rate, MOST_WORK / parameters)), 1)


def loudest_samples(values: npt.NDArray[np.floating], y: npt.NDArray[np.uint8], part: slice, size: int) -> slice:
    """Up to `size` samples of `part` with the most energy, to within `STRIDE` samples.

    Parameters
    ----------
    values : ndarray of float, shape (256,)
        Sample value of each class.
    y : ndarray of uint8, shape (n,)
        Class indices.
    part
        Samples to choose from.
    size
        Number of samples wanted.
    """
    if part.stop - part.start <= size:
        return part
    power = values**2
    # Block by block: there is no room for the floats of a long recording.
    energies = np.array(
        [power[y[at : min(at + STRIDE, part.stop)]].sum() for at in range(part.start, part.stop, STRIDE)]
    )
    start = part.start + _loudest(energies, max(size // STRIDE, 1)) * STRIDE
    start = min(start, part.stop - size)
    return slice(start, start + size)


def loudest_vectors(y: npt.NDArray[np.floating], part: slice, size: int) -> slice:
    """Up to `size` time steps of `part` with the most energy around the mean; `y` has shape (n, width)."""
    if part.stop - part.start <= size:
        return part
    energies = np.square(y[part] - y[part].mean(), dtype=np.float64).sum(axis=1)
    start = part.start + _loudest(energies, size)
    return slice(start, start + size)


def _loudest(energies: npt.NDArray[np.floating], size: int) -> int:
    # Sums of all windows from one running sum: a convolution takes minutes for a long recording.
    sums = np.concatenate([[0.0], np.cumsum(energies, dtype=np.float64)])
    return int((sums[size:] - sums[:-size]).argmax())
