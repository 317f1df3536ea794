"""Do the contents run at the same speed, whatever the headers say?"""

from typing import Any

from dl4j_bridge.diagnostics.case import Case
from dl4j_bridge.diagnostics.findings import Kind, Outcome
from dl4j_bridge.diagnostics.speed import STANDARD_RATES

RATE_MISMATCH = Kind("rate-mismatch")


def check(case: Case) -> Outcome:
    figures: dict[str, Any] = {"rate": {"input": case.source.rate, "training": case.rate}}
    figures["looked_at_seconds"] = round(case.x.size / case.rate, 3)
    if case.processed is None:
        return Outcome(figures=figures)
    figures["rate"]["target"] = case.processed.rate
    speed = figures["speed"] = case.speed
    if speed is None:
        return Outcome(figures=figures)
    evidence = {
        "speed": speed,
        "drift_percent": 100 * (speed - 1),
        "length_ratio": case.lengths[1] / case.lengths[0],
        "rates": figures["rate"],
    }
    return RATE_MISMATCH.outcome(_fix(case.source.rate, case.processed.rate, speed), evidence, figures)


def _fix(source: int, target: int, speed: float) -> str:
    """How to fix a speed: the header that would explain it, or the speed itself."""
    wrong = [rate for rate in STANDARD_RATES if abs(target * speed / rate - 1) < 2e-4 and rate != target]
    if wrong:
        return f"the target's header says {target} Hz, its contents run at {wrong[0]} Hz: write it with that rate"
    wrong = [rate for rate in STANDARD_RATES if abs(source / speed / rate - 1) < 2e-4 and rate != source]
    if wrong:
        return f"the input's header says {source} Hz, its contents run at {wrong[0]} Hz: write it with that rate"
    return f"play the target {speed:.6f} times as fast (sox: speed {speed:.6f}), or record both with one clock"
