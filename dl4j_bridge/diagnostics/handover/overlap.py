"""Do windows repeat stretches of earlier ones?"""

import numpy as np
import numpy.typing as npt

from dl4j_bridge.diagnostics.findings import Finding, Kind
from dl4j_bridge.diagnostics.handover.layout import FEWEST_SAMPLES, NO_CLASS, Indices, is_tone

WINDOW_OVERLAP = Kind("window-overlap")

# Samples in a row that make a stretch recognizable; as long a stretch does not come twice in a recording with noise.
GRAM = 32
OVERLAP = 0.25
# Square waves and near silence repeat within a window; what is left of them (a fifth) proves nothing.
RECOGNIZABLE = 1 / 3


def check(batches: list[Indices]) -> Finding | None:
    """Measure the share of the samples that an earlier window had already.

    Parameters
    ----------
    batches : list of ndarray, shape (batch, time)
        Classes of the features.
    """
    if batches[0].shape[1] < GRAM or is_tone(batches):
        return None
    rows = [row for indices in batches for row in indices]
    grams = np.concatenate([_grams_seen_once(row) for row in rows])
    possible = sum(max(row.size - GRAM + 1, 0) for row in rows)
    if grams.size < max(FEWEST_SAMPLES, RECOGNIZABLE * possible):
        return None
    repeated = 1 - len(np.unique(grams)) / grams.size
    if repeated < OVERLAP:
        return None
    evidence = {"share": round(float(repeated), 4), "windows": len(rows), "compared": int(grams.size)}
    fix = "every window from a start of its own, at least one window length from every other: start += exampleLength"
    return WINDOW_OVERLAP.found(fix, evidence)


def _grams_seen_once(row: Indices) -> npt.NDArray[np.uint64]:
    """Hashes of all stretches of `GRAM` samples, without those that come twice in this window, as in a tone."""
    samples = row[row != NO_CLASS]
    if samples.size < GRAM:
        return np.zeros(0, np.uint64)
    factors = np.random.default_rng(0).integers(1, 2**63, GRAM, dtype=np.uint64) | np.uint64(1)
    hashes = np.lib.stride_tricks.sliding_window_view(samples.astype(np.uint64), GRAM) @ factors
    found, counts = np.unique(hashes, return_counts=True)
    return np.asarray(found[counts == 1])
