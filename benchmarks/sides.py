"""The sides that the benchmarks compare. Each runs in its own process, since threads are set for a whole process.

Run as a script, this is the worker of one side, see `rounds.Worker`. It takes the side as JSON and prints
``{"units": n}`` (units per call) or ``{"missing": reason}``. After that it reads a number of seconds from each line of
stdin, runs for about that time, and prints ``{"units": n, "seconds": s}``.
"""

from __future__ import annotations

import importlib
import itertools
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge.java import jvm
from dl4j_bridge.java.interface import Interface
from dl4j_bridge.java.network import Network
from dl4j_bridge.java.streams import BatchStream
from dl4j_bridge.java.tensors import OneHot
from dl4j_bridge.settings.commands import GenerateSettings
from dl4j_bridge.settings.training import LAYERS, NetworkSettings
from dl4j_bridge.signal.codecs import CLASSES, SILENCE, get_codec
from dl4j_bridge.tasks.samples.task import SamplesTask

# As `train` does by default: the state is reset after each window of 1000, which is 20 segments of 50.
SEGMENTS = 20
LEARNING_RATE, CLIP = 0.005, 1.0
# Samples in a call of generate: enough to make the overhead of the call negligible, few enough to end in time.
BLOCK, SINGLE_STEPS = 1024, 50
# Samples of a recording that process runs at a time, in classes and as numbers.
RECORDING, NUMBERS = 1 << 14, 1 << 16
# Time steps in a call of many recordings side by side.
STEPS = 256
# Number of rows and columns of the matrices that measure the machine's peak.
PEAK_SIZE = 1000

Indices = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Cell:
    """The size of a network and its batches; the defaults are the main size.

    Attributes
    ----------
    width
        Number of input and output values at a time step, with squared error; 0 for classes with cross-entropy.
    output
        Output activation of a network with a width: ``linear`` or ``sigmoid``.
    """

    layers: int = 2
    hidden: int = 200
    batch: int = 32
    tbptt: int = 50
    width: int = 0
    output: str = "softmax"

    def __str__(self) -> str:
        vectors = f", vectors of {self.width} with {self.output} output" if self.width else ""
        return f"{self.layers} x {self.hidden}, batch {self.batch}, tBPTT {self.tbptt}{vectors}"

    @property
    def interface(self) -> Interface:
        if self.width:
            return Interface.of_vectors(self.width, self.width, self.output)
        return Interface.of_classes(CLASSES)

    def random_source(self, *shape: int) -> Callable[[], npt.NDArray[Any]]:
        """Return a function that generates random input or targets of this shape, plus an axis for vectors."""
        return _vectors(*shape, self.width) if self.width else _indices(*shape)

    def flops_per_sample(self) -> int:
        """Return the operations per training sample: 6 per weight, 2 in the forward pass and in each of the gradients.

        The first layer's input weights do not count for one-hot input, which only selects rows of them.
        """
        recurrent = self.layers * 4 * self.hidden**2
        between = (self.layers - 1) * 4 * self.hidden**2
        ends = 5 * self.hidden * self.width if self.width else self.hidden * CLASSES
        # Training does not need the gradient of the input itself.
        input_gradient = 2 * 4 * self.hidden * self.width
        return 6 * (recurrent + between + ends) - input_gradient

    def settings(self, layer: str) -> NetworkSettings:
        return NetworkSettings(
            layer=layer,
            layers=self.layers,
            hidden=self.hidden,
            tbptt=self.tbptt,
            updater="adam",
            learning_rate=LEARNING_RATE,
            clip=CLIP,
        )


