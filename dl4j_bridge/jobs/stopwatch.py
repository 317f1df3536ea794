"""The duration of a training and its speed, without validations."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stopwatch:
    """Measures training alone.

    Parameters
    ----------
    before
        Seconds of earlier sessions of the run.
    """

    def __init__(self, before: float = 0.0) -> None:
        self._before = before
        self._start = time.perf_counter()
        self._samples = 0
        self._seconds = 0.0

    def trained(self, samples: int) -> float:
        """Count a step's samples; returns the seconds of the whole run."""
        self._samples += samples
        self._seconds = time.perf_counter() - self._start
        return self._before + self._seconds

    @contextmanager
    def paused(self) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self._start += time.perf_counter() - began

    @property
    def samples_per_second(self) -> float:
        """Speed of this session."""
        return self._samples / self._seconds if self._seconds else 0.0
