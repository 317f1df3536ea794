"""`train --task frames` without a target: the next frame from those before, and what keeps free-running output sane."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.signal import lfilter

import dl4j_bridge
from dl4j_bridge.demos import synthesis
from dl4j_bridge.errors import InputError
from dl4j_bridge.java.interface import Interface
from dl4j_bridge.java.network import Network
from dl4j_bridge.jobs.compare import compare
from dl4j_bridge.jobs.new_run import new_run, settings_from
from dl4j_bridge.jobs.train import train
from dl4j_bridge.model import model_zip
from dl4j_bridge.settings.commands import CompareSettings
from dl4j_bridge.settings.training import NetworkSettings
from dl4j_bridge.signal import pairs
from dl4j_bridge.signal.recordings import open_recording
from dl4j_bridge.tasks import columns, drift
from dl4j_bridge.tasks.baselines.linear_prediction import LinearPrediction
from dl4j_bridge.tasks.frames.task import RAMP_STEPS, FramesTask, Scale
from dl4j_bridge.tasks.registry import choose, train_settings
from tests.conftest import run, run_ok

RATE = 8000
FRAMES = [
    "--task",
    "frames",
    "--predict",
    "next",
    "--frame",
    50,
    "--hidden",
    12,
    "--layers",
    2,
    "--batch",
    4,
    "--length",
    20,
]
FRAMES += ["--tbptt", 20, "--validate-every", 5]
TASK = FramesTask(5, "next", Scale())


def write(path: Path, sound: np.ndarray, rate: int = RATE) -> Path:
    soundfile.write(path, sound, rate, subtype="FLOAT")
    return path


def log_of(folder: Path) -> list[dict[str, str]]:
    with open(folder / "log.csv", newline="") as f:
        return [
            {name: row[name] for name in ("step", "loss", "valid_mse", "learning_rate")} for row in csv.DictReader(f)
        ]


def of_options(**options):
    return train_settings({"task": "frames", "predict": "next"} | options, has_target=False)


@pytest.fixture(scope="module")
def riff(tmp_path_factory):
    return write(tmp_path_factory.mktemp("riff") / "riff.wav", synthesis.riff(6, RATE))


@pytest.fixture(scope="module")
def trained(riff, tmp_path_factory):
    """A run folder of a network that predicts the next frame."""
    out = tmp_path_factory.mktemp("frames") / "run"
    run_ok("train", "--input", riff, "--out", out, "--steps", 10, *FRAMES)
    return out


@pytest.fixture
def network(java):
    settings = NetworkSettings(task="frames", layers=2, hidden=8, tbptt=6, learning_rate=1e-12, seed=1)
    return Network.create(settings.resolved(), Interface.of_vectors(5, 5))


def segments(count=2, batch=3, steps=6, width=5):
    x = np.random.default_rng(0).uniform(-0.5, 0.5, (batch, count * steps, width)).astype(np.float32)
    return [x[:, at : at + steps] for at in range(0, count * steps, steps)]


def scale_of(path):
    settings = of_options(frame=50)
    return choose(settings, [pairs.open_pair(path, None, settings.data)]).scale


def test_the_scale_is_that_of_the_training_part_and_of_nothing_else(tmp_path):
    x = synthesis.speech_like(2, RATE)
    first = scale_of(write(tmp_path / "a.wav", x))
    end = int(x.size * 0.8)
    learnt = x[:end].astype(np.float32)
    assert first.mean == pytest.approx(learnt.mean(), abs=1e-7)
    assert first.range == pytest.approx(np.ptp(learnt))
    held_out = x.copy()
    held_out[end:] = 5 * np.random.default_rng(1).normal(0, 1, x.size - end)
    assert scale_of(write(tmp_path / "b.wav", held_out)) == first
    other = x.copy()
    other[end - 1] = 3.0
    assert scale_of(write(tmp_path / "c.wav", other)) != first


def test_without_a_fix_the_network_gets_the_recording(network):
    (x, _) = segments()
    assert TASK.training_input(network, of_options(), x, 10_000, True) is x


def test_input_noise_is_as_strong_as_asked_new_at_each_step_and_the_same_again(network):
    x = np.zeros((20, 50, 50), np.float32)
    settings = of_options(input_noise=0.1)
    first, again, other = (TASK.training_input(network, settings, x, number, True) for number in (7, 7, 8))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.std() == pytest.approx(0.1, rel=0.02)
    assert abs(np.corrcoef(first.ravel(), other.ravel())[0, 1]) < 0.02
    assert first.dtype == np.float32
    assert not x.any()


def test_fully_sampled_inputs_are_what_the_network_predicted_from_the_inputs_before(network):
    (x, _) = segments()
    heard = TASK.training_input(network, of_options(scheduled_sampling=1.0), x, RAMP_STEPS, True)
    assert np.array_equal(heard[:, 0], x[:, 0])
    predicted = network.run_batch(heard)
    np.testing.assert_allclose(heard[:, 1:], predicted[:, :-1], atol=1e-6)
    assert np.abs(heard[:, 1:] - x[:, 1:]).mean() > 0.01


def test_sampling_goes_on_from_the_carried_state_and_leaves_it_alone(network):
    first, second = segments()
    for left_out, number in ((first, 0), (second, 1)):
        before = network.state()
        settings = of_options(scheduled_sampling=1.0)
        heard = TASK.training_input(network, settings, left_out, RAMP_STEPS + number, number == 0)
        assert all(np.array_equal(value, network.state()[key]) for key, value in before.items())
        if number == 0:
            network.step(first, first, 6, True, 1)
    # What was heard of the first segment was the recording; an update of 1e-12 changes nothing that can be seen.
    predicted = network.run_batch(np.concatenate([first, heard], axis=1))[:, 6:]
    np.testing.assert_allclose(heard[:, 1:], predicted[:, :-1], atol=1e-5)
    from_nothing = network.run_batch(heard)
    assert np.abs(heard[:, 1:] - from_nothing[:, :-1]).max() > 1e-4


def test_the_share_of_own_predictions_grows_to_what_was_asked(network):
    x = np.random.default_rng(0).uniform(-0.5, 0.5, (40, 50, 5)).astype(np.float32)
    settings = of_options(scheduled_sampling=0.5)

    def share(number):
        heard = TASK.training_input(network, settings, x, number, True)
        return float(np.mean((heard != x).any(axis=2)[:, 1:]))

    assert share(0) == 0
    assert share(RAMP_STEPS // 2) == pytest.approx(0.25, abs=0.04)
    assert share(10 * RAMP_STEPS) == pytest.approx(0.5, abs=0.04)


@pytest.mark.slow
def test_the_fixes_change_training_the_same_way_each_time_and_can_be_resumed(riff, tmp_path):
    fixes = ["--input-noise", 0.05, "--scheduled-sampling", 1.0, "--dropout", 0.1]

    def logged(name, steps, *options):
        args = ["--steps", steps, "--schedule", "plateau", *FRAMES, *options]
        run_ok("train", "--input", riff, "--out", tmp_path / name, *args)
        return log_of(tmp_path / name)

    whole = logged("whole", 20, *fixes)
    assert len(whole) == 20
    logged("parts", 13, *fixes)
    run_ok("train", tmp_path / "parts", "--resume", "--steps", 20)
    assert log_of(tmp_path / "parts") == whole
    for number in (0, 2, 4):
        fewer = logged(f"without-{number}", 20, *fixes[:number], *fixes[number + 2 :])
        assert [row["loss"] for row in fewer] != [row["loss"] for row in whole], fixes[number]


def test_feeding_back_is_calling_the_network_step_by_step(trained, java):
    model = model_zip.open_model(trained).load()
    primer = np.random.default_rng(0).uniform(-0.3, 0.3, (7, 50)).astype(np.float32)
    fed_back = np.concatenate(list(model.info.task.feed_back(model.network, primer, 430)))
    heard = primer
    for _ in range(9):
        heard = np.concatenate([heard, model.network.run_batch(heard[None])[0, -1:]])
    scale = model.info.task.scale
    expected = heard[7:].ravel()[:430] * scale.range + scale.mean
    assert fed_back.size == 430
    np.testing.assert_allclose(fed_back, expected, atol=1e-5)
    assert fed_back.std() > 1e-4


@pytest.mark.parametrize("samples", [1, 49, 50, 51, 8001])
def test_any_length_is_generated_to_the_sample(trained, riff, tmp_path, samples):
    out = tmp_path / "out.wav"
    result = run_ok("generate", "--model", trained, "--output", out, "--prime", riff, "--seconds", samples / RATE)
    assert soundfile.info(out).frames == samples
    assert f": {columns.count(samples, 'sample')} at {RATE} Hz" in result.stdout


def test_training_stops_where_validation_turns_and_keeps_the_best(tmp_path):
    """Noise has no next frame to learn, only training frames to know by heart."""
    noise = write(tmp_path / "noise.wav", np.random.default_rng(1).normal(0, 0.1, 10_000))
    result = run_ok(
        "train", "--input", noise, "--out", tmp_path / "run", "--json", "--steps", 2000, *FRAMES[:6], *FRAMES[8:],
        "--hidden", 64, "--schedule", "plateau", "--patience", 8, "--learning-rate", 0.02,
    ).json  # fmt: skip
    assert result["stopped_because"] == "plateau"
    valid = {int(row["step"]): float(row["valid_mse"]) for row in log_of(tmp_path / "run") if row["valid_mse"]}
    best = min(valid, key=valid.__getitem__)
    assert best < result["steps"]
    assert valid[result["steps"]] > 1.02 * valid[best]
    kept = model_zip.open_model(tmp_path / "run").info.training
    # The long validation decides, so it may be a neighbour of the step that the short ones prefer.
    assert kept.step <= best
    assert kept.valid["mse"] == pytest.approx(valid[best], rel=0.05)
    assert result["valid"]["mse"] == pytest.approx(kept.valid["mse"], rel=1e-6)


@pytest.mark.parametrize("frame", [1, pytest.param(3000, marks=pytest.mark.slow)])
def test_frames_of_any_size_are_trained_compared_and_generated(riff, tmp_path, frame):
    sizes = ["--frame", frame, "--hidden", 8, "--length", 5, "--tbptt", 5, "--batch", 2, "--steps", 4]
    run_ok("train", "--input", riff, "--out", tmp_path / "run", "--task", "frames", "--predict", "next", *sizes)
    result = run_ok("compare", "--model", tmp_path / "run", "--input", riff, "--drift-seconds", 0.05, "--json").json
    assert [row["name"] for row in result["rows"]] == ["model", "copy", "mean", "linear"]
    run_ok("generate", "--model", tmp_path / "run", "--output", tmp_path / "y.wav", "--seconds", 0.05)
    assert soundfile.info(tmp_path / "y.wav").frames == RATE // 20


def test_a_recording_too_short_for_the_frames_says_what_fits_and_that_fits(riff, tmp_path):
    common = ["train", "--input", riff, "--task", "frames", "--predict", "next", "--steps", 1]
    train = [*common, "--out", tmp_path / "run", "--frame", 2000]
    refused = run(*train)
    assert refused.status == 2
    said = refused.error.rsplit("or more, or ", 1)[1]
    assert said.startswith("--length ")
    run_ok(*train, *said.split(), "--hidden", 4, "--batch", 1)
    refused = run(*common, "--frame", 40_000, "--out", tmp_path / "other")
    assert "shorter time steps than 40000 samples" in refused.error
    assert not (tmp_path / "other").exists()


def test_python_generates_what_the_command_does(trained, riff, tmp_path):
    loaded = dl4j_bridge.load(trained)
    for name, options in {"silence": [], "primed": ["--prime", riff]}.items():
        out = tmp_path / f"{name}.wav"
        run_ok("generate", "--model", trained, "--output", out, "--seconds", 0.5, *options)
        own = loaded.generate(0.5, prime=riff if options else None, progress=False)
        assert own.shape == (round(0.5 * loaded.rate),)
        assert np.abs(np.clip(own, -1, 1) - soundfile.read(out)[0]).max() <= 1 / 2**15
    with pytest.raises(InputError, match="one frame"):
        loaded.generate(0.5, prime=np.zeros(10), progress=False)


def test_what_cannot_be_is_refused_in_a_line(trained, riff, tmp_path):
    short = write(tmp_path / "short.wav", synthesis.riff(1, RATE)[:49])
    out = tmp_path / "out.wav"
    refusals = {
        "one frame": ["generate", "--model", trained, "--output", out, "--prime", short],
        "predicts the next sample": ["process", "--model", trained, "--input", riff, "--output", out],
        "no --target": ["compare", "--model", trained, "--input", riff, "--target", riff],
        "--pytorch": ["compare", "--model", trained, "--input", riff, "--pytorch"],
        "0 to 1": ["train", "--input", riff, "--task", "frames", "--scheduled-sampling", 1.5],
        "0 or more": ["train", "--input", riff, "--task", "frames", "--input-noise", -1],
        "--task frames": ["train", "--input", riff, "--input-noise", 0.1],
        "with a target": ["train", "--input", riff, "--target", riff, "--task", "frames", "--input-noise", 0.1],
    }
    for said, args in refusals.items():
        refused = run(*args, cwd=tmp_path)
        assert refused.status == 2, said
        assert said in refused.error
    assert not out.exists()


def test_compare_judges_all_rows_on_the_same_held_out_frames(trained, riff, tmp_path):
    result = run_ok("compare", "--model", trained, "--input", riff, "--out", tmp_path / "page", "--json").json
    rows = {row["name"]: row for row in result["rows"]}
    scale = model_zip.open_model(trained).info.task.scale
    x = open_recording(riff).read(RATE)
    frames = ((x[: x.size // 50 * 50] - scale.mean) / scale.range).reshape(-1, 50)
    count = len(frames) - 1
    start, end = int(count * 0.9), int(count * 0.8)
    wanted = frames[start + 1 :]
    assert result["samples"] == wanted.size
    assert rows["copy"]["mse"] == pytest.approx(np.mean((frames[start:-1] - wanted) ** 2), rel=1e-4)
    assert rows["mean"]["mse"] == pytest.approx(np.mean((frames[:end].mean() - wanted) ** 2), rel=1e-4)
    assert rows["linear"]["mse"] < 0.8 * min(rows["mean"]["mse"], rows["copy"]["mse"])
    assert set(result["drift"]) == {"recording", "parts", "until", "seconds"}
    assert result["drift"]["seconds"] == 5
    page = (tmp_path / "page" / "report.html").read_text()
    assert "linear" in page
    assert "Free-running" in page


def test_linear_prediction_knows_an_autoregressive_process():
    """Its best prediction is known: the recursion itself, without what is new."""
    feedback = [1.6, -0.8]
    x = 0.2 + 0.1 * lfilter([1], [1, *(-a for a in feedback)], np.random.default_rng(1).normal(0, 1, 200_000))
    learnt, heard = x[:160_000], x[160_000:199_980]
    linear = LinearPrediction(20)
    linear.fit([(learnt, learnt)])
    said = linear.predict(heard).values.reshape(-1, 20)[-1000:]
    assert said.shape == (1000, 20)
    mean, expected = learnt.mean(), []
    for end in heard.size - 20 * np.arange(1000)[::-1]:
        known = list(heard[end - 2 : end] - mean)
        for _ in range(20):
            known.append(feedback[0] * known[-1] + feedback[1] * known[-2])
        expected.append(known[2:])
    assert np.mean((said - mean - expected) ** 2) < 0.02 * np.mean(np.square(expected))


def test_the_time_until_drift_is_when_the_sound_left_for_good():
    recording = synthesis.riff(20, RATE)
    own = synthesis.riff(16, RATE, seed=3)
    noise = np.random.default_rng(1).normal(0, own.std(), own.size)

    def left(begin, end, other):
        heard = own.copy()
        heard[begin * RATE : end * RATE] = other[begin * RATE : end * RATE]
        return drift.until(heard, recording, RATE)

    assert left(0, 0, noise) is None
    assert left(5, 16, noise) == 5
    assert left(0, 16, noise) == 0
    assert left(6, 16, np.zeros_like(own)) == 6
    assert left(6, 16, 4 * own) == 6
    assert left(5, 5 + drift.LASTING - 1, noise) is None
    assert left(5, 5 + drift.LASTING, noise) == 5
    assert left(7, 16, np.full_like(own, np.nan)) == 7


def test_a_linear_output_reaches_what_a_bounded_one_cannot(java):
    """The author's saturated output: targets four times as large as what a tanh or a sigmoid can say."""
    x = np.random.default_rng(0).uniform(-1, 1, (8, 20, 3)).astype(np.float32)
    settings = NetworkSettings(task="frames", layers=1, hidden=16, tbptt=20, learning_rate=0.02, seed=1).resolved()

    def left(output):
        network = Network.create(settings, Interface.of_vectors(3, 3, output))
        for number in range(200):
            loss, _ = network.step(x, 4 * x, 20, True, number + 1)
        return loss / np.mean(16 * x**2)

    assert left("linear") < 0.1
    assert left("sigmoid") > 0.6


