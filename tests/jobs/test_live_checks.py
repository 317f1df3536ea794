"""What `train` says while it trains: planted settings are named with a command, healthy trainings are left alone."""

from __future__ import annotations

import json
import shlex
import time

import numpy as np
import pytest

import dl4j_bridge
from dl4j_bridge.demos import synthesis
from dl4j_bridge.diagnostics.curves import BLOCK
from dl4j_bridge.diagnostics.output import following
from dl4j_bridge.jobs.live_checks import FEWEST, MOST, LiveChecks
from dl4j_bridge.jobs.new_run import new_run
from dl4j_bridge.settings.checks import option
from dl4j_bridge.signal import audio_files
from dl4j_bridge.signal.windows import Windows
from dl4j_bridge.tasks import update
from dl4j_bridge.tasks.baselines.fir import Fir
from dl4j_bridge.tasks.registry import train_settings
from tests.conftest import SMALL, run_ok

pytestmark = pytest.mark.usefixtures("java")

OPTIONS = {"hidden": 16, "batch": 4, "length": 100, "tbptt": 25, "validate_every": 25, "validation_samples": 800}
RATE = synthesis.CLASSIC_RATE
# Past the first steps at which anything is said of what is learned.
STEPS = {"steps": FEWEST + 25}


def findings(recordings, tmp_path, **options):
    dry, wet = recordings
    given = {**OPTIONS, **STEPS, **options}
    run = dl4j_bridge.train(dry, wet, out=tmp_path / "run", report=False, progress=False, **given)
    stored = json.loads((tmp_path / "run" / "run.json").read_text())["result"]["findings"]
    assert run.result["findings"] == stored
    return stored


def test_trainings_that_learn_are_left_alone(effect_run, next_run, recordings, tmp_path):
    for folder in (effect_run, next_run):
        assert dl4j_bridge.load(folder).result["findings"] == []
    assert findings(recordings, tmp_path, learning_rate=0.01, steps=FEWEST - 1) == []


@pytest.mark.parametrize(
    ("planted", "options"),
    [
        ("weak-input-scale", {"init": "xavier", "steps": 1}),
        pytest.param("learning-rate-too-low", {"learning_rate": 1e-6}, marks=pytest.mark.slow),
        ("learning-rate-too-high", {"learning_rate": 1.0}),
        pytest.param("stuck-at-uniform", {"updater": "sgd", "clip": 1e-9}, marks=pytest.mark.slow),
    ],
)
def test_a_wrong_setting_is_named_with_the_command_that_changes_it(planted, options, recordings, tmp_path):
    first = findings(recordings, tmp_path, **options)[0]
    assert first["code"] == planted
    words = shlex.split(first["command"])
    assert words[:6] == ["dl4j-bridge", "train", "--input", str(recordings[0]), "--target", str(recordings[1])]
    # The usual value is the default, which is not typed; the rest stays.
    typed = dict(zip(words[6::2], words[7::2], strict=True))
    assert typed["--hidden"] == "16"
    assert not {option(name) for name in options if name != "steps"} & typed.keys()


def test_the_line_is_printed_once_and_is_in_the_json(recordings, tmp_path):
    pair = ["--input", recordings[0], "--target", recordings[1]]
    result = run_ok("train", "--json", *pair, "--out", tmp_path / "run", "--steps", 3, *SMALL, "--init", "xavier")
    lines = [line for line in result.stderr.splitlines() if line.startswith("found ")]
    assert len(lines) == 1
    found = result.json["findings"][0]
    assert lines[0].startswith("found at step 1: weak-input-scale (fault). The input hardly reaches")
    assert lines[0].endswith(f"Run: {found['command']}")


def test_a_target_that_does_not_follow_is_stuck_at_the_histogram(recordings, tmp_path):
    """The network is given the input of another moment; the baselines know the right one."""
    dry, wet = recordings
    options = {**OPTIONS, **STEPS, "align": "0"}
    started = new_run([dry], [wet], tmp_path / "run", train_settings(options))
    started.baselines = started.task.fit_baselines(started.signals, {})
    checks = LiveChecks(started)
    for step in range(1, STEPS["steps"] + 1):
        started.state.step = step
        valid = {"bits": 7.3, "accuracy": 0.01, "esr": 0.99} if step % 25 == 0 else None
        checks.after_step(7.3, valid)
    started.folder.lock.release()
    assert [finding.code for finding in checks.findings] == ["stuck-at-marginal"]
    assert checks.findings[0].evidence["best_simple_model_esr"] < 0.1


@pytest.fixture(params=["plateau"])
def checks(request, recordings, tmp_path):
    settings = train_settings(OPTIONS | {"steps": 5000, "schedule": request.param})
    started = new_run([recordings[0]], [recordings[1]], tmp_path / "run", settings)
    started.baselines = started.task.fit_baselines(started.signals, {})
    yield LiveChecks(started)
    started.folder.lock.release()


