"""The scoreboard of the diagnosis: a small part of it here, and all of its reported half in `make test-full`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

from scoreboard import harm, score  # noqa: E402
from scoreboard.answers import Answer  # noqa: E402
from scoreboard.faults import FAULTS  # noqa: E402
from scoreboard.plan import by_name, everything, quick  # noqa: E402
from scoreboard.sounds import FIT, REPORT, sounds  # noqa: E402

SOUNDS = sounds(None)
# What the reported half must come to.
GOALS = {"recall-obvious": 0.98, "recall-middle": 0.98, "recall-weak": 0.8, "precision": 0.99}
HEALTHY = [
    "strings/amplifier",
    "speech-like/soft",
    "white-noise/cabinet",
    "bass-notes/compressor",
    "quiet-speech-8k/one-pole",
    "pink-noise/mu-law",
    "batch/strings/soft",
    "quiet-speech/8-bit",
    # A beat: hits have something in common with those before.
    "drums/asymmetric",
    "drums/fuzz",
]
# One case of every finding that recordings and batches can have.
PLANTED = [
    "strings/soft/clock@obvious",
    "strings/amplifier/shorter@middle",
    "speech-like/soft/late@obvious",
    "strings/one-pole/lead@obvious",
    "speech-like/amplifier/stranger@obvious",
    "strings/soft/inverted@obvious",
    "bass-notes/soft/quiet-target@obvious",
    "strings/soft/clipped-input@obvious",
    "strings/one-pole/tremolo-5@middle",
    "speech-like/soft/wow@obvious",
    "strings/soft/steps@obvious",
    "bass-notes/one-pole/echo@obvious",
    "white-noise/soft/hiss@weak",
    "strings/fuzz/hum-50@middle",
    "speech-like/one-pole/hum-60@obvious",
    "slow-sweep/cabinet/clicks@middle",
    "quiet-speech/asymmetric/coarse@obvious",
    "riff/late-amplifier/phaser@obvious",
    "test-signal/soft/wrong-take@middle",
    "bass-notes/soft/gaps@obvious",
    "white-noise/soft/coarse@obvious",
    "speech-like/identity/mostly-silent@obvious",
    "strings/identity/offset-target@obvious",
    "white-noise/soft/little@middle",
    "bass-notes/limiter/clock@weak",
    "bass-notes/identity/late-seconds@obvious",
    "slow-sweep/hard/second-take@middle",
    "slow-sweep/gate/offset-input@middle",
    "strings/soft/offset-target@weak",
    "bass-notes/amplifier/exchanged@middle",
    "bass-notes/short-reverb/stranger@middle",
    "bass-notes/identity/too-quiet@obvious",
    # A swinging delay that happens to be in time with the changes of the input's level.
    "pink-noise/compressor/chorus@middle",
    # A band whose lag wanders runs at the same speed.
    "sweep-8k/band-pass/lead-seconds@middle",
    # Most of the target is another take.
    "speech-like-16k/low-pass-2/wrong-take@obvious",
    # Rests of another take, and of an input whose target has an offset, are no gaps.
    "drums/gate/wrong-take@middle",
    "test-signal/gate/offset-target@obvious",
    # Steps of a tone's volume, most of which a filter makes too.
    "test-signal/high-pass/steps@middle",
    "batch/strings/soft/no-one@middle",
    "batch/strings/identity/classes-last@obvious",
    "batch/strings/identity/c-as-f@obvious",
    "batch/strings/identity/signed-both@obvious",
    "batch/strings/identity/overlap@obvious",
    "batch/leak",
    # Where the filter leaves little, noise, echoes and clicks are no other take.
    "test-signal/low-pass-2/echo@obvious",
    "test-signal/low-pass-2/clicks@obvious",
    # An effect that is not symmetric, and an offset after it.
    "strings/asymmetric/offset-target@middle",
    # Many gaps in a sound with many pauses.
    "speech-like-16k/gate/long-gaps@obvious",
    # Three levels.
    "slow-sweep/late-soft/coarse@obvious",
    # Two faults at once.
    "pad/low-pass-4/hiss+gaps@middle",
    "white-noise/compressor/hiss+gaps@middle",
    # What a fault makes besides is no other fault.
    "riff/gate/ring@middle",
    "drums/late-amplifier/clipped-input@obvious",
    "slow-sweep/one-pole/clipped-input@obvious",
    "chord-loop/short-reverb/quiet-input@obvious",
    "riff/low-pass-2/tremolo-5@middle",
    "test-signal/low-pass-2/latency-change@middle",
    # A rate that is low enough for the identity, and too high for the pair.
    pytest.param("training/strings/soft/high-rate@middle", marks=pytest.mark.slow),
]


@pytest.mark.parametrize("name", HEALTHY)
def test_nothing_is_found_in_a_healthy_case(name):
    answer = by_name(name, SOUNDS).answer()
    assert (answer.found, answer.error) == ((), "")


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_found_and_nothing_else(name):
    answer = by_name(name, SOUNDS).answer()
    assert (answer.missed, answer.false, answer.error, answer.harmless) == ((), (), "", False), answer


@pytest.mark.parametrize(
    "name",
    [
        "strings/soft/inverted@obvious",
        "bass-notes/identity/too-quiet@obvious",
        "strings/identity/offset-target@obvious",
    ],
)
def test_the_advice_works(name):
    answer = by_name(name, SOUNDS).answer(advice=True)
    assert set(answer.advice.values()) == {"gone"}


def test_faults_are_as_harmful_as_planned():
    """The ESR is measured again here, with a filter fitted by ordinary least squares."""
    case = by_name("strings/soft/hiss@weak", SOUNDS)
    healthy, noisy = (by_name(name, SOUNDS).take().y for name in ("strings/soft", case.name))
    past = np.lib.stride_tricks.sliding_window_view(healthy, 64)
    wanted = noisy[40 : 40 + len(past)]
    left = wanted - past @ np.linalg.lstsq(past, wanted, rcond=None)[0]
    assert np.sum(left**2) / np.sum(wanted**2) == pytest.approx(0.004, rel=0.1)
    assert harm.unexplained(healthy, noisy) == pytest.approx(0.004, rel=0.1)


def test_the_plan():
    plan = everything(SOUNDS)
    names = [case.name for case in plan]
    assert len(set(names)) == len(names) >= 1500
    assert {FIT, REPORT} == {case.sound.half for case in plan}
    assert 80 <= len(quick(plan)) <= 130
    for half in (FIT, REPORT):
        words = set().union(*(case.words for case in plan if case.sound.half == half))
        assert {fault.name for fault in FAULTS} <= words


def test_the_score_counts_what_is_missed_and_what_is_false():
    def answer(fault, found, strength="obvious"):
        wanted = (fault,) if fault else ()
        missed = () if fault in found else wanted
        false = tuple(code for code in found if code != fault)
        return Answer("name", "strings", "soft", FIT, fault, strength, wanted, missed, false, tuple(found))

    answers = [
        answer("clipped", ["clipped"]),
        answer("clipped", ["dc-offset"]),
        answer("dc-offset", ["dc-offset"]),
        answer("", [], ""),
        answer("", ["clipped"], ""),
    ]
    assert score.ratios(answers) == {
        "recall-obvious": pytest.approx(2 / 3),
        "precision": pytest.approx(2 / 4),
        "healthy-without-finding": 0.5,
    }
    clipped, offset = score.by_finding(answers)
    assert (clipped["finding"], clipped["obvious"], clipped["precision"], clipped["false"]) == ("clipped", 0.5, 0.5, 1)
    assert (offset["finding"], offset["obvious"], offset["precision"]) == ("dc-offset", 1, 0.5)
    assert score.confusion(answers)[0]["cases"] == 1


@pytest.mark.slow
def test_the_reported_half_reaches_the_goals():
    """Of the synthesized recordings, and of those in DL4J_BRIDGE_AUDIO."""
    command = [sys.executable, BENCHMARKS / "diagnosis.py", "--half", REPORT, "--jobs", "2", "--json"]
    ratios = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)["ratios"]
    assert {name: ratios[name] for name, goal in GOALS.items() if ratios[name] < goal} == {}


def test_a_case_as_the_command_prints_it():
    command = [sys.executable, BENCHMARKS / "diagnosis.py", "--case", "strings/soft/inverted@obvious"]
    printed = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert printed["found"] == ["polarity-inverted"]
    assert printed["fixes"].keys() == {"polarity-inverted"}
