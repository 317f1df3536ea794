"""The stretch that a report shows."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from dl4j_bridge.signal.codecs import LINEAR
from dl4j_bridge.tasks import excerpts
from dl4j_bridge.tasks.comparison import Evaluated
from dl4j_bridge.tasks.samples.comparison import SamplesComparison
from dl4j_bridge.tasks.samples.task import SamplesTask


def test_the_loudest_samples_of_a_part():
    y = np.full(20_000, 128, np.uint8)
    y[3000:4000] = 250
    y[15_000:16_000] = 200
    where = excerpts.loudest_samples(LINEAR.values, y, slice(8000, 20_000), 2000)
    assert where.stop - where.start == 2000
    assert where.start <= 15_000
    assert where.stop >= 16_000
    assert excerpts.loudest_samples(LINEAR.values, y, slice(8000, 9000), 2000) == slice(8000, 9000)


def test_the_loudest_vectors_of_a_part():
    y = np.zeros((100, 3), np.float32)
    y[10:20], y[60:70] = 9, 5
    assert excerpts.loudest_vectors(y, slice(30, 100), 10) == slice(60, 70)
    assert excerpts.loudest_vectors(y, slice(95, 100), 10) == slice(95, 100)


def test_the_output_is_cut_where_the_target_is():
    rate, task = 11025, SamplesTask(LINEAR, 0.0, "target")
    x, y, classes = np.random.default_rng(1).integers(0, 256, (3, 25 * rate), np.uint8)
    y[: 12 * rate] = y[22 * rate :] = 128
    part = slice(2 * rate, 25 * rate)
    compared = SimpleNamespace(task=task, x=x, y=y, start=part.start, end=part.stop, rate=rate)
    model = Evaluated({}, task.to_samples(classes)[part], classes[part])
    found = SamplesComparison.excerpt(compared, model)
    here = slice(found.start, found.start + found.size)
    assert found.size == 10 * rate
    assert found.start == pytest.approx(12 * rate, abs=excerpts.STRIDE)
    for name, expected in (("input", x), ("target", y), ("output", classes)):
        np.testing.assert_array_equal(found.classes[name], expected[here])
        np.testing.assert_array_equal(found.sounds[name], (expected[here] - 128.0) / 128)
