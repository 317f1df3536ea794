"""Does the latency of the target change on the way?"""

import shlex

from dl4j_bridge.diagnostics.case import Case
from dl4j_bridge.diagnostics.findings import Kind, Outcome

DELAY_CHANGES = Kind("delay-changes")


def check(case: Case) -> Outcome:
    change = case.change
    if change is None:
        return Outcome(figures={"delay_changes": False})
    seconds = change.at / case.rate
    lags = {"before": change.before, "after": change.after}
    evidence = {
        "seconds": round(seconds, 3),
        "samples": lags,
        "milliseconds": {name: round(1000 * lag / case.rate, 3) for name, lag in lags.items()},
        "unexplained_after": dict(zip(("with_first", "with_second"), change.unexplained, strict=True)),
    }
    x, y = (shlex.quote(str(path)) for path in (case.input, case.target))
    cuts = "; ".join(
        f"sox {path} {name}1.wav trim 0 {seconds:.3f}; sox {path} {name}2.wav trim {seconds:.3f}"
        for path, name in ((x, "a"), (y, "b"))
    )
    fix = f"{cuts}; dl4j-bridge train --input a1.wav --target b1.wav --input a2.wav --target b2.wav"
    return DELAY_CHANGES.outcome(True, fix, evidence, {"delay_changes": True})
