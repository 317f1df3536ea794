"""What is said of learning curves: planted ones are named, those of healthy trainings are not."""

from __future__ import annotations

import numpy as np
import pytest

from dl4j_bridge.diagnostics import curves
from dl4j_bridge.diagnostics.curves import BLOCK, History
from dl4j_bridge.signal.metrics import bits_of_error

STEPS = np.arange(1, 1001)
SCATTER = np.random.default_rng(1).normal(0, 0.15, STEPS.size)
# Bits per sample of a training that learns, and that does not notice its validation.
LEARNS = 1.5 + 6 * np.exp(-STEPS / 150) + SCATTER


def bits(before, now):
    return before - now


def means(losses):
    return losses[: losses.size // BLOCK * BLOCK].reshape(-1, BLOCK).mean(axis=1).tolist()


def history(training, validation):
    return History(list(training), list(validation))


@pytest.mark.parametrize(
    "losses",
    [
        LEARNS,
        # One bad stretch, from which the network comes back.
        np.where(abs(STEPS - 500) < 30, 5.0, LEARNS),
        np.full(STEPS.size, 8.0) + SCATTER,
        LEARNS[: 4 * BLOCK],
    ],
    ids=["learns", "comes back", "stands", "short"],
)
def test_a_loss_that_does_not_rise_for_good_does_not_diverge(losses):
    assert not any(curves.diverges(means(losses)[:n], bits, 8.0) for n in range(1, losses.size // BLOCK + 1))


@pytest.mark.parametrize("rise", [1.5, 4.0])
def test_a_loss_that_rises_and_stays_diverges(rise):
    losses = LEARNS + rise * (STEPS > 500)
    assert not curves.diverges(means(losses[:500]), bits)
    assert curves.diverges(means(losses[: 500 + curves.RISEN_BLOCKS * BLOCK]), bits)


def test_a_loss_above_that_of_a_guess_diverges():
    losses = 8.5 + SCATTER
    assert curves.diverges(means(losses), bits, 8.0)
    assert not curves.diverges(means(losses), bits)


def test_squared_errors_are_compared_as_bits():
    # An error that comes back fourfold has lost a bit, whatever its size.
    falls = 1e-3 * np.exp(-STEPS / 100)
    assert not curves.diverges(means(falls), bits_of_error)
    assert curves.diverges(means(np.where(STEPS > 800, 10 * falls[799], falls)), bits_of_error)


def test_validation_that_rises_while_training_falls_is_overfit():
    """The numbers of a training on three seconds of noisy speech, of which no network can know the noise."""
    training, validation = [6.97, 5.97, 4.54, 3.05, 2.06, 1.08], [7.16, 7.88, 9.05, 9.91, 11.3, 12.2]
    assert curves.overfits(history(training, validation), bits)
    assert not curves.overfits(history(training[:3], validation[:3]), bits), "too early"


@pytest.mark.parametrize(
    ("training", "validation"),
    [
        # Both still fall, from where the validation part is much harder: not trained yet.
        ([7.5, 6.0, 4.0, 3.0, 2.5], [7.9, 7.5, 7.0, 6.5, 6.1]),
        # A validation scatters while the learning rate is high.
        ([4.0, 2.8, 2.5, 2.3, 2.2, 2.0], [3.7, 3.2, 2.7, 3.03, 2.36, 2.5]),
        # The network has learned nothing yet.
        ([7.9, 7.85, 7.8, 7.75, 7.7], [7.8, 8.0, 8.1, 8.2, 8.3]),
        # Training does not improve either: the learning rate is too high.
        ([5.0, 3.0, 3.1, 3.3, 3.5], [4.0, 3.5, 3.9, 4.0, 4.1]),
    ],
    ids=["both fall", "scatter", "nothing learned", "both rise"],
)
def test_what_is_not_overfit(training, validation):
    steps = range(1, len(training) + 1)
    assert not any(curves.overfits(history(training[:n], validation[:n]), bits) for n in steps)


def test_a_plateau_needs_several_validations_without_a_gain():
    falls = [8 / n for n in range(1, 8)]
    assert not curves.stands_still(history([], falls), bits)
    assert curves.stands_still(history([], [*falls, *[falls[-1]] * curves.STILL_VALIDATIONS]), bits)


def test_the_second_half_bounds_what_twice_as_many_steps_gain():
    """For a loss that falls as a power of the number of steps, to a floor that is not known."""
    losses = [1.5 + 4 * step**-0.7 for step in range(1, 41)]
    bound = curves.still_to_gain(history(losses[:20], losses[:20]), bits)
    assert losses[9] - losses[19] == pytest.approx(bound)
    assert losses[19] - losses[39] < bound
    assert curves.still_to_gain(history(losses[:3], losses[:3]), bits) is None
