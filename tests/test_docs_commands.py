"""Every command and every Python block of the pages is run, on small recordings of the names that the pages use.

What would take long is run shortened (`SHORTER`), and what cannot run here is in `SKIPPED`, with its reason. Pages
whose results are examined have a test of their own (`OWN_TESTS`).
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dl4j_bridge.demos import synthesis
from tests.conftest import EXAMPLES, SMALL_NETWORK, run_ok
from tests.test_docs import DOCS, ROOT, fenced, with_our_programs

PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md")), *sorted(DOCS.glob("lab/*.md"))]
OWN_TESTS = {
    "adopting.md": "tests/model/test_imports.py::test_the_page_can_be_followed_word_for_word",
    "java.md": "tests/test_java_page.py",
    "plugins.md": "tests/test_docs.py::test_the_page_on_plug_ins_can_be_followed",
    "python-api.md": "tests/test_python_api.py::test_the_guide_can_be_followed",
    "tutorial.md": "tests/test_docs.py::test_the_tutorial_can_be_followed_word_for_word",
}
SKIPPED = {
    r"^make ": "sets up the checkout, or runs this test; that the targets exist is tested in test_docs.py",
    r"^(python -m )?pip install|^npm ": "installs packages; tests/test_wheel.py installs the wheel",
    r"^docker ": "needs Docker; tests/test_image.py carries out the Dockerfile without it",
    r"--backend cuda": "needs an NVIDIA GPU",
    r"--list-devices|--input-device": "needs a sound card; tests/test_live_example.py has a stand-in",
    r"^ray |--cluster|/shared/|postgresql": "needs more machines or a database; see tests/jobs/test_search.py",
    r"--mlflow": "needs the extra mlflow",
    r"^dl4j-bridge batch": "needs a plan of the reader's captures; tests/jobs/test_batch.py has one",
    r"--iterator": "needs the reader's own Java class; tests/diagnostics/test_handover.py brings one",
}
SKIPPED_PYTHON = {
    "contributing.md": "part of a module; tests/tasks/test_own_task.py has all of it",
    "diagnostics.md": "needs the reader's own batches; tests/diagnostics/test_handover.py brings them",
    "opening-networks.md": "tests/test_docs.py::test_the_page_on_opening_networks_can_be_followed",
}
# A training ends after five steps, whatever limit the page gives.
SHORTER = [
    (r"--(minutes|steps|epochs) [\d.]+", ""),
    (r"^dl4j-bridge train .*", r"\g<0> --steps 5"),
    (r"^dl4j-bridge demo.*", r"\g<0> --minutes 0.05"),
    (r"^dl4j-bridge diagnose (?!.*--quick).*", r"\g<0> --quick"),
    (r"--(drift-seconds|seconds) [\d.]+", r"--\1 1"),
    (r"--trials \d+", "--trials 2"),
    (r"--workers \d+", "--workers 2"),
    (r"^dl4j-bridge search .*", r"\g<0> --minutes 0.2"),
    (r"--pretrain-steps \d+", "--pretrain-steps 3"),
    # Needs PyTorch, and trains its twin.
    (r" --pytorch\b", ""),
    # A benchmark takes minutes to hours, and its own recordings: here it must know the options.
    (r"^python benchmarks/.*", r"\g<0> --help"),
]
# The README's Python begins with what its text says, arrays included.
PRELUDE = "import dl4j_bridge, soundfile\nx, rate = soundfile.read('other.wav')\n"


def commands(page: Path) -> list[str]:
    """The commands in a page, one line each, without comments."""
    lines = "\n".join(fenced(page, "sh")).replace("\\\n", " ").splitlines()
    return [
        re.sub(r"\s+", " ", re.sub(r"(^|\s)#.*", "", line)).strip()
        for line in lines
        if shlex.split(line, comments=True)
    ]


def shortened(command: str) -> str:
    for pattern, replacement in SHORTER:
        command = re.sub(pattern, replacement, command)
    return command


def skipped(command: str) -> bool:
    return any(re.search(pattern, command) for pattern in SKIPPED)


@pytest.fixture(scope="module")
def kit(their_networks, tmp_path_factory) -> Path:
    """A folder with every recording and every model that a page names before it makes it."""
    folder = tmp_path_factory.mktemp("kit")
    dry = 0.8 * synthesis.plucked_strings(4, 11025)
    sounds = dict.fromkeys(["dry", "other", "riff", "guitar", "voice", "recordings/one", "recordings/two"], dry)
    sounds |= {
        "wet": np.tanh(2 * dry),
        "theirs": np.tanh(2 * dry),
    }
    # Long enough for windows of a thousand frames of 200 samples.
    sounds["song"] = np.tile(dry, 30)
    (folder / "recordings").mkdir()
    (folder / "runs").mkdir()
    for name, sound in sounds.items():
        soundfile.write(folder / f"{name}.wav", sound, 11025, "PCM_U8")
    pair = ["--input", folder / "dry.wav", "--target", folder / "wet.wav"]
    short = ["--steps", 5, "--no-report"]
    run_ok("train", *pair, "--out", folder / "runs" / "mine", *short, *SMALL_NETWORK)
    run_ok("train", *pair, "--task", "frames", "--preset", "plugin", "--out", folder / "runs" / "amp", *short)
    run_ok("train", *pair[:2], "--out", folder / "runs" / "voice", *short, *SMALL_NETWORK)
    run_ok("export", "--model", folder / "runs" / "amp", "--format", "nam", "--output", folder / "amp.nam")
    shutil.copy(their_networks / "graves77.zip", folder / "theirs.zip")
    (folder / "play.txt").write_text("To be, or not to be, that is the question. " * 50)
    plucked, rate = soundfile.read(EXAMPLES / "plucked_dry.wav")
    soundfile.write(folder / "echo.wav", plucked / 2 + np.roll(plucked, 20) / 4, rate, "PCM_U8")
    for name in ("examples", "benchmarks"):
        (folder / name).symlink_to(ROOT / name)
    return folder


@pytest.fixture
def place(kit, tmp_path) -> Path:
    shutil.copytree(kit, tmp_path / "place", symlinks=True)
    return tmp_path / "place"


PAGES_HERE = [page for page in PAGES if page.name not in OWN_TESTS]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="the pages' commands are a shell's")
@pytest.mark.parametrize("page", [page for page in PAGES_HERE if commands(page)], ids=lambda page: page.name)
def test_the_commands_of_a_page_work(page, place):
    env = with_our_programs(place / "bin")
    for command in commands(page):
        if skipped(command):
            continue
        # A page may make what the kit has for another page.
        for folder in re.findall(r"--out (\S+)", command):
            shutil.rmtree(place / folder, ignore_errors=True)
        for file in re.findall(r"--output (\S+)", command):
            (place / file).unlink(missing_ok=True)
        run = shortened(command)
        done = subprocess.run(["bash", "-ec", run], cwd=place, env=env, capture_output=True, text=True, check=False)
        # `diagnose` ends in 1 if it finds a fault, and these networks have hardly been trained.
        fine = (0, 1) if "diagnose" in run else (0,)
        assert done.returncode in fine, f"{run}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr
        if "benchmarks/" in run:
            for option in re.findall(r" (--[\w-]+)", command):
                assert option in done.stdout, (command, option)


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [page for page in PAGES_HERE if fenced(page, "python") and page.name not in SKIPPED_PYTHON],
    ids=lambda page: page.name,
)
def test_the_python_of_a_page_works(page, place):
    code = re.sub(r"(train\([^()]*)\)", r"\1, steps=5)", "\n".join([PRELUDE, *fenced(page, "python")]))
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], cwd=place, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, code + done.stderr


def test_commands_stand_in_blocks_that_name_their_language():
    """A block without a language is not run, so it must hold no commands."""
    for page in PAGES:
        for block in fenced(page, ""):
            assert re.findall(r"^(?:dl4j-bridge|python|pip|make|\./mvnw|npm|docker) .*", block, re.M) == [], page.name


def test_every_exception_is_needed():
    found = [command for page in PAGES_HERE for command in commands(page)]
    for pattern in SKIPPED:
        assert any(re.search(pattern, command) for command in found), pattern
    for pattern, _ in SHORTER:
        assert any(re.search(pattern, command) for command in found), pattern
    for page in SKIPPED_PYTHON:
        assert fenced(DOCS / page, "python"), page
    for page, test in OWN_TESTS.items():
        path, _, name = test.partition("::")
        assert f"def {name}" in (ROOT / path).read_text(encoding="utf-8"), page
        assert commands(DOCS / page) or fenced(DOCS / page, "python")


def test_what_is_shortened_stays_the_same_command():
    assert shortened("dl4j-bridge train --input a.wav --minutes 5 --out b") == (
        "dl4j-bridge train --input a.wav  --out b --steps 5"
    )
    assert shortened("dl4j-bridge generate --model m --seconds 60") == "dl4j-bridge generate --model m --seconds 1"
