"""Resident memory of the train command over an hour's worth of audio: 24,807 steps of 32 x 50 samples at 11,025 Hz.

Usage: python benchmarks/memory.py [--quick] [--json] [--steps N]

The real command, with its validations and saves, learns the next sample of a recording. The first tenth of the steps
is warm-up: Java's heap and compiled code grow then. `first/last` is the median of the tenth behind it over the median
of the last tenth: 1 is flat.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import rounds
from rounds import Result

SAMPLES = 3600 * 11025
PER_STEP = 32 * 50
STEPS, QUICK_STEPS = -(-SAMPLES // PER_STEP), 1000
# Of training, whatever the number of steps.
QUICK_MINUTES = 1.5
# Seconds between two looks.
EVERY = 0.5
# Share of the steps.
WARM_UP = 0.1
# Bytes of the log that hold its last rows.
TAIL = 1024
ROWS = 20
COLUMNS = {"step": "step", "minutes": "minutes", "resident_mb": "resident (MB)", "growth_mb": "since warm-up (MB)"}


def main() -> None:
    asked = _options()
    looks = watch(asked.steps, asked.minutes)
    steps = looks[-1]["step"]
    warm = [look for look in looks if look["step"] >= WARM_UP * steps]
    tenth = max(len(warm) // 10, 1)
    first, last = (statistics.median(look["resident_mb"] for look in part) for part in (warm[:tenth], warm[-tenth:]))
    result = Result(ratios={"first/last": first / last})
    result.notes.append(
        f"{last - first:+.1f} MB from warm-up to the end, {steps:,} steps, {steps * PER_STEP:,} samples"
    )
    for number in range(ROWS):
        look = looks[number * (len(looks) - 1) // (ROWS - 1)]
        growth = look["resident_mb"] - first if look["step"] >= WARM_UP * steps else None
        result.rows.append(look | {"growth_mb": growth})
    rounds.show("resident memory of the train command", result, COLUMNS, asked.json)


def watch(steps: int, minutes: float | None) -> list[dict[str, Any]]:
    """Train, and look at the process from its first step to its last; the report behind that is not training."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        # No plateau ends it, and a next sample is never certain.
        command = [sys.executable, "-m", "dl4j_bridge", "train", "--patience", str(10**9), "--steps", str(steps)]
        command += [] if minutes is None else ["--minutes", str(minutes)]
        command += ["--input", str(rounds.EXAMPLES / "speech_like.wav"), "--out", str(run)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as training:
            looks = list(_looks(psutil.Process(training.pid), run / "log.csv"))
        if training.returncode:
            raise SystemExit("error: the train command failed; what it said is above")
    training_looks = [look for look in looks if 0 < look["step"] < looks[-1]["step"]]
    if not training_looks:
        raise SystemExit("error: training was over before it could be watched; wanted more --steps")
    return training_looks


def _looks(process: psutil.Process, log: Path) -> Iterator[dict[str, Any]]:
    began = time.perf_counter()
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        with contextlib.suppress(psutil.NoSuchProcess):
            resident = process.memory_info().rss / 1e6
            yield {"step": _last_step(log), "minutes": (time.perf_counter() - began) / 60, "resident_mb": resident}
        time.sleep(EVERY)


def _last_step(log: Path) -> int:
    """Of the log's end; 0 before there is a whole row."""
    if not log.exists():
        return 0
    with open(log, "rb") as f:
        f.seek(max(f.seek(0, io.SEEK_END) - TAIL, 0))
        lines = f.read().splitlines(keepends=True)
    whole = [line for line in lines[1:] if line.endswith(b"\n")]
    return int(whole[-1].partition(b",")[0]) if whole else 0


def _options() -> argparse.Namespace:
    parser = rounds.options(__doc__)
    parser.add_argument("--steps", type=int, metavar="N", help=f"{STEPS} if not given, {QUICK_STEPS} with --quick")
    asked = parser.parse_args()
    asked.minutes = QUICK_MINUTES if asked.quick else None
    asked.steps = asked.steps or (QUICK_STEPS if asked.quick else STEPS)
    return asked


if __name__ == "__main__":
    main()
