"""What the benchmarks compare. Each side runs in a process of its own, since threads are settings of a whole process.

Run as a script this is the worker of one side, see `rounds.Worker`: it is told the side as JSON, answers
``{"units": n}`` (of one call) or ``{"missing": why}``, and from then on each line of stdin, a number of seconds, with
``{"units": n, "seconds": s}``: what it did in about that time.
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
from dl4j_bridge.java.tensors import OneHot
from dl4j_bridge.settings.commands import GenerateSettings
from dl4j_bridge.settings.training import LAYERS, NetworkSettings
from dl4j_bridge.signal.codecs import CLASSES, SILENCE, get_codec
from dl4j_bridge.tasks.samples.task import SamplesTask

# As `train` does by default: 20 segments of 50 make a window of 1000, then the state begins anew.
SEGMENTS = 20
LEARNING_RATE, CLIP = 0.005, 1.0
# Samples of a streaming call: enough that the call itself costs nothing, few enough to end in time.
BLOCK, SINGLE_STEPS = 1024, 50
# Rows and columns of the matrices that the machine's peak is measured with.
PEAK_SIZE = 1000

Indices = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Cell:
    """A size to train at; the defaults are the main one.

    Attributes
    ----------
    width
        Values in and out at a time step, with squared error; 0 for classes in and out, with cross-entropy.
    output
        Of a network with a width: ``linear`` or ``sigmoid``.
    """

    layers: int = 2
    hidden: int = 200
    batch: int = 32
    tbptt: int = 50
    width: int = 0
    output: str = "softmax"

    def __str__(self) -> str:
        of = f", vectors of {self.width} under a {self.output} output" if self.width else ""
        return f"{self.layers} x {self.hidden}, batch {self.batch}, tBPTT {self.tbptt}{of}"

    @property
    def interface(self) -> Interface:
        if self.width:
            return Interface.of_vectors(self.width, self.width, self.output)
        return Interface.of_classes(CLASSES)

    def draws(self, *shape: int) -> Callable[[], npt.NDArray[Any]]:
        """New random input or target at each call, with this shape in front of the values of a time step."""
        return _vectors(*shape, self.width) if self.width else _indices(*shape)

    def flops_per_sample(self) -> int:
        """Of a training step: 6 a weight, two in each of the forward pass and the two gradients.

        The first layer's input weights count nothing: of a one-hot input only rows are read.
        """
        recurrent = self.layers * 4 * self.hidden**2
        between = (self.layers - 1) * 4 * self.hidden**2
        ends = 5 * self.hidden * self.width if self.width else self.hidden * CLASSES
        # Nobody asks for the gradient of the input itself.
        unasked = 2 * 4 * self.hidden * self.width
        return 6 * (recurrent + between + ends) - unasked

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
    """What one worker does: a name in `JOBS`, with how many threads, at which size."""

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
    """Something to time.

    Attributes
    ----------
    units
        Samples, or floating-point operations, of one call.
    call
        Does it once.
    peak
        True takes the fastest call for the rate instead of all of them.
    """

    units: float
    call: Callable[[], object]
    peak: bool = False


class Missing(Exception):
    """A side that cannot be measured here; the text says why."""


def train_dl4j(side: Side, layer: str) -> Job:
    """Our training step, bridge included: classes or vectors from NumPy, loss and accuracy back."""
    network, cell = _network(side, layer), side.cell
    draw, numbers = cell.draws(cell.batch, cell.tbptt), itertools.count()

    def step() -> None:
        n = next(numbers)
        network.step(draw(), draw(), cell.tbptt, n % SEGMENTS == 0, n)

    return Job(cell.batch * cell.tbptt, step)


def train_pytorch(side: Side) -> Job:
    """The same training step in PyTorch: time-major, with the fused Adam, the faster of the ways to write it."""
    torch, cell = pytorch(side.threads), side.cell
    width = cell.width or CLASSES
    lstm = torch.nn.LSTM(width, cell.hidden, cell.layers)
    dense = torch.nn.Linear(cell.hidden, width)
    parameters = [*lstm.parameters(), *dense.parameters()]
    adam = torch.optim.Adam(parameters, lr=LEARNING_RATE, fused=True)
    x = torch.zeros(cell.tbptt, cell.batch, width)
    draw, numbers = cell.draws(cell.tbptt, cell.batch), itertools.count()
    state: Any = None

    def heard() -> Any:
        drawn = torch.from_numpy(draw())
        return drawn if cell.width else x.zero_().scatter_(2, drawn.long().unsqueeze(2), 1.0)

    def loss_of(outputs: Any) -> Any:
        wanted = torch.from_numpy(draw())
        if cell.width:
            # Summed over time as DL4J does.
            given = torch.sigmoid(outputs) if cell.output == "sigmoid" else outputs
            return cell.tbptt * torch.nn.functional.mse_loss(given, wanted)
        return torch.nn.functional.cross_entropy(outputs.flatten(0, 1), wanted.long().flatten())

    def step() -> None:
        nonlocal state
        if next(numbers) % SEGMENTS == 0:
            state = None
        adam.zero_grad()
        hidden, carried = lstm(heard(), state)
        state = tuple(s.detach() for s in carried)
        loss = loss_of(dense(hidden))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, CLIP)
        adam.step()
        loss.item()

    return Job(cell.batch * cell.tbptt, step)


def sgemm(side: Side) -> Job:
    """The machine's limit: a large product by the OpenBLAS that DL4J brings, in floating-point operations."""
    jvm.configure(backend="cpu", nd4j_threads=side.threads)
    # ND4J loads OpenBLAS the way that training has it.
    jvm.java_class("org.nd4j.linalg.factory.Nd4j").create(1)
    blas = jvm.java_class("org.bytedeco.openblas.global.openblas")
    blas.blas_set_num_threads(side.threads)
    n, pointer = PEAK_SIZE, jvm.java_class("org.bytedeco.javacpp.FloatPointer")
    a, b, c = (pointer(n * n) for _ in range(3))
    for matrix in (a, b, c):
        # Bytes of 1, for the sake of numbers that are no NaN and not denormal.
        jvm.java_class("org.bytedeco.javacpp.Pointer").memset(matrix, 1, 4 * n * n)
    row_major, as_is = 101, 111

    def multiply() -> None:
        blas.cblas_sgemm(row_major, as_is, as_is, n, n, n, 1.0, a, n, b, n, 0.0, c, n)

    return Job(2.0 * n**3, multiply, peak=True)


