"""What a diagnosis is about: recordings and settings, and what is measured on them; everything at most once."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, wraps
from pathlib import Path
from typing import Self, TypeVar, cast

import numpy as np
import numpy.typing as npt

from dl4j_bridge.diagnostics import fixed_model, late_response, modulation, moving_delay, noise
from dl4j_bridge.diagnostics.fixed_model import FixedModel
from dl4j_bridge.diagnostics.late_response import LateResponse
from dl4j_bridge.diagnostics.latency import LatencyChange, find_change
from dl4j_bridge.diagnostics.modulation import Modulation
from dl4j_bridge.diagnostics.moving_delay import MovingDelay
from dl4j_bridge.diagnostics.noise import Floor
from dl4j_bridge.diagnostics.relation import Floats, are_related, relate
from dl4j_bridge.diagnostics.speed import (
    SPEED_CONFIDENCE,
    SPEED_SECONDS,
    confirmed,
    drift,
    find_speed,
    fine_drift,
    fine_lags,
    local_lags,
)
from dl4j_bridge.settings.training import TrainSettings, parse_align
from dl4j_bridge.signal import alignment, pairs
from dl4j_bridge.signal.codecs import Codec, get_codec
from dl4j_bridge.signal.minimum_phase import ExcessLag, excess_lag
from dl4j_bridge.signal.pairs import Pair, Stretch, without_delay
from dl4j_bridge.signal.pre_emphasis import DeEmphasis, PreEmphasis
from dl4j_bridge.signal.recordings import Recording, open_recording
from dl4j_bridge.signal.stretches import starts
from dl4j_bridge.tasks import registry

Classes = npt.NDArray[np.uint8]
T = TypeVar("T")

# A longer recording is looked at in a number of stretches of this total length, spread from its start to its end.
LOOKED_AT_SECONDS = 60
STRETCHES = 6
# Windows that find the same lag, as a share of those that find any. A vibrato has a lag, but no two windows the same.
SAME_LAG_SHARE = 0.5
# Confidence that only one lag for the whole gives, whatever short windows of one frequency find.
ONE_LAG_CONFIDENCE = 0.95
# Shorter recordings are not enough to fit a model to.
SHORTEST_MODEL_SECONDS = 2.0


@dataclass(frozen=True)
class Case:
    """One pair of recordings, or one alone, and the settings to train with.

    Attributes
    ----------
    input, target
        The recordings; no target where the next sample is predicted.
    settings
        Settings to train with.
    stored_delay
        Samples of delay that a finished model stores for this pair; None without a model.

    Raises
    ------
    InputError
        On the first look at a recording that cannot be used (`open_recording`).
    """

    input: Path
    target: Path | None
    settings: TrainSettings
    stored_delay: int | None = None

    @classmethod
    def of_start(cls, pair: Pair, settings: TrainSettings) -> Self:
        """The case of open recordings, of which no more than the first `LOOKED_AT_SECONDS` are read."""
        case = cls(pair.input.path, pair.target.path if pair.target else None, settings)
        vars(case).update(source=pair.input, processed=pair.target)
        if not case.is_whole:
            vars(case)["places"] = [(0, LOOKED_AT_SECONDS * case.rate)]
            x, y = (side[: alignment.STRETCH] for side in (case.x, case.y))
            longest, spread = (round(s * case.rate) for s in (pairs.LONGEST_DELAY_SECONDS, pairs.SPREAD_SECONDS))
            vars(case)["delay"] = alignment.estimate_delay(x, y, longest, spread=spread)
        elif pair.estimated:
            vars(case)["delay"] = pair.estimated
        return case

    # ---- the recordings

    @cached_property
    def source(self) -> Recording:
        return open_recording(self.input, self.settings.data.channel)

    @cached_property
    def processed(self) -> Recording | None:
        return open_recording(self.target, self.settings.data.channel) if self.target else None

    @property
    def recordings(self) -> dict[str, Recording]:
        """``input``, and ``target`` if there is one."""
        return {"input": self.source} | ({"target": self.processed} if self.processed else {})

    @cached_property
    def rate(self) -> int:
        """Training rate in Hz."""
        return self.settings.data.rate or self.source.rate

    @cached_property
    def lengths(self) -> tuple[int, int]:
        """Samples of input and target at the training rate, of which the shorter one counts."""
        x = self.source.length_at(self.rate)
        return x, self.processed.length_at(self.rate) if self.processed else x

    @cached_property
    def pair(self) -> Pair:
        """The recordings as training brings them together."""
        return Pair(self.source, self.processed, self.rate, self.cut, None, self.length)

    # ---- the stretches that are looked at

    @property
    def is_whole(self) -> bool:
        """Whether all of the recordings is looked at."""
        return max(self.lengths) <= LOOKED_AT_SECONDS * self.rate

    @cached_property
    def places(self) -> list[tuple[int, int]]:
        """Where `x` and `y` are taken from: (start, stop) at the training rate."""
        return [(0, max(self.lengths))] if self.is_whole else spread(min(self.lengths), self.rate)

    @cached_property
    def x(self) -> Floats:
        """The input at the training rate, or its stretches end to end, with its delay; shape (n,)."""
        return read(self.source, self.rate, self.places)

    @cached_property
    def y(self) -> Floats:
        """The target likewise; empty if there is none."""
        return read(self.processed, self.rate, self.places) if self.processed else np.zeros(0)

    @property
    def sides(self) -> dict[str, Floats]:
        """``input`` and ``target``, cut to the same length, with the delay."""
        sides = without_delay(self.x, self.y, 0) if self.processed else (self.x,)
        return dict(zip(self.recordings, sides, strict=True))

    # ---- the delay

    @cached_property
    def delay(self) -> alignment.Delay:
        """The target's delay, as training estimates it."""
        if self.processed is None:
            return alignment.Delay(0, 0, 0.0, False)
        return pairs.estimate(self.source, self.processed, self.rate)

    @cached_property
    def excess(self) -> ExcessLag:
        """The part of the delay that no filter explains."""
        return excess_lag(self.x, self.y, self.delay.peak)

    @property
    def cut(self) -> int:
        """Samples of delay that training cuts out."""
        if self.stored_delay is not None:
            return self.stored_delay
        fixed = parse_align(self.settings.data.align) if self.processed else 0
        if fixed is not None:
            return fixed
        return self.delay.samples if self.delay.confidence >= alignment.LOW_CONFIDENCE else 0

    @cached_property
    def local(self) -> tuple[Floats, Floats]:
        """Times and lags, in samples, of the windows that have a lag of their own; each of shape (windows,)."""
        at, lags = self._windows
        return self._in_the_recording(at), lags

    @cached_property
    def _windows(self) -> tuple[Floats, Floats]:
        return local_lags(self.x, self.y, self.rate, self.delay.peak)

    @cached_property
    def fine(self) -> tuple[Floats, Floats]:
        """Times and lags, in samples and to a fraction of one, of the windows that a fixed filter explains."""
        at, lags = self._fine_windows
        return self._in_the_recording(at), lags

    @cached_property
    def _fine_windows(self) -> tuple[Floats, Floats]:
        return fine_lags(self.x, self.y, self.rate, self.delay.peak)

    def _in_the_recording(self, at: Floats) -> Floats:
        """Positions in the recording of positions in the stretches that are looked at."""
        first = np.array([start for start, _ in self.places])
        ends = np.cumsum([stop - start for start, stop in self.places])
        place = np.minimum(np.searchsorted(ends, at, side="right"), len(first) - 1)
        return np.asarray(at - np.r_[0, ends[:-1]][place] + first[place])

    @cached_property
    def change(self) -> LatencyChange | None:
        """A change of the latency on the way, at a place in the recording; None if there is none."""
        if self.processed is None:
            return None
        found = find_change(self.x, self.y, self.rate, self._windows, self._fine_windows)
        return found and replace(found, at=round(float(self._in_the_recording(np.array([found.at]))[0])))

    @property
    def keeps_lag(self) -> bool:
        """Whether the windows that have a lag of their own have that of the whole."""
        if self.delay.confidence >= ONE_LAG_CONFIDENCE:
            return True
        lags = self.local[1]
        same = np.abs(lags - self.delay.peak) <= 1 + abs(self.excess.own)
        return not lags.size or float(np.mean(same)) >= SAME_LAG_SHARE

    # ---- lengths

    @property
    def tolerance(self) -> int:
        """Samples by which lengths may differ, beyond the delay."""
        return pairs.length_tolerance(*self.lengths, self.rate)

    @cached_property
    def fits_in_length(self) -> bool:
        """Whether training takes recordings of these lengths."""
        return self.processed is None or pairs.lengths_fit(self.source, self.processed, self.rate, self.cut)

    @cached_property
    def length(self) -> int:
        """Samples that both have once the delay is cut out."""
        x, y = self.lengths
        return max(min(x - max(-self.cut, 0), y - max(self.cut, 0)), 0)

    @property
    def time_steps(self) -> int:
        """Time steps of the task in `length`; the last one has no target where the next one is predicted."""
        return self.length // self.settings.own.hop - (self.target is None)

    # ---- 8-bit classes

    @cached_property
    def codec(self) -> Codec:
        """The codec that training would use for 8-bit samples."""
        return get_codec(self.settings.data.codec, all(each.is_8_bit for each in self.recordings.values()))

    def encode(self, x: Floats) -> Classes:
        """Classes of a whole sound, with the pre-emphasis of the settings."""
        return self.codec.encode(PreEmphasis(self.settings.data.pre_emphasis).push(x))

    def decode(self, classes: Classes) -> npt.NDArray[np.floating]:
        """The sound that `encode` was given, but for the error of 8 bits."""
        return DeEmphasis(self.settings.data.pre_emphasis).push(self.codec.decode(classes))

    @cached_property
    def indices(self) -> Stretch:
        """Network input and target as classes, with the delay cut out; uint8, each of shape (n,)."""
        if self.target is None:
            classes = self.encode(self.x)
            return classes[:-1], classes[1:]
        x, y = without_delay(self.x, self.y, self.cut)
        return self.encode(x), self.encode(y)

    # ---- what both have in common

    @cached_property
    def relation(self) -> dict[str, float]:
        """What the two have in common as they are."""
        return relate(self.x, self.y, self.rate, self.delay, self.indices, self.codec)

    @cached_property
    def speed(self) -> float | None:
        """How many times slower the target's contents run; None if at the same speed, or if nothing shows another."""
        if self.processed is None or self.change:
            return None
        slope = drift(*self.local) or fine_drift(*self.fine)
        if slope:
            # Stretches that stand end to end here would not at another speed.
            return confirmed(self.x, self.y, self.rate, 1 + slope) if self.is_whole else 1 + slope
        # A loudness in common is no proof, since it stays when the speed is a little off; and nothing is if the lengths
        # differ or the lag wanders.
        if are_related(self.relation | {"envelope": 0.0}) and self.fits_in_length and self.keeps_lag:
            return None
        count = SPEED_SECONDS * self.rate if self.is_whole else self.places[0][1]
        wanted = max(self.delay.confidence + SPEED_CONFIDENCE / 2, SPEED_CONFIDENCE)
        return find_speed(self.x[:count], self.y, self.rate, self.lengths[1] / self.lengths[0], wanted)

    @cached_property
    def model(self) -> FixedModel | None:
        """The best fixed model from input to target; None if there is no target, or nothing for it to find."""
        if self.processed is None or registry.find(self.settings.network.task).separates:
            return None
        if self.speed or not are_related(self.relation):
            return None
        lag = self.delay.peak if self.delay.confidence >= alignment.LOW_CONFIDENCE else self.cut
        x, y = without_delay(self.x, self.y, lag)
        if x.size < SHORTEST_MODEL_SECONDS * self.rate:
            return None
        starts = (0, *np.cumsum([stop - start for start, stop in self.places[:-1]]).tolist())
        model = replace(fixed_model.fit(x, y, self.rate), starts=starts)
        tones = noise.hum(model)
        # Where the input is silent, filters would make a hum out of next to nothing.
        return model if tones is None else replace(fixed_model.fit(x, y - tones, self.rate), y=y, starts=starts)

    @cached_property
    def without_hum(self) -> FixedModel:
        """`model` of the target without a hum, which would hide what else the model leaves."""
        assert self.model is not None
        return noise.without_hum(self.model)

    @cached_property
    def modulation(self) -> Modulation:
        """The modulation that explains most of what `model` leaves, but for a hum."""
        return modulation.find(self.without_hum)

    @cached_property
    def moving_delay(self) -> MovingDelay:
        """The delay that swings and explains most of that."""
        return moving_delay.find(self.without_hum)

    @cached_property
    def floor(self) -> Floor:
        """What is in the target that is not made from the input, with its evidence."""
        assert self.model is not None
        return noise.measure(self.model)

    @property
    def carried(self) -> int:
        """Samples through which training carries the state."""
        return self.settings.run.length * self.settings.own.hop

    @cached_property
    def late(self) -> LateResponse:
        """The part of the target that answers later than that."""
        # The last of the lags that the fixed model has are not all its own.
        return self._response(max(self.carried, 3 * self.without_hum.size // 2))

    @cached_property
    def missed(self) -> LateResponse:
        """The part that answers later than the fixed model knows, but not always later than training carries."""
        return self._response(self.without_hum.size // 2)

    def _response(self, first: int) -> LateResponse:
        if noise.repeat_lag(self.without_hum) is not None:
            # Both halves hold the same, so that neither can test the other.
            return LateResponse()
        return late_response.measure(self.without_hum, first)

    def seconds_at(self, sample: int) -> float:
        """Time in the recordings of a sample of `x`, in seconds."""
        for start, stop in self.places:
            if sample < stop - start:
                return (start + sample) / self.rate
            sample -= stop - start
        return self.places[-1][1] / self.rate


def once(measure: Callable[[Case], T]) -> Callable[[Case], T]:
    """Let a case keep what `measure` returns for it, as it keeps its cached properties."""

    @wraps(measure)
    def kept(case: Case) -> T:
        name = f"{measure.__module__}.{measure.__qualname__}"
        if name not in vars(case):
            vars(case)[name] = measure(case)
        return cast(T, vars(case)[name])

    return kept


def spread(length: int, rate: int) -> list[tuple[int, int]]:
    """Stretches from the start to the end of a recording, `LOOKED_AT_SECONDS` in all, or all of a shorter one."""
    size = LOOKED_AT_SECONDS * rate // STRETCHES
    is_long = length > LOOKED_AT_SECONDS * rate
    return [(start, start + size) for start in starts(length, size, STRETCHES)] if is_long else [(0, length)]


def read(recording: Recording, rate: int, places: list[tuple[int, int]]) -> Floats:
    """Stretches of a recording end to end, in one pass; float64, shape (n,)."""
    parts, at = [np.zeros(0, np.float32)], 0
    for block in recording.blocks(rate):
        parts += [block[max(start - at, 0) : max(stop - at, 0)] for start, stop in places]
        at += block.size
        if at >= places[-1][1]:
            break
    return np.concatenate(parts).astype(np.float64)
