"""`train` as a user runs it: what it writes, how it stops, how it goes on."""

from __future__ import annotations

import csv
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

import dl4j_bridge
from dl4j_bridge.errors import InputError
from dl4j_bridge.jobs.new_run import new_run
from dl4j_bridge.jobs.resumed_run import resumed_run
from dl4j_bridge.jobs.train import train
from dl4j_bridge.model import model_zip
from dl4j_bridge.settings.training import TrainSettings
from dl4j_bridge.tasks.baselines.copy import Copy
from dl4j_bridge.tasks.samples.task import SamplesTask
from tests.conftest import SMALL, command, run, run_ok


def log_of(folder: Path) -> list[dict[str, str]]:
    with open(folder / "log.csv", newline="") as f:
        return list(csv.DictReader(f))


def network_of(folder: Path, name: str = "last.zip") -> dict[str, bytes]:
    """Parameters, updater state and carried state, byte by byte."""
    with zipfile.ZipFile(folder / name) as z:
        return {n: z.read(n) for n in z.namelist() if n != "dl4j_bridge.json"}


def interrupt_after(folder: Path, row: int, number: int, *args: object) -> tuple[int, str]:
    """Start a run and send it a signal once its log has so many rows."""
    process = subprocess.Popen(command(*args), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    log = folder / "log.csv"
    deadline = time.monotonic() + 120
    while not log.exists() or len(log.read_text().splitlines()) <= row:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=120)
    return process.returncode, stderr


