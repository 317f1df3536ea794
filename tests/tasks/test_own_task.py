"""A task that one module defines works through every public command; no other file of the package knows of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).parents[2]
START = "import tests.tasks.envelope; from dl4j_bridge.cli import main; main()"
SHORT = ["--length", "200", "--tbptt", "50", "--batch", "8", "--validate-every", "50"]


def run(*args: object, cwd: Path) -> dict:
    """A command of a program that registers the task, as `python -m dl4j_bridge` otherwise."""
    command = [sys.executable, "-c", START, *map(str, args), "--json"]
    done = subprocess.run(
        command, cwd=cwd, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 1), done.stderr
    assert "Traceback" not in done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise bursts with a loudness of their own, and a trained run of them."""
    folder = tmp_path_factory.mktemp("own")
    rng = np.random.default_rng(3)
    t = np.arange(12_000) / 8000
    dry = 0.3 * rng.standard_normal(t.size) * (0.2 + np.sin(2 * np.pi * 3 * t) ** 2)
    soundfile.write(folder / "dry.wav", dry.clip(-1, 1), 8000)
    soundfile.write(folder / "wet.wav", np.tanh(2 * dry), 8000)
    trained = run(
        "train", "--task", "envelope", "--input", "dry.wav", "--target", "wet.wav", "--out", "run", "--steps", 200,
        *SHORT, cwd=folder,
    )  # fmt: skip
    assert trained["task"] == "envelope"
    assert trained["steps"] == 200
    return folder


def test_the_run_folder_has_the_task_its_curve_and_its_page(folder):
    assert run("info", "run", cwd=folder)["task"] == "envelope"
    assert (folder / "run" / "loss.png").exists()
    assert "Training run run" in (folder / "run" / "report.html").read_text()


def test_what_it_processes_is_the_loudness_of_the_target(folder):
    run("process", "--model", "run", "--input", "dry.wav", "--output", "loudness.wav", cwd=folder)
    found, rate = soundfile.read(folder / "loudness.wav")
    wet, _ = soundfile.read(folder / "wet.wav")
    wanted = np.convolve(np.abs(wet), np.full(64, 1 / 64))[: wet.size]
    assert (rate, found.size) == (8000, wet.size)
    # A constant at the mean would have 0.16 and more.
    assert np.sum((found - wanted) ** 2) / np.sum(wanted**2) < 0.1


def test_it_is_compared_with_a_copy_and_gets_a_page(folder):
    rows = {row["name"]: row for row in run(
        "compare", "--model", "run", "--input", "dry.wav", "--target", "wet.wav", cwd=folder
    )["rows"]}  # fmt: skip
    assert list(rows) == ["model", "copy"]
    assert rows["model"]["esr"] < rows["copy"]["esr"]
    assert "Against the baselines" in (folder / "run" / "compare" / "report.html").read_text()


def test_it_is_diagnosed_before_and_after_training(folder):
    pair = ["--input", "dry.wav", "--target", "wet.wav", "--quick"]
    before = run("diagnose", "--task", "envelope", *pair, *SHORT, "--out", "before", cwd=folder)
    assert [check["name"] for check in before["checks"]][-2:] == ["identity", "pair"]
    after = run("diagnose", "--model", "run", *pair, "--out", "after", cwd=folder)
    assert "baselines" in [check["name"] for check in after["checks"]]
    assert (folder / "after" / "report.html").exists()


def test_its_training_resumes(folder):
    assert run("train", "run", "--resume", "--steps", 210, cwd=folder)["steps"] == 210


def test_a_program_that_does_not_register_it_names_the_tasks_that_there_are(folder):
    done = subprocess.run(
        [sys.executable, "-m", "dl4j_bridge", "info", "run"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "envelope" in done.stderr
    assert "Traceback" not in done.stderr
