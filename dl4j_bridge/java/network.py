"""The Java network with a Python face."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge.errors import BridgeError
from dl4j_bridge.java import jvm
from dl4j_bridge.java.interface import Interface
from dl4j_bridge.java.tensors import Dense, NativeArray, OneHot
from dl4j_bridge.settings.training import NetworkSettings

# Class indices, uint8 of shape (rows, n), or vectors, float32 of shape (rows, n, width).
Signals = npt.NDArray[Any]

# Time steps that recordings side by side take in one call.
SIDE_BY_SIDE_STEPS = 256


class Network:
    """A DL4J GravesLSTM network. Make one with `create` or `load`.

    Parameters
    ----------
    java
        A ``dl4jbridge.Network``.
    interface
        What goes in and what comes out.
    """

    def __init__(self, java: Any, interface: Interface) -> None:
        self._java = java
        self.interface = interface
        self._features: OneHot | Dense | None = None
        self._labels: OneHot | Dense | None = None
        self._ahead: _BatchStream | None = None

    @classmethod
    def create(cls, settings: NetworkSettings, interface: Interface) -> Network:
        """Draw a new network's parameters.

        Parameters
        ----------
        settings
            Of the network.
        interface
            What goes in and what comes out.
        """
        with jvm.java_errors("network"):
            return cls(jvm.java_class("dl4jbridge.Network").create(_as_lines(settings, interface)), interface)

    @classmethod
    def load(cls, path: Path, settings: NetworkSettings, interface: Interface) -> Network:
        """Load a zip that `modelfile` has checked; its settings say which layers compute it.

        Raises
        ------
        BridgeError
            DL4J cannot make a network of it.
        """
        try:
            with jvm.java_errors(str(path)):
                java = jvm.java_class("dl4jbridge.Network").load(str(path), _as_lines(settings, interface))
                return cls(java, interface)
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

    def step(self, x: Signals, y: Signals, capacity: int, first: bool, seed: int) -> tuple[float, float]:
        """Make one update on one tBPTT segment.

        Parameters
        ----------
        x, y : ndarray, shape (batch, n) of uint8 or (batch, n, width) of float32
            Classes or vectors of the input and of the target, as the interface has them.
        capacity
            Longest segment to come; the tensors are made once for it.
        first
            True forgets the state that the segment before left.
        seed
            Of this step's random numbers.

        Returns
        -------
        loss, accuracy
            On this segment, before the update. Of classes: cross-entropy in bits per sample, and share of exact ones.
            Of vectors: squared error as `weigh_squared_error` weighs it, per recording and time step, and NaN.
        """
        batch, steps = x.shape[:2]
        if self._features is None or self._features.array.shape[::2] != (batch, capacity):
            self._features = self._tensor(batch, capacity, labels=False)
            self._labels = self._tensor(batch, capacity, labels=True)
        assert self._labels is not None
        with jvm.java_errors("training step"):
            # A union of two writers, each of which checks what it is given.
            features, labels = self._features.write(x), self._labels.write(y - x if self.interface.skip else y)
            loss, accuracy = self._java.step(features, labels, steps, first, seed)
        return loss / math.log(2) if self.interface.output == "softmax" else loss, accuracy

    def weigh_squared_error(
        self, square: float, pre_emphasis: float = 0.0, offset: float = 0.0, start: int = 0
    ) -> None:
        """Weigh the loss of the steps to come; without it, it is the mean of the squares as DL4J's LossMSE has it.

        With e the output minus the target and f(t) = e(t) - pre_emphasis * e(t - 1), the loss of a segment is
        ``square`` times the sum of f^2 plus ``offset`` times the sum over recordings of (sum of e over time)^2, all
        divided by the number of recordings. Time steps before `start` count as without an error. Fused layers with a
        linear output only (``dl4jbridge.fused.SquaredError``).
        """
        with jvm.java_errors("loss"):
            self._java.weighSquaredError(square, pre_emphasis, offset, start)

    def _tensor(self, batch: int, steps: int, labels: bool) -> OneHot | Dense:
        width = self.interface.outputs if labels else self.interface.inputs
        has_classes = self.interface.output == "softmax" if labels else self.interface.input == "one-hot"
        return OneHot(batch, width, steps) if has_classes else Dense(batch, width, steps)

    @property
    def parameter_count(self) -> int:
        return int(self._java.parameters())

    def parameters(self) -> npt.NDArray[np.float32]:
        """A copy of all parameters in DL4J's order; float32, shape (parameter_count,)."""
        return NativeArray(self._java.parameterVector()).read().ravel()

    def take_recurrent_layers(self, other: Network) -> None:
        """Copy the recurrent layers' parameters of a network of the same size; the output layer stays as drawn."""
        tensor_of = jvm.java_class("dl4jbridge.Tensor").of
        with jvm.java_errors("network"):
            for layer in range(self._java.dl4j().getnLayers() - 1):
                for name in ("W", "RW", "b"):
                    own, theirs = (
                        NativeArray(tensor_of(n._java.dl4j().getParam(f"{layer}_{name}"))) for n in (self, other)
                    )
                    own.write(theirs.read().ravel(order="K"))

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

    def ahead(self, batch: int, empty: bool) -> Callable[[Signals], npt.NDArray[np.float32]]:
        """Predict from where training stands, which knows nothing of it.

        Parameters
        ----------
        batch
            Recordings side by side, as training has them.
        empty
            True begins with an empty state, False with the one that the last `step` left.

        Returns
        -------
        callable
            Takes the next time step of each recording, shape (batch, width), and gives the output there,
            shape (batch, outputs). What an earlier call of `ahead` gave must not be used any more.
        """
        if self._ahead is None or self._ahead.count != batch:
            self._ahead = _BatchStream(self, batch, 1)
        stream = self._ahead
        stream.go_on(empty)
        return lambda x: stream.run(x[:, None])[:, 0]

    def side_by_side(self, recordings: Signals) -> npt.NDArray[np.float32]:
        """Run many recordings of one length through the present parameters at once, each from an empty state.

        Parameters
        ----------
        recordings : ndarray, shape (count, n) of uint8 or (count, n, width) of float32

        Returns
        -------
        ndarray of float32, shape (count, n, outputs)
            The output at each time step; a distribution under a softmax.
        """
        return _BatchStream(self, len(recordings), min(recordings.shape[1], SIDE_BY_SIDE_STEPS)).run(recordings)

    def stream(self) -> SampleStream:
        """A reader of the present parameters that takes one recording, sample by sample, in blocks of any size."""
        with jvm.java_errors("network"):
            return SampleStream(self._java.stream(), self.interface.outputs)

    def dense_stream(self) -> DenseStream:
        """A reader of the present parameters that takes the vectors of one recording."""
        return DenseStream(self)


