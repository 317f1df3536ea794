"""Does `train` take recordings of these lengths?"""

from dl4j_bridge.diagnostics.case import Case
from dl4j_bridge.diagnostics.findings import Kind, Outcome
from dl4j_bridge.diagnostics.recordings.related import is_unrelated

LENGTH_MISMATCH = Kind("length-mismatch")


def check(case: Case) -> Outcome:
    x, y = case.lengths
    samples = {"input": x, "target": y}
    figures = {"samples": samples, "seconds": {"input": x / case.rate, "target": y / case.rate}}
    found = not (case.speed or case.change or case.fits_in_length or is_unrelated(case))
    longer = "target" if y > x else "input"
    evidence = samples | {"difference": y - x, "tolerance": case.tolerance, "delay": case.cut}
    fix = f"cut the {longer} to {min(x, y)} samples at {case.rate} Hz"
    return LENGTH_MISMATCH.outcome(found, fix, evidence, figures)