def test_a_run_folder_holds_what_the_design_says(effect_run):
    names = {p.name for p in effect_run.iterdir()}
    assert names >= {"model.zip", "last.zip", "run.json", "log.csv", "report.html", "loss.png", "accuracy.png"}
    assert not [n for n in names if n.startswith(".") and n != ".lock"], "a temporary file was left behind"
    rows = log_of(effect_run)
    usual = ["step", "epochs", "seconds", "bits", "accuracy", "samples_per_second", "learning_rate"]
    assert list(rows[0]) == [*usual, "valid_bits", "valid_accuracy", "valid_esr"]
    assert [int(row["step"]) for row in rows] == list(range(1, 41))
    assert [row["step"] for row in rows if row["valid_bits"]] == ["10", "20", "30", "40"]
    stored = json.loads((effect_run / "run.json").read_text())
    assert stored["status"] == "steps"
    assert stored["settings"]["network"]["hidden"] == 16
    assert set(stored["versions"]) == {"dl4j_bridge", "dl4j", "python", "numpy", "java", "system"}
    page = (effect_run / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 8
    assert "http" not in re.sub(r"base64,[\w+/=]+", "", page).replace("http-equiv", "")


def test_json_fields(recordings, tmp_path):
    out = tmp_path / "run"
    result = run_ok("train", "--input", recordings[0], "--out", out, "--steps", 20, "--json", *SMALL)
    assert set(result.json) == {
        "run", "model", "task", "steps", "epochs", "samples_per_second", "valid", "stopped_because",
        "findings", "grade",
    }  # fmt: skip
    assert set(result.json["valid"]) >= {"bits", "accuracy", "esr"}
    assert result.json["steps"] == 20
    # 20 updates of 4 x 25 samples over 80 % of three seconds in windows of 100.
    windows = int((3 * 11025 - 1) * 0.8) // 100
    assert result.json["epochs"] == pytest.approx(20 * 25 * 4 / 100 / windows)
    assert result.json["stopped_because"] == "steps"
    assert "dl4j-bridge generate --model" in result.stderr


def test_it_learns(recordings, tmp_path):
    out = tmp_path / "run"
    args = [*SMALL, "--hidden", 32, "--batch", 16]
    run_ok("train", "--input", recordings[0], "--target", recordings[0], "--out", out, "--steps", 60, *args)
    bits = [float(row["bits"]) for row in log_of(out)]
    assert bits[0] > 6
    assert bits[-1] < 0.7 * bits[0]


def test_interrupted_and_resumed_is_bit_equal_to_uninterrupted(recordings, tmp_path):
    args = ["--input", recordings[0], "--target", recordings[1], "--steps", 37, "--dropout", 0.2, *SMALL]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    run_ok("train", "--out", whole, *args)
    status, stderr = interrupt_after(parts, 5, signal.SIGINT, "train", "--out", parts, *args)
    assert status == 130, stderr
    assert f"dl4j-bridge train {parts} --resume" in stderr
    steps = len(log_of(parts))
    assert 5 <= steps < 37
    run_ok("train", parts, "--resume", "--no-report")
    assert network_of(parts) == network_of(whole)
    assert network_of(parts, "model.zip") == network_of(whole, "model.zip")
    assert [row["bits"] for row in log_of(parts)] == [row["bits"] for row in log_of(whole)]


@pytest.mark.slow
def test_killed_and_resumed_is_bit_equal_too(recordings, tmp_path):
    args = ["--input", recordings[0], "--steps", 33, *SMALL]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    run_ok("train", "--out", whole, *args)
    status, _ = interrupt_after(parts, 14, signal.SIGKILL, "train", "--out", parts, *args)
    assert status == -signal.SIGKILL
    with open(parts / "log.csv", "a") as f:
        f.write("99,1.0,half a li")
    run_ok("train", "--out", parts, "--resume", "--no-report")
    assert network_of(parts) == network_of(whole)
    assert [row["step"] for row in log_of(parts)] == [str(n) for n in range(1, 34)]


def test_a_folder_that_was_left_before_the_first_save_can_be_used(recordings, tmp_path):
    (tmp_path / "run.json").write_text("{}")
    (tmp_path / ".lock").touch()
    run_ok("train", "--input", recordings[0], "--out", tmp_path, "--steps", 2, *SMALL)
    assert (tmp_path / "model.zip").exists()


def test_file_names_beyond_ascii_whatever_the_locale(recordings, tmp_path):
    folder = tmp_path / "dir ö 音"
    folder.mkdir()
    args = ["train", "--input", recordings[0], "--out", folder / "rün 1", "--steps", 2, *SMALL]
    result = run_ok(*args, env={"LC_ALL": "C", "PYTHONUTF8": "1"})
    assert f"generate --model '{folder / 'rün 1'}'" in result.stderr
    assert (folder / "rün 1" / "model.zip").exists()


def test_the_rate_is_that_of_training_alone(java, recordings, tmp_path, monkeypatch):
    """Nor does `--minutes` count the seconds in which the baselines are fitted."""

    class Slow(Copy):
        def fit(self, stretches):
            time.sleep(4)

    monkeypatch.setattr(SamplesTask, "baselines", lambda task: [Slow(task.codec)])
    settings = TrainSettings().with_options({"steps": 1, "hidden": 4, "batch": 2, "length": 50, "tbptt": 25})
    seconds = []
    train(
        new_run([recordings[0]], [recordings[1]], tmp_path / "run", settings),
        lambda progress: seconds.append(progress.seconds),
    )
    assert len(seconds) == 1
    assert seconds[0] < 4


def test_resident_memory_stays_flat(java):
    """DL4J's stock layers leave some 10 MiB outside of the Java heap behind at every step of this size."""
    import numpy as np
    import psutil

    from dl4j_bridge.java.interface import Interface
    from dl4j_bridge.java.network import Network
    from dl4j_bridge.settings.training import NetworkSettings

    network = Network.create(NetworkSettings(hidden=64), Interface.of_classes(256))
    x = np.random.default_rng(0).integers(0, 256, (32, 50), dtype=np.uint8)
    resident = []
    for step in range(240):
        network.step(x, x, 50, step % 20 == 0, step)
        resident.append(psutil.Process().memory_info().rss)
    assert resident[-1] - resident[80] < 200 << 20


def test_a_longer_limit_goes_on(recordings, tmp_path):
    out = tmp_path / "run"
    run_ok("train", "--input", recordings[0], "--out", out, "--steps", 10, *SMALL)
    result = run_ok("train", "--out", out, "--resume", "--no-report", "--steps", 20, "--json")
    assert result.json["steps"] == 20
    assert len(log_of(out)) == 20


def test_resume_refuses_what_would_make_it_another_run(recordings, effect_run, tmp_path):
    result = run("train", effect_run, "--resume", "--hidden", 32)
    assert result.status == 2
    assert "--hidden: 32 for a run that began with 16" in result.error
    assert "begin another run with this network: train --from RUN" in result.error
    before = (effect_run / "run.json").read_bytes()
    result = run("train", effect_run, "--resume", "--input", recordings[1])
    assert result.status == 2
    assert "not a recording of this run" in result.error
    assert (effect_run / "run.json").read_bytes() == before
    result = run("train", tmp_path, "--resume")
    assert result.status == 2
    assert "no last.zip" in result.error
    assert run("train", "--resume").status == 2


def test_moved_recordings_are_known_by_their_content(java, recordings, tmp_path):
    dry, wet = (shutil.copy(path, tmp_path) for path in recordings)
    small = {"hidden": 16, "batch": 4, "length": 100, "tbptt": 25, "validate_every": 100}
    dl4j_bridge.train(dry, wet, out=tmp_path / "run", steps=2, report=False, **small)
    dry, wet = (Path(path).rename(tmp_path / f"moved-{Path(path).name}") for path in (dry, wet))

    def resumed(*files):
        inputs, targets = files[:-1], files[-1:]
        return resumed_run(tmp_path / "run", {"steps": 4}, list(inputs), list(targets))

    with pytest.raises(InputError, match=r"dry.wav: not there any more; name the files where they are now: train RUN"):
        resumed()
    with pytest.raises(InputError, match=r"moved-wet.wav: not a recording of this run; wanted .*train --from RUN"):
        resumed(wet, dry)
    with pytest.raises(InputError, match="2 recordings for the 1 of this run"):
        resumed(dry, dry, wet)
    assert train(resumed(dry, wet))["steps"] == 4
    # From then on the run knows where they are.
    assert train(resumed_run(tmp_path / "run", {"steps": 6}, [], []))["steps"] == 6


def test_resume_refuses_a_recording_that_changed(recordings, tmp_path):
    source = tmp_path / "x.wav"
    source.write_bytes(recordings[0].read_bytes())
    run_ok("train", "--input", source, "--out", tmp_path / "run", "--steps", 5, *SMALL)
    source.write_bytes(recordings[1].read_bytes())
    result = run("train", tmp_path / "run", "--resume", "--steps", 10)
    assert result.status == 2
    assert "not the recording that the run began with" in result.error


def test_a_folder_with_a_run_is_refused(recordings, effect_run):
    before = {p: p.stat().st_mtime_ns for p in effect_run.iterdir()}
    result = run("train", "--input", recordings[0], "--out", effect_run, *SMALL)
    assert result.status == 2
    assert "--resume" in result.error
    assert "another --out" in result.error
    assert {p: p.stat().st_mtime_ns for p in effect_run.iterdir()} == before


def test_two_at_once_in_one_folder(recordings, tmp_path):
    out = tmp_path / "run"
    args = command("train", "--input", recordings[0], "--out", out, "--steps", 30, *SMALL)
    both = [subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [p.communicate(timeout=300)[1] for p in both]
    codes = sorted(p.returncode for p in both)
    assert codes[0] == 0, said
    assert codes[1] in (1, 2), said
    assert any("another process trains in it" in s or "holds a run already" in s for s in said)
    assert len(log_of(out)) == 30


@pytest.mark.slow
def test_two_runs_without_a_name_get_two_folders(recordings, tmp_path):
    words = ["train", "--input", recordings[0], "--steps", 2, *SMALL]
    command = [sys.executable, "-m", "dl4j_bridge", *map(str, words)]
    at_once = [subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE) for _ in range(2)]
    said = [process.communicate()[1].decode() for process in at_once]
    assert [process.returncode for process in at_once] == [0, 0], said
    run_ok(*words, cwd=tmp_path)
    for number in (1, 2, 3):
        assert (tmp_path / "runs" / f"dry-{number}" / "model.zip").exists()


def test_limits(recordings, tmp_path):
    # The time of validations does not count, so the default would make many of them.
    common = ["--input", recordings[0], "--target", recordings[1], "--json", *SMALL]
    seldom = ["--validate-every", 100]
    minutes = run_ok("train", "--out", tmp_path / "a", "--minutes", 0.02, "--patience", 10**6, *common, *seldom).json
    assert minutes["stopped_because"] == "minutes"
    epochs = run_ok("train", "--out", tmp_path / "b", "--epochs", 0.1, *common, *seldom).json
    assert epochs["stopped_because"] == "epochs"
    assert 0.1 <= epochs["epochs"] < 0.12
    # Learning nothing is a plateau from the second validation on.
    idle = ["--learning-rate", "1e-12", "--patience", 4, "--validate-every", 2]
    plateau = run_ok("train", "--out", tmp_path / "c", *common, *idle).json
    assert plateau["stopped_because"] == "plateau"
    assert plateau["steps"] == 2 + 4 * 2
    assert log_of(tmp_path / "c")[-1]["learning_rate"] != "1e-12", "a plateau halves the learning rate"


@pytest.mark.parametrize(
    ("schedule", "share"),
    [
        ([], lambda done: min(1, (1 - done) / 0.4)),
        (["--schedule", "linear"], lambda done: 1 - done),
        (["--schedule", "cosine"], lambda done: math.cos(math.pi / 2 * done) ** 2),
        (["--schedule", "plateau"], lambda done: 1.0),
    ],
)
def test_with_a_limit_the_learning_rate_falls_to_zero(recordings, tmp_path, schedule, share):
    args = ["--input", recordings[0], "--out", tmp_path / "run", "--steps", 16, *schedule, *SMALL]
    run_ok("train", *args)
    rates = [float(row["learning_rate"]) for row in log_of(tmp_path / "run")]
    assert rates == pytest.approx([0.01 * share(step / 16) for step in range(16)])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "full"), [pytest.param(True, 0.5, id="effect"), pytest.param(False, 1.0, id="next sample")]
)
def test_an_effect_that_is_seen_often_is_learned_with_a_lower_rate(recordings, tmp_path, target, full):
    pair = ["--target", recordings[1]] if target else ["--learning-rate", 0.01]
    args = ["--input", recordings[0], *pair, "--align", "off", "--out", tmp_path / "run", "--epochs", 40, *SMALL]
    run_ok("train", *args, "--validate-every", 1000)
    rates = [float(row["learning_rate"]) for row in log_of(tmp_path / "run")]
    constant = rates[1 : len(rates) // 2]
    assert constant == pytest.approx([0.01 * full] * len(constant), rel=0.05)


def test_within_minutes_the_learning_rate_falls_too(recordings, tmp_path):
    few = ["--validate-every", 100]
    run_ok("train", "--input", recordings[0], "--out", tmp_path / "run", "--minutes", 0.03, *SMALL, *few)
    rates = [float(row["learning_rate"]) for row in log_of(tmp_path / "run")]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] == 0.01
    assert rates[-1] < 0.002


