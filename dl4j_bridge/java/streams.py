"""Inference with the parameters that a network has now; each stream carries its own state from call to call."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge.java import jvm
from dl4j_bridge.java.interface import Interface
from dl4j_bridge.java.tensors import NativeArray, segment_tensor

# Maximum number of time steps in one call of Java.
STEPS_PER_CALL = 256


class SampleStream:
    """Inference on the classes of one recording. Made by `Network.stream`.

    Java adds up each sample's terms in the same order in any block (``dl4jbridge.SampleStream``), so the result depends
    neither on how a recording is cut into blocks nor on the number of threads, to the last bit.

    Parameters
    ----------
    java_network : dl4jbridge.Network
    classes : int
        Number of output classes.
    """

    # Maximum number of samples in one call of Java.
    BLOCK = 4096

    def __init__(self, java_network: Any, classes: int) -> None:
        with jvm.java_errors("network"):
            self._java = java_network.stream()
        self._indices = NativeArray.zeros((self.BLOCK,), "UBYTE", "c")
        self._probabilities = NativeArray.zeros((self.BLOCK, classes), "FLOAT", "c")
        self._values = NativeArray.zeros((classes,), "DOUBLE", "c")
        self._means = NativeArray.zeros((self.BLOCK,), "DOUBLE", "c")

    def reset(self) -> None:
        """Return to the zero state."""
        self._java.reset()

    def run(self, indices: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Feed samples to the network and return the predicted distribution at each.

        Parameters
        ----------
        indices : ndarray of uint8, shape (n,)
            Input classes.

        Returns
        -------
        ndarray of float32, shape (n, classes), C order
            Probabilities; each row sums to 1.
        """
        return _run_in_blocks(self._java.run, indices, self._indices, self._probabilities)

    def means(self, indices: npt.NDArray[np.uint8], values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Feed samples to the network and return the mean of the predicted distribution at each.

        Parameters
        ----------
        indices : ndarray of uint8, shape (n,)
            Input classes.
        values : ndarray of float64, shape (classes,)
            Value of each class.

        Returns
        -------
        ndarray of float64, shape (n,)
        """
        means = np.empty(indices.size)
        self._values.write(values)
        with jvm.java_errors("network"):
            for start in range(0, indices.size, self.BLOCK):
                part = indices[start : start + self.BLOCK]
                self._indices.write(part)
                self._java.means(self._indices.java, self._values.java, self._means.java, part.size)
                means[start : start + self.BLOCK] = self._means.read(part.size)
        return means

    def consume(self, indices: npt.NDArray[np.uint8]) -> None:
        """Feed samples to the network for their effect on the state only; faster than `run`.

        Parameters
        ----------
        indices : ndarray of uint8, shape (n,)
            Input classes.
        """
        for start in range(0, indices.size, self.BLOCK):
            part = indices[start : start + self.BLOCK]
            self._indices.write(part)
            with jvm.java_errors("network"):
                self._java.consume(self._indices.java, part.size)

    def seed(self, seed: int) -> None:
        """Seed the random numbers of `generate`."""
        self._java.seed(seed)

    def generate(self, count: int, temperature: float, top_p: float, tilt: float = 0.0) -> npt.NDArray[np.uint8]:
        """Sample classes from the predicted distribution, each fed back as the next input.

        Parameters
        ----------
        count : int
            Number of samples, at most `BLOCK`.
        temperature : float
            Divides the logits, greater than 0.
        top_p : float
            Sample only from the most likely classes whose probabilities add up to `top_p`.
        tilt : float
            Added to a class's logit for each class between it and silence: positive is louder, negative quieter.

        Returns
        -------
        ndarray of uint8, shape (count,)
        """
        with jvm.java_errors("network"):
            self._java.generate(self._indices.java, count, temperature, top_p, tilt)
        generated: npt.NDArray[np.uint8] = self._indices.read(count)
        return generated


class BatchStream:
    """Inference on a batch of recordings of equal length.

    Parameters
    ----------
    java_network : dl4jbridge.Network
    interface : Interface
        The network's input and output.
    batch : int
        Number of recordings.
    steps : int
        Maximum number of time steps in one call of Java.
    """

    def __init__(self, java_network: Any, interface: Interface, batch: int, steps: int = STEPS_PER_CALL) -> None:
        self.batch = batch
        self._features = segment_tensor(interface.input == "one-hot", batch, interface.inputs, steps)
        self._output = NativeArray.zeros((batch, steps, interface.outputs), order="c")
        self._steps = steps
        self._skip = interface.skip
        self._network = java_network
        with jvm.java_errors("network"):
            self._java = java_network.batchStream()

    def restart(self, from_zero: bool) -> None:
        """Set the state to zero, or to a copy of the state that the last training step left."""
        with jvm.java_errors("network"):
            self._java.continueFrom(self._network, from_zero)

    def run(self, inputs: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Feed time steps to the network and return the output at each.

        Parameters
        ----------
        inputs : ndarray, shape (batch, n) of uint8 or (batch, n, inputs) of float32

        Returns
        -------
        ndarray of float32, shape (batch, n, outputs), C order
        """
        n = inputs.shape[1]
        outputs: npt.NDArray[np.float32] = np.empty((self.batch, n, self._output.shape[2]), np.float32)
        with jvm.java_errors("network"):
            for start in range(0, n, self._steps):
                part = inputs[:, start : start + self._steps]
                self._java.run(self._features.write(part), self._output.java, part.shape[1])
                outputs[:, start : start + self._steps] = self._output.read()[:, : part.shape[1]]
        if self._skip:
            outputs += inputs
        return outputs


class DenseStream:
    """Inference on the vectors of one recording, from rest. Made by `Network.dense_stream`.

    As with `SampleStream`, the result does not depend on how a recording is cut into blocks, to the last bit.

    Parameters
    ----------
    java_network : dl4jbridge.Network
    interface : Interface
        The network's input and output.
    silence : int
        Number of time steps of zeros that lead from the zero state to rest.
    """

    # Maximum number of values in one call of Java, unless a single time step has more.
    BLOCK = 1 << 16

    def __init__(self, java_network: Any, interface: Interface, silence: int = 0) -> None:
        with jvm.java_errors("network"):
            self._java = java_network.vectorStream()
        steps = max(self.BLOCK // max(interface.inputs, interface.outputs), 1)
        self._vectors = NativeArray.zeros((steps, interface.inputs), order="c")
        self._results = NativeArray.zeros((steps, interface.outputs), order="c")
        self._skip = interface.skip
        self._silence = np.zeros((silence, interface.inputs), np.float32)
        self.run(self._silence)

    def reset(self) -> None:
        """Return to the state at rest."""
        self._java.reset()
        self.run(self._silence)

    def run(self, vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Feed time steps to the network and return the output at each.

        Parameters
        ----------
        vectors : ndarray of float32, shape (n, inputs)

        Returns
        -------
        ndarray of float32, shape (n, outputs), C order
        """
        outputs = _run_in_blocks(self._java.run, vectors, self._vectors, self._results)
        if self._skip:
            outputs += vectors
        return outputs


def _run_in_blocks(
    run: Callable[[Any, Any, int], None], samples: npt.NDArray[Any], inputs: NativeArray, outputs: NativeArray
) -> npt.NDArray[np.float32]:
    """Call Java for one block of samples after the other, each as long as its tensors, and return all outputs."""
    block = inputs.shape[0]
    found: npt.NDArray[np.float32] = np.empty((len(samples), outputs.shape[1]), np.float32)
    with jvm.java_errors("network"):
        for start in range(0, len(samples), block):
            part = samples[start : start + block]
            inputs.write(part.ravel())
            run(inputs.java, outputs.java, len(part))
            found[start : start + block] = outputs.read(len(part))
    return found
