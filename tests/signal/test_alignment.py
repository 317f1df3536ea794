"""Planted delays, filters, polarities: what is put in must be found."""

import numpy as np
import pytest
from scipy.signal import butter, iirpeak, lfilter

from dl4j_bridge.demos import synthesis
from dl4j_bridge.signal.alignment import LOW_CONFIDENCE, TAPS, Delay, estimate_delay

RATE = synthesis.CLASSIC_RATE
SECONDS = 2
MARGIN = 300
# Samples of delay that may be left in: as many as no network notices.
FEW = 5

SOUNDS = {
    "strings": synthesis.plucked_strings(SECONDS),
    "speech": synthesis.speech_like(SECONDS),
    "noise": np.random.default_rng(1).normal(0, 0.2, SECONDS * RATE),
}
EVERY_SOUND = pytest.mark.parametrize("sound", SOUNDS)


def filled(x, y, delay):
    """Both recordings begin at once; where `y` has nothing yet, or nothing more, it is silent."""
    late = np.zeros_like(y)
    late[max(delay, 0) : y.size + min(delay, 0)] = y[max(-delay, 0) : y.size - max(delay, 0)]
    return x, late


def cut(x, y, delay):
    """Both recordings are cut out of longer ones, and so are loud at both ends."""
    return x[MARGIN:-MARGIN], y[MARGIN - delay : y.size - MARGIN - delay]


@pytest.fixture(params=[(sound, delay, curve) for sound in SOUNDS for delay in (100.5, 58.8) for curve in (0, 1)])
def sound_and_delay(request):
    return request.param


PLANTED = pytest.mark.parametrize("plant", [filled, cut])


@EVERY_SOUND
@PLANTED
@pytest.mark.parametrize("delay", [0, 1, 7, 40, 200, -1, -40, -200])
def test_a_planted_delay_is_found_exactly(sound, plant, delay):
    found = estimate_delay(*plant(SOUNDS[sound], SOUNDS[sound], delay), RATE)
    assert (found.samples, found.peak, found.inverted) == (delay, delay, False)
    assert found.confidence > 0.9


@EVERY_SOUND
@pytest.mark.parametrize(("order", "hertz"), [(1, 1000), (2, 1800), (4, 2500)])
def test_the_lag_of_a_low_pass_is_not_a_delay(sound, order, hertz):
    y = lfilter(*butter(order, hertz, fs=RATE), SOUNDS[sound])
    found = estimate_delay(SOUNDS[sound], y, RATE)
    assert found.samples == 0
    assert found.peak > 0


@EVERY_SOUND
@pytest.mark.parametrize("delay", [40, -40])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_delay_is_found_behind_a_low_pass_and_an_inverted_polarity(sound, delay, sign):
    x = SOUNDS[sound]
    found = estimate_delay(*filled(x, sign * lfilter(*butter(2, 1800, fs=RATE), x), delay), RATE)
    assert found.samples == pytest.approx(delay, abs=1)
    assert found.inverted == (sign < 0)
    assert found.confidence > 0.9


def loud(x):
    return 0.9 * x / np.abs(x).max()


def one_pole(x):
    return lfilter([0.3], [1, -0.7], x)


def compressor(x):
    keep = np.exp(-1 / (0.01 * RATE))
    level = lfilter([1 - keep], [1, -keep], np.abs(x))
    return x * np.minimum(1, (0.05 / np.maximum(level, 1e-6)) ** 0.8)


def cabinet(x):
    y = lfilter(*butter(2, 90, "highpass", fs=RATE), x)
    for hertz, gain in ((420, -0.4), (1300, 0.5), (2700, 0.8)):
        y = y + gain * lfilter(*iirpeak(hertz, 3, fs=RATE), y)
    return lfilter(*butter(1, 4000, fs=RATE), y)


CAUSAL = {
    "curve": lambda x: np.tanh(3 * x),
    "fuzz": lambda x: np.tanh(60 * x + 0.3),
    "curve and one-pole": lambda x: one_pole(np.tanh(3 * x)),
    "low-pass and curve": lambda x: np.tanh(8 * lfilter(*butter(2, 1500, fs=RATE), x)),
    "compressor and curve": lambda x: np.tanh(6 * compressor(x)),
    "amplifier": synthesis.amplifier,
    "amplifier and cabinet": lambda x: cabinet(synthesis.amplifier(x)),
    "hum": lambda x: np.tanh(3 * x) + 0.003 * np.sin(2 * np.pi * 60 * np.arange(x.size) / RATE),
    "tremolo": lambda x: x * (0.55 + 0.45 * np.sin(2 * np.pi * 5 * np.arange(x.size) / RATE)),
}


