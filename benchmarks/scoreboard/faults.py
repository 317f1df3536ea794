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

from dataclasses import dataclass
from typing import Any

from scoreboard import changes, harm, mistakes
from scoreboard.effects import DELAYING, EFFECTS
from scoreboard.sounds import Sound
from scoreboard.take import Plant, Take, target

STRENGTHS = ("obvious", "middle", "weak")
HARM = (0.1, 0.02, 0.004)
# Findings that are not planted after an effect with a delay of its own.
ABOUT_TIME = {"misaligned", "target-leads", "delay-changes", "swapped"}
# Effects that change the sign of low or high bands, or have no sign.
ANY_SIGN = ("band-pass", "high-pass", "short-reverb", "fuzz", "cabinet", "amplifier-cabinet", "low-pass-4")


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
        Effects after which it is planted; all if empty.
    but
        Effects and recordings where it is none, or cannot be told from the sound itself.
    once
        Whether a recording that repeats itself hides it.
    least
        Harm below which amounts that are given are no fault.
    causal
        Whether the fault is that the target leads: then the filter that measures the harm may not look ahead.
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
    least: float = 0.0
    causal: bool = False

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
        amount = self.strengths[STRENGTHS.index(strength)]
        if self.by_harm:
            amount = harm.amount_for(lambda value: self._harm(take, self.plant(take, value)), amount)
            return None if amount is None else self.plant(take, amount)
        planted = self.plant(take, amount)
        return planted if not self.least or self._harm(take, planted) >= self.least else None

    def _harm(self, before: Take, after: Take) -> float:
        """What the fault does to the input or to the target, whichever is more."""
        first = 0 if self.causal else harm.FIRST
        sides = (before.x, after.x), (before.y, after.cut())
        return max(harm.unexplained(a, b, first) if a is not b else 0.0 for a, b in sides)


def fault(name: str, code: str, plant: Plant, **more: Any) -> Fault:
    """Make a fault; the sets may be given as words separated by spaces."""
    sets: dict[str, Any] = {key: frozenset(more.pop(key).split()) for key in ("right", "also", "but") if key in more}
    effects = tuple(more.pop("effects", "").split())
    return Fault(name, code, plant, effects=effects, **more, **sets)


def fixed(name: str, code: str, plant: Plant, strengths: tuple[Any, Any, Any], why: str, **more: Any) -> Fault:
    """Make a fault whose amounts are given."""
    return fault(name, code, plant, strengths=strengths, why=why, by_harm=False, **more)


# Effects that lose what the dry sound had, so that nothing leads from the wet one to it.
LOSING = "hard fuzz amplifier amplifier-cabinet"

# After these nearly all samples are at one of two levels, and the mean is how long each of them lasts.
SQUARE = "fuzz hard"
OFF = {"align": "off"}
FAR = "farther than any effect"
LATENCY = "0.3 ms between two parts of a take, where no fixed delay reaches an ESR below 0.004"
LEAD = "two samples, where the best causal filter leaves an ESR of 0.02 or more"

