"""No object that a model zip names is made in Java."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import numpy as np
import pytest

from dl4j_bridge.errors import BridgeError
from dl4j_bridge.java import jvm
from dl4j_bridge.model import model_zip
from tests.faults.zip_mutants import entries_of, hidden_entry, local_entry, zipped

ORIGINAL = Path(__file__).parents[1] / "data" / "version_0.1.0" / "samples.zip"
CANARY = "dl4jbridge.Canary"


@pytest.fixture
def canary(java):
    return jvm.java_class(CANARY)


def as_signed(content: bytes) -> list[int]:
    """Bytes as Java's."""
    return np.frombuffer(content, np.int8).tolist()


def hostile_zips(serialised: bytes) -> dict[str, bytes]:
    content = ORIGINAL.read_bytes()
    entries = entries_of(content)
    configuration = entries["configuration.json"].decode()
    adam = '"@class" : "org.nd4j.linalg.learning.config.Adam"'
    normal = '"type" : "org.deeplearning4j.nn.conf.distribution.NormalDistribution"'
    changed = {
        "first key": configuration.replace(adam, f'"@class": "{CANARY}", {adam}', 1),
        "only key": configuration.replace(adam, f'"@class": "{CANARY}"', 1),
        "type": configuration.replace(normal, f'"type": "{CANARY}"'),
        "step function": configuration.replace('"stepFunction" : null', f'"stepFunction": {{"@class": "{CANARY}"}}', 1),
    }
    assert all(text != configuration for text in changed.values())
    zips = {
        name: zipped(list((entries | {"configuration.json": text.encode()}).items())) for name, text in changed.items()
    }
    utf_16 = json.dumps(json.loads(changed["only key"])).encode("utf-16")
    zips["UTF-16"] = zipped(list((entries | {"configuration.json": utf_16}).items()))
    zips["listed entry"] = zipped([*entries.items(), ("preprocessor.bin", serialised)])
    zips["entry before the zip"] = local_entry("preprocessor.bin", serialised) + content
    for seed in range(10):
        zips[f"hidden entry {seed}"] = hidden_entry(content, Random(seed), serialised)
    return zips


def test_no_zip_makes_a_canary(canary, tmp_path):
    serialised = bytes(b & 0xFF for b in canary.serialised())
    before = canary.made()
    for name, content in hostile_zips(serialised).items():
        path = tmp_path / f"{name}.zip"
        path.write_bytes(content)
        with pytest.raises(BridgeError, match=path.name):
            model_zip.open_model(path).load()
        assert canary.made() == before, name
    canary()
    assert canary.made() == before + 1, "the canary does not count"


def test_java_deserialises_no_object_at_all(canary):
    serialised, before = canary.serialised(), canary.made()
    with pytest.raises(BridgeError, match="REJECTED"), jvm.java_errors("object"):
        canary.deserialised(serialised)
    assert canary.made() == before
