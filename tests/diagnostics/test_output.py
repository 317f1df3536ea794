"""Each fault of an output is named when it is planted, and a faithful output finds nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dl4j_bridge.demos import synthesis
from dl4j_bridge.diagnostics import criteria, output
from dl4j_bridge.diagnostics.curves import History
from dl4j_bridge.diagnostics.output.rendering import render
from dl4j_bridge.diagnostics.trial import as_fused, train_briefly
from dl4j_bridge.settings.training import TrainSettings
from dl4j_bridge.signal.codecs import LINEAR
from dl4j_bridge.signal.pairs import part
from dl4j_bridge.tasks.samples.task import SamplesTask

pytestmark = pytest.mark.usefixtures("java")

TASK = SamplesTask(LINEAR, 0.0, "target")
CRITERION = criteria.of(TASK)
# The network has to remember three samples: dropping its state shows. Windows longer than any stretch without a drop
# teach it a state that has been carried for long.
DELAY = 3
SETTINGS = as_fused(
    TrainSettings().with_options({"hidden": 32, "batch": 8, "length": 500, "tbptt": 25, "learning_rate": 0.01})
)
RECORDINGS = {"strings": synthesis.plucked_strings(4), "speech-like": synthesis.speech_like(4)}


def codes(outcome):
    return [finding.code for finding in outcome.findings]


@pytest.fixture(scope="module", params=RECORDINGS)
def rendered(request):
    """A trained network, and its output for its recording."""
    x = LINEAR.encode(RECORDINGS[request.param])
    y = np.concatenate([np.full(DELAY, 128, np.uint8), x[:-DELAY]])
    network = train_briefly(SETTINGS, TASK, (x, y), 400, lambda trial: False).network
    return network, render(network, TASK, x, y)


def stateless(network, rendered, chunk):
    """What a program gives that forgets the state at every border."""
    count = rendered.x.size // chunk
    p = network.run_batch(rendered.x[: count * chunk].reshape(count, chunk)).reshape(count * chunk, -1)
    return LINEAR.encode(p @ LINEAR.values)


@pytest.mark.parametrize("chunk", [50, 441, 1000])
def test_a_state_dropped_between_chunks_is_named_with_its_chunk(rendered, chunk):
    network, rendering = rendered
    outcome = output.users_output(rendering, network, stateless(network, rendering, chunk))
    assert codes(outcome) == ["state-not-carried"], outcome.figures
    assert outcome.findings[0].evidence["chunk"] == chunk


def test_a_sampled_output_is_named(rendered):
    network, rendering = rendered
    sampled = TASK.decoder("sample", seed=5).push(rendering.probabilities)
    assert codes(output.users_output(rendering, network, LINEAR.encode(sampled))) == ["sampling-noise"]


@pytest.mark.parametrize("decode", ["mean", "argmax"])
def test_a_faithful_output_finds_nothing(rendered, decode):
    network, rendering = rendered
    given = LINEAR.encode(TASK.decoder(decode).push(rendering.probabilities))
    assert codes(output.users_output(rendering, network, given)) == []


def test_decoding_by_sampling_is_named_and_its_noise_is_the_variance(rendered):
    _, rendering = rendered
    assert codes(output.decoding(rendering, "mean")) == []
    outcome = output.decoding(rendering, "sample")
    assert codes(outcome) == ["sampling-noise"]
    wanted = LINEAR.decode(rendering.y)
    samples = [TASK.decoder("sample", seed=k).push(rendering.probabilities) for k in range(20)]
    noise = np.mean([np.mean((sample - rendering.mean) ** 2) for sample in samples]) / np.mean(wanted**2)
    assert outcome.figures["sampling_noise_db"] == pytest.approx(10 * np.log10(noise), abs=0.3)


def test_what_a_lost_state_costs_is_measured(rendered):
    network, rendering = rendered
    figures = output.memory(CRITERION, network, rendering.stretch, rendering.probabilities, chunk=200).figures
    assert figures["bits_dropped"] > figures["bits_carried"]


@pytest.fixture(scope="module")
def by_heart():
    """A network that knows the noise of its training part by heart, and its signals."""
    x = LINEAR.encode(RECORDINGS["strings"])[:2000]
    noise = np.random.default_rng(1).integers(-12, 13, x.size)
    signals = x, np.clip(x.astype(int) + noise, 0, 255).astype(np.uint8)
    settings = replace(SETTINGS, network=replace(SETTINGS.network, hidden=64))
    return train_briefly(settings, TASK, part(signals, "train"), 500, lambda trial: False).network, signals


@pytest.mark.parametrize(
    ("validation", "found"),
    [([7.2, 7.9, 9.0, 9.9], ["overfit"]), ([9.9, 9.0, 7.9, 7.2], []), ([], [])],
    ids=["rises", "falls", "unknown"],
)
def test_overfit_is_what_got_worse_and_not_what_is_not_trained_yet(validation, found, by_heart):
    network, signals = by_heart
    history = History([7.0, 5.0, 3.0, 1.0], validation, [0.5] * 4) if validation else None
    outcome = output.generalization(CRITERION, SETTINGS.network, network, signals, history)
    assert outcome.figures["valid_bits"] > outcome.figures["train_bits"] + 1
    assert codes(outcome) == found, outcome.figures


def test_a_network_worse_than_a_baseline_is_named():
    rows = [
        {"name": "model", "esr": 0.2},
        {"name": "copy", "esr": 0.5},
        {"name": "fir", "esr": 0.1},
        {"name": "silent", "esr": None},
    ]
    outcome = output.against_baselines(CRITERION, rows)
    assert codes(outcome) == ["noisier-than-baseline"]
    assert outcome.findings[0].evidence["fir_esr"] == 0.1
    rows[0]["esr"] = 0.11
    assert codes(output.against_baselines(CRITERION, rows)) == []
    # An error that nobody hears is no noise, whatever an exact copy comes to.
    inaudible = [{"name": "model", "esr": 1e-3}, {"name": "copy", "esr": 0.0}]
    assert codes(output.against_baselines(CRITERION, inaudible)) == []
