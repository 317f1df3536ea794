"""What training one network on several workers costs, and a model of what it would cost on many machines.

Usage: python benchmarks/workers.py [--quick] [--json] [--plots DIR]

Measures exchanges of one and of two workers on this machine, and the steps that they need for equal quality when they
exchange at every step, every 10 and every 100. From the exchanges it fits a model of the time of an exchange:

    rows / workers * per_row + per_job             computing, on each worker side by side
    + workers * per_worker + per_exchange          the driver: calls, the sum, the update
    + bytes / bandwidth                            parameters to the workers, gradients back, through the driver's link

A small simulation, event by event and with the measured jitter, and the formula are compared with runs that the fit
has not seen. Then both give the efficiency of up to 1,024 workers: the speed divided by that of as many workers that
need no exchange. The same for 2 x 200 and an hour of speech. This machine has memory for a network, so the bytes of the
model cost nothing in the fit, and what a network adds beyond its bandwidth (latency, lost packets) is not in it.
"""

from __future__ import annotations

import itertools
import json
import math
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rounds
from rounds import Result

from dl4j_bridge.demos import synthesis
from dl4j_bridge.model.run_folder import RunFolder
from dl4j_bridge.signal import audio_files

MAIN_HIDDEN, MAIN_BATCH = 32, 32
NETWORK = [
    "--task",
    "frames",
    "--loss",
    "mse",
    "--layers",
    1,
    "--hidden",
    MAIN_HIDDEN,
    "--length",
    1000,
    "--tbptt",
    200,
    "--warm-up",
    0,
]
# Batch and number of workers of the runs that the model is fitted to, and of those that check it.
FITTED = list(itertools.product((16, 64), (1, 2)))
FITTED_LARGE = [(16, 1), (32, 1), (32, 2)]
CHECKED = list(itertools.product((32, 128), (1, 2)))
PERIODS = (1, 10, 100)
WORKERS = tuple(2**n for n in range(11))
GIGABITS = (1, 10, 100)
# An hour of speech at 16 kHz, of which eight tenths are learned from, and a night, in seconds.
SPEECH, NIGHT = 0.8 * 3600 * 16_000, 8 * 3600.0
LARGE = ["--task", "samples", "--layers", 2, "--hidden", 200, "--length", 1000, "--tbptt", 50]
LARGE_SAMPLES = 50
COLUMNS = {
    "workers": "workers",
    "batch": "batch",
    "every": "exchange every",
    "format": "format",
    "milliseconds": "ms/exchange",
    "computing_milliseconds": "ms computing",
    "waiting": "waiting",
    "received_bytes": "bytes up",
    "sent_bytes": "bytes down",
    "predicted": "formula",
    "simulated": "simulated",
    "steps_to_quality": "steps to quality",
    "valid": "ESR",
}


@dataclass(frozen=True)
class Costs:
    """Constants of the model, in seconds and bytes.

    Attributes
    ----------
    per_row, per_job
        Computing a window's segment, and what a worker does beside that.
    per_worker, per_exchange
        Work of the driver for each worker, and for all together.
    jitter
        Standard deviation of a worker's time, as a share of it.
    down, up
        Bytes that a worker gets and sends, with a batch of `MAIN_BATCH`.
    """

    per_row: float
    per_job: float
    per_worker: float
    per_exchange: float
    jitter: float
    down: float
    up: float

    def computing(self, workers: int, batch: int, steps: int = 1) -> float:
        return steps * (self.per_row * math.ceil(batch / workers) + self.per_job)

    def exchange(self, workers: int, batch: int, gigabits: float, steps: int = 1) -> float:
        """Seconds of an exchange, after `steps` steps of each worker."""
        bytes_moved = workers * (self.down + self.up)
        return (
            self.computing(workers, batch, steps)
            + workers * self.per_worker
            + self.per_exchange
            + 8 * bytes_moved / (gigabits * 1e9)
        )

    def efficiency(self, workers: int, batch: int, gigabits: float, steps: int = 1) -> float:
        """Speed, divided by that of as many workers that exchange nothing."""
        ideal = steps * (self.per_row * batch / workers + self.per_job)
        return ideal / self.exchange(workers, batch, gigabits, steps)

    def smallest_batch(self, workers: int, gigabits: float, steps: int = 1) -> int:
        """The smallest power of two with which `workers` have an efficiency of a half."""
        batches = (1 << n for n in range(40))
        return next(b for b in batches if b >= workers and self.efficiency(workers, b, gigabits, steps) >= 0.5)


