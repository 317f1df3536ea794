"""The pages that `train`, `compare` and `diagnose` end in, against the recordings and `process`."""

from __future__ import annotations

import io
import re
import shutil
import signal as signal_numbers
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.conftest import SMALL_NETWORK, run, run_ok
from tests.jobs.test_training import interrupt_after
from tests.report.pages import Page

# One worker makes the pages.
pytestmark = pytest.mark.xdist_group("report")
RATE = 11025
SOUND = {
    "target and output waves",
    "spectrograms of input, target, output",
    "power over frequency",
    "output level over input level",
    "how often each class occurs",
    "confusion around the diagonal",
}
CURVES = {"bits per sample over steps", "exact classes over steps"}


@pytest.fixture(scope="session")
def effect_page(effect_run):
    return effect_run / "report.html"


@pytest.fixture(scope="session")
def next_page(next_run):
    return next_run / "report.html"


@pytest.fixture(scope="session")
def compared(effect_run, recordings, tmp_path_factory):
    out = tmp_path_factory.mktemp("compared") / "out"
    pair = ["--input", recordings[0], "--target", recordings[1]]
    return run_ok("compare", "--model", effect_run, *pair, "--out", out, "--json")


@pytest.fixture(scope="session")
def compared_page(compared):
    return Path(compared.json["report"])


@pytest.fixture(scope="session")
def diagnosed_page(effect_run, recordings, tmp_path_factory):
    out = tmp_path_factory.mktemp("diagnosed") / "out"
    pair = ["--input", recordings[0], "--target", recordings[1]]
    run("diagnose", "--model", effect_run, *pair, "--quick", "--out", out)
    return out / "report.html"


# The dry sound, the target, the model, and the best baseline.
SOUNDS = {"effect_page": 4, "compared_page": 4}
PAGES = {
    "effect_page": CURVES | SOUND,
    "next_page": CURVES
    | {"target and output waves", "spectrograms of target, output, generated", "power over frequency"}
    | {"how often each class occurs", "confusion around the diagonal"},
    "compared_page": {"bits per sample and signal-to-noise ratios"} | SOUND,
    "diagnosed_page": {"how often each of the 256 classes occurs"} | SOUND,
}


@pytest.mark.parametrize("name", PAGES)
def test_the_pictures_of_each_page(name, request):
    found = Page(request.getfixturevalue(name))
    assert set(found.pictures) == PAGES[name]
    assert len(found.sounds) == SOUNDS.get(name, 3)
    assert ("Best baseline (" in found.text) == (name in SOUNDS)


@pytest.mark.parametrize("name", ["effect_page", "compared_page"])
def test_input_and_target_are_those_of_the_recordings(name, request, recordings):
    """Against the recordings themselves, without our code: all of them, since their held-out part is short."""
    found = Page(request.getfixturevalue(name))
    for path, sound in zip(recordings, found.sounds, strict=False):
        sound, recording = soundfile.read(io.BytesIO(sound))[0], soundfile.read(path)[0]
        assert recording.size - 100 < sound.size <= recording.size
        assert np.corrcoef(sound, recording[-sound.size :])[0, 1] > 0.9999
    shaded = r"The shaded first 2\.7 s were used for training and validation; the rest is the held-out test part"
    assert re.search(shaded, found.text)


def test_the_output_is_that_of_process(effect_run, effect_page, recordings, tmp_path):
    run_ok("process", "--model", effect_run, "--input", recordings[0], "--output", tmp_path / "y.wav")
    shown = soundfile.read(io.BytesIO(Page(effect_page).sounds[2]))[0]
    processed = soundfile.read(tmp_path / "y.wav")[0][-shown.size :]
    # `process` writes 8 bits or 16.
    assert np.corrcoef(shown, processed)[0, 1] > 0.999


def test_settings_versions_and_figures_are_in_the_page(effect_page):
    text = effect_page.read_text()
    for words in ("network.hidden", "learning_rate", "<th>dl4j</th>", "<th>java</th>", "</button> (validation)"):
        assert words in text


def test_compare_says_where_its_report_is(compared, compared_page):
    assert f"look: {compared_page}" in compared.stdout
    text = compared_page.read_text()
    for row in compared.json["rows"]:
        assert f"<td>{row['name']}</td>" in text
        assert f"<td>{row['accuracy']:.2%}</td>" in text


def test_the_report_of_compare_lies_beside_the_model(effect_run, recordings, tmp_path):
    model = shutil.copy(effect_run / "model.zip", tmp_path / "m.zip")
    result = run_ok("compare", "--model", model, "--input", recordings[0], "--target", recordings[1], "--json")
    assert Path(result.json["report"]) == tmp_path / "compare" / "report.html"
    assert (tmp_path / "compare" / "report.html").exists()
    bad = run("compare", "--model", model, "--input", recordings[0], "--target", recordings[1], "--out", model)
    assert bad.status == 2
    assert "not a folder" in bad.error


def test_a_diagnosis_without_a_model_shows_the_pair(recordings, tmp_path):
    short = ["--steps", 5, *SMALL_NETWORK]
    run("diagnose", "--input", recordings[0], "--target", recordings[1], "--quick", "--out", tmp_path / "d", *short)
    found = Page(tmp_path / "d" / "report.html")
    assert set(found.pictures) >= {"spectrograms of input, target", "output level over input level"}
    assert "confusion around the diagonal" not in found.pictures
    assert len(found.sounds) == 2


@pytest.mark.parametrize("kind", ["silent", "short"])
def test_what_cannot_be_plotted_is_not_an_error(kind, tmp_path):
    """A held-out part without a sound, or of a few samples."""
    sound = np.random.default_rng(1).uniform(-0.5, 0.5, 150 if kind == "short" else 2 * RATE)
    if kind == "silent":
        sound[-RATE:] = 0
    for name in ("x", "y"):
        soundfile.write(tmp_path / f"{name}.wav", sound, RATE, "PCM_U8")
    pair = ["--input", tmp_path / "x.wav", "--target", tmp_path / "y.wav"]
    result = run_ok("train", *pair, "--out", tmp_path / "run", "--steps", 1, "--align", "off", *SMALL_NETWORK)
    assert "Warning" not in result.stderr
    found = Page(tmp_path / "run" / "report.html")
    assert len(found.sounds) == (3 if kind == "silent" else 0)
    assert set(found.pictures) >= CURVES


def test_the_page_of_an_interrupted_run(recordings, tmp_path):
    pair = ["--input", recordings[0], "--target", recordings[1]]
    args = ["train", *pair, "--out", tmp_path / "run", "--minutes", 5, *SMALL_NETWORK]
    status, stderr = interrupt_after(tmp_path / "run", 3, signal_numbers.SIGINT, *args)
    assert status == 130, stderr
    found = Page(tmp_path / "run" / "report.html")
    assert "Interrupted at step" in found.text
    assert set(found.pictures) == CURVES | SOUND
    assert len(found.sounds) == 4
