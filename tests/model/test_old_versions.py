"""Runs and models that an older version wrote: `tests/data/version_0.1.0`, made before the packages had purposes."""

from __future__ import annotations

import csv
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.conftest import run_ok
from tests.model.test_model_zip import rewritten

DATA = Path(__file__).parents[1] / "data" / "version_0.1.0"
# Other processors round sums otherwise.
ROUNDING = 1e-4


@pytest.mark.parametrize(("model", "processed"), [("run", "frames"), ("samples.zip", "samples")])
def test_an_old_model_gives_the_output_that_it_gave(model, processed, tmp_path):
    run_ok("process", "--model", DATA / model, "--input", DATA / "dry.wav", "--output", tmp_path / "out.wav")
    found, _ = soundfile.read(tmp_path / "out.wav")
    wanted, _ = soundfile.read(DATA / f"{processed}_processed.wav")
    assert np.abs(found - wanted).max() <= ROUNDING


def test_the_delay_of_an_old_model_is_that_of_its_first_pair(tmp_path):
    def change(name, content):
        about = json.loads(content) if name == "dl4j_bridge.json" else {}
        assert "delay" not in about
        if about:
            about["pairs"][0]["delay"] = 300
        return json.dumps(about).encode() if about else content

    model = rewritten(DATA / "samples.zip", tmp_path / "m.zip", change)
    assert run_ok("info", model, "--json").json["delay"] == 300
    run_ok("process", "--model", model, "--input", DATA / "dry.wav", "--output", tmp_path / "out.wav")
    found, _ = soundfile.read(tmp_path / "out.wav")
    wanted, _ = soundfile.read(DATA / "samples_processed.wav")
    assert np.abs(found[300:] - wanted[:-300]).max() <= ROUNDING
    assert not found[:300].any()


def test_an_old_models_baselines_are_compared(tmp_path):
    result = run_ok(
        "compare", "--model", DATA / "samples.zip", "--input", DATA / "dry.wav", "--target", DATA / "wet.wav",
        "--out", tmp_path / "compare", "--json",
    ).json  # fmt: skip
    assert result["part"] == "test"
    assert [row["name"] for row in result["rows"]] == [
        "model", "copy", "constant", "lookup-table", "markov", "fir", "hammerstein", "wiener-hammerstein",
    ]  # fmt: skip


def test_an_old_run_resumes_as_it_did(tmp_path):
    out = tmp_path / "run"
    shutil.copytree(DATA / "run", out)
    with zipfile.ZipFile(out / "last.zip") as z:
        about = json.loads(z.read("dl4j_bridge.json"))
    for name, side in (("dry.wav", "input"), ("wet.wav", "target")):
        about["pairs"][0][side]["path"] = str(DATA / name)
    moved = json.dumps(about).encode()
    rewritten(
        DATA / "run" / "last.zip", out / "last.zip", lambda name, old: moved if name == "dl4j_bridge.json" else old
    )
    run_ok("train", out, "--resume", "--no-report", "--steps", "40")
    for found, wanted in zip(_losses(out / "log.csv"), _losses(DATA / "resumed_log.csv"), strict=True):
        assert found == pytest.approx(wanted, rel=1e-3)


def _losses(log: Path) -> list[float]:
    with open(log, newline="") as f:
        return [float(row["loss"]) for row in csv.DictReader(f)]
