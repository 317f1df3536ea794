"""Every way in which Java can be missing has its own line."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import run


def fake_java(home: Path, version: str, release: bool = True) -> Path:
    (home / "bin").mkdir(parents=True)
    program = home / "bin" / "java"
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
    program.chmod(0o755)
    if release:
        (home / "release").write_text(f'JAVA_VERSION="{version}"\n')
    return home


def problems(env: dict[str, str]) -> str:
    result = run("doctor", "--json", env=env)
    assert result.status == 1
    assert result.json["ok"] is False
    return " ".join(result.json["problems"])


def test_java_home_without_java(tmp_path):
    assert f"JAVA_HOME: {tmp_path} holds no Java" in problems({"JAVA_HOME": str(tmp_path)})


@pytest.mark.parametrize("release", [True, False])
def test_java_that_is_too_old(tmp_path, release):
    said = problems({"JAVA_HOME": str(fake_java(tmp_path / "old", "1.8.0_312", release))})
    assert "version 1.8.0_312" in said
    assert "wanted 11 or later" in said


def test_java_without_its_library(tmp_path):
    assert "has no JVM library" in problems({"JAVA_HOME": str(fake_java(tmp_path / "jdk", "17.0.1"))})


def test_a_wrapper_on_the_path_is_passed_over(tmp_path):
    """As jenv and asdf put one there: it runs, but has no library to load."""
    found = run("doctor", "--json").json["java"]["home"]
    wrapper = fake_java(tmp_path / "shim", "17.0.1", release=False) / "bin"
    env = {"PATH": f"{wrapper}:/usr/bin:/bin", "JAVA_HOME": ""}
    result = run("doctor", "--json", env=env)
    if result.status == 0:
        assert result.json["java"]["home"] != str(tmp_path / "shim")
    else:  # no other Java in the usual places
        assert "has no JVM library" in " ".join(result.json["problems"])
    assert found


def test_missing_jars_are_named_with_the_command_that_brings_them(tmp_path):
    said = problems({"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "DL4J_BRIDGE_CACHE": str(tmp_path)})
    assert "jars: missing " in said
    assert "and 33 more" in said
    assert "run: dl4j-bridge fetch" in said


def test_a_jvm_that_does_not_start_says_why():
    said = problems({"JAVA_TOOL_OPTIONS": "-XX:NoSuchOption=1"})
    assert "did not start" in said
    assert "NoSuchOption" in said


def test_starting_again_sets_the_threads_and_refuses_what_cannot_change(java):
    from dl4j_bridge.errors import BridgeError
    from dl4j_bridge.java import jvm

    workers = jvm.java_class("dl4jbridge.fused.Workers")
    jvm.start(threads=3)
    assert workers.threads() == 3
    jvm.start()
    assert workers.threads() == 1
    with pytest.raises(BridgeError, match="already started with backend='cpu', nd4j_threads=1"):
        jvm.start(nd4j_threads=2)


def test_openmp_is_told_before_its_library_loads():
    script = (
        "from dl4j_bridge import jvm; jvm.start(nd4j_threads=2); "
        "N = jvm.java_class('org.nd4j.linalg.factory.Nd4j'); print(N.getEnvironment().maxThreads())"
    )
    assert int(python(script).split()[-1]) == 2


@pytest.mark.parametrize("named", ["Haswell", "Nehalem"])
def test_openblas_takes_the_kernels_that_its_variable_names(named):
    assert core({"DL4J_BRIDGE_OPENBLAS_CORETYPE": named, "OPENBLAS_CORETYPE": "Prescott"}) == named


def test_openblas_takes_the_kernels_of_this_cpu_whatever_is_meant_for_another_openblas():
    from dl4j_bridge.java import jvm

    wanted = jvm.openblas_core()
    if wanted is None:
        pytest.skip("a CPU for which the choice is left to OpenBLAS")
    assert core({"OPENBLAS_CORETYPE": "Nehalem"}) == wanted


def core(env: dict[str, str]) -> str:
    """What OpenBLAS says of itself on stderr when ND4J loads it."""
    script = "from dl4j_bridge import jvm; jvm.start(); jvm.java_class('org.nd4j.linalg.factory.Nd4j').create(1)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"OPENBLAS_VERBOSE": "2"} | env,
        capture_output=True,
        text=True,
        check=True,
    )
    # NumPy's own OpenBLAS may speak first.
    said = re.findall(r"Core: (\w+)", done.stdout + done.stderr)
    return said[-1]


def python(script: str) -> str:
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
