"""One network on many workers: the same updates as without them, whatever happens to a worker."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dl4j_bridge.java.network import Network
from dl4j_bridge.jobs.workers import together
from dl4j_bridge.jobs.workers.formats import decode, encode
from dl4j_bridge.jobs.workers.pool import Rows
from dl4j_bridge.jobs.workers.worker import Answer, Job, Worker
from dl4j_bridge.model.info import RunState
from dl4j_bridge.model.run import Run
from dl4j_bridge.settings.training import TrainSettings
from dl4j_bridge.signal.pairs import Stretch
from dl4j_bridge.signal.windows import Windows
from dl4j_bridge.tasks import registry
from dl4j_bridge.tasks.update import step

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
    from dl4j_bridge.jobs.new_run import open_pairs

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
