"""No object that a stranger's DL4J zip names is made in Java, and whatever is wrong with it is one line."""

from __future__ import annotations

import json
import struct
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dl4j_bridge
from dl4j_bridge import BridgeError, InputError
from dl4j_bridge.java import jvm
from dl4j_bridge.java.tensors import NativeArray
from dl4j_bridge.model import foreign_zip
from tests.conftest import run
from tests.faults.configuration_mutants import mutant
from tests.faults.zip_mutants import KINDS, Mutant, entries_of, hidden_entry, zipped

CANARY = "dl4jbridge.Canary"
MUTATED = ["graves77", "dense", "pictures", "graph", "recurrent-graph"]


@pytest.fixture
def canary(java):
    return jvm.java_class(CANARY)


def changed(path: Path, target: Path, change: Any) -> Path:
    """Copy a zip with `change(configuration)` applied to its configuration."""
    entries = entries_of(path.read_bytes())
    configuration = json.loads(entries["configuration.json"])
    change(configuration)
    entries["configuration.json"] = json.dumps(configuration).encode()
    target.write_bytes(zipped(list(entries.items())))
    return target


def refused(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        dl4j_bridge.open_network(path)
    check_one_line(str(caught.value), path)
    return str(caught.value)


def check_one_line(message: str, path: Path) -> None:
    assert message.startswith(f"{path}: ")
    assert len(message.splitlines()) == 1
    assert len(message) < 700


def first_layer(configuration: dict[str, Any]) -> dict[str, Any]:
    layer: dict[str, Any] = configuration["confs"][0]["layer"]
    return layer


def an_activation(configuration: Any) -> None:
    first_layer(configuration)["activationFn"] = {"@class": f"{CANARY}$Activation"}


def a_distribution(configuration: Any) -> None:
    first_layer(configuration)["weightInitFn"]["distribution"] = {"type": f"{CANARY}$Weights"}


def an_activation_in_an_old_wrapper(configuration: Any) -> None:
    first_layer(configuration)["activationFn"] = {f"{CANARY}$Activation": {}}


def a_second_class(configuration: Any) -> None:
    first_layer(configuration)["activationFn"]["inner"] = [{"@class": f"{CANARY}$Activation"}]


def an_activation_as_a_list(configuration: Any) -> None:
    first_layer(configuration)["activationFn"] = [f"{CANARY}$Activation", {}]


def a_layer(configuration: Any) -> None:
    configuration["confs"].append({"layer": {"@class": CANARY}})


def a_step_function(configuration: Any) -> None:
    configuration["confs"][0]["stepFunction"] = {CANARY: {}}


def a_text(configuration: Any) -> None:
    first_layer(configuration)["gradientNormalization"] = CANARY


def a_generic_class(configuration: Any) -> None:
    first_layer(configuration)["activationFn"]["@class"] = f"java.util.ArrayList<{CANARY}>"


def a_preprocessor(configuration: Any) -> None:
    configuration["inputPreProcessors"] = {"0": {"@class": CANARY}}


HOSTILE = [
    an_activation, a_distribution, an_activation_as_a_list, an_activation_in_an_old_wrapper, a_second_class, a_layer,
    a_step_function, a_text, a_generic_class, a_preprocessor,
]  # fmt: skip


@pytest.mark.parametrize("change", HOSTILE, ids=lambda change: change.__name__)
def test_no_class_of_a_stranger_is_made(canary, their_networks, tmp_path, change):
    before = canary.made()
    assert CANARY in refused(changed(their_networks / "dense.zip", tmp_path / "m.zip", change))
    assert canary.made() == before


@pytest.mark.parametrize("change", [an_activation, a_distribution, an_activation_as_a_list])
def test_java_alone_would_make_it(canary, their_networks, change):
    """Which shows that the canary counts, and what the check is for."""
    foreign = foreign_zip.read(their_networks / "dense.zip")
    change(foreign.configuration)
    before = canary.made()
    network = jvm.java_class("dl4jbridge.OpenedNetwork")
    network.of(foreign.json, False, NativeArray.of(foreign.parameters[None]).java, None)
    assert canary.made() > before


@pytest.mark.parametrize("name", ["own-layer", "own-wrapped"])
def test_a_lambda_of_the_user_is_refused_by_name(their_networks, name):
    assert "'TheirNetworks$Doubled'" in refused(their_networks / f"{name}.zip")
    result = run("info", their_networks / f"{name}.zip")
    assert result.status == 2
    assert "'TheirNetworks$Doubled'" in result.error


def test_a_layer_of_dl4j_that_runs_samediff_is_refused_by_name(their_networks):
    assert "'org.deeplearning4j.nn.conf.layers.LocallyConnected2D'" in refused(their_networks / "locally-connected.zip")


def test_a_normalizer_is_refused_with_the_way_around(their_networks):
    message = refused(their_networks / "normalized.zip")
    assert "entry normalizer.bin holds a normalizer" in message
    assert "save the network without it" in message


@pytest.mark.parametrize("name", ["preprocessor.bin", "updater.bin", "../evil", "a/B.class", "noParams.marker"])
def test_entries_that_stay_closed(canary, their_networks, tmp_path, name):
    path = tmp_path / "m.zip"
    entries = list(entries_of((their_networks / "dense.zip").read_bytes()).items())
    serialised = bytes(b & 0xFF for b in canary.serialised())
    before = canary.made()
    path.write_bytes(zipped([*entries, (name, serialised)]))
    assert f"entry {name}" in refused(path).replace("'", "")
    path.write_bytes(hidden_entry((their_networks / "dense.zip").read_bytes(), Random(3), serialised))
    assert "hidden entry" in refused(path)
    assert canary.made() == before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: first_layer(c).update(nin=2**40), "nin is 1099511627776; wanted 0 to 16777216"),
        (lambda c: first_layer(c).update(nout=2**31), "nout is 2147483648; wanted 0 to"),
        (lambda c: first_layer(c).update(nout=2**24), "expected length"),
        (lambda c: first_layer(c).update(nin="16777217"), "nin is '16777217'; wanted a whole number"),
        (lambda c: first_layer(c).update(nin=1e12), "wanted a whole number"),
        (lambda c: first_layer(c).update(nin=7), "expected length"),
        (lambda c: first_layer(c).update(biasInit=float("nan")), "biasInit is nan"),
        (lambda c: first_layer(c).update(layerName="a\x1b[31mb"), "control characters"),
        (lambda c: first_layer(c).update(activationFn=["Evil", {}]), "activationFn has texts in a list"),
        (lambda c: c.update(tbpttFwdLength=0), "tbpttFwdLength is 0"),
        (lambda c: c.update(confs=[]), "DL4J does not make this network"),
        (lambda c: c.pop("confs"), "neither a MultiLayerConfiguration nor a ComputationGraphConfiguration"),
        (lambda c: c.update(vertices={}), "neither a MultiLayerConfiguration nor a ComputationGraphConfiguration"),
        (lambda c: c["confs"][2]["layer"]["lossFn"].update(
            weights={"dataType": "FLOAT", "shape": [2**32, 2**32], "data": []}), "weights of a loss"),
    ],
)  # fmt: skip
def test_other_values_that_are_refused(java, their_networks, tmp_path, change, words):
    assert words in refused(changed(their_networks / "dense.zip", tmp_path / "m.zip", change))