def test_a_loss_that_is_not_finite_ends_in_one_line(recordings, tmp_path):
    out = tmp_path / "run"
    wild = ["--learning-rate", "1e38", "--updater", "sgd", "--clip", 0, "--init", "xavier"]
    result = run("train", "--input", recordings[0], "--out", out, "--steps", 50, *SMALL, *wild)
    assert result.status == 1
    assert "the loss is nan at step" in result.error
    assert "--learning-rate" in result.error
    assert all(row["bits"] != "nan" for row in log_of(out))


def test_a_run_without_a_report(recordings, tmp_path):
    result = run_ok("train", "--input", recordings[0], "--out", tmp_path / "run", "--steps", 2, *SMALL)
    assert "look:" not in result.stdout
    assert not {file.suffix for file in (tmp_path / "run").iterdir()} & {".html", ".png"}


def test_several_pairs(recordings, tmp_path):
    dry, wet = recordings
    pairs = ["--input", dry, "--target", wet, "--input", wet, "--target", dry]
    run_ok("train", *pairs, "--out", tmp_path / "run", "--steps", 3, *SMALL)
    stored = json.loads((tmp_path / "run" / "run.json").read_text())
    assert len(stored["pairs"]) == 2


@pytest.mark.parametrize(
    ("preset", "wanted"),
    [
        ("posted", {"updater": "rmsprop", "learning_rate": 0.1, "l2": 0.001, "weight_decay": 0.0}),
        ("posted-legacy", {"updater": "rmsprop", "learning_rate": 0.1 / 32, "l2": 0.0, "weight_decay": 0.001 / 32}),
    ],
)
def test_presets_reach_dl4j(recordings, tmp_path, preset, wanted):
    out = tmp_path / "run"
    small = ["--hidden", 16, "--batch", 4, "--length", 100, "--tbptt", 25, "--no-report"]
    run_ok("train", "--input", recordings[0], "--out", out, "--preset", preset, "--steps", 2, *small)
    settings = json.loads((out / "run.json").read_text())["settings"]["network"]
    assert wanted.items() <= settings.items()
    assert settings["init"] == "xavier"
    assert settings["clip"] == 0
    with zipfile.ZipFile(out / "model.zip") as z:
        layers = [c["layer"] for c in json.loads(z.read("configuration.json"))["confs"]]
    for layer in layers:
        assert layer["iupdater"]["@class"].endswith("RmsProp")
        assert layer["iupdater"]["learningRate"] == pytest.approx(wanted["learning_rate"])
        assert layer["gradientNormalization"] in (None, "None")
        regularisation = {r["@class"].rpartition(".")[2]: r for r in layer["regularization"]}
        if wanted["l2"]:
            assert regularisation["L2Regularization"]["l2"]["value"] == wanted["l2"]
        else:
            assert regularisation["WeightDecay"]["coeff"]["value"] == pytest.approx(wanted["weight_decay"])
            assert regularisation["WeightDecay"]["applyLR"] is False


