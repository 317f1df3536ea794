"""Defines the cells of the identity study, the most important first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from copying import BASES, Cell, Data

RECORDINGS = ("speech", "strings", "sine", "noise")
# Recordings on which the corrected setup also runs with XAVIER, to compare the initialization alone.
XAVIER_ON = ("speech", "strings")
# Maximum number of steps: of a setup, of a change to the posted and to the corrected setup, and of a copy.
LIMIT, POSTED_LIMIT, CORRECTED_LIMIT, COPIES_LIMIT = 600, 400, 300, 1000
EVALUATED_AFTER = (50, 100, 200, 300, 500, 1000)
SETUPS, COPIES, SEARCH, SINE, TWIN = "setups", "copies", "search", "sine from noise", "other networks"
TRIALS = 6

# Standard deviations of the first layer's input weights, from that of DL4J's XAVIER upwards; `train` uses 1.
DEVIATIONS = (0.0552, 0.1, 0.2, 0.5, 2.0, 4.0)

# For each factor: description of a change -> fields of `Cell`.
Changes = dict[str, dict[str, dict[str, Any]]]

COMMON: Changes = {
    "tBPTT length": {"10": {"options": {"tbptt": 10}}, "200": {"options": {"tbptt": 200}}},
    "hidden size": {
        "175, 12.5 % fewer": {"options": {"hidden": 175}},
        "100": {"options": {"hidden": 100}},
    },
    "data": {
        "10,000 samples": {"data": Data(samples=10_000)},
        "50,000 samples": {"data": Data(samples=50_000)},
    },
    "window order": {"in order": {"data": Data(order="in order")}},
    "silence": {
        "cut out": {"data": Data(silence="cut out")},
        "doubled": {"data": Data(silence="doubled")},
    },
    "level": {"26 dB quieter": {"data": Data(level=0.05)}},
    "augmentation": {"random gain": {"data": Data(random_gain=True)}},
    "forget-gate bias": {"0": {"forget_bias": 0.0}},
}

POSTED: Changes = {
    "initialization": {"one-hot aware": {"options": {"init": "one-hot"}}},
    "learning rate": {
        "0.01": {"options": {"learning_rate": 0.01}},
        "0.1 / 32, as it was meant": {"options": {"learning_rate": 0.1 / 32}},
        "0.001": {"options": {"learning_rate": 0.001}},
    },
    "two changes": {
        "rate 0.1 / 32 and one-hot aware": {"options": {"learning_rate": 0.1 / 32, "init": "one-hot"}},
        "Adam with 0.005": {"options": {"updater": "adam", "learning_rate": 0.005}},
    },
    "updater": {
        "Adam": {"options": {"updater": "adam"}},
        "SGD": {"options": {"updater": "sgd"}},
        "AdaGrad": {"options": {"updater": "adagrad"}},
    },
    "L2": {"none": {"options": {"l2": 0.0}}},
    "clipping": {"norm 1 per layer": {"options": {"clip": 1.0}}},
    "gradient": {"with the carried state": {"options": {"gradient_state": "carried"}}},
    **COMMON,
}

TODAY: Changes = {
    "initialization": {"one-hot aware": {"options": {"init": "one-hot"}}},
    "gradient": {"with the carried state": {"options": {"gradient_state": "carried"}}},
    "clipping": {"norm 1 per layer": {"options": {"clip": 1.0}}},
    "L2": {"none": {"options": {"l2": 0.0}}},
    "learning rate": {"0.001": {"options": {"learning_rate": 0.001}}},
    "forget-gate bias": {"0": {"forget_bias": 0.0}},
}

CORRECTED: Changes = {
    "initialization": {
        f"deviation {deviation:g}": {"options": {"init": "xavier"}, "input_deviation": deviation}
        for deviation in DEVIATIONS
    },
    "learning rate": {f"{rate:g}": {"options": {"learning_rate": rate}} for rate in (0.0005, 0.002, 0.02, 0.1)},
    "updater": {
        "RmsProp": {"options": {"updater": "rmsprop"}},
        "AdaGrad": {"options": {"updater": "adagrad"}},
        "Nesterov": {"options": {"updater": "nesterovs"}},
        "SGD": {"options": {"updater": "sgd"}},
    },
    "L2": {
        "0.001": {"options": {"l2": 0.001}},
        "weight decay 0.001 / 32": {"options": {"weight_decay": 0.001 / 32}},
    },
    "clipping": {"none": {"options": {"clip": 0.0}}},
    "gradient": {"from a zero state, as stock": {"options": {"gradient_state": "stock"}}},
    **COMMON,
}

# Networks without peepholes or without one-hot input. PyTorch trains them, since there is no fast Java layer for them.
NETWORKS: dict[str, dict[str, Any]] = {
    "LSTM without peepholes, one-hot aware": {"twin": "one-hot"},
    "LSTM without peepholes, XAVIER": {"twin": "xavier"},
    "LSTM without peepholes, PyTorch's initialization": {"twin": "own"},
    "LSTM, one number per sample, XAVIER": {"twin": "xavier", "scalar_input": True},
    "LSTM, one number per sample, PyTorch's initialization": {"twin": "own", "scalar_input": True},
}


def cells(seeds: int) -> Iterator[Cell]:
    """Return all cells of the study in the order in which they run."""
    yield from setups(1)
    yield from changes("corrected", CORRECTED, CORRECTED_LIMIT, 1)
    yield from copies()
    yield from changes("posted", POSTED, POSTED_LIMIT, 1)
    yield from changes("example of today", TODAY, POSTED_LIMIT, 1)
    yield from initialization_and_gradient()
    yield from networks()
    yield from sine_from_noise()
    yield from search()
    for seed in range(2, seeds + 1):
        yield from setups(seed)
        yield from changes("corrected", CORRECTED, CORRECTED_LIMIT, seed)


def setups(seed: int) -> Iterator[Cell]:
    """Return the cells of the main table."""
    for recording in RECORDINGS:
        for base in reversed(BASES):
            yield Cell(base, SETUPS, recording=recording, seed=seed, limit=LIMIT)
        if recording in XAVIER_ON:
            options = {"init": "xavier"}
            yield Cell("corrected", SETUPS, "but XAVIER", options, recording=recording, seed=seed, limit=LIMIT)


def initialization_and_gradient() -> Iterator[Cell]:
    """Return setups that carry the state in the gradient, changed to stock's gradient and XAVIER."""
    stock = {"gradient_state": "stock"}
    for base, change, options in (
        ("posted, as it was meant", "from a zero state, as stock", stock),
        ("corrected", "from a zero state, as stock, and XAVIER", stock | {"init": "xavier"}),
    ):
        yield Cell(base, "gradient", change, options, limit=LIMIT)


