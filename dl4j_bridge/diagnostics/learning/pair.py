"""Learn the pair, or what comes next, for a while: a network that learns nothing where a simple model does is stuck."""

from typing import Any

import numpy as np

from dl4j_bridge.diagnostics import curves
from dl4j_bridge.diagnostics.criteria import Criterion
from dl4j_bridge.diagnostics.findings import Outcome
from dl4j_bridge.diagnostics.learning.identity import as_typed, non_finite, wrong_rate
from dl4j_bridge.diagnostics.output.generalization import overfit
from dl4j_bridge.diagnostics.trial import LAST, Effort, Trial
from dl4j_bridge.settings.training import TrainSettings
from dl4j_bridge.signal.pairs import Stretch, part

# Bits by which the second half of a trial makes the validation part worse where training is by heart.
WORSE_BITS = 0.05
# Factor of the learning rate that is tried where a trial learns nothing: a rate that is too high for a pair may do for
# the identity.
SLOWER = 0.03


def pair(settings: TrainSettings, criterion: Criterion, signals: Stretch, effort: Effort) -> Outcome:
    """Train on the training part; look at the validation part halfway and at the end.

    Parameters
    ----------
    settings
        Settings with fused layers, see `as_fused`.
    criterion
        How the task's networks are measured.
    signals
        Input and target as the task has them, with the delay cut out.
    effort
        How long the trial may take.
    """
    stretch, valid = part(signals, "train"), part(signals, "valid")
    steps = effort.steps(settings)
    halfway: list[float] = []

    def look_halfway(trial: Trial) -> bool:
        if len(trial.losses) == steps // 2:
            halfway.append(criterion.error_on(trial.network, valid))
        return False

    trial = criterion.trial(settings, stretch, steps, look_halfway)
    simple = criterion.simple_models(signals)
    figures: dict[str, Any] = (
        {"trials": [trial.figures], "curve": criterion.curve(trial)} | criterion.floors(stretch) | simple
    )
    if not trial.finite:
        return Outcome([non_finite(trial)], figures)
    here, there = (criterion.error_on(trial.network, side) for side in (stretch, valid))
    unit = criterion.unit
    figures |= {f"train_{unit}": here, f"valid_{unit}_halfway": halfway[0], f"valid_{unit}": there}
    if criterion.is_stuck(trial, here, simple):
        lower = settings.with_options({"learning_rate": as_typed(settings.network.learning_rate * SLOWER)})
        slower = criterion.trial(lower, stretch, steps, lambda trial: False)
        figures["trials"].append(slower.figures)
        if slower.finite and not criterion.is_stuck(slower, criterion.error_on(slower.network, stretch), simple):
            return Outcome([wrong_rate(trial, slower)], figures)
        return Outcome([criterion.stuck(trial, stretch)], figures)
    # A validation part that is merely harder still gets better, and a training that diverges gets worse too.
    gained = criterion.task.bits_gained
    middle = float(np.mean(trial.losses[steps // 2 - LAST : steps // 2]))
    rises = curves.keeps_learning(trial.level, middle, gained)
    worse = gained(there, halfway[0]) > WORSE_BITS and not rises
    simplest = criterion.simplest_errors(signals)
    return Outcome(overfit(criterion, settings.network, here, there, simplest, worse) if worse else [], figures)
