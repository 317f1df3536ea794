"""Runs the sides of a benchmark in turns, one at a time, and prints the ratios of their rates."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table
from sides import Missing, Side

EXAMPLES = Path(__file__).parent.parent / "examples"
WORKER = Path(__file__).with_name("sides.py")

# Maximum seconds for a worker to start: Java and its first compilation, or `import torch` from a cold disk.
START_LIMIT = 120.0
# Seconds before each turn. Idle threads of OpenMP or BLAS spin for a while before they sleep, which would slow the next
# side down.
PAUSE = 0.2
# Share of busy cores above which other processes affect the measurement.
BUSY = 0.1

stderr = Console(stderr=True, highlight=False, soft_wrap=True)


@dataclass(frozen=True)
class Effort:
    """How long to measure.

    Attributes
    ----------
    rounds
        Number of rounds. Each gives one ratio, and their median is reported.
    seconds
        Duration of each side in a round; a side makes at least one call.
    warm_up
        Seconds of each side that are not measured, in which Java compiles.
    limit
        Seconds after which a side that has not answered is stopped.
    starts
        Number of times that each side's process is started, each for all rounds. The speed of a process is constant,
        but differs by up to a quarter between processes.
    """

    rounds: int
    seconds: float
    warm_up: float
    limit: float = 60.0
    starts: int = 1


@dataclass(frozen=True)
class Rate:
    """Units per second, as bounds: equal unless the side was stopped."""

    low: float
    high: float

    def __mul__(self, factor: float) -> Rate:
        return Rate(self.low * factor, self.high * factor)


Rates = dict[str, list[Rate]]


@dataclass
class Result:
    """The output of a benchmark; larger ratios are better for us."""

    ratios: dict[str, float] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Worker:
    """A process that runs one side on request.

    Raises
    ------
    Missing
        The worker cannot run its side, for example because PyTorch is not installed.
    """

    def __init__(self, name: str, side: Side) -> None:
        self._name = name
        self._stopped: Rate | None = None
        self._process = subprocess.Popen(
            [sys.executable, str(WORKER), side.as_json()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        try:
            about = self._answer(START_LIMIT)
            if about is None:
                raise SystemExit(f"error: {name}: not ready after {START_LIMIT:.0f} s")
            if "missing" in about:
                raise Missing(about["missing"])
        except BaseException:
            self.close()
            raise
        self._units = about["units"]

    def run(self, seconds: float, limit: float) -> Rate:
        """Run for about `seconds` and return the rate; a side that exceeds `limit` is stopped and gives only bounds."""
        if self._stopped is None:
            time.sleep(PAUSE)
            self._ask(seconds)
            answer = self._answer(limit)
            if answer is not None:
                rate = answer["units"] / answer["seconds"]
                return Rate(rate, rate)
            # The current call began before `seconds` had passed and has not ended since.
            self._stopped = Rate(0.0, self._units / (limit - seconds))
            stderr.print(f"{self._name}: stopped after {limit:.0f} s")
        return self._stopped

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()

    def _ask(self, seconds: float) -> None:
        assert self._process.stdin is not None
        print(seconds, file=self._process.stdin, flush=True)

    def _answer(self, limit: float) -> dict[str, Any] | None:
        """Return the worker's next line; None if it did not arrive within `limit` and the worker was killed."""
        assert self._process.stdout is not None
        began = time.monotonic()
        timer = threading.Timer(limit, self._process.kill)
        timer.start()
        try:
            line = self._process.stdout.readline()
        finally:
            timer.cancel()
        if line:
            return dict(json.loads(line))
        if time.monotonic() - began < limit:
            raise SystemExit(f"error: {self._name}: its process ended; see its output above")
        return None


@contextmanager
def opened(wanted: Mapping[str, Side], effort: Effort, notes: list[str]) -> Iterator[dict[str, Worker]]:
    """Start workers and warm them up, one at a time.

    Parameters
    ----------
    wanted
        The sides by name.
    effort
        Duration of the warm-up.
    notes
        List to which a line is added for each side that is missing. The other sides are returned.
    """
    with ExitStack() as stack:
        workers = {}
        for name, side in wanted.items():
            stderr.print(f"{name}: start")
            try:
                worker = Worker(name, side)
            except Missing as e:
                note = f"{name} is left out: {e}"
                if note not in notes:
                    notes.append(note)
                continue
            stack.callback(worker.close)
            worker.run(effort.warm_up, effort.limit)
            workers[name] = worker
        yield workers


