"""Pairs of real files, and the split."""

import numpy as np
import pytest
import soundfile
from scipy.signal import butter, lfilter

from dl4j_bridge.demos import synthesis
from dl4j_bridge.errors import InputError
from dl4j_bridge.settings.training import DataSettings
from dl4j_bridge.signal import alignment, resampling
from dl4j_bridge.signal.codecs import LINEAR
from dl4j_bridge.signal.pairs import check_long_enough, open_pair, split
from dl4j_bridge.signal.recordings import SMALL_BLOCK
from dl4j_bridge.signal.windows import Windows
from dl4j_bridge.tasks.samples.task import SamplesTask

RATE = synthesis.CLASSIC_RATE
STRINGS = synthesis.plucked_strings(3)


@pytest.fixture
def written(tmp_path):
    """Write a recording of floats; give its path."""

    def make(name, x, rate=RATE):
        soundfile.write(tmp_path / name, x, rate, subtype="FLOAT")
        return tmp_path / name

    return make


def delayed(x, delay):
    return np.r_[np.zeros(delay), x[: x.size - delay]]


def sides(pair):
    x = pair.input.read(pair.rate)[pair.input_start :][: pair.length]
    y = pair.target.read(pair.rate)[pair.target_start :][: pair.length]
    return x, y


@pytest.mark.parametrize("align", ["auto", "given"])
@pytest.mark.parametrize("delay", [0, 1, 40, -40])
def test_with_the_delay_cut_out_both_sides_are_the_same(written, delay, align):
    noise = np.random.default_rng(1).uniform(-0.9, 0.9, 3 * RATE)
    x, y = noise, delayed(noise, abs(delay))
    if delay < 0:
        x, y = y, x
    settings = DataSettings(align=str(delay) if align == "given" else "auto")
    pair = open_pair(written("x.wav", x), written("y.wav", y), settings)
    assert (pair.delay, pair.length, pair.rate) == (delay, 3 * RATE - abs(delay), RATE)
    left, right = sides(pair)
    assert left.size == right.size == pair.length
    assert np.array_equal(left, right)
    if align == "given":
        assert pair.confidence is None
        assert pair.notes == ()
    else:
        assert pair.confidence > 0.9
        assert len(pair.notes) == (delay != 0)


@pytest.mark.parametrize(("delay", "words"), [(40, "40 samples (3.6 ms) later"), (-40, "40 samples (3.6 ms) earlier")])
def test_a_delay_is_told(written, delay, words):
    noise = np.random.default_rng(1).uniform(-0.9, 0.9, RATE)
    paths = [written("late.wav", delayed(noise, 40)), written("early.wav", noise)]
    pair = open_pair(*(paths if delay < 0 else paths[::-1]), DataSettings())
    assert words in pair.notes[0]
    assert str(pair.target.path) in pair.notes[0]


def test_align_off_leaves_a_delay_in(written):
    pair = open_pair(written("x.wav", STRINGS), written("y.wav", delayed(STRINGS, 40)), DataSettings(align="off"))
    assert (pair.delay, pair.confidence, pair.length) == (0, None, STRINGS.size)


def test_the_lag_of_a_filter_is_left_in_and_told(written):
    y = lfilter(*butter(4, 1500, fs=RATE), STRINGS)
    pair = open_pair(written("x.wav", STRINGS), written("y.wav", y), DataSettings())
    assert (pair.delay, pair.length) == (0, STRINGS.size)
    assert "left in" in pair.notes[0]


def test_unrelated_recordings_get_delay_0_and_a_note(written):
    other = synthesis.speech_like(3)
    pair = open_pair(written("x.wav", STRINGS), written("y.wav", other), DataSettings())
    assert (pair.delay, pair.length) == (0, STRINGS.size)
    assert pair.confidence < alignment.LOW_CONFIDENCE
    assert "no delay stands out" in pair.notes[0]
    assert "--align" in pair.notes[0]


