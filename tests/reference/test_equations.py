"""The reference against numbers by hand, finite differences of its own loss, and DL4J's backward pass in scalars."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest

from dl4j_bridge import reference
from tests.reference.finite_differences import finite_differences

INPUTS, HIDDEN, CLASSES = 4, 3, 5
TAIL = [[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0]]
HEAD = [[0, 0, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1]]
HOLE = [[1, 1, 0, 0, 1, 1], [1, 0, 1, 0, 1, 1]]
PARTLY = [[1, 0.5, 2, 1, 0.3, 1], [0.2, 1, 1, 1.5, 1, 0.7]]


@dataclass(frozen=True)
class Segment:
    network: reference.Network
    x: np.ndarray
    labels: np.ndarray
    states: list
    mask: np.ndarray | None = None
    label_mask: np.ndarray | None = None

    @property
    def flat(self):
        return reference.pack(self.network)

    @property
    def record(self):
        return reference.forward(self.network, self.x, self.states, self.mask)

    def loss(self, flat=None, x=None):
        network = self.network if flat is None else reference.unpack_like(flat, self.network)
        x = self.x if x is None else x
        record = reference.forward(network, x, self.states, self.mask)
        return reference.cross_entropy(record, self.labels, self.label_mask)

    def backward(self, carried=True):
        return reference.backward(self.network, self.record, self.labels, carried, self.label_mask)

    def differences(self):
        gradient = finite_differences(self.loss, self.flat, range(self.flat.size))
        by_input = finite_differences(lambda x: self.loss(x=x), self.x, range(self.x.size))
        return gradient, by_input.reshape(self.x.shape)


def segment(cell, batch=2, steps=6, layers=2, dense=False, carried=True, mask=None, label_mask=None, seed=0):
    """A segment, starting from the state that an earlier segment left if `carried`."""
    rng = np.random.default_rng(seed)
    count = reference.layout(INPUTS, HIDDEN, layers, CLASSES, cell)["output/b"][0].stop
    network = reference.unpack(rng.normal(0, 0.8, count), INPUTS, HIDDEN, layers, CLASSES, cell)
    x = reference.one_hot(rng.integers(0, INPUTS, (batch, steps)), INPUTS)
    if dense:
        x = rng.normal(0, 1, x.shape)
    states = reference.zero_states(network, batch)
    if carried:
        states = reference.forward(network, rng.normal(0, 1, (batch, INPUTS, 5)), states).states
    masks = [None if m is None else np.array(m, np.float64) for m in (mask, label_mask)]
    return Segment(network, x, rng.integers(0, CLASSES, (batch, steps)), states, *masks)


def blocks(gradient, network):
    """Every block by name, with those of each gate and each peephole apart."""
    network = reference.unpack_like(gradient, network)
    found = {"output W": network.output.W, "output b": network.output.b}
    for i, layer in enumerate(network.layers):
        for gate, start in zip("afog", range(0, 4 * HIDDEN, HIDDEN), strict=True):
            for name in ("W", "RW", "b"):
                found[f"{i} {name} {gate}"] = getattr(layer, name)[:, start : start + HIDDEN]
        if layer.peepholes is not None:
            found |= {f"{i} peephole {gate}": row for gate, row in zip("fog", layer.peepholes, strict=True)}
    return found


def distance(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


def distances(ours, theirs, network):
    ours, theirs = blocks(ours, network), blocks(theirs, network)
    return {name: distance(ours[name], theirs[name]) for name in theirs}


CASES = {
    "default": {},
    "dense": {"dense": True},
    "batch 1": {"batch": 1},
    "one step": {"steps": 1},
    "batch 1, one step": {"batch": 1, "steps": 1},
    "one layer": {"layers": 1},
    "three layers": {"layers": 3, "steps": 3},
    "zero state": {"carried": False},
    "mask at the tail": {"mask": TAIL, "label_mask": TAIL},
    "mask at the head": {"mask": HEAD, "label_mask": HEAD},
    "mask in the middle": {"mask": HOLE, "label_mask": HOLE},
    "mask of the layers only": {"mask": HOLE},
    "mask of the labels only": {"label_mask": HOLE},
    "masks with other weights": {"mask": PARTLY, "label_mask": PARTLY[::-1]},
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_every_block_by_finite_differences(cell, case):
    given = segment(cell, **case)
    assert all(np.any(state) == case.get("carried", True) for pair in given.states for state in pair)
    gradient, by_input = given.backward()
    wanted, wanted_by_input = given.differences()
    apart = distances(gradient, wanted, given.network)
    assert max(apart.values()) < 1e-6, apart
    assert distance(by_input, wanted_by_input) < 1e-6


def test_stock_is_wrong_on_a_carried_segment_in_every_block_of_a_layer(cell):
    given = segment(cell)
    wanted, wanted_by_input = given.differences()
    gradient, by_input = given.backward(carried=False)
    apart = distances(gradient, wanted, given.network)
    assert {name for name, error in apart.items() if error < 1e-6} == {"output W", "output b"}
    assert min(error for name, error in apart.items() if "output" not in name) > 0.01, apart
    assert distance(by_input, wanted_by_input) > 0.01


@pytest.mark.parametrize("mask", [None, TAIL, HEAD], ids=["no mask", "tail", "head"])
def test_stock_is_right_on_a_zero_state(cell, mask):
    given = segment(cell, carried=False, mask=mask, label_mask=mask)
    for exact, stock in zip(given.backward(), given.backward(carried=False), strict=True):
        np.testing.assert_allclose(stock, exact, rtol=0, atol=1e-15)


def test_stock_learns_nothing_recurrent_from_segments_of_one_step(cell):
    """Nor anything about the forget gate, which has no effect on a zero state."""
    given = segment(cell, steps=1)
    gradient, _ = given.backward(carried=False)
    zero = {name for name, block in blocks(gradient, given.network).items() if not block.any()}
    wanted = ["RW a", "RW f", "RW o", "RW g", "W f", "b f"]
    wanted += ["peephole f", "peephole g"] if cell == "graves" else []
    assert zero == {f"{layer} {name}" for layer in (0, 1) for name in wanted}


def test_one_step_by_hand(cell):
    """The sums of the gates are ln 3 or half of it, up to the sign, so the gates are multiples of a quarter."""
    u, t = math.log(3), math.tanh(0.25)
    w, r, b = [u, u / 2, 1.5 * u, -u], [-4 * u, 2 * u, -2 * u, 4 * u], [-u / 2, -3 * u, 2 * u, -2 * u]
    peepholes = [4 * u, -12 * u, 2 * u]
    if cell == "lstm":
        # The biases replace the peepholes: the cell state is 1/2 before the step and 1/4 after it.
        b = [b[0], b[1] + peepholes[0] / 2, b[2] + peepholes[1] / 4, b[3] + peepholes[2] / 2]
        peepholes = []
    network = reference.unpack([*w, *r, *peepholes, *b, 4 * u / (3 * t), 0, 0, 0], 1, 1, 1, 2, cell)
    x, labels, half = np.full((1, 1, 1), 2.0), np.array([[0]]), np.full((1, 1), 0.5)
    record = reference.forward(network, x, [(half, half)])
    run = record.layers[0]
    gates = [float(v.item()) for v in (run.a, run.f, run.o, run.g)]
    assert gates == pytest.approx([-1 / 2, 3 / 4, 3 / 4, 1 / 4], rel=1e-12)
    assert [s.item() for s in record.states[0]] == pytest.approx([0.75 * t, 0.25], rel=1e-12)
    assert record.outputs[0].item() == pytest.approx(0.75 * t, rel=1e-12)
    assert record.probabilities.ravel() == pytest.approx([0.75, 0.25], rel=1e-12)
    assert reference.cross_entropy(record, labels) == pytest.approx(math.log(4 / 3), rel=1e-12)

    o = -u / 16
    c = -u / (4 * t) * (1 - t * t) + (o * peepholes[1] if peepholes else 0)
    a, f, g = 3 / 16 * c, 3 / 32 * c, -3 / 32 * c
    sums = np.array([a, f, o, g])
    gradient, by_input = reference.backward(network, record, labels)
    by_peepholes = [f / 2, o / 4, g / 2] if peepholes else []
    wanted = [*2 * sums, *sums / 2, *by_peepholes, *sums, -0.1875 * t, 0.1875 * t, -0.25, 0.25]
    assert gradient == pytest.approx(wanted, rel=1e-12)
    assert by_input.item() == pytest.approx(float(sums @ w), rel=1e-12)


def test_without_peepholes_the_cell_computes_what_zero_peepholes_do():
    plain = segment("lstm")
    layers = tuple(
        reference.Layer(layer.W, np.column_stack([layer.RW, np.zeros((HIDDEN, 3))]), layer.b)
        for layer in plain.network.layers
    )
    graves = reference.Network(layers, plain.network.output)
    record = reference.forward(graves, plain.x, plain.states)
    np.testing.assert_array_equal(record.probabilities, plain.record.probabilities)
    found = blocks(reference.backward(graves, record, plain.labels)[0], graves)
    for name, block in blocks(plain.backward()[0], plain.network).items():
        np.testing.assert_array_equal(found[name], block)


def test_the_flat_vector_without_peepholes_is_dl4js():
    flat = np.arange(2 * 12 + 3 * 12 + 12 + 12 + 4.0)
    network = reference.unpack(flat, 2, 3, 1, 4, cell="lstm")
    assert network.layers[0].peepholes is None
    assert network.layers[0].RW[:, 11].tolist() == network.layers[0].recurrent[:, 11].tolist() == [57, 58, 59]
    assert network.layers[0].b.tolist() == [list(range(60, 72))]
    assert network.output.b.tolist() == [84, 85, 86, 87]
    np.testing.assert_array_equal(reference.pack(network), flat)


def test_the_flat_vector_is_dl4js():
    inputs, hidden, classes = 2, 3, 4
    flat = np.arange(2 * 12 + 3 * 15 + 12 + 3 * 12 + 3 * 15 + 12 + 12 + 4.0)
    network = reference.unpack(flat, inputs, hidden, 2, classes)
    assert network.layers[0].W[:, :2].tolist() == [[0, 2], [1, 3]]
    assert network.layers[0].RW[:, :2].tolist() == [[24, 27], [25, 28], [26, 29]]
    assert network.layers[0].peepholes.tolist() == [[60, 61, 62], [63, 64, 65], [66, 67, 68]]
    assert network.layers[0].recurrent.shape == (3, 12)
    assert network.layers[0].b.tolist() == [list(range(69, 81))]
    assert network.layers[1].W[:, 11].tolist() == [114, 115, 116]
    assert network.output.W[:, 1].tolist() == [177, 178, 179]
    assert network.output.b.tolist() == [186, 187, 188, 189]
    np.testing.assert_array_equal(reference.pack(network), flat)
    with pytest.raises(ValueError, match="189 parameters; these sizes want 190"):
        reference.unpack(flat[1:], inputs, hidden, 2, classes)


def test_two_segments_equal_one(cell):
    given = segment(cell, steps=6)
    first = reference.forward(given.network, given.x[:, :, :4], given.states)
    second = reference.forward(given.network, given.x[:, :, 4:], first.states)
    for i, whole in enumerate(given.record.outputs):
        parts = np.concatenate([first.outputs[i], second.outputs[i]], axis=2)
        np.testing.assert_allclose(parts, whole, rtol=0, atol=1e-14)
    np.testing.assert_allclose(second.states, given.record.states, rtol=0, atol=1e-14)
    np.testing.assert_allclose(given.record.probabilities.sum(1), 1, rtol=1e-12)


def test_a_masked_step_outputs_zero_and_resets_the_state(cell):
    given = segment(cell, batch=1, mask=[[1, 1, 1, 0, 1, 1]])
    fresh = reference.forward(given.network, given.x[:, :, 4:], reference.zero_states(given.network, 1))
    for masked, anew in zip(given.record.outputs, fresh.outputs, strict=True):
        assert not masked[:, :, 3].any()
        assert masked[:, :, :3].all()
        np.testing.assert_array_equal(masked[:, :, 4:], anew)


def test_the_loss_is_summed_over_time_and_divided_by_the_batch(cell):
    given = segment(cell, batch=2, steps=6, label_mask=HOLE)
    chances = np.take_along_axis(given.record.probabilities, given.labels[:, None, :], axis=1)[:, 0]
    assert given.loss() == pytest.approx(-np.sum(np.log(chances) * HOLE) / 2, rel=1e-12)
    huge = given.flat.copy()
    huge[-CLASSES:] = [5000, 0, 0, 0, 0]
    assert math.isfinite(given.loss(huge))


def dl4j_in_scalars(w, r, peepholes, b, xs, errors, mask):
    """DL4J's ``LSTMHelpers`` for one unit and one example from the zero state, statement by statement."""

    def sigmoid(z):
        return 1 / (1 + math.exp(-z))

    p_f, p_o, p_g = peepholes
    cells, tanhs, hs, gates = [], [], [], []
    h = c = 0.0
    for x, m in zip(xs, mask, strict=True):
        z = [x * w[k] + h * r[k] + b[k] for k in range(4)]
        a, f, g = math.tanh(z[0]), sigmoid(z[1] + c * p_f), sigmoid(z[3] + c * p_g)
        c = f * c + g * a
        o = sigmoid(z[2] + c * p_o)
        tanhs.append(math.tanh(c))
        h, c = m * o * tanhs[-1], m * c
        cells.append(c)
        hs.append(h)
        gates.append((a, f, o, g))
    by_w, by_r, by_b, by_peephole, by_x = [0.0] * 4, [0.0] * 4, [0.0] * 4, [0.0] * 3, [0.0] * len(xs)
    deltas, next_nabla = [0.0] * 4, 0.0
    for t in reversed(range(len(xs))):
        a, f, o, g = gates[t]
        before_c, before_h = (cells[t - 1], hs[t - 1]) if t else (0.0, 0.0)
        nabla = deltas[1] * p_f + deltas[3] * p_g
        nabla_out = errors[t] + sum(d * weight for d, weight in zip(deltas, r, strict=True))
        delta_o = nabla_out * tanhs[t] * o * (1 - o)
        nabla += o * nabla_out * (1 - math.tanh(cells[t]) ** 2)
        nabla += delta_o * p_o
        if t < len(xs) - 1:
            nabla += gates[t + 1][1] * next_nabla
        next_nabla = nabla
        deltas = [g * nabla * (1 - a * a), f * (1 - f) * nabla * before_c, delta_o, g * (1 - g) * a * nabla]
        deltas = [d * mask[t] for d in deltas]
        for k in range(4):
            by_w[k] += deltas[k] * xs[t]
            by_r[k] += deltas[k] * before_h
            by_b[k] += deltas[k]
            by_x[t] += deltas[k] * w[k] * mask[t]
        by_peephole[0] += deltas[1] * before_c
        by_peephole[1] += deltas[2] * cells[t]
        by_peephole[2] += deltas[3] * before_c
    return [*by_w, *by_r, *by_peephole, *by_b], by_x


