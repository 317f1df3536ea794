"""The fused layers against the double-precision reference, through the bridge as training uses it."""

from __future__ import annotations

import numpy as np
import pytest

from dl4j_bridge import reference
from dl4j_bridge.errors import InputError
from dl4j_bridge.java import jvm
from dl4j_bridge.java.interface import Interface
from dl4j_bridge.java.network import Network
from dl4j_bridge.java.tensors import NativeArray
from dl4j_bridge.settings.training import NetworkSettings, TrainSettings

pytestmark = pytest.mark.usefixtures("java")

CLASSES = 256


def network(**changes) -> Network:
    settings = NetworkSettings(**{"hidden": 20, "clip": 0.0, "neighbours": 0.0, "seed": 3, **changes})
    return Network.create(settings, Interface.of_classes(CLASSES))


def indices(batch: int, steps: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, CLASSES, (batch, steps), dtype=np.uint8)


@pytest.fixture(params=["graves", "lstm"])
def cell(request) -> str:
    """With and without peepholes."""
    return str(request.param)


def gradient(net: Network, batch: int) -> np.ndarray:
    """The gradient of the last step, which our Adam leaves unchanged; Java sums it over the batch."""
    flat = net._java.dl4j().getFlattenedGradients()
    return NativeArray(jvm.java_class("dl4jbridge.Tensor").of(flat)).read().ravel().astype(np.float64) / batch


def counting(net: Network, hidden: int) -> None:
    """Open the forget and input gates of all units, so that their cells add up the block input."""
    for layer in range(2):
        biases = net._parameter(f"{layer}_b")
        gates = biases.read().reshape(4, hidden)
        gates[0], gates[1], gates[3] = np.linspace(-1, 1, hidden), 8, 8
        biases.write(gates.ravel())


def penalty(flat: np.ndarray, x: np.ndarray, hidden: int, cell: str) -> float:
    """What `cell_penalty` 1 adds to the loss: the distance of each cell from -10 to 10, squared and halved up to 1."""
    params = reference.unpack(flat, CLASSES, hidden, 2, CLASSES, cell)
    record = reference.forward(params, reference.one_hot(x, CLASSES), reference.zero_states(params, len(x)))
    beyond = np.maximum(np.abs(np.stack([layer.cells for layer in record.layers])) - 10, 0)
    return float(np.where(beyond < 1, beyond**2 / 2, beyond - 0.5).sum() / len(x))


def test_a_penalty_on_large_cells_adds_its_gradient(cell):
    hidden, x, y = 6, indices(3, 40, 1), indices(3, 40, 2)
    gradients = {}
    for weight in (0.0, 0.5):
        net = network(hidden=hidden, layers=2, cell=cell, cell_penalty=weight)
        counting(net, hidden)
        flat = net.parameters().astype(np.float64)
        net.step(x, y, x.shape[1], True, 0)
        gradients[weight] = gradient(net, len(x))
    added = (gradients[0.5] - gradients[0.0]) / 0.5
    length = np.linalg.norm(added)
    along = 1e-4 * added / length
    slope = (penalty(flat + along, x, hidden, cell) - penalty(flat - along, x, hidden, cell)) / 2e-4
    assert length > 1
    assert slope == pytest.approx(length, rel=1e-3)


def test_small_cells_are_free_of_the_penalty(cell):
    x, y = indices(3, 40, 1), indices(3, 40, 2)
    nets = [network(layers=2, cell=cell, cell_penalty=weight) for weight in (0.0, 0.5)]
    for net in nets:
        net.step(x, y, x.shape[1], True, 0)
    assert np.array_equal(nets[0].parameters(), nets[1].parameters())


def states(net: Network, layers: int) -> list[tuple[np.ndarray, np.ndarray]]:
    state = net.state()
    return [(state[f"{i}/prevAct"].astype(np.float64), state[f"{i}/prevMem"].astype(np.float64)) for i in range(layers)]


