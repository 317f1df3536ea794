"""The pages that `train`, `compare` and `diagnose` end in: what is in them, and what a browser makes of them."""

from __future__ import annotations

import base64
import io
import re
import shutil
import signal as signal_numbers
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile
from matplotlib.image import imread
from scipy import signal

from dl4j_bridge.report import excerpt, listening, sound_plots
from dl4j_bridge.signal.codecs import LINEAR
from dl4j_bridge.tasks.samples.task import SamplesTask
from tests.conftest import SMALL, run, run_ok
from tests.jobs.test_training import interrupt_after

# One worker makes the pages and starts the browser, for all of these tests.
pytestmark = pytest.mark.xdist_group("report")
RATE = 11025
EFFECT = SamplesTask(LINEAR, 0.0, "target")
OF_SOUND = {
    "target and output waves",
    "spectrograms of input, target, output",
    "power over frequency",
    "output level over input level",
    "how often each class comes",
    "confusion around the diagonal",
}
CURVES = {"bits per sample over steps", "exact classes over steps"}


@dataclass
class Page(HTMLParser):
    """What a page holds, read without a browser and without our code."""

    path: Path
    pictures: dict[str, bytes] = field(default_factory=dict)
    sounds: list[bytes] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.text = self.path.read_text()
        self.feed(self.text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.addresses += [values[name] for name in ("src", "href") if name in values]
        if tag == "img":
            self.pictures[values["alt"]] = decoded(values["src"], "data:image/png;base64,")
        if tag == "audio":
            self.sounds.append(decoded(values["src"], "data:audio/wav;base64,"))


def decoded(address: str, kind: str) -> bytes:
    assert address.startswith(kind)
    return base64.b64decode(address.removeprefix(kind), validate=True)


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


PAGES = {
    "effect_page": CURVES | OF_SOUND,
    "next_page": CURVES
    | {"target and output waves", "spectrograms of target, output, drawn", "power over frequency"}
    | {"how often each class comes", "confusion around the diagonal"},
    "compared_page": {"bits per sample and signal-to-noise ratios"} | OF_SOUND,
    "diagnosed_page": {"how often each of the 256 classes comes"} | OF_SOUND,
}


@pytest.fixture(params=PAGES)
def page(request):
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("name", PAGES)
def test_the_pictures_of_each_page(name, request):
    found = Page(request.getfixturevalue(name))
    assert set(found.pictures) == PAGES[name]
    for picture in found.pictures.values():
        pixels = imread(io.BytesIO(picture), format="png")[..., :3]
        assert pixels.shape[0] > 300
        assert pixels.shape[1] > 600
        # Something is drawn in all four quarters of the middle.
        middle = pixels[pixels.shape[0] // 10 : -pixels.shape[0] // 10, pixels.shape[1] // 10 : -pixels.shape[1] // 10]
        assert all(part.std() > 0.01 for half in np.array_split(middle, 2) for part in np.array_split(half, 2, axis=1))


def test_a_page_needs_nothing_else(page):
    found = Page(page)
    assert all(address.startswith("data:") for address in found.addresses)
    assert not re.search(r"https?://|@import|<script|url\(", found.text)
    assert len(found.text) < 6e6
    assert "prefers-color-scheme: dark" in found.text


def test_the_players_play_the_same_stretch_at_one_level(page):
    found = Page(page)
    sounds = [soundfile.read(io.BytesIO(sound)) for sound in found.sounds]
    assert len(sounds) == 3
    assert {rate for _, rate in sounds} == {RATE}
    assert len({sound.size for sound, _ in sounds}) == 1
    assert all(soundfile.info(io.BytesIO(sound)).subtype == "PCM_16" for sound in found.sounds)
    levels = 20 * np.log10([np.std(sound) for sound, _ in sounds])
    assert np.ptp(levels) < 0.05
    assert -40 < levels[0] < -19.9
    assert "level-matched" in found.text


def test_input_and_target_are_those_of_the_held_out_part(effect_page, recordings):
    """Against the recordings themselves, without our code."""
    sounds = [soundfile.read(io.BytesIO(sound))[0] for sound in Page(effect_page).sounds]
    for path, sound in zip(recordings, sounds, strict=False):
        held_out = soundfile.read(path)[0]
        held_out = held_out[int(held_out.size * 0.9) :]
        assert sound.size == held_out.size
        assert np.corrcoef(sound, held_out)[0, 1] > 0.9999


def test_the_output_is_that_of_process(effect_run, effect_page, recordings, tmp_path):
    run_ok("process", "--model", effect_run, "--input", recordings[0], "--output", tmp_path / "y.wav")
    shown = soundfile.read(io.BytesIO(Page(effect_page).sounds[2]))[0]
    processed = soundfile.read(tmp_path / "y.wav")[0][-shown.size :]
    # `process` writes 8 bits or 16, and hears the recording from the start.
    assert np.corrcoef(shown, processed)[0, 1] > 0.999


def test_settings_versions_and_figures_are_in_the_page(effect_page):
    text = effect_page.read_text()
    for words in ("network.hidden", "learning_rate", "<th>dl4j</th>", "<th>java</th>", "bits per sample (validation)"):
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
    short = ["--steps", 5, *SMALL]
    run("diagnose", "--input", recordings[0], "--target", recordings[1], "--quick", "--out", tmp_path / "d", *short)
    found = Page(tmp_path / "d" / "report.html")
    assert set(found.pictures) >= {"spectrograms of input, target", "output level over input level"}
    assert "confusion around the diagonal" not in found.pictures
    assert len(found.sounds) == 2


@pytest.mark.parametrize("kind", ["silent", "short"])
def test_what_cannot_be_drawn_is_no_error(kind, tmp_path):
    """A held-out part without a sound, or of a few samples."""
    sound = np.random.default_rng(1).uniform(-0.5, 0.5, 150 if kind == "short" else 2 * RATE)
    if kind == "silent":
        sound[-RATE:] = 0
    for name in ("x", "y"):
        soundfile.write(tmp_path / f"{name}.wav", sound, RATE, "PCM_U8")
    pair = ["--input", tmp_path / "x.wav", "--target", tmp_path / "y.wav"]
    result = run_ok("train", *pair, "--out", tmp_path / "run", "--steps", 1, "--align", "off", *SMALL)
    assert "Warning" not in result.stderr
    found = Page(tmp_path / "run" / "report.html")
    assert len(found.sounds) == (3 if kind == "silent" else 0)
    assert set(found.pictures) >= CURVES


def test_an_interrupted_run_is_heard_as_it_stands(recordings, tmp_path):
    pair = ["--input", recordings[0], "--target", recordings[1]]
    args = ["train", *pair, "--out", tmp_path / "run", "--minutes", 5, *SMALL]
    status, stderr = interrupt_after(tmp_path / "run", 3, signal_numbers.SIGINT, *args)
    assert status == 130, stderr
    found = Page(tmp_path / "run" / "report.html")
    assert "Interrupted at step" in found.text
    assert set(found.pictures) == CURVES | OF_SOUND
    assert len(found.sounds) == 3


# The numbers behind the pictures, against other people's code.


def test_power_is_that_of_welch():
    x = np.random.default_rng(1).normal(0, 0.1, 5000)
    ours = sound_plots.power_density(x, RATE, 512, 256).mean(axis=1)
    _, theirs = signal.welch(x, RATE, nperseg=512, noverlap=256, detrend=False)
    np.testing.assert_allclose(ours, theirs, rtol=1e-9)
    # Its sum over the frequencies is the power.
    assert ours.sum() * RATE / 512 == pytest.approx(np.mean(x**2), rel=0.05)


def test_places_are_the_worst_and_the_median_one():
    rng = np.random.default_rng(1)
    target, error = rng.normal(0, 1, 1000), np.repeat([0.1, 0.3, 0.2, 0.5, 0.4, 0, 0, 0, 0, 0], 100)
    # The second half is a rest with hardly an error, and not typical.
    target[500:] = 0
    assert sound_plots.places(target, target + error, 100) == {"largest error": 300, "typical error": 100}


def test_mean_by_level():
    x, y = np.repeat([0.1, 0.9], [6, 2]), np.array([1, 2, 3, 4, 5, 6, 7, 7.0])
    mean = sound_plots.mean_by_level(x, y, np.array([0, 0.5, 1]))
    assert mean[0] == pytest.approx(3.5)
    assert np.isnan(mean[1]), "two samples are no mean"


def test_levelled_is_as_loud_as_the_peaks_allow():
    quiet, peaky = 0.01 * np.sin(np.arange(1000)), np.zeros(1000)
    peaky[::100] = 0.5
    done = listening.levelled({"quiet": quiet + 0.2, "peaky": peaky, "silent": np.zeros(1000)})
    (quiet_now, gain), (peaky_now, _), (silent, none) = (done[name] for name in ("quiet", "peaky", "silent"))
    assert np.std(quiet_now) == pytest.approx(np.std(peaky_now))
    assert gain == pytest.approx(20 * np.log10(np.std(quiet_now) / np.std(quiet)))
    assert np.abs(peaky_now).max() <= 0.98 + 1e-9
    assert not silent.any()
    assert none == 0


def test_the_loudest_stretch_of_a_part():
    y = np.full(20_000, 128, np.uint8)
    y[3000:4000] = 250
    y[15_000:16_000] = 200
    where = excerpt.loudest(EFFECT, y, slice(8000, 20_000), 2000)
    assert where.stop - where.start == 2000
    assert where.start <= 15_000
    assert where.stop >= 16_000
    assert excerpt.loudest(EFFECT, y, slice(8000, 9000), 2000) == slice(8000, 9000)


def test_the_output_is_cut_where_the_target_is():
    rng = np.random.default_rng(1)
    x, y, classes = rng.integers(0, 256, (3, 20 * RATE), np.uint8)
    y[: 12 * RATE] = 128
    part = slice(2 * RATE, 20 * RATE)
    sound = EFFECT.to_samples(classes)[part]
    found = excerpt.of_output(EFFECT, x, y, part, RATE, sound, classes[part])
    here = slice(found.start, found.start + found.size)
    assert found.size == 8 * RATE
    assert found.start == pytest.approx(12 * RATE, abs=excerpt.STRIDE)
    for name, expected in (("input", x), ("target", y), ("output", classes)):
        np.testing.assert_array_equal(found.classes[name], expected[here])
        np.testing.assert_array_equal(found.sounds[name], (expected[here] - 128.0) / 128)


# The same pages in a browser.


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """Headless Chromium; Debian's packages chromium and chromium-driver."""
    programs = [shutil.which("chromium"), shutil.which("chromedriver")]
    if not all(programs):
        pytest.skip("no chromium and chromedriver on the PATH: apt-get install chromium chromium-driver")
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = programs[0]
    for flag in (
        "headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
        "disable-component-update", "disable-sync", f"user-data-dir={tmp_path_factory.mktemp('chromium')}",
    ):  # fmt: skip
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(programs[1]))
    driver.set_script_timeout(60)
    yield driver
    driver.quit()


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
    size = len(soundfile.read(io.BytesIO(Page(page).sounds[0]))[0])
    assert found["durations"] == pytest.approx([size / RATE] * 3, abs=0.01)
    assert (brightness(found["ground"]) < 60) == (scheme == "dark")
    assert (brightness(found["ink"]) > 200) == (scheme == "dark")


def test_the_browser_sees_what_is_broken(browser, effect_page, tmp_path):
    """A picture, a player and a width, each spoiled: otherwise the test above could not fail."""
    text = effect_page.read_text()
    text = text.replace("data:image/png;base64,iVBOR", "data:image/png;base64,AAAAA", 1)
    text = text.replace("data:audio/wav;base64,UklGR", "data:audio/wav;base64,AAAAA", 1)
    text = text.replace("</body>", "<p style='width: 999px'>wide</p><script>console.error('spoiled')</script></body>")
    (tmp_path / "spoiled.html").write_text(text)
    found = seen(browser, tmp_path / "spoiled.html", 360, "light")
    assert found["pictures"][0][0] == 0
    assert found["pictures"][1][0] > 0
    assert found["durations"][0] == -1
    assert found["durations"][1] > 0
    assert found["width"] > 360
    assert any("spoiled" in entry["message"] for entry in found["log"])
