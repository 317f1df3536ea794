"""Models of other programs compute here what they do there; what does not fit is refused by name."""

from __future__ import annotations

import json
import math
import pickle
import shutil
import subprocess
import zipfile
from pathlib import Path
from random import Random

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save, save_file

import dl4j_bridge
from dl4j_bridge.errors import BridgeError, InputError
from dl4j_bridge.java import installation, jars
from dl4j_bridge.jobs.adopt import adopt
from dl4j_bridge.model import imports, model_zip
from dl4j_bridge.settings.commands import AdoptSettings
from tests.conftest import run as cli_run
from tests.faults import zip_mutants
from tests.faults.test_made_up_files import accepted
from tests.model.test_model_zip import keep, rewritten
from tests.test_docs import DOCS, fenced, with_our_programs

RATE = 8000
JAVA = Path(__file__).with_name("ForeignNetworks.java")
# Of the networks in Java.
STEPS = 300


# --- A network in PyTorch's layout, and its arithmetic, by NumPy alone.


def state_of(layers=2, units=6, inputs=1, outputs=1, seed=3):
    rng = np.random.default_rng(seed)
    state = {}
    for k in range(layers):
        width = units if k else inputs
        shapes = {"weight_ih": (4 * units, width), "weight_hh": (4 * units, units), "bias_ih": 4 * units}
        for name, shape in {**shapes, "bias_hh": 4 * units}.items():
            state[f"rec.{name}_l{k}"] = rng.normal(0, 0.4, shape).astype(np.float32)
    state["lin.weight"] = rng.normal(0, 0.5, (outputs, units)).astype(np.float32)
    state["lin.bias"] = rng.normal(0, 0.5, outputs).astype(np.float32)
    return state


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def lstm(state, x, start=None):
    """The output for vectors of shape (n, inputs), and (h, c) of each layer at the end."""
    signal, ends, k = np.asarray(x, np.float64), [], 0
    while f"rec.weight_ih_l{k}" in state:
        w, r, b, d = (state[f"rec.{n}_l{k}"].astype(float) for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
        h, c = start[k] if start else np.zeros((2, r.shape[1]))
        outputs = []
        for value in signal:
            i, f, g, o = np.split(w @ value + r @ h + b + d, 4)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
            outputs.append(h)
        signal, k = np.array(outputs), k + 1
        ends.append((h, c))
    return signal @ state["lin.weight"].T.astype(float) + state["lin.bias"], ends


def nam_of(state, start, **more):
    weights, k = [], 0
    while f"rec.weight_ih_l{k}" in state:
        w, r, b, d = (state[f"rec.{n}_l{k}"] for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
        weights += [*np.hstack([w, r]).ravel(), *(b + d), *start[k][0], *start[k][1]]
        k += 1
    weights += [*state["lin.weight"].ravel(), *state["lin.bias"]]
    config = {"input_size": 1, "hidden_size": r.shape[1], "num_layers": k}
    return {
        "version": "0.5.4",
        "architecture": "LSTM",
        "config": config,
        "weights": [float(v) for v in weights],
        "sample_rate": RATE,
    } | more


def at_rest(state):
    return lstm(state, np.zeros((3000, 1)))[1]


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(5).uniform(-0.7, 0.7, 1000).astype(np.float32)


@pytest.fixture
def nam(tmp_path):
    """Write a `.nam` file with changes of its content."""

    def write(changes=None, state=None, start=None):
        state = state or state_of()
        path = tmp_path / "theirs.nam"
        path.write_text(json.dumps(nam_of(state, start or at_rest(state)) | (changes or {})))
        return path

    return write


def adopted(path, out, **settings):
    """The result, and the run."""
    return adopt(path, out, AdoptSettings(**settings)), dl4j_bridge.load(out)


# --- .nam


def test_a_nam_file_sounds_the_same_from_the_first_sample(java, nam, x, tmp_path):
    state = state_of()
    result, run = adopted(nam(), tmp_path / "run")
    assert result["difference"] < 1e-5
    assert result["notes"] == []
    assert 100 < run.about["silence"] < RATE
    assert run.about["origin"]["format"] == "nam"
    wanted, _ = lstm(state, x[:, None], at_rest(state))
    np.testing.assert_allclose(run.process(x), wanted[:, 0], atol=1e-5)
    from_zero, _ = lstm(state, x[:, None])
    assert np.abs(from_zero - wanted).max() > 1e-2, "a state that makes no difference would not be noticed"


def test_a_nam_file_leaves_as_it_came(java, nam, x, tmp_path):
    known = {"name": "Small amp", "gear_make": "Example", "input_level_dbu": 12.5}
    source = nam({"metadata": known | {"loudness": -18.0, "date": {"year": 2024}, "gear_type": None}})
    _, run = adopted(source, tmp_path / "run")
    exported = run.export("nam", tmp_path / "again.nam", gear_make="Another")
    assert exported["difference"] < 1e-5
    before, after = (json.loads(path.read_text()) for path in (source, tmp_path / "again.nam"))
    assert after["config"] == before["config"]
    np.testing.assert_allclose(after["weights"], before["weights"], atol=1e-6)
    metadata = after["metadata"]
    assert {name: metadata[name] for name in known} == known | {"gear_make": "Another"}
    assert metadata["date"]["year"] > 2024
    assert "gear_type" not in metadata


@pytest.mark.parametrize("format_name", ["rtneural", "onnx"])
def test_a_format_without_a_state_asks_for_the_silence(java, nam, tmp_path, format_name):
    state = state_of(layers=1, units=8)
    _, run = adopted(nam(state=state), tmp_path / "run")
    exported = run.export(format_name, tmp_path / "out")
    assert exported["silence"] == run.about["silence"] > 0
    assert exported["difference"] < 1e-5


def test_a_nam_file_that_starts_at_zero_needs_no_silence(java, nam, x, tmp_path):
    state, zeros = state_of(), [np.zeros((2, 6))] * 2
    result, run = adopted(nam(start=zeros), tmp_path / "run")
    assert run.about["silence"] == 0
    assert result["notes"] == []
    np.testing.assert_allclose(run.process(x), lstm(state, x[:, None])[0][:, 0], atol=1e-5)


def test_a_state_that_silence_does_not_lead_to_is_measured(java, nam, x, tmp_path):
    state, start = state_of(), [np.full((2, 6), 0.7)] * 2
    result, run = adopted(nam(start=start), tmp_path / "run")
    (note,) = result["notes"]
    measured = float(note.split("differs by ")[1].split()[0])
    assert run.about["silence"] == RATE // 2
    theirs, ours = lstm(state, x[:, None], start)[0][:, 0], run.process(x)
    assert np.abs(theirs - ours).max() == pytest.approx(measured, rel=0.5)
    np.testing.assert_allclose(ours[-200:], theirs[-200:], atol=1e-5)


def test_nams_own_package_writes_what_is_adopted(java, x, tmp_path):
    torch = pytest.importorskip("torch")
    recurrent = pytest.importorskip("nam.models.recurrent")
    torch.manual_seed(0)
    network = recurrent.LSTM(hidden_size=7, num_layers=2).eval()
    weights = network._export_weights()
    network.import_weights(weights)
    stored = {"version": "0.5.4", "architecture": "LSTM", "config": network._export_config()}
    (tmp_path / "a.nam").write_text(json.dumps(stored | {"weights": weights.tolist()}))
    result, run = adopted(tmp_path / "a.nam", tmp_path / "run")
    assert result["notes"] == []
    assert run.rate == 48_000
    with torch.inference_mode():
        theirs = network(torch.from_numpy(x), pad_start=True).numpy().ravel()
    np.testing.assert_allclose(run.process(x), theirs, atol=1e-5)


# --- PyTorch, RTNeural, Proteus


@pytest.mark.parametrize("prefixes", [("rec.", "lin."), ("", "head."), ("net.lstm.", "net.out.")])
def test_a_safetensors_file_sounds_the_same(java, x, tmp_path, prefixes):
    state = state_of()
    renamed = {k.replace("rec.", prefixes[0]).replace("lin.", prefixes[1]): v for k, v in state.items()}
    save_file(renamed, tmp_path / "m.safetensors")
    result, run = adopted(tmp_path / "m.safetensors", tmp_path / "run", rate=RATE, skip=True)
    assert result["format"] == "pytorch"
    wanted = lstm(state, x[:, None])[0][:, 0] + x
    np.testing.assert_allclose(run.process(x), wanted, atol=1e-5)


@pytest.mark.parametrize("legacy", [False, True])
def test_torchs_own_file_sounds_the_same(java, x, tmp_path, legacy):
    torch = pytest.importorskip("torch")
    torch.manual_seed(1)
    parts = torch.nn.ModuleDict({"lstm": torch.nn.LSTM(1, 5, 2, batch_first=True), "head": torch.nn.Linear(5, 1)})
    torch.save(parts.state_dict(), tmp_path / "m.pt", _use_new_zipfile_serialization=not legacy)
    torch.save({"epoch": 3, "state_dict": parts.state_dict()}, tmp_path / "m.ckpt")
    with torch.inference_mode():
        wanted = parts["head"](parts["lstm"](torch.from_numpy(x)[None, :, None])[0]).numpy().ravel()
    for name in ("m.pt", "m.ckpt"):
        _, run = adopted(tmp_path / name, tmp_path / f"run-{name}", rate=RATE)
        np.testing.assert_allclose(run.process(x), wanted, atol=1e-5)


def test_a_pickle_of_anything_but_tensors_is_not_run(tmp_path):
    pytest.importorskip("torch")

    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "made"), "w"))

    (tmp_path / "m.pt").write_bytes(pickle.dumps({"a": Evil()}, protocol=2))
    with pytest.raises(InputError, match="weights_only cannot read it"):
        adopt(tmp_path / "m.pt", tmp_path / "run", AdoptSettings(rate=RATE))
    assert not (tmp_path / "made").exists()


