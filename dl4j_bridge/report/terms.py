"""Names of metrics on a page, each of which opens what it means: by mouse, touch and keyboard, without a script.

The explanation is an HTML popover. A browser without popovers shows it at the end of the page.
"""

import html

from dl4j_bridge.tasks import columns

_KEYS = {
    text: name
    for name, entry in columns.COLUMNS.items()
    if entry.meaning
    for text in (entry.name, entry.heading, entry.label, entry.title)
    if text
}

STYLE = """
.term { font: inherit; color: inherit; text-align: left; background: none; border: 0; padding: 0; cursor: help;
  text-decoration: underline dotted; text-underline-offset: .2em; }
.meaning { font-size: 1rem; color: var(--ink); background: var(--card); border: 1px solid var(--line);
  border-radius: 8px; padding: .75rem 1rem; max-width: min(30rem, calc(100vw - 2rem)); }
.meaning::backdrop { background: rgb(0 0 0 / .3); }
"""


def marked(text: str) -> str:
    """Return the name of a metric as a button that opens its meaning, any other text as it is; both in HTML."""
    name = _KEYS.get(text)
    if name is None:
        return html.escape(text)
    return f'<button type="button" class="term" popovertarget="{_id(name)}">{html.escape(text)}</button>'


def meanings(content: str) -> str:
    """Return the meaning of every metric that is marked in the HTML of a page, each once."""
    found = [name for name in columns.COLUMNS if f'popovertarget="{_id(name)}"' in content]
    return "".join(_meaning(name, columns.COLUMNS[name]) for name in found)


def _meaning(name: str, entry: columns.Column) -> str:
    better = f" The {entry.better}, the better." if entry.better else ""
    title = html.escape(entry.title[0].upper() + entry.title[1:])
    text = html.escape(entry.meaning + better)
    return f'<div class="meaning" popover id="{_id(name)}"><strong>{title}</strong><br>{text}</div>'


def _id(name: str) -> str:
    return f"metric-{name}"