def changes(base: str, wanted: Changes, limit: int, seed: int) -> Iterator[Cell]:
    """Return one cell for each change, on speech."""
    for factor, of_factor in wanted.items():
        for change, how in of_factor.items():
            yield Cell(base, factor, change, **how, seed=seed, limit=limit)


def copies() -> Iterator[Cell]:
    """Return the cells that evaluate the copy of the held-out part during training."""
    for base in reversed(BASES):
        yield Cell(base, COPIES, limit=COPIES_LIMIT, evaluated_after=EVALUATED_AFTER)


def networks() -> Iterator[Cell]:
    """Return the cells with another kind of layer or input."""
    for change, how in NETWORKS.items():
        limit = POSTED_LIMIT if how["twin"] != "one-hot" else CORRECTED_LIMIT
        yield Cell("corrected", TWIN, change, **how, limit=limit)


def sine_from_noise() -> Iterator[Cell]:
    """Return the cells for the question that the posted question links to."""
    for task, order, change in (
        ("sine from noise", "anywhere", "noise in, windows at random positions"),
        ("sine from noise", "in order", "noise in, every window at phase 0"),
        ("sine from sine and noise", "anywhere", "sine and noise in, windows at random positions"),
    ):
        yield Cell("corrected", SINE, change, data=Data(task, order=order), recording="noise", limit=POSTED_LIMIT)


def search() -> Iterator[Cell]:
    """Return random hyperparameters for today's example, each also with the one-hot-aware initialization."""
    rng = np.random.default_rng(0)
    for _ in range(TRIALS):
        options = {
            "learning_rate": float(f"{10 ** rng.uniform(-3.5, -1):.2g}"),
            "updater": str(rng.choice(["adam", "rmsprop"])),
            "hidden": int(rng.choice([100, 150, 200])),
            "tbptt": int(rng.choice([25, 50, 100])),
            "clip": float(rng.choice([0, 1])),
        }
        words = ", ".join(str(value) for value in options.values())
        cell = Cell("example of today", SEARCH, words, options, limit=POSTED_LIMIT)
        yield cell
        yield replace(cell, change=f"{words}, one-hot aware", options=options | {"init": "one-hot"})


def quick() -> Iterator[Cell]:
    """Return a few cells of each kind, on the strings in ``examples/``."""
    for base in ("corrected", "posted, as it was meant", "posted"):
        yield Cell(base, SETUPS, recording="strings", limit=120)
    for factor in ("initialization", "gradient", "hidden size"):
        change, how = next(iter(CORRECTED[factor].items()))
        yield Cell("corrected", factor, change, **how, recording="strings", limit=80)
    yield Cell("corrected", COPIES, recording="strings", limit=60, evaluated_after=(20, 60))
