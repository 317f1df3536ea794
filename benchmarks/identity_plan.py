"""The cells of the identity study, the ones that matter most first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from copying import BASES, Cell, Data

RECORDINGS = ("speech", "strings", "sine", "noise")
# Where the start alone is set against the mended set-up.
XAVIER_ON = ("speech", "strings")
# Steps after which a set-up counts as "not within", how far a single change is followed, and how far a copy is.
LIMIT, POSTED_LIMIT, MENDED_LIMIT, COPIES_LIMIT = 600, 400, 300, 1000
JUDGED_AFTER = (50, 100, 200, 300, 500, 1000)
SETUPS, COPIES, SEARCH, SINE, TWIN = "set-ups", "copies", "search", "sine from noise", "other networks"
TRIALS = 6

# Where DL4J draws the first layer's input weights (2 x 200 + 256), and the choice that `train` makes.
DEVIATIONS = (0.0552, 0.1, 0.2, 0.5, 2.0, 4.0)

# What is changed in words -> how, for each factor.
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
    "initialisation": {"one-hot aware": {"options": {"init": "one-hot"}}},
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
    "clipping": {"norm 1 a layer": {"options": {"clip": 1.0}}},
    "gradient": {"with the carried state": {"options": {"gradient_state": "carried"}}},
    **COMMON,
}

TODAY: Changes = {
    "initialisation": {"one-hot aware": {"options": {"init": "one-hot"}}},
    "gradient": {"with the carried state": {"options": {"gradient_state": "carried"}}},
    "clipping": {"norm 1 a layer": {"options": {"clip": 1.0}}},
    "L2": {"none": {"options": {"l2": 0.0}}},
    "learning rate": {"0.001": {"options": {"learning_rate": 0.001}}},
    "forget-gate bias": {"0": {"forget_bias": 0.0}},
}

MENDED: Changes = {
    "initialisation": {
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

# Without the peepholes, or without the one-hot vector: where Java has no fast layer, PyTorch has.
NETWORKS: dict[str, dict[str, Any]] = {
    "LSTM without peepholes, one-hot aware": {"twin": "one-hot"},
    "LSTM without peepholes, XAVIER": {"twin": "xavier"},
    "LSTM without peepholes, PyTorch's start": {"twin": "own"},
    "LSTM, one number a sample, XAVIER": {"twin": "xavier", "scalar_input": True},
    "LSTM, one number a sample, PyTorch's start": {"twin": "own", "scalar_input": True},
}


def cells(seeds: int) -> Iterator[Cell]:
    """All of the study, in the order in which it is run."""
    yield from setups(1)
    yield from changes("mended", MENDED, MENDED_LIMIT, 1)
    yield from copies()
    yield from changes("posted", POSTED, POSTED_LIMIT, 1)
    yield from changes("example of today", TODAY, POSTED_LIMIT, 1)
    yield from start_and_gradient()
    yield from networks()
    yield from sine_from_noise()
    yield from search()
    for seed in range(2, seeds + 1):
        yield from setups(seed)
        yield from changes("mended", MENDED, MENDED_LIMIT, seed)


def setups(seed: int) -> Iterator[Cell]:
    """The main table."""
    for recording in RECORDINGS:
        for base in reversed(BASES):
            yield Cell(base, SETUPS, recording=recording, seed=seed, limit=LIMIT)
        if recording in XAVIER_ON:
            options = {"init": "xavier"}
            yield Cell("mended", SETUPS, "but XAVIER", options, recording=recording, seed=seed, limit=LIMIT)


def start_and_gradient() -> Iterator[Cell]:
    """XAVIER with stock's gradient, where the set-up itself has the one that carries the state."""
    stock = {"gradient_state": "stock"}
    for base, change, options in (
        ("posted, as it was meant", "from a zero state, as stock", stock),
        ("mended", "from a zero state, as stock, and XAVIER", stock | {"init": "xavier"}),
    ):
        yield Cell(base, "gradient", change, options, limit=LIMIT)


def changes(base: str, wanted: Changes, limit: int, seed: int) -> Iterator[Cell]:
    """One thing at a time, on speech."""
    for factor, of_factor in wanted.items():
        for change, how in of_factor.items():
            yield Cell(base, factor, change, **how, seed=seed, limit=limit)


def copies() -> Iterator[Cell]:
    """How noisy the copy of the held-out part is on the way."""
    for base in reversed(BASES):
        yield Cell(base, COPIES, limit=COPIES_LIMIT, judged_after=JUDGED_AFTER)


def networks() -> Iterator[Cell]:
    """Another cell or another input."""
    for change, how in NETWORKS.items():
        limit = POSTED_LIMIT if how["twin"] != "one-hot" else MENDED_LIMIT
        yield Cell("mended", TWIN, change, **how, limit=limit)


def sine_from_noise() -> Iterator[Cell]:
    """The question that the posted one links to."""
    for task, order, change in (
        ("sine from noise", "anywhere", "noise in, windows from anywhere"),
        ("sine from noise", "in order", "noise in, each window begins at phase 0"),
        ("sine from sine and noise", "anywhere", "sine and noise in, windows from anywhere"),
    ):
        yield Cell("mended", SINE, change, data=Data(task, order=order), recording="noise", limit=POSTED_LIMIT)


def search() -> Iterator[Cell]:
    """A search over hyper-parameters from today's example, and the same trials with the one-hot-aware start."""
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
    """A few cells of everything, on the strings of ``examples/``."""
    for base in ("mended", "posted, as it was meant", "posted"):
        yield Cell(base, SETUPS, recording="strings", limit=120)
    for factor in ("initialisation", "gradient", "hidden size"):
        change, how = next(iter(MENDED[factor].items()))
        yield Cell("mended", factor, change, **how, recording="strings", limit=80)
    yield Cell("mended", COPIES, recording="strings", limit=60, judged_after=(20, 60))
