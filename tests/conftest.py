"""Real parts for every test: the command in a process of its own, the JVM in this one, small trained networks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from dl4j_bridge.signal import audio_files

# As the command does, before NumPy is there.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from dl4j_bridge.demos import synthesis
from dl4j_bridge.java import installation, jars, jvm

EXAMPLES = Path(__file__).parent.parent / "examples"
# Java code that only tests and benchmarks need. It must be on the class path when the JVM starts.
jvm.configure(own_class_path=[EXAMPLES.parent / "target" / "test-classes"])
DATA = Path(__file__).parent / "data"
# A network that trains in seconds; what it learns does not matter. From a file, so that a test may change an option.
SMALL_NETWORK = ["--config", str(DATA / "small_network.toml")]
# For tests that do not look at the report.
SMALL = ["--config", str(DATA / "small.toml")]


# The number of cases of each test that makes them up: about 500 in all with `make test`, over 10,000 with
# `make test-full`.
_HYPOTHESIS = {"deadline": None, "suppress_health_check": list(HealthCheck), "database": None}
settings.register_profile("quick", max_examples=60, derandomize=True, **_HYPOTHESIS)
settings.register_profile("long", max_examples=1500, **_HYPOTHESIS)


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile("quick" if "not slow" in config.option.markexpr else "long")


@dataclass(frozen=True)
class Result:
    status: int
    stdout: str
    stderr: str

    @property
    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.stdout.strip().splitlines()[-1]))

    @property
    def error(self) -> str:
        """The one line that a user's mistake ends in; nothing else may look like an error."""
        lines = [line for line in self.stderr.splitlines() if line.startswith("error: ")]
        assert len(lines) == 1, self.stderr
        assert self.stderr.splitlines()[-1] == lines[0], self.stderr
        assert "Traceback" not in self.stderr
        return lines[0]


def command(*args: object) -> list[str]:
    return [sys.executable, "-m", "dl4j_bridge", *map(str, args)]


def run(*args: object, cwd: Path | None = None, env: dict[str, str] | None = None, **options: Any) -> Result:
    """Run a command as a user would."""
    done = subprocess.run(
        command(*args), cwd=cwd, env=os.environ | (env or {}), capture_output=True, text=True, check=False, **options
    )
    return Result(done.returncode, done.stdout, done.stderr)


def run_ok(*args: object, **options: Any) -> Result:
    result = run(*args, **options)
    assert result.status == 0, result.stderr
    return result


def network_of(folder: Path, name: str = "last.zip") -> dict[str, bytes]:
    """Parameters, updater state and carried state, byte by byte."""
    with zipfile.ZipFile(folder / name) as z:
        return {n: z.read(n) for n in z.namelist() if n != "dl4j_bridge.json"}


@pytest.fixture(scope="session")
def java() -> None:
    """The JVM in this process."""
    jvm.configure(threads=1)


@pytest.fixture(scope="session")
def their_networks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of zips that plain DL4J wrote, with what it computed with them; see TheirNetworks.java."""
    folder = tmp_path_factory.mktemp("theirs")
    theirs = os.pathsep.join(str(path) for path in jars.class_path() if path.name != jars.OURS)
    java = installation.find_java().home / "bin" / "java"
    program = Path(__file__).parent / "model" / "TheirNetworks.java"
    done = subprocess.run(
        [java, "-XX:+UseSerialGC", "-Xmx1g", "-cp", theirs, program, folder], env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Three seconds of plucked strings, dry and through the amplifier; 8-bit, 11025 Hz."""
    folder = tmp_path_factory.mktemp("recordings")
    sound = synthesis.plucked_strings(3)
    for name, samples in (("dry", sound), ("wet", synthesis.amplifier(sound))):
        audio_files.write(folder / f"{name}.wav", [samples], synthesis.CLASSIC_RATE, "PCM_U8")
    return folder / "dry.wav", folder / "wet.wav"


@pytest.fixture(scope="session")
def effect_run(recordings: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder of a network that turns dry into wet."""
    out = tmp_path_factory.mktemp("effect") / "run"
    run_ok(
        "train", "--input", recordings[0], "--target", recordings[1], "--out", out, "--steps", 40, *SMALL, "--report"
    )
    return out


@pytest.fixture(scope="session")
def next_run(recordings: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder of a network that predicts the next sample."""
    out = tmp_path_factory.mktemp("next") / "run"
    run_ok("train", "--input", recordings[0], "--out", out, "--steps", 40, *SMALL_NETWORK)
    return out


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
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
