"""A next-sample model trained with the defaults sounds like what it heard, in its statistics."""

from __future__ import annotations

import pytest

from dl4j_bridge.settings.training import NetworkSettings
from dl4j_bridge.signal.codecs import LINEAR
from dl4j_bridge.signal.metrics import order_1_entropy_bits
from dl4j_bridge.signal.recordings import open_recording
from tests.conftest import EXAMPLES, run_ok

RATE = 11025


def indices(path):
    return LINEAR.encode(open_recording(path).read(RATE))


@pytest.mark.slow
@pytest.mark.parametrize("training_seed", [NetworkSettings().seed, 1, 2])
def test_order_1_entropy_of_ten_seconds_is_that_of_the_training_audio(training_seed, tmp_path):
    """One network is naturally too loud and the next too calm, so one seed of training would prove nothing."""
    source, folder = EXAMPLES / "plucked_dry.wav", tmp_path / "run"
    run_ok("train", "--input", source, "--out", folder, "--steps", 600, "--seed", training_seed)
    for seed in (1, 2):
        out = tmp_path / f"{seed}.wav"
        run_ok("generate", "--model", folder, "--output", out, "--seconds", 10, "--seed", seed)
        own = indices(out)
        assert own.size == 10 * RATE
        # Of equal lengths: counted pairs know the more, the longer the recording.
        wanted = order_1_entropy_bits(indices(source)[: own.size])
        assert order_1_entropy_bits(own) == pytest.approx(wanted, rel=0.15)
