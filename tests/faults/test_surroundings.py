"""Broken surroundings get one line, and no traceback."""

import os
import resource
import shutil
import subprocess
import sys

import pytest

from tests.conftest import SMALL_NETWORK, command, run, run_ok

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits and names of Linux")


def processing(effect_run, recordings, tmp_path) -> list[object]:
    return ["process", "--model", effect_run, "--input", recordings[0], "--output", tmp_path / "y.wav"]


@pytest.mark.parametrize("variable", ["JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS"])
@pytest.mark.parametrize("options", ["-XX:+UseZGC", "-XX:+Nonsense", "-javaagent:/no/such.jar"])
def test_options_with_which_java_does_not_start(effect_run, recordings, tmp_path, variable, options):
    result = run(*processing(effect_run, recordings, tmp_path), env={variable: options})
    assert result.status == 1
    assert f"unset {variable}={options}" in result.error


def test_doctor_names_the_variable(tmp_path):
    result = run("doctor", "--json", env={"JAVA_TOOL_OPTIONS": "-XX:+UseZGC"})
    assert result.status == 1
    assert any("JAVA_TOOL_OPTIONS" in problem for problem in result.json["problems"])


def test_too_little_address_space(effect_run, recordings, tmp_path):
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))

    result = run(*processing(effect_run, recordings, tmp_path), preexec_fn=limit)
    assert result.status == 1
    assert "memory" in result.error or "ulimit" in result.error


def test_a_working_directory_that_is_gone(effect_run, recordings, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    args = [str(arg) for arg in command(*processing(effect_run, recordings, tmp_path))]
    program = f"import os, sys; os.rmdir({str(gone)!r}); os.execv(sys.executable, {args!r})"
    # A relative PYTHONPATH would trouble Python itself.
    env = os.environ | {"PYTHONPATH": os.path.abspath(os.environ.get("PYTHONPATH", ""))}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=gone, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 1), done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == 0 or "error: working directory: gone" in done.stderr


@pytest.mark.slow
def test_a_java_that_hangs_or_answers_nonsense_is_passed_over(tmp_path):
    for name, script in (("hangs", "sleep 1000"), ("odd", 'echo version \\"banana\\" >&2')):
        home = tmp_path / name
        (home / "bin").mkdir(parents=True)
        program = home / "bin" / "java"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        result = run("doctor", env={"JAVA_HOME": str(home)}, timeout=120)
        assert "Traceback" not in result.stderr
        assert "holds no Java" in result.stdout + result.stderr, name


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_closed_streams(effect_run, recordings, tmp_path, closed):
    args = " ".join(map(str, command(*processing(effect_run, recordings, tmp_path))))
    done = subprocess.run(["sh", "-c", f"{args} {closed}"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert (tmp_path / "y.wav").stat().st_size > 1000


def test_a_backend_that_matplotlib_does_not_know(effect_run, recordings, tmp_path):
    compare = ["compare", "--model", effect_run, "--input", recordings[0], "--target", recordings[1]]
    run_ok(*compare, "--plot", tmp_path / "bars.png", env={"MPLBACKEND": "nonsense"})


def test_a_name_that_is_not_utf_8(effect_run, recordings, tmp_path):
    name = os.fsdecode(bytes(tmp_path) + b"/caf\xe9.wav")
    shutil.copy(recordings[0], name)
    run_ok("process", "--model", effect_run, "--input", name, "--output", tmp_path / "y.wav")
    result = run("process", "--model", name, "--input", name, "--output", tmp_path / "z.wav")
    assert result.status == 2
    assert "not a model zip" in result.error


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--batch", 2_000_000_000), ("--threads", 2**31 - 1), ("--layers", 1000), ("--hidden", 20_000),
        ("--rate", 2**31 - 1), ("--tbptt", 2**31 - 1), ("--length", 2**31 - 1),
    ],
)  # fmt: skip
def test_numbers_beyond_any_machine(recordings, tmp_path, option, value):
    out = tmp_path / "run"
    result = run("train", "--input", recordings[0], "--target", recordings[1], "--out", out, option, value)
    assert result.status == 2
    assert result.error.startswith(f"error: {option}: {value}; wanted 1 to ")
    assert not out.exists()


def test_a_network_that_does_not_fit_into_memory(recordings, tmp_path):
    result = run(
        "train", "--input", recordings[0], "--target", recordings[1], "--out", tmp_path / "run",
        "--hidden", 16_000, "--layers", 60, "--batch", 1000,
    )  # fmt: skip
    assert result.status == 2
    assert "this network and batch need" in result.error
    assert not (tmp_path / "run").exists()


def test_a_diagnosis_without_a_place_for_its_report(recordings, tmp_path):
    (tmp_path / "runs").write_text("a file where the folder would be")
    diagnose = ["diagnose", "--input", recordings[0], "--target", recordings[1], "--quick", "--json", *SMALL_NETWORK]
    result = run(*diagnose, cwd=tmp_path)
    assert result.status in (0, 1)
    assert result.json["checks"]
    assert result.json["report"] is None
    assert result.stderr.splitlines()[0].startswith("note: no report will be written: runs: not a folder")


def test_a_network_that_has_diverged_writes_nothing(effect_run, recordings, tmp_path):
    """Weights that are finite and drive every output to the lowest class."""
    from tests.model.test_model_zip import rewritten

    def drive(name: str, content: bytes) -> bytes:
        # The last 256 numbers are the biases of the output layer.
        return content[:-1024] + b"\x44\x7a\x00\x00" + bytes(1020) if name == "coefficients.bin" else content

    model = rewritten(effect_run / "model.zip", tmp_path / "m.zip", drive)
    output = tmp_path / "out" / "y.wav"
    output.parent.mkdir()
    result = run("process", "--model", model, "--input", recordings[0], "--output", output)
    assert result.status == 1
    assert "every sample is at full scale" in result.error
    assert not list(output.parent.iterdir())