def test_256_classes_of_pytorch_give_its_probabilities(java, tmp_path):
    state = state_of(layers=1, inputs=256, outputs=256)
    save_file(state, tmp_path / "m.safetensors")
    with pytest.raises(InputError, match="--task: not given for 256 inputs and 256 outputs; wanted one of samples"):
        adopt(tmp_path / "m.safetensors", tmp_path / "run", AdoptSettings(rate=RATE))
    options = {"task": "samples", "codec": "mulaw", "rate": RATE, "pre_emphasis": 0.5}
    _, run = adopted(tmp_path / "m.safetensors", tmp_path / "run", **options)
    assert {name: run.about[name] for name in ("codec", "pre_emphasis")} == {"codec": "mulaw", "pre_emphasis": 0.5}
    indices = np.random.default_rng(0).integers(0, 256, 200, dtype=np.uint8)
    logits = lstm(state, np.eye(256)[indices])[0]
    wanted = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    found = model_zip.open_model(tmp_path / "run").load().network.stream().run(indices)
    np.testing.assert_allclose(found, wanted, atol=1e-6)


@pytest.mark.parametrize("format_name", ["rtneural", "proteus"])
def test_json_of_plug_ins(java, x, tmp_path, format_name):
    state = state_of(layers=1, units=40)
    columns = [state["rec.weight_ih_l0"].T, state["rec.weight_hh_l0"].T]
    bias = state["rec.bias_ih_l0"] + state["rec.bias_hh_l0"]
    dense = [state["lin.weight"].T.tolist(), state["lin.bias"].tolist()]
    recurrent = {"type": "lstm", "shape": [None, None, 40], "weights": [*(c.tolist() for c in columns), bias.tolist()]}
    stored = {
        "rtneural": {
            "in_shape": [None, None, 1],
            "layers": [recurrent, {"type": "dense", "activation": "", "shape": [None, None, 1], "weights": dense}],
            "in_skip": 1,
            "samplerate": 44100.0,
        },
        "proteus": {
            "model_data": {"unit_type": "LSTM", "skip": 1, "hidden_size": 40},
            "state_dict": {name: values.tolist() for name, values in state.items()},
        },
    }[format_name]
    (tmp_path / "amp.json").write_text(json.dumps(stored))
    result, run = adopted(tmp_path / "amp.json", tmp_path / "run")
    assert (result["format"], run.rate) == (format_name, 44100)
    np.testing.assert_allclose(run.process(x), lstm(state, x[:, None])[0][:, 0] + x, atol=1e-5)
    assert run.export(format_name, tmp_path / "again.json")["difference"] < 1e-5


