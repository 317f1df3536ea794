"""What a person meets at the command line."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dl4j_bridge.settings.training import TrainSettings
from tests.conftest import SMALL, SMALL_NETWORK, command, run, run_ok

COMMANDS = ("train", "process", "generate", "compare", "diagnose", "doctor", "info", "demo")
RATE = 11025


def test_importing_and_help_start_no_jvm_and_import_nothing_heavy():
    script = (
        "import sys\n"
        "import dl4j_bridge.cli as cli\n"
        "sys.argv = ['dl4j-bridge', 'train', '--help']\n"
        "try:\n    cli.main()\nexcept SystemExit as e:\n    assert not e.code\n"
        "heavy = {'jnius', 'jnius_config', 'scipy', 'matplotlib', 'soundfile', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--target" in done.stdout


def test_only_the_jvm_module_imports_jnius():
    package = Path(__file__).parent.parent / "dl4j_bridge"
    importing = {p.name for p in package.rglob("*.py") if "import jnius" in p.read_text()}
    assert importing == {"jvm.py"}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name):
    result = run_ok(name, "--help", env={"COLUMNS": "100"})
    assert f"Example: dl4j-bridge {name}" in result.stdout
    assert result.stderr == ""


def test_help_shows_the_defaults():
    text = run_ok("train", "--help", env={"COLUMNS": "160"}).stdout
    for default in ("(200)", "(0.01)", "(adam)", "(1000)"):
        assert default in text


def test_version():
    assert run_ok("--version").stdout.strip() == "0.1.0"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["train", "--hiden", "3"], ["--hiden: no such option", "did you mean --hidden?"]),
        (["train", "--learn-rate", "3"], ["did you mean --learning-rate?"]),
        (["doctor", "--jsn"], ["did you mean --json?", "see: dl4j-bridge doctor --help"]),
        (["trian"], ["trian", "Did you mean 'train'?", "see: dl4j-bridge --help"]),
        (["train", "--hidden", "many"], ["--hidden", "integer"]),
        (["train"], ["--input", "not given"]),
        (["process", "--model", "m"], ["--input"]),
    ],
)
def test_mistyped_options_get_one_line(args, words):
    result = run(*args)
    assert result.status == 2
    assert all(word in result.error for word in words), result.error


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file for each way in which a recording can be wrong, and a good one."""
    folder = tmp_path_factory.mktemp("bad")
    rng = np.random.default_rng(0)
    noise = rng.uniform(-0.5, 0.5, 2 * RATE)
    soundfile.write(folder / "good.wav", noise, RATE, "PCM_U8")
    soundfile.write(folder / "half.wav", noise[:RATE], RATE, "PCM_U8")
    soundfile.write(folder / "short.wav", noise[:90], RATE, "PCM_U8")
    soundfile.write(folder / "silent.wav", np.zeros(RATE), RATE, "PCM_16")
    soundfile.write(folder / "header.wav", np.zeros(0), RATE, "PCM_16")
    for name, value in (("nan", np.nan), ("inf", np.inf)):
        broken = noise.astype(np.float32)
        broken[1000] = value
        soundfile.write(folder / f"{name}.wav", broken, RATE, "FLOAT")
    (folder / "empty.wav").touch()
    (folder / "text.wav").write_text("this is no audio at all" * 100)
    (folder / "folder.wav").mkdir()
    return folder


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing", "no such file"),
        ("folder", "a folder"),
        ("text", "not audio"),
        ("empty", "an empty file"),
        ("header", "a header without samples"),
        ("nan", "sample 1000 is NaN or Inf"),
        ("inf", "sample 1000 is NaN or Inf"),
        ("silent", "silent"),
        ("short", "90 samples"),
    ],
)
def test_bad_recordings_end_in_one_line_and_nothing_written(bad, tmp_path, name, words):
    source = bad / f"{name}.wav"
    result = run("train", "--input", source, "--target", source, "--out", tmp_path / "run", *SMALL)
    assert result.status == 2
    assert result.error.startswith(f"error: {source}: ")
    assert words in result.error
    assert "; " in result.error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--hidden", 0], "--hidden: 0"),
        (["--layers", -1], "--layers: -1"),
        (["--rate", -8000], "--rate: -8000"),
        (["--learning-rate", "nan"], "--learning-rate: nan"),
        (["--learning-rate", 0], "--learning-rate: 0"),
        (["--dropout", 1], "--dropout: 1"),
        (["--steps", 0], "--steps: 0"),
        (["--minutes", "inf"], "--minutes: inf"),
        (["--codec", "mp3"], "--codec: mp3"),
        (["--align", "left"], "--align: left"),
        (["--preset", "best"], "--preset: best"),
        (["--updater", "magic"], "--updater: magic"),
        (["--tbptt", 2000], "--tbptt: 2000"),
        (["--channel", 3], "--channel: 3"),
        (["--seed", -1], "--seed: -1"),
        (["--threads", 0], "--threads: 0"),
    ],
)
def test_nonsense_numbers_name_the_option(bad, tmp_path, options, words):
    result = run("train", "--input", bad / "good.wav", "--out", tmp_path / "run", *options)
    assert result.status == 2
    assert words in result.error
    assert list(tmp_path.iterdir()) == []


