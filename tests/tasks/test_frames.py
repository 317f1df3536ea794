"""`--task frames` with a target as a user meets it: train, process, compare, and a zip that Java loads."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from matplotlib.figure import Figure
from scipy.signal import butter, lfilter

import dl4j_bridge
from dl4j_bridge.demos import synthesis
from dl4j_bridge.errors import InputError
from dl4j_bridge.java import installation, jars, jvm
from dl4j_bridge.jobs import compare, process
from dl4j_bridge.model import model_zip
from dl4j_bridge.settings.commands import CompareSettings, ProcessSettings
from dl4j_bridge.signal import metrics
from tests.conftest import EXAMPLES, run, run_ok
from tests.jobs.test_training import interrupt_after, log_of, network_of
from tests.model.test_model_zip import rewritten

RATE = 22050
DELAY = 12
TINY = {
    "hidden": 8,
    "batch": 8,
    "length": 200,
    "tbptt": 100,
    "validate_every": 20,
    "validation_samples": 1000,
    "learning_rate": 0.005,
}
OPTIONS = [f"--{name.replace('_', '-')}={value}" for name, value in TINY.items()]
ROWS = ["model", "copy", "fir", "wiener-hammerstein", "8-bit-mulaw", "8-bit-linear"]
PLAIN_JAVA = EXAMPLES / "RunAmpModel.java"


@pytest.fixture(scope="module")
def pair(tmp_path_factory) -> tuple[Path, Path]:
    """Two seconds of plucked strings in 24 bits, and a soft clipping of them that comes `DELAY` samples late."""
    folder = tmp_path_factory.mktemp("pair")
    sound = synthesis.plucked_strings(2, RATE)
    late = np.concatenate([np.zeros(DELAY), sound[:-DELAY]])
    soundfile.write(folder / "dry.wav", sound, RATE, "PCM_24")
    soundfile.write(folder / "wet.wav", 0.8 * np.tanh(2 * late), RATE, "PCM_24")
    return folder / "dry.wav", folder / "wet.wav"


@pytest.fixture(scope="module")
def trained(pair, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("frames") / "run"
    files = ["--input", pair[0], "--target", pair[1], "--out", out]
    result = run_ok("train", "--task", "frames", *files, "--steps", 60, "--skip", *OPTIONS, "--json")
    assert result.json["task"] == "frames"
    assert set(result.json["valid"]) == {"mse", "esr", "snr_db"}
    return out


@pytest.fixture(scope="module")
def coarse(pair, tmp_path_factory) -> Path:
    """Frames of 50 samples, plain squared error."""
    out = tmp_path_factory.mktemp("coarse") / "run"
    options = {**TINY, "length": 20, "tbptt": 10, "frame": 50, "loss": "mse", "validation_samples": 50}
    dl4j_bridge.train(*pair, out=out, task="frames", steps=30, progress=False, report=False, **options)
    return out


def processed(model, source, output, **settings) -> np.ndarray:
    jvm.configure(threads=1)
    process.process(model, source, output, ProcessSettings(overwrite=True, **settings))
    return soundfile.read(output)[0]


def test_what_a_run_writes(trained):
    rows = log_of(trained)
    usual = ["step", "epochs", "seconds", "loss", "samples_per_second", "learning_rate"]
    assert list(rows[0]) == [*usual, "valid_mse", "valid_esr"]
    assert len(rows) == 60
    assert [row["step"] for row in rows if row["valid_esr"]] == ["20", "40", "60"]
    assert float(rows[-1]["valid_esr"]) < 0.95 * float(rows[19]["valid_esr"])
    stored = json.loads((trained / "run.json").read_text())
    assert stored["settings"]["frames"].items() >= {"frame": 1, "loss": "esr", "skip": True, "warm_up": 200}.items()
    assert stored["pairs"][0]["delay"] == DELAY
    # Sounds and pictures are any letters.
    page = re.sub(r"base64,[\w+/=]+", "", (trained / "report.html").read_text())
    assert "ESR" in page
    assert "bits" not in page.partition("Settings")[0]
    about = run_ok("info", trained, "--json").json
    assert {key: about[key] for key in ("task", "frame", "weighed", "skip", "predicts", "rate")} == {
        "task": "frames", "frame": 1, "weighed": True, "skip": True, "predicts": "target", "rate": RATE,
    }  # fmt: skip


def test_interrupted_and_resumed_is_bit_equal_to_uninterrupted(pair, trained, tmp_path):
    args = ["--task", "frames", "--input", pair[0], "--target", pair[1], "--steps", 60, "--skip", *OPTIONS]
    status, stderr = interrupt_after(tmp_path / "run", 5, signal.SIGINT, "train", "--out", tmp_path / "run", *args)
    assert status == 130, stderr
    assert 5 <= len(log_of(tmp_path / "run")) < 60
    run_ok("train", tmp_path / "run", "--resume", "--no-report")
    assert network_of(tmp_path / "run") == network_of(trained)
    assert [row["loss"] for row in log_of(tmp_path / "run")] == [row["loss"] for row in log_of(trained)]


@pytest.mark.parametrize("model", ["trained", "coarse"])
def test_chunks_leave_no_trace(model, pair, tmp_path, request):
    """Neither of the command's chunks nor of the blocks that the network gets: one call through NumPy's own cut."""
    folder = request.getfixturevalue(model)
    sounds = [processed(folder, pair[0], tmp_path / f"{n}.wav", chunk=n) for n in (7, 4096, 1_000_000)]
    assert len({(tmp_path / f"{n}.wav").read_bytes() for n in (7, 4096, 1_000_000)}) == 1
    loaded = model_zip.open_model(folder).load()
    dry = soundfile.read(pair[0], dtype="float32")[0]
    frame = loaded.info.task.frame
    filled = np.pad(dry, (0, -dry.size % frame)).reshape(1, -1, frame)
    whole = loaded.network.run_batch(filled).ravel()[: dry.size]
    assert sounds[0].size == dry.size
    np.testing.assert_array_equal(sounds[0][:DELAY], 0)
    assert np.abs(sounds[0][DELAY:] - np.clip(whole[:-DELAY], -1, 1)).max() < 1e-5
    assert whole.std() > 0.01


def test_the_output_is_as_fine_as_the_input(trained, tmp_path):
    sound = synthesis.plucked_strings(0.3, RATE, seed=2)
    for subtype, wanted in (("PCM_16", "PCM_16"), ("PCM_24", "PCM_24"), ("DOUBLE", "FLOAT"), ("PCM_U8", "PCM_16")):
        source, output = tmp_path / f"{subtype}.wav", tmp_path / "y.wav"
        soundfile.write(source, sound, RATE, subtype)
        assert processed(trained, source, output).size == sound.size
        assert soundfile.info(output).subtype == wanted


def test_another_rate_is_resampled_and_keeps_rate_and_length(trained, tmp_path):
    source, output = tmp_path / "x.wav", tmp_path / "y.wav"
    sound = lfilter(*butter(4, 3000, fs=44100), synthesis.plucked_strings(0.5, 44100)[:-3])
    soundfile.write(source, sound, 44100, "PCM_24")
    assert processed(trained, source, output).size == sound.size
    assert soundfile.info(output).samplerate == 44100
    # It is the processing at the model's own rate, which resampling hardly touches below 10 kHz.
    run_ok("process", "--model", trained, "--input", source, "--output", output, "--overwrite")
    soundfile.write(source, sound[::2], RATE, "PCM_24")
    own = processed(trained, source, tmp_path / "own.wav")
    resampled = soundfile.read(output)[0][::2]
    assert metrics.esr(own, resampled[: own.size]) < 0.02


def test_plain_dl4j_runs_the_zip(trained, pair, tmp_path):
    """A Java program with DL4J's jars and none of our classes; skip is its own business."""
    with zipfile.ZipFile(trained / "model.zip") as z:
        layers = [c["layer"] for c in json.loads(z.read("configuration.json"))["confs"]]
    assert [layer["@class"].rpartition(".")[2] for layer in layers] == ["GravesLSTM", "RnnOutputLayer"]
    assert layers[-1]["lossFn"]["@class"].endswith(".LossMSE")
    dry = soundfile.read(pair[0], dtype="float32")[0][5000:5400]
    dry.astype(">f4").tofile(tmp_path / "dry")
    class_path = [str(p) for p in jars.class_path() if p.name != jars.OURS]
    program = shutil.copy(PLAIN_JAVA, tmp_path)
    java = installation.find_java().home / "bin" / "java"
    arguments = [trained / "model.zip", tmp_path / "dry", tmp_path / "wet", "skip"]
    subprocess.run([java, "-cp", ":".join(class_path), program, *arguments], check=True, capture_output=True)
    theirs = np.fromfile(tmp_path / "wet", ">f4")
    jvm.configure(threads=1)
    ours = model_zip.open_model(trained).load().network.dense_stream().run(dry[:, None])[:, 0]
    np.testing.assert_allclose(theirs, ours, atol=1e-6)
    assert np.abs(ours - dry).max() > 0.01, "a network that says nothing would agree with its input"


