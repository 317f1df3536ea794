"""Vectors: the share of the target's variance that is left."""

import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from dl4j_bridge.diagnostics.case import Case
from dl4j_bridge.diagnostics.criteria.criterion import POOR, SLOW_LEARNING, STUCK_AT_MARGINAL, Criterion, Rows
from dl4j_bridge.diagnostics.findings import Finding
from dl4j_bridge.diagnostics.trial import Trial, loss_curve
from dl4j_bridge.signal import metrics
from dl4j_bridge.signal.pairs import Stretch, part
from dl4j_bridge.tasks.interface import Signal

# Shares of the variance that are left: where a network has begun to learn the identity (more cannot be asked of a short
# trial with fewer units than a frame has samples), where it has learned nothing, and where a copy does a good deal.
LEARNED, NOTHING, COPIED = 0.75, 0.9, 0.5
# Values that an error is measured on, and the number of pieces that they are taken from.
MOST_VALUES, PIECES = 400_000, 8
# Rows of a comparison that know the target, so that no baseline could be as good.
KNOW_TARGET = ("oracle", "8-bit")
# A model is worse than a baseline if it is this many dB below it.
WORSE_DB = 1.0


class Vectors(Criterion):
    """For networks whose output is a vector, such as a frame of samples or a spectrum."""

    unit = "share"
    # A look costs about as much as a step.
    look_every = 20
    identity_settles = False
    trial_names: ClassVar[dict[str, str]] = {"target": "pair", "next": "next frame"}
    simplest = ""
    memory_figures = ("carried", "dropped", "time_steps")

    def signals(self, case: Case) -> Stretch:
        return self.task.signals(case.pair)

    def error(self, outputs: npt.NDArray[np.float32], target: Signal) -> float:
        off = np.sum((outputs.astype(np.float64) - target) ** 2)
        mean = target.mean(axis=(0, 1), dtype=np.float64)
        return float(off / max(np.sum((target - mean) ** 2), 1e-12))

    def pieces(self, stretch: Stretch) -> tuple[int, int]:
        x = stretch[0]
        return PIECES, max(min(len(x) // PIECES, MOST_VALUES // (x.shape[1] * PIECES)), 1)

    def simplest_errors(self, signals: Stretch) -> dict[str, float]:
        """Shares that a copy of the input leaves."""
        return {name: self._share_of_copy(part(signals, name)) for name in ("train", "valid")}

    def _share_of_copy(self, stretch: Stretch) -> float:
        return self.error(stretch[0][None], stretch[1][None])

    def figures(self, trial: Trial, stretch: Stretch) -> dict[str, Any]:
        share = self.error_on(trial.network, stretch)
        return trial.conditions() | {"error_share": round(share, 4) if math.isfinite(share) else None}

    def curve(self, trial: Trial) -> dict[str, list[float]]:
        return loss_curve(trial)

    def learned(self, stretch: Stretch) -> Callable[[Trial], bool]:
        return lambda trial: trial.finite and self.error_on(trial.network, stretch) <= LEARNED

    def floors(self, stretch: Stretch) -> dict[str, Any]:
        return {}

    def simple_models(self, signals: Stretch) -> dict[str, Any]:
        return {"copy": self._share_of_copy(part(signals, "train"))}

    def is_stuck(self, trial: Trial, error: float, simple: dict[str, Any]) -> bool:
        return bool(error > NOTHING and simple["copy"] < COPIED)

    def stuck(self, trial: Trial, stretch: Stretch) -> Finding:
        evidence = self.figures(trial, stretch)
        if not evidence["error_share"] or evidence["error_share"] > NOTHING:
            fix = (
                "the target does not follow from this input, or the network is too small: look at the pair and --hidden"
            )
            return STUCK_AT_MARGINAL.found(fix, evidence)
        return SLOW_LEARNING.found("train for longer, or a larger --hidden: the error falls, but slowly", evidence)

    def scores(self, rows: Rows) -> dict[str, float]:
        """SNR in dB, or SI-SDR of spectra."""
        key = "snr_db" if "snr_db" in rows[0] else "si_sdr_db"
        # The same network without its state is no baseline.
        return {
            row["name"]: row[key]
            for row in rows
            if row[key] is not None and not row["name"].startswith(KNOW_TARGET) and row["name"] != "stateless"
        }

    def best(self, scores: dict[str, float]) -> str:
        return max(scores, key=scores.__getitem__)

    def is_noisier(self, model: float, baseline: float) -> bool:
        best_inaudible = metrics.snr_db(POOR)
        assert best_inaudible is not None
        return model < baseline - WORSE_DB and model < best_inaudible

    def evidence(self, figures: dict[str, float], best: str) -> dict[str, float]:
        return figures

    def chunks(self, length: int, chunk: int) -> tuple[int, int]:
        # The first chunk has no state to drop.
        return min(chunk, max(length // 4, 1)), 1
