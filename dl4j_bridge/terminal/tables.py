"""Tables for a terminal."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.table import Table


def comparison(rows: list[dict[str, Any]], title: str) -> Table:
    """Make a table of `comparing.compare`'s rows, narrow enough for 80 columns."""
    if "bits" not in rows[0]:
        return plain(rows, title)
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=0)
    table.add_column("name")
    for heading in ("bits", "accuracy", "ESR", "SNR dB", "STFT", "params", "samples/s"):
        table.add_column(heading, justify="right")
    for row in rows:
        bits = "–" if row["bits"] is None else f"{row['bits']:.3f}"
        snr = {None: "–", 0: "exact"}.get(row["esr"], f"{row['snr_db'] or 0:.1f}")
        stft = "–" if row["stft"] is None else f"{row['stft']:.3f}"
        sizes = _short(row["parameters"]), _short(row["samples_per_second"])
        table.add_row(row["name"], bits, f"{row['accuracy']:.2%}", esr(row["esr"]), snr, stft, *sizes)
    return table


def plain(rows: list[dict[str, Any]], title: str) -> Table:
    """Make a table of any rows that have the same keys: the first the name, the others numbers."""
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=0)
    for number, name in enumerate(rows[0]):
        table.add_column(heading(name), justify="right" if number else "left")
    for row in rows:
        sizes = {name: _short(row[name]) for name in ("parameters", "samples_per_second") if row.get(name) is not None}
        table.add_row(*(str(sizes.get(k, v if isinstance(v, str) else short(k, v))) for k, v in row.items()))
    return table


def judged(samples: int, part: str) -> str:
    """Say what a comparison was made on; `part` as `comparing.compare` gives it."""
    return f"{samples:,} samples: {'the held-out test part' if part == 'test' else 'all of the recordings'}"


def esr(value: float | None) -> str:
    """Spell an error-to-signal ratio."""
    return "– (silent)" if value is None else f"{value:.4g}"


def _short(number: float) -> str:
    """Three digits, with k or M behind them."""
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if number >= 0.9995 * size:
            return f"{number / size:#.3g}".rstrip(".") + unit
    return f"{number:.0f}"


# How a value of training or validation is spelt, and what is put beside the number where it stands alone.
_SPELT = {"bits": ("{:.3f}", "{} bits/sample"), "accuracy": ("{:.1%}", "{}"), "loss": ("{:.3g}", "loss {}")}
_USUAL = "{:.3g}"


def short(name: str, value: float | None) -> str:
    """Spell a value of training or validation, as short as it can be."""
    return "–" if value is None else _SPELT.get(name, (_USUAL, ""))[0].format(value)


def valued(name: str, value: float | None) -> str:
    """Spell it with its name or unit."""
    return _SPELT.get(name, ("", f"{heading(name)} {{}}"))[1].format(short(name, value))


def heading(name: str) -> str:
    """Name a value as people write it."""
    return {
        "mse": "MSE",
        "esr": "ESR",
        "snr_db": "SNR dB",
        "si_sdr_db": "SI-SDR dB",
        "improvement_db": "gained dB",
        "sdr_db": "SDR dB",
        "border_jump": "border jump",
        "stft": "STFT",
        "parameters": "params",
        "samples_per_second": "samples/s",
    }.get(name, name)


def validated(valid: dict[str, float | None]) -> str:
    """Spell what a validation measured."""
    if "bits" in valid:
        return f"{valid['bits']:.3f} bits/sample, accuracy {valid['accuracy']:.2%}, ESR {esr(valid['esr'])}"
    return ", ".join(valued(*item) for item in valid.items())
