"""Findings of a diagnosis or of a training, on a page."""

import html
from collections.abc import Iterable, Mapping
from typing import Any

from dl4j_bridge.report import page


def described(findings: Iterable[Mapping[str, Any]]) -> str:
    """What was found, what it means, its evidence, its fix, and where to read more; as `Finding.as_dict` has it."""
    return "".join(map(_described, findings))


def _described(finding: Mapping[str, Any]) -> str:
    facts = "".join(f"<li>{html.escape(fact)}</li>" for fact in finding["facts"])
    command = finding["command"]
    run = f"<p><strong>Run:</strong> <code>{html.escape(command)}</code></p>" if command else ""
    return (
        f"<h3>{html.escape(finding['code'])} ({finding['severity']})</h3>{page.paragraph(finding['meaning'])}"
        f"<ul>{facts}</ul><p><strong>Fix:</strong> {html.escape(finding['fix'])}</p>{run}"
        f"<p><small>More: <code>{html.escape(finding['docs'])}</code></small></p>"
    )
