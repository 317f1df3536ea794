"""The learning rate over a training that has a limit."""

import math
from collections.abc import Callable

# The share of a training over which ``cooldown`` lowers the rate.
COOLDOWN = 0.4
# The share of the initial learning rate, by the share of the training that is done. ``cooldown`` is constant at first,
# as the schedule of Hägele et al. (2024), "Scaling laws and compute-optimal training beyond fixed training durations".
SCHEDULES: dict[str, Callable[[float], float]] = {
    "cooldown": lambda done: min(1.0, (1 - done) / COOLDOWN),
    "linear": lambda done: 1 - done,
    "cosine": lambda done: (1 + math.cos(math.pi * done)) / 2,
}
