"""Results that a notebook shows as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dl4j_bridge.tasks import columns

if TYPE_CHECKING:
    from dl4j_bridge.diagnostics import findings
    from dl4j_bridge.tasks.comparison import ComparisonResult


class Comparison(list[dict[str, Any]]):
    """Rows of a comparison: ``name`` and the columns of the task, such as ``bits, accuracy, esr, snr_db, stft``.

    ``pandas.DataFrame(comparison)`` makes a frame of them.

    Attributes
    ----------
    part : str
        ``test``: the held-out part of the training's recordings; or ``all`` of other recordings.
    samples : int
        Number of samples that were evaluated.
    notes : list of str
        What is to be known of the recordings.
    drift : dict or None
        For a network that predicts the next sample: its own audio over time.
    best_esr : dict or None
        The ESR that no model of the pair can beat, where something bounds it: ``esr``, ``evidence``, and in words
        ``facts``.
    """

    def __init__(self, result: ComparisonResult) -> None:
        super().__init__(result.rows)
        self.part = result.part
        self.samples = result.samples
        self.notes = result.notes
        self.drift = result.drift
        self.best_esr = result.best_esr

    def __repr__(self) -> str:
        from rich.console import Console

        from dl4j_bridge.terminal import tables

        console = Console(width=80, color_system=None, force_jupyter=False)
        with console.capture() as text:
            console.print(tables.comparison(self, self._title))
        return text.get().rstrip()

    def _repr_html_(self) -> str:
        return html_table(self._title, columns.spelled(self))

    @property
    def _title(self) -> str:
        return columns.evaluated(self.samples, self.part)


class Diagnosis(dict[str, Any]):
    """What was found: ``verdict`` (``ok`` or ``fault``), ``findings``, ``checks``, ``bounds``, ``report`` and ``next``.

    ``report`` is the path of a page.
    """

    def __init__(self, found: findings.Diagnosis, report: str | None) -> None:
        super().__init__(found.as_dict() | {"report": report})

    @property
    def ok(self) -> bool:
        """True if nothing keeps a network from learning this."""
        return bool(self["verdict"] == "ok")

    def __repr__(self) -> str:
        lines = [f"Diagnosis: {self['verdict']}"]
        lines += [f"  {f['code']} ({f['severity']}): {f['fix']}" for f in self["findings"]]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = [
            {name: finding[name] for name in ("code", "severity", "meaning", "fix", "command")}
            for finding in self["findings"]
        ]
        return html_table(self["verdict"], rows) + html_table("", self["checks"])


def html_table(title: str, rows: list[dict[str, Any]]) -> str:
    """A title and rows of equal keys as HTML."""
    from html import escape

    if not rows:
        return f"<p>{escape(title)}</p>"
    head = "".join(f"<th>{escape(str(name))}</th>" for name in rows[0])
    lines = "".join("<tr>" + "".join(f"<td>{escape(str(v))}</td>" for v in row.values()) + "</tr>" for row in rows)
    return f"<p>{escape(title)}</p><table><tr>{head}</tr>{lines}</table>"