# --- DL4J


@pytest.fixture(scope="module")
def foreign(effect_run, tmp_path_factory):
    """A folder with the zips of `ForeignNetworks.java`; `again.zip` is `effect_run`'s."""
    folder = tmp_path_factory.mktemp("foreign")
    class_path = ":".join(str(p) for p in jars.class_path() if p.name != jars.OURS)
    java = installation.find_java().home / "bin" / "java"
    subprocess.run(
        [java, "-cp", class_path, JAVA, folder, effect_run / "model.zip"], check=True, capture_output=True, timeout=300
    )
    return folder


@pytest.mark.parametrize("name", ["graves", "lstm"])
def test_classes_of_java_get_its_probabilities(java, foreign, tmp_path, name):
    result, _ = adopted(foreign / f"{name}.zip", tmp_path / "run", rate=RATE, codec="linear", predicts="next")
    assert (result["task"], result["format"]) == ("samples", "dl4j")
    indices = (np.arange(STEPS) * 37 % 256).astype(np.uint8)
    found = model_zip.open_model(tmp_path / "run").load().network.stream().run(indices)
    wanted = np.fromfile(foreign / f"{name}.output", ">f4").reshape(STEPS, 256)
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    assert wanted.std() > 1e-4


@pytest.mark.parametrize(("name", "width"), [("amp", 1), ("frames", 5)])
def test_numbers_of_java_are_the_same(java, foreign, tmp_path, name, width):
    _, run = adopted(foreign / f"{name}.zip", tmp_path / "run", rate=RATE)
    samples = (0.5 * np.sin(0.1 * np.arange(STEPS * width))).astype(np.float32)
    np.testing.assert_allclose(run.process(samples), np.fromfile(foreign / f"{name}.output", ">f4"), atol=1e-5)


