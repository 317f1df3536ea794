"""NumPy arrays in place of recordings: checked, and written to files where a file is wanted."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge.errors import InputError
from dl4j_bridge.signal import audio_files

Sound = npt.NDArray[np.floating]
Source = str | PathLike[str] | Sound
"""A path, or an array of shape (n,), mono, of floats between -1 and 1; what is beyond is clipped."""

# Format of the files. Unlike a float WAV it holds no time, so the same samples have the same hash.
SUBTYPE = "PCM_32"


def as_file(name: str, x: Source, rate: int | None, folder: Path) -> Path:
    """The path of a recording; an array is written into `folder`.

    Parameters
    ----------
    name
        Name of the argument, which becomes that of the file.
    x
        Path or array.
    rate
        Rate of an array, in Hz.
    folder
        An existing folder.

    Raises
    ------
    InputError
        The array is no mono sound, or its rate is missing.
    """
    if not isinstance(x, np.ndarray):
        return as_path(name, x)
    if rate is None:
        raise InputError("rate", f"not given, and {name} is an array", "wanted its rate in Hz, such as rate=44100")
    path = folder / f"{name}.wav"
    audio_files.write(path, [mono(name, x)], rate, SUBTYPE)
    return path


def as_path(name: str, x: Any) -> Path:
    """Refuse what is no path."""
    if not isinstance(x, str | PathLike):
        raise InputError(name, f"of type {type(x).__name__}", "wanted a path or a NumPy array")
    return Path(x)


def mono(name: str, x: npt.NDArray[Any]) -> Sound:
    """Refuse an array that is no mono sound."""
    if x.ndim != 1:
        raise InputError(name, f"an array of shape {x.shape}", "wanted one channel, shape (n,): x.mean(axis=1)")
    if x.dtype.kind != "f":
        raise InputError(name, f"an array of {x.dtype}", "wanted floats between -1 and 1: x / 32768 for 16 bits")
    if not x.size:
        raise InputError(name, "an array without samples", "wanted a recording")
    if not np.isfinite(x).all():
        raise InputError(name, f"sample {int(np.argmin(np.isfinite(x)))} is NaN or Inf", "wanted finite samples")
    return x
