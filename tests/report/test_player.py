"""The player of a report in a real browser: switching, the blind test, the largest error."""

from __future__ import annotations

import base64
import io
import time

import numpy as np
import pytest
import soundfile
from scipy.stats import binomtest

from dl4j_bridge.report import encoding, page
from dl4j_bridge.report.player import Track, Wave, player

# The browser is that of the other pages.
pytestmark = pytest.mark.xdist_group("pages")
RATE = 44100
SECONDS = 3
WORST = 2.0
TONES = (300, 500, 700, 900)
TITLES = ("Input (dry)", "Target", "Output", "Best baseline (fir)")
# What is on its way to the loudspeaker, and a coin that the test knows.
TAP = """
const connect = AudioNode.prototype.connect;
AudioNode.prototype.connect = function (to, ...rest) {
  if (to instanceof AudioDestinationNode) {
    connect.call(this, window.tap = new AnalyserNode(to.context, {fftSize: 4096}));
  }
  return connect.call(this, to, ...rest);
};
window.coins = [];
crypto.getRandomValues = array => { array[0] = window.coins.length ? window.coins.shift() : 0; return array; };
"""
HEARD = """
const wave = new Float32Array(4096);
if (!window.tap) return [0, []];
window.tap.getFloatTimeDomainData(wave);
return [window.tap.context.sampleRate, [...wave]];
"""


def tones() -> list[np.ndarray]:
    t = np.arange(SECONDS * RATE) / RATE
    return [0.1 * np.sin(2 * np.pi * f * t) for f in TONES]


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    sounds = tones()
    wave = Wave(sounds[1], 0.01 * sounds[2], round(WORST * RATE), RATE)
    tracks = [Track(title, "gain +1.0 dB", sound) for title, sound in zip(TITLES, sounds, strict=True)]
    path = tmp_path_factory.mktemp("player") / "page.html"
    path.write_text(page.document("Player", [("Listen", player(tracks, RATE, wave, (1, 2)))]))
    return path.as_uri()


@pytest.fixture
def opened(browser, address):
    added = browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": TAP})
    browser.get_log("browser")
    browser.get(address)
    yield browser
    assert browser.get_log("browser") == []
    browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)


def press(browser, *keys: str) -> None:
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.keys import Keys

    for key in keys:
        actions = ActionChains(browser, duration=0)
        if key.startswith("shift+"):
            actions.key_down(Keys.SHIFT).send_keys(key[-1]).key_up(Keys.SHIFT).perform()
        else:
            actions.send_keys(getattr(Keys, key, key)).perform()


def wait(condition, what: str) -> None:
    for _ in range(300):
        if condition():
            return
        time.sleep(0.05)
    pytest.fail(what)


def heard(browser) -> int | None:
    """The tone that is loudest now, as the index of its track; None in silence or a cross-fade."""
    rate, wave = browser.execute_script(HEARD)
    power = np.abs(np.fft.rfft(np.array(wave) * np.hanning(len(wave)))) if wave else np.zeros(2)
    total = np.sum(power**2)
    if total < 1e-3:
        return None
    shares = [np.sum(power[abs(np.fft.rfftfreq(4096, 1 / rate) - f) < 50] ** 2) / total for f in TONES]
    return int(np.argmax(shares)) if max(shares) > 0.99 else None


def hears(browser, track: int | None) -> None:
    wait(lambda: heard(browser) == track, f"track {track} is not what is heard")


def position(browser) -> float:
    return float(browser.find_element("css selector", ".wave").get_attribute("aria-valuenow"))


def one(browser, selector: str):
    return browser.find_element("css selector", selector)


def test_keys_switch_between_tracks_that_run_in_step(opened):
    press(opened, "l", "SPACE")
    hears(opened, 0)
    for key in "2413":
        press(opened, key)
        hears(opened, int(key) - 1)
        (chosen,) = opened.find_elements("css selector", ".tracks [aria-pressed=true]")
        assert chosen.get_attribute("data-title") == TITLES[int(key) - 1]
    one(opened, ".tracks button").click()
    hears(opened, 0)
    # The click took no focus: the space bar is the player's.
    press(opened, "SPACE")
    hears(opened, None)
    assert one(opened, ".play").text == "Play"


