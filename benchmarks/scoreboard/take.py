"""A pair of recordings in which a fault is planted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from scoreboard.effects import late, through
from scoreboard.sounds import Floats, Sound


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

    def cut(self) -> Floats:
        """The target, without the delay that the settings fix."""
        align = self.options.get("align", "auto")
        return self.y if align in ("auto", "off") else late(self.y, -int(align))

    def at(self) -> Floats:
        """Times of the target's samples, in seconds."""
        return np.arange(self.y.size) / self.rate


Plant = Callable[[Take, float], Take]


def in_range(y: Floats) -> Floats:
    """Scaled down if it would be clipped, which is another fault."""
    peak = float(np.abs(y).max())
    return y if peak <= 0.98 else np.asarray(y * (0.98 / peak))


def target(change: Callable[[Take, float], Floats]) -> Plant:
    """A fault that changes the target alone."""
    return lambda take, amount: replace(take, y=in_range(change(take, amount)))
