"""Scalars for TensorBoard, read back from the event file."""

from __future__ import annotations

import csv
import struct
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SMALL, run, run_ok


def scalars(folder: Path) -> dict[str, dict[int, float]]:
    """By name and step, from every event file of a folder."""
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")
    found: dict[str, dict[int, float]] = {}
    for path in sorted(folder.glob("events.*")):
        content, at = path.read_bytes(), 0
        while at < len(content):
            (size,) = struct.unpack_from("<Q", content, at)
            event: Any = event_pb2.Event.FromString(content[at + 12 : at + 12 + size])
            # Each record has 8 bytes of length, and 4 of check sum behind it and behind the content.
            at += size + 16
            for value in event.summary.value:
                found.setdefault(value.tag, {})[event.step] = value.simple_value
    return found


def test_the_events_are_those_of_the_log(recordings, tmp_path):
    pytest.importorskip("tensorboardX")
    out, events = tmp_path / "run", tmp_path / "events"
    run_ok("train", "--input", recordings[0], "--out", out, "--steps", 20, "--tensorboard", events, *SMALL)
    run_ok("train", out, "--resume", "--no-report", "--steps", 30, "--tensorboard", events)
    found = scalars(events)
    with open(out / "log.csv", newline="") as f:
        log = list(csv.DictReader(f))
    names = {
        "bits/train": "bits",
        "bits/valid": "valid_bits",
        "accuracy/train": "accuracy",
        "accuracy/valid": "valid_accuracy",
        "esr/valid": "valid_esr",
        "learning_rate": "learning_rate",
        "samples_per_second": "samples_per_second",
    }
    assert set(found) == set(names)
    for name, column in names.items():
        logged = {int(row["step"]): float(row[column]) for row in log if row[column]}
        assert found[name] == pytest.approx(logged, rel=1e-5), name
    assert len(found["bits/train"]) == 30
    assert sorted(found["bits/valid"]) == [10, 20, 30]


def test_without_the_package_one_line_says_how_to_get_it(recordings, tmp_path):
    (tmp_path / "tensorboardX.py").write_text("raise ImportError('not here')\n")
    out = tmp_path / "run"
    result = run(
        "train", "--input", recordings[0], "--out", out, "--tensorboard", tmp_path / "events",
        env={"PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}"},
    )  # fmt: skip
    assert result.status == 2
    assert "pip install 'dl4j_bridge[tensorboard]'" in result.error
    assert not out.exists()


def test_a_folder_that_cannot_be_made(recordings, tmp_path):
    pytest.importorskip("tensorboardX")
    result = run("train", "--input", recordings[0], "--tensorboard", tmp_path / "missing" / "events")
    assert result.status == 2
    assert "no folder" in result.error
    assert list(tmp_path.iterdir()) == []
