"""A worker: what an actor of Ray does in its process, on some windows of a batch."""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge.java import jvm
from dl4j_bridge.java.network import Floats, Network
from dl4j_bridge.jobs.workers.formats import encode
from dl4j_bridge.settings.training import TrainSettings
from dl4j_bridge.signal.pairs import Stretch
from dl4j_bridge.signal.windows import Windows
from dl4j_bridge.tasks.interface import Task
from dl4j_bridge.tasks.update import prepared, step

State = dict[str, Floats]


@dataclass(frozen=True)
class Job:
    """A worker's share of an update, or of several.

    Attributes
    ----------
    number
        Number of the update, from 0.
    rows
        First row of the batch, and the row after the last.
    state
        The carried state of these rows; None if the worker has it since its last job, or the update begins a window.
    """

    number: int
    rows: tuple[int, int]
    state: State | None


@dataclass(frozen=True)
class Answer:
    """What a worker computed.

    Attributes
    ----------
    vector
        The sum of the gradient over its rows, or how far it came from the parameters that it was given; encoded.
    metrics
        Loss, accuracy and time steps of each update.
    state
        The carried state of its rows afterwards.
    seconds
        Time that it took.
    """

    vector: npt.NDArray[Any]
    metrics: list[tuple[float, float, int]]
    state: State
    seconds: float


class Worker:
    """Computes gradients of the parameters that it is given, or trains a copy of them.

    Parameters
    ----------
    settings, task
        Of the run.
    stretches
        Input and target of all recordings.
    threads
        CPU threads.
    """

    def __init__(self, settings: TrainSettings, task: Task, stretches: list[Stretch], threads: int) -> None:
        jvm.configure(threads, settings.run.backend, threads if settings.network.layer == "stock" else 1)
        self._settings, self._task = settings, task
        self._windows = Windows(stretches, settings.run.length, settings.run.batch, settings.network.seed)
        self._network = Network.create(settings.network, task.interface)

    def name(self) -> str:
        """Words for this worker."""
        return f"worker {os.getpid()} on {socket.gethostname()}"

    def begin(self, updater: Floats | None, iterations: int) -> None:
        """Take over the updater's state of a run that has made some updates."""
        network = self._network
        self._network = Network.restored(
            self._settings.network, self._task.interface, network.parameters(), updater, iterations
        )

    def gradient(self, job: Job, parameters: Floats) -> Answer:
        """Compute the gradient of an update, without making it."""
        began = time.perf_counter()
        self._take(job, parameters)
        segment = prepared(self._network, self._windows, self._settings, job.number, self._task, slice(*job.rows))
        gradient, loss, accuracy = self._network.gradient(*segment)
        return self._answer(gradient, [(loss, accuracy, segment.steps)], began)

    def train(self, job: Job, parameters: Floats, count: int, learning_rate: float) -> Answer:
        """Make `count` updates of a copy of the parameters, with the updater's state of this worker."""
        began = time.perf_counter()
        self._take(job, parameters)
        self._network.set_learning_rate(learning_rate)
        rows = slice(*job.rows)
        metrics = [
            step(self._network, self._windows, self._settings, number, self._task, rows)
            for number in range(job.number, job.number + count)
        ]
        return self._answer(self._network.parameters() - parameters, metrics, began)

    def updater(self) -> Floats | None:
        """The state of the updater."""
        return self._network.updater_state()

    def _take(self, job: Job, parameters: Floats) -> None:
        self._network.set_parameters(np.asarray(parameters))
        if job.state:
            self._network.restore_state(job.state)

    def _answer(self, vector: Floats, metrics: list[tuple[float, float, int]], began: float) -> Answer:
        encoded = encode(vector, self._settings.workers.gradient_format)
        return Answer(encoded, metrics, self._network.state(), time.perf_counter() - began)
