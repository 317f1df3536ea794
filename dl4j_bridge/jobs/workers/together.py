"""Updates that workers make together: of averaged gradients, or of averaged changes after several steps of each."""

from __future__ import annotations

from typing import Any

import numpy as np

from dl4j_bridge.java.network import Floats
from dl4j_bridge.jobs.updates import Made, Updates
from dl4j_bridge.jobs.workers.formats import decode
from dl4j_bridge.jobs.workers.pool import Pool, Rows
from dl4j_bridge.jobs.workers.worker import Answer, State
from dl4j_bridge.model.run import Run
from dl4j_bridge.tasks.update import segments

# Learning rate and Nesterov momentum of the outer updates: those of Douillard et al., "DiLoCo: Distributed Low-
# Communication Training of Language Models" (arXiv 2311.08105).
OUTER_RATE, OUTER_MOMENTUM = 0.7, 0.9

Answers = list[tuple[Rows, Answer]]


def updates(run: Run, pool: Pool) -> Updates:
    """The kind of updates that ``--sync-every`` asks for."""
    return GradientUpdates(run, pool) if run.settings.workers.sync_every == 1 else LocalUpdates(run, pool)


class GradientUpdates:
    """Each update has the gradient of a whole batch: the sum of the workers' gradients of their rows.

    The network of the run makes the updates, so there is one updater. Workers get its parameters with each update and
    keep nothing that another one could not compute.
    """

    def __init__(self, run: Run, pool: Pool) -> None:
        self._run, self._pool = run, pool
        self._state: State = run.network.state()

    def advance(self) -> list[Made]:
        run = self._run
        answers = self._pool.ask("gradient", run.state.step, carried(run, self._state))
        gradient = np.zeros(run.network.parameter_count, np.float32)
        for _, answer in answers:
            gradient += decode(answer.vector)
        run.network.update(gradient, run.settings.run.batch)
        self._state = joined(answers, run.settings.run.batch)
        return [averaged(answers, 0)]

    def settle(self) -> None:
        self._run.network.restore_state(self._state)

    def news(self) -> list[str]:
        return self._pool.news()

    def facts(self) -> dict[str, float]:
        return self._pool.spent.as_dict()


class LocalUpdates:
    """Each worker makes several updates of a copy of the network with its rows; their mean change is an outer gradient.

    Every worker has an updater of its own. The mean of their states is saved.
    """

    def __init__(self, run: Run, pool: Pool) -> None:
        self._run, self._pool = run, pool
        self._state: State = run.network.state()
        # What a file says of it may be of another network.
        if run.outer_momentum is None or run.outer_momentum.shape != (run.network.parameter_count,):
            run.outer_momentum = np.zeros(run.network.parameter_count, np.float32)

    def advance(self) -> list[Made]:
        run, count = self._run, self._count()
        arguments: tuple[Any, ...] = (count, run.state.learning_rate)
        answers = self._pool.ask("train", run.state.step, carried(run, self._state), arguments, count)
        shares = np.array([end - first for (first, end), _ in answers], np.float32)
        change = np.zeros(run.network.parameter_count, np.float32)
        for share, (_, answer) in zip(shares / shares.sum(), answers, strict=True):
            change += share * decode(answer.vector)
        run.network.set_parameters(run.network.parameters() + self._outer_step(change))
        self._state = joined(answers, run.settings.run.batch)
        return [averaged(answers, i) for i in range(count)]

    def settle(self) -> None:
        network, updaters = self._run.network, self._pool.updaters()
        network.restore_state(self._state)
        if updaters:
            network.set_updater_state(np.mean(updaters, axis=0, dtype=np.float32))
        network.set_iterations(self._run.state.step)

    def news(self) -> list[str]:
        return self._pool.news()

    def facts(self) -> dict[str, float]:
        return self._pool.spent.as_dict()

    def _outer_step(self, change: Floats) -> Floats:
        momentum = self._run.outer_momentum
        assert momentum is not None, "made with this object"
        momentum *= OUTER_MOMENTUM
        momentum += change
        return np.float32(OUTER_RATE) * (change + np.float32(OUTER_MOMENTUM) * momentum)

    def _count(self) -> int:
        """Steps up to the next exchange: all validations and the end of the run see averaged parameters."""
        settings, at = self._run.settings.run, self._run.state.step
        until_validation = settings.validate_every - at % settings.validate_every
        until_end = settings.steps - at if settings.steps else until_validation
        return min(self._run.settings.workers.sync_every, until_validation, until_end)


def carried(run: Run, state: State) -> State:
    """The state that the next update begins with; empty at the start of a window."""
    return state if run.state.step % segments(run.settings) else {}


def joined(answers: Answers, batch: int) -> State:
    """The carried state of all rows; zeros for those that nobody computed."""
    whole: State = {}
    for (first, end), answer in answers:
        for key, values in answer.state.items():
            whole.setdefault(key, np.zeros((batch, *values.shape[1:]), np.float32))[first:end] = values
    return whole


def averaged(answers: Answers, index: int) -> Made:
    """Loss and accuracy of a step as of the whole batch, and its time steps."""
    made = np.array([answer.metrics[index] for _, answer in answers])
    loss, accuracy = np.average(made[:, :2], axis=0, weights=made[:, 2])
    return float(loss), float(accuracy), int(made[:, 2].sum())
