"""Resident memory of the train command over one hour of audio: 24,807 steps of 32 x 50 samples at 11,025 Hz.

Usage: python benchmarks/memory.py [--quick] [--json] [--steps N]

The command itself, with its validations and saves, learns to predict the next sample of a recording. The first tenth
of the steps is warm-up, in which Java's heap and compiled code grow. `first/last` is the median of the tenth after the
warm-up divided by the median of the last tenth; 1 means no growth.
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
# Maximum duration of training, whatever the number of steps.
QUICK_MINUTES = 1.5
# Seconds between two measurements.
EVERY = 0.5
# Share of the steps that are warm-up.
WARM_UP = 0.1
# Number of bytes at the end of the log that contain its last row.
TAIL = 1024
ROWS = 20
COLUMNS = {"step": "step", "minutes": "minutes", "resident_mb": "resident (MB)", "growth_mb": "since warm-up (MB)"}


def main() -> None:
    asked = _options()
    measurements = watch(asked.steps, asked.minutes)
    steps = measurements[-1]["step"]
    warm = [measured for measured in measurements if measured["step"] >= WARM_UP * steps]
    tenth = max(len(warm) // 10, 1)
    parts = warm[:tenth], warm[-tenth:]
    first, last = (statistics.median(measured["resident_mb"] for measured in part) for part in parts)
    result = Result(ratios={"first/last": first / last})
    result.notes.append(
        f"{last - first:+.1f} MB from warm-up to the end, {steps:,} steps, {steps * PER_STEP:,} samples"
    )
    for number in range(ROWS):
        measured = measurements[number * (len(measurements) - 1) // (ROWS - 1)]
        growth = measured["resident_mb"] - first if measured["step"] >= WARM_UP * steps else None
        result.rows.append(measured | {"growth_mb": growth})
    rounds.show("resident memory of the train command", result, COLUMNS, asked.json)


def watch(steps: int, minutes: float | None) -> list[dict[str, Any]]:
    """Train, and measure the process from its first to its last step; the report that follows does not count."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        # Training must run for all steps: the patience ignores plateaus, and the next sample stays unpredictable.
        command = [sys.executable, "-m", "dl4j_bridge", "train", "--patience", str(10**9), "--steps", str(steps)]
        command += [] if minutes is None else ["--minutes", str(minutes)]
        command += ["--input", str(rounds.EXAMPLES / "speech_like.wav"), "--out", str(run)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as training:
            measurements = list(_measurements(psutil.Process(training.pid), run / "log.csv"))
        if training.returncode:
            raise SystemExit("error: the train command failed; see its output above")
    during_training = [measured for measured in measurements if 0 < measured["step"] < measurements[-1]["step"]]
    if not during_training:
        raise SystemExit("error: training ended before it could be measured; increase --steps")
    return during_training


def _measurements(process: psutil.Process, log: Path) -> Iterator[dict[str, Any]]:
    began = time.perf_counter()
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        with contextlib.suppress(psutil.NoSuchProcess):
            resident = process.memory_info().rss / 1e6
            yield {"step": _last_step(log), "minutes": (time.perf_counter() - began) / 60, "resident_mb": resident}
        time.sleep(EVERY)


def _last_step(log: Path) -> int:
    """Return the last step in the log; 0 if there is no complete row yet."""
    if not log.exists():
        return 0
    with open(log, "rb") as f:
        f.seek(max(f.seek(0, io.SEEK_END) - TAIL, 0))
        lines = f.read().splitlines(keepends=True)
    whole = [line for line in lines[1:] if line.endswith(b"\n")]
    return int(whole[-1].partition(b",")[0]) if whole else 0


def _options() -> argparse.Namespace:
    parser = rounds.options(__doc__)
    default = f"{STEPS}; {QUICK_STEPS} with --quick"
    parser.add_argument("--steps", type=int, metavar="N", help=f"number of training steps (default: {default})")
    asked = parser.parse_args()
    asked.minutes = QUICK_MINUTES if asked.quick else None
    asked.steps = asked.steps or (QUICK_STEPS if asked.quick else STEPS)
    return asked


if __name__ == "__main__":
    main()
