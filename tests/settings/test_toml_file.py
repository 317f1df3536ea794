"""Options in a file: what is taken, what is refused, and the run that comes out again."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from dl4j_bridge.errors import InputError
from dl4j_bridge.settings import toml_file
from tests.conftest import SMALL, run, run_ok

OPTIONS = {
    "input": ("inputs", list[Path] | None),
    "out": ("out", Path),
    "learning-rate": ("learning_rate", float),
    "hidden": ("hidden", int),
    "align": ("align", str),
    "json": ("as_json", bool),
}


def written(folder: Path, text: str) -> Path:
    path = folder / "options.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", {}),
        ("hidden = 7", {"hidden": 7}),
        ("learning-rate = 1", {"learning_rate": 1}),
        ("learning_rate = 0.5", {"learning_rate": 0.5}),
        ("align = -40", {"align": "-40"}),
        ('align = "off"', {"align": "off"}),
        ("json = true", {"as_json": True}),
        ('input = "a.wav"', {"inputs": ["a.wav"]}),
        ('input = ["a.wav", "b.wav"]', {"inputs": ["a.wav", "b.wav"]}),
        ('out = ["x"]', {"out": "x"}),
    ],
)
def test_what_a_file_may_say(tmp_path, text, values):
    assert toml_file.read(written(tmp_path, text), OPTIONS) == values


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hiden = 3", "unknown option hiden; did you mean hidden?"),
        ("zzzz = 3", "unknown option zzzz; wanted one of input, out, "),
        ("[network]\nhidden = 3", "unknown option network; wanted one of"),
        ("hidden = true", "hidden = true; wanted a whole number"),
        ("hidden = 1.5", "hidden = 1.5; wanted a whole number"),
        ('hidden = "many"', 'hidden = "many"; wanted a whole number'),
        ('learning-rate = "fast"', 'learning-rate = "fast"; wanted a number'),
        ("json = 1", "json = 1; wanted true or false"),
        ("out = 1979-05-27", 'out = "1979-05-27"; wanted the name of a file'),
        ("input = [1]", "input = [1]; wanted the name of a file or folder or a list"),
        ('out = ["a", "b"]', "out holds 2 values; wanted one"),
        ("hidden = ", "not TOML ("),
        ("\x00", "not TOML ("),
    ],
)
def test_what_is_refused(tmp_path, text, words):
    path = written(tmp_path, text)
    with pytest.raises(InputError) as e:
        toml_file.read(path, OPTIONS)
    assert str(e.value).startswith(f"{path}: {words}")
    assert len(str(e.value).splitlines()) == 1


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        toml_file.read(tmp_path / "gone.toml", OPTIONS)
    (tmp_path / "latin.toml").write_bytes(b'codec = "\xe4"')
    with pytest.raises(InputError, match="not TOML"):
        toml_file.read(tmp_path / "latin.toml", OPTIONS)


def test_what_is_written_is_read_again(tmp_path):
    path = tmp_path / "x.toml"
    toml_file.write(path, {"hidden": 7, "learning_rate": 0.1 / 32, "align": "-3", "out": None, "input": ['a "b".wav']})
    given = toml_file.read(path, OPTIONS)
    assert given == {"hidden": 7, "learning_rate": 0.1 / 32, "align": "-3", "inputs": ['a "b".wav']}


def parameters(folder: Path) -> bytes:
    with zipfile.ZipFile(folder / "model.zip") as z:
        return z.read("coefficients.bin")


@pytest.mark.slow
def test_the_file_of_a_run_makes_the_same_run(effect_run, tmp_path):
    config = effect_run / "config.toml"
    run_ok("train", "--config", config, "--out", tmp_path / "again")
    assert parameters(tmp_path / "again") == parameters(effect_run)
    assert (tmp_path / "again" / "config.toml").read_text() == config.read_text()
    # What the command line says counts more.
    changed = run_ok(
        "train", "--config", config, "--out", tmp_path / "other", "--seed", 1, "--steps", 20, "--json"
    ).json
    assert changed["steps"] == 20
    assert parameters(tmp_path / "other") != parameters(effect_run)


def test_a_file_holds_every_option_of_the_command(recordings, tmp_path):
    text = f'input = "{recordings[0]}"\ntarget = "{recordings[1]}"\nout = "{tmp_path / "run"}"\npreset = "posted"\n'
    text += "json = true\nsteps = 3\nhidden = 8\nbatch = 2\nlength = 50\ntbptt = 10\nvalidation-samples = 200\n"
    result = run_ok("train", "--config", written(tmp_path, text))
    assert result.json["run"] == str(tmp_path / "run")
    about = run_ok("info", tmp_path / "run", "--json").json
    assert about["settings"]["network"]["updater"] == "rmsprop"
    assert about["layers"] == [8, 8]


def test_a_resumed_run_says_its_new_limits(effect_run, recordings, tmp_path):
    out = tmp_path / "run"
    run_ok("train", "--input", recordings[0], "--out", out, "--steps", 5, *SMALL)
    run_ok("train", out, "--resume", "--no-report", "--steps", 8)
    assert "steps = 8\n" in (out / "config.toml").read_text()


@pytest.mark.parametrize("command", ["train", "diagnose"])
def test_mistakes_in_a_file_end_in_one_line(command, tmp_path):
    path = written(tmp_path, "hiden = 3")
    result = run(command, "--config", path)
    assert result.status == 2
    assert result.error == f"error: {path}: unknown option hiden; did you mean hidden?"


def test_diagnose_takes_the_file_of_a_run(effect_run, tmp_path):
    mine = tmp_path / "mine.toml"
    mine.write_text((effect_run / "config.toml").read_text() + 'gear = "Plexi"\n')
    result = run("diagnose", "--config", mine, "--tbptt", 2000)
    assert result.status == 2
    # It got as far as the window of the file.
    assert "longer than --length 100" in result.error
