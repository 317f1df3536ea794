"""Which network is kept as the best, and when there is nothing left to learn."""

import json

import numpy as np
import pytest
from scipy.special import logit

from dl4j_bridge.java.network import Network
from dl4j_bridge.jobs.validation import stretches, validate, validate_long
from dl4j_bridge.settings.training import NetworkSettings
from dl4j_bridge.signal import audio_files
from dl4j_bridge.signal.codecs import LINEAR
from dl4j_bridge.tasks.samples.task import SamplesTask
from tests.conftest import SMALL, run_ok

HELD = 128


@pytest.fixture
def drifting(java):
    """A network whose one unit adds up 1 / 4000 at each step, and that forgets its only class when it is half full."""
    settings = NetworkSettings(cell="lstm", layers=1, hidden=1, init="xavier", neighbours=0.0)
    network = Network.create(settings, SamplesTask(LINEAR, 0.0, "target").interface)
    # DL4J's gates: block input, forget, output, input.
    gates = [9, 20, 20, logit(1 / 4000)]
    away = np.where(np.arange(256) == HELD, -40, 0)
    for name, values in {"0_W": np.zeros(4 * 256), "0_RW": np.zeros(4), "0_b": gates, "1_W": away}.items():
        network._parameter(name).write(np.asarray(values, np.float32))
    network._parameter("1_b").write(np.float32(20) * (np.arange(256) == HELD))
    return network


def test_a_network_that_goes_astray_after_some_thousand_steps_is_found_out(drifting):
    silence = np.full(300_000, HELD, np.uint8)
    arguments = drifting, SamplesTask(LINEAR, 0.0, "target"), [(silence, silence)]
    assert validate(*arguments, 8000)["accuracy"] == 1
    assert validate_long(*arguments)["accuracy"] < 0.5


@pytest.mark.parametrize(("length", "count"), [(500, 1), (20_000, 2), (399_990, 4), (1_000_000, 4)])
def test_no_stretch_is_shorter_than_its_warm_up_unless_it_is_all_there_is(length, count):
    x = np.arange(10 * length)
    found = stretches([(x, x)], steps=40_000, most=4, warm_up=10_000)
    assert len(found) == count
    valid = range(8 * length, 9 * length)
    for before, judged in found:
        assert len(judged) >= min(10_000, length)
        assert judged[0] in valid
        assert judged[-1] in valid
        np.testing.assert_array_equal(before[-len(judged) :], judged)
        assert len(before) - len(judged) == min(10_000, 8 * length)


def test_a_solved_run_stops_and_says_how_to_go_on(tmp_path):
    steps = np.repeat(np.random.default_rng(1).choice([-0.5, 0.1, 0.6], 300), 30)
    audio_files.write(tmp_path / "steps.wav", [steps], 8000, "PCM_U8")
    source, out = tmp_path / "steps.wav", tmp_path / "run"
    options = [*SMALL, "--learning-rate", 0.05, "--hidden", 32, "--validate-every", 50]
    first = run_ok("train", "--input", source, "--target", source, "--out", out, "--steps", 5000, *options)
    assert "stopped by solved" in first.stdout
    assert f"{out} --resume --no-stop-when-solved" in first.stdout
    limit = json.loads((out / "run.json").read_text())["result"]["steps"] + 10
    then = run_ok("train", out, "--resume", "--no-stop-when-solved", "--steps", limit, "--no-report", "--json").json
    assert (then["stopped_because"], then["steps"]) == ("steps", limit)
    assert then["valid"]["accuracy"] == 1