def test_lengths_that_no_delay_explains(bad, tmp_path):
    result = run("train", "--input", bad / "good.wav", "--target", bad / "half.wav", "--out", tmp_path / "run")
    assert result.status == 2
    assert str(bad / "half.wav") in result.error
    assert "more than a delay" in result.error
    assert list(tmp_path.iterdir()) == []


def test_a_target_for_each_input(bad, tmp_path):
    good = bad / "good.wav"
    result = run("train", "--input", good, "--input", good, "--target", good, "--out", tmp_path / "run")
    assert result.status == 2
    assert "1 for 2 --input" in result.error


def test_output_in_a_missing_folder(bad, effect_run, tmp_path):
    missing = tmp_path / "missing" / "y.wav"
    result = run("process", "--model", effect_run, "--input", bad / "good.wav", "--output", missing)
    assert result.status == 2
    assert "no folder" in result.error
    result = run("train", "--input", bad / "good.wav", "--out", tmp_path / "missing" / "run")
    assert result.status == 2
    assert "no folder" in result.error
    assert list(tmp_path.iterdir()) == []


def test_output_that_is_no_audio_name(bad, effect_run, tmp_path):
    result = run("process", "--model", effect_run, "--input", bad / "good.wav", "--output", tmp_path / "y.docx")
    assert result.status == 2
    assert ".docx" in result.error
    assert list(tmp_path.iterdir()) == []


def test_models_of_another_kind(bad, effect_run, next_run, tmp_path):
    good, out = bad / "good.wav", tmp_path / "y.wav"
    for args, words in (
        (["process", "--model", next_run, "--input", good, "--output", out], "dl4j-bridge generate"),
        (["generate", "--model", effect_run, "--output", out], "dl4j-bridge process"),
        (["compare", "--model", effect_run, "--input", good], "--target"),
        (["compare", "--model", next_run, "--input", good, "--target", good], "no --target"),
        (["process", "--model", tmp_path / "gone", "--input", good, "--output", out], "no such file"),
        (["process", "--model", good, "--input", good, "--output", out], "not a model zip"),
        (["info", tmp_path], "no such file"),
        (["generate", "--model", next_run, "--output", out, "--temperature", 0], "--temperature: 0"),
        (["generate", "--model", next_run, "--output", out, "--top-p", 1.5], "--top-p: 1.5"),
        (["generate", "--model", next_run, "--output", out, "--seconds", -1], "--seconds: -1"),
    ):
        result = run(*args)
        assert result.status == 2, args
        assert words in result.error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("options", [["--backend", "magic"], ["--threads", 0], ["--threads", -3]])
def test_doctor_checks_its_options(options):
    result = run("doctor", *options)
    assert result.status == 2
    assert result.error.startswith(f"error: {options[0]}: {options[1]}")


def test_operating_system_errors_get_one_line(bad, tmp_path):
    result = run("train", "--input", bad / "good.wav", "--out", tmp_path / ("x" * 300))
    assert result.status == 2
    assert "File name too long" in result.error
    assert "bug" not in result.error


def test_an_output_that_cannot_show_a_tick():
    assert run_ok("doctor", env={"PYTHONIOENCODING": "latin-1"}).stderr == ""


def test_no_command_shows_the_help():
    result = run()
    assert "Commands" in result.stdout + result.stderr
    assert "error" not in result.stderr


