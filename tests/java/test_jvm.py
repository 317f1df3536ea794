"""Java: every way in which it can be missing has its own error, and the JVM starts when something needs it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dl4j_bridge.errors import BridgeError
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
    found = problems({"JAVA_HOME": str(fake_java(tmp_path / "old", "1.8.0_312", release))})
    assert "version 1.8.0_312" in found
    assert "wanted 11 or later" in found


def test_java_without_its_library(tmp_path):
    assert "has no JVM library" in problems({"JAVA_HOME": str(fake_java(tmp_path / "jdk", "17.0.1"))})


def test_a_wrapper_on_the_path_is_skipped(tmp_path):
    """Such as those of jenv and asdf: they run, but have no library to load."""
    found = run("doctor", "--json").json["java"]["home"]
    wrapper = fake_java(tmp_path / "shim", "17.0.1", release=False) / "bin"
    env = {"PATH": f"{wrapper}:/usr/bin:/bin", "JAVA_HOME": ""}
    result = run("doctor", "--json", env=env)
    if result.status == 0:
        assert result.json["java"]["home"] != str(tmp_path / "shim")
    else:  # no other Java in the usual places
        assert "has no JVM library" in " ".join(result.json["problems"])
    assert found


def test_missing_jars_are_listed_with_the_command_that_fetches_them(tmp_path):
    found = problems({"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "DL4J_BRIDGE_CACHE": str(tmp_path)})
    assert "jars: missing " in found
    assert "and 28 more" in found
    assert "run: dl4j-bridge fetch" in found


def test_a_jvm_that_does_not_start_gives_the_reason():
    found = problems({"JAVA_TOOL_OPTIONS": "-XX:NoSuchOption=1"})
    assert "does not start" in found
    assert "NoSuchOption" in found


def test_a_command_that_starts_java_early_still_reports_a_bad_file_first(tmp_path):
    rubbish = tmp_path / "model.zip"
    rubbish.write_bytes(b"no zip")
    files = ("--model", rubbish, "--input", rubbish, "--output", tmp_path / "wet.wav")
    assert "not a model zip" in run("process", *files, env={"JAVA_HOME": str(tmp_path)}).error


def test_threads_change_in_a_running_jvm_and_other_settings_are_refused(java, tmp_path):
    from dl4j_bridge.java import jvm

    workers = jvm.java_class("dl4jbridge.fused.Workers")
    jvm.configure(threads=3)
    assert workers.threads() == 3
    jvm.configure()
    assert workers.threads() == 3
    jvm.configure(threads=1, backend="cpu", nd4j_threads=1)
    assert workers.threads() == 1
    with pytest.raises(BridgeError, match="already started with backend='cpu', nd4j_threads=1"):
        jvm.configure(threads=2, nd4j_threads=2)
    with pytest.raises(BridgeError, match="already started with backend='cpu', nd4j_threads=1"):
        jvm.configure(backend="cuda")
    with pytest.raises(BridgeError, match=f"already started without {tmp_path}"):
        jvm.configure(own_class_path=[tmp_path])
    assert workers.threads() == 1
    assert jvm.backend() == "cpu"


@pytest.mark.parametrize("arguments", [["-c", "import dl4j_bridge.api"], ["-m", "dl4j_bridge", "train", "--help"]])
def test_importing_and_help_do_not_start_the_jvm(arguments):
    # The option makes Java fail if anything starts it.
    env = os.environ | {"JAVA_TOOL_OPTIONS": "-XX:NoSuchOption=1"}
    subprocess.run([sys.executable, *arguments], env=env, capture_output=True, check=True)


def test_the_first_network_starts_the_jvm():
    assert (
        python("""
import jnius_config
from dl4j_bridge.java import jvm
from dl4j_bridge.java.interface import Interface
from dl4j_bridge.java.network import Network
from dl4j_bridge.settings.training import NetworkSettings
jvm.configure(threads=2)
assert not jnius_config.vm_running
Network.create(NetworkSettings(hidden=4), Interface.of_classes(256))
assert jnius_config.vm_running
print(jvm.java_class("dl4jbridge.fused.Workers").threads())
""")
        == "2\n"
    )


def test_settings_accumulate_until_the_start(tmp_path):
    assert (
        python(f"""
