"""Evenly spread stretches of a signal."""

import numpy as np


def starts(length: int, size: int, count: int, first: int = 0) -> list[int]:
    """First positions of `count` stretches of `size`, evenly spread from the start to the end of a signal.

    Parameters
    ----------
    length
        Length of the signal, at least `size`.
    size
        Length of a stretch.
    count
        Number of stretches; they overlap if they do not fit side by side.
    first
        Position of the first sample of the signal.

    Returns
    -------
    list of int
        Positions from `first` to ``first + length - size``.
    """
    return [int(start) for start in np.linspace(first, first + length - size, count)]
