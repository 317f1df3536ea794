"""What is printed when a command is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from dl4j_bridge.terminal import results
from tests.report.conftest import a_comparison, a_diagnosis, a_drift, a_finding, a_row

TRAINED = {"run": "runs/my amp", "steps": 30, "epochs": 0.39, "stopped_because": "steps"}


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


def test_trained(capsys):
    valid = {"bits": 7.6084, "accuracy": 0.00208, "esr": 0.998021}
    results.print_trained(TRAINED | {"valid": valid}, has_target=True)
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "'runs/my amp': 30 steps, 0.39 epochs, stopped by steps; "
        "validation 7.608 bits/sample, accuracy 0.21%, ESR 0.998",
        "look: 'runs/my amp/report.html'",
    ]
    assert err == "next:\n  dl4j-bridge process --model 'runs/my amp' --input X.wav --output Y.wav\n"


def test_trained_on_the_next_sample(capsys):
    results.print_trained(TRAINED | {"steps": 1, "valid": {"mse": 0.1, "new_metric": None}}, has_target=False)
    out, err = capsys.readouterr()
    assert ": 1 step, " in out
    assert "validation MSE 0.1, new metric –" in out
    assert "generate --model 'runs/my amp' --output Y.wav" in err


def test_interrupted(capsys):
    results.print_trained(TRAINED | {"valid": None, "stopped_because": "interrupted"}, has_target=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "interrupted at step 30, saved; resume with:\n  dl4j-bridge train 'runs/my amp' --resume\n"


@pytest.mark.parametrize(("count", "words"), [(1, "1 sample at"), (12000, "12,000 samples at")])
def test_written(count, words, capsys):
    speeds = {"samples_per_second": 1234.5, "real_time_factor": 0.2}
    results.print_written({"output": "y.wav", "samples": count, "rate": 8000, "notes": ["x.wav: 8000 Hz"], **speeds})
    out, err = capsys.readouterr()
    assert words in out
    assert err == "note: x.wav: 8000 Hz\n"


def test_compared(capsys):
    rows = [a_row("wiener-hammerstein"), a_row("copy", bits=None, esr=0.0, snr_db=None), a_row("x", snr_db=-0.001)]
    result = a_comparison(rows=rows, notes=["wet.wav: mixed down"], drift=a_drift() | {"until": None, "seconds": 10.0})
    results.print_comparison(result, Path("compare/report.html"))
    out, err = capsys.readouterr()
    assert err == "note: wet.wav: mixed down\n"
    lines = [line.rstrip() for line in out.splitlines()]
    assert max(len(line) for line in lines if not line.startswith("seconds outside")) <= 80
    assert "22,050 samples: the held-out test part" in out
    assert "name bits accuracy ESR SNR (dB) STFT params samples/s" in [" ".join(line.split()) for line in lines]
    assert "wiener-hammerstein 2.500 25.00% 0.01 20.0 0.500 12.3k 457k" in [" ".join(line.split()) for line in lines]
    assert "copy – 25.00% 0 exact 0.500 12.3k 457k" in [" ".join(line.split()) for line in lines]
    assert "from level (dB) entropy (bits) spectral distance (dB)" in [" ".join(line.split()) for line in lines]
    assert "seconds outside the range of the recording: level 10%, entropy 0%, spectral distance 0%, any 10%" in lines
    assert "free-running output stayed with the recording for all of 10 s" in lines
    assert lines[-1] == "look: compare/report.html"


def test_diagnosed(capsys):
    results.print_diagnosis(a_diagnosis([a_finding("misaligned"), a_finding("clipped", "warning")]), None)
    out, err = capsys.readouterr()
    assert out.splitlines()[:7] == [
        "✗ misaligned (fault) The target is late, and --align does not cut the delay out.",
        "    best lag: 37",
        "    ESR: 0.1235",
        "    splits: train 0.5, valid 0.25",
        "    fix: use --align auto",
        "    run: dl4j-bridge train --align auto",
        "    more: dl4j-bridge diagnose --explain misaligned",
    ]
    assert "✗ clipped (warning)" in out
    assert err == "next:\n  dl4j-bridge train --input dry.wav\n"
    results.print_diagnosis(a_diagnosis(), Path("d/report.html"))
    assert capsys.readouterr().out == (
        "✓ nothing found that would keep a network from learning this\nlook: d/report.html\n"
    )


def test_doctor(capsys):
    failed = {"jars": "jars: missing; run: dl4j-bridge fetch"}
    result = {"ok": False, "java": {"version": "17"}, "jars": None, "backend": None, "heap_bytes": 2**31}
    results.print_doctor(result | {"problems": list(failed.values()), "failed": failed})
    assert capsys.readouterr().out.splitlines() == [
        "✓ java       version 17",
        "✗ jars       jars: missing; run: dl4j-bridge fetch",
        "– backend    not examined: fix the others first",
        "✓ heap       at most 2.0 GiB",
        "✗ 1 problem",
    ]
    results.print_doctor({"ok": True, "java": {"version": "17"}, "problems": [], "failed": {}})
    assert capsys.readouterr().out.splitlines()[-1] == "✓ nothing is missing; try: dl4j-bridge demo"


def test_demo_and_fetched(capsys):
    rows = [{"name": "model", "my_score": 0.5}]
    demo = {"rows": rows, "title": "10 samples: all", "output": "y.wav", "report": "report.html"}
    results.print_demo(demo, "--input YOUR.wav")
    results.print_fetched({"jars": 12, "fetched": ["a", "b"], "archive": None})
    out, err = capsys.readouterr()
    assert "listen: y.wav\nlook:   report.html\n" in out
    assert "12 jars, 2 of them fetched; start-up archive: none\n" in out
    assert err == "next:\n  dl4j-bridge train --input YOUR.wav --out runs/mine\n"
