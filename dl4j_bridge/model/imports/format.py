"""What a format of another program is, and what is read from its files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge.model.plain_lstm import PlainLstm
from dl4j_bridge.settings.commands import ExportSettings, OutputSettings
from dl4j_bridge.untrusted import json_text

# What files store about a model beside its weights: a text or a number each.
METADATA = {f.name for f in fields(ExportSettings)} - {f.name for f in fields(OutputSettings)}
LONGEST_TEXT = 500
# Maximum size of a JSON file in bytes: weights take more room as text, and there more again as Python's numbers.
LARGEST_JSON = 256 << 20


@dataclass(frozen=True)
class Imported:
    """A network in the file of another program.

    Attributes
    ----------
    cell : {"graves", "lstm"}
    layers, hidden : int
        Number of recurrent layers, and of the units of each.
    inputs, outputs : int
        Values per time step.
    parameters : ndarray of float32, shape (n,)
        In the order of DL4J's flat vector; all finite.
    output : {"softmax", "linear", "sigmoid"} or None
        Activation of the output; None if the file does not store it, and then its weights are those of `plain`.
    rate : int or None
        Sample rate in Hz; None if the file does not store it.
    skip : bool or None
        Whether the input is added to the output; None if the file does not store it.
    metadata : dict
        Values of `METADATA`.
    plain : PlainLstm or None
        The network as the file has it, with the state from which it starts; None for DL4J's own files.
    """

    cell: str
    layers: int
    hidden: int
    inputs: int
    outputs: int
    parameters: npt.NDArray[np.float32]
    output: str | None
    rate: int | None = None
    skip: bool | None = None
    metadata: dict[str, str | float] = field(default_factory=dict)
    plain: PlainLstm | None = None

    @classmethod
    def of(
        cls,
        plain: PlainLstm,
        output: str | None = "linear",
        rate: float | None = None,
        skip: bool | None = None,
        metadata: Any = None,
    ) -> Imported:
        """Convert a network with gates in PyTorch's order; the other arguments are as the file has them.

        Raises
        ------
        ValueError
            A weight is not a finite number of single precision, or the rate is no whole number.
        """
        with np.errstate(over="ignore"):
            parameters = plain.parameters()
        if not (np.isfinite(parameters).all() and np.isfinite(plain.states).all()):
            raise ValueError("weights that are not finite")
        if rate is not None and not float(rate).is_integer():
            raise ValueError(f"a sample rate of {rate} Hz")
        first = plain.layers[0]
        return cls(
            "lstm",
            len(plain.layers),
            first.cell.size,
            first.input.shape[1],
            len(plain.bias),
            parameters,
            output,
            None if rate is None else int(rate),
            skip,
            _known(metadata),
            plain,
        )


@dataclass(frozen=True)
class Format:
    """A file format.

    Attributes
    ----------
    wanted
        What its files must hold, for errors.
    recognises
        Returns whether the content of a file looks like this format.
    read
        Returns the network in the content of a file. Raises `ValueError` for what is in the way.
    """

    wanted: str
    recognises: Callable[[bytes], bool]
    read: Callable[[bytes], Imported]


def keys(content: bytes) -> set[str]:
    """The keys of a JSON object; none if the content is something else."""
    if not content.lstrip().startswith(b"{"):
        return set()
    try:
        return set(parsed(content))
    except ValueError:
        return set()


def parsed(content: bytes) -> Any:
    """The value in a JSON file of limited size; raises as `json_text.parse` does."""
    if len(content) > LARGEST_JSON:
        raise ValueError(f"larger than {LARGEST_JSON >> 20} MiB")
    return json_text.parse(content)


def numbers(name: str, values: Any) -> npt.NDArray[np.float64]:
    """Numbers of a file, such as nested lists, as an array.

    Raises
    ------
    ValueError
        They are no numbers, or of no shape.
    """
    try:
        return np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name[:80]} holds no array of numbers") from None


def array(name: str, values: Any, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """Numbers of a file as an array.

    Raises
    ------
    ValueError
        They are no numbers, or have another shape.
    """
    found = numbers(name, values)
    if found.shape != shape:
        raise ValueError(f"{name} of shape {found.shape} instead of {shape}")
    return found


def _known(metadata: Any) -> dict[str, str | float]:
    stored = metadata if isinstance(metadata, dict) else {}
    found = {name: value for name, value in stored.items() if name in METADATA and type(value) in (str, int, float)}
    return {name: value[:LONGEST_TEXT] if isinstance(value, str) else float(value) for name, value in found.items()}
