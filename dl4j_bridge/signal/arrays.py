"""NumPy arrays in place of recordings: checks, and conversion to files where a job needs a file."""

from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge import object_store
from dl4j_bridge.errors import InputError
from dl4j_bridge.signal import audio_files

Sound = npt.NDArray[np.floating]
Source = str | PathLike[str] | Sound
"""A path, or a mono array of floats of shape (n,), nominally -1 to 1; values outside that range are clipped."""

# Unlike a float WAV, this format stores no timestamp, so equal samples have equal hashes.
SUBTYPE = "PCM_32"


def as_file(name: str, x: Source, rate: int | None, folder: Path) -> Path:
    """Return the path of a recording; an array is first written into `folder`.

    Parameters
    ----------
    name
        Name of the argument, for errors and for the file.
    x
        Path or array.
    rate
        Sample rate of an array, in Hz.
    folder
        Existing folder for the file.

    Raises
    ------
    InputError
        If the array is not a mono sound, or its rate is missing.
    """
    if not isinstance(x, np.ndarray):
        return as_path(name, x)
    if rate is None:
        raise InputError("rate", f"not given, and {name} is an array", "wanted its rate in Hz, such as rate=44100")
    path = folder / f"{name}.wav"
    audio_files.write(path, [mono(name, x)], rate, SUBTYPE)
    return path


def as_path(name: str, x: Any) -> Path:
    """Convert `x` to a path, or raise `InputError` if it is of another type."""
    if not isinstance(x, str | PathLike):
        raise InputError(name, f"of type {type(x).__name__}", "wanted a path or a NumPy array")
    return object_store.as_path(x)


def mono(name: str, x: npt.NDArray[Any]) -> Sound:
    """Return `x`, or raise `InputError` if it is not a mono sound of finite floats."""
    if x.ndim != 1:
        raise InputError(name, f"an array of shape {x.shape}", "wanted one channel, shape (n,): x.mean(axis=1)")
    if x.dtype.kind != "f":
        raise InputError(name, f"an array of {x.dtype}", "wanted floats between -1 and 1: x / 32768 for 16 bits")
    if not x.size:
        raise InputError(name, "an array without samples", "wanted a recording")
    if not np.isfinite(x).all():
        raise InputError(name, f"sample {int(np.argmin(np.isfinite(x)))} is NaN or Inf", "wanted finite samples")
    # libsndfile takes no half and no extended precision.
    return x if x.dtype.itemsize in (4, 8) else x.astype(np.float32)
