"""Over 99 % accuracy on 60 s of audio: for which audio, and does the accuracy hold on held-out audio?

Usage: python benchmarks/language_model.py [--quick] [--json] [--steps N] [--kind NAME] [--generate]

Accuracy is the share of samples whose most probable class, of 256 mu-law classes, is exactly the next one. Each kind of
audio is 60 s at 11,025 Hz; the network is that of `train --task language-model` (2 x 200, windows of 1000). It is
evaluated on the training part (the first 80 %, which the claim was about) and on the last tenth, which is held out.
`guess` is the accuracy of the best guess from the last sample alone, counted on the same audio; `memorised` is one
second of the speech-like audio, repeated. Each ratio is the training accuracy divided by the claimed 99 %, so a ratio
of 1 confirms the claim. If DL4J_BRIDGE_AUDIO is a folder that contains speech_8k.wav, real speech is one of the kinds.

With --generate, networks are trained as by the command, and each generates 60 s of audio with three seeds, with and
without steering. The table reports the share of seconds whose level, entropy or spectrum is outside the range of the
recording's seconds (`drift.measure`), the share that is quieter or less predictable than all of them, and the share of
pauses: stretches of 0.1 s below -40 dB. Each ratio is the share of seconds within the range, steered divided by not
steered. --options length=16000 slow_units=0.3 trains with these options, --trainings N with N seeds.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rounds
from rounds import Result

from dl4j_bridge.demos import synthesis
from dl4j_bridge.java import jvm
from dl4j_bridge.java.network import Network
from dl4j_bridge.jobs.new_run import new_run
from dl4j_bridge.jobs.train import train
from dl4j_bridge.model import model_zip
from dl4j_bridge.settings.commands import GenerateSettings
from dl4j_bridge.settings.training import TrainSettings
from dl4j_bridge.signal import audio_files, metrics, pairs
from dl4j_bridge.signal.recordings import open_recording
from dl4j_bridge.signal.stretches import starts
from dl4j_bridge.signal.windows import Windows
from dl4j_bridge.tasks import drift
from dl4j_bridge.tasks.language_model.task import LanguageModelTask
from dl4j_bridge.tasks.registry import train_settings
from dl4j_bridge.tasks.samples.task import SamplesTask
from dl4j_bridge.tasks.update import step

Floats = npt.NDArray[np.floating]
Indices = npt.NDArray[np.uint8]

RATE, SECONDS = 11025, 60
STEPS, QUICK_STEPS = 3000, 120
CLAIM = 0.99
# Number of evaluated stretches of a part, samples in each, and samples fed to the network before each.
STRETCHES, SIZE, WARM_UP = 16, 1000, 200
COLUMNS = {
    "kind": "audio",
    "order_0_bits": "order-0 bits",
    "order_1_bits": "order-1 bits",
    "commonest": "most frequent class",
    "counted": "guess",
    "bits": "bits, held out",
    "training": "training accuracy",
    "held_out": "held-out accuracy",
}
GENERATED, SEEDS = ("plucked strings", "speech-like", "speech"), (1, 2, 3)
GENERATE_COLUMNS = {
    "kind": "audio",
    "training": "training",
    "bits": "bits (validation)",
    "steered": "steered",
    "seed": "seed",
    "level_db": "level outside",
    "entropy_bits": "entropy outside",
    "spectrum_db": "spectrum outside",
    "any": "any outside",
    "silent": "quieter than all",
    "noise": "less predictable than all",
    "pauses": "pauses",
}
# Seconds of a stretch, and the level below which it is a pause.
PAUSE_SECONDS, PAUSE_DB = 0.1, -40.0


def main() -> None:
    parser = rounds.options(__doc__)
    parser.add_argument("--steps", type=int, help="number of training steps (32 x 50 samples each) for each kind")
    parser.add_argument("--kind", choices=KINDS, help="kind of audio to use instead of all")
    parser.add_argument("--generate", action="store_true", help="measure the audio that trained networks generate")
    parser.add_argument("--options", nargs="+", default=[], metavar="NAME=VALUE", help="options of `train`")
    parser.add_argument("--trainings", type=int, default=1, help="number of networks to train, each with its seed")
    asked = parser.parse_args()
    steps = asked.steps or (QUICK_STEPS if asked.quick else STEPS)
    if asked.generate:
        generate(asked, steps)
        return
    settings = train_settings({"task": "language-model"}, has_target=False)
    task = LanguageModelTask.of_recordings(settings.data, source_is_8_bit=False, has_target=False)
    assert isinstance(task, LanguageModelTask)
    result = Result()
    jvm.configure(settings.threads)
    for kind in [asked.kind] if asked.kind else KINDS:
        sound = KINDS[kind]()
        if sound is None:
            result.notes.append(f"{kind} is left out: DL4J_BRIDGE_AUDIO is not a folder with {SPEECH}")
            continue
        figures = learn(task, task.encoder().push(sound), settings, steps)
        result.rows.append({"kind": kind} | figures)
        result.ratios[f"{kind}/claim"] = figures["training"] / CLAIM
        rounds.stderr.print(
            f"{kind}: {figures['training']:.2%} on the training part, {figures['held_out']:.2%} held out"
        )
    rounds.show(f"{steps} steps on {SECONDS} s", result, COLUMNS, asked.json)


def generate(asked: argparse.Namespace, steps: int) -> None:
    """Train as the command does, and measure 60 s of audio that each network generates."""
    result = Result()
    options = {name: json.loads(value) for name, value in (option.split("=") for option in asked.options)}
    for kind in [asked.kind] if asked.kind else GENERATED:
        sound = KINDS[kind]()
        if sound is None:
            result.notes.append(f"{kind} is left out: DL4J_BRIDGE_AUDIO is not a folder with {SPEECH}")
            continue
        result.notes.append(f"{kind}: pauses {pauses(sound):.1%} of the recording")
        rows: list[dict[str, Any]] = []
        for training in range(1, asked.trainings + 1):
            rows += _trained(sound, options | {"steps": steps, "seed": training}, asked.quick)
        result.rows += [{"kind": kind} | row for row in rows]
        stay = {way: np.mean([1 - row["any"] for row in rows if row["steered"] == way]) for way in (False, True)}
        result.ratios[f"{kind}, steered/not"] = float(stay[True] / max(stay[False], 1 / SECONDS))
    rounds.show(f"generated after {steps} steps, shares of seconds", result, GENERATE_COLUMNS, asked.json)


def _trained(sound: Floats, options: dict[str, Any], quick: bool) -> list[dict[str, Any]]:
    """Train one network, and measure what it generates with each seed, with and without steering."""
    seeds, seconds = ((1,), 10) if quick else (SEEDS, SECONDS)
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder) / "recording.wav", Path(folder) / "run"
        audio_files.write(path, [sound], RATE, "PCM_16")
        result = train(new_run([path], [], out, train_settings({"task": "language-model"} | options, has_target=False)))
        model = model_zip.open_model(out).load()
        task = model.info.task
        assert isinstance(task, LanguageModelTask)
        recording = task.encode(open_recording(path), RATE)[slice(*pairs.split(len(sound))["train"])]
        known = {"training": options["seed"], "bits": result["valid"]["bits"]}
        return [
            known | {"steered": steered, "seed": seed} | _generated(model, task, recording, seed, steered, seconds)
            for steered in (False, True)
            for seed in seeds
        ]


def _generated(
    model: model_zip.Model, task: SamplesTask, recording: Indices, seed: int, steered: bool, seconds: int
) -> dict[str, Any]:
    settings = GenerateSettings(seed=seed, steer=steered)
    own = np.concatenate(list(task.generated(model.network.stream(), RATE, seconds * RATE, settings)))
    found = drift.measure(own, recording, RATE, task.to_samples)
    (quietest, _), (_, least_predictable) = found["range"]["level_db"], found["range"]["entropy_bits"]
    levels = [drift.SILENT_DB if second["level_db"] is None else second["level_db"] for second in found["track"]]
    entropies = [second["entropy_bits"] for second in found["track"]]
    return {
        **found["outside"],
        "silent": float(np.mean(np.array(levels) < quietest)),
        "noise": float(np.mean(np.array(entropies) > least_predictable)),
        "pauses": pauses(task.to_samples(own)),
    }


def pauses(sound: Floats) -> float:
    """Return the share of short stretches that are quiet."""
    size = round(PAUSE_SECONDS * RATE)
    level = np.sqrt(np.mean(sound[: sound.size // size * size].reshape(-1, size) ** 2, axis=1))
    return float(np.mean(level < 10 ** (PAUSE_DB / 20)))


def learn(task: LanguageModelTask, classes: Indices, settings: TrainSettings, steps: int) -> dict[str, float]:
    """Train a network on the first 80 %, and evaluate it there and on the last tenth."""
    x, y = task.input_and_target(classes, None)
    parts = {name: slice(*where) for name, where in pairs.split(y.size).items()}
    here = parts["train"]
    windows = Windows([(x[here], y[here])], settings.run.length, settings.run.batch, settings.network.seed)
    network = Network.create(settings.network, task.interface)
    for number in range(steps):
        step(network, windows, settings, number)
    training, held_out = (evaluate(network, x, y, parts[name]) for name in ("train", "test"))
    return {
        "order_0_bits": metrics.entropy_bits(classes),
        "order_1_bits": metrics.order_1_entropy_bits(classes),
        "commonest": float(np.bincount(y).max() / y.size),
        "counted": counted(x, y),
        "bits": held_out[1],
        "training": training[0],
        "held_out": held_out[0],
    }


def evaluate(network: Network, x: Indices, y: Indices, part: slice) -> tuple[float, float]:
    """Return accuracy and bits per sample on stretches spread evenly over a part."""
    first = max(part.start, WARM_UP)
    places = starts(part.stop - first, SIZE, STRETCHES, first)
    outputs = network.run_batch(np.stack([x[start - WARM_UP : start + SIZE] for start in places]))[:, WARM_UP:]
    target = np.stack([y[start : start + SIZE] for start in places])
    bits = metrics.bits_per_sample(outputs.reshape(-1, outputs.shape[2]), target.ravel())
    return float(np.mean(outputs.argmax(axis=2) == target)), bits


def counted(x: Indices, y: Indices) -> float:
    """Return the accuracy of the most frequent successor of each class, on the audio in which it was counted."""
    pairs_of = np.bincount(x.astype(np.int64) * 256 + y, minlength=65536).reshape(256, 256)
    return float(pairs_of.max(axis=1).sum() / y.size)


def _sine() -> Floats:
    return 0.5 * np.sin(2 * np.pi * 441 * np.arange(RATE * SECONDS) / RATE)


def _noise() -> Floats:
    return np.random.default_rng(1).uniform(-0.5, 0.5, RATE * SECONDS)


def _mostly_silent() -> Floats:
    """Return audio in one second of ten and exact zeros elsewhere, as an editor writes them."""
    sound = synthesis.speech_like(SECONDS)
    sound[np.arange(sound.size) // RATE % 10 != 0] = 0
    return sound


def _memorised() -> Floats:
    return np.tile(synthesis.speech_like(2)[RATE:], SECONDS)


SPEECH = "speech_8k.wav"


def _speech() -> Floats | None:
    path = Path(os.environ.get("DL4J_BRIDGE_AUDIO", "")) / SPEECH
    return open_recording(path).read(RATE, 0, RATE * SECONDS) if path.exists() else None


KINDS: dict[str, Callable[[], Any]] = {
    "sine": _sine,
    "plucked strings": lambda: synthesis.plucked_strings(SECONDS),
    "noise": _noise,
    "speech-like": lambda: synthesis.speech_like(SECONDS),
    "speech-like, 90 % silence": _mostly_silent,
    "memorised": _memorised,
    "speech": _speech,
}


if __name__ == "__main__":
    main()
