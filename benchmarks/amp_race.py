"""Amplifiers: `train --task frames` against Neural Amp Modeler's own trainer and `torch.nn.LSTM`, by their ESR.

Usage: python benchmarks/amp_race.py [--quick] [--json] [--minutes M | --steps N] [--seeds N] [--audio DIR]
                                     [--pair DRY.wav WET.wav] [--out FILE.jsonl] [--plot FILE.png]

Each contender trains on the first eight tenths of a pair for the same minutes on all cores, one after the other, and
keeps the network that was best on the next tenth. ESR is that of the last tenth, after the preceding samples.
The clock of `train` and of pytorch stands still while they validate.

- dl4j_bridge: `train --task frames --minutes M`, one GravesLSTM of 40 units, and the same with `--cell lstm`.
- pytorch: an LSTM of 40 units with PyTorch's own start; loss, windows and schedule are those of `train`.
- NAM LSTM, NAM WaveNet: `nam-full` of neural-amp-modeler, one LSTM of 40 units and the standard WaveNet.

Five pairs are made with pedalboard from the recordings in --audio or $DL4J_BRIDGE_AUDIO, or from synthesized strings.
Needs `pip install -e '.[bench]'`.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import races
from races import Contender, Finish, Floats, Race
from rounds import Result
from sides import Missing

from dl4j_bridge.signal import audio_files, metrics
from dl4j_bridge.signal.pairs import part_of
from dl4j_bridge.signal.recordings import open_recording

COLUMNS = {"pair": "pair", "contender": "contender", "esr": "ESR", "steps": "steps", "seeds": "seeds"}
# Configurations of neural-amp-modeler 0.13, from nam_full_configs/models: wavenet.json, and lstm.json with one layer of
# 40 instead of three of 18. The LSTM has windows of 8,192 samples and a burn-in of 1,024 instead of 32,768 and 8,192,
# with which it makes a fourth of the steps in the same time.
NAM_WINDOW, NAM_BURN_IN = 8192, 1024
DILATIONS = [2**n for n in range(10)]
NAM_LSTM: dict[str, Any] = {
    "net": {
        "name": "LSTM",
        "config": {"num_layers": 1, "hidden_size": 40, "train_burn_in": NAM_BURN_IN, "train_truncate": None},
    },
    "loss": {
        "val_loss": "esr",
        "mask_first": NAM_BURN_IN,
        "pre_emph_mrstft_weight": 0.002,
        "pre_emph_mrstft_coef": 0.85,
    },
    "optimizer": {"lr": 0.008},
    "lr_scheduler": {"class": "ExponentialLR", "kwargs": {"gamma": 0.995}},
}
NAM_WAVENET: dict[str, Any] = {
    "net": {
        "name": "WaveNet",
        "config": {
            "layers_configs": [
                {
                    "condition_size": 1,
                    "input_size": inputs,
                    "channels": channels,
                    "kernel_size": 3,
                    "dilations": DILATIONS,
                    "activation": "Tanh",
                    "gated": False,
                    "head": {"out_channels": head, "kernel_size": 1, "bias": last},
                }
                for inputs, channels, head, last in ((1, 16, 8, False), (16, 8, 1, True))
            ],
            "head_scale": 0.02,
        },
    },
    "optimizer": {"lr": 0.004},
    "lr_scheduler": {"class": "ExponentialLR", "kwargs": {"gamma": 0.993}},
}
# Epochs between two of its validations, which would take a third of its time.
NAM_VALIDATES = 5


def nam(model: dict[str, Any]) -> Contender:
    """Return a contender that trains a model of neural-amp-modeler with its own trainer."""

    def contender(race: Race, folder: Path) -> Finish:
        minutes = race.options.get("minutes")
        if not minutes:
            raise Missing("NAM is left out with --steps")
        dry = open_recording(race.dry)
        ends = {name: part_of(dry.length_at(dry.rate), name).stop / dry.rate for name in ("train", "valid")}
        data = {
            "train": {"start_seconds": 0.0, "stop_seconds": ends["train"], "ny": NAM_WINDOW},
            "validation": {"start_seconds": ends["train"], "stop_seconds": ends["valid"], "ny": None},
            "common": {"x_path": str(race.dry), "y_path": str(race.wet), "delay": 0, "require_input_pre_silence": None},
        }
        learning = {
            "train_dataloader": {"batch_size": 16, "shuffle": True, "drop_last": False, "num_workers": 0},
            "val_dataloader": {},
            "trainer": {
                "accelerator": "cpu",
                "max_epochs": -1,
                "max_time": {"seconds": 60 * minutes},
                "check_val_every_n_epoch": NAM_VALIDATES,
            },
        }
        for name, content in (("data", data), ("model", model), ("learning", learning)):
            (folder / name).write_text(json.dumps(content))
        command = [Path(sys.executable).with_name("nam-full"), *(folder / n for n in ("data", "model", "learning"))]
        environment = os.environ | {"MPLBACKEND": "agg", "PL_SEED": str(race.options["seed"])}
        ran = subprocess.run([*command, folder, "--no-plots"], capture_output=True, text=True, env=environment)
        found = list(folder.rglob("*.nam"))
        if not found:
            raise Missing(f"nam-full: {(ran.stderr or ran.stdout).strip().splitlines()[-1]}")
        curve, steps = _curve(folder)
        return Finish({"esr": _esr(found[0], race)}, curve, steps)

    return contender


def _esr(model: Path, race: Race) -> float:
    torch = importlib.import_module("torch")
    from_nam = importlib.import_module("nam.models").init_from_nam
    net = from_nam(json.loads(model.read_text())).eval()
    dry, wet = (open_recording(path) for path in (race.dry, race.wet))
    x, y = (recording.read(recording.rate) for recording in (dry, wet))
    with torch.inference_mode():
        output = net(torch.from_numpy(x.astype(np.float32)), pad_start=True).numpy().ravel()
    test = part_of(min(len(x), len(y)), "test")
    return float(metrics.esr(y[test], output[test]) or 0.0)


def _curve(folder: Path) -> tuple[list[tuple[float, float]], int]:
    """Return seconds and ESR of the validations, and the number of steps, from the log for TensorBoard."""
    event_accumulator = importlib.import_module("tensorboard.backend.event_processing.event_accumulator")
    log = event_accumulator.EventAccumulator(str(next(folder.rglob("events.out.*")).parent))
    log.Reload()
    if "ESR" not in log.Tags()["scalars"]:
        return [], 0
    events, began = log.Scalars("ESR"), log.FirstEventTimestamp()
    return [(event.wall_time - began, event.value) for event in events], events[-1].step


CONTENDERS: dict[str, Contender] = {
    "dl4j_bridge": races.ours,
    "dl4j_bridge --cell lstm": lambda race, folder: races.ours(
        replace(race, options=race.options | {"cell": "lstm"}), folder
    ),
    "pytorch": races.pytorch,
    "NAM LSTM": nam(NAM_LSTM),
    "NAM WaveNet": nam(NAM_WAVENET),
}


def effects() -> dict[str, tuple[str, Callable[[Floats, int], Floats]]]:
    """Return the recording and the effect of each made pair."""
    try:
        board = importlib.import_module("pedalboard")
    except ModuleNotFoundError as error:
        raise SystemExit("error: pedalboard is not installed; pip install -e '.[bench]'") from error

    def through(*effects: Any) -> Callable[[Floats, int], Floats]:
        return lambda x, rate: board.Pedalboard(list(effects))(x.astype(np.float32), rate)

    def fuzz(x: Floats, rate: int) -> Floats:
        driven = np.tanh(12 * through(board.HighpassFilter(120))(x, rate) + 0.5) - math.tanh(0.5)
        return through(board.LowpassFilter(4000))(np.where(driven > 0, driven, 0.6 * driven), rate)

    distortion = board.Distortion(drive_db=20)
    compressor = board.Compressor(threshold_db=-30, ratio=4, attack_ms=3, release_ms=80)
    cabinet = board.LowpassFilter(5000)
    return {
        "distortion": ("guitar_44k1.wav", through(board.HighpassFilter(120), distortion, cabinet)),
        "compressor, distortion": ("guitar_44k1.wav", through(compressor, distortion, cabinet)),
        "asymmetric fuzz": ("guitar_44k1.wav", fuzz),
        "band-pass": ("speech_48k.wav", through(board.HighpassFilter(300), board.LowpassFilter(3400))),
        "limiter": ("tabla_44k1.wav", through(board.Limiter(threshold_db=-20, release_ms=80))),
    }


def made_pairs(audio: Path | None, names: list[str] | None, folder: Path) -> dict[str, tuple[Path, Path]]:
    """Write the made pairs into a folder and return their paths."""
    paths = {}
    for name, (file, effect) in effects().items():
        if names is None or name in names:
            x, rate = races.sound(file, audio, None)
            y = effect(x, rate)
            paths[name] = dry, wet = folder / f"{name}-dry.wav", folder / f"{name}-wet.wav"
            audio_files.write(dry, [x], rate, "PCM_24")
            audio_files.write(wet, [y * min(1.0, 0.9 / float(np.abs(y).max()))], rate, "PCM_24")
    return paths


def main() -> None:
    asked = races.options(__doc__, CONTENDERS).parse_args()
    result = Result()
    rows = races.run(asked, "frames", CONTENDERS, made_pairs, result.notes)
    races.show("ESR on the last tenth, median of seeds", rows, "esr", COLUMNS, asked, result)


if __name__ == "__main__":
    main()
