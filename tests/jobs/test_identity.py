"""The same recording in and out must converge, with the defaults, within 100 updates of 32 x 50 samples.

The recordings: those of ``examples/``, and every wav of the folder named in DL4J_BRIDGE_AUDIO.
"""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from tests.conftest import EXAMPLES, run_ok

OWN = [EXAMPLES / "plucked_dry.wav", EXAMPLES / "speech_like.wav"]
FOLDER = os.environ.get("DL4J_BRIDGE_AUDIO")
REAL = sorted(Path(FOLDER).glob("*.wav")) if FOLDER else []
SPEECH = [path for path in [*OWN, *REAL] if "speech" in path.name]
# DL4J's own start, and no penalty on large cells, which stock layers do not have.
DL4JS = ["--init", "xavier", "--cell-penalty", 0]
UPDATES = 100
CONVERGED = 0.99


def real(*paths: Path):
    """Parameters for recordings that the project does not ship: one that skips visibly where there are none."""
    if paths:
        return [pytest.param(path, id=path.stem) for path in paths]
    return [pytest.param(None, id="real", marks=pytest.mark.skip(reason="DL4J_BRIDGE_AUDIO is not set"))]


def validations(source: Path, out: Path, updates: int, *options: object) -> list[tuple[int, float]]:
    """Validation accuracy over updates."""
    run_ok(
        "train", "--input", source, "--target", source, "--out", out, "--rate", 11025, "--codec", "linear",
        "--steps", updates, "--no-report", *options,
    )  # fmt: skip
    with open(out / "log.csv", newline="") as f:
        rows = list(csv.DictReader(f))
    assert int(rows[-1]["step"]) <= updates
    return [(int(row["step"]), float(row["valid_accuracy"])) for row in rows if row["valid_accuracy"]]


def first_converged(judged: list[tuple[int, float]]) -> int | None:
    return next((step for step, accuracy in judged if accuracy >= CONVERGED), None)


@pytest.mark.parametrize(
    "source", [pytest.param(path, id=path.stem, marks=[pytest.mark.slow] if path != OWN[0] else []) for path in OWN]
)
def test_the_identity_converges(source, tmp_path):
    judged = validations(source, tmp_path / "run", UPDATES, "--validate-every", 20)
    assert first_converged(judged) is not None, judged


@pytest.mark.slow
@pytest.mark.parametrize("source", real(*REAL))
def test_the_identity_converges_on_real_recordings(source, tmp_path):
    judged = validations(source, tmp_path / "run", UPDATES, "--validate-every", 20)
    assert first_converged(judged) is not None, judged


@pytest.mark.slow
@pytest.mark.parametrize("source", [pytest.param(path, id=path.stem) for path in SPEECH])
def test_xavier_needs_at_least_three_times_as_many_updates(source, tmp_path):
    """10 updates between validations."""
    judged = validations(source, tmp_path / "ours", UPDATES, "--validate-every", 10)
    ours = first_converged(judged)
    assert ours is not None, judged
    theirs = validations(source, tmp_path / "xavier", 3 * ours - 1, *DL4JS, "--validate-every", 10)
    assert first_converged(theirs) is None, theirs


@pytest.mark.slow
@pytest.mark.parametrize("source", [pytest.param(path, id=path.stem) for path in SPEECH])
def test_the_posted_settings_do_not_converge_in_1000_updates(source, tmp_path):
    judged = validations(source, tmp_path / "run", 1000, "--preset", "posted", "--validate-every", 100)
    assert len(judged) == 10
    assert max(accuracy for _, accuracy in judged) < 0.5, judged
