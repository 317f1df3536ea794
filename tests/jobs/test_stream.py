"""`Run.stream`: the samples of `process`, whatever the sizes of the blocks."""

from __future__ import annotations

import threading
from itertools import cycle

import numpy as np
import pytest

import dl4j_bridge
from dl4j_bridge.errors import InputError
from dl4j_bridge.java import jvm
from dl4j_bridge.tasks import registry
from dl4j_bridge.tasks.frames.task import FramesTask
from dl4j_bridge.tasks.samples.task import SamplesTask

RATE = 11025
TINY = {"layers": 2, "hidden": 9, "batch": 4, "length": 60, "tbptt": 20, "steps": 2, "validation_samples": 200}
# Options of training, and the latency that follows.
TASKS = {
    "samples": ({}, 0),
    "mulaw": ({"cell": "lstm", "codec": "mulaw", "pre_emphasis": 0.9}, 0),
    "frames-1": ({"task": "frames"}, 0),
    "frames-1-skip": ({"task": "frames", "skip": True, "cell": "lstm"}, 0),
    "frames-10": ({"task": "frames", "frame": 10, "loss": "mse", "length": 40}, 9),
    "spectrogram": ({"task": "spectrogram", "window": 64, "hop": 16}, 63),
    "spectrogram-mask": ({"task": "spectrogram", "window": 48, "hop": 7, "mask": True}, 47),
    "envelope": ({"task": "envelope"}, 0),
    "later": ({"align": "25"}, 0),
    "later-frames": ({"align": "4", "task": "frames", "frame": 10, "loss": "mse", "length": 40}, 5),
    "earlier": ({"align": "-30"}, 30),
    "earlier-spectrogram": ({"align": "-30", "task": "spectrogram", "window": 64, "hop": 16}, 93),
}
SIZES = [[1], [7], [64], [1000], [5000], [1, 0, 7, 64, 0, 0, 1000, 3, 128, 17]]


@pytest.fixture(scope="module")
def runs(recordings, java, tmp_path_factory):
    """A run of each task, trained when it is first asked for; without baselines, which take longer."""
    import tests.tasks.envelope  # noqa: F401  (registers a task)

    made = {}

    def run(name):
        if name not in made:
            options, _ = TASKS[name]
            out = tmp_path_factory.mktemp(name) / "run"
            with pytest.MonkeyPatch.context() as patch:
                for task in (SamplesTask, FramesTask):
                    patch.setattr(task, "baselines", lambda self: [])
                made[name] = dl4j_bridge.train(*recordings, out=out, report=False, **{**TINY, "align": "0", **options})
        return made[name]

    yield run
    # Other tests do not expect it.
    registry.KINDS.pop("envelope")


def sound(length: int, dtype: str = "float32") -> np.ndarray:
    return np.random.default_rng(length).uniform(-1.1, 1.1, length).astype(dtype)


def streamed(stream, x, sizes):
    found, at = [], 0
    for size in cycle(sizes):
        block = x[at : at + size]
        found.append(stream.process(block))
        assert found[-1].dtype == np.float32
        assert found[-1].shape == block.shape
        at += size
        if at >= x.size:
            return np.concatenate(found)
    raise AssertionError


@pytest.mark.parametrize("name", TASKS)
def test_blocks_of_any_size_give_the_samples_of_process(runs, name):
    run = runs(name)
    x = sound(1100)
    wanted = run.process(x)
    # Where the target was earlier, `process` ends with zeros; a stream has no end.
    end = x.size - max(-run.about["pairs"][0]["delay"], 0)
    assert np.abs(wanted[:end]).max() > 0
    with run.stream() as stream:
        assert (stream.latency, stream.rate) == (TASKS[name][1], RATE)
        # Silence completes what is late.
        longer = np.append(x, np.zeros(stream.latency, np.float32))
        for sizes in SIZES:
            stream.reset()
            found = streamed(stream, longer, sizes)
            np.testing.assert_array_equal(found[: stream.latency], 0)
            np.testing.assert_array_equal(found[stream.latency :][:end], wanted[:end])


