"""A run that stops and is resumed equals one that was never stopped, bit for bit: each task, cell and thread count."""

from pathlib import Path
from typing import Any

import pytest

import dl4j_bridge
from tests.conftest import network_of

SMALL = {"hidden": 6, "batch": 16, "length": 60, "tbptt": 20, "validate_every": 3, "validation_samples": 300}
# With a schedule, the rate of each step depends on the number of all steps.
SMALL |= {"schedule": "plateau"}
# Of each task: whether it has a target, and its options.
TASKS: dict[str, tuple[bool, dict[str, Any]]] = {
    "samples": (True, {}),
    "next sample": (False, {}),
    "language-model": (False, {"task": "language-model"}),
    "frames": (True, {"task": "frames", "warm_up": 10}),
    "next frame": (
        False,
        {"task": "frames", "predict": "next", "frame": 16, "input_noise": 0.1, "scheduled_sampling": 0.2},
    ),
    "spectrogram": (True, {"task": "spectrogram", "window": 64, "hop": 16}),
    "dropout": (True, {"dropout": 0.2, "l2": 1e-4, "updater": "rmsprop"}),
}


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("cell", ["graves", "lstm"])
@pytest.mark.parametrize("name", TASKS)
def test_stopped_and_resumed(recordings: tuple[Path, Path], tmp_path, java, name, cell, threads):
    has_target, options = TASKS[name]
    options = SMALL | options | {"cell": cell, "threads": threads, "progress": False, "report": False}
    target = recordings[1] if has_target else None
    whole = dl4j_bridge.train(recordings[0], target, out=tmp_path / "whole", steps=8, **options)
    # In the middle of a window of three segments, after a validation.
    stopped = dl4j_bridge.train(recordings[0], target, out=tmp_path / "stopped", steps=4, **options)
    stopped.resume(steps=8, progress=False, report=False)
    assert network_of(whole.path) == network_of(stopped.path)
    assert network_of(whole.path, "model.zip") == network_of(stopped.path, "model.zip")
