"""What `diagnose --model` says that twice as many steps gain, at most, against what they gained.

Usage: python benchmarks/still_to_gain.py [--quick] [--json] [--steps N] [--audio DIR]

The pairs are those of `quality.py`. The bound is that of a training of N steps; the gain is that of one of twice as
many over it, on the held-out test part. The ratio "held" is the share of the gains within their bounds.
"""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import quality
import rounds
from rounds import Result

import dl4j_bridge
from dl4j_bridge.jobs.diagnose import Request, diagnose
from dl4j_bridge.tasks.registry import train_settings

VALIDATIONS = 10
COLUMNS = {"pair": "pair", "bound": "at most, bits", "gained": "gained, bits"}


def main() -> None:
    parser = rounds.options(__doc__)
    folder = os.environ.get("DL4J_BRIDGE_AUDIO")
    audio = Path(folder) if folder else None
    parser.add_argument("--steps", type=int, help="number of steps [default: 600; with --quick 150]")
    parser.add_argument("--audio", type=Path, default=audio, metavar="DIR", help="folder with further dry recordings")
    asked = parser.parse_args()
    steps = asked.steps or (150 if asked.quick else 600)
    result = Result()
    with TemporaryDirectory() as made_in:
        for pair, sides in quality.made_pairs(asked.audio, ["strings"] if asked.quick else None, Path(made_in)).items():
            result.rows.append({"pair": pair} | _measured(sides, steps))
    held = [row["gained"] <= row["bound"] for row in result.rows]
    result.ratios["held"] = sum(held) / len(held)
    rounds.show("Twice as many steps", result, COLUMNS, asked.json)


def _measured(sides: tuple[Path, Path], steps: int) -> dict[str, Any]:
    runs = [sides[0].with_name(f"{sides[0].stem}-{count}") for count in (steps, 2 * steps)]
    for run, count in zip(runs, (steps, 2 * steps), strict=True):
        dl4j_bridge.train(*sides, out=run, progress=False, steps=count, validate_every=steps // VALIDATIONS)
    bound = diagnose(Request(*sides, train_settings({}, True, "default"), model=runs[0])).bounds[-1]
    before, now = (dl4j_bridge.compare(run, *sides, progress=False)[0]["bits"] for run in runs)
    return {"bound": float(bound.split()[-2]), "gained": before - now}


if __name__ == "__main__":
    main()
