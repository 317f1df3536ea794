"""The diagnosis of networks between vectors: each fault is named on planted data, healthy ones find nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from dl4j_bridge.demos import synthesis
from dl4j_bridge.diagnostics import case, criteria, learning, network, output
from dl4j_bridge.diagnostics.curves import History
from dl4j_bridge.diagnostics.network.parity import parity
from dl4j_bridge.diagnostics.network.reference import unpack
from dl4j_bridge.diagnostics.trial import Effort, as_fused, train_briefly
from dl4j_bridge.java.interface import Interface
from dl4j_bridge.java.network import Network
from dl4j_bridge.jobs.diagnose import Request, diagnose
from dl4j_bridge.jobs.new_run import new_run
from dl4j_bridge.jobs.train import train
from dl4j_bridge.settings.training import DataSettings, NetworkSettings, TrainSettings
from dl4j_bridge.signal import audio_files, pairs
from dl4j_bridge.signal.pairs import part
from dl4j_bridge.signal.recordings import open_recording
from dl4j_bridge.tasks.frames.settings import FramesSettings
from dl4j_bridge.tasks.frames.task import FramesTask, Scale
from dl4j_bridge.tasks.registry import train_settings
from tests.conftest import run

pytestmark = pytest.mark.usefixtures("java")

SMALL = {"task": "frames", "layers": 1, "hidden": 16, "batch": 8, "length": 200, "tbptt": 50, "learning_rate": 0.01}
EFFORT = Effort(samples=100_000, least=60, most=120)
RATE = 11025
AMPLIFIER = FramesTask(1, "target", Scale(), weighted=True)
CRITERION = criteria.of(AMPLIFIER)


def settings(**options):
    return as_fused(TrainSettings(own=FramesSettings()).with_options(SMALL | options))


def recording(seconds=4, seed=0):
    sound = synthesis.plucked_strings(seconds, RATE, seed=seed).astype(np.float32)
    return (sound / sound.std() * 0.2)[:, None]


def codes(outcome):
    return [finding.code for finding in outcome.findings]


@pytest.mark.parametrize(
    "interface",
    [Interface.of_vectors(3, 3), Interface.of_vectors(3, 3, skip=True), Interface.of_vectors(3, 5, "sigmoid")],
)
def test_parity_and_gradients_hold_for_every_output(interface):
    rng = np.random.default_rng(1)
    x, y = rng.random((100, interface.inputs), np.float32), rng.random((100, interface.outputs), np.float32)
    checks = network.checks(settings().network, interface, x, y)
    assert [codes(check.run()) for check in checks] == [[], []]


def test_an_output_that_is_not_the_networks_breaks_parity():
    given = Network.create(settings().network, Interface.of_vectors(1, 1))
    given.interface = Interface.of_vectors(1, 1, "sigmoid")
    x = network.segments(recording())
    reference = unpack(settings().network, given.interface, given.parameters())
    assert codes(parity(given.run_batch, reference, given.interface, x)) == ["parity-broken"]


def test_the_identity_of_numbers_is_learned():
    x = recording()
    assert codes(learning.identity(settings(), CRITERION, (x, x), EFFORT)) == []


@pytest.mark.parametrize(
    ("planted", "options"),
    [
        ("learning-rate-too-high", {"learning_rate": 5.0}),
        ("learning-rate-too-low", {"learning_rate": 1e-7}),
        ("non-finite", {"updater": "sgd", "learning_rate": 1e30, "clip": 0.0}),
        ("stuck-at-marginal", {"updater": "sgd", "clip": 1e-9}),
    ],
)
def test_what_keeps_the_identity_of_numbers_from_being_learned_is_named_first(planted, options):
    x = recording()
    outcome = learning.identity(settings(**options), CRITERION, (x, x), EFFORT)
    assert codes(outcome)[:1] == [planted], outcome.figures["trials"]
    json.dumps([finding.as_dict() for finding in outcome.findings], allow_nan=False)


def test_a_pair_that_follows_from_its_input_finds_nothing():
    x = recording()
    assert codes(learning.pair(settings(), CRITERION, (x, np.tanh(2 * x)), EFFORT)) == []


def test_a_network_that_explains_nothing_where_a_copy_would_is_stuck():
    x = recording()
    frozen = settings(updater="sgd", clip=1e-9)
    assert codes(learning.pair(frozen, CRITERION, (x, np.tanh(x)), EFFORT)) == ["stuck-at-marginal"]


@pytest.mark.parametrize("check", ["trial", "model"])
def test_what_is_learned_by_heart_is_overfit(check):
    rng = np.random.default_rng(1)
    by_heart = tuple(rng.standard_normal((200, 16), np.float32) for _ in range(2))
    asked, task = settings(batch=4, hidden=64, length=40, tbptt=20), FramesTask(16, "target", Scale())
    if check == "trial":
        assert codes(learning.pair(asked, criteria.of(task), by_heart, Effort(0, 60, 60))) == ["overfit"]
        return
    learned = train_briefly(asked, task, part(by_heart, "train"), 60, lambda trial: False)
    given = criteria.of(task), NetworkSettings(init="wide"), learned.network, by_heart
    rises = History([1.0, 0.8, 0.5, 0.3], [1.0, 1.5, 2.0, 3.0], [0.9] * 4)
    assert codes(output.generalization(*given, rises)) == ["overfit"]
    falls = History(rises.training, rises.validation[::-1], rises.errors)
    assert codes(output.generalization(*given, falls)) == [], "not trained yet"


def test_a_network_that_is_as_good_on_the_validation_part_finds_nothing():
    x = recording()
    y = np.tanh(2 * x)
    learned = train_briefly(settings(), AMPLIFIER, part((x, y), "train"), 100, lambda trial: False)
    assert codes(output.generalization(CRITERION, NetworkSettings(), learned.network, (x, y))) == []


def rows(**decibels):
    return [{"name": name, "snr_db": value} for name, value in decibels.items()]


@pytest.mark.parametrize(
    ("found", "compared"),
    [
        (["noisier-than-baseline"], rows(model=10.0, copy=2.0, fir=12.0)),
        ([], rows(model=11.5, copy=2.0, fir=12.0)),
        ([], rows(model=25.0, copy=2.0, fir=40.0)),
        ([], [*rows(model=15.0, copy=2.0), {"name": "8-bit-mulaw", "snr_db": 37.0}]),
        ([], [{"name": "model", "si_sdr_db": 3.0}, {"name": "oracle-ratio", "si_sdr_db": 14.0}]),
        (
            ["noisier-than-baseline"],
            [{"name": "model", "si_sdr_db": -1.0}, {"name": "wiener", "si_sdr_db": 3.0}],
        ),
    ],
)
def test_a_model_below_a_baseline_is_named_and_one_below_what_knows_the_target_is_not(found, compared):
    assert codes(output.against_baselines(CRITERION, compared)) == found


@pytest.fixture(scope="module")
def mixture(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mixture")
    voice, strings = synthesis.speech_like(8, RATE), synthesis.plucked_strings(8, RATE)
    audio_files.write(folder / "mixture.wav", [0.4 * (voice + strings)], RATE, "PCM_16")
    audio_files.write(folder / "voice.wav", [0.4 * voice], RATE, "PCM_16")
    return folder / "mixture.wav", folder / "voice.wav"


@pytest.mark.parametrize(
    ("options", "has_target"),
    [
        ({"task": "frames", "hidden": 16, "tbptt": 100, "length": 200, "batch": 8}, True),
        ({"task": "frames", "frame": 20, "hidden": 16, "length": 50, "batch": 4, "predict": "next"}, False),
        ({"task": "spectrogram", "window": 256, "hop": 64, "hidden": 16, "batch": 4, "mask": True}, True),
    ],
)
def test_a_model_of_vectors_and_its_settings_are_diagnosed(mixture, tmp_path, monkeypatch, capsys, options, has_target):
    # A voice is no effect of a mixture: that pair is for the task that separates.
    source, target = mixture if options["task"] == "spectrogram" else (mixture[0], mixture[0] if has_target else None)
    asked = train_settings({"task": options["task"]} | options | {"steps": 30}, has_target=has_target)
    train(new_run([source], [target] if target else [], tmp_path / "run", asked))
    request = Request(source, target, asked, quick=True, given=True)
    opened = []
    for module in (case, pairs):
        monkeypatch.setattr(
            module, "open_recording", lambda path, *args: opened.append(path) or open_recording(path, *args)
        )
    before = sorted(tmp_path.rglob("*"))
    capsys.readouterr()
    shares = []
    fresh = diagnose(request, lambda name, passed, share: shares.append(share))
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0, 1)
    # A job opens each recording once, writes nothing and prints nothing.
    assert sorted(opened) == sorted(filter(None, (source, target)))
    assert sorted(tmp_path.rglob("*")) == before
    assert capsys.readouterr() == ("", "")
    names = {check["name"] for check in fresh.checks}
    assert {"parity with NumPy", "gradients", "identity", "pair" if has_target else "next frame"} <= names
    request = replace(request, model=tmp_path / "run", given=False)
    of_model = diagnose(request)
    assert {"train and validation", "baselines", "memory"} <= {check["name"] for check in of_model.checks}
    assert of_model.excerpt.size


def test_frames_too_large_for_the_recording_are_named(mixture, tmp_path):
    result = run(
        "diagnose", "--json", "--out", tmp_path / "out", "--task", "frames", "--frame", 2000, "--predict", "next",
        "--input", mixture[0],
    )  # fmt: skip
    assert result.status == 1
    assert [finding["code"] for finding in result.json["findings"]] == ["too-little-data"]
    # What it wants is enough.
    seconds = int(result.json["findings"][0]["fix"].split()[1])
    source = open_recording(mixture[0]).read(RATE)
    audio_files.write(tmp_path / "long.wav", [np.resize(source, seconds * RATE)], RATE, "PCM_16")
    pair = pairs.open_pair(tmp_path / "long.wav", None, DataSettings())
    pairs.check_long_enough(pair, 50, 2000)


def test_two_at_once_get_two_reports(mixture, tmp_path):
    command = [
        sys.executable,
        "-m",
        "dl4j_bridge",
        "diagnose",
        "--quick",
        "--task",
        "frames",
        "--frame",
        "2000",
        "--predict",
        "next",
        "--input",
    ]
    both = [subprocess.Popen([*command, str(mixture[0])], cwd=tmp_path, stderr=subprocess.PIPE) for _ in range(2)]
    errors = [process.communicate()[1].decode() for process in both]
    assert [process.returncode for process in both] == [1, 1], errors
    assert len(list((tmp_path / "runs").glob("*/report.html"))) == 2


def test_the_next_command_spells_what_differs_from_the_tasks_defaults(mixture, tmp_path):
    small = ["--hidden", 16, "--tbptt", 100, "--length", 200, "--batch", 8]
    given = ["--task", "frames", "--input", mixture[0], "--target", mixture[0], *small]
    result = run("diagnose", "--json", "--quick", "--out", tmp_path / "out", *given)
    assert result.status == 0, result.stdout + result.stderr
    assert result.json["next"].endswith("--task frames --hidden 16 --tbptt 100 --length 200 --batch 8")
