"""Checks the arrays that a caller gives to a DL4J network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from dl4j_bridge.errors import InputError
from dl4j_bridge.model.layers import Shape

Array = npt.NDArray[Any]
# One array, or one for each input or output of a ComputationGraph, in its order or by name.
Arrays = npt.ArrayLike | Sequence[npt.ArrayLike] | Mapping[str, npt.ArrayLike]


def by_name(subject: str, values: Arrays, names: list[str]) -> dict[str, npt.ArrayLike]:
    """Return the array of each input or output.

    Raises
    ------
    InputError
        If one is missing or too many.
    """
    if not isinstance(values, Mapping):
        if len(names) == 1:
            return {names[0]: cast(npt.ArrayLike, values)}
        if not isinstance(values, list | tuple) or len(values) != len(names):
            found = f"{len(values)} arrays" if isinstance(values, list | tuple) else "one array"
            raise InputError(subject, found, f"wanted one array for each of {', '.join(names)}")
        return dict(zip(names, values, strict=True))
    if set(values) != set(names):
        found = ", ".join(map(str, values))[:200]
        raise InputError(subject, f"arrays for {found}", f"wanted one array for each of {', '.join(names)}")
    return {name: values[name] for name in names}


def numbers(subject: str, values: npt.ArrayLike) -> Array:
    """Return an array of floats, integers or booleans.

    Raises
    ------
    InputError
        If it is another one.
    """
    try:
        array = np.asarray(values)
    except ValueError as e:
        raise InputError(subject, f"not an array ({e})", "wanted numbers, or an array of them") from None
    if array.dtype.kind not in "fiub":
        raise InputError(subject, f"{array.dtype} values", "wanted floats or integers")
    return array


def check_shape(subject: str, shape: tuple[int, ...], wanted: Shape | None, is_step: bool) -> None:
    """Check the shape of an array.

    Parameters
    ----------
    subject
        First words of the error.
    shape
        Its shape.
    wanted
        Size of each axis, or a text for an axis of any size; None if any shape may do.
    is_step
        Whether the axis of time may be missing.

    Raises
    ------
    InputError
        If it does not fit or has no elements.
    """
    if not shape or 0 in shape:
        raise InputError(subject, f"an array of shape {shape}", "wanted one with elements")
    if wanted is None:
        return
    if is_step and len(shape) == 2 and "time" in wanted:
        wanted = tuple(axis for axis in wanted if axis != "time")
    if len(shape) != len(wanted) or any(type(n) is int and n != size for n, size in zip(wanted, shape, strict=True)):
        raise InputError(subject, f"an array of shape {shape}", f"wanted ({', '.join(map(str, wanted))})")
