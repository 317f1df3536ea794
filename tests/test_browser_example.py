"""The page of ``examples/browser`` plays exported models, and its output is that of `process`."""

from __future__ import annotations

import base64
import functools
import http.server
import io
import json
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import pooch
import pytest
import requests
import soundfile

import dl4j_bridge
from tests.conftest import EXAMPLES, run_ok

pytestmark = pytest.mark.xdist_group("browser example")
PAGE = EXAMPLES / "browser"
# Of the package's 100 MB, what the page loads.
LOADED = ["ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"]
ADDRESS = "https://registry.npmjs.org/onnxruntime-web/-/onnxruntime-web-{}.tgz"
SHA256 = "d2228df7e4616bc3348bf504ee888f3bec43789a273f0a63f3e68d203ce3bf71"
RESULT = """
const done = arguments[arguments.length - 1];
fetch(document.getElementById('download').href).then(answer => answer.blob()).then(blob => {
  const reader = new FileReader();
  reader.onload = () => done(reader.result.split(',')[1]);
  reader.readAsDataURL(blob);
});
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page with onnxruntime-web beside it, as `npm install` brings it."""
    folder = tmp_path_factory.mktemp("site")
    for path in PAGE.iterdir():
        if path.is_file():
            shutil.copy(path, folder)
    version = json.loads((PAGE / "package.json").read_text())["dependencies"]["onnxruntime-web"]
    cache = Path(platformdirs.user_cache_dir("dl4j_bridge"), "tests")
    try:
        archive = pooch.retrieve(ADDRESS.format(version), f"sha256:{SHA256}", path=cache, progressbar=False)
    except requests.RequestException as e:
        pytest.skip(f"onnxruntime-web cannot be downloaded: {e}")
    target = folder / "node_modules" / "onnxruntime-web" / "dist"
    target.mkdir(parents=True)
    with tarfile.open(archive) as package:
        for name in LOADED:
            content = package.extractfile(f"package/dist/{name}")
            assert content is not None
            (target / name).write_bytes(content.read())
    return folder


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def end_headers(self) -> None:
            self.send_header("Cache-Control", "no-store")
            super().end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="module")
