"""The smooth start: neighbouring classes have similar weights, distant ones do not."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from dl4j_bridge.java import initial_weights
from dl4j_bridge.java.interface import Interface
from dl4j_bridge.java.network import Network
from dl4j_bridge.settings.training import CELLS, LAYERS, NetworkSettings
from dl4j_bridge.signal.codecs import CLASSES

SIZE = {"layers": 2, "hidden": 50, "seed": 3}


def correlation(weights, apart: int) -> float:
    """Of the weights of two classes, as the mean over all pairs that are so far apart."""
    return float(np.mean(weights[apart:] * weights[: len(weights) - apart]))


def test_neighbours_are_similar_and_distant_classes_are_not():
    weights = initial_weights.smooth(CLASSES, 4000, 1)
    assert weights.dtype == np.float32
    weights = weights / np.float32(initial_weights.SCALE)
    assert abs(weights.mean()) < 0.05
    assert weights.std() == pytest.approx(1, abs=0.02)
    correlations = [correlation(weights, apart) for apart in (1, 4, 16, 64, 128)]
    assert correlations == sorted(correlations, reverse=True)
    assert correlations[0] > 0.8
    assert abs(correlations[-1]) < 0.3
    assert not np.array_equal(weights, initial_weights.smooth(CLASSES, 4000, 2))


@pytest.mark.parametrize("layer", LAYERS)
def test_the_network_starts_with_them(java, layer):
    classes = Interface.of_classes(CLASSES)
    networks = {
        init: Network.create(NetworkSettings(layer=layer, init=init, **SIZE), classes) for init in ("auto", "wide")
    }
    expected = initial_weights.smooth(CLASSES, 4 * SIZE["hidden"], SIZE["seed"])
    np.testing.assert_array_equal(networks["auto"].parameter("0_W"), expected)
    for name, factor in {"0_RW": 1, "1_W": 1, "2_W": initial_weights.OUTPUT_SCALE}.items():
        wide = networks["wide"].parameter(name)
        np.testing.assert_allclose(networks["auto"].parameter(name), factor * wide, rtol=1e-6)


def test_vectors_have_no_classes(java):
    networks = [
        Network.create(NetworkSettings(task="frames", init=init, **SIZE), Interface.of_vectors(1, 1))
        for init in ("smooth", "wide")
    ]
    np.testing.assert_array_equal(networks[0].parameters(), networks[1].parameters())


@pytest.mark.parametrize("cell", CELLS)
def test_slow_units_remember_for_thousands_of_steps(java, cell):
    """As the share of the cell state that the biases let go at each step, and let in."""
    settings = NetworkSettings(task="frames", cell=cell, layers=1, hidden=20, init="xavier", slow_units=0.5, seed=4)
    network = Network.create(settings, Interface.of_vectors(1, 1))
    gates = network.parameter("0_b").reshape(4, 20)
    forgotten = 1 / (1 + np.exp(gates[1]))
    np.testing.assert_allclose(forgotten[:10], expit(gates[3, :10]), rtol=1e-4)
    assert 1 / 8000 <= forgotten[:10].min() < 1 / 2000 < 1 / 400 < forgotten[:10].max() <= 1 / 100
    np.testing.assert_allclose(forgotten[10:], expit(-1), rtol=1e-5)
    assert not gates[[0, 2]].any()
    assert not gates[3, 10:].any()
    fast = Network.create(replace(settings, slow_units=0.0), Interface.of_vectors(1, 1))
    assert not fast.parameter("0_b").reshape(4, 20)[3].any()