def test_our_own_model_that_java_saved_again(java, foreign, effect_run, recordings, tmp_path):
    result, run = adopted(foreign / "again.zip", tmp_path / "run", like=effect_run)
    before = dl4j_bridge.load(effect_run)
    assert result["notes"] == []
    same = ("task", "codec", "rate", "pairs", "delay", "settings", "training")
    assert {name: run.about[name] for name in same} == {name: before.about[name] for name in same}
    np.testing.assert_array_equal(run.process(recordings[0]), before.process(recordings[0]))
    # Its recordings and its baselines are known: the held-out part is compared.
    rows = run.compare()
    assert rows.part == "test"
    assert [row["name"] for row in rows] == [row["name"] for row in before.compare()]


def test_like_keeps_the_silence(java, nam, x, tmp_path):
    _, first = adopted(nam(), tmp_path / "first")
    entries = ("configuration.json", "coefficients.bin")
    rewritten(tmp_path / "first" / "model.zip", tmp_path / "m.zip", lambda n, c: c if n in entries else None)
    result, run = adopted(tmp_path / "m.zip", tmp_path / "run", like=tmp_path / "first")
    assert result["difference"] < 1e-5
    assert run.about["silence"] == first.about["silence"] > 0
    np.testing.assert_array_equal(run.process(x), first.process(x))


def test_metrics_of_other_weights_are_not_taken_over(java, foreign, effect_run, tmp_path):
    other = dl4j_bridge.adopt(foreign / "graves.zip", out=tmp_path / "a", rate=RATE, codec="linear")
    with pytest.raises(InputError, match=r"a network of 2 x 8 graves, .*; wanted for --like: 2 x 16 graves"):
        dl4j_bridge.adopt(foreign / "graves.zip", out=tmp_path / "b", like=effect_run)
    about = dl4j_bridge.adopt(foreign / "graves.zip", out=tmp_path / "b", like=tmp_path / "a").about
    assert about["codec"] == other.about["codec"]
    assert "training" not in about


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("vocabulary", "77 inputs and 77 softmax outputs; wanted for a task: 256 classes"),
        ("sizes", "layers of several sizes: 6, 8 units"),
        ("mixed", "layers of several kinds: LSTM, GravesLSTM"),
        ("simple", "layer 0 is of the kind recurrent.SimpleRnn"),
        ("both", "layer 0 is of the kind recurrent.Bidirectional"),
        ("relu", "layer 0 has activationFn org.nd4j.linalg.activations.impl.ActivationReLU"),
        ("loss", "an output with the activation linear and the loss LossMAE"),
        ("normalized", "entry normalizer.bin: its scale of the input is a Java object"),
        ("graph", "a ComputationGraph"),
    ],
)
def test_networks_of_java_that_are_refused_by_name(foreign, tmp_path, name, words):
    refused(foreign / f"{name}.zip", tmp_path, words, rate=RATE)


