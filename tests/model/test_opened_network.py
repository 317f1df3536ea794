"""A network that plain DL4J saved computes in Python what it computed there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dl4j_bridge
from dl4j_bridge import BridgeError, InputError
from dl4j_bridge.model import foreign_zip
from tests.conftest import EXAMPLES, run, run_ok

RECURRENT = ["graves77", "lstm256", "recurrent-graph"]
ALL = [*RECURRENT, "dense", "pictures", "graph"]
# Java adds in another order where its matrix has another memory order.
TOLERANCE = 1e-6


class Theirs:
    """A network, and what Java computed with it."""

    def __init__(self, folder: Path, name: str) -> None:
        self.zip = folder / f"{name}.zip"
        self.network = dl4j_bridge.open_network(self.zip)
        self._folder = folder / name

    def array(self, name: str) -> np.ndarray[Any, Any]:
        found: np.ndarray[Any, Any] = np.load(self._folder / f"{name}.npy")
        return found

    def all(self, kind: str) -> Any:
        """The array of each input or label, in the form that the network takes."""
        found = [np.load(path) for path in sorted(self._folder.glob(f"{kind}[0-9].npy"))]
        return found[0] if len(found) == 1 else found


@pytest.fixture
def theirs(their_networks, java):
    return lambda name: Theirs(their_networks, name)


def close(found: Any, wanted: Any) -> None:
    np.testing.assert_allclose(found, wanted, rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize("name", [*ALL, "sequence", "flat-picture"])
def test_output(theirs, name):
    them = theirs(name)
    found = them.network.output(them.all("x"))
    for number, output in enumerate(found.values() if isinstance(found, dict) else [found]):
        close(output, them.array(f"output{number}"))
        assert output.dtype == them.network.dtype
        assert output.flags.owndata


@pytest.mark.parametrize("name", RECURRENT)
def test_time_steps(theirs, name):
    them = theirs(name)
    x = them.all("x")
    for _ in range(2):
        close(them.network.step(x[:, :, 0]), them.array("step0"))
        close(them.network.step(x[:, :, 1:4]), them.array("step1"))
        # The state is carried on, so the same input gives another output.
        assert abs(them.network.step(x[:, :, 1:4]) - them.array("step1")).max() > TOLERANCE
        them.network.clear_state()


@pytest.mark.parametrize("name", ALL)
def test_score_and_training(theirs, name, tmp_path):
    """The three recurrent ones cut the sequence into segments, the updater continues from its stored state."""
    them = theirs(name)
    x, y = them.all("x"), them.all("y")
    before, after = them.array("score").ravel()
    close(them.network.score(x, y), before)
    close(them.network.fit(x, y), after)
    saved = tmp_path / "fitted.zip"
    them.network.save(saved)
    close(foreign_zip.read(saved).parameters, them.array("fitted").ravel())
    close(dl4j_bridge.open_network(saved).score(x, y), them.network.score(x, y))


def test_several_updates_and_the_stored_state_of_the_updater(theirs, tmp_path):
    once, twice = theirs("lstm256"), theirs("lstm256")
    x, y = once.all("x"), once.all("y")
    once.network.fit(x, y)
    once.network.save(tmp_path / "once.zip")
    again = dl4j_bridge.open_network(tmp_path / "once.zip")
    score = twice.network.fit(x, y, updates=2)
    assert again.fit(x, y) == score
    for name, values in twice.network.params.items():
        np.testing.assert_array_equal(again.params[name], values)
    once.network.save(tmp_path / "bare.zip", updater=False)
    bare = dl4j_bridge.open_network(tmp_path / "bare.zip")
    bare.fit(x, y)
    assert any((bare.params[name] != values).any() for name, values in twice.network.params.items())


def test_arrays_of_any_type_and_order(theirs):
    them = theirs("graves77")
    x = them.all("x")
    wanted = them.network.output(x)
    strided = np.zeros((4, 154, 24))[::2, ::2, ::2]
    strided[...] = x
    for values in (np.asfortranarray(x), x.astype(np.float64), x.astype(np.uint8), x.astype(bool), strided, x.tolist()):
        close(them.network.output(values), wanted)
    wanted[...] = 7
    close(them.network.output(x), them.array("output0"))


def test_results_stay_when_the_network_runs_again(theirs):
    them = theirs("lstm256")
    x = them.all("x")
    first = them.network.output(x)
    them.network.output(np.roll(x, 3, axis=1))
    close(first, them.array("output0"))


def test_inputs_and_outputs_by_name(theirs):
    them = theirs("graph")
    left, right = them.all("x")
    assert them.network.inputs == ("left", "right")
    by_name, by_order = them.network.output({"right": right, "left": left}), them.network.output([left, right])
    assert list(by_name) == list(by_order) == list(them.network.outputs) == ["class", "value"]
    for name, values in by_name.items():
        np.testing.assert_array_equal(values, by_order[name])
    labels = dict(zip(("class", "value"), them.all("y"), strict=True))
    close(them.network.score([left, right], labels), them.array("score").ravel()[0])


def test_parameters_are_read_and_written(theirs):
    them = theirs("recurrent-graph")
    network, x = them.network, them.all("x")
    assert list(network.params) == ["lstm1_W", "lstm1_RW", "lstm1_b", "out_W", "out_b"]
    assert network.params["lstm1_W"].shape == (5, 28)
    network.params["lstm1_W"][...] = 0  # a copy
    close(network.output(x), them.array("output0"))
    network.params["out_b"] = network.params["out_b"] + np.array([1, 2])
    close(network.output(x), them.array("output0") + np.array([1, 2])[:, None])
    network.params["out_W"] *= 0
    close(network.output(x), np.broadcast_to(network.params["out_b"].reshape(2, 1), (2, 2, 8)))
    with pytest.raises(InputError, match=r"^params\['out_b'\]: an array of shape \(3,\); wanted \(2,\)$"):
        network.params["out_b"] = np.zeros(3)
    with pytest.raises(KeyError):
        network.params["out_w"] = np.zeros((7, 2))


def test_parameters_are_those_of_dl4j(theirs):
    """The output of a dense network, in NumPy."""
    them = theirs("pictures")
    p = them.network.params
    x = them.all("x")
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(2, 3))
    maps = np.maximum(np.einsum("bchwij,ocij->bohw", windows, p["0_W"]) + p["0_b"].reshape(1, -1, 1, 1), 0)
    pooled = maps.reshape(3, 4, 3, 2, 3, 2).max(axis=(3, 5)).reshape(3, -1)
    hidden = pooled @ p["2_W"] + p["2_b"].reshape(-1)
    hidden = np.where(hidden > 0, hidden, 0.01 * hidden)
    np.testing.assert_allclose(them.network.output(x), hidden @ p["3_W"] + p["3_b"].reshape(-1), atol=1e-5)


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda n, x, y: n.output(x[:, :5]), r"x: an array of shape (2, 5, 12); wanted (batch, 77, time)"),
        (lambda n, x, y: n.output(x[0]), r"x: an array of shape (77, 12); wanted (batch, 77, time)"),
        (lambda n, x, y: n.output(x[:0]), r"x: an array of shape (0, 77, 12); wanted one with elements"),
        (lambda n, x, y: n.output(x * 1j), r"x: complex64 values; wanted floats or integers"),
        (lambda n, x, y: n.output([[1], [2, 3]]), r"x: not an array ("),
        (lambda n, x, y: n.output({"z": x}), r"x: arrays for z; wanted one array for each of x"),
        (lambda n, x, y: n.step(x[:, :5, 0]), r"x: an array of shape (2, 5); wanted (batch, 77)"),
        (lambda n, x, y: n.fit(x, y[:1]), r"y: batches of 1, 2 in x and y; wanted one size"),
        (lambda n, x, y: n.fit(x, y[:, :76]), r"y: an array of shape (2, 76, 12); wanted (batch, 77, time)"),
        (lambda n, x, y: n.fit(x, y, updates=0), r"updates: 0; wanted 1 or more"),
        (lambda n, x, y: [n.step(x[:, :, 0]), n.step(x[:1, :, 0])], r"x: 1 sequences after 2; wanted the same"),
    ],
)  # fmt: skip
def test_wrong_arrays_are_refused_in_one_line(theirs, call, line):
    them = theirs("graves77")
    with pytest.raises(InputError) as caught:
        call(them.network, them.all("x"), them.all("y"))
    assert str(caught.value).startswith(line)
    close(them.network.output(them.all("x")), them.array("output0"))


def test_what_only_dl4j_notices_is_one_line_too(theirs):
    them = theirs("graves77")
    with pytest.raises(BridgeError) as caught:
        them.network.score(them.all("x"), them.all("y")[:, :, :5])
    assert str(caught.value).startswith(f"{them.zip}: Java reports ")
    assert len(str(caught.value).splitlines()) == 1


def test_a_graph_wants_an_array_for_each_input(theirs):
    them = theirs("graph")
    left, right = them.all("x")
    for given in (left, [left], {"left": left}):
        with pytest.raises(InputError, match="wanted one array for each of left, right"):
            them.network.output(given)
    with pytest.raises(InputError, match=r"^x\['right'\]: an array of shape \(3, 2\); wanted \(batch, 3\)$"):
        them.network.output([left, right[:, :2]])


def test_saving_replaces_nothing_unasked(theirs, tmp_path):
    network, target = theirs("dense").network, tmp_path / "out.zip"
    network.save(target)
    content = target.read_bytes()
    with pytest.raises(InputError, match="exists already"):
        network.save(target)
    network.params["0_W"] *= 2
    network.save(target, overwrite=True)
    assert target.read_bytes() != content
    with pytest.raises(InputError, match="the same file as the input"):
        network.save(network.path, overwrite=True)
    assert os.listdir(tmp_path) == ["out.zip"]


def test_a_model_of_this_package_is_a_dl4j_network_too(effect_run):
    network = dl4j_bridge.open_network(effect_run / "model.zip")
    assert [layer.kind for layer in network.layers] == ["GravesLSTM", "GravesLSTM", "RnnOutputLayer"]
    assert network.output(np.eye(256)[None, :, :9]).shape == (1, 256, 9)


def test_layers_and_summary(theirs):
    network = theirs("sequence").network
    kinds = [layer.kind for layer in network.layers]
    assert kinds[:2] == ["Convolution1DLayer", "Bidirectional(LSTM)"]
    assert sum(layer.parameters for layer in network.layers) == foreign_zip.read(network.path).parameters.size
    assert "Bidirectional" in network.summary()
    assert "Bidirectional(LSTM) 4" in repr(network)


def test_info(their_networks):
    path = their_networks / "graves77.zip"
    shown = run_ok("info", path).stdout
    for words in (
        "graves77.zip: MultiLayerNetwork, 13,845 parameters, float32", "GravesLSTM", "RmsProp(0.01)", "MCXENT",
        "input x: [batch, 77, time]", "updates so far: 9; tBPTT: 5",
    ):  # fmt: skip
        assert words in shown
    about = run_ok("info", path, "--json").json
    assert (about["kind"], about["tbptt"], about["parameters"]) == ("MultiLayerNetwork", 5, 13845)
    assert about["layers"][0] == {
        "name": "0", "kind": "GravesLSTM", "inputs": 77, "outputs": 24, "parameters": 9864, "activation": "TanH",
        "loss": None, "updater": "RmsProp(0.01)",
    }  # fmt: skip


def test_info_of_what_is_neither(tmp_path):
    path = tmp_path / "notes.zip"
    path.write_text("no zip")
    assert run("info", path).error == (
        f"error: {path}: not a model zip; wanted model.zip of a run folder, as `train` wrote it"
    )


def test_the_character_example_generates_text_and_learns(their_networks, tmp_path):
    text = tmp_path / "play.txt"
    text.write_text("To be, or not to be; that is the question. " * 20)
    command = [sys.executable, EXAMPLES / "char_rnn.py", their_networks / "graves77.zip", "--characters", "30"]
    env = os.environ | {"PYTHONPATH": str(EXAMPLES.parent)}
    plain = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout
    assert plain.startswith("The ")
    assert len(plain) == len("The ") + 30 + 1
    trained = [*command, "--train", text, "--batches", "3", "--save", tmp_path / "better.zip"]
    said = subprocess.run(trained, env=env, capture_output=True, text=True, check=True).stdout
    assert said.startswith("score: ")
    assert dl4j_bridge.open_network(tmp_path / "better.zip").params["0_W"].shape == (77, 96)


def test_importing_and_naming_it_starts_no_jvm():
    code = "import sys, dl4j_bridge; dl4j_bridge.open_network; print('jnius' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
