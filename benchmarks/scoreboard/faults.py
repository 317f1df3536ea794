"""The faults: what is planted in a healthy pair, how strongly, and which findings count as right.

The three strengths are called obvious, middle and weak. Weak is *just harmful*, which is defined for each fault by what
it costs the best model of the pair:

- Most faults change the target in a way that no fixed model can follow (a gain that moves, noise, gaps, another take, a
  clock). Their strength is an ESR, `unexplained`: the share of the target's energy that a fixed filter from the healthy
  target cannot give. `HARM` has the three: a tenth, a fiftieth, and 0.004. Users of amplifier models call an ESR below
  0.01 good, so a floor of 0.004 is almost half of what they allow, and what every model of the pair keeps.
- Others are bounds of the program (lengths that `train` refuses, more parameters than data) or of the format (8 bits):
  weak is a little beyond the bound.
- Each fault's `why` says which.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy.signal import butter, lfilter, oaconvolve, sosfilt

from dl4j_bridge.signal import pairs
from dl4j_bridge.signal.resampling import resample
from scoreboard import harm
from scoreboard.effects import DELAYING, EFFECTS, late, through
from scoreboard.sounds import Floats, Sound, at_peak

STRENGTHS = ("obvious", "middle", "weak")
HARM = (0.1, 0.02, 0.004)
# Findings that are not planted behind an effect with a delay of its own.
ABOUT_TIME = {"misaligned", "target-leads", "delay-changes", "swapped"}
# Effects that change the sign of low or high bands, or have no sign.
ANY_SIGN = ("band-pass", "high-pass", "short-reverb", "fuzz", "cabinet", "amplifier-cabinet", "low-pass-4")


@dataclass(frozen=True)
class Take:
    """Two recordings as they will be stored.

    Attributes
    ----------
    x, y
        Input and target.
    rate
        Rate that both headers give, in Hz.
    sound, effect
        Recording and name of the effect.
    options
        Settings of the training, by name.
    rng
        Source of chance, seeded by the name of the case.
    """

    x: Floats
    y: Floats
    rate: int
    sound: Sound
    effect: str
    options: dict[str, Any] = field(default_factory=dict)
    seed: int = 0

    def rng(self) -> np.random.Generator:
        """A generator that is the same at each call."""
        return np.random.default_rng(self.seed)

    def wet(self, x: Floats) -> Floats:
        """Another sound through the same effect."""
        return through(self.effect, x, self.rate)

    def at(self) -> Floats:
        """Times of the target's samples, in seconds."""
        return np.arange(self.y.size) / self.rate


Plant = Callable[[Take, float], Take]


@dataclass(frozen=True)
class Fault:
    """One way in which a pair goes wrong.

    Attributes
    ----------
    name
        Used in the names of cases.
    code
        The finding that it should have.
    plant
        Returns the take with the fault, by an amount.
    strengths
        The amounts from obvious to weak; or, if `by_harm`, the harm for which the amount in 0..1 is searched.
    why
        Why the last strength is just harmful.
    right
        Further findings that lead to the same fix.
    also
        Findings that are true of the take besides, and neither right nor wrong.
    effects
        Effects behind which it is planted; all if empty.
    but
        Effects and recordings where it is none, or cannot be told from the sound itself.
    once
        Whether a recording that repeats itself hides it.
    """

    name: str
    code: str
    plant: Plant
    strengths: tuple[Any, Any, Any] = HARM
    why: str = "the ESR that every fixed model keeps"
    by_harm: bool = True
    right: frozenset[str] = frozenset()
    also: frozenset[str] = frozenset()
    effects: tuple[str, ...] = ()
    but: frozenset[str] = frozenset()
    once: bool = False

    @property
    def codes(self) -> frozenset[str]:
        """All findings that count as right."""
        return self.right | {self.code}

    def suits(self, sound: Sound, effect: str) -> bool:
        """Whether the fault exists in this recording through this effect."""
        if effect not in self.effects if self.effects else effect in DELAYING and self.code in ABOUT_TIME:
            return False
        return not ({effect, sound.name} & self.but or (self.once and sound.repeats))

    def planted(self, take: Take, strength: str) -> Take | None:
        """The take with the fault; None if it harms nothing there."""
        wanted = self.strengths[STRENGTHS.index(strength)]
        if not self.by_harm:
            return self.plant(take, wanted)
        amount = harm.amount_for(lambda value: _harm(take, self.plant(take, value)), wanted)
        return None if amount is None else self.plant(take, amount)


