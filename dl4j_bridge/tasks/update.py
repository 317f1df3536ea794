"""One parameter update, as the task wants it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dl4j_bridge.java.network import Network
from dl4j_bridge.settings.training import TrainSettings
from dl4j_bridge.signal.windows import Windows

if TYPE_CHECKING:
    from dl4j_bridge.tasks.interface import Task


def step(
    network: Network, windows: Windows, settings: TrainSettings, number: int, task: Task | None = None
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

    Returns
    -------
    loss, accuracy
        For the segment, before the update, as `Network.step` returns them.
    steps
        Time steps of recordings in the segment.
    """
    tbptt = settings.network.tbptt
    batch, segment = divmod(number, segments(settings))
    here, first = slice(segment * tbptt, (segment + 1) * tbptt), segment == 0
    x, y = (side[:, here] for side in windows.batch(batch))
    # ND4J interprets a seed of 0 as the clock.
    seed = (settings.network.seed + number) % 2**63 or 1
    if task:
        x = task.training_input(network, settings, x, number, first)
        weights = task.loss_weights(settings, y, first)
        if weights:
            network.set_loss_weights(*weights)
    loss, accuracy = network.step(x, y, tbptt, first, seed)
    return loss, accuracy, x.shape[0] * x.shape[1]


def segments(settings: TrainSettings) -> int:
    """Number of updates that one batch of windows makes."""
    return -(-settings.run.length // settings.network.tbptt)
