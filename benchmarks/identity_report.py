"""Prints the tables and writes the plots of the identity study."""

from __future__ import annotations

import io
import itertools
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import rounds
from copying import BASES, POINT
from identity_plan import COPIES, CORRECTED_LIMIT, RECORDINGS, SETUPS
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dl4j_bridge.atomic_files import write_bytes
from dl4j_bridge.report.style import BLUE, GREEN, GREY, ORANGE

Row = dict[str, Any]

COLUMNS = {
    "factor": "factor",
    "change": "changed to",
    "recording": "recording",
    "seeds": "seeds",
    "steps_to_goal": "steps to 99 %",
    "seconds": "seconds",
    "accuracy": "accuracy at the end",
    "held_out": "held out",
}
COPY_COLUMNS = {
    "setup": "setup",
    "step": "step",
    "accuracy": "accuracy",
    "bits": "bits/sample",
    "snr_db_mean": "mean (dB)",
    "snr_db_argmax": "argmax (dB)",
    "snr_db_sample": "sample (dB)",
}
RACE_COLUMNS = {
    "side": "side",
    "recording": "recording",
    "seconds": "seconds",
    "steps": "steps",
    "stopped": "stopped",
    "ratio": "times ours",
}
# Okabe and Ito's purple and sky blue, in addition to the colors of the package's plots.
PURPLE, SKY = "#CC79A7", "#56B4E9"
COLORS = (BLUE, GREEN, ORANGE, GREY, PURPLE, SKY)
DASHES = ("-", "--", "-.", ":", (0, (6, 1, 1, 1)), (0, (1, 3)))
# Value plotted for a copy without any error.
EXACT_DB = 80.0


def words(row: Row) -> str:
    """Return a description of the row's cell."""
    cell = row["cell"]
    return f"{cell['base']}; {cell['factor']}: {cell['change']}; {cell['recording']}, seed {cell['seed']}"


def steps(rows: list[Row]) -> str:
    """Return the steps to the goal of one cell's seeds as text: the median and the range."""
    found = sorted(row["steps"] for row in rows if row["steps"])
    limit = rows[0]["cell"]["limit"]
    if not found:
        return f"not within {limit:,}"
    span = f" ({found[0]} to {found[-1]})" if found[0] < found[-1] else ""
    if len(found) < len(rows):
        return f"{len(found)} of {len(rows)} within {limit:,}: {_middle(found):g}{span}"
    return f"{_middle(found):g}{span}"


def summary(rows: list[Row]) -> list[Row]:
    """Return one row for each cell, summarized over its seeds."""
    return [_summarised(of_cell) for of_cell in _by_cell(rows)]


def ratios(rows: list[Row]) -> dict[str, float]:
    """Return the ratio of XAVIER's steps to ours; a lower bound if XAVIER did not reach the goal."""
    found = {}
    for recording in RECORDINGS:
        ours, xavier = (
            [r for r in rows if _is_setup(r, "corrected", change) and r["cell"]["recording"] == recording]
            for change in ("as it is", "but XAVIER")
        )
        if ours and xavier and all(row["steps"] for row in ours):
            theirs = statistics.median(row["steps"] or row["cell"]["limit"] for row in xavier)
            found[f"steps: xavier/one-hot, {recording}"] = theirs / statistics.median(row["steps"] for row in ours)
    return found


def show(rows: list[Row]) -> None:
    """Print the tables."""
    console = rounds.stdout()
    summarised = summary(rows)
    setups = [row for row in summarised if row["factor"] == SETUPS]
    if setups:
        console.print(_setups_table(setups))
    for base in BASES:
        as_it_is = [r for r in setups if r["setup"] == base and r["change"] == "as it is"]
        changed = [r for r in summarised if r["setup"] == base and r["factor"] not in (SETUPS, COPIES)]
        if changed:
            recording = changed[0]["recording"]
            beside = [r for r in as_it_is if r["recording"] == recording]
            shown = [row | _in_percent(row) for row in beside + changed]
            console.print(rounds.table(f"{base}, one change at a time", shown, COLUMNS))
    copies = [row for row in rows if row["copies"]]
    if copies:
        shown = [{"setup": row["cell"]["base"]} | copy for row in copies for copy in row["copies"]]
        shown = [copy | _in_percent(copy) | _decibels(copy) for copy in shown]
        console.print(rounds.table("copy of the held-out part", shown, COPY_COLUMNS))


def plot(rows: list[Row], folder: Path) -> None:
    """Write the plots for which there are rows."""
    speech = [row for row in rows if row["cell"]["factor"] == SETUPS and row["cell"]["recording"] == "speech"]
    if speech:
        _save_plot(folder / "identity-setups.png", lambda axes: _curves(axes, speech))
    initializations = [row for row in rows if _is_initialization(row)]
    if len(initializations) > 1:
        _save_plot(folder / "identity-start.png", lambda axes: _initializations(axes, initializations))
    copies = [row for row in rows if row["copies"]]
    if copies:
        _save_plot(folder / "identity-noise.png", lambda axes: _noise(axes, copies))