def test_weights_of_a_loss_are_data(java, their_networks, tmp_path):
    def change(configuration):
        configuration["confs"][2]["layer"]["lossFn"]["weights"] = {
            "dataType": "DOUBLE", "shape": [1, 3], "data": [1.0, 2.0, 3.0],
        }  # fmt: skip

    network = dl4j_bridge.open_network(changed(their_networks / "dense.zip", tmp_path / "m.zip", change))
    x, y = (np.load(their_networks / "dense" / f"{name}.npy") for name in ("x0", "y0"))
    assert network.score(x, y) > dl4j_bridge.open_network(their_networks / "dense.zip").score(x, y)


@pytest.mark.parametrize(
    ("entry", "change", "words"),
    [
        ("configuration.json", lambda c: c.replace(b'"confs"', b'"a": 1, "a": 2, "confs"', 1), "key 'a' twice"),
        ("configuration.json", lambda c: c.decode().encode("utf-16"), "not UTF-8"),
        ("configuration.json", lambda c: b"[" * 100_000, "nested too deep"),
        ("configuration.json", lambda c: b'{"confs": ' + b"[" * 60 + b"]" * 60 + b"}", "nested too deep"),
        ("configuration.json", lambda c: b"[]", "neither a MultiLayerConfiguration"),
        ("coefficients.bin", lambda c: c[:-8] + struct.pack(">d", np.nan), "bin is not finite: number 114"),
        ("coefficients.bin", lambda c: c[:-8], "not an array of ND4J"),
        ("coefficients.bin", lambda c: c[:9], "not an array of ND4J"),
        ("updaterState.bin", lambda c: c[:-8] + struct.pack(">d", np.inf), "updaterState.bin is not finite"),
    ],
)  # fmt: skip
def test_damaged_entries(java, their_networks, tmp_path, entry, change, words):
    entries = entries_of((their_networks / "dense.zip").read_bytes())
    entries[entry] = change(entries[entry])
    path = tmp_path / "m.zip"
    path.write_bytes(zipped(list(entries.items())))
    assert words in refused(path)


