"""What `info` shows of a model, as rows of a table."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from dl4j_bridge.tasks import columns

Facts = dict[str, str]


def of_model(model: Path, found: Mapping[str, Any]) -> Facts:
    """Rows for a model of this package; takes what `jobs.describe` returned."""
    network = found["settings"]["network"]
    kind = "turns an input into a target" if found["predicts"] == "target" else "predicts what comes next"
    cell = {"graves": "GravesLSTM"}.get(network["cell"], network["cell"].upper())
    layers = columns.count(network["layers"], "layer")
    size = f"{layers} of {network['hidden']} {cell} units, {columns.count(found['parameters'], 'parameter')}"
    rows = {
        **_about(found["about"]),
        "model": f"{kind}; {found['represents']} (--task {found['task']})",
        "rate": f"{found['rate']:,} Hz",
        "network": size,
        "trained": _trained(found),
        "validation": _validated(found),
        "recordings": "\n".join(_recordings(pair, found["rate"]) for pair in found["pairs"]),
        "adopted from": _adopted(found.get("origin")),
        "made with": ", ".join(f"{name} {version}" for name, version in found["versions"].items()),
        "everything": f"dl4j-bridge info {shlex.quote(str(model))} --json",
    }
    return {name: text for name, text in rows.items() if text}


def of_other_program(model: Path, found: Mapping[str, Any]) -> Facts:
    """Rows for the file of another program."""
    rate = f"{found['rate']:,} Hz" if found["rate"] else "not stored"
    return {
        **_about(found["about"]),
        "format": found["format"],
        "network": f"{found['network']}, {columns.count(found['parameters'], 'parameter')}",
        "rate": rate,
        "to use it": f"dl4j-bridge adopt {shlex.quote(str(model))}",
    }


def table(title: str, facts: Facts) -> Table:
    """Make a table of two columns whose lines break between words."""
    made = Table(title=Text(_printable(title)), title_justify="left", box=None, show_header=False, padding=(0, 2, 0, 0))
    made.add_column(no_wrap=True, style="bold")
    made.add_column(overflow="fold")
    for name, text in facts.items():
        made.add_row(Text(_printable(name)), Text(_printable(text)))
    return made


def _about(about: Mapping[str, Any]) -> Facts:
    return {columns.column(name).name: columns.plain(value) for name, value in about.items()}


def _trained(found: Mapping[str, Any]) -> str:
    result = found.get("result")
    if result:
        steps = columns.count(result["steps"], "step")
        return f"{steps}, {result['epochs']:.2f} epochs, stopped by {result['stopped_because']}"
    if found.get("status") in ("running", "failed"):
        return f"not to the end ({found['status']})"
    return f"{columns.count(found['training']['step'], 'step')} (the best network)" if "training" in found else ""


def _validated(found: Mapping[str, Any]) -> str:
    return columns.validated(found["valid"], found["grade"]) if found["valid"] else ""


def _adopted(origin: Mapping[str, Any] | None) -> str:
    return f"{Path(origin['path']).name} ({origin['format']})" if origin else ""


def _recordings(pair: Mapping[str, Any], rate: int) -> str:
    names = [Path(side["path"]).name for side in (pair["input"], pair["target"]) if side]
    delay = f", target late by {columns.count(pair['delay'], 'sample')}" if pair["delay"] else ""
    return f"{' -> '.join(names)}, {pair['length'] / rate:.1f} s{delay}"


def _printable(text: str) -> str:
    """A stranger's file must not steer the terminal."""
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)