def _harm(before: Take, after: Take) -> float:
    sides = [(getattr(before, side), getattr(after, side)) for side in ("x", "y")]
    return max(harm.unexplained(a, b) if a is not b else 0.0 for a, b in sides)


def _target(change: Callable[[Take, float], Floats]) -> Plant:
    """A fault that changes the target alone; full scale is kept."""

    def plant(take: Take, amount: float) -> Take:
        y = change(take, amount)
        peak = float(np.abs(y).max())
        # Scaling is no fault, clipping would be another one.
        return replace(take, y=y if peak <= 0.98 else y * (0.98 / peak))

    return plant


# ---- the target changes with time


def _tremolo(hertz: float) -> Plant:
    return _target(lambda t, a: t.y * (1 - 0.95 * a * (0.5 + 0.5 * np.sin(2 * np.pi * hertz * t.at()))))


def _ring(t: Take, a: float) -> Floats:
    return np.asarray(t.y * (1 - a + a * np.sin(2 * np.pi * 300 * t.at())))


def _read_at(y: Floats, at: Floats) -> Floats:
    """Sample a sound at any places, by cubic interpolation of twice the rate."""
    double = resample(y, 1, 2)
    return np.asarray(np.interp(2 * at, np.arange(double.size), double))


def _vibrato(hertz: float, seconds: float) -> Plant:
    def change(t: Take, a: float) -> Floats:
        swing = a * seconds * t.rate * (1 + np.sin(2 * np.pi * hertz * t.at()))
        return _read_at(t.y, np.arange(t.y.size) - swing)

    return _target(change)


def _chorus(t: Take, a: float) -> Floats:
    swing = t.rate * (0.012 + 0.004 * np.sin(2 * np.pi * 1.1 * t.at()))
    return np.asarray(t.y + a * _read_at(t.y, np.arange(t.y.size) - swing))


def _phaser(t: Take, a: float) -> Floats:
    """Four all-pass filters whose frequency moves, in steps of 64 samples."""
    y, state = np.empty_like(t.y), [np.zeros(1) for _ in range(4)]
    for start in range(0, y.size, 64):
        hertz = 300 * (1500 / 300) ** (0.5 + 0.5 * np.sin(2 * np.pi * 0.8 * start / t.rate))
        c = (np.tan(np.pi * hertz / t.rate) - 1) / (np.tan(np.pi * hertz / t.rate) + 1)
        part = t.y[start : start + 64]
        for k in range(4):
            part, state[k] = lfilter([c, 1], [1, c], part, zi=state[k])
        y[start : start + 64] = part
    return np.asarray(t.y + a * y)


def _fade(t: Take, a: float) -> Floats:
    return np.asarray(t.y * (1 - a * np.linspace(0, 1, t.y.size)))


def _steps(t: Take, a: float) -> Floats:
    levels = np.array([1.0, 1 - a, 1 - 0.4 * a])
    edges = np.linspace(0, t.y.size, 4)[1:-1].astype(int)
    gain = levels[np.searchsorted(edges, np.arange(t.y.size), side="right")]
    smooth = max(round(0.02 * t.rate), 1)
    return np.asarray(t.y * np.convolve(np.pad(gain, smooth, "edge"), np.ones(smooth) / smooth, "same")[smooth:-smooth])


def _latencies(samples: float, at: float) -> Plant:
    """From a place on, the target comes later by up to that number of samples."""

    def change(t: Take, a: float) -> Floats:
        cut, more = int(at * t.y.size), max(round(a * abs(samples) * t.rate / 44100), 1)
        return np.r_[late(t.y, 20)[:cut], late(t.y, 20 + int(np.sign(samples)) * more)[cut:]]

    return _target(change)


