"""Delays, changes of the latency, swapped files and lengths: what is named, and what must keep quiet."""

import os
import shlex
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.signal import butter, iirpeak, lfilter

from dl4j_bridge.demos import synthesis
from dl4j_bridge.diagnostics.case import Case
from dl4j_bridge.diagnostics.findings import FAULT, WARNING
from dl4j_bridge.diagnostics.recordings import checks
from dl4j_bridge.settings.training import TrainSettings
from dl4j_bridge.signal import resampling

AUDIO = os.environ.get("DL4J_BRIDGE_AUDIO")
RATE = synthesis.CLASSIC_RATE
SECONDS = 8


def looped_chords(seconds, rate):
    """Two seconds of decaying chords over and over: the same sound at many lags, and little above 2 kHz."""
    t = np.arange(rate // 2) / rate
    chords = [
        sum(
            np.sin(2 * np.pi * root * 2 ** (step / 12) * k * t) / k**1.5 * np.exp(-3 * t) * np.minimum(t / 0.005, 1)
            for step in (0, 4, 7, 12)
            for k in range(1, 6)
        )
        for root in (110, 147, 165, 131)
    ]
    loop = np.concatenate(chords)
    return np.resize(0.8 * loop / np.abs(loop).max(), seconds * rate)


SOUNDS = {
    "strings": synthesis.plucked_strings(SECONDS),
    "speech": synthesis.speech_like(SECONDS),
    "chords": looped_chords(SECONDS, RATE),
}
# The chords have many peaks of correlation, and are always tried.
SLOW = pytest.mark.slow
EVERY_SOUND = pytest.mark.parametrize(
    "sound", [pytest.param(name, marks=[] if name == "chords" else SLOW) for name in SOUNDS]
)
# What `strings` and `speech` have and a loop of chords has not: no two places alike.
UNLIKE = pytest.mark.parametrize("sound", ["strings", "speech"])


def low_pass(order, hertz):
    return lambda x: lfilter(*butter(order, hertz, fs=RATE), x)


def level(x):
    keep = np.exp(-1 / (0.01 * RATE))
    return lfilter([1 - keep], [1, -keep], np.abs(x))


def compressor(x):
    return x * np.minimum(1, (0.05 / np.maximum(level(x), 1e-6)) ** 0.8)


def compressor_8_to_1(x):
    return 4 * x * np.minimum(1, (10 ** (-30 / 20) / np.maximum(level(x), 1e-6)) ** (7 / 8))


def cabinet(x):
    y = lfilter(*butter(2, 90, "highpass", fs=RATE), x)
    for hertz, gain in ((420, -0.4), (1300, 0.5), (2700, 0.8)):
        y = y + gain * lfilter(*iirpeak(hertz, 3, fs=RATE), y)
    return 0.4 * lfilter(*butter(1, 4000, fs=RATE), y)


EFFECTS = {
    "identity": lambda x: x,
    "gain": lambda x: 0.4 * x,
    "soft": lambda x: 0.6 * np.tanh(3 * x),
    "clip": lambda x: np.clip(3 * x, -0.6, 0.6),
    "fuzz": lambda x: 0.7 * np.tanh(60 * x),
    "soft and one-pole": lambda x: lfilter([0.3], [1, -0.7], np.tanh(3 * x)),
    "compressor": compressor,
    "compressor and curve": lambda x: 0.8 * np.tanh(6 * compressor(x)),
    "compressor 8:1": compressor_8_to_1,
    "biased fuzz": lambda x: 0.7 * np.tanh(60 * x + 0.3),
    "gate and curve": lambda x: 0.8 * np.tanh(4 * x * (level(x) > 0.005)),
    "amplifier": synthesis.amplifier,
    "amplifier and cabinet": lambda x: cabinet(synthesis.amplifier(x)),
    "high-pass": lambda x: lfilter(*butter(2, 500, "highpass", fs=RATE), x),
} | {f"low-pass {order} at {hertz}": low_pass(order, hertz) for order in (2, 4, 8) for hertz in (600, 1500)}


def late(y, delay):
    """Delay a sound by whole samples; the other end is cut off."""
    shifted = np.roll(y, delay)
    shifted[slice(delay) if delay > 0 else slice(y.size + delay, None)] = 0
    return shifted


@pytest.fixture
def diagnosed(tmp_path):
    """Write recordings as floats, run every check of recordings, return findings and figures."""

    def run(x, y, align="auto", rate=RATE, stored=None):
        paths = tmp_path / "dry take.wav", tmp_path / "wet.wav"
        for path, samples in zip(paths, (x, y), strict=True):
            soundfile.write(path, samples, rate, subtype="FLOAT")
        settings = TrainSettings().with_options({"align": align})
        outcomes = [check.run() for check in checks(Case(*paths, settings, stored))]
        figures = {name: value for outcome in outcomes for name, value in outcome.figures.items()}
        return [finding for outcome in outcomes for finding in outcome.findings], figures

    return run


def codes(result):
    return [finding.code for finding in result[0]]


@pytest.mark.parametrize("effect", EFFECTS)
@EVERY_SOUND
def test_a_healthy_pair_is_quiet_with_any_alignment(diagnosed, sound, effect):
    x = SOUNDS[sound]
    assert codes(diagnosed(x, EFFECTS[effect](x))) == []
    assert codes(diagnosed(x, EFFECTS[effect](x), align="off")) == []


def test_a_pair_that_is_half_silence_is_healthy(diagnosed):
    x = SOUNDS["strings"] * (np.arange(SECONDS * RATE) < SECONDS * RATE // 2)
    assert codes(diagnosed(x, EFFECTS["soft"](x))) == []


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("effect", ["soft", "amplifier", "compressor and curve", "low-pass 2 at 1500"])
@EVERY_SOUND
def test_a_delay_that_training_cuts_out_is_no_finding(diagnosed, sound, effect, sign):
    x = SOUNDS[sound]
    findings, figures = diagnosed(x, sign * late(EFFECTS[effect](x), 211))
    assert [finding.code for finding in findings] == (["polarity-inverted"] if sign < 0 else [])
    assert 207 <= figures["delay"]["cut_out"] <= 211


@UNLIKE
def test_between_two_samples_the_interval_is_named(diagnosed, sound):
    x = SOUNDS[sound]
    turn = np.exp(-2j * np.pi * np.fft.rfftfreq(2 * x.size) * 100.5)
    y = np.fft.irfft(np.fft.rfft(np.r_[0.6 * np.tanh(3 * x), np.zeros(x.size)]) * turn)[: x.size]
    findings, figures = diagnosed(x, y)
    assert findings == []
    assert figures["delay"]["cut_out"] == 100
    assert figures["delay"]["low"] < 100.5 < figures["delay"]["high"]
    assert figures["delay"]["milliseconds"][0] < 1000 * 100.5 / RATE < figures["delay"]["milliseconds"][1]


@pytest.mark.parametrize(("align", "code"), [("off", "misaligned"), ("150", "misaligned"), ("240", "target-leads")])
@EVERY_SOUND
def test_a_delay_cut_out_by_hand_must_be_right_and_the_advice_is(diagnosed, sound, align, code):
    x = SOUNDS[sound]
    y = late(EFFECTS["amplifier"](x), 211)
    (finding,), _ = diagnosed(x, y, align=align)
    assert (finding.code, finding.severity) == (code, FAULT)
    words = shlex.split(finding.fix.split(";")[0])
    assert words[0] == "--align"
    assert codes(diagnosed(x, y, align=words[1])) == []


@pytest.mark.parametrize("stored", [0, 195, 211])
def test_the_delay_of_a_finished_model_is_no_fault(diagnosed, stored):
    x = SOUNDS["strings"]
    assert codes(diagnosed(x, late(EFFECTS["amplifier"](x), 211), align="off", stored=stored)) == []


@pytest.mark.parametrize("seconds", [1.5, 5])
@UNLIKE
def test_a_delay_of_seconds_is_cut_out_with_a_warning(diagnosed, sound, seconds):
    x = SOUNDS[sound]
    (finding,), figures = diagnosed(x, late(EFFECTS["soft"](x), round(seconds * RATE)))
    assert (finding.code, finding.severity) == ("misaligned", WARNING)
    assert figures["delay"]["cut_out"] == round(seconds * RATE)


@pytest.mark.skipif(not AUDIO, reason="needs recordings in DL4J_BRIDGE_AUDIO")
@pytest.mark.parametrize(("name", "seconds"), [("guitar_44k1", 2), ("guitar_44k1", 3), ("tabla_44k1", 1.5)])
def test_a_rhythm_does_not_hide_a_delay_of_seconds(diagnosed, name, seconds):
    x, rate = soundfile.read(Path(AUDIO) / f"{name}.wav", frames=10 * 44100)
    x = resampling.resample(x if x.ndim == 1 else x[:, 0], rate, RATE)
    (finding,), figures = diagnosed(x, late(EFFECTS["soft"](x), round(seconds * RATE)))
    assert (finding.code, finding.severity) == ("misaligned", WARNING)
    assert figures["delay"]["cut_out"] == round(seconds * RATE)


@pytest.mark.parametrize(
    ("first", "second"), [(27, 51), (700, 50), *(pytest.param(*pair, marks=SLOW) for pair in [(50, 700), (20, 30)])]
)
@pytest.mark.parametrize("effect", ["identity", "soft", "amplifier", "low-pass 4 at 1500", "compressor and curve"])
@UNLIKE
def test_a_latency_that_changes_is_named_with_its_time(diagnosed, sound, effect, first, second):
    x = SOUNDS[sound]
    y, at = EFFECTS[effect](x), round(0.45 * x.size)
    (finding,), _ = diagnosed(x, np.r_[late(y, first)[:at], late(y, second)[at:]])
    assert finding.code == "delay-changes"
    assert finding.evidence["seconds"] == pytest.approx(at / RATE, abs=0.2)
    lags = finding.evidence["samples"]
    assert lags["after"] - lags["before"] == pytest.approx(second - first, abs=1)
    assert f"trim {finding.evidence['seconds']:.3f}" in finding.fix
    assert "--input a1.wav --target b1.wav --input a2.wav --target b2.wav" in finding.fix
    assert "'" in finding.fix


@pytest.mark.parametrize("speed", [1.00002, 1.00005, 1.0002, 1.003])
@UNLIKE
def test_two_clocks_are_a_speed_and_no_change_of_the_latency(diagnosed, sound, speed):
    x = np.tile(SOUNDS[sound], 2)
    x = x + np.random.default_rng(1).normal(0, 0.003, x.size)
    y = resampling.resample(EFFECTS["soft"](x), 1_000_000, round(1_000_000 * speed))
    (finding,), _ = diagnosed(x, y)
    assert finding.code == "rate-mismatch"
    assert finding.evidence["speed"] == pytest.approx(speed, abs=0.000005)


@UNLIKE
def test_two_clocks_are_one_after_the_fix(diagnosed, sound):
    x = SOUNDS[sound]
    y = resampling.resample(EFFECTS["amplifier"](x), 1_000_000, 1_000_050)
    (finding,), _ = diagnosed(x, y)
    assert f"sox: speed {finding.evidence['speed']:.6f}" in finding.fix
    assert codes(diagnosed(x, resampling.resample(y, round(1_000_000 * finding.evidence["speed"]), 1_000_000))) == []


@pytest.mark.parametrize("delay", [15, 300])
@pytest.mark.parametrize("effect", ["clip", "fuzz", "amplifier and cabinet"])
@UNLIKE
def test_swapped_files_are_named(diagnosed, sound, effect, delay):
    x = 0.9 * SOUNDS[sound]
    findings, _ = diagnosed(late(EFFECTS[effect](x), delay), x)
    assert "swapped" in [finding.code for finding in findings]
    assert "target-leads" not in [finding.code for finding in findings]
    (finding,) = [finding for finding in findings if finding.code == "swapped"]
    assert "exchange the files" in finding.fix


@UNLIKE
def test_a_lead_alone_is_not_swapped(diagnosed, sound):
    x = SOUNDS[sound]
    for effect in ("identity", "soft", "low-pass 2 at 1500", "amplifier", "compressor and curve", "gate and curve"):
        assert "swapped" not in codes(diagnosed(x, late(EFFECTS[effect](x), -200)))


def test_a_tail_is_a_length_alone_and_silence_is_none(diagnosed):
    x = SOUNDS["strings"]
    y = EFFECTS["soft"](x)
    assert codes(diagnosed(x, np.r_[y, 0.3 * x[: 3 * RATE]])) == ["length-mismatch"]
    assert codes(diagnosed(x, np.r_[y, 0.3 * x[:RATE]])) == []
    assert codes(diagnosed(x, np.r_[np.zeros(RATE // 2), y, 0.3 * x[: 5 * RATE]])) == ["length-mismatch"]
    assert codes(diagnosed(x, np.r_[y, np.zeros(5 * RATE)])) == []
    assert codes(diagnosed(np.r_[x, np.zeros(5 * RATE)], y)) == []
