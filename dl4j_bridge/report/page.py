"""``report.html``: one file that contains its pictures and its sound."""

import base64
import html
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dl4j_bridge.atomic_files import write_bytes
from dl4j_bridge.report import terms
from dl4j_bridge.tasks import columns

# A browser loads nothing from anywhere else, whatever the page says.
_POLICY = "default-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
# A telephone shows one column. The plots are black on white: the dark scheme dims them.
_STYLE = (
    """
:root { color-scheme: light dark; --ink: #1c1c1c; --soft: #5d5d5b; --ground: #f5f5f2; --card: #fff; --line: #dadad6; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e6e3; --soft: #a5a5a1; --ground: #141517; --card: #1e2023; --line: #383b40; }
  img { filter: brightness(.88); }
}
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--ground);
  max-width: 72rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.2; margin: .5rem 0 1rem; }
h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
h3 { font-size: 1rem; margin: .75rem 0 0; }
p { max-width: 44rem; margin: .5rem 0; }
.cards { columns: 28rem 2; column-gap: 1rem; }
figure { margin: 0 0 1rem; max-width: 44rem; break-inside: avoid; }
figure, .number, .player, .scroll, details { background: var(--card); border: 1px solid var(--line);
  border-radius: 8px; padding: .75rem; }
figcaption, small { color: var(--soft); font-size: .875rem; display: block; }
figcaption { margin-top: .5rem; }
body > .player { margin-bottom: .75rem; }
img { display: block; width: 100%; height: auto; background: white; border-radius: 4px; }
.numbers, .players { display: grid; gap: .75rem; }
.numbers { grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); }
.players { grid-template-columns: repeat(auto-fit, minmax(min(100%, 18rem), 1fr)); }
.number b { display: block; font-size: 1.3rem; font-variant-numeric: tabular-nums; }
.number em { display: block; font-style: normal; font-weight: 600; }
audio { display: block; width: 100%; margin-top: .5rem; }
.scroll { overflow-x: auto; overflow-wrap: normal; margin-bottom: 1rem; break-inside: avoid; }
table { border-collapse: collapse; font-size: .9rem; }
td, th { text-align: left; padding: .2rem 1rem .2rem 0; vertical-align: top; }
tr + tr { border-top: 1px solid var(--line); }
td { font-variant-numeric: tabular-nums; }
.facts td { overflow-wrap: anywhere; }
button { font: inherit; padding: .4rem .75rem; }
details { margin-top: .5rem; padding: .5rem .75rem; } summary { cursor: pointer; }
details .scroll { border: 0; padding: .5rem 0 0; margin: 0; }
"""
    + terms.STYLE
)


@dataclass(frozen=True)
class Number:
    """One of the main results.

    Attributes
    ----------
    value
        The number with its unit.
    name
        What it is; the name of a metric opens its meaning.
    remark
        What follows the name.
    grade
        The number in words.
    """

    value: str
    name: str
    remark: str = ""
    grade: str = ""


def write(folder: Path, title: str, sections: list[tuple[str, str]]) -> Path:
    """Write ``report.html`` of sections, each a heading (or an empty text) and its HTML; return its path."""
    path = folder / "report.html"
    write_bytes(path, document(title, sections).encode())
    return path


def document(title: str, sections: list[tuple[str, str]], policy: str = _POLICY) -> str:
    """Return a page of sections; `policy` is its content security policy."""
    body = "".join((f"<h2>{html.escape(heading)}</h2>" if heading else "") + content for heading, content in sections)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<style>{_STYLE}</style></head><body><h1>{html.escape(title)}</h1>{body}{terms.meanings(body)}</body></html>\n"
    )


def picture(path: Path, text: str, caption: str = "") -> str:
    """Embed a PNG file.

    Parameters
    ----------
    path
        The file.
    text
        What it shows, for those who cannot see it.
    caption
        How to read it.
    """
    return figure(f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}", text, caption)


def figure(address: str, text: str, caption: str = "") -> str:
    """Show the picture at an address; `text` and `caption` as for `picture`."""
    below = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    return f'<figure><img alt="{html.escape(text)}" src="{html.escape(address)}">{below}</figure>'


def cards(pictures: list[str]) -> str:
    """Arrange pictures and tables side by side, in as many columns as fit."""
    return f'<div class="cards">{"".join(pictures)}</div>'


def sound(path: Path, text: str) -> str:
    """Embed a player of a wav file."""
    return player(f"data:audio/wav;base64,{base64.b64encode(path.read_bytes()).decode()}", text)


def player(address: str, text: str, remark: str = "") -> str:
    """Show a player of the sound at an address; `remark` stands below its title."""
    below = f"<small>{html.escape(remark)}</small>" if remark else ""
    return f'<div class="player">{html.escape(text)}{below}<audio controls src="{address}"></audio></div>'


def numbers(values: Iterable[Number]) -> str:
    """Show the main results in large digits."""
    return f'<div class="numbers">{"".join(map(_tile, values))}</div>'


def _tile(number: Number) -> str:
    grade = f"<em>{html.escape(number.grade)}</em>" if number.grade else ""
    below = f"{terms.marked(number.name)}{html.escape(number.remark)}"
    return f'<div class="number"><b>{html.escape(number.value)}</b>{grade}<small>{below}</small></div>'


def paragraph(text: str) -> str:
    """Return a paragraph of plain text."""
    return f"<p>{html.escape(text)}</p>"


def folded(summary: str, content: str) -> str:
    """Hide content behind a line that opens it."""
    return f"<details><summary>{html.escape(summary)}</summary>{content}</details>"


def details(groups: dict[str, dict[str, Any]]) -> str:
    """Hide tables of settings or versions, each behind its name."""
    return "".join(folded(name.capitalize(), facts(values)) for name, values in groups.items())


def table(rows: list[dict[str, Any]]) -> str:
    """Return a table of rows with the same keys."""
    if not rows:
        return ""
    heading = "".join(f"<th>{terms.marked(columns.plain(name))}</th>" for name in rows[0])
    return _table("<table>", [heading, *(_cells("td", row.values()) for row in rows)])


def facts(values: dict[str, Any]) -> str:
    """Return a table of two columns from a nested dictionary."""
    lines = [_cells("th", [name]) + _cells("td", [value]) for name, value in _flat(values)]
    return _table('<table class="facts">', lines)


def _cells(tag: str, values: Iterable[Any]) -> str:
    return "".join(f"<{tag}>{html.escape(columns.plain(value))}</{tag}>" for value in values)


def _table(tag: str, lines: list[str]) -> str:
    return f'<div class="scroll">{tag}{"".join(f"<tr>{line}</tr>" for line in lines)}</table></div>'


def _flat(values: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    flat = []
    for name, value in values.items():
        flat += _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else [(prefix + name, value)]
    return flat
