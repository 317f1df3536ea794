"""A zip of a DL4J network that another program wrote: read and checked in Python.

As with a model of this package, Java never opens the file. It gets the checked numbers, and the configuration as JSON
that Python wrote again from the checked values.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge.errors import InputError
from dl4j_bridge.model import foreign_configuration, model_zip
from dl4j_bridge.model.stored_network import CONFIGURATION, PARAMETERS, UPDATER, array_in, check_finite
from dl4j_bridge.reference.dl4j_zip import read_floats
from dl4j_bridge.untrusted import files, json_text, zips

Floats = npt.NDArray[np.floating[Any]]

WANTED = "wanted a MultiLayerNetwork or ComputationGraph of DL4J's own layers, as DL4J saved it"
# Entries that DL4J writes and that stay closed.
_REFUSED = {
    "preprocessor.bin": "a serialised Java object, which may run code when Java reads it",
    "updater.bin": "a serialised Java object, which may run code when Java reads it",
    "normalizer.bin": "a normalizer, whose reader in Java makes objects of classes that the entry names",
    "noParams.marker": "a network without parameters",
}


@dataclass(frozen=True)
class ForeignNetwork:
    """A network that was read and checked.

    Attributes
    ----------
    path
        The zip.
    configuration
        Parsed ``configuration.json``; every class in it is one of `dl4j_classes.CLASSES`.
    parameters : ndarray of float32 or float64, shape (n,)
        In DL4J's order; all finite. Their type is that of the network.
    updater : ndarray of the same type, shape (m,), or None
        State of the updater; None if the zip has none.
    """

    path: Path
    configuration: dict[str, Any]
    parameters: Floats
    updater: Floats | None

    @property
    def is_graph(self) -> bool:
        """True for a ComputationGraph, False for a MultiLayerNetwork."""
        return "vertices" in self.configuration

    @property
    def json(self) -> str:
        """The configuration as JSON of this package's own making."""
        return json.dumps(self.configuration, allow_nan=False)


def is_foreign(path: Path) -> bool:
    """Return True for a zip with DL4J's configuration and no entry of this package; False if there is no such file."""
    try:
        names = zips.names(files.read(path, sum(model_zip.LARGEST.values()), WANTED))
    except InputError:
        return False
    return CONFIGURATION in names and not any(name.startswith("dl4j_bridge") for name in names)


def read(path: Path) -> ForeignNetwork:
    """Read and check a zip.

    Raises
    ------
    InputError
        Missing, not a zip, damaged, with other entries than a network has, with a class that is not one of DL4J's
        plain ones, or with numbers that are not finite.
    """
    largest = sum(model_zip.LARGEST.values())
    content = files.read(path, largest, WANTED)
    with refusals(path):
        if not zips.names(content):
            raise ValueError("not a zip")
        zips.check_layout(content)
        entries = zips.read(content, _largest, largest)
        for name in (CONFIGURATION, PARAMETERS):
            if name not in entries:
                raise ValueError(f"no entry {name}")
        configuration = _configuration(entries[CONFIGURATION])
        parameters = _floats(entries, PARAMETERS)
        updater = _floats(entries, UPDATER) if UPDATER in entries else None
        if updater is not None and updater.dtype != parameters.dtype:
            raise ValueError(f"{UPDATER} holds {updater.dtype}, {PARAMETERS} {parameters.dtype}")
    return ForeignNetwork(path, configuration, parameters, updater)


@contextmanager
def refusals(path: Path) -> Iterator[None]:
    """Turn the fault of an entry into one line."""
    try:
        yield
    except (ValueError, RecursionError) as e:
        raise InputError(path, f"{e}", WANTED) from None


def _largest(name: str) -> int | None:
    if name in _REFUSED:
        raise ValueError(f"entry {name} holds {_REFUSED[name]}: save the network without it")
    return model_zip.LARGEST.get(name)


def _configuration(content: bytes) -> dict[str, Any]:
    try:
        configuration = json_text.parse(content)
        if not isinstance(configuration, dict) or not ("confs" in configuration) ^ ("vertices" in configuration):
            raise ValueError("neither a MultiLayerConfiguration nor a ComputationGraphConfiguration")
        foreign_configuration.check(configuration)
    except ValueError as e:
        raise ValueError(f"{CONFIGURATION}: {e}") from None
    return configuration


def _floats(entries: dict[str, bytes], name: str) -> Floats:
    found = array_in(entries, name, read_floats)
    check_finite(name, found)
    return found
