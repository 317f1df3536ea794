"""What a check finds: a code, how bad it is, the evidence, and what mends it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

FAULT, WARNING = "fault", "warning"


@dataclass(frozen=True)
class Finding:
    """One thing that keeps a network from learning, or its output from being good.

    Attributes
    ----------
    code
        One of those in ``docs/diagnostics.md``.
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