@EVERY_SOUND
@pytest.mark.parametrize("effect", CAUSAL)
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("delay", [0, 211])
def test_of_a_delay_a_few_samples_may_be_left_in_but_never_too_many_cut_out(sound, effect, sign, delay):
    x = loud(SOUNDS[sound])
    found = estimate_delay(*filled(x, sign * CAUSAL[effect](x), delay), RATE)
    assert delay - FEW <= found.samples <= delay
    assert found.inverted == (sign < 0)
    assert found.low <= found.samples + 1 <= found.high + 2
    if delay == 0:
        assert found.samples == 0


def test_between_two_samples(sound_and_delay):
    sound, delay, curve = sound_and_delay
    x = loud(SOUNDS[sound])
    y = np.tanh(3 * x) if curve else x
    turn = np.exp(-2j * np.pi * np.fft.rfftfreq(2 * x.size) * delay)
    late = np.fft.irfft(np.fft.rfft(np.r_[y, np.zeros(x.size)]) * turn)[: x.size]
    found = estimate_delay(x, late, RATE)
    assert found.samples == int(delay)
    assert found.low < delay < found.high
    assert found.high - found.low < 0.6


@EVERY_SOUND
@pytest.mark.parametrize("delay", [0, 40])
def test_noise_on_the_target_does_not_hide_where_a_low_pass_starts(sound, delay):
    x = SOUNDS[sound]
    noise = np.random.default_rng(2).normal(0, 0.1 * x.std(), x.size)
    y = lfilter(*butter(4, 2500, fs=RATE), x)
    assert delay - 2 <= estimate_delay(*filled(x, y + noise, delay), RATE).samples <= delay


@pytest.mark.parametrize("seed", range(2, 5))
@pytest.mark.parametrize("other", [synthesis.plucked_strings, synthesis.speech_like])
def test_unrelated_recordings_have_no_lag_that_stands_out(seed, other):
    assert (
        estimate_delay(synthesis.plucked_strings(SECONDS), other(SECONDS, seed=seed), RATE).confidence < LOW_CONFIDENCE
    )


def test_a_delay_beyond_the_longest_is_not_found():
    x = SOUNDS["noise"]
    assert estimate_delay(*cut(x, x, 200), 200).samples == 200
    found = estimate_delay(*cut(x, x, 200), 199)
    assert found.confidence < LOW_CONFIDENCE
    assert abs(found.peak) <= 199


@pytest.mark.parametrize(("gain", "offset"), [(0.01, 0.0), (3.0, 0.0), (1.0, 0.5)])
def test_neither_gain_nor_offset_matters(gain, offset):
    x = SOUNDS["strings"]
    assert estimate_delay(*filled(x, gain * x + offset, 7), RATE).samples == 7


@pytest.mark.parametrize("more", [-2000, 2000])
def test_recordings_of_different_lengths_are_compared_as_far_as_both_go(more):
    x, y = cut(SOUNDS["noise"], SOUNDS["noise"], 40)
    y = np.r_[y, np.zeros(2000)] if more > 0 else y[:more]
    assert estimate_delay(x, y, RATE).samples == 40


@pytest.mark.parametrize("size", [0, 1, 4 * TAPS - 1])
def test_too_little_to_say_is_no_delay_without_confidence(size):
    x = np.random.default_rng(1).normal(size=size)
    assert estimate_delay(x, x, RATE) == Delay(0, 0, 0.0, False)


@pytest.mark.parametrize(("constant", "level"), [("input", 0.5), ("target", 0.5), ("target", 0.0)])
def test_a_recording_of_nothing_but_an_offset_gives_no_confidence(constant, level):
    sound = SOUNDS["strings"].astype(np.float32)
    flat = np.full_like(sound, level)
    found = estimate_delay(*((flat, sound) if constant == "input" else (sound, flat)), RATE)
    assert found.confidence < LOW_CONFIDENCE
