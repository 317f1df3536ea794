"""Samples as numbers: scale, loss and metrics against formulas, and the network's vectors against NumPy's."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from scipy.signal import lfilter

from dl4j_bridge import reference
from dl4j_bridge.errors import BridgeError, InputError
from dl4j_bridge.java.interface import Interface
from dl4j_bridge.java.network import Network
from dl4j_bridge.java.streams import STEPS_PER_CALL
from dl4j_bridge.java.tensors import Dense
from dl4j_bridge.settings.training import DataSettings, NetworkSettings
from dl4j_bridge.signal import pairs
from dl4j_bridge.tasks.baselines.fir import Fir
from dl4j_bridge.tasks.baselines.wiener_hammerstein import WienerHammerstein
from dl4j_bridge.tasks.frames.task import SMALLEST_POWER, FramesTask, Scale
from dl4j_bridge.tasks.pytorch_twin import PytorchTwin
from dl4j_bridge.tasks.registry import train_settings

AMPLIFIER = FramesTask(1, "target", Scale(), weighted=True)
SETTINGS = train_settings({"task": "frames"})


def guitarml_loss(output, target):
    """As GuitarML has it: 0.75 ESR behind a pre-emphasis and 0.25 of the offset, over the segment; (batch, n) each."""
    y, o = (np.asarray(side, np.float64) for side in (target, output))
    y_emphasised, o_emphasised = (lfilter([1, -0.85], [1], side, axis=1) for side in (y, o))
    esr = np.mean((y_emphasised - o_emphasised) ** 2) / (np.mean(y_emphasised**2) + SMALLEST_POWER)
    offset = np.mean(np.mean(y - o, axis=1) ** 2) / (np.mean(y**2) + SMALLEST_POWER)
    return 0.75 * esr + 0.25 * offset


def segment(batch=3, steps=40, seed=0, scale=0.3):
    rng = np.random.default_rng(seed)
    return scale * rng.normal(0, 1, (2, batch, steps, 1)).astype(np.float32)


def small_network(inputs=1, outputs=1, output="linear", skip=False, layers=1, **options):
    settings = NetworkSettings(layers=layers, hidden=7, **options)
    return Network.create(settings, Interface.of_vectors(inputs, outputs, output, skip))


def by_numpy(network, x, layers=1, cell="graves"):
    """The reference's linear output for vectors, from empty states on; shapes (batch, n, width)."""
    sides = network.interface
    params = reference.unpack(network.parameters(), sides.inputs, 7, layers, sides.outputs, cell)
    wide = np.asarray(x, np.float64).transpose(0, 2, 1)
    record = reference.forward(params, wide, reference.zero_states(params, len(x)))
    return record.logits.transpose(0, 2, 1)


