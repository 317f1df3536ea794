"""Pairs of recordings: checks, delay and split; independent of the codec."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge.errors import InputError
from dl4j_bridge.settings.training import DataSettings, parse_align
from dl4j_bridge.signal import alignment
from dl4j_bridge.signal.folders import is_large, open_folder
from dl4j_bridge.signal.recordings import SMALL_BLOCK, Recording, open_recording

# Maximum delay that `--align auto` looks for at first.
LONGEST_DELAY_SECONDS = 1.0
# Unless a delay stands out this far, it looks for a longer one in a stretch of this length, up to this share of it.
# With that number of lags, two notes of the same pitch meet by chance at one of them: a recording played backwards came
# to a confidence of 0.45.
CERTAIN = 0.75
WIDE_STRETCH_SECONDS = 40
WIDE_SHARE = 2 / 3
WIDE_CONFIDENCE = 0.6
# A peak this close to the longest delay is the slope of one beyond it.
BORDER_SECONDS = 0.01
# The response of a cabinet has many peaks within this time of the largest.
SPREAD_SECONDS = 0.01

# Maximum difference between the lengths of a pair beyond the delay, as a share of the longer one and in seconds; the
# smaller limit applies. It leaves room for the tail of an effect. Silence at the end of the longer one does not count.
LENGTH_TOLERANCE_SHARE = 0.2
LENGTH_TOLERANCE_SECONDS = 1.5
# Level of silence at the end of the longer recording, as a share of its peak.
SILENT_SHARE = 1e-3
# Level of a rest, which may hold hiss: there is nothing to be learned or judged below it.
REST_SHARE = 3e-3
# The user is told of a longer difference.
LENGTH_NOTE_SECONDS = 0.1
# Shares of the training, validation and test parts, which are contiguous and in this order.
SPLIT = (0.8, 0.1, 0.1)

Split = dict[str, tuple[int, int]]
# Input and target: class indices (uint8) of shape (n,), or vectors (float32) of shape (n, width).
Stretch = tuple[npt.NDArray[Any], npt.NDArray[Any]]


@dataclass(frozen=True)
class Pair:
    """Two aligned recordings, or one recording for next-sample prediction.

    Attributes
    ----------
    input, target
        The recordings. If the target is None, the network predicts the next sample of the input.
    rate
        Sample rate of training, in Hz.
    delay
        Delay of the target in samples at `rate`; it is cut out for training, and `process` adds it again.
    estimated
        What the delay was estimated to be; None if it was given.
    length
        Number of samples at `rate` that both recordings have with the delay cut out.
    notes
        Notes for the user.
    """

    input: Recording
    target: Recording | None
    rate: int
    delay: int
    estimated: alignment.Delay | None
    length: int
    notes: tuple[str, ...] = ()

    @property
    def confidence(self) -> float | None:
        """Confidence of an estimated delay, from 0 to 1; None if the delay was not estimated."""
        return self.estimated.confidence if self.estimated else None

    @property
    def input_start(self) -> int:
        """First sample of the input that has a counterpart in the target."""
        return max(-self.delay, 0)

    @property
    def target_start(self) -> int:
        """First sample of the target that has a counterpart in the input."""
        return max(self.delay, 0)


def open_pair(input_path: Path, target_path: Path | None, settings: DataSettings) -> Pair:
    """Open, check and align two recordings, or open a single one.

    Parameters
    ----------
    input_path, target_path
        Recordings; no target for next-sample prediction, and then the input may be a large folder.
    settings
        Sample rate, channel and alignment.

    Raises
    ------
    InputError
        If a recording cannot be used (see `open_recording`), or the delay does not explain the difference between the
        lengths.
    """
    is_folder = target_path is None and is_large(input_path)
    source = (open_folder if is_folder else open_recording)(input_path, settings.channel)
    rate = settings.rate or source.rate
    notes = [*source.notes, *_resampling_note(source, rate)]
    if target_path is None:
        return _described(Pair(source, None, rate, 0, None, source.length_at(rate), tuple(notes)))
    target = open_recording(target_path, settings.channel)
    notes += [*target.notes, *_resampling_note(target, rate)]
    fixed = parse_align(settings.align)
    found = None
    if fixed is None:
        found = estimate(source, target, rate)
        delay, confidence = found.samples, found.confidence
        if confidence < alignment.LOW_CONFIDENCE:
            delay = 0
            notes.append(
                f"{target_path}: no delay stands out (confidence {confidence:.2f}); using 0, "
                "set --align N if you know the delay"
            )
        elif delay:
            later = "later" if delay > 0 else "earlier"
            words = f"{_samples(abs(delay))} ({1000 * abs(delay) / rate:.1f} ms) {later} than the input"
            notes.append(f"{target_path}: {words} (confidence {confidence:.2f}); cut out")
        elif found.peak:
            notes.append(f"{target_path}: starts with the input; its filter lags by {_samples(found.peak)}, left in")
    else:
        delay = fixed
    length = _common_length(source, target, rate, delay)
    notes += _length_note(source, target, rate, delay)
    return _described(Pair(source, target, rate, delay, found, length, tuple(notes)))


def estimate(source: Recording, target: Recording, rate: int) -> alignment.Delay:
    """Estimate the delay around the loudest block of the input, in samples at `rate`.

    Returns
    -------
    Delay
        With confidence 0 if its peak is at the border of the search.
    """
    sides = _around_the_loudest(source, target, rate, alignment.STRETCH)
    found, at_border = _estimate_in(sides, rate, 0.5, LONGEST_DELAY_SECONDS)
    if found.confidence >= CERTAIN and not at_border:
        return found
    sides = _around_the_loudest(source, target, rate, WIDE_STRETCH_SECONDS * rate)
    wide, out_of_reach = _estimate_in(sides, rate, WIDE_SHARE)
    stands_out = wide.confidence >= found.confidence and not out_of_reach
    if stands_out and (wide.confidence >= WIDE_CONFIDENCE or _holds_everywhere(sides, rate, wide.peak)):
        return wide
    return replace(found, samples=0, confidence=0.0) if at_border else found


def _estimate_in(
    sides: Stretch, rate: int, share: float, seconds: float = WIDE_STRETCH_SECONDS
) -> tuple[alignment.Delay, bool]:
    """Estimate a delay of up to a share of a stretch; the second value is whether it is at the border of the search."""
    x, y = sides
    longest = min(round(seconds * rate), round(share * min(x.size, y.size)))
    delay = alignment.estimate_delay(x, y, longest, spread=round(SPREAD_SECONDS * rate))
    return delay, abs(delay.peak) > longest - round(BORDER_SECONDS * rate)


def _around_the_loudest(source: Recording, target: Recording, rate: int, size: int) -> Stretch:
    start = max(min(source.loudest * rate // source.rate - size // 2, source.length_at(rate) - size), 0)
    return source.read(rate, start, size), target.read(rate, start, size)


def _holds_everywhere(sides: Stretch, rate: int, delay: int) -> bool:
    """Whether each third of what both have in common has this delay; two notes that meet by chance are in one third."""
    x, y = without_delay(*sides, delay)
    size = x.size // 3
    thirds = [slice(part * size, (part + 1) * size) for part in range(3)]
    found = [alignment.estimate_delay(x[third], y[third], size // 2, causal=False) for third in thirds]
    near = round(SPREAD_SECONDS * rate)
    return all(abs(each.peak) <= near and each.confidence >= alignment.LOW_CONFIDENCE for each in found)


def without_delay(x: npt.NDArray[Any], y: npt.NDArray[Any], delay: int) -> Stretch:
    """Views of equal length in which the target comes `delay` samples earlier."""
    x, y = x[max(-delay, 0) :], y[max(delay, 0) :]
    return x[: y.size], y[: x.size]


def split(length: int) -> Split:
    """Split ``0..length`` into contiguous training, validation and test parts, as (start, end)."""
    first = int(length * SPLIT[0])
    second = int(length * (SPLIT[0] + SPLIT[1]))
    return {"train": (0, first), "valid": (first, second), "test": (second, length)}


def part_of(length: int, name: str) -> slice:
    """Return the ``train``, ``valid`` or ``test`` part of a signal of `length` time steps, as a slice."""
    return slice(*split(length)[name])


def part(stretch: Stretch, name: str) -> Stretch:
    """Return views of the input and the target of the ``train``, ``valid`` or ``test`` part."""
    where = part_of(len(stretch[0]), name)
    return stretch[0][where], stretch[1][where]


def check_long_enough(pair: Pair, window: int, hop: int = 1) -> None:
    """Check that the training part of a pair holds at least one window.

    Parameters
    ----------
    pair
        Pair to check.
    window
        Length of a window in time steps.
    hop
        Length of a time step in samples.

    Raises
    ------
    InputError
        If the recording is too short; the message has its length and the required one.
    """
    # In next-sample prediction the last sample has no target.
    wanted = (max(-(-window * 10 // 8), 10) + (pair.target is None)) * hop
    if pair.length < wanted:
        instead = f"a shorter --length than {window}"
        if hop > 1:
            fits = split(pair.length // hop - (pair.target is None))["train"][1]
            # The validation and test parts need a frame each.
            instead = f"--length {fits} --tbptt {fits}" if fits > 1 else f"shorter time steps than {hop} samples"
        raise InputError(
            pair.input.path, f"{pair.length} samples at {pair.rate} Hz", f"wanted {wanted} or more, or {instead}"
        )


def length_tolerance(x: int, y: int, rate: int) -> int:
    """Maximum difference beyond the delay between recordings of `x` and `y` samples at `rate` Hz, in samples."""
    return min(round(LENGTH_TOLERANCE_SECONDS * rate), round(LENGTH_TOLERANCE_SHARE * max(x, y)))


def lengths_fit(source: Recording, target: Recording, rate: int, delay: int) -> bool:
    """Whether the delay, a tail, or silence at the end of the longer recording explains the difference in length."""
    x, y = source.length_at(rate), target.length_at(rate)
    tolerance = length_tolerance(x, y, rate)
    if abs(y - x) <= abs(delay) + tolerance:
        return True
    longer, start, first = (target, max(delay, 0), x) if y > x else (source, max(-delay, 0), y)
    tail = np.abs(longer.read(rate, start + first + tolerance))
    return bool(tail.max(initial=0.0) <= SILENT_SHARE * longer.peak)


def _common_length(source: Recording, target: Recording, rate: int, delay: int) -> int:
    x, y = source.length_at(rate), target.length_at(rate)
    if abs(delay) >= min(x, y):
        raise InputError("--align", f"{delay}, but the recordings have {x} and {y} samples", "wanted a smaller delay")
    if not lengths_fit(source, target, rate, delay):
        raise InputError(
            target.path,
            f"{y} samples at {rate} Hz against the input's {x}, more than a delay of {delay} explains",
            "wanted two recordings of the same length: cut the longer one",
        )
    return min(x - max(-delay, 0), y - max(delay, 0))


def _described(pair: Pair) -> Pair:
    """The pair up to the end of its sound, with notes on what is silent or quiet."""
    length = _sounding_length(pair.input, pair.target, pair.rate, pair.delay, pair.length)
    notes = list(pair.notes)
    if length < pair.length:
        seconds = [f"{n / pair.rate:.1f} s" for n in (length, pair.length - length)]
        notes.append(f"{pair.input.path}: silent after {seconds[0]}; the last {seconds[1]} are left out")
    pair = replace(pair, length=length)
    return replace(pair, notes=(*notes, *_held_out_note(pair)))


def _sounding_length(source: Recording, target: Recording | None, rate: int, delay: int, length: int) -> int:
    """The length up to the end of the sound, if the silence after it would fill the whole test part."""
    end = _end_of_sound(source, rate) - max(-delay, 0)
    if target is not None:
        end = max(end, _end_of_sound(target, rate) - max(delay, 0))
    return end if end < round((1 - SPLIT[2]) * length) else length


def _end_of_sound(recording: Recording, rate: int) -> int:
    return recording.end_of_sound(REST_SHARE * recording.peak) * rate // recording.rate


def _held_out_note(pair: Pair) -> list[str]:
    """A warning if there is nothing to be measured in the validation part or in the test part."""
    judged = pair.target or pair.input
    first = pair.target_start if pair.target else pair.input_start
    notes = []
    for name in ("valid", "test"):
        start, stop = (round((first + at) * judged.rate / pair.rate) for at in split(pair.length)[name])
        # A block at the border belongs to the other part too.
        inside = start + SMALL_BLOCK, stop - SMALL_BLOCK
        if inside[0] < inside[1] and judged.silent(REST_SHARE * judged.peak, *inside):
            part_name = "validation" if name == "valid" else name
            where = f"{start / judged.rate:.1f} to {stop / judged.rate:.1f} s"
            notes.append(f"{judged.path}: silent in the {part_name} part, {where}: cut the silence out of the pair")
    return notes


def _length_note(source: Recording, target: Recording, rate: int, delay: int) -> list[str]:
    more = target.length_at(rate) - source.length_at(rate)
    if abs(more) <= abs(delay) + LENGTH_NOTE_SECONDS * rate:
        return []
    longer, shorter = ("target", "input") if more > 0 else ("input", "target")
    path = target.path if more > 0 else source.path
    return [f"{path}: {_samples(abs(more))} ({abs(more) / rate:.1f} s) longer than the {shorter}; the {longer} is cut"]


def _resampling_note(recording: Recording, rate: int) -> list[str]:
    return [f"{recording.path}: {recording.rate} Hz, resampled to {rate} Hz"] if recording.rate != rate else []


def _samples(count: int) -> str:
    return f"{count} sample{'' if count == 1 else 's'}"
