"""How a finding speaks: its meaning, its evidence in words, its section, and what it makes pointless."""

from __future__ import annotations

import re

import pytest

from dl4j_bridge.diagnostics import consequences, explanations
from dl4j_bridge.diagnostics.evidence import in_words
from dl4j_bridge.diagnostics.findings import FAULT, WARNING, Finding
from dl4j_bridge.diagnostics.findings import codes as known_codes
from dl4j_bridge.errors import InputError
from tests.conftest import EXAMPLES, run, run_ok

PAGE = EXAMPLES.parent / "docs" / "diagnostics.md"


def test_every_code_has_a_meaning_in_one_sentence():
    for code in known_codes():
        meaning = explanations.meaning(code)
        assert re.fullmatch(r"[A-Z].{15,220}\.", meaning), (code, meaning)
        assert not re.search(r"[`\[\]]|\. [A-Z]", meaning), (code, meaning)


@pytest.mark.parametrize(
    ("code", "evidence", "words"),
    [
        ("misaligned", {"samples": 40, "milliseconds": 3.63}, ["delay: 40 samples", "delay: 3.63 ms"]),
        ("misaligned", {"cut_out": 1}, ["cut out by --align: 1 sample"]),
        ("clipped", {"input": 0.0123}, ["flat peaks in the input: 1.23 %"]),
        ("rate-mismatch", {"rates": {"input": 44100}}, ["sampling rates: input 44,100 Hz"]),
        ("noisier-than-baseline", {"model_esr": 0.25, "fir_esr": 0.1}, ["model ESR: 0.25", "fir ESR: 0.1"]),
        ("learning-rate-too-high", {"with": {"learning_rate": 0.1, "bits": None}}, ["with: learning rate 0.1, loss –"]),
        ("axis-order", {"axes": ["batch", "time", "classes"]}, ["axes: batch, time, classes"]),
        # A finding that is new: the end of a name gives the unit.
        ("new", {"depth_db": 3.0, "echo_share": 0.5, "lfo_hz": 5}, ["depth: 3 dB", "echo: 50 %", "lfo: 5 Hz"]),
        # What only a plot can show.
        ("new", {"curve": [1.0] * 99, "trials": [{"bits": 1.0}]}, []),
    ],
)  # fmt: skip
def test_evidence_in_words(code, evidence, words):
    assert in_words(code, evidence) == words


def test_explain_prints_the_section_of_the_page():
    result = run_ok("diagnose", "--explain", "misaligned", "--json")
    section = PAGE.read_text(encoding="utf-8").split("### `misaligned`\n")[1].split("### `")[0].strip()
    assert section in result.stdout
    assert result.json["code"] == "misaligned"
    assert result.json["meaning"] == explanations.meaning("misaligned")


def test_explain_knows_metrics_too():
    for name in ("ESR", "esr", "error-to-signal ratio"):
        result = run_ok("diagnose", "--explain", name, "--json")
        assert "0 is a perfect copy" in result.stdout
        assert "below 0.01 great" in result.json["meaning"]


def test_an_unknown_code_is_one_line_with_those_that_are_spelled_alike():
    result = run("diagnose", "--explain", "misalinged")
    assert result.status == 2
    assert result.error == "error: --explain: misalinged is no finding and no metric; wanted a code such as misaligned"
    with pytest.raises(InputError, match=r"rate-mismatch.*noisier-than-baseline"):
        explanations.explain("?")


def test_a_finding_of_the_pair_explains_what_follows_from_it():
    noisier = Finding("noisier-than-baseline", FAULT, "train for longer")
    sampled = Finding("sampling-noise", FAULT, "--decode mean")
    new = [noisier, sampled]
    for code in ("time-variant", "memory-too-short", "noise-floor", "delay-changes", "swapped", "misaligned"):
        assert consequences.unexplained(new, [Finding(code, FAULT, "")]) == [sampled], code
    assert consequences.unexplained(new, [Finding("time-variant", WARNING, "")]) == [sampled]
    # A delay that does no harm explains nothing.
    assert consequences.unexplained(new, [Finding("misaligned", WARNING, "")]) == new
    assert consequences.unexplained(new, [Finding("clipped", FAULT, "")]) == new


def test_exchanged_files_explain_what_the_dry_recording_lacks():
    lacking = Finding("bit-crushed", WARNING, "--rate 8000")
    assert consequences.unexplained([lacking], [Finding("swapped", FAULT, "")]) == []
    assert consequences.unexplained([lacking], [Finding("clipped", FAULT, "")]) == [lacking]


def test_only_faults_stop_the_checks_that_follow():
    assert consequences.stops(consequences.UNLEARNABLE, [Finding("misaligned", FAULT, "")])
    assert not consequences.stops(consequences.UNLEARNABLE, [Finding("misaligned", WARNING, "")])
    assert not consequences.stops(consequences.UNLEARNABLE, [Finding("clipped", FAULT, "")])
