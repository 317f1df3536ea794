"""Does Java give the output that NumPy gives?"""

from collections.abc import Callable

import numpy as np

from dl4j_bridge import reference as lstm
from dl4j_bridge.diagnostics.findings import Kind, Outcome
from dl4j_bridge.diagnostics.network.reference import outputs
from dl4j_bridge.java.interface import Interface
from dl4j_bridge.tasks.interface import Signal

PARITY_BROKEN = Kind("parity-broken")

# Largest difference of a value between Java's floats and NumPy's doubles.
SAME_VALUE = 1e-4


def parity(java: Callable[[Signal], Signal], reference: lstm.Network, interface: Interface, x: Signal) -> Outcome:
    """Compare the outputs of a network in Java and in NumPy.

    Parameters
    ----------
    java
        `Network.run_batch` of the network.
    reference
        The network in NumPy, with the same parameters.
    interface
        Input and output of the network.
    x : ndarray, shape (batch, steps) or (batch, steps, inputs)
        Classes or vectors to run it on.
    """
    difference = float(np.abs(java(x) - outputs(reference, interface, x)).max())
    figures = {"largest_difference": difference, "allowed": SAME_VALUE}
    fix = "dl4j-bridge doctor, then --layer stock: Java's arithmetic on this machine is wrong; please report it"
    # Not `>`: a NaN is no parity either.
    return PARITY_BROKEN.outcome(not difference <= SAME_VALUE, fix, figures, figures)
