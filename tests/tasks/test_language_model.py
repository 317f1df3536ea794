"""`--task language-model`: folders in, carried state, bytes in memory, and audio that stays alive."""

from __future__ import annotations

import json
import tomllib
import tracemalloc

import numpy as np
import pytest
import soundfile

import dl4j_bridge
from dl4j_bridge.demos import synthesis
from dl4j_bridge.model import model_zip
from dl4j_bridge.signal import audio_files, metrics, pairs
from dl4j_bridge.signal.recordings import open_recording
from dl4j_bridge.signal.windows import Windows
from dl4j_bridge.tasks.language_model.task import LanguageModelTask
from dl4j_bridge.tasks.registry import choose, train_settings
from dl4j_bridge.tasks.samples import generation
from tests.conftest import SMALL, run, run_ok

RATE = 11025
DATA = train_settings({"task": "language-model"}, has_target=False).data


@pytest.fixture(scope="module")
def voices(tmp_path_factory):
    """A folder with a folder in it, recordings of two rates, and files that are none."""
    folder = tmp_path_factory.mktemp("voices")
    (folder / "more").mkdir()
    audio_files.write(folder / "b.wav", [synthesis.speech_like(2, 22050, 1)], 22050, "PCM_16")
    audio_files.write(folder / "more" / "a.flac", [synthesis.speech_like(2, 8000, 2)], 8000, "PCM_16")
    (folder / "notes.txt").write_text("who speaks")
    (folder / ".hidden.wav").write_bytes(b"")
    return folder


@pytest.fixture(scope="module")
def model(voices, tmp_path_factory):
    out = tmp_path_factory.mktemp("model") / "run"
    run_ok("train", "--task", "language-model", "--input", voices, "--out", out, "--steps", 20, *SMALL)
    return out


def test_a_folder_is_all_its_recordings_in_order_at_one_rate(voices, model):
    about = json.loads((model / "run.json").read_text())
    paths = [str(voices / "b.wav"), str(voices / "more" / "a.flac")]
    assert [pair["input"]["path"] for pair in about["pairs"]] == paths
    assert [pair["length"] for pair in about["pairs"]] == [2 * RATE, 2 * RATE]
    assert (about["task"], about["rate"], about["codec"]) == ("language-model", RATE, "mulaw")
    assert tomllib.loads((model / "config.toml").read_text())["input"] == paths


def test_every_next_sample_training_takes_a_folder_and_the_command_and_python_alike(voices, tmp_path):
    run_ok("train", "--input", voices, "--out", tmp_path / "plain", "--steps", 3, *SMALL)
    done = dl4j_bridge.train(voices, out=tmp_path / "python", steps=3, hidden=16, batch=4, length=100, tbptt=25)
    stored = json.loads((tmp_path / "plain" / "run.json").read_text())
    assert [p["input"] for p in stored["pairs"]] == [p["input"] for p in done.about["pairs"]]
    # As before there was this task: the first recording's own rate.
    assert stored["task"] == "samples"
    assert stored["rate"] == 22050


@pytest.mark.slow
def test_a_run_on_a_folder_is_resumed_and_notices_a_changed_recording(voices, tmp_path):
    folder, out = tmp_path / "mine", tmp_path / "run"
    folder.mkdir()
    for name, seed in (("a.wav", 1), ("b.wav", 2)):
        audio_files.write(folder / name, [synthesis.speech_like(1, RATE, seed)], RATE)
    run_ok("train", "--task", "language-model", "--input", folder, "--out", out, "--steps", 3, *SMALL)
    assert run_ok("train", out, "--resume", "--input", folder, "--steps", 5, "--json").json["steps"] == 5
    audio_files.write(folder / "b.wav", [synthesis.speech_like(1, RATE, 3)], RATE)
    assert "not the recording that the run began with" in run("train", out, "--resume", "--steps", 6).error