def test_entries_that_java_would_deserialise(foreign, effect_run, tmp_path):
    for name, words in (("preprocessor.bin", "preprocessor.bin: its scale"), ("a/b.class", "unknown entry")):
        path = rewritten(foreign / "amp.zip", tmp_path / "m.zip", keep)
        with zipfile.ZipFile(path, "a") as z:
            z.writestr(name, b"\xac\xed\x00\x05")
        refused(path, tmp_path, words, rate=RATE)
    refused(effect_run / "model.zip", tmp_path, "it is a model of this program already", rate=RATE)


def test_a_configuration_that_names_foreign_classes(foreign, tmp_path):
    def change(name, content):
        return content.replace(b"org.nd4j.linalg.learning.config.RmsProp", b"com.evil.Gadget")

    refused(rewritten(foreign / "amp.zip", tmp_path / "m.zip", change), tmp_path, "com.evil.Gadget", rate=RATE)


# --- Every command.


def test_the_command_shows_the_proof_and_what_to_type_next(nam, tmp_path):
    found = cli_run("adopt", nam(), "--out", tmp_path / "run")
    assert found.status == 0, found.stderr
    assert "run: 2 x 6 lstm, frames at 8000 Hz, from nam\non 4,000 samples of noise: differs" in found.stdout
    assert f"dl4j-bridge train --from {tmp_path / 'run'} --input A.wav --target B.wav" in found.stderr
    again = cli_run("adopt", nam(), "--out", tmp_path / "run")
    assert again.status == 2
    assert "a folder with other files in it" in again.error


def test_an_adopted_model_is_fine_tuned(java, nam, recordings, x, tmp_path):
    _, run = adopted(nam(), tmp_path / "run")
    options = {"steps": 2, "batch": 2, "length": 100, "tbptt": 50, "warm_up": 0, "learning_rate": 1e-9}
    tuned = dl4j_bridge.train(*recordings, start=tmp_path / "run", out=tmp_path / "tuned", report=False, **options)
    sizes = {"cell": "lstm", "layers": 2, "hidden": 6, "rate": RATE}
    assert tuned.get_params().items() >= sizes.items()
    # Hardly anything was learned, so it is the same network, but that training starts it from zero.
    np.testing.assert_allclose(tuned.process(x)[-200:], run.process(x)[-200:], atol=1e-4)
    assert tuned.export("nam", tmp_path / "tuned.nam")["difference"] < 1e-5


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="the page's commands are a shell's")
def test_the_page_can_be_followed_word_for_word(java, nam, foreign, effect_run, recordings, tmp_path, monkeypatch):
    nam().rename(tmp_path / "amp.nam")
    save_file(state_of(), tmp_path / "amp.safetensors")
    copies = {"graves.zip": "theirs.zip", "again.zip": "again.zip"}
    for source, name in [*((foreign / a, b) for a, b in copies.items()), *((r, r.name) for r in recordings)]:
        shutil.copy(source, tmp_path / name)
    (tmp_path / "runs").mkdir()
    shutil.copytree(effect_run, tmp_path / "runs" / "ours")
    env, page = with_our_programs(tmp_path / "bin"), DOCS / "adopting.md"
    blocks = fenced(page, "sh")
    assert len(blocks) == 6
    for block in blocks:
        done = subprocess.run(
            ["bash", "-ec", block], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, block + done.stderr
    frames = soundfile.info(recordings[0]).frames
    assert soundfile.info(tmp_path / "amped.wav").frames == frames
    assert soundfile.info(tmp_path / "new.wav").frames == 11025
    assert json.loads((tmp_path / "mine.nam").read_text())["config"]["num_layers"] == 2
    about = dl4j_bridge.load(tmp_path / "runs" / "mine").about
    assert (about["silence"], about["rate"]) == (0, RATE)
    assert "origin" not in about
    monkeypatch.chdir(tmp_path)
    shutil.rmtree("runs/amp")
    (code,) = fenced(page, "python")
    names = {"dl4j_bridge": dl4j_bridge}
    exec(code, names)
    assert names["y"].size == frames
    found, _ = soundfile.read("amped.wav")
    np.testing.assert_allclose(found, names["y"], atol=1e-4)


def test_an_adopted_model_is_diagnosed(java, foreign, recordings, tmp_path):
    _, run = adopted(foreign / "graves.zip", tmp_path / "run", rate=11025, codec="linear")
    assert repr(run).endswith("11025 Hz, adopted")
    found = cli_run(
        "diagnose",
        "--model",
        tmp_path / "run",
        "--input",
        recordings[0],
        "--target",
        recordings[1],
        "--quick",
        "--out",
        tmp_path / "report",
        "--json",
    )
    # Random weights are worse than a copy, and nothing else is wrong.
    assert [finding["code"] for finding in found.json["findings"]] == ["noisier-than-baseline"], found.stderr


def test_what_needs_the_recordings_of_the_training_says_so(java, nam, tmp_path):
    _, run = adopted(nam(), tmp_path / "run")
    with pytest.raises(InputError, match="adopted, so no recordings are known; wanted compare"):
        run.compare()
    with pytest.raises(InputError, match=r"no last\.zip to resume from; .* of an adopted model, start one with: train"):
        run.resume(steps=5)
    assert run.curves() == {}


# --- What is refused, before anything is written.


def refused(path, folder, words, **settings):
    before = sorted(folder.rglob("*"))
    with pytest.raises(InputError) as e:
        adopt(path, folder / "run", AdoptSettings(**settings))
    assert words in str(e.value)
    assert len(str(e.value).splitlines()) == 1
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"architecture": "WaveNet"}, "nam: architecture WaveNet; wanted a .nam of the architecture LSTM"),
        ({"architecture": "ConvNet"}, "architecture ConvNet"),
        ({"weights": [0.0] * 70}, "70 weights, too few"),
        ({"weights": [0.0] * 1000}, "too many"),
        ({"weights": ["x"]}, "$.weights[0]"),
        ({"weights": [1e300] * 535}, "weights that are not finite"),
        ({"weights": [math.nan] * 535}, "weights that are not finite"),
        ({"config": {"input_size": 1, "hidden_size": 1 << 30, "num_layers": 1 << 30}}, "too few"),
        ({"config": {"input_size": 1, "hidden_size": 0, "num_layers": 1}}, "$.config.hidden_size"),
        ({"config": []}, "$.config"),
        ({"sample_rate": 44100.5}, "a sample rate of 44100.5 Hz"),
        ({"sample_rate": 1e300}, "--rate: 1000000000000"),
    ],
)
def test_nam_files_that_are_refused(nam, tmp_path, changes, words):
    refused(nam(changes), tmp_path, words)