def test_the_delay_of_a_long_recording_is_looked_for_where_it_is_loud(written):
    """The first part, longer than what an estimate looks at, is nearly silent on one side and wrong on the other."""
    rng = np.random.default_rng(1)
    size = alignment.STRETCH + 300_000
    x = rng.normal(0, 0.002, size)
    x[-100_000:] = rng.uniform(-0.9, 0.9, 100_000)
    y = np.r_[rng.normal(0, 0.002, size - 100_000), delayed(x[-100_000:], 7)]
    pair = open_pair(written("x.wav", x), written("y.wav", y), DataSettings())
    assert pair.delay == 7
    assert pair.confidence > 0.5


def test_a_target_at_another_rate_is_resampled_to_the_inputs_with_a_note(written):
    double = synthesis.plucked_strings(3, 2 * RATE)
    y = delayed(double, 80)
    x = resampling.resample(double, 2 * RATE, RATE)
    pair = open_pair(written("x.wav", x), written("y.wav", y, 2 * RATE), DataSettings())
    assert (pair.rate, pair.delay) == (RATE, 40)
    assert f"y.wav: {2 * RATE} Hz, resampled to {RATE} Hz" in pair.notes[0]
    left, right = sides(pair)
    np.testing.assert_allclose(left[200:-200], right[200:-200], atol=1e-3)


def test_a_wanted_rate_is_that_of_both_sides(written):
    paths = written("x.wav", STRINGS), written("y.wav", delayed(STRINGS, 44))
    pair = open_pair(*paths, DataSettings(rate=8000, align="32"))
    assert pair.rate == 8000
    assert pair.length == round(STRINGS.size * 8000 / RATE) - 32
    assert [f"{RATE} Hz, resampled to 8000 Hz" in note for note in pair.notes] == [True, True]


def test_the_notes_of_both_recordings_are_passed_on(written):
    stereo = np.stack([STRINGS, 0.5 * STRINGS], axis=1)
    pair = open_pair(written("x.wav", stereo), written("y.wav", stereo), DataSettings(channel=2))
    assert [note.split(": ")[1] for note in pair.notes] == ["2 channels, took 2"] * 2


def test_one_recording_alone_is_a_pair_without_target(written):
    pair = open_pair(written("x.wav", STRINGS), None, DataSettings())
    assert (pair.target, pair.delay, pair.confidence, pair.length) == (None, 0, None, STRINGS.size)
    assert (pair.input_start, pair.target_start, pair.notes) == (0, 0, ())


@pytest.mark.parametrize(
    ("frames", "more", "align", "fits"),
    [
        # A fifth of the longer one, or a second and a half.
        (10_000, 2_500, "off", True),
        (10_000, 2_502, "off", False),
        (10_000, -2_000, "off", True),
        (10_000, -2_002, "off", False),
        (100_000, 16_538, "off", True),
        (100_000, 16_540, "off", False),
        (100_000, -16_540, "off", False),
        # What the delay explains comes on top.
        (100_000, 16_538 + 300, "300", True),
        (100_000, 16_540 + 300, "300", False),
    ],
)
def test_lengths_may_differ_by_a_tail_and_a_delay_but_no_more(written, frames, more, align, fits):
    noise = np.random.default_rng(1).uniform(-0.9, 0.9, frames + 20_000)
    paths = written("x.wav", noise[:frames]), written("y.wav", noise[: frames + more])
    if fits:
        delay = 0 if align == "off" else int(align)
        assert open_pair(*paths, DataSettings(align=align)).length == min(frames, frames + more - delay)
        return
    with pytest.raises(InputError) as e:
        open_pair(*paths, DataSettings(align=align))
    assert str(e.value).startswith(f"{paths[1]}: {frames + more} samples")
    assert str(frames) in str(e.value)


@pytest.mark.parametrize("longer", ["input", "target"])
def test_silence_at_the_end_of_the_longer_one_is_cut_with_a_note(written, longer):
    silent = np.r_[STRINGS, np.zeros(4 * RATE)]
    x, y = (silent, STRINGS) if longer == "input" else (STRINGS, silent)
    pair = open_pair(written("x.wav", x), written("y.wav", y), DataSettings())
    assert (pair.delay, pair.length) == (0, STRINGS.size)
    assert f"{4 * RATE} samples (4.0 s) longer" in pair.notes[-1]
    assert f"the {longer} is cut" in pair.notes[-1]