@dataclass(frozen=True)
class Side:
    """The job of a worker: its name in `JOBS`, its number of threads and its size."""

    job: str
    threads: int = 1
    cell: Cell = Cell()

    def as_json(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Side:
        stored = json.loads(text)
        return Side(stored["job"], stored["threads"], Cell(**stored["cell"]))


@dataclass(frozen=True)
class Job:
    """A job to time.

    Attributes
    ----------
    units
        Samples or floating-point operations per call.
    call
        Function that runs the job once.
    peak
        Whether the rate is that of the fastest call instead of the mean.
    """

    units: float
    call: Callable[[], object]
    peak: bool = False


class Missing(Exception):
    """Raised for a side that cannot be measured on this machine; the message is the reason."""


def train_dl4j(side: Side, layer: str) -> Job:
    """Run our training step, including the bridge: NumPy arrays go in, loss and accuracy come back."""
    network, cell = _network(side, layer), side.cell
    new_batch, numbers = cell.random_source(cell.batch, cell.tbptt), itertools.count()

    def step() -> None:
        n = next(numbers)
        network.step(new_batch(), new_batch(), cell.tbptt, n % SEGMENTS == 0, n)

    return Job(cell.batch * cell.tbptt, step)


def train_pytorch(side: Side) -> Job:
    """Run the same training step in PyTorch, written in the fastest way: time-major, with the fused Adam."""
    torch, cell = pytorch(side.threads), side.cell
    width = cell.width or CLASSES
    lstm = torch.nn.LSTM(width, cell.hidden, cell.layers)
    dense = torch.nn.Linear(cell.hidden, width)
    parameters = [*lstm.parameters(), *dense.parameters()]
    adam = torch.optim.Adam(parameters, lr=LEARNING_RATE, fused=True)
    x = torch.zeros(cell.tbptt, cell.batch, width)
    new_batch, numbers = cell.random_source(cell.tbptt, cell.batch), itertools.count()
    state: Any = None

    def features() -> Any:
        values = torch.from_numpy(new_batch())
        return values if cell.width else x.zero_().scatter_(2, values.long().unsqueeze(2), 1.0)

    def loss_of(outputs: Any) -> Any:
        targets = torch.from_numpy(new_batch())
        if cell.width:
            # Summed over time, as in DL4J.
            activated = torch.sigmoid(outputs) if cell.output == "sigmoid" else outputs
            return cell.tbptt * torch.nn.functional.mse_loss(activated, targets)
        return torch.nn.functional.cross_entropy(outputs.flatten(0, 1), targets.long().flatten())

    def step() -> None:
        nonlocal state
        if next(numbers) % SEGMENTS == 0:
            state = None
        adam.zero_grad()
        hidden, carried = lstm(features(), state)
        state = tuple(s.detach() for s in carried)
        loss = loss_of(dense(hidden))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, CLIP)
        adam.step()
        loss.item()

    return Job(cell.batch * cell.tbptt, step)


def sgemm(side: Side, rows: int = PEAK_SIZE, columns: int = PEAK_SIZE, depth: int = PEAK_SIZE) -> Job:
    """Run the limit of the machine: a large product by the OpenBLAS in DL4J, in floating-point operations."""
    jvm.configure(backend="cpu", nd4j_threads=side.threads)
    # ND4J loads OpenBLAS as it does for training.
    jvm.java_class("org.nd4j.linalg.factory.Nd4j").create(1)
    blas = jvm.java_class("org.bytedeco.openblas.global.openblas")
    blas.blas_set_num_threads(side.threads)
    pointer = jvm.java_class("org.bytedeco.javacpp.FloatPointer")
    a, b, c = (pointer(size) for size in (rows * depth, depth * columns, rows * columns))
    for matrix in (a, b, c):
        # Bytes of 1 give floats that are neither NaN nor denormal.
        jvm.java_class("org.bytedeco.javacpp.Pointer").memset(matrix, 1, 4 * matrix.capacity())
    row_major, as_is = 101, 111

    def multiply() -> None:
        blas.cblas_sgemm(row_major, as_is, as_is, rows, columns, depth, 1.0, a, depth, b, columns, 0.0, c, columns)

    return Job(2.0 * rows * columns * depth, multiply, peak=True)


def generate(side: Side) -> Job:
    """Run what `generate` does for each block, without writing the file."""
    stream = _network(side, NetworkSettings.layer).stream()
    stream.seed(1)
    stream.consume(np.array([SILENCE], np.uint8))
    return Job(BLOCK, lambda: stream.generate(BLOCK, 1.0, GenerateSettings.top_p))


