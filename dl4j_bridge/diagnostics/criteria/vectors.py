"""Vectors: the share of the target's variance that is left."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from dl4j_bridge.diagnostics.case import Case
from dl4j_bridge.diagnostics.criteria.criterion import POOR_DB, SLOW_LEARNING, STUCK_AT_MARGINAL, Criterion, Rows
from dl4j_bridge.diagnostics.findings import Finding
from dl4j_bridge.diagnostics.trial import Trial
from dl4j_bridge.signal.pairs import Stretch, part
from dl4j_bridge.tasks.interface import Signal

# Shares of the variance that are left: where a network has begun to learn the identity (more cannot be asked of a short
# trial with fewer units than a frame has samples), where it has learned nothing, and where a copy does a good deal.
LEARNED, NOTHING, COPIED = 0.75, 0.9, 0.5
# Values that an error is measured on, and the number of pieces that they are taken from.
MOST_VALUES, PIECES = 400_000, 8
# Rows of a comparison that are no baselines: those that know the target, and the same network without its state.
NO_BASELINES = ("oracle", "8-bit", "stateless")
# A model is worse than a baseline if it is this many dB below it.
WORSE_DB = 1.0


class Vectors(Criterion):
    """For networks whose output is a vector, such as a frame of samples or a spectrum."""

    unit = "share"
    # A look costs about as much as a step.
    look_every = 20
    identity_settles = False
    next_trial = "next frame"
    simplest = ""
    lower_is_better = False

    def signals(self, case: Case) -> Stretch:
        return self.task.signals(case.pair)

    def error(self, outputs: Signal, target: Signal) -> float:
        off = np.sum((outputs.astype(np.float64) - target) ** 2)
        mean = target.mean(axis=(0, 1), dtype=np.float64)
        return float(off / max(np.sum((target - mean) ** 2), 1e-12))

    def pieces(self, stretch: Stretch) -> tuple[int, int]:
        x = stretch[0]
        return PIECES, max(min(len(x) // PIECES, MOST_VALUES // (x.shape[1] * PIECES)), 1)

    def simplest_errors(self, signals: Stretch) -> dict[str, float]:
        """Shares that a copy of the input leaves."""
        parts = {name: part(signals, name) for name in ("train", "valid")}
        return {name: self.error(x[None], y[None]) for name, (x, y) in parts.items()}

    def figures(self, trial: Trial, stretch: Stretch) -> dict[str, Any]:
        share = self.error_on(trial.network, stretch)
        return trial.conditions() | {"error_share": round(share, 4) if math.isfinite(share) else None}

    def learned(self, stretch: Stretch) -> Callable[[Trial], bool]:
        return lambda trial: trial.finite and self.error_on(trial.network, stretch) <= LEARNED

    def simple_models(self, signals: Stretch) -> dict[str, Any]:
        return {"copy": self.simplest_errors(signals)["train"]}

    def is_stuck(self, trial: Trial, error: float, simple: dict[str, Any]) -> bool:
        return bool(error > NOTHING and simple["copy"] < COPIED)

    def stuck(self, trial: Trial, stretch: Stretch) -> Finding:
        share = trial.figures["error_share"]
        if not share or share > NOTHING:
            fix = "the target does not follow from this input, or the network is too small: "
            return STUCK_AT_MARGINAL.found(fix + "look at the pair and --hidden", trial.figures)
        fix = "train for longer, or a larger --hidden: the error falls, but slowly"
        return SLOW_LEARNING.found(fix, trial.figures)

    def scores(self, rows: Rows) -> dict[str, float]:
        """SNR in dB, or SI-SDR of spectra."""
        key = "snr_db" if "snr_db" in rows[0] else "si_sdr_db"
        counting = [row for row in rows if not row["name"].startswith(NO_BASELINES)]
        return {row["name"]: row[key] for row in counting if row[key] is not None}

    def noisier(self, scores: dict[str, float], best: str) -> dict[str, float]:
        return scores if scores["model"] < min(scores[best] - WORSE_DB, POOR_DB) else {}
