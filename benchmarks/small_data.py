"""Effect of augmentation and of an autoencoder with little data: held-out bits or error, and steps to a copy.

Usage: python benchmarks/small_data.py [--quick] [--json] [--audio DIR] [--out FILE.jsonl] [--plot FILE.png]
                                       [--only TASK ...] [--seeds N]

A cell is a task, seconds of training audio, a change (--augment or --pretrain) and a seed. All cells of a task have the
same number of steps; an autoencoder uses the first third of them. The evaluation is on 10 s of other audio from later
in the same recording, at the step with the best validation loss. The metric is bits per sample, or ESR for samples as
numbers; for a copy, the steps until 99 % of the held-out samples are exact are reported too. The strings are
synthesized; speech is speech_8k.wav in --audio or $DL4J_BRIDGE_AUDIO. With --out, each finished cell is written to that
file as a line, and an interrupted study resumes after the last one.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rounds
from rounds import Result
from scipy.signal import butter, lfilter
from sides import Missing

from dl4j_bridge.atomic_files import write_bytes
from dl4j_bridge.demos import synthesis
from dl4j_bridge.jobs.new_run import new_run
from dl4j_bridge.jobs.pretraining import pretrain
from dl4j_bridge.model.run import Run
from dl4j_bridge.signal import audio_files, pairs
from dl4j_bridge.signal.pairs import SPLIT, Stretch, part
from dl4j_bridge.signal.recordings import open_recording
from dl4j_bridge.signal.stretches import starts
from dl4j_bridge.signal.windows import Windows
from dl4j_bridge.tasks.registry import train_settings
from dl4j_bridge.tasks.update import step

Floats = npt.NDArray[np.floating]
Row = dict[str, Any]

RATE = 11025
# Length of a recording, and of the held-out part at its end.
SECONDS, HELD_OUT_SECONDS = 60, 10
# Share of exact held-out samples at which the copy counts as reached.
GOAL = 0.99
SMALL: dict[str, Any] = {"hidden": 64, "length": 200, "batch": 16, "threads": 1}
AS_NUMBERS: dict[str, Any] = {"task": "frames", "batch": 8, "threads": 1}
STRETCHES, STRETCH, WARM_UP = 8, 1500, 200
COLUMNS = {
    "task": "task",
    "seconds": "audio (s)",
    "change": "change",
    "held_out": "held out",
    "spread": "range over seeds",
    "against_none": "none / this",
    "reached": "steps to 99 %",
}


def _filter(x: Floats) -> Floats:
    return np.asarray(lfilter(*butter(2, 1000, fs=RATE), x))


def _curve(x: Floats) -> Floats:
    return np.asarray(0.9 * np.tanh(5 * x))


def _amplifier(x: Floats) -> Floats:
    return synthesis.amplifier(np.asarray(x, np.float64))


@dataclass(frozen=True)
class Problem:
    """A task, its recording and its training.

    Attributes
    ----------
    sound
        ``strings`` or ``speech``.
    effect
        Function from input to target; None to predict the next sample.
    steps
        Number of training steps.
    every
        Number of steps between two evaluations.
    options
        Settings, by their names in `TrainSettings`.
    value
        Metric to report.
    """

    sound: str
    effect: Callable[[Floats], Floats] | None
    steps: int
    every: int
    options: dict[str, Any]
    value: str = "bits"


PROBLEMS = {
    "copy of speech": Problem("speech", lambda x: x, 150, 10, SMALL),
    "filter, strings": Problem("strings", _filter, 250, 25, SMALL),
    "tanh curve, speech": Problem("speech", _curve, 250, 25, SMALL),
    "amplifier, strings": Problem("strings", _amplifier, 250, 25, SMALL),
    "amplifier as numbers": Problem("strings", _amplifier, 100, 10, AS_NUMBERS, "esr"),
    "next sample, speech": Problem("speech", None, 250, 25, SMALL),
}
CHANGES: dict[str, dict[str, Any]] = {
    "none": {},
    "shift": {"augment": "shift"},
    "speed": {"augment": "speed"},
    "gain": {"augment": "gain"},
    "polarity": {"augment": "polarity"},
    "noise": {"augment": "noise"},
    "gain,polarity": {"augment": "gain,polarity"},
    "autoencoder": {"pretrain": "autoencoder"},
    "autoencoder, delay 4": {"pretrain": "autoencoder", "pretrain_delay": 4},
}
# Seconds of training audio. Only the changes in REPEATED also run with less, with more, and with more seeds.
LITTLE, LESS, MORE = 5, 1, 20
REPEATED = ("none", "gain", "autoencoder")
QUICK = ("copy of speech", "filter, strings")


@dataclass(frozen=True)
class Cell:
    problem: str
    seconds: int
    change: str
    seed: int


def main() -> None:
    asked = _options()
    result = Result()
    rounds.note_a_busy_machine(result.notes)
    known = _known(asked.out)
    rows = []
    for cell in _wanted(asked):
        row = known.get(cell)
        if row is None:
            try:
                row = asdict(cell) | trained(
                    cell, asked.audio, PROBLEMS[cell.problem].steps // (4 if asked.quick else 1)
                )
            except Missing as e:
                if str(e) not in result.notes:
                    result.notes.append(str(e))
                continue
            if asked.out:
                with open(asked.out, "a") as f:
                    print(json.dumps(row), file=f)
            rounds.stderr.print(f"{cell.problem}, {cell.seconds} s, {cell.change}, {cell.seed}: {row['held_out']:.4g}")
        rows.append(row)
    result.rows = summary(rows)
    for row in result.rows:
        if row["change"] != "none" and row["against_none"]:
            result.ratios[f"{row['task']}, {row['seconds']} s: none/{row['change']}"] = row["against_none"]
    if asked.plot:
        _plot(rows, asked.plot)
    rounds.show("held out, median of seeds", result, COLUMNS, asked.json)


def trained(cell: Cell, folder: Path | None, steps: int) -> Row:
    """Train a cell and evaluate it during training."""
    problem = PROBLEMS[cell.problem]
    options = problem.options | CHANGES[cell.change] | {"seed": cell.seed, "pretrain_steps": steps // 3}
    settings = train_settings({"task": options.get("task", "samples")}, has_target=problem.effect is not None)
    with tempfile.TemporaryDirectory() as temporary:
        there = Path(temporary)
        (x, y), (other_x, other_y) = (
            _recordings(problem, cell.seconds, folder, there, part) for part in ("own", "other")
        )
        run = new_run([x], [y] if y else [], there / "run", settings.with_options(options))
        other = run.task.signals(pairs.open_pair(other_x, other_y, run.settings.data))
        parts = [part(signals, "train") for signals in run.signals] + run.augmented
        before = 0
        if run.settings.small_data.pretrain != "none":
            pretrain(run, parts, lambda progress: None, lambda: False)
            before = steps // 3
        windows = Windows(parts, run.settings.run.length, run.settings.run.batch, cell.seed)
        valid = part(run.signals[0], "valid")
        curve: list[tuple[int, float, float, float | None]] = []
        for number in range(before, steps):
            step(run.network, windows, run.settings, number - before, run.task)
            if (number + 1) % problem.every == 0:
                held_out = _evaluate(run, other)
                own = _evaluate(run, valid)
                accuracy = held_out.get("accuracy")
                curve.append((number + 1, own[run.task.loss] or 0.0, held_out[problem.value] or 0.0, accuracy))
        run.folder.lock.release()
    best = min(curve, key=lambda point: point[1])
    return {
        "step": best[0],
        "held_out": best[2],
        "accuracy": best[3],
        "reached": next((point[0] for point in curve if (point[3] or 0) >= GOAL), None),
        "curve": [(point[0], point[2]) for point in curve],
    }


def summary(rows: list[Row]) -> list[Row]:
    """Return one row for each task, length and change, with medians over the seeds."""
    found: list[Row] = []
    of_none: dict[tuple[str, int], float] = {}
    for task, seconds, change in dict.fromkeys((r["problem"], r["seconds"], r["change"]) for r in rows):
        same = [r for r in rows if (r["problem"], r["seconds"], r["change"]) == (task, seconds, change)]
        values = [r["held_out"] for r in same]
        held_out = statistics.median(values)
        if change == "none":
            of_none[task, seconds] = held_out
        reached = [r["reached"] for r in same]
        found.append(
            {
                "task": task,
                "seconds": seconds,
                "change": change,
                "held_out": held_out,
                "spread": f"{min(values):.3g} to {max(values):.3g}",
                "against_none": of_none[task, seconds] / held_out if (task, seconds) in of_none else None,
                "reached": statistics.median(reached) if None not in reached else None,
                "seeds": len(same),
            }
        )
    return found


def _evaluate(run: Run, signals: Stretch) -> dict[str, float | None]:
    """Return the task's metrics on adjacent stretches, each after a warm-up."""
    x, y = signals
    hop = min(STRETCH, len(x) - WARM_UP)
    count = max(1, min(STRETCHES, (len(x) - WARM_UP) // hop))
    places = starts(len(x), WARM_UP + hop, count)
    outputs = run.network.run_batch(np.stack([x[s : s + WARM_UP + hop] for s in places]))[:, WARM_UP:]
    target = np.concatenate([y[s + WARM_UP : s + WARM_UP + hop] for s in places])
    return run.task.measure(list(outputs), target)


def _recordings(
    problem: Problem, seconds: int, folder: Path | None, there: Path, part: str
) -> tuple[Path, Path | None]:
    """Write input and target: ``own`` has `seconds` in its training part, ``other`` is the held-out part."""
    whole = _sound(problem.sound, folder)
    processed = None if problem.effect is None else problem.effect(whole)
    # The training part is 80 % of a recording.
    here = slice(-HELD_OUT_SECONDS * RATE, None) if part == "other" else slice(0, round(seconds / SPLIT[0] * RATE))
    paths = []
    for name, sound in (("x", whole), ("y", processed)):
        if sound is not None:
            paths.append(there / f"{part}-{name}.wav")
            audio_files.write(paths[-1], [sound[here]], RATE, "PCM_16")
    return paths[0], paths[1] if processed is not None else None


def _sound(name: str, folder: Path | None) -> Floats:
    if name == "strings":
        return synthesis.plucked_strings(SECONDS, RATE)
    if folder is None or not (folder / "speech_8k.wav").is_file():
        raise Missing("speech: no speech_8k.wav; set its folder with --audio or DL4J_BRIDGE_AUDIO")
    speech = open_recording(folder / "speech_8k.wav").read(RATE, count=SECONDS * RATE)
    return np.asarray(0.9 * speech / np.abs(speech).max())


def _wanted(asked: argparse.Namespace) -> list[Cell]:
    names = asked.only or list(PROBLEMS)
    if asked.quick:
        return [Cell(name, LITTLE, change, 1) for name in asked.only or QUICK for change in REPEATED]
    more_seeds = range(2, asked.seeds + 1)
    cells = [Cell(name, LITTLE, change, 1) for name in names for change in CHANGES]
    cells += [Cell(name, s, change, 1) for s in (LESS, MORE) for name in names for change in REPEATED]
    return cells + [
        Cell(name, s, change, seed)
        for seed in more_seeds
        for s in (LITTLE, LESS)
        for name in names
        for change in REPEATED
    ]


def _known(path: Path | None) -> dict[Cell, Row]:
    if path is None or not path.exists():
        return {}
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return {Cell(r["problem"], r["seconds"], r["change"], r["seed"]): r for r in rows}


def _plot(rows: list[Row], path: Path) -> None:
    """Plot the held-out value over steps with 5 s of audio, for the first seed."""
    from matplotlib.figure import Figure

    shown = ("none", "gain", "speed", "noise", "autoencoder")
    names = list(dict.fromkeys(row["problem"] for row in rows))
    figure = Figure(figsize=(10, 2.7 * -(-len(names) // 3)), layout="constrained")
    for number, name in enumerate(names):
        axes = figure.add_subplot(-(-len(names) // 3), 3, number + 1)
        for change in shown:
            for row in rows:
                if (row["problem"], row["seconds"], row["change"], row["seed"]) == (name, LITTLE, change, 1):
                    axes.plot(*zip(*row["curve"], strict=True), label=change, linewidth=1.2)
        axes.set_title(name, fontsize=9)
        axes.set_ylabel(PROBLEMS[name].value, fontsize=8)
        axes.tick_params(labelsize=7)
        axes.set_yscale("log")
        axes.grid(alpha=0.3)
        if number == 0:
            axes.legend(fontsize=7)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=90)
    write_bytes(path, picture.getvalue())


def _options() -> argparse.Namespace:
    parser = rounds.options(__doc__)
    folder = os.environ.get("DL4J_BRIDGE_AUDIO")
    parser.add_argument(
        "--audio", type=Path, default=Path(folder) if folder else None, help="folder that contains speech_8k.wav"
    )
    parser.add_argument("--out", type=Path, help="file of finished cells to resume from and append to")
    parser.add_argument("--plot", type=Path, help="PNG file for the held-out value over steps")
    parser.add_argument("--only", nargs="+", choices=list(PROBLEMS), metavar="TASK", help="tasks to run")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds for the repeated changes")
    return parser.parse_args()


if __name__ == "__main__":
    main()
