"""Do the contents run at the same speed, whatever the headers say?"""

from dl4j_bridge.diagnostics.case import Case
from dl4j_bridge.diagnostics.findings import Kind, Outcome
from dl4j_bridge.diagnostics.speed import STANDARD_RATES

RATE_MISMATCH = Kind("rate-mismatch")


def check(case: Case) -> Outcome:
    rates = {"input": case.source.rate, "training": case.rate}
    figures: dict[str, object] = {"rate": rates, "looked_at_seconds": round(case.x.size / case.rate, 3)}
    if case.processed is None:
        return Outcome(figures=figures)
    rates["target"] = case.processed.rate
    speed = figures["speed"] = case.speed
    if speed is None:
        return Outcome(figures=figures)
    length_ratio = case.lengths[1] / case.lengths[0]
    evidence = {"speed": speed, "drift_percent": 100 * (speed - 1), "length_ratio": length_ratio, "rates": rates}
    fix = _fix(case.source.rate, case.processed.rate, speed)
    return RATE_MISMATCH.outcome(True, fix, evidence, figures)


def _fix(source: int, target: int, speed: float) -> str:
    """How to fix a speed: the header that would explain it, or the speed itself."""
    for side, found, runs_at in (("target", target, target * speed), ("input", source, source / speed)):
        wrong = [rate for rate in STANDARD_RATES if abs(runs_at / rate - 1) < 2e-4 and rate != found]
        if wrong:
            return f"the {side}'s header says {found} Hz, its contents run at {wrong[0]} Hz: write it with that rate"
    return f"play the target {speed:.6f} times as fast (sox: speed {speed:.6f}), or record both with one clock"
