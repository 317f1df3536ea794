"""A small amplifier at 44.1 kHz and 24 bits, learned as numbers: a model of an amplifier."""

from pathlib import Path
from typing import Any

from dl4j_bridge.demos import Report, Say, samples


def run(folder: Path, limits: dict[str, Any], say: Say, report: Report) -> dict[str, Any]:
    """Make recordings, train, compare, process, and plot the result; see `demos.run`."""
    limits = {"task": "frames"} | limits
    return samples.run(folder, limits, say, report, 44100, "PCM_24", "plucked strings, 44.1 kHz")