@pytest.mark.slow
def test_with_input_noise_a_network_stays_and_without_it_drifts(tmp_path, java):
    """The author's drift: networks that know the recording equally well, each fed with its own frames for 30 s."""
    path = write(tmp_path / "riff.wav", synthesis.riff(60), synthesis.CLASSIC_RATE)

    def drift_with(noise):
        options = of_options(input_noise=noise, steps=2000, validate_every=500, seed=1)
        train(new_run([path], [], tmp_path / f"run-{noise}", options))
        compared = compare(tmp_path / f"run-{noise}", path, None, CompareSettings(drift_seconds=30))
        assert compared.rows[0]["mse"] < 0.0002
        return compared.drift["until"]

    assert drift_with(0.0) <= 5
    assert drift_with(0.1) is None


@pytest.fixture
def benchmarks(monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    yield
    for name in ("activations", "next_frame", "rounds", "sides"):
        sys.modules.pop(name, None)


def test_tanh_reaches_targets_that_are_scaled_and_not_those_beyond(benchmarks):
    import activations
    import next_frame

    x = next_frame.scaled_frames()
    beyond, slope = next_frame.out_of_reach(x)
    assert beyond == 0
    assert slope > 0.95
    beyond, slope = next_frame.out_of_reach(8 * x)
    assert beyond > 0.02
    assert slope < 0.9

    def last(output, scale):
        cell = activations.Cell(output=output, layers=1, updater="Adam", learning_rate=0.01)
        made = activations.updates(cell, scale * x[:-1], scale * x[1:], 60)
        return np.mean([u.loss for u in made[-10:]]) / scale**2

    assert last("tanh", np.float32(1)) == pytest.approx(last("linear", np.float32(1)), rel=0.05)
    assert last("tanh", np.float32(8)) > 1.05 * last("linear", np.float32(8))


def test_relu_in_the_layers_explodes_where_tanh_does_not(benchmarks):
    import activations
    import next_frame

    x = next_frame.scaled_frames()
    cells = (activations.Cell(layer, learning_rate=0.01) for layer in ("tanh", "relu"))
    tanh, relu = (activations.updates(cell, x[:-1], x[1:], 5) for cell in cells)
    assert max(u.gradient for u in tanh) < 100
    assert not max(u.gradient for u in relu) < 1e6
    assert not max(u.loss for u in relu) < 1e6 * max(u.loss for u in tanh)


def test_what_starts_from_such_a_model_predicts_the_next_frame_too(trained):
    assert settings_from(model_zip.open_model(trained), {}).data.predict == "next"
