"""Training windows: one piece of one recording each, in an order that the seed decides."""

import tracemalloc

import numpy as np
import pytest

from dl4j_bridge.signal.windows import Windows

SIZES = [10_007, 999, 1000, 23_456]
LENGTH, BATCH = 1000, 7


@pytest.fixture
def numbered():
    """Stretches in which each pair of bytes tells its place: input + 256 * target."""
    at = np.arange(sum(SIZES))
    cuts = np.cumsum(SIZES)[:-1]
    low, high = (at % 256).astype(np.uint8), (at // 256).astype(np.uint8)
    return list(zip(np.split(low, cuts), np.split(high, cuts), strict=True))


def places(windows, batches):
    """The places in all windows of some batches, shape (windows, length)."""
    chosen = [windows.batch(number) for number in batches]
    return np.concatenate([x.astype(int) + 256 * y.astype(int) for x, y in chosen])


def test_every_window_is_one_piece_of_one_stretch(numbered):
    at = places(Windows(numbered, LENGTH, BATCH, 1), range(40))
    assert at.shape == (40 * BATCH, LENGTH)
    assert (np.diff(at, axis=1) == 1).all()
    stretch = np.searchsorted(np.cumsum(SIZES), at, side="right")
    assert (stretch[:, 0] == stretch[:, -1]).all()
    # The second stretch is shorter than a window.
    assert set(stretch[:, 0]) == {0, 2, 3}


def test_an_epoch_takes_adjacent_windows_once_each_and_as_many_as_fit(numbered):
    windows = Windows(numbered, LENGTH, BATCH, 1)
    assert windows.per_epoch == 10 + 0 + 1 + 23
    starts = places(windows, range(34))[:, 0].reshape(BATCH, 34)
    ends = np.cumsum(SIZES)
    for epoch in starts:
        by_stretch = np.split(np.sort(epoch), np.searchsorted(np.sort(epoch), ends)[:-1])
        assert [part.size for part in by_stretch] == [10, 0, 1, 23]
        assert all((np.diff(part) == LENGTH).all() for part in by_stretch)
        assert not (np.diff(epoch) > 0).all()
    assert len({tuple(epoch) for epoch in starts}) == BATCH
    assert len({tuple(np.sort(epoch)) for epoch in starts}) == BATCH


def test_each_epoch_begins_at_a_random_offset_within_what_is_left_over():
    at = np.arange(26, dtype=np.uint8)
    windows = Windows([(at, at)], length=10, batch=2, seed=1)
    assert {int(windows.batch(number)[0].min()) for number in range(200)} == set(range(7))


def test_the_same_seed_gives_the_same_batches_and_another_seed_others(numbered):
    first, again, other = (places(Windows(numbered, LENGTH, BATCH, seed), range(12)) for seed in (5, 5, 6))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_batch_depends_on_its_number_alone(numbered):
    windows = Windows(numbered, LENGTH, BATCH, 1)
    forwards = [windows.batch(number) for number in range(12)]
    for number in (11, 3, 3, 0, 7):
        assert np.array_equal(windows.batch(number), forwards[number])
        assert np.array_equal(Windows(numbered, LENGTH, BATCH, 1).batch(number), forwards[number])
    assert not np.array_equal(forwards[0], forwards[1])


def test_epochs_count_windows(numbered):
    windows = Windows(numbered, LENGTH, BATCH, 1)
    assert windows.epochs(34) == pytest.approx(BATCH)
    assert windows.epochs(0.5) == pytest.approx(0.5 * BATCH / 34)


def test_a_batch_may_be_larger_than_an_epoch():
    at = np.arange(30, dtype=np.uint8)
    x, _ = Windows([(at, at)], length=10, batch=50, seed=1).batch(0)
    assert [sorted(x[3 * k : 3 * k + 3, 0]) for k in range(16)] == [[0, 10, 20]] * 16


def test_windows_of_an_hour_of_sound_take_little_memory():
    """Two signals of 29 million classes: only what is in a batch may be copied."""
    stretches = [(np.zeros(29_000_000, np.uint8), np.zeros(29_000_000, np.uint8))]
    tracemalloc.start()
    try:
        windows = Windows(stretches, 1000, 32, 1)
        for number in range(20):
            windows.batch(number)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 50e6
