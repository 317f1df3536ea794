"""A next-sample model trained with the defaults sounds like what it heard, in its statistics."""

from __future__ import annotations

import pytest

from dl4j_bridge.audio import open_recording
from dl4j_bridge.codec import LINEAR
from dl4j_bridge.metrics import order_1_entropy_bits
from tests.conftest import EXAMPLES, run_ok

RATE = 11025


def indices(path):
    return LINEAR.encode(open_recording(path).read(RATE))


@pytest.mark.slow
@pytest.mark.xdist_group("generated")
@pytest.mark.parametrize("seed", [1, 2])
def test_order_1_entropy_of_ten_seconds_is_that_of_the_training_audio(seed, tmp_path_factory):
    folder = tmp_path_factory.getbasetemp() / "generated"
    source, out = EXAMPLES / "plucked_dry.wav", folder.with_suffix(f".{seed}.wav")
    if not folder.exists():
        run_ok("train", "--input", source, "--out", folder, "--steps", 600)
    run_ok("generate", "--model", folder, "--output", out, "--seconds", 10, "--seed", seed)
    drawn = indices(out)
    assert drawn.size == 10 * RATE
    # Of equal lengths: counted pairs know the more, the longer the recording.
    wanted = order_1_entropy_bits(indices(source)[: drawn.size])
    assert order_1_entropy_bits(drawn) == pytest.approx(wanted, rel=0.15)