def carried_segment(
    layers: int, hidden: int, batch: int, steps: int, cell: str, **changes
) -> tuple[np.ndarray, float, reference.Network, reference.Record, np.ndarray]:
    """Train on two segments; return gradient and loss of the second, and what the reference needs to compute them."""
    net = network(layers=layers, hidden=hidden, cell=cell, **changes)
    net.step(indices(batch, steps, 1), indices(batch, steps, 2), steps, True, 0)
    flat, state = net.parameters(), states(net, layers)
    x, y = indices(batch, steps, 4), indices(batch, steps, 5)
    bits, _ = net.step(x, y, steps, False, 0)
    params = reference.unpack(flat, CLASSES, hidden, layers, CLASSES, cell)
    record = reference.forward(params, reference.one_hot(x, CLASSES), state)
    return gradient(net, batch), bits, params, record, y


def blocks(flat: np.ndarray, params: reference.Network) -> dict[str, np.ndarray]:
    """Split a gradient into weights, peepholes and biases."""
    parts = reference.unpack_like(flat, params)
    found = {"output W": parts.output.W, "output b": parts.output.b}
    for i, layer in enumerate(parts.layers):
        found |= {f"{i} W": layer.W, f"{i} RW": layer.recurrent, f"{i} b": layer.b}
        if layer.peepholes is not None:
            gates = ("forget", "output", "input")
            found |= {f"{i} peephole {gate}": row for gate, row in zip(gates, layer.peepholes, strict=True)}
    return found


SIZES = [(1, 20, 3, 9), (2, 20, 3, 30), (3, 13, 2, 40), (2, 1, 1, 70), (1, 33, 80, 1)]


@pytest.mark.parametrize(("layers", "hidden", "batch", "steps"), SIZES)
@pytest.mark.parametrize("gradient_state", ["carried", "stock"])
def test_every_gradient_block_is_that_of_the_reference(cell, layers, hidden, batch, steps, gradient_state):
    found, bits, params, record, y = carried_segment(layers, hidden, batch, steps, cell, gradient_state=gradient_state)
    wanted, _ = reference.backward(params, record, y, carried=gradient_state == "carried")
    assert bits == pytest.approx(reference.cross_entropy(record, y) / steps / np.log(2), rel=1e-6)
    for name, block in blocks(wanted, params).items():
        error = np.linalg.norm(blocks(found, params)[name] - block)
        assert error <= 2e-5 * np.linalg.norm(block) + 1e-9, name


def test_the_carried_gradient_is_the_slope_of_the_loss_and_stocks_is_not(cell):
    hidden, slopes = 20, {}
    for gradient_state in ("carried", "stock"):
        found, _, params, record, y = carried_segment(1, hidden, 3, 4, cell, gradient_state=gradient_state)
        flat = reference.pack(params)
        # The directional derivative along the exact gradient, in double precision.
        direction, _ = reference.backward(params, record, y)
        recurrent = slice(CLASSES * 4 * hidden, CLASSES * 4 * hidden + hidden * 4 * hidden)
        along = np.zeros_like(flat)
        along[recurrent] = direction[recurrent] / np.linalg.norm(direction[recurrent])
        x = record.layers[0].inputs

        def loss(amount: float, flat=flat, along=along, x=x, record=record, y=y, params=params) -> float:
            moved = reference.unpack_like(flat + amount * along, params)
            record = reference.forward(moved, np.moveaxis(x, 0, 2), [record.layers[0].first])
            return reference.cross_entropy(record, y)

        slopes[gradient_state] = float(found @ along), (loss(1e-4) - loss(-1e-4)) / 2e-4
    found, wanted = slopes["carried"]
    assert found == pytest.approx(wanted, rel=1e-4)
    found, wanted = slopes["stock"]
    assert found != pytest.approx(wanted, rel=0.02)


