"""A run whose files are damaged is refused, not resumed with other results."""

import io
import json
import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest

from dl4j_bridge.java import jvm
from tests.conftest import SMALL, SMALL_NETWORK, run, run_ok
from tests.model.test_model_zip import rewritten


def without(entry: str):
    return lambda name, content: None if name == entry else content


def with_content(entry: str, replacement: bytes):
    return lambda name, content: replacement if name == entry else content


def with_about(**changes: object):
    def change(name: str, content: bytes) -> bytes:
        if name != "dl4j_bridge.json":
            return content
        about = json.loads(content)
        for field, value in changes.items():
            about[field] = value
        return json.dumps({key: value for key, value in about.items() if value is not None}).encode()

    return change


def arrays(**values: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **values)
    return buffer.getvalue()


STATE = "dl4j_bridge_state.npz"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (without("updaterState.bin"), "no entry updaterState.bin to resume from"),
        (without(STATE), "has no 0/prevAct"),
        (with_content(STATE, b""), "damaged"),
        (with_content(STATE, arrays(**{"0/prevAct": np.zeros((1, 1), np.float32)})), "has no 0/prevAct"),
        (with_about(run_state=None), "has no run_state"),
        (with_about(run_state={"step": "x"}), "run_state"),
        (with_about(run_state={"step": -1}), "run_state"),
        (with_about(run_state=[]), "run_state"),
        (with_about(pairs=[{"input": 3}]), "pairs"),
        (with_about(rate=10**9), "rate 1000000000"),
        (with_about(rate=2**63), "rate 9223372036854775808"),
        (with_about(layers=[16, 17]), "layers"),
        (with_about(training={"step": 1, "valid": "x"}), "training"),
    ],
)
def test_a_damaged_last_zip(effect_run, tmp_path, change, words):
    folder = tmp_path / "run"
    shutil.copytree(effect_run, folder)
    rewritten(effect_run / "last.zip", folder / "last.zip", change)
    before = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
    result = run("train", folder, "--resume", "--steps", 50)
    assert result.status == 2
    assert words in result.error
    assert {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()} == before


@pytest.mark.parametrize(
    "content",
    [
        b"\x00\xff" * 50,
        b"1,2,3\n",
        b"step,bits\n1,0.5\n1,0.5\n",
        b"step\n" + b"9" * 200_000,
        b'step\n"',
        b"step,bits\nx,1\n",
    ],
    ids=["binary", "no header", "doubled", "huge", "open quote", "no number"],
)
def test_a_damaged_log(effect_run, tmp_path, content):
    folder = tmp_path / "run"
    shutil.copytree(effect_run, folder)
    (folder / "log.csv").write_bytes(content)
    result = run("train", folder, "--resume", "--steps", 50)
    assert result.status == 2
    assert "log.csv: not a log" in result.error
    assert (folder / "log.csv").read_bytes() == content


@pytest.mark.slow
def test_trainings_in_one_process_leave_no_memory(recordings, tmp_path, java):
    import dl4j_bridge

    options = {k.replace("-", "_"): v for k, v in tomllib.loads(Path(SMALL_NETWORK[1]).read_text()).items()}
    counts = []
    for number in range(4):
        dl4j_bridge.train(*recordings, out=tmp_path / str(number), steps=10, progress=False, **options)
        counts.append(int(jvm.java_class("org.bytedeco.javacpp.Pointer").totalCount()))
    assert counts[3] <= counts[1] + 10, counts


def test_a_folder_that_holds_only_what_a_killed_run_left_is_used(recordings, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    for name in (".lock", "run.json", "config.toml", "log.csv", f".dl4j_bridge-elsewhere-1-{'0' * 8}.zip"):
        (folder / name).write_bytes(b"")
    train = ["train", "--input", recordings[0], "--target", recordings[1], "--out", folder, "--steps", 2, *SMALL]
    run_ok(*train)
    assert Path(folder / "last.zip").exists()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").touch()
    train[train.index(folder)] = tmp_path / "other"
    assert "other files" in run(*train).error
