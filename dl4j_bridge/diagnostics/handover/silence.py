"""Are nearly all samples of one class?"""

import numpy as np

from dl4j_bridge.diagnostics.findings import Finding, Kind
from dl4j_bridge.diagnostics.handover.layout import NO_CLASS, Indices

SILENCE_DOMINATED = Kind("silence-dominated")

NEARLY_ALL = 0.99
# Below these numbers nothing is concluded.
FEWEST_ROWS_OF_SILENCE, FEWEST_SAMPLES_OF_SILENCE = 4, 1000


def check(name: str, batches: list[Indices]) -> Finding | None:
    """Find a class that nearly all samples have.

    Parameters
    ----------
    name
        ``features`` or ``labels``.
    batches : list of ndarray, shape (batch, time)
        Classes.
    """
    classes = np.concatenate([indices[indices != NO_CLASS] for indices in batches])
    rows = sum(len(indices) for indices in batches)
    if rows < FEWEST_ROWS_OF_SILENCE or classes.size < FEWEST_SAMPLES_OF_SILENCE:
        return None
    counts = np.bincount(classes)
    share = float(counts.max() / classes.size)
    if share < NEARLY_ALL:
        return None
    evidence = {"array": name, "class": int(counts.argmax()), "share": round(share, 4)}
    return SILENCE_DOMINATED.found("windows of the recording in which there is sound", evidence)
