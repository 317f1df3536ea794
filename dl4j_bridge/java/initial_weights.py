"""Initial weights that DL4J does not have: similar for neighbouring classes, and for a long memory."""

import numpy as np
import numpy.typing as npt

# Periods of the functions over the range of the classes.
FREQUENCIES = 0.25, 32.0
# Standard deviation of the weights, and factor on DL4J's weights of the output layer: what a network learns is then
# large beside what chance gave it, so it learns what the classes have in common.
SCALE, OUTPUT_SCALE = 0.1, 3.0
# Share of the weights that are independent for each class: they tell neighbours apart, which a copy needs.
INDEPENDENT = 0.15
# Time steps that slow units remember: 2 to 180 ms of samples at 44.1 kHz.
MEMORY = 100.0, 8000.0
# Places of two gates in DL4J's biases.
FORGET, INPUT = 1, 3


def smooth(classes: int, columns: int, seed: int) -> npt.NDArray[np.float32]:
    """Draw most columns of the weights as smooth functions of the class, not independently for each class.

    The weight for a class is ``SCALE * sqrt(2) * cos(pi * f * v + phase)``, where v goes from -1 to 1 over the classes,
    the frequency f is log-uniform in `FREQUENCIES` and the phase is uniform. These are random Fourier features (Rahimi
    and Recht, 2007) with a mixture of widths.

    Parameters
    ----------
    classes
        Number of classes of the one-hot input.
    columns
        Number of weights for each class: four gates of each unit.
    seed
        Random seed.

    Returns
    -------
    ndarray of float32, shape (classes, columns)
        With mean 0 and standard deviation `SCALE`; a share `INDEPENDENT` of the columns has a normal distribution.
    """
    rng = np.random.default_rng(seed)
    low, high = np.log(FREQUENCIES)
    frequency = np.exp(rng.uniform(low, high, columns))
    phase = rng.uniform(0, 2 * np.pi, columns)
    v = np.linspace(-1, 1, classes)[:, None]
    weights: npt.NDArray[np.float32] = (np.sqrt(2) * np.cos(np.pi * frequency * v + phase)).astype(np.float32)
    independent = rng.random(columns) < INDEPENDENT
    weights[:, independent] = rng.standard_normal((classes, np.count_nonzero(independent)))
    return np.float32(SCALE) * weights


def slow_biases(biases: npt.NDArray[np.float32], share: float, seed: int) -> npt.NDArray[np.float32]:
    """Give a share of the units a memory of `MEMORY` time steps.

    A unit with a memory of T steps forgets 1/T of its cell state at each step and lets as much in: chrono
    initialization (Tallec and Ollivier, 2018, "Can recurrent neural networks warp time?"), with a log-uniform T. The
    other units keep DL4J's start, by which they forget a quarter at each step.

    Parameters
    ----------
    biases : ndarray of float32, shape (4 * units,)
        In DL4J's order of the gates: block input, forget, output, input.
    share
        0 to 1.
    seed
        Random seed.

    Returns
    -------
    ndarray of float32, shape (4 * units,)
    """
    gates = biases.reshape(4, -1).copy()
    slow = round(share * gates.shape[1])
    shortest, longest = np.log(MEMORY)
    memory = np.exp(np.random.default_rng(seed).uniform(shortest, longest, slow))
    gates[FORGET, :slow] = np.log(memory - 1)
    gates[INPUT, :slow] = -np.log(memory - 1)
    return gates.ravel()
