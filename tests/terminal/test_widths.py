"""Every command in terminals of 80 and 120 columns: nothing is cut, no word is broken, every bar says what it is of."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from tests.conftest import SMALL, run_ok
from tests.terminal.terminals import shown

pytestmark = pytest.mark.parametrize("width", [80, 120])
BAR = re.compile("[━╸╺]{3,}")
COMMANDS = ("", "train", "process", "generate", "compare", "export", "adopt", "diagnose", "info", "demo")


def is_whole(lines: list[str], width: int, plain: str) -> None:
    """Check that lines hold only whole words of the same text without a terminal."""
    words = set(plain.split())
    assert not any("…" in line for line in lines), lines
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if len(line) >= width - 1 and following and line[-1] not in "╮│╯":
            # Figures differ from run to run, their words do not.
            last = line.split()[-1]
            assert last in words or re.search(r"\d", last), (line, following)


@pytest.mark.parametrize("name", COMMANDS)
def test_help(name, width):
    lines, _ = shown(width, *filter(None, [name]), "--help")
    assert any("Usage: dl4j-bridge" in line for line in lines)
    assert all(len(line) <= width for line in lines)
    assert not any("…" in line for line in lines)


def test_results(effect_run, recordings, tmp_path, width):
    long = tmp_path / ("a rather long name of a folder " * 2)
    long.mkdir()
    calls = {
        "process": ["--model", effect_run, "--input", recordings[0], "--output", long / "y.wav", "--overwrite"],
        "info": [effect_run],
        "export": ["--model", effect_run, "--format", "dl4j", "--output", tmp_path / "m.zip", "--overwrite"],
        "diagnose": ["--explain", "ESR"],
    }
    for name, args in calls.items():
        plain = run_ok(name, *args)
        lines, _ = shown(width, name, *args)
        is_whole([line for line in lines if line], width, plain.stdout + plain.stderr)


def test_training(recordings, tmp_path, width):
    args = ["train", "--input", recordings[0], "--target", recordings[1], "--steps", 20, *SMALL]
    lines, live = shown(width, *args, "--out", tmp_path / "terminal")
    plain = run_ok(*args, "--out", tmp_path / "plain")
    is_whole([line for line in lines if line], width, (plain.stdout + plain.stderr).replace("plain", "terminal"))
    bars = [line for line in live if BAR.search(line)]
    assert bars
    assert all(line.startswith("train ") for line in bars)
    assert any(re.search(r"^step \d+ .* left$", line) for line in live), live
    # The figures of the last validation stand in the result alone.
    assert not any(BAR.search(line) or line.startswith("step ") for line in lines)
    assert any("validation ESR" in " ".join(pair) for pair in itertools.pairwise(lines))


def test_a_comparison(effect_run, recordings, tmp_path, width):
    args = ["compare", "--model", effect_run, "--input", recordings[0], "--target", recordings[1], "--out", tmp_path]
    lines, live = shown(width, *args)
    bars = [line for line in live if BAR.search(line)]
    assert all(line.startswith("compare ") for line in bars)
    assert any(" samples" in line for line in bars)
    assert not any("0 of 1 sample" in line for line in bars)
    assert not any("…" in line for line in lines)
    assert any(re.match(r"model: ESR \S+, .*; best baseline: ", line) for line in lines), lines


def test_errors_are_broken_between_words(tmp_path, width):
    gone = Path("a-folder", "with-a-name", "gone.wav")
    with pytest.raises(AssertionError, match=r"error: a-folder/with-a-name/gone\.wav: no such file;"):
        shown(width, "train", "--input", gone)