# ---- memory


def _echo(seconds: float) -> Plant:
    return _target(lambda t, a: t.y + a * late(t.y, round(seconds * t.rate)))


def _reverb(t: Take, a: float) -> Floats:
    n = round(1.5 * t.rate)
    tail = np.random.default_rng(3).normal(size=n) * np.exp(-6.9 * np.arange(n) / n)
    tail[: round(0.05 * t.rate)] = 0
    return np.asarray(t.y + a * oaconvolve(t.y, tail / np.linalg.norm(tail))[: t.y.size])


# ---- what is not in the input


def _added(make: Callable[[Take], Floats]) -> Plant:
    def change(t: Take, a: float) -> Floats:
        noise = make(t)
        # An amount of 1 is an ESR of a half.
        return np.asarray(t.y + a * noise * (t.y.std() / max(noise.std(), 1e-12)))

    return _target(change)


def _hum(hertz: float, harmonics: int) -> Callable[[Take], Floats]:
    return lambda t: np.asarray(
        sum(np.sin(2 * np.pi * hertz * k * t.at() + k) / k**1.5 for k in range(1, 2 * harmonics, 2))
    )


def _hiss(t: Take) -> Floats:
    return t.rng().normal(size=t.y.size)


def _rumble(t: Take) -> Floats:
    sos = butter(2, [300, min(3000, 0.4 * t.rate)], "bandpass", fs=t.rate, output="sos")
    return np.asarray(sosfilt(sos, _hiss(t)))


