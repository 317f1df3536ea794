"""Derivatives by central differences."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from dl4j_bridge.reference.parameters import Floats


def finite_differences(f: Callable[[Floats], float], at: Floats, indices: Iterable[int], eps: float = 1e-4) -> Floats:
    """Return the partial derivatives of a function by central differences.

    Parameters
    ----------
    f : callable
        Takes an array of the shape of `at`.
    at : ndarray of float64
        Where to differentiate; unchanged.
    indices : iterable of int
        Elements by which to differentiate, as flat indices in 'c' order.
    eps : float
        Distance of the two points from `at`.
    """

    def moved(index: int, by: float) -> float:
        point = np.array(at, np.float64)
        point.flat[index] += by
        return f(point)

    return np.array([(moved(i, eps) - moved(i, -eps)) / (2 * eps) for i in indices])
