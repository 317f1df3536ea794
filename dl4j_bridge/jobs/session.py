"""A session of training: its duration, its speed, and the requests to end it."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


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


@contextmanager
def interruptible(asked: threading.Event) -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C and a termination request only set `asked`, which the returned function reads.

    A second Ctrl-C does what it always does.
    """

    def ask(number: int, frame: FrameType | None) -> None:
        asked.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
