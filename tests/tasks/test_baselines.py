"""Baselines: each recovers what it can represent, loses where it cannot, and says honest probabilities."""

import subprocess
import sys

import numpy as np
import pytest
from scipy.linalg import toeplitz
from scipy.signal import lfilter
from scipy.stats import norm

from dl4j_bridge.demos import synthesis
from dl4j_bridge.signal import metrics
from dl4j_bridge.signal.codecs import LINEAR, MULAW
from dl4j_bridge.tasks.baselines import gaussian
from dl4j_bridge.tasks.baselines.base import BLOCK
from dl4j_bridge.tasks.baselines.constant import Constant
from dl4j_bridge.tasks.baselines.copy import Copy
from dl4j_bridge.tasks.baselines.fir import Fir
from dl4j_bridge.tasks.baselines.hammerstein import Hammerstein
from dl4j_bridge.tasks.baselines.lookup_table import LookupTable
from dl4j_bridge.tasks.baselines.markov import Markov
from dl4j_bridge.tasks.baselines.wiener_hammerstein import WienerHammerstein
from dl4j_bridge.tasks.samples.task import SamplesTask

CODECS = pytest.mark.parametrize("codec", [LINEAR, MULAW], ids=lambda codec: codec.name)
ALL = [type(baseline) for baseline in SamplesTask(LINEAR, 0.0, "target").baselines()]
KINDS = pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.name)
TAPS = np.array([0.5, 0.3, -0.2, 0.1, 0.0, 0.05, -0.15, 0.1])
# Where the training part ends.
BORDER = 40_000


def fitted(kind, codec, *stretches):
    baseline = kind(codec)
    baseline.fit(list(stretches))
    return baseline


def noise(codec, count=50_000, seed=1):
    return codec.encode(np.random.default_rng(seed).normal(0, 0.2, count))


def filtered(codec, x):
    return codec.encode(lfilter(TAPS, 1, codec.decode(x)) + 0.05)


def curved(codec, x):
    return codec.encode(np.tanh(5 * codec.decode(x) + 0.5))


def esr(codec, target, prediction):
    return metrics.esr(codec.decode(target), prediction.values)


def chances(prediction, target):
    """The probability that each target sample got."""
    return prediction.probabilities[np.arange(target.size), target]


def test_all_are_the_ones_that_compare_lists():
    assert [kind.name for kind in ALL] == [
        "copy",
        "constant",
        "lookup-table",
        "markov",
        "fir",
        "hammerstein",
        "wiener-hammerstein",
    ]


@CODECS
def test_copy_gives_its_input_back_and_no_distribution(codec):
    x = noise(codec, 1000)
    prediction = fitted(Copy, codec, (x, x)).predict(x)
    assert np.array_equal(prediction.classes, x)
    assert np.array_equal(prediction.values, codec.decode(x))
    assert prediction.probabilities is None


@CODECS
def test_lookup_table_recovers_a_curve_exactly(codec):
    x = noise(codec)
    table = fitted(LookupTable, codec, (x[:BORDER], curved(codec, x[:BORDER])))
    unseen = x[BORDER:][np.isin(x[BORDER:], x[:BORDER])]
    assert unseen.size > 9000
    prediction = table.predict(unseen)
    assert np.array_equal(prediction.classes, curved(codec, unseen))
    assert esr(codec, curved(codec, unseen), prediction) < 0.001


@CODECS
def test_lookup_table_knows_a_class_that_it_saw_once(codec):
    x = np.r_[np.full(5000, 100), 7].astype(np.uint8)
    y = np.r_[np.full(5000, 50), 200].astype(np.uint8)
    assert fitted(LookupTable, codec, (x, y)).predict(np.array([7, 100], np.uint8)).classes.tolist() == [200, 50]


