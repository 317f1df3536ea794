"""Planted delays, filters, polarities: what is put in must be found."""

import numpy as np
import pytest
from scipy.signal import butter, lfilter

from dl4j_bridge.demos import synthesis
from dl4j_bridge.signal.alignment import LOW_CONFIDENCE, TAPS, Delay, estimate_delay

RATE = synthesis.CLASSIC_RATE
SECONDS = 2
MARGIN = 300

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


@EVERY_SOUND
@pytest.mark.parametrize("delay", [0, 40])
def test_behind_an_amplifier_too_little_may_be_cut_out_but_not_too_much(sound, delay):
    """Filters that start earlier mimic some of what is not linear; at 0 there is nothing earlier."""
    x = SOUNDS[sound]
    found = estimate_delay(*filled(x, synthesis.amplifier(x), delay), RATE)
    assert found.peak == pytest.approx(delay + 1, abs=1)
    assert max(delay - TAPS // 2, 0) <= found.samples <= delay + 1
    assert found.confidence > 0.8
    assert not found.inverted


@EVERY_SOUND
@pytest.mark.parametrize("delay", [0, 40])
def test_noise_on_the_target_does_not_hide_where_a_low_pass_starts(sound, delay):
    x = SOUNDS[sound]
    noise = np.random.default_rng(2).normal(0, 0.1 * x.std(), x.size)
    y = lfilter(*butter(4, 2500, fs=RATE), x)
    assert estimate_delay(*filled(x, y + noise, delay), RATE).samples == delay


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