def generate(side: Side) -> Job:
    """What `generate` does for each block, writing the file left out."""
    stream = _network(side, NetworkSettings.layer).stream()
    stream.seed(1)
    stream.consume(np.array([SILENCE], np.uint8))
    return Job(BLOCK, lambda: stream.generate(BLOCK, 1.0, GenerateSettings.top_p))


def process(side: Side) -> Job:
    """What `process` does for each block, the files left out: distributions, then their mean."""
    stream = _network(side, NetworkSettings.layer).stream()
    decoder = SamplesTask(get_codec("mulaw", False), 0.0, "target").decoder()
    draw = _indices(BLOCK)
    return Job(BLOCK, lambda: decoder.push(stream.run(draw())))


def rnn_time_step(side: Side) -> Job:
    """DL4J's own single step; its output is not even read."""
    java = _network(side, "stock")._java.dl4j()
    x = OneHot(1, CLASSES, 1)
    array = x.array.java.array()
    draw = _indices(1, 1)

    def steps() -> None:
        for _ in range(SINGLE_STEPS):
            x.write(draw())
            java.rnnTimeStep(array)

    return Job(SINGLE_STEPS, steps)


def generate_pytorch(side: Side, cells: bool) -> Job:
    """Sampling in PyTorch, one sample at a time: through `nn.LSTM`, or through an `nn.LSTMCell` for each layer."""
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
    """A whole block through `nn.LSTM` in one call, as PyTorch can where nothing is fed back."""
    torch = pytorch(side.threads)
    lstm = torch.nn.LSTM(CLASSES, side.cell.hidden, side.cell.layers)
    dense = torch.nn.Linear(side.cell.hidden, CLASSES)
    values = torch.from_numpy(get_codec("mulaw", False).values.astype(np.float32))
    x, draw = torch.zeros(BLOCK, CLASSES), _indices(BLOCK)
    state: Any = None

    def run() -> None:
        nonlocal state
        with torch.inference_mode():
            x.zero_().scatter_(1, torch.from_numpy(draw()).long().unsqueeze(1), 1.0)
            hidden, state = lstm(x, state)
            (torch.softmax(dense(hidden), 1) @ values).numpy()

    return Job(BLOCK, run)


def process_dense(side: Side) -> Job:
    """What `process` does for each block of samples as numbers, the files left out."""
    stream, draw = _network(side, NetworkSettings.layer).dense_stream(), side.cell.draws(BLOCK)
    return Job(BLOCK, lambda: stream.run(draw()))


def process_dense_pytorch(side: Side) -> Job:
    """A whole block through `nn.LSTM` in one call."""
    torch, cell = pytorch(side.threads), side.cell
    lstm = torch.nn.LSTM(cell.width, cell.hidden, cell.layers)
    dense = torch.nn.Linear(cell.hidden, cell.width)
    draw = cell.draws(BLOCK)
    state: Any = None

    def run() -> None:
        nonlocal state
        with torch.inference_mode():
            hidden, state = lstm(torch.from_numpy(draw()), state)
            dense(hidden).numpy()

    return Job(BLOCK, run)


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
    "process vectors": process_dense,
    "process vectors, nn.LSTM": process_dense_pytorch,
}


def measure(job: Job, seconds: float) -> dict[str, float]:
    """Call for about `seconds`, at least once."""
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
    """The library with so many threads; `Missing` where it is not installed."""
    # Both before the library loads, as for the JVM.
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
    """New random classes at each call: a few that come again would be learnt, and gradients become denormal."""
    rng = np.random.default_rng(0)
    return lambda: rng.integers(0, CLASSES, shape, dtype=np.uint8)


def _vectors(*shape: int) -> Callable[[], npt.NDArray[np.float32]]:
    rng = np.random.default_rng(0)
    return lambda: rng.random(shape, np.float32)


def main() -> None:
    # The parent ends its workers; Ctrl-C is for it alone.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Whatever a library prints goes to stderr, so that the answers stay alone on stdout.
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
