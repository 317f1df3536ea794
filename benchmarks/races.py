"""Races: contenders train on the same pair for the same time; the last tenth, which nobody trained on, decides."""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rounds
from rounds import Result
from sides import Missing

from dl4j_bridge.atomic_files import write_bytes
from dl4j_bridge.demos import synthesis
from dl4j_bridge.jobs.new_run import open_pairs
from dl4j_bridge.jobs.session import Stopwatch
from dl4j_bridge.signal.pairs import Stretch, part, part_of
from dl4j_bridge.signal.recordings import open_recording
from dl4j_bridge.tasks import registry
from dl4j_bridge.tasks.pytorch_twin import PytorchTwin
from dl4j_bridge.tasks.registry import train_settings

Floats = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Race:
    """One pair, one seed and one limit.

    Attributes
    ----------
    pair
        Name of the pair.
    dry, wet
        The recordings.
    options
        Options of `train`, among them the limit (``minutes`` or ``steps``) and the seed.
    """

    pair: str
    dry: Path
    wet: Path
    options: dict[str, Any]


@dataclass(frozen=True)
class Finish:
    """How a contender did.

    Attributes
    ----------
    metrics
        Of the test part.
    curve
        Seconds of training and the loss on the validation part then.
    steps
        Number of updates.
    """

    metrics: dict[str, float]
    curve: list[tuple[float, float]]
    steps: int


# Trains on a race's pair and may write into the folder; raises `Missing` if it is not installed.
Contender = Callable[[Race, Path], Finish]


def ours(race: Race, folder: Path) -> Finish:
    """What a user gets: `train` with the options, and the row of `compare`."""
    given = ["--input", str(race.dry), "--target", str(race.wet)]
    options = [f"--{name.replace('_', '-')}={value}" for name, value in race.options.items()]
    trained = _command("train", *given, *options, "--out", str(folder / "run"), "--no-report")
    compared = _command("compare", "--model", str(folder / "run"), *given)
    metrics = next(row for row in compared["rows"] if row["name"] == "model")
    with open(folder / "run" / "log.csv", newline="") as log:
        rows = list(csv.DictReader(log))
    loss = next(name for name in ("valid_bits", "valid_esr") if name in rows[0])
    curve = [(float(row["seconds"]), float(row[loss])) for row in rows if row[loss]]
    return Finish({k: v for k, v in metrics.items() if isinstance(v, float)}, curve, trained["steps"])


def pytorch(race: Race, folder: Path) -> Finish:
    """`torch.nn.LSTM` of the same size with PyTorch's own start; loss, windows, clipping and schedule are ours."""
    # In a process of its own, whose threads end with it.
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(_pytorch, race).result()


def _pytorch(race: Race) -> Finish:
    settings = train_settings(race.options, has_target=True)
    pairs = open_pairs([race.dry], [race.wet], settings)
    task = registry.choose(settings, pairs)
    signals = task.signals(pairs[0])
    try:
        twin = _Timed(task, settings, settings.run.steps or 0, plain_start=True)
    except Exception as error:
        raise Missing(str(error)) from error
    curve: list[tuple[float, float]] = []
    watch, steps = Stopwatch(), 0

    def report(step: int, loss: float) -> None:
        nonlocal steps
        steps = step
        curve.append((watch.trained(0), loss / power))

    valid = part(signals, "valid")
    # The squared error as ESR, which `log.csv` has.
    power = float(np.mean(valid[1] ** 2)) if task.loss == "mse" else 1.0
    minutes = settings.run.minutes
    done = (lambda step: watch.trained(0) / 60 / minutes) if minutes else None
    twin.watch = watch
    twin.fit(part(signals, "train"), valid, done, report)
    x, y = signals
    test = part_of(len(x), "test")
    metrics = task.measure(twin.run(x, test.start, test.stop), y[test])
    return Finish({k: v for k, v in metrics.items() if v is not None}, curve, steps)


class _Timed(PytorchTwin):
    """Validates while the clock stands still, as the minutes of `train` do."""

    watch: Stopwatch

    def _validate(self, valid: Stretch) -> float:
        with self.watch.paused():
            return super()._validate(valid)


def run(
    asked: argparse.Namespace,
    task: str,
    contenders: Mapping[str, Contender],
    made_pairs: Callable[[Path | None, list[str] | None, Path], dict[str, tuple[Path, Path]]],
    notes: list[str],
) -> list[dict[str, Any]]:
    """Run each contender on each pair with each seed, one at a time, every other race in reverse order.

    Finished rows are appended to the file of ``--out``, and those that it has are not repeated.
    """
    rounds.note_a_busy_machine(notes)
    out = asked.out
    lines = out.read_text().splitlines() if out and out.exists() else []
    known = {_key(row): row for row in map(json.loads, lines)}
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        pairs = made_pairs(asked.audio, asked.pairs, Path(temporary)) if asked.pairs or not asked.pair else {}
        pairs |= {wet.stem: (dry, wet) for dry, wet in asked.pair or []}
        races = [
            Race(name, dry, wet, {"task": task, "align": "off", "seed": seed} | _limit(asked))
            for seed in range(1, asked.seeds + 1)
            for name, (dry, wet) in list(pairs.items())[: 1 if asked.quick else None]
        ]
        for number, race in enumerate(races):
            for name in list(asked.only or contenders)[:: 1 if number % 2 == 0 else -1]:
                row = {"pair": race.pair, "contender": name, "options": race.options}
                if _key(row) not in known:
                    try:
                        row |= _finish(contenders[name], race)
                    except Missing as error:
                        if str(error) not in notes:
                            notes.append(str(error))
                        continue
                    rounds.stderr.print(f"{race.pair}, {name}: {json.dumps(row['metrics'])}")
                    if out:
                        with open(out, "a") as file:
                            print(json.dumps(row), file=file)
                rows.append(known.get(_key(row), row))
    return rows


