"""Codecs and pre-emphasis against formulas written here."""

import numpy as np
import pytest
from scipy.signal import lfilter

from dl4j_bridge.signal import audio_files
from dl4j_bridge.signal.codecs import CLASSES, LINEAR, MULAW, SILENCE, get_codec
from dl4j_bridge.signal.pre_emphasis import DeEmphasis, PreEmphasis
from dl4j_bridge.signal.recordings import open_recording

CODECS = pytest.mark.parametrize("codec", [LINEAR, MULAW], ids=lambda codec: codec.name)
# Mu-law's class 0 stands below -1: nothing is encoded there.
USED = {"linear": np.arange(256, dtype=np.uint8), "mulaw": np.arange(1, 256, dtype=np.uint8)}


def companded(x):
    """ITU-T G.711's continuous curve: sgn x ln(1 + 255 |x|) / ln 256."""
    return np.sign(x) * np.log(1 + 255 * np.abs(x)) / np.log(256)


def signal(count=50_000, seed=1):
    """Loud and quiet samples alike."""
    rng = np.random.default_rng(seed)
    return rng.choice([-1, 1], count) * 10 ** rng.uniform(-6, 0, count)


def test_mulaw_classes_follow_the_closed_formula():
    x = signal()
    assert np.array_equal(MULAW.encode(x), 128 + np.round(127 * companded(x)))


def test_mulaw_is_off_by_half_a_step_of_the_companded_scale_at_most():
    x = signal()
    error = np.abs(companded(MULAW.decode(MULAW.encode(x))) - companded(x))
    assert error.max() <= 0.5 / 127 + 1e-12
    assert error.max() > 0.45 / 127


def test_mulaw_values_follow_the_closed_inverse():
    y = np.arange(-127, 128) / 127
    np.testing.assert_allclose(MULAW.values[1:], np.sign(y) * (256 ** np.abs(y) - 1) / 255, rtol=1e-12)


def test_linear_is_that_of_an_8_bit_wav():
    x = np.random.default_rng(1).uniform(-1, 1, 10_000)
    assert np.array_equal(LINEAR.encode(x), np.minimum(128 + np.round(128 * x), 255))
    assert np.array_equal(LINEAR.values, (np.arange(256) - 128) / 128)
    inside = x[x < 127.5 / 128]
    assert np.abs(LINEAR.decode(LINEAR.encode(inside)) - inside).max() <= 1 / 256


@CODECS
def test_silence_is_one_class_and_decodes_to_exactly_0(codec):
    assert codec.encode(np.zeros(3)).tolist() == [128] * 3
    assert SILENCE == 128
    assert codec.values[SILENCE] == 0.0
    assert np.count_nonzero(codec.values == 0.0) == 1


@CODECS
def test_values_rise_with_the_class(codec):
    assert codec.values.shape == (CLASSES,)
    assert (np.diff(codec.values[USED[codec.name]]) > 0).all()
    assert (np.diff(codec.values) >= 0).all()
    assert np.abs(codec.values).max() <= 1


@CODECS
def test_every_class_that_is_used_comes_back(codec):
    used = USED[codec.name]
    assert np.array_equal(codec.encode(codec.decode(used)), used)
    reached = np.unique(codec.encode(np.r_[np.linspace(-2, 2, 100_000), signal()]))
    assert np.array_equal(reached, used)


@CODECS
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_beyond_full_scale_is_clipped_whatever_the_shape(codec, dtype):
    x = np.array([[-7.0, -1.0], [1.0, np.inf]], dtype)
    classes = codec.encode(x)
    assert classes.dtype == np.uint8
    lowest = USED[codec.name][0]
    assert classes.tolist() == [[lowest, lowest], [255, 255]]


@CODECS
def test_the_codecs_sample_format_loses_no_class(codec, tmp_path):
    classes = USED[codec.name]
    audio_files.write(tmp_path / "x.wav", [codec.decode(classes)], 8000, codec.subtype)
    assert np.array_equal(codec.encode(open_recording(tmp_path / "x.wav").read(8000)), classes)


@pytest.mark.parametrize(
    ("name", "source_is_8_bit", "codec"),
    [("auto", True, LINEAR), ("auto", False, MULAW), ("linear", False, LINEAR), ("mulaw", True, MULAW)],
)
def test_auto_follows_the_source(name, source_is_8_bit, codec):
    assert get_codec(name, source_is_8_bit) is codec


def in_blocks(stage, x, cuts):
    return np.concatenate([stage.push(block) for block in np.split(x, cuts)])


CUTS = pytest.mark.parametrize("cuts", [[], [1, 2, 3], [0, 0, 17, 17, 5000], list(range(100, 9000, 613))])
COEFFICIENTS = pytest.mark.parametrize("a", [0.0, 0.5, 0.95])


@COEFFICIENTS
@CUTS
def test_pre_emphasis_is_a_normalised_difference_over_any_blocks(a, cuts):
    x = np.random.default_rng(1).uniform(-1, 1, 10_000)
    y = in_blocks(PreEmphasis(a), x, cuts)
    np.testing.assert_allclose(y, lfilter([1, -a], [1 + a], x), rtol=0, atol=1e-15)
    assert np.abs(y).max() <= 1


@COEFFICIENTS
@CUTS
def test_de_emphasis_undoes_pre_emphasis_over_any_blocks(a, cuts):
    x = np.random.default_rng(1).uniform(-1, 1, 10_000)
    y = in_blocks(PreEmphasis(a), x, [3333])
    assert np.abs(in_blocks(DeEmphasis(a), y, cuts) - x).max() < 1e-12
    np.testing.assert_allclose(in_blocks(DeEmphasis(a), y, cuts), lfilter([1 + a], [1, -a], y), rtol=0, atol=1e-12)


def test_pre_emphasis_keeps_full_scale_within_full_scale():
    square = np.tile([1.0, -1.0], 100)
    assert np.abs(PreEmphasis(0.9).push(square)).max() == pytest.approx(1.0, abs=1e-15)
