"""What users of amplifier models complained of must be named, and the same pair without it stay quiet."""

import numpy as np
import pytest
import soundfile
from scipy.signal import lfilter, oaconvolve

from dl4j_bridge.demos import synthesis
from dl4j_bridge.diagnostics.case import Case
from dl4j_bridge.diagnostics.findings import FAULT, WARNING
from dl4j_bridge.diagnostics.recordings import checks
from dl4j_bridge.jobs.diagnose import _Suite
from dl4j_bridge.settings.training import TrainSettings

RATE = 11025
X = synthesis.plucked_strings(6, RATE)
TIME = np.arange(X.size) / RATE


def norm(y):
    return 0.6 * y / np.abs(y).max()


def sine(hertz):
    return np.sin(2 * np.pi * hertz * TIME)


def later(x, seconds):
    at = np.arange(x.size)
    return np.interp(at - seconds * RATE, at, x, left=0)


def phaser(x):
    y, state = x.copy(), [np.zeros(1) for _ in range(4)]
    for start in range(0, x.size, 64):
        hertz = 300 * 5 ** (0.5 + 0.5 * np.sin(2 * np.pi * 0.8 * start / RATE))
        c = (np.tan(np.pi * hertz / RATE) - 1) / (np.tan(np.pi * hertz / RATE) + 1)
        for k in range(4):
            y[start : start + 64], state[k] = lfilter([c, 1], [1, c], y[start : start + 64], zi=state[k])
    return x + y


def room(x):
    n = round(1.5 * RATE)
    tail = np.random.default_rng(3).normal(size=n) * np.exp(-6.9 * np.arange(n) / n)
    return x + 0.8 * oaconvolve(x, tail / np.linalg.norm(tail))[: x.size]


SOFT = norm(np.tanh(3 * X))
HISS = np.random.default_rng(4).normal(size=X.size)
COMPLAINTS = {
    "ring modulator": (norm(X * sine(300)), "time-variant", FAULT),
    "vibrato": (norm(later(X, (60 + 50 * sine(3)) / 44100)), "time-variant", FAULT),
    "chorus": (norm(X + later(X, 0.012 + 0.004 * sine(1))), "time-variant", FAULT),
    "phaser": (norm(phaser(X)), "time-variant", FAULT),
    "tremolo": (norm(X * (1 + 0.8 * sine(5))), "time-variant", FAULT),
    "slow tremolo": (norm(X * (1 + 0.6 * sine(0.7))), "time-variant", FAULT),
    "echo": (norm(X + 0.5 * later(X, 0.3)), "memory-too-short", FAULT),
    "reverb": (norm(room(X)), "memory-too-short", FAULT),
    "noise at -30 dB": (SOFT + 10 ** (-30 / 20) * HISS, "noise-floor", WARNING),
    "hum": (SOFT + 0.1 * sine(60), "noise-floor", WARNING),
    "hum at -50 dB": (SOFT + 10 ** (-50 / 20) * sine(60), "noise-floor", WARNING),
}
HEALTHY = {
    "copy": X,
    "soft": SOFT,
    "gain": 0.5 * X,
    "echo of 15 ms": norm(X + 0.5 * later(X, 0.015)),
    "tone control": norm(lfilter([0.3], [1, -0.7], X)),
}


@pytest.fixture
def found(tmp_path):
    """All findings of a pair, as `diagnose` has them."""

    def run(y):
        for name, samples in (("x", X), ("y", y)):
            soundfile.write(tmp_path / f"{name}.wav", samples, RATE)
        suite = _Suite(lambda name, passed, share: None)
        suite.run(checks(Case(tmp_path / "x.wav", tmp_path / "y.wav", TrainSettings())))
        return [(finding.code, finding.severity) for finding in suite.findings]

    return run


@pytest.mark.parametrize("complaint", COMPLAINTS)
def test_a_complaint_is_named_and_nothing_else(found, complaint):
    y, code, severity = COMPLAINTS[complaint]
    assert found(y) == [(code, severity)]


@pytest.mark.parametrize("effect", HEALTHY)
def test_nothing_is_found_without_it(found, effect):
    assert found(HEALTHY[effect]) == []
