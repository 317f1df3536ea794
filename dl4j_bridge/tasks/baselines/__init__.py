"""What would do without a network. Each baseline is fitted on the training part and judged on the held-out one."""

from __future__ import annotations

from dl4j_bridge.tasks.baselines.base import Baseline, Prediction, Stretch, kept
from dl4j_bridge.tasks.baselines.constant import Constant
from dl4j_bridge.tasks.baselines.copy import Copy
from dl4j_bridge.tasks.baselines.fir import Fir
from dl4j_bridge.tasks.baselines.hammerstein import Hammerstein
from dl4j_bridge.tasks.baselines.lookup_table import LookupTable
from dl4j_bridge.tasks.baselines.markov import Markov
from dl4j_bridge.tasks.baselines.wiener_hammerstein import WienerHammerstein

ALL: tuple[type[Baseline], ...] = (Copy, Constant, LookupTable, Markov, Fir, Hammerstein, WienerHammerstein)

__all__ = [
    "ALL",
    "Baseline",
    "Constant",
    "Copy",
    "Fir",
    "Hammerstein",
    "LookupTable",
    "Markov",
    "Prediction",
    "Stretch",
    "WienerHammerstein",
    "kept",
]