def fed(checks, training, validation, error):
    """The codes that are found when the losses of validations at every 25th step are these."""
    found = []
    for number, (loss, valid) in enumerate(zip(training, validation, strict=True)):
        for step in range(BLOCK):
            checks._run.state.step = number * BLOCK + step + 1
            metrics = {"bits": valid, "accuracy": 0.5, "esr": error} if step == BLOCK - 1 else None
            found += [finding.code for finding in checks.after_step(loss, metrics)]
    return found


@pytest.mark.parametrize(("error", "codes"), [(0.05, ["overfit"]), (0.001, [])], ids=["audible", "inaudible"])
def test_validation_that_rises_is_named_once_if_the_error_can_be_heard(error, codes, checks):
    training, validation = np.linspace(7, 1, 30), np.r_[np.linspace(7.2, 6, 12), np.linspace(6.1, 9, 18)]
    assert fed(checks, training, validation, error) == codes


@pytest.mark.parametrize(("checks", "codes"), [("plateau", ["slow-learning"]), ("cooldown", [])], indirect=["checks"])
def test_a_plateau_far_from_a_simple_model_is_named_unless_the_rate_will_fall(checks, codes):
    levels = np.r_[np.linspace(7, 5, 10), np.full(40, 5.0)]
    assert fed(checks, levels, levels, 0.3) == codes


def test_at_the_end_a_better_baseline_is_named_with_the_command_that_goes_on(checks):
    falls = np.linspace(7, 5, FEWEST // BLOCK)
    assert fed(checks, falls, falls, 0.3) == []
    (found,) = checks.at_end({"esr": 0.3})
    assert found.code == "noisier-than-baseline"
    assert found.evidence["model_esr"] == 0.3


def test_a_loss_that_rises_is_a_learning_rate_that_is_too_high(checks):
    rises = np.r_[np.linspace(7, 4, 8), np.full(8, 6.5)]
    assert fed(checks, rises, rises, 0.05) == ["learning-rate-too-high"]
    # At the usual rate, a tenth of it is the next to try.
    assert checks.findings[0].changes == {"learning_rate": pytest.approx(0.001)}
    assert len(checks.findings) <= MOST


def test_the_checks_take_less_than_a_hundredth_of_the_time(checks):
    """Beside the steps of a network that is smaller than any that is of use."""
    run = checks._run
    windows = Windows(run.signals, run.settings.run.length, run.settings.run.batch, seed=1)
    began = time.process_time()
    for number in range(20):
        update.step(run.network, windows, run.settings, number, run.task)
    trained = time.process_time() - began
    began = time.process_time()
    assert fed(checks, np.linspace(7, 5, 40), np.linspace(7, 5, 40), 0.05) == []
    checked = time.process_time() - began
    assert checked / (40 * BLOCK) < 0.01 * trained / 20


def test_silence_to_validate_on_is_no_reason_to_speak(tmp_path):
    sound = np.random.default_rng(1).uniform(-0.5, 0.5, 22050)
    sound[15000:] = 0
    audio_files.write(tmp_path / "x.wav", [sound], 11025, "PCM_16")
    pair = (tmp_path / "x.wav", tmp_path / "x.wav")
    assert findings(pair, tmp_path, learning_rate=0.01, align="0") == []


def test_an_echo_is_named_at_the_end(tmp_path):
    """A delay pedal: the network forgets the sound long before it comes again."""
    rng = np.random.default_rng(1)
    loudness = np.repeat(rng.uniform(0, 1, 40), RATE // 10)
    dry = rng.normal(0, 0.1, loudness.size) * loudness
    wet = dry.copy()
    late = RATE // 2
    wet[late:] += 0.8 * dry[:-late]
    for name, sound in (("dry", dry), ("wet", wet)):
        audio_files.write(tmp_path / f"{name}.wav", [sound], RATE, "PCM_16")
    pair = tmp_path / "dry.wav", tmp_path / "wet.wav"
    (found,) = findings(pair, tmp_path, task="frames")
    assert (found["code"], found["severity"]) == ("not-followed", "warning")
    assert found["evidence"]["echo_seconds"] == pytest.approx(0.5, abs=0.001)
    assert found["command"].startswith("dl4j-bridge diagnose --input")
    assert "the input comes again after: 0.5 s" in found["facts"]


@pytest.mark.parametrize("effect", [lambda x: np.tanh(4 * x), lambda x: np.sign(x) * np.abs(x) ** 0.3])
def test_a_distortion_is_no_echo(effect):
    x = synthesis.plucked_strings(6)
    y, taps, first = effect(x), 1024, x.size // 2
    fir = Fir(taps=taps)
    fir.fit([(x[:first], y[:first])])
    left = y[first:] - fir.predict(x).last(x.size - first).values
    lag, prominence = following.echo(x, left, taps)
    assert prominence < following.IS_ECHO
    late = np.concatenate([np.zeros(4000), x[:-4000]])[first:]
    lag, prominence = following.echo(x, left + 0.5 * late, taps)
    assert (lag, prominence > following.IS_ECHO) == (4000, True)
