"""Parses JSON in which each key and each byte has one meaning, whichever parser reads it.

Parsers differ on a key that is there twice (Python keeps the last, Jackson the first) and on encodings, so a check by
one of them proves nothing to another.
"""

from __future__ import annotations

import json
from typing import Any


def parse(content: bytes) -> Any:
    """Parse JSON in UTF-8.

    Raises
    ------
    ValueError
        If the content is not UTF-8 or not JSON, has a key twice in an object, or is nested too deep.
    """
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as e:
        raise ValueError(f"not UTF-8 (byte {e.start})") from None
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except RecursionError:
        raise ValueError("nested too deep") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"key {next(k for k in keys if keys.count(k) > 1)[:40]!r} twice in an object")
    return found
