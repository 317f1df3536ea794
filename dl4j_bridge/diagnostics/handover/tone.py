"""Sounds that repeat themselves by nature."""

import numpy as np

from dl4j_bridge.diagnostics.handover import layout
from dl4j_bridge.diagnostics.handover.layout import NO_CLASS, Indices
from dl4j_bridge.signal.codecs import CLASSES, MULAW

# Unexplained share of a tone's variance: up to 0.0001 in the linear code and 0.0011 in the mu-law code; of that of the
# smoothest recordings 0.0013 and 0.0016.
TONE_LINEAR, TONE_MULAW = 5e-4, 1.4e-3


def is_tone(batches: list[Indices]) -> bool:
    """True where each sample follows from two before it, in the linear or in the mu-law code."""
    if layout.unexplained(*batches) < TONE_LINEAR:
        return True
    if max(int(i.max()) for i in batches) >= CLASSES:
        return False
    # Above 0, where no sample can be taken for `NO_CLASS`.
    linear = [np.where(i == NO_CLASS, NO_CLASS, 2 + MULAW.values[i]) for i in batches]
    return layout.unexplained(*linear) < TONE_MULAW