def process(side: Side) -> Job:
    """Run what `process` does for each block, without files: the means of the distributions."""
    stream = _network(side, NetworkSettings.layer).stream()
    decoder = SamplesTask(get_codec("mulaw", False), 0.0, "target").decoder()
    new_block = _indices(RECORDING)
    return Job(RECORDING, lambda: decoder.run(stream, new_block()))


def side_by_side(side: Side) -> Job:
    """Run many recordings side by side, as validation does, in floating-point operations."""
    network, cell = _network(side, NetworkSettings.layer), side.cell
    stream = BatchStream(network._java, cell.interface, cell.batch, STEPS)
    new_block = cell.random_source(cell.batch, STEPS)
    # A third of what training takes.
    return Job(cell.flops_per_sample() / 3 * cell.batch * STEPS, lambda: stream.run(new_block()))


def sgemm_side_by_side(side: Side) -> Job:
    """Run one product of the same recordings, that of a layer's input weights, as one call of sgemm."""
    return sgemm(side, side.cell.batch * STEPS, 4 * side.cell.hidden, side.cell.hidden)


def rnn_time_step(side: Side) -> Job:
    """Run DL4J's own single step, without reading its output."""
    java = _network(side, "stock")._java.dl4j()
    x = OneHot(1, CLASSES, 1)
    array = x.array.java.array()
    new_sample = _indices(1, 1)

    def steps() -> None:
        for _ in range(SINGLE_STEPS):
            x.write(new_sample())
            java.rnnTimeStep(array)

    return Job(SINGLE_STEPS, steps)


def generate_pytorch(side: Side, cells: bool) -> Job:
    """Generate in PyTorch one sample at a time, with `nn.LSTM` or with an `nn.LSTMCell` for each layer."""
    torch = pytorch(side.threads)
    advance = _pytorch_cells(torch, side.cell) if cells else _pytorch_lstm(torch, side.cell)
    dense = torch.nn.Linear(side.cell.hidden, CLASSES)
    x = torch.zeros(1, CLASSES)
    last = SILENCE

    def steps() -> None:
        nonlocal last
        with torch.inference_mode():
            for _ in range(SINGLE_STEPS):
                x[0, last] = 1
                logits = dense(advance(x))
                x[0, last] = 0
                last = int(torch.multinomial(torch.softmax(logits[0], 0), 1).item())

    return Job(SINGLE_STEPS, steps)


def process_pytorch(side: Side) -> Job:
    """Run `nn.LSTM` on a long block in one call, which is possible because no output is fed back."""
    torch = pytorch(side.threads)
    lstm = torch.nn.LSTM(CLASSES, side.cell.hidden, side.cell.layers)
    dense = torch.nn.Linear(side.cell.hidden, CLASSES)
    values = torch.from_numpy(get_codec("mulaw", False).values.astype(np.float32))
    x, new_block = torch.zeros(RECORDING, CLASSES), _indices(RECORDING)
    state: Any = None

    def run() -> None:
        nonlocal state
        with torch.inference_mode():
            x.zero_().scatter_(1, torch.from_numpy(new_block()).long().unsqueeze(1), 1.0)
            hidden, state = lstm(x, state)
            (torch.softmax(dense(hidden), 1) @ values).numpy()

    return Job(RECORDING, run)


def process_dense(side: Side) -> Job:
    """Run what `process` does for each block of samples as numbers, without files."""
    stream, new_block = _network(side, NetworkSettings.layer).dense_stream(), side.cell.random_source(NUMBERS)
    return Job(NUMBERS, lambda: stream.run(new_block()))


def process_dense_pytorch(side: Side) -> Job:
    """Run `nn.LSTM` on a long block in one call."""
    torch, cell = pytorch(side.threads), side.cell
    lstm = torch.nn.LSTM(cell.width, cell.hidden, cell.layers)
    dense = torch.nn.Linear(cell.hidden, cell.width)
    new_block = cell.random_source(NUMBERS)
    state: Any = None

    def run() -> None:
        nonlocal state
        with torch.inference_mode():
            hidden, state = lstm(torch.from_numpy(new_block()), state)
            dense(hidden).numpy()

    return Job(NUMBERS, run)


