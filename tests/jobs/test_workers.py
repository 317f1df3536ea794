"""One network on many workers: the same updates as without them, whatever happens to a worker."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from dl4j_bridge.java.network import Network
from dl4j_bridge.jobs.new_run import open_pairs, settings_from
from dl4j_bridge.jobs.workers import together
from dl4j_bridge.jobs.workers.formats import decode, encode
from dl4j_bridge.jobs.workers.pool import Rows
from dl4j_bridge.jobs.workers.worker import Answer, Job, Worker
from dl4j_bridge.model import model_zip
from dl4j_bridge.model.info import RunState
from dl4j_bridge.model.run import Run
from dl4j_bridge.model.run_folder import RunFolder
from dl4j_bridge.settings.training import TrainSettings, WorkersSettings
from dl4j_bridge.signal.pairs import Stretch
from dl4j_bridge.signal.windows import Windows
from dl4j_bridge.tasks import registry
from dl4j_bridge.tasks.update import step
from tests.conftest import SMALL as SMALL_FILE
from tests.conftest import command, run_ok
from tests.conftest import run as run_command

SMALL = {"hidden": 8, "batch": 5, "length": 60, "tbptt": 25, "validate_every": 100, "threads": 1}
# Each with what depends on the whole batch: shared and clipped gradients, the loss's weights, noise, other updaters.
TASKS: dict[str, dict[str, Any]] = {
    "samples": {},
    "language-model": {"task": "language-model"},
    "esr": {"task": "frames", "loss": "esr", "warm_up": 5},
    "mse-sampled": {"task": "frames", "predict": "next", "frame": 3, "input_noise": 0.01, "scheduled_sampling": 0.5},
    "rmsprop": {"task": "frames", "loss": "mse", "updater": "rmsprop", "l2": 0.001, "clip": 0.01},
    "stock": {"layer": "stock"},
    "spectrogram": {"task": "spectrogram", "length": 6, "tbptt": 4},
}


class InProcess:
    """Stands for the pool of the command, with workers that this process calls one after the other."""

    def __init__(self, run: Run, stretches: list[Stretch], shares: list[Rows]) -> None:
        self._run, self._shares = run, shares
        self._workers = [Worker(run.settings, run.task, stretches, 1) for _ in shares]
        for worker in self._workers:
            worker.begin(run.network.updater_state(), run.state.step)

    def ask(
        self, method: str, number: int, state: dict[str, Any], arguments: tuple[Any, ...] = (), steps: int = 1
    ) -> list[tuple[Rows, Answer]]:
        answers = []
        for rows, worker in zip(self._shares, self._workers, strict=True):
            theirs = {name: values[slice(*rows)] for name, values in state.items()}
            call = getattr(worker, method)
            answers.append((rows, call(Job(number, rows, theirs), self._run.network.parameters(), *arguments)))
        return answers

    def updaters(self) -> list[Any]:
        return [worker.updater() for worker in self._workers]


def begun(options: dict[str, Any], recordings: tuple[Any, Any]) -> tuple[Run, list[Stretch]]:
    """A run that needs no folder, and its recordings."""
    task_name = options.get("task", "samples")
    has_target = registry.find(task_name).with_target is not None and options.get("predict") != "next"
    settings = registry.train_settings(SMALL | options, has_target)
    settings = replace(settings, network=settings.network.resolved(), run=settings.run.resolved())
    pairs = open_pairs([recordings[0]], [recordings[1]] if has_target else [], settings)
    task = registry.choose(settings, pairs)
    network = Network.create(settings.network, task.interface)
    state = RunState(learning_rate=settings.network.learning_rate)
    run: Any = Run(None, settings, pairs, task, network, [], None, state)  # type: ignore[arg-type]
    return run, [task.signals(pairs[0])]


def alone(run: Run, stretches: list[Stretch], steps: int) -> list[tuple[float, float, int]]:
    settings: TrainSettings = run.settings
    windows = Windows(stretches, settings.run.length, settings.run.batch, settings.network.seed)
    return [step(run.network, windows, settings, number, run.task) for number in range(steps)]


def together_made(run: Run, stretches: list[Stretch], steps: int, shares: list[Rows]) -> list[tuple[float, float, int]]:
    updates = together.updates(run, InProcess(run, stretches, shares))  # type: ignore[arg-type]
    made = []
    while run.state.step < steps:
        news = updates.advance()
        made += news
        run.state.step += len(news)
    updates.settle()
    return made


@pytest.mark.usefixtures("java")
@pytest.mark.parametrize("name", TASKS)
def test_two_workers_are_one_with_the_whole_batch(name, recordings):
    (one, stretches), (two, _) = (begun(TASKS[name], recordings) for _ in range(2))
    steps = 12
    wanted = alone(one, stretches, steps)
    found = together_made(two, stretches, steps, [(0, 2), (2, 5)])
    np.testing.assert_allclose(found, wanted, rtol=1e-4)
    first = begun(TASKS[name], recordings)[0].network.parameters()
    assert np.abs(one.network.parameters() - first).max() > 1e-3
    np.testing.assert_allclose(two.network.parameters(), one.network.parameters(), atol=1e-5)
    np.testing.assert_allclose(two.network.updater_state(), one.network.updater_state(), atol=1e-5)
    for key, values in one.network.state().items():
        np.testing.assert_allclose(two.network.state()[key], values, atol=1e-5)


@pytest.mark.usefixtures("java")
def test_several_steps_between_exchanges_are_local_training_and_an_outer_nesterov_step(recordings):
    options = {"workers": 2, "sync_every": 4, "validate_every": 6, "steps": 8}
    (run, stretches), (other, _) = (begun(options, recordings) for _ in range(2))
    shares = [(0, 2), (2, 5)]
    made = together_made(run, stretches, 8, shares)
    assert len(made) == 8

    settings, theta = other.settings, other.network.parameters().astype(np.float64)
    windows = Windows(stretches, settings.run.length, settings.run.batch, settings.network.seed)
    copies = [Network.create(settings.network, other.task.interface) for _ in shares]
    velocity = np.zeros_like(theta)
    # The second exchange comes early: a validation wants averaged parameters.
    for first, end in ((0, 4), (4, 6), (6, 8)):
        gradient = np.zeros_like(theta)
        for rows, copy in zip(shares, copies, strict=True):
            copy.set_parameters(theta.astype(np.float32))
            for number in range(first, end):
                step(copy, windows, settings, number, other.task, slice(*rows))
            gradient += (theta - copy.parameters()) * (rows[1] - rows[0]) / 5
        # PyTorch's SGD with nesterov=True, which DiLoCo's outer optimizer is.
        velocity = 0.9 * velocity + gradient
        theta -= 0.7 * (gradient + 0.9 * velocity)
    np.testing.assert_allclose(run.network.parameters(), theta, atol=1e-6)
    np.testing.assert_allclose(run.outer_momentum, -velocity, atol=1e-6)
    states = [copy.updater_state() for copy in copies]
    np.testing.assert_allclose(run.network.updater_state(), (states[0] + states[1]) / 2, atol=1e-7)
    assert run.network.dl4j.getIterationCount() == 8


@pytest.mark.usefixtures("java")
def test_short_gradients_train_almost_the_same(recordings):
    formats = [{"workers": 2, "gradient_format": name} for name in ("float32", "bfloat16")]
    (one, stretches), (two, _) = (begun(options, recordings) for options in formats)
    exact, short = (together_made(run, stretches, 12, [(0, 2), (2, 5)]) for run in (one, two))
    assert exact != short
    np.testing.assert_allclose(np.array(short)[:, 0], np.array(exact)[:, 0], rtol=0.01)


def test_bfloat16_is_the_nearest_number_with_8_bits():
    rng = np.random.default_rng(1)
    values = (rng.standard_normal(4000) * 10.0 ** rng.integers(-30, 30, 4000)).astype(np.float32)
    values[:4] = 0, -0.0, 1, -2
    found = decode(encode(values, "bfloat16"))
    assert encode(values, "bfloat16").nbytes * 2 == values.nbytes
    below = (values.view(np.uint32) & 0xFFFF0000).view(np.float32).astype(np.float64)
    above = ((values.view(np.uint32) & 0xFFFF0000) + 0x10000).view(np.float32).astype(np.float64)
    nearest = np.minimum(abs(below - values), abs(above - values))
    np.testing.assert_array_equal(abs(found.astype(np.float64) - values), nearest)
    # In the middle between two: the even one.
    middle = np.array([0x3F808000, 0x3F818000], np.uint32).view(np.float32)
    assert encode(middle, "bfloat16").tolist() == [0x3F80, 0x3F82]
    assert decode(encode(values, "float32")) is not None


def test_a_run_that_starts_from_the_network_of_another_one_takes_over_no_workers(effect_run):
    opened = model_zip.open_model(effect_run)
    theirs = {"workers": 3, "cluster": "10.0.0.1:6379", "sync_every": 7, "gradient_format": "bfloat16", "hidden": 4}
    with_workers = replace(opened.info, settings=opened.info.settings.with_options(theirs))
    found = settings_from(replace(opened, info=with_workers), {})
    assert (found.workers, found.network.hidden) == (WorkersSettings(), 4)


# --- The command, on Ray.


def test_options_that_do_not_go_together(recordings, tmp_path):
    common = ["train", "--input", recordings[0], "--target", recordings[1], "--out", tmp_path / "run", *SMALL_FILE]
    assert "--workers: 5 for a --batch of 4" in run_command(*common, "--workers", 5).error
    (tmp_path / "ray.py").write_text("raise ImportError('not here')\n")
    path = {"PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}"}
    result = run_command(*common, "--workers", 2, "--steps", 1, env=path)
    assert result.status == 2
    assert "pip install 'dl4j_bridge[ray]'" in result.error
    assert not (tmp_path / "run").exists()


# Those that other tests cover, too, and need options of their own for a run of the command.
COMMANDS: dict[str, list[object]] = {
    "samples": [],
    "language-model": ["--task", "language-model"],
    "frames": ["--task", "frames", "--loss", "esr"],
    "spectrogram": ["--task", "spectrogram", "--length", 8, "--tbptt", 4],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_two_processes_are_one_after_100_steps(name, recordings, tmp_path):
    pytest.importorskip("ray")
    target = [] if name == "language-model" else ["--target", recordings[1]]
    for out, workers in (("one", 1), ("two", 2)):
        run_ok(
            "train", "--input", recordings[0], *target, "--out", tmp_path / out, *SMALL_FILE, *COMMANDS[name],
            "--steps", 100, "--workers", workers,
        )  # fmt: skip
    assert_same_networks(tmp_path / "two", tmp_path / "one")


# Java's way to stop a thread is a fault that its handler expects.
HANDLERS = """
import ctypes, signal
from dl4j_bridge.java import jvm
from dl4j_bridge.jobs.ray_cluster import connected

