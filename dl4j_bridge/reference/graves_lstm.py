"""Stacked GravesLSTM layers under a softmax in NumPy and double precision: what the Java layers are held to.

Written for reading, not for speed: `GravesLstm` reads a model zip, runs and trains without Java, and is too slow for
`compare`. The functions below it are what it is made of (Graves, 2013, with the peepholes of Gers et al., 2002). Arrays
are `[batch, size, time]` outside, as in DL4J, and time first inside.

A step of a layer, with x the input, h and c the layer's state, `*` by element::

    a = tanh   (x W_a + h R_a         + b_a)      block input
    f = sigmoid(x W_f + h R_f + p_f*c + b_f)      forget gate
    g = sigmoid(x W_g + h R_g + p_g*c + b_g)      input gate
    c' = f*c + g*a
    o = sigmoid(x W_o + h R_o + p_o*c' + b_o)     output gate
    h' = o*tanh(c')

and h' and c' are multiplied by the step's column of the mask, where there is one.

Examples
--------
>>> network = unpack(np.zeros(4 * 12 + 3 * 15 + 12 + 3 * 5 + 5), inputs=4, hidden=3, layers=1, outputs=5)
>>> indices = np.zeros((2, 7), np.int64)
>>> record = forward(network, one_hot(indices, 4), zero_states(network, batch=2))
>>> bool(np.isclose(cross_entropy(record, indices), 7 * np.log(5)))
True
>>> gradient, _ = backward(network, record, indices)
>>> gradient.shape
(125,)
"""

from __future__ import annotations

import json
import math
import struct
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge.errors import InputError

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.integer[Any]]
# What a layer carries from segment to segment: h and c, each [batch, hidden].
State = tuple[Floats, Floats]


class GravesLstm:
    """A network to run and to train by tBPTT with Adam, one-hot in and classes out.

    Parameters
    ----------
    params
        Where it starts; see `create` and `load`.
    learning_rate
        Of Adam.
    clip
        Largest L2 norm of each layer's gradient; 0 for no clipping.

    Examples
    --------
    >>> x = np.random.default_rng(0).integers(0, 4, (8, 20))
    >>> lstm = GravesLstm.create(inputs=4, hidden=8, layers=1, outputs=4, seed=1, learning_rate=0.05)
    >>> bits = lstm.fit(x, x, steps=60, tbptt=10)
    >>> bool(np.mean(lstm.run(x).argmax(axis=2) == x) > 0.99)
    True
    """

    def __init__(self, params: Network, learning_rate: float = 0.005, clip: float = 1.0) -> None:
        self.params = params
        self._clip = clip
        self._adam = Adam(learning_rate)
        self._states: list[State] = []

    @classmethod
    def create(
        cls, inputs: int, hidden: int, layers: int, outputs: int, seed: int, learning_rate: float = 0.005
    ) -> GravesLstm:
        """Draw parameters: Glorot's, but standard normal input weights in the first layer, which sees a single 1.

        Forget gates start open, with a bias of 1.
        """
        rng = np.random.default_rng(seed)
        drawn: list[Layer] = []
        for size in [inputs] + [hidden] * (layers - 1):
            glorot = np.sqrt(2 / (size + hidden))
            b = np.zeros((1, 4 * hidden))
            b[:, hidden : 2 * hidden] = 1
            weights = rng.normal(0, glorot if drawn else 1, (size, 4 * hidden))
            drawn.append(Layer(weights, rng.normal(0, np.sqrt(1 / hidden), (hidden, 4 * hidden + 3)), b))
        output = Output(rng.normal(0, np.sqrt(2 / (hidden + outputs)), (hidden, outputs)), np.zeros(outputs))
        return cls(Network(tuple(drawn), output), learning_rate)

    @classmethod
    def load(cls, path: Path) -> GravesLstm:
        """Read the parameters of a DL4J zip with GravesLSTM layers under a softmax, as `train` writes it.

        Raises
        ------
        InputError
            Not such a zip.
        """
        try:
            with zipfile.ZipFile(path) as z:
                layers = [conf["layer"] for conf in json.loads(z.read("configuration.json"))["confs"]]
                flat = read_nd4j(z.read("coefficients.bin"))
            kinds = [layer["@class"].rpartition(".")[2] for layer in layers]
            if kinds != ["GravesLSTM"] * (len(layers) - 1) + ["RnnOutputLayer"]:
                raise ValueError(f"layers {', '.join(kinds)}")
            sizes = layers[0]["nin"], layers[0]["nout"], len(layers) - 1, layers[-1]["nout"]
            return cls(unpack(flat, *sizes))
        except (OSError, zipfile.BadZipFile, ValueError, KeyError, IndexError, TypeError, struct.error) as e:
            raise InputError(path, f"not a GravesLSTM model ({e})", "wanted model.zip of a run folder") from None

    def run(self, x: Indices) -> Floats:
        """Give the distributions behind each sample, from an empty state on.

        Parameters
        ----------
        x : ndarray of integers, shape (batch, n)

        Returns
        -------
        ndarray of float64, shape (batch, n, classes)
        """
        states = zero_states(self.params, len(x))
        found = forward(self.params, one_hot(x, len(self.params.layers[0].W)), states).probabilities
        return found.transpose(0, 2, 1)

    def step(self, x: Indices, y: Indices, first: bool) -> float:
        """Make one update on one tBPTT segment.

        Parameters
        ----------
        x, y : ndarray of integers, shape (batch, n)
            Classes of the input and of the target.
        first
            True forgets the state that the segment before left.

        Returns
        -------
        float
            Cross-entropy in bits per sample before the update.
        """
        if first:
            self._states = zero_states(self.params, len(x))
        record = forward(self.params, one_hot(x, len(self.params.layers[0].W)), self._states)
        self._states = record.states
        gradient, _ = backward(self.params, record, y)
        flat = self._adam.step(pack(self.params), self._clipped(gradient))
        self.params = self._unpacked(flat)
        return cross_entropy(record, y) / int(y.shape[1]) / math.log(2)

    def fit(self, x: Indices, y: Indices, steps: int, tbptt: int) -> list[float]:
        """Make `steps` updates, segment after segment of `tbptt` samples and from the start again; gives their bits.

        Parameters
        ----------
        x, y : ndarray of integers, shape (batch, n)
        """
        starts = range(0, x.shape[1], tbptt)
        bits = []
        for step in range(steps):
            start = starts[step % len(starts)]
            here = slice(start, start + tbptt)
            bits.append(self.step(x[:, here], y[:, here], first=start == 0))
        return bits

    def _unpacked(self, flat: Floats) -> Network:
        inputs, hidden = self.params.layers[0].W.shape[0], self.params.layers[0].hidden
        return unpack(flat, inputs, hidden, len(self.params.layers), self.params.output.b.size)

    def _clipped(self, gradient: Floats) -> Floats:
        if not self._clip:
            return gradient
        parts = self._unpacked(gradient)
        blocks = [[layer.W, layer.RW, layer.b] for layer in parts.layers] + [[parts.output.W, parts.output.b]]
        for layer in blocks:
            norm = np.sqrt(sum(float(np.sum(block**2)) for block in layer))
            for block in layer:
                block *= min(1.0, self._clip / norm) if norm else 1.0
        return pack(parts)


