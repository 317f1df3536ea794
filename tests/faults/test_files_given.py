"""What is read is a regular file of a limited size; what is written replaces nothing unasked."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import command, run, run_ok

pytestmark = pytest.mark.skipif(os.name == "nt", reason="FIFOs, links and signals of Unix")


@pytest.fixture
def fifo(tmp_path) -> Path:
    path = tmp_path / "fifo.wav"
    os.mkfifo(path)
    return path


def test_a_fifo_or_a_device_is_refused_and_not_waited_for(fifo, effect_run, recordings, tmp_path):
    output = tmp_path / "y.wav"
    for args in (
        ["info", fifo],
        ["info", "/dev/zero"],
        ["train", "--config", fifo],
        ["train", "--config", "/dev/zero"],
        ["train", "--input", fifo],
        ["process", "--model", effect_run, "--input", fifo, "--output", output],
        ["process", "--model", fifo, "--input", recordings[0], "--output", output],
        ["process", "--model", effect_run, "--input", recordings[0], "--output", fifo],
        ["diagnose", "--input", fifo],
    ):
        result = run(*args, timeout=60)
        assert result.status == 2, args
        assert "FIFO" in result.error or "device" in result.error, args


def test_standard_output_is_refused_by_name(effect_run, recordings, tmp_path):
    result = run("process", "--model", effect_run, "--input", recordings[0], "--output", "-", cwd=tmp_path)
    assert result.status == 2
    assert "standard output" in result.error
    assert not list(tmp_path.iterdir())


def test_an_existing_output_is_replaced_only_if_asked(effect_run, next_run, recordings, tmp_path):
    output, plot, wavs = tmp_path / "y.wav", tmp_path / "bars.png", tmp_path / "wavs"
    compare = ["compare", "--model", effect_run, "--input", recordings[0], "--target", recordings[1]]
    for args, file in (
        (["process", "--model", effect_run, "--input", recordings[0], "--output", output], output),
        (["generate", "--model", next_run, "--output", output, "--seconds", 0.1], output),
        ([*compare, "--plot", plot], plot),
        ([*compare, "--wavs", wavs], wavs / "model.wav"),
    ):
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"mine")
        refused = run(*args)
        assert refused.status == 2, args
        assert "--overwrite" in refused.error
        assert str(file) in refused.error
        assert file.read_bytes() == b"mine"
        run_ok(*args, "--overwrite")
        assert file.stat().st_size > 100


def test_an_input_is_never_replaced(effect_run, recordings, tmp_path):
    dry = Path(shutil.copy(recordings[0], tmp_path / "dry.wav"))
    content = dry.read_bytes()
    link, hard = tmp_path / "link.wav", tmp_path / "hard.wav"
    link.symlink_to(dry)
    hard.hardlink_to(dry)
    for output in (dry, link, hard):
        result = run("process", "--model", effect_run, "--input", dry, "--output", output, "--overwrite")
        assert result.status == 2
        assert "the same file as the input" in result.error
        assert dry.read_bytes() == content


def test_an_output_that_is_a_link_is_followed(effect_run, recordings, tmp_path):
    target, link = tmp_path / "elsewhere" / "real.wav", tmp_path / "y.wav"
    target.parent.mkdir()
    link.symlink_to(target)
    process = ["process", "--model", effect_run, "--input", recordings[0], "--output", link]
    run_ok(*process)
    assert link.is_symlink()
    assert target.stat().st_size > 1000
    assert run(*process).status == 2
    run_ok(*process, "--overwrite")
    assert link.is_symlink()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_command_that_is_ended_says_so_and_leaves_nothing(next_run, tmp_path, number):
    args = ["generate", "--model", next_run, "--output", tmp_path / "y.wav", "--seconds", 3000]
    # A process that was started in the background of a shell ignores Ctrl-C, and so would its children.
    process = subprocess.Popen(
        command(*args),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".dl4j_bridge-*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert stderr.splitlines()[-1] == "error: interrupted"
    assert not list(tmp_path.iterdir())


def test_what_a_killed_command_left_goes_with_the_next(effect_run, recordings, tmp_path):
    from dl4j_bridge import atomic_files

    ended = subprocess.Popen(["true"])
    ended.wait()
    abandoned = tmp_path / f".dl4j_bridge-{atomic_files._host()}-{ended.pid}-0123abcd.wav"
    running = tmp_path / f".dl4j_bridge-{atomic_files._host()}-{os.getpid()}-0123abcd.wav"
    elsewhere = tmp_path / f".dl4j_bridge-another.host-{ended.pid}-0123abcd.wav"
    for file in (abandoned, running, elsewhere):
        file.touch()
    run_ok("process", "--model", effect_run, "--input", recordings[0], "--output", tmp_path / "y.wav")
    assert not abandoned.exists()
    assert running.exists()
    assert elsewhere.exists()