def test_a_key_twice(nam, tmp_path):
    path = nam()
    path.write_text(path.read_text().replace('{"version"', '{"architecture": "LSTM", "version"'))
    refused(path, tmp_path, "key 'architecture' twice", format="nam")


def without(state, *names):
    return {name: values for name, values in state.items() if name not in names}


def rows(state, gates, units=6):
    return {k: v[: gates * units] if k.startswith("rec.") else v for k, v in state.items()}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: rows(s, 3), "layer 0 is a GRU"),
        (lambda s: rows(s, 1), "layer 0 is a RNN"),
        (lambda s: s | {"rec.weight_ih_l0_reverse": s["rec.weight_ih_l0"]}, "of a bidirectional LSTM"),
        (lambda s: s | {"rec.weight_hr_l0": s["lin.weight"]}, "of an LSTM with proj_size"),
        (lambda s: s | {"rec2.weight_ih_l0": s["rec.weight_ih_l0"]}, "2 recurrent modules: rec, rec2"),
        (lambda s: s | {"lin2.weight": s["lin.weight"]}, "beside an LSTM: lin.bias, lin.weight, lin2.weight"),
        (lambda s: s | {"norm.running_mean": s["lin.bias"]}, "beside an LSTM: lin.bias, lin.weight, norm.running_mean"),
        (lambda s: without(s, "lin.weight", "lin.bias"), "beside an LSTM: nothing"),
        (lambda s: without(s, *(k for k in s if k.startswith("rec"))), "no weight_ih_l0 of an nn.LSTM"),
        (lambda s: without(s, "rec.weight_hh_l0"), "layer 0 without weight_ih and weight_hh"),
        (lambda s: s | {"rec.weight_ih_l1": s["rec.weight_ih_l0"]}, "weight_ih of shape (24, 1) instead of (24, 6)"),
        (lambda s: s | {"lin.weight": np.zeros((1, 5), np.float32)}, "lin.weight of shape (1, 5) instead of (1, 6)"),
        (lambda s: s | {"lin.bias": np.zeros(1, np.int32)}, "lin.bias of type int32"),
        (lambda s: s | {"lin.bias": np.full(1, np.nan, np.float32)}, "weights that are not finite"),
        (lambda s: state_of(outputs=2), "1 inputs and 2 outputs; wanted for a task"),
        (lambda s: state_of(inputs=77, outputs=76), "77 inputs and 76 outputs"),
    ],
)
def test_states_of_pytorch_that_are_refused(tmp_path, change, words):
    save_file({k: np.ascontiguousarray(v) for k, v in change(state_of()).items()}, tmp_path / "m.safetensors")
    refused(tmp_path / "m.safetensors", tmp_path, words, rate=RATE)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"layers": [{"type": "gru"}, {"type": "dense"}]}, "rtneural: layers gru, dense"),
        ({"layers": [{"type": "conv1d"}]}, "layers conv1d"),
        ({"layers": [{"type": "lstm"}, {"type": "dense"}]}, "Object missing required field"),
        ({"state_dict": {}, "model_data": {"unit_type": "GRU", "skip": 1}}, "proteus: unit_type GRU"),
        (
            {"state_dict": {"rec.weight_ih_l0": [[1, 2], [3]]}, "model_data": {"unit_type": "LSTM", "skip": 1}},
            "holds no array of numbers",
        ),
        ({"layers": 5}, "rtneural: layers of no kind"),
        ({"something": 1}, "in no format that is known"),
        ([1, 2], "in no format that is known"),
    ],
)
def test_json_that_is_refused(tmp_path, content, words):
    (tmp_path / "m.json").write_text(json.dumps(content))
    refused(tmp_path / "m.json", tmp_path, words, rate=RATE)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"rate": 44100}, "--rate: 44100, and the file has 8000; leave it out"),
        ({"skip": True}, "--skip: True, and the file has False"),
        ({"codec": "mulaw"}, "--codec: with a network of frames"),
        ({"pre_emphasis": 0.9}, "--pre-emphasis: with a network of frames"),
        ({"task": "samples"}, "1 inputs and 1 linear outputs; wanted for --task samples: 256 classes"),
        ({"task": "spectrogram"}, "--task: spectrogram; wanted one of samples, frames"),
        ({"predicts": "next", "delay": 3}, "--delay: with --predicts next"),
        ({"format": "midi"}, "--format: midi; wanted one of nam, proteus, rtneural, pytorch, dl4j"),
        ({"format": "dl4j"}, "dl4j: damaged"),
        ({"format": "rtneural"}, "rtneural: layers of no kind"),
    ],
)
def test_options_that_do_not_fit(nam, tmp_path, settings, words):
    refused(nam(), tmp_path, words, **settings)


