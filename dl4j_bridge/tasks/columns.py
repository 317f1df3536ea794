"""How values are spelled wherever a person reads them: on the terminal, on a page, on the axis of a plot.

A value without an entry in `COLUMNS` is shown under its own name with three significant digits, so that a new task,
metric or finding needs no entry here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dl4j_bridge.tasks import grades

NOTHING = "–"
EXACT = "exact"
LOWER, HIGHER = "lower", "higher"


@dataclass(frozen=True)
class Column:
    """How one value is spelled.

    Attributes
    ----------
    name
        Short name, for a table.
    label
        Full name, for an axis; the short one if empty.
    unit
        Unit, if the number alone does not show it.
    form
        Format of the number.
    alone
        How the value is written outside a table; `name` and value if empty.
    missing
        What stands for None.
    better
        Whether a ``lower`` or a ``higher`` value is the better one; empty if neither is.
    meaning
        What it measures, and which values are good, for readers who meet it for the first time.
    """

    name: str
    label: str = ""
    unit: str = ""
    form: str = "{:.3g}"
    alone: str = ""
    missing: str = NOTHING
    better: str = ""
    meaning: str = ""

    @property
    def heading(self) -> str:
        """Short name with the unit."""
        return f"{self.name} ({self.unit})" if self.unit else self.name

    @property
    def title(self) -> str:
        """Full name with the unit."""
        label = self.label or self.name
        return f"{label} ({self.unit})" if self.unit else label


COLUMNS = {
    "esr": Column(
        "ESR",
        "error-to-signal ratio",
        form="{:.4g}",
        missing=f"{NOTHING} (silent)",
        better=LOWER,
        meaning="Energy of the error divided by the energy of the target: 0 is a perfect copy, 1 is as far off as "
        f"silence. In words, with the limits of Neural Amp Modeler's trainer: {grades.SCALE}.",
    ),
    "snr_db": Column(
        "SNR",
        "signal-to-noise ratio",
        "dB",
        "{:.1f}",
        better=HIGHER,
        meaning="How far the error is below the target, in decibels: the ESR on a logarithmic scale. 20 dB is an ESR "
        "of 0.01, and 10 dB more is a tenth of the error's energy.",
    ),
    "si_sdr_db": Column(
        "SI-SDR",
        "scale-invariant signal-to-distortion ratio",
        "dB",
        "{:.1f}",
        better=HIGHER,
        meaning="How far everything that is not the target is below it, in decibels, whatever the level of the output.",
    ),
    "improvement_db": Column(
        "SI-SDRi",
        "improvement of SI-SDR over the mixture",
        "dB",
        "{:.1f}",
        better=HIGHER,
        meaning="SI-SDR of the output minus that of the mixture: what the separation gained; 0 is nothing.",
    ),
    "sdr_db": Column(
        "SDR",
        "signal-to-distortion ratio",
        "dB",
        "{:.1f}",
        better=HIGHER,
        meaning="As SI-SDR, with a short filter allowed between target and output.",
    ),
    "bits": Column(
        "bits",
        "bits per sample",
        form="{:.3f}",
        alone="{} bits/sample",
        better=LOWER,
        meaning="Cross-entropy: how many bits the network's distribution leaves open of each sample. 8 is chance for "
        "256 classes, 0 is certainty about the right class.",
    ),
    "accuracy": Column(
        "accuracy",
        "exact classes",
        form="{:.2%}",
        better=HIGHER,
        meaning="Share of the samples whose most probable class is exactly that of the target, out of 256. The next "
        "class sounds almost the same, so a low value need not sound bad.",
    ),
    "loss": Column(
        "loss", better=LOWER, meaning="What training minimises, measured on the training part before each update."
    ),
    "mse": Column(
        "MSE",
        "mean squared error",
        better=LOWER,
        meaning="Mean square of the error of the network's numbers. It depends on the level of the recording; ESR "
        "does not.",
    ),
    "border_jump": Column(
        "border jump",
        "change at window borders",
        better=LOWER,
        meaning="Change of the spectrum at the borders of windows, relative to its change elsewhere; 1 is no seam.",
    ),
    "stft": Column(
        "STFT",
        "multi-resolution STFT distance",
        form="{:.3f}",
        better=LOWER,
        meaning="Distance of the spectrograms of output and target at three resolutions. It weights quiet and high "
        "tones more than ESR does; 0 is equal.",
    ),
    "parameters": Column("params", "parameters", form="{:,.0f}", meaning="Numbers that were fitted to the recordings."),
    "samples_per_second": Column(
        "samples/s",
        "samples per second",
        form="{:,.0f}",
        alone="{} samples/s",
        meaning="Speed on this machine. A live effect must be faster than the sample rate, such as 44,100.",
    ),
    "real_time_factor": Column(
        "speed",
        "real-time factor",
        form="{:.3g}",
        alone="{} x real time",
        better=HIGHER,
        meaning="Seconds of audio per second on this machine. A live effect needs well above 1.",
    ),
    "level_db": Column("level", unit="dB", form="{:.1f}", missing="silent"),
    "entropy_bits": Column("entropy", unit="bits", form="{:.2f}"),
    "spectrum_db": Column("spectral distance", unit="dB", form="{:.1f}"),
    "gear_model": Column("gear"),
    "steps": Column("steps", form="{:,}", meaning="Updates of the network."),
}
# The metrics of what is heard, the most telling one first.
_HEARD = ("esr", "improvement_db", "si_sdr_db", "snr_db")
# Values that a table shows with three digits and k, M or G.
_LARGE = ("parameters", "samples_per_second")


def column(name: str) -> Column:
    """Return the entry of a value; the default where there is none."""
    return COLUMNS.get(name) or Column(name.replace("_", " "))


def spell(name: str, value: Any) -> str:
    """Spell a value without its name or unit."""
    if isinstance(value, bool | str):
        return str(value)
    entry = column(name)
    if value is None:
        return entry.missing
    text = entry.form.format(value)
    # A value that rounds to zero has no sign.
    return text.removeprefix("-") if text.startswith("-") and not text.strip("-0.%") else text


def plain(value: Any) -> str:
    """Spell a value of unknown meaning, such as a setting or a piece of evidence."""
    if value is None:
        return NOTHING
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
    return str(value)


def cell(row: Mapping[str, Any], name: str) -> str:
    """Spell a value of a row: a ratio to an error of zero is `EXACT`."""
    if name == "snr_db" and row.get("esr") == 0:
        return EXACT
    return spell(name, row[name])


def with_unit(row: Mapping[str, Any], name: str) -> str:
    """Spell a value of a row with its unit, such as ``12.3 dB``."""
    unit = "" if row[name] is None else column(name).unit
    return f"{cell(row, name)} {unit}".strip()


def by_importance(values: Mapping[str, Any]) -> dict[str, Any]:
    """Put the metrics of what is heard first."""
    return {name: values[name] for name in dict.fromkeys([*(n for n in _HEARD if n in values), *values])}


def named(name: str, value: Any) -> str:
    """Spell a value with its name or its unit, such as ``ESR 0.0123`` or ``5.120 bits/sample``."""
    return listed({name: value})


def listed(values: Mapping[str, Any], names: Iterable[str] | None = None, grade: str | None = None) -> str:
    """Spell several values in one line, each with its name; all of them if no names are given.

    The ESR is followed by its `grade`, if there is one.
    """
    entries = {name: column(name) for name in (values if names is None else names)}
    forms = {name: entry.alone or f"{entry.name} {{}}" for name, entry in entries.items()}
    if grade and "esr" in forms:
        forms["esr"] += f" ({grade})"
    return ", ".join(form.format(with_unit(values, name)) for name, form in forms.items())


def validated(valid: Mapping[str, Any], grade: str | None) -> str:
    """Spell what a validation measured; where its ESR has a grade, what is heard comes first."""
    return listed(by_importance(valid) if grade else valid, grade=grade)


def called(name: str) -> str | None:
    """Return the key of the metric that a person calls `name`: ``esr``, ``ESR`` or ``error-to-signal ratio``."""
    for key, entry in COLUMNS.items():
        if entry.meaning and name.lower() in (key, *(n.lower() for n in (entry.name, entry.heading, entry.label))):
            return key
    return None


def spelled(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Spell the rows of a table, which have the same keys: values by heading, large numbers as `brief` does."""
    return [
        {
            column(name).heading: brief(value) if name in _LARGE and value is not None else cell(row, name)
            for name, value in row.items()
        }
        for row in rows
    ]


