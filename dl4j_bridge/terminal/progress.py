"""Progress of a command, on stderr."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, ParamSpec

from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from dl4j_bridge.tasks import columns
from dl4j_bridge.terminal.console import print_notes, stderr

if TYPE_CHECKING:
    from dl4j_bridge.model.run import Progress, Run

P = ParamSpec("P")

# Seconds between two lines if stderr is not a terminal.
LINE_EVERY = 10.0
# Width from which a bar fits beside the values, and its width.
WIDE, BAR = 120, 30
# Steps that the values are averaged over, exponentially.
SMOOTHING = 20


@contextmanager
def training_progress(run: Run | None = None) -> Iterator[Callable[[Progress], None]]:
    """Announce `run` with the notes on its recordings; show a live bar on a terminal, and lines elsewhere."""
    if run:
        print_notes(run.notes)
        print_notes(run.warnings, "warning")
        text = f"{run.network.parameter_count:,} parameters, {run.pairs[0].rate} Hz, {run.task.describe()}"
        stderr.print(f"{run.folder.path}: {text}; Ctrl-C stops and saves", soft_wrap=True, markup=False)
    average = _Average()
    if not stderr.is_terminal:
        yield _with_findings(_lines(average))
        return
    bars = [BarColumn(BAR)] if stderr.width >= WIDE else []
    width = stderr.width - (BAR + 1) * len(bars)
    with Bar(*bars, TextColumn("{task.fields[text]}"), console=stderr) as bar:
        task = bar.add_task("train", total=None, text="")

        def show(progress: Progress) -> None:
            average.add(progress)
            total = None if progress.fraction is None else 1.0
            bar.update(task, total=total, completed=progress.fraction or 0, text=average.text(progress, width))

        yield _with_findings(show)


def _with_findings(show: Callable[[Progress], None]) -> Callable[[Progress], None]:
    """Print a line for each finding of the live checks before the progress."""

    def show_all(progress: Progress) -> None:
        for finding in progress.findings:
            todo = f"Run: {finding.command}" if finding.command else f"Fix: {finding.fix}"
            text = f"found at step {progress.step}: {finding.code} ({finding.severity}). {finding.meaning} {todo}"
            stderr.print(text, soft_wrap=True, markup=False)
        show(progress)

    return show_all


@contextmanager
def samples_progress(title: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar over the samples that are done; nothing if stderr is not a terminal, since these jobs are short."""
    if not stderr.is_terminal:
        yield lambda done, total: None
        return
    count = TextColumn("{task.completed:,.0f} of {task.total:,.0f} samples")
    shown = TextColumn("{task.description}"), BarColumn(), count, TimeRemainingColumn()
    with Bar(*shown, console=stderr) as bar:
        task = bar.add_task(title, total=1)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def checks_progress() -> Iterator[Callable[[str, bool | None], None]]:
    """Print a line for each check that is done; a terminal also shows the current one."""
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


class _Average:
    """Values averaged over steps, and the newest validation."""

    def __init__(self) -> None:
        self._values: dict[str, float] = {}
        self._valid: dict[str, float | None] = {}
        self._pretraining = False

    def add(self, progress: Progress) -> None:
        if progress.pretraining != self._pretraining:
            self._values, self._pretraining = {}, progress.pretraining
        for name, value in progress.values.items():
            before = self._values.get(name, value)
            self._values[name] = before + (value - before) / SMOOTHING
        if progress.valid:
            self._valid = progress.valid

    def text(self, progress: Progress, width: int | None = None) -> str:
        """Describe the step with as many values as fit into `width` columns; None is without a limit."""
        step = f"pre-training step {progress.step}" if self._pretraining else f"step {progress.step}"
        speed = f"{progress.samples_per_second:,.0f} samples/s"
        left = progress.seconds_left
        clock = _clock(progress.seconds) if left is None else f"{_clock(left)} left"
        # From the longest to the shortest.
        shown = ((2, speed), (1, speed), (1, ""))
        texts = [" ".join(filter(None, (step, *self._measured(count), rate, clock))) for count, rate in shown]
        return next((text for text in texts if width is None or len(text) <= width), texts[-1])

    def _measured(self, count: int) -> tuple[str, str]:
        """Up to `count` values of training, and of validation."""
        valid = columns.listed(self._valid, list(self._valid)[:count])
        return columns.listed(self._values, list(self._values)[:count]), valid and f"(valid {valid})"


def _lines(average: _Average) -> Callable[[Progress], None]:
    last = time.monotonic()

    def show(progress: Progress) -> None:
        nonlocal last
        average.add(progress)
        pretrained = progress.pretraining and progress.fraction == 1
        if progress.valid or pretrained or time.monotonic() - last > LINE_EVERY:
            last = time.monotonic()
            stderr.print(average.text(progress), soft_wrap=True)

    return show


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def if_wanted(
    progress: bool | None, shown: Callable[[], AbstractContextManager[Callable[P, None]]]
) -> AbstractContextManager[Callable[P, None]]:
    """Return a report that shows progress, or one that does not; None shows it on a terminal and in a notebook."""
    is_wanted = stderr.is_terminal or stderr.is_jupyter if progress is None else progress
    return shown() if is_wanted else nullcontext(lambda *args, **kwargs: None)
