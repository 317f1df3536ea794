"""A DL4J network of any kind as a Python object: inference, time steps, training, parameters, files.

>>> import dl4j_bridge
>>> network = dl4j_bridge.open_network("theirs.zip")
>>> network.output(x).shape
(2, 77, 12)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge.atomic_files import check_output, temporary_name
from dl4j_bridge.errors import BridgeError, InputError
from dl4j_bridge.java import jvm
from dl4j_bridge.java.tensors import NAMES, NativeArray
from dl4j_bridge.model import foreign_zip, layers
from dl4j_bridge.model.foreign_zip import ForeignNetwork
from dl4j_bridge.model.given_arrays import Array, Arrays, by_name, check_shape, numbers
from dl4j_bridge.model.layers import Layer, Shape
from dl4j_bridge.model.stored_network import CONFIGURATION

Floats = npt.NDArray[np.floating[Any]]


def open_network(path: str | PathLike[str]) -> OpenedNetwork:
    """Open any network of DL4J's own layers, which starts the JVM.

    The file is treated as data of a stranger: Python checks it, and Java makes only objects of DL4J's classes that
    describe networks. ``docs/opening-networks.md`` lists what is refused.

    Parameters
    ----------
    path
        A zip that ``MultiLayerNetwork.save``, ``ComputationGraph.save`` or ``ModelSerializer`` wrote.

    Returns
    -------
    OpenedNetwork

    Raises
    ------
    InputError
        Missing, damaged, with a class that is not one of DL4J's plain ones, with a normalizer or another Java object,
        or with numbers that are not finite or do not fit the layers.
    BridgeError
        If the JVM cannot start.
    """
    return OpenedNetwork(foreign_zip.read(Path(path)))


class Parameters(Mapping[str, Floats]):
    """The parameters of a network by DL4J's names, such as ``0_W`` or ``lstm1_RW``.

    Reading returns a copy, of shape, memory order and data type as DL4J has them. Assigning copies into the network::

        network.params["0_W"] *= 0.5

    Parameters
    ----------
    java : dl4jbridge.OpenedNetwork
    """

    def __init__(self, java: Any) -> None:
        self._java = java
        self._names = [str(name) for name in java.names()]

    def __getitem__(self, name: str) -> Floats:
        return self._native(name).read()

    def __setitem__(self, name: str, values: npt.ArrayLike) -> None:
        """Copy values into the network.

        Raises
        ------
        KeyError
            If the network has no parameter of that name.
        InputError
            If the shape is another one, or the values are not numbers.
        """
        native = self._native(name)
        array = numbers(f"params[{name!r}]", values)
        if array.shape != native.shape:
            raise InputError(f"params[{name!r}]", f"an array of shape {array.shape}", f"wanted {native.shape}")
        native.fill(array)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of each, without copying values."""
        return {name: self._native(name).shape for name in self._names}

    def _native(self, name: str) -> NativeArray:
        if name not in self._names:
            raise KeyError(name)
        return NativeArray(self._java.parameter(name))


