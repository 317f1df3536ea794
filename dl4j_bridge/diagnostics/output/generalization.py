"""Is a network better on what it was trained on than on what it was not?"""

from typing import Any

from dl4j_bridge.diagnostics import curves
from dl4j_bridge.diagnostics.criteria import Criterion
from dl4j_bridge.diagnostics.criteria.criterion import POOR
from dl4j_bridge.diagnostics.curves import History
from dl4j_bridge.diagnostics.findings import Finding, Kind, Outcome
from dl4j_bridge.java.network import Network
from dl4j_bridge.settings.training import NEIGHBOURS, NetworkSettings
from dl4j_bridge.signal.pairs import Stretch, part
from dl4j_bridge.tasks.interface import Task

OVERFIT = Kind("overfit")
INDEPENDENT_START = Kind("independent-start")
SMOOTH_START = (
    f"--init smooth and --neighbours {NEIGHBOURS:g}, the defaults; without them 127 and 128 are unrelated classes"
)
FIX = (
    "more recordings (repeat --input and --target), or a smaller --hidden; train keeps the network from before "
    "validation got worse, as model.zip"
)

# Bits by which the validation part may turn out harder than the training part, beyond what it is for a simple model.
OVERFIT_BITS = 0.5


def generalization(
    criterion: Criterion,
    settings: NetworkSettings,
    network: Network,
    signals: Stretch,
    history: History | None = None,
) -> Outcome:
    """Compare a trained network's error on its training part with that on its validation part.

    Parameters
    ----------
    criterion, settings, network, signals
        As for `output.checks`.
    history
        The validations of its training; without them a network that is not trained yet looks like one that is overfit.
    """
    here, there = (criterion.error_on(network, part(signals, name)) for name in ("train", "valid"))
    simple = criterion.simplest_errors(signals)
    turned = history is not None and _turned(criterion, history)
    return Outcome(overfit(criterion, settings, here, there, simple, turned), _figures(criterion, here, there, simple))


def _turned(criterion: Criterion, history: History) -> bool:
    """Whether the validations of a training got worse, at an error that can be heard."""
    matters = criterion.task.predicts == "next" or min(history.errors, default=0.0) > POOR
    return matters and curves.overfits(history, criterion.task.bits_gained)


def overfit(
    criterion: Criterion, settings: NetworkSettings, train: float, valid: float, simple: dict[str, float], turned: bool
) -> list[Finding]:
    """Compare how much harder the validation part is for the network and for a simple model.

    Parameters
    ----------
    criterion
        How the errors were measured.
    settings
        What the network began with.
    train, valid
        Errors of the network.
    simple
        Errors of the simple model on the same parts, see `Criterion.simplest_errors`.
    turned
        Whether validation got worse while training improved: else the network is not trained yet.
    """
    harder = criterion.task.bits_gained(simple["valid"], simple["train"])
    excess = criterion.task.bits_gained(valid, train) - max(harder, 0.0)
    evidence = _figures(criterion, train, valid, simple) | {"excess_bits": excess}
    if excess <= OVERFIT_BITS:
        return []
    found = found_overfit(criterion.task, settings, evidence)
    return [found] if turned or found.code != OVERFIT.code else []


def found_overfit(task: Task, settings: NetworkSettings, evidence: dict[str, Any]) -> Finding:
    """The finding for a network that is good on its training part alone: its start is the cause, or its size."""
    if task.interface.input == "one-hot" and settings.resolved().init != "smooth":
        # The neighbours are those that go with the start.
        return INDEPENDENT_START.found(SMOOTH_START, evidence | {"init": settings.init}, init="smooth", neighbours=None)
    return OVERFIT.found(FIX, evidence)


def _figures(criterion: Criterion, train: float, valid: float, simple: dict[str, float]) -> dict[str, object]:
    figures: dict[str, object] = {f"train_{criterion.unit}": train, f"valid_{criterion.unit}": valid}
    return figures | ({criterion.simplest: simple} if criterion.simplest else {})
