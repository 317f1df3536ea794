"""What a person meets at the command line."""

from __future__ import annotations

import os
import platform
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dl4j_bridge import cli
from dl4j_bridge.arguments import checked
from dl4j_bridge.errors import InputError
from dl4j_bridge.settings.training import TrainSettings
from dl4j_bridge.terminal import failures
from tests.conftest import SMALL, SMALL_NETWORK, Result, command, run, run_ok

COMMANDS = ("train", "process", "generate", "compare", "diagnose", "doctor", "info", "demo")
RATE = 11025


@pytest.fixture
def here(monkeypatch, capsys):
    """Run a command in this process: quicker than in one of its own, for what ends before any work."""

    def run_here(*args: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["dl4j-bridge", *map(str, args)])
        before = signal.getsignal(signal.SIGTERM)
        try:
            status = failures.exit_status(cli.app)
        except SystemExit as e:  # after a completion
            status = int(e.code or 0)
        signal.signal(signal.SIGTERM, before)
        return Result(status, *capsys.readouterr())

    return run_here


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


def test_help_shows_the_defaults_of_each_task(here, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    text = " ".join(here("train", "--help").stdout.replace("│", "").split())
    # 200 and 0.01 are those of samples.
    for default in ("(200; frames: 40,", "(0.01, without a target 0.005; frames: 0.005,", "(adam)", "(0.0)"):
        assert default in text


def test_help_lists_the_values_of_an_option(here, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    text = " ".join(here("train", "--help").stdout.replace("│", "").split())
    for values in ("adam, rmsprop, nesterovs, adagrad or sgd", "fused, or stock", "carried, or stock", "cpu or cuda"):
        assert values in text


def test_version_names_what_the_program_runs_on(here):
    ours, dl4j, java, python = here("--version").stdout.splitlines()
    assert ours == "dl4j-bridge 0.1.0"
    assert dl4j == "DL4J 1.0.0-M2.1"
    assert re.fullmatch(r"Java \d+\.\S+ \(.+\)", java)
    assert python == f"Python {platform.python_version()}"


def test_version_without_java(here, monkeypatch, tmp_path):
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert "Java not found; see: dl4j-bridge doctor" in here("--version").stdout


@pytest.mark.parametrize(
    "args",
    [
        ["train", "--input", "a.wav", "--input", "b.wav", "--hidden", 3, "--hidden", 4],
        ["train", "--seed", 1, "--seed=1"],
        ["compare", "--input", "a.wav", "--input", "b.wav"],
        ["doctor", "--json", "--json"],
        ["export", "--format", "nam", "--format", "onnx"],
    ],
)
def test_an_option_that_keeps_one_value_is_not_dropped_silently(here, args):
    result = here(*args)
    assert result.status == 2
    name = next(str(a).partition("=")[0] for a in reversed(args) if str(a).startswith("--"))
    assert result.error == f"error: {name}: given more than once; wanted it once: only one value counts"


@pytest.mark.parametrize(
    ("command", "theirs", "ours"),
    [
        ("train", "--lr", "--learning-rate"),
        ("train", "--epoch", "--epochs"),
        ("train", "--iterations", "--steps"),
        ("train", "--batch-size", "--batch"),
        ("train", "--hidden-size", "--hidden"),
        ("train", "--num-layers", "--layers"),
        ("train", "--dry", "--input"),
        ("train", "--wet", "--target"),
        ("train", "--output", "--out"),
        ("process", "--source", "--input"),
        ("process", "--out", "--output"),
    ],
)
def test_a_name_from_another_program_is_answered_with_ours(here, command, theirs, ours):
    assert f"{theirs}: no such option; did you mean {ours}?" in here(command, theirs, "3").error


def test_a_name_from_another_program_in_a_file_and_in_python(here, tmp_path):
    (tmp_path / "c.toml").write_text("lr = 0.1")
    assert "unknown option lr; did you mean learning-rate?" in here("train", "--config", tmp_path / "c.toml").error
    with pytest.raises(InputError, match="unknown option hidden_size; did you mean hidden"):
        checked("train", {"hidden_size": 3})


def test_mu_law_has_the_name_that_it_has_elsewhere(recordings, tmp_path):
    args = ["train", "--input", recordings[0], "--out", tmp_path / "run", "--steps", 1, "--codec", "mu-law", *SMALL]
    run_ok(*args)
    assert run_ok("info", tmp_path / "run", "--json").json["codec"] == "mulaw"
    run_ok("train", tmp_path / "run", "--resume", "--steps", 2, "--codec", "mu-law", "--no-report")


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


@pytest.mark.slow
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


@pytest.mark.skipif(shutil.which("bash") is None, reason="the completion is a shell's")
def test_bash_completes_values_once_the_completion_is_installed(tmp_path):
    (tmp_path / "dl4j-bridge").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m dl4j_bridge "$@"\n')
    (tmp_path / "dl4j-bridge").chmod(0o755)
    env = os.environ | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "HOME": str(tmp_path)}
    env |= {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1", "PYTHONPATH": str(Path(__file__).parent.parent)}
    script = """
    dl4j-bridge --install-completion bash > /dev/null
    . ~/.bashrc
    COMP_WORDS=(dl4j-bridge train --cell g) COMP_CWORD=3
    _dl4j_bridge_completion dl4j-bridge && echo "${COMPREPLY[*]}"
    """
    done = subprocess.run(["bash", "-ec", script], env=env, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "graves\n"


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("dl4j-bridge dia", ["diagnose"]),
        ("dl4j-bridge train --learn", ["--learning-rate"]),
        ("dl4j-bridge train --updater ", ["adam", "rmsprop", "nesterovs", "adagrad", "sgd"]),
        ("dl4j-bridge train --updater a", ["adam", "adagrad"]),
        ("dl4j-bridge train --task ", ["samples", "language-model", "frames", "spectrogram"]),
        ("dl4j-bridge train --codec m", ["mulaw"]),
        ("dl4j-bridge train --preset p", ["posted", "posted-legacy", "plugin"]),
        ("dl4j-bridge train --hidden ", ["200", "40", "128"]),
        ("dl4j-bridge process --decode a", ["auto", "argmax"]),
        ("dl4j-bridge doctor --backend c", ["cpu", "cuda"]),
        ("dl4j-bridge export --format r", ["rtneural"]),
        ("dl4j-bridge diagnose --explain swa", ["swapped"]),
        ("dl4j-bridge demo --task n", ["next-frame"]),
        # The shell's own file names.
        ("dl4j-bridge train --input ", []),
    ],
)
def test_the_shell_is_offered_commands_options_and_values(here, monkeypatch, words, offered):
    monkeypatch.setenv("_DL4J_BRIDGE_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
    result = here()
    assert (result.stdout.split(), result.stderr) == (offered, "")


def test_doctor_puts_the_fix_behind_a_cross(tmp_path):
    result = run("doctor", env={"JAVA_HOME": str(tmp_path)})
    assert result.status == 1
    lines = {line.split()[1]: line for line in result.stdout.splitlines()}
    assert lines["java"].startswith("✗ ")
    assert lines["java"].endswith("holds no Java; set it to a JDK or JRE, or unset it")
    assert lines["audio"].startswith("✓ ")
    assert lines["backend"].startswith("– ")
    assert result.stdout.splitlines()[-1] == "✗ 1 problem"
