"""Streaming sample by sample: generate and process against PyTorch, stock DL4J and real time.

Usage: python benchmarks/streaming.py [--quick] [--json]

The network is 2 x 200, with one thread. `generate/pytorch` steps an `nn.LSTM`; `generate/pytorch-cells` loops over
`nn.LSTMCell`, which avoids most of that overhead. All sample from the whole distribution, as the command does.
`process/pytorch` runs a whole block in one call, which is possible because no output is fed back. Ours runs sample by
sample, so that the result does not depend on the blocks.
"""

from __future__ import annotations

import rounds
from rounds import Effort, Rate, Result
from sides import JOBS, Side

# Sample rate in Hz that the real-time factor refers to.
REAL_TIME = 11025.0
QUICK = Effort(rounds=5, seconds=1.0, warm_up=3.0)
FULL = Effort(rounds=11, seconds=2.0, warm_up=8.0)
OURS = "generate"
CLOCK = "real time"
WANTED = {
    "generate/pytorch": (OURS, "generate, nn.LSTM"),
    "generate/pytorch-cells": (OURS, "generate, nn.LSTMCell"),
    "generate/stock": (OURS, "rnnTimeStep"),
    "generate/real-time": (OURS, CLOCK),
    "process/pytorch": ("process", "process, nn.LSTM"),
    "process/real-time": ("process", CLOCK),
}
COLUMNS = {"side": "side", "samples_per_second": "samples/s", "real_time_factor": "x real time (11,025 Hz)"}


def main() -> None:
    asked = rounds.options(__doc__).parse_args()
    effort = QUICK if asked.quick else FULL
    result = Result()
    rounds.note_a_busy_machine(result.notes)
    used = {name for pair in WANTED.values() for name in pair}
    wanted = {job: Side(job) for job in JOBS if job in used}
    rates = rounds.measure(wanted, effort, result.notes)
    result.ratios = rounds.ratios(
        rates | {CLOCK: [Rate(REAL_TIME, REAL_TIME)] * (effort.rounds * effort.starts)}, WANTED
    )
    for name, measured in rates.items():
        figures = rounds.median(measured)
        factor = figures["samples_per_second"] / REAL_TIME
        result.rows.append({"side": name} | figures | {"real_time_factor": factor})
    rounds.show("one stream, 2 x 200, 1 thread", result, COLUMNS, asked.json)


if __name__ == "__main__":
    main()
