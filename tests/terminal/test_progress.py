"""Progress of a training, as text."""

from __future__ import annotations

import io
import re
from types import SimpleNamespace

import pytest
from rich.console import Console

from dl4j_bridge.settings.training import RunSettings, TrainSettings
from dl4j_bridge.terminal import progress


def a_step(step: int, values: dict, valid: dict | None = None, pretraining: bool = False, left: float | None = 754.0):
    return SimpleNamespace(
        step=step, seconds=61.0, values=values, samples_per_second=12345.6, fraction=0.5, seconds_left=left,
        valid=valid, pretraining=pretraining, findings=[],
    )  # fmt: skip


def text(*steps, width=None) -> str:
    average = progress._Average()
    for step in steps:
        average.add(step)
    return average.text(steps[-1], width)


def test_every_value_has_a_name():
    step = a_step(1200, {"loss": 0.000123}, {"mse": 5.83e-05, "esr": 0.000643, "snr_db": 31.9})
    assert text(step) == "step 1200 loss 0.000123 (valid MSE 5.83e-05, ESR 0.000643) 12,346 samples/s 12:34 left"


def test_a_value_that_is_missing():
    assert "(valid bits " not in text(a_step(1, {"bits": 8.0}))
    assert "ESR – (silent)" in text(a_step(1, {"loss": 1.0}, {"esr": None}))
    assert text(a_step(1, {"loss": 1.0}, left=None)).endswith("samples/s 1:01")


@pytest.mark.parametrize(("limits", "said"), [({}, True), ({"minutes": 2.0}, False)])
def test_a_training_without_a_limit_says_when_it_ends(limits, said, capsys):
    run = SimpleNamespace(
        notes=[], warnings=[], network=SimpleNamespace(parameter_count=6761), pairs=[SimpleNamespace(rate=44100)],
        folder=SimpleNamespace(path="runs/amp"), settings=TrainSettings(run=RunSettings(**limits)),
        task=SimpleNamespace(describe=lambda: "samples as numbers", graded=True),
    )  # fmt: skip
    with progress.training_progress(run):
        lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "runs/amp: 6,761 parameters, 44100 Hz, samples as numbers; Ctrl-C stops and saves"
    assert ("no --minutes, --steps or --epochs: ends when validation no longer improves" in lines) == said


def test_the_bar_of_a_diagnosis_has_a_share(monkeypatch):
    shown = Console(file=io.StringIO(), force_terminal=True, width=80)
    monkeypatch.setattr(progress, "stderr", shown)
    with progress.checks_progress() as report:
        report("noise", None, 0.25)
        report("noise", True, 0.5)
    text = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", shown.file.getvalue())
    assert re.search(r"diagnose [━╸╺]+ +50 % noise", text), text
    assert "✓ noise" in text


@pytest.mark.parametrize("width", [80, 100, 120])
def test_a_line_fits_into_the_terminal(width):
    step = a_step(120000, {"bits": 5.123, "accuracy": 0.999}, {"bits": 5.123, "accuracy": 0.999, "esr": 0.1})
    line = text(step, width=width)
    assert len(line) <= width
    assert "(valid 5.123 bits/sample" in line


def test_values_are_averaged_but_not_over_pretraining():
    before, after = a_step(20, {"loss": 100.0}, pretraining=True), a_step(1, {"loss": 1.0})
    assert text(before).startswith("pre-training step 20 loss 100")
    assert text(before, after).startswith("step 1 loss 1 ")
    assert text(a_step(1, {"loss": 1.0}), a_step(2, {"loss": 2.0})).startswith("step 2 loss 1.05 ")
