"""`docs/java.md` word for word: every block in it, in a copy of the checkout."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from dl4j_bridge.java import installation, jars
from tests.conftest import EXAMPLES, SMALL, run_ok

ROOT = EXAMPLES.parent
PAGE = (ROOT / "docs" / "java.md").read_text(encoding="utf-8")
SECTIONS = re.split(r"^## ", PAGE, flags=re.M)[1:]
# Statements on the page, each in a method of its own; `FusedTraining.java` has the indented ones.
FRAGMENTS = """
import java.io.File;
import dl4jbridge.fused.*;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;

public class Fragments {
METHODS
    public static void main(String[] args) throws Exception {
CALLS
    }
}
"""


def blocks(section: str) -> list[tuple[str, str]]:
    return re.findall(r"^```(sh|python|java)\n(.*?)^```$", section, re.S | re.M)


def test_every_language_of_the_page_is_covered():
    assert {language for language, _ in re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.S | re.M)} == {
        "java", "python", "sh", "xml",
    }  # fmt: skip
    pom = (ROOT / "pom.xml").read_text()
    for tag in ("groupId", "artifactId", "version"):
        (value,) = re.findall(rf"^  <{tag}>(.*)</{tag}>", PAGE, re.M)
        assert f"<{tag}>{value}</{tag}>" in pom


@pytest.fixture(scope="module")
def checkout(recordings: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the page needs, with a run whose target is neither late nor filtered."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("java", "examples", ".mvn"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("pom.xml", "mvnw", "LICENSE", "THIRD_PARTY.md"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "runs").mkdir()
    run_ok(
        "train", "--input", recordings[0], "--target", recordings[1], "--align", "0", "--steps", 10,
        "--out", folder / "runs" / "mine", *SMALL,
    )  # fmt: skip
    sound, rate = soundfile.read(recordings[0])
    soundfile.write(folder / "dry.wav", sound, rate, "PCM_U8")
    shutil.copy(folder / "runs" / "mine" / "last.zip", folder / "last.zip")
    return folder


def environment(folder: Path) -> dict[str, str]:
    """Java and Python of this process, and a repository of Maven's own that reads from the user's."""
    programs = [str(installation.find_java().home / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
    home = Path.home() / ".m2" / "repository"
    return os.environ | {
        "PATH": os.pathsep.join(programs),
        "PYTHONPATH": str(ROOT),
        "MAVEN_ARGS": f"-B -q -Dmaven.repo.local={folder / 'm2'} -Dmaven.repo.local.tail={home}",
    }


def run_section(section: str, folder: Path) -> None:
    """Run the sh and Python blocks of a section in their order; its Python blocks are one program."""
    program = ["import subprocess"]
    for language, text in blocks(section):
        if language == "sh":
            program.append(f"subprocess.run(['bash', '-ec', {text!r}], check=True)")
        elif language == "python":
            program.append(text)
        elif match := re.search(r"^public class (\w+)", text, re.M):
            (folder / f"{match[1]}.java").write_text(text)
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(program)],
        cwd=folder, env=environment(folder), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="the page's commands are a shell's")
def test_the_page_can_be_followed_word_for_word(checkout):
    """With Maven, in the order of the page."""
    kinds = []
    for section in SECTIONS:
        run_section(section, checkout)
        kinds += [language for language, _ in blocks(section)]
    assert kinds.count("sh") >= 4
    assert kinds.count("python") >= 5
    assert (checkout / "model.zip").exists()


def test_arrays_and_classes_of_ones_own(checkout):
    """The sections that need no Maven."""
    (checkout / "target").mkdir(exist_ok=True)
    theirs = [str(path) for path in jars.class_path() if path.name != jars.OURS]
    (checkout / "target" / "cpu.classpath").write_text(os.pathsep.join(theirs))
    wanted = ("Arrays between NumPy and ND4J", "Your own classes")
    found = [section for section in SECTIONS if section.startswith(wanted)]
    assert len(found) == len(wanted)
    for section in found:
        run_section(section, checkout)


def test_the_lines_of_java_compile_and_run(checkout):
    fragments = [
        text
        for section in SECTIONS
        for language, text in blocks(section)
        if language == "java" and not text.startswith(("package", "        "))
    ]
    assert len(fragments) == 2
    methods = [f"static void part{n}() throws Exception {{\n{text}}}" for n, text in enumerate(fragments)]
    calls = [f"part{n}();" for n in range(len(fragments))]
    program = FRAGMENTS.replace("METHODS", "\n".join(methods)).replace("CALLS", "\n".join(calls))
    (checkout / "Fragments.java").write_text(program)
    class_path = os.pathsep.join(map(str, jars.class_path()))
    java = installation.find_java().home / "bin" / "java"
    done = subprocess.run(
        [java, "-cp", class_path, "Fragments.java"], cwd=checkout, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