def test_lookup_tables_probabilities_are_counts_that_lean_on_the_marginal():
    rng = np.random.default_rng(1)
    parts = []
    for count in (BLOCK + 5000, 300):
        x = np.clip(rng.normal(128, 20, count), 0, 255).astype(np.uint8)
        parts.append((x, np.clip(x + rng.integers(-2, 3, count), 0, 255).astype(np.uint8)))
    x, y = (np.concatenate(side) for side in zip(*parts, strict=True))
    marginal = (np.bincount(y, minlength=256) + 1) / (y.size + 256)
    test_x, test_y = np.r_[x[:500], 0].astype(np.uint8), np.r_[y[:499], 3, 250].astype(np.uint8)
    rows = [x == c for c in test_x]
    expected = [(np.sum(y[row] == c) + marginal[c]) / (np.sum(row) + 1) for row, c in zip(rows, test_y, strict=True)]
    prediction = fitted(LookupTable, LINEAR, *parts).predict(test_x)
    np.testing.assert_allclose(chances(prediction, test_y), expected, rtol=1e-6)
    bits = metrics.cross_entropy_sum(prediction.probabilities, test_y) / np.log(2) / test_y.size
    assert bits == pytest.approx(-np.mean(np.log2(expected)), rel=1e-6)
    np.testing.assert_allclose(prediction.probabilities.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(prediction.values, prediction.probabilities @ LINEAR.values, atol=1e-6)


def bits(prediction, target):
    return metrics.cross_entropy_sum(prediction.probabilities, target) / np.log(2) / target.size


def witten_bell(stretches, context, target, order):
    """p(target | context) by counting through the recordings anew; `context` ends with the newest sample."""
    if order < 0:
        return 1 / 256
    newest = context[len(context) - order :]
    # Every order is counted where there is a context of two.
    followers = [
        y[t] for x, y in stretches for t in range(1, x.size) if x[t + 1 - order : t + 1].tolist() == list(newest)
    ]
    distinct = len(set(followers))
    shorter = witten_bell(stretches, context, target, order - 1)
    return (followers.count(target) + distinct * shorter) / (len(followers) + distinct) if followers else shorter


@pytest.mark.parametrize("order", [0, 1, 2])
def test_markovs_probabilities_are_witten_and_bells(order):
    rng = np.random.default_rng(2)
    walk = np.clip(128 + np.cumsum(rng.integers(-1, 2, 900)), 120, 136).astype(np.uint8)
    stretches = [(walk[:500], walk[1:501]), (walk[501:-1], walk[502:])]
    markov = Markov(LINEAR, order)
    markov.fit(stretches)
    heard, wanted = np.r_[walk[:30], 5, 128].astype(np.uint8), np.r_[walk[1:31], 128, 129]
    expected = [
        witten_bell(stretches, heard[max(t - 1, 0) : t + 1].tolist(), wanted[t], min(order, t + 1)) for t in range(32)
    ]
    prediction = markov.predict(heard)
    np.testing.assert_allclose(chances(prediction, wanted), expected, rtol=1e-5)
    np.testing.assert_allclose(prediction.probabilities.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(prediction.values, prediction.probabilities @ LINEAR.values, atol=1e-6)


def conditional_entropy(joint):
    """Of the last axis given all others, in bits."""
    return float(-np.sum(joint * np.log2(joint / joint.sum(axis=-1, keepdims=True))))


def test_markov_orders_reach_the_entropies_of_a_planted_source():
    rng = np.random.default_rng(3)
    classes, count = 6, 60_000
    table = rng.dirichlet(np.full(classes, 0.5), (classes, classes)) * 0.98 + 0.02 / classes
    source = np.zeros(count, np.uint8)
    for t, u in enumerate(rng.random(count - 2), 2):
        source[t] = np.searchsorted(np.cumsum(table[source[t - 2], source[t - 1]]), u)
    # The stationary distribution of two samples: where one step more changes nothing.
    pairs = np.full((classes, classes), 1 / classes**2)
    for _ in range(500):
        pairs = np.einsum("ab,abc->bc", pairs, table)
    triples = pairs[:, :, None] * table
    wanted = [conditional_entropy(triples.sum(axis=(0, 1))), conditional_entropy(triples.sum(axis=0))]
    wanted.append(conditional_entropy(triples))
    found = []
    for order in range(3):
        markov = Markov(LINEAR, order)
        markov.fit([(source[:BORDER], source[1 : BORDER + 1])])
        found.append(bits(markov.predict(source[BORDER:-1]), source[BORDER + 1 :]))
    assert wanted[1] - wanted[2] > 0.2
    assert found == pytest.approx(wanted, abs=0.02)


def test_markov_stays_small_and_keeps_what_was_seen_most(monkeypatch):
    monkeypatch.setattr(Markov, "LARGEST", 3000)
    rng = np.random.default_rng(4)
    x = np.r_[rng.integers(0, 256, 20_000), np.tile([9, 10, 200], 50)].astype(np.uint8)
    markov = fitted(Markov, LINEAR, (x[:-1], x[1:]))
    kept = markov.arrays()
    assert 2900 < kept["counts"].size <= 3000
    assert markov.predict(np.array([9, 10], np.uint8)).probabilities[1, 200] > 0.9
    # What was left out is answered by the newer sample alone.
    order_1 = Markov(LINEAR, order=1)
    order_1.restore(kept)
    per_context = np.diff(kept["starts"].astype(int)).reshape(256, 256)
    older, newer = np.argwhere(per_context == 0)[0]
    heard = np.array([older, newer], np.uint8)
    assert np.array_equal(markov.predict(heard).probabilities, order_1.predict(heard).probabilities)


@CODECS
def test_fir_recovers_a_filter_and_beats_the_lookup_table_on_it(codec):
    x = noise(codec)
    y = filtered(codec, x)
    fir, table = (fitted(kind, codec, (x[:BORDER], y[:BORDER])) for kind in (Fir, LookupTable))
    taps = fir.arrays()["taps"]
    np.testing.assert_allclose(taps[: TAPS.size], TAPS, atol=0.002)
    np.testing.assert_allclose(taps[TAPS.size :], 0, atol=0.002)
    # The filter's past of the held-out part is seen too.
    start = BORDER - fir.memory
    prediction = fir.predict(x[start:])
    assert metrics.esr(codec.decode(y[start:]), prediction.values) < 0.002
    assert np.mean(prediction.classes[fir.memory :] == y[BORDER:]) > 0.9
    assert esr(codec, y[BORDER:], table.predict(x[BORDER:])) > 0.1


@CODECS
def test_fir_loses_to_the_lookup_table_on_a_curve(codec):
    x = noise(codec)
    y = curved(codec, x)
    fir, table = (fitted(kind, codec, (x[:BORDER], y[:BORDER])).predict(x[BORDER:]) for kind in (Fir, LookupTable))
    assert esr(codec, y[BORDER:], fir) > 10 * esr(codec, y[BORDER:], table)
    assert np.mean(fir.classes == y[BORDER:]) < 0.2


@CODECS
def test_fir_solves_the_normal_equations_of_all_stretches_whatever_the_blocks(codec):
    sound = synthesis.plucked_strings(6)
    assert sound.size > BLOCK + Fir.TAPS
    stretches = [(noise(codec, 3000), noise(codec, 3000, seed=2))]
    stretches.append((codec.encode(sound), codec.encode(synthesis.amplifier(sound))))
    values = [[codec.decode(side) for side in stretch] for stretch in stretches]
    means = [np.concatenate([sides[k] for sides in values]).mean() for k in (0, 1)]
    auto, cross = np.zeros(Fir.TAPS), np.zeros(Fir.TAPS)
    for x, y in values:
        x, y = x - means[0], y - means[1]
        for lag in range(Fir.TAPS):
            auto[lag] += np.sum(x[lag:] * x[: x.size - lag])
            cross[lag] += np.sum(y[lag:] * x[: x.size - lag])
    expected = np.linalg.solve(toeplitz(auto) + 1e-7 * auto[0] * np.eye(Fir.TAPS), cross)
    fir = fitted(Fir, codec, *stretches)
    np.testing.assert_allclose(fir.arrays()["taps"], expected, atol=1e-6)
    np.testing.assert_allclose(fir.arrays()["offsets"], means, atol=1e-12)
    outputs = [lfilter(expected, 1, x - means[0]) + means[1] for x, _ in values]
    errors = np.concatenate([y - output for (_, y), output in zip(values, outputs, strict=True)])
    np.testing.assert_allclose(fir.arrays()["deviation"], [np.sqrt(np.mean(errors**2))], rtol=1e-6)
    np.testing.assert_allclose(fir.predict(stretches[1][0]).values, outputs[1], atol=1e-6)


def thresholds(codec):
    """Between which sample values each class is encoded, found by bisection; infinite at the ends."""
    low, high = np.full(256, -2.0), np.full(256, 2.0)
    for _ in range(60):
        middle = (low + high) / 2
        below = codec.encode(middle) < np.arange(256)
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.append(np.where(high < -1.9, -np.inf, high), np.inf)


@CODECS
@pytest.mark.parametrize("level", [0.2, 3.0], ids=["quiet", "clipped"])
def test_firs_probabilities_are_the_gaussians_mass_where_each_class_is_encoded(codec, level):
    rng = np.random.default_rng(1)
    source = level * synthesis.plucked_strings(3)
    x, y = codec.encode(source), codec.encode(source + rng.normal(0, 0.01, source.size))
    fir = fitted(Fir, codec, (x, y))
    prediction = fir.predict(x[:2000])
    edges = norm.cdf(thresholds(codec), loc=prediction.values[:, None], scale=fir.arrays()["deviation"])
    expected = 0.999 * np.diff(edges, axis=1) + 0.001 / 256
    np.testing.assert_allclose(prediction.probabilities, expected, atol=1e-6)
    np.testing.assert_allclose(prediction.probabilities.sum(axis=1), 1, atol=1e-6)
    assert np.array_equal(prediction.classes, codec.encode(prediction.values))


@CODECS
def test_fir_is_sure_of_what_it_can_know(codec):
    """A copy at full scale: the class at the clipping point gets all that is beyond it."""
    x = codec.encode(np.where(np.random.default_rng(1).random(5000) < 0.5, -1.0, 1.0))
    fir = fitted(Fir, codec, (x, x))
    assert chances(fir.predict(x), x)[fir.memory :].min() > 0.95


def test_fir_admits_every_class():
    x = noise(LINEAR, 5000)
    assert fitted(Fir, LINEAR, (x, x)).predict(x).probabilities.min() >= 0.9999 * gaussian.UNIFORM_SHARE / 256


@CODECS
def test_constant_says_the_histogram_whatever_it_hears(codec):
    x = noise(codec, BLOCK + 5000)
    y = codec.encode(0.1 + 0.5 * codec.decode(x))
    prediction = fitted(Constant, codec, (x[:3000], y[:3000]), (x[3000:], y[3000:])).predict(x[:100])
    expected = (np.bincount(y, minlength=256) + 1) / (y.size + 256)
    np.testing.assert_allclose(prediction.probabilities, np.tile(expected, (100, 1)), rtol=1e-6)
    np.testing.assert_allclose(prediction.values, expected @ codec.values)
    assert set(prediction.classes) == {np.bincount(y).argmax()}


@CODECS
@pytest.mark.parametrize(
    "effect",
    [filtered, curved, lambda codec, x: filtered(codec, curved(codec, x))],
    ids=["filter", "curve", "curve then filter"],
)
def test_hammerstein_recovers_a_curve_a_filter_and_one_behind_the_other(codec, effect):
    x = noise(codec)
    y = effect(codec, x)
    start = BORDER - Hammerstein.memory
    errors = {}
    for kind in (Hammerstein, Fir, LookupTable):
        prediction = fitted(kind, codec, (x[:BORDER], y[:BORDER])).predict(x[start:])
        errors[kind.name] = metrics.esr(codec.decode(y[BORDER:]), prediction.values[Hammerstein.memory :])
    assert errors["hammerstein"] < 0.005
    assert effect is filtered or errors["fir"] > 5 * errors["hammerstein"]
    assert effect is curved or errors["lookup-table"] > 5 * errors["hammerstein"]


def test_hammerstein_solves_the_least_squares_problem_of_all_stretches_whatever_the_blocks():
    sound = synthesis.plucked_strings(6.5)
    assert sound.size > BLOCK + Hammerstein.TAPS
    stretches = [(noise(LINEAR, 3000), noise(LINEAR, 3000, seed=2))]
    stretches.append((LINEAR.encode(sound), LINEAR.encode(synthesis.amplifier(sound))))
    at = np.linspace(0, 255, Hammerstein.KNOTS)
    hats = np.maximum(0, 1 - np.abs(np.arange(256)[:, None] - at) / (at[1] - at[0]))
    size = Hammerstein.TAPS * Hammerstein.KNOTS
    gram, cross = np.zeros((size, size)), np.zeros(size)
    mean = np.concatenate([LINEAR.decode(y) for _, y in stretches]).mean()
    for x, y in stretches:
        # Zeros in front and behind: the autocorrelation method.
        rows = np.zeros((x.size + Hammerstein.TAPS, Hammerstein.TAPS, Hammerstein.KNOTS))
        for lag in range(Hammerstein.TAPS):
            rows[lag : lag + x.size, lag] = hats[x]
        flat = rows.reshape(len(rows), size)
        gram += flat.T @ flat
        cross += flat[: x.size].T @ (LINEAR.decode(y) - mean)
    ridge = Hammerstein.RIDGE * np.trace(gram) / size * np.eye(size)
    expected = np.linalg.solve(gram + ridge, cross).reshape(Hammerstein.TAPS, Hammerstein.KNOTS) @ hats.T
    baseline = fitted(Hammerstein, LINEAR, *stretches)
    np.testing.assert_allclose(baseline.arrays()["curves"], expected, atol=1e-6)
    errors = []
    for x, y in stretches:
        output = np.full(x.size, mean)
        for lag in range(Hammerstein.TAPS):
            output[lag:] += expected[lag, x[: x.size - lag]]
        errors.append(LINEAR.decode(y) - output)
    deviation = np.sqrt(np.mean(np.concatenate(errors) ** 2))
    np.testing.assert_allclose(baseline.arrays()["deviation"], [deviation], rtol=1e-5)


@KINDS
@CODECS
def test_predicting_in_blocks_with_the_memory_in_front_changes_nothing(kind, codec):
    x = noise(codec, 5000)
    baseline = fitted(kind, codec, (x, filtered(codec, x)))
    whole = baseline.predict(x)
    for start, end in ((0, 1), (1, 100), (100, 1100), (1100, 5000)):
        context = min(baseline.memory, start)
        part = baseline.predict(x[start - context : end])
        np.testing.assert_allclose(part.values[context:], whole.values[start:end], atol=1e-12)
        assert np.array_equal(part.classes[context:], whole.classes[start:end])
        if whole.probabilities is not None:
            np.testing.assert_allclose(part.probabilities[context:], whole.probabilities[start:end], atol=1e-6)


@KINDS
@CODECS
def test_what_was_learnt_can_be_kept_and_restored(kind, codec, tmp_path):
    x = noise(codec, 5000)
    before = fitted(kind, codec, (x, filtered(codec, x)))
    np.savez(tmp_path / "x.npz", **before.arrays())
    after = kind(codec)
    with np.load(tmp_path / "x.npz") as kept:
        after.restore(dict(kept))
    for name in ("values", "classes", "probabilities"):
        first, second = (getattr(baseline.predict(x), name) for baseline in (before, after))
        assert np.array_equal(first, second)


def test_no_baseline_imports_pytorch_by_itself():
    script = "import sys, dl4j_bridge.jobs.compare; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_gain_that_sags_is_beyond_every_baseline():
    """What `demo --task sag` relies on: the same amplifier without sag is learned ten times better."""
    sound = synthesis.plucked_strings(10)
    half = sound.size // 2

    def esr(effect):
        wet = effect(sound)
        baselines = [Fir(taps=128), WienerHammerstein(taps=32)]
        for baseline in baselines:
            baseline.fit([(sound[:half], wet[:half])])
        return min(metrics.esr(wet[half:], b.predict(sound[half:]).values) for b in baselines)

    assert esr(synthesis.sagging_amplifier) > 10 * esr(synthesis.amplifier)
