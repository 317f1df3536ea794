"""The Java network with a Python face."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge import jvm
from dl4j_bridge.config import NetworkSettings
from dl4j_bridge.errors import BridgeError
from dl4j_bridge.tensors import NativeArray, OneHot

# Time steps that recordings side by side take in one call.
SIDE_BY_SIDE_STEPS = 256


class Network:
    """A DL4J GravesLSTM network. Make one with `create` or `load`.

    Parameters
    ----------
    java
        A ``dl4jbridge.Network``.
    classes
        Classes of the one-hot input and of the output.
    """

    def __init__(self, java: Any, classes: int) -> None:
        self._java = java
        self._classes = classes
        self._features: OneHot | None = None
        self._labels: OneHot | None = None

    @classmethod
    def create(cls, settings: NetworkSettings, classes: int) -> Network:
        """Draw a new network's parameters.

        Parameters
        ----------
        settings
            Of the network.
        classes
            Of the input and of the output.
        """
        with jvm.java_errors("network"):
            return cls(jvm.java_class("dl4jbridge.Network").create(_as_lines(settings, classes)), classes)

    @classmethod
    def load(cls, path: Path, settings: NetworkSettings, classes: int) -> Network:
        """Load a zip that `modelfile` has checked; its settings say which layers compute it.

        Raises
        ------
        BridgeError
            DL4J cannot make a network of it.
        """
        try:
            with jvm.java_errors(str(path)):
                return cls(jvm.java_class("dl4jbridge.Network").load(str(path), _as_lines(settings, classes)), classes)
        except OSError as e:
            raise BridgeError(path, f"not readable ({e})", "wanted model.zip of a run folder") from e

    def save(self, path: Path, with_updater: bool) -> None:
        """Write DL4J's own zip, with the updater's state if training is to go on from it.

        Raises
        ------
        OSError
            As on a full disk.
        """
        with jvm.java_errors(str(path)):
            self._java.save(str(path), with_updater)

    def step(
        self, x: npt.NDArray[np.uint8], y: npt.NDArray[np.uint8], capacity: int, first: bool, seed: int
    ) -> tuple[float, float]:
        """Make one update on one tBPTT segment.

        Parameters
        ----------
        x, y : ndarray of uint8, shape (batch, n)
            Classes of the input and of the target.
        capacity
            Longest segment to come; the tensors are made once for it.
        first
            True forgets the state that the segment before left.
        seed
            Of this step's random numbers.

        Returns
        -------
        bits, accuracy
            Cross-entropy in bits per sample and share of exact classes on this segment, before the update.
        """
        batch, steps = x.shape
        if self._features is None or self._features.array.shape[::2] != (batch, capacity):
            self._features = OneHot(batch, self._classes, capacity)
            self._labels = OneHot(batch, self._classes, capacity)
        assert self._labels is not None
        with jvm.java_errors("training step"):
            nats, accuracy = self._java.step(self._features.write(x), self._labels.write(y), steps, first, seed)
        return nats / math.log(2), accuracy

    @property
    def parameter_count(self) -> int:
        return int(self._java.parameters())

    def parameters(self) -> npt.NDArray[np.float32]:
        """A copy of all parameters in DL4J's order; float32, shape (parameter_count,)."""
        return NativeArray(self._java.parameterVector()).read().ravel()

    def set_learning_rate(self, rate: float) -> None:
        self._java.setLearningRate(rate)

    def state(self) -> dict[str, npt.NDArray[np.float32]]:
        """The state carried between segments: arrays (batch, hidden) by "layer/name"."""
        state = self._java.state()
        return {str(key): NativeArray(state.get(key)).read() for key in state.keySet().toArray()}

    def restore_state(self, state: dict[str, npt.NDArray[np.float32]]) -> None:
        for key, value in state.items():
            tensor = NativeArray.zeros(value.shape)
            tensor.write(value.ravel(order="F"))
            self._java.restoreState(key, tensor.java)

    def side_by_side(self, recordings: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Run many recordings of one length through the present parameters at once, each from an empty state.

        Parameters
        ----------
        recordings : ndarray of uint8, shape (count, n)

        Returns
        -------
        ndarray of float32, shape (count, n, classes)
            The distribution of the output at each sample.
        """
        count, n = recordings.shape
        steps = min(n, SIDE_BY_SIDE_STEPS)
        features, output = OneHot(count, self._classes, steps), NativeArray.zeros((count, self._classes, steps))
        found = np.empty((count, n, self._classes), np.float32)
        with jvm.java_errors("network"):
            stream = self._java.batchStream()
            for start in range(0, n, steps):
                part = recordings[:, start : start + steps]
                stream.run(features.write(part), output.java, part.shape[1])
                found[:, start : start + steps] = output.read()[:, :, : part.shape[1]].transpose(0, 2, 1)
        return found

    def stream(self) -> SampleStream:
        """A reader of the present parameters that takes one recording, sample by sample, in blocks of any size."""
        with jvm.java_errors("network"):
            return SampleStream(self._java.stream(), self._classes)


def _as_lines(settings: NetworkSettings, classes: int) -> str:
    stated = asdict(settings.resolved()) | {"inputs": classes, "outputs": classes}
    del stated["task"]
    return "\n".join(f"{name}={value}" for name, value in stated.items())


class SampleStream:
    """One recording through the network, its state carried from call to call.

    Each sample is computed on its own in Java (``dl4jbridge.SampleStream``): the cut into blocks changes no bit.
    """

    BLOCK = 4096

    def __init__(self, java: Any, classes: int) -> None:
        self._java = java
        self._indices = NativeArray.zeros((self.BLOCK,), "UBYTE", "c")
        self._probabilities = NativeArray.zeros((self.BLOCK, classes), "FLOAT", "c")

    def reset(self) -> None:
        """Forget everything heard so far."""
        self._java.reset()

    def run(self, indices: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Hear a block and give the distribution of the output at each sample.

        Parameters
        ----------
        indices : ndarray of uint8, shape (n,)

        Returns
        -------
        ndarray of float32, shape (n, classes)
            Each row sums to 1.
        """
        rows = [np.zeros((0, self._probabilities.shape[1]), np.float32)]
        for start in range(0, indices.size, self.BLOCK):
            part = indices[start : start + self.BLOCK]
            self._indices.write(part)
            with jvm.java_errors("network"):
                self._java.run(self._indices.java, self._probabilities.java, part.size)
            rows.append(self._probabilities.read(part.size))
        return np.concatenate(rows)

    def listen(self, indices: npt.NDArray[np.uint8]) -> None:
        """Hear a block without computing anything to give: priming."""
        for start in range(0, indices.size, self.BLOCK):
            part = indices[start : start + self.BLOCK]
            self._indices.write(part)
            self._java.listen(self._indices.java, part.size)

    def seed(self, seed: int) -> None:
        """Set the random numbers of `generate`."""
        self._java.seed(seed)

    def generate(self, count: int, temperature: float, top_p: float) -> npt.NDArray[np.uint8]:
        """Draw `count` samples (at most `BLOCK`), each from the distribution that the one before led to."""
        with jvm.java_errors("network"):
            self._java.generate(self._indices.java, count, temperature, top_p)
        drawn: npt.NDArray[np.uint8] = self._indices.read(count)
        return drawn