def test_options_that_classes_need(foreign, effect_run, tmp_path):
    graves = foreign / "graves.zip"
    refused(graves, tmp_path, "--codec: not given for a network of 256 classes", rate=RATE)
    refused(graves, tmp_path, f"--rate: not given, and not stored in {graves}", codec="linear")
    refused(graves, tmp_path, "--skip: with a network of 256 classes", rate=RATE, codec="linear", skip=True)
    refused(graves, tmp_path, "--codec: with --like; wanted one of the two", like=effect_run, codec="linear")


def test_a_package_that_is_missing_is_named(tmp_path, monkeypatch):
    save_file(state_of(), tmp_path / "m.safetensors")
    monkeypatch.setitem(__import__("sys").modules, "safetensors.numpy", None)
    words = "--format pytorch: safetensors is not installed; bring it: python -m pip install safetensors"
    refused(tmp_path / "m.safetensors", tmp_path, words, rate=RATE)


def test_a_network_that_computes_something_else_is_not_written(java, nam, tmp_path, monkeypatch):
    from dl4j_bridge.model import plain_lstm

    monkeypatch.setattr(plain_lstm, "FROM_DL4J", (3, 1, 2, 0))
    with pytest.raises(BridgeError, match="differs from the network by"):
        adopt(nam(), tmp_path / "run", AdoptSettings())
    assert not (tmp_path / "run").exists()


