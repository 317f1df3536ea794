"""Java starts from an archive of DL4J's classes where it can, and without one where it cannot."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from filelock import FileLock

from dl4j_bridge.java import jars, startup_archive
from dl4j_bridge.java.installation import Java
from tests.conftest import run, run_ok

START = "from dl4j_bridge.java import jvm; jvm.java_class('org.nd4j.linalg.factory.Nd4j').create(1)"


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A cache folder with an archive in it."""
    folder = tmp_path_factory.mktemp("cache")
    found = run_ok("fetch", "--json", env={"DL4J_BRIDGE_CACHE": str(folder)}).json
    assert found["archive"].startswith(str(folder))
    assert found["fetched"] == []
    return folder


def loaded_from(tmp_path, env):
    """Return the line of Java's log that tells where ND4J's class was loaded from."""
    log = tmp_path / "classes.log"
    asked = os.environ | env | {"JAVA_TOOL_OPTIONS": f"-Xlog:class+load=info:file={log}"}
    subprocess.run([sys.executable, "-c", START], env=asked, check=True, capture_output=True)
    return next(line for line in log.read_text().splitlines() if " org.nd4j.linalg.factory.Nd4j " in line)


def test_classes_come_from_the_archive(cache, tmp_path):
    env = {"DL4J_BRIDGE_CACHE": str(cache)}
    assert "shared objects file" in loaded_from(tmp_path, env)
    assert "nd4j-api" in loaded_from(tmp_path, env | {startup_archive.SWITCH: "0"})


def test_the_stored_libraries_are_those_that_javacpp_finds(cache):
    code = f"""{START}
import jnius
libraries = jnius.autoclass("org.bytedeco.javacpp.Loader").getLoadedLibraries()
print(sorted(libraries.keySet().toArray()))
"""
    found = [
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"DL4J_BRIDGE_CACHE": str(cache)} | switch,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for switch in ({}, {startup_archive.SWITCH: "0"})
    ]
    assert found[0] == found[1]
    assert "jnind4jcpu" in found[0]


def test_a_second_start_makes_no_second_archive(cache):
    before = sorted(startup.stat().st_mtime_ns for startup in (cache / "startup").glob("*.jsa"))
    run_ok("fetch", env={"DL4J_BRIDGE_CACHE": str(cache)})
    assert sorted(startup.stat().st_mtime_ns for startup in (cache / "startup").glob("*.jsa")) == before


@pytest.mark.parametrize("damage", ["cut", "no archive", "other libraries"])
def test_a_damaged_archive_is_ignored(cache, tmp_path, damage):
    whole = next((cache / "startup").glob("*.jsa"))
    content, found = whole.read_bytes(), startup_archive.libraries(whole).read_bytes()
    if damage == "cut":
        content = content[: len(content) // 2]
    elif damage == "no archive":
        content = os.urandom(len(content))
    else:
        found = b"openblas\tno URL\n\xff"
    (tmp_path / "startup").mkdir()
    (tmp_path / "startup" / whole.name).write_bytes(content)
    (tmp_path / "startup" / startup_archive.libraries(whole).name).write_bytes(found)
    result = run("doctor", "--json", env={"DL4J_BRIDGE_CACHE": str(tmp_path)})
    assert result.status == 0, result.stderr
    assert result.json["ok"]


@pytest.fixture
def asked(tmp_path, monkeypatch):
    monkeypatch.setenv("DL4J_BRIDGE_CACHE", str(tmp_path / "cache"))
    home = tmp_path / "jdk"
    (home / "bin").mkdir(parents=True)
    program = home / "bin" / "java"
    program.write_text(f"#!/bin/sh\necho x >> {tmp_path}/called\nexit 1\n")
    program.chmod(0o755)
    return Java(home, "17.0.1", "a test"), jars.class_path(), ["-Xrs"]


def test_a_java_that_cannot_make_an_archive_is_run_once(asked, tmp_path):
    assert startup_archive.get_or_make(*asked) is None
    assert startup_archive.get_or_make(*asked) is None
    assert (tmp_path / "called").read_text() == "x\n"


@pytest.mark.parametrize("quiet", [False, True])
def test_quiet_does_not_mention_the_archive(asked, caplog, capsys, quiet):
    caplog.set_level(logging.ERROR if quiet else logging.WARNING, "dl4j_bridge")
    startup_archive.get_or_make(*asked)
    assert capsys.readouterr().err == ("" if quiet else "preparing Java for quicker starts, once\n")


def test_a_start_does_not_wait_for_an_archive_that_another_process_makes(asked):
    place = startup_archive.folder()
    place.mkdir(parents=True)
    with FileLock(place / f"{startup_archive._key(*asked)}.lock"):
        began = time.monotonic()
        assert startup_archive.get_or_make(*asked) is None
        assert time.monotonic() - began < 30
    assert not list(place.glob("*.jsa"))


def test_java_starts_without_an_archive_if_the_cache_cannot_be_written(asked, tmp_path):
    (tmp_path / "cache").write_text("a file in its place")
    assert startup_archive.get_or_make(*asked) is None


def test_another_java_another_jar_or_another_option_has_an_archive_of_its_own(asked, tmp_path):
    java, class_path, options = asked
    other = tmp_path / "other.jar"
    other.write_bytes(b"")
    keys = {
        startup_archive._key(*changed)
        for changed in (
            asked,
            (replace(java, home=java.home / "x"), class_path, options),
            (replace(java, version="17.0.2"), class_path, options),
            (java, [*class_path, other], options),
            (java, class_path, [*options, "-Xmx1g"]),
        )
    }
    assert len(keys) == 5


def test_only_the_newest_archives_are_kept(tmp_path):
    for number in range(5):
        path = tmp_path / f"{number}.7.jsa"
        path.touch()
        os.utime(path, (number, number))
    startup_archive._delete_old(tmp_path)
    assert sorted(path.name[0] for path in tmp_path.glob("*.jsa")) == ["2", "3", "4"]


def test_preparing_starts_no_jvm(cache):
    code = "from dl4j_bridge.java import jvm; import jnius_config; jvm.prepare(); assert not jnius_config.vm_running"
    subprocess.run([sys.executable, "-c", code], env=os.environ | {"DL4J_BRIDGE_CACHE": str(cache)}, check=True)
