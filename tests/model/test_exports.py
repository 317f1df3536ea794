"""Exported files compute what `process` does, read by code that did not write them; what does not fit is refused."""

import json
import os
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import soundfile

import dl4j_bridge
from dl4j_bridge.demos import synthesis
from dl4j_bridge.model import model_zip
from dl4j_bridge.model.exports import FORMATS
from dl4j_bridge.signal import audio_files
from tests.conftest import run, run_ok

RATE = 44100
ROOT = Path(dl4j_bridge.__file__).parent.parent
AMP = [
    "--task",
    "frames",
    "--preset",
    "plugin",
    "--batch",
    4,
    "--length",
    200,
    "--tbptt",
    100,
    "--warm-up",
    20,
    "--steps",
    30,
    "--no-report",
]
OTHERS = {
    "graves": ["--task", "frames", "--hidden", 8],
    "two layers": ["--task", "frames", "--cell", "lstm", "--layers", 2, "--hidden", 12],
    "skip": ["--task", "frames", "--cell", "lstm", "--skip", "--hidden", 16],
    "classes": ["--hidden", 16],
    "classes, lstm": ["--hidden", 16, "--cell", "lstm", "--layers", 1],
    "spectrogram": ["--task", "spectrogram", "--mask", "--hidden", 16],
    "next frame": ["--task", "frames", "--predict", "next", "--frame", 5, "--hidden", 16],
    "proteus": ["--task", "frames", "--preset", "plugin", "--skip"],
}
# One of each kind of network; the others with `make test-full`.
KINDS = [pytest.param(name, marks=() if name in ("graves", "classes") else pytest.mark.slow) for name in OTHERS]
SMALL = ["--batch", 4, "--length", 100, "--tbptt", 50, "--steps", 10, "--no-report"]


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pair")
    sound = synthesis.plucked_strings(2, RATE)
    for name, samples in (("dry", sound), ("wet", synthesis.amplifier(sound, RATE))):
        audio_files.write(folder / f"{name}.wav", [samples], RATE, "PCM_24")
    return ["--input", folder / "dry.wav", "--target", folder / "wet.wav"]


@pytest.fixture(scope="module")
def amp(pair, tmp_path_factory):
    """A model that fits into all plug-ins but Proteus."""
    out = tmp_path_factory.mktemp("amp") / "run"
    run_ok("train", *pair, "--out", out, *AMP)
    return out


@pytest.fixture(scope="module")
def other(pair, tmp_path_factory):
    """Return a run of `OTHERS`, which is trained when it is first asked for."""
    folder = tmp_path_factory.mktemp("others")

    def trained(name):
        if not (folder / name).exists():
            files = pair[:2] if name == "next frame" else pair
            run_ok("train", *files, "--out", folder / name, *SMALL, *OTHERS[name])
        return folder / name

    return trained


def exported(model, format_name, output, *options):
    return run_ok("export", "--model", model, "--format", format_name, "--output", output, *options, "--json").json


def processed(model, source, folder):
    run_ok("process", "--model", model, "--input", source, "--output", folder / "y.wav")
    return soundfile.read(folder / "y.wav")[0]


@pytest.mark.parametrize("format_name", ["onnx", "nam", "rtneural"])
def test_an_amplifier_sounds_the_same_in_every_format(amp, pair, tmp_path, format_name):
    file = tmp_path / f"amp{FORMATS[format_name].suffix}"
    found = exported(amp, format_name, file)
    assert found["compared"].startswith("the held-out part of")
    assert found["difference"] < 1e-5
    assert found["esr"] < 1e-9
    x, _ = soundfile.read(pair[1], dtype="float32")
    theirs = FORMATS[format_name].read(file.read_bytes())(x[:20_000, None])[:, 0]
    ours = processed(amp, pair[1], tmp_path)[:20_000]
    # `process` writes 24 bits.
    np.testing.assert_allclose(theirs, ours, atol=1e-5)
    assert np.std(ours) > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["tiny", "light", "standard"])
def test_plug_ins_load_networks_of_these_presets(preset, pair, tmp_path):
    run_ok("train", *pair, "--out", tmp_path / "run", "--task", "frames", "--preset", preset, *SMALL)
    for format_name in ("nam", "rtneural"):
        file = tmp_path / f"amp{FORMATS[format_name].suffix}"
        assert exported(tmp_path / "run", format_name, file)["difference"] < 1e-5


def test_nam_itself_computes_the_same(amp, pair, tmp_path):
    torch = pytest.importorskip("torch")
    models = pytest.importorskip("nam.models")
    exported(amp, "nam", tmp_path / "amp.nam", "--name", "Small amp", "--gear-type", "amp", "--input-level-dbu", 12)
    stored = json.loads((tmp_path / "amp.nam").read_text())
    assert stored["metadata"].items() >= {"name": "Small amp", "gear_type": "amp", "input_level_dbu": 12.0}.items()
    assert stored["sample_rate"] == RATE
    x, _ = soundfile.read(pair[1], dtype="float32")
    model = models.init_from_nam(stored).eval()
    with torch.inference_mode():
        theirs = model(torch.from_numpy(x[:20_000]), pad_start=True).numpy().ravel()
        assert stored["metadata"]["loudness"] == pytest.approx(model._metadata_loudness(), abs=1e-3)
    np.testing.assert_allclose(theirs, processed(amp, pair[1], tmp_path)[:20_000], atol=1e-5)


