"""Does it learn? The identity first, then the pair; where the loss stands still, a short sweep finds the reason."""

import numpy as np

from dl4j_bridge.diagnostics.criteria import Criterion
from dl4j_bridge.diagnostics.findings import Check
from dl4j_bridge.diagnostics.learning.identity import identity
from dl4j_bridge.diagnostics.learning.pair import pair
from dl4j_bridge.diagnostics.trial import Effort, as_fused
from dl4j_bridge.settings.training import TrainSettings
from dl4j_bridge.signal.pairs import Stretch, part


def checks(settings: TrainSettings, criterion: Criterion, signals: Stretch, effort: Effort) -> list[Check]:
    """The identity on the input alone, then what was asked for, unless that is the identity and settled by it.

    Parameters
    ----------
    settings
        The user's settings; stock layers are computed by the fused ones with stock's gradient, which are faster.
    criterion
        How the task's networks are measured.
    signals
        Input and target as the task has them, with the delay cut out.
    effort
        How long a trial may take.
    """
    settings = as_fused(settings)
    x, y = signals
    found = [Check("identity", lambda: identity(settings, criterion, part((x, x), "train"), effort))]
    predicts = criterion.task.predicts
    if not (criterion.identity_settles and predicts == "target" and np.array_equal(x, y)):
        name = "pair" if predicts == "target" else criterion.next_trial
        found.append(Check(name, lambda: pair(settings, criterion, signals, effort)))
    return found
