"""The reference against numbers by hand, its own loss by finite differences, and DL4J's backward pass in scalars."""

from __future__ import annotations

import math
import zipfile
from dataclasses import dataclass

import numpy as np
import pytest

from dl4j_bridge.errors import InputError
from dl4j_bridge.java.interface import Interface
from dl4j_bridge.java.network import Network
from dl4j_bridge.model import model_zip
from dl4j_bridge.reference import graves_lstm as reference
from dl4j_bridge.settings.training import NetworkSettings

INPUTS, HIDDEN, CLASSES = 4, 3, 5
CLASSES_IN_JAVA = 256
TAIL = [[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0]]
HEAD = [[0, 0, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1]]
HOLE = [[1, 1, 0, 0, 1, 1], [1, 0, 1, 0, 1, 1]]
PARTLY = [[1, 0.5, 2, 1, 0.3, 1], [0.2, 1, 1, 1.5, 1, 0.7]]


@dataclass(frozen=True)
class Segment:
    flat: np.ndarray
    layers: int
    x: np.ndarray
    labels: np.ndarray
    states: list
    mask: np.ndarray | None = None
    label_mask: np.ndarray | None = None

    @property
    def network(self):
        return reference.unpack(self.flat, INPUTS, HIDDEN, self.layers, CLASSES)

    @property
    def record(self):
        return reference.forward(self.network, self.x, self.states, self.mask)

    def loss(self, flat=None, x=None):
        network = reference.unpack(self.flat if flat is None else flat, INPUTS, HIDDEN, self.layers, CLASSES)
        x = self.x if x is None else x
        return reference.loss(network, x, self.labels, self.states, self.mask, self.label_mask)

    def backward(self, carried=True):
        return reference.backward(self.network, self.record, self.labels, carried, self.label_mask)

    def differences(self):
        gradient = reference.finite_differences(self.loss, self.flat, range(self.flat.size))
        by_input = reference.finite_differences(lambda x: self.loss(x=x), self.x, range(self.x.size))
        return gradient, by_input.reshape(self.x.shape)


def segment(batch=2, steps=6, layers=2, dense=False, carried=True, mask=None, label_mask=None, seed=0):
    """A segment on the state that an earlier one left."""
    rng = np.random.default_rng(seed)
    count = sum(4 * HIDDEN * (size + HIDDEN + 1) + 3 * HIDDEN for size in [INPUTS, *[HIDDEN] * (layers - 1)])
    flat = rng.normal(0, 0.8, count + (HIDDEN + 1) * CLASSES)
    network = reference.unpack(flat, INPUTS, HIDDEN, layers, CLASSES)
    x = reference.one_hot(rng.integers(0, INPUTS, (batch, steps)), INPUTS)
    if dense:
        x = rng.normal(0, 1, x.shape)
    states = reference.zero_states(network, batch)
    if carried:
        states = reference.forward(network, rng.normal(0, 1, (batch, INPUTS, 5)), states).states
    masks = [None if m is None else np.array(m, np.float64) for m in (mask, label_mask)]
    return Segment(flat, layers, x, rng.integers(0, CLASSES, (batch, steps)), states, *masks)


def blocks(gradient, layers):
    """Every block by name; RW and b apart by gate and peephole."""
    network = reference.unpack(gradient, INPUTS, HIDDEN, layers, CLASSES)
    found = {"output W": network.output.W, "output b": network.output.b}
    for i, layer in enumerate(network.layers):
        for gate, start in zip("afog", range(0, 4 * HIDDEN, HIDDEN), strict=True):
            for name in ("W", "RW", "b"):
                found[f"{i} {name} {gate}"] = getattr(layer, name)[:, start : start + HIDDEN]
        for gate, column in zip("fog", layer.RW[:, 4 * HIDDEN :].T, strict=True):
            found[f"{i} peephole {gate}"] = column
    return found


