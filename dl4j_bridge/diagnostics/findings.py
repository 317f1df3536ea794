"""What a check finds: a code, its severity, the evidence, and how to fix it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from dl4j_bridge.diagnostics import explanations
from dl4j_bridge.diagnostics.evidence import in_words
from dl4j_bridge.tasks.shown import Excerpt

if TYPE_CHECKING:
    from dl4j_bridge.diagnostics.pair_plots import PairPlots

FAULT, WARNING = "fault", "warning"
# The ESR from which on what costs it is a fault (`Kind.at`).
FAULT_ESR = 0.02


@dataclass(frozen=True)
class Finding:
    """One thing that keeps a network from learning, or its output from being good.

    Attributes
    ----------
    code
        Code of the finding, described in docs/diagnostics.md.
    severity
        ``fault``: the result will be bad until it is fixed. ``warning``: worth knowing.
    fix
        The option or the line to change.
    evidence
        The figures that it was concluded from; JSON types only.
    changes
        Options of `train` that fix it, by name of field; empty if no option does.
    command
        The command that fixes it, with the user's own paths; None if no command does, or if they are not known.
    """

    code: str
    severity: str
    fix: str
    evidence: dict[str, Any] = field(default_factory=dict)
    changes: dict[str, Any] = field(default_factory=dict)
    command: str | None = None

    @property
    def meaning(self) -> str:
        """What it means, in one sentence."""
        return explanations.meaning(self.code)

    @property
    def facts(self) -> list[str]:
        """The evidence in words, with units."""
        return in_words(self.code, self.evidence)

    @property
    def docs(self) -> str:
        """Where to read more about it."""
        return explanations.link(self.code)

    def as_dict(self) -> dict[str, Any]:
        """All of it; JSON types only."""
        shown = ("code", "severity", "meaning", "evidence", "facts", "fix", "command", "docs")
        return {name: getattr(self, name) for name in shown}


@dataclass(frozen=True)
class Outcome:
    """The result of one check.

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
class Kind:
    """A kind of finding. A module of this package declares each one that its check makes, as a global.

    Attributes
    ----------
    code
        Code of the finding. It has a row in docs/diagnostics.md.
    severity
        ``fault`` or ``warning``.
    """

    code: str
    severity: str = FAULT

    def at(self, esr: float) -> Self:
        """Return this kind if it costs an ESR of `FAULT_ESR` or more, and otherwise a warning of the same code."""
        return self if esr >= FAULT_ESR else replace(self, severity=WARNING)

    def found(self, fix: str, evidence: dict[str, Any], **changes: Any) -> Finding:
        """Make a finding of this kind; parameters as of `Finding`."""
        return Finding(self.code, self.severity, fix, evidence, changes)

    def outcome(
        self, found: bool, fix: str, evidence: dict[str, Any], figures: dict[str, Any], **changes: Any
    ) -> Outcome:
        """Make the outcome of a check that can find this alone; without the finding if not `found`."""
        return Outcome([self.found(fix, evidence, **changes)] if found else [], figures)


@dataclass(frozen=True)
class Check:
    """A check that can be run: its name on the terminal, and the work."""

    name: str
    run: Callable[[], Outcome]


@dataclass(frozen=True)
class Diagnosis:
    """The result of all checks.

    Attributes
    ----------
    verdict
        ``fault`` if there is a finding of that severity, else ``ok``.
    findings
        In the order in which they should be fixed; none has the code of an earlier one.
    checks
        ``name``, ``passed`` and ``seconds`` of each check that was run.
    figures
        What each check measured, by its name.
    next
        What to do now: a command, or a sentence.
    notes
        What the user should know beside the findings.
    title
        Title of the report.
    excerpt
        The stretch to listen to; None if no recording was given, and no report is to be written.
    part
        Where the excerpt was taken from, in words.
    class_counts : dict of ndarray of int, shape (256,)
        How often each class occurs in ``input`` and ``target``; None if the network's output has no classes.
    plots
        What the report plots of the pair, if it plots any of it.
    settings, versions
        What the checks were run with.
    bounds
        With a model, in words, as far as they are known: its ESR beside the best possible one of the pair, and what
        more steps can gain.
    """

    verdict: str
    findings: list[Finding]
    checks: list[dict[str, Any]]
    figures: dict[str, dict[str, Any]]
    next: str
    notes: list[str] = field(default_factory=list)
    title: str = ""
    excerpt: Excerpt | None = None
    part: str = ""
    class_counts: dict[str, npt.NDArray[np.integer]] | None = None
    plots: PairPlots | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    bounds: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """The part that is printed, in JSON types only."""
        findings = [finding.as_dict() for finding in self.findings]
        return {
            "verdict": self.verdict,
            "findings": findings,
            "checks": self.checks,
            "bounds": self.bounds,
            "notes": self.notes,
            "next": self.next,
        }


def codes() -> frozenset[str]:
    """Codes of all findings, collected from the modules of this package."""
    package = importlib.import_module(__package__)
    names = [module.name for module in pkgutil.walk_packages(package.__path__, f"{__package__}.")]
    values = (value for name in names for value in vars(importlib.import_module(name)).values())
    return frozenset(value.code for value in values if isinstance(value, Kind))
