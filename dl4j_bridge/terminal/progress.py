"""What a person sees while something runs. Everything goes to stderr."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from dl4j_bridge.jobs import training
from dl4j_bridge.terminal import tables
from dl4j_bridge.terminal.console import stderr

# Seconds between two lines where stderr is no terminal.
LINE_EVERY = 10.0
# Columns from which there is room for a bar beside the figures.
WIDE = 110
# Steps that the shown values are averaged over, exponentially.
SMOOTHING = 20


def announce(run: training.Run) -> None:
    """Say what is about to be trained, and what of its recordings a person should know."""
    for note in run.notes:
        stderr.print(f"note: {note}", soft_wrap=True, markup=False)
    stderr.print(
        f"{run.folder.path}: {run.network.parameter_count:,} parameters, {run.pairs[0].rate} Hz, "
        f"{run.task.in_words()}; Ctrl-C stops and saves",
        soft_wrap=True,
        markup=False,
    )


@contextmanager
def training_progress() -> Iterator[Callable[[training.Progress], None]]:
    """A live bar on a terminal; a line now and then elsewhere."""
    smooth = _Smooth()
    if not stderr.is_terminal:
        yield _lines(smooth)
        return
    text = TextColumn("{task.fields[text]}")
    columns = (BarColumn(), text) if stderr.width >= WIDE else (text,)
    with Progress(*columns, console=stderr) as bar:
        task = bar.add_task("train", total=None, text="")

        def show(progress: training.Progress) -> None:
            smooth.add(progress)
            total = None if progress.fraction is None else 1.0
            bar.update(task, total=total, completed=progress.fraction or 0, text=smooth.text(progress))

        yield show


@contextmanager
def samples_progress(title: str) -> Iterator[Callable[[int, int], None]]:
    """A bar over samples done; nothing where stderr is no terminal, for these jobs are short."""
    if not stderr.is_terminal:
        yield lambda done, total: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f} samples"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=stderr) as bar:
        task = bar.add_task(title, total=1)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def checks_progress() -> Iterator[Callable[[str, bool | None], None]]:
    """A line for each check once it is done; what is under way turns on a terminal."""
    if not stderr.is_terminal:
        yield lambda name, passed: None if passed is None else stderr.print(f"{'✓' if passed else '✗'} {name}")
        return
    with stderr.status("diagnose") as status:

        def show(name: str, passed: bool | None) -> None:
            if passed is None:
                status.update(name)
            else:
                stderr.print("[green]✓[/]" if passed else "[red]✗[/]", name)

        yield show


class _Smooth:
    """Averages that do not jump from step to step, and the newest validation."""

    def __init__(self) -> None:
        self._values: dict[str, float] = {}
        self._valid = ""
        self._pretraining = False

    def add(self, progress: training.Progress) -> None:
        if progress.pretraining != self._pretraining:
            self._values, self._pretraining = {}, progress.pretraining
        for name, value in progress.values.items():
            before = self._values.get(name, value)
            self._values[name] = before + (value - before) / SMOOTHING
        if progress.valid:
            self._valid = f" (valid {', '.join(tables.short(*item) for item in list(progress.valid.items())[:2])})"

    def text(self, progress: training.Progress) -> str:
        # All of it fits into 80 columns.
        time = _clock(progress.seconds) if progress.seconds_left is None else f"{_clock(progress.seconds_left)} left"
        step = f"pre-training step {progress.step}" if self._pretraining else f"step {progress.step}"
        return (
            f"{step} {', '.join(tables.valued(*item) for item in self._values.items())}{self._valid} "
            f"{progress.samples_per_second:,.0f} samples/s {time}"
        )


def _lines(smooth: _Smooth) -> Callable[[training.Progress], None]:
    last = time.monotonic()

    def show(progress: training.Progress) -> None:
        nonlocal last
        smooth.add(progress)
        pretrained = progress.pretraining and progress.fraction == 1
        if progress.valid or pretrained or time.monotonic() - last > LINE_EVERY:
            last = time.monotonic()
            stderr.print(smooth.text(progress), soft_wrap=True)

    return show


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