def _by_cell(rows: list[Row]) -> list[list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(repr(row["cell"] | {"seed": None}), []).append(row)
    return list(groups.values())


def _summarised(rows: list[Row]) -> Row:
    cell = rows[0]["cell"]
    arrived = [row for row in rows if row["steps"]]
    return {
        "setup": cell["base"],
        "factor": cell["factor"],
        "change": cell["change"],
        "recording": cell["recording"],
        "seeds": len(rows),
        "steps": _middle([row["steps"] for row in arrived]) if len(arrived) == len(rows) else None,
        "steps_to_goal": steps(rows),
        "seconds": _middle([row["seconds"] for row in arrived]) if len(arrived) == len(rows) else None,
        "accuracy": _middle([row["accuracy"] for row in rows]),
        "held_out": _middle([row["held_out"] for row in rows]),
    }


def _setups_table(setups: list[Row]) -> Any:
    by_name: dict[str, Row] = {}
    for row in setups:
        name = row["setup"] if row["change"] == "as it is" else f"{row['setup']}, {row['change']}"
        by_name.setdefault(name, {"setup": name})[row["recording"]] = row["steps_to_goal"]
    columns = {"setup": "steps to 99 %"} | {recording: recording for recording in RECORDINGS}
    return rounds.table("setups", list(by_name.values()), columns)


def _in_percent(row: Row) -> Row:
    """Format accuracies with enough digits to distinguish 99.9 % from 100 %."""
    return {key: f"{row[key]:.2%}" for key in ("accuracy", "held_out") if key in row}


def _decibels(copy: Row) -> Row:
    return {key: "exact" if copy[key] is None else f"{copy[key]:z.1f}" for key in copy if key.startswith("snr_db_")}


def _is_setup(row: Row, base: str, change: str) -> bool:
    cell = row["cell"]
    return bool(cell["factor"] == SETUPS and cell["base"] == base and cell["change"] == change)


def _is_initialization(row: Row) -> bool:
    """Whether the row is the corrected setup on speech, with any deviation of the first layer's input weights."""
    cell = row["cell"]
    return cell["input_deviation"] is not None or (
        _is_setup(row, "corrected", "as it is") and cell["recording"] == "speech"
    )


def _middle(values: list[Any]) -> Any:
    return statistics.median(values)


def _save_plot(path: Path, plot: Callable[[Axes], None]) -> None:
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    axes.grid(True, alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    plot(axes)
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    write_bytes(path, buffer.getvalue())


def _curves(axes: Axes, rows: list[Row]) -> None:
    names = list(dict.fromkeys((row["cell"]["base"], row["cell"]["change"]) for row in rows))
    styles = dict(zip(names, zip(COLORS, DASHES, strict=True), strict=False))
    labelled = set()
    for row in rows:
        base, change = name = row["cell"]["base"], row["cell"]["change"]
        color, dashes = styles[name]
        label = base if change == "as it is" else f"{base}, {change}"
        at = [min(POINT * (i + 1), row["trained"]) for i in range(len(row["curve"]))]
        axes.plot(
            at, row["curve"], color=color, linestyle=dashes, linewidth=1.5, label=None if name in labelled else label
        )
        labelled.add(name)
    axes.set(xlabel="step (a line ends where 99 % is reached)", ylabel="training accuracy")
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter("{x:.0%}")


def _initializations(axes: Axes, rows: list[Row]) -> None:
    arrived = [(row["cell"]["input_deviation"] or 1.0, row["steps"]) for row in rows if row["steps"]]
    late = [row["cell"]["input_deviation"] for row in rows if not row["steps"]]
    by_deviation = sorted(
        (deviation, statistics.median(s for _, s in group))
        for deviation, group in itertools.groupby(sorted(arrived), key=lambda point: point[0])
    )
    axes.plot(*zip(*by_deviation, strict=True), color=BLUE, linewidth=1)
    axes.plot(*zip(*arrived, strict=True), "o", color=BLUE, label="99 % reached (one dot per seed)")
    if late:
        axes.plot(late, [CORRECTED_LIMIT] * len(late), "x", color=ORANGE, label=f"not within {CORRECTED_LIMIT}")
    axes.set_xscale("log")
    deviations = sorted({row["cell"]["input_deviation"] or 1.0 for row in rows})
    axes.set_xticks(deviations, [f"{deviation:.3g}" for deviation in deviations])
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    axes.set(xlabel="standard deviation of the first layer's input weights", ylabel="steps to 99 %")


def _noise(axes: Axes, rows: list[Row]) -> None:
    decodes = {"argmax": "o", "sample": "^"}
    for row, color in zip(rows, COLORS, strict=False):
        at = [copy["step"] for copy in row["copies"]]
        for decode, marker in decodes.items():
            # None means a copy without any error.
            heights = [copy[f"snr_db_{decode}"] for copy in row["copies"]]
            axes.plot(
                at,
                [EXACT_DB if height is None else height for height in heights],
                color=color,
                marker=marker,
                linestyle="--" if decode == "sample" else "-",
                linewidth=1.5,
                label=f"{row['cell']['base']}, {decode}",
            )
    axes.set(xlabel="step", ylabel=f"signal-to-noise ratio (dB; {EXACT_DB:.0f}: exact copy)")
