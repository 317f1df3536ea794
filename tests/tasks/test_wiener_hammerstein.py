"""The filter, curve and filter: it recovers an amplifier's block diagram that the other baselines cannot represent."""

import numpy as np
import pytest
from scipy.interpolate import BSpline
from scipy.optimize import approx_fprime
from scipy.signal import lfilter

from dl4j_bridge.signal import metrics
from dl4j_bridge.signal.codecs import LINEAR
from dl4j_bridge.tasks.baselines import wiener_hammerstein
from dl4j_bridge.tasks.baselines.fir import Fir
from dl4j_bridge.tasks.baselines.hammerstein import Hammerstein
from dl4j_bridge.tasks.baselines.wiener_hammerstein import WienerHammerstein
from tests.tasks.test_baselines import BORDER, CODECS, TAPS, fitted, noise


def sandwiched(codec, x):
    return codec.encode(0.8 * lfilter([0.5, 0.3, -0.2], 1, np.tanh(4 * lfilter(TAPS, 1, codec.decode(x)) + 0.5)))


@CODECS
def test_wiener_hammerstein_recovers_a_curve_between_two_filters_and_the_others_do_not(codec):
    x = noise(codec)
    y = sandwiched(codec, x)
    errors = {}
    for kind in (WienerHammerstein, Hammerstein, Fir):
        baseline = fitted(kind, codec, (x[:BORDER], y[:BORDER]))
        prediction = baseline.predict(x[BORDER - baseline.memory :])
        errors[kind.name] = metrics.esr(codec.decode(y[BORDER:]), prediction.values[baseline.memory :])
    assert errors["wiener-hammerstein"] < 0.002
    assert min(errors["fir"], errors["hammerstein"]) > 10 * errors["wiener-hammerstein"], errors


def test_wiener_hammersteins_values_are_a_filter_a_spline_and_a_filter():
    x = noise(LINEAR, 9000)
    baseline = fitted(WienerHammerstein, LINEAR, (x, sandwiched(LINEAR, x)))
    first, heights, second = (baseline.arrays()[name] for name in ("first", "heights", "second"))
    knots = np.r_[-1, -1, -1, np.linspace(-1, 1, heights.size - 2), 1, 1, 1]
    levels = np.clip(lfilter(first, 1, LINEAR.decode(x)), -1, 1)
    expected = lfilter(second, 1, BSpline(knots, heights, 3)(levels))
    np.testing.assert_allclose(baseline.predict(x).values, expected, atol=1e-9)


def test_wiener_hammersteins_gradient_is_the_slope_of_its_cost():
    rng = np.random.default_rng(5)
    problem = wiener_hammerstein._Problem(rng.normal(size=(2, 40)), rng.normal(size=(2, 30)), taps=4, knots=7)
    # As large as it takes for some levels to lie beyond the spline's ends.
    p = rng.normal(0, 0.4, 15)
    slopes = approx_fprime(p, problem.cost, 1e-7)
    np.testing.assert_allclose(problem.derivatives(p)[0], slopes, atol=1e-5)
    assert np.abs(slopes).max() > 0.01


@pytest.mark.parametrize("size", [1, 30, 700])
@pytest.mark.parametrize("level", [0.0, 0.2])
def test_wiener_hammerstein_bears_short_and_silent_recordings(size, level):
    x = LINEAR.encode(level * np.random.default_rng(1).normal(size=size))
    assert np.isfinite(fitted(WienerHammerstein, LINEAR, (x, x)).predict(x).values).all()