def test_compare_judges_the_held_out_part(trained, pair, tmp_path):
    folder, picture = tmp_path / "wavs", tmp_path / "bars.png"
    files = ["--input", pair[0], "--target", pair[1], "--wavs", folder, "--plot", picture]
    result = run_ok("compare", "--model", trained, *files, "--out", tmp_path / "report", "--json").json
    rows = {row["name"]: row for row in result["rows"]}
    assert list(rows) == ROWS
    keys = {"name", "esr", "snr_db", "stft", "parameters", "samples_per_second"}
    assert all(set(row) == keys for row in rows.values())
    assert result["part"] == "test"
    # Against the recordings themselves, without our code.
    dry, wet = (soundfile.read(path)[0] for path in pair)
    dry, wet = dry[:-DELAY], wet[DELAY:]
    here = slice(int(dry.size * 0.9), None)
    assert result["samples"] == wet[here].size
    assert rows["copy"]["esr"] == pytest.approx(metrics.esr(wet[here], dry[here]), rel=1e-5)
    coarse_target = np.clip(np.rint(wet[here] * 128), -128, 127) / 128
    assert rows["8-bit-linear"]["esr"] == pytest.approx(metrics.esr(wet[here], coarse_target), rel=1e-3)
    assert 0 < rows["8-bit-mulaw"]["esr"] < 1e-3
    # With the skip connection an untrained network is little more than a copy.
    assert rows["model"]["esr"] < 0.3 * rows["copy"]["esr"]
    assert rows["8-bit-mulaw"]["parameters"] is None
    assert rows["model"]["parameters"] == 4 * 8 * (1 + 8 + 1) + 3 * 8 + 9
    assert rows["wiener-hammerstein"]["esr"] < 0.1 * rows["fir"]["esr"]
    assert sorted(path.stem for path in folder.iterdir()) == sorted(["input", "target", *ROWS])
    for name in ("model", "fir"):
        heard = soundfile.read(folder / f"{name}.wav")[0]
        assert metrics.esr(wet[here], heard) == pytest.approx(rows[name]["esr"], rel=1e-3)
    assert picture.stat().st_size > 5000
    assert "8-bit-mulaw" in (tmp_path / "report" / "report.html").read_text()


