"""Real time: how fast small networks run at 48 kHz, in one call and in the blocks of a sound card.

Usage: python benchmarks/realtime.py [--quick] [--json] [--rtneural PROGRAM]

The real-time factor is seconds of sound per second of computing, with one thread. `stream` is our Java stream on one
second at a time; `block 64` and `block 256` are `Run.stream().process` from Python. PyTorch runs `nn.LSTM`, and
onnxruntime the exported file, both on one second and in blocks of 64. All sides run the cell without peepholes
(`--preset plugin`), in turns in one process. A block of 64 samples is missed if it takes longer than it lasts, 1.33 ms;
the cost at the 99.9th percentile is given for our blocks.

PROGRAM is somebody's own build of RTNeural. It is called as ``PROGRAM MODEL.json SAMPLES BLOCK``, runs that number of
samples through the model in such blocks, and prints the seconds that this took.
"""

from __future__ import annotations

import gc
import importlib
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rounds
from rounds import Result
from sides import Missing, pytorch

import dl4j_bridge
from dl4j_bridge.errors import InputError

RATE = 48_000
SIZES = ((1, 8), (1, 16), (1, 24), (1, 32), (1, 40), (1, 64), (2, 24))
SMALL, LARGE = 64, 256
STREAM, TORCH, ONNX = "stream", "nn.LSTM", "onnxruntime"
# Our side and theirs, for each ratio.
WANTED = {
    "stream/pytorch": (STREAM, TORCH),
    "stream/onnxruntime": (STREAM, ONNX),
    f"block-{SMALL}/pytorch": (f"block {SMALL}", f"{TORCH}, {SMALL}"),
    f"block-{SMALL}/onnxruntime": (f"block {SMALL}", f"{ONNX}, {SMALL}"),
    "stream/rtneural": (STREAM, "RTNeural"),
}
COLUMNS = {
    "size": "size",
    STREAM: STREAM,
    f"block {SMALL}": f"block {SMALL}",
    f"block {LARGE}": f"block {LARGE}",
    TORCH: TORCH,
    f"{TORCH}, {SMALL}": f"{TORCH}, {SMALL}",
    ONNX: ONNX,
    f"{ONNX}, {SMALL}": f"{ONNX}, {SMALL}",
    "RTNeural": "RTNeural",
    "us_at_99.9": "us, 99.9 %",
    "missed": "missed",
}

Floats = npt.NDArray[np.float32]
# Runs a block of samples, float32 of shape (n,); the state is carried.
Runner = Callable[[Floats], object]


@dataclass(frozen=True)
class Effort:
    """Number of rounds, seconds of each side in a round and before the first, and number of blocks to time."""

    rounds: int
    seconds: float
    warm_up: float
    blocks: int


QUICK = Effort(3, 0.15, 0.7, 5_000)
FULL = Effort(9, 0.5, 2.0, 50_000)


def main() -> None:
    parser = rounds.options(__doc__)
    parser.add_argument("--rtneural", metavar="PROGRAM", help="a build of RTNeural that times itself, see above")
    asked = parser.parse_args()
    effort = QUICK if asked.quick else FULL
    result = Result()
    rounds.note_a_busy_machine(result.notes)
    with tempfile.TemporaryDirectory() as folder:
        for layers, hidden in SIZES:
            size = f"{layers}x{hidden}"
            rounds.stderr.print(size)
            run = trained(Path(folder) / size, layers, hidden)
            sides = sides_of(run, Path(folder) / f"{size}.onnx", layers, hidden, result.notes)
            factors = measured(sides, effort)
            if asked.rtneural:
                factors["RTNeural"] = rtneural(asked.rtneural, run, Path(folder) / f"{size}.json", effort, result.notes)
            for name, (ours, theirs) in WANTED.items():
                if factors.get(theirs):
                    pairs = zip(factors[ours], factors[theirs], strict=True)
                    result.ratios[f"{size} {name}"] = statistics.median(our / their for our, their in pairs)
            medians = {name: statistics.median(values) for name, values in factors.items() if values}
            result.rows.append({"size": size} | medians | blocks(run, effort))
    rounds.show("real-time factor at 48 kHz, 1 thread", result, COLUMNS, asked.json)


def trained(out: Path, layers: int, hidden: int) -> dl4j_bridge.Run:
    """A network of this size; what it has learned does not matter for its speed."""
    x = noise(4 * RATE)
    size = {"layers": layers, "hidden": hidden}
    options: dict[str, Any] = size | {"task": "frames", "steps": 2, "align": "off", "threads": 1}
    return dl4j_bridge.train(
        x, np.tanh(3 * x), rate=RATE, out=out, preset="plugin", progress=False, report=False, **options
    )


