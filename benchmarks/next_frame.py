"""Next-frame regression: why it saturated, exploded and drifted into noise, and what helps.

Usage: python benchmarks/next_frame.py [--quick] [--json] [--audio DIR] [--plots DIR] [--seeds N] [--steps N]
           [--fixes FIX ...] [--only PART ...]

``tanh`` compares a tanh output with a linear one, on targets within and beyond the range of tanh. ``relu`` compares
ReLU with tanh in the layers, without clipping. Both run in PyTorch and report the MSE as a share of the variance.
``sizes`` compares frames of 16,000 and of 200 samples and networks of several sizes with baselines without a network,
and reports the time until drift. ``drift`` reports that time (see `drift.until`) without a fix and with each of them.
The recordings are the package's riff and, for ``sizes``, speech (speech_8k.wav in --audio or $DL4J_BRIDGE_AUDIO).
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

import activations
import numpy as np
import numpy.typing as npt
import rounds
from activations import Cell, Update
from rounds import Result
from sides import Missing

from dl4j_bridge.demos import synthesis
from dl4j_bridge.java import jvm
from dl4j_bridge.jobs.compare import compare
from dl4j_bridge.jobs.new_run import new_run
from dl4j_bridge.jobs.train import train
from dl4j_bridge.model.run_folder import RunFolder
from dl4j_bridge.report import style
from dl4j_bridge.settings.commands import CompareSettings
from dl4j_bridge.signal import audio_files
from dl4j_bridge.tasks.registry import train_settings

Row = dict[str, Any]
Vectors = npt.NDArray[np.float32]

# For ``drift``: length of the training riff, length of the generated audio, and the settings of the network.
RIFF_SECONDS, QUICK_FOLLOWED, FOLLOWED = 60.0, 20.0, 120.0
SMALL: dict[str, Any] = {
    "frame": 200,
    "hidden": 128,
    "patience": 1000,
    "scheduled_sampling": 0.0,
    "validate_every": 100,
}
QUICK_STEPS, STEPS = 150, 600
NONE = "none"
FIXES: dict[str, dict[str, Any]] = {
    NONE: {},
    "input noise 0.03": {"input_noise": 0.03},
    "input noise 0.1": {"input_noise": 0.1},
    "scheduled sampling 0.25": {"scheduled_sampling": 0.25},
    "scheduled sampling 0.5": {"scheduled_sampling": 0.5},
    "scheduled sampling 1": {"scheduled_sampling": 1.0},
    "dropout 0.2": {"dropout": 0.2},
}
QUICK_FIXES = (NONE, "input noise 0.1", "scheduled sampling 0.5")
# For ``sizes``: frame, hidden, batch and steps. Long frames give few windows, hence small batches.
SIZES = [(16000, 64, 4, 40), (200, 64, 16, 400), (200, 128, 16, 400), (200, 200, 16, 400)]
QUICK_SIZES = [(200, 64, 16, 100), (16000, 32, 4, 6)]
# For ``tanh`` and ``relu``, in PyTorch: samples in a frame, and number of updates.
FRAME = 200
QUICK_UPDATES, UPDATES = 60, 150


def main() -> None:
    asked = _options()
    result = Result()
    rounds.note_a_busy_machine(result.notes)
    jvm.configure(threads=1)
    parts = {"tanh": tanh, "relu": relu, "sizes": sizes, "drift": drifts}
    for name, part in parts.items():
        if not asked.only or name in asked.only:
            try:
                part(asked, result)
            except Missing as e:
                result.notes.append(f"{name} is left out: {e}")
    columns = {"part": "part", "what": "what", "of": "of", "seed": "seed", "mse": "MSE", "snr_db": "SNR (dB)"}
    columns |= {"drift": "drift after (s)", "followed": "generated (s)", "gradient": "largest gradient", "lost": "note"}
    rounds.show("next-frame regression", result, columns, asked.json)


def tanh(asked: argparse.Namespace, result: Result) -> None:
    """Train both outputs on targets at two scales: ``(x - mean) / (max - min)``, and eight times that."""
    for scale in (1, 8):
        x = np.float32(scale) * scaled_frames()
        beyond, slope = out_of_reach(x)
        for output in ("linear", "tanh"):
            cell = Cell(output=output, layers=1, updater="Adam", learning_rate=0.01)
            made = activations.updates(cell, x[:-1], x[1:], QUICK_UPDATES if asked.quick else UPDATES)
            row: Row = {"part": "tanh", "what": f"{output} output", "of": f"values up to {np.abs(x).max():.2g}"}
            row |= {"mse": _last(made) / float(x.var()), "gradient": max(u.gradient for u in made)}
            result.rows.append(row | {"lost": f"{beyond:.1%} out of reach, slope {slope:.2f}"})


def out_of_reach(x: Vectors) -> tuple[float, float]:
    """Return the share of values outside the range of tanh, and the mean slope of tanh at or closest to the values."""
    return float(np.mean(np.abs(x) >= 1)), float(np.mean(1 - np.minimum(np.abs(x), 1) ** 2))


def relu(asked: argparse.Namespace, result: Result) -> None:
    """Train three layers with each activation, unclipped, with the optimizer of DL4J's example."""
    curves: dict[str, list[Update]] = {}
    x = scaled_frames()
    for layer in ("tanh", "relu"):
        made = activations.updates(Cell(layer), x[:-1], x[1:], QUICK_UPDATES if asked.quick else UPDATES)
        curves[layer] = made
        worst = max(u.gradient for u in made if np.isfinite(u.gradient))
        row: Row = {"part": "relu", "what": f"{layer} in the layers", "of": f"{len(made)} updates", "gradient": worst}
        typical = statistics.median(u.gradient for u in made)
        result.rows.append(row | {"mse": _last(made) / float(x.var()), "lost": f"median gradient {typical:.2g}"})
    result.ratios["relu/tanh largest gradient"] = result.rows[-1]["gradient"] / result.rows[-2]["gradient"]
    if asked.plots:
        _plot_relu(asked.plots, curves)


