"""Cost of a training step of the fused layer against hidden size, batch, segment length and cores.

Usage: python benchmarks/scaling.py [--quick] [--json] [--plots DIR]

One axis varies at a time, starting from the main size (2 x 200, batch 32, tBPTT 50). The table has the rate and its
share of the limit, which is the rate if the step's matrix products ran at the sgemm peak of the OpenBLAS in DL4J. Rate
and peak are measured in turns with the same number of threads.
"""

from __future__ import annotations

import io
import itertools
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import rounds
from rounds import Effort, Result, Worker
from sides import Cell, Side

from dl4j_bridge.atomic_files import write_bytes

MAIN = Cell()
CORES = os.cpu_count() or 1
AXES: dict[str, Any] = {
    "hidden": [32, 64, 128, 200, 320, 512, 768],
    "batch": [1, 4, 8, 16, 32, 64, 128],
    "tbptt": [10, 25, 50, 100, 200],
}
QUICK_AXES: dict[str, Any] = {"hidden": [64, 200, 512], "batch": [8, 32, 128], "tbptt": [10, 50, 200]}
FULL = Effort(rounds=5, seconds=1.5, warm_up=4.0)
QUICK = Effort(rounds=3, seconds=0.5, warm_up=2.0)
COLUMNS = {
    "axis": "axis",
    "value": "value",
    "threads": "threads",
    "samples_per_second": "samples/s",
    "gflops": "GFLOP/s",
    "limit_share": "share of the limit",
}
LABELS = {
    "hidden": "hidden size (units per layer)",
    "batch": "batch (windows)",
    "tbptt": "segment length (samples)",
    "threads": "threads",
}
# Ratio of the largest to the smallest rate above which the axis is logarithmic.
LOGARITHMIC = 20
# Okabe and Ito's colors; the markers distinguish the lines without color.
STYLES = [("#0072B2", "o"), ("#D55E00", "s"), ("#009E73", "^"), ("#CC79A7", "D"), ("#E69F00", "v"), ("#56B4E9", "P")]


def main() -> None:
    parser = rounds.options(__doc__)
    parser.add_argument(
        "--plots", type=Path, metavar="DIR", help="folder to write scaling-AXIS.png to, one for each axis"
    )
    asked = parser.parse_args()
    result = Result()
    rounds.note_a_busy_machine(result.notes)
    measure(asked.quick, result)
    if asked.plots:
        asked.plots.mkdir(parents=True, exist_ok=True)
        for axis in LABELS:
            rows = [row for row in result.rows if row["axis"] == axis]
            if rows:
                _plot(rows, axis, asked.plots / f"scaling-{axis}.png")
    rounds.show(f"training, from {MAIN}", result, COLUMNS, asked.json)


def measure(quick: bool, result: Result) -> None:
    """Measure each size once, although all axes share the main one, and add the rows of each axis."""
    effort = QUICK if quick else FULL
    axes = QUICK_AXES if quick else AXES
    figures: dict[tuple[Cell, int], dict[str, Any]] = {}
    cells = dict.fromkeys(replace(MAIN, **{axis: value}) for axis, values in axes.items() for value in values)
    for threads in _thread_counts():
        with rounds.opened({"limit": Side("sgemm", threads)}, effort, result.notes) as limit:
            for cell in cells:
                rounds.stderr.print(f"{cell}, threads {threads}")
                found = measure_cell(cell, threads, limit, effort, result)
                if found:
                    figures[cell, threads] = found
    for axis, values in axes.items():
        for threads, value in itertools.product(_thread_counts(), values):
            cell = replace(MAIN, **{axis: value})
            if (cell, threads) in figures:
                result.rows.append({"axis": axis, "value": value, "threads": threads} | figures[cell, threads])
    main_size = {threads: found for (cell, threads), found in figures.items() if cell == MAIN}
    for threads, found in main_size.items():
        result.rows.append({"axis": "threads", "value": threads, "threads": threads} | found)
        result.ratios[f"fused/limit@{threads}"] = found["limit_share"]
        if threads > 1:
            speed_up = found["samples_per_second"] / main_size[1]["samples_per_second"]
            result.ratios[f"fused@{threads}/fused@1"] = speed_up


def measure_cell(
    cell: Cell, threads: int, limit: dict[str, Worker], effort: Effort, result: Result
) -> dict[str, Any] | None:
    """Return the figures of one size; None if there is no fused layer."""
    with rounds.opened({"fused": Side("fused", threads, cell)}, effort, result.notes) as fused:
        if not fused:
            return None
        rates = rounds.alternate(fused | limit, effort)
    flops = cell.flops_per_sample()
    share = rounds.ratio([rate * flops for rate in rates["fused"]], rates["limit"])
    found = rounds.median(rates["fused"])
    return found | {"gflops": found["samples_per_second"] * flops / 1e9, "limit_share": share}


def _thread_counts() -> list[int]:
    """Return 1, 2, 4, ... and the number of cores."""
    counts = [1]
    while counts[-1] * 2 < CORES:
        counts.append(counts[-1] * 2)
    return counts if CORES == 1 else [*counts, CORES]


def _plot(rows: list[dict[str, Any]], axis: str, path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.8), layout="constrained")
    figure.suptitle(f"Training the fused GravesLSTM; {MAIN} except for the {LABELS[axis].partition(' (')[0]}")
    rate, share = figure.subplots(1, 2)
    lines = {None: rows} if axis == "threads" else _by_threads(rows)
    for (threads, line), (color, marker) in zip(lines.items(), STYLES, strict=False):
        values = [row["value"] for row in line]
        name = None if threads is None else f"{threads} thread{'s' if threads > 1 else ''}"
        style: dict[str, Any] = {"color": color, "marker": marker, "label": name}
        rate.plot(values, [row["samples_per_second"] for row in line], **style)
        share.plot(values, [100 * row["limit_share"] for row in line], **style)
    values = sorted({row["value"] for row in rows})
    rates = [row["samples_per_second"] for row in rows]
    for axes, label in ((rate, "training (samples/s)"), (share, "share of the sgemm limit (%)")):
        axes.set_xscale("log", base=2)
        axes.set_xticks(values, [str(value) for value in values])
        axes.minorticks_off()
        axes.set(xlabel=LABELS[axis], ylabel=label)
        if axes is rate and max(rates) > LOGARITHMIC * min(rates):
            axes.set_yscale("log")
        else:
            axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        if axis != "threads":
            axes.legend()
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=120)
    write_bytes(path, picture.getvalue())


def _by_threads(rows: list[dict[str, Any]]) -> dict[int | None, list[dict[str, Any]]]:
    return {n: [row for row in rows if row["threads"] == n] for n in sorted({row["threads"] for row in rows})}


if __name__ == "__main__":
    main()