def test_a_nam_file_has_its_loudness_if_nams_test_signal_is_there(amp, tmp_path):
    signal = np.random.default_rng(1).uniform(-0.5, 0.5, 4000).astype(np.float32)
    path = tmp_path / "nam" / "models" / "_resources" / "loudness_input.wav"
    path.parent.mkdir(parents=True)
    (tmp_path / "nam" / "__init__.py").touch()
    soundfile.write(path, signal, 48000, "FLOAT")
    run_ok("export", "--model", amp, "--format", "nam", "--output", "amp.nam", cwd=tmp_path,
           env={"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"})  # fmt: skip
    file = (tmp_path / "amp.nam").read_bytes()
    output = FORMATS["nam"].read(file)(signal[:, None])
    level = 10 * np.log10(np.mean(output**2))
    assert json.loads(file)["metadata"]["loudness"] == pytest.approx(level, abs=1e-3)


def test_the_file_says_when_it_was_made_by_what_and_how_good_it_is(amp, tmp_path):
    exported(amp, "nam", tmp_path / "amp.nam")
    found = json.loads((tmp_path / "amp.nam").read_text())["metadata"]
    assert found["software"] == f"dl4j_bridge {dl4j_bridge.__version__}"
    assert abs(datetime.now() - datetime(**found["date"])) < timedelta(hours=1)
    # As Neural Amp Modeler's own trainer nests it.
    assert found["training"]["validation_esr"] == pytest.approx(dl4j_bridge.load(amp).result["valid"]["esr"])


@pytest.mark.parametrize("name", KINDS)
def test_onnx_takes_every_task_and_cell(other, tmp_path, name):
    found = exported(other(name), "onnx", tmp_path / "m.onnx")
    assert found["difference"] < 1e-5


def test_proteus(other, tmp_path):
    assert exported(other("proteus"), "proteus", tmp_path / "amp.json")["difference"] < 1e-5
    stored = json.loads((tmp_path / "amp.json").read_text())
    assert np.shape(stored["state_dict"]["rec.weight_ih_l0"]) == (160, 1)
    assert stored["model_data"]["skip"] == 1


def test_an_onnx_file_is_run_in_blocks_of_any_size(amp, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    exported(amp, "onnx", tmp_path / "amp.onnx", "--name", "Small amp")
    session = onnxruntime.InferenceSession(tmp_path / "amp.onnx", providers=["CPUExecutionProvider"])
    properties = session.get_modelmeta().custom_metadata_map
    assert properties.items() >= {"task": "frames", "rate": "44100", "delay": "0", "name": "Small amp"}.items()
    x = np.random.default_rng(1).uniform(-0.5, 0.5, (500, 1, 1)).astype(np.float32)
    start = {name: np.zeros((1, 1, 40), np.float32) for name in ("h0", "c0")}
    (whole,) = session.run(["output"], {"input": x, **start})
    state, blocks = start, []
    for block in np.split(x, [1, 64, 65, 300]):
        y, h, c = session.run(["output", "h0_next", "c0_next"], {"input": block, **state})
        state = {"h0": h, "c0": c}
        blocks.append(y)
    np.testing.assert_allclose(np.concatenate(blocks), whole, atol=1e-6)


def test_dl4js_zip_is_the_models(amp, tmp_path):
    exported(amp, "dl4j", tmp_path / "amp.zip")
    assert (tmp_path / "amp.zip").read_bytes() == model_zip.resolve(amp).read_bytes()


@pytest.mark.parametrize(
    ("name", "format_name", "wanted"),
    [
        ("graves", "nam", "--cell graves; wanted for nam: no peepholes"),
        ("graves", "rtneural", "--cell graves"),
        ("classes", "nam", "single samples as numbers; train with: --task frames --preset plugin"),
        ("next frame", "nam", "single samples as numbers"),
        ("skip", "nam", "trained with --skip; wanted for nam: no skip connection"),
        ("two layers", "rtneural", "--layers 2; wanted for rtneural: --layers 1"),
        ("skip", "proteus", "--layers 1 --hidden 16; wanted for proteus: --layers 1 --hidden 40"),
        ("two layers", "midi", "wanted one of onnx, nam, rtneural, proteus, dl4j"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(other, tmp_path, name, format_name, wanted):
    output = tmp_path / "out"
    result = run("export", "--model", other(name), "--format", format_name, "--output", output)
    assert result.status == 2
    assert wanted in result.error
    assert list(tmp_path.iterdir()) == []


def test_proteus_wants_skip(amp, tmp_path):
    result = run("export", "--model", amp, "--format", "proteus", "--output", tmp_path / "x.json")
    assert "trained without --skip; wanted for proteus" in result.error
    assert result.error.endswith("train with: --task frames --preset plugin --skip")


def test_a_file_that_computes_something_else_is_not_written(amp, tmp_path, monkeypatch):
    from dl4j_bridge.errors import BridgeError
    from dl4j_bridge.jobs.export import export
    from dl4j_bridge.model import plain_lstm
    from dl4j_bridge.settings.commands import ExportSettings

    monkeypatch.setattr(plain_lstm, "FROM_DL4J", (3, 1, 2, 0))
    with pytest.raises(BridgeError, match="differs from the model by"):
        export(amp, "nam", tmp_path / "x.nam", ExportSettings())
    assert list(tmp_path.iterdir()) == []


def test_an_export_replaces_no_file_unasked(amp, tmp_path):
    output = tmp_path / "amp.nam"
    output.write_text("mine")
    result = run("export", "--model", amp, "--format", "nam", "--output", output)
    assert result.status == 2
    assert output.read_text() == "mine"


def test_the_recordings_may_be_gone(amp, pair, tmp_path):
    for path in (pair[1], pair[3]):
        path.rename(path.with_suffix(".gone"))
    try:
        assert exported(amp, "nam", tmp_path / "amp.nam")["compared"] == "noise"
    finally:
        for path in (pair[1], pair[3]):
            path.with_suffix(".gone").rename(path)
