"""The samples task: features, decoding and metrics against direct computations."""

import json
from itertools import pairwise

import numpy as np
import pytest
import soundfile
from scipy.signal import lfilter

from dl4j_bridge.demos import synthesis
from dl4j_bridge.settings.training import DataSettings
from dl4j_bridge.signal.codecs import LINEAR, MULAW, SILENCE
from dl4j_bridge.signal.recordings import open_recording
from dl4j_bridge.tasks.baselines.base import Prediction
from dl4j_bridge.tasks.samples.task import SamplesTask

TASKS = pytest.mark.parametrize(
    "task",
    [SamplesTask(LINEAR, 0.0, "target"), SamplesTask(LINEAR, 0.9, "target"), SamplesTask(MULAW, 0.5, "target")],
    ids=lambda task: f"{task.codec.name}-{task.pre_emphasis}",
)
RATE = 8000
EDGES = [0, 1, 2, 9, 9, 250, 1000]


def distributions(count=1000, seed=1):
    """Rows of probabilities, some sharp and some flat."""
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.dirichlet(np.full(256, a), count // 2) for a in (0.01, 1.0)]).astype(np.float32)


def in_blocks(push, x):
    return np.concatenate([push(x[a:b]) for a, b in pairwise(EDGES)])


def emphasised(task, x):
    return lfilter([1, -task.pre_emphasis], [1 + task.pre_emphasis], x)


def de_emphasised(task, y):
    return lfilter([1 + task.pre_emphasis], [1, -task.pre_emphasis], y)


@TASKS
def test_the_encoder_is_pre_emphasis_and_codec_and_the_blocks_change_nothing(task):
    x = synthesis.speech_like(1, RATE)[2000:3000]
    whole = task.encoder().push(x)
    assert np.array_equal(whole, task.codec.encode(emphasised(task, x)))
    assert np.array_equal(in_blocks(task.encoder().push, x), whole)
    assert whole.dtype == np.uint8


@TASKS
@pytest.mark.parametrize("rate", [RATE, 11025])
def test_a_recording_is_encoded_whole(task, rate, tmp_path):
    x = np.random.default_rng(1).uniform(-0.5, 0.5, 100_000)
    soundfile.write(tmp_path / "x.wav", x, RATE, subtype="FLOAT")
    recording = open_recording(tmp_path / "x.wav")
    indices = task.encode(recording, rate)
    assert indices.shape == (recording.length_at(rate),)
    assert np.array_equal(indices, task.codec.encode(emphasised(task, recording.read(rate).astype(np.float64))))


@TASKS
def test_samples_come_back_from_classes(task):
    x = 0.7 * synthesis.plucked_strings(1, RATE)
    indices = task.encoder().push(x)
    y = task.to_samples(indices)
    np.testing.assert_allclose(y, de_emphasised(task, task.codec.decode(indices)), atol=1e-12)
    a, step = task.pre_emphasis, np.abs(task.codec.decode(indices) - emphasised(task, x)).max()
    assert np.abs(y - x).max() <= (1 + a) / (1 - a) * step < 0.1


@TASKS
@pytest.mark.parametrize("decode", ["auto", "mean", "argmax", "sample"])
def test_the_cut_into_blocks_changes_no_bit_of_what_is_decoded(task, decode):
    p = distributions()
    whole = task.decoder(decode, seed=5).push(p)
    assert np.array_equal(in_blocks(task.decoder(decode, seed=5).push, p), whole)
    assert whole.shape == (1000,)
    assert whole.std() > 0


@TASKS
@pytest.mark.parametrize("decode", ["mean", "auto"])
def test_mean_is_the_expected_value(task, decode):
    p = distributions()
    expected = de_emphasised(task, p.astype(np.float64) @ task.codec.values)
    np.testing.assert_allclose(task.decoder(decode).push(p), expected, atol=1e-6)


@TASKS
def test_argmax_is_the_likeliest_class(task):
    p = distributions()
    expected = de_emphasised(task, task.codec.values[p.argmax(axis=1)])
    np.testing.assert_allclose(task.decoder("argmax").push(p), expected, atol=1e-12)


def test_sample_takes_each_class_as_often_as_it_is_likely():
    task = SamplesTask(LINEAR, 0.0, "target")
    p = np.zeros(256, np.float32)
    p[[0, 3, 128, 255]] = [0.1, 0.5, 0.25, 0.15]
    count = 40_000
    sampled = task.codec.encode(task.decoder("sample", seed=1).push(np.tile(p, (count, 1))))
    found = np.bincount(sampled, minlength=256) / count
    assert (found[p == 0] == 0).all()
    assert (np.abs(found - p) <= 4 * np.sqrt(p * (1 - p) / count)).all()


def test_sample_needs_no_exact_sum():
    """A softmax in 32 bits sums to 1 but for rounding; a class of no probability is not sampled for it."""
    task = SamplesTask(LINEAR, 0.0, "target")
    p = np.zeros((20_000, 256), np.float32)
    p[:, [7, 9]] = 0.499
    sampled = task.codec.encode(task.decoder("sample").push(p))
    assert set(sampled) == {7, 9}
    assert np.mean(sampled == 7) == pytest.approx(0.5, abs=0.02)


def test_sample_depends_on_its_seed():
    task, p = SamplesTask(MULAW, 0.0, "target"), distributions()
    first, again, other = (task.decoder("sample", seed).push(p) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_auto_decodes_the_mean():
    task = SamplesTask(LINEAR, 0.0, "target")
    p = np.random.default_rng(6).dirichlet(np.ones(256), 20).astype(np.float32)
    assert np.array_equal(task.decoder("auto").push(p), task.decoder("mean").push(p))
    assert not np.array_equal(task.decoder("auto").push(p), task.decoder("argmax").push(p))


@TASKS
def test_measure_is_the_direct_computation(task):
    p = distributions()
    target = np.random.default_rng(2).integers(1, 256, 1000).astype(np.uint8)
    target[::2] = p.argmax(axis=1)[::2]
    measured = task.measure((p[a:b] for a, b in pairwise(EDGES)), target)
    chosen = np.maximum(p[np.arange(1000), target].astype(np.float64), 1e-12)
    y = de_emphasised(task, task.codec.values[target])
    error = y - de_emphasised(task, p.astype(np.float64) @ task.codec.values)
    esr = np.sum(error**2) / np.sum(y**2)
    assert list(measured) == ["bits", "accuracy", "esr", "snr_db"]
    assert measured["bits"] == pytest.approx(-np.mean(np.log2(chosen)), rel=1e-9)
    assert measured["accuracy"] == np.mean(p.argmax(axis=1) == target) >= 0.5
    assert measured["esr"] == pytest.approx(esr, rel=1e-5)
    assert measured["snr_db"] == pytest.approx(10 * np.log10(1 / esr), abs=1e-4)


@TASKS
def test_a_network_that_knows_everything_measures_as_an_exact_copy(task):
    target = np.random.default_rng(2).integers(1, 256, 1000).astype(np.uint8)
    measured = task.measure([np.eye(256, dtype=np.float32)[target]], target)
    assert measured == {"bits": 0.0, "accuracy": 1.0, "esr": 0.0, "snr_db": None}


def test_a_score_without_a_distribution_has_no_bits():
    task = SamplesTask(LINEAR, 0.0, "target")
    target = np.array([100, 128, 200, 255], np.uint8)
    prediction = Prediction(task.to_samples(target), np.array([100, 128, 200, 0], np.uint8))
    assert task.evaluate([prediction], target).metrics == {"bits": None, "accuracy": 0.75, "esr": 0.0, "snr_db": None}


@TASKS
def test_a_silent_target_can_be_measured_and_told_in_json(task):
    """As where a held-out part is the end of a fade-out; JSON has no infinity."""
    target = np.full(1000, SILENCE, np.uint8)
    measured = task.measure([distributions()], target)
    assert json.loads(json.dumps(measured, allow_nan=False)) == measured


@pytest.mark.parametrize(
    ("settings", "source_is_8_bit", "has_target", "expected"),
    [
        (DataSettings(), True, True, SamplesTask(LINEAR, 0.0, "target")),
        (DataSettings(), False, True, SamplesTask(MULAW, 0.0, "target")),
        (DataSettings(codec="linear", pre_emphasis=0.9), False, False, SamplesTask(LINEAR, 0.9, "next")),
    ],
)
def test_the_task_follows_settings_and_recordings_and_can_be_stored(settings, source_is_8_bit, has_target, expected):
    task = SamplesTask.of_recordings(settings, source_is_8_bit, has_target)
    assert task == expected
    assert SamplesTask.from_dict(json.loads(json.dumps(task.as_dict()))) == task
    assert task.as_dict()["task"] == "samples"


def test_the_next_sample_is_the_target_of_a_recording_alone():
    source = np.arange(10, dtype=np.uint8)
    x, y = SamplesTask(LINEAR, 0.0, "next").input_and_target(source, None)
    assert (x.tolist(), y.tolist()) == (list(range(9)), list(range(1, 10)))
    assert np.shares_memory(x, source)
    assert np.shares_memory(y, source)


def test_both_sides_of_a_pair_are_given_as_they_are():
    source, target = np.arange(10, dtype=np.uint8), np.arange(10, 20, dtype=np.uint8)
    x, y = SamplesTask(LINEAR, 0.0, "target").input_and_target(source, target)
    assert x is source
    assert y is target