def _other(t: Take) -> Floats:
    """A target made from the recording at another time, at about the same level."""
    x = np.roll(t.x, round(0.4 * t.x.size) + t.rate // 7)
    return t.wet(x)


def _wrong_take(t: Take, a: float) -> Floats:
    """The last part, up to 0.6 of the whole, of another take, with a short crossfade."""
    share = 0.6 * a
    fade = round(0.01 * t.rate)
    stop = int(0.9 * t.y.size)
    start = stop - max(int(share * t.y.size), 3 * fade)
    mask = np.zeros(t.y.size)
    mask[start:stop] = 1
    mask = np.convolve(mask, np.ones(fade) / fade, "same")
    return np.asarray((1 - mask) * t.y + mask * _other(t))


def _places(t: Take, count: int, size: int) -> list[int]:
    """Starts of stretches with sound, spread over the target."""
    rng, starts = t.rng(), []
    power = np.convolve(t.y**2, np.ones(size) / size, "valid")
    for part in np.array_split(np.arange(power.size), count):
        loud = part[power[part] >= np.quantile(power[part], 0.6)]
        starts.append(int(rng.choice(loud)))
    return starts


def _gaps(seconds: float) -> Plant:
    """Zeros; the amount is their share of a second in ten."""

    def change(t: Take, a: float) -> Floats:
        y, size = t.y.copy(), round(seconds * t.rate)
        count = max(round(a * 0.3 * t.y.size / size), 1)
        for start in _places(t, count, size):
            y[start : start + size] = 0
        return y

    return _target(change)


def _repeats(t: Take, a: float) -> Floats:
    """A buffer of 256 samples is played again in place of the next one."""
    y, size = t.y.copy(), 256
    for start in _places(t, max(round(a * 0.3 * t.y.size / size), 1), 2 * size):
        y[start + size : start + 2 * size] = y[start : start + size][: y[start + size : start + 2 * size].size]
    return y


def _clicks(t: Take, a: float) -> Floats:
    """Single wrong samples; the amount is their number and their height."""
    y = t.y.copy()
    count = max(round(0.01 * a * y.size), 3)
    at = np.array(_places(t, count, 8))
    y[at] = np.sign(t.rng().normal(size=count)) * max(0.98 * np.abs(y).max(), 4 * y.std())
    return y


# ---- resolution


def _coarse(t: Take, a: float) -> Floats:
    step = a * np.abs(t.y).max()
    return np.asarray(np.round(t.y / step) * step)


def _held(t: Take, a: float) -> Floats:
    """Each sample is held for up to 16."""
    factor = 2 + int(14 * a)
    return np.repeat(t.y[::factor], factor)[: t.y.size]


# ---- time


def _header(true: int, written: int) -> Plant:
    return lambda t, a: replace(t, y=resample(t.y, written, true))


def _faster(t: Take, speed: float) -> Take:
    return replace(t, y=_stretched(t.y, speed))


def _stretched(y: Floats, speed: float) -> Floats:
    """The same at another speed: `speed` times slower."""
    return np.asarray(resample(y, 1_000_000, round(1_000_000 * speed)))


def _wow(t: Take, a: float) -> Floats:
    return _read_at(t.y, np.arange(t.y.size) - a * 0.004 * t.rate * np.sin(2 * np.pi * 0.6 * t.at()))


def _shift(seconds: float, options: dict[str, Any]) -> Plant:
    def plant(t: Take, a: float) -> Take:
        return replace(t, y=late(t.y, round(a * t.rate) if seconds else a), options=t.options | options)

    return plant


def _lead(t: Take, a: float) -> Take:
    """Earlier by up to 10 ms, at least one sample, for a causal model that may not look ahead."""
    return replace(t, y=late(t.y, -max(round(a * 0.01 * t.rate), 1)), options=t.options | {"align": "off"})


def _wrong_align(t: Take, a: float) -> Take:
    """A delay that was cut out by hand, too long by `a` samples."""
    return replace(t, y=late(t.y, 60), options=t.options | {"align": str(60 + int(a))})


def _length(side: str) -> Plant:
    """Lengths differ by a multiple of what `train` allows."""

    def plant(t: Take, a: float) -> Take:
        more = round(a * pairs.length_tolerance(t.x.size, t.y.size, t.rate))
        if side == "shorter":
            return replace(t, y=t.y[:-more])
        return replace(t, y=np.r_[t.y, 0.3 * t.y[:more]])

    return plant


# ---- levels


def _gain(side: str) -> Plant:
    def plant(t: Take, decibels: float) -> Take:
        """Mean and peak are apart by at least this."""
        change = [20 * np.log10(measure(t.y) / measure(t.x)) for measure in (np.std, lambda v: np.abs(v).max())]
        quieter = 10 ** (-(decibels + (max(change) if side == "y" else -min(change))) / 20)
        return replace(t, **{side: quieter * getattr(t, side)})

    return plant


def _offset(side: str) -> Plant:
    def plant(t: Take, a: float) -> Take:
        x = {"x": 0.5 * t.x, "y": 0.5 * t.y}
        x[side] = x[side] + max(a * x[side].std(), 0.045)
        return replace(t, **x)

    return plant


def _clipped_input(t: Take, a: float) -> Take:
    """The recorder clips; the effect was given the whole."""
    return replace(t, x=_clip(t.x, a))


def _clipped_target(t: Take, a: float) -> Take:
    """Clipped at full scale."""
    return replace(t, y=at_peak(_clip(t.y, a), 1.0))


def _clip(x: Floats, a: float) -> Floats:
    limit = (1 - a) * np.abs(x).max()
    return np.clip(x, -limit, limit)


def _mostly_silent(t: Take, share: float) -> Take:
    """Sound only around the loudest place of the target, for 1 - share of the time."""
    size = int((1 - share) * t.x.size)
    power = np.convolve(np.abs(t.x), np.ones(size), "valid")
    start = int(power.argmax())
    mask = np.zeros(t.x.size)
    mask[start : start + size] = 1
    mask = np.convolve(mask, np.ones(64) / 64, "same")
    return replace(t, x=t.x * mask, y=t.wet(t.x * mask))


def _little(t: Take, seconds: float) -> Take:
    """A stretch with sound; the amount is in thousands of samples."""
    size = int(1000 * seconds)
    start = min(int(np.abs(t.x).argmax()), t.x.size - size)
    x = t.x[start : start + size]
    return replace(t, x=x, y=t.y[start : start + size])


def _too_quiet(t: Take, esr: float) -> Take:
    """Rounding to 8 linear bits gives this ESR in the target."""
    level = np.sqrt((1 / 128) ** 2 / 12 / esr)
    return replace(t, x=t.x * (level / t.x.std()), y=t.y * (level / t.y.std()), options=t.options | {"codec": "linear"})


# ---- which file


def _unrelated(t: Take, a: float) -> Take:
    """1: another kind of sound; 2: the same recording, played backwards; 3: the same loudness from another sound."""
    from dl4j_bridge.demos import synthesis

    seconds = t.x.size / t.rate
    if a == 1:
        other = (
            synthesis.speech_like(seconds, t.rate, 99)[: t.x.size]
            if "string" in t.sound.name
            else (synthesis.plucked_strings(seconds, t.rate, 98)[: t.x.size])
        )
    elif a == 2:
        other = t.x[::-1]
    else:
        size = round(0.1 * t.rate)
        loudness = np.sqrt(np.convolve(t.x**2, np.ones(size) / size, "same"))
        stranger = synthesis.plucked_strings(seconds, t.rate, 97)[: t.x.size]
        flat = stranger / np.sqrt(np.convolve(stranger**2, np.ones(size) / size, "same") + 1e-6)
        other = 0.4 * loudness * flat
    return replace(t, y=t.wet(at_peak(np.resize(other, t.x.size), np.abs(t.x).max())))


def _inverted(t: Take, delay: float) -> Take:
    return replace(t, y=-late(t.y, delay) if delay else -t.y)


def _swapped(t: Take, delay: float) -> Take:
    """Input and target exchanged; the wet side has the latency that every recorded one has."""
    return replace(t, x=late(t.y, delay), y=t.x)


def fault(name: str, code: str, plant: Plant, **more: Any) -> Fault:
    """Make a fault; the sets may be given as words separated by spaces."""
    sets = {key: frozenset(more.pop(key).split()) for key in ("right", "also", "but") if key in more}
    effects = tuple(more.pop("effects", "").split())
    return Fault(name, code, plant, effects=effects, **more, **sets)


def fixed(name: str, code: str, plant: Plant, strengths: tuple[Any, Any, Any], why: str, **more: Any) -> Fault:
    """Make a fault whose amounts are given."""
    return fault(name, code, plant, strengths=strengths, why=why, by_harm=False, **more)


# Effects that lose what the dry sound had, so that nothing leads from the wet one to it.
LOSING = "hard fuzz amplifier amplifier-cabinet asymmetric"

FAULTS: list[Fault] = [
    fault("tremolo-5", "time-variant", _tremolo(5)),
    fault("tremolo-0.7", "time-variant", _tremolo(0.7), right="level-automation"),
    fault("ring", "time-variant", _target(_ring)),
    fault("vibrato", "time-variant", _vibrato(3, 0.001)),
    fault("chorus", "time-variant", _target(_chorus)),
    fault("phaser", "time-variant", _target(_phaser)),
    fault("wow", "time-variant", _target(_wow), right="rate-mismatch"),
    fault("fade", "level-automation", _target(_fade)),
    fault("steps", "level-automation", _target(_steps)),
    fault("echo", "memory-too-short", _echo(0.3), once=True),
    fault("reverb", "memory-too-short", _target(_reverb), once=True),
    fault("hum-50", "noise-floor", _added(_hum(50, 6))),
    fault("hum-60", "noise-floor", _added(_hum(60, 1))),
    fault("hiss", "noise-floor", _added(_hiss)),
    fault("room-noise", "noise-floor", _added(_rumble)),
    fault("wrong-take", "wrong-take", _target(_wrong_take), right="unrelated", once=True),
    fault("gaps", "dropouts", _gaps(0.005)),
    fault("long-gaps", "dropouts", _gaps(0.04)),
    fault("repeated-buffers", "dropouts", _target(_repeats), once=True),
    fault("clicks", "dropouts", _target(_clicks)),
    fault("coarse", "bit-crushed", _target(_coarse), but="8-bit mu-law"),
    fault("held", "bit-crushed", _target(_held)),
    fault("latency-change", "delay-changes", _latencies(700, 0.45)),
    fault("second-take", "delay-changes", _latencies(-200, 0.6)),
    fixed("header-48000", "rate-mismatch", _header(48000, 44100), (1, 1, 1), "one strength", also="length-mismatch"),
    fixed("header-22050", "rate-mismatch", _header(22050, 44100), (1, 1, 1), "one strength", also="length-mismatch"),
    fixed("clock", "rate-mismatch", _faster, (1.003, 1.0005, 1.00005), "50 ppm, as cheap clocks differ"),
    fixed(
        "late",
        "misaligned",
        _shift(0, {"align": "off"}),
        (400, 120, 24),
        "twice the lag that filters have of their own: the network must store it",
    ),
    fixed("too-much-cut", "target-leads", _wrong_align, (40, 12, 4), "see lead"),
    fault("lead", "target-leads", _lead, strengths=(0.5, 0.1, 0.02)),
    fixed("late-seconds", "misaligned", _shift(1, {}), (1.5, 2.2, 3.0), "farther than any effect", once=True),
    fixed(
        "lead-seconds",
        "target-leads",
        _shift(1, {}),
        (-1.5, -2.2, -3.0),
        "farther than any effect",
        once=True,
        right="swapped",
    ),
    fixed("shorter", "length-mismatch", _length("shorter"), (5, 3, 1.5), "`train` refuses the pair"),
    fixed("longer", "length-mismatch", _length("longer"), (5, 3, 1.5), "`train` refuses the pair"),
    fixed("quiet-target", "gain-mismatch", _gain("y"), (40, 30, 23), "a tenth of the codes", also="quiet-recording"),
    fixed("quiet-input", "gain-mismatch", _gain("x"), (40, 30, 23), "a tenth of the codes", also="quiet-recording"),
    fixed(
        "offset-input",
        "dc-offset",
        _offset("x"),
        (1.5, 0.7, 0.35),
        "an eighth of the energy is offset",
        also="quiet-recording",
    ),
    fixed(
        "offset-target",
        "dc-offset",
        _offset("y"),
        (1.5, 0.7, 0.35),
        "an eighth of the energy is offset",
        also="quiet-recording",
    ),
    fault("clipped-input", "clipped", _clipped_input),
    fault("clipped-target", "clipped", _clipped_target),
    fixed(
        "mostly-silent", "silence-dominated", _mostly_silent, (0.97, 0.92, 0.86), "six of seven windows teach nothing"
    ),
    fixed(
        "little",
        "too-little-data",
        _little,
        (4, 10, 24),
        "fewer samples than a thirtieth of the parameters",
        also="unrelated",
    ),
    fixed("too-quiet", "quiet-recording", _too_quiet, (0.3, 0.08, 0.03), "the noise of 8 bits is at -15 dB"),
    fixed("stranger", "unrelated", _unrelated, (1, 2, 3), "the same loudness", but="slow-sweep sweep-8k"),
    fixed(
        "inverted",
        "polarity-inverted",
        _inverted,
        (0, 37, 100.5),
        "with a latency between two samples",
        but=" ".join(ANY_SIGN),
    ),
    fixed(
        "exchanged",
        "swapped",
        _swapped,
        (300, 60, 15),
        "the network must know the future",
        right="target-leads",
        also="clipped",
        effects=LOSING,
    ),
]
BY_NAME = {each.name: each for each in FAULTS}

# Two faults at once. Of a pair, both must be found, unless the first one hides the second by its nature.
TOGETHER = [
    ("clipped-input", "hum-50"),
    ("offset-target", "inverted"),
    ("quiet-target", "tremolo-5"),
    ("offset-input", "late"),
    ("hiss", "gaps"),
    ("too-quiet", "offset-input"),
    ("fade", "hum-60"),
    ("mostly-silent", "offset-target"),
    ("clipped-input", "late"),
    ("coarse", "inverted"),
    ("shorter", "offset-input"),
    ("latency-change", "hum-50"),
]
assert all(name in BY_NAME for names in TOGETHER for name in names)
assert all(name in EFFECTS for each in FAULTS for name in each.effects)
