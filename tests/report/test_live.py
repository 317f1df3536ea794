"""The page of a running training: what it shows, what it refuses, and that its button does what Ctrl-C does."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import time
from types import SimpleNamespace
from urllib.parse import urlsplit

import numpy as np
import pytest
import requests
import soundfile

from dl4j_bridge.model.run import Progress
from dl4j_bridge.model.run_folder import RunFolder
from dl4j_bridge.report import live_server
from dl4j_bridge.report.live import Live
from tests.conftest import SMALL, command, run_ok
from tests.report.conftest import CURVES, a_finding
from tests.report.test_pages import seen

pytestmark = pytest.mark.xdist_group("pages")
REQUEST = {"timeout": 120, "allow_redirects": False}


def a_step(step: int, valid: bool = False, **changes) -> Progress:
    values = {"bits": 8 / step, "accuracy": 0.0}
    found = {"bits": 9 / step, "accuracy": 0.5, "esr": 0.25} if valid else None
    return Progress(step, step / 10, 60.0 + step, values, 12345.0, 0.5, 90.0, found, **changes)


@pytest.fixture
def live(tmp_path) -> Live:
    """A training after 30 steps, without a network."""
    task = SimpleNamespace(curves=lambda signals, baselines: CURVES)
    run = SimpleNamespace(folder=RunFolder(tmp_path / "amp"), task=task, signals=[], baselines={})
    run.folder.path.mkdir()
    made = Live(run)
    for step in range(1, 31):
        made.add(a_step(step, step % 10 == 0, findings=[a_finding("overfit")] if step == 20 else []))
    return made


@pytest.fixture
def address(live):
    with live_server.served(live) as address:
        yield address
        live.seen.set()


def test_the_state_is_that_of_the_training(live, address):
    state = requests.get(f"{address}state.json", **REQUEST).json()
    assert state["step"] == 30
    assert not state["ended"]
    assert "about 1:30 left" in state["status"]
    for words in ("error-to-signal ratio (validation)", "0.25", "12,345", "1:30"):
        assert words in state["tiles"]
    assert "overfit (fault)" in state["found"]
    assert [name for name in re.findall(r'src="(\w+)\.png"', state["curves"])] == ["loss", "accuracy"]
    picture = requests.get(f"{address}loss.png", **REQUEST)
    assert picture.headers["Content-Type"] == "image/png"
    assert picture.content.startswith(b"\x89PNG")
    live.end({"stopped_because": "steps"})
    assert "Ended: steps" in requests.get(f"{address}state.json", **REQUEST).json()["status"]


def test_the_curves_of_a_long_training_keep_each_validation(live):
    for step in range(31, 9001):
        live.add(a_step(step, step == 5555))
    log = live._thinned()
    assert 2000 < log["step"].size < 3000
    assert log["step"][~np.isnan(log["valid_bits"])].tolist() == [10, 20, 30, 5555]


def test_only_the_token_opens(address):
    parts = urlsplit(address)
    token = parts.path.strip("/")
    assert len(token) >= 32
    assert parts.hostname == "127.0.0.1"
    root = f"http://{parts.netloc}/"
    wrong = token[:-1] + ("a" if token[-1] != "a" else "b")
    for path in ("", "state.json", f"{wrong}/", f"{wrong}/state.json", f"?token={token}", f"x/{token}/", f"{token}x/"):
        assert requests.get(root + path, **REQUEST).status_code == 403, path
        assert requests.post(f"{root}{path}/stop", **REQUEST).status_code == 403, path
    assert requests.get(root + token, **REQUEST).status_code == 404


def test_the_stop_of_a_stranger_stops_nothing(live, address):
    parts = urlsplit(address)
    for url, headers in (
        (f"http://{parts.netloc}/stop", {}),
        (f"{address}stop", {"Host": "evil.example"}),
        (f"{address}stop", {"Origin": "https://evil.example"}),
        (f"{address}stop", {"Origin": "null"}),
    ):
        assert requests.post(url, headers=headers, **REQUEST).status_code == 403, headers
    assert requests.get(f"{address}stop", **REQUEST).status_code == 404
    assert not live.stop.is_set()
    assert requests.post(f"{address}stop", headers={"Origin": f"http://{parts.netloc}"}, **REQUEST).status_code == 200
    assert live.stop.is_set()


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "", "[::1]:{port}"]
)
def test_another_host_is_refused(address, host):
    """The name of a page elsewhere, which its owner now lets lead to 127.0.0.1, is in the header."""
    headers = {"Host": host.format(port=urlsplit(address).port)}
    assert requests.get(address, headers=headers, **REQUEST).status_code in (400, 403)
    local = {"Host": f"localhost:{urlsplit(address).port}"}
    assert requests.get(address, headers=local, **REQUEST).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["model.zip", "run.json", "log.csv", "../run.json", "..%2frun.json", "%2e%2e/", "/etc/passwd", "preview.wav",
     "preview.wav/", "confusion.png", ".png", "live.py", "state.json/x", "x"],
)  # fmt: skip
def test_only_known_paths_are_served(live, address, path):
    live.run.folder.run_json.write_text("{}")
    parts = urlsplit(address)
    for method in ("GET", "POST"):
        # Unlike a browser, this sends a path as it is.
        connection = http.client.HTTPConnection(parts.netloc, timeout=20)
        connection.request(method, parts.path + path)
        assert connection.getresponse().status == 404
        connection.close()


def test_nothing_is_kept_or_framed(address):
    headers = requests.get(address, **REQUEST).headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Frame-Options"] == "DENY"


def test_the_sound_so_far_in_ranges(live, address):
    soundfile.write(live.preview, 0.1 * np.sin(np.arange(8000) / 5), 8000, "PCM_16")
    content = live.preview.read_bytes()
    whole = requests.get(f"{address}preview.wav", **REQUEST)
    assert (whole.status_code, whole.content) == (200, content)
    assert whole.headers["Accept-Ranges"] == "bytes"
    size = len(content)
    for asked, start, stop in (
        ("0-99", 0, 100),
        ("100-", 100, size),
        ("-50", size - 50, size),
        ("50-999999", 50, size),
    ):
        part = requests.get(f"{address}preview.wav", headers={"Range": f"bytes={asked}"}, **REQUEST)
        assert (part.status_code, part.content) == (206, content[start:stop]), asked
        assert part.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{size}"
    beyond = requests.get(f"{address}preview.wav", headers={"Range": f"bytes={size}-"}, **REQUEST)
    assert beyond.status_code == 416
    assert requests.head(f"{address}preview.wav", **REQUEST).headers["Content-Length"] == str(size)


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1280, "light")])
def test_in_a_browser(browser, live, address, width, scheme):
    soundfile.write(live.preview, 0.1 * np.sin(np.arange(8000) / 5), 8000, "PCM_16")
    seen(browser, SimpleNamespace(as_uri=lambda: address), width, scheme)
    shown = (
        "return document.querySelectorAll('#curves img').length === 2 && [...document.images].every(i => i.complete)"
    )
    for _ in range(200):
        if browser.execute_script(shown):
            break
        time.sleep(0.05)
    found = browser.execute_script("""
      return { width: document.documentElement.scrollWidth, sizes: [...document.images].map(i => i.naturalWidth),
               text: document.body.innerText, sound: document.querySelector('audio').duration };
    """)
    assert found["width"] <= width
    assert all(size > 600 for size in found["sizes"])
    assert "Training; about 1:30 left." in found["text"]
    assert "overfit (fault)" in found["text"]
    button = browser.find_element("id", "stop")
    button.click()
    assert live.stop.wait(10)
    live.end({"stopped_because": "interrupted"})
    for _ in range(200):
        if "Ended: interrupted" in browser.find_element("id", "status").text:
            break
        time.sleep(0.05)
    assert "Ended: interrupted" in browser.find_element("id", "status").text
    assert not button.is_enabled()
    assert browser.get_log("browser") == []


def test_stopping_from_the_page_is_what_ctrl_c_does(recordings, tmp_path):
    out = tmp_path / "run"
    args = ["train", "--input", recordings[0], "--target", recordings[1], "--out", out, "--minutes", 5, *SMALL]
    with subprocess.Popen(
        command(*args, "--live", "--json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as training:
        try:
            address = next(line.split()[1] for line in training.stderr if line.startswith("live: http://127.0.0.1:"))
            step = 0
            while step < 3:
                state = requests.get(f"{address}state.json", **REQUEST).json()
                step = state["step"]
                time.sleep(0.1)
            assert requests.post(f"{address}stop", **REQUEST).status_code == 200
            while not requests.get(f"{address}state.json", **REQUEST).json()["ended"]:
                time.sleep(0.1)
            stdout, _ = training.communicate(timeout=900)
        finally:
            training.kill()
    assert training.returncode == 130
    result = json.loads(stdout.strip().splitlines()[-1])
    assert result["stopped_because"] == "interrupted"
    resumed = run_ok("train", out, "--resume", "--steps", result["steps"] + 1, "--no-report", "--json")
    assert resumed.json["steps"] == result["steps"] + 1