from pathlib import Path
from dl4j_bridge.java import jvm
jvm.configure(threads=3, nd4j_threads=2, own_class_path=[Path({str(tmp_path)!r})])
jvm.configure(nd4j_threads=1)
print(jvm.java_class("dl4jbridge.fused.Workers").threads())
print({str(tmp_path)!r} in jvm.java_class("java.lang.System").getProperty("java.class.path").split({os.pathsep!r}))
jvm.configure(own_class_path=[Path({str(tmp_path)!r})])
""")
        == "3\nTrue\n"
    )


def test_threads_that_need_the_jvm_at_the_same_time_share_one_start():
    assert (
        python("""
import threading
from dl4j_bridge.java import jvm
from dl4j_bridge.java.tensors import NativeArray
barrier, found = threading.Barrier(4), []
def work():
    barrier.wait()
    found.append(NativeArray.zeros((2, 3)).read().sum())
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(found), sum(found))
""")
        == "4 0.0\n"
    )


@pytest.mark.parametrize("call", ["configure(threads=1)", "java_class('java.lang.System')"])
def test_a_jvm_started_by_other_code_is_refused(call):
    assert "JVM: already started by other code; start another Python process" in python(f"""
import jnius
from dl4j_bridge.errors import BridgeError
from dl4j_bridge.java import jvm
try:
    jvm.{call}
except BridgeError as e:
    print(e)
""")


def test_a_start_that_failed_can_be_repeated(tmp_path):
    assert (
        python(f"""
import os
from dl4j_bridge.errors import BridgeError
from dl4j_bridge.java import jvm
home = os.environ.pop("JAVA_HOME", None)
os.environ["JAVA_HOME"] = {str(tmp_path)!r}
try:
    jvm.java_class("java.lang.System")
except BridgeError as e:
    print("holds no Java" in str(e))
del os.environ["JAVA_HOME"]
if home:
    os.environ["JAVA_HOME"] = home
print(jvm.java_class("java.lang.System").getProperty("java.version") is not None)
""")
        == "True\nTrue\n"
    )


def test_openmp_threads_are_set_before_its_library_loads():
    script = """
from dl4j_bridge.java import jvm
jvm.configure(nd4j_threads=2)
print(jvm.java_class("org.nd4j.linalg.factory.Nd4j").getEnvironment().maxThreads())
"""
    assert python(script) == "2\n"


@pytest.mark.parametrize("named", ["Haswell", "Nehalem"])
def test_the_environment_chooses_the_kernels_of_openblas(named):
    assert core({"DL4J_BRIDGE_OPENBLAS_CORETYPE": named, "OPENBLAS_CORETYPE": "Prescott"}) == named


def test_openblas_uses_the_kernels_of_this_cpu_despite_a_variable_meant_for_another_openblas():
    from dl4j_bridge.java import jvm

    wanted = jvm.openblas_core()
    if wanted is None:
        pytest.skip("a CPU for which the choice is left to OpenBLAS")
    assert core({"OPENBLAS_CORETYPE": "Nehalem"}) == wanted


def core(env: dict[str, str]) -> str:
    """The kernels that OpenBLAS reports on stderr when ND4J loads it."""
    script = "from dl4j_bridge.java import jvm; jvm.java_class('org.nd4j.linalg.factory.Nd4j').create(1)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"OPENBLAS_VERBOSE": "2"} | env,
        capture_output=True,
        text=True,
        check=True,
    )
    # NumPy's own OpenBLAS may report first.
    return re.findall(r"Core: (\w+)", done.stdout + done.stderr)[-1]


def python(script: str) -> str:
    """Run a script in a process of its own and return its stdout."""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_numpy_keeps_its_stack_beside_java():
    """OpenBLAS with several threads keeps more than a Java thread's usual stack on that of the main thread."""
    code = """
import numpy as np
from dl4j_bridge.java import jvm
jvm.java_class("java.lang.System")
matrix = np.random.default_rng(1).standard_normal((500, 500))
np.testing.assert_allclose(np.linalg.solve(matrix, matrix[:, 0])[:2], [1, 0], atol=1e-6)
"""
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "2"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
