"""``report.html``: one file, the pictures inside."""

from __future__ import annotations

import base64
import html
from pathlib import Path
from typing import Any

from dl4j_bridge.files import write_bytes

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem; }
img { width: 100%; background: white; border-radius: 4px; }
table { border-collapse: collapse; } td, th { text-align: left; padding: .2rem 1rem .2rem 0; vertical-align: top; }
td { font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
"""


def write(path: Path, title: str, sections: list[tuple[str, str]]) -> None:
    """Write a page of sections, each a heading and ready HTML."""
    body = "".join(f"<h2>{html.escape(heading)}</h2>{content}" for heading, content in sections)
    page = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        '<meta name="viewport" content="width=device-width">'
        f"<style>{_STYLE}</style></head><body><h1>{html.escape(title)}</h1>{body}</body></html>\n"
    )
    write_bytes(path, page.encode())


def picture(path: Path, text: str) -> str:
    """A PNG, put into the page itself."""
    data = base64.b64encode(path.read_bytes()).decode()
    return f'<img alt="{html.escape(text)}" src="data:image/png;base64,{data}">'


def sound(path: Path, text: str) -> str:
    """A player with the recording inside."""
    data = base64.b64encode(path.read_bytes()).decode()
    return f'<p>{html.escape(text)}<br><audio controls src="data:audio/wav;base64,{data}"></audio></p>'


def table(rows: list[dict[str, Any]]) -> str:
    """Rows of equal keys."""
    if not rows:
        return ""
    head = "".join(f"<th>{html.escape(str(name))}</th>" for name in rows[0])
    lines = "".join(
        "<tr>" + "".join(f"<td>{html.escape(_text(value))}</td>" for value in row.values()) + "</tr>" for row in rows
    )
    return f"<table><tr>{head}</tr>{lines}</table>"


def facts(values: dict[str, Any]) -> str:
    """A two-column table of a nested dictionary."""
    lines = "".join(
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(_text(value))}</td></tr>" for name, value in _flat(values)
    )
    return f"<table>{lines}</table>"


def _flat(values: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    flat = []
    for name, value in values.items():
        flat += _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else [(prefix + name, value)]
    return flat


def _text(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