def test_a_switch_has_no_gap(opened, tmp_path):
    """Between two tracks that are equal, nothing is heard of it; a pause shows that this test hears one."""
    sound = tones()[0]
    content = player([Track(title, "", sound) for title in TITLES[:2]], RATE, Wave(sound))
    (tmp_path / "equal.html").write_text(page.document("Player", [("Listen", content)]))
    opened.get((tmp_path / "equal.html").as_uri())
    press(opened, "l", "SPACE")
    hears(opened, 0)
    opened.execute_script("window.tap.fftSize = 32768")
    time.sleep(0.8)

    def levels() -> np.ndarray:
        # Two thirds of a second, with what was just pressed in their middle.
        time.sleep(0.3)
        wave = np.array(opened.execute_script(HEARD.replace("4096", "32768"))[1])
        return np.std(wave[: wave.size // 480 * 480].reshape(-1, 480), axis=1)

    press(opened, "2", "1", "2")
    found = levels()
    assert found.min() > 0.9 * found.max()
    press(opened, "SPACE", "SPACE")
    found = levels()
    assert found.min() < 0.5 * found.max()


def test_arrows_move_and_the_end_is_the_start(opened):
    press(opened, "ARROW_RIGHT", "ARROW_RIGHT")
    assert position(opened) == 2
    press(opened, "ARROW_LEFT")
    assert position(opened) == 1
    press(opened, "ARROW_RIGHT", "ARROW_RIGHT", "ARROW_RIGHT")
    assert position(opened) == SECONDS
    press(opened, "ARROW_LEFT", "SPACE")
    hears(opened, 0)
    wait(lambda: position(opened) == 0, "it does not end")


def test_the_largest_error_is_marked_and_played(opened):
    mark, wave = one(opened, ".mark").rect, one(opened, ".wave").rect
    place = (mark["x"] - wave["x"]) / wave["width"]
    assert place == pytest.approx(WORST / SECONDS, abs=0.01)
    assert f"({WORST:.2f} s)" in one(opened, ".jump").text
    press(opened, "e")
    hears(opened, 0)
    assert WORST - 0.3 < position(opened) <= SECONDS
    press(opened, "SPACE", "HOME")
    assert position(opened) == 0
    from selenium.webdriver import ActionChains

    across = round(wave["width"] * (place - 0.5))
    ActionChains(opened).move_to_element_with_offset(one(opened, ".wave"), across, 0).click().perform()
    assert position(opened) == pytest.approx(WORST, abs=0.05)


def test_a_part_is_looped(opened):
    from selenium.webdriver import ActionChains

    wave = one(opened, ".wave")
    width = wave.rect["width"]
    actions = ActionChains(opened, duration=0).move_to_element_with_offset(wave, round(-width / 6), 0)
    actions.click_and_hold().move_by_offset(round(width / 6), 0).release().perform()
    assert position(opened) == pytest.approx(SECONDS / 3, abs=0.05)
    press(opened, "SPACE")
    hears(opened, 0)
    places = []
    for _ in range(30):
        places.append(position(opened))
        time.sleep(0.05)
    assert min(places) > 0.95
    assert max(places) < 1.55
    press(opened, "ESCAPE", "SPACE")
    assert not one(opened, ".looping").is_selected()


@pytest.mark.parametrize(("right", "count"), [(9, 10), (16, 16)])
def test_a_blind_test_by_keys(opened, right, count):
    one(opened, ".abx summary").click()
    opened.execute_script("document.querySelector('.count').value = arguments[0]", str(count))
    coins = np.random.default_rng(count).integers(0, 2, count).tolist()
    opened.execute_script("window.coins = arguments[0]", coins)
    press(opened, "l")
    one(opened, ".start").click()
    for trial, x in enumerate(coins):
        assert f"Trial {trial + 1} of {count}" in one(opened, ".question").text
        if trial < 2:
            # X is what the coin says, A is the target and B the output.
            hears(opened, 1 + x)
            press(opened, "a")
            hears(opened, 1)
            press(opened, "b")
            hears(opened, 2)
            press(opened, "x")
            hears(opened, 1 + x)
            press(opened, "1", "e")
            assert all(not b.is_enabled() for b in opened.find_elements("css selector", ".tracks button"))
        press(opened, f"shift+{'ab'[x if trial < right else 1 - x]}")
    result = one(opened, ".result").text
    p = binomtest(right, count, alternative="greater").pvalue
    assert f"Target and Output: {right} of {count} right" in result
    shown = float(result.split("p = ")[1].split(":")[0])
    assert shown == pytest.approx(p, rel=0.06)
    assert "you hear a difference" in result


def test_a_test_that_is_ended_counts_its_answers(opened):
    one(opened, ".abx summary").click()
    opened.execute_script("window.coins = [0, 1, 0]")
    one(opened, ".start").click()
    answers = opened.find_elements("css selector", ".answers button:not(.end)")
    answers[0].click()
    answers[1].click()
    one(opened, ".end").click()
    assert "2 of 2 right, p = 0.25: no evidence" in one(opened, ".result").text
    assert all(b.is_enabled() for b in opened.find_elements("css selector", ".tracks button"))


def test_everything_has_a_name_and_can_be_reached(opened):
    names = opened.execute_script("""
      return [...document.querySelectorAll('.full button, .full select, .full input, .wave')]
        .map(e => [e.getAttribute('aria-label') || e.innerText || e.closest('label')?.innerText, e.tabIndex]);
    """)
    assert len(names) > 15
    opened.execute_script("document.querySelector('.abx').open = true")
    assert all(index == 0 for _, index in names)
    wave = one(opened, ".wave")
    assert wave.get_attribute("role") == "slider"
    assert float(wave.get_attribute("aria-valuemax")) == SECONDS


def test_a_browser_that_cannot_decode_shows_plain_players(browser, address, tmp_path):
    from urllib.request import urlopen

    text = urlopen(address).read().decode()
    (tmp_path / "page.html").write_text(text.replace("base64,ZkxhQ", "base64,AAAAA"))
    browser.get((tmp_path / "page.html").as_uri())
    assert not one(browser, ".plain").is_displayed()
    press(browser, "SPACE")
    wait(lambda: one(browser, ".plain").is_displayed(), "no plain players")
    assert "cannot play the tracks" in one(browser, ".message").text
    browser.get_log("browser")


def decoded(uri: str) -> tuple[str, np.ndarray, int]:
    kind, _, content = uri.partition(";base64,")
    return kind, *soundfile.read(io.BytesIO(base64.b64decode(content)))


@pytest.mark.parametrize("rate", [11025, 44100, 96000])
def test_sounds_are_lossless_where_they_fit(rate):
    sound = 0.1 * np.sin(np.arange(rate) * 2 * np.pi * 440 / rate)
    kind, found, its = decoded(encoding.data_uris([sound], rate)[0])
    assert kind == "data:audio/flac"
    assert its == min(rate, 48000)
    t = np.arange(found.size) / its
    np.testing.assert_allclose(found[500:-500], (0.1 * np.sin(2 * np.pi * 440 * t))[500:-500], atol=1e-4)


@pytest.mark.parametrize("rate", [22050, 44100])
def test_noise_becomes_as_small_as_it_must_and_stays_in_step(rate):
    rng = np.random.default_rng(1)
    sounds = [rng.normal(0, 0.1, 2 * rate) for _ in range(2)]
    budget = 150_000 if rate == 22050 else 200_000
    uris = encoding.data_uris(sounds, rate, budget)
    assert budget / 2 < sum(map(len, uris)) <= budget
    for uri, sound in zip(uris, sounds, strict=True):
        kind, found, its = decoded(uri)
        assert kind == "data:audio/mpeg"
        assert found.size == pytest.approx(sound.size * its / rate, abs=2)
        step = its / rate
        here = np.interp(np.arange(2000, 30000) * step, np.arange(found.size), found)
        lags = range(-3, 4)
        best = max(lags, key=lambda lag: here @ sound[2000 + lag : 30000 + lag])
        assert best == 0
