"""Pages of made-up results: what a job hands to a report, without a job."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from dl4j_bridge.diagnostics.findings import Finding
from dl4j_bridge.report import comparison, diagnosis, run
from dl4j_bridge.tasks.shown import Chart, Curve, Excerpt, Lines

RATE = 11025
SECONDS = 2


def a_sound(seed: int) -> np.ndarray:
    """Decaying tones in a little noise; float64 of shape (SECONDS * RATE,)."""
    rng = np.random.default_rng(seed)
    time = np.arange(SECONDS * RATE) / RATE
    tones = sum(np.sin(2 * np.pi * f * time) / n for n, f in enumerate(rng.uniform(80, 3000, 5), 1))
    return 0.3 * tones * np.exp(-3 * (time % 0.5)) + rng.normal(0, 0.002, time.size)


def classes_of(sound: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(sound * 128 + 128), 0, 255).astype(np.uint8)


def an_excerpt(*names: str, with_classes: bool = True) -> Excerpt:
    x = a_sound(1)
    target = np.tanh(3 * x) * 0.5
    noise = np.random.default_rng(2).normal(0, 0.02, x.size)
    every = {"input": x, "target": target, "output": target + noise * np.abs(target), "generated": a_sound(3)}
    sounds = {name: every[name] for name in names}
    classes = {name: classes_of(sound) for name, sound in sounds.items()} if with_classes else {}
    return Excerpt(RATE, 5 * RATE, sounds, classes)


EFFECT = ("input", "target", "output")
NEXT = ("target", "output", "generated")

CURVES = [
    Curve("loss", "bits", "valid_bits", "bits per sample", "Cross-entropy.", "bits per sample over steps",
          levels={"chance (8 bits)": 8.0, "histogram of the target (6.20 bits)": 6.2, "lookup-table (4.10 bits)": 4.1,
                  "fir (3.30 bits)": 3.3}),
    Curve("accuracy", "accuracy", "valid_accuracy", "exact classes", "Accuracy.", "exact classes over steps",
          "percent", {"always the most frequent class (20.0%)": 0.2}),
]  # fmt: skip
CHART = Chart(("bits", "snr_db"), "Against the baselines", "bits per sample and signal-to-noise ratios", "The bars.")


def log_rows(steps: int = 40) -> list[dict[str, str]]:
    """Rows as of ``log.csv``, with a validation at every tenth step."""
    rows = []
    for step in range(1, steps + 1):
        bits, accuracy = 8 * np.exp(-step / 30), 1 - np.exp(-step / 30)
        valid = (f"{bits + 0.3}", f"{accuracy - 0.05}") if step % 10 == 0 else ("", "")
        rows.append({"step": str(step), "bits": f"{bits}", "accuracy": f"{accuracy}"})
        rows[-1] |= dict(zip(("valid_bits", "valid_accuracy"), valid, strict=True))
    return rows


def a_run(folder, valid: dict | None, length: int = 10 * SECONDS * RATE) -> SimpleNamespace:
    """A run whose test part is the last tenth."""
    result = {"run": str(folder), "steps": 40, "epochs": 1.5, "valid": valid, "stopped_because": "steps"}
    result["findings"] = [a_finding("overfit").as_dict()] if valid else []
    result["grade"] = "not bad" if valid else None
    pair = {
        "input": {"path": "/home/someone/dry.wav"},
        "target": {"path": "/home/someone/wet.wav"},
        "delay": 3,
        "length": length,
        "split": {"test": [length - SECONDS * RATE, length]},
    }
    stored = {"result": result, "pairs": [pair], "settings": {"network": {"hidden": 16}}, "versions": {"java": "17"}}
    files = SimpleNamespace(path=folder, read_run=lambda: stored, read_log=log_rows)
    info = SimpleNamespace(about={"name": "Lead <channel>", "gear_model": "Plexi"} if valid else {})
    return SimpleNamespace(folder=files, info=info)


def a_row(name: str, **values) -> dict:
    row = {"name": name, "bits": 2.5, "accuracy": 0.25, "esr": 0.01, "snr_db": 20.0, "stft": 0.5}
    return row | {"parameters": 12345, "samples_per_second": 456789.0} | values


def a_drift(seconds: int = 10) -> dict:
    rng = np.random.default_rng(1)
    facts = [
        {"level_db": float(rng.normal(-20, 2)), "entropy_bits": float(rng.normal(6, 0.2)), "spectrum_db": 3.0}
        for _ in range(seconds)
    ]
    facts[3]["level_db"] = None
    return {
        "recording": {"level_db": -20.0, "entropy_bits": 6.0, "spectrum_db": 3.0},
        "parts": [{"seconds": 2.0 * n, **facts[n]} for n in range(5)],
        "track": facts,
        "range": {"level_db": (-25.0, -15.0), "entropy_bits": (5.5, 6.5), "spectrum_db": (2.0, 4.0)},
        "outside": {"level_db": 0.1, "entropy_bits": 0.0, "spectrum_db": 0.0, "any": 0.1},
    }


def a_comparison(**changes) -> SimpleNamespace:
    rows = [a_row("model"), a_row("copy", bits=None, esr=0.0, snr_db=None), a_row("silent", esr=None, snr_db=None)]
    values = {
        "rows": rows,
        "part": "test",
        "samples": 22050,
        "notes": [],
        "excerpt": an_excerpt(*EFFECT),
        "chart": CHART,
        "rate": RATE,
        "model": {"settings": {"network": {"hidden": 16}}, "versions": {"java": "17"}},
        "lines": [],
        "drift": None,
        "free_running": None,
        "verdict": None,
        "best_esr": None,
    }
    return SimpleNamespace(**values | changes)


def a_finding(code: str, severity: str = "fault") -> Finding:
    evidence = {"best_lag": 37, "esr": 0.123456, "curve": [1.0] * 99, "splits": {"train": 0.5, "valid": 0.25}}
    return Finding(code, severity, "use --align auto", evidence, command="dl4j-bridge train --align auto")


def a_diagnosis(findings=(), **changes) -> SimpleNamespace:
    curve = {"step": list(range(20)), "bits": [8 - 0.2 * n for n in range(20)]}
    figures = {
        "alignment": {"lag": 37, "confidence": 0.9},
        "identity": {"curve": curve, "floors": {"uniform": 8.0, "order_0": 6.1}, "trials": [{"rate": 0.1, "bits": 7}]},
    }
    excerpt = an_excerpt("input", "target")
    values = {
        "verdict": "fault" if findings else "ok",
        "findings": list(findings),
        "checks": [{"name": "alignment", "passed": not findings, "seconds": 0.1}],
        "figures": figures,
        "next": "dl4j-bridge train --input dry.wav",
        "notes": [],
        "title": "Diagnosis of dry.wav and wet.wav",
        "excerpt": excerpt,
        "part": "the held-out test part",
        "plots": None,
        "bounds": [],
        "class_counts": {name: np.bincount(c, minlength=256) for name, c in excerpt.classes.items()},
        "settings": {"network": {"hidden": 16}},
        "versions": {"java": "17"},
    }
    return SimpleNamespace(**values | changes)


@pytest.fixture(scope="session")
def run_page(tmp_path_factory):
    valid = {"bits": 1.23456, "accuracy": 0.6789, "esr": 0.0123456, "snr_db": 19.0853}
    return run.write(a_run(tmp_path_factory.mktemp("run"), valid), CURVES, an_excerpt(*EFFECT))


@pytest.fixture(scope="session")
def next_page(tmp_path_factory):
    return run.write(a_run(tmp_path_factory.mktemp("next"), None), CURVES, an_excerpt(*NEXT))


@pytest.fixture(scope="session")
def comparison_page(tmp_path_factory):
    return comparison.write(tmp_path_factory.mktemp("compare"), "Comparison on dry.wav", a_comparison())


@pytest.fixture(scope="session")
def numbers_page(tmp_path_factory):
    """A comparison of a task of its own: other columns, no classes, a series, free-running output."""
    rows = [{"name": "model", "loudness_error": 0.5}, {"name": "mixture", "loudness_error": None}]
    result = a_comparison(
        rows=rows,
        chart=Chart(("loudness_error",), "Against doing nothing", "loudness errors", ""),
        lines=[Lines("borders", "Borders", "jumps", "", "frame", "change", {"model": np.arange(40.0)})],
        drift=a_drift() | {"until": 7, "seconds": 10.0},
        free_running=a_sound(4),
        excerpt=an_excerpt(*EFFECT, with_classes=False),
        notes=["wet.wav: resampled"],
        part="all",
    )
    return comparison.write(tmp_path_factory.mktemp("numbers"), "Comparison", result)


@pytest.fixture(scope="session")
def diagnosis_page(tmp_path_factory):
    found = a_diagnosis([a_finding("misaligned"), a_finding("quiet-recording", "warning")])
    return diagnosis.write(tmp_path_factory.mktemp("diagnosis"), found)
