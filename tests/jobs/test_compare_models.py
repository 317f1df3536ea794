"""`compare` with several models: each row is what `process` makes of the same samples."""

import io
import json
import re
import sys

import numpy as np
import pytest
import soundfile

import dl4j_bridge
from dl4j_bridge.errors import InputError
from dl4j_bridge.signal import metrics
from tests.conftest import run_ok
from tests.report.pages import Page

UNITS = 8


@pytest.fixture(scope="module")
def amp(tmp_path_factory, java):
    """A folder with a `.nam` of random weights, and the run that it becomes."""
    folder = tmp_path_factory.mktemp("amp")
    rng = np.random.default_rng(3)
    weights = rng.normal(0, 0.4, 4 * UNITS * (1 + UNITS + 1) + 2 * UNITS + UNITS + 1)
    # From the state of silence, as files of players do.
    weights[4 * UNITS * (UNITS + 2) : -UNITS - 1] = 0
    config = {"input_size": 1, "hidden_size": UNITS, "num_layers": 1}
    file = {"version": "0.5.4", "architecture": "LSTM", "config": config, "weights": weights.tolist()}
    (folder / "amp.nam").write_text(json.dumps(file | {"sample_rate": 11025}))
    dl4j_bridge.adopt(folder / "amp.nam", out=folder / "amp")
    return folder


def esr_of(model, recordings, part, tmp_path):
    """What a user measures on the output of `process`."""
    dl4j_bridge.process(model, recordings[0], tmp_path / "y.wav", overwrite=True)
    y, wanted = (soundfile.read(path)[0][part] for path in (tmp_path / "y.wav", recordings[1]))
    return np.sum((y - wanted) ** 2) / np.sum(wanted**2)


def test_runs_of_two_tasks_and_a_file_of_another_program_side_by_side(amp, effect_run, recordings, tmp_path):
    models = [effect_run, amp / "amp", amp / "amp.nam"]
    args = [word for model in models for word in ("--model", model)]
    args += ["--input", recordings[0], "--target", recordings[1], "--out", tmp_path / "page", "--wavs", tmp_path / "w"]
    result = run_ok("compare", *args, "--json")
    rows = {row["name"]: row for row in result.json["rows"]}
    own = dl4j_bridge.load(effect_run).compare()
    baselines = [row["name"] for row in own[2:]]
    assert "fir" in baselines
    # The second task has no classes; the baselines are those of the first model that has some.
    assert list(rows) == ["run", "amp", "amp.nam", "copy", *baselines]
    for row in own[2:]:
        assert rows[row["name"]]["esr"] == pytest.approx(row["esr"], rel=1e-3)
        assert rows[row["name"]]["parameters"] == row["parameters"]
    frames = soundfile.info(recordings[0]).frames
    assert (result.json["part"], result.json["samples"]) == ("test", frames - int(frames * 0.9))
    test = slice(int(frames * 0.9), None)
    for model, name in ((effect_run, "run"), (amp / "amp", "amp")):
        # The output of process has 16 bits.
        assert rows[name]["esr"] == pytest.approx(esr_of(model, recordings, test, tmp_path), rel=1e-3)
    assert rows["amp.nam"]["esr"] == pytest.approx(rows["amp"]["esr"], rel=1e-4)
    assert rows["amp.nam"]["parameters"] == rows["amp"]["parameters"] == 4 * 8 * (1 + 8 + 1) + 9
    dry, wet = (soundfile.read(path)[0][test] for path in recordings)
    assert rows["copy"]["esr"] == pytest.approx(metrics.esr(wet, dry), rel=1e-5)
    page = (tmp_path / "page" / "report.html").read_text()
    assert all(f"<td>{name}</td>" in page for name in rows)
    assert {path.stem for path in (tmp_path / "w").iterdir()} == {"input", "target", *rows}
    best = min(("run", "amp", "amp.nam"), key=lambda name: rows[name]["esr"])
    assert f"note: {best} has the smallest ESR" in result.stderr
    assert re.search(r"^run: ESR \S+ \(.+\); amp: ESR .+; amp.nam: .+; best baseline: ", result.stdout, re.M)
    # Both other models and the best baseline can be played, over more than the three tenths of a second of the test.
    sounds = Page(tmp_path / "page" / "report.html").sounds
    assert len(sounds) == 6
    assert all(soundfile.info(io.BytesIO(sound)).duration > 2 for sound in sounds)


def test_a_late_recording_is_late_for_every_model(amp, recordings, tmp_path):
    """A `.nam` stores no delay; so its output is moved to where it fits."""
    dl4j_bridge.process(amp / "amp", recordings[0], tmp_path / "y.wav")
    y, rate = soundfile.read(tmp_path / "y.wav")
    soundfile.write(tmp_path / "late.wav", np.concatenate([np.zeros(300), y[:-300]]), rate, "PCM_16")
    late = dl4j_bridge.compare(amp / "amp.nam", recordings[0], tmp_path / "late.wav")
    assert "amp.nam: stores no delay; its output was delayed by 300 samples to fit the target" in late.notes
    assert late[0]["esr"] < 1e-4 < late[1]["esr"]


@pytest.mark.parametrize("of", ["classes", "numbers"])
def test_onnx_files_compute_what_their_model_does(of, amp, effect_run, recordings, tmp_path, java):
    pytest.importorskip("onnx")
    model = effect_run if of == "classes" else amp / "amp"
    dl4j_bridge.load(model).export("onnx", tmp_path / "exported.onnx")
    ours, theirs, *_ = dl4j_bridge.compare([model, tmp_path / "exported.onnx"], *recordings)
    assert theirs["esr"] == pytest.approx(ours["esr"], rel=1e-4)
    assert theirs["stft"] == pytest.approx(ours["stft"], rel=1e-4)
    assert theirs["name"] == "exported.onnx"
    assert theirs["parameters"] == ours["parameters"]


def test_models_that_predict_what_comes_next(next_run, recordings, java):
    found = dl4j_bridge.compare([next_run, next_run / "last.zip"], recordings[0])
    assert [row["name"] for row in found][:3] == ["run", "last.zip", "copy"]
    assert {"bits", "accuracy", "esr"} <= found[0].keys()
    assert dl4j_bridge.load(next_run).compare(recordings[0])[0]["bits"] == found[0]["bits"]


def test_what_cannot_be_compared_is_refused(amp, effect_run, next_run, recordings, tmp_path, monkeypatch):
    (tmp_path / "bad.onnx").write_bytes(b"no graph")
    (tmp_path / "bad.nam").write_text('{"architecture": "WaveNet"}')
    for models, words in (
        ([effect_run, effect_run], "--model: the same one twice; wanted different models"),
        ([effect_run, next_run], "wanted no --target: it predicts the next sample"),
        ([effect_run, tmp_path / "bad.nam"], "architecture WaveNet"),
        ([effect_run, tmp_path / "gone.zip"], "no such file"),
    ):
        with pytest.raises(InputError, match=words):
            dl4j_bridge.compare(models, *recordings)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InputError, match=r"bad.onnx: onnxruntime is not installed; .*pip install onnx onnxruntime"):
        dl4j_bridge.compare([effect_run, tmp_path / "bad.onnx"], *recordings)


def test_a_file_that_is_no_onnx(effect_run, recordings, tmp_path):
    pytest.importorskip("onnxruntime")
    (tmp_path / "bad.onnx").write_bytes(b"no graph")
    with pytest.raises(InputError, match=r"bad.onnx: not usable .*; wanted a file that export --format onnx wrote"):
        dl4j_bridge.compare([effect_run, tmp_path / "bad.onnx"], *recordings)