def _finish(contender: Contender, race: Race) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        return asdict(contender(race, Path(folder)))


def _key(row: dict[str, Any]) -> str:
    return json.dumps([row["pair"], row["contender"], row["options"]], sort_keys=True)


def medians(rows: list[dict[str, Any]], metrics: Iterable[str]) -> list[dict[str, Any]]:
    """Return a row for each pair and contender with the median of each metric over the seeds."""
    found = []
    for pair, contender in dict.fromkeys((row["pair"], row["contender"]) for row in rows):
        same = [row for row in rows if (row["pair"], row["contender"]) == (pair, contender)]
        values = {name: statistics.median(row["metrics"][name] for row in same) for name in metrics}
        steps = int(statistics.median(row["steps"] for row in same))
        found.append({"pair": pair, "contender": contender, **values, "steps": steps, "seeds": len(same)})
    return found


def plot(rows: list[dict[str, Any]], label: str, path: Path) -> None:
    """Plot the validation loss over the seconds of training, one picture for each pair."""
    from matplotlib.figure import Figure

    pairs = list(dict.fromkeys(row["pair"] for row in rows))
    columns = min(3, len(pairs))
    figure = Figure(figsize=(4.2 * columns, 3 * -(-len(pairs) // columns)), layout="constrained")
    for number, pair in enumerate(pairs):
        axes = figure.add_subplot(-(-len(pairs) // columns), columns, number + 1)
        names = list(dict.fromkeys(row["contender"] for row in rows))
        for row in (row for row in rows if row["pair"] == pair and row["curve"]):
            seconds, losses = zip(*row["curve"], strict=True)
            color = f"C{names.index(row['contender'])}"
            axes.plot(seconds, np.minimum.accumulate(losses), color=color, label=row["contender"], linewidth=1.3)
        axes.set_title(pair, fontsize=9)
        axes.set_xlabel("seconds of training", fontsize=8)
        axes.set_ylabel(label, fontsize=8)
        axes.set_yscale("log")
        axes.tick_params(labelsize=7)
        axes.grid(alpha=0.3)
        if number == 0:
            labels = dict(zip(*axes.get_legend_handles_labels()[::-1], strict=True))
            axes.legend(labels.values(), labels.keys(), fontsize=7)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=100)
    write_bytes(path, picture.getvalue())


def options(description: str | None, contenders: Iterable[str]) -> argparse.ArgumentParser:
    """Return a parser with the options of a race."""
    parser = rounds.options(description)
    folder = os.environ.get("DL4J_BRIDGE_AUDIO")
    limit = parser.add_mutually_exclusive_group()
    limit.add_argument("--minutes", type=float, default=2.0, help="minutes of training of each contender")
    limit.add_argument("--steps", type=int, help="steps of training instead of minutes")
    parser.add_argument("--seeds", type=int, default=1, help="number of seeds")
    parser.add_argument("--only", nargs="+", choices=list(contenders), metavar="CONTENDER", help="contenders to run")
    parser.add_argument("--pairs", nargs="+", metavar="NAME", help="made pairs to run")
    parser.add_argument(
        "--pair", nargs=2, type=Path, action="append", metavar=("DRY", "WET"), help="a pair of your own; more than once"
    )
    parser.add_argument("--audio", type=Path, default=Path(folder) if folder else None, help="folder with recordings")
    parser.add_argument("--out", type=Path, help="file of finished rows to resume from and append to")
    parser.add_argument("--plot", type=Path, help="PNG file for the validation loss over the seconds")
    return parser


def _limit(asked: argparse.Namespace) -> dict[str, Any]:
    """Return the limit of the training as options of `train`."""
    if asked.steps:
        return {"steps": asked.steps}
    return {"minutes": asked.minutes / (6 if asked.quick else 1)}


def sound(name: str, folder: Path | None, rate: int | None, seconds: float = 60.0) -> tuple[Any, int]:
    """Return a recording of `folder` by its file's name, at a peak of 0.9, or plucked strings without a folder."""
    if folder is None:
        rate = rate or 44100
        return synthesis.plucked_strings(min(seconds, 20.0), rate), rate
    recording = open_recording(folder / name)
    rate = rate or recording.rate
    found = recording.read(rate, count=round(seconds * rate))
    return np.asarray(0.9 * found / np.abs(found).max()), rate


def show(
    title: str,
    rows: list[dict[str, Any]],
    metric: str,
    columns: Mapping[str, str],
    asked: argparse.Namespace,
    result: Result,
) -> None:
    """Print medians, and the metric of each contender relative to ours."""
    result.rows = medians(rows, [name for name in columns if name in rows[0]["metrics"]])
    by = {(row["pair"], row["contender"]): row[metric] for row in result.rows}
    for (pair, contender), value in by.items():
        if contender != "dl4j_bridge" and (pair, "dl4j_bridge") in by:
            result.ratios[f"{pair}: {metric}, {contender}/dl4j_bridge"] = value / by[pair, "dl4j_bridge"]
    if asked.plot:
        plot(rows, f"{metric} (validation)", asked.plot)
    rounds.show(title, result, columns, asked.json, all_rows=rows)


def _command(*arguments: str) -> dict[str, Any]:
    """Run a command of ours and return its JSON."""
    found = subprocess.run(
        [sys.executable, "-m", "dl4j_bridge", *arguments, "--json"], check=True, capture_output=True, text=True
    )
    return dict(json.loads(found.stdout.splitlines()[-1]))