def test_what_cannot_be_used_is_said_in_one_line(voices, recordings, tmp_path):
    task = ["train", "--task", "language-model"]
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "x.wav").write_text("no audio")
    for args, wanted in (
        ([*task, "--input", voices, "--target", voices], "--target: with --task language-model"),
        ([*task, "--input", tmp_path / "empty"], "a folder without audio files"),
        ([*task, "--input", tmp_path / "broken"], "x.wav: not audio"),
        ([*task, "--input", voices, "--context", 100_000], "wanted 125001 or more"),
        (["train", "--input", voices, "--target", voices], "a folder, not a file; wanted a recording"),
    ):
        result = run(*args, "--out", tmp_path / "none")
        assert result.status == 2
        assert wanted in result.error
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    "context", [128, *(pytest.param(context, marks=pytest.mark.slow) for context in (1000, 10_000))]
)
def test_the_state_is_carried_through_the_whole_context(context, voices, tmp_path):
    """A window of the context is one stretch of so many updates, which is what the state is carried through."""
    small = ["--hidden", 8, "--batch", 2, "--tbptt", 64, "--steps", 2]
    out = tmp_path / "run"
    run_ok("train", "--task", "language-model", "--input", voices, "--context", context, "--out", out, *small)
    stored = json.loads((out / "run.json").read_text())
    assert stored["settings"]["run"]["length"] == context
    updates = -(-context // 64)
    windows = 2 * (int(0.8 * (2 * RATE - 1)) // context)
    assert stored["result"]["epochs"] == pytest.approx(2 / updates * 2 / windows)


def test_compare_knows_the_task_and_judges_against_counted_contexts(voices, model):
    compared = run_ok("compare", "--model", model, "--input", voices / "b.wav", "--drift-seconds", 3, "--json").json
    assert {"model", "markov-1", "markov-2"} <= {row["name"] for row in compared["rows"]}
    assert compared["part"] == "test"
    assert len(compared["drift"]["track"]) == 3
    assert set(compared["drift"]["outside"]) == {"level_db", "entropy_bits", "spectrum_db", "any"}
    assert (model / "compare" / "drift.png").exists()


def test_a_long_recording_costs_at_most_two_bytes_a_sample_while_it_is_read(tmp_path):
    """Twenty minutes at another rate, read, resampled, and cut into the first batch; floats would take 4 or 8."""
    path, rate, minutes = tmp_path / "long.wav", 16000, 20
    minute = np.random.default_rng(1).uniform(-0.5, 0.5, 60 * rate).astype(np.float32)
    with soundfile.SoundFile(path, "w", rate, 1, "PCM_16") as f:
        for _ in range(minutes):
            f.write(minute)
    settings = train_settings({"task": "language-model"}, has_target=False)
    tracemalloc.start()
    try:
        pair = pairs.open_pair(path, None, settings.data)
        task = choose(settings, [pair])
        signals = task.signals(pair)
        training = [(x[: x.size * 8 // 10], y[: y.size * 8 // 10]) for x, y in [signals]]
        Windows(training, settings.run.length, settings.run.batch, 1).batch(0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    samples = minutes * 60 * RATE
    assert signals[0].size == samples - 1
    assert peak < 2 * samples


# --- Audio that neither falls silent nor drowns in noise.


def test_what_is_usual_are_medians_over_seconds():
    task = LanguageModelTask.of_recordings(DATA, False, False)
    sound = synthesis.speech_like(20)
    classes = task.encoder().push(sound)
    found = generation.usual(task.to_samples, [classes], RATE)
    decoded = task.codec.decode(classes)
    starts = np.linspace(0, classes.size - RATE, generation.STRETCHES).astype(int)
    levels = [10 * np.log10(np.mean(decoded[at : at + RATE] ** 2)) for at in starts]
    assert found["level_db"] == pytest.approx(np.median(levels), abs=0.05)
    bits = [metrics.order_1_entropy_bits(classes[at : at + RATE]) for at in starts]
    assert found["order_1_bits"] == pytest.approx(np.median(bits), abs=0.01)


def test_too_quiet_is_made_louder_and_too_wild_is_cooled_and_what_fits_is_left_alone():
    task = LanguageModelTask.of_recordings(DATA, False, False)
    classes = task.encoder().push(synthesis.speech_like(1))
    level, bits = 10 * np.log10(np.mean(task.to_samples(classes) ** 2)), metrics.order_1_entropy_bits(classes)

    def after(level_db, order_1_bits, seconds=1):
        steered = generation.Steering(task.to_samples, RATE, {"level_db": level_db, "order_1_bits": order_1_bits}, 0.9)
        assert steered.next() == (0.9, 0.0)
        for _ in range(seconds):
            steered.observe(classes)
        return steered.next()

    assert after(level, bits) == pytest.approx((0.9, 0.0))
    assert after(level + 10, bits)[1] == pytest.approx(10 * generation.TILT_PER_DB)
    assert after(level - 10, bits)[1] == pytest.approx(-10 * generation.TILT_PER_DB)
    assert after(level, bits - 1)[0] < 0.9 < after(level, bits + 1)[0]
    assert after(level + 1000, bits)[1] == generation.MOST_TILT
    # What one temperature does not fix asks for more of it, up to a limit.
    assert after(level, bits - 0.5, 1)[0] > after(level, bits - 0.5, 2)[0] > after(level, bits - 0.5, 3)[0]
    little = generation.DEAD_BAND_BITS - 0.1
    assert after(level, bits - little, 1)[0] == after(level, bits - little, 100)[0]
    assert after(level, bits - 1, 100)[0] == pytest.approx(0.9 * np.exp(-generation.MOST_HEAT))


@pytest.mark.slow
def test_steering_can_be_left_out_and_leaves_a_given_temperature_alone(model, next_run, tmp_path):
    def generated(of, *args):
        out = tmp_path / f"{len(list(tmp_path.iterdir()))}.wav"
        run_ok("generate", "--model", of, "--output", out, "--seconds", 2, *args)
        return out.read_bytes()

    for of in (model, next_run):
        temperature = ("--temperature", run_ok("info", of, "--json").json["sampling"]["temperature"])
        assert generated(of) == generated(of)
        plain = generated(of, "--no-steer")
        assert generated(of) != plain
        assert plain == generated(of, *temperature) == generated(of, *temperature, "--no-steer")


def test_the_report_plays_what_generate_generates(model, java):
    loaded = model_zip.open_model(model).load()
    task = loaded.info.task
    assert isinstance(task, LanguageModelTask)
    x = np.arange(2000, dtype=np.uint8)
    pair = pairs.open_pair(loaded.info.pairs[0].paths[0], None, loaded.info.settings.data)
    found = task.excerpt(loaded.network, pair, (x, x), slice(0, x.size), RATE)
    own = dl4j_bridge.load(model).generate(0.2, progress=False)
    count = min(own.size, found.sounds["generated"].size)
    assert count > 500
    assert np.allclose(found.sounds["generated"][:count], own[:count], atol=1e-6)


@pytest.mark.slow
def test_twenty_seconds_of_own_audio_stay_nearer_to_the_recordings_level_than_without_steering(tmp_path):
    """Syllables with pauses: fed with its own samples, the network stays in the loud state or in the silent one."""
    source, seconds = tmp_path / "voice.wav", 20
    audio_files.write(source, [synthesis.speech_like(60)], RATE, "PCM_16")
    task = LanguageModelTask.of_recordings(DATA, False, False)

    def off(out, usual, *args):
        """How far the level of a second is from what is usual in the recording, in dB, at worst over two seeds."""
        worst = 0.0
        for seed in (1, 2):
            file = tmp_path / "new.wav"
            run_ok(
                "generate", "--model", out, "--output", file, "--seconds", seconds, "--seed", seed, "--overwrite", *args
            )
            classes = task.encode(open_recording(file), RATE)
            for second in range(5, seconds):
                level = generation._measure(task.to_samples, classes[second * RATE : (second + 1) * RATE])[0]
                worst = max(worst, abs(level - usual["level_db"]))
        return worst

    steered, left = [], []
    for seed in (1, 2, 3):  # of one network it is chance how well it generates by itself
        out = tmp_path / f"run{seed}"
        size = ["--steps", 400, "--hidden", 64]
        run_ok("train", "--task", "language-model", "--input", source, "--out", out, *size, "--seed", seed)
        usual = run_ok("info", out, "--json").json["sampling"]["usual"]
        steered.append(off(out, usual))
        left.append(off(out, usual, "--no-steer"))
    assert np.median(steered) < np.median(left), (steered, left)
