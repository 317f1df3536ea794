"""Stacked LSTM layers under a softmax in NumPy and double precision: the reference for the layers in Java.

Written to be read, not to be fast. `equations` has the forward and backward pass, `parameters` the order of DL4J's flat
parameter vector, `dl4j_zip` reads model files without Java, and `lstm` trains. Both cells are supported: ``graves``
(DL4J's GravesLSTM, with peepholes) and ``lstm`` (DL4J's LSTM, without).

Examples
--------
>>> import numpy as np
>>> from dl4j_bridge import reference
>>> params = reference.unpack(np.zeros(116), inputs=4, hidden=3, layers=1, outputs=5, cell="lstm")
>>> indices = np.zeros((2, 7), np.int64)
>>> record = reference.forward(params, reference.one_hot(indices, 4), reference.zero_states(params, batch=2))
>>> bool(np.isclose(reference.cross_entropy(record, indices), 7 * np.log(5)))
True
>>> gradient, _ = reference.backward(params, record, indices)
>>> gradient.shape
(116,)
"""

from dl4j_bridge.reference.dl4j_zip import read_nd4j, read_parameters
from dl4j_bridge.reference.equations import Record, backward, cross_entropy, forward, one_hot, zero_states
from dl4j_bridge.reference.lstm import Adam, ReferenceLstm
from dl4j_bridge.reference.parameters import Layer, Network, layout, pack, unpack, unpack_like

__all__ = [
    "Adam",
    "Layer",
    "Network",
    "Record",
    "ReferenceLstm",
    "backward",
    "cross_entropy",
    "forward",
    "layout",
    "one_hot",
    "pack",
    "read_nd4j",
    "read_parameters",
    "unpack",
    "unpack_like",
    "zero_states",
]
