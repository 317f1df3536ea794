"""An amplifier whose gain follows the level, which none of the baselines can model."""

from pathlib import Path
from typing import Any

from dl4j_bridge.demos import Report, Say, samples, synthesis

# The gain depends on more of the past than a window of 1,000 samples has, or than a unit remembers at first.
MEMORY: dict[str, Any] = {"slow_units": 0.3, "length": 8000}


def run(folder: Path, limits: dict[str, Any], say: Say, report: Report) -> dict[str, Any]:
    """Make recordings, train, compare, process, and plot the result; see `demos.run`."""
    effect, name = synthesis.sagging_amplifier, "an amplifier whose gain sags while it is loud"
    return samples.run(folder, MEMORY | limits, say, report, effect=effect, amplifier=name)
