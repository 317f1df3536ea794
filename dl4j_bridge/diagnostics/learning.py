"""Does it learn? The identity first, then the pair; where it stands still, a short sweep tells why."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge.diagnostics.findings import FAULT, WARNING, Check, Finding, Outcome
from dl4j_bridge.diagnostics.network import INPUT_SCALE_FIX
from dl4j_bridge.java.interface import Interface
from dl4j_bridge.java.network import Network
from dl4j_bridge.jobs import training
from dl4j_bridge.settings.config import TrainSettings
from dl4j_bridge.signal import metrics
from dl4j_bridge.signal.codec import CLASSES, Codec
from dl4j_bridge.signal.pairs import Windows
from dl4j_bridge.tasks import baselines
from dl4j_bridge.tasks.interface import Stretch, Task

Indices = npt.NDArray[np.uint8]

# Bits of a guess over 256 classes, and how near to a floor counts as standing on it.
CHANCE_BITS, NEAR = 8.0, 0.35
# The identity is learnt when so many classes are exact, at less than this share of the target's own entropy.
EXACT, OF_ENTROPY = 0.95, 0.5
# Steps that a level is the mean of.
LAST = 10
# Learning rates to try, as factors: each next one only where those before did not help.
LOWER, HIGHER = (0.1, 0.03, 0.01, 0.001), (10.0, 100.0, 1000.0, 10000.0)
# A pair on which the best baseline gains less than this over the histogram has nothing to show that it can be learnt.
WORTH_LEARNING = 0.3
# Of what the best baseline gains over the histogram, a network that is not stuck has gained this share.
SHARE_OF_BASELINE = 0.1
# Bits by which the validation part may turn out harder than the training part, beyond what it is for a lookup table.
OVERFIT_BITS = 0.5
# By how much the second half of a trial makes the validation part worse where training is by heart.
WORSE_BITS = 0.05


@dataclass(frozen=True)
class Effort:
    """How long a trial may take.

    Attributes
    ----------
    samples
        To train on at most; the steps follow from batch and segment.
    least, most
        Bounds of the steps, whatever their size.
    """

    samples: int
    least: int
    most: int

    def steps(self, settings: TrainSettings) -> int:
        """Steps of a trial."""
        size = settings.run.batch * settings.network.tbptt
        return max(self.least, min(self.most, self.samples // size))


QUICK, FULL = Effort(200_000, 120, 1500), Effort(640_000, 300, 4000)


@dataclass
class Trial:
    """A short training run from a fresh network.

    Attributes
    ----------
    losses, accuracy
        Of each step, before its update, as `Network.step` gives them: bits per sample of classes.
    update
        Size of the parameters' first updates against the parameters, as L2 norms: the mean over five steps.
    network
        As the last step left it.
    """

    settings: TrainSettings
    network: Network
    losses: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    update: float = 0.0

    @property
    def finite(self) -> bool:
        return math.isfinite(self.losses[-1])

    @property
    def level(self) -> float:
        """Loss at the end; NaN counts as such."""
        return float(np.mean(self.losses[-LAST:]))

    @property
    def exact(self) -> float:
        """Accuracy at the end."""
        return float(np.mean(self.accuracy[-LAST:]))

    def figures(self) -> dict[str, Any]:
        """What a report shows of classes; a loss that is not finite is left out, since JSON has none."""
        level = {"bits": round(self.level, 3) if self.finite else None, "accuracy": round(self.exact, 4)}
        return self.conditions() | level

    def conditions(self) -> dict[str, Any]:
        """What it was trained with."""
        return {
            "init": self.settings.network.init,
            "updater": self.settings.network.updater,
            "learning_rate": self.settings.network.learning_rate,
            "steps": len(self.losses),
            "update_ratio": self.update if math.isfinite(self.update) else None,
        }


def checks(settings: TrainSettings, codec: Codec, signals: Stretch, has_target: bool, effort: Effort) -> list[Check]:
    """The identity on the input alone, then the pair.

    Parameters
    ----------
    settings
        Of the user; stock layers are computed by the fused ones with stock's gradient, which are faster.
    codec
        For the baselines.
    signals
        Input and target, uint8 of equal length, the delay cut out.
    has_target
        False where the target is the next sample of the input.
    effort
        `QUICK` or `FULL`.
    """
    settings = as_fused(settings)
    x, y = signals
    found = [Check("identity", lambda: identity(settings, training.part((x, x), "train"), effort))]
    if not has_target or not np.array_equal(x, y):
        found.append(Check("pair" if has_target else "next sample", lambda: pair(settings, codec, signals, effort)))
    return found


def as_fused(settings: TrainSettings) -> TrainSettings:
    """The same arithmetic in the fused layers."""
    network = settings.network.resolved()
    return replace(settings, network=replace(network, layer="fused"))


def identity(settings: TrainSettings, stretch: Stretch, effort: Effort) -> Outcome:
    """Learn to give the input back. What is wrong with init or rate shows here, whatever the pair is."""
    first = train_briefly(settings, stretch, effort.steps(settings), learnt_identity(stretch[1]))
    figures: dict[str, Any] = {"trials": [first.figures()], "curve": _curve(first), "floors": floors(stretch[1])}
    if learnt_identity(stretch[1])(first):
        return Outcome([], figures | {"steps_to_learn": len(first.losses)})
    found, trials = _causes(first, stretch, effort)
    figures["trials"] += [trial.figures() for trial in trials]
    return Outcome(found, figures)


def pair(settings: TrainSettings, codec: Codec, signals: Stretch, effort: Effort) -> Outcome:
    """Learn the pair for a while: a network that stays at the histogram, where a baseline does not, is stuck."""
    stretch = training.part(signals, "train")
    valid = training.part(signals, "valid")
    halfway: list[float] = []
    steps = effort.steps(settings)

    def look_halfway(trial: Trial) -> bool:
        if len(trial.losses) == steps // 2:
            halfway.append(bits_on(trial.network, valid))
        return False

    trial = train_briefly(settings, stretch, steps, look_halfway)
    simple = _baseline_bits(codec, signals)
    levels = floors(stretch[1])
    figures: dict[str, Any] = {
        "trials": [trial.figures()],
        "curve": _curve(trial),
        "floors": levels,
        "baselines": simple,
    }
    if not trial.finite:
        return Outcome([non_finite(trial, Trial.figures)], figures)
    marginal, best = simple["constant"], min(simple.values())
    stuck = marginal - trial.level < SHARE_OF_BASELINE * (marginal - best)
    if marginal - best > WORTH_LEARNING and stuck:
        return Outcome([_stuck(trial, levels)], figures)
    here, there = bits_on(trial.network, stretch), bits_on(trial.network, valid)
    figures |= {"train_bits": here, "valid_bits_halfway": halfway[0], "valid_bits": there}
    # A validation part that is merely harder still gets better.
    worse = there > halfway[0] + WORSE_BITS
    return Outcome(overfit(here, there, table_bits(codec, signals)) if worse else [], figures)


def train_briefly(
    settings: TrainSettings,
    stretch: Stretch,
    steps: int,
    enough: Callable[[Trial], bool],
    task: Task | None = None,
) -> Trial:
    """Train a fresh network until it is good `enough`, the loss is not finite, or `steps` are done.

    Parameters
    ----------
    settings
        Of network and windows.
    stretch
        Input and target: uint8 of equal length, or what the task has.
    steps
        Updates at most.
    enough
        Asked after every step.
    task
        Whose network it is and how its loss is weighed; without one, classes.
    """
    length = min(settings.run.length, len(stretch[0]))
    run = replace(settings.run, length=length)
    network_settings = replace(settings.network, tbptt=min(settings.network.tbptt, length))
    settings = replace(settings, run=run, network=network_settings)
    windows = Windows([stretch], length, run.batch, settings.network.seed)
    interface = task.interface if task else Interface.of_classes(CLASSES)
    trial = Trial(settings, Network.create(settings.network, interface))
    weigh = task.weigh if task else lambda target: None
    before = trial.network.parameters()
    ratios = []
    for number in range(steps):
        loss, accuracy, _ = training.step(trial.network, windows, settings, number, weigh)
        trial.losses.append(loss)
        trial.accuracy.append(accuracy)
        if not math.isfinite(loss):
            break
        if number < 5:
            after = trial.network.parameters()
            ratios.append(float(np.linalg.norm(after - before) / np.linalg.norm(before)))
            trial.update = float(np.mean(ratios))
            before = after
        if number >= LAST and enough(trial):
            break
    return trial


def learnt_identity(target: Indices) -> Callable[[Trial], bool]:
    """True for a trial that gives nearly every sample back, and is surer of it than the histogram makes it."""
    entropy = metrics.entropy_bits(target)
    return lambda trial: trial.finite and trial.exact >= EXACT and trial.level <= OF_ENTROPY * max(entropy, 0.1)


def floors(target: Indices) -> dict[str, float]:
    """Levels at which a loss stands still, in bits per sample: what has been learnt there and what has not."""
    return {
        "uniform": CHANCE_BITS,
        "marginal": metrics.entropy_bits(target),
        "order_1": metrics.order_1_entropy_bits(target),
    }


def bits_on(network: Network, stretch: Stretch, most: int = 8000) -> float:
    """Cross-entropy on up to `most` samples of a stretch, in pieces from all over it."""
    x, y = stretch
    count = max(min(16, x.size // 400), 1)
    length = min(x.size, max(most // count, 1))
    starts = np.linspace(0, x.size - length, count).astype(int)
    pieces = np.stack([x[s : s + length] for s in starts])
    wanted = np.stack([y[s : s + length] for s in starts])
    # Each piece begins with an empty state: its first samples say little of the network.
    heard = min(length // 2, training.WARM_UP)
    probabilities = network.run_batch(pieces)[:, heard:].reshape(-1, CLASSES)
    return metrics.bits_per_sample(probabilities, wanted[:, heard:].ravel())


def overfit(train_bits: float, valid_bits: float, table: dict[str, float]) -> list[Finding]:
    """Compare how much harder the validation part is for the network and for a lookup table."""
    excess = (valid_bits - train_bits) - max(table["valid"] - table["train"], 0.0)
    if excess <= OVERFIT_BITS:
        return []
    evidence = {"train_bits": train_bits, "valid_bits": valid_bits, "lookup_table": table, "excess_bits": excess}
    return [Finding("overfit", FAULT, OVERFIT_FIX, evidence)]


OVERFIT_FIX = "more recordings (repeat --input and --target), a smaller --hidden, --dropout 0.2, or fewer --steps"


def _causes(first: Trial, stretch: Stretch, effort: Effort) -> tuple[list[Finding], list[Trial]]:
    """Change one thing at a time until the identity is learnt; what had to be changed is the cause."""
    learnt = learnt_identity(stretch[1])
    steps = effort.steps(first.settings)
    trials: list[Trial] = []

    def with_changes(**changes: Any) -> Trial:
        network = replace(first.settings.network, **changes)
        trials.append(train_briefly(replace(first.settings, network=network), stretch, steps, learnt))
        return trials[-1]

    weak = first.settings.network.init == "xavier"
    base = with_changes(init="one-hot") if weak else first
    if weak and learnt(base):
        return [_weak_input_scale(first, base)], trials
    mended = other_rate(base, with_changes, learnt)
    found = [] if first.finite else [non_finite(first, Trial.figures)]
    if mended is None:
        return found or [_stuck(first, floors(stretch[1]))], trials
    if weak:
        # Would the rate alone have been enough?
        only_rate = with_changes(learning_rate=mended.settings.network.learning_rate)
        if not learnt(only_rate):
            found.append(_weak_input_scale(only_rate, mended))
    return [*found, wrong_rate(base, mended, Trial.figures)], trials


def other_rate(base: Trial, with_changes: Callable[..., Trial], learnt: Callable[[Trial], bool]) -> Trial | None:
    """The first learning rate that learns, looking first to the side where the updates' size points."""
    rate = base.settings.network.learning_rate
    init = base.settings.network.init
    lower, higher = [rate * f for f in LOWER], [rate * f for f in HIGHER]
    # Adam's and RmsProp's healthy updates move the parameters by some per cent a step at first.
    small = base.finite and base.update < 1e-3
    for candidate in (higher + lower) if small else (lower + higher):
        trial = with_changes(init=init, learning_rate=candidate)
        if learnt(trial):
            return trial
    return None


