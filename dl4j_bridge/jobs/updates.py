"""The updates of a training: made in this process, or together with workers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from dl4j_bridge.model.run import Run
from dl4j_bridge.signal.pairs import Stretch
from dl4j_bridge.signal.windows import Windows
from dl4j_bridge.tasks.update import step

# Loss, accuracy and time steps of an update, as `update.step` returns them.
Made = tuple[float, float, int]


class Updates(Protocol):
    """Makes the updates of a run."""

    def advance(self) -> list[Made]:
        """Make the next update, or several; the network of the run has the parameters after the last one."""

    def settle(self) -> None:
        """Bring all that the next update needs into the network of the run, which is then saved."""

    def news(self) -> list[str]:
        """What the user should know of the last updates, a line for each."""

    def facts(self) -> dict[str, float]:
        """Means over the updates of this session, for the result of the training."""


class Alone:
    """Updates in this process, one at a time."""

    def __init__(self, run: Run, windows: Windows) -> None:
        self._run, self._windows = run, windows

    def advance(self) -> list[Made]:
        run = self._run
        return [step(run.network, self._windows, run.settings, run.state.step, run.task)]

    def settle(self) -> None:
        pass

    def news(self) -> list[str]:
        return []

    def facts(self) -> dict[str, float]:
        return {}


@contextmanager
def updates_of(run: Run, stretches: list[Stretch], windows: Windows) -> Iterator[Updates]:
    """The updates that the settings of a run ask for.

    Parameters
    ----------
    run
        The run.
    stretches
        Input and target of all recordings.
    windows
        Their windows.

    Raises
    ------
    InputError, BridgeError
        The workers cannot be started.
    """
    if not run.settings.workers.on_ray:
        yield Alone(run, windows)
        return
    from dl4j_bridge.jobs.workers import together
    from dl4j_bridge.jobs.workers.pool import started_pool

    with started_pool(run, stretches) as pool:
        yield together.updates(run, pool)
