"""The PyTorch twin: with the parameters of a DL4J network it gives the same output, and it learns."""

from __future__ import annotations

import numpy as np
import pytest

from dl4j_bridge.java.network import Network
from dl4j_bridge.settings.training import NetworkSettings, RunSettings, TrainSettings
from dl4j_bridge.signal import metrics
from dl4j_bridge.signal.codecs import LINEAR
from dl4j_bridge.tasks.frames.task import FramesTask, Scale
from dl4j_bridge.tasks.pytorch_twin import PytorchTwin
from dl4j_bridge.tasks.registry import train_settings
from dl4j_bridge.tasks.samples.task import SamplesTask
from tests.tasks.test_baselines import curved

STEPS = 400
# Column blocks of DL4J's gates in PyTorch's order: input gate, forget gate, block input, output gate.
DL4J_BLOCKS = (3, 1, 0, 2)


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


def load(twin, network, layers):
    """Give the twin the parameters of a DL4J network of the cell ``lstm``, which has no peepholes either."""
    torch = pytest.importorskip("torch")
    with torch.no_grad():
        for layer in range(layers):
            for ours, theirs in (("W", "weight_ih"), ("RW", "weight_hh"), ("b", "bias_ih")):
                blocks = np.split(np.atleast_2d(network.parameter(f"{layer}_{ours}")), 4, axis=1)
                values = np.concatenate([blocks[k] for k in DL4J_BLOCKS], axis=1).T
                weights = getattr(twin._lstm, f"{theirs}_l{layer}")
                weights.copy_(torch.from_numpy(values.reshape(tuple(weights.shape)).copy()))
            getattr(twin._lstm, f"bias_hh_l{layer}").zero_()
        twin._dense.weight.copy_(torch.from_numpy(network.parameter(f"{layers}_W").T.copy()))
        twin._dense.bias.copy_(torch.from_numpy(network.parameter(f"{layers}_b").ravel().copy()))


@pytest.mark.parametrize("layers", [1, 2])
def test_of_classes(java, layers):
    pytest.importorskip("torch")
    task, settings = SamplesTask(LINEAR, 0.0, "target"), settings_for("samples", layers=layers)
    x = np.random.default_rng(1).integers(0, 256, (4, STEPS), np.uint8)
    network = trained(task, settings, x[:, :40], x[::-1, :40])
    twin = PytorchTwin(task, settings, 0)
    theirs = network.stream().run(x[0])
    assert np.abs(outputs(twin, x[0]) - theirs).max() > 1e-3
    load(twin, network, layers)
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
    load(twin, network, layers)
    np.testing.assert_allclose(outputs(twin, x[0]), theirs, atol=1e-6)


def test_a_stretch_is_run_after_what_comes_before_it(java):
    pytest.importorskip("torch")
    task, settings = FramesTask(1, "target", Scale()), settings_for("frames")
    twin = PytorchTwin(task, settings, 0)
    x = np.random.default_rng(3).uniform(-0.8, 0.8, (150, 1)).astype(np.float32)
    np.testing.assert_allclose(outputs(twin, x, 100), outputs(twin, x)[100:], atol=1e-6)
    assert np.abs(outputs(twin, x[100:]) - outputs(twin, x)[100:]).max() > 1e-4


def test_it_learns_a_curve_and_its_weights_can_be_kept():
    pytest.importorskip("torch")
    network = NetworkSettings(layers=1, hidden=32, tbptt=25, learning_rate=0.02)
    run = RunSettings(length=50, batch=16, threads=1)
    x = LINEAR.encode(np.random.default_rng(1).normal(0, 0.02, 6000))
    y = curved(LINEAR, x)
    task, settings = SamplesTask(LINEAR, 0.0, "target"), TrainSettings(network=network, run=run)
    untrained, twin = (PytorchTwin(task, settings, steps) for steps in (0, 80))
    for one in (untrained, twin):
        one.fit((x[:5000], y[:5000]))
    start, found = (np.concatenate(list(one.run(x[5000:], 0, 1000))) for one in (untrained, twin))
    assert np.mean(found.argmax(axis=1) == y[5000:]) > 0.9
    assert metrics.bits_per_sample(found, y[5000:]) < 1 < 7 < metrics.bits_per_sample(start, y[5000:])
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
    untrained._modules.load_state_dict(twin._copy())
    assert np.array_equal(np.concatenate(list(untrained.run(x[5000:], 0, 1000))), found)
    # Four gates of 32 units with an input of 256, and PyTorch's two biases.
    assert twin.parameters == 128 * (256 + 32 + 2) + 33 * 256
