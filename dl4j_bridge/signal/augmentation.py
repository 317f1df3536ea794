"""Altered copies of a pair's training part, by the optional package audiomentations.

Both sides get the same change with the same random numbers, as float samples before a task makes anything of them.
Noise alone is for the input only. What a change does to which effect: docs/small-data.md.
"""

from __future__ import annotations

import importlib
import math
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from dl4j_bridge.errors import InputError
from dl4j_bridge.settings.training import SmallDataSettings
from dl4j_bridge.signal.pairs import Pair
from dl4j_bridge.signal.recordings import InMemory, Samples

# dB. Louder only as far as no sample is clipped.
GAIN = (-12.0, 6.0)
# Share of the training part by which both sides begin later, behind silence.
LONGEST_SHIFT = 0.1
# As a tape that runs slower or faster: pitch, filters and times change together.
SPEED = (0.8, 1.25)
# dB below the input.
SNR = (30.0, 50.0)

# Of which effects a change of both sides makes a true pair again.
_HOLDS_FOR = {
    "speed": "a curve without memory; a filter, an echo or a compressor becomes another one",
    "gain": "what is linear, such as a filter or a reverb; an overdrive or a compressor becomes another one",
    "polarity": "what treats both halves of the wave alike; a lopsided overdrive becomes another one",
    "noise": "learning to leave noise out: the target has none",
}


def check(settings: SmallDataSettings) -> None:
    """Say before any work whether the copies that are asked for can be made.

    Raises
    ------
    InputError
        audiomentations is not installed.
    """
    if settings.changes:
        _transforms()


def notes(pairs: list[Pair], settings: SmallDataSettings) -> list[str]:
    """What the user should know of the changes, where the recordings show an effect."""
    if not any(pair.target and pair.target.sha256() != pair.input.sha256() for pair in pairs):
        return []
    return [f"--augment {name}: right for {_HOLDS_FOR[name]}" for name in settings.changes if name in _HOLDS_FOR]


def copies(pair: Pair, end: int, settings: SmallDataSettings, seed: tuple[int, ...]) -> Iterator[tuple[Pair, Pair]]:
    """Make altered copies of the front of a pair.

    Parameters
    ----------
    pair
        The recordings.
    end
        Samples at the pair's rate, delay cut out, that may be used: the training part.
    settings
        Which changes, and how many copies.
    seed
        The same seed gives the same copies.

    Yields
    ------
    heard, learnt : Pair
        Recordings in memory without a delay. The first gives the network's input, the second what is to come out;
        the same object unless noise is added.
    """
    if not settings.changes:
        return
    sides = [pair.input.read(pair.rate, pair.input_start, end)]
    if pair.target:
        sides.append(pair.target.read(pair.rate, pair.target_start, end))
    for number in range(settings.augment_copies):
        with _seeded((*seed, number)):
            altered = sides
            for name in settings.changes:
                if name != "noise":
                    altered = _alike(_transform(name, altered, pair.rate), altered, pair.rate)
            learnt = _pair(pair, altered)
            if "noise" not in settings.changes:
                yield learnt, learnt
                continue
            noisy = _transform("noise", altered, pair.rate)(altered[0], pair.rate)
            yield _pair(pair, [noisy, *altered[1:]]), learnt


def _transform(name: str, sides: list[Samples], rate: int) -> Any:
    library = _transforms()
    if name == "gain":
        peak = max(float(np.abs(side).max()) for side in sides)
        loudest = min(GAIN[1], -20 * math.log10(max(peak, 1e-9)))
        return library.Gain(min(GAIN[0], loudest), loudest, p=1.0)
    if name == "polarity":
        return library.PolarityInversion(p=0.5)
    if name == "shift":
        return library.Shift(0.0, LONGEST_SHIFT, "fraction", rollover=False, fade_duration=0.0, p=1.0)
    if name == "speed":
        return library.Resample(round(rate / SPEED[1]), round(rate / SPEED[0]), p=1.0)
    return library.AddGaussianSNR(*SNR, p=1.0)


def _alike(transform: Any, sides: list[Samples], rate: int) -> list[Samples]:
    """Change each side with the random numbers that the first one drew."""
    changed = [transform(sides[0], rate)]
    transform.freeze_parameters()
    return changed + [transform(side, rate) for side in sides[1:]]


def _pair(of: Pair, sides: list[Samples]) -> Pair:
    """Put changed sides where the recordings were."""
    source = InMemory.of(sides[0], of.rate, of.input)
    target = InMemory.of(sides[1], of.rate, of.target) if of.target else None
    return replace(of, input=source, target=target, delay=0, length=source.frames)


@contextmanager
def _seeded(seed: tuple[int, ...]) -> Iterator[None]:
    """Seed the two global generators that audiomentations draws from, and put them back."""
    number = int(np.random.SeedSequence(seed).generate_state(1)[0])
    before, before_numpy = random.getstate(), np.random.get_state()
    random.seed(number)
    np.random.seed(number)
    try:
        yield
    finally:
        random.setstate(before)
        np.random.set_state(before_numpy)


def _transforms() -> Any:
    try:
        return importlib.import_module("audiomentations")
    except ImportError:
        wanted = "run: pip install 'dl4j_bridge[augment]'"
        raise InputError("--augment", "needs audiomentations, which is not installed", wanted) from None
