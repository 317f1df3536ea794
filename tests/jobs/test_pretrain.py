"""The autoencoder before the training: what is taken over, what it costs, and what an interruption leaves."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from dl4j_bridge import api
from dl4j_bridge.errors import InputError
from dl4j_bridge.java.interface import Interface
from dl4j_bridge.java.network import Network
from dl4j_bridge.jobs import pretraining
from dl4j_bridge.jobs.new_run import new_run
from dl4j_bridge.model.run import Progress, Run
from dl4j_bridge.settings.training import SmallDataSettings, TrainSettings
from dl4j_bridge.signal.pairs import part
from dl4j_bridge.signal.windows import Windows
from dl4j_bridge.tasks.interface import Task
from dl4j_bridge.tasks.registry import find
from dl4j_bridge.tasks.update import step
from tests.conftest import SMALL, command, run, run_ok
from tests.jobs.test_training import log_of, network_of

HIDDEN = 12


def begun(recordings: tuple[Path, Path], out: Path, **options: Any) -> Run:
    small = {"hidden": HIDDEN, "batch": 4, "length": 100, "tbptt": 25, "pretrain": "autoencoder", "pretrain_steps": 7}
    settings = TrainSettings(own=find(options.get("task", "samples")).settings()).with_options(small | options)
    return new_run([recordings[0]], [recordings[1]], out, settings)


@pytest.mark.parametrize("options", [{}, {"task": "frames", "frame": 4, "length": 50}, {"layer": "stock"}])
def test_the_recurrent_layers_are_the_autoencoders_and_the_output_is_new(options: dict[str, Any], recordings, tmp_path):
    run = begun(recordings, tmp_path / "run", pretrain_delay=3, **options)
    parts = [part(signals, "train") for signals in run.signals]
    before = run.network.parameters()
    reports: list[Progress] = []
    assert pretraining.pretrain(run, parts, reports.append, lambda: False) is None
    after = run.network.parameters()

    autoencoder = Network.create(run.settings.network, run.task.interface)
    fresh = autoencoder.parameters()
    windows = Windows(
        pretraining.autoencoder_stretches(parts, 3, "target"), run.settings.run.length, 4, run.settings.network.seed
    )
    for number in range(7):
        step(autoencoder, windows, run.settings, number, run.task)
    learnt = autoencoder.parameters()

    outputs = run.task.interface.outputs
    recurrent = slice(0, before.size - (HIDDEN + 1) * outputs)
    np.testing.assert_array_equal(after[recurrent], learnt[recurrent])
    np.testing.assert_array_equal(after[recurrent.stop :], before[recurrent.stop :])
    assert np.mean(after[recurrent] != fresh[recurrent]) > 0.5
    assert np.mean(learnt[recurrent.stop :] != before[recurrent.stop :]) > 0.5
    assert [progress.step for progress in reports] == list(range(1, 8))
    assert all(progress.pretraining for progress in reports)


def test_what_it_learns_from():
    x, y = np.arange(10, dtype=np.uint8), np.arange(20, 30, dtype=np.uint8)
    both = pretraining.autoencoder_stretches([(x, y)], 0, "target")
    assert [(a.tolist(), b.tolist()) for a, b in both] == [(x.tolist(), x.tolist()), (y.tolist(), y.tolist())]
    ((heard, late),) = pretraining.autoencoder_stretches([(x, y)], 3, "next")
    assert heard.tolist() == x.tolist()
    assert late.tolist() == [0, 0, 0, 0, 1, 2, 3, 4, 5, 6]
    frames = np.arange(8, dtype=np.float32).reshape(4, 2)
    ((_, late),) = pretraining.autoencoder_stretches([(frames, frames)], 1, "next")
    assert late.tolist() == [[0, 1], [0, 1], [2, 3], [4, 5]]


def test_it_costs_what_it_says_and_is_counted_by_itself(recordings, tmp_path):
    out = tmp_path / "run"
    args = ["--steps", 10, "--pretrain", "autoencoder", "--pretrain-steps", 15, *SMALL]
    result = run_ok("train", "--input", recordings[0], "--out", out, *args, "--json")
    assert result.json["steps"] == 10
    assert result.json["pretrain_steps"] == 15
    stored = json.loads((out / "run.json").read_text())
    assert stored["pretraining"]["steps"] == 15
    assert 0 < stored["pretraining"]["bits"] < 9
    assert [row["step"] for row in log_of(out)] == [str(n) for n in range(1, 11)]
    assert "pre-training step 15 " in result.stderr


def test_a_copy_comes_sooner_after_it(recordings, tmp_path, java):
    """Of a copy the autoencoder has learnt all but the output layer."""
    bits = []
    for name, pretrain in (("with", "autoencoder"), ("without", "none")):
        options: dict[str, Any] = {"hidden": 32, "pretrain": pretrain, "pretrain_steps": 60}
        run = begun((recordings[0], recordings[0]), tmp_path / name, **options)
        parts = [part(signals, "train") for signals in run.signals]
        if pretrain != "none":
            pretraining.pretrain(run, parts, lambda progress: None, lambda: False)
        windows = Windows(parts, 100, 4, 1)
        bits.append(np.mean([step(run.network, windows, run.settings, n)[0] for n in range(40)][-10:]))
    assert bits[0] < 0.8 * bits[1]


@pytest.mark.slow
def test_stopped_in_the_middle_it_begins_again_and_ends_the_same(recordings, tmp_path):
    args = ["--input", recordings[0], "--target", recordings[1], "--steps", 5, *SMALL]
    args += ["--pretrain", "autoencoder", "--pretrain-steps", 400, "--pretrain-delay", 1]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    run_ok("train", "--out", whole, *args)
    process = subprocess.Popen(command("train", "--out", parts, *args), stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    # Saved once before the first step of all.
    while not (parts / "last.zip").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 130, stderr
    assert "interrupted at step 0, saved; resume with:" in stderr
    assert log_of(parts) == []
    assert "pretraining" not in json.loads((parts / "run.json").read_text())
    run_ok("train", parts, "--resume", "--no-report")
    assert network_of(parts) == network_of(whole)
    assert json.loads((parts / "run.json").read_text())["pretraining"]["steps"] == 400


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--pretrain", "rbm"], "--pretrain: rbm; wanted one of none, autoencoder"),
        (["--pretrain-steps", 0], "--pretrain-steps: 0; wanted 1 to"),
        (["--pretrain-delay", 1000], "--pretrain-delay: 1000; wanted 0 to 999, below --length"),
        (["--task", "frames", "--pretrain", "autoencoder", "--skip"], "--pretrain: autoencoder with --skip"),
    ],
)
def test_what_makes_no_sense_is_refused(options: list[object], said: str, recordings, tmp_path):
    result = run(
        "train",
        "--input",
        recordings[0],
        "--target",
        recordings[1],
        "--out",
        tmp_path / "run",
        "--length",
        1000,
        *options,
    )
    assert result.status == 2
    assert said in result.error
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "ends",
    [Interface(4, 2, "dense", "linear"), Interface(4, 4, "dense", "softmax"), Interface(4, 4, "dense", "sigmoid")],
)
def test_a_task_with_unlike_ends_is_refused(ends: Interface):
    task = cast(Task, SimpleNamespace(name="other", interface=ends))
    pretraining.check(SmallDataSettings(), task)
    with pytest.raises(InputError, match="autoencoder with --task other"):
        pretraining.check(SmallDataSettings(pretrain="autoencoder"), task)


def test_from_python(recordings, tmp_path):
    options: api.Options = {"hidden": 8, "batch": 4, "length": 100, "tbptt": 25, "steps": 3, "validation_samples": 400}
    extra: api.Options = {"pretrain": "autoencoder", "pretrain_steps": 4, "pretrain_delay": 2, "augment_copies": 2}
    made = api.train(recordings[0], out=tmp_path / "run", **options, **extra)
    assert made.about["pretraining"]["steps"] == 4
    assert made.get_params()["pretrain_delay"] == 2
