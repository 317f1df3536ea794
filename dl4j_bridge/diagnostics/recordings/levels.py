"""Are the two about equally loud?"""

import math

import numpy as np

from dl4j_bridge.diagnostics.case import Case
from dl4j_bridge.diagnostics.findings import WARNING, Kind, Outcome

GAIN_MISMATCH = Kind("gain-mismatch", WARNING)

# Levels further apart than this, both on average and at their peaks, are no effect's work.
GAIN_DB = 20.0


def check(case: Case) -> Outcome:
    figures = {
        "level_dbfs": {name: decibels(float(x.std())) for name, x in case.sides.items()},
        "peak_dbfs": {name: decibels(float(np.abs(x).max())) for name, x in case.sides.items()},
    }
    if case.processed is None or case.speed:
        return Outcome(figures=figures)
    mean, peak = (level["target"] - level["input"] for level in figures.values())
    # A fuzz lifts the mean alone, a sparse click the peak.
    found = min(abs(mean), abs(peak)) > GAIN_DB and mean * peak >= 0
    quieter = "target" if mean < 0 else "input"
    fix = f"amplify the {quieter} by {abs(mean):.0f} dB in your own program"
    return GAIN_MISMATCH.outcome(found, fix, {"gain_db": mean, "peak_gain_db": peak}, figures)


def decibels(level: float) -> float:
    """An amplitude in dB below full scale, at least -200."""
    return 20 * math.log10(max(level, 1e-10))
