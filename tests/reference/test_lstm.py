"""The reference as a model: training, Adam, and the files that it reads."""

from __future__ import annotations

import math
import struct
import zipfile

import numpy as np
import pytest

from dl4j_bridge import reference
from dl4j_bridge.errors import InputError
from dl4j_bridge.java.interface import Interface
from dl4j_bridge.java.network import Network
from dl4j_bridge.settings.training import NetworkSettings


def test_adam_by_hand():
    """The first gradient's root mean square is epsilon, which DL4J adds before it corrects the bias: half a step."""
    small = 1e-8 / math.sqrt(1 - 0.999)
    adam = reference.Adam(0.01)
    assert adam.step(np.array([1.0, 1.0]), np.array([small, -7.0])) == pytest.approx([0.995, 1.01], rel=1e-9)
    assert adam.step(np.array([0.0, 0.0]), np.array([0.0, -7.0]))[1] == pytest.approx(0.01, rel=1e-6)


def test_the_identity_is_learnt_without_java(cell):
    rng = np.random.default_rng(6)
    lstm = reference.ReferenceLstm.create(16, hidden=16, layers=2, outputs=16, seed=1, learning_rate=0.02, cell=cell)
    x = rng.integers(0, 16, (16, 40))
    bits = lstm.fit(x, x, steps=120, tbptt=20)
    assert bits[0] > 3
    held_out = rng.integers(0, 16, (16, 40))
    assert np.mean(lstm.run(held_out).argmax(axis=2) == held_out) > 0.99


def test_a_delay_is_learnt(cell):
    """The target is the input of two samples before, which a model without memory cannot predict."""
    x = np.random.default_rng(7).integers(0, 2, (16, 60))
    y = np.roll(x, 2, axis=1)
    lstm = reference.ReferenceLstm.create(2, hidden=12, layers=1, outputs=2, seed=1, learning_rate=0.03, cell=cell)
    lstm.fit(x[:, :40], y[:, :40], steps=200, tbptt=20)
    assert np.mean(lstm.run(x)[:, 40:].argmax(axis=2) == y[:, 40:]) > 0.99


def nd4j(values: np.ndarray, type_name: str = "FLOAT") -> bytes:
    """The format of ``Nd4j.write``."""

    def buffer(name: str, data: bytes, count: int) -> bytes:
        mode = b"MIXED_DATA_TYPES"
        head = struct.pack(">H", len(mode)) + mode + struct.pack(">Q", count)
        return head + struct.pack(">H", len(name)) + name.encode() + data

    numbers = values.astype({"FLOAT": ">f4", "DOUBLE": ">f8"}[type_name])
    return buffer("LONG", bytes(64), 8) + buffer(type_name, numbers.tobytes(), values.size)


def test_an_nd4j_array_is_read():
    values = np.array([1.5, -2, 1e-30], np.float32)
    found = reference.read_nd4j(nd4j(values))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, values)
    with pytest.raises(ValueError, match="type DOUBLE"):
        reference.read_nd4j(nd4j(values, "DOUBLE"))
    with pytest.raises(ValueError, match="buffer is smaller"):
        reference.read_nd4j(nd4j(values)[:-1])


def test_other_files_are_refused_in_one_line(java, tmp_path):
    Network.create(NetworkSettings(hidden=4), Interface.of_classes(8)).save(tmp_path / "model.zip", False)
    with zipfile.ZipFile(tmp_path / "model.zip") as z:
        entries = {name: z.read(name) for name in z.namelist()}
    coefficients, configuration = entries["coefficients.bin"], entries["configuration.json"]
    changes = {
        "truncated": ("coefficients.bin", coefficients[:900]),
        "another type": ("coefficients.bin", coefficients.replace(b"FLOAT", b"DOUBL")),
        "another cell": ("configuration.json", configuration.replace(b"layers.GravesLSTM", b"layers.LSTM")),
        "another layer": ("configuration.json", configuration.replace(b"layers.GravesLSTM", b"layers.SimpleRnn")),
        "no layers": ("configuration.json", b'{"confs": []}'),
    }
    for name, (entry, content) in changes.items():
        with zipfile.ZipFile(tmp_path / name, "w") as z:
            for key, value in (entries | {entry: content}).items():
                z.writestr(key, value)
        with pytest.raises(InputError, match="not a GravesLSTM or LSTM model"):
            reference.ReferenceLstm.load(tmp_path / name)
    with pytest.raises(InputError, match="not a GravesLSTM or LSTM model"):
        reference.ReferenceLstm.load(tmp_path / "missing.zip")
