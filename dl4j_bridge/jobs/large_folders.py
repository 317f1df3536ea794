"""The recordings of a large folder as training windows see them: read as they are needed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge.errors import InputError
from dl4j_bridge.settings.training import TrainSettings
from dl4j_bridge.signal.folders import Files, FolderExcerpt
from dl4j_bridge.signal.pairs import Pair, Stretch
from dl4j_bridge.signal.recordings import InMemory, Recording
from dl4j_bridge.tasks.interface import Task


@dataclass
class _Steps:
    """Input and target of recordings, time step by time step."""

    files: Files
    pair: Pair
    task: Task
    last: tuple[tuple[int, int], Stretch] | None = field(default=None, repr=False)

    def __len__(self) -> int:
        # The last time step has no target.
        return max(len(self.files) // self.task.hop - 1, 0)

    def read(self, start: int, end: int) -> Stretch:
        """Time steps `start` to `end`; kept, since input and target are asked for one after the other."""
        if self.last is None or self.last[0] != (start, end):
            # A filter may need the samples before; one time step more is the target of the last one.
            before = min(start, 1)
            hop = self.task.hop
            samples = self.files.read((start - before) * hop, (end + 1) * hop)
            recording = InMemory.of(samples, self.files.rate, self.pair.input)
            x, y = self.task.signals(replace(self.pair, input=recording, length=samples.size))
            self.last = (start, end), (x[before:], y[before:])
        return self.last[1]

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"last": None}


@dataclass
class _Side:
    """Input (0) or target (1); stands for an array in `Windows`, which asks for its length and for slices."""

    steps: _Steps
    which: int

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, where: slice) -> npt.NDArray[Any]:
        start, end, _ = where.indices(len(self))
        return self.steps.read(start, end)[self.which]


def rest_of(pairs: list[Pair], task: Task, settings: TrainSettings) -> list[Stretch]:
    """Stretches of what the pairs of large folders are excerpts of, for `Windows`.

    Raises
    ------
    InputError
        An option needs all samples at once, or another rate.
    """
    stretches: list[Stretch] = []
    for pair in pairs:
        if not isinstance(pair.input, FolderExcerpt):
            continue
        if pair.rate != pair.input.rate:
            found = f"{pair.rate} for a folder of {pair.input.rate} Hz"
            raise InputError("--rate", found, "wanted none: a large folder is not resampled")
        if settings.small_data.augment:
            raise InputError("--augment", f"with {pair.input.path}", "wanted none: that is for little data")
        # Workers get what stands here: without the samples of the excerpt.
        known = pair.input
        light = Recording(known.path, known.rate, 0, 1, known.subtype, None, 0, (), np.zeros(0, np.float32))
        steps = _Steps(known.rest, replace(pair, input=light), task)
        if len(steps) >= settings.run.length:
            sides: Any = (_Side(steps, 0), _Side(steps, 1))
            stretches.append(sides)
    return stretches


def in_memory(stretches: list[Stretch]) -> list[Stretch]:
    """Those that are arrays."""
    return [stretch for stretch in stretches if isinstance(stretch[0], np.ndarray)]
