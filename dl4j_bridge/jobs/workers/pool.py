"""The workers of a run: started on Ray, given their shares of a batch, and replaced when they die or are too slow."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from dl4j_bridge.errors import BridgeError, InputError
from dl4j_bridge.java.network import Floats
from dl4j_bridge.jobs import ray_cluster
from dl4j_bridge.jobs.workers.worker import Answer, Job, State, Worker
from dl4j_bridge.model.run import Run
from dl4j_bridge.signal.pairs import Stretch

# Seconds that workers have to start before the training begins without those that are late.
START_SECONDS = 180.0
# Replacements in a run, for each worker: one that always needs too much memory would never end.
REPLACEMENTS = 5

Rows = tuple[int, int]


@dataclass
class Member:
    """A worker.

    Attributes
    ----------
    actor
        Its handle in Ray.
    started
        Reference to the words for it, which are there once it has started.
    name
        Its process and machine.
    holds
        Update and rows that its carried state fits.
    """

    actor: Any
    started: Any
    name: str = ""
    holds: tuple[int, Rows] | None = None


@dataclass
class Spent:
    """Time and bytes of all exchanges so far.

    Attributes
    ----------
    exchanges
        Number of exchanges.
    seconds
        From the first request to the last answer.
    computing, slowest
        Mean time of a worker in them, and time of the slowest one.
    received, sent
        Bytes of the answers; bytes of parameters and states that each worker got, added up.
    """

    exchanges: int = 0
    seconds: float = 0.0
    computing: float = 0.0
    slowest: float = 0.0
    received: int = 0
    sent: int = 0

    def as_dict(self) -> dict[str, float]:
        """Number of exchanges, means of one, and the share of its time in which a worker waits."""
        n = max(self.exchanges, 1)
        return {
            "count": self.exchanges,
            "milliseconds": 1000 * self.seconds / n,
            "computing_milliseconds": 1000 * self.computing / n,
            "slowest_milliseconds": 1000 * self.slowest / n,
            "waiting": 1 - self.computing / self.seconds if self.seconds else math.nan,
            "received_bytes": self.received / n,
            "sent_bytes": self.sent / n,
        }


class Pool:
    """The workers that are there, and those that are starting.

    Parameters
    ----------
    run
        The run.
    stretches
        Input and target of all recordings.

    Attributes
    ----------
    spent
        Time and bytes so far.
    """

    def __init__(self, run: Run, stretches: list[Stretch]) -> None:
        import ray

        self._run, self._settings = run, run.settings.workers
        cores = self._settings.cores_per_worker
        # A worker's errors are answers; only its process may be started again, by this class.
        self._kind: Any = ray.remote(num_cpus=cores, max_restarts=0, max_task_retries=0)(Worker)
        self._arguments = [*map(ray.put, (run.settings, run.task, stretches)), cores]
        self._replacements = REPLACEMENTS * self._settings.workers
        self._members: list[Member] = []
        self._starting: list[Member] = []
        self._news: list[str] = []
        self.spent = Spent()
        for _ in range(self._settings.workers):
            self._start()
        ray.wait([m.started for m in self._starting], num_returns=len(self._starting), timeout=START_SECONDS)
        self._admit()
        if self._starting:
            late = f"{len(self._starting)} of {self._settings.workers} workers are late"
            self._news.append(f"{late}: training begins without them, and they join as soon as they are there")

    def news(self) -> list[str]:
        """What happened to workers since the last call, a line for each."""
        news, self._news = self._news, []
        return news

    def ask(
        self, method: str, number: int, state: State, arguments: tuple[Any, ...] = (), steps: int = 1
    ) -> list[tuple[Rows, Answer]]:
        """Divide a batch among the workers and collect their answers.

        Parameters
        ----------
        method
            Method of `Worker` to call.
        number
            Number of the update, from 0.
        state
            The carried state of all rows; empty at the start of a window.
        arguments
            Arguments of the method after the job and the parameters.
        steps
            Number of updates that it makes. If it is 1, the share of a worker that is lost goes to another one, since a
            gradient depends on nothing that the lost one had. Otherwise it is left out.

        Returns
        -------
        list of ((int, int), Answer)
            Rows and answer of each share, in the order of the rows.

        Raises
        ------
        BridgeError
            No worker is left, or one reports an error.
        """
        import ray

        self._admit()
        began = time.perf_counter()
        parameters = self._run.network.parameters()
        reference = ray.put(parameters)
        answers: dict[Rows, Answer] = {}
        todo, was_lost = self._divided(), False
        while todo:
            pending = {}
            for rows, member in todo:
                theirs = None if member.holds == (number, rows) else {k: v[slice(*rows)] for k, v in state.items()}
                call = getattr(member.actor, method).remote(Job(number, rows, theirs), reference, *arguments)
                pending[call] = (rows, member)
                self.spent.sent += parameters.nbytes + _bytes(theirs or {})
            lost = self._collect(pending, answers, number + steps, self._settings.worker_timeout * steps)
            if lost and (steps == 1 or not answers):
                members = self._living()
                todo = [(rows, members[i % len(members)]) for i, rows in enumerate(lost)]
            else:
                todo = []
            was_lost = was_lost or bool(lost)
        if was_lost:
            # A worker that computed two shares has the state of one of them.
            for member in self._members:
                member.holds = None
        self._count(answers, time.perf_counter() - began)
        return sorted(answers.items())

    def updaters(self, most: int | None = None) -> list[Floats]:
        """The updater's state of every worker that has one, or of the first ones."""
        import ray

        found = []
        for call in [member.actor.updater.remote() for member in self._members[:most]]:
            try:
                found.append(ray.get(call, timeout=self._settings.worker_timeout))
            except ray.exceptions.RayError:
                # The next exchange notices that the worker is lost.
                continue
        return [values for values in found if values is not None]

    def _divided(self) -> list[tuple[Rows, Member]]:
        """Rows of a batch for each worker; no worker gets more than one row more than another."""
        members, batch = self._living(), self._run.settings.run.batch
        borders = [batch * i // len(members) for i in range(len(members) + 1)]
        shares = zip(borders, borders[1:], members, strict=False)
        return [((first, end), member) for first, end, member in shares if end > first]

    def _collect(
        self, pending: dict[Any, tuple[Rows, Member]], answers: dict[Rows, Answer], reached: int, seconds: float
    ) -> list[Rows]:
        """Add the answers that come in time; returns the rows of those that do not, and replaces their workers."""
        import ray

        done, late = ray.wait(list(pending), num_returns=len(pending), timeout=seconds)
        lost = []
        for call in late:
            lost.append(self._lost(*pending[call], f"gave no answer within {seconds:g} s"))
        for call in done:
            rows, member = pending[call]
            try:
                answers[rows] = ray.get(call)
                member.holds = (reached, rows)
            except ray.exceptions.RayTaskError as e:
                raise _reported(e) from e
            except ray.exceptions.RayError:
                lost.append(self._lost(rows, member, "died"))
        return lost

    def _lost(self, rows: Rows, member: Member, why: str) -> Rows:
        import ray

        if member not in self._members:
            # It had the shares of two.
            return rows
        self._members.remove(member)
        ray.kill(member.actor)
        instead = "no other one is started any more"
        if self._replacements:
            self._replacements -= 1
            self._start()
            instead = "another one is starting"
        self._news.append(f"{member.name} {why} at step {self._run.state.step + 1}; {instead}")
        return rows

    def _start(self) -> None:
        actor = self._kind.remote(*self._arguments)
        self._starting.append(Member(actor, actor.name.remote()))

    def _admit(self) -> None:
        """Take in the workers that have started."""
        import ray

        for member in list(self._starting):
            done, _ = ray.wait([member.started], timeout=0)
            if not done:
                continue
            self._starting.remove(member)
            try:
                member.name = ray.get(member.started)
                if self._settings.sync_every > 1:
                    updater = next(iter(self.updaters(1)), self._run.network.updater_state())
                    ray.get(member.actor.begin.remote(updater, self._run.state.step))
            except ray.exceptions.RayError as e:
                if not self._replacements or not self._members:
                    raise _reported(e) from e
                self._replacements -= 1
                self._start()
                continue
            if self._run.state.step and self._members:
                self._news.append(f"{member.name} joins at step {self._run.state.step + 1}")
            self._members.append(member)

    def _living(self) -> list[Member]:
        """The workers that are there, at least one."""
        import ray

        deadline = time.monotonic() + START_SECONDS
        while not self._members:
            left = deadline - time.monotonic()
            if not self._starting or left <= 0:
                raise BridgeError("--workers", "no worker is left", "see the log of Ray, then: train RUN --resume")
            ray.wait([member.started for member in self._starting], timeout=left)
            self._admit()
        return self._members

    def _count(self, answers: dict[Rows, Answer], seconds: float) -> None:
        self.spent.exchanges += 1
        self.spent.seconds += seconds
        took = [answer.seconds for answer in answers.values()]
        self.spent.computing += float(np.mean(took))
        self.spent.slowest += max(took)
        self.spent.received += sum(answer.vector.nbytes + _bytes(answer.state) for answer in answers.values())


def _bytes(state: State) -> int:
    return sum(values.nbytes for values in state.values())


def _reported(error: Exception) -> BridgeError:
    """The error of a worker as one of this process."""
    cause = getattr(error, "cause", error)
    if isinstance(cause, BridgeError):
        return cause
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    return BridgeError("--workers", f"a worker failed ({lines[-1][:300]})", "see the log of Ray")


@contextmanager
def started_pool(run: Run, stretches: list[Stretch]) -> Iterator[Pool]:
    """Start the workers of a run, and end them afterwards.

    Raises
    ------
    InputError
        This machine has too few cores.
    BridgeError
        The cluster cannot be reached, or no worker starts.
    """
    settings = run.settings.workers
    address = settings.cluster or ray_cluster.LOCAL
    with ray_cluster.connected(address, settings.cores_per_worker, "--cores-per-worker") as most:
        if address == ray_cluster.LOCAL and settings.workers > most:
            found = f"{settings.workers} with {settings.cores_per_worker} cores each"
            raise InputError("--workers", found, f"wanted at most {most} on this machine")
        yield Pool(run, stretches)