def read_nd4j(content: bytes) -> npt.NDArray[np.float32]:
    """Read an array of floats as ``Nd4j.write`` writes it: a buffer with its shape, then one with its values.

    A buffer is the name of its allocation mode, its length (8 bytes) and the name of its type, each name with its
    length (2 bytes) in front; then its values. All numbers are big-endian.

    Returns
    -------
    ndarray of float32, shape (n,)
        In the order of the buffer.

    Raises
    ------
    ValueError
        Another type than 32-bit floats, or cut off.
    """
    types = {"LONG": ">i8", "FLOAT": ">f4"}

    def buffer(at: int) -> tuple[npt.NDArray[Any], int]:
        (size,) = struct.unpack_from(">H", content, at)
        count, size_of_type = struct.unpack_from(">QH", content, at + 2 + size)
        at += 2 + size + 10
        name = content[at : at + size_of_type].decode()
        if name not in types:
            raise ValueError(f"an ND4J array of type {name}")
        values = np.frombuffer(content, types[name], count, at + size_of_type)
        return values, at + size_of_type + values.nbytes

    _, end = buffer(0)
    values, _ = buffer(end)
    return values.astype(np.float32)


@dataclass(frozen=True)
class Layer:
    """The parameters of a GravesLSTM, or their gradients.

    Attributes
    ----------
    W : ndarray, shape (inputs, 4 * hidden)
        Columns: block input, forget gate, output gate, input gate.
    RW : ndarray, shape (hidden, 4 * hidden + 3)
        The same columns, then the peepholes of the forget, the output and the input gate.
    b : ndarray, shape (1, 4 * hidden)
    """

    W: Floats
    RW: Floats
    b: Floats

    @property
    def hidden(self) -> int:
        return len(self.RW)

    @property
    def recurrent(self) -> Floats:
        """The recurrent weights without the peepholes, `[hidden, 4 * hidden]`."""
        return self.RW[:, :-3]

    @property
    def peepholes(self) -> Floats:
        """The rows are those of the forget, the output and the input gate, `[3, hidden]`."""
        return self.RW[:, -3:].T


