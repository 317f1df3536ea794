"""An amplifier whose gain follows the level, which none of the baselines can model."""

from pathlib import Path
from typing import Any

from dl4j_bridge.demos import Report, Say, samples, synthesis


def run(folder: Path, limits: dict[str, Any], say: Say, report: Report) -> dict[str, Any]:
    """Make recordings, train, compare, process, and plot the result; see `demos.run`."""
    effect, name = synthesis.sagging_amplifier, "an amplifier whose gain sags while it is loud"
    return samples.run(folder, limits, say, report, effect=effect, amplifier=name)