def simulate(
    costs: Costs, workers: int, batch: int, gigabits: float, steps: int = 1, exchanges: int = 400, seed: int = 1
) -> float:
    """Mean seconds of an exchange, event by event.

    The driver sends the parameters to one worker after the other; each computes as soon as it has them; the driver
    takes the answers in the order in which they come, one at a time.
    """
    rng = np.random.default_rng(seed)
    send, receive = (8 * n / (gigabits * 1e9) for n in (costs.down, costs.up))
    work = costs.computing(workers, batch, steps)
    # Log-normal with the mean and the standard deviation that were measured.
    spread = math.sqrt(math.log1p(costs.jitter**2 / steps))
    total = 0.0
    for _ in range(exchanges):
        began = np.arange(1, workers + 1) * send
        ready = np.sort(began + work * rng.lognormal(-(spread**2) / 2, spread, workers))
        free = 0.0
        for at in ready:
            free = max(free, at) + receive + costs.per_worker
        total += free + costs.per_exchange
    return total / exchanges


def main() -> None:
    parser = rounds.options(__doc__)
    parser.add_argument("--only", choices=["quality", "exchanges"], help="one half of the benchmark")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="write workers.png into DIR")
    asked = parser.parse_args()
    result, more = Result(), list[dict[str, Any]]()
    rounds.note_a_busy_machine(result.notes)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _record(folder)
        if asked.only != "exchanges":
            result.rows += _quality(folder, 400 if asked.quick else 3000)
        if asked.only != "quality":
            sizes = _exchanges(folder, asked.quick, result)
            more = _consequences(sizes, asked.json)
            if asked.plots:
                _plot(sizes, asked.plots / "workers.png")
    rounds.show("training on workers", result, COLUMNS, asked.json, result.rows + more)


def _exchanges(folder: Path, quick: bool, result: Result) -> dict[str, Costs]:
    """Measure exchanges of two networks, and compare the model of the small one with what it was not fitted to."""
    steps = 100 if quick else 400
    seen = [_measured(folder, batch, workers, steps) for batch, workers in FITTED]
    costs = fitted(seen)
    unseen = [_measured(folder, batch, workers, steps) for batch, workers in CHECKED]
    for row in seen + unseen:
        # Memory has no bandwidth to speak of.
        row["predicted"] = 1000 * costs.exchange(row["workers"], row["batch"], math.inf)
        row["simulated"] = 1000 * simulate(costs, row["workers"], row["batch"], math.inf)
    for row in unseen:
        result.ratios[f"formula/measured@{row['workers']}x{row['batch']}"] = row["predicted"] / row["milliseconds"]
    for n in WORKERS:
        batch = MAIN_BATCH * n
        result.ratios[f"simulated/formula@{n}"] = simulate(costs, n, batch, 10) / costs.exchange(n, batch, 10)
    short = _measured(folder, MAIN_BATCH, 2, steps, *NETWORK, "--gradient-format", "bfloat16")
    large = [_measured(folder, batch, workers, 20 if quick else 60, *LARGE) for batch, workers in FITTED_LARGE]
    result.rows += [*seen, *unseen, short, *large]
    return {"1 x 32": costs, "2 x 200": fitted(large)}


def _consequences(sizes: dict[str, Costs], as_json: bool) -> list[dict[str, Any]]:
    """Rows of what the model says of many machines, printed unless only the JSON line is wanted."""
    modelled = [row for size, known in sizes.items() for row in _modelled(size, known)]
    speech = _speech(sizes["2 x 200"])
    if not as_json:
        console = rounds.stdout()
        for size, known in sizes.items():
            console.print(f"{size}: {known}", markup=False)
        for title, rows in (("efficiency with 32 windows a worker", modelled), ("passes in a night, 2 x 200", speech)):
            console.print(rounds.table(title, rows, _headings(rows)))
    return modelled + speech


def _record(folder: Path) -> None:
    dry = synthesis.plucked_strings(8)
    for name, samples in (("dry", dry), ("wet", synthesis.amplifier(dry))):
        audio_files.write(folder / f"{name}.wav", [samples], synthesis.CLASSIC_RATE, "FLOAT")


def _measured(folder: Path, batch: int, workers: int, steps: int, *more: object) -> dict[str, Any]:
    """Exchanges of a run."""
    found = _trained(folder, batch, workers, steps, 1, *more)
    numbers = "bfloat16" if "bfloat16" in more else "float32"
    return {"workers": workers, "batch": batch, "every": 1, "format": numbers, **found["exchanges"]}