@pytest.mark.parametrize("decode", ["argmax", "sample"])
@pytest.mark.parametrize("name", ["samples", "mulaw"])
def test_every_way_to_decode(runs, name, decode):
    run, x = runs(name), sound(900)
    wanted = run.process(x, decode=decode, seed=7)
    assert not np.array_equal(wanted, run.process(x))
    np.testing.assert_array_equal(streamed(run.stream(decode=decode, seed=7), x, [1, 50, 0, 13]), wanted)


@pytest.mark.parametrize("name", ["samples", "frames-10", "spectrogram"])
def test_doubles_stay_doubles_until_the_end(runs, name):
    run, x = runs(name), sound(800, "float64")
    stream = run.stream()
    np.testing.assert_array_equal(streamed(stream, x, [33])[stream.latency :], run.process(x)[: 800 - stream.latency])


def test_a_chunk_of_another_size_changes_no_bit_of_process(runs):
    """`process` cuts a recording as `stream` does; here a recording is longer than its chunk."""
    run, x = runs("spectrogram"), sound(10_001)
    stream = run.stream()
    found = streamed(stream, np.append(x, np.zeros(stream.latency, np.float32)), [4099])
    np.testing.assert_array_equal(found[stream.latency :], run.process(x))


def test_streams_of_a_run_do_not_disturb_each_other(runs):
    run, x = runs("frames-1"), sound(400)
    one, other = run.stream(), run.stream()
    found = []
    for at in range(0, 400, 40):
        found.append(one.process(x[at : at + 40]))
        other.process(sound(77))
    np.testing.assert_array_equal(np.concatenate(found), run.process(x))


def test_a_block_that_is_refused_leaves_the_stream_as_it_was(runs):
    run, x = runs("frames-1"), sound(200)
    stream = run.stream()
    first = stream.process(x[:100])
    for bad, words in (
        (np.zeros((4, 2)), r"shape \(4, 2\)"),
        (np.zeros(4, np.int16), "an array of int16"),
        (np.array([0, np.nan]), "sample 1 is NaN or Inf"),
    ):
        with pytest.raises(InputError, match=words):
            stream.process(bad)
    np.testing.assert_array_equal(np.append(first, stream.process(x[100:])), run.process(x))


def test_a_closed_stream_takes_nothing_until_it_is_reset(runs):
    run, x = runs("frames-1"), sound(50)
    with run.stream() as stream:
        stream.process(x)
    with pytest.raises(
        InputError, match=r"stream: closed; wanted one that is open: run.stream\(\), or stream.reset\(\)"
    ):
        stream.process(x)
    stream.reset()
    np.testing.assert_array_equal(stream.process(x), run.process(x))


def test_another_thread_may_call_as_that_of_a_sound_card_does(runs):
    run, x = runs("frames-1"), sound(300)
    stream, found = run.stream(), []

    def callback():
        found.extend(stream.process(x[at : at + 30]) for at in range(0, 300, 30))

    thread = threading.Thread(target=callback)
    thread.start()
    thread.join()
    np.testing.assert_array_equal(np.concatenate(found), run.process(x))


@pytest.mark.parametrize("name", ["samples", "frames-1"])
def test_a_block_allocates_nothing_in_java(runs, name):
    """Beside what a call itself needs: blocks of 8 times the size allocate no more."""
    stream = runs(name).stream()
    allocated = jvm.java_class("dl4jbridge.Allocated")
    used = {}
    for size in (64, 512):
        x = sound(size)
        for _ in range(50):
            stream.process(x)
        before = allocated.bytesOfThisThread()
        for _ in range(200):
            stream.process(x)
        used[size] = allocated.bytesOfThisThread() - before
    assert used[512] <= used[64] + 200 * 64, used


def test_a_model_of_the_next_sample_has_no_stream(next_run):
    with pytest.raises(InputError, match="predicts the next sample"):
        dl4j_bridge.load(next_run).stream()
