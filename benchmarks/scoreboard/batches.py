"""Faults of somebody's tensors, planted in batches as a `DataSetIterator` would make them; no Java is needed."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal
from unittest import mock

import numpy as np
import numpy.typing as npt

from dl4j_bridge.diagnostics.findings import Finding
from dl4j_bridge.diagnostics.handover import inspect, own
from dl4j_bridge.signal.codecs import CLASSES, LINEAR, MULAW
from scoreboard import harm
from scoreboard.answers import Answer, blank, compare
from scoreboard.cases import LOUD
from scoreboard.effects import late, through
from scoreboard.faults import HARM, STRENGTHS
from scoreboard.sounds import Sound

Classes = npt.NDArray[np.integer]
Values = npt.NDArray[np.floating]
# Features and labels, and what the labels are.
Made = tuple[Values, Values, str]

WINDOWS, TIME, LONG = 10, 250, 1000
# Level of a window that has sound, relative to the loudest one.
SOUND = 0.1
# Effects of healthy batches, and of faults in batches with a target.
EFFECTS = ("identity", "soft", "one-pole")
# Recordings that are too smooth or too regular for a shift to show or to matter.
SMOOTH = frozenset({"slow-sweep", "sweep-8k"})


@dataclass(frozen=True)
class Source:
    """Classes of a recording and of its target, and where windows begin."""

    dry: Classes
    wet: Classes
    starts: Classes
    seed: int

    def windows(self, side: Classes, shift: int = 0, time: int = TIME) -> Classes:
        """Windows of one side, `shift` samples later; shape (windows, time)."""
        return np.asarray(side[self.starts[:, None] + shift + np.arange(time)])

    def some(self, count: float) -> npt.NDArray[np.intp]:
        """Places among all samples of a batch."""
        return np.random.default_rng(self.seed).permutation(self.starts.size * TIME)[: int(count)]

    def lead_harm(self, lead: float) -> float:
        """ESR of the best causal filter for labels that lead by this number of samples."""
        wet = self.wet - self.wet.mean()
        return harm.unexplained(wet, late(wet, -int(lead)), 0)


def one_hot(indices: Classes) -> Values:
    """Shape (batch, 256, time), in 'c' order."""
    values = np.zeros((indices.shape[0], CLASSES, indices.shape[1]), np.float32)
    batch, at = np.indices(indices.shape)
    values[batch, indices, at] = 1
    return values


@dataclass(frozen=True)
class BatchFault:
    """A fault of batches; the fields are those of `faults.Fault`."""

    name: str
    code: str
    plant: Callable[[Source, float], Made]
    strengths: tuple[float, float, float] = (1, 1, 1)
    but: frozenset[str] = frozenset()

    also: frozenset[str] = frozenset()

    @property
    def codes(self) -> frozenset[str]:
        """All findings that count as right."""
        return frozenset({self.code})


def _next(s: Source) -> tuple[Classes, Classes]:
    return s.windows(s.dry), s.windows(s.dry, 1)


def _holes(value: float) -> Callable[[Source, float], Made]:
    """Samples without a 1, with two, or with another number."""

    def plant(s: Source, count: float) -> Made:
        x, y = _next(s)
        features = one_hot(x)
        row, at = np.divmod(s.some(count), TIME)
        if value == 2:
            features[row, (x[row, at] + 9) % CLASSES, at] = 1
        else:
            features[row, x[row, at], at] = value
        return features, one_hot(y), "next"

    return plant


def _axes(order: tuple[int, int, int]) -> Callable[[Source, float], Made]:
    def plant(s: Source, _: float) -> Made:
        features, labels = (one_hot(side).transpose(order) for side in _next(s))
        return features, labels, "next"

    return plant


def _memory(written: Literal["C", "F"], read: Literal["C", "F"]) -> Callable[[Source, float], Made]:
    def plant(s: Source, _: float) -> Made:
        values = [one_hot(side) for side in _next(s)]
        features, labels = (v.ravel(written).reshape(v.shape, order=read) for v in values)
        return features, labels, "next"

    return plant


def _time_by_time(s: Source, _: float) -> Made:
    features, labels = (one_hot(side).transpose(0, 2, 1).ravel().reshape(-1, CLASSES, TIME) for side in _next(s))
    return features, labels, "next"


def _signed(sides: str) -> Callable[[Source, float], Made]:
    """The amount is the number of samples in the batch."""

    def plant(s: Source, count: float) -> Made:
        rows = max(int(count) // TIME, 1)
        x, y = (side[:rows, : int(count)] for side in _next(s))
        features, labels = (one_hot(side ^ 128 if name in sides else side) for side, name in ((x, "x"), (y, "y")))
        return features, labels, "next"

    return plant


def _overlap(s: Source, hop: float) -> Made:
    """Longer windows that begin that share of their length apart."""
    starts = s.starts[0] + np.arange(2 * WINDOWS) * int(hop * LONG)
    near = replace(s, starts=starts - max(int(starts[-1]) + LONG + 1 - s.dry.size, 0))
    return one_hot(near.windows(s.dry, 0, LONG)), one_hot(near.windows(s.dry, 1, LONG)), "next"


def _copies(sign: int) -> Callable[[Source, float], Made]:
    """The labels are the features, moved."""
    return lambda s, a: (one_hot(s.windows(s.dry)), one_hot(s.windows(s.dry, sign * int(a))), "target")


def _effects(sign: int) -> Callable[[Source, float], Made]:
    """The labels are the target, moved."""
    return lambda s, a: (one_hot(s.windows(s.dry)), one_hot(s.windows(s.wet, sign * int(a))), "target")


def _unmoved(s: Source, _: float) -> Made:
    values = one_hot(s.windows(s.dry))
    return values, values, "next"


def _silent(s: Source, share: float) -> Made:
    x, y = (side.copy() for side in _next(s))
    for side in (x, y):
        side.flat[s.some(share * side.size)] = CLASSES // 2
    return one_hot(x), one_hot(y), "next"


FAULTS = [
    BatchFault("no-one", "not-one-hot", _holes(0), (500, 20, 1)),
    BatchFault("two-ones", "not-one-hot", _holes(2), (500, 20, 1)),
    BatchFault("halves", "not-one-hot", _holes(0.5), (500, 20, 1)),
    BatchFault("classes-last", "axis-order", _axes((0, 2, 1))),
    BatchFault("classes-first", "axis-order", _axes((1, 0, 2))),
    BatchFault("time-first", "axis-order", _axes((2, 1, 0)), but=frozenset({"white-noise", "pink-noise"})),
    BatchFault("c-as-f", "memory-order", _memory("C", "F")),
    BatchFault("f-as-c", "memory-order", _memory("F", "C")),
    BatchFault("time-by-time", "memory-order", _time_by_time),
    BatchFault("signed-features", "signed-bytes", _signed("x"), (2500, 750, 250), frozenset({"white-noise"})),
    BatchFault("signed-labels", "signed-bytes", _signed("y"), (2500, 750, 250), frozenset({"white-noise"})),
    BatchFault("signed-both", "signed-bytes", _signed("xy"), (2500, 750, 250), frozenset({"white-noise"})),
    BatchFault("overlap", "window-overlap", _overlap, (0.04, 0.3, 0.6), SMOOTH),
    BatchFault("late-copy", "misaligned", _copies(-1), (30, 6, 1)),
    BatchFault("early-copy", "target-leads", _copies(1), (20, 4, 1)),
    BatchFault("late-labels", "misaligned", _effects(-1), (40, 24, 16), SMOOTH),
    BatchFault("early-labels", "target-leads", _effects(1), (14, 8, 4), SMOOTH),
    BatchFault("same-labels", "misaligned", _unmoved),
    BatchFault("silent", "silence-dominated", _silent, (1.0, 0.998, 0.992)),
]
BY_NAME = {each.name: each for each in FAULTS}


@dataclass(frozen=True)
class Batches:
    """A case of batches: a recording, an effect, and a fault with its strength; None if healthy."""

    sound: Sound
    effect: str
    fault: BatchFault | None = None
    strength: str = ""

    @property
    def name(self) -> str:
        name = f"batch/{self.sound.name}/{self.effect}"
        return f"{name}/{self.fault.name}@{self.strength}" if self.fault else name

    @property
    def words(self) -> set[str]:
        """What `--only` may name."""
        planted = {self.fault.name, self.fault.code, self.strength} if self.fault else {"healthy"}
        return planted | {"batch", self.sound.name, self.effect}

    def answer(self, keep: Path | None = None, advice: bool = False) -> Answer:
        """Make the batches, inspect them, and compare the findings with what was planted."""
        source = self._source()
        faults = [self.fault] if self.fault else []
        if self.fault and self.fault.name == "early-labels" and source.lead_harm(self._amount) < HARM[1]:
            return replace(blank(self.name, self.sound, self.effect, faults, self.strength), harmless=True)
        if self.fault:
            made = self.fault.plant(source, self._amount)
        else:
            made = one_hot(source.windows(source.dry)), one_hot(source.windows(source.wet)), "target"
        began = time.process_time()
        findings = inspect(*made)
        seconds = time.process_time() - began
        answer = compare(self.name, self.sound, self.effect, faults, self.strength, findings, seconds)
        # Windows of a loop do repeat each other.
        repeated = {"window-overlap"} if self.sound.repeats else set()
        return replace(answer, false=tuple(code for code in answer.false if code not in repeated))

    @property
    def _amount(self) -> float:
        assert self.fault is not None
        return self.fault.strengths[STRENGTHS.index(self.strength)]

    def _source(self) -> Source:
        """Windows with sound, as far as there are any, away from the ends."""
        x = self.sound.samples()
        codec = LINEAR if np.abs(x).max() >= LOUD else MULAW
        dry, wet = (codec.encode(side).astype(np.int64) for side in (x, through(self.effect, x, self.sound.rate)))
        seed = zlib.crc32(self.name.encode())
        places = np.arange(64, x.size - TIME - 64, TIME)
        levels = np.array([x[start : start + TIME].std() for start in places])
        starts = np.random.default_rng(seed).permutation(places[levels > SOUND * levels.max()])[:WINDOWS]
        return Source(dry, wet, starts, seed)


@dataclass(frozen=True)
class Leak:
    """Our own windows, with a split that has been broken on purpose."""

    sound: Sound
    name = "batch/leak"
    words = frozenset({"batch", "train-valid-leak"})

    def answer(self, keep: Path | None = None, advice: bool = False) -> Answer:
        x = LINEAR.encode(self.sound.samples())
        fault = BatchFault("leak", "train-valid-leak", _unmoved)
        findings: list[Finding] = []
        with mock.patch.object(own, "part", lambda stretch, name: stretch):
            for check in own.checks(x, x, 1000, 8, 50, 1):
                if "split" in check.name:
                    findings += check.run().findings
        return compare(self.name, self.sound, "identity", [fault], "obvious", findings, 0.0)


def cases(sounds: list[Sound]) -> Iterator[Batches | Leak]:
    """Healthy batches of every recording, then each fault at each strength in a third of them."""
    yield Leak(sounds[0])
    for sound in sounds:
        for effect in EFFECTS:
            yield Batches(sound, effect)
    for number, fault in enumerate(FAULTS):
        for step, strength in enumerate(STRENGTHS[: len(set(fault.strengths))]):
            for place, sound in enumerate(sounds):
                if (place + number + step) % 3 == 0 and sound.name not in fault.but:
                    yield Batches(sound, EFFECTS[(place + step) % len(EFFECTS)], fault, strength)
