"""A pair of signals: checks, delay, split, windows. Knows no codec."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy.typing as npt

from dl4j_bridge.errors import InputError
from dl4j_bridge.settings.training import DataSettings, parse_align
from dl4j_bridge.signal import alignment
from dl4j_bridge.signal.recordings import Recording, open_recording

# Longest delay that `--align auto` looks for.
LONGEST_DELAY_SECONDS = 1.0

# The difference between two lengths, as a share of the longer one and in seconds (the smaller of the two), from which
# they count as two different recordings. Effects have tails; the delay is added.
LENGTH_TOLERANCE_SHARE = 0.1
LENGTH_TOLERANCE_SECONDS = 0.5
# Shares of a recording for training, validation and test, each in one piece.
SPLIT = (0.8, 0.1, 0.1)

Split = dict[str, tuple[int, int]]
# Input and target: class indices, uint8 of shape (n,), or vectors, float32 of shape (n, width).
Stretch = tuple[npt.NDArray[Any], npt.NDArray[Any]]


@dataclass(frozen=True)
class Pair:
    """Two recordings brought together, or one alone.

    Attributes
    ----------
    input, target
        The recordings; without a target the next sample of the input is to be predicted.
    rate
        Training rate in Hz.
    delay
        Samples (at `rate`) by which the target comes later; cut out of training and put back by `process`.
    confidence
        Of an estimated delay, 0 to 1; None if it was given.
    length
        Samples that both have once the delay is cut out.
    notes
        What the user should know.
    """

    input: Recording
    target: Recording | None
    rate: int
    delay: int
    confidence: float | None
    length: int
    notes: tuple[str, ...] = field(default=())

    @property
    def input_start(self) -> int:
        """First sample of the input that has a partner."""
        return max(-self.delay, 0)

    @property
    def target_start(self) -> int:
        """First sample of the target that has a partner."""
        return max(self.delay, 0)


def open_pair(input_path: Path, target_path: Path | None, settings: DataSettings) -> Pair:
    """Open, check and align two recordings.

    Raises
    ------
    InputError
        A recording cannot be used (`open_recording`), or the lengths differ by more than the delay explains.
    """
    source = open_recording(input_path, settings.channel)
    rate = settings.rate or source.rate
    notes = [*source.notes, *_resampling_note(source, rate)]
    if target_path is None:
        return Pair(source, None, rate, 0, None, source.length_at(rate), tuple(notes))
    target = open_recording(target_path, settings.channel)
    notes += [*target.notes, *_resampling_note(target, rate)]
    fixed = parse_align(settings.align)
    confidence = None
    if fixed is None:
        found = estimate(source, target, rate)
        delay, confidence = found.samples, found.confidence
        if confidence < alignment.LOW_CONFIDENCE:
            delay = 0
            notes.append(
                f"{target_path}: no delay stands out (confidence {confidence:.2f}); taking 0, "
                "use --align N if you know better"
            )
        elif delay:
            notes.append(f"{target_path}: {_delay_words(delay, rate)} (confidence {confidence:.2f}); cut out")
        elif found.peak:
            notes.append(f"{target_path}: starts with the input; its filter lags by {found.peak} samples, left in")
    else:
        delay = fixed
    length = _common_length(source, target, rate, delay)
    return Pair(source, target, rate, delay, confidence, length, tuple(notes))


def estimate(source: Recording, target: Recording, rate: int) -> alignment.Delay:
    """Estimate the delay on a stretch around the input's loudest place."""
    total = source.length_at(rate)
    loudest = source.loudest * rate // source.rate
    start = max(min(loudest - alignment.STRETCH // 2, total - alignment.STRETCH), 0)
    x = source.read(rate, start, alignment.STRETCH)
    y = target.read(rate, start, alignment.STRETCH)
    return alignment.estimate_delay(x, y, round(LONGEST_DELAY_SECONDS * rate))


def split(length: int) -> Split:
    """Cut 0..length into contiguous stretches for training, validation and test."""
    first = int(length * SPLIT[0])
    second = int(length * (SPLIT[0] + SPLIT[1]))
    return {"train": (0, first), "valid": (first, second), "test": (second, length)}


def part_of(length: int, name: str) -> slice:
    """Time steps of the ``train``, ``valid`` or ``test`` part of a signal of `length` time steps."""
    return slice(*split(length)[name])


def part(stretch: Stretch, name: str) -> Stretch:
    """Input and target of the ``train``, ``valid`` or ``test`` part; views."""
    where = part_of(len(stretch[0]), name)
    return stretch[0][where], stretch[1][where]


def check_long_enough(pair: Pair, window: int, hop: int = 1) -> None:
    """Refuse a recording whose training part holds not one window of `window` time steps of `hop` samples.

    Raises
    ------
    InputError
        Names the length found and the one wanted.
    """
    # Predicting the next sample, the last one has no target.
    wanted = (max(-(-window * 10 // 8), 10) + (pair.target is None)) * hop
    if pair.length < wanted:
        instead = f"a shorter --length than {window}"
        if hop > 1:
            fits = split(pair.length // hop - (pair.target is None))["train"][1]
            # A validation and a test part take a frame each.
            instead = f"--length {fits} --tbptt {fits}" if fits > 1 else f"shorter time steps than {hop} samples"
        raise InputError(
            pair.input.path, f"{pair.length} samples at {pair.rate} Hz", f"wanted {wanted} or more, or {instead}"
        )


def length_tolerance(x: int, y: int, rate: int) -> int:
    """Samples by which two recordings of `x` and `y` samples at `rate` Hz may differ, their delay apart."""
    return min(round(LENGTH_TOLERANCE_SECONDS * rate), round(LENGTH_TOLERANCE_SHARE * max(x, y)))


def _common_length(source: Recording, target: Recording, rate: int, delay: int) -> int:
    x, y = source.length_at(rate), target.length_at(rate)
    if abs(delay) >= min(x, y):
        raise InputError("--align", f"{delay}, but the recordings have {x} and {y} samples", "wanted a smaller delay")
    if abs(y - x) > abs(delay) + length_tolerance(x, y, rate):
        raise InputError(
            target.path,
            f"{y} samples at {rate} Hz against the input's {x}, more than a delay of {delay} explains",
            "wanted two recordings of the same length: cut the longer one",
        )
    return min(x - max(-delay, 0), y - max(delay, 0))


def _resampling_note(recording: Recording, rate: int) -> list[str]:
    return [f"{recording.path}: {recording.rate} Hz, resampled to {rate} Hz"] if recording.rate != rate else []


def _delay_words(delay: int, rate: int) -> str:
    return (
        f"{abs(delay)} samples ({1000 * abs(delay) / rate:.1f} ms) {'later' if delay > 0 else 'earlier'} than the input"
    )