def test_compare_on_another_pair_counts_all_of_it(coarse, pair, tmp_path):
    paths = []
    for path in pair:
        sound, rate = soundfile.read(path)
        paths.append(tmp_path / path.name)
        soundfile.write(paths[-1], sound[:9000], rate, "PCM_24")
    result = compare.compare(coarse, *paths)
    assert result.part == "all"
    assert result.samples == (9000 - DELAY) // 50 * 50
    with pytest.raises(InputError, match="the twin learns from their training part"):
        compare.compare(coarse, *paths, CompareSettings(pytorch=True))


def test_pytorchs_twin_is_one_more_row(trained, pair):
    pytest.importorskip("torch")
    rows = compare.compare(trained, *pair, CompareSettings(pytorch=True)).rows
    assert [row["name"] for row in rows] == [*ROWS, "pytorch"]
    assert rows[-1]["parameters"] == 4 * 8 * (1 + 8 + 2) + 9
    # As many steps on the same windows: of the same order.
    assert 0.1 < rows[-1]["esr"] / rows[0]["esr"] < 10


def test_from_python(trained, pair):
    loaded = dl4j_bridge.load(trained)
    curves = loaded.curves()
    assert curves["loss"].shape == curves["valid_esr"].shape == (60,)
    figure = loaded.plot()
    assert isinstance(figure, Figure)
    assert figure.axes[0].get_yscale() == "log"
    dry = soundfile.read(pair[0], dtype="float32")[0][:3000]
    y = loaded.process(dry)
    assert y.shape == dry.shape
    assert y.dtype == np.float32
    compared = loaded.compare(progress=False)
    assert [row["name"] for row in compared] == ROWS
    assert "8-bit-mulaw" in repr(compared)
    assert "8-bit-mulaw" in compared._repr_html_()