def amp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model for plug-ins of an effect with a delay, which training removes and `process` puts back."""
    folder = tmp_path_factory.mktemp("amp")
    dry = 0.3 * np.random.default_rng(1).standard_normal(22050)
    soundfile.write(folder / "dry.wav", dry, 22050, "PCM_24")
    soundfile.write(folder / "wet.wav", np.tanh(3 * np.roll(dry, 5)), 22050, "PCM_24")
    run_ok(
        "train", "--task", "frames", "--preset", "plugin", "--input", folder / "dry.wav", "--target",
        folder / "wet.wav", "--out", folder / "run", "--batch", 4, "--length", 200, "--tbptt", 100, "--warm-up", 20,
        "--steps", 20, "--no-report",
    )  # fmt: skip
    return folder / "run"


def played(browser: Any, address: str, query: str) -> str:
    """Open the page and wait until it has run the model; returns its last message."""
    from selenium.webdriver.support.ui import WebDriverWait

    browser.get_log("browser")
    browser.get(f"{address}/index.html{query}")
    state = "return document.body.dataset.state"
    WebDriverWait(browser, 60).until(lambda b: b.execute_script(state) in ("done", "failed"))
    return str(browser.execute_script("return document.getElementById('status').textContent"))


@pytest.mark.parametrize(("kind", "subtype"), [("amp", "PCM_24"), ("amp", "FLOAT"), ("effect_run", "PCM_U8")])
def test_the_page_plays_what_process_writes(request, java, browser, address, site, tmp_path, kind, subtype):
    pytest.importorskip("onnx")
    model = dl4j_bridge.load(request.getfixturevalue(kind))
    model.export("onnx", site / "model.onnx", overwrite=True)
    # Longer than two blocks, and no multiple of one.
    x = 0.5 * np.sin(np.arange(10_000) ** 1.3 / 500)
    soundfile.write(site / "x.wav", x, model.rate, subtype)
    message = played(browser, address, "?model=model.onnx&wav=x.wav")
    assert f"at {model.rate} Hz" in message
    assert "times as fast as it plays" in message
    assert browser.get_log("browser") == []
    found, rate = soundfile.read(io.BytesIO(base64.b64decode(browser.execute_async_script(RESULT))))
    assert rate == model.rate
    wanted = model.process(site / "x.wav")
    assert np.std(wanted) > 1e-3
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    durations = "return [...document.querySelectorAll('audio')].map(player => player.duration)"
    assert browser.execute_script(durations) == pytest.approx([x.size / rate] * 2, abs=0.01)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("npm") is None, reason="no npm on the PATH")
def test_the_commands_of_the_page_on_plug_ins(java, browser, amp, tmp_path):
    pytest.importorskip("onnx")
    shutil.copytree(PAGE, tmp_path / "examples" / "browser", ignore=shutil.ignore_patterns("node_modules"))
    dl4j_bridge.load(amp).export("onnx", tmp_path / "examples" / "browser" / "amp.onnx")
    soundfile.write(tmp_path / "examples" / "browser" / "dry.wav", np.zeros(1000), 22050, "PCM_16")
    page = (EXAMPLES.parent / "docs" / "plugins.md").read_text(encoding="utf-8")
    install, serve = re.findall(r"^(?:npm|python -m http).*$", page, re.M)
    subprocess.run(shlex.split(install), cwd=tmp_path, check=True)
    with subprocess.Popen([sys.executable, *shlex.split(serve)[1:]], cwd=tmp_path) as server:
        try:
            wait_for_port(8000)
            assert "at 22050 Hz" in played(browser, "http://localhost:8000", "?model=amp.onnx&wav=dry.wav")
        finally:
            server.terminate()


def wait_for_port(port: int) -> None:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"nothing listens at port {port}")


def test_another_rate_is_resampled(java, browser, address, site, amp):
    pytest.importorskip("onnx")
    model = dl4j_bridge.load(amp)
    model.export("onnx", site / "model.onnx", overwrite=True)
    soundfile.write(site / "x.wav", 0.5 * np.sin(np.arange(44100) / 50), 44100, "PCM_16")
    assert played(browser, address, "?model=model.onnx&wav=x.wav").startswith("1.0 s at 22050 Hz")


@pytest.mark.parametrize(
    ("model", "wav", "message"),
    [
        ("missing.onnx", "x.wav", "Error: missing.onnx: 404 File not found"),
        ("model.onnx", "index.html", "Error: this is no WAV file"),
        ("voice.onnx", "x.wav", "Error: this page plays models of --task frames or samples that have a target"),
    ],
)
def test_what_it_cannot_play_is_said(java, browser, address, site, amp, next_run, model, wav, message):
    pytest.importorskip("onnx")
    dl4j_bridge.load(amp).export("onnx", site / "model.onnx", overwrite=True)
    dl4j_bridge.load(next_run).export("onnx", site / "voice.onnx", overwrite=True)
    soundfile.write(site / "x.wav", np.zeros(1000), 22050, "PCM_16")
    assert played(browser, address, f"?model={model}&wav={wav}") == message


def test_without_onnxruntime_web_it_says_how_to_get_it(java, browser, address, site, amp):
    pytest.importorskip("onnx")
    dl4j_bridge.load(amp).export("onnx", site / "model.onnx", overwrite=True)
    soundfile.write(site / "x.wav", np.zeros(1000), 22050, "PCM_16")
    (site / "node_modules").rename(site / "away")
    try:
        assert played(browser, address, "?model=model.onnx&wav=x.wav").endswith("bring it with: npm install")
    finally:
        (site / "away").rename(site / "node_modules")
