"""Commands in terminals of 80 and 120 columns: nothing is cut, no word is broken, every bar says what it is of."""

from __future__ import annotations

import re

import pytest
from typer.testing import CliRunner

from dl4j_bridge import cli
from dl4j_bridge.terminal.console import command_lines
from tests.conftest import SMALL
from tests.terminal.terminals import shown

WIDTHS = [80, 120]
# One width of what takes seconds; the other with `make test-full`.
SLOW_WIDTHS = [80, pytest.param(120, marks=pytest.mark.slow)]
BAR = re.compile("[━╸╺]{3,}")
COMMANDS = sorted(name.name or name.callback.__name__ for name in cli.app.registered_commands)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_a_help_is_not_cut(name, width):
    result = CliRunner().invoke(cli.app, [*filter(None, [name]), "--help"], env={"COLUMNS": str(width)})
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= width
    assert "…" not in result.stdout
    # The help of the options that exist, each with its whole name.
    if name == "train":
        words = result.stdout.replace("│", " ").split()
        assert {"--learning-rate", "--no-stop-when-solved", "--scheduled-sampling"} <= set(words)


@pytest.mark.parametrize("width", SLOW_WIDTHS)
def test_training(recordings, tmp_path, width):
    args = ["train", "--input", recordings[0], "--target", recordings[1], "--steps", 20, *SMALL]
    lines, live = shown(width, *args, "--out", tmp_path / "run")
    assert not any("…" in line for line in [*lines, *live])
    # A line that is broken inside a word does not match once its parts are joined by a space.
    text = " ".join(" ".join(lines).split())
    assert re.search(
        r": 20 steps, \d\.\d\d epochs, stopped by steps; validation ESR [\d.]+ \([a-z ]+\), SNR [\d.-]+ dB, "
        r"\d\.\d{3} bits/sample, accuracy [\d.]+% next:", text
    ), lines  # fmt: skip
    assert "1 samples" not in text
    bars = [line for line in live if BAR.search(line)]
    assert bars
    assert all(line.startswith("train ") for line in bars)
    assert any(re.search(r"^step \d+ .* left$", line) for line in live), live
    # The figures of the last validation stand in the result alone.
    assert not any(BAR.search(line) or line.startswith("step ") for line in lines)


@pytest.mark.parametrize("width", SLOW_WIDTHS)
def test_a_comparison(effect_run, recordings, tmp_path, width):
    args = ["compare", "--model", effect_run, "--input", recordings[0], "--target", recordings[1], "--out", tmp_path]
    lines, live = shown(width, *args)
    bars = [line for line in live if BAR.search(line)]
    assert any(re.search(r"^compare ━.* \d+ %", line) for line in bars), bars
    assert all(line.startswith("compare ") for line in bars)
    assert not any("…" in line for line in [*lines, *live])
    assert any(re.match(r"model: ESR \S+ \(.+\); best baseline: ", line) for line in lines), lines


def test_a_paragraph_and_an_error_are_broken_between_words(tmp_path):
    lines, _ = shown(80, "diagnose", "--explain", "ESR")
    meaning = " ".join(" ".join(lines).split())
    assert "with the limits of Neural Amp Modeler's trainer: below 0.01 great, below 0.035 not bad" in meaning
    assert lines[0] == "ESR: error-to-signal ratio (lower is better)"
    gone = tmp_path / ("a-folder-with-a-name-" * 3) / "gone.wav"
    lines, _ = shown(80, "train", "--input", gone, status=2)
    assert any(line.startswith("error:") for line in lines)
    assert "no such file; wanted" in " ".join(" ".join(lines).split())


def test_the_section_of_a_finding_is_laid_out():
    lines, _ = shown(80, "diagnose", "--explain", "swapped")
    text = "\n".join(lines)
    assert lines[0] == "swapped"
    # No marks of Markdown, and no line that the page broke stays short.
    assert not re.search(r"[`#]|\*\*|\]\(", text)
    paragraph = text.split("\n\n")[1].splitlines()
    assert len(paragraph) > 2
    assert min(map(len, paragraph[:-1])) > 60


def test_a_command_is_broken_where_it_can_be_pasted():
    class Narrow:
        width, is_terminal = 60, True

    text = "dl4j-bridge train --input 'my dry.wav' --target wet.wav --out runs/mine --learning-rate 0.001"
    broken = command_lines(text, Narrow(), "  ")
    assert all(len(line) <= 60 for line in broken.splitlines())
    assert broken.replace(" \\\n", " ").split() == text.split()
    assert command_lines("dl4j-bridge demo", Narrow(), "  ") == "  dl4j-bridge demo"
