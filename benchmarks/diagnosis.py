"""Scores `diagnose` like a detector: recall and precision of each finding on recordings with planted faults.

Usage: python benchmarks/diagnosis.py [--quick] [--json] [--audio DIR] [--half fit|report] [--only WORD ...] [--jobs N]
                                      [--list] [--advice] [--markdown]
       python benchmarks/diagnosis.py --case NAME ... [--keep DIR] [--advice]

A case is a recording, a healthy effect and a fault of some strength (obvious, middle, weak: just harmful), or no fault.
The whole list of findings counts: a planted fault must be named, and nothing that is not true. A finding that leads to
the same fix counts as right. The recordings are synthesized; each wav in --audio or $DL4J_BRIDGE_AUDIO adds two more.
They are split into two halves: thresholds are fitted on `fit` only, reported figures are those of `report`.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path

import rounds
from rounds import Result
from scoreboard import score
from scoreboard.answers import Answer
from scoreboard.plan import AnyCase, by_name, everything, quick
from scoreboard.sounds import FIT, REPORT, sounds

COLUMNS = {
    "finding": "finding",
    "obvious": "recall, obvious",
    "middle": "middle",
    "weak": "weak",
    "precision": "precision",
    "planted": "planted",
    "false": "false",
}


def main() -> None:
    parser = rounds.options(__doc__)
    folder = os.environ.get("DL4J_BRIDGE_AUDIO")
    audio = Path(folder) if folder else None
    parser.add_argument("--audio", type=Path, default=audio, metavar="DIR", help="folder with further dry recordings")
    parser.add_argument("--half", choices=(FIT, REPORT), help="use only the recordings of this half")
    parser.add_argument("--only", nargs="+", metavar="WORD", help="findings, faults, effects or recordings; or healthy")
    parser.add_argument("--also", nargs="+", metavar="WORD", help="of those, only cases with one of these words too")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="one case of this number")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="number of processes")
    parser.add_argument("--list", action="store_true", help="print the failed cases, with what was found")
    parser.add_argument("--case", nargs="+", metavar="NAME", help="run these cases and print the evidence")
    parser.add_argument("--advice", action="store_true", help="also apply the fixes and diagnose again")
    parser.add_argument("--markdown", action="store_true", help="also print the table as Markdown")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="store the recordings of --case there")
    asked = parser.parse_args()
    available = sounds(asked.audio)
    if asked.case:
        for name in asked.case:
            answer = by_name(name, available).answer(asked.keep, asked.advice)
            print(json.dumps(answer.as_dict(), indent=1, default=str))
        return
    chosen = everything([each for each in available if asked.half in (None, each.half)])
    for words in filter(None, (asked.only, asked.also)):
        chosen = [case for case in chosen if case.words & set(words)]
    chosen = chosen[:: asked.every]
    if asked.quick:
        chosen = quick(chosen)
    answers = []
    for each in _answers(chosen, asked.audio, asked.jobs, asked.advice):
        answers.append(each)
        if asked.list and each.failed:
            said = each.error or f"missed {list(each.missed)} false {list(each.false)} found {list(each.found)}"
            print(f"{each.name}  {said}", flush=True)
    counted = [each for each in answers if not each.harmless]
    result = Result(score.ratios(counted), score.by_finding(counted), _notes(answers, counted))
    if not asked.json:
        for title, rows in (
            ("By fault", score.by_fault(counted)),
            ("Advice", score.advice(counted)),
            ("Healthy, but accused", score.false_alarms(counted)),
            ("Confusion", score.confusion(counted)[:40]),
        ):
            if rows:
                rounds.stdout().print(rounds.table(title, rows, {key: key for key in rows[0]}))
    if asked.markdown:
        print("\n".join(score.markdown(result.rows, COLUMNS)))
    rounds.show("Findings", result, COLUMNS, asked.json)


def _answers(chosen: list[AnyCase], audio: Path | None, jobs: int, advice: bool) -> Iterator[Answer]:
    if jobs == 1:
        yield from _counted((case.answer(None, advice) for case in chosen), len(chosen))
        return
    # Each process keeps to one thread, or they would wait for each other.
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    answer = partial(_answer, audio=audio, advice=advice)
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        yield from _counted(pool.map(answer, [case.name for case in chosen], chunksize=4), len(chosen))


def _answer(name: str, audio: Path | None, advice: bool) -> Answer:
    """Answer to a case in another process, to which functions cannot be sent."""
    return by_name(name, _sounds(audio)).answer(None, advice)


_sounds = cache(sounds)


def _counted(results: Iterator[Answer], count: int) -> Iterator[Answer]:
    """Show on the terminal how far it is."""
    for number, result in enumerate(results, 1):
        if sys.stderr.isatty() or number % 100 == 0:
            print(f"\r{number} of {count} cases", end="" if number < count else "\n", file=sys.stderr, flush=True)
        yield result


def _notes(answers: list[Answer], counted: list[Answer]) -> list[str]:
    seconds = sorted(each.seconds for each in counted) or [0.0]
    notes = [
        f"{len(counted)} cases; {len(answers) - len(counted)} more in which the fault harms nothing do not count",
        f"a diagnosis took {seconds[len(seconds) // 2]:.2f} s of CPU (median), at most {seconds[-1]:.1f} s",
    ]
    errors = [each for each in counted if each.error]
    return notes + ([f"{len(errors)} cases raised an exception: {errors[0].name}: {errors[0].error}"] if errors else [])


if __name__ == "__main__":
    main()
