"""Each fault of network and learning is named on planted settings, and healthy ones find nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dl4j_bridge import reference as lstm
from dl4j_bridge.demos import synthesis
from dl4j_bridge.diagnostics import criteria, learning, network
from dl4j_bridge.diagnostics.network.gradients import compare_gradients
from dl4j_bridge.diagnostics.network.parity import parity
from dl4j_bridge.diagnostics.network.scale import WEAK_INPUT
from dl4j_bridge.diagnostics.trial import Effort, as_fused
from dl4j_bridge.java.interface import Interface
from dl4j_bridge.java.network import Network
from dl4j_bridge.settings.training import TrainSettings
from dl4j_bridge.signal.codecs import LINEAR
from dl4j_bridge.tasks.samples.task import SamplesTask

pytestmark = pytest.mark.usefixtures("java")

SMALL = {"hidden": 32, "batch": 8, "length": 200, "tbptt": 25, "learning_rate": 0.01}
EFFORT = Effort(samples=100_000, least=100, most=200)
TASK = SamplesTask(LINEAR, 0.0, "target")
CRITERION = criteria.of(TASK)
RECORDINGS = {
    "strings": synthesis.plucked_strings(4),
    "speech-like": synthesis.speech_like(4),
}


def settings(**options):
    return as_fused(TrainSettings().with_options(SMALL | options))


def classes(name):
    return LINEAR.encode(RECORDINGS[name])


def codes(outcome):
    return [finding.code for finding in outcome.findings]


recordings = pytest.mark.parametrize("recording", RECORDINGS)


@recordings
def test_the_identity_is_learned_with_the_defaults(recording):
    x = classes(recording)
    outcome = learning.identity(settings(), CRITERION, (x, x), EFFORT)
    assert codes(outcome) == []
    assert outcome.figures["steps_to_learn"] <= EFFORT.steps(settings())


@recordings
@pytest.mark.parametrize(
    ("planted", "options"),
    [
        ("weak-input-scale", {"init": "xavier"}),
        ("learning-rate-too-high", {"updater": "rmsprop", "learning_rate": 0.5, "clip": 0.0}),
        ("learning-rate-too-low", {"learning_rate": 1e-6}),
        ("non-finite", {"updater": "sgd", "learning_rate": 1e30, "clip": 0.0}),
        ("stuck-at-uniform", {"updater": "sgd", "clip": 1e-9}),
    ],
)
def test_what_keeps_the_identity_from_being_learned_is_named_first(recording, planted, options):
    x = classes(recording)
    # One-hot starts took 92 to 167 steps with five seeds, XAVIER 144 to 267.
    effort = Effort(100_000, 140, 140) if planted == "weak-input-scale" else EFFORT
    outcome = learning.identity(settings(**options), CRITERION, (x, x), effort)
    assert codes(outcome)[:1] == [planted], outcome.figures["trials"]


def test_both_faults_of_a_setting_are_named():
    x = classes("speech-like")
    posted = settings(updater="rmsprop", learning_rate=0.15, clip=0.0, init="xavier")
    # At the rate that fixes it, the one-hot start took 46 to 73 steps with five seeds, and XAVIER 98 to 150.
    effort = Effort(100_000, 85, 85)
    assert codes(learning.identity(posted, CRITERION, (x, x), effort)) == ["weak-input-scale", "learning-rate-too-high"]


def test_a_loss_that_falls_too_slowly_for_the_trial_is_a_warning():
    x = classes("strings")
    outcome = learning.identity(settings(), CRITERION, (x, x), Effort(10**6, 40, 40))
    assert codes(outcome) == ["slow-learning"], outcome.figures["trials"]
    assert outcome.findings[0].severity == "warning"


@recordings
def test_the_advice_on_the_rate_converges_when_it_is_followed(recording):
    x = classes(recording)
    outcome = learning.identity(settings(learning_rate=1e-6), CRITERION, (x, x), EFFORT)
    advised = float(outcome.findings[0].fix.split()[1])
    assert codes(learning.identity(settings(learning_rate=advised), CRITERION, (x, x), EFFORT)) == []


@recordings
@pytest.mark.parametrize("effect", [np.tanh, lambda s: np.clip(3 * s, -0.5, 0.5), synthesis.amplifier])
def test_a_healthy_pair_finds_nothing(recording, effect):
    sound = RECORDINGS[recording]
    signals = classes(recording), LINEAR.encode(effect(sound))
    assert codes(learning.pair(settings(), CRITERION, signals, EFFORT)) == []


@recordings
def test_a_network_that_stands_on_the_histogram_is_stuck_at_the_marginal(recording):
    x = classes(recording)
    # The output layer learns its bias; nothing comes through the first layer.
    stuck = settings(init="xavier", learning_rate=0.003)
    outcome = learning.pair(stuck, CRITERION, (x, x), replace(EFFORT, most=100))
    assert codes(outcome) == ["stuck-at-marginal"], outcome.figures


@pytest.mark.parametrize(("init", "code"), [("auto", "overfit"), ("one-hot", "independent-start")])
def test_a_recording_learned_by_heart_is_overfit(init, code):
    x = classes("strings")[:2000]
    rng = np.random.default_rng(1)
    # What noise adds can be remembered, but not predicted.
    y = np.clip(x.astype(int) + rng.integers(-12, 13, x.size), 0, 255).astype(np.uint8)
    outcome = learning.pair(settings(hidden=64, init=init), CRITERION, (x, y), Effort(10**7, 100, 800))
    assert codes(outcome) == [code], outcome.figures


@pytest.mark.parametrize("layers", [1, 2])
def test_network_checks_are_quiet_on_healthy_networks(layers):
    x = classes("strings")
    for check in network.checks(settings(layers=layers).network, TASK.interface, x, x):
        assert codes(check.run()) == [], check.name


def test_weak_input_scale_is_seen_before_training():
    x = classes("strings")
    outcome = network.checks(settings(init="xavier").network, TASK.interface, x, x)[-1].run()
    assert codes(outcome) == ["weak-input-scale"]
    assert outcome.findings[0].evidence["first_layer_from_input"] < WEAK_INPUT


def test_wrong_arithmetic_is_named():
    some = settings().network
    x = network.segments(classes("strings"))
    java = Network.create(some, Interface.of_classes(256))
    flat = java.parameters().astype(np.float64)
    reference = lstm.unpack(flat, 256, some.hidden, some.layers, 256)
    assert codes(parity(java.run_batch, reference, TASK.interface, x)) == []
    # Two gates changed places.
    hidden = some.hidden
    swapped = reference.layers[0].W.copy()
    swapped[:, hidden : 2 * hidden], swapped[:, 3 * hidden :] = (
        reference.layers[0].W[:, 3 * hidden :],
        reference.layers[0].W[:, hidden : 2 * hidden],
    )
    wrong = reference._replace(layers=(reference.layers[0]._replace(W=swapped), *reference.layers[1:]))
    assert codes(parity(java.run_batch, wrong, TASK.interface, x)) == ["parity-broken"]
    lost = parity(lambda x: java.run_batch(x) * np.float32("nan"), reference, TASK.interface, x)
    assert codes(lost) == ["parity-broken"]


def test_a_wrong_gradient_is_named_with_its_block():
    some = settings().network
    x = network.segments(classes("strings"))
    at = Network.create(some, Interface.of_classes(256)).parameters().astype(np.float64)
    reference = lstm.unpack(at, 256, some.hidden, some.layers, 256)
    record = lstm.forward(reference, lstm.one_hot(x, 256), lstm.zero_states(reference, len(x)))
    gradient, _ = lstm.backward(reference, record, x)
    assert codes(compare_gradients(some, TASK.interface, at, gradient, x, x)) == []
    gradient[lstm.layout(256, some.hidden, some.layers, 256)["1/RW"][0]] *= 1.5
    outcome = compare_gradients(some, TASK.interface, at, gradient, x, x)
    assert codes(outcome) == ["gradient-broken"]
    assert list(outcome.findings[0].evidence) == ["1/RW"]
