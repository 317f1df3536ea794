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
@pytest.mark.parametrize("name", ["plucked_dry", "speech_like"])
def test_order_1_entropy_of_ten_seconds_is_that_of_the_training_audio(name, tmp_path):
    source, out = EXAMPLES / f"{name}.wav", tmp_path / "y.wav"
    run_ok("train", "--input", source, "--out", tmp_path / "run", "--steps", 600)
    run_ok("generate", "--model", tmp_path / "run", "--output", out, "--seconds", 10)
    heard = indices(source)[: int(20 * RATE * 0.8)]
    drawn = indices(out)
    assert drawn.size == 10 * RATE
    # Equal lengths: counted pairs know the more, the longer the recording.
    wanted = order_1_entropy_bits(heard[: drawn.size])
    assert order_1_entropy_bits(drawn) == pytest.approx(wanted, rel=0.15)
