"""Is there enough for a network of this size?"""

import math
from dataclasses import replace

from dl4j_bridge.diagnostics.case import Case
from dl4j_bridge.diagnostics.findings import Kind, Outcome
from dl4j_bridge.reference import layout
from dl4j_bridge.settings.training import NetworkSettings
from dl4j_bridge.signal import pairs
from dl4j_bridge.signal.codecs import CLASSES

TOO_LITTLE_DATA = Kind("too-little-data")

# With fewer training samples than one for this number of parameters, a network learns its recording by heart.
PARAMETERS_PER_SAMPLE = 30
# A network of fewer units learns little of any effect.
FEWEST_UNITS = 8


def check(case: Case) -> Outcome:
    settings = case.settings
    first, last = pairs.split(case.length)["train"]
    samples, numbers = last - first, parameters(settings.network, settings.own.width or CLASSES)
    figures = {"training_samples": samples, "parameters": numbers}
    # Without a target the last frame of a window needs one more after it.
    window = (settings.run.length + (case.target is None and settings.own.hop > 1)) * settings.own.hop
    wanted = max(numbers // PARAMETERS_PER_SAMPLE, window)
    seconds = math.ceil(wanted / 0.8 / case.rate)
    fix = f"record {seconds} s or more, or train a smaller network: --hidden, --layers"
    smaller = {} if samples < window else _smaller(settings.network, settings.own.width or CLASSES, samples)
    return TOO_LITTLE_DATA.outcome(samples < wanted, fix, figures | {"wanted": wanted}, figures, **smaller)


def _smaller(network: NetworkSettings, width: int, samples: int) -> dict[str, int]:
    """The largest number of units, halved as often as needed, for which there are enough samples."""
    while network.hidden > FEWEST_UNITS and parameters(network, width) // PARAMETERS_PER_SAMPLE > samples:
        network = replace(network, hidden=network.hidden // 2)
    return {"hidden": network.hidden} if parameters(network, width) // PARAMETERS_PER_SAMPLE <= samples else {}


def parameters(network: NetworkSettings, width: int) -> int:
    """Number of parameters of a network that maps `width` values to as many."""
    return int(layout(width, network.hidden, network.layers, width, network.cell)["output/b"][0].stop)
