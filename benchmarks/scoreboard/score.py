"""The score: recall, precision, false alarms, confusion and time."""

from __future__ import annotations

from collections import Counter
from typing import Any

from scoreboard.answers import Answer
from scoreboard.faults import STRENGTHS

Row = dict[str, Any]


def ratios(answers: list[Answer]) -> dict[str, float]:
    """Recall by strength, precision, and the share of healthy pairs without a finding."""
    result = {f"recall-{strength}": _recall(_of(answers, strength), None) for strength in STRENGTHS}
    result["precision"] = _precision(answers, None)
    healthy = [answer for answer in answers if not answer.wanted]
    result["healthy-without-finding"] = _share([not answer.false for answer in healthy])
    result["advice-works"] = _share([end == "gone" for answer in answers for end in (answer.advice or {}).values()])
    return {name: value for name, value in result.items() if value is not None}


def by_finding(answers: list[Answer]) -> list[Row]:
    """A row for each finding: recall at each strength, precision, and the number of cases."""
    codes = sorted({code for answer in answers for code in answer.wanted + answer.found})
    rows = []
    for code in codes:
        row: Row = {"finding": code}
        row |= {strength: _recall(_of(answers, strength), code) for strength in STRENGTHS}
        row |= {
            "precision": _precision(answers, code),
            "planted": sum(code in answer.wanted for answer in answers),
            "false": sum(code in answer.false for answer in answers),
        }
        rows.append(row)
    return rows


def markdown(rows: list[Row], columns: dict[str, str]) -> list[str]:
    """Lines of a table; shares in percent."""
    lines = ["| " + " | ".join(columns.values()) + " |", "| --- |" + " ---: |" * (len(columns) - 1)]
    for row in rows:
        cells = [_cell(row[key]) for key in columns]
        lines.append("| " + " | ".join([f"`{cells[0]}`", *cells[1:]]) + " |")
    return lines


def _cell(value: Any) -> str:
    return "" if value is None else f"{value:.1%}" if isinstance(value, float) else str(value)


def by_fault(answers: list[Answer]) -> list[Row]:
    """A row for each planted fault: recall at each strength."""
    rows = []
    for fault in dict.fromkeys(answer.fault for answer in answers if answer.wanted):
        mine = [answer for answer in answers if answer.fault == fault]
        row: Row = {"fault": fault, "finding": "+".join(mine[0].wanted)}
        rows.append(row | {strength: _recall(_of(mine, strength), None) for strength in STRENGTHS})
    return rows


def advice(answers: list[Answer]) -> list[Row]:
    """A row for each finding whose fix was applied: how it ended."""
    ends: dict[str, Counter[str]] = {}
    for answer in answers:
        for code, end in (answer.advice or {}).items():
            ends.setdefault(code, Counter())[end] += 1
    rows = []
    for code, count in sorted(ends.items()):
        other = ", ".join(end for end, _ in count.most_common() if end != "gone")
        rows.append({"finding": code, "applied": count.total(), "gone": count["gone"], "other": other})
    return rows


def false_alarms(answers: list[Answer]) -> list[Row]:
    """A row for each effect and each recording that has false alarms in healthy pairs."""
    rows = []
    healthy = [answer for answer in answers if not answer.wanted]
    for kind in ("effect", "sound"):
        for name in dict.fromkeys(getattr(answer, kind) for answer in healthy):
            mine = [answer for answer in healthy if getattr(answer, kind) == name]
            false = Counter(code for answer in mine for code in answer.false)
            if false:
                codes = ", ".join(f"{code} {count}" for code, count in false.most_common())
                rows.append({"healthy with": name, "cases": len(mine), "findings": codes})
    return rows


def confusion(answers: list[Answer]) -> list[Row]:
    """What was found in place of a missed finding, and besides; most frequent first."""
    counts: Counter[tuple[str, str]] = Counter()
    for answer in answers:
        planted = "+".join(answer.wanted) or "(healthy)"
        for code in answer.false:
            counts[planted, code] += 1
        if answer.missed and not answer.false:
            counts["+".join(answer.missed), "(nothing)"] += 1
    return [{"planted": a, "found": b, "cases": count} for (a, b), count in counts.most_common()]


def _of(answers: list[Answer], strength: str) -> list[Answer]:
    return [answer for answer in answers if answer.strength == strength]


def _recall(answers: list[Answer], code: str | None) -> float | None:
    """Share of the planted findings that were found; all of them if no code is given."""
    planted = [(each in answer.missed) for answer in answers for each in answer.wanted if code in (None, each)]
    return _share([not missed for missed in planted])


def _precision(answers: list[Answer], code: str | None) -> float | None:
    """Share of the findings that are true of their pair."""
    return _share([each not in answer.false for answer in answers for each in answer.found if code in (None, each)])


def _share(values: list[bool]) -> float | None:
    return sum(values) / len(values) if values else None
