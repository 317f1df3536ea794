"""Choosing the stretch that a report shows."""

from __future__ import annotations

import numpy as np

from dl4j_bridge.signal.codecs import LINEAR
from dl4j_bridge.tasks import excerpts


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