def test_a_folder_with_other_files_is_left_alone(nam, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("mine")
    refused(nam(), tmp_path, "a folder with other files in it")


def test_api_options_have_names_and_types(nam, tmp_path):
    with pytest.raises(InputError, match="unknown option rat; did you mean rate"):
        dl4j_bridge.adopt(nam(), out=tmp_path / "run", rat=3)
    with pytest.raises(InputError, match='rate = "8000"'):
        dl4j_bridge.adopt(nam(), out=tmp_path / "run", rate="8000")


# --- Hostile files: used, or refused in one line.


def read_or_refused(content):
    found = accepted(lambda: imports.read(Path("theirs"), content)[1], "theirs", "--format")
    assert found is None or np.isfinite(found.parameters).all()


STATE = state_of(layers=1, units=2)
WHOLE = {
    "nam": json.dumps(nam_of(STATE, [np.zeros((2, 2))])).encode(),
    "safetensors": save(STATE),
    "rtneural": json.dumps(
        {
            "in_shape": [None, None, 1],
            "layers": [
                {
                    "type": "lstm",
                    "shape": [None, None, 2],
                    "weights": [STATE["rec.weight_ih_l0"].T.tolist(), STATE["rec.weight_hh_l0"].T.tolist(), [0.1] * 8],
                },
                {"type": "dense", "shape": [None, None, 1], "weights": [STATE["lin.weight"].T.tolist(), [0.1]]},
            ],
        }
    ).encode(),
    "proteus": json.dumps(
        {"model_data": {"unit_type": "LSTM", "skip": 1}, "state_dict": {k: v.tolist() for k, v in STATE.items()}}
    ).encode(),
}


@given(st.sampled_from(list(WHOLE)), st.lists(st.tuples(st.integers(0, 2000), st.binary(max_size=3)), max_size=4))
def test_changed_bytes(name, changes):
    content = WHOLE[name]
    for at, value in changes:
        content = content[:at] + value + content[at + 1 :]
    read_or_refused(content)


@given(st.one_of(st.binary(max_size=300), st.just(b"{" * 100_000), st.just(b'{"architecture":' * 5000)))
def test_any_bytes(content):
    read_or_refused(content)


def in_any_shape(content, node=None, path=()):
    """JSON in which each value in turn is of another type."""
    node = json.loads(content) if node is None else node
    if isinstance(node, dict | list):
        for key in node if isinstance(node, dict) else range(len(node)):
            yield from in_any_shape(content, node[key], (*path, key)) if node[key] is not None else ()
    for value in (None, 5, "x", [], {}):
        found = parent = json.loads(content)
        for key in path[:-1]:
            parent = parent[key]
        if path:
            parent[path[-1]] = value
        yield json.dumps(found if path else value).encode()


@pytest.mark.parametrize("name", ["nam", "proteus", "rtneural"])
def test_json_of_any_shape(name):
    for content in in_any_shape(WHOLE[name]):
        read_or_refused(content)


def test_configurations_of_any_shape(foreign):
    entries = zip_mutants.entries_of((foreign / "amp.zip").read_bytes())
    for configuration in in_any_shape(entries["configuration.json"]):
        read_or_refused(zip_mutants.zipped([*(entries | {"configuration.json": configuration}).items()]))


def test_mutants_of_a_zip(foreign):
    whole = (foreign / "amp.zip").read_bytes()
    random = Random(1)
    kinds = [
        zip_mutants.hidden_entry,
        zip_mutants.entry_twice,
        zip_mutants.unknown_entry,
        zip_mutants.header_field,
        zip_mutants.bytes_around,
        zip_mutants.key_twice,
    ]
    for kind in kinds:
        for _ in range(20):
            read_or_refused(kind(whole, random))
    for kind in (zip_mutants.hidden_entry, zip_mutants.entry_twice, zip_mutants.key_twice):
        with pytest.raises(InputError):
            imports.read(Path("theirs"), kind(whole, random))


def test_the_zip_that_is_written_is_plain(java, nam, tmp_path):
    adopted(nam(), tmp_path / "run")
    with zipfile.ZipFile(tmp_path / "run" / "model.zip") as z:
        layers = [c["layer"]["@class"].rpartition(".")[2] for c in json.loads(z.read("configuration.json"))["confs"]]
    assert layers == ["LSTM", "LSTM", "RnnOutputLayer"]