@pytest.mark.parametrize("scale", [Scale(), Scale(0.1, 0.7), Scale(-0.5, 2.0)])
def test_a_scale_and_its_inverse(scale):
    x = np.random.default_rng(0).uniform(-1, 1, 1000)
    normalized = scale.normalize(x)
    assert normalized.dtype == np.float32
    np.testing.assert_allclose(normalized, (x - scale.mean) / scale.range, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(scale.denormalize(normalized), x, atol=2e-7)


@pytest.mark.parametrize("loudness", [0.5, 1e-2, 1e-4])
def test_the_networks_loss_is_guitarmls(java, loudness):
    """What a training step says, from the weights that the task gives, against the formula in NumPy."""
    x, y = segment(scale=loudness)
    network = small_network()
    output = network.run_batch(x)
    network.set_loss_weights(*AMPLIFIER.loss_weights(SETTINGS, y, False))
    loss, accuracy = network.step(x, y, 40, True, 1)
    assert np.isnan(accuracy)
    assert loss == pytest.approx(guitarml_loss(output[:, :, 0], y[:, :, 0]), rel=2e-5)


def test_and_pytorchs(java):
    torch = pytest.importorskip("torch")
    x, y = segment(seed=1)
    square, pre_emphasis, offset, start = AMPLIFIER.loss_weights(SETTINGS, y, False)
    assert start == 0
    output = torch.from_numpy(x[:, :, 0].copy()).requires_grad_()
    target = torch.from_numpy(y[:, :, 0].copy())
    emphasis = torch.tensor([[[-0.85, 1.0]]])

    def emphasised(side):
        return torch.nn.functional.conv1d(torch.nn.functional.pad(side[:, None], (1, 0)), emphasis)[:, 0]

    esr = ((emphasised(target) - emphasised(output)) ** 2).mean() / ((emphasised(target) ** 2).mean() + SMALLEST_POWER)
    dc = ((target - output).mean(1) ** 2).mean() / ((target**2).mean() + SMALLEST_POWER)
    loss = 0.75 * esr + 0.25 * dc
    loss.backward()
    error = (x - y)[:, :, 0].astype(np.float64)
    filtered = lfilter([1, -pre_emphasis], [1], error, axis=1)
    ours = square * np.sum(filtered**2) + offset * np.sum(error.sum(axis=1) ** 2)
    # A segment's loss is summed over its time steps and divided by the recordings; `Network.step` divides it by both.
    assert ours / error.size == pytest.approx(loss.item(), rel=1e-5)
    later = np.concatenate([filtered[:, 1:], np.zeros((3, 1))], axis=1)
    gradient = 2 * square * (filtered - pre_emphasis * later) + 2 * offset * error.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(gradient / error.size, output.grad.numpy(), rtol=1e-4, atol=1e-8)


def test_mse_is_left_to_dl4j(java):
    x, y = segment()
    task = FramesTask(1, "target", Scale())
    assert task.loss_weights(SETTINGS, y, True) is None
    network = small_network()
    output = network.run_batch(x)
    loss, _ = network.step(x, y, 40, True, 1)
    assert loss == pytest.approx(np.mean((output - y) ** 2), rel=1e-5)


def test_metrics_are_those_of_the_samples():
    rng = np.random.default_rng(2)
    task = FramesTask(4, "next", Scale(0.1, 0.5))
    target, output = rng.normal(0, 0.3, (2, 50, 4)).astype(np.float32)
    found = task.measure(iter([output[:20], output[20:]]), target)
    y, o = (side.astype(np.float64) * 0.5 + 0.1 for side in (target, output))
    assert found["mse"] == pytest.approx(np.mean((target - output) ** 2), rel=1e-6)
    assert found["esr"] == pytest.approx(np.sum((y - o) ** 2) / np.sum(y**2), rel=1e-9)
    assert found["snr_db"] == pytest.approx(-10 * np.log10(found["esr"]))
    exact = task.measure([target], target)
    assert exact["mse"] == exact["esr"] == 0
    assert exact["snr_db"] is None
    assert task.bits_gained(0.4, 0.1) == pytest.approx(1)
    assert task.bits_gained(0.1, 0.0) > 10


def test_frames_are_cut_at_the_delay_and_what_is_left_over_is_dropped(tmp_path):
    rng = np.random.default_rng(3)
    dry = rng.uniform(-1, 1, 1003).astype(np.float32)
    wet = np.concatenate([np.zeros(10, np.float32), dry[:-10] / 2])
    for name, sound in (("dry", dry), ("wet", wet)):
        soundfile.write(tmp_path / f"{name}.wav", sound, 8000, "FLOAT")
    pair = pairs.open_pair(tmp_path / "dry.wav", tmp_path / "wet.wav", DataSettings(align="10"))
    settings = train_settings({"task": "frames"} | {"frame": 5, "loss": "mse"})
    task = FramesTask.from_pairs(settings, [pair])
    x, y = task.signals(pair)
    assert x.shape == y.shape == (198, 5)
    np.testing.assert_array_equal(x.ravel(), dry[:990])
    np.testing.assert_array_equal(y, x / 2)
    np.testing.assert_array_equal(task.to_samples(x), dry[:990])
    assert FramesTask.from_dict(task.as_dict()) == task


@pytest.mark.parametrize(("decibels", "noted"), [(-10, False), (-60, True)])
def test_a_quiet_target_is_told(tmp_path, decibels, noted):
    for name, level in (("dry", 1.0), ("wet", 10 ** (decibels / 20))):
        soundfile.write(tmp_path / f"{name}.wav", level * np.sin(np.arange(5000.0)), 8000, "FLOAT")
    pair = pairs.open_pair(tmp_path / "dry.wav", tmp_path / "wet.wav", DataSettings(align="off"))
    notes = FramesTask.from_pairs(SETTINGS, [pair]).notes([pair])
    assert [note.startswith(f"{tmp_path / 'wet.wav'}: quiet (peak at -60 dB)") for note in notes] == [True] * noted


def test_dense_tensors_are_what_java_sees(java):
    """Through ND4J's own indexing; shorter after longer, and back."""
    rng = np.random.default_rng(4)
    dense = Dense(3, 2, 5)
    for steps in (5, 2, 1, 4):
        vectors = rng.normal(0, 1, (3, steps, 2)).astype(np.float32)
        seen = dense.write(vectors).firstSteps(steps)
        shape = [int(n) for n in seen.shape()]
        assert shape == [3, 2, steps]
        values = np.array(seen.dup("c").reshape(seen.length()).toFloatVector(), np.float32).reshape(shape)
        np.testing.assert_array_equal(values.transpose(0, 2, 1), vectors)


@pytest.mark.parametrize(
    "vectors",
    [
        np.zeros((3, 6, 2), np.float32),
        np.zeros((2, 5, 2), np.float32),
        np.zeros((3, 5, 1), np.float32),
        np.zeros((3, 5, 2)),
        np.zeros((3, 5), np.float32),
    ],
    ids=["too long", "wrong batch", "wrong width", "wrong dtype", "wrong rank"],
)
def test_vectors_that_do_not_fit_are_refused_and_nothing_changes(java, vectors):
    dense = Dense(3, 2, 5)
    dense.write(np.ones((3, 5, 2), np.float32))
    with pytest.raises(BridgeError):
        dense.write(vectors)
    assert np.all(dense.array.read() == 1)


@pytest.mark.parametrize("cell", ["graves", "lstm"])
@pytest.mark.parametrize(("inputs", "outputs", "layers"), [(1, 1, 1), (5, 3, 2)])
def test_three_ways_through_the_network_give_what_numpy_gives(java, inputs, outputs, layers, cell):
    """Side by side, as a stream in any blocks, and in the loss of a step."""
    rng = np.random.default_rng(5)
    network = small_network(inputs, outputs, layers=layers, cell=cell)
    x = rng.normal(0, 0.5, (4, STEPS_PER_CALL + 57, inputs)).astype(np.float32)
    wanted = by_numpy(network, x, layers, cell)
    assert wanted.std() > 0.02
    found = network.run_batch(x)
    assert found.shape == (4, x.shape[1], outputs)
    assert np.abs(found - wanted).max() < 1e-5
    stream = network.dense_stream()
    in_blocks = np.concatenate([stream.run(x[1, a:b]) for a, b in ((0, 1), (1, 40), (40, 300), (300, None))])
    assert np.abs(in_blocks - wanted[1]).max() < 1e-5
    stream.reset()
    assert np.abs(stream.run(x[2, :50]) - wanted[2, :50]).max() < 1e-5
    y = np.zeros((4, 30, outputs), np.float32)
    loss, _ = network.step(x[:, :30], y, 30, True, 1)
    assert loss == pytest.approx(np.mean(wanted[:, :30] ** 2), rel=1e-4)


def test_skip_adds_the_input_in_running_and_in_training(java):
    x, y = segment(seed=6)
    skipping, plain = small_network(skip=True), small_network()
    np.testing.assert_array_equal(skipping.parameters(), plain.parameters())
    np.testing.assert_array_equal(skipping.run_batch(x), plain.run_batch(x) + x)
    np.testing.assert_array_equal(skipping.dense_stream().run(x[0]), plain.dense_stream().run(x[0]) + x[0])
    assert skipping.step(x, y, 40, True, 1) == pytest.approx(plain.step(x, y - x, 40, True, 1), nan_ok=True)
    np.testing.assert_array_equal(skipping.parameters(), plain.parameters())


def test_what_stock_layers_cannot_do_is_refused():
    frames = train_settings({"task": "frames"})
    with pytest.raises(InputError, match="wanted --frame 1"):
        frames.with_options({"frame": 2})
    with pytest.raises(InputError, match="wanted mse, which is all that stock DL4J has"):
        frames.with_options({"layer": "stock"})


def test_the_filters_for_numbers_find_a_filter_that_is_there():
    """The FIR is the Wiener filter, so of a filter nothing is left over; a curve between two is the other one's."""
    rng = np.random.default_rng(7)
    x = lfilter([1], [1, -0.7], rng.normal(0, 0.1, 40_000))
    taps = rng.normal(0, 1, 300) * np.exp(-np.arange(300) / 60)
    linear = lfilter(taps, [1], x) + 0.02
    curved = lfilter([0.5, 0.3], [1], np.tanh(4 * lfilter([1, -0.9], [1], x)))
    fir, between = AMPLIFIER.baselines()
    assert [fir.name, between.name] == [Fir.name, WienerHammerstein.name]

    def left_over(baseline, y):
        baseline.fit([(x[:30_000], y[:30_000])])
        restored = next(other for other in AMPLIFIER.baselines() if other.name == baseline.name)
        restored.restore(baseline.arrays())
        error = restored.values(x)[30_000:] - y[30_000:]
        return np.mean(error**2) / np.mean(y[30_000:] ** 2)

    assert left_over(fir, linear) < 1e-4
    assert left_over(fir, curved) > 1e-3
    assert left_over(between, curved) < 1e-4


def test_the_pytorch_twin_learns_the_same_task(java):
    pytest.importorskip("torch")
    x = (0.3 * np.random.default_rng(8).normal(0, 1, (4000, 1))).astype(np.float32)
    y = np.tanh(3 * x) + x
    small = {"hidden": 8, "length": 100, "tbptt": 50, "batch": 8, "skip": True, "validate_every": 20}
    settings = train_settings({"task": "frames"} | small | {"learning_rate": 0.01})
    twin = PytorchTwin(FramesTask(1, "target", Scale(), True, True), settings, 200)

    def error():
        return np.mean((np.concatenate(list(twin.run(x, 0, len(x)))) - y) ** 2)

    before = error()
    twin.fit((x, y), (x[:500], y[:500]))
    assert error() < 0.05 * before
    assert twin.parameters == 4 * 8 * (1 + 8 + 2) + 9


def test_the_twins_loss_is_the_networks(java):
    torch = pytest.importorskip("torch")
    x, y = segment(seed=9)
    settings = train_settings({"task": "frames", "warm_up": 10})
    twin = PytorchTwin(AMPLIFIER, settings, 1)
    loss = float(twin._loss(torch.from_numpy(x), y))
    # It is summed over the time steps, as DL4J's.
    assert loss / x.shape[1] == pytest.approx(guitarml_loss(x[:, :, 0], y[:, :, 0]), rel=1e-5)
    network = small_network()
    weights = AMPLIFIER.loss_weights(settings, y, True)
    assert weights[-1] == 10
    output = network.run_batch(x)
    network.set_loss_weights(*weights)
    ours, _ = network.step(x, y, 40, True, 1)
    assert ours * 40 == pytest.approx(float(twin._loss(torch.from_numpy(output), y, first=True)), rel=1e-5)
    assert ours * 40 != pytest.approx(float(twin._loss(torch.from_numpy(output), y)), rel=0.05)
