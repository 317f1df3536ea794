"""One cell of the identity study: a setup with one change, trained until it copies a recording.

Run as a script, this is a worker that takes a cell as JSON and prints the cell's row as JSON. The PyTorch twin and each
side of the race run that way, because each needs a process of its own.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sides import Missing, pytorch

from dl4j_bridge.java import jvm
from dl4j_bridge.java.interface import Interface
from dl4j_bridge.java.network import Network
from dl4j_bridge.settings.training import TrainSettings
from dl4j_bridge.signal import metrics
from dl4j_bridge.signal.codecs import CLASSES, LINEAR, SILENCE
from dl4j_bridge.signal.recordings import open_recording
from dl4j_bridge.signal.stretches import starts
from dl4j_bridge.signal.windows import Windows
from dl4j_bridge.tasks.samples.presets import PRESETS
from dl4j_bridge.tasks.samples.task import SamplesTask

Indices = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.floating]
# Takes the input, the target, whether to reset the state, and the step number; returns bits and accuracy.
Step = Callable[[Indices, Indices, bool, int], tuple[float, float]]
# Takes rows of recordings; returns the distribution at each sample.
Predict = Callable[[Indices], npt.NDArray[np.float32]]

EXAMPLES = Path(__file__).parent.parent / "examples"
RATE = 11025
SECONDS = 20
GOAL = 0.99
# Number of steps whose mean accuracy must reach the goal, since a single batch varies too much.
GOAL_STEPS = 5
# Number of steps averaged into one point of a curve.
POINT = 10
TRAINING_SHARE = 0.8
# Evaluated samples of each held-out stretch, number of stretches, and samples fed to the network before each.
HELD_OUT, STRETCHES, WARM_UP = 1000, 8, 200
# Length in samples of a stretch that counts as silence, and the level that all of its samples stay below.
SILENT_STRETCH, SILENT_LEVELS = 100, 3
# Position among the gates' columns, which are block input, forget, output and input gate.
FORGET_GATE = 1
# Period in samples of the sine that is the target for noise.
PERIOD = 10

# Three versions of GravesLSTMCharModellingExample: as posted, run with today's DL4J; with the effect that its settings
# had before 1.0.0-beta3; and its successor, LSTMCharModellingExample, as it is today. Then "corrected", which changes
# only what has to be changed, the former defaults of `train`, and today's.
BASES: dict[str, dict[str, Any]] = {
    "posted": PRESETS["posted"].options,
    "posted, as it was meant": PRESETS["posted-legacy"].options,
    "example of today": {
        "updater": "adam",
        "learning_rate": 0.005,
        "l2": 0.0001,
        "clip": 0.0,
        "init": "xavier",
        "gradient_state": "stock",
        "cell_penalty": 0.0,
    },
    "corrected": {"init": "one-hot", "learning_rate": 0.005, "neighbours": 0.0, "cell_penalty": 0.0},
    "wide": {"init": "wide", "neighbours": 0.0, "cell_penalty": 0.0},
    "defaults": {},
}


@dataclass(frozen=True)
class Data:
    """The training data.

    Attributes
    ----------
    task
        ``identity``, ``sine from noise`` or ``sine from sine and noise``.
    samples
        Length of the training part; None for all of it.
    order
        Order of the windows: ``shuffled`` as in `train`, ``in order``, or ``anywhere`` (random positions).
    silence
        ``as it is``, ``cut out`` or ``doubled`` (as much silence added as there is recording).
    level
        Factor applied to the recording before it is quantized to 8 bits.
    random_gain
        Whether to augment each window by a random gain, the same for input and target.
    """

    task: str = "identity"
    samples: int | None = None
    order: str = "shuffled"
    silence: str = "as it is"
    level: float = 1.0
    random_gain: bool = False


@dataclass(frozen=True)
class Cell:
    """A setup, the change made to it, and the recording.

    Attributes
    ----------
    base
        Name of a setup in `BASES`.
    factor, change
        Description of the change.
    options
        Changed settings, by their names in `TrainSettings`.
    input_deviation
        Standard deviation of the first layer's input weights, for values that `options` cannot express.
    forget_bias
        Bias of the forget gates; stock's builder sets 1.
    twin
        None for our network; otherwise the initialization of the PyTorch twin: ``own`` (PyTorch's), ``xavier``
        (DL4J's), ``one-hot`` or ``wide`` (ours).
    scalar_input
        Whether the twin's input is the sample's value instead of a one-hot vector.
    mean_loss
        Whether the twin's loss is also the mean over time, as is usual in PyTorch; the gradient is then hardly ever
        clipped.
    data
        The training data.
    recording
        ``strings``, ``speech``, ``sine`` or ``noise``.
    seed
        Seed of the weights and the windows.
    limit
        Maximum number of steps.
    evaluated_after
        Steps after which the copy of the held-out part is evaluated; with any, training continues to the limit.
    """

    base: str
    factor: str = "none"
    change: str = "as it is"
    options: dict[str, Any] = field(default_factory=dict)
    input_deviation: float | None = None
    forget_bias: float | None = None
    twin: str | None = None
    scalar_input: bool = False
    mean_loss: bool = False
    data: Data = field(default_factory=Data)
    recording: str = "speech"
    seed: int = 1
    limit: int = 1000
    evaluated_after: tuple[int, ...] = ()

    @property
    def settings(self) -> TrainSettings:
        return TrainSettings().with_options(BASES[self.base] | self.options | {"seed": self.seed})

    def as_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @staticmethod
    def from_json(text: str) -> Cell:
        stored = json.loads(text)
        evaluated_after = tuple(stored.pop("evaluated_after"))
        return Cell(**stored | {"data": Data(**stored["data"]), "evaluated_after": evaluated_after})


def run(cell: Cell, folder: Path | None, threads: int | None = None, evaluate: bool = True) -> dict[str, Any]:
    """Train a cell.

    Parameters
    ----------
    cell
        The cell to train.
    folder
        Folder that contains ``speech_8k.wav``.
    threads
        Number of training threads; None takes the default of `train`.
    evaluate
        Whether to evaluate the held-out part; a race ends at the goal.

    Returns
    -------
    dict
        ``steps`` and ``seconds`` to the goal (None: not within the limit), the number of steps ``trained``, the
        training ``accuracy`` of the last ones, the ``held_out`` accuracy, the ``curve`` of training accuracy, and the
        evaluations of the held-out part (``copies``).
    """
    # The recording is read while the library starts, in PyTorch as in Java.
    with ThreadPoolExecutor(1) as reader:
        parts = reader.submit(_parts, cell, folder)
        step, predict = (_twin if cell.twin else _ours)(cell, threads or cell.settings.threads)
        training, held_out = parts.result()
    batch_of = _batches(cell, training)
    tbptt, length = cell.settings.network.tbptt, cell.settings.run.length
    segments = -(-length // tbptt)
    accuracies: list[float] = []
    reached: dict[str, Any] = {"steps": None, "seconds": None}
    copies = []
    seconds = 0.0
    x = y = np.zeros((0, 0), np.uint8)
    for number in range(cell.limit):
        window, segment = divmod(number, segments)
        began = time.perf_counter()
        if segment == 0:
            x, y = batch_of(window)
        here = slice(segment * tbptt, (segment + 1) * tbptt)
        bits, accuracy = step(x[:, here], y[:, here], segment == 0, number)
        seconds += time.perf_counter() - began
        accuracies.append(accuracy)
        if not math.isfinite(bits):
            break
        if number + 1 in cell.evaluated_after:
            copies.append({"step": number + 1} | _copy(predict, held_out))
        if reached["steps"] is None and len(accuracies) >= GOAL_STEPS and np.mean(accuracies[-GOAL_STEPS:]) >= GOAL:
            reached = {"steps": number + 1, "seconds": seconds}
            if not cell.evaluated_after:
                break
    return reached | {
        "trained": len(accuracies),
        "accuracy": float(np.mean(accuracies[-GOAL_STEPS:])),
        "held_out": _copy(predict, held_out)["accuracy"] if evaluate else None,
        "seconds_in_all": seconds,
        "curve": _points(accuracies),
        "copies": copies,
    }


def recording(name: str, folder: Path | None) -> Floats:
    """Return the samples of a recording at `RATE`.

    Raises
    ------
    Missing
        The recording is speech, and the folder does not contain it.
    """
    if name == "strings":
        return open_recording(EXAMPLES / "plucked_dry.wav").read(RATE)
    if name == "speech":
        if folder is None or not (folder / "speech_8k.wav").is_file():
            raise Missing("speech: no speech_8k.wav; set its folder with --audio or DL4J_BRIDGE_AUDIO")
        return open_recording(folder / "speech_8k.wav").read(RATE)
    if name == "sine":
        return np.asarray(0.9 * np.sin(2 * np.pi * 1000 / RATE * np.arange(SECONDS * RATE)))
    return np.random.default_rng(0).uniform(-1, 1, SECONDS * RATE)


def _parts(cell: Cell, folder: Path | None) -> tuple[tuple[Indices, Indices], tuple[Indices, Indices]]:
    """Return input and target of the training part and of the held-out part, as classes."""
    x, y = _signals(cell, folder)
    size = int(x.size * TRAINING_SHARE)
    used = min(size, cell.data.samples or size)
    return (x[:used], y[:used]), (x[size:], y[size:])


def _signals(cell: Cell, folder: Path | None) -> tuple[Indices, Indices]:
    sound = recording(cell.recording, folder) * cell.data.level
    if cell.data.task == "identity":
        x = _with_silence(LINEAR.encode(sound), cell.data.silence)
        return x, x
    sine = 0.5 * np.sin(2 * np.pi / PERIOD * np.arange(sound.size))
    mixed = 0.5 * sound + (sine if cell.data.task == "sine from sine and noise" else 0)
    return LINEAR.encode(mixed), LINEAR.encode(sine)


def _with_silence(x: Indices, silence: str) -> Indices:
    if silence == "as it is":
        return x
    stretches = x[: x.size // SILENT_STRETCH * SILENT_STRETCH].reshape(-1, SILENT_STRETCH)
    if silence == "cut out":
        audible = np.abs(stretches.astype(int) - SILENCE).max(axis=1) >= SILENT_LEVELS
        return np.asarray(stretches[audible].ravel())
    return np.concatenate([stretches, np.full_like(stretches, SILENCE)], axis=1).ravel()


def _batches(cell: Cell, training: tuple[Indices, Indices]) -> Callable[[int], tuple[Indices, Indices]]:
    """Return the function that builds the batch of windows with a given number."""
    run, seed = cell.settings.run, cell.seed
    shuffled = Windows([training], run.length, run.batch, seed)

    def batch_of(number: int) -> tuple[Indices, Indices]:
        if cell.data.order == "shuffled":
            x, y = shuffled.batch(number)
        else:
            places = _starts(cell, training[0].size, number)
            x, y = (np.stack([signal[s : s + run.length] for s in places]) for signal in training)
        if cell.data.random_gain:
            gains = np.random.default_rng([seed, number]).uniform(0.2, 1.0, (run.batch, 1))
            x, y = (LINEAR.encode(gains * LINEAR.decode(signal)) for signal in (x, y))
        return x, y

    return batch_of


def _starts(cell: Cell, size: int, number: int) -> npt.NDArray[np.integer]:
    run = cell.settings.run
    if cell.data.order == "anywhere":
        return np.random.default_rng([cell.seed, number]).integers(0, size - run.length + 1, run.batch)
    windows = number * run.batch + np.arange(run.batch)
    return windows % (size // run.length) * run.length


def _points(accuracies: list[float]) -> list[float]:
    return [round(float(np.mean(accuracies[i : i + POINT])), 4) for i in range(0, len(accuracies), POINT)]


def _copy(predict: Predict, held_out: tuple[Indices, Indices]) -> dict[str, float | None]:
    """Evaluate the held-out part: accuracy, bits, and the signal-to-noise ratio of the copy with each decoder."""
    x, y = held_out
    places = starts(x.size, WARM_UP + HELD_OUT, STRETCHES)
    inputs = np.stack([x[s : s + WARM_UP + HELD_OUT] for s in places])
    target = np.stack([y[s + WARM_UP : s + WARM_UP + HELD_OUT] for s in places]).ravel()
    probabilities = predict(inputs)[:, WARM_UP:].reshape(-1, CLASSES)
    task = SamplesTask(LINEAR, 0.0, "target")
    found: dict[str, float | None] = {
        "accuracy": float(np.mean(probabilities.argmax(axis=1) == target)),
        "bits": metrics.bits_per_sample(probabilities, target),
    }
    for decode in ("mean", "argmax", "sample"):
        sound = task.decoder(decode, seed=1).push(probabilities)
        found[f"snr_db_{decode}"] = metrics.snr_db(metrics.esr(LINEAR.decode(target), sound))
    return found


def _ours(cell: Cell, threads: int) -> tuple[Step, Predict]:
    settings = cell.settings
    if settings.network.layer == "stock":
        # The threads of a DL4J program that does not configure any.
        jvm.configure(1, "cpu", os.cpu_count() or 1)
    else:
        jvm.configure(threads, "cpu")
    network = Network.create(settings.network, Interface.of_classes(CLASSES))
    _change_initial_weights(network, cell)

    def step(x: Indices, y: Indices, first: bool, number: int) -> tuple[float, float]:
        return network.step(x, y, settings.network.tbptt, first, cell.seed + number)

    return step, network.run_batch


def _change_initial_weights(network: Network, cell: Cell) -> None:
    """Change the weights that DL4J initialized."""
    hidden, deviation, bias = cell.settings.network.hidden, cell.input_deviation, cell.forget_bias
    if deviation is not None:
        factor = deviation / xavier_deviation(CLASSES, hidden)
        _change(network, "0_W", lambda initial: initial * factor)
    if bias is not None:
        gates = np.arange(4 * hidden) // hidden
        for layer in range(cell.settings.network.layers):
            _change(network, f"{layer}_b", lambda initial: np.where(gates == FORGET_GATE, bias, initial))


def _change(network: Network, name: str, change: Callable[[Floats], Floats]) -> None:
    parameters = network._parameter(name)
    parameters.write(change(parameters.read().ravel(order="F")).astype(np.float32))


def xavier_deviation(inputs: int, hidden: int) -> float:
    """Return the standard deviation of the weights that DL4J's XAVIER gives a GravesLSTM."""
    return math.sqrt(2 / (inputs + 2 * hidden))


def _twin(cell: Cell, threads: int) -> tuple[Step, Predict]:
    """Train the same way in PyTorch, time-major and with the fused Adam, on an LSTM without peepholes."""
    network = cell.settings.network
    torch = pytorch(threads)
    torch.manual_seed(cell.seed)
    width = 1 if cell.scalar_input else CLASSES
    lstm = torch.nn.LSTM(width, network.hidden, network.layers)
    dense = torch.nn.Linear(network.hidden, CLASSES)
    if cell.twin and cell.twin != "own":
        _initialize_like_dl4j(torch, lstm, dense, cell.twin)
    parameters = [*lstm.parameters(), *dense.parameters()]
    adam = torch.optim.Adam(parameters, lr=network.learning_rate, fused=True)
    loss_of = torch.nn.CrossEntropyLoss()
    state: Any = None

    def features(x: Indices) -> Any:
        indices = torch.from_numpy(np.ascontiguousarray(x.T)).unsqueeze(2)
        if cell.scalar_input:
            return (indices.float() - SILENCE) / SILENCE
        return torch.zeros(*x.T.shape, CLASSES).scatter_(2, indices.long(), 1.0)

    def step(x: Indices, y: Indices, first: bool, number: int) -> tuple[float, float]:
        nonlocal state
        state = None if first else state
        target = torch.from_numpy(np.ascontiguousarray(y.T)).long().flatten()
        adam.zero_grad()
        hidden, carried = lstm(features(x), state)
        state = tuple(s.detach() for s in carried)
        logits = dense(hidden).flatten(0, 1)
        loss = loss_of(logits, target)
        # DL4J sums over the segment. That makes no difference to Adam, but it does to the clipping.
        (loss if cell.mean_loss else loss * x.shape[1]).backward()
        if network.clip:
            for layer in (*_layers(lstm), list(dense.parameters())):
                torch.nn.utils.clip_grad_norm_(layer, network.clip)
        adam.step()
        return loss.item() / math.log(2), (logits.argmax(1) == target).float().mean().item()

    def predict(x: Indices) -> npt.NDArray[np.float32]:
        with torch.inference_mode():
            found = torch.softmax(dense(lstm(features(x))[0]), 2).transpose(0, 1).numpy()
        return np.asarray(found, np.float32)

    return step, predict


def _layers(lstm: Any) -> list[list[Any]]:
    return [[p for name, p in lstm.named_parameters() if name.endswith(f"_l{i}")] for i in range(lstm.num_layers)]


def _initialize_like_dl4j(torch: Any, lstm: Any, dense: Any, init: str) -> None:
    hidden, above = lstm.hidden_size, 2 if init == "wide" else 1
    for name, weights in lstm.named_parameters():
        inputs = lstm.input_size if name.endswith("_l0") else hidden
        if name.startswith("bias"):
            torch.nn.init.zeros_(weights)
        else:
            factor = above if name.startswith("weight_ih") else 1
            torch.nn.init.normal_(weights, std=factor * xavier_deviation(inputs, hidden))
        if name.startswith("bias_ih"):
            weights.data[hidden : 2 * hidden] = 1.0
    if init != "xavier":
        torch.nn.init.normal_(lstm.weight_ih_l0, std=1.0)
    torch.nn.init.normal_(dense.weight, std=above * math.sqrt(2 / (hidden + CLASSES)))
    torch.nn.init.zeros_(dense.bias)


def main() -> None:
    # Redirect what libraries print to stderr, so that stdout contains only the row.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cell", help="cell as JSON")
    parser.add_argument("--audio", type=Path, help="folder that contains speech_8k.wav")
    parser.add_argument("--threads", type=int, help="number of training threads")
    parser.add_argument("--race", action="store_true", help="stop at the goal, without evaluating the held-out part")
    asked = parser.parse_args()
    try:
        row = run(Cell.from_json(asked.cell), asked.audio, asked.threads, evaluate=not asked.race)
    except Missing as e:
        row = {"missing": str(e)}
    print(json.dumps(row), file=answers, flush=True)


if __name__ == "__main__":
    main()
