"""The plan: all cases in their order, a quick part of them, and how one is found by its name."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from scoreboard import batches, cases, trainings
from scoreboard.answers import Answer
from scoreboard.effects import EFFECTS
from scoreboard.faults import BY_NAME
from scoreboard.sounds import Sound

# Highest rate in the quick part, in Hz, and the shares in it of pairs and of batches, healthy and planted: one case of
# this number.
QUICK_RATE, QUICK_EVERY = 16000, {("pair", True): 11, ("pair", False): 17, ("batch", True): 9, ("batch", False): 13}


class AnyCase(Protocol):
    """A case of pairs, of batches or of trainings."""

    @property
    def name(self) -> str: ...
    @property
    def sound(self) -> Sound: ...
    @property
    def words(self) -> set[str] | frozenset[str]: ...
    def answer(self, keep: Path | None = None, advice: bool = False) -> Answer: ...


def everything(sounds: list[Sound]) -> list[AnyCase]:
    """All cases of these recordings, always in the same order."""
    return [*cases.cases(sounds), *batches.cases(sounds), *trainings.cases(sounds)]


def quick(chosen: list[AnyCase]) -> list[AnyCase]:
    """About 100 cases that are the same every time, of recordings that do not take long."""
    counts = dict.fromkeys(QUICK_EVERY, 0)
    result = []
    for case in chosen:
        kind = ("batch" if "batch" in case.words else "pair", "healthy" in case.words)
        if case.sound.rate <= QUICK_RATE and "training" not in case.words:
            if counts[kind] % QUICK_EVERY[kind] == 0:
                result.append(case)
            counts[kind] += 1
    return result


def by_name(name: str, sounds: list[Sound]) -> AnyCase:
    """The case of that name; a pair need not be in the plan."""
    for case in everything(sounds):
        if case.name == name:
            return case
    sound, effect, *rest = name.split("/")
    named = {each.name: each for each in sounds}
    if sound not in named or effect not in EFFECTS:
        raise SystemExit(f"error: --case: {name}: no such case (some recordings need --audio)")
    if not rest:
        return cases.Planted(named[sound], effect)
    faults, strength = rest[0].split("@")
    return cases.Planted(named[sound], effect, tuple(BY_NAME[each] for each in faults.split("+")), strength)