FAULTS: list[Fault] = [
    fault("tremolo-5", "time-variant", changes.tremolo(5)),
    fault("tremolo-0.7", "time-variant", changes.tremolo(0.7), right="level-automation"),
    fault("ring", "time-variant", target(changes.ring)),
    fault("vibrato", "time-variant", changes.vibrato(3, 0.001)),
    fault("chorus", "time-variant", target(changes.chorus)),
    fault("phaser", "time-variant", target(changes.phaser)),
    # In a sweep, each frequency comes at one or two moments, and a fixed filter delays it as the wow does there.
    fault("wow", "time-variant", target(changes.wow), right="rate-mismatch", but="slow-sweep sweep-8k"),
    fault("fade", "level-automation", target(changes.fade)),
    fault("steps", "level-automation", target(changes.steps)),
    fault("echo", "memory-too-short", changes.echo(0.3), once=True),
    fault("reverb", "memory-too-short", target(changes.reverb), once=True),
    fault("hum-50", "noise-floor", changes.added(changes.hum(50, 6))),
    fault("hum-60", "noise-floor", changes.added(changes.hum(60, 1))),
    fault("hiss", "noise-floor", changes.added(changes.hiss)),
    fault("room-noise", "noise-floor", changes.added(changes.rumble)),
    fixed(
        "wrong-take",
        "wrong-take",
        target(changes.wrong_take),
        (0.5, 0.2, 0.06),
        "0.4 s of what no model can give",
        right="unrelated",
        once=True,
    ),
    fault("gaps", "dropouts", changes.gaps(0.005)),
    fault("long-gaps", "dropouts", changes.gaps(0.04)),
    fault("repeated-buffers", "dropouts", target(changes.repeats), once=True),
    fault("clicks", "dropouts", target(changes.clicks)),
    # What is softer than a step becomes silence.
    fault("coarse", "bit-crushed", target(changes.coarse), also="silence-dominated", but="8-bit mu-law"),
    fault("held", "bit-crushed", target(changes.held)),
    fixed("latency-change", "delay-changes", changes.latencies(0.45), (15, 2, 0.3), LATENCY, least=HARM[2]),
    fixed("second-take", "delay-changes", changes.latencies(0.6), (-9, -1.2, -0.3), LATENCY, least=HARM[2]),
    *(
        fixed(
            f"header-{rate}",
            "rate-mismatch",
            mistakes.header(rate, 44100),
            (1, 1, 1),
            "one strength",
            also="length-mismatch too-little-data",
        )
        for rate in (48000, 22050)
    ),
    fixed(
        "clock",
        "rate-mismatch",
        mistakes.slower,
        (1.003, 1.0005, 1.00005),
        "50 ppm, as cheap clocks differ",
        least=HARM[2],
    ),
    fixed(
        "late",
        "misaligned",
        mistakes.shift("samples", OFF),
        (400, 120, 24),
        "twice the lag that filters have of their own: the network must store it",
    ),
    fixed("too-much-cut", "target-leads", mistakes.wrong_align, (40, 12, 4), LEAD, least=HARM[1], causal=True),
    fixed(
        "lead",
        "target-leads",
        mistakes.shift("samples", OFF),
        (-200, -20, -2),
        LEAD,
        least=HARM[1],
        causal=True,
    ),
    fixed(
        "late-seconds",
        "misaligned",
        mistakes.shift("seconds", {}),
        (1.5, 2.2, 3.0),
        FAR,
        also="too-little-data",
        once=True,
    ),
    fixed(
        "lead-seconds",
        "target-leads",
        mistakes.shift("seconds", {}),
        (-1.5, -2.2, -3.0),
        FAR,
        also="too-little-data",
        once=True,
        right="swapped",
    ),
    # What is left of a shorter one may be too little.
    fixed(
        "shorter",
        "length-mismatch",
        mistakes.length("shorter"),
        (5, 3, 1.5),
        "`train` refuses the pair",
        also="too-little-data",
    ),
    fixed("longer", "length-mismatch", mistakes.length("longer"), (5, 3, 1.5), "`train` refuses the pair"),
    fixed(
        "quiet-target",
        "gain-mismatch",
        mistakes.gain("y"),
        (40, 30, 23),
        "a tenth of the codes",
        also="quiet-recording",
    ),
    fixed(
        "quiet-input", "gain-mismatch", mistakes.gain("x"), (40, 30, 23), "a tenth of the codes", also="quiet-recording"
    ),
    fixed(
        "offset-input",
        "dc-offset",
        mistakes.offset("x"),
        (1.5, 0.7, 0.35),
        "an eighth of the energy is offset",
        also="quiet-recording",
    ),
    fixed(
        "offset-target",
        "dc-offset",
        mistakes.offset("y"),
        (1.5, 0.7, 0.35),
        "an eighth of the energy is offset",
        also="quiet-recording",
        but=SQUARE,
    ),
    fault("clipped-input", "clipped", mistakes.clipped_input),
    fault("clipped-target", "clipped", mistakes.clipped_target, also="gain-mismatch"),
    fixed(
        "mostly-silent",
        "silence-dominated",
        mistakes.mostly_silent,
        (0.97, 0.92, 0.86),
        "six of seven windows teach nothing",
    ),
    fixed(
        "little",
        "too-little-data",
        mistakes.little,
        (4, 10, 24),
        "fewer samples than a thirtieth of the parameters",
        also="unrelated",
    ),
    fixed("too-quiet", "quiet-recording", mistakes.too_quiet, (0.3, 0.08, 0.03), "the noise of 8 bits is at -15 dB"),
    fixed("stranger", "unrelated", mistakes.unrelated, (1, 2, 3), "the same loudness", but="slow-sweep sweep-8k"),
    fixed(
        "inverted",
        "polarity-inverted",
        mistakes.inverted,
        (0, 37, 100.5),
        "with a latency between two samples",
        but=" ".join(ANY_SIGN),
    ),
    fixed(
        "exchanged",
        "swapped",
        mistakes.swapped,
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