def test_doctor_finds_everything_here():
    result = run_ok("doctor", "--json")
    found = result.json
    assert found["ok"] is True
    assert found["problems"] == []
    assert found["jars"]["count"] > 30
    assert found["backend"] == "CpuBackend"
    assert int(found["java"]["version"].split(".")[0]) >= 11
    assert found["threads"] == TrainSettings().threads
    assert found["openblas"]


def test_info_tells_what_a_model_holds(effect_run):
    about = run_ok("info", effect_run, "--json").json
    assert about["task"] == "samples"
    assert about["predicts"] == "target"
    assert about["codec"] == "linear"
    assert about["rate"] == RATE
    assert about["layers"] == [16, 16]
    assert len(about["pairs"][0]["input"]["sha256"]) == 64


def test_every_command_has_json_in_its_help():
    for name in COMMANDS:
        assert "--json" in run_ok(name, "--help").stdout, name


@pytest.mark.parametrize("before", [True, False])
def test_quiet_says_nothing_but_the_result(recordings, tmp_path, before):
    args = ["train", "--input", recordings[0], "--out", tmp_path / "run", "--steps", 10, *SMALL_NETWORK]
    # Java says at each start that it has met this variable.
    env = {"JAVA_TOOL_OPTIONS": "-Dsome.thing=1"}
    result = run_ok(*(["-q", *args] if before else [*args, "--quiet"]), env=env)
    assert result.stderr == ""
    summary, look = result.stdout.splitlines()
    assert "10 steps" in summary
    assert look.startswith("look: ")


def test_quiet_still_shows_errors(tmp_path):
    result = run("-q", "train", "--input", tmp_path / "gone.wav")
    assert result.status == 2
    assert "gone.wav: no such file" in result.error


def test_verbose_shows_settings_the_jvm_and_javas_log(recordings, tmp_path):
    result = run_ok("train", "-v", "--input", recordings[0], "--out", tmp_path / "run", "--steps", 10, *SMALL_NETWORK)
    assert "hidden 16" in result.stderr
    assert "-Xmx" in result.stderr
    assert "INFO org.nd4j" in result.stderr
    assert len(result.stdout.splitlines()) == 2


def test_progress_is_plain_lines_where_there_is_no_terminal(recordings, tmp_path):
    result = run_ok("train", "--input", recordings[0], "--out", tmp_path / "run", "--steps", 20, *SMALL)
    assert [line.split()[1] for line in result.stderr.splitlines() if line.startswith("step ")] == ["10", "20"]
    assert "\x1b" not in result.stderr
    assert "\r" not in result.stderr
    assert "INFO" not in result.stderr


@pytest.mark.parametrize("args", [["doctor"], ["train", "--help"]])
def test_no_colour_is_honoured(args):
    colour = re.compile(r"\x1b\[[\d;]*3\dm")
    assert colour.search(run_ok(*args, env={"FORCE_COLOR": "1"}).stdout)
    assert not colour.search(run_ok(*args, env={"FORCE_COLOR": "1", "NO_COLOR": "1"}).stdout)


def test_the_shell_is_given_a_completion_script():
    env = os.environ | {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    script = subprocess.run(command("--show-completion", "bash"), env=env, capture_output=True, text=True, check=True)
    assert "complete -o default -F _dl4j_bridge_completion dl4j-bridge" in script.stdout
    for words, wanted in (("dl4j-bridge dia", "diagnose"), ("dl4j-bridge train --learn", "--learning-rate")):
        env = os.environ | {"_DL4J_BRIDGE_COMPLETE": "complete_bash", "COMP_WORDS": words}
        env["COMP_CWORD"] = str(len(words.split()) - 1)
        done = subprocess.run(command(), env=env, capture_output=True, text=True, check=True)
        assert done.stdout.split() == [wanted]


def test_doctor_puts_the_fix_behind_a_cross(tmp_path):
    result = run("doctor", env={"JAVA_HOME": str(tmp_path)})
    assert result.status == 1
    lines = {line.split()[1]: line for line in result.stdout.splitlines()}
    assert lines["java"].startswith("✗ ")
    assert lines["java"].endswith("holds no Java; set it to a JDK or JRE, or unset it")
    assert lines["audio"].startswith("✓ ")
    assert lines["backend"].startswith("– ")
    assert result.stdout.splitlines()[-1] == "✗ 1 problem"