def _quality(folder: Path, steps: int) -> list[dict[str, Any]]:
    """Steps that runs with several periods need for the loss that exchanges at every step reach after half of them."""
    rows = []
    wanted = math.inf
    for every in PERIODS:
        found = _trained(folder, MAIN_BATCH, 2, steps, every, *NETWORK, "--schedule", "linear")
        losses = [
            (int(r["step"]), float(r["valid_mse"])) for r in RunFolder(Path(found["run"])).read_log() if r["valid_mse"]
        ]
        if every == PERIODS[0]:
            wanted = min(loss for step, loss in losses if step <= steps // 2)
        reached = next((step for step, loss in losses if loss <= wanted), None)
        row = {"workers": 2, "batch": MAIN_BATCH, "every": every, "format": "float32", "steps_to_quality": reached}
        rows.append(row | found["exchanges"] | {"valid": found["valid"]["esr"]})
    return rows


def _trained(folder: Path, batch: int, workers: int, steps: int, every: int, *more: object) -> dict[str, Any]:
    """Train with the command, on Ray also with one worker."""
    out = folder / f"run-{len(list(folder.iterdir()))}"
    rounds.stderr.print(f"{workers} workers, batch {batch}, exchange every {every} {' '.join(map(str, more))}")
    words = [
        sys.executable, "-m", "dl4j_bridge", "train", "--input", folder / "dry.wav", "--target", folder / "wet.wav",
        "--out", out, "--batch", batch, "--steps", steps, "--workers", workers,
        "--cluster", "local", "--sync-every", every, "--validate-every", 100, "--no-report", "--json", "--quiet",
        *(more or NETWORK),
    ]  # fmt: skip
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def fitted(rows: list[dict[str, Any]]) -> Costs:
    """The constants that fit measured exchanges best, by least squares."""
    share = np.array([row["batch"] / row["workers"] for row in rows])
    computing = np.array([row["computing_milliseconds"] for row in rows]) / 1000
    per_row, per_job = np.linalg.lstsq(np.stack([share, np.ones_like(share)], 1), computing, rcond=None)[0]
    count = np.array([row["workers"] for row in rows])
    rest = np.array([row["milliseconds"] for row in rows]) / 1000 - computing
    per_worker, per_exchange = np.linalg.lstsq(np.stack([count, np.ones_like(share)], 1), rest, rcond=None)[0]
    # The slower one of two is later than their mean by the standard deviation over the square root of pi.
    late = [
        (r["slowest_milliseconds"] / r["computing_milliseconds"] - 1) * math.sqrt(math.pi)
        for r in rows
        if r["workers"] == 2
    ]
    down, up = (rows[0][key] / rows[0]["workers"] for key in ("sent_bytes", "received_bytes"))
    row, job, worker, exchange = (max(float(value), 0.0) for value in (per_row, per_job, per_worker, per_exchange))
    return Costs(row, job, worker, exchange, float(np.mean(late)), down, up)


def _modelled(size: str, costs: Costs) -> list[dict[str, Any]]:
    """Efficiency of many workers, each with 32 windows of a batch, and the batch below which it is under a half."""
    rows = []
    for gigabits, steps in itertools.product(GIGABITS, PERIODS):
        row: dict[str, Any] = {"network": size, "gigabits": gigabits, "every": steps}
        for workers in WORKERS[1:]:
            row[f"efficiency@{workers}"] = round(costs.efficiency(workers, MAIN_BATCH * workers, gigabits, steps), 3)
        row["batch for 16"] = costs.smallest_batch(16, gigabits, steps)
        row["batch for 1024"] = costs.smallest_batch(1024, gigabits, steps)
        rows.append(row)
    return rows


def _speech(costs: Costs) -> list[dict[str, Any]]:
    """How often a night trains through an hour of speech, with 32 windows for each worker."""
    alone = costs.computing(1, MAIN_BATCH)
    rows = [{"workers": 1, "gigabits": None, "every": None, "passes": _passes(alone, MAIN_BATCH)}]
    for gigabits, steps in itertools.product(GIGABITS, PERIODS):
        seconds = costs.exchange(16, 16 * MAIN_BATCH, gigabits, steps) / steps
        rows.append({"workers": 16, "gigabits": gigabits, "every": steps, "passes": _passes(seconds, 16 * MAIN_BATCH)})
    return rows


def _passes(seconds: float, batch: int) -> float:
    return NIGHT / seconds * batch * LARGE_SAMPLES / SPEECH


def _headings(rows: list[dict[str, Any]]) -> dict[str, str]:
    return {key: key.removeprefix("efficiency@") for key in rows[0]}


def _plot(sizes: dict[str, Costs], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5.6), layout="constrained")
    figure.suptitle("Efficiency of training one network on many workers, modelled")
    cells = figure.subplots(len(sizes), len(PERIODS), sharex=True, sharey=True)
    for line, (size, costs) in zip(cells, sizes.items(), strict=True):
        for axes, steps in zip(line, PERIODS, strict=True):
            for gigabits, marker in zip(GIGABITS, "osD", strict=True):
                values = [100 * costs.efficiency(n, MAIN_BATCH * n, gigabits, steps) for n in WORKERS[1:]]
                axes.plot(WORKERS[1:], values, marker=marker, markersize=4, label=f"{gigabits} Gbit/s")
            axes.set_xscale("log", base=2)
            axes.set(title=f"{size}, exchange every {steps}", ylim=(0, 100))
            axes.grid(alpha=0.3)
        line[0].set_ylabel("efficiency (%)")
    for axes in cells[-1]:
        axes.set_xlabel(f"workers, {MAIN_BATCH} windows each")
    cells[0][0].legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