def handlers():
    found = []
    for number in (signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL):
        action = ctypes.create_string_buffer(512)
        assert ctypes.CDLL(None).sigaction(int(number), None, action) == 0
        # The address of the handler comes first.
        found.append(action.raw[:8])
    return found

jvm.java_class("java.lang.System")
before = handlers()
with connected("local", 1):
    assert handlers() == before
assert handlers() == before
print(any(before[0]))
"""


@pytest.mark.slow
def test_ray_leaves_javas_handlers_of_faults_in_place():
    pytest.importorskip("ray")
    done = subprocess.run([sys.executable, "-c", HANDLERS], capture_output=True, text=True, check=False)
    assert done.stdout == "True\n", done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP])
def test_the_share_of_a_lost_worker_is_computed_by_another_one(blow, recordings, tmp_path):
    pytest.importorskip("ray")
    common = ["--input", recordings[0], "--target", recordings[1], *SMALL_FILE, "--steps", 100, "--task", "frames"]
    run_ok("train", *common, "--out", tmp_path / "one")
    words = command("train", *common, "--out", tmp_path / "two", "--workers", 2, "--worker-timeout", 10)
    training = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: steps_of(tmp_path / "two") >= 10, training)
    lost = workers_of(training)[0]
    lost.send_signal(blow)
    _, notes = training.communicate()
    assert training.returncode == 0, notes
    assert f"worker {lost.pid} on" in notes
    assert ("died" if blow == signal.SIGKILL else "no answer within 10 s") in notes
    assert_same_networks(tmp_path / "two", tmp_path / "one")


@pytest.mark.slow
def test_a_killed_worker_is_replaced_and_the_run_goes_on_with_another_number(recordings, tmp_path):
    pytest.importorskip("ray")
    out = tmp_path / "run"
    words = command(
        "train", "--input", recordings[0], "--target", recordings[1], "--out", out, *SMALL_FILE, "--steps", 100_000,
        "--workers", 2, "--sync-every", 5, "--task", "frames",
    )  # fmt: skip
    notes = tmp_path / "notes.txt"
    with notes.open("w") as stderr:
        training = subprocess.Popen(words, stderr=stderr, text=True)
    wait_for(lambda: steps_of(out) >= 50, training)
    before = workers_of(training)
    before[0].kill()
    # It joins once it has the state of the other one's updater.
    wait_for(lambda: " joins at step " in notes.read_text(), training)
    assert f"worker {before[0].pid} on" in notes.read_text()
    assert len(set(workers_of(training)) - set(before)) == 1
    training.send_signal(signal.SIGINT)
    assert training.wait() == 130, notes.read_text()
    steps = steps_of(out)
    result = run_ok("train", out, "--resume", "--workers", 1, "--sync-every", 1, "--steps", steps + 5, "--json")
    assert result.json["steps"] == steps + 5
    assert "--workers 1 after 2: each worker now trains with 4 windows" in result.stderr


def assert_same_networks(found: Path, wanted: Path) -> None:
    """All numbers of the last networks and their updaters, to 1e-5; of the state, which may be large, to 1e-5 of it."""
    stored = [model_zip.open_model(folder / "last.zip") for folder in (found, wanted)]
    assert [len(RunFolder(folder).read_log()) for folder in (found, wanted)] == [100, 100]
    for values in ("parameters", "updater"):
        two, one = (getattr(opened.stored, values) for opened in stored)
        np.testing.assert_allclose(two, one, atol=1e-5)
    for key, values in stored[1].state.items():
        np.testing.assert_allclose(stored[0].state[key], values, atol=1e-5 * max(1, np.abs(values).max()))


def steps_of(folder: Path) -> int:
    log = RunFolder(folder).read_log() if folder.exists() else []
    return int(log[-1]["step"]) if log else 0


def workers_of(training: subprocess.Popen[str]) -> list[psutil.Process]:
    children = psutil.Process(training.pid).children(recursive=True)
    return [child for child in children if "ray::Worker" in " ".join(child.cmdline())]


def wait_for(reached: Callable[[], bool], training: subprocess.Popen[str]) -> None:
    while not reached():
        assert training.poll() is None, training.stderr and training.stderr.read()
        time.sleep(0.01)
