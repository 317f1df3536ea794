"""The page of a search, and its plots."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge.report import page, style
from dl4j_bridge.tasks import columns

if TYPE_CHECKING:
    from dl4j_bridge.jobs.search.outcome import Outcome, SearchResult


def write(result: SearchResult) -> Path:
    """Plot what the trials of a search reached, and write ``report.html`` into its folder; returns the page."""
    plots = []
    if result.best:
        plots.append(_history(result))
        if len(result.search.objectives) > 1:
            plots.append(_front(result))
        if result.importances:
            plots.append(_importances(result))
    sections = [
        ("", _results(result)),
        *([("What the trials reached", page.cards(plots))] if plots else []),
        *([("Best settings", page.facts(result.best.parameters))] if result.best else []),
        ("Trials", page.table([_row(result, trial) for trial in result.trials])),
        ("Searched", page.facts({name: str(values) for name, values in result.search.space.items()})),
        ("", page.details({"search": result.search.as_facts()})),
    ]
    return page.write(result.folder, f"Search {result.folder.name}", sections)


def _results(result: SearchResult) -> str:
    tiles = [page.Number(str(count), f"{state} trials") for state, count in result.counts.items()]
    if result.best is None:
        return page.paragraph("No trial is complete.") + page.numbers(tiles)
    best = [
        page.Number(
            columns.with_unit(result.best.values, name),
            columns.column(name).title,
            f" of the best trial ({result.best.slot})",
        )
        for name in result.search.objectives
    ]
    note = " Trials are left: resume the search." if result.is_left else ""
    return page.numbers(best + tiles) + page.paragraph(f"The network of the best trial is in {result.best.run}.{note}")


def _row(result: SearchResult, trial: Outcome) -> dict[str, Any]:
    values = {name: trial.values.get(name) for name in result.search.objectives}
    parameters = {name: trial.parameters.get(name) for name in result.search.space}
    seconds = None if trial.seconds is None else round(trial.seconds)
    row = {"trial": trial.slot, "ended": trial.state, **columns.spelled([values])[0], "seconds": seconds}
    errors = {"error": trial.error} if any(t.error for t in result.trials) else {}
    return row | parameters | errors


def _complete(result: SearchResult) -> list[Outcome]:
    return [trial for trial in result.trials if trial.state == "complete"]


def _history(result: SearchResult) -> str:
    """Plot the first objective of each trial, and the best so far."""
    name, trials = result.search.objectives[0], _complete(result)
    numbers, values = [t.slot for t in trials], np.array([t.values[name] for t in trials])
    better = np.minimum if result.search.directions[0] == "minimize" else np.maximum
    figure, axes = style.figure()
    axes.plot(numbers, values, "o", color=style.BLUE, markersize=4, label="trial")
    axes.step(numbers, better.accumulate(values), where="post", color=style.ORANGE, label="best so far")
    if _is_wide(values):
        style.log_axis(axes)
    style.count_axis(axes, "trial")
    axes.set_ylabel(columns.column(name).title)
    style.legend(axes)
    caption = "Complete trials. If the line still falls at its end, more trials are worth their time."
    return _picture(result, "history", figure, "the first objective by trial", caption)


def _front(result: SearchResult) -> str:
    """Plot both objectives of each trial, and the front."""
    (y, x), trials = result.search.objectives, _complete(result)
    figure, axes = style.figure()
    axes.plot([t.values[x] for t in trials], [t.values[y] for t in trials], "o", color=style.GREY, label="trial")
    front = sorted(result.front, key=lambda t: t.values[x])
    axes.plot([t.values[x] for t in front], [t.values[y] for t in front], "o-", color=style.ORANGE, label="front")
    for trial in front:
        axes.annotate(str(trial.slot), (trial.values[x], trial.values[y]), xytext=(4, 4), textcoords="offset points")
    if _is_wide([t.values[x] for t in trials]):
        axes.set_xscale("log")
    if _is_wide([t.values[y] for t in trials]):
        style.log_axis(axes)
    axes.set_xlabel(columns.column(x).title)
    axes.set_ylabel(columns.column(y).title)
    style.legend(axes)
    caption = "No other trial beats one of the front in both; the numbers are those of the trials."
    return _picture(result, "front", figure, "both objectives of each trial", caption)


def _is_wide(values: npt.ArrayLike) -> bool:
    """Whether values need a logarithmic axis."""
    lowest, highest = np.min(values), np.max(values)
    return bool(0 < 10 * lowest < highest)


def _importances(result: SearchResult) -> str:
    names = list(result.importances)
    figure, (axes,) = style.panels(1, 1, 1 + 0.3 * len(names))
    axes.barh(names, list(result.importances.values()), color=style.BLUE)
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.set_xlabel("importance")
    caption = (
        "How much each setting decides whether a trial is among the best (PED-ANOVA of Optuna). With fewer than some "
        "dozens of trials this is a hint at most."
    )
    return _picture(result, "importances", figure, "importance of each setting", caption)


def _picture(result: SearchResult, name: str, figure: style.Plot, text: str, caption: str) -> str:
    return page.picture(style.save(result.folder / f"{name}.png", figure), text, caption)
