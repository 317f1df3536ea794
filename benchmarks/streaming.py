"""Streaming: generate and process against PyTorch, stock DL4J and real time, and many recordings against sgemm.

Usage: python benchmarks/streaming.py [--quick] [--json]

The network is 2 x 200. `generate/pytorch` steps an `nn.LSTM`; `generate/pytorch-cells` loops over `nn.LSTMCell`, which
avoids most of that overhead. All sample from the whole distribution, as the command does. `process/pytorch@N` runs a
recording of classes with N threads, PyTorch in one call of `nn.LSTM`; `process-1x40/pytorch@N` runs numbers through 1 x
40, the size of an amplifier model. `side-by-side/sgemm` runs 32 recordings, as validation does, against one large
product of the same recordings by the same OpenBLAS; both count floating-point operations of products.
"""

from __future__ import annotations

from typing import Any

import rounds
from rounds import Effort, Rate, Result
from sides import Cell, Side

# Sample rate in Hz that the real-time factor refers to.
REAL_TIME = 11025.0
QUICK = Effort(rounds=5, seconds=0.6, warm_up=2.0)
FULL = Effort(rounds=11, seconds=2.0, warm_up=8.0)
OURS = "generate"
CLOCK = "real time"
SMALL = Cell(layers=1, hidden=40, width=1, output="linear")
SIDES = {
    name: Side(name)
    for name in (
        OURS,
        "generate, nn.LSTM",
        "generate, nn.LSTMCell",
        "rnnTimeStep",
        "side by side",
        "side by side, sgemm",
    )
} | {
    f"{title}@{threads}": Side(job, threads, cell)
    for threads in (1, 2)
    for title, job, cell in (
        ("process", "process", Cell()),
        ("process, nn.LSTM", "process, nn.LSTM", Cell()),
        ("process 1 x 40", "process vectors", SMALL),
        ("process 1 x 40, nn.LSTM", "process vectors, nn.LSTM", SMALL),
    )
}
WANTED = {
    "generate/pytorch": (OURS, "generate, nn.LSTM"),
    "generate/pytorch-cells": (OURS, "generate, nn.LSTMCell"),
    "generate/stock": (OURS, "rnnTimeStep"),
    "generate/real-time": (OURS, CLOCK),
    "process/pytorch@1": ("process@1", "process, nn.LSTM@1"),
    "process/pytorch@2": ("process@2", "process, nn.LSTM@2"),
    "process/real-time": ("process@2", CLOCK),
    "process-1x40/pytorch@1": ("process 1 x 40@1", "process 1 x 40, nn.LSTM@1"),
    "process-1x40/pytorch@2": ("process 1 x 40@2", "process 1 x 40, nn.LSTM@2"),
    "side-by-side/sgemm": ("side by side", "side by side, sgemm"),
}
COLUMNS = {"side": "side@threads", "samples_per_second": "samples/s", "gflops": "GFLOP/s"}


def main() -> None:
    asked = rounds.options(__doc__).parse_args()
    effort = QUICK if asked.quick else FULL
    result = Result()
    rounds.note_a_busy_machine(result.notes)
    rates = rounds.measure(SIDES, effort, result.notes)
    result.ratios = rounds.ratios(
        rates | {CLOCK: [Rate(REAL_TIME, REAL_TIME)] * (effort.rounds * effort.starts)}, WANTED
    )
    result.rows = [_row(name, rounds.median(measured)) for name, measured in rates.items()]
    rounds.show("streams", result, COLUMNS, asked.json)


def _row(name: str, figures: dict[str, Any]) -> dict[str, Any]:
    """A row of the table; the rates of recordings side by side are operations, and others are samples."""
    if name.startswith("side by side"):
        return {"side": name, "gflops": figures["samples_per_second"] / 1e9}
    return {"side": name} | figures


if __name__ == "__main__":
    main()
