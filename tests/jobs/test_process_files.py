"""`process` with several recordings: each is as it is alone, and a bad one keeps none of the others from it."""

import json
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile

import dl4j_bridge
from dl4j_bridge.atomic_files import is_temporary
from dl4j_bridge.errors import InputError
from dl4j_bridge.jobs.process_files import process_files
from dl4j_bridge.settings.commands import ProcessSettings
from tests.conftest import command, run


@pytest.fixture
def songs(recordings, tmp_path):
    """A folder of recordings, with a bad one and a file that is none."""
    (tmp_path / "songs" / "live").mkdir(parents=True)
    shutil.copy(recordings[0], tmp_path / "songs" / "a.wav")
    shutil.copy(recordings[1], tmp_path / "songs" / "live" / "a.wav")
    (tmp_path / "songs" / "bad.wav").write_text("no audio")
    (tmp_path / "songs" / "words.txt").write_text("la la")
    return tmp_path / "songs"


def test_a_bad_file_is_reported_at_the_end_and_loses_none(songs, recordings, effect_run, tmp_path, java):
    out, gone = tmp_path / "out", tmp_path / "gone.wav"
    shutil.copy(recordings[0], tmp_path / "other.wav")
    args = ["--input", songs, "--input", gone, "--input", tmp_path / "other.wav", "--output", out, "--json"]
    result = run("process", "--model", effect_run, *args)
    assert result.status == 1
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert errors == result.stderr.splitlines()[-2:]
    assert str(songs / "bad.wav") in errors[0]
    assert errors[1] == f"error: {gone}: no such file; wanted a recording"
    assert [failed["input"] for failed in result.json["failed"]] == [str(songs / "bad.wav"), str(gone)]
    written = {str(p.relative_to(out)) for p in out.rglob("*") if p.is_file()}
    assert written == {"a.wav", "live/a.wav", "other.wav"}
    assert result.json["samples"] == sum(one["samples"] for one in result.json["outputs"])
    dl4j_bridge.process(effect_run, songs / "live" / "a.wav", tmp_path / "alone.wav")
    assert (out / "live" / "a.wav").read_bytes() == (tmp_path / "alone.wav").read_bytes()
    assert (out / "a.wav").read_bytes() == (out / "other.wav").read_bytes()


def test_what_is_there_is_replaced_only_if_asked(songs, effect_run, tmp_path, java):
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.wav").write_bytes(b"mine")
    with pytest.raises(InputError, match=r"out/a\.wav: exists already"):
        dl4j_bridge.process(effect_run, songs, out)
    assert [p.name for p in out.rglob("*")] == ["a.wav"]
    seen = dl4j_bridge.process(effect_run, [songs / "a.wav"], out, overwrite=True)
    assert (seen["failed"], soundfile.info(out / "a.wav").frames) == ([], seen["samples"])
    with pytest.raises(InputError, match="the same file as the input"):
        dl4j_bridge.process(effect_run, [songs / "a.wav"], songs, overwrite=True)


def test_the_progress_is_that_of_all_recordings(songs, effect_run, tmp_path, java):
    seen = []
    process_files(
        effect_run, [songs], tmp_path / "out", ProcessSettings(chunk=10_000), report=lambda *now: seen.append(now)
    )
    done = [now for now, _ in seen]
    frames = [soundfile.info(songs / name).frames for name in ("a.wav", "live/a.wav")]
    assert {total for _, total in seen} == {sum(frames)}
    assert done == sorted(done)
    assert done[-1] == sum(frames)
    assert frames[0] in done