def test_rates_that_differ_are_resampled_and_said(recordings, tmp_path):
    import soxr

    wet, rate = soundfile.read(recordings[1])
    other = tmp_path / "wet16k.wav"
    soundfile.write(other, soxr.resample(wet, rate, 16000), 16000)
    out = tmp_path / "run"
    result = run_ok("train", "--input", recordings[0], "--target", other, "--out", out, "--steps", 2, *SMALL)
    assert f"note: {other}: 16000 Hz, resampled to 11025 Hz" in result.stderr
    # One of the two is not 8-bit.
    assert json.loads((out / "run.json").read_text())["codec"] == "mulaw"


def test_a_full_disk_loses_nothing(recordings, tmp_path):
    """The best and the last network of before stay readable when a file cannot grow any more."""
    import resource

    out = tmp_path / "run"
    run_ok("train", "--input", recordings[0], "--out", out, "--steps", 10, *SMALL)
    before = network_of(out)

    def little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))

    result = run("train", out, "--resume", "--steps", 20, preexec_fn=little_room)
    assert result.status == 1
    assert "not written" in result.error
    assert network_of(out) == before
    assert not [p for p in out.iterdir() if p.name.startswith(".") and p.name != ".lock"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(recordings, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    result = run("train", "--input", recordings[0], "--out", tmp_path / "locked" / "run", *SMALL)
    assert result.status == 2
    assert "not writable" in result.error


# --- A network to start from


def test_a_run_starts_from_the_network_of_a_model_and_keeps_its_settings(recordings, effect_run, tmp_path):
    pair = ["--input", recordings[0], "--target", recordings[1]]
    out = tmp_path / "run"
    run_ok("train", "--from", effect_run, *pair, "--out", out, "--steps", 1, "--learning-rate", 1e-9, "--no-report")
    # Of the model itself, training scales the output layer at its end.
    before, after = (model_zip.open_model(path) for path in (effect_run, out / "last.zip"))
    np.testing.assert_allclose(after.stored.parameters, before.stored.parameters, atol=1e-7)
    assert after.info.settings.network.hidden == before.info.settings.network.hidden == 16
    assert (after.info.settings.run.steps, before.info.settings.run.steps) == (1, 40)
    # A random network is at chance.
    assert float(log_of(out)[0]["bits"]) < float(log_of(effect_run)[0]["bits"]) - 0.5
    run_ok("train", "--config", out / "config.toml", "--out", tmp_path / "again", "--no-report")
    assert network_of(tmp_path / "again") == network_of(out)


def test_a_network_of_another_shape_is_refused(recordings, effect_run, tmp_path):
    files = ["--from", effect_run, "--input", recordings[0], "--target", recordings[1], "--out", tmp_path / "run"]
    for options, wanted in (
        (["--hidden", 32], "--hidden: 32 with --from a network of 16; wanted 16"),
        (["--task", "frames"], "--task: frames with --from a model of samples; wanted --task samples"),
        (["--cell", "lstm"], "--cell: lstm with --from a network of graves; wanted graves"),
    ):
        result = run("train", *files, *options)
        assert (result.status, wanted in result.error) == (2, True), result.error
    assert not (tmp_path / "run").exists()
