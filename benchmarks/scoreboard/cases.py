"""The cases: which fault is planted in which recording behind which effect, and what the diagnosis says of it."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import soundfile

from dl4j_bridge.diagnostics.case import Case
from dl4j_bridge.diagnostics.findings import Finding
from dl4j_bridge.diagnostics.recordings import checks
from dl4j_bridge.settings.training import TrainSettings
from scoreboard.effects import EFFECTS, through
from scoreboard.faults import BY_NAME, FAULTS, STRENGTHS, TOGETHER, Fault
from scoreboard.sounds import Floats, Sound
from scoreboard.take import Take

# Findings after which the others need not be named: they are fixed first, and hide what only follows from them.
HIDING = {"rate-mismatch", "unrelated", "length-mismatch"}
# Every fault at every strength is planted in one recording of this number, another one each time.
EVERY = 2
# Highest rate in the quick part, in Hz, and the shares of healthy and of planted cases in it: one of this number.
QUICK_RATE, QUICK_HEALTHY, QUICK_PLANTED = 16000, 9, 13


@dataclass(frozen=True)
class Planted:
    """A case: a recording, an effect, and faults with their strength; none for a healthy pair."""

    sound: Sound
    effect: str
    faults: tuple[Fault, ...] = ()
    strength: str = ""

    @property
    def name(self) -> str:
        """``recording/effect``, followed by ``/fault+fault@strength`` if there is any."""
        name = f"{self.sound.name}/{self.effect}"
        return f"{name}/{'+'.join(each.name for each in self.faults)}@{self.strength}" if self.faults else name

    def take(self) -> Take | None:
        """Make the recordings; None if a fault harms nothing in them."""
        x = self.sound.samples()
        y = through(self.effect, x, self.sound.rate)
        take: Take | None = Take(x, y, self.sound.rate, self.sound, self.effect, seed=zlib.crc32(self.name.encode()))
        for each in self.faults:
            take = each.planted(take, self.strength) if take else None
        return take


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
        Findings that are not true of the pair.
    found
        All findings, in their order.
    harmless
        Whether the fault harms nothing in this recording, so that the case does not count.
    error
        A check that raised an exception.
    evidence
        The evidence of each finding.
    seconds
        Time of the diagnosis.
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
    seconds: float = 0.0

    @property
    def failed(self) -> bool:
        """Whether anything was missed or wrongly found."""
        return bool(self.missed or self.false or self.error)

    def as_dict(self) -> dict[str, Any]:
        """JSON types only."""
        return asdict(self)


def cases(sounds: list[Sound]) -> Iterator[Planted]:
    """All cases: every healthy pair, then each fault and strength in each recording, then two faults at once."""
    for sound in sounds:
        for effect in EFFECTS:
            yield Planted(sound, effect)
    for number, fault in enumerate(FAULTS):
        for strength in STRENGTHS[: len(set(fault.strengths))]:
            yield from _in_turn(sounds, (fault,), strength, number)
    for number, names in enumerate(TOGETHER):
        yield from _in_turn(sounds, tuple(BY_NAME[name] for name in names), "middle", number)


def _in_turn(sounds: list[Sound], faults: tuple[Fault, ...], strength: str, number: int) -> Iterator[Planted]:
    """Cases of one fault in every other recording, each with another effect."""
    step = STRENGTHS.index(strength)
    for place, sound in enumerate(sounds):
        effects = [effect for effect in EFFECTS if all(fault.suits(sound, effect) for fault in faults)]
        if effects and (place + number + step) % EVERY == 0:
            yield Planted(sound, effects[(5 * number + 3 * place + 7 * step) % len(effects)], faults, strength)


def quick(everything: list[Planted]) -> list[Planted]:
    """About 100 cases that are the same every time, of recordings that do not take long."""
    short = [case for case in everything if case.sound.rate <= QUICK_RATE]
    healthy = [case for case in short if not case.faults]
    planted = [case for case in short if case.faults]
    return healthy[::QUICK_HEALTHY] + planted[::QUICK_PLANTED]


def by_name(name: str, sounds: list[Sound]) -> Planted:
    """The case of that name, whether or not it is among `cases`."""
    sound, effect, *rest = name.split("/")
    named = {each.name: each for each in sounds}
    if sound not in named or effect not in EFFECTS:
        raise SystemExit(f"error: --case: {name}: no such recording or effect (recordings need --audio)")
    if not rest:
        return Planted(named[sound], effect)
    faults, strength = rest[0].split("@")
    return Planted(named[sound], effect, tuple(BY_NAME[each] for each in faults.split("+")), strength)


def answer(case: Planted, keep: Path | None = None) -> Answer:
    """Make the recordings of a case, diagnose them, and compare the findings with what was planted.

    Parameters
    ----------
    case
        The case.
    keep
        Folder in which the two wavs are stored besides, in one of the case's name.
    """
    fault = "+".join(each.name for each in case.faults)
    wanted = tuple(each.code for each in case.faults)
    blank = Answer(case.name, case.sound.name, case.effect, case.sound.half, fault, case.strength, wanted)
    take = case.take()
    if take is None:
        return replace(blank, harmless=True)
    if keep:
        into = keep / case.name.replace("/", "_")
        into.mkdir(parents=True, exist_ok=True)
        stored(take, into)
    with TemporaryDirectory() as folder:
        began = time.perf_counter()
        try:
            findings = diagnose(take, Path(folder))
        except Exception as e:
            # An exception is an answer too: it is counted, and the other cases go on.
            return replace(blank, error=f"{type(e).__name__}: {e}", missed=wanted)
        seconds = time.perf_counter() - began
    found = tuple(finding.code for finding in findings)
    hidden = bool(HIDING & set(found) & set().union(*(each.codes for each in case.faults))) if case.faults else False
    missed = tuple(each.code for each in case.faults if not each.codes & set(found))
    if hidden and len(missed) < len(wanted):
        missed = ()
    right = set().union(*(each.codes | each.also for each in case.faults)) if case.faults else set()
    evidence = {finding.code: finding.evidence for finding in findings}
    return replace(
        blank,
        missed=missed,
        false=tuple(code for code in found if code not in right),
        found=found,
        evidence=evidence,
        seconds=seconds,
    )


def diagnose(take: Take, folder: Path) -> list[Finding]:
    """Store the recordings and run all checks of recordings, as `jobs.diagnose` does: no code comes twice."""
    findings: dict[str, Finding] = {}
    for check in checks(stored(take, folder)):
        for finding in check.run().findings:
            findings.setdefault(finding.code, finding)
    return list(findings.values())


def stored(take: Take, folder: Path) -> Case:
    """Write the two wavs; an input of two channels gets a target of two."""
    paths = folder / "input.wav", folder / "target.wav"
    target = take.sound.subtype if take.sound.subtype != "PCM_U8" else "PCM_16"
    for path, x, subtype in zip(paths, (take.x, take.y), (take.sound.subtype, target), strict=True):
        soundfile.write(path, _channels(x, take.sound.stereo), take.rate, subtype=subtype)
    return Case(*paths, TrainSettings().with_options(take.options))


def _channels(x: Floats, stereo: bool) -> Floats:
    return np.column_stack([x, x]) if stereo else x