@pytest.mark.parametrize("mask", [[1, 1, 1, 1, 1], [1, 1, 0, 1, 1], [1, 0, 0, 1, 0]], ids=["none", "hole", "holes"])
def test_stock_backward_in_scalars(cell, mask):
    rng = np.random.default_rng(3)
    peepholes = 3 if cell == "graves" else 0
    flat = rng.normal(0, 1, 12 + peepholes + 4)
    network = reference.unpack(flat, 1, 1, 1, 2, cell)
    xs, labels = rng.normal(0, 1, 5), rng.integers(0, 2, (1, 5))
    record = reference.forward(
        network, xs[None, None], [(np.full((1, 1), 0.4), np.full((1, 1), -0.7))], np.array([mask])
    )
    gradient, by_input = reference.backward(network, record, labels, carried=False)
    errors = (record.probabilities - reference.one_hot(labels, 2))[0].T @ network.output.W[0]
    by_peephole = slice(8, 8 + peepholes)
    weights = flat[by_peephole] if peepholes else np.zeros(3)
    wanted, by_x = dl4j_in_scalars(flat[:4], flat[4:8], weights, flat[by_peephole.stop : -4], xs, errors, mask)
    if not peepholes:
        del wanted[8:11]
    np.testing.assert_allclose(gradient[:-4], wanted, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(by_input[0, 0], by_x, rtol=1e-12, atol=1e-15)
    exact, _ = reference.backward(network, record, labels)
    assert distance(gradient[:-4], exact[:-4]) > 0.01


def test_stock_masks_the_errors_of_the_gates_only(cell):
    """From the zero state, where a mask at either end makes no difference."""
    given = segment(cell, carried=False, mask=HOLE, label_mask=HOLE)
    assert distance(given.backward(carried=False)[0], given.differences()[0]) > 0.01


def test_finite_differences_are_central():
    at = np.array([[1.0, 2.0], [3.0, 4.0]])
    found = finite_differences(lambda x: float(np.sum(x**3)), at, [1, 2], eps=0.1)
    np.testing.assert_allclose(found, [12.01, 27.01], rtol=1e-12)
    assert at.tolist() == [[1, 2], [3, 4]]
