"""What a run's report shows: learning curves, and the network's output for the held-out part."""

from dl4j_bridge.model.run import Run
from dl4j_bridge.signal.pairs import part_of
from dl4j_bridge.tasks.shown import Curve, Excerpt


def curves_and_excerpt(run: Run) -> tuple[list[Curve], Excerpt]:
    """The best network on the held-out part of the first pair; the last network if the run was interrupted."""
    network, task = (run.best.network, run.best.info.task) if run.best else (run.network, run.task)
    signals = run.signals[0]
    part = part_of(len(signals[1]), "test")
    excerpt = task.excerpt(network, run.pairs[0], signals, part, run.info.rate)
    return run.task.curves(run.signals, run.baselines), excerpt
