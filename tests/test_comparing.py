"""`compare`: the same held-out samples for the model and the baselines."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from tests.conftest import SMALL, run_ok

NAMES = ["model", "copy", "constant", "lookup-table", "fir", "hammerstein"]


def compare(model, *args):
    return run_ok("compare", "--model", model, *args, "--json")


def test_rows_and_the_held_out_part(effect_run, recordings):
    result = compare(effect_run, "--input", recordings[0], "--target", recordings[1])
    rows = {row["name"]: row for row in result.json["rows"]}
    assert list(rows) == NAMES
    assert all(set(row) == {"name", "bits", "accuracy", "esr", "snr_db"} for row in rows.values())
    assert rows["copy"]["bits"] is None
    assert result.json["part"] == "test"
    frames = soundfile.info(recordings[0]).frames
    assert result.json["samples"] == frames - int(frames * 0.9)
    # Against the recordings themselves, without our code.
    dry, wet = (soundfile.read(p)[0][int(frames * 0.9) :] for p in recordings)
    assert rows["copy"]["esr"] == pytest.approx(np.sum((dry - wet) ** 2) / np.sum(wet**2), rel=1e-9)
    assert rows["copy"]["accuracy"] == pytest.approx(np.mean(dry == wet))
    assert rows["copy"]["snr_db"] == pytest.approx(-10 * np.log10(rows["copy"]["esr"]))


def test_another_pair_counts_whole(effect_run, recordings, tmp_path):
    paths = []
    for path in recordings:
        sound, rate = soundfile.read(path)
        paths.append(tmp_path / path.name)
        soundfile.write(paths[-1], sound[:20000], rate, "PCM_U8")
    result = compare(effect_run, "--input", paths[0], "--target", paths[1]).json
    assert result["part"] == "all"
    assert result["samples"] == 20000


def test_each_pair_has_its_own_delay(recordings, tmp_path):
    """Trained on an effect and on a copy that comes 300 samples late: of the copy, copy is exact."""
    dry, rate = soundfile.read(recordings[0])
    late = tmp_path / "late.wav"
    soundfile.write(late, np.concatenate([np.zeros(300), dry[:-300]]), rate, "PCM_U8")
    pairs = ["--input", recordings[0], "--target", recordings[1], "--input", recordings[0], "--target", late]
    run_ok("train", *pairs, "--out", tmp_path / "run", "--steps", 2, *SMALL)
    result = compare(tmp_path / "run", "--input", recordings[0], "--target", late).json
    rows = {row["name"]: row for row in result["rows"]}
    assert result["part"] == "test"
    assert rows["copy"]["esr"] == 0
    out = tmp_path / "y.wav"
    said = run_ok("process", "--model", tmp_path / "run", "--input", recordings[0], "--output", out)
    assert "trained with delays of [0, 300] samples; put back 0" in said.stderr


def test_an_identity_makes_copy_exact(effect_run, recordings):
    rows = {r["name"]: r for r in compare(effect_run, "--input", recordings[0], "--target", recordings[0]).json["rows"]}
    assert rows["copy"]["esr"] == 0
    assert rows["copy"]["snr_db"] is None
    assert rows["copy"]["accuracy"] == 1


def test_next_sample_models(tmp_path):
    time = np.arange(2 * 11025) / 11025
    tones = 0.4 * np.sin(2 * np.pi * 900 * time) + 0.4 * np.sin(2 * np.pi * 2300 * time)
    soundfile.write(tmp_path / "x.wav", tones, 11025, "PCM_16")
    run_ok("train", "--input", tmp_path / "x.wav", "--out", tmp_path / "run", "--steps", 2, *SMALL)
    rows = {row["name"]: row for row in compare(tmp_path / "run", "--input", tmp_path / "x.wav").json["rows"]}
    assert list(rows) == NAMES
    # A filter foretells two tones; the sample before does not.
    assert rows["fir"]["esr"] < 0.01 * rows["copy"]["esr"]