JOBS: dict[str, Callable[[Side], Job]] = {
    "fused": lambda side: train_dl4j(side, "fused"),
    "stock": lambda side: train_dl4j(side, "stock"),
    "pytorch": train_pytorch,
    "sgemm": sgemm,
    "generate": generate,
    "process": process,
    "rnnTimeStep": rnn_time_step,
    "generate, nn.LSTM": lambda side: generate_pytorch(side, cells=False),
    "generate, nn.LSTMCell": lambda side: generate_pytorch(side, cells=True),
    "process, nn.LSTM": process_pytorch,
    "side by side": side_by_side,
    "side by side, sgemm": sgemm_side_by_side,
    "process vectors": process_dense,
    "process vectors, nn.LSTM": process_dense_pytorch,
}


def measure(job: Job, seconds: float) -> dict[str, float]:
    """Call the job for about `seconds`, at least once."""
    times = [_timed(job.call)]
    while sum(times) < seconds:
        times.append(_timed(job.call))
    if job.peak:
        return {"units": job.units, "seconds": min(times)}
    return {"units": job.units * len(times), "seconds": sum(times)}


def _timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _network(side: Side, layer: str) -> Network:
    if layer not in LAYERS:
        raise Missing(f"there is no layer {layer!r}")
    if layer == "stock":
        jvm.configure(backend="cpu", nd4j_threads=side.threads)
    else:
        jvm.configure(side.threads, "cpu")
    return Network.create(side.cell.settings(layer), side.cell.interface)


def pytorch(threads: int) -> Any:
    """Import PyTorch and set its number of threads; raise `Missing` if it is not installed."""
    # Libraries read these variables when they load.
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(threads)
    try:
        torch = importlib.import_module("torch")
    except ModuleNotFoundError as e:
        raise Missing(f"{e.name} is not installed; pip install -e '.[bench]'") from e
    torch.set_num_threads(threads)
    return torch


def _pytorch_lstm(torch: Any, cell: Cell) -> Callable[[Any], Any]:
    lstm = torch.nn.LSTM(CLASSES, cell.hidden, cell.layers)
    state: Any = None

    def advance(x: Any) -> Any:
        nonlocal state
        hidden, state = lstm(x, state)
        return hidden

    return advance


def _pytorch_cells(torch: Any, cell: Cell) -> Callable[[Any], Any]:
    cells = [torch.nn.LSTMCell(CLASSES if i == 0 else cell.hidden, cell.hidden) for i in range(cell.layers)]
    states: list[Any] = [None] * cell.layers

    def advance(x: Any) -> Any:
        for i, lstm_cell in enumerate(cells):
            states[i] = lstm_cell(x, states[i])
            x = states[i][0]
        return x

    return advance


def _indices(*shape: int) -> Callable[[], Indices]:
    """Return a function that generates random classes.

    They are new at each call: a network would learn repeated ones, and its gradients would become denormal.
    """
    rng = np.random.default_rng(0)
    return lambda: rng.integers(0, CLASSES, shape, dtype=np.uint8)


def _vectors(*shape: int) -> Callable[[], npt.NDArray[np.float32]]:
    rng = np.random.default_rng(0)
    return lambda: rng.random(shape, np.float32)


def main() -> None:
    # Ctrl-C is handled by the parent, which ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Redirect what libraries print to stderr, so that stdout contains only the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(content: dict[str, Any]) -> None:
        print(json.dumps(content), file=answers, flush=True)

    side = Side.from_json(sys.argv[1])
    try:
        job = JOBS[side.job](side)
    except Missing as e:
        answer({"missing": str(e)})
        return
    answer({"units": job.units})
    for line in sys.stdin:
        answer(measure(job, float(line)))


if __name__ == "__main__":
    main()