@dataclass(frozen=True)
class Output:
    """The parameters of the softmax layer, or their gradients: W [hidden, classes], b [classes]."""

    W: Floats
    b: Floats


@dataclass(frozen=True)
class Network:
    """The parameters of the whole network, or their gradients."""

    layers: tuple[Layer, ...]
    output: Output


@dataclass(frozen=True)
class LayerRecord:
    """A layer's run over a segment, time first: `[time, batch, size]`.

    Attributes
    ----------
    inputs : ndarray
    first : State
        Where the run started.
    mask : ndarray, shape (time, batch, 1)
    a, f, o, g : ndarray
        Block input, forget, output and input gate.
    memory : ndarray
        The cell state before the mask, as the output gate saw it.
    cells : ndarray
        The cell state after the mask, as the next step sees it.
    outputs : ndarray
        After the mask.
    """

    inputs: Floats
    first: State
    mask: Floats
    a: Floats
    f: Floats
    o: Floats
    g: Floats
    memory: Floats
    cells: Floats
    outputs: Floats

    @property
    def before(self) -> State:
        """The state that each step found, `[time, batch, hidden]` each."""
        h, c = self.first
        return np.concatenate([h[None], self.outputs[:-1]]), np.concatenate([c[None], self.cells[:-1]])


@dataclass(frozen=True)
class Record:
    """The network's run over a segment.

    Attributes
    ----------
    layers : list of LayerRecord
        What `backward` needs.
    outputs : list of ndarray, shape (batch, hidden, time)
        Of each layer.
    states : list of State
        Of each layer after the last step.
    logits, probabilities : ndarray, shape (batch, classes, time)
    """

    layers: list[LayerRecord]
    outputs: list[Floats]
    states: list[State]
    logits: Floats
    probabilities: Floats


def unpack(flat: npt.ArrayLike, inputs: int, hidden: int, layers: int, outputs: int) -> Network:
    """Cut DL4J's flat vector of parameters into blocks.

    Raises
    ------
    ValueError
        If the vector has not the length that the sizes ask for.
    """
    vector = np.array(flat, np.float64).ravel()
    places = layout(inputs, hidden, layers, outputs)
    end = places["output/b"][0].stop
    if vector.size != end:
        raise ValueError(f"{vector.size} parameters; these sizes want {end}")
    blocks = [vector[where].reshape(shape, order="F") for where, shape in places.values()]
    return Network(tuple(Layer(*blocks[3 * i : 3 * i + 3]) for i in range(layers)), Output(*blocks[-2:]))


def layout(inputs: int, hidden: int, layers: int, outputs: int) -> dict[str, tuple[slice, tuple[int, ...]]]:
    """Where in DL4J's flat vector each block lies, and its shape in 'f' order.

    Returns
    -------
    dict
        By name, in DL4J's order: ``0/W``, ``0/RW`` (peepholes included), ``0/b``, ..., ``output/W``, ``output/b``.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in range(layers):
        size = hidden if layer else inputs
        shapes |= {f"{layer}/W": (size, 4 * hidden), f"{layer}/RW": (hidden, 4 * hidden + 3)}
        shapes[f"{layer}/b"] = (1, 4 * hidden)
    shapes |= {"output/W": (hidden, outputs), "output/b": (outputs,)}
    ends = np.cumsum([np.prod(shape) for shape in shapes.values()]).tolist()
    starts = [0, *ends[:-1]]
    return {name: (slice(starts[i], ends[i]), shape) for i, (name, shape) in enumerate(shapes.items())}


def pack(network: Network) -> Floats:
    """Join parameters or gradients in the order of DL4J's flat vector."""
    blocks = [block for layer in network.layers for block in (layer.W, layer.RW, layer.b)]
    blocks += [network.output.W, network.output.b]
    return np.concatenate([block.ravel(order="F") for block in blocks])


def one_hot(indices: Indices, classes: int) -> Floats:
    """Turn `[batch, time]` into `[batch, classes, time]`."""
    return np.eye(classes)[indices].transpose(0, 2, 1)


def zero_states(network: Network, batch: int) -> list[State]:
    """Make the states in front of the first segment."""
    return [_zero_state(layer, batch) for layer in network.layers]


