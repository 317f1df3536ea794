"""What the curves of a training show: judgement of numbers alone, for trials and for trainings that are running.

Losses are those of a task; `gained` is its `Task.bits_gained`, the improvement from one loss to another in bits.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

Gained = Callable[[float, float], float]

# Steps whose mean is one point of a training curve: single steps scatter with the loudness of their windows.
BLOCK = 25
# A loss that has risen by this number of bits for this number of blocks does not come back by itself.
RISEN_BITS, RISEN_BLOCKS = 1.0, 4
# Bits above the loss of a guess, for as many blocks.
WORSE_THAN_A_GUESS = 0.3
# Validations after the best one that must all be worse, by how much each and the last one, and what training must have
# gained meanwhile and before: a validation scatters by 0.3 bits while the learning rate is high.
WORSE_VALIDATIONS, WORSE_BITS, WORSE_BITS_AT_LAST = 3, 0.1, 0.3
STILL_GAINED, LEARNED_BITS = 0.1, 0.5
# With fewer validations, the middle of a training shows little.
FEWEST_TO_HALVE = 4
# Error to signal of a network that has learned nothing, where a simple model leaves at most the second one.
NOTHING, SIMPLE = 0.9, 0.5
# Validations without this gain are a plateau, and it is far from a baseline at this multiple of the error.
STILL_VALIDATIONS, STILL_BITS, FAR = 6, 0.02, 4.0


def diverges(means: Sequence[float], gained: Gained, guess: float | None = None) -> bool:
    """Whether a training loss has risen and stays up, or stays above that of a guess.

    Parameters
    ----------
    means
        Mean losses of blocks of `BLOCK` steps.
    gained
        See above.
    guess
        Loss of a guess over all classes; None where there are none.
    """
    before, last = means[:-RISEN_BLOCKS], means[-RISEN_BLOCKS:]
    if not len(before):
        return False
    lowest = min(before)
    worse = guess is not None and all(mean > guess + WORSE_THAN_A_GUESS for mean in last)
    return worse or all(gained(mean, lowest) > RISEN_BITS for mean in last)


@dataclass
class History:
    """What was validated in a training.

    Attributes
    ----------
    training
        Mean training loss before each validation.
    validation
        Validation losses.
    errors
        ESR of the validations that have one.
    """

    training: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)

    def add(self, training: Sequence[float], validation: float, error: float | None) -> None:
        """Add a validation and the training losses since the one before."""
        self.training.append(float(np.mean(training)))
        self.validation.append(validation)
        self.errors += [] if error is None or not math.isfinite(error) else [error]

    @property
    def best(self) -> int:
        """Index of the best validation."""
        return int(np.argmin(self.validation))


def overfits(history: History, gained: Gained) -> bool:
    """Whether validation has turned for the worse for good while training still gains, after real learning."""
    training, validation = history.training, history.validation
    if len(validation) <= WORSE_VALIDATIONS or len(validation) - 1 - history.best < WORSE_VALIDATIONS:
        return False
    best = history.best
    worse = [gained(loss, validation[best]) for loss in validation[best + 1 :]]
    rises = min(worse[-WORSE_VALIDATIONS:]) > WORSE_BITS and worse[-1] > WORSE_BITS_AT_LAST
    falls = keeps_learning(training[best], training[-1], gained)
    return rises and falls and gained(training[0], training[-1]) > LEARNED_BITS


def keeps_learning(before: float, now: float, gained: Gained) -> bool:
    """Whether a training loss has gained something."""
    return gained(before, now) > STILL_GAINED


def still_to_gain(history: History, gained: Gained) -> float | None:
    """Bits that twice as many steps gain at most: those that the second half gained; None after a few validations.

    Errors fall as a power of the number of steps (Hestness et al., 2017), so each doubling gains less than the last.
    """
    losses = history.validation
    if len(losses) < FEWEST_TO_HALVE:
        return None
    return max(gained(min(losses[: len(losses) // 2]), min(losses)), 0.0)


def learns_nothing(esr: float, simple_esr: float) -> bool:
    """Whether an output is no better than silence although a simple model makes something of the input.

    Parameters
    ----------
    esr
        Error to signal of the network.
    simple_esr
        That of the best simple model.
    """
    return esr > NOTHING and simple_esr < SIMPLE


def stands_still(history: History, gained: Gained) -> bool:
    """Whether the last validations gained nothing over those before."""
    validation = history.validation
    before, last = validation[:-STILL_VALIDATIONS], validation[-STILL_VALIDATIONS:]
    return len(before) > 0 and gained(min(before), min(last)) < STILL_BITS


def is_far(esr: float, simple_esr: float) -> bool:
    """Whether an error is a multiple of a simple model's."""
    return esr > FAR * simple_esr
