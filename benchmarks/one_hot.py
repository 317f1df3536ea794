"""Time to fill a pair of one-hot tensors: NumPy writing to their memory against a Java loop of putScalar.

Usage: python benchmarks/one_hot.py [--quick] [--json]
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge.java import jvm
from dl4j_bridge.java.tensors import NativeArray, OneHot
from dl4j_bridge.signal.windows import Windows

BATCH, LENGTH, SEGMENT, CLASSES = 32, 1000, 50, 256
WARM_UP = 5
# Contains PostedIterator, which is not in the package's jar.
TEST_CLASSES = Path(__file__).parents[1] / "target" / "test-classes"

Samples = npt.NDArray[np.uint8]
Job = Callable[[], None]


def numpy_segments(x: Samples, y: Samples) -> Job:
    """Write a batch as `train` does: segment by segment into the same two small tensors."""
    windows = Windows([(x, y)], LENGTH, BATCH, seed=1)
    features, labels = OneHot(BATCH, CLASSES, SEGMENT), OneHot(BATCH, CLASSES, SEGMENT)
    numbers = itertools.count()

    def fill() -> None:
        inputs, targets = windows.batch(next(numbers))
        for start in range(0, LENGTH, SEGMENT):
            features.write(inputs[:, start : start + SEGMENT])
            labels.write(targets[:, start : start + SEGMENT])

    return fill


def numpy_whole(x: Samples, y: Samples) -> Job:
    """Write a batch into two tensors of the full length, as Java does, and clear the ones of the previous batch."""
    windows = Windows([(x, y)], LENGTH, BATCH, seed=1)
    features, labels = OneHot(BATCH, CLASSES, LENGTH), OneHot(BATCH, CLASSES, LENGTH)
    numbers = itertools.count()

    def fill() -> None:
        inputs, targets = windows.batch(next(numbers))
        features.write(inputs)
        labels.write(targets)

    return fill


def java_reused(x: Samples, y: Samples, clear: bool) -> Job:
    """Run the putScalar loop of DL4J's character example on two existing tensors."""
    iterator = jvm.java_class("dl4jbridge.reference.PostedIterator")(x.tobytes(), y.tobytes(), LENGTH, None)
    features, labels = (NativeArray.zeros((BATCH, CLASSES, LENGTH)) for _ in range(2))
    return lambda: iterator.refill(features.java, labels.java, clear)


def java_next(x: Samples, y: Samples) -> Job:
    """Run the example's ``next(32)``, which allocates new tensors at each call."""
    iterator = jvm.java_class("dl4jbridge.reference.PostedIterator")(x.tobytes(), y.tobytes(), LENGTH, None)

    def fill() -> None:
        iterator.next(BATCH)

    return fill


OURS = "numpy, segments (as train does)"
REUSED = "java putScalar, tensors reused"
POSTED = "java putScalar, next(32) as posted"
SIDES: dict[str, Callable[[Samples, Samples], Job]] = {
    OURS: numpy_segments,
    "numpy, whole tensors": numpy_whole,
    REUSED: lambda x, y: java_reused(x, y, clear=True),
    "java putScalar, never cleared": lambda x, y: java_reused(x, y, clear=False),
    POSTED: java_next,
}


def seconds(job: Job) -> float:
    began = time.perf_counter()
    job()
    return time.perf_counter() - began


def measure(rounds: int) -> dict[str, Any]:
    """Time the sides in turns; the ratios compare ours with the posted loop, as posted and with reused tensors."""
    if not TEST_CLASSES.is_dir():
        raise SystemExit(f"error: {TEST_CLASSES}: no such folder; run: ./mvnw -q test-compile")
    jvm.configure(threads=1, own_class_path=[TEST_CLASSES])
    rng = np.random.default_rng(0)
    x, y = (rng.integers(0, CLASSES, (rounds + WARM_UP) * BATCH * LENGTH, dtype=np.uint8) for _ in range(2))
    jobs = {name: make(x, y) for name, make in SIDES.items()}
    times = [{name: seconds(job) for name, job in jobs.items()} for _ in range(rounds + WARM_UP)][WARM_UP:]
    ratios = {
        name: statistics.median(t[theirs] / t[OURS] for t in times)
        for name, theirs in (("numpy/putScalar", POSTED), ("numpy/putScalar-reused", REUSED))
    }
    rows = [{"side": name, "ms_per_batch": 1000 * statistics.median(t[name] for t in times)} for name in SIDES]
    return {"ratios": ratios, "rows": rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="run fewer rounds")
    parser.add_argument("--json", action="store_true", help="print only the JSON line")
    options = parser.parse_args()
    result = measure(20 if options.quick else 100)
    if not options.json:
        print(f"two tensors [{BATCH}, {CLASSES}, {LENGTH}], median of alternating rounds")
        for row in result["rows"]:
            print(f"  {row['side']:<36} {row['ms_per_batch']:8.2f} ms")
        for name, ratio in result["ratios"].items():
            print(f"  {name}: {ratio:.1f}")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
