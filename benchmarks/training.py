"""Training speed: the fused layer against PyTorch, stock DL4J, the machine's limit, and the train command.

Usage: python benchmarks/training.py [--quick] [--json] [--layers 2] [--hidden 64 200] [--batch 8] [--threads 1 2]
       python benchmarks/training.py --vectors [--quick] [--json] [--threads 1 2]

A rate is samples per second of whole training steps; ours includes the bridge from Python to Java. The limit is the
rate if the step consisted of its matrix products alone, at the sgemm peak (1000 x 1000 x 1000) of the OpenBLAS in DL4J;
GFLOP/s count the same products. Stock uses as many OpenMP threads as there are cores; it is slow, and only measured at
the main size. With --vectors, inputs and outputs are numbers instead of classes, at the sizes of other tasks.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import rounds
from rounds import Effort, Rates, Result
from sides import Cell, Side

from dl4j_bridge.settings.training import NetworkSettings, TrainSettings

MAIN = Cell()
THREADS = (1, 2)
LAYERS, HIDDEN, BATCH = [1, 2, 3], [64, 200, 512], [8, 32, 128]
CORES = os.cpu_count() or 1
# Sizes of tasks whose input and output are numbers.
VECTORS = {
    "frames-1": Cell(1, 40, 32, 500, 1, "linear"),
    "frames-200": Cell(3, 200, 32, 50, 200, "linear"),
    "spectrogram": Cell(3, 200, 8, 32, 385, "sigmoid"),
}
STOCK, STOCK_1 = f"stock@{CORES}, as it comes", "stock@1"
# Java has compiled all code of a training step after five seconds, so the warm-up is longer.
QUICK = Effort(rounds=5, seconds=1.0, warm_up=6.0)
MAIN_EFFORT = Effort(rounds=3, seconds=2.0, warm_up=8.0, starts=5)
TABLE_EFFORT = Effort(rounds=3, seconds=2.0, warm_up=6.0)
# Number of steps and runs of the train command.
COMMAND, QUICK_COMMAND = (1500, 3), (500, 1)
COLUMNS = {
    "layers": "layers",
    "hidden": "hidden",
    "batch": "batch",
    "width": "width",
    "side": "side@threads",
    "samples_per_second": "samples/s",
    "gflops": "GFLOP/s",
    "fused_ratio": "fused / this",
}


def main() -> None:
    asked = _options()
    result = Result()
    rounds.note_a_busy_machine(result.notes)
    cells = [] if asked.vectors else _cells(asked)
    if asked.vectors:
        for name, cell in VECTORS.items():
            ratios = measure_cell(cell, asked, result)
            result.ratios |= {key.replace("@", f" {name}@"): ratio for key, ratio in ratios.items()}
    for cell in cells:
        if cell == MAIN:
            measure_main(asked, result)
        else:
            ratios = measure_cell(cell, asked, result)
            if len(cells) == 1:
                result.ratios |= ratios
    for row in result.rows:
        cell = Cell(**{field.name: row[field.name] for field in fields(Cell)})
        row["gflops"] = row["samples_per_second"] * cell.flops_per_sample() / 1e9
    _add_worst(result)
    rounds.show("training", result, COLUMNS, asked.json)


def measure_main(asked: argparse.Namespace, result: Result) -> None:
    """Measure all sides at the main size, and the train command."""
    effort = QUICK if asked.quick else MAIN_EFFORT
    limits = {f"sgemm limit@{n}": Side("sgemm", n) for n in asked.threads}
    stock = {STOCK: Side("stock", CORES), STOCK_1: Side("stock", 1)}
    wanted = _peers(MAIN, asked.threads) | limits | stock
    rates = rounds.measure(wanted, effort, result.notes)
    for name in limits.keys() & rates.keys():
        rates[name] = [rate * (1 / MAIN.flops_per_sample()) for rate in rates[name]]
    most = max(asked.threads)
    pairs = _against_pytorch(asked.threads) | {"fused/stock": (f"fused@{most}", STOCK)}
    pairs |= {"fused/limit": (f"fused@{most}", f"sgemm limit@{most}")}
    pairs |= {f"fused/limit@{n}": (f"fused@{n}", f"sgemm limit@{n}") for n in asked.threads if n != most}
    result.ratios |= rounds.ratios(rates, pairs)
    result.rows += _rows(MAIN, wanted, rates)
    _measure_command(asked.threads, effort, QUICK_COMMAND if asked.quick else COMMAND, result)


def measure_cell(cell: Cell, asked: argparse.Namespace, result: Result) -> dict[str, float]:
    """Measure ours against PyTorch at one size; return the ratios, since those in `result` are of the main size."""
    effort = QUICK if asked.quick else TABLE_EFFORT
    ratios: dict[str, float] = {}
    # One number of threads at a time, to keep the number of waiting processes low.
    for threads in asked.threads:
        rounds.stderr.print(str(cell))
        wanted = _peers(cell, [threads])
        rates = rounds.measure(wanted, effort, result.notes)
        ratios |= rounds.ratios(rates, _against_pytorch([threads]))
        result.rows += _rows(cell, wanted, rates)
    return ratios


def _peers(cell: Cell, threads: list[int]) -> dict[str, Side]:
    return {f"{job}@{n}": Side(job, n, cell) for n in threads for job in ("fused", "pytorch")}


def _against_pytorch(threads: list[int]) -> dict[str, tuple[str, str]]:
    return {f"fused/pytorch@{n}": (f"fused@{n}", f"pytorch@{n}") for n in threads}


def _rows(cell: Cell, wanted: dict[str, Side], rates: Rates) -> list[dict[str, Any]]:
    rows = []
    for name, measured in rates.items():
        side = wanted[name]
        ours = f"fused@{side.threads}"
        ratio = rounds.ratio(rates[ours], measured) if ours in rates and ours != name else None
        rows.append(_row(cell, name, side.threads) | rounds.median(measured) | {"fused_ratio": ratio})
    return rows


def _row(cell: Cell, name: str, threads: int) -> dict[str, Any]:
    return asdict(cell) | {"side": name, "threads": threads}


def _measure_command(measured: list[int], effort: Effort, command: tuple[int, int], result: Result) -> None:
    """Measure the train command between two measurements of the training step alone, for `command` (steps, runs)."""
    threads = TrainSettings().threads
    if threads not in measured or NetworkSettings.layer != "fused":
        reason = f"the command's default is {NetworkSettings.layer}@{threads}, the requested threads are {measured}"
        result.notes.append(f"train-command/fused is left out: {reason}")
        return
    steps, runs = command
    shares, during, whole = [], [], []
    with rounds.opened({"fused": Side("fused", threads)}, effort, result.notes) as workers:
        step = workers["fused"]
        for number in range(runs):
            before = step.run(effort.seconds, effort.limit)
            rounds.stderr.print(f"train command, {steps} steps: run {number + 1} of {runs}")
            rate, whole_rate = train_command(steps)
            after = step.run(effort.seconds, effort.limit)
            shares.append(rate / statistics.mean((before.high, after.high)))
            during.append(rate)
            whole.append(whole_rate)
    result.ratios["train-command/fused"] = statistics.median(shares)
    for name, values in ((f"train command@{threads}", during), (f"train command@{threads}, start to end", whole)):
        figures = {"samples_per_second": statistics.median(values), "stopped": False, "fused_ratio": None}
        result.rows.append(_row(MAIN, name, threads) | figures)


def train_command(steps: int) -> tuple[float, float]:
    """Train as a user does.

    Returns
    -------
    its_own, whole
        Samples per second as the command reports them, without validations; and over the whole process, including
        Java's start, validations, baselines and the report.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "dl4j_bridge", "train", "--json", "--steps", str(steps)]
        command += ["--input", str(rounds.EXAMPLES / "plucked_dry.wav")]
        command += ["--target", str(rounds.EXAMPLES / "plucked_amplifier.wav")]
        command += ["--out", str(Path(folder) / "run")]
        began = time.perf_counter()
        ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        seconds = time.perf_counter() - began
    reported = json.loads(ended.stdout.splitlines()[-1])
    return reported["samples_per_second"], reported["steps"] * MAIN.batch * MAIN.tbptt / seconds


