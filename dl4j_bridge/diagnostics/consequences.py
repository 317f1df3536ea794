"""Which checks and findings an earlier finding makes pointless. A code that stands nowhere here stops nothing."""

from collections.abc import Iterable

from dl4j_bridge.diagnostics.findings import FAULT, Finding

# What says that a network learned too little of a pair, or the wrong thing.
LEARNED_LITTLE = frozenset({"overfit", "noisier-than-baseline"})
# A model cannot be compared with such a pair.
INCOMPARABLE = frozenset({"rate-mismatch", "length-mismatch", "unrelated", "target-leads", "swapped"})
# No network can learn such a pair: trying would only repeat it.
UNLEARNABLE = INCOMPARABLE | {"misaligned", "delay-changes", "time-variant", "memory-too-short", "wrong-take"}
# With such tensors no network can learn anything.
NO_TENSORS = frozenset({"not-one-hot", "axis-order", "memory-order", "signed-bytes"})
# What does not learn the identity learns no pair.
NO_LEARNING = frozenset(
    {
        "learning-rate-too-high",
        "learning-rate-too-low",
        "non-finite",
        "stuck-at-uniform",
        "stuck-at-marginal",
        "weak-input-scale",
    }
)
# What a finding of the recordings explains: the advice against it would not help. Those that are in `UNLEARNABLE` do so
# as faults, the others at any severity.
EXPLAINS = dict.fromkeys(UNLEARNABLE, LEARNED_LITTLE) | {
    "noise-floor": frozenset({"noisier-than-baseline"}),
    # The dry recording lacks the overtones that the wet one has, and has sound where a gate has silence.
    "swapped": LEARNED_LITTLE | {"bit-crushed", "dropouts"},
}
_AS_WARNINGS = frozenset({"noise-floor", "time-variant", "memory-too-short"})


def stops(codes: frozenset[str], findings: Iterable[Finding]) -> bool:
    """Whether one of `findings` is a fault with one of `codes`."""
    return any(finding.severity == FAULT and finding.code in codes for finding in findings)


def unexplained(new: Iterable[Finding], findings: Iterable[Finding]) -> list[Finding]:
    """Those of the `new` findings that none of the earlier `findings` explains."""
    explained: set[str] = set()
    for finding in findings:
        if finding.severity == FAULT or finding.code in _AS_WARNINGS:
            explained |= EXPLAINS.get(finding.code, frozenset())
    return [finding for finding in new if finding.code not in explained]
