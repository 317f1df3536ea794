"""The cases: which fault is planted in which recording after which effect, and what the diagnosis finds."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import soundfile

from dl4j_bridge.diagnostics.case import Case
from dl4j_bridge.diagnostics.findings import WARNING, Finding
from dl4j_bridge.diagnostics.recordings import checks
from dl4j_bridge.jobs.diagnose import _Suite
from dl4j_bridge.settings.training import TrainSettings
from scoreboard.advice import followed, outcome
from scoreboard.answers import Answer, blank, compare
from scoreboard.effects import DELAYING, EFFECTS, through
from scoreboard.faults import BY_NAME, FAULTS, STRENGTHS, TOGETHER, Fault
from scoreboard.sounds import Floats, Sound
from scoreboard.take import Take

# Every fault at every strength is planted in one recording of this number, another one each time.
EVERY = 2
# Lowest peak of a sound that 8 linear bits are enough for.
LOUD = 0.3


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

    @property
    def words(self) -> set[str]:
        """What `--only` may name."""
        planted = {word for each in self.faults for word in (each.name, each.code)} | {self.strength}
        return {"recordings", self.sound.name, self.effect} | (planted if self.faults else {"healthy"})

    def answer(self, keep: Path | None = None, advice: bool = False) -> Answer:
        """Make the recordings, diagnose them, and compare the findings with what was planted.

        Parameters
        ----------
        keep
            Folder in which the two wavs are stored besides, in one of the case's name.
        advice
            Whether to apply the fix of each right finding, and to diagnose again.
        """
        about = self.name, self.sound, self.effect, self.faults, self.strength
        take = self.take()
        if take is None:
            return replace(blank(*about), harmless=True)
        if keep:
            into = keep / self.name.replace("/", "_")
            into.mkdir(parents=True, exist_ok=True)
            stored(take, into)
        began = time.process_time()
        try:
            findings = diagnose(take)
        except Exception as e:
            # An exception is an answer too: it is counted, and the other cases go on.
            empty = blank(*about)
            return replace(empty, error=f"{type(e).__name__}: {e}", missed=empty.wanted)
        answer = compare(*about, findings, time.process_time() - began)
        if self.effect in DELAYING:
            # That there is a delay, which does no harm, is true of these.
            notes = {finding.code for finding in findings if finding.severity == WARNING} & {"misaligned"}
            answer = replace(answer, false=tuple(code for code in answer.false if code not in notes))
        return replace(answer, advice=self._advice(take, findings)) if advice else answer

    def _advice(self, take: Take, findings: list[Finding]) -> dict[str, str]:
        """What becomes of each finding that is right if its fix is followed."""
        found = tuple(finding.code for finding in findings)
        outcomes = {}
        for finding in findings:
            after = followed(finding, take) if any(finding.code in each.codes for each in self.faults) else None
            if after:
                outcomes[finding.code] = outcome(finding.code, found, tuple(each.code for each in diagnose(after)))
        return outcomes


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


def diagnose(take: Take) -> list[Finding]:
    """Store the recordings and run all checks of recordings as `diagnose` does."""
    # The job itself hides what follows from an earlier finding; its other checks would start Java.
    suite = _Suite(lambda name, passed, share: None)
    with TemporaryDirectory() as folder:
        suite.run(checks(stored(take, Path(folder))))
    return suite.findings


def stored(take: Take, folder: Path) -> Case:
    """Write the two wavs; an input of two channels gets a target of two."""
    paths = folder / "input.wav", folder / "target.wav"
    # A quiet sound in 8 bits would be another fault.
    coarse = take.sound.subtype == "PCM_U8"
    source = "PCM_16" if coarse and np.abs(take.x).max() < LOUD else take.sound.subtype
    for path, x, subtype in zip(paths, (take.x, take.y), (source, "PCM_16" if coarse else source), strict=True):
        soundfile.write(path, _channels(x, take.sound.stereo), take.rate, subtype=subtype)
    return Case(*paths, TrainSettings().with_options(take.options))


def _channels(x: Floats, stereo: bool) -> Floats:
    return np.column_stack([x, x]) if stereo else x