def _add_worst(result: Result) -> None:
    """Add the ratio of the cell in which PyTorch comes closest."""
    found = [row["fused_ratio"] for row in result.rows if row["side"].startswith("pytorch") and row["fused_ratio"]]
    if len(found) > len(THREADS):
        result.ratios["fused/pytorch, worst cell"] = min(found)


def _options() -> argparse.Namespace:
    parser = rounds.options(__doc__)
    for name in ("layers", "hidden", "batch"):
        parser.add_argument(
            f"--{name}",
            type=int,
            nargs="+",
            metavar="N",
            help="values to measure; a size that is not given is that of the main one",
        )
    parser.add_argument("--threads", type=int, nargs="+", metavar="N", help="numbers of threads (default: 1 2)")
    parser.add_argument(
        "--vectors", action="store_true", help="measure the sizes of tasks whose input and output are numbers"
    )
    asked = parser.parse_args()
    asked.threads = asked.threads or list(THREADS)
    return asked


def _cells(asked: argparse.Namespace) -> list[Cell]:
    """Return the cells to measure, the main one first."""
    if asked.layers or asked.hidden or asked.batch:
        axes = (asked.layers or [MAIN.layers], asked.hidden or [MAIN.hidden], asked.batch or [MAIN.batch])
    elif asked.quick:
        axes = ([MAIN.layers], [MAIN.hidden], [MAIN.batch])
    else:
        axes = (LAYERS, HIDDEN, BATCH)
    cells = [Cell(*sizes) for sizes in itertools.product(*axes)]
    return sorted(cells, key=lambda cell: cell != MAIN)


if __name__ == "__main__":
    main()
