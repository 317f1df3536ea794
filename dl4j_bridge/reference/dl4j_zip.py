"""Reads the parameters of a DL4J model zip without Java."""

import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge.errors import InputError
from dl4j_bridge.reference.parameters import Network, unpack

# DL4J's class of each cell.
CELLS = {"graves": "GravesLSTM", "lstm": "LSTM"}
_TYPES = {"LONG": ">i8", "FLOAT": ">f4", "DOUBLE": ">f8"}


def read_parameters(path: Path) -> Network:
    """Read the parameters of a DL4J zip with GravesLSTM or LSTM layers under an ``RnnOutputLayer``.

    Parameters
    ----------
    path : Path
        Such as ``model.zip`` of a run folder.

    Raises
    ------
    InputError
        If the file is not readable or contains another network.
    """
    try:
        with zipfile.ZipFile(path) as z:
            layers = [conf["layer"] for conf in json.loads(z.read("configuration.json"))["confs"]]
            flat = read_nd4j(z.read("coefficients.bin"))
        kinds = [layer["@class"].rpartition(".")[2] for layer in layers]
        cell = next((cell for cell, name in CELLS.items() if name == kinds[0]), None)
        if cell is None or kinds != [kinds[0]] * (len(kinds) - 1) + ["RnnOutputLayer"]:
            raise ValueError(f"layers {', '.join(kinds)}")
        sizes = layers[0]["nin"], layers[0]["nout"], len(layers) - 1, layers[-1]["nout"]
        return unpack(flat, *sizes, cell=cell)
    except (OSError, zipfile.BadZipFile, ValueError, KeyError, IndexError, TypeError, struct.error) as e:
        raise InputError(path, f"not a GravesLSTM or LSTM model ({e})", "wanted model.zip of a run folder") from None


def read_nd4j(content: bytes) -> npt.NDArray[np.float32]:
    """Read an array of 32-bit floats; see `read_floats`."""
    values = read_floats(content)
    if values.dtype != np.float32:
        raise ValueError("an ND4J array of type DOUBLE")
    return values.astype(np.float32, copy=False)


def read_floats(content: bytes) -> npt.NDArray[np.floating[Any]]:
    """Read an array of floats in the format of ``Nd4j.write``: a buffer with its shape, then one with its values.

    A buffer consists of the name of its allocation mode, its length (8 bytes), the name of its type and its values.
    Each name is preceded by its length (2 bytes). All numbers are big-endian.

    Parameters
    ----------
    content : bytes

    Returns
    -------
    ndarray of float32 or float64, shape (n,)
        The values in the order of the buffer.

    Raises
    ------
    ValueError
        If the array has another type than 32-bit or 64-bit floats or is truncated.
    struct.error
        If it is truncated before the values.
    """

    def buffer(at: int) -> tuple[npt.NDArray[Any], int]:
        (mode_size,) = struct.unpack_from(">H", content, at)
        count, type_size = struct.unpack_from(">QH", content, at + 2 + mode_size)
        at += 2 + mode_size + 10
        name = content[at : at + type_size].decode()
        if name not in _TYPES:
            raise ValueError(f"an ND4J array of type {name[:20]}")
        if count > len(content):
            raise ValueError(f"an ND4J array of {count} values in {len(content)} bytes")
        values = np.frombuffer(content, _TYPES[name], count, at + type_size)
        return values, at + type_size + values.nbytes

    _, end = buffer(0)
    values, _ = buffer(end)
    if values.dtype.kind != "f":
        raise ValueError("an ND4J array of type LONG")
    return values.astype(values.dtype.newbyteorder("="))
