"""ONNX: every task, both cells. ONNX's LSTM has peepholes, and its output gate sees the new cell state as GravesLSTM's.

The graph's input is ``input``: class indices, int64 of shape (time, batch), or vectors, float of shape (time, batch,
width). Its output is ``output``: probabilities or vectors, float of shape (time, batch, outputs). The state goes in as
``h0``, ``c0``, ``h1``, ... of shape (1, batch, units) and comes out as ``h0_next`` and so on, so that a recording may
be run in blocks of any size; it starts at zero. What must be known of codec, rate and windows is in the metadata.
"""

from __future__ import annotations

import importlib
import json
from typing import Any

import numpy as np

from dl4j_bridge.errors import InputError
from dl4j_bridge.model.exports.format import Format, Run, metadata
from dl4j_bridge.model.model_zip import OpenedModel
from dl4j_bridge.reference.parameters import gate_rows, unpack
from dl4j_bridge.settings.commands import ExportSettings

# LSTM is the same from opset 14 to 21. Older readers want an older IR version than today's.
OPSET, IR_VERSION = 14, 8
# Column blocks of DL4J's gates (block input, forget, output, input) in ONNX's order: input, output, forget, cell.
FROM_DL4J = (3, 2, 1, 0)
# DL4J's peepholes (forget, output, input) in the order input, output, forget.
PEEPHOLES_FROM_DL4J = (2, 1, 0)
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


def read(file: bytes) -> Run:
    session = _imported("onnxruntime").InferenceSession(file, providers=["CPUExecutionProvider"])
    states = {i.name: np.zeros((1, 1, i.shape[2]), np.float32) for i in session.get_inputs() if i.name != "input"}

    def run(x: Any) -> Any:
        x = x.astype(np.int64) if x.ndim == 1 else np.asarray(x, np.float32)
        return session.run(["output"], {"input": x[:, None], **states})[0][:, 0]

    return run


def _properties(model: OpenedModel, settings: ExportSettings) -> dict[str, str]:
    """Rate, delay, task and metadata, as strings: JSON for what is not a single value."""
    info = model.info
    task = {k: v for k, v in info.task.as_dict().items() if v is not None}
    found = {"rate": info.rate, "delay": info.delay, "silence": info.silence, **task, **metadata(model, settings)}
    return {name: v if isinstance(v, str) else json.dumps(v) for name, v in found.items()}


def _imported(package: str) -> Any:
    try:
        return importlib.import_module(package)
    except ImportError:
        bring = "bring it: python -m pip install onnx onnxruntime"
        raise InputError("--format onnx", f"{package} is not installed", bring) from None


FORMAT = Format(".onnx", check, content, read)
