"""Altered copies of the training part of a pair, made by the optional package audiomentations.

Input and target get the same change with the same random numbers, as float samples before a task encodes them. Only
noise is for the input alone. docs/small-data.md has a table of which change is valid for which effect.
"""

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

# In dB; the upper limit is reduced so that no sample is clipped.
GAIN = (-12.0, 6.0)
# Maximum length of the silence before both sides, as a share of the training part.
LONGEST_SHIFT = 0.1
# Factor on the speed, as of a tape: pitch, filters and times change together.
SPEED = (0.8, 1.25)
# Level of the noise, in dB below the input.
SNR = (30.0, 50.0)

# Effects that turn the changed input into the changed target.
_VALID_FOR = {
    "speed": "a curve without memory, but not for a filter, an echo or a compressor",
    "gain": "a linear effect such as a filter or a reverb, but not for an overdrive or a compressor",
    "polarity": "an effect that treats both halves of the wave alike, but not for an asymmetric overdrive",
    "noise": "learning to remove noise, because the target has none",
}


def check(settings: SmallDataSettings) -> None:
    """Check, before any work is done, that the requested copies can be made.

    Raises
    ------
    InputError
        If copies are requested and audiomentations is not installed.
    """
    if settings.changes:
        _transforms()


def notes(pairs: list[Pair], settings: SmallDataSettings) -> list[str]:
    """Return notes on which effects the changes are valid for; none if the targets equal the inputs."""
    if not any(pair.target and pair.target.sha256() != pair.input.sha256() for pair in pairs):
        return []
    return [f"--augment {name}: valid for {_VALID_FOR[name]}" for name in settings.changes if name in _VALID_FOR]


def copies(pair: Pair, end: int, settings: SmallDataSettings, seed: tuple[int, ...]) -> Iterator[tuple[Pair, Pair]]:
    """Make altered copies of the training part of a pair.

    Parameters
    ----------
    pair
        Recordings to copy.
    end
        Length of the training part, in samples at the rate of the pair, with the delay cut out.
    settings
        Changes to make and number of copies.
    seed
        Seed of the random numbers; equal seeds give equal copies.

    Yields
    ------
    source, target : Pair
        Recordings in memory without a delay: the first for the input of the network, the second for its target. Both
        are the same object unless noise is added.
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
            source = target = _pair(pair, altered)
            if "noise" in settings.changes:
                noisy = _transform("noise", altered, pair.rate)(altered[0], pair.rate)
                source = _pair(pair, [noisy, *altered[1:]])
            yield source, target


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
    """Apply a transform to each side with the same random parameters."""
    changed = [transform(sides[0], rate)]
    transform.freeze_parameters()
    return changed + [transform(side, rate) for side in sides[1:]]


def _pair(of: Pair, sides: list[Samples]) -> Pair:
    """Replace the recordings of a pair by arrays."""
    source = InMemory.of(sides[0], of.rate, of.input)
    target = InMemory.of(sides[1], of.rate, of.target) if of.target else None
    return replace(of, input=source, target=target, delay=0, length=source.frames)


@contextmanager
def _seeded(seed: tuple[int, ...]) -> Iterator[None]:
    """Seed the two global generators that audiomentations uses, and restore their states afterwards."""
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
