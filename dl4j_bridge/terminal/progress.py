"""Progress of a command, on stderr."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from rich.console import RenderableType
from rich.progress import BarColumn, ProgressColumn, Task, TextColumn
from rich.progress import Progress as Bar
from rich.text import Text

from dl4j_bridge.tasks import columns
from dl4j_bridge.terminal.console import command_lines, line, print_notes, stderr

if TYPE_CHECKING:
    from dl4j_bridge.jobs.batch.pair import Row
    from dl4j_bridge.jobs.search.outcome import Outcome
    from dl4j_bridge.model.run import Progress, Run

P = ParamSpec("P")
B = TypeVar("B", bound=Bar)

# Seconds between two lines if stderr is not a terminal.
LINE_EVERY = 10.0
# Steps that the values are averaged over, exponentially.
SMOOTHING = 20


@contextmanager
def training_progress(run: Run | None = None) -> Iterator[Callable[[Progress], None]]:
    """Announce `run` with the notes on its recordings; show a live bar on a terminal, and lines elsewhere."""
    if run:
        print_notes(run.notes)
        print_notes(run.warnings, "warning")
        text = f"{run.network.parameter_count:,} parameters, {run.pairs[0].rate} Hz, {run.task.describe()}"
        line(f"{run.folder.path}: {text}; Ctrl-C stops and saves", stderr)
        if not run.settings.run.has_limit:
            line("no --minutes, --steps or --epochs: ends when validation no longer improves", stderr)
    average = _Average(run is not None and run.task.graded)
    if not stderr.is_terminal:
        yield _with_findings(_lines(average))
        return
    with _bar(_TrainingBar, BarColumn(None), _Share()) as bar:
        task = bar.add_task("train", total=None)

        def show(progress: Progress) -> None:
            average.add(progress)
            total = None if progress.fraction is None else 1.0
            bar.text = average.text(progress, stderr.width)
            bar.update(task, total=total, completed=progress.fraction or 0)

        yield _with_findings(show)


def _bar(kind: type[B], *shown: ProgressColumn) -> B:
    """Make a bar with its name. It goes when the job is done: the result has the same figures, or better ones."""
    return kind(_Label(), *shown, console=stderr, expand=True, transient=True)


class _TrainingBar(Bar):
    """A bar over the whole width, and a line of values below it."""

    text = "starting"

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        yield Text(self.text)


class _Label(ProgressColumn):
    """What the bar is of."""

    def render(self, task: Task) -> Text:
        return Text(task.description)


class _Share(ProgressColumn):
    """How much is done, as far as the end is known."""

    def render(self, task: Task) -> Text:
        return Text("" if task.total is None else f"{task.percentage:3.0f} %")


class _Left(ProgressColumn):
    """The time that is left, once it is known."""

    def render(self, task: Task) -> Text:
        left = task.time_remaining
        return Text("" if left is None or task.total is None else f"{columns.clock(left)} left")


def _with_findings(show: Callable[[Progress], None]) -> Callable[[Progress], None]:
    """Print a line for each finding of the live checks, and the news of workers, before the progress."""

    def show_all(progress: Progress) -> None:
        print_notes(progress.news)
        for finding in progress.findings:
            facts = f" ({'; '.join(finding.facts)})" if finding.facts else ""
            text = f"found at step {progress.step}: {finding.code} ({finding.severity}). {finding.meaning}{facts}"
            if not finding.command:
                line(f"{text} Fix: {finding.fix}", stderr)
            elif stderr.is_terminal:
                line(f"{text} Run:", stderr)
                line(command_lines(finding.command, stderr, "  "), stderr)
            else:
                line(f"{text} Run: {finding.command}", stderr)
        show(progress)

    return show_all


@contextmanager
def samples_progress(title: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar over the samples that are done; nothing if stderr is not a terminal."""
    if not stderr.is_terminal:
        yield lambda done, total: None
        return
    with _bar(Bar, BarColumn(None), _Share(), _Left()) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def working(text: str) -> Iterator[None]:
    """Show on a terminal that something is done whose length is not known."""
    with stderr.status(text) if stderr.is_terminal else nullcontext():
        yield


@contextmanager
def checks_progress() -> Iterator[Callable[[str, bool | None, float], None]]:
    """Print a line for each check that is done; a terminal also shows the current one."""
    if not stderr.is_terminal:
        yield lambda name, passed, _: None if passed is None else stderr.print(f"{'✓' if passed else '✗'} {name}")
        return
    with _bar(Bar, BarColumn(None), _Share(), TextColumn("{task.fields[check]}")) as bar:
        task = bar.add_task("diagnose", total=1.0, check="")

        def show(name: str, passed: bool | None, share: float) -> None:
            bar.update(task, completed=share)
            if passed is None:
                bar.update(task, check=name)
            else:
                stderr.print("[green]✓[/]" if passed else "[red]✗[/]", name)

        yield show


def print_trial(done: Outcome, best: Outcome | None) -> None:
    """Print how a trial of a search ended, and the best one so far."""
    values = columns.listed(done.values) or done.error or ""
    text = f"trial {done.slot}: {done.state} {values}".rstrip()
    if best:
        text += f"; best {columns.listed(best.values)} (trial {best.slot})"
    stderr.print(text, soft_wrap=True, markup=False)


def print_run(row: Row) -> None:
    """Print how a run of a batch ended."""
    judged = f", {columns.named(row.metric, row.model)} on the held-out part" if row.metric else ""
    text = row.error or f"{columns.count(row.steps, 'step')}{judged}"
    stderr.print(f"{row.name}: {row.state}: {text}", soft_wrap=True, markup=False)


class _Average:
    """Values averaged over steps, and the newest validation, which begins with its ESR if `esr_first`."""

    def __init__(self, esr_first: bool = False) -> None:
        self._esr_first = esr_first
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
        clock = columns.clock(progress.seconds) if left is None else f"{columns.clock(left)} left"
        # From the longest to the shortest.
        shown = ((2, speed), (1, speed), (1, ""))
        texts = [" ".join(filter(None, (step, *self._measured(count), rate, clock))) for count, rate in shown]
        return next((text for text in texts if width is None or len(text) <= width), texts[-1])

    def _measured(self, count: int) -> tuple[str, str]:
        """Up to `count` values of training, and of validation."""
        shown = columns.by_importance(self._valid) if self._esr_first else self._valid
        valid = columns.listed(shown, list(shown)[:count])
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


def if_wanted(
    progress: bool | None, shown: Callable[[], AbstractContextManager[Callable[P, None]]]
) -> AbstractContextManager[Callable[P, None]]:
    """Return a report that shows progress, or one that does not; None shows it on a terminal and in a notebook."""
    is_wanted = stderr.is_terminal or stderr.is_jupyter if progress is None else progress
    return shown() if is_wanted else nullcontext(lambda *args, **kwargs: None)
