"""Cutting excerpts."""

from __future__ import annotations

import numpy as np
import pytest

from dl4j_bridge.report import excerpt
from dl4j_bridge.signal.codecs import LINEAR
from dl4j_bridge.tasks.samples.task import SamplesTask

RATE = 11025
EFFECT = SamplesTask(LINEAR, 0.0, "target")


def test_the_loudest_stretch_of_a_part():
    y = np.full(20_000, 128, np.uint8)
    y[3000:4000] = 250
    y[15_000:16_000] = 200
    where = excerpt.loudest(EFFECT, y, slice(8000, 20_000), 2000)
    assert where.stop - where.start == 2000
    assert where.start <= 15_000
    assert where.stop >= 16_000
    assert excerpt.loudest(EFFECT, y, slice(8000, 9000), 2000) == slice(8000, 9000)


def test_the_output_is_cut_where_the_target_is():
    rng = np.random.default_rng(1)
    x, y, classes = rng.integers(0, 256, (3, 20 * RATE), np.uint8)
    y[: 12 * RATE] = 128
    part = slice(2 * RATE, 20 * RATE)
    sound = EFFECT.to_samples(classes)[part]
    found = excerpt.of_output(EFFECT, x, y, part, RATE, sound, classes[part])
    here = slice(found.start, found.start + found.size)
    assert found.size == 8 * RATE
    assert found.start == pytest.approx(12 * RATE, abs=excerpt.STRIDE)
    for name, expected in (("input", x), ("target", y), ("output", classes)):
        np.testing.assert_array_equal(found.classes[name], expected[here])
        np.testing.assert_array_equal(found.sounds[name], (expected[here] - 128.0) / 128)
