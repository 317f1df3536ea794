"""Metrics against SciPy and plain formulas."""

import math

import numpy as np
import pytest
from scipy.signal import ShortTimeFFT, get_window, lfilter
from scipy.stats import entropy

from dl4j_bridge.signal import metrics


@pytest.fixture
def rng():
    return np.random.default_rng(1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cross_entropy_sums_minus_log_of_the_targets_probability(rng, dtype):
    p = rng.dirichlet(np.full(256, 0.1), 500).astype(dtype) + dtype(1e-9)
    target = rng.integers(0, 256, 500).astype(np.uint8)
    expected = -sum(math.log(p[t, target[t]]) for t in range(500))
    assert metrics.cross_entropy_sum(p, target) == pytest.approx(expected, rel=1e-12)


def test_an_impossible_class_costs_finitely_many_nats():
    p = np.zeros((2, 256), np.float32)
    p[:, 7] = 1
    nats = metrics.cross_entropy_sum(p, np.array([7, 8], np.uint8))
    assert nats == pytest.approx(12 * math.log(10), rel=1e-6)


def test_the_uniform_distribution_costs_8_bits():
    p = np.full((100, 256), 1 / 256, np.float32)
    nats = metrics.cross_entropy_sum(p, np.arange(100, dtype=np.uint8))
    assert nats / math.log(2) / 100 == pytest.approx(8, rel=1e-12)


def test_esr_is_the_share_of_the_errors_energy(rng):
    y, output = rng.normal(size=(2, 1000))
    assert metrics.esr(y, output) == pytest.approx(np.linalg.norm(y - output) ** 2 / np.linalg.norm(y) ** 2, rel=1e-12)
    assert metrics.esr(y, np.zeros(1000)) == 1
    assert metrics.esr(y, 1.1 * y) == pytest.approx(0.01, rel=1e-9)


def test_an_exact_copy_has_esr_0_and_no_snr(rng):
    y = rng.normal(size=100)
    assert metrics.esr(y, y.copy()) == 0.0
    assert metrics.snr_db(0.0) is None


def test_a_silent_target_is_met_only_by_silence():
    assert metrics.esr(np.zeros(9), np.zeros(9)) == 0.0
    assert metrics.esr(np.zeros(9), np.full(9, 0.1)) is None


@pytest.mark.parametrize(("esr", "db"), [(1.0, 0.0), (0.1, 10.0), (0.001, 30.0), (100.0, -20.0)])
def test_snr_is_esr_in_db(esr, db):
    assert metrics.snr_db(esr) == pytest.approx(db, abs=1e-12)


@pytest.mark.parametrize("classes", [1, 2, 40, 256])
def test_entropy_is_that_of_the_histogram(rng, classes):
    x = rng.integers(0, classes, 5000).astype(np.uint8)
    expected = entropy(np.unique(x, return_counts=True)[1], base=2)
    assert metrics.entropy_bits(x) == pytest.approx(expected, abs=1e-12)


def test_order_1_entropy_is_the_mean_entropy_behind_each_class(rng):
    walk = (np.cumsum(rng.integers(-2, 3, 20_000)) % 256).astype(np.uint8)
    before, after = walk[:-1], walk[1:]
    expected = sum(
        np.mean(before == c) * entropy(np.unique(after[before == c], return_counts=True)[1], base=2)
        for c in np.unique(before)
    )
    assert metrics.order_1_entropy_bits(walk) == pytest.approx(expected, abs=1e-9)
    assert expected < 2.4 < metrics.entropy_bits(walk)


def test_a_cycle_has_no_order_1_entropy():
    cycle = np.tile(np.arange(50, dtype=np.uint8), 20)
    assert metrics.order_1_entropy_bits(cycle) == pytest.approx(0, abs=1e-9)
    assert metrics.entropy_bits(cycle) == pytest.approx(math.log2(50), abs=1e-9)


def spectrogram(x, size, window, hop):
    """By SciPy's own transform, with frames within the sound only."""
    transform = ShortTimeFFT(get_window("hann", window), hop, fs=1, mfft=size, phase_shift=None)
    # SciPy centres its windows.
    half = window // 2
    frames = (x.size - window) // hop + 1
    whole = np.stack([transform.stft(x, p0=0, p1=1, k_offset=half + hop * k)[:, 0] for k in range(frames)])
    return np.abs(whole)


def test_stft_distance_is_that_of_scipys_spectrograms(rng):
    y = lfilter([1], [1, -0.9], rng.normal(0, 0.1, 5000))
    output = 0.7 * y + rng.normal(0, 0.02, y.size)
    distances = []
    for size, window, hop in ((512, 240, 50), (1024, 600, 120), (2048, 1200, 240)):
        a, b = (spectrogram(x, size, window, hop) for x in (y, output))
        distances.append(np.linalg.norm(a - b) / np.linalg.norm(a) + np.mean(np.abs(np.log(a) - np.log(b))))
    assert metrics.stft_distance(y, output) == pytest.approx(np.mean(distances), rel=1e-6)


def test_stft_distance_counts_level_not_polarity(rng):
    y = rng.normal(0, 0.1, 200_000)
    assert metrics.stft_distance(y, y) == 0
    assert metrics.stft_distance(y, -y) == pytest.approx(0, abs=1e-9)
    assert metrics.stft_distance(y, 2 * y) == pytest.approx(1 + math.log(2), rel=1e-6)


def test_stft_distance_of_short_and_silent_sounds():
    silence = np.zeros(5000)
    assert metrics.stft_distance(silence, silence) == 0
    assert metrics.stft_distance(silence, silence + 0.1) is None
    assert metrics.stft_distance(silence + 0.1, silence) > 1
    assert metrics.stft_distance(np.full(10, 0.1), np.full(10, 0.1)) == 0
