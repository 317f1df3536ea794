"""What the best filter and curve from one recording leave of the other, as a share of its energy.

Each way takes a tenth of a second, and `train` asks before its first step.
"""

from dl4j_bridge.diagnostics.case import Case, once
from dl4j_bridge.signal import alignment
from dl4j_bridge.signal.pairs import without_delay


@once
def of_target(case: Case) -> float:
    """What is left of the target, made from the input."""
    return alignment.unexplained(*without_delay(case.x, case.y, case.delay.peak))


@once
def of_input(case: Case) -> float:
    """What is left of the input, made from the target."""
    x, y = without_delay(case.x, case.y, case.delay.peak)
    return alignment.unexplained(y, x)
