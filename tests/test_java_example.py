"""The smallest DL4J program that learns the identity compiles, and learns what it does not learn as posted."""

from __future__ import annotations

import os
import re
import subprocess
import zipfile
from pathlib import Path

import pytest

from dl4j_bridge.java import installation, jars, jvm
from tests.conftest import EXAMPLES

PROGRAM = Path(__file__).parent.parent / "docs" / "IdentityThatConverges.java"
SMALL = ["hidden=64", "batch=8"]
# Far above the 2 to 3 % that the commonest class of the recording makes up, far below what the corrected setup reaches.
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
    command = [str(installation.find_java().home / "bin" / program), *args]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def accuracies(class_path: str, *options: str, recording: str = "plucked_dry.wav") -> list[float]:
    said = run(
        "java", "-XX:+UseSerialGC", "-Xmx2g", "-cp", class_path, PROGRAM.stem, str(EXAMPLES / recording), *options
    )
    return [float(found) for found in re.findall(r"accuracy (\d\.\d+)", said)]


@pytest.mark.slow
def test_it_learns_what_it_does_not_learn_as_posted(class_path):
    corrected = accuracies(class_path, *SMALL, "batches=5")
    assert len(corrected) == 5
    assert corrected[-1] > BOUND, corrected
    posted = accuracies(class_path, *SMALL, "batches=3", "--posted")
    assert max(posted) < BOUND, posted


@pytest.mark.slow
@pytest.mark.parametrize("recording", ["plucked_dry.wav", "speech_like.wav"])
def test_it_converges_at_full_size(class_path, recording):
    assert accuracies(class_path, "batches=5", recording=recording)[-1] > CONVERGED


def test_the_fused_layers_train_in_a_java_program(tmp_path):
    """The program that docs/java.md shows: our layers in, DL4J's own layers out."""
    ours = os.pathsep.join(map(str, jars.class_path()))
    javac = ["javac", "-Xlint:all,-classfile,-path", "-Werror", "-cp", ours, "-d", str(tmp_path)]
    run(*javac, str(EXAMPLES / "FusedTraining.java"))
    said = run(
        "java", "-XX:+UseSerialGC", "-Xmx2g", "-cp", os.pathsep.join([ours, str(tmp_path)]), "FusedTraining",
        str(tmp_path / "model.zip"), "20",
    )  # fmt: skip
    scores = [float(found) for found in re.findall(r"score (\d+\.\d+)", said)]
    assert len(scores) == 20
    # Chance is 50 ln 256, and what has not been learnt stays there: the classes are drawn at random.
    assert scores[-1] < 0.9 * scores[0] < 0.9 * 280, scores
    with zipfile.ZipFile(tmp_path / "model.zip") as z:
        assert b"dl4jbridge" not in z.read("configuration.json")


def test_the_java_page_shows_lines_of_the_program():
    page = (PROGRAM.parent / "java.md").read_text(encoding="utf-8")
    program = (EXAMPLES / "FusedTraining.java").read_text(encoding="utf-8")
    shown = [block for block in re.findall(r"^```java\n(.*?)^```$", page, re.S | re.M) if block.startswith("        ")]
    assert len(shown) == 2
    assert all(block in program for block in shown)