def _weak_input_scale(weak: Trial, strong: Trial) -> Finding:
    return Finding(
        "weak-input-scale", FAULT, INPUT_SCALE_FIX, {"with": weak.figures(), "with_one_hot_init": strong.figures()}
    )


def wrong_rate(base: Trial, mended: Trial, figures: Callable[[Trial], dict[str, Any]]) -> Finding:
    """Say that another learning rate was all it took."""
    rate, better = base.settings.network.learning_rate, mended.settings.network.learning_rate
    code = "learning-rate-too-high" if better < rate else "learning-rate-too-low"
    evidence = {"with": figures(base), f"at_{better:g}": figures(mended)}
    return Finding(code, FAULT, f"--learning-rate {better:g} (found {rate:g})", evidence)


def non_finite(trial: Trial, figures: Callable[[Trial], dict[str, Any]]) -> Finding:
    """Say that the loss was lost, and when."""
    evidence = figures(trial) | {"first_not_finite_step": len(trial.losses)}
    return Finding("non-finite", FAULT, "--clip 1 and a lower --learning-rate", evidence)


def _stuck(trial: Trial, levels: dict[str, float]) -> Finding:
    evidence = trial.figures() | {"floors": levels}
    if trial.level > levels["marginal"] + NEAR and trial.level > CHANCE_BITS - NEAR:
        fix = "look at --updater, --clip and --dropout: the parameters do not move to where the loss falls"
        return Finding("stuck-at-uniform", FAULT, fix, evidence)
    if trial.level > levels["marginal"] - NEAR:
        fix = "the target does not follow from this input: look at the pair, --align and the order of your tensors"
        return Finding("stuck-at-marginal", FAULT, fix, evidence)
    fix = "train for longer, or a larger --hidden: the loss falls, but slowly"
    return Finding("slow-learning", WARNING, fix, evidence)