def brief(number: float) -> str:
    """Spell a number with three digits, followed by k, M or G."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= 0.9995 * size:
            return f"{number / size:#.3g}".rstrip(".") + unit
    return f"{number:.0f}"


def clock(seconds: float) -> str:
    """Return a duration as minutes and seconds, or with hours: ``1:05`` or ``1:01:05``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def count(number: float, noun: str) -> str:
    """Spell a count with its noun, such as ``1 sample`` or ``8,000 samples``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def part(name: str) -> str:
    """Describe the part of the recordings that a comparison used: ``test`` or ``all``."""
    return "the held-out test part" if name == "test" else "all of the recordings"


def evaluated(samples: int, part_name: str) -> str:
    """Describe what a comparison was made on, such as ``8,000 samples: the held-out test part``."""
    return f"{count(samples, 'sample')}: {part(part_name)}"


def departure(drift: Mapping[str, Any]) -> str:
    """Describe when free-running output drifted, from ``until`` and ``seconds`` of a drift measurement."""
    if drift["until"] is None:
        return f"stayed with the recording for all of {drift['seconds']:.0f} s"
    return f"left the recording for good after {drift['until']} s"


def drift_rows(drift: Mapping[str, Any]) -> list[dict[str, str]]:
    """Spell the rows of a drift measurement: the recording, and each part of the output by its start."""
    rows = [("recording", drift["recording"])]
    rows += [(f"{values['seconds']:.1f} s", values) for values in drift["parts"]]
    shown = list(drift["recording"])
    return [{"from": start, **spelled([{name: values[name] for name in shown}])[0]} for start, values in rows]