@pytest.mark.parametrize(
    ("inputs", "output", "words"),
    [
        (["a.wav", "live/a.wav"], "out", "would both become"),
        (["a.wav", "a.wav"], "out", "would both become"),
        (["a.wav", "live/a.wav"], "y.wav", "y.wav for several recordings; wanted a folder"),
        (["a.wav", "bad.wav"], "words.txt", "not a folder"),
        (["a.wav", "live/a.wav"], "missing/out", "no folder"),
    ],
)
def test_outputs_that_cannot_be_told_apart_are_refused(songs, effect_run, inputs, output, words):
    before = sorted(songs.rglob("*"))
    with pytest.raises(InputError, match=words):
        dl4j_bridge.process(effect_run, [songs / name for name in inputs], songs / output)
    assert sorted(songs.rglob("*")) == before


def test_the_results_of_a_run_before_are_no_inputs(songs, effect_run, java):
    (songs / "out").mkdir()
    shutil.copy(songs / "a.wav", songs / "out" / "old.wav")
    result = dl4j_bridge.process(effect_run, songs, songs / "out")
    assert {one["output"] for one in result["outputs"]} == {
        str(songs / "out" / "a.wav"),
        str(songs / "out" / "live" / "a.wav"),
    }


@pytest.mark.slow
def test_a_cluster_writes_what_one_process_writes(songs, recordings, effect_run, tmp_path):
    pytest.importorskip("ray")
    for number in range(6):
        shutil.copy(recordings[number % 2], songs / "live" / f"{number}.wav")
    for out, more in (("here", []), ("there", ["--cluster", "local"])):
        args = ["--model", effect_run, "--input", "songs", "--output", out, *more, "--json"]
        result = run("process", *args, cwd=tmp_path)
        assert result.status == 1
        assert result.stderr.splitlines()[-1].startswith("error: ")
        assert "bad.wav: not audio" in result.stderr.splitlines()[-1]
        assert len(result.json["outputs"]) == 8
    files = {p.relative_to(tmp_path / "here") for p in (tmp_path / "here").rglob("*.wav")}
    assert len(files) == 8
    for file in files:
        assert (tmp_path / "there" / file).read_bytes() == (tmp_path / "here" / file).read_bytes()


@pytest.mark.slow
def test_a_cluster_processes_again_what_a_killed_worker_had(songs, recordings, effect_run, tmp_path):
    pytest.importorskip("ray")
    sound, rate = soundfile.read(recordings[0])
    for number in range(4):
        soundfile.write(songs / f"{number}.wav", np.tile(sound, 20 + number), rate, "PCM_U8")
    words = command("process", "--model", effect_run, "--input", songs, "--output", tmp_path / "there", "--json")
    working = subprocess.Popen(
        [*words, "--cluster", "local"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    killed = None
    while not killed:
        assert working.poll() is None, working.communicate()
        # It has begun to write a recording.
        begun = [file for file in (tmp_path / "there").rglob("*") if is_temporary(file)]
        workers = {w.pid: w for w in psutil.Process(working.pid).children(recursive=True)}
        killed = next((workers[pid] for file in begun for pid in workers if f"-{pid}-" in file.name), None)
        time.sleep(0.01)
    killed.kill()
    out, notes = working.communicate()
    assert working.returncode == 1
    assert "bad.wav: not audio" in notes.splitlines()[-1]
    result = json.loads(out.splitlines()[-1])
    assert (len(result["outputs"]), len(result["failed"])) == (6, 1)
    for file in (songs / "0.wav", songs / "3.wav", songs / "live" / "a.wav"):
        dl4j_bridge.process(effect_run, file, tmp_path / "alone.wav", overwrite=True)
        assert (tmp_path / "there" / file.relative_to(songs)).read_bytes() == (tmp_path / "alone.wav").read_bytes()


def test_without_ray_process_names_the_extra(songs, effect_run, tmp_path):
    (tmp_path / "ray.py").write_text("raise ImportError('not here')\n")
    path = {"PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}"}
    args = ["--input", songs, "--output", tmp_path / "out", "--cluster", "local"]
    result = run("process", "--model", effect_run, *args, env=path)
    assert result.status == 2
    assert "pip install 'dl4j_bridge[ray]'" in result.error
    assert not (tmp_path / "out").exists()
