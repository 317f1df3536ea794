"""The PyTorch twin with the parameters of a DL4J network gives the same output."""

from __future__ import annotations

import numpy as np
import pytest

from dl4j_bridge.java.network import Network
from dl4j_bridge.signal.codecs import LINEAR
from dl4j_bridge.tasks.frames.task import FramesTask, Scale
from dl4j_bridge.tasks.pytorch_twin import PytorchTwin
from dl4j_bridge.tasks.registry import train_settings
from dl4j_bridge.tasks.samples.task import SamplesTask

STEPS = 400


def trained(task, settings, x, y):
    """A network after a few updates, so that no bias is as it was initialised."""
    network = Network.create(settings.network, task.interface)
    fresh = network.parameters()
    for number in range(5):
        network.step(x, y, settings.network.tbptt, True, number + 1)
    assert np.mean(network.parameters() != fresh) > 0.5
    return network


def settings_for(task, cell="lstm", layers=1):
    sizes = {"hidden": 12, "layers": layers, "tbptt": 40, "learning_rate": 0.02, "threads": 1}
    return train_settings({"task": task, "cell": cell} | sizes)


def outputs(twin, x, start=0):
    return np.concatenate(list(twin.run(x, start, len(x))))


@pytest.mark.parametrize("layers", [1, 2])
def test_of_classes(java, layers):
    pytest.importorskip("torch")
    task, settings = SamplesTask(LINEAR, 0.0, "target"), settings_for("samples", layers=layers)
    x = np.random.default_rng(1).integers(0, 256, (4, STEPS), np.uint8)
    network = trained(task, settings, x[:, :40], x[::-1, :40])
    twin = PytorchTwin(task, settings, 0)
    theirs = network.stream().run(x[0])
    assert np.abs(outputs(twin, x[0]) - theirs).max() > 1e-3
    twin.load(network)
    np.testing.assert_allclose(outputs(twin, x[0]), theirs, atol=1e-6)
    assert theirs.std() > 1e-4
    # PyTorch has two biases for each gate where DL4J has one.
    assert twin.parameters == network.parameter_count + layers * 4 * 12


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize(("frame", "layers"), [(1, 1), (5, 2)])
def test_of_vectors(java, frame, layers, skip):
    pytest.importorskip("torch")
    task, settings = FramesTask(frame, "target", Scale(), skip=skip), settings_for("frames", layers=layers)
    x = np.random.default_rng(2).uniform(-0.8, 0.8, (4, STEPS, frame)).astype(np.float32)
    network = trained(task, settings, x[:, :40], np.tanh(3 * x[:, :40]))
    twin = PytorchTwin(task, settings, 0)
    theirs = network.dense_stream().run(x[0])
    assert np.abs(outputs(twin, x[0]) - theirs).max() > 1e-3
    twin.load(network)
    np.testing.assert_allclose(outputs(twin, x[0]), theirs, atol=1e-6)


def test_a_stretch_is_run_after_what_comes_before_it(java):
    pytest.importorskip("torch")
    task, settings = FramesTask(1, "target", Scale()), settings_for("frames")
    twin = PytorchTwin(task, settings, 0)
    x = np.random.default_rng(3).uniform(-0.8, 0.8, (150, 1)).astype(np.float32)
    np.testing.assert_allclose(outputs(twin, x, 100), outputs(twin, x)[100:], atol=1e-6)
    assert np.abs(outputs(twin, x[100:]) - outputs(twin, x)[100:]).max() > 1e-4


def test_a_cell_with_peepholes_has_no_twin(java):
    pytest.importorskip("torch")
    task, settings = FramesTask(1, "target", Scale()), settings_for("frames", cell="graves")
    network = Network.create(settings.network, task.interface)
    with pytest.raises(AssertionError, match="peepholes"):
        PytorchTwin(task, settings, 0).load(network)
