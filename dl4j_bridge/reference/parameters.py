"""The parameters of stacked LSTM layers under an output layer, and their order in DL4J's flat parameter vector.

The order is that of DL4J's ``GravesLSTMParamInitializer``, ``LSTMParamInitializer`` and ``DefaultParamInitializer``:
layer after layer, the blocks W, RW and b in 'f' order. The columns of W, RW and b are those of the four gates: block
input, forget gate, output gate, input gate.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.integer[Any]]

# Columns of RW after those of the gates: the peepholes of the forget, the output and the input gate.
PEEPHOLE_COLUMNS = {"graves": 3, "lstm": 0}


class Layer(NamedTuple):
    """The parameters of an LSTM layer, or their gradients.

    Attributes
    ----------
    W : ndarray of float64, shape (inputs, 4 * hidden)
        Input weights.
    RW : ndarray of float64, shape (hidden, 4 * hidden + 3) or (hidden, 4 * hidden)
        Recurrent weights, followed by the columns of the peepholes if the cell has any.
    b : ndarray of float64, shape (1, 4 * hidden)
        Biases.
    """

    W: Floats
    RW: Floats
    b: Floats

    @property
    def hidden(self) -> int:
        """Number of units."""
        return len(self.RW)

    @property
    def recurrent(self) -> Floats:
        """The recurrent weights without the peepholes, shape (hidden, 4 * hidden)."""
        return self.RW[:, : 4 * self.hidden]

    @property
    def peepholes(self) -> Floats | None:
        """The peepholes of the forget, the output and the input gate, shape (3, hidden); None if the cell has none."""
        columns = self.RW[:, 4 * self.hidden :]
        return columns.T if columns.size else None


class Output(NamedTuple):
    """The parameters of the output layer, or their gradients.

    Attributes
    ----------
    W : ndarray of float64, shape (hidden, outputs)
    b : ndarray of float64, shape (outputs,)
    """

    W: Floats
    b: Floats


class Network(NamedTuple):
    """The parameters of the whole network, or their gradients."""

    layers: tuple[Layer, ...]
    output: Output


def layout(
    inputs: int, hidden: int, layers: int, outputs: int, cell: str = "graves"
) -> dict[str, tuple[slice, tuple[int, ...]]]:
    """Return the position and the shape of each block in DL4J's flat parameter vector.

    Parameters
    ----------
    inputs : int
        Size of the input at a time step.
    hidden : int
        Units of each LSTM layer.
    layers : int
        Number of LSTM layers.
    outputs : int
        Size of the output at a time step.
    cell : {"graves", "lstm"}
        Kind of the LSTM layers.

    Returns
    -------
    dict of str to (slice, tuple of int)
        In DL4J's order: ``0/W``, ``0/RW`` (with the peepholes), ``0/b``, ..., ``output/W``, ``output/b``. The blocks
        are in 'f' order.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in range(layers):
        shapes[f"{layer}/W"] = (hidden if layer else inputs, 4 * hidden)
        shapes[f"{layer}/RW"] = (hidden, 4 * hidden + PEEPHOLE_COLUMNS[cell])
        shapes[f"{layer}/b"] = (1, 4 * hidden)
    shapes |= {"output/W": (hidden, outputs), "output/b": (outputs,)}
    ends = np.cumsum([np.prod(shape) for shape in shapes.values()]).tolist()
    starts = [0, *ends[:-1]]
    return {name: (slice(starts[i], ends[i]), shape) for i, (name, shape) in enumerate(shapes.items())}


def unpack(flat: npt.ArrayLike, inputs: int, hidden: int, layers: int, outputs: int, cell: str = "graves") -> Network:
    """Split a flat vector of parameters or gradients into blocks.

    Parameters
    ----------
    flat : array_like, shape (n,)
        In the order of `layout`; copied.
    inputs, hidden, layers, outputs, cell
        As in `layout`.

    Raises
    ------
    ValueError
        If the length of the vector does not match the sizes.
    """
    vector = np.array(flat, np.float64).ravel()
    places = layout(inputs, hidden, layers, outputs, cell)
    end = places["output/b"][0].stop
    if vector.size != end:
        raise ValueError(f"{vector.size} parameters; these sizes want {end}")
    blocks = [vector[where].reshape(shape, order="F") for where, shape in places.values()]
    return Network(tuple(Layer(*blocks[3 * i : 3 * i + 3]) for i in range(layers)), Output(*blocks[-2:]))


def unpack_like(flat: npt.ArrayLike, network: Network) -> Network:
    """Split a flat vector into blocks of the shapes that a network has."""
    first = network.layers[0]
    cell = "lstm" if first.peepholes is None else "graves"
    return unpack(flat, len(first.W), first.hidden, len(network.layers), network.output.b.size, cell)


def gate_rows(columns: Floats, order: tuple[int, ...]) -> Floats:
    """The columns of W, RW (without peepholes) or b as rows, the gates in another order.

    Parameters
    ----------
    columns : ndarray, shape (n, 4 * hidden)
        Block input, forget gate, output gate, input gate.
    order
        For each gate of the result, its place in DL4J's order.

    Returns
    -------
    ndarray, shape (4 * hidden, n)
    """
    blocks = np.split(columns, 4, axis=1)
    return np.concatenate([blocks[k] for k in order], axis=1).T


def gate_columns(rows: Floats, order: tuple[int, ...]) -> Floats:
    """The inverse of `gate_rows`: rows of gates in another order as the columns of W, RW or b.

    Parameters
    ----------
    rows : ndarray, shape (4 * hidden, n)
    order
        For each gate of the rows, its place in DL4J's order.

    Returns
    -------
    ndarray, shape (n, 4 * hidden)
    """
    blocks = np.split(rows, 4)
    return np.concatenate([blocks[order.index(k)] for k in range(4)]).T


def pack(network: Network) -> Floats:
    """Join parameters or gradients to a flat vector in the order of `layout`."""
    parts = (*network.layers, network.output)
    return np.concatenate([block.ravel(order="F") for part in parts for block in part])
