"""Forward pass, loss and backward pass of stacked LSTM layers under a softmax.

A time step of a layer, with x the input, h and c the layer's state and ``*`` element by element::

    a  = tanh   (x W_a + h R_a           + b_a)      block input
    f  = sigmoid(x W_f + h R_f + p_f * c  + b_f)      forget gate
    g  = sigmoid(x W_g + h R_g + p_g * c  + b_g)      input gate
    c' = f * c + g * a                                cell state
    o  = sigmoid(x W_o + h R_o + p_o * c' + b_o)      output gate
    h' = o * tanh(c')                                 output

GravesLSTM: equations 7 to 11 of Graves (2013), "Generating Sequences With Recurrent Neural Networks", with diagonal
peephole weights p as introduced by Gers, Schraudolph and Schmidhuber (2002), "Learning Precise Timing with LSTM
Recurrent Networks". LSTM: the same without the terms in p, as in Gers, Schmidhuber and Cummins (2000), "Learning to
Forget". DL4J computes both in ``LSTMHelpers``. If there is a mask, h' and c' are multiplied by its value at the time
step.

Arrays have the shape (batch, size, time) in the interface, as in DL4J, and (time, batch, size) inside.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dl4j_bridge.reference.parameters import Floats, Indices, Layer, Network, Output, pack

# What a layer carries from segment to segment: h and c, each of shape (batch, hidden).
State = tuple[Floats, Floats]


@dataclass(frozen=True)
class LayerRecord:
    """The values of a layer in a forward pass, each of shape (time, batch, size).

    Attributes
    ----------
    inputs : ndarray
    first : State
        State before the first time step.
    mask : ndarray, shape (time, batch, 1)
    a, f, o, g : ndarray
        Block input, forget, output and input gate.
    memory : ndarray
        Cell state before the mask, which enters the output gate.
    cells : ndarray
        Cell state after the mask, which enters the next time step.
    outputs : ndarray
        Output after the mask.
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
        """The state before each time step, h and c of shape (time, batch, hidden)."""
        h, c = self.first
        return np.concatenate([h[None], self.outputs[:-1]]), np.concatenate([c[None], self.cells[:-1]])


@dataclass(frozen=True)
class Record:
    """The values of the network in a forward pass.

    Attributes
    ----------
    layers : list of LayerRecord
        The values that `backward` needs.
    outputs : list of ndarray, shape (batch, hidden, time)
        Output of each layer.
    states : list of State
        State of each layer after the last time step.
    logits, probabilities : ndarray, shape (batch, classes, time)
    """

    layers: list[LayerRecord]
    outputs: list[Floats]
    states: list[State]
    logits: Floats
    probabilities: Floats


def one_hot(indices: Indices, classes: int) -> Floats:
    """Convert class indices of shape (batch, time) to one-hot vectors of shape (batch, classes, time)."""
    return np.eye(classes)[indices].transpose(0, 2, 1)


def zero_states(params: Network, batch: int) -> list[State]:
    """Return the zero state of each layer."""
    return [_zero_state(layer, batch) for layer in params.layers]


def forward(params: Network, x: Floats, states: Sequence[State], mask: Floats | None = None) -> Record:
    """Run the network on a segment.

    Parameters
    ----------
    params : Network
    x : ndarray, shape (batch, inputs, time)
        One-hot or dense.
    states : sequence of (h, c)
        State of each layer before the segment.
    mask : ndarray, shape (batch, time), optional
        Mask of the LSTM layers; the loss has its own, as in DL4J. For values other than 0 and 1 `backward` is still the
        derivative of this loss, but DL4J's result differs: it applies some of the masks twice.
    """
    batch, _, steps = x.shape
    columns = np.ones((steps, batch, 1)) if mask is None else mask.T[:, :, None].astype(np.float64)
    records: list[LayerRecord] = []
    values = _time_first(x)
    for layer, first in zip(params.layers, states, strict=True):
        records.append(_layer_forward(layer, values, first, columns))
        values = records[-1].outputs
    logits = values @ params.output.W + params.output.b
    return Record(
        layers=records,
        outputs=[_time_last(record.outputs) for record in records],
        states=[(record.outputs[-1], record.cells[-1]) for record in records],
        logits=_time_last(logits),
        probabilities=_time_last(np.exp(logits - _log_sum_exp(logits))),
    )


def cross_entropy(record: Record, labels: Indices, label_mask: Floats | None = None) -> float:
    """Return the cross-entropy in nats, summed over batch and time and divided by the batch size.

    This is DL4J's score without regularisation, except that DL4J clips the probabilities to 1e-10 and 1 - 1e-10 in the
    score (not in the gradient).

    Parameters
    ----------
    record : Record
    labels : ndarray of integers, shape (batch, time)
        Target classes.
    label_mask : ndarray, shape (batch, time), optional
        Weights of the terms. Without it all terms count, including those of time steps that the layers' mask excludes.
    """
    logits = _time_first(record.logits)
    chosen = np.take_along_axis(logits, labels.T[:, :, None], axis=2)
    terms = (_log_sum_exp(logits) - chosen)[:, :, 0].T
    return float(np.sum(terms if label_mask is None else terms * label_mask)) / len(labels)


