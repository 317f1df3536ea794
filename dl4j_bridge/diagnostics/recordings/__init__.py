"""The recordings: do they belong together, sample by sample, and is there enough in them to learn from?

Each check reports what it measured. A fault hides what only follows from another one: at another speed nothing is
aligned, and what is unrelated has no polarity.
"""

from collections.abc import Callable
from functools import partial

from dl4j_bridge.diagnostics.case import Case
from dl4j_bridge.diagnostics.findings import Check, Outcome
from dl4j_bridge.diagnostics.recordings import (
    alignment,
    amount,
    automation,
    clipping,
    delay_changes,
    dropouts,
    lengths,
    levels,
    memory,
    noise_floor,
    offset,
    polarity,
    quantization,
    rates,
    related,
    resolution,
    silence,
    swapped,
    takes,
    time_variant,
)

# In the order in which the findings should be fixed.
CHECKS: dict[str, Callable[[Case], Outcome]] = {
    "rates": rates.check,
    "lengths": lengths.check,
    "delay changes": delay_changes.check,
    "swapped": swapped.check,
    "aligned": alignment.check,
    "related": related.check,
    "polarity": polarity.check,
    "resolution": resolution.check,
    "takes": takes.check,
    "dropouts": dropouts.check,
    "automation": automation.check,
    "time-variant": time_variant.check,
    "memory": memory.check,
    "levels": levels.check,
    "clipping": clipping.check,
    "silence": silence.check,
    "offset": offset.check,
    "amount": amount.check,
    "noise": noise_floor.check,
    "quantisation": quantization.check,
}
NEED_TARGET = {
    "lengths",
    "delay changes",
    "swapped",
    "aligned",
    "related",
    "polarity",
    "dropouts",
    "time-variant",
    "memory",
    "takes",
    "automation",
    "resolution",
    "noise",
}


def checks(case: Case) -> list[Check]:
    """The checks of the recordings; without a target only those that make sense for one recording.

    Returns
    -------
    list of Check
        Their `run` raises `InputError` for recordings that cannot be used at all.
    """
    names = [name for name in CHECKS if case.target or name not in NEED_TARGET]
    return [Check(name, partial(CHECKS[name], case)) for name in names]