def measure(wanted: Mapping[str, Side], effort: Effort, notes: list[str]) -> Rates:
    """Start the sides and measure them in turns as often as `effort` specifies; missing sides are left out."""
    rates: Rates = {}
    for _ in range(effort.starts):
        with opened(wanted, effort, notes) as workers:
            for name, measured in alternate(workers, effort).items():
                rates.setdefault(name, []).extend(measured)
    return rates


def alternate(workers: Mapping[str, Worker], effort: Effort) -> Rates:
    """Measure the workers in turns, every other round in reverse so that no side always follows the same one."""
    rates: Rates = {name: [Rate(0, 0)] * effort.rounds for name in workers}
    for number in range(effort.rounds):
        for name in list(workers)[:: 1 if number % 2 == 0 else -1]:
            rates[name][number] = workers[name].run(effort.seconds, effort.limit)
        measured = ", ".join(f"{name} {shown(rates[name][number].high)}" for name in workers)
        stderr.print(f"round {number + 1} of {effort.rounds}: {measured}")
    return rates


def ratio(ours: list[Rate], theirs: list[Rate]) -> float:
    """Return the median over the rounds; for a side that was stopped, a lower bound of the ratio."""
    return statistics.median(our.low / their.high for our, their in zip(ours, theirs, strict=True))


def ratios(rates: Rates, wanted: Mapping[str, tuple[str, str]]) -> dict[str, float]:
    """Return the ratios in `wanted` (name: our side, their side) for which both sides were measured."""
    return {
        name: ratio(rates[ours], rates[theirs])
        for name, (ours, theirs) in wanted.items()
        if ours in rates and theirs in rates
    }


def median(rates: list[Rate]) -> dict[str, Any]:
    """Return a row's rate, and whether it is only an upper bound."""
    return {
        "samples_per_second": statistics.median(rate.high for rate in rates),
        "stopped": any(rate.low < rate.high for rate in rates),
    }


def options(description: str | None) -> argparse.ArgumentParser:
    """Return a parser with the options that all benchmarks share."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="run a smaller benchmark, in under 3 minutes")
    parser.add_argument("--json", action="store_true", help="print only the JSON line")
    return parser


def note_a_busy_machine(notes: list[str]) -> None:
    share = psutil.cpu_percent(interval=1.0) / 100
    if share > BUSY:
        notes.append(f"other processes used {share:.0%} of the cores at the start: measure again")
        stderr.print(notes[-1])


def show(
    title: str,
    result: Result,
    columns: Mapping[str, str],
    as_json: bool,
    all_rows: list[dict[str, Any]] | None = None,
) -> None:
    """Print the ratios, then the table, then the JSON line.

    Parameters
    ----------
    title
        Title of the table.
    result
        The result to print.
    columns
        Heading for each key of a row that the table shows.
    as_json
        Whether to print only the JSON line.
    all_rows
        Rows for the JSON line, if it has more than the table.
    """
    if not as_json:
        console = stdout()
        for name, value in result.ratios.items():
            console.print(f"{name}: {value:.3g}", markup=False)
        for note in result.notes:
            console.print(f"note: {note}", markup=False)
        if result.rows:
            console.print(table(title, result.rows, columns))
    content = {"ratios": result.ratios, "rows": result.rows if all_rows is None else all_rows}
    print(json.dumps(content | ({"notes": result.notes} if result.notes else {})))


def stdout() -> Console:
    """Return a console for tables, as wide as the terminal or 120 columns."""
    return Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 120)


def table(title: str, rows: list[dict[str, Any]], columns: Mapping[str, str]) -> Table:
    """Return a table of rows, with numbers aligned to the right.

    Parameters
    ----------
    title
        Title of the table.
    rows
        The rows to show.
    columns
        Heading for each key of a row that is shown.
    """
    table = Table(title=title)
    for key, heading in columns.items():
        numbers = all(isinstance(row.get(key), int | float | None) for row in rows)
        table.add_column(heading, justify="right" if numbers else "left")
    for row in rows:
        table.add_row(*(_cell(row, key) for key in columns))
    return table


def _cell(row: dict[str, Any], key: str) -> str:
    text = shown(row.get(key))
    return f"< {text}" if key == "samples_per_second" and row.get("stopped") else text


def shown(value: Any) -> str:
    """Format a value: a small number with three digits, a large one with all its digits."""
    if value is None:
        return "–"
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
