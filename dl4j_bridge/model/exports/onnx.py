"""ONNX: every task, both cells. ONNX's LSTM has peepholes, and its output gate sees the new cell state as GravesLSTM's.

The graph's input is ``input``: class indices, int64 of shape (time, batch), or vectors, float of shape (time, batch,
width). Its output is ``output``: probabilities or vectors, float of shape (time, batch, outputs). The state goes in as
``h0``, ``c0``, ``h1``, ... of shape (1, batch, units) and comes out as ``h0_next`` and so on, so that a recording may
be run in blocks of any size; it starts at zero. What must be known of codec, rate and windows is in the metadata.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge.errors import InputError
from dl4j_bridge.model.exports.format import Format, Run, metadata
from dl4j_bridge.model.model_zip import OpenedModel
from dl4j_bridge.reference.parameters import gate_rows, unpack
from dl4j_bridge.settings.commands import ExportSettings
from dl4j_bridge.settings.training import MAX_RATE

# LSTM is the same from opset 14 to 21. Older readers want an older IR version than today's.
OPSET, IR_VERSION = 14, 8
# Column blocks of DL4J's gates (block input, forget, output, input) in ONNX's order: input, output, forget, cell.
FROM_DL4J = (3, 2, 1, 0)
# DL4J's peepholes (forget, output, input) in the order input, output, forget.
PEEPHOLES_FROM_DL4J = (2, 1, 0)
# What names an error where there is no file.
_FORMAT = "--format onnx"
ACTIVATIONS = {"softmax": "Softmax", "sigmoid": "Sigmoid"}


def check(model: OpenedModel) -> None:
    """Any model will do, if the packages are there."""
    for package in ("onnx", "onnxruntime"):
        _imported(package)


def content(model: OpenedModel, settings: ExportSettings) -> bytes:
    onnx = _imported("onnx")
    helper, floats = onnx.helper, onnx.TensorProto.FLOAT
    info = model.info
    ends, network = info.task.interface, info.settings.network
    units, one_hot = network.hidden, ends.input == "one-hot"
    found = unpack(model.stored.parameters, ends.inputs, units, network.layers, ends.outputs, network.cell)
    constants: list[Any] = []
    nodes: list[Any] = []

    def constant(name: str, values: Any) -> str:
        constants.append(onnx.numpy_helper.from_array(np.ascontiguousarray(values, np.float32), name))
        return name

    def node(kind: str, inputs: list[str], *outputs: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, list(outputs), **attributes))
        return outputs[0]

    constants.append(onnx.numpy_helper.from_array(np.array([1], np.int64), "direction"))
    signal = node("Gather", [constant("one_hot", np.eye(ends.inputs)), "input"], "vectors") if one_hot else "input"
    for i, layer in enumerate(found.layers):
        bias = np.concatenate([gate_rows(layer.b, FROM_DL4J)[:, 0], np.zeros(4 * units)])
        inputs = [
            signal,
            constant(f"W{i}", gate_rows(layer.W, FROM_DL4J)[None]),
            constant(f"R{i}", gate_rows(layer.recurrent, FROM_DL4J)[None]),
            constant(f"B{i}", bias[None]),
            "",
            f"h{i}",
            f"c{i}",
        ]
        if layer.peepholes is not None:
            inputs.append(constant(f"P{i}", layer.peepholes[list(PEEPHOLES_FROM_DL4J)].reshape(1, -1)))
        y = node("LSTM", inputs, f"y{i}", f"h{i}_next", f"c{i}_next", hidden_size=units)
        signal = node("Squeeze", [y, "direction"], f"layer{i}")
    signal = node("MatMul", [signal, constant("output_weights", found.output.W)], "weighted")
    activation = ACTIVATIONS.get(ends.output)
    last = [signal, constant("output_bias", found.output.b)]
    if activation:
        node(activation, [node("Add", last, "raw")], "output")
    elif ends.skip:
        node("Add", [node("Add", last, "difference"), "input"], "output")
    else:
        node("Add", last, "output")
    shape = ["time", "batch"] if one_hot else ["time", "batch", ends.inputs]
    states = [f"{name}{i}" for i in range(network.layers) for name in "hc"]
    graph = helper.make_graph(
        nodes,
        "dl4j_bridge",
        [
            helper.make_tensor_value_info("input", onnx.TensorProto.INT64 if one_hot else floats, shape),
            *(helper.make_tensor_value_info(state, floats, [1, "batch", units]) for state in states),
        ],
        [
            helper.make_tensor_value_info("output", floats, ["time", "batch", ends.outputs]),
            *(helper.make_tensor_value_info(f"{state}_next", floats, [1, "batch", units]) for state in states),
        ],
        constants,
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    helper.set_model_props(made, _properties(model, settings))
    onnx.checker.check_model(made, full_check=True)
    return bytes(made.SerializeToString())


class OnnxNetwork:
    """A network in a file that this module wrote, run by onnxruntime.

    Its streams are used like those of `java.network.Network`.

    Attributes
    ----------
    properties : dict of str
        What the file stores of codec, rate and the like.

    Raises
    ------
    InputError
        The package onnxruntime is missing; `subject` names what needs it.
    ValueError
        The file holds something else.
    """

    def __init__(self, file: bytes, subject: str | Path = _FORMAT) -> None:
        runtime = _imported("onnxruntime", subject)
        try:
            self._session = runtime.InferenceSession(file, providers=["CPUExecutionProvider"])
            self.properties = dict(self._session.get_modelmeta().custom_metadata_map)
            self._inputs = {i.name: i.shape for i in self._session.get_inputs()}
            self.silence = int(self.properties.get("silence", 0))
            if "input" not in self._inputs or "h0" not in self._inputs or not 0 <= self.silence <= MAX_RATE:
                raise ValueError("another graph")
        except Exception as e:  # onnxruntime has no common class for its errors
            raise ValueError(" ".join(str(e).split())[:200]) from None

    @property
    def hidden(self) -> tuple[int, ...]:
        """Units of each layer."""
        return tuple(shape[2] for name, shape in self._inputs.items() if name.startswith("h"))

    @property
    def width(self) -> int | None:
        """Values in a vector of the input; None for class indices."""
        shape = self._inputs["input"]
        return shape[2] if len(shape) == 3 else None

    def stream(self) -> OnnxStream:
        """Run class indices from the state of silence, or vectors."""
        return OnnxStream(self._session, {name: shape[2] for name, shape in self._inputs.items() if name != "input"})

    def dense_stream(self) -> OnnxStream:
        """Run vectors, after the silence that the file asks for."""
        stream = self.stream()
        if self.silence:
            stream.run(np.zeros((self.silence, self._inputs["input"][2]), np.float32))
        return stream


class OnnxStream:
    """A run that carries its state from block to block."""

    def __init__(self, session: Any, states: dict[str, int]) -> None:
        self._session = session
        self._states = {name: np.zeros((1, 1, units), np.float32) for name, units in states.items()}

    def run(self, x: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """The output for class indices, shape (n,), or vectors, shape (n, width)."""
        x = x.astype(np.int64) if x.ndim == 1 else np.asarray(x, np.float32)
        names = ["output", *(f"{name}_next" for name in self._states)]
        found, *states = self._session.run(names, {"input": x[:, None], **self._states})
        self._states = dict(zip(self._states, states, strict=True))
        return np.asarray(found[:, 0])

    def means(self, indices: npt.NDArray[np.uint8], values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The mean of `values`, one of each class, at each of the class indices; shape (n,)."""
        return self.run(indices).astype(np.float64) @ values


def read(file: bytes) -> Run:
    return OnnxNetwork(file).stream().run


def _properties(model: OpenedModel, settings: ExportSettings) -> dict[str, str]:
    """Rate, delay, task and metadata, as strings: JSON for what is not a single value."""
    info = model.info
    task = {k: v for k, v in info.task.as_dict().items() if v is not None}
    found = {"rate": info.rate, "delay": info.delay, "silence": info.silence, **task, **metadata(model, settings)}
    found["parameters"] = int(model.stored.parameters.size)
    return {name: v if isinstance(v, str) else json.dumps(v) for name, v in found.items()}


def _imported(package: str, subject: str | Path = _FORMAT) -> Any:
    try:
        return importlib.import_module(package)
    except ImportError:
        bring = "bring it: python -m pip install onnx onnxruntime"
        raise InputError(subject, f"{package} is not installed", bring) from None


FORMAT = Format(".onnx", check, content, read)
