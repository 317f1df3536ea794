"""Why the identity did not converge: the posted and the corrected setup with one change at a time, and a race.

Usage: python benchmarks/identity.py [--quick] [--json] [--audio DIR] [--plots DIR] [--only FACTOR ...] [--seeds N]
                                     [--out FILE.jsonl] [--race | --no-race] [--threads N]

The network learns to reproduce its input, an 8-bit recording (11,025 Hz, 256 classes, 2 x 200 units, batch 32, segments
of 50). The result is the number of steps (one update each) until the mean training accuracy of five steps reaches 99 %.
The recordings are the plucked strings in examples/, speech (speech_8k.wav in --audio or $DL4J_BRIDGE_AUDIO), a 1 kHz
sine and white noise. With --out, each finished cell is written to that file as a line, and an interrupted study
resumes after the last one.

The race measures wall time from the start of a process until it copies speech (plucked strings if there is no speech).
--race runs only the race, --no-race everything else.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import copying
import identity_plan
import identity_report
import rounds
from copying import Cell
from rounds import Result
from sides import Missing

Row = dict[str, Any]

OURS, STOCK = "ours", "stock-posted"
# "pytorch" is the training step as PyTorch users write it; sides.py times the same step.
RACE: dict[str, Cell] = {
    OURS: Cell("defaults"),
    "pytorch": Cell("defaults", twin="own", mean_loss=True),
    "pytorch, half the learning rate": Cell("corrected", twin="own", mean_loss=True),
    "pytorch, gradient clipped as ours": Cell("defaults", twin="own"),
    "pytorch, our initialization": Cell("defaults", twin="wide", mean_loss=True),
    STOCK: Cell("posted, as it was meant", options={"layer": "stock", "gradient_state": "stock"}),
}
# Number of rounds, and seconds after which a side is stopped. Stock takes minutes, so it runs in the first round only.
ROUNDS, RACE_LIMIT, STOCK_LIMIT = 3, 300.0, 900.0
QUICK_ROUNDS, QUICK_RACE_LIMIT, QUICK_STOCK_LIMIT = 1, 30.0, 100.0
# Step limit of a side of the race, which ends at the goal or when it is stopped.
ENDLESS = 1_000_000


def main() -> None:
    asked = _options()
    result = Result()
    rounds.note_a_busy_machine(result.notes)
    rows: list[Row] = []
    if asked.race is not True:
        rows = study(asked, result.notes)
        result.rows += identity_report.summary(rows)
        result.ratios |= identity_report.ratios(rows)
    if asked.race is not False:
        race(asked, result)
    if asked.plots:
        asked.plots.mkdir(parents=True, exist_ok=True)
        identity_report.plot(rows, asked.plots)
    if not asked.json:
        identity_report.show(rows)
    sides = [row for row in result.rows if "side" in row]
    shown = Result(result.ratios, sides, result.notes)
    rounds.show("race to 99 %", shown, identity_report.RACE_COLUMNS, asked.json, result.rows)


def study(asked: argparse.Namespace, notes: list[str]) -> list[Row]:
    """Train each requested cell that is not in the file yet, and return the rows of all requested cells."""
    known = _known(asked.out)
    rows = []
    for cell in _wanted(asked):
        row = known.get(cell.as_json())
        if row is None:
            try:
                row = {"cell": json.loads(cell.as_json())} | _trained(cell, asked)
            except Missing as e:
                if str(e) not in notes:
                    notes.append(str(e))
                continue
            if asked.out:
                with open(asked.out, "a") as f:
                    print(json.dumps(row), file=f)
            rounds.stderr.print(f"{identity_report.words(row)}: {identity_report.steps([row])}")
        rows.append(row)
    return rows


def race(asked: argparse.Namespace, result: Result) -> None:
    """Time each side from the start of its process to the goal, in turns."""
    recording = _race_recording(asked, result.notes)
    times: dict[str, list[float]] = {name: [] for name in RACE}
    steps: dict[str, list[int]] = {name: [] for name in RACE}
    stopped = set()
    for number in range(QUICK_ROUNDS if asked.quick else ROUNDS):
        for name in list(RACE)[:: 1 if number % 2 == 0 else -1]:
            if (name == STOCK and number) or name in stopped:
                continue
            cell = Cell(**vars(RACE[name]) | {"recording": recording, "seed": number + 1, "limit": ENDLESS})
            try:
                seconds, row = race_of(cell, asked, _race_limit(name, asked.quick))
            except Missing as e:
                result.notes.append(f"{name} is left out: {e}")
                stopped.add(name)
                continue
            times[name].append(seconds)
            if row is None:
                stopped.add(name)
            else:
                steps[name].append(row["steps"])
            rounds.stderr.print(f"race, round {number + 1}: {name} {'stopped after ' * (row is None)}{seconds:.1f} s")
    for name, seconds_of in times.items():
        if not seconds_of:
            continue
        ratio = _race_ratio(seconds_of, times[OURS])
        if name != OURS:
            result.ratios[f"{name}/{OURS}"] = ratio
        result.rows.append(
            {
                "side": name,
                "recording": recording,
                "seconds": statistics.median(seconds_of),
                "steps": statistics.median(steps[name]) if steps[name] else None,
                "stopped": name in stopped,
                "ratio": ratio,
            }
        )


def race_of(cell: Cell, asked: argparse.Namespace, limit: float) -> tuple[float, Row | None]:
    """Return the seconds from the start of a side's process to its row, and the row; None if it was stopped."""
    time.sleep(rounds.PAUSE)
    began = time.perf_counter()
    with _worker(cell, asked, "--race") as process:
        timer = threading.Timer(limit, process.kill)
        timer.start()
        assert process.stdout is not None
        line = process.stdout.readline()
        seconds = time.perf_counter() - began
        timer.cancel()
    if line:
        return seconds, _answer(line)
    if seconds < limit:
        raise SystemExit("error: a side of the race ended; see its output above")
    return seconds, None