class OpenedNetwork:
    """A ``MultiLayerNetwork`` or ``ComputationGraph`` in the JVM. Made by `open_network`.

    Arrays have DL4J's shapes: ``[batch, features]`` for dense layers, ``[batch, features, time]`` for recurrent ones,
    ``[batch, channels, height, width]`` for pictures, or with the last axis that the layer was configured for. Floats,
    integers and booleans in any memory order are taken, and copied once, to the network's data type. Results are new
    arrays of that type, which the caller owns.

    A network with several inputs takes a list in its order or a dict by name. A network with several outputs returns a
    dict by name.

    Parameters
    ----------
    foreign : ForeignNetwork

    Attributes
    ----------
    path : Path
        The zip it came from.
    inputs, outputs : tuple of str
        Names of the inputs and outputs; ``x`` and ``y`` in a MultiLayerNetwork.
    layers : tuple of Layer
        Its layers and other vertices: name, kind, sizes, number of parameters, activation, loss, updater.
    params : Parameters
        Mapping of NumPy arrays by DL4J's names, to read and to write.
    dtype : numpy.dtype
        float32 or float64.
    """

    def __init__(self, foreign: ForeignNetwork) -> None:
        self.path = foreign.path
        self.dtype = foreign.parameters.dtype
        self._configuration = foreign.configuration
        self._java = _in_java(foreign)
        self.params = Parameters(self._java)
        try:
            self.layers: tuple[Layer, ...] = layers.describe(foreign.configuration, self.params.shapes())
            self._input_shapes = layers.input_shapes(foreign.configuration)
            self._label_shapes = layers.label_shapes(foreign.configuration)
        except (ValueError, KeyError, TypeError, AttributeError) as e:
            raise InputError(
                self.path, f"{CONFIGURATION} does not describe a network ({e})", foreign_zip.WANTED
            ) from None
        self.inputs, self.outputs = tuple(self._input_shapes), tuple(self._label_shapes)
        # One for each input and label of the last call, since most calls have the same shapes.
        self._native: dict[str, NativeArray] = {}
        # Number of sequences whose state is kept.
        self._sequences: int | None = None

    def output(self, x: Arrays) -> Floats | dict[str, Floats]:
        """Run the network on a batch, as for inference. The state of `step` is neither used nor changed.

        Parameters
        ----------
        x : array_like
            The input, such as ``[batch, features, time]``; for several inputs a list or a dict by name.

        Returns
        -------
        ndarray or dict of str to ndarray
            The output, such as ``[batch, classes, time]``; of several outputs each by its name.

        Raises
        ------
        InputError
            If a shape or a data type does not fit the network.
        BridgeError
            If DL4J fails.
        """
        given = self._given("x", x, self._input_shapes)
        return self._results(self._java.output, given)

    def step(self, x: Arrays) -> Floats | dict[str, Floats]:
        """Run the next time step or steps, from the state that the last call left: DL4J's ``rnnTimeStep``.

        Parameters
        ----------
        x : array_like
            ``[batch, features]`` for one time step, ``[batch, features, time]`` for several.

        Returns
        -------
        ndarray or dict of str to ndarray
            The output with as many axes as the input.

        Raises
        ------
        InputError
            If a shape or a data type does not fit the network, or the batch has another size than the kept state.
        BridgeError
            If DL4J fails, for example since a layer needs the whole sequence.
        """
        given = self._given("x", x, self._input_shapes, is_step=True)
        sequences = given["x0"].shape[0]
        if self._sequences not in (None, sequences):
            raise InputError(
                "x", f"{sequences} sequences after {self._sequences}", "wanted the same number, or clear_state() first"
            )
        found = self._results(self._java.step, given)
        self._sequences = sequences
        return found

    def clear_state(self) -> None:
        """Let the next `step` start from the zero state."""
        with self._java_errors():
            self._java.clearState()
        self._sequences = None

    def fit(self, x: Arrays, y: Arrays, updates: int = 1) -> float:
        """Train on a batch: DL4J's ``fit``.

        A network that was configured for truncated backpropagation through time makes one update for each segment of
        its ``tBPTTLength``, from the state at the end of the segment before; the state of `step` is cleared.

        Parameters
        ----------
        x, y : array_like
            Inputs and labels; for several inputs or outputs lists or dicts by name.
        updates : int
            Number of times to fit the batch.

        Returns
        -------
        float
            The score before the last update, as DL4J counts it: the mean over the batch of the sum over time, with
            regularisation.

        Raises
        ------
        InputError
            If a shape or a data type does not fit the network, or `updates` is less than 1.
        BridgeError
            If DL4J fails.
        """
        if updates < 1:
            raise InputError("updates", str(updates), "wanted 1 or more")
        tensors = self._pair(x, y)
        score = 0.0
        with self._java_errors():
            for _ in range(updates):
                score = float(self._java.fit(*tensors))
        if layers.is_truncated(self._configuration):
            self._sequences = None
        return score

    def score(self, x: Arrays, y: Arrays) -> float:
        """Return DL4J's score of a batch without training: the loss as in `fit`.

        Parameters
        ----------
        x, y : array_like
            As in `fit`.

        Raises
        ------
        InputError
            If a shape or a data type does not fit the network.
        BridgeError
            If DL4J fails.
        """
        tensors = self._pair(x, y)
        with self._java_errors():
            return float(self._java.score(*tensors))

    def summary(self) -> str:
        """Return DL4J's own table of the layers."""
        with self._java_errors():
            return str(self._java.summary()).strip()

    def save(self, path: str | PathLike[str], overwrite: bool = False, updater: bool = True) -> None:
        """Write a plain DL4J zip, which appears whole or not at all.

        Parameters
        ----------
        path
            File to write; never the one that the network was opened from.
        overwrite
            Whether an existing file may be replaced.
        updater
            Whether to store the updater's state, which further training needs.

        Raises
        ------
        InputError
            If the file exists and `overwrite` is False, or its folder does not exist.
        BridgeError
            If it cannot be written, as on a full disk.
        """
        target = Path(path)
        check_output(target, overwrite, [self.path])
        with temporary_name(target) as temporary, self._java_errors():
            self._java.save(str(temporary), updater)

    def as_dict(self) -> dict[str, Any]:
        """Return what ``dl4j-bridge info --json`` prints: what the network was when it was opened."""
        conf = self._configuration
        return {
            "kind": "ComputationGraph" if "vertices" in conf else "MultiLayerNetwork",
            "data_type": str(self.dtype),
            "parameters": sum(layer.parameters for layer in self.layers),
            "updates": conf.get("iterationCount"),
            "tbptt": conf.get("tbpttFwdLength") if layers.is_truncated(conf) else None,
            "inputs": {name: shape and list(shape) for name, shape in self._input_shapes.items()},
            "outputs": list(self.outputs),
            "layers": [vars(layer) for layer in self.layers],
        }

    def __repr__(self) -> str:
        kinds = ", ".join(f"{layer.kind} {layer.outputs or ''}".strip() for layer in self.layers)
        return f"OpenedNetwork({str(self.path)!r}): {kinds}"

    def _pair(self, x: Arrays, y: Arrays) -> tuple[list[Any], list[Any]]:
        features = self._given("x", x, self._input_shapes)
        labels = self._given("y", y, self._label_shapes)
        sizes = {array.shape[0] for array in (*features.values(), *labels.values())}
        if len(sizes) > 1:
            raise InputError("y", f"batches of {', '.join(map(str, sorted(sizes)))} in x and y", "wanted one size")
        return self._tensors(features), self._tensors(labels)

    def _given(
        self, subject: str, values: Arrays, shapes: Mapping[str, Shape | None], is_step: bool = False
    ) -> dict[str, Array]:
        """Check the arrays of a call; return them by ``x0``, ``x1``, ..."""
        found = {}
        for number, (name, array) in enumerate(by_name(subject, values, list(shapes)).items()):
            label = subject if len(shapes) == 1 else f"{subject}[{name!r}]"
            found[f"{subject}{number}"] = numbers(label, array)
            check_shape(label, found[f"{subject}{number}"].shape, shapes[name], is_step)
        return found

    def _results(self, method: Any, given: dict[str, Array]) -> Floats | dict[str, Floats]:
        tensors = self._tensors(given)
        with self._java_errors():
            found = [NativeArray(tensor).read() for tensor in method(tensors)]
        return found[0] if len(found) == 1 else dict(zip(self.outputs, found, strict=True))

    def _tensors(self, given: dict[str, Array]) -> list[Any]:
        """Copy arrays to ND4J, each to the memory of the last call if that has the same shape and memory order."""
        for name, array in given.items():
            order = "f" if array.flags.fnc else "c"
            native = self._native.get(name)
            if native is None or (native.shape, native.order) != (array.shape, order):
                native = NativeArray.zeros(array.shape, NAMES[self.dtype], order)
                self._native[name] = native
            native.fill(array)
        return [self._native[name].java for name in given]

    def _java_errors(self) -> Any:
        return jvm.java_errors(str(self.path))


def _in_java(foreign: ForeignNetwork) -> Any:
    stored = [
        None if values is None else NativeArray.of(values[None]).java
        for values in (foreign.parameters, foreign.updater)
    ]
    try:
        with foreign_zip.refusals(foreign.path), jvm.java_errors(str(foreign.path)):
            return jvm.java_class("dl4jbridge.OpenedNetwork").of(foreign.json, foreign.is_graph, *stored)
    except BridgeError as e:
        reason = getattr(e.__cause__, "innermessage", None)
        if reason is None or "out of memory" in str(e):
            raise
        # Jackson quotes the configuration around the place.
        reason = re.sub(r"\s+at \[Source: .*?column: \d+\]", "", reason, flags=re.S)[:300]
        raise InputError(foreign.path, f"DL4J does not make this network ({reason})", foreign_zip.WANTED) from e
