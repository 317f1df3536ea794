"""One parameter update, as the task wants it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dl4j_bridge.java.network import Network
from dl4j_bridge.settings.training import TrainSettings
from dl4j_bridge.signal.windows import Windows

if TYPE_CHECKING:
    from dl4j_bridge.tasks.interface import Signal, Task


class Segment(NamedTuple):
    """The arguments of `Network.step`."""

    x: Signal
    y: Signal
    capacity: int
    first: bool
    seed: int

    @property
    def steps(self) -> int:
        """Time steps of recordings in the segment."""
        return int(self.x.shape[0] * self.x.shape[1])


def step(
    network: Network,
    windows: Windows,
    settings: TrainSettings,
    number: int,
    task: Task | None = None,
    rows: slice = slice(None),
) -> tuple[float, float, int]:
    """Make update `number` (from 0) of a run: one tBPTT segment of one batch of windows.

    Parameters
    ----------
    network
        Updated in place.
    windows
        The training windows.
    settings
        Sizes and seed.
    number
        The number decides the batch, the segment and the random numbers, so a resumed run makes the same updates.
    task
        Gives the input and the weights of the loss; without one both are the usual ones.
    rows
        Windows of the batch to learn from.

    Returns
    -------
    loss, accuracy
        For the segment, before the update, as `Network.step` returns them.
    steps
        Time steps of recordings in the segment.
    """
    segment = prepared(network, windows, settings, number, task, rows)
    return *network.step(*segment), segment.steps


def prepared(
    network: Network, windows: Windows, settings: TrainSettings, number: int, task: Task | None, rows: slice
) -> Segment:
    """The segment of update `number`, after setting the weights of its loss; parameters as of `step`.

    Input and weights of some rows are those that they have in the whole batch. Only what dropout drops is not.
    """
    tbptt = settings.network.tbptt
    batch, segment = divmod(number, segments(settings))
    here, first = slice(segment * tbptt, (segment + 1) * tbptt), segment == 0
    # The weights of a loss are those of the whole batch.
    needed = slice(None) if task and task.weighted else rows
    x, y = (side[:, here] for side in windows.batch(batch, needed))
    start = rows.start or 0
    # ND4J interprets a seed of 0 as the clock.
    seed = (settings.network.seed + number + (start << 32)) % 2**63 or 1
    if task:
        weights = task.loss_weights(settings, y, first)
        if weights:
            network.set_loss_weights(*weights)
        if needed != rows:
            x, y = x[rows], y[rows]
        x = task.training_input(network, settings, x, number, first, start)
    return Segment(x, y, tbptt, first, seed)


def segments(settings: TrainSettings) -> int:
    """Number of updates that one batch of windows makes."""
    return -(-settings.run.length // settings.network.tbptt)
