"""Java's layers, DL4J's own and ours, against the reference: outputs, states, files, and parameters after training."""

from __future__ import annotations

import numpy as np
import pytest

from dl4j_bridge import reference
from dl4j_bridge.java.interface import Interface
from dl4j_bridge.java.network import Network
from dl4j_bridge.settings.training import NetworkSettings

pytestmark = pytest.mark.usefixtures("java")

CLASSES, HIDDEN, LAYERS, BATCH, STEPS = 32, 12, 2, 3, 8


@pytest.fixture(params=["fused", "stock"])
def layer(request) -> str:
    """Implementation of the recurrent layers."""
    return str(request.param)


def create(cell: str, layer: str = "fused", **changes) -> Network:
    settings = NetworkSettings(cell=cell, layer=layer, hidden=HIDDEN, layers=LAYERS, clip=0.0, neighbours=0.0, seed=3)
    settings = NetworkSettings(**{**vars(settings), **changes})
    return Network.create(settings, Interface.of_classes(CLASSES))


def parameters(net: Network, cell: str) -> reference.Network:
    return reference.unpack(net.parameters(), CLASSES, HIDDEN, LAYERS, CLASSES, cell)


def segment(seed: int) -> tuple[np.ndarray, np.ndarray]:
    return tuple(np.random.default_rng(seed).integers(0, CLASSES, (2, BATCH, STEPS), dtype=np.uint8))


def test_outputs(cell, layer):
    net = create(cell, layer)
    x = np.random.default_rng(1).integers(0, CLASSES, (BATCH, 300), dtype=np.uint8)
    wanted = reference.ReferenceLstm(parameters(net, cell)).run(x)
    assert np.abs(net.run_batch(x) - wanted).max() < 1e-5
    assert np.abs(net.stream().run(x[0]) - wanted[0]).max() < 1e-5
    assert wanted.std() > 1e-3


def test_states_are_carried_from_segment_to_segment(cell, layer):
    net = create(cell, layer, updater="sgd", learning_rate=1e-12)
    params = parameters(net, cell)
    states = reference.zero_states(params, BATCH)
    for number in range(3):
        x, y = segment(number)
        bits, _ = net.step(x, y, STEPS, number == 0, 0)
        record = reference.forward(params, reference.one_hot(x, CLASSES), states)
        states = record.states
        assert bits == pytest.approx(reference.cross_entropy(record, y) / STEPS / np.log(2), rel=1e-5)
    found = net.state()
    for i, (h, c) in enumerate(states):
        assert np.abs(found[f"{i}/prevAct"] - h).max() < 1e-6
        assert np.abs(found[f"{i}/prevMem"] - c).max() < 1e-6


def test_parameters_after_sgd(cell, layer):
    """Plain gradient descent, so that an error of a gradient is an error of the parameters of the same size."""
    net = create(cell, layer, updater="sgd", learning_rate=0.1)
    start = params = parameters(net, cell)
    states = reference.zero_states(params, BATCH)
    for number in range(6):
        x, y = segment(number)
        net.step(x, y, STEPS, number == 0, 0)
        record = reference.forward(params, reference.one_hot(x, CLASSES), states)
        states = record.states
        gradient, _ = reference.backward(params, record, y, carried=layer == "fused")
        params = reference.unpack_like(reference.pack(params) - 0.1 * gradient, params)
    moved = reference.pack(params) - reference.pack(start)
    error = net.parameters() - reference.pack(params)
    assert np.linalg.norm(error) < 1e-4 * np.linalg.norm(moved)
    assert np.abs(error).max() < 1e-5


def test_parameters_after_clipped_adam(cell):
    net = create(cell, clip=0.05, learning_rate=1e-3)
    lstm = reference.ReferenceLstm(parameters(net, cell), 1e-3, clip=0.05)
    for number in range(6):
        x, y = segment(number)
        bits, _ = net.step(x, y, STEPS, number % 3 == 0, 0)
        assert lstm.step(x, y, number % 3 == 0) == pytest.approx(bits, rel=1e-5)
    difference = np.abs(net.parameters() - reference.pack(lstm.params))
    # Adam divides a gradient near zero by its own size, so a rounding error can move a weight by a whole step.
    assert np.quantile(difference, 0.99) < 1e-6


def test_a_model_zip_is_read(cell, layer, tmp_path):
    net = create(cell, layer)
    net.save(tmp_path / "model.zip", with_updater=False)
    lstm = reference.ReferenceLstm.load(tmp_path / "model.zip")
    assert (lstm.params.layers[0].peepholes is None) == (cell == "lstm")
    np.testing.assert_array_equal(reference.pack(lstm.params).astype(np.float32), net.parameters())


def test_vectors_as_input_and_output(cell, layer):
    settings = NetworkSettings(cell=cell, layer=layer, hidden=7, layers=1, seed=3)
    net = Network.create(settings, Interface.of_vectors(4, 5))
    x = np.random.default_rng(1).normal(0, 1, (2, 300, 4)).astype(np.float32)
    params = reference.unpack(net.parameters(), 4, 7, 1, 5, cell)
    record = reference.forward(params, x.astype(np.float64).transpose(0, 2, 1), reference.zero_states(params, 2))
    wanted = record.logits.transpose(0, 2, 1)
    assert np.abs(net.run_batch(x) - wanted).max() < 1e-5
    assert np.abs(net.dense_stream().run(x[1]) - wanted[1]).max() < 1e-5


def test_recurrent_layers_are_copied(cell, layer):
    first, second = create(cell, layer), create(cell, layer, seed=4)
    second.copy_recurrent_layers(first)
    ours, theirs = (parameters(net, cell) for net in (second, first))
    for own, other in zip(ours.layers, theirs.layers, strict=True):
        np.testing.assert_array_equal(own.RW, other.RW)
        np.testing.assert_array_equal(own.W, other.W)
    assert not np.array_equal(ours.output.W, theirs.output.W)


def test_a_restored_state_continues_training(cell):
    nets = [create(cell), create(cell)]
    (x, y), (next_x, next_y) = segment(1), segment(2)
    nets[0].step(x, y, STEPS, True, 0)
    nets[1].step(y, x, STEPS, True, 0)
    nets[1].restore_state(nets[0].state())
    params = parameters(nets[1], cell)
    found, _ = nets[1].step(next_x, next_y, STEPS, False, 0)
    state = nets[0].state()
    states = [(state[f"{i}/prevAct"], state[f"{i}/prevMem"]) for i in range(LAYERS)]
    record = reference.forward(params, reference.one_hot(next_x, CLASSES), states)
    assert found == pytest.approx(reference.cross_entropy(record, next_y) / STEPS / np.log(2), rel=1e-5)
