"""What the diagnosis said of a case, compared with what was planted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from dl4j_bridge.diagnostics.findings import Finding
from scoreboard.sounds import Sound

# Findings after which the others need not be named: they are fixed first, and hide what only follows from them.
HIDING = {"rate-mismatch", "unrelated", "length-mismatch"}


class Expected(Protocol):
    """A planted fault of any kind."""

    @property
    def name(self) -> str: ...
    @property
    def code(self) -> str: ...
    @property
    def codes(self) -> frozenset[str]: ...
    @property
    def also(self) -> frozenset[str]: ...


@dataclass(frozen=True)
class Answer:
    """What the diagnosis said of a case.

    Attributes
    ----------
    name
        Name of the case.
    sound, effect, half, fault, strength
        What it is made of; `fault` holds the names of all faults.
    wanted
        The findings that were planted.
    missed
        Those of `wanted` that were neither found nor hidden by another.
    false
        Findings that are not true of the case.
    found
        All findings, in their order.
    harmless
        Whether the fault harms nothing in this recording, so that the case does not count.
    error
        An exception that a check raised.
    evidence, fixes
        The evidence and the fix of each finding.
    seconds
        CPU time of the diagnosis; of trainings, the time that passed.
    advice
        For each finding whose fix could be applied: whether it was gone afterwards, and nothing new had come.
    """

    name: str
    sound: str
    effect: str
    half: str
    fault: str
    strength: str
    wanted: tuple[str, ...]
    missed: tuple[str, ...] = ()
    false: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    harmless: bool = False
    error: str = ""
    evidence: dict[str, Any] | None = None
    fixes: dict[str, str] | None = None
    seconds: float = 0.0
    advice: dict[str, str] | None = None

    @property
    def failed(self) -> bool:
        """Whether anything was missed or wrongly found."""
        return bool(self.missed or self.false or self.error)

    def as_dict(self) -> dict[str, Any]:
        """JSON types only."""
        return asdict(self)


def blank(name: str, sound: Sound, effect: str, faults: Sequence[Expected], strength: str) -> Answer:
    """The answer to a case before anything was found."""
    planted = "+".join(fault.name for fault in faults)
    return Answer(name, sound.name, effect, sound.half, planted, strength, tuple(fault.code for fault in faults))


def compare(
    name: str,
    sound: Sound,
    effect: str,
    faults: Sequence[Expected],
    strength: str,
    findings: Sequence[Finding],
    seconds: float,
) -> Answer:
    """Compare findings with the planted faults: the whole list counts."""
    found = tuple(dict.fromkeys(finding.code for finding in findings))
    right = frozenset[str]().union(*(fault.codes for fault in faults))
    missed = tuple(fault.code for fault in faults if not fault.codes & set(found))
    if HIDING & right & set(found):
        missed = ()
    true = right.union(*(fault.also for fault in faults))
    return Answer(
        **asdict(blank(name, sound, effect, faults, strength))
        | {
            "missed": missed,
            "false": tuple(code for code in found if code not in true),
            "found": found,
            "evidence": {finding.code: finding.evidence for finding in findings},
            "fixes": {finding.code: finding.fix for finding in findings},
            "seconds": seconds,
        }
    )
