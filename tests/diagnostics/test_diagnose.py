"""`diagnose` as a user runs it: planted faults come first, healthy pairs find nothing, the advice fixes them."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import lfilter, resample_poly

from dl4j_bridge.demos import synthesis
from dl4j_bridge.diagnostics.findings import codes as known_codes
from dl4j_bridge.model import model_zip
from dl4j_bridge.signal import audio_files
from dl4j_bridge.signal.recordings import open_recording
from tests.conftest import EXAMPLES, SMALL_NETWORK, run, run_ok
from tests.report.pages import Page

RATE = 11025
SMALL = ["--hidden", "32", "--batch", "8", "--length", "200", "--tbptt", "25", "--learning-rate", "0.01", "--quick"]
FOLDER = os.environ.get("DL4J_BRIDGE_AUDIO")
REAL = sorted(Path(FOLDER).glob("*.wav")) if FOLDER else []
OWN = [EXAMPLES / "plucked_dry.wav", EXAMPLES / "speech_like.wav"]


CORRELATION = "correlation of input and target over lags"
PLOTS_OF_A_PAIR = {CORRELATION, "levels over time", "target class over input class"}


def codes(result):
    return [finding["code"] for finding in result.json["findings"]]


def diagnose(*args, **options):
    return run("diagnose", "--json", *args, **options)


def written(path, samples, rate=RATE):
    audio_files.write(path, [samples], rate, "PCM_16")
    return path


def test_a_healthy_pair_ends_in_zero_with_a_report(recordings, tmp_path):
    dry, wet = recordings
    result = diagnose("--input", dry, "--target", wet, "--out", tmp_path / "out", *SMALL)
    assert result.status == 0, result.stdout + result.stderr
    shown = result.json
    assert shown["verdict"] == "ok"
    assert shown["findings"] == []
    assert {"rates", "identity", "pair"} <= {check["name"] for check in shown["checks"]}
    assert all(check["passed"] for check in shown["checks"])
    page = Page(Path(shown["report"]))
    assert page.pictures.keys() >= PLOTS_OF_A_PAIR
    assert f"dl4j-bridge train --input {dry} --target {wet}" in result.stderr


def test_a_fault_ends_in_one_with_evidence_and_its_fix(recordings, tmp_path):
    dry, wet = recordings
    sound = open_recording(wet).read(RATE)
    late = written(tmp_path / "it's late.wav", np.concatenate([np.zeros(40), sound]))
    result = diagnose("--input", dry, "--target", late, "--out", tmp_path / "out", *SMALL, "--align", "off")
    assert result.status == 1
    assert result.json["verdict"] == "fault"
    first = result.json["findings"][0]
    assert (first["code"], first["severity"]) == ("misaligned", "fault")
    assert 37 <= first["evidence"]["samples"] <= 40
    assert "--align" in first["fix"]
    assert first["meaning"] == "The target is late, and --align does not cut the delay out."
    assert f"delay: {first['evidence']['samples']} samples" in first["facts"]
    assert first["docs"] == "dl4j-bridge diagnose --explain misaligned"
    for text in (first["meaning"], *first["facts"], f"fix: {first['fix']}", f"run: {first['command']}", first["docs"]):
        assert text in result.stdout
    # Of the pair only what shows a delay.
    assert PLOTS_OF_A_PAIR & Page(tmp_path / "out" / "report.html").pictures.keys() == {CORRELATION}
    # The command can be pasted, and fixes it.
    assert result.json["next"] == first["command"]
    name, *words = shlex.split(first["command"])
    assert name == "dl4j-bridge"
    run_ok(*words, "--steps", 1, "--no-report", "--out", tmp_path / "run")
    again = diagnose(*words[1:], "--quick", "--out", tmp_path / "again")
    assert "misaligned" not in codes(again)


@pytest.mark.parametrize("align", ["off", pytest.param("auto", marks=pytest.mark.slow)])
def test_the_delay_of_a_model_is_no_fault_and_the_other_checks_run(align, recordings, tmp_path):
    dry, wet = recordings
    late = written(tmp_path / "late.wav", np.concatenate([np.zeros(14), open_recording(wet).read(RATE)]))
    pair = ["--input", dry, "--target", late]
    run_ok("train", *pair, "--align", align, "--out", tmp_path / "run", "--steps", 20, *SMALL_NETWORK, "--no-report")
    result = diagnose(*pair, "--model", tmp_path / "run", "--quick", "--out", tmp_path / "out")
    assert not {"misaligned", "target-leads"} & {*codes(result)}
    assert "train and validation" in {check["name"] for check in result.json["checks"]}
    assert "--align" not in result.stdout


def test_settings_are_checked_too(recordings, tmp_path):
    dry, wet = recordings
    result = diagnose("--input", dry, "--target", wet, "--out", tmp_path / "out", *SMALL, "--init", "xavier")
    assert codes(result)[0] == "weak-input-scale"


@pytest.mark.parametrize("samples", [60, 551, 1100])
def test_a_recording_without_a_single_window_is_too_little(samples, recordings, tmp_path):
    sound = open_recording(recordings[0]).read(RATE)[:samples]
    path = written(tmp_path / "short.wav", sound)
    result = diagnose("--input", path, "--target", path, "--quick", "--out", tmp_path / "out")
    assert result.status == 1, result.stderr
    assert codes(result)[0] == "too-little-data"


def test_one_recording_alone(recordings, tmp_path):
    result = diagnose("--input", recordings[0], "--out", tmp_path / "out", *SMALL)
    assert result.status == 0, result.stdout + result.stderr
    assert "next sample" in {check["name"] for check in result.json["checks"]}


def test_a_model_that_predicts_the_next_sample(next_run, recordings, tmp_path):
    given = ["--model", next_run, "--input", recordings[0], "--quick", "--out", tmp_path / "out"]
    result = diagnose(*given, "--decode", "sample")
    assert "free-running" in {check["name"] for check in result.json["checks"]}
    assert "sampling-noise" not in codes(result)
    assert "teacher_forced_bits" in Path(result.json["report"]).read_text()


@pytest.mark.slow
def test_a_model_and_what_somebody_made_with_it(effect_run, recordings, tmp_path):
    dry, wet = recordings
    given = ["--model", effect_run, "--input", dry, "--target", wet]
    run_ok("process", "--model", effect_run, "--input", dry, "--output", tmp_path / "sampled.wav", "--decode", "sample")
    sampled = diagnose(*given, "--processed", tmp_path / "sampled.wav", "--out", tmp_path / "sampled", "--quick")
    assert "sampling-noise" in codes(sampled)
    assert "sampling-noise" in codes(diagnose(*given, "--decode", "sample", "--out", tmp_path / "decode", "--quick"))
    assert "sampling-noise" not in codes(diagnose(*given, "--out", tmp_path / "mean", "--quick"))


@pytest.mark.parametrize(
    ("args", "error"),
    [
        ([], "--input: not given; wanted a recording, or --iterator CLASS --classpath JARS"),
        (["--input", "DRY", "--processed", "DRY"], "--processed: without --model"),
        (["--input", "DRY", "--decode", "median"], "--decode: median; wanted one of"),
        (["--input", "DRY", "--model", "RUN", "--hidden", "8"], "--model: with training options"),
        (["--input", "DRY", "--model", "RUN"], "a model of another kind than the call; wanted a --target"),
        (["--input", __file__], "test_diagnose.py"),
        (["--input", "DRY", "--target", "GONE"], "GONE"),
    ],
)
def test_a_mistake_is_one_line(args, error, recordings, effect_run, tmp_path):
    names = {"DRY": recordings[0], "RUN": effect_run}
    result = run("diagnose", *[names.get(arg, arg) for arg in args], cwd=tmp_path)
    assert result.status == 2
    assert error in result.error
    assert not list(tmp_path.iterdir())


def test_a_folder_with_a_report_is_not_overwritten(recordings, tmp_path):
    (tmp_path / "report.html").write_text("mine")
    result = run("diagnose", "--input", recordings[0], "--out", tmp_path, *SMALL)
    assert result.status == 2
    assert (tmp_path / "report.html").read_text() == "mine"


def test_every_code_has_its_row_in_the_page():
    page = (EXAMPLES.parent / "docs" / "diagnostics.md").read_text()
    assert set(re.findall(r"^\| `([a-z0-9-]+)`", page, re.MULTILINE)) == known_codes()


# --- the full size, 2 x 200 ---------------------------------------------------------------------------------------

PLANTED = {
    "learning-rate-too-low": ["--learning-rate", "1e-6"],
    "learning-rate-too-high": ["--updater", "rmsprop", "--learning-rate", "0.1", "--clip", "0"],
    "weak-input-scale": ["--init", "xavier"],
    "non-finite": ["--updater", "sgd", "--learning-rate", "1e30", "--clip", "0"],
    "stuck-at-uniform": ["--updater", "sgd", "--clip", "1e-9"],
}


@pytest.mark.slow
@pytest.mark.parametrize("planted", PLANTED)
@pytest.mark.parametrize("source", [pytest.param(path, id=path.stem) for path in [*OWN, *REAL[:1]]])
def test_a_wrong_setting_is_named_at_full_size(planted, source, tmp_path):
    result = diagnose("--input", source, "--target", source, "--quick", "--out", tmp_path / "o", *PLANTED[planted])
    assert codes(result)[:1] == [planted], result.stdout


def _later(x, samples):
    return np.concatenate([np.zeros(samples), x])


# What is wrong with a pair: (input, target) of a recording that is in order, at RATE.
PLANTED_PAIRS = {
    "misaligned": lambda x: (x, _later(np.tanh(2 * x), 40)),
    "target-leads": lambda x: (x, np.tanh(2 * x)[200:]),
    "polarity-inverted": lambda x: (x, -np.tanh(2 * x)),
    "clipped": lambda x: (np.clip(4 * x, -1, 1), 0.5 * np.clip(4 * x, -1, 1)),
    "rate-mismatch": lambda x: (x, resample_poly(x, 441, 480)),
    "length-mismatch": lambda x: (x, np.tanh(2 * x)[: x.size * 2 // 3]),
    "unrelated": lambda x: (x, synthesis.speech_like(x.size / RATE, seed=9)[: x.size]),
    "silence-dominated": lambda x: (_later(x[: x.size // 20], x.size), _later(x[: x.size // 20], x.size)),
    "dc-offset": lambda x: (0.5 * x, 0.5 * x + 0.2),
    "gain-mismatch": lambda x: (x, 0.03 * x),
    "too-little-data": lambda x: (x[-RATE:], np.tanh(2 * x)[-RATE:]),
    "quiet-recording": lambda x: (0.01 * x, 0.01 * x),
}


@pytest.mark.slow
@pytest.mark.parametrize("planted", PLANTED_PAIRS)
@pytest.mark.parametrize("source", [pytest.param(path, id=path.stem) for path in OWN])
def test_a_faulty_pair_is_named_at_full_size(planted, source, tmp_path):
    sound = open_recording(source).read(RATE)
    x, y = PLANTED_PAIRS[planted](0.8 * sound / np.abs(sound).max())
    pair = ["--input", written(tmp_path / "x.wav", x), "--target", written(tmp_path / "y.wav", y)]
    codec = "linear" if planted == "quiet-recording" else "auto"
    align = "off" if planted in ("misaligned", "target-leads") else "auto"
    result = diagnose(*pair, "--codec", codec, "--align", align, "--quick", "--out", tmp_path / "o")
    assert codes(result)[:1] == [planted], result.stdout


@pytest.mark.slow
@pytest.mark.parametrize("source", [pytest.param(path, id=path.stem) for path in OWN])
def test_what_is_wrong_with_an_output_is_named_at_full_size(source, tmp_path):
    wet = written(tmp_path / "wet.wav", synthesis.amplifier(open_recording(source).read(RATE)))
    pair = ["--input", source, "--target", wet]
    run_ok("train", *pair, "--out", tmp_path / "model", "--steps", 300)
    given = ["--model", tmp_path / "model", *pair, "--quick"]
    run_ok("process", "--model", tmp_path / "model", "--input", source, "--output", tmp_path / "y.wav")
    faithful = codes(diagnose(*given, "--processed", tmp_path / "y.wav", "--out", tmp_path / "1"))
    # A filter, a curve and a filter are the amplifier itself; no network of 300 steps is.
    assert set(faithful) <= {"noisier-than-baseline"}
    assert "sampling-noise" in codes(diagnose(*given, "--decode", "sample", "--out", tmp_path / "2"))


@pytest.mark.slow
@pytest.mark.parametrize("source", [pytest.param(path, id=path.stem) for path in OWN])
def test_a_model_that_is_worse_than_a_filter_is_named_at_full_size(source, tmp_path):
    dry = open_recording(source).read(RATE)
    pair = ["--input", source, "--target", written(tmp_path / "wet.wav", lfilter([0.3, 0.3, 0.2, 0.2], 1, dry))]
    run_ok("train", *pair, "--out", tmp_path / "model", "--steps", 20)
    result = diagnose("--model", tmp_path / "model", *pair, "--quick", "--out", tmp_path / "o")
    assert "noisier-than-baseline" in codes(result), result.stdout


@pytest.mark.slow
@pytest.mark.parametrize("source", [pytest.param(path, id=path.stem) for path in OWN])
def test_a_recording_learned_by_heart_is_named_at_full_size(source, tmp_path):
    """No network can know the noise of a sound that it was not trained on."""
    dry = open_recording(source).read(RATE)[: 3 * RATE]
    noisy = np.clip(dry + np.random.default_rng(1).normal(0, 0.1, dry.size), -1, 1)
    pair = ["--input", written(tmp_path / "x.wav", dry), "--target", written(tmp_path / "y.wav", noisy)]
    run_ok("train", *pair, "--out", tmp_path / "model", "--steps", 600, "--patience", 100)
    by_heart = diagnose("--model", tmp_path / "model" / "last.zip", *pair, "--quick", "--out", tmp_path / "o")
    assert "overfit" in codes(by_heart), by_heart.stdout


def _compressed(x):
    """8:1 above -30 dB."""
    level = 10 * np.log10(lfilter([0.01], [1, -0.99], x**2) + 1e-12)
    return x * 10 ** (np.where(level > -30, -(level + 30) * (1 - 1 / 8), 0) / 20)


# Effects that a network of 500 steps has not learned yet, so that it is worse on the validation part.
NOT_TRAINED_YET = {
    "fuzz": lambda x: (x, np.tanh(60 * x + 0.3)),
    "compressor": lambda x: (x, _compressed(x)),
    "half of it silent": lambda x: tuple(np.where(np.arange(x.size) < x.size / 2, s, 0) for s in (x, np.tanh(3 * x))),
}


@pytest.mark.slow
@pytest.mark.parametrize("effect", NOT_TRAINED_YET)
def test_a_network_that_is_not_trained_yet_is_not_overfit(effect, tmp_path):
    x, y = NOT_TRAINED_YET[effect](synthesis.plucked_strings(12, 4 * RATE))
    y = 0.6 * y / np.abs(y).max()
    pair = ["--input", written(tmp_path / "x.wav", x, 4 * RATE), "--target", written(tmp_path / "y.wav", y, 4 * RATE)]
    train = ["train", *pair, "--task", "frames", "--steps", 500, "--validate-every", 50, "--no-report"]
    assert "overfit" not in {f["code"] for f in run_ok(*train, "--json", "--out", tmp_path / "model").json["findings"]}
    result = diagnose("--model", tmp_path / "model", *pair, "--quick", "--out", tmp_path / "o")
    assert not {"overfit", "independent-start"} & set(codes(result)), result.stdout


@pytest.mark.slow
@pytest.mark.usefixtures("java")
@pytest.mark.parametrize("source", [pytest.param(path, id=path.stem) for path in OWN])
def test_a_program_that_forgets_its_state_is_named_at_full_size(source, tmp_path):
    dry = open_recording(source).read(RATE)
    wet = written(tmp_path / "wet.wav", synthesis.amplifier(dry))
    pair = ["--input", source, "--target", wet]
    run_ok("train", *pair, "--out", tmp_path / "model", "--steps", 300)
    model = model_zip.open_model(tmp_path / "model").load()
    codec = model.info.task.codec
    # As with MultiLayerNetwork.output() on windows of 1000 samples.
    x = codec.encode(dry)[: dry.size // 1000 * 1000].reshape(-1, 1000)
    forgetful = written(tmp_path / "y.wav", (model.network.run_batch(x) @ codec.values).ravel())
    given = ["--model", tmp_path / "model", *pair, "--quick", "--processed", forgetful]
    assert "state-not-carried" in codes(diagnose(*given, "--out", tmp_path / "o"))


@pytest.mark.slow
@pytest.mark.parametrize("source", [pytest.param(path, id=path.stem) for path in [*OWN, *REAL]])
def test_the_identity_is_healthy_at_full_size(source, tmp_path):
    result = diagnose("--input", source, "--target", source, "--quick", "--out", tmp_path / "o", "--rate", RATE)
    assert codes(result) == [], result.stdout
    assert result.status == 0


@pytest.mark.slow
@pytest.mark.parametrize("source", [pytest.param(path, id=path.stem) for path in [EXAMPLES / "speech_like.wav", *REAL]])
def test_the_advice_on_the_posted_settings_converges_when_it_is_followed(source, tmp_path):
    asked = ["--input", source, "--rate", RATE, "--codec", "linear", "--preset", "posted"]
    result = diagnose(*asked, "--target", source, "--quick", "--out", tmp_path / "posted")
    found = {finding["code"]: finding["fix"] for finding in result.json["findings"]}
    assert {"weak-input-scale", "learning-rate-too-high"} <= found.keys(), found
    advised = [word.strip(",;") for fix in found.values() for word in fix.split()[:2] if word[0] != "("]
    assert advised[0::2] == ["--init", "--learning-rate"]
    trained = run_ok(
        "train", "--json", *asked, "--target", source, *advised, "--steps", 300, "--out", tmp_path / "fixed"
    )
    assert trained.json["valid"]["accuracy"] > 0.95, trained.json


@pytest.mark.slow
@pytest.mark.parametrize("source", [pytest.param(path, id=path.stem) for path in OWN])
def test_a_full_diagnosis_of_a_healthy_pair(source, tmp_path):
    wet = written(tmp_path / "wet.wav", synthesis.amplifier(open_recording(source).read(RATE)))
    result = diagnose("--input", source, "--target", wet, "--out", tmp_path / "out")
    assert codes(result) == [], result.stdout