def _baseline_bits(codec: Codec, signals: Stretch) -> dict[str, float]:
    """Bits of the baselines that have a distribution, fitted on the training part, on the training part."""
    train = training.part(signals, "train")
    found = {}
    for kind in (baselines.Constant, baselines.LookupTable, baselines.Fir):
        baseline = kind(codec)
        baseline.fit([train])
        found[kind.name] = _bits_of(baseline, train)
    return found


def table_bits(codec: Codec, signals: Stretch) -> dict[str, float]:
    """Bits of a lookup table on the training part that it is fitted on, and on the validation part."""
    table = baselines.LookupTable(codec)
    table.fit([training.part(signals, "train")])
    return {name: _bits_of(table, training.part(signals, name)) for name in ("train", "valid")}


def _bits_of(baseline: baselines.Baseline, judged_on: Stretch) -> float:
    x, y = (side[:20_000] for side in judged_on)
    probabilities = baseline.predict(x).probabilities
    assert probabilities is not None
    return metrics.bits_per_sample(probabilities, y)


def _curve(trial: Trial) -> dict[str, list[float]]:
    """Up to 200 points of bits and accuracy over steps."""
    curve = loss_curve(trial)
    at = [int(step) - 1 for step in curve["step"]]
    return {"step": curve["step"], "bits": curve["loss"], "accuracy": [trial.accuracy[k] for k in at]}


def loss_curve(trial: Trial) -> dict[str, list[float]]:
    """Up to 200 points of the loss over steps, those that are finite."""
    every = max(len(trial.losses) // 200, 1)
    at = [k for k in range(0, len(trial.losses), every) if math.isfinite(trial.losses[k])]
    return {"step": [k + 1 for k in at], "loss": [trial.losses[k] for k in at]}
