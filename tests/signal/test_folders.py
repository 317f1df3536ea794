"""Folders of many recordings: their samples are those of the files, and nothing is read that is not needed."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dl4j_bridge.errors import BridgeError, InputError
from dl4j_bridge.jobs import large_folders
from dl4j_bridge.model import model_zip
from dl4j_bridge.signal import audio_files, folders
from dl4j_bridge.signal.pairs import open_pair, part
from dl4j_bridge.signal.windows import Windows, shuffled
from dl4j_bridge.tasks import registry
from tests.conftest import SMALL_NETWORK, run, run_ok

RATE = 8000


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def made(folder: Path, count: int, seconds: float = 0.25, rate: int = RATE) -> dict[str, np.ndarray]:
    """Write recordings of increasing length, in two folders; returns their samples by relative path, sorted."""
    rng = np.random.default_rng(1)
    content = {}
    for number in range(count):
        name = f"{'ab'[number % 2]}/{number:05}.wav"
        samples = 0.3 * np.sin(np.arange(round(seconds * rate) + number) * rng.uniform(0.05, 0.3))
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        audio_files.write(folder / name, [samples], rate, "PCM_16")
        content[name] = soundfile.read(folder / name, dtype="float32")[0]
    return dict(sorted(content.items()))


@pytest.fixture
def many(monkeypatch) -> int:
    monkeypatch.setattr(folders, "MANY", 20)
    return 30


def test_samples_from_anywhere_are_those_of_the_files(many, tmp_path):
    content = made(tmp_path / "x", many)
    found = folders.open_folder(tmp_path / "x")
    excerpt = np.concatenate(list(content.values())[::2])
    rest = np.concatenate(list(content.values())[1::2])
    assert np.array_equal(found.read(RATE), excerpt)
    assert len(found.rest) == rest.size
    for start, end in ((0, 10), (1990, 2010), (3000, 9000), (rest.size - 5, rest.size), (7, 7)):
        assert np.array_equal(found.rest.read(start, end), rest[start:end])


@pytest.mark.parametrize("options", [{"pre_emphasis": 0.9}, {"task": "frames", "predict": "next", "frame": 3}])
def test_windows_are_those_of_one_long_recording(many, tmp_path, options):
    content = made(tmp_path / "x", many)
    settings = registry.train_settings(options | {"length": 50, "tbptt": 25, "batch": 4}, False)
    pair = open_pair(tmp_path / "x", None, settings.data)
    task = registry.choose(settings, [pair])
    (rest,) = large_folders.rest_of([pair], task, settings)
    audio_files.write(tmp_path / "rest.wav", [np.concatenate(list(content.values())[1::2])], RATE, "FLOAT")
    whole = replace(open_pair(tmp_path / "rest.wav", None, settings.data), notes=())
    x, y = task.signals(whole)
    assert len(rest[0]) == len(rest[1]) == len(x)
    for start in (0, 1, 1990 // task.hop, len(x) - 50):
        assert np.array_equal(rest[0][start : start + 50], x[start : start + 50])
        assert np.array_equal(rest[1][start : start + 50], y[start : start + 50])
    excerpt = part(task.signals(pair), "train")
    lazy, eager = (Windows([excerpt, other], 50, 4, 1) for other in (rest, (x, y)))
    for number in range(20):
        assert all(map(np.array_equal, lazy.batch(number), eager.batch(number)))


def test_headers_are_read_once_and_again_where_a_file_changed(many, tmp_path, monkeypatch):
    made(tmp_path / "x", many)
    opened = []
    monkeypatch.setattr(folders, "_header", lambda path, real=folders._header: opened.append(path.name) or real(path))
    first = folders.open_folder(tmp_path / "x")
    assert len(opened) == many
    opened.clear()
    assert folders.open_folder(tmp_path / "x").sha256() == first.sha256()
    assert opened == []
    audio_files.write(tmp_path / "x" / "a" / "00004.wav", [np.full(9000, 0.1)], RATE, "PCM_16")
    (tmp_path / "x" / "b" / "00001.wav").unlink()
    changed = folders.open_folder(tmp_path / "x")
    assert opened == ["00004.wav"]
    assert changed.sha256() != first.sha256()
    assert changed.frames + len(changed.rest) == first.frames + len(first.rest) + 9000 - 2004 - 2001
    # A damaged index is made again.
    (index,) = (tmp_path / "cache").rglob("*.npz")
    index.write_bytes(b"PK")
    assert folders.open_folder(tmp_path / "x").sha256() == changed.sha256()
    assert len(opened) == many


def test_other_files_are_left_out_and_said(many, tmp_path):
    made(tmp_path / "x", many)
    made(tmp_path / "x" / "other", 3, rate=11025)
    (tmp_path / "x" / "bad.wav").write_text("no sound")
    (tmp_path / "x" / "words.txt").write_text("la")
    found = folders.open_folder(tmp_path / "x")
    assert found.rate == RATE
    assert any("30 recordings, read as they are needed" in note for note in found.notes)
    assert any("4 left out" in note for note in found.notes)


def test_what_changes_or_is_damaged_later_is_named(many, tmp_path):
    made(tmp_path / "x", many)
    found = folders.open_folder(tmp_path / "x")
    second = tmp_path / "x" / str(found.rest.headers.names[0])
    audio_files.write(second, [np.full(100, 0.1)], RATE, "PCM_16")
    with pytest.raises(BridgeError, match=r"ends \d+ frames early"):
        found.rest.read(0, 500)
    second.unlink()
    with pytest.raises(BridgeError, match="not readable"):
        found.rest.read(0, 500)
    with pytest.raises(InputError, match="without readable recordings"):
        folders.open_folder(tmp_path / "cache")


def test_a_shuffle_without_a_list_is_a_permutation():
    for count in (1, 2, 5, 1000, 1025):
        found = [shuffled(index, count, (1, 2)) for index in range(count)]
        assert sorted(found) == list(range(count))
    other = [shuffled(index, 1000, (1, 3)) for index in range(1000)]
    found = [shuffled(index, 1000, (1, 2)) for index in range(1000)]
    assert found != other
    # As mixed as a shuffle is: neighbours are a third of the length apart.
    assert np.abs(np.diff(found)).mean() == pytest.approx(333, rel=0.1)


def test_long_epochs_have_each_window_once(monkeypatch):
    monkeypatch.setattr("dl4j_bridge.signal.windows.LISTED", 10)
    at = np.arange(1003)
    windows = Windows([(at[:503], at[:503]), (at[503:], at[503:])], 10, 5, 1)
    seen = np.concatenate([windows.batch(number)[0] for number in range(20)])
    assert windows.per_epoch == 100
    assert len(np.unique(seen)) == seen.size == 1000
    assert sorted(seen[:, 0].tolist()) != seen[:, 0].tolist()
    other = np.concatenate([windows.batch(number)[0] for number in range(20, 40)])
    assert not np.array_equal(other, seen)


@pytest.mark.slow
def test_a_run_with_a_large_folder_can_be_resumed(tmp_path):
    made(tmp_path / "x", folders.MANY + 1)
    common = [*SMALL_NETWORK, "--no-report", "--steps"]
    for out, steps in (("whole", 12), ("parts", 6)):
        result = run_ok("train", "--input", tmp_path / "x", "--out", tmp_path / out, *common, steps)
        assert "1,001 recordings, read as they are needed" in result.stderr
    run_ok("train", tmp_path / "parts", "--resume", "--steps", 12)
    whole, parts = (model_zip.open_model(tmp_path / out / "last.zip") for out in ("whole", "parts"))
    assert [str(tmp_path / "x")] == [pair.input.path for pair in parts.info.pairs]
    np.testing.assert_array_equal(whole.info.run_state.step, parts.info.run_state.step)
    refused = run("train", "--input", tmp_path / "x", "--out", tmp_path / "no", *SMALL_NETWORK, "--rate", 4000)
    assert "a large folder is not resampled" in refused.error


# Opens a folder in a process of its own; prints how many files it opened, and its memory in KB beyond the imports.
OPENED = """
import resource, sys
from pathlib import Path
from dl4j_bridge.signal import folders
folders.header_of(Path(sys.argv[2])).close()
count = 0
real = folders.header_of
def counted(path):
    global count
    count += 1
    return real(path)
folders.header_of = counted
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = folders.open_folder(Path(sys.argv[1]))
for start in range(0, len(found.rest) - 100, len(found.rest) // 50):
    found.rest.read(start, start + 100)
print(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, len(found.rest.headers.names))
"""


@pytest.mark.slow
def test_100_000_files_open_from_their_index_with_little_memory(tmp_path):
    count, folder = 100_000, tmp_path / "x"
    folder.mkdir()
    audio_files.write(tmp_path / "one.wav", [np.full(400, 0.1)], RATE, "PCM_16")
    content = (tmp_path / "one.wav").read_bytes()
    for number in range(count):
        (folder / f"{number}.wav").write_bytes(content)
    words = [sys.executable, "-c", OPENED, str(folder), str(tmp_path / "one.wav")]
    found = []
    for _ in range(2):
        done = subprocess.run(words, capture_output=True, text=True, check=True, env=os.environ)
        found.append([int(value) for value in done.stdout.split()])
    # The second time only what is read is opened: the excerpt and 50 windows.
    excerpt = count - found[1][2]
    assert found[0][0] > count
    assert found[1][0] <= excerpt + 100
    assert all(kilobytes < 300_000 for _, kilobytes, _ in found)
