"""The ``state_dict`` of a PyTorch module that consists of an ``nn.LSTM`` and an ``nn.Linear``.

In a ``.safetensors`` file, or in a ``.pt`` file that ``torch.load(weights_only=True)`` reads. The names of the two
parts are free; PyTorch's own names of their weights show which is which.
"""

from __future__ import annotations

import importlib
import io
import re
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge.errors import InputError
from dl4j_bridge.model.imports.format import Format, Imported, array
from dl4j_bridge.model.plain_lstm import PlainLayer, PlainLstm

State = Mapping[str, npt.NDArray[Any]]

# Maximum size in bytes that a zip of PyTorch may unpack to.
LARGEST = 1 << 30
_OF_LAYER = re.compile(r"(.*?)((?:weight|bias)_[a-z]+)_l(\d+)(_reverse)?")
# Rows of the recurrent weights for each unit.
_GATES = {4: "LSTM", 3: "GRU", 1: "RNN"}


def read(content: bytes) -> Imported:
    return Imported.of(lstm_of(_from_safetensors(content) if _is_safetensors(content) else _from_torch(content)), None)


def lstm_of(state: State) -> PlainLstm:
    """The network in a ``state_dict``.

    Raises
    ------
    ValueError
        It holds anything else than one LSTM and one linear layer.
    """
    state = dict(state)
    for name, values in state.items():
        if values.dtype.kind != "f":
            raise ValueError(f"{name[:80]} of type {values.dtype}")
    found = {name: match for name in state if (match := _OF_LAYER.fullmatch(name))}
    _check_names(found)
    layers: list[PlainLayer] = []
    inputs = None
    while f"weight_ih_l{len(layers)}" in {match[2] + "_l" + match[3] for match in found.values()}:
        part = {match[2]: state.pop(name) for name, match in found.items() if int(match[3]) == len(layers)}
        layers.append(_layer(part, len(layers), inputs))
        inputs = layers[0].cell.size
    if not layers:
        raise ValueError("no weight_ih_l0 of an nn.LSTM")
    return PlainLstm(tuple(layers), *_linear(state, layers[0].cell.size))


def _check_names(found: Mapping[str, re.Match[str]]) -> None:
    owners = sorted({match[1] for match in found.values()})
    if len(owners) > 1:
        raise ValueError(f"{len(owners)} recurrent modules: {', '.join(owner.rstrip('.')[:40] for owner in owners)}")
    for name, match in found.items():
        if match[4]:
            raise ValueError(f"{name[:80]} of a bidirectional LSTM")
        if match[2] == "weight_hr":
            raise ValueError(f"{name[:80]} of an LSTM with proj_size")


def _layer(part: State, number: int, inputs: int | None) -> PlainLayer:
    if "weight_hh" not in part or part["weight_ih"].ndim != 2 or part["weight_hh"].ndim != 2:
        raise ValueError(f"layer {number} without weight_ih and weight_hh of two dimensions")
    rows, units = part["weight_hh"].shape
    kind = _GATES.get(rows // units if units and rows % units == 0 else 0)
    if kind != "LSTM":
        raise ValueError(f"layer {number} is {f'a {kind}' if kind else f'of shape {(rows, units)}'}")
    kernel = array("weight_ih", part["weight_ih"], (rows, inputs or part["weight_ih"].shape[1]))
    biases = [array(name, part[name], (rows,)) for name in ("bias_ih", "bias_hh") if name in part]
    return PlainLayer.at_zero(kernel, array("weight_hh", part["weight_hh"], (rows, units)), sum(biases, np.zeros(rows)))


def _linear(rest: State, units: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Weights and bias of the only linear layer among what is left of a state."""
    name = next((name for name in rest if name.endswith("weight")), "")
    name_of_bias = name.removesuffix("weight") + "bias"
    if not name or set(rest) - {name, name_of_bias}:
        raise ValueError(f"beside an LSTM: {', '.join(n[:40] for n in sorted(rest)[:4]) or 'nothing'}")
    weights = rest[name]
    outputs = len(weights) if weights.ndim else 0
    bias = rest.get(name_of_bias, np.zeros(outputs))
    return array(name[:80], weights, (outputs, units)), array(name_of_bias[:80], bias, (outputs,))


def _is_safetensors(content: bytes) -> bool:
    return content[8:9] == b"{" and int.from_bytes(content[:8], "little") < len(content)


def _from_safetensors(content: bytes) -> State:
    safetensors = _imported("safetensors.numpy")
    try:
        return dict(safetensors.load(content))
    except Exception as e:
        # What its parser raises for a damaged file is not documented.
        raise ValueError(f"safetensors cannot read it ({_line(e)})") from None


def _from_torch(content: bytes) -> State:
    torch = _imported("torch")
    if content.startswith(b"PK"):
        _check_unpacked_size(content)
    try:
        found = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as e:
        # Likewise.
        raise ValueError(f"torch.load with weights_only cannot read it ({_line(e)})") from None
    # A checkpoint of Lightning has the state beside others.
    state = found.get("state_dict", found) if isinstance(found, dict) else None
    if not isinstance(state, dict) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise ValueError("no state_dict of tensors")
    return {str(name): values.detach().double().numpy() for name, values in state.items()}


def _check_unpacked_size(content: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as z:
            size = sum(info.file_size for info in z.infolist())
    except zipfile.BadZipFile as e:
        raise ValueError(f"damaged ({e})") from None
    if size > LARGEST:
        raise ValueError(f"unpacks to more than {LARGEST >> 20} MiB")


def _imported(module: str) -> Any:
    package = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ImportError:
        bring = f"bring it: python -m pip install {package}"
        raise InputError("--format pytorch", f"{package} is not installed", bring) from None


def _line(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:200] or type(error).__name__


def _recognises(content: bytes) -> bool:
    # A pickle of PyTorch before 1.6, and the zip of later ones, whose first entry is NAME/data.pkl.
    return _is_safetensors(content) or content[:2] == b"\x80\x02" or b"/data.pkl" in content[:400]


FORMAT = Format("the state_dict of one nn.LSTM and one nn.Linear", _recognises, read)