@pytest.mark.parametrize("sides", ["input alone", "both"])
@pytest.mark.parametrize(("seconds", "length"), [(10, "cut"), (0.2, "kept")])
def test_silence_that_would_fill_the_test_part_is_left_out(written, sides, seconds, length):
    hiss = 1e-4 * np.random.default_rng(1).standard_normal(round(seconds * RATE))
    x = np.r_[STRINGS, hiss]
    target = None if sides == "input alone" else written("y.wav", np.tanh(3 * x))
    pair = open_pair(written("x.wav", x), target, DataSettings(align="off"))
    if length == "kept":
        assert pair.length == x.size
        assert pair.notes == ()
        return
    assert STRINGS.size <= pair.length < STRINGS.size + SMALL_BLOCK
    assert f"silent after {pair.length / RATE:.1f} s" in pair.notes[-1]


def test_what_one_side_still_has_at_the_end_is_no_silence(written):
    gated = np.r_[STRINGS, STRINGS, np.zeros(2 * STRINGS.size)]
    paths = written("x.wav", np.tile(STRINGS, 4)), written("y.wav", gated)
    pair = open_pair(*paths, DataSettings(align="off"))
    assert pair.length == gated.size
    notes = [note for note in pair.notes if note.startswith(f"{paths[1]}: silent in the ")]
    assert ["validation" in notes[0], "test" in notes[1], len(notes)] == [True, True, 2]


def test_a_validation_part_without_sound_is_told(written):
    sound = np.tile(STRINGS, 4)
    sound[int(0.75 * sound.size) : int(0.92 * sound.size)] = 0
    (note,) = open_pair(written("x.wav", sound), None, DataSettings()).notes
    seconds = sound.size / RATE
    assert f"silent in the validation part, {0.8 * seconds:.1f} to {0.9 * seconds:.1f} s" in note


@pytest.mark.parametrize("seconds", [1.5, -1.5, 3])
@pytest.mark.parametrize("effect", [lambda x: x, lambda x: np.tanh(3 * x)], ids=["identity", "curve"])
def test_a_delay_of_seconds_is_found(written, seconds, effect):
    sound = synthesis.speech_like(10)
    delay = round(seconds * RATE)
    x, y = sound, effect(sound)
    x, y = (x, delayed(y, delay)) if delay > 0 else (delayed(x, -delay), y)
    pair = open_pair(written("x.wav", x), written("y.wav", y), DataSettings())
    assert pair.delay == delay
    assert pair.confidence > 0.4


def test_a_delay_that_is_too_long_to_be_found_is_none(written):
    sound = synthesis.speech_like(10)
    pair = open_pair(written("x.wav", sound), written("y.wav", delayed(sound, 8 * RATE)), DataSettings())
    assert pair.delay == 0
    assert "no delay stands out" in pair.notes[0]


@pytest.mark.parametrize("length", [1, 9, 10, 999, 1000, 12_345, 29_000_000])
def test_the_split_is_contiguous_and_80_10_10(length):
    parts = split(length)
    assert list(parts) == ["train", "valid", "test"]
    borders = [*parts["train"], *parts["valid"], *parts["test"]]
    assert (borders[0], borders[-1]) == (0, length)
    assert borders[1::2][:2] == borders[2::2]
    assert abs(borders[1] - 0.8 * length) < 1
    assert abs(borders[3] - 0.9 * length) < 1


@pytest.mark.parametrize("window", [97, 99, 100, 1000])
@pytest.mark.parametrize("alone", [False, True], ids=["pair", "next sample"])
def test_what_is_long_enough_holds_a_training_window_and_one_sample_less_is_refused(written, window, alone):
    for count in range(window * 6 // 5, window * 2):
        x = written("x.wav", np.sin(np.arange(count)))
        pair = open_pair(x, None if alone else x, DataSettings(align="off"))
        try:
            check_long_enough(pair, window)
        except InputError as e:
            refusal = str(e)
        else:
            break
    assert f"x.wav: {count - 1} samples" in refusal
    assert f"wanted {count} or more" in refusal
    signal = np.zeros(count, np.uint8)
    left, right = SamplesTask(LINEAR, 0.0, "").input_and_target(signal, None if alone else signal)
    end = split(left.size)["train"][1]
    assert Windows([(left[:end], right[:end])], window, 1, 0).per_epoch == 1
