"""Sizes of network for amplifiers: ESR after the same minutes, and how many times faster than real time each runs.

Usage: python benchmarks/amp_sizes.py [--quick] [--json] [--minutes M | --steps N] [--seeds N] [--audio DIR]
                                      [--pair DRY.wav WET.wav] [--out FILE.jsonl] [--plot FILE.png]

The race of `amp_race.py` between networks of `train --task frames` alone: one layer of 8 to 96 units, and two layers.
They have the cell that plug-ins load, so that some are the presets tiny, light and standard. Real time is the
model's row of `compare`: samples per second divided by the rate, for `process` on all cores.
"""

from dataclasses import replace

import amp_race
import races
from races import Contender
from rounds import Result

SIZES = [(1, 8), (1, 16), (1, 24), (1, 40), (1, 64), (1, 80), (1, 96), (2, 24), (2, 40)]
COLUMNS = {
    "pair": "pair",
    "contender": "network",
    "esr": "ESR",
    "samples_per_second": "samples/s",
    "steps": "steps",
    "seeds": "seeds",
}


def _of_size(layers: int, hidden: int) -> Contender:
    size = {"cell": "lstm", "layers": layers, "hidden": hidden}
    return lambda race, folder: races.ours(replace(race, options=race.options | size), folder)


CONTENDERS = {f"{layers} x {hidden}": _of_size(layers, hidden) for layers, hidden in SIZES}


def main() -> None:
    asked = races.options(__doc__, CONTENDERS).parse_args()
    result = Result()
    rows = races.run(asked, "frames", CONTENDERS, amp_race.made_pairs, result.notes)
    races.show("ESR on the last tenth, median of seeds", rows, "esr", COLUMNS, asked, result)


if __name__ == "__main__":
    main()