class _BatchStream:
    """Recordings side by side, their states carried from call to call."""

    def __init__(self, network: Network, count: int, steps: int) -> None:
        self._features = network._tensor(count, steps, labels=False)
        self._output = NativeArray.zeros((count, network.interface.outputs, steps))
        self._steps = steps
        self._skip = network.interface.skip
        self._training = network._java
        self.count = count
        with jvm.java_errors("network"):
            self._java = network._java.batchStream()

    def go_on(self, empty: bool) -> None:
        """Take the state that training carries, or an empty one."""
        with jvm.java_errors("network"):
            self._java.goOnFrom(self._training, empty)

    def run(self, recordings: Signals) -> npt.NDArray[np.float32]:
        """Hear what comes next of each; shapes as in `Network.side_by_side`."""
        count, n = recordings.shape[:2]
        found: npt.NDArray[np.float32] = np.empty((count, n, self._output.shape[1]), np.float32)
        with jvm.java_errors("network"):
            for start in range(0, n, self._steps):
                part = recordings[:, start : start + self._steps]
                self._java.run(self._features.write(part), self._output.java, part.shape[1])
                found[:, start : start + self._steps] = self._output.read()[:, :, : part.shape[1]].transpose(0, 2, 1)
        if self._skip:
            found += recordings
        return found


class DenseStream:
    """The vectors of one recording through the network, its state carried from call to call.

    A matrix product over many time steps may round a step differently with their number, so the cut into calls can
    change the last bit. Who wants the same bits always makes the same cut.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self.reset()

    def reset(self) -> None:
        """Forget everything heard so far."""
        self._stream = _BatchStream(self._network, 1, SIDE_BY_SIDE_STEPS)

    def run(self, vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Hear some time steps, shape (n, inputs), and give the output at each, shape (n, outputs)."""
        (found,) = self._stream.run(vectors[None])
        return np.asarray(found)


def _as_lines(settings: NetworkSettings, interface: Interface) -> str:
    stated = asdict(settings.resolved()) | interface.as_dict()
    del stated["task"], stated["skip"]
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

    def generate(self, count: int, temperature: float, top_p: float, tilt: float = 0.0) -> npt.NDArray[np.uint8]:
        """Draw `count` samples (at most `BLOCK`), each from the distribution that the one before led to.

        `tilt` is added to the logits for each class of distance from silence: louder above 0, quieter below.
        """
        with jvm.java_errors("network"):
            self._java.generate(self._indices.java, count, temperature, top_p, tilt)
        drawn: npt.NDArray[np.uint8] = self._indices.read(count)
        return drawn