def test_the_updater_of_another_network(java, their_networks, tmp_path):
    entries = entries_of((their_networks / "dense.zip").read_bytes())
    path = tmp_path / "m.zip"
    for other, words in (("pictures", "updaterState.bin holds float32, coefficients.bin float64"), (None, "differ in")):
        if other:
            state = entries_of((their_networks / f"{other}.zip").read_bytes())["updaterState.bin"]
        else:
            state = entries["coefficients.bin"]
        path.write_bytes(zipped(list((entries | {"updaterState.bin": state}).items())))
        assert words in refused(path)


def use(path: Path, inputs: list[Any], labels: list[Any]) -> None:
    """Open a network, run and train it; anything but one line of an error is a failure."""
    try:
        network = dl4j_bridge.open_network(path)
    except InputError as e:
        check_one_line(str(e), path)
        return
    with suppress(BridgeError):
        network.output(inputs[0] if len(inputs) == 1 else inputs)
        network.fit(*(part[0] if len(part) == 1 else part for part in (inputs, labels)))


@given(name=st.sampled_from(MUTATED), seed=st.integers(0, 2**32))
def test_a_mutant_of_a_configuration_makes_no_other_class(canary, their_networks, tmp_path_factory, capfd, name, seed):
    path = tmp_path_factory.getbasetemp() / "mutant.zip"
    entries = entries_of((their_networks / f"{name}.zip").read_bytes())
    configuration = mutant(json.loads(entries["configuration.json"]), Random(seed))
    path.write_bytes(zipped(list((entries | {"configuration.json": json.dumps(configuration).encode()}).items())))
    arrays = [[np.load(p) for p in sorted((their_networks / name).glob(f"{kind}[0-9].npy"))] for kind in "xy"]
    before = canary.made()
    use(path, *arrays)
    assert canary.made() == before


# The other kinds change entries of this package.
DL4J_KINDS = sorted({kind.__name__ for kind in KINDS} - {"json_value", "npz_header"})


@given(kind=st.sampled_from(DL4J_KINDS), seed=st.integers(0, 2**32))
def test_a_mutant_of_a_zip_is_refused_or_changes_nothing(java, their_networks, tmp_path_factory, kind, seed):
    original, path = their_networks / "graves77.zip", tmp_path_factory.getbasetemp() / "mutant.zip"
    path.write_bytes(Mutant(kind, seed).of(original.read_bytes()))
    try:
        found = foreign_zip.read(path)
    except InputError as e:
        check_one_line(str(e), path)
        return
    np.testing.assert_array_equal(found.parameters, foreign_zip.read(original).parameters)