def _race_ratio(theirs: list[float], ours: list[float]) -> float:
    """Return the median ratio over the rounds; if they ran fewer rounds than ours, the ratio of the medians."""
    if len(theirs) < len(ours):
        return statistics.median(theirs) / statistics.median(ours)
    return statistics.median(their / our for their, our in zip(theirs, ours, strict=True))


def _race_limit(name: str, quick: bool) -> float:
    if name == STOCK:
        return QUICK_STOCK_LIMIT if quick else STOCK_LIMIT
    return QUICK_RACE_LIMIT if quick else RACE_LIMIT


def _race_recording(asked: argparse.Namespace, notes: list[str]) -> str:
    try:
        copying.recording("speech", asked.audio)
    except Missing as e:
        notes.append(f"the race uses plucked strings; {e}")
        return "strings"
    return "speech"


def _trained(cell: Cell, asked: argparse.Namespace) -> Row:
    if not cell.twin:
        return copying.run(cell, asked.audio, asked.threads)
    # PyTorch and ND4J each load their own OpenMP, so they need separate processes.
    with _worker(cell, asked) as process:
        line = process.communicate()[0]
    if process.returncode:
        raise SystemExit("error: the PyTorch twin ended; see its output above")
    return _answer(line)


def _worker(cell: Cell, asked: argparse.Namespace, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, copying.__file__, cell.as_json(), *options]
    command += ["--audio", str(asked.audio)] if asked.audio else []
    command += ["--threads", str(asked.threads)] if asked.threads else []
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _answer(line: str) -> Row:
    row = dict(json.loads(line))
    if "missing" in row:
        raise Missing(row["missing"])
    return row


def _wanted(asked: argparse.Namespace) -> Iterable[Cell]:
    cells = identity_plan.quick() if asked.quick else identity_plan.cells(asked.seeds)
    return [cell for cell in cells if not asked.only or cell.factor in asked.only]


def _known(path: Path | None) -> dict[str, Row]:
    """Return the rows of an earlier run by their cells."""
    if path is None or not path.exists():
        return {}
    rows = [dict(json.loads(line)) for line in path.read_text().splitlines()]
    return {json.dumps(row["cell"], sort_keys=True): row for row in rows}


def _options() -> argparse.Namespace:
    parser = rounds.options(__doc__)
    folder = os.environ.get("DL4J_BRIDGE_AUDIO")
    factors = list(dict.fromkeys(cell.factor for cell in identity_plan.cells(1)))
    names = ", ".join(factors)
    audio = Path(folder) if folder else None
    parser.add_argument("--audio", type=Path, default=audio, metavar="DIR", help="folder that contains speech_8k.wav")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="folder to write identity-*.png to")
    parser.add_argument("--only", nargs="+", choices=factors, metavar="FACTOR", help=f"factors to vary: {names}")
    parser.add_argument("--seeds", type=int, default=3, help="seeds for setups and changes to corrected")
    parser.add_argument("--out", type=Path, metavar="FILE", help="file of finished cells to resume from and append to")
    parser.add_argument("--race", action=argparse.BooleanOptionalAction, help="run only the race, or everything else")
    parser.add_argument("--threads", type=int, help="number of training threads (default: that of `train`)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
