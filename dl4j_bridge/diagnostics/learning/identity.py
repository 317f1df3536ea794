"""Learn to give the input back: what is wrong with start or learning rate shows here, whatever the pair is."""

from dataclasses import replace
from typing import Any

from dl4j_bridge.diagnostics.criteria import Criterion
from dl4j_bridge.diagnostics.findings import Finding, Kind, Outcome
from dl4j_bridge.diagnostics.network.scale import weak_input_scale
from dl4j_bridge.diagnostics.trial import Effort, Trial
from dl4j_bridge.settings.training import NetworkSettings, TrainSettings
from dl4j_bridge.signal.pairs import Stretch

LEARNING_RATE_TOO_HIGH = Kind("learning-rate-too-high")
LEARNING_RATE_TOO_LOW = Kind("learning-rate-too-low")
NON_FINITE = Kind("non-finite")

# Learning rates to try, as factors: each next one only where those before it did not help.
LOWER, HIGHER = (0.1, 0.03, 0.01, 0.001), (10.0, 100.0, 1000.0, 10000.0)
# Relative size of the first updates below which a higher rate is tried first: healthy updates of Adam and RmsProp move
# the parameters by some percent a step at first.
SMALL_UPDATE = 1e-3


def identity(settings: TrainSettings, criterion: Criterion, stretch: Stretch, effort: Effort) -> Outcome:
    """Train on a stretch whose target is its input, and find what has to change until it is learned.

    Parameters
    ----------
    settings
        Settings with fused layers, see `as_fused`.
    criterion
        How the task's networks are measured.
    stretch
        The input twice, as the task has it.
    effort
        How long a trial may take.
    """
    search = _Search(settings, criterion, stretch, effort)
    first = search.trial()
    learned = search.learned(first)
    findings = [] if learned else search.causes(first)
    figures = {"trials": [trial.figures for trial in search.trials], "curve": criterion.curve(first)}
    figures |= criterion.floors(stretch) | ({"steps_to_learn": len(first.losses)} if learned else {})
    return Outcome(findings, figures)


class _Search:
    """Changes one thing at a time until the identity is learned; what had to be changed is the cause."""

    def __init__(self, settings: TrainSettings, criterion: Criterion, stretch: Stretch, effort: Effort) -> None:
        self._settings, self._criterion, self._stretch = settings, criterion, stretch
        self._steps = effort.steps(settings)
        self.learned = criterion.learned(stretch)
        self.trials: list[Trial] = []

    def trial(self, **changes: Any) -> Trial:
        """Train with other settings of the network."""
        settings = replace(self._settings, network=replace(self._settings.network, **changes))
        self.trials.append(self._criterion.trial(settings, self._stretch, self._steps, self._enough))
        return self.trials[-1]

    def _enough(self, trial: Trial) -> bool:
        return len(trial.losses) % self._criterion.look_every == 0 and self.learned(trial)

    def causes(self, first: Trial) -> list[Finding]:
        weak = self._criterion.task.interface.input == "one-hot" and first.settings.network.init == "xavier"
        base = self.trial(init="one-hot") if weak else first
        if weak and self.learned(base):
            return [_weak_input_scale(first, base)]
        better = self._other_rate(base)
        found = [] if first.finite else [non_finite(first, better)]
        if better is None:
            return found or [self._criterion.stuck(first, self._stretch)]
        if weak:
            # Would the rate alone have been enough?
            only_rate = self.trial(learning_rate=better.settings.network.learning_rate)
            if not self.learned(only_rate):
                found.append(_weak_input_scale(only_rate, better))
        return [*found, wrong_rate(base, better)]

    def _other_rate(self, base: Trial) -> Trial | None:
        """The first learning rate that learns, starting on the side where the size of the updates points."""
        network = base.settings.network
        small = base.finite and base.update < SMALL_UPDATE
        factors = HIGHER + LOWER if small else LOWER + HIGHER
        rates = [as_typed(network.learning_rate * factor) for factor in factors]
        trials = (self.trial(init=network.init, learning_rate=rate) for rate in rates)
        return next(filter(self.learned, trials), None)


def _weak_input_scale(weak: Trial, strong: Trial) -> Finding:
    evidence = {"with": weak.figures, "with_one_hot_init": strong.figures}
    return weak_input_scale(weak.settings.network, evidence)


def as_typed(rate: float) -> float:
    """A learning rate to three digits."""
    return float(f"{rate:.3g}")


def wrong_rate(base: Trial, better: Trial) -> Finding:
    """The finding for a trial that learns with another learning rate."""
    found, wanted = base.settings.network.learning_rate, better.settings.network.learning_rate
    kind = LEARNING_RATE_TOO_HIGH if wanted < found else LEARNING_RATE_TOO_LOW
    evidence = {"with": base.figures, f"at_{wanted:g}": better.figures}
    return kind.found(f"--learning-rate {wanted:g} (found {found:g})", evidence, learning_rate=wanted)


def non_finite(trial: Trial, better: Trial | None = None) -> Finding:
    """The finding for a loss that became NaN or infinite; `better` is a trial that learned."""
    evidence = trial.figures | {"first_not_finite_step": len(trial.losses)}
    found = trial.settings.network
    changes: dict[str, Any] = {"clip": NetworkSettings.clip}
    if better:
        changes["learning_rate"] = better.settings.network.learning_rate
    else:
        changes |= {"updater": NetworkSettings.updater, "learning_rate": NetworkSettings.learning_rate}
    changes = {name: value for name, value in changes.items() if value != getattr(found, name)}
    return NON_FINITE.found("--clip 1 and a lower --learning-rate", evidence, **changes)