def test_twenty_adam_steps_end_at_the_reference(cell):
    layers, hidden, batch, steps = 2, 20, 3, 8
    net = network(layers=layers, hidden=hidden, learning_rate=1e-3, cell=cell)
    params = reference.unpack(net.parameters(), CLASSES, hidden, layers, CLASSES, cell)
    adam, state = reference.Adam(1e-3), reference.zero_states(params, batch)
    for step in range(20):
        x, y = indices(batch, steps, step), indices(batch, steps, 100 + step)
        net.step(x, y, steps, step == 0, 0)
        record = reference.forward(params, reference.one_hot(x, CLASSES), state)
        state = record.states
        flat = adam.step(reference.pack(params), reference.backward(params, record, y)[0])
        params = reference.unpack_like(flat, params)
    # Adam divides a gradient near zero by its own size, so a rounding error moves a weight by up to the learning rate.
    difference = np.abs(net.parameters() - flat)
    assert np.quantile(difference, 0.99) < 1e-6
    assert difference.max() < 2e-3


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_change_nothing_but_rounding(cell, threads):
    jvm.configure(threads=threads)
    try:
        net = network(cell=cell)
        for step in range(3):
            net.step(indices(3, 10, step), indices(3, 10, 50 + step), 10, step == 0, 0)
        alone = network(cell=cell)
        jvm.configure(threads=1)
        for step in range(3):
            alone.step(indices(3, 10, step), indices(3, 10, 50 + step), 10, step == 0, 0)
        assert np.quantile(np.abs(net.parameters() - alone.parameters()), 0.99) < 1e-6
    finally:
        jvm.configure(threads=1)


def test_a_stream_is_within_1e_5_of_the_reference_after_10_000_samples(cell):
    net = network(hidden=24, cell=cell)
    for step in range(30):
        net.step(indices(8, 25, step), indices(8, 25, step) // 2, 25, step % 4 == 0, 0)
    x = indices(1, 10_000, 7)
    wanted = reference.ReferenceLstm(reference.unpack(net.parameters(), CLASSES, 24, 2, CLASSES, cell)).run(x)
    assert np.abs(net.stream().run(x[0]) - wanted[0]).max() < 1e-5


def test_a_batch_gives_each_recording_the_same_as_a_stream(cell):
    net = network(cell=cell)
    x = indices(5, 700, 1)
    together = net.run_batch(x)
    for row, found in zip(x, together, strict=True):
        assert np.abs(net.stream().run(row) - found).max() < 1e-5


def test_consumed_samples_change_the_state_as_run_does(cell):
    net, x = network(cell=cell), indices(1, 5000, 1)[0]
    primed, whole = net.stream(), net.stream()
    primed.consume(x[:4500])
    np.testing.assert_array_equal(primed.run(x[4500:]), whole.run(x)[4500:])
    primed.reset()
    np.testing.assert_array_equal(primed.run(x[:9]), net.stream().run(x[:9]))


def test_a_predictor_continues_from_the_training_state(cell):
    net, (x, y) = network(cell=cell), (indices(3, 10, seed) for seed in (1, 2))
    net.step(x, y, 10, True, 0)
    params = reference.unpack(net.parameters(), CLASSES, 20, 2, CLASSES, cell)
    following = indices(3, 4, 3)
    for from_zero in (False, True):
        start = reference.zero_states(params, 3) if from_zero else states(net, 2)
        wanted = reference.forward(params, reference.one_hot(following, CLASSES), start).probabilities
        predict = net.predictor(3, from_zero)
        for step, column in enumerate(following.T):
            assert np.abs(predict(column) - wanted[:, :, step]).max() < 1e-5


def test_running_a_batch_leaves_training_unaffected():
    nets = [network(), network()]
    for step in range(4):
        for net in nets:
            net.step(indices(3, 10, step), indices(3, 10, 50 + step), 10, step == 0, 0)
        nets[0].run_batch(indices(2, 30, 9))
    assert np.array_equal(nets[0].parameters(), nets[1].parameters())


def test_stock_layers_cannot_carry_the_gradient():
    with pytest.raises(InputError, match="--gradient-state: carried with --layer stock"):
        TrainSettings().with_options({"layer": "stock", "gradient_state": "carried"})