def forward(params: Network, x: Floats, states: Sequence[State], mask: Floats | None = None) -> Record:
    """Run a segment.

    Parameters
    ----------
    params : Network
    x : ndarray, shape (batch, inputs, time)
        One-hot or dense.
    states : sequence of (h, c)
        Of each layer in front of the segment.
    mask : ndarray, shape (batch, time), optional
        Of the layers; the loss has a mask of its own, as in DL4J. For values other than 0 and 1 `backward` still gives
        the derivative of this loss, but DL4J computes something else: some of its masks then count twice.
    """
    batch, _, steps = x.shape
    columns = np.ones((steps, batch, 1)) if mask is None else mask.T[:, :, None].astype(np.float64)
    records: list[LayerRecord] = []
    values = _time_first(x)
    for layer, first in zip(params.layers, states, strict=True):
        records.append(_run_layer(layer, values, first, columns))
        values = records[-1].outputs
    logits = values @ params.output.W + params.output.b
    return Record(
        layers=records,
        outputs=[_time_last(record.outputs) for record in records],
        states=[(record.outputs[-1], record.cells[-1]) for record in records],
        logits=_time_last(logits),
        probabilities=_time_last(np.exp(logits - _log_sum_exp(logits))),
    )


def loss(
    params: Network,
    x: Floats,
    labels: Indices,
    states: Sequence[State],
    mask: Floats | None = None,
    label_mask: Floats | None = None,
) -> float:
    """Run a segment and score it as `cross_entropy` does."""
    return cross_entropy(forward(params, x, states, mask), labels, label_mask)


def cross_entropy(record: Record, labels: Indices, label_mask: Floats | None = None) -> float:
    """Sum over batch and time, divided by the batch: DL4J's score without regularisation.

    DL4J cuts probabilities off at 1e-10 and 1 - 1e-10 there (not in the gradient); this does not.

    Parameters
    ----------
    record : Record
    labels : ndarray of integers, shape (batch, time)
        The class wanted.
    label_mask : ndarray, shape (batch, time), optional
        Without it all terms count, those of steps that the layers' mask leaves out too.
    """
    logits = _time_first(record.logits)
    chosen = np.take_along_axis(logits, labels.T[:, :, None], axis=2)
    terms = (_log_sum_exp(logits) - chosen)[:, :, 0].T
    return float(np.sum(terms if label_mask is None else terms * label_mask)) / len(labels)


def backward(
    params: Network, record: Record, labels: Indices, carried: bool = True, label_mask: Floats | None = None
) -> tuple[Floats, Floats]:
    """Derive the loss by the parameters and by the input.

    The states in front of the segment count as constants: truncated back-propagation through time.

    Parameters
    ----------
    params : Network
    record : Record
        Of `forward` with the same parameters.
    labels, label_mask
        As in `cross_entropy`.
    carried : bool
        True: the exact derivative of the loss. False: what DL4J 1.0.0-M2.1 computes in its stead. It runs each layer
        anew from a zero state, on the input that the layer got in the pass with the carried state, and goes back
        through that run. Its mask leaves the steps' deltas out, but not the error of the cell state, which so passes
        through steps that the forward pass cut off.

    Returns
    -------
    gradient : ndarray
        In the order of DL4J's flat vector, divided by the batch.
    input_gradient : ndarray, shape (batch, inputs, time)
        Divided by the batch too. DL4J's `epsilon` is not.
    """
    batch = len(labels)
    logit_errors = record.probabilities - one_hot(labels, record.logits.shape[1])
    if label_mask is not None:
        logit_errors = logit_errors * label_mask[:, None, :]
    deltas = _time_first(logit_errors) / batch
    output = Output(_sum_outer(record.layers[-1].outputs, deltas), deltas.sum((0, 1)))
    errors = deltas @ params.output.W.T
    gradients: list[Layer] = []
    for layer, run in zip(reversed(params.layers), reversed(record.layers), strict=True):
        if not carried:
            run = _run_layer(layer, run.inputs, _zero_state(layer, batch), run.mask)
        gradient, errors = _back_layer(layer, run, errors, exact=carried)
        gradients.insert(0, gradient)
    return pack(Network(tuple(gradients), output)), _time_last(errors)


def finite_differences(f: Callable[[Floats], float], at: Floats, indices: Iterable[int], eps: float = 1e-4) -> Floats:
    """Central differences of f at a point, by the elements at these flat ('c' order) indices."""

    def moved(index: int, by: float) -> float:
        point = np.array(at, np.float64)
        point.flat[index] += by
        return f(point)

    return np.array([(moved(i, eps) - moved(i, -eps)) / (2 * eps) for i in indices])


