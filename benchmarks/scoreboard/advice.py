"""Does the advice work? Applies the fix of a finding to the recordings or the settings."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from dl4j_bridge.diagnostics.findings import Finding
from scoreboard.mistakes import stretched
from scoreboard.take import Take

# Options of `train` that a fix may name, with their value.
OPTION = re.compile(r"--(align|codec|hidden|layers|length|tbptt|rate|channel)[ =]([\w+-]+)")
DEFAULTS = {"align": "auto", "codec": "auto"}
NUMBERS = ("hidden", "layers", "length", "tbptt", "rate", "channel")


def followed(finding: Finding, take: Take) -> Take | None:
    """The recordings and settings after the fix; None if it is no option, and not among `BY_HAND`.

    Of several options the first one counts, as a reader would try it first.
    """
    if finding.code not in BY_HAND:
        options = DEFAULTS | take.options | _options(finding)
        # A finding may say that the settings deal with it already.
        return replace(take, options=options) if options != DEFAULTS | take.options else None
    return BY_HAND[finding.code](take, finding.evidence)


def _options(finding: Finding) -> dict[str, Any]:
    """The options of `train` that the finding would change; the first one that its fix names if it does not say."""
    changes: dict[str, Any] | None = getattr(finding, "changes", None)
    if changes is not None:
        return changes
    named = OPTION.search(finding.fix)
    if not named:
        return {}
    name, value = named.groups()
    return {name: int(value) if name in NUMBERS else value}


def _speed(take: Take, evidence: dict[str, Any]) -> Take:
    return replace(take, y=stretched(take.y, 1 / evidence["speed"]))


def _cut(take: Take, evidence: dict[str, Any]) -> Take:
    shorter = min(evidence["input"], evidence["target"])
    return replace(take, x=take.x[:shorter], y=take.y[:shorter])


def _without_offset(take: Take, evidence: dict[str, Any]) -> Take:
    return replace(take, x=take.x - evidence.get("input", 0.0), y=take.y - evidence.get("target", 0.0))


def _amplified(take: Take, evidence: dict[str, Any]) -> Take:
    """The quieter side by the number of decibels, as far as full scale allows."""
    gain = 10 ** (abs(evidence["gain_db"]) / 20)
    if evidence["gain_db"] < 0:
        return replace(take, y=take.y * min(gain, 0.98 / np.abs(take.y).max()))
    return replace(take, x=take.x * min(gain, 0.98 / np.abs(take.x).max()))


# What a reader does with the recordings when the fix says so in words; `rate-mismatch` by its evidence.
BY_HAND: dict[str, Callable[[Take, dict[str, Any]], Take]] = {
    "rate-mismatch": _speed,
    "length-mismatch": _cut,
    "swapped": lambda take, _: replace(take, x=take.y, y=take.x),
    "polarity-inverted": lambda take, _: replace(take, y=-take.y),
    "dc-offset": _without_offset,
    "gain-mismatch": _amplified,
}


def outcome(code: str, before: tuple[str, ...], after: tuple[str, ...]) -> str:
    """``gone``, ``still there``, or what is new."""
    if code in after:
        return "still there"
    new = [each for each in after if each not in before]
    return f"new: {', '.join(new)}" if new else "gone"