def noise(count: int) -> Floats:
    return np.random.default_rng(0).uniform(-0.5, 0.5, count).astype(np.float32)


def sides_of(
    run: dl4j_bridge.Run, file: Path, layers: int, hidden: int, notes: list[str]
) -> dict[str, tuple[Runner, int]]:
    """Return the sides by name, each with its number of samples in a call."""
    stream = run._model.network.dense_stream()
    sides: dict[str, tuple[Runner, int]] = {STREAM: (lambda x: stream.run(x[:, None]), RATE)}
    for block in (SMALL, LARGE):
        sides[f"block {block}"] = (run.stream().process, block)
    peers: dict[str, Callable[[], Runner]] = {
        TORCH: lambda: torch_runner(layers, hidden),
        ONNX: lambda: onnx_runner(run, file),
    }
    for name, make in peers.items():
        try:
            sides[name], sides[f"{name}, {SMALL}"] = (make(), RATE), (make(), SMALL)
        except (Missing, InputError) as e:
            note = f"{name} is left out: {e}"
            if note not in notes:
                notes.append(note)
    return sides


def torch_runner(layers: int, hidden: int) -> Runner:
    torch = pytorch(1)
    lstm, dense = torch.nn.LSTM(1, hidden, layers), torch.nn.Linear(hidden, 1)
    state: Any = None

    def run(x: Floats) -> object:
        nonlocal state
        with torch.inference_mode():
            h, state = lstm(torch.from_numpy(x[:, None]), state)
            return dense(h).numpy()

    return run


def onnx_runner(run: dl4j_bridge.Run, file: Path) -> Runner:
    if not file.exists():
        run.export("onnx", file)
    onnxruntime = importlib.import_module("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    inputs = session.get_inputs()[1:]
    state = {i.name: np.zeros((1, 1, i.shape[2]), np.float32) for i in inputs}

    def process(x: Floats) -> object:
        y, *after = session.run(None, {"input": x[:, None, None], **state})
        state.update(zip(state, after, strict=True))
        return y

    return process


def measured(sides: dict[str, tuple[Runner, int]], effort: Effort) -> dict[str, list[float]]:
    """Return the real-time factors of each side, one for each round; the sides take turns."""
    for run, size in sides.values():
        factor(run, size, effort.warm_up)
    found: dict[str, list[float]] = {name: [0.0] * effort.rounds for name in sides}
    for number in range(effort.rounds):
        for name in list(sides)[:: 1 if number % 2 == 0 else -1]:
            found[name][number] = factor(*sides[name], effort.seconds)
    return found


def factor(run: Runner, size: int, seconds: float) -> float:
    x = noise(size)
    began, calls = time.perf_counter(), 0
    while True:
        run(x)
        calls += 1
        took = time.perf_counter() - began
        if took > seconds:
            return calls * size / RATE / took


def blocks(run: dl4j_bridge.Run, effort: Effort) -> dict[str, float]:
    """Return the cost of a block of 64 in microseconds at the 99.9th percentile, and the number of missed blocks."""
    x, stream = noise(SMALL), run.stream()
    for _ in range(effort.blocks // 5):
        stream.process(x)
    took = np.empty(effort.blocks)
    # As a program that plays should, see examples/live_effect.py.
    gc.collect()
    gc.disable()
    for i in range(effort.blocks):
        began = time.perf_counter()
        stream.process(x)
        took[i] = time.perf_counter() - began
    gc.enable()
    return {"us_at_99.9": 1e6 * float(np.quantile(took, 0.999)), "missed": int((took > SMALL / RATE).sum())}


def rtneural(program: str, run: dl4j_bridge.Run, file: Path, effort: Effort, notes: list[str]) -> list[float]:
    """Return the real-time factors of RTNeural; none for a size that its format does not have."""
    try:
        run.export("rtneural", file)
    except InputError as e:
        notes.append(f"RTNeural is left out: {e}")
        return []
    samples = round(20 * effort.seconds * RATE)
    command = [program, str(file), str(samples), str(SMALL)]
    seconds = [float(subprocess.check_output(command, text=True)) for _ in range(effort.rounds)]
    return [samples / RATE / each for each in seconds]


if __name__ == "__main__":
    main()
