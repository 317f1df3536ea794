"""What a check finds: a code, how bad it is, the evidence, and what mends it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

FAULT, WARNING = "fault", "warning"

# Each has a row in docs/diagnostics.md.
CODES = frozenset(
    {
        "rate-mismatch",
        "length-mismatch",
        "misaligned",
        "target-leads",
        "unrelated",
        "polarity-inverted",
        "gain-mismatch",
        "clipped",
        "silence-dominated",
        "dc-offset",
        "too-little-data",
        "quiet-recording",
        "not-one-hot",
        "axis-order",
        "memory-order",
        "signed-bytes",
        "window-overlap",
        "train-valid-leak",
        "parity-broken",
        "gradient-broken",
        "weak-input-scale",
        "non-finite",
        "learning-rate-too-high",
        "learning-rate-too-low",
        "stuck-at-uniform",
        "stuck-at-marginal",
        "slow-learning",
        "overfit",
        "sampling-noise",
        "state-not-carried",
        "noisier-than-baseline",
    }
)


@dataclass(frozen=True)
class Finding:
    """One thing that keeps a network from learning, or its output from being good.

    Attributes
    ----------
    code
        One of `CODES`.
    severity
        ``fault``: the result will be bad until it is mended. ``warning``: worth knowing.
    fix
        The option or the line to change.
    evidence
        The figures that it was concluded from; JSON types only.
    """

    code: str
    severity: str
    fix: str
    evidence: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise ValueError(f"{self.code} is not a code of docs/diagnostics.md")

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Outcome:
    """What one check says.

    Attributes
    ----------
    findings
        Empty for healthy data.
    figures
        What was measured, healthy or not; JSON types only.
    """

    findings: list[Finding] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Check:
    """A check that can be run: its name on the terminal, and the work."""

    name: str
    run: Callable[[], Outcome]