def distance(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


def distances(ours, theirs, layers):
    ours, theirs = blocks(ours, layers), blocks(theirs, layers)
    return {name: distance(ours[name], theirs[name]) for name in theirs}


CASES = {
    "as usual": {},
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
    "masks that weigh": {"mask": PARTLY, "label_mask": PARTLY[::-1]},
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_every_block_by_finite_differences(case):
    given = segment(**case)
    assert all(np.any(state) == case.get("carried", True) for pair in given.states for state in pair)
    gradient, by_input = given.backward()
    wanted, wanted_by_input = given.differences()
    apart = distances(gradient, wanted, given.layers)
    assert max(apart.values()) < 1e-6, apart
    assert distance(by_input, wanted_by_input) < 1e-6


def test_stock_is_wrong_on_a_carried_segment_in_every_block_of_a_layer():
    given = segment()
    wanted, wanted_by_input = given.differences()
    gradient, by_input = given.backward(carried=False)
    apart = distances(gradient, wanted, given.layers)
    assert {name for name, error in apart.items() if error < 1e-6} == {"output W", "output b"}
    assert min(error for name, error in apart.items() if "output" not in name) > 0.01, apart
    assert distance(by_input, wanted_by_input) > 0.01


@pytest.mark.parametrize("mask", [None, TAIL, HEAD], ids=["no mask", "tail", "head"])
def test_stock_is_right_on_a_zero_state(mask):
    given = segment(carried=False, mask=mask, label_mask=mask)
    for exact, stock in zip(given.backward(), given.backward(carried=False), strict=True):
        np.testing.assert_allclose(stock, exact, rtol=0, atol=1e-15)


def test_stock_learns_nothing_recurrent_from_segments_of_one_step():
    """Neither does it of the forget gate, which has nothing to forget."""
    gradient, _ = segment(steps=1).backward(carried=False)
    silent = {name for name, block in blocks(gradient, 2).items() if not block.any()}
    unreached = "RW a", "RW f", "RW o", "RW g", "W f", "b f", "peephole f", "peephole g"
    assert silent == {f"{layer} {name}" for layer in (0, 1) for name in unreached}


def test_one_step_by_hand():
    """All the gates' sums are ln 3 or a half of it, up to the sign, so that the gates are quarters."""
    u, t = math.log(3), math.tanh(0.25)
    w, r, b = [u, u / 2, 1.5 * u, -u], [-4 * u, 2 * u, -2 * u, 4 * u], [-u / 2, -3 * u, 2 * u, -2 * u]
    network = reference.unpack([*w, *r, 4 * u, -12 * u, 2 * u, *b, 4 * u / (3 * t), 0, 0, 0], 1, 1, 1, 2)
    x, labels, half = np.full((1, 1, 1), 2.0), np.array([[0]]), np.full((1, 1), 0.5)
    record = reference.forward(network, x, [(half, half)])
    run = record.layers[0]
    gates = [float(v.item()) for v in (run.a, run.f, run.o, run.g)]
    assert gates == pytest.approx([-1 / 2, 3 / 4, 3 / 4, 1 / 4], rel=1e-12)
    assert [s.item() for s in record.states[0]] == pytest.approx([0.75 * t, 0.25], rel=1e-12)
    assert record.outputs[0].item() == pytest.approx(0.75 * t, rel=1e-12)
    assert record.probabilities.ravel() == pytest.approx([0.75, 0.25], rel=1e-12)
    assert reference.loss(network, x, labels, [(half, half)]) == pytest.approx(math.log(4 / 3), rel=1e-12)

    o = -u / 16
    c = -u / (4 * t) * (1 - t * t) + 12 * u * u / 16
    a, f, g = 3 / 16 * c, 3 / 32 * c, -3 / 32 * c
    sums = np.array([a, f, o, g])
    gradient, by_input = reference.backward(network, record, labels)
    wanted = [*2 * sums, *sums / 2, f / 2, o / 4, g / 2, *sums, -0.1875 * t, 0.1875 * t, -0.25, 0.25]
    assert gradient == pytest.approx(wanted, rel=1e-12)
    assert by_input.item() == pytest.approx(float(sums @ w), rel=1e-12)


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


def test_two_segments_are_one():
    given = segment(steps=6)
    first = reference.forward(given.network, given.x[:, :, :4], given.states)
    second = reference.forward(given.network, given.x[:, :, 4:], first.states)
    for i, whole in enumerate(given.record.outputs):
        parts = np.concatenate([first.outputs[i], second.outputs[i]], axis=2)
        np.testing.assert_allclose(parts, whole, rtol=0, atol=1e-14)
    np.testing.assert_allclose(second.states, given.record.states, rtol=0, atol=1e-14)
    np.testing.assert_allclose(given.record.probabilities.sum(1), 1, rtol=1e-12)


def test_a_masked_step_is_silent_and_starts_anew():
    given = segment(batch=1, mask=[[1, 1, 1, 0, 1, 1]])
    fresh = reference.forward(given.network, given.x[:, :, 4:], reference.zero_states(given.network, 1))
    for masked, anew in zip(given.record.outputs, fresh.outputs, strict=True):
        assert not masked[:, :, 3].any()
        assert masked[:, :, :3].all()
        np.testing.assert_array_equal(masked[:, :, 4:], anew)


def test_the_loss_is_summed_over_time_and_divided_by_the_batch():
    given = segment(batch=2, steps=6, label_mask=HOLE)
    chances = np.take_along_axis(given.record.probabilities, given.labels[:, None, :], axis=1)[:, 0]
    assert given.loss() == pytest.approx(-np.sum(np.log(chances) * HOLE) / 2, rel=1e-12)
    huge = given.flat.copy()
    huge[-CLASSES:] = [5000, 0, 0, 0, 0]
    assert math.isfinite(given.loss(huge))


def dl4j_in_scalars(w, r, peepholes, b, xs, errors, mask):
    """`LSTMHelpers` for one unit and one example from a zero state, statement by statement."""

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
def test_stock_backward_in_scalars(mask):
    rng = np.random.default_rng(3)
    flat = rng.normal(0, 1, 15 + 4)
    network = reference.unpack(flat, 1, 1, 1, 2)
    xs, labels = rng.normal(0, 1, 5), rng.integers(0, 2, (1, 5))
    record = reference.forward(
        network, xs[None, None], [(np.full((1, 1), 0.4), np.full((1, 1), -0.7))], np.array([mask])
    )
    gradient, by_input = reference.backward(network, record, labels, carried=False)
    errors = (record.probabilities - reference.one_hot(labels, 2))[0].T @ network.output.W[0]
    wanted, by_x = dl4j_in_scalars(flat[:4], flat[4:8], flat[8:11], flat[11:15], xs, errors, mask)
    np.testing.assert_allclose(gradient[:15], wanted, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(by_input[0, 0], by_x, rtol=1e-12, atol=1e-15)
    exact, _ = reference.backward(network, record, labels)
    assert distance(gradient[:15], exact[:15]) > 0.01


def test_stock_hides_a_hole_from_the_deltas_only():
    """From a zero state, where a mask at either end would do no harm."""
    given = segment(carried=False, mask=HOLE, label_mask=HOLE)
    assert distance(given.backward(carried=False)[0], given.differences()[0]) > 0.01


def test_finite_differences_are_central():
    at = np.array([[1.0, 2.0], [3.0, 4.0]])
    found = reference.finite_differences(lambda x: float(np.sum(x**3)), at, [1, 2], eps=0.1)
    np.testing.assert_allclose(found, [12.01, 27.01], rtol=1e-12)
    assert at.tolist() == [[1, 2], [3, 4]]


def test_adam_by_hand():
    """The first gradient's root mean square is epsilon, which DL4J adds before it mends the bias: half a step."""
    small = 1e-8 / math.sqrt(1 - 0.999)
    adam = reference.Adam(0.01)
    assert adam.step(np.array([1.0, 1.0]), np.array([small, -7.0])) == pytest.approx([0.995, 1.01], rel=1e-9)
    assert adam.step(np.array([0.0, 0.0]), np.array([0.0, -7.0]))[1] == pytest.approx(0.01, rel=1e-6)


def test_a_small_identity_is_learnt_without_java():
    rng = np.random.default_rng(6)
    lstm = reference.GravesLstm.create(inputs=16, hidden=16, layers=2, outputs=16, seed=1, learning_rate=0.02)
    x = rng.integers(0, 16, (16, 40))
    bits = lstm.fit(x, x, steps=120, tbptt=20)
    assert bits[0] > 3
    unheard = rng.integers(0, 16, (16, 40))
    assert np.mean(lstm.run(unheard).argmax(axis=2) == unheard) > 0.99


def test_memory_is_learnt_too():
    """The target is the input of two samples before, of which a memoryless map knows nothing."""
    x = np.random.default_rng(7).integers(0, 2, (16, 60))
    y = np.roll(x, 2, axis=1)
    lstm = reference.GravesLstm.create(inputs=2, hidden=12, layers=1, outputs=2, seed=1, learning_rate=0.03)
    lstm.fit(x[:, :40], y[:, :40], steps=200, tbptt=20)
    assert np.mean(lstm.run(x)[:, 40:].argmax(axis=2) == y[:, 40:]) > 0.99


def test_a_model_zip_is_read_and_run_as_java_runs_it(effect_run, java):
    network = model_zip.load(effect_run / "model.zip").network
    lstm = reference.GravesLstm.load(effect_run / "model.zip")
    np.testing.assert_array_equal(reference.pack(lstm.params).astype(np.float32), network.parameters())
    x = np.random.default_rng(8).integers(0, 256, 3000, dtype=np.uint8)
    found = network.stream().run(x)
    assert np.abs(lstm.run(x[None])[0] - found).max() < 1e-5
    assert found.std() > 1e-4


def test_clipped_steps_end_where_java_ends(java):
    clip, sizes = 0.05, (CLASSES_IN_JAVA, 12, 2, CLASSES_IN_JAVA)
    net = Network.create(
        NetworkSettings(hidden=12, clip=clip, learning_rate=1e-3), Interface.of_classes(CLASSES_IN_JAVA)
    )
    lstm = reference.GravesLstm(reference.unpack(net.parameters(), *sizes), 1e-3, clip)
    rng = np.random.default_rng(9)
    for step in range(6):
        x, y = rng.integers(0, CLASSES_IN_JAVA, (2, 3, 8), dtype=np.uint8)
        bits, _ = net.step(x, y, 8, step % 3 == 0, 0)
        assert lstm.step(x, y, step % 3 == 0) == pytest.approx(bits, rel=1e-5)
    difference = np.abs(net.parameters() - reference.pack(lstm.params))
    # Adam divides a gradient near zero by its own size, so a rounding error can move a weight by a whole step.
    assert np.quantile(difference, 0.99) < 1e-6


def test_zips_that_are_no_such_model_get_one_line(effect_run, tmp_path):
    with zipfile.ZipFile(effect_run / "model.zip") as z:
        entries = {name: z.read(name) for name in z.namelist()}
    changes = {
        "cut": ("coefficients.bin", entries["coefficients.bin"][:900]),
        "double": ("coefficients.bin", entries["coefficients.bin"].replace(b"FLOAT", b"DOUBL")),
        "dense": ("configuration.json", entries["configuration.json"].replace(b"layers.GravesLSTM", b"layers.LSTM")),
    }
    for name, (entry, content) in changes.items():
        with zipfile.ZipFile(tmp_path / name, "w") as z:
            for key, value in (entries | {entry: content}).items():
                z.writestr(key, value)
        with pytest.raises(InputError, match="not a GravesLSTM model"):
            reference.GravesLstm.load(tmp_path / name)
    with pytest.raises(InputError, match="not a GravesLSTM model"):
        reference.GravesLstm.load(tmp_path / "missing.zip")
