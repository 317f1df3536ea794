"""Is the output as good as the network, and the network as good as a baseline?"""

import functools
from collections.abc import Callable
from typing import cast

from dl4j_bridge.diagnostics.criteria import Criterion
from dl4j_bridge.diagnostics.criteria.criterion import Rows
from dl4j_bridge.diagnostics.curves import History
from dl4j_bridge.diagnostics.findings import Check, Outcome
from dl4j_bridge.diagnostics.output.baselines import against_baselines
from dl4j_bridge.diagnostics.output.decoding import decoding
from dl4j_bridge.diagnostics.output.free_running import free_running
from dl4j_bridge.diagnostics.output.generalization import generalization
from dl4j_bridge.diagnostics.output.memory import memory
from dl4j_bridge.diagnostics.output.rendering import Rendering, render
from dl4j_bridge.diagnostics.output.users_output import users_output
from dl4j_bridge.java.network import Network
from dl4j_bridge.settings.training import NetworkSettings
from dl4j_bridge.signal.pairs import Stretch, part
from dl4j_bridge.tasks.samples.decoding import Indices
from dl4j_bridge.tasks.samples.task import SamplesTask


def checks(
    criterion: Criterion,
    settings: NetworkSettings,
    network: Network,
    signals: Stretch,
    compare: Callable[[], Rows],
    decode: str = "mean",
    processed: Indices | None = None,
    history: History | None = None,
) -> list[Check]:
    """The checks of a trained network.

    Parameters
    ----------
    criterion
        How the task's networks are measured.
    settings
        What the network was trained with.
    network
        The trained network.
    signals
        Input and target as the task has them, with the delay cut out.
    compare
        Returns the rows of the comparison with the baselines.
    decode
        How the user's program decodes classes: ``mean``, ``argmax`` or ``sample``.
    processed : ndarray of uint8, shape (n,), optional
        Classes that the user's program made of the same samples.
    history
        The validations of the training, if they are known.
    """
    found = [Check("train and validation", lambda: generalization(criterion, settings, network, signals, history))]
    baselines = Check("baselines", lambda: against_baselines(criterion, compare()))
    if criterion.task.interface.output != "softmax":
        return [*found, baselines, Check("memory", lambda: _memory_of_vectors(criterion, network, signals))]
    # The classes of this package are those of 8-bit samples.
    task = cast(SamplesTask, criterion.task)

    @functools.cache
    def rendering() -> Rendering:
        return render(network, task, *signals)

    if task.predicts == "next":
        # New audio is sampled at random, as it should be.
        return [*found, Check("free-running", lambda: free_running(rendering(), network, task.temperature))]
    found += [
        baselines,
        Check("decoding", lambda: decoding(rendering(), decode)),
        Check("memory", lambda: memory(criterion, network, rendering().stretch, rendering().probabilities)),
    ]
    if processed is not None:
        found.append(Check("your output", lambda: users_output(rendering(), network, processed)))
    return found


def _memory_of_vectors(criterion: Criterion, network: Network, signals: Stretch) -> Outcome:
    """What the state is worth on the test part."""
    x, y = part(signals, "test")
    chunk, names = min(1000, max(len(x) // 4, 1)), ("carried", "dropped", "time_steps")
    # The first chunk has no state to drop.
    return memory(criterion, network, (x, y), network.dense_stream().run(x), chunk, first=1, names=names)
