"""A DL4J network with recurrent layers: creation, files, training steps, state and parameters."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge.java import initial_weights, jvm
from dl4j_bridge.java.interface import Interface
from dl4j_bridge.java.streams import STEPS_PER_CALL, BatchStream, DenseStream, SampleStream
from dl4j_bridge.java.tensors import Dense, NativeArray, OneHot, segment_tensor
from dl4j_bridge.settings.training import NetworkSettings

# Class indices, uint8 of shape (batch, n), or vectors, float32 of shape (batch, n, width).
Signals = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]

# Number of time steps fed to the network before a stretch that is evaluated, so that its state has settled.
WARM_UP = 200
# The same before a stretch whose evaluation decides something: the state is then that of a run from the beginning, even
# that of an effect with a memory of a tenth of a second at 44.1 kHz.
LONG_WARM_UP = 1 << 13


class Network:
    """A stack of recurrent layers (GravesLSTM or LSTM) and an output layer. Made by `create` or `restored`.

    Parameters
    ----------
    java : dl4jbridge.Network
    interface : Interface
        Input and output of the network.
    silence : int
        Number of time steps of zeros that are fed to it before the vectors of a recording.
    """

    def __init__(self, java: Any, interface: Interface, silence: int = 0) -> None:
        self._java = java
        self.interface = interface
        self._silence = silence
        self._features: OneHot | Dense | None = None
        self._labels: OneHot | Dense | None = None
        self._predictor: BatchStream | None = None

    @classmethod
    def create(cls, settings: NetworkSettings, interface: Interface) -> Network:
        """Create a network with randomly initialised parameters.

        Parameters
        ----------
        settings : NetworkSettings
        interface : Interface
            Input and output of the network.

        Raises
        ------
        BridgeError
            If the JVM cannot start or DL4J refuses the settings.
        """
        with jvm.java_errors("network"):
            network = cls(jvm.java_class("dl4jbridge.Network").create(_as_lines(settings, interface)), interface)
        if settings.resolved().init == "smooth" and interface.input == "one-hot":
            weights = network._parameter("0_W")
            classes, columns = weights.shape
            weights.fill(initial_weights.smooth(classes, columns, settings.seed))
            network.scale_output(initial_weights.OUTPUT_SCALE)
        for layer in range(settings.layers if settings.slow_units else 0):
            biases = network._parameter(f"{layer}_b")
            slow = initial_weights.slow_biases(biases.read().ravel(), settings.slow_units, settings.seed + layer)
            biases.write(slow)
        return network

    @classmethod
    def restored(
        cls,
        settings: NetworkSettings,
        interface: Interface,
        parameters: Floats,
        updater: Floats | None = None,
        iterations: int = 0,
        silence: int = 0,
    ) -> Network:
        """Create a network with stored parameters.

        Parameters
        ----------
        settings : NetworkSettings
        interface : Interface
            Input and output of the network.
        parameters : ndarray of float32, shape (n,)
            All parameters in the order of DL4J's flat vector.
        updater : ndarray of float32, shape (m,), optional
            State of the updater, which resumed training needs.
        iterations : int
            Number of updates made so far.
        silence : int
            As for `Network`.

        Raises
        ------
        BridgeError
            If the JVM cannot start, or the sizes do not fit the settings.
        """
        arrays = [None if values is None else NativeArray.of(values[None]).java for values in (parameters, updater)]
        with jvm.java_errors("network"):
            restored = jvm.java_class("dl4jbridge.Network").restored
            return cls(restored(_as_lines(settings, interface), *arrays, iterations), interface, silence)

    def save(self, path: Path, with_updater: bool) -> None:
        """Write a plain DL4J zip.

        Parameters
        ----------
        path : Path
        with_updater : bool
            Whether to store the updater's state, which resumed training needs.

        Raises
        ------
        OSError
            If the file cannot be written, for example because the disk is full.
        """
        with jvm.java_errors(str(path)):
            self._java.save(str(path), with_updater)

    def step(self, x: Signals, y: Signals, capacity: int, first: bool, seed: int) -> tuple[float, float]:
        """Make one parameter update on one segment of truncated backpropagation through time.

        Parameters
        ----------
        x : ndarray, shape (batch, n) of uint8 or (batch, n, inputs) of float32
            Input classes or vectors.
        y : ndarray, shape (batch, n) of uint8 or (batch, n, outputs) of float32
            Target classes or vectors.
        capacity : int
            Length of the longest segment to come, at least n. The ND4J tensors are allocated once for it.
        first : bool
            Whether to start from the zero state instead of the state at the end of the previous segment.
        seed : int
            Seed of this step's random numbers (dropout).

        Returns
        -------
        loss : float
            Before the update. Softmax output: cross-entropy in bits per sample. Otherwise the squared error per
            recording and time step, weighted as in `set_loss_weights`.
        accuracy : float
            Before the update: share of exact classes, 0 to 1; NaN unless the output is a softmax.

        Raises
        ------
        BridgeError
            If an array has the wrong shape or type, or Java runs out of memory.
        """
        with jvm.java_errors("training step"):
            return self._metrics(self._java.step(*self._tensors(x, y, capacity), x.shape[1], first, seed))

    def gradient(self, x: Signals, y: Signals, capacity: int, first: bool, seed: int) -> tuple[Floats, float, float]:
        """Compute the gradient of a segment without an update; parameters as of `step`.

        Networks that each have some recordings of a batch make a step together: the sum of their gradients goes to
        `update`.

        Returns
        -------
        gradient : ndarray of float32, shape (parameter_count,)
            Summed over the recordings, in the order of `parameters`; neither clipped nor regularised.
        loss, accuracy : float
            As of `step`, for these recordings.

        Raises
        ------
        BridgeError
            As of `step`.
        """
        with jvm.java_errors("training step"):
            java = self._java.computeGradient(*self._tensors(x, y, capacity), x.shape[1], first, seed)
            return NativeArray(self._java.gradient()).read().ravel(), *self._metrics(java)

    def update(self, gradient: Floats, batch: int) -> None:
        """Update the parameters, as `step` does after it has computed the gradient.

        Parameters
        ----------
        gradient : ndarray of float32, shape (parameter_count,)
            Summed over all recordings of a batch.
        batch : int
            Number of these recordings.
        """
        with jvm.java_errors("training step"):
            NativeArray(self._java.gradient()).write(gradient)
            self._java.update(batch)

    def _tensors(self, x: Signals, y: Signals, capacity: int) -> tuple[Any, Any]:
        """Write a segment into the tensors for it."""
        batch = x.shape[0]
        if self._features is None or self._features.array.shape[::2] != (batch, capacity):
            ends = self.interface
            self._features = segment_tensor(ends.input == "one-hot", batch, ends.inputs, capacity)
            self._labels = segment_tensor(ends.output == "softmax", batch, ends.outputs, capacity)
        assert self._labels is not None
        # With a skip connection the network learns the difference between target and input.
        return self._features.write(x), self._labels.write(y - x if self.interface.skip else y)

    def _metrics(self, java: Any) -> tuple[float, float]:
        loss, accuracy = java
        return loss / math.log(2) if self.interface.output == "softmax" else loss, accuracy

    def set_loss_weights(self, square: float, pre_emphasis: float = 0.0, offset: float = 0.0, start: int = 0) -> None:
        """Weight the squared error of the following training steps; the initial loss is DL4J's LossMSE.

        With e the output minus the target and f(t) = e(t) - pre_emphasis * e(t - 1), the loss of a segment is

            square * sum(f**2) + offset * sum over recordings of (sum over time of e)**2,

        divided by the number of recordings. Only fused layers with a linear output support it
        (``dl4jbridge.fused.SquaredError``).

        Parameters
        ----------
        square : float
            Weight of the squared error.
        pre_emphasis : float
            Coefficient of the pre-emphasis filter.
        offset : float
            Weight of the squared sum of the error, which penalises a constant offset.
        start : int
            Number of time steps at the start of a segment whose error is ignored.

        Raises
        ------
        BridgeError
            If the network has other layers or another output.
        """
        with jvm.java_errors("loss"):
            self._java.weightSquaredError(square, pre_emphasis, offset, start)

    def set_learning_rate(self, rate: float) -> None:
        """Set the learning rate of all layers."""
        self._java.setLearningRate(rate)

    def set_iterations(self, count: int) -> None:
        """Set the number of updates that DL4J has counted, which Adam depends on."""
        self.dl4j.getLayerWiseConfigurations().setIterationCount(count)

    @property
    def dl4j(self) -> Any:
        """The network in Java: a pyjnius object of DL4J's ``MultiLayerNetwork``."""
        return self._java.dl4j()

    @property
    def parameter_count(self) -> int:
        """Number of parameters."""
        return int(self._java.parameters())

    def parameters(self) -> Floats:
        """Return a copy of all parameters in the order of DL4J's flat vector; float32, shape (parameter_count,)."""
        return NativeArray(self._java.parameterVector()).read().ravel()

    def set_parameters(self, values: Floats) -> None:
        """Replace all parameters by those that `parameters` of a network of this shape returned."""
        with jvm.java_errors("network"):
            NativeArray(self._java.liveParameters()).write(values)

    def updater_state(self) -> Floats | None:
        """Return a copy of the updater's state, float32 of shape (n,); None for an updater without one."""
        state = self._java.liveUpdaterState()
        return None if state is None else NativeArray(state).read().ravel()

    def set_updater_state(self, values: Floats) -> None:
        """Replace the updater's state by one that `updater_state` returned."""
        with jvm.java_errors("network"):
            NativeArray(self._java.liveUpdaterState()).write(values)

    def parameter(self, name: str) -> Floats:
        """Return a copy of one parameter array, such as ``0_W`` (layer 0, input weights), in DL4J's shape."""
        return self._parameter(name).read()

    def _parameter(self, name: str) -> NativeArray:
        with jvm.java_errors("network"):
            return NativeArray(jvm.java_class("dl4jbridge.Tensor").of(self.dl4j.getParam(name)))

    def scale_output(self, factor: float) -> None:
        """Multiply weights and bias of the output layer, and so the output before its activation."""
        layer = self.dl4j.getnLayers() - 1
        for name in (f"{layer}_W", f"{layer}_b"):
            array = self._parameter(name)
            array.fill(array.read() * np.float32(factor))

    def copy_recurrent_layers(self, other: Network) -> None:
        """Copy the parameters of the recurrent layers of a network of the same size; the output layer is unchanged."""
        for layer in range(self.dl4j.getnLayers() - 1):
            for name in ("W", "RW", "b"):
                self._parameter(f"{layer}_{name}").fill(other.parameter(f"{layer}_{name}"))

    def state(self) -> dict[str, Floats]:
        """Return a copy of the state at the end of the last training segment.

        Returns
        -------
        dict of str to ndarray of float32, shape (batch, hidden)
            Keys are ``layer/prevAct`` (output) and ``layer/prevMem`` (cell state), with layers counted from 0.
        """
        state = self._java.state()
        return {str(key): NativeArray(state.get(key)).read() for key in state.keySet().toArray()}

    def restore_state(self, state: dict[str, Floats]) -> None:
        """Continue training from a state that `state` returned."""
        for key, value in state.items():
            self._java.restoreState(key, NativeArray.of(value).java)

    def predictor(self, batch: int, from_zero: bool) -> Callable[[Signals], Floats]:
        """Return a function that predicts from a copy of the training state and leaves training unaffected.

        Parameters
        ----------
        batch : int
            Number of recordings, as in training.
        from_zero : bool
            Whether to start from the zero state instead of the state that the last `step` left.

        Returns
        -------
        callable
            Takes the next time step of each recording, shape (batch,) or (batch, inputs), and returns the output,
            shape (batch, outputs). It is valid until the next call of `predictor`.
        """
        if self._predictor is None or self._predictor.batch != batch:
            self._predictor = BatchStream(self._java, self.interface, batch, 1)
        stream = self._predictor
        stream.restart(from_zero)
        return lambda x: stream.run(x[:, None])[:, 0]

    def run_batch(self, recordings: Signals) -> Floats:
        """Run a batch of recordings of equal length, each from the zero state.

        Parameters
        ----------
        recordings : ndarray, shape (batch, n) of uint8 or (batch, n, inputs) of float32

        Returns
        -------
        ndarray of float32, shape (batch, n, outputs), C order
            The output at each time step: probabilities if the output is a softmax.
        """
        batch, n = recordings.shape[:2]
        return BatchStream(self._java, self.interface, batch, min(n, STEPS_PER_CALL)).run(recordings)

    def stream(self) -> SampleStream:
        """Return a stream over the classes of one recording, with the present parameters."""
        return SampleStream(self._java, self.interface.outputs)

    def dense_stream(self) -> DenseStream:
        """Return a stream over the vectors of one recording, with the present parameters."""
        return DenseStream(self._java, self.interface, self._silence)


def _as_lines(settings: NetworkSettings, interface: Interface) -> str:
    """Return the settings as ``name=value`` lines, the format of ``dl4jbridge.NetworkSettings``."""
    settings = settings.resolved()
    # Python draws what smooth has beyond wide.
    values = asdict(settings) | asdict(interface) | {"init": "wide" if settings.init == "smooth" else settings.init}
    # Java needs to know none of these: the task is Python's, which also writes biases and adds the input to the output.
    return "\n".join(f"{name}={value}" for name, value in values.items() if name not in ("task", "slow_units", "skip"))
