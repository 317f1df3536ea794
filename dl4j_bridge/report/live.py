"""The page of a training that is running: its numbers, its curves, its sound so far, and a button that stops it."""

from __future__ import annotations

import threading
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from dl4j_bridge.model.run import Progress, Report, Run
from dl4j_bridge.report import charts, findings, page
from dl4j_bridge.tasks import columns
from dl4j_bridge.tasks.shown import Curve

# Curves are plotted from about this number of points, and take at most this share of the time.
MOST_POINTS = 2000
SHARE = 0.05
SECONDS_BETWEEN_PLOTS = 2.0
# The server sends these; nothing comes from anywhere else.
POLICY = "default-src 'none'; img-src 'self' data:; media-src 'self'; connect-src 'self'; script-src 'self'; "
POLICY += "style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


class Live:
    """What the page shows. Training adds to it, and the threads of the server read it.

    Parameters
    ----------
    run
        The run that is trained.

    Attributes
    ----------
    stop
        Set to stop and save, as Ctrl-C does.
    seen
        Set when a page has got the last state.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.stop = threading.Event()
        self.seen = threading.Event()
        self._curves: list[Curve] | None = None
        self._log: dict[str, list[float]] = {
            name: values.tolist() for name, values in charts.columns_of(run.folder.read_log()).items()
        }
        self._progress: Progress | None = None
        self._valid: dict[str, float | None] = {}
        self._found: list[dict[str, Any]] = []
        self._result: dict[str, Any] | None = None
        self._plotting = threading.Lock()
        self._pictures: dict[str, tuple[int, bytes]] = {}
        self._next_plot, self._plotted_step = 0.0, 0

    # ---- what training calls

    def added_to(self, report: Report) -> Report:
        """Return a report that does what `report` does, and adds each step to the page."""

        def both(progress: Progress) -> None:
            self.add(progress)
            report(progress)

        return both

    def add(self, progress: Progress) -> None:
        """Add a step."""
        self._found += [finding.as_dict() for finding in progress.findings]
        self._progress = progress
        if progress.pretraining:
            return
        if self._curves is None:
            self._curves = self.run.task.curves(self.run.signals, self.run.baselines)
        if progress.valid:
            self._valid = progress.valid
        if not progress.values:
            # What the live checks found at the end is no step.
            return
        validated = {f"valid_{name}": value for name, value in (progress.valid or {}).items()}
        values = {"step": progress.step} | progress.values | validated
        count = len(self._log.get("step", []))
        for name in values.keys() - self._log.keys():
            self._log[name] = [np.nan] * count
        # The steps come last: a reader counts them, and cuts the other columns to their number.
        for name in sorted(self._log, key=lambda name: name == "step"):
            value = values.get(name)
            self._log[name].append(np.nan if value is None else value)

    def end(self, result: dict[str, Any]) -> None:
        """Say why the training ended."""
        self._result = result

    # ---- what the server calls

    def html(self) -> str:
        """Return the page, which asks for `state` every second or two."""
        name = self.run.folder.path.name
        stop = '<p><button id="stop" type="button">Stop and save</button></p>'
        player = page.player("", "What the network makes of a part that it was not trained on")
        sections = [
            ("", f'<p id="status" role="status">Starting.</p>{stop}<div id="tiles"></div>'),
            ("Learning", '<div id="curves"></div>'),
            ("Sound so far", f'<p id="silence">There is none yet.</p><div id="sound" hidden>{player}</div>'),
            ("", '<div id="found"></div><script src="live.js"></script>'),
        ]
        return page.document(f"Training {name}", sections, POLICY)

    def script(self) -> bytes:
        """Return the page's JavaScript."""
        return files("dl4j_bridge.report").joinpath("live.js").read_bytes()

    def state(self) -> dict[str, Any]:
        """Return what changes, as JSON for the page's script; parts of the page are HTML."""
        now = time.monotonic()
        if now >= self._next_plot and self._progress is not None:
            self._plotted_step, self._next_plot = self._progress.step, now + SECONDS_BETWEEN_PLOTS
        curves = self._curves or []
        pictures = [page.figure(f"{curve.name}.png", curve.title, curve.caption) for curve in curves]
        found = list(self._found)
        state = {
            "status": self._status(),
            "ended": self._result is not None,
            "stopping": self.stop.is_set(),
            "step": self._plotted_step,
            "tiles": page.numbers(page.Number(value, name) for name, value in self._tiles().items()),
            "curves": page.cards(pictures) if pictures else "",
            "found": f"<h2>Found while training</h2>{findings.described(found)}" if found else "",
            "preview": self._preview_version(),
        }
        if self._result is not None:
            self.seen.set()
        return state

    def picture(self, name: str) -> bytes | None:
        """Return the PNG of a curve; None if there is no curve of this name."""
        curve = next((curve for curve in self._curves or [] if curve.name == name), None)
        if curve is None:
            return None
        with self._plotting:
            step = self._plotted_step
            if self._pictures.get(name, (-1, b""))[0] != step:
                began = time.monotonic()
                self._pictures[name] = step, charts.curve_figure(curve, self._thinned())._repr_png_()
                seconds = time.monotonic() - began
                self._next_plot = max(self._next_plot, time.monotonic() + seconds / SHARE)
            return self._pictures[name][1]

    @property
    def preview(self) -> Path:
        """The wav file with the sound so far, which may not exist."""
        return self.run.folder.preview

    def _preview_version(self) -> int | None:
        try:
            return self.preview.stat().st_mtime_ns
        except OSError:
            return None

    def _status(self) -> str:
        if self._result is not None:
            return f"Ended: {self._result['stopped_because']}. All is saved in {self.run.folder.path}."
        if self.stop.is_set():
            return "Stopping; the network is being saved."
        if self._progress is None:
            return "Starting."
        left = self._progress.seconds_left
        doing = "Pre-training" if self._progress.pretraining else "Training"
        return f"{doing}." if left is None else f"{doing}; about {columns.clock(left)} left."

    def _tiles(self) -> dict[str, str]:
        progress = self._progress
        if progress is None:
            return {}
        tiles = {f"{_label(name)} (validation)": columns.with_unit(self._valid, name) for name in self._valid}
        tiles |= {f"{_label(name)} (training)": columns.with_unit(progress.values, name) for name in progress.values}
        return tiles | {
            "steps": f"{progress.step:,}",
            "time": columns.clock(progress.seconds),
            "samples per second": f"{progress.samples_per_second:,.0f}",
        }

    def _thinned(self) -> charts.Log:
        """The log with as many rows as a plot shows, among them all validations."""
        count = len(self._log.get("step", []))
        log = {name: np.array(values[:count], np.float64) for name, values in list(self._log.items())}
        keep = np.arange(count) % max(count // MOST_POINTS, 1) == 0
        for name, values in log.items():
            if name.startswith("valid_"):
                keep |= ~np.isnan(values)
        return {name: values[keep] for name, values in log.items()}


def _label(name: str) -> str:
    column = columns.column(name)
    return column.label or column.name
