"""What a report shows: learning curves, and the network's output for the held-out part, beside the best baseline's."""

from dataclasses import replace

from dl4j_bridge.java.network import Network
from dl4j_bridge.model.run import Run
from dl4j_bridge.signal import metrics
from dl4j_bridge.signal.pairs import Pair, Stretch, part_of
from dl4j_bridge.tasks.baselines.base import Arrays
from dl4j_bridge.tasks.baselines.copy import Copy
from dl4j_bridge.tasks.excerpts import affordable_steps
from dl4j_bridge.tasks.interface import Task
from dl4j_bridge.tasks.shown import Curve, Excerpt


def curves_and_excerpt(run: Run) -> tuple[list[Curve], Excerpt]:
    """The best network on the held-out part of the first pair; the last network if the run was interrupted."""
    network, task = (run.best.network, run.best.info.task) if run.best else (run.network, run.task)
    excerpt = excerpt_of(task, network, run.pairs[0], run.signals[0], run.info.rate)
    excerpt = with_best_baseline(excerpt, task, run.pairs[0], run.signals[0], run.baselines)
    return run.task.curves(run.signals, run.baselines), excerpt


def excerpt_of(task: Task, network: Network, pair: Pair, signals: Stretch, rate: int) -> Excerpt:
    """The loudest seconds of the held-out part of a pair.

    A held-out part that is too short to listen to is shown with what comes before it.
    """
    part = part_of(len(signals[1]), "test")
    begin = part.start
    if task.predicts == "target":
        begin = min(begin, max(part.stop - affordable_steps(network.parameter_count, rate / task.hop), 0))
    excerpt = task.excerpt(network, pair, signals, slice(begin, part.stop), rate)
    return replace(excerpt, trained=max(part.start * task.hop - excerpt.start, 0))


def with_best_baseline(excerpt: Excerpt, task: Task, pair: Pair, signals: Stretch, fitted: Arrays) -> Excerpt:
    """The excerpt with the sound of the baseline that is closest to the target.

    A copy of the input is none, since the input is there already.
    """
    if task.predicts != "target":
        return excerpt
    where = slice(excerpt.start // task.hop, (excerpt.start + excerpt.size) // task.hop)
    sounds = task.baseline_sounds(pair, signals, fitted, where)
    errors = {
        name: metrics.esr(excerpt.sounds["target"][excerpt.trained :], sound[excerpt.trained :])
        for name, sound in sounds.items()
        if name != Copy.name and sound.size == excerpt.size
    }
    known = {name: error for name, error in errors.items() if error is not None}
    if not known:
        return excerpt
    best = min(known, key=lambda name: known[name])
    return replace(excerpt, others=excerpt.others | {f"Best baseline ({best})": sounds[best]})