def backward(
    params: Network, record: Record, labels: Indices, carried: bool = True, label_mask: Floats | None = None
) -> tuple[Floats, Floats]:
    """Return the gradient of `cross_entropy` with respect to the parameters and the input.

    The states before the segment are constants: truncated backpropagation through time.

    Parameters
    ----------
    params : Network
    record : Record
        Result of `forward` with the same parameters.
    labels, label_mask
        As in `cross_entropy`.
    carried : bool
        True: the exact derivative of the loss. False: the gradient that DL4J 1.0.0-M2.1 computes instead. DL4J repeats
        the forward pass of each layer from the zero state, on the input of the layer in the pass with the carried
        state, and differentiates that pass. It masks the errors of the gates but not the error of the cell state, which
        therefore passes through time steps at which the forward pass reset the state.

    Returns
    -------
    gradient : ndarray, shape (n,)
        In the order of DL4J's flat parameter vector, divided by the batch size.
    input_gradient : ndarray, shape (batch, inputs, time)
        Also divided by the batch size; DL4J's ``epsilon`` is not.
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
            run = _layer_forward(layer, run.inputs, _zero_state(layer, batch), run.mask)
        gradient, errors = _layer_backward(layer, run, errors, exact=carried)
        gradients.insert(0, gradient)
    return pack(Network(tuple(gradients), output)), _time_last(errors)


def _layer_forward(layer: Layer, inputs: Floats, first: State, mask: Floats) -> LayerRecord:
    p_f, p_o, p_g = _peephole_weights(layer)
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


def _layer_backward(layer: Layer, run: LayerRecord, errors: Floats, exact: bool) -> tuple[Layer, Floats]:
    """Return the gradient of a layer and the errors of its inputs, given the errors of its outputs."""
    deltas = _gate_errors(layer, run, errors, exact)
    h, c = run.before
    by_recurrent = _sum_outer(h, deltas)
    if layer.peepholes is not None:
        _, d_f, d_o, d_g = np.split(deltas, 4, axis=2)
        products = d_f * c, d_o * (run.memory if exact else run.cells), d_g * c
        by_recurrent = np.column_stack([by_recurrent, *(product.sum((0, 1)) for product in products)])
    gradient = Layer(_sum_outer(run.inputs, deltas), by_recurrent, deltas.sum((0, 1))[None])
    return gradient, deltas @ layer.W.T


def _gate_errors(layer: Layer, run: LayerRecord, errors: Floats, exact: bool) -> Floats:
    """Return the errors of the four gates' sums, shape (time, batch, 4 * hidden).

    The exact derivative masks the errors of h and c before they reach the gates. DL4J masks the errors of the gates
    afterwards, and uses the masked cell state in place of the one before the mask.
    """
    p_f, p_o, p_g = _peephole_weights(layer)
    slopes = 1 - np.tanh(run.memory if exact else run.cells) ** 2
    _, before = run.before
    deltas = np.empty((*errors.shape[:2], 4 * layer.hidden))
    # Errors of h and c from the next time step.
    next_h = next_c = np.zeros_like(errors[0])
    for t in reversed(range(len(errors))):
        a, f, o, g = run.a[t], run.f[t], run.o[t], run.g[t]
        early, late = (run.mask[t], 1.0) if exact else (1.0, run.mask[t])
        d_h = early * (errors[t] + next_h)
        d_o = d_h * np.tanh(run.memory[t]) * o * (1 - o)
        d_c = early * next_c + d_h * o * slopes[t] + d_o * p_o
        d_a = d_c * g * (1 - a**2)
        d_f = d_c * before[t] * f * (1 - f)
        d_g = d_c * a * g * (1 - g)
        deltas[t] = late * np.concatenate([d_a, d_f, d_o, d_g], axis=1)
        next_h = deltas[t] @ layer.recurrent.T
        next_c = d_c * f + late * (d_f * p_f + d_g * p_g)
    return deltas


def _peephole_weights(layer: Layer) -> Floats:
    """Return the peepholes, shape (3, hidden); a cell without peepholes computes the same as one with zeros."""
    return np.zeros((3, layer.hidden)) if layer.peepholes is None else layer.peepholes


def _zero_state(layer: Layer, batch: int) -> State:
    return np.zeros((batch, layer.hidden)), np.zeros((batch, layer.hidden))


def _sum_outer(left: Floats, right: Floats) -> Floats:
    """Return the outer products of the last axes, summed over time and batch."""
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
