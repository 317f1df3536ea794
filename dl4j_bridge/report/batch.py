"""The page over all runs of a batch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dl4j_bridge.report import page, style
from dl4j_bridge.tasks import columns

if TYPE_CHECKING:
    from dl4j_bridge.jobs.batch.pair import Row


def write(folder: Path, rows: list[Row]) -> Path:
    """Plot how the networks compare with the best baselines, and write ``report.html``; returns the page."""
    counts = {
        f"{state} runs": sum(row.state == state for row in rows) for state in ("trained", "failed", "interrupted")
    }
    judged = [row for row in rows if row.model is not None and row.best_baseline is not None]
    better = [row for row in judged if row.is_better]
    tiles = {name: str(count) for name, count in counts.items() if count}
    tiles["networks that beat every baseline"] = f"{len(better)} of {len(judged)}"
    failed: list[dict[str, Any]] = [{"run": row.name, "error": row.error} for row in rows if row.error]
    sections = [
        ("", page.numbers(page.Number(value, name) for name, value in tiles.items())),
        *([("Failed", page.table(failed))] if failed else []),
        *([("Against the best baseline", _chart(folder, judged))] if judged else []),
        ("Runs", page.table([row.cells() for row in rows])),
    ]
    return page.write(folder, f"Batch {folder.name}", sections)


def _chart(folder: Path, rows: list[Row]) -> str:
    """Plot a point for each run: the best baseline and the network."""
    figure, axes = style.figure()
    for metric in dict.fromkeys(row.metric for row in rows):
        shown = [row for row in rows if row.metric == metric]
        x, y = [row.best_baseline for row in shown], [row.model for row in shown]
        axes.plot(x, y, "o", label=columns.column(metric).title, markersize=4)  # type: ignore[arg-type]
    values = [value for row in rows for value in (row.model, row.best_baseline) if value is not None]
    if min(values) > 0:
        axes.set_xscale("log")
        style.log_axis(axes)
    axes.axline((values[0], values[0]), (2 * values[0] or 1, 2 * values[0] or 1), color=style.GREY, linestyle=":")
    axes.set_xlabel("best baseline")
    axes.set_ylabel("network")
    style.legend(axes)
    caption = "One point for each run, on its held-out part. On the line the network is as good as the best baseline."
    return page.picture(style.save(folder / "batch.png", figure), "networks against baselines", caption)