@dataclass
class Adam:
    """DL4J's updater of that name."""

    rate: float
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    steps: int = 0
    mean: Floats | float = 0.0
    square: Floats | float = 0.0

    def step(self, flat: Floats, gradient: Floats) -> Floats:
        """Give the next parameters."""
        self.steps += 1
        self.mean = self.beta1 * self.mean + (1 - self.beta1) * gradient
        self.square = self.beta2 * self.square + (1 - self.beta2) * gradient**2
        rate = self.rate * np.sqrt(1 - self.beta2**self.steps) / (1 - self.beta1**self.steps)
        return np.asarray(flat - rate * self.mean / (np.sqrt(self.square) + self.epsilon))


def _run_layer(layer: Layer, inputs: Floats, first: State, mask: Floats) -> LayerRecord:
    p_f, p_o, p_g = layer.peepholes
    driven = inputs @ layer.W + layer.b
    h, c = first
    rows: list[tuple[Floats, ...]] = []
    for z, kept in zip(driven, mask, strict=True):
        z_a, z_f, z_o, z_g = np.split(z + h @ layer.recurrent, 4, axis=1)
        a, f, g = np.tanh(z_a), _sigmoid(z_f + p_f * c), _sigmoid(z_g + p_g * c)
        memory = f * c + g * a
        o = _sigmoid(z_o + p_o * memory)
        h, c = kept * o * np.tanh(memory), kept * memory
        rows.append((a, f, o, g, memory, c, h))
    return LayerRecord(inputs, first, mask, *map(np.stack, zip(*rows, strict=True)))


def _back_layer(layer: Layer, run: LayerRecord, errors: Floats, exact: bool) -> tuple[Layer, Floats]:
    """Turn the errors of a run's outputs into the gradient and the errors of its inputs."""
    deltas = _deltas(layer, run, errors, exact)
    h, c = run.before
    _, d_f, d_o, d_g = np.split(deltas, 4, axis=2)
    peepholes = [d_f * c, d_o * (run.memory if exact else run.cells), d_g * c]
    by_recurrent = np.column_stack([_sum_outer(h, deltas), *(products.sum((0, 1)) for products in peepholes)])
    gradient = Layer(_sum_outer(run.inputs, deltas), by_recurrent, deltas.sum((0, 1))[None])
    return gradient, deltas @ layer.W.T


def _deltas(layer: Layer, run: LayerRecord, errors: Floats, exact: bool) -> Floats:
    """Go back through a run: the errors of the sums that the four gates take, `[time, batch, 4 * hidden]`.

    The exact way is to mask the errors of h and c before they reach the gates. DL4J masks the gates' deltas afterwards,
    and takes the masked cell state for the one before the mask.
    """
    p_f, p_o, p_g = layer.peepholes
    slopes = 1 - np.tanh(run.memory if exact else run.cells) ** 2
    _, before = run.before
    deltas = np.empty((*errors.shape[:2], 4 * layer.hidden))
    # What the step after sends back to h and c.
    later_h = later_c = np.zeros_like(errors[0])
    for t in reversed(range(len(errors))):
        a, f, o, g = run.a[t], run.f[t], run.o[t], run.g[t]
        early, late = (run.mask[t], 1.0) if exact else (1.0, run.mask[t])
        d_h = early * (errors[t] + later_h)
        d_o = d_h * np.tanh(run.memory[t]) * o * (1 - o)
        d_c = early * later_c + d_h * o * slopes[t] + d_o * p_o
        d_a = d_c * g * (1 - a**2)
        d_f = d_c * before[t] * f * (1 - f)
        d_g = d_c * a * g * (1 - g)
        deltas[t] = late * np.concatenate([d_a, d_f, d_o, d_g], axis=1)
        later_h = deltas[t] @ layer.recurrent.T
        later_c = d_c * f + late * (d_f * p_f + d_g * p_g)
    return deltas


def _zero_state(layer: Layer, batch: int) -> State:
    return np.zeros((batch, layer.hidden)), np.zeros((batch, layer.hidden))


def _sum_outer(left: Floats, right: Floats) -> Floats:
    """Sum over time and batch of the products of each element left with each one right."""
    return np.tensordot(left, right, ((0, 1), (0, 1)))


def _sigmoid(z: Floats) -> Floats:
    return (1 + np.tanh(z / 2)) / 2


def _log_sum_exp(logits: Floats) -> Floats:
    top = logits.max(-1, keepdims=True)
    return np.asarray(top + np.log(np.sum(np.exp(logits - top), -1, keepdims=True)))


def _time_first(values: Floats) -> Floats:
    return values.transpose(2, 0, 1)


def _time_last(values: Floats) -> Floats:
    return values.transpose(1, 2, 0)
