"""Quality of the 8-bit network (`--task samples`): bits and ESR on new audio against `torch.nn.LSTM`.

Usage: python benchmarks/quality.py [--quick] [--json] [--minutes M] [--seeds N] [--audio DIR]
                                    [--pair DRY.wav WET.wav] [--out FILE.jsonl] [--plot FILE.png]

Each contender trains on the first eight tenths of a pair for the same minutes on all cores, one after the other, and
keeps the network that was best on the next tenth; bits per sample and ESR are those of the last tenth.
The clock of `train` and of pytorch stands still while they validate.

- dl4j_bridge: `train --minutes M`; 1/5, 1/10, ...: the same with a fraction of the minutes.
- pytorch: LSTMs of the same size with PyTorch's own start and Adam at its usual 0.001; and the same with the learning
  rate of `train`. Windows, clipping, schedule and validation are those of `train`.

The ratio "bits in 2 minutes" is the time that the better PyTorch row had, divided by the shortest time in which
`train` reached its bits. Pairs: the demo's strings, and from --audio or $DL4J_BRIDGE_AUDIO speech and guitar at 11,025
Hz through a low-pass of 1,500 Hz and an overdrive.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import races
from races import Contender, Floats
from rounds import Result
from scipy.signal import butter, lfilter

from dl4j_bridge.demos import synthesis
from dl4j_bridge.signal import audio_files

RATE = synthesis.CLASSIC_RATE
# Divisors of the minutes of `train`.
FRACTIONS = (1, 5, 10, 20)
COLUMNS = {
    "pair": "pair",
    "contender": "contender",
    "bits": "bits",
    "esr": "ESR",
    "accuracy": "accuracy",
    "steps": "steps",
    "seeds": "seeds",
}


def _with(contender: Contender, **options: Any) -> Contender:
    return lambda race, folder: contender(replace(race, options=race.options | options), folder)


def _in_a_fraction(divisor: int) -> Contender:
    return lambda race, folder: _with(races.ours, minutes=race.options["minutes"] / divisor)(race, folder)


OURS = {"dl4j_bridge" if n == 1 else f"dl4j_bridge 1/{n}": n for n in FRACTIONS}
CONTENDERS: dict[str, Contender] = {
    **{name: _in_a_fraction(divisor) for name, divisor in OURS.items()},
    "pytorch, Adam 0.001": _with(races.pytorch, learning_rate=0.001),
    "pytorch": races.pytorch,
}


def _overdriven(x: Floats) -> Floats:
    y = np.tanh(8 * lfilter(*butter(2, 1500, fs=RATE), x) + 0.2) - math.tanh(0.2)
    return np.asarray(0.7 * y / np.abs(y).max())


def made_pairs(audio: Path | None, names: list[str] | None, folder: Path) -> dict[str, tuple[Path, Path]]:
    """Write the made pairs into a folder and return their paths."""
    strings = synthesis.plucked_strings(20.0, RATE)
    sounds: dict[str, tuple[Floats, Floats]] = {
        "strings, demo's amplifier": (strings, synthesis.amplifier(strings, RATE))
    }
    for name, file in (("speech", "speech_8k.wav"), ("guitar", "guitar_44k1.wav")) if audio else ():
        x, _ = races.sound(file, audio, RATE)
        sounds[f"{name}, overdriven"] = x, _overdriven(x)
    paths = {}
    for name, sides in sounds.items():
        if names is None or any(asked in name for asked in names):
            paths[name] = dry, wet = folder / f"{name}-dry.wav", folder / f"{name}-wet.wav"
            for path, side in zip((dry, wet), sides, strict=True):
                audio_files.write(path, [side], RATE, "PCM_16")
    return paths


def main() -> None:
    asked = races.options(__doc__, CONTENDERS).parse_args()
    result = Result()
    rows = races.run(asked, "samples", CONTENDERS, made_pairs, result.notes)
    bits = {(r["pair"], r["contender"]): r["bits"] for r in races.medians(rows, ["bits"])}
    for pair in dict.fromkeys(pair for pair, _ in bits):
        theirs = min((b for (p, name), b in bits.items() if p == pair and name not in OURS), default=None)
        reached = [n for name, n in OURS.items() if theirs is not None and bits.get((pair, name), math.inf) <= theirs]
        if theirs is not None:
            result.ratios[f"{pair}: bits in {asked.minutes:g} minutes"] = max(reached, default=0.0)
    races.show("the last tenth, median of seeds", rows, "bits", COLUMNS, asked, result)


if __name__ == "__main__":
    main()
