"""What each finding and each metric means.

A finding has a section of docs/diagnostics.md, which a wheel contains; a metric has an entry of `columns.COLUMNS`.
"""

import re
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from dl4j_bridge.errors import InputError
from dl4j_bridge.tasks import columns

# In a wheel, and in a checkout.
_PACKAGE = Path(__file__).parents[1]
_PAGES = (_PACKAGE / "diagnostics.md", _PACKAGE.parent / "docs" / "diagnostics.md")
_SECTION = re.compile(r"^### `([a-z0-9-]+)`\n+(.*?)(?=^##|\Z)", re.S | re.M)
_LINK = re.compile(r"\[([^]]+)\]\([^)]+\)")


def explain(code: str) -> str:
    """The section of a finding as Markdown, or what a metric such as ``ESR`` means.

    Raises
    ------
    InputError
        There is neither; names the findings that are spelled alike.
    """
    if metric := columns.called(code):
        entry = columns.column(metric)
        better = f" ({entry.better} is better)" if entry.better else ""
        return f"### {entry.name}: {entry.title}{better}\n\n{entry.meaning}"
    if code not in _sections():
        near = get_close_matches(code, _sections(), 3) or list(_sections())
        raise InputError("--explain", f"{code} is no finding and no metric", f"wanted a code such as {', '.join(near)}")
    return f"### {code}\n\n{_sections()[code]}"


def meaning(code: str) -> str:
    """The first sentence of a finding's section, or what a metric means; empty for a code without either."""
    if metric := columns.called(code):
        return columns.column(metric).meaning
    paragraph = _sections().get(code, "").partition("\n\n")[0]
    sentence = re.split(r"(?<=\.) (?=[A-Z`[])", " ".join(paragraph.split()))[0]
    return _LINK.sub(r"\1", sentence).replace("`", "")


def link(code: str) -> str:
    """Where to read about a finding: the project has no public address, so that this is a command."""
    return f"dl4j-bridge diagnose --explain {code}"


def codes() -> list[str]:
    """The codes of all findings that `explain` knows."""
    return list(_sections())


@cache
def _sections() -> dict[str, str]:
    page = next((page for page in _PAGES if page.is_file()), None)
    text = page.read_text(encoding="utf-8") if page else ""
    return {code: section.strip() for code, section in _SECTION.findall(text)}
