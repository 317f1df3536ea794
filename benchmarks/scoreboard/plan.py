"""The plan: all cases in their order, a quick part of them, and how one is found by its name."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from scoreboard import batches, cases, retrained, trainings
from scoreboard.answers import Answer
from scoreboard.effects import EFFECTS
from scoreboard.faults import BY_NAME, STRENGTHS
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
    return [*cases.cases(sounds), *batches.cases(sounds), *trainings.cases(sounds), *retrained.cases(sounds)]


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
    """The case of that name; any recording, effect and fault go together, whether or not they do in the plan."""
    planned = {case.name: case for case in everything(sounds)}
    if name in planned:
        return planned[name]
    in_batches = name.startswith("batch/")
    sound, effect, *planted = name.removeprefix("batch/").split("/")
    named = {each.name: each for each in sounds}
    faults, _, strength = planted[0].partition("@") if planted else ("", "", "")
    known = batches.BY_NAME if in_batches else BY_NAME
    wanted = faults.split("+") if faults else []
    if sound not in named or effect not in EFFECTS or not {*wanted} <= {*known} or strength not in ("", *STRENGTHS):
        raise SystemExit(f"error: --case: {name}: no such case (some recordings need --audio)")
    if in_batches:
        return batches.Batches(named[sound], effect, batches.BY_NAME[faults] if faults else None, strength)
    return cases.Planted(named[sound], effect, tuple(BY_NAME[each] for each in wanted), strength)
