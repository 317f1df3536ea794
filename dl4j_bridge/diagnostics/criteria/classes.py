"""Classes: cross-entropy in bits per sample, and the levels at which it stands still."""

from collections.abc import Callable
from typing import Any

from dl4j_bridge.diagnostics.case import Case
from dl4j_bridge.diagnostics.criteria.criterion import (
    MARGINAL_FIX,
    POOR,
    SLOW_LEARNING,
    STUCK_AT_MARGINAL,
    Criterion,
    Rows,
)
from dl4j_bridge.diagnostics.findings import Finding, Kind
from dl4j_bridge.diagnostics.trial import Trial
from dl4j_bridge.settings.training import NetworkSettings
from dl4j_bridge.signal import metrics
from dl4j_bridge.signal.codecs import Codec
from dl4j_bridge.signal.pairs import Stretch, part
from dl4j_bridge.tasks.baselines.base import Baseline
from dl4j_bridge.tasks.baselines.constant import Constant
from dl4j_bridge.tasks.baselines.fir import Fir
from dl4j_bridge.tasks.baselines.lookup_table import LookupTable
from dl4j_bridge.tasks.interface import Signal
from dl4j_bridge.tasks.registry import train_settings
from dl4j_bridge.tasks.samples.task import CHANCE_BITS, SamplesTask

STUCK_AT_UNIFORM = Kind("stuck-at-uniform")

# How near to a floor, in bits, counts as standing on it.
NEAR = 0.35
# The identity is learned when this share of the classes is exact, at less than this share of the target's own entropy.
EXACT, OF_ENTROPY = 0.95, 0.5
# A pair on which the best baseline gains less than this over the histogram has nothing to show that it can be learned.
WORTH_LEARNING = 0.3
# A network that is not stuck has gained this share of what the best baseline gains over the histogram.
SHARE_OF_BASELINE = 0.1
# Samples that an error is measured on, and the largest number of pieces that they are taken from.
MOST_SAMPLES, MOST_PIECES = 8000, 16
# Samples that a baseline is evaluated on.
BASELINE_SAMPLES = 20_000
# A model is worse than a baseline if its error energy is this many times as large (1 dB).
WORSE = 1.26


def is_uniform(bits: float, marginal: float) -> bool:
    """Whether a loss stands at that of a guess, although the histogram of the target is better."""
    return bits > marginal + NEAR and bits > CHANCE_BITS - NEAR


def stuck_at_uniform(evidence: dict[str, Any], network: NetworkSettings, usual: NetworkSettings) -> Finding:
    """The finding for a loss that stays there; the `usual` settings are the fix, where those of `network` differ."""
    names = ("updater", "learning_rate", "clip", "dropout")
    changes = {name: getattr(usual, name) for name in names if getattr(network, name) != getattr(usual, name)}
    fix = "look at --updater, --clip and --dropout: the parameters do not move to where the loss falls"
    return STUCK_AT_UNIFORM.found(fix, evidence, **changes)


class Classes(Criterion):
    """For networks whose output is a distribution over classes."""

    unit = "bits"
    look_every = 1
    identity_settles = True
    next_trial = "next sample"
    simplest = "lookup_table"
    lower_is_better = True

    # The classes of this package are those of 8-bit samples.
    task: SamplesTask

    def signals(self, case: Case) -> Stretch:
        return case.indices

    def error(self, outputs: Signal, target: Signal) -> float:
        return metrics.bits_per_sample(outputs.reshape(-1, outputs.shape[-1]), target.ravel())

    def pieces(self, stretch: Stretch) -> tuple[int, int]:
        size = len(stretch[0])
        count = max(min(MOST_PIECES, size // 400), 1)
        return count, min(size, max(MOST_SAMPLES // count, 1))

    def simplest_errors(self, signals: Stretch) -> dict[str, float]:
        return {name: self._bits_of(LookupTable, signals, name) for name in ("train", "valid")}

    def _bits_of(self, kind: Callable[[Codec], Baseline], signals: Stretch, name: str) -> float:
        """Bits per sample on a part of a baseline that is fitted on the training part."""
        baseline = kind(self.task.codec)
        baseline.fit([part(signals, "train")])
        x, y = (side[:BASELINE_SAMPLES] for side in part(signals, name))
        probabilities = baseline.predict(x).probabilities
        assert probabilities is not None
        return metrics.bits_per_sample(probabilities, y)

    def figures(self, trial: Trial, stretch: Stretch) -> dict[str, Any]:
        bits = round(trial.level, 3) if trial.finite else None
        return trial.conditions() | {"bits": bits, "accuracy": round(trial.exact, 4)}

    def curve(self, trial: Trial) -> dict[str, list[float]]:
        curve = super().curve(trial)
        accuracy = [trial.accuracy[int(step) - 1] for step in curve["step"]]
        return {"step": curve["step"], "bits": curve["loss"], "accuracy": accuracy}

    def learned(self, stretch: Stretch) -> Callable[[Trial], bool]:
        """True if nearly every sample is exact, and the network is surer of it than the histogram would make it."""
        bits = OF_ENTROPY * max(metrics.entropy_bits(stretch[1]), 0.1)
        return lambda trial: trial.finite and trial.exact >= EXACT and trial.level <= bits

    def floors(self, stretch: Stretch) -> dict[str, Any]:
        """Levels in bits per sample; each is what has been learned there, and no more."""
        marginal, order_1 = metrics.entropy_bits(stretch[1]), metrics.order_1_entropy_bits(stretch[1])
        return {"floors": {"uniform": CHANCE_BITS, "marginal": marginal, "order_1": order_1}}

    def simple_models(self, signals: Stretch) -> dict[str, Any]:
        """Bits of the baselines that have a distribution."""
        kinds = (Constant, LookupTable, Fir)
        return {"baselines": {kind.name: self._bits_of(kind, signals, "train") for kind in kinds}}

    def is_stuck(self, trial: Trial, error: float, simple: dict[str, Any]) -> bool:
        marginal, best = simple["baselines"]["constant"], min(simple["baselines"].values())
        gained = marginal - trial.level
        return bool(marginal - best > WORTH_LEARNING and gained < SHARE_OF_BASELINE * (marginal - best))

    def stuck(self, trial: Trial, stretch: Stretch) -> Finding:
        floors = self.floors(stretch)
        evidence, marginal = trial.figures | floors, floors["floors"]["marginal"]
        if is_uniform(trial.level, marginal):
            usual = train_settings({"task": self.task.name}, self.task.predicts == "target").network
            return stuck_at_uniform(evidence, trial.settings.network, usual)
        if trial.level > marginal - NEAR:
            return STUCK_AT_MARGINAL.found(MARGINAL_FIX, evidence)
        return SLOW_LEARNING.found("train for longer, or a larger --hidden: the loss falls, but slowly", evidence)

    def scores(self, rows: Rows) -> dict[str, float]:
        return {row["name"]: row["esr"] for row in rows if row["esr"] is not None}

    def noisier(self, scores: dict[str, float], best: str) -> dict[str, float]:
        model, baseline = scores["model"], scores[best]
        return {"model_esr": model, f"{best}_esr": baseline} if model > max(POOR, WORSE * baseline) else {}
