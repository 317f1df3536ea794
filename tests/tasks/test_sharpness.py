"""Distributions that are too flat or too sharp are found, and `train` corrects them."""

import json

import numpy as np
import pytest

from dl4j_bridge.java.network import Network
from dl4j_bridge.jobs.new_run import open_pairs
from dl4j_bridge.jobs.validation import long_outputs
from dl4j_bridge.model import model_zip
from dl4j_bridge.settings.training import NetworkSettings
from dl4j_bridge.signal.codecs import LINEAR
from dl4j_bridge.tasks.frames.task import FramesTask, Scale
from dl4j_bridge.tasks.samples.sharpness import sharpness
from dl4j_bridge.tasks.samples.task import SamplesTask

CLASSES = 256


def softmax(logits):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (e / e.sum(axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("factor", [0.6, 1.0, 1.7])
def test_the_factor_is_the_one_that_was_taken_away(factor):
    rng = np.random.default_rng(1)
    logits = 3 * rng.standard_normal((20_000, CLASSES))
    target = np.array([rng.choice(CLASSES, p=p / p.sum()) for p in softmax(logits).astype(np.float64)], np.uint8)
    flat = softmax(logits / factor)
    assert sharpness([flat[:500], flat[500:]], target) == pytest.approx(factor, rel=0.05)


def test_a_perfect_output_stays_as_it_is_and_a_flat_one_has_a_bounded_factor():
    target = np.arange(CLASSES, dtype=np.uint8)
    assert sharpness([np.eye(CLASSES, dtype=np.float32)], target) == 1
    assert sharpness([softmax(5 * np.eye(CLASSES))], target) == pytest.approx(2, rel=0.02)


def test_a_task_of_numbers_has_no_factor():
    task = FramesTask(1, "target", Scale())
    assert task.sharpness([np.ones((3, 1), np.float32)], np.zeros((3, 1))) == 1


def test_the_output_layer_is_scaled(java):
    network = Network.create(NetworkSettings(layers=1, hidden=4), SamplesTask(LINEAR, 0.0, "target").interface)
    x = np.arange(40, dtype=np.uint8)
    before = network.stream().run(x)
    network.scale_output(1.5)
    np.testing.assert_allclose(network.stream().run(x), softmax(1.5 * np.log(before)), atol=1e-6)


def test_the_model_of_a_run_is_as_sharp_as_it_should_be(effect_run, recordings):
    """The factor of a trained model is 1: what it was is in the weights."""
    dry, wet = recordings
    model = model_zip.open_model(effect_run).load()
    signals = [model.info.task.signals(p) for p in open_pairs([dry], [wet], model.info.settings)]
    assert model.info.task.sharpness(*long_outputs(model.network, signals)) == 1
    stored = json.loads((effect_run / "run.json").read_text())
    assert stored["result"]["valid"] == model.info.training.valid
