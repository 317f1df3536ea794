"""The smallest DL4J program that learns the identity compiles, and learns what it does not learn as posted."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from dl4j_bridge import jars, jvm
from tests.conftest import EXAMPLES

PROGRAM = Path(__file__).parent.parent / "docs" / "IdentityThatConverges.java"
SMALL = ["hidden=64", "batch=8"]
# Far above the 2 to 3 % that the commonest class of the recording makes up, far below what the mended set-up reaches.
BOUND = 0.5
CONVERGED = 0.99


@pytest.fixture(scope="module")
def class_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """DL4J's jars, ours left out, and the compiled program."""
    folder = tmp_path_factory.mktemp("classes")
    theirs = [str(path) for path in jars.class_path() if path.name != jars.OURS]
    run(
        "javac", "-Xlint:all,-classfile,-path", "-Werror", "-cp", os.pathsep.join(theirs), "-d", str(folder),
        str(PROGRAM),
    )  # fmt: skip
    return os.pathsep.join([*theirs, str(folder)])


def run(program: str, *args: str) -> str:
    env = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_CORETYPE": jvm.openblas_core() or ""}
    if not env["OPENBLAS_CORETYPE"]:
        del env["OPENBLAS_CORETYPE"]
    command = [str(jvm.find_java().home / "bin" / program), *args]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def accuracies(class_path: str, *options: str, recording: str = "plucked_dry.wav") -> list[float]:
    said = run(
        "java", "-XX:+UseSerialGC", "-Xmx2g", "-cp", class_path, PROGRAM.stem, str(EXAMPLES / recording), *options
    )
    return [float(found) for found in re.findall(r"accuracy (\d\.\d+)", said)]


def test_it_learns_what_it_does_not_learn_as_posted(class_path):
    mended = accuracies(class_path, *SMALL, "batches=3")
    assert len(mended) == 3
    assert mended[-1] > BOUND, mended
    posted = accuracies(class_path, *SMALL, "batches=3", "--posted")
    assert max(posted) < BOUND, posted


@pytest.mark.slow
@pytest.mark.parametrize("recording", ["plucked_dry.wav", "speech_like.wav"])
def test_it_converges_at_full_size(class_path, recording):
    assert accuracies(class_path, "batches=5", recording=recording)[-1] > CONVERGED
