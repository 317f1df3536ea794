"""The pages of made-up results: what is in them, and what a browser shows."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from matplotlib.image import imread

from dl4j_bridge.report import comparison, diagnosis, listening, run
from dl4j_bridge.tasks.shown import Excerpt
from tests.report.conftest import CURVES, EFFECT, NEXT, RATE, SECONDS, a_comparison, a_diagnosis, a_run, an_excerpt
from tests.report.pages import Page

# One worker makes the pages and starts the browser, for all of these tests.
pytestmark = pytest.mark.xdist_group("pages")
LEARNING = {"bits per sample over steps", "exact classes over steps"}
CLASSES = {"how often each class occurs", "confusion around the diagonal"}
SOUND = {
    "target and output waves",
    "spectrograms of input, target, output",
    "power over frequency",
    "output level over input level",
}
PAGES = {
    "run_page": (LEARNING | SOUND | CLASSES, 3),
    "next_page": (
        LEARNING
        | CLASSES
        | {"target and output waves", "power over frequency", "spectrograms of target, output, generated"},
        3,
    ),
    "comparison_page": ({"bits per sample and signal-to-noise ratios"} | SOUND | CLASSES, 3),
    "numbers_page": ({"loudness errors", "jumps", "level, entropy and spectrum over time"} | SOUND, 4),
    "diagnosis_page": (
        {"loss of the identity over steps", "how often each of the 256 classes occurs", "power over frequency"}
        | {"spectrograms of input, target", "output level over input level"},
        2,
    ),
}


@pytest.fixture(params=PAGES)
def page(request):
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("name", PAGES)
def test_pictures_and_players_of_each_page(name, request):
    found = Page(request.getfixturevalue(name))
    pictures, players = PAGES[name]
    assert set(found.pictures) == pictures
    assert len(found.sounds) == players
    for picture in found.pictures.values():
        pixels = imread(io.BytesIO(picture), format="png")[..., :3]
        assert pixels.shape[0] > 200
        assert pixels.shape[1] > 600
        # There is something in all four quarters of the middle.
        middle = pixels[pixels.shape[0] // 10 : -pixels.shape[0] // 10, pixels.shape[1] // 10 : -pixels.shape[1] // 10]
        assert all(part.std() > 0.01 for half in np.array_split(middle, 2) for part in np.array_split(half, 2, axis=1))


def test_a_page_needs_no_other_file(page):
    found = Page(page)
    assert all(address.startswith("data:") for address in found.addresses)
    assert not re.search(r"https?://|@import|<script [^>]*src|import\(|fetch\(|url\(", found.text)
    assert len(found.text) < 5e6
    assert "prefers-color-scheme: dark" in found.text


@pytest.mark.slow
def test_ten_seconds_of_noise_at_44_khz_stay_below_5_mb(tmp_path):
    """What compresses least, in sound and picture, with four tracks."""
    rate = 44100
    rng = np.random.default_rng(1)
    sounds = {name: rng.normal(0, 0.1, 10 * rate) for name in EFFECT}
    excerpt = Excerpt(rate, 0, sounds, {}, {"Best baseline (fir)": rng.normal(0, 0.1, 10 * rate)})
    page = run.write(a_run(tmp_path, {"bits": 1.0}), CURVES, excerpt)
    assert page.stat().st_size < 5e6
    found = [soundfile.read(io.BytesIO(sound)) for sound in Page(page).sounds]
    assert [(sound.size, its) for sound, its in found] == [(10 * rate, rate)] * 4


@pytest.mark.parametrize(("names", "count"), [(EFFECT, 3), (NEXT, 3), (("input", "target"), 2)])
def test_players_have_the_same_length_and_level(names, count, tmp_path):
    excerpt = an_excerpt(*names)
    text = "".join(content for _, content in listening.sections(tmp_path, excerpt, "the test part"))
    (tmp_path / "page.html").write_text(text)
    sounds = [soundfile.read(io.BytesIO(sound)) for sound in Page(tmp_path / "page.html").sounds]
    assert {rate for _, rate in sounds} == {RATE}
    assert [sound.size for sound, _ in sounds] == [SECONDS * RATE] * count
    levels = 20 * np.log10([np.std(sound) for sound, _ in sounds])
    assert np.ptp(levels) < 0.05
    assert -40 < levels[0] < -19.9
    assert "level-matched" in text


def test_the_results_of_a_run_are_named(run_page):
    text = run_page.read_text()
    # What is heard comes first, and its grade beside it.
    tile = r'<div class="number"><b>(.*?)</b>(?:<em>(.*?)</em>)?<small><button.*?>(.*?)</button>(.*?)</small>'
    tiles = re.findall(tile, text)
    assert tiles == [
        ("0.01235", "not bad", "error-to-signal ratio", " (validation)"),
        ("19.1 dB", "", "signal-to-noise ratio", " (validation)"),
        ("1.235", "", "bits per sample", " (validation)"),
        ("67.89%", "", "exact classes", " (validation)"),
        ("40", "", "steps", "; stopped by steps"),
    ]
    assert "<th>name</th><td>Lead &lt;channel&gt;</td>" in text
    assert "<th>gear</th><td>Plexi</td>" in text
    assert "network.hidden" in text
    assert "/home/someone" not in text


def test_each_metric_is_explained_once(page):
    text = page.read_text()
    asked = set(re.findall(r'popovertarget="(.*?)"', text))
    assert sorted(asked) == sorted(re.findall(r'<div class="meaning" popover id="(.*?)">', text))
    if page.parent.name.startswith(("run", "compare")):
        assert {"metric-esr", "metric-snr_db"} <= asked
        assert "0 is a perfect copy, 1 is as far off as silence" in text


def test_a_meaning_opens_by_keyboard_and_by_touch(browser, run_page):
    for mobile in (False, True):
        metrics = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": mobile}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        browser.get(run_page.as_uri())
        term, meaning = (browser.find_element("css selector", s) for s in (".term", "#metric-esr"))
        assert not meaning.is_displayed()
        if mobile:
            term.click()
        else:
            # The first stop of the tab key.
            browser.find_element("css selector", "body").send_keys("\ue004")
            browser.switch_to.active_element.send_keys("\ue007")
        assert meaning.is_displayed()
        assert meaning.rect["x"] >= 0
        assert meaning.rect["x"] + meaning.rect["width"] <= 390
        browser.switch_to.active_element.send_keys("\ue00c")
        assert not meaning.is_displayed()


def test_an_interrupted_run_has_no_results(next_page):
    assert "Interrupted at step 40" in next_page.read_text()


@pytest.mark.parametrize(("size", "remark"), [(None, False), (RATE, True)])
def test_a_short_excerpt_refers_to_the_longer_one(size, remark, tmp_path):
    excerpt = an_excerpt(*EFFECT)
    for signals in (excerpt.sounds, excerpt.classes):
        signals.update({name: signal[:size] for name, signal in signals.items()})
    page = run.write(a_run(tmp_path, {"bits": 1.0}), CURVES, excerpt)
    assert ("dl4j-bridge compare has up to 10 s" in page.read_text()) == remark


def test_the_table_of_a_comparison(comparison_page):
    text = comparison_page.read_text()
    headings = ("name", "bits", "accuracy", "ESR", "SNR (dB)", "STFT", "params", "samples/s")
    assert "".join(f"<th>{heading}</th>" for heading in headings) in re.sub("</?button.*?>", "", text)
    assert "<td>model</td><td>2.500</td><td>25.00%</td><td>0.01</td><td>20.0</td>" in text
    assert "<td>copy</td><td>–</td><td>25.00%</td><td>0</td><td>exact</td>" in text
    assert "<td>silent</td><td>2.500</td><td>25.00%</td><td>– (silent)</td><td>–</td>" in text
    assert "22,050 samples: the held-out test part." in text


def test_a_new_task_brings_its_own_columns_and_headings(numbers_page):
    text = numbers_page.read_text()
    for words in (
        "<h2>Against doing nothing</h2>",
        "<h2>Borders</h2>",
        "<th>loudness error</th>",
        "all of the recordings",
        "wet.wav: resampled",
        "left the recording for good after 7 s",
        "<th>spectral distance (dB)</th>",
    ):
        assert words in text, words


def test_what_was_found_while_training(run_page, next_page):
    text = run_page.read_text()
    assert "<h2>Found while training</h2><h3>overfit (fault)</h3>" in text
    assert "'code'" not in text
    assert "Found while training" not in next_page.read_text()


def test_findings_with_their_fixes(diagnosis_page):
    text = diagnosis_page.read_text()
    assert "<h3>misaligned (fault)</h3><p>The target is late, and --align does not cut the delay out.</p>" in text
    assert "<p><strong>Fix:</strong> use --align auto</p>" in text
    assert "<code>dl4j-bridge train --align auto</code>" in text
    assert "<code>dl4j-bridge diagnose --explain misaligned</code>" in text
    assert "quiet-recording (warning)" in text
    assert "<li>splits: train 0.5, valid 0.25</li>" in text
    assert "1.0, 1.0, 1.0" not in text, "a long list"


def test_a_diagnosis_without_findings_or_classes(tmp_path):
    page = diagnosis.write(tmp_path, a_diagnosis(class_counts=None))
    assert "Nothing was found" in page.read_text()
    assert "how often each of the 256 classes occurs" not in Page(page).pictures


@pytest.mark.parametrize("kind", ["silent", "short"])
@pytest.mark.filterwarnings("error")
def test_what_cannot_be_plotted_is_not_an_error(kind, tmp_path):
    excerpt = an_excerpt(*EFFECT)
    for signals, silence in ((excerpt.sounds, 0), (excerpt.classes, 128)):
        for name, signal in signals.items():
            signals[name] = signal[:9] if kind == "short" else np.full_like(signal, silence)
    found = Page(comparison.write(tmp_path, "Comparison", a_comparison(excerpt=excerpt)))
    assert len(found.sounds) == (3 if kind == "silent" else 0)
    assert ("too short" in found.text.lower()) == (kind == "short")


# The same pages in a browser.


MEASURE = """
const done = arguments[arguments.length - 1];
const pictures = [...document.images], players = [...document.querySelectorAll('audio')];
const known = player => new Promise(resolve => {
  if (player.readyState > 0 || player.error) return resolve();
  player.addEventListener('loadedmetadata', resolve);
  player.addEventListener('error', resolve);
  setTimeout(resolve, 20000);
});
Promise.all(players.map(known)).then(() => done({
  pictures: pictures.map(p => [p.naturalWidth, p.complete, p.getBoundingClientRect().right, p.alt]),
  durations: players.map(p => p.error ? -1 : p.duration),
  width: document.documentElement.scrollWidth,
  window: window.innerWidth,
  ground: getComputedStyle(document.body).backgroundColor,
  ink: getComputedStyle(document.body).color,
}));
"""


def seen(browser, path: Path, width: int, scheme: str) -> dict:
    browser.get_log("browser")
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get(path.as_uri())
    return browser.execute_async_script(MEASURE) | {"log": browser.get_log("browser")}


def brightness(colour: str) -> float:
    return float(np.mean([int(part) for part in re.findall(r"\d+", colour)[:3]]))


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("width", [360, 1280])
def test_in_a_browser(browser, page, width, scheme):
    found = seen(browser, page, width, scheme)
    assert found["log"] == []
    assert found["window"] == width
    assert found["width"] <= width, "it scrolls sideways"
    assert len(found["pictures"]) == len(Page(page).pictures)
    for natural, complete, right, name in found["pictures"]:
        assert complete, name
        assert natural > 600, name
        assert right <= width, name
    assert found["durations"] == pytest.approx([SECONDS] * len(Page(page).sounds), abs=0.01)
    assert (brightness(found["ground"]) < 60) == (scheme == "dark")
    assert (brightness(found["ink"]) > 200) == (scheme == "dark")


def test_the_browser_sees_what_is_broken(browser, run_page, tmp_path):
    """A picture, a player and a width, each spoiled: otherwise the test above could not fail."""
    text = run_page.read_text()
    text = text.replace("data:image/png;base64,iVBOR", "data:image/png;base64,AAAAA", 1)
    text = text.replace("data:audio/flac;base64,ZkxhQ", "data:audio/flac;base64,AAAAA", 1)
    text = text.replace("</body>", "<p style='width: 999px'>wide</p><script>console.error('spoiled')</script></body>")
    (tmp_path / "spoiled.html").write_text(text)
    found = seen(browser, tmp_path / "spoiled.html", 360, "light")
    assert found["pictures"][0][0] == 0
    assert found["pictures"][1][0] > 0
    assert found["durations"][0] == -1
    assert found["durations"][1] > 0
    assert found["width"] > 360
    assert any("spoiled" in entry["message"] for entry in found["log"])