def _last(made: list[Update]) -> float:
    """Return the median loss of the last tenth of the updates."""
    return statistics.median(u.loss for u in made[-max(len(made) // 10, 1) :])


def sizes(asked: argparse.Namespace, result: Result) -> None:
    """Train on frames and with networks of several sizes, and evaluate each as `compare` does."""
    with tempfile.TemporaryDirectory() as folder:
        recordings = {"riff": _riff(Path(folder), 240.0)}
        speech = asked.audio and asked.audio / "speech_8k.wav"
        if speech and speech.exists():
            recordings["speech"] = speech
        else:
            result.notes.append("sizes uses only the riff: no speech_8k.wav in --audio")
        for name, path in recordings.items():
            seen: set[int] = set()
            for frame, hidden, batch, steps in QUICK_SIZES if asked.quick else SIZES:
                options = SMALL | {"frame": frame, "hidden": hidden, "batch": batch, "steps": steps}
                options |= {"validate_every": steps // 2}
                rows, found, _ = _trained(path, options, QUICK_FOLLOWED if asked.quick else FOLLOWED)
                what = {"part": "sizes", "of": f"{name}, frames of {frame}"}
                for row in rows if frame not in seen else rows[:1]:
                    is_model = row["name"] == "model"
                    drift = {"drift": found["until"], "followed": found["seconds"]} if is_model else {}
                    named = f"3 x {hidden}" if is_model else row["name"]
                    result.rows.append(what | {"what": named, "mse": row["mse"], "snr_db": row["snr_db"]} | drift)
                seen.add(frame)
                rounds.stderr.print(f"{name}: {frame}, 3 x {hidden}: {rows[0]['mse']:.3g}, drift {found['until']}")


def drifts(asked: argparse.Namespace, result: Result) -> None:
    """Train on the riff without a fix and with each, and measure the drift of what each network generates."""
    lasted: dict[str, list[float]] = {}
    curves: dict[str, list[dict[str, str]]] = {}
    seconds = QUICK_FOLLOWED if asked.quick else FOLLOWED
    steps = asked.steps or (QUICK_STEPS if asked.quick else STEPS)
    with tempfile.TemporaryDirectory() as folder:
        path = _riff(Path(folder), RIFF_SECONDS)
        for seed in range(1, (1 if asked.quick else asked.seeds) + 1):
            for name in asked.fixes or (QUICK_FIXES if asked.quick else FIXES):
                options = SMALL | FIXES[name] | {"seed": seed, "steps": steps}
                rows, found, log = _trained(path, options, seconds)
                curves.setdefault(name, log)
                stayed = seconds if found["until"] is None else float(found["until"])
                lasted.setdefault(name, []).append(stayed)
                row = {"part": "drift", "what": name, "of": "riff, frames of 200", "seed": seed, "mse": rows[0]["mse"]}
                row |= {"snr_db": rows[0]["snr_db"], "drift": found["until"], "followed": seconds}
                result.rows.append(row)
                rounds.stderr.print(f"{name}, seed {seed}: MSE {rows[0]['mse']:.3g}, drift {found['until']}")
    for name, stayed_for in lasted.items():
        if name != NONE and NONE in lasted:
            # A time of less than a second counts as one second, so that the ratio stays finite.
            result.ratios[f"{name}/{NONE}"] = _typical(stayed_for) / _typical(lasted[NONE])
    if asked.plots:
        _plot_drift(asked.plots, curves, lasted, seconds)


def _typical(stayed: list[float]) -> float:
    return max(statistics.median(stayed), 1.0)


def _trained(path: Path, options: dict[str, Any], seconds: float) -> tuple[list[Row], Row, list[dict[str, str]]]:
    """Train, and return the rows of `compare`, its drift, and the training log."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        settings = train_settings({"task": "frames", "predict": "next"} | options, has_target=False)
        train(new_run([path], [], out, settings))
        compared = compare(out, path, None, CompareSettings(drift_seconds=seconds))
        assert compared.drift
        return compared.rows, compared.drift, RunFolder(out).read_log()


def _riff(folder: Path, seconds: float) -> Path:
    path = folder / "riff.wav"
    audio_files.write(path, [synthesis.riff(seconds)], synthesis.CLASSIC_RATE, "PCM_16")
    return path


def scaled_frames() -> Vectors:
    """Return frames of the riff, scaled by ``(x - mean) / (max - min)``."""
    x = synthesis.riff(20.0)
    x = (x - x.mean()) / (x.max() - x.min())
    return np.asarray(x[: x.size // FRAME * FRAME].reshape(-1, FRAME), np.float32)


def _plot_relu(folder: Path, curves: dict[str, list[Update]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    figure, axes = style.figure()
    for (name, made), color in zip(curves.items(), (style.BLUE, style.ORANGE), strict=True):
        axes.plot([u.gradient for u in made], color=color, label=f"{name} in the layers")
    axes.set_yscale("log")
    axes.set_xlabel("update")
    axes.set_ylabel("L2 norm of the gradient")
    style.legend(axes)
    style.save(folder / "next-frame-relu.png", figure)


def _plot_drift(
    folder: Path, curves: dict[str, list[dict[str, str]]], lasted: dict[str, list[float]], seconds: float
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    figure, axes = style.figure()
    for number, (name, stayed) in enumerate(lasted.items()):
        axes.plot(stayed, [number] * len(stayed), "o", color=style.ORANGE if name == NONE else style.BLUE)
    axes.set_yticks(range(len(lasted)), list(lasted))
    axes.set_xlim(-seconds / 50, seconds * 1.02)
    axes.set_xlabel(f"seconds until drift ({seconds:.0f}: no drift within that time)")
    axes.invert_yaxis()
    style.save(folder / "next-frame-drift.png", figure)
    figure, axes = style.figure()
    for name, log in curves.items():
        points = [(int(row["step"]), float(row["valid_mse"])) for row in log if row["valid_mse"]]
        axes.plot(*zip(*points, strict=True), label=name)
    axes.set_yscale("log")
    axes.set_xlabel("step (one update)")
    axes.set_ylabel("validation MSE, with the recording as input")
    style.legend(axes)
    style.save(folder / "next-frame-curves.png", figure)


def _options() -> argparse.Namespace:
    parser = rounds.options(__doc__)
    folder = os.environ.get("DL4J_BRIDGE_AUDIO")
    audio = Path(folder) if folder else None
    parser.add_argument("--audio", type=Path, default=audio, metavar="DIR", help="folder that contains speech_8k.wav")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="folder to write next-frame-*.png to")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds for drift")
    parser.add_argument("--steps", type=int, help="number of training steps for drift")
    parser.add_argument(
        "--fixes", nargs="+", choices=FIXES, metavar="FIX", help="fixes to compare for drift (default: all)"
    )
    parser.add_argument(
        "--only", nargs="+", choices=("tanh", "relu", "sizes", "drift"), metavar="PART", help="parts to run"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