def damage(trained, tmp_path, **changes) -> Path:
    def change(name, content):
        if name != "dl4j_bridge.json":
            return content
        about = json.loads(content) | changes
        return json.dumps({key: value for key, value in about.items() if value is not None}).encode()

    return rewritten(trained / "model.zip", tmp_path / "m.zip", change)


@pytest.mark.parametrize(
    "changes",
    [
        {"frame": 0},
        {"frame": "1"},
        {"scale": {"mean": 0.0, "range": 0.0}},
        {"scale": 1},
        {"skip": None},
        {"weighed": 2},
    ],
    ids=str,
)
def test_a_damaged_description_is_refused(trained, tmp_path, changes):
    with pytest.raises(InputError, match=r"dl4j_bridge\.json"):
        model_zip.open_model(damage(trained, tmp_path, **changes))


def test_bad_input_gets_one_line(trained, pair, tmp_path):
    files = ["--input", pair[0], "--target", pair[1], "--out", tmp_path / "run"]
    short = tmp_path / "short.wav"
    soundfile.write(short, np.zeros(100), RATE)
    cases = [
        (["train", *files, "--frame", 2], "--frame: with --task samples; wanted --task frames"),
        (["train", "--task", "frames", *files, "--frame", 2], "wanted --frame 1: it filters samples"),
        (["train", "--task", "frames", *files, "--frame", 0], "--frame: 0; wanted 1 to"),
        (["train", "--task", "frames", *files, "--frame", 5000, "--loss", "mse"], "or --length 6 --tbptt 6"),
        (["train", "--task", "frames", *files, "--preset", "posted"], "--preset: posted with --task frames; wanted"),
        (["generate", "--model", trained, "--output", tmp_path / "y.wav"], "use it with: dl4j-bridge process"),
        (["compare", "--model", trained, "--input", pair[0]], "wanted a --target"),
        (["process", "--model", trained, "--input", tmp_path / "none.wav", "--output", tmp_path / "y.wav"], "none.wav"),
    ]
    for arguments, words in cases:
        result = run(*arguments)
        assert result.status == 2, arguments
        assert words in result.error
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "y.wav").exists()


def test_a_model_of_the_next_frame_processes_nothing(trained, tmp_path):
    model = damage(trained, tmp_path, predicts="next")
    result = run("process", "--model", model, "--input", EXAMPLES / "plucked_dry.wav", "--output", tmp_path / "y.wav")
    assert result.status == 2
    assert "use it with: dl4j-bridge generate" in result.error


@pytest.mark.slow
def test_the_demo_shows_all_of_it(tmp_path):
    result = run_ok("demo", "--task", "frames", "--steps", 20, "--out", tmp_path / "demo", "--json").json
    assert [row["name"] for row in result["rows"]] == ROWS
    assert soundfile.info(result["output"]).subtype == "PCM_24"
    assert "8-bit-mulaw" in Path(result["report"]).read_text()
