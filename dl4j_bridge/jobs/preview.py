"""``preview.wav`` in the run folder: what the network makes of a held-out excerpt while it trains, to listen to."""

import time
from collections.abc import Callable
from contextlib import suppress

import numpy as np

from dl4j_bridge.errors import BridgeError
from dl4j_bridge.java.network import WARM_UP, Network
from dl4j_bridge.model.run import Run
from dl4j_bridge.settings.commands import ProcessSettings
from dl4j_bridge.signal import audio_files
from dl4j_bridge.signal.pairs import part_of
from dl4j_bridge.tasks.excerpts import loudest_vectors
from dl4j_bridge.tasks.interface import Samples, Task

# Largest share of the time of a training that previews take.
SHARE = 0.01
# Seconds of the excerpt: as many as a network computes in `AFFORDABLE` seconds, within these limits.
LONGEST, SHORTEST, AFFORDABLE = 5.0, 1.0, 0.3
# Parameters times time steps that one core computes in a second, for the first estimate.
SPEED = 1e10
BLOCK = 4096


class Preview:
    """Writes a preview after some of the validations of a run.

    There is none for a network that predicts the next sample: its expected samples sound like the recording, however
    little it has learned.

    Parameters
    ----------
    run
        The run.
    clock
        Returns the time in seconds.
    """

    def __init__(self, run: Run, clock: Callable[[], float] = time.monotonic) -> None:
        self._run, self._clock = run, clock
        self._is_wanted = run.settings.run.preview > 0 and run.task.predicts == "target"
        self._began = self._last = clock()
        self._durations: list[float] = []
        self._excerpt: tuple[Samples, int] | None = None

    def after_validation(self) -> None:
        """Write a preview if it is time for one."""
        now = self._clock()
        if not self._is_wanted or now - self._last < self._run.settings.run.preview:
            return
        if sum(self._durations) + self._expected <= SHARE * (now - self._began):
            self._write(self._run.network, self._run.task)
            self._last = self._clock()
            self._durations.append(self._last - now)

    def at_end(self) -> None:
        """Bring the preview up to the best network, if there is one."""
        if self._durations and self._run.best:
            self._write(self._run.best.network, self._run.best.info.task)

    @property
    def _expected(self) -> float:
        """Seconds that the next preview takes."""
        if self._durations:
            return self._durations[-1]
        return self._steps * self._run.network.parameter_count / SPEED

    @property
    def _steps(self) -> float:
        """Time steps of the excerpt."""
        rate = self._run.info.rate / self._run.task.hop
        affordable = AFFORDABLE * SPEED / self._run.network.parameter_count
        return min(max(affordable, SHORTEST * rate), LONGEST * rate)

    def _write(self, network: Network, task: Task) -> None:
        if self._excerpt is None:
            self._excerpt = self._chosen()
        x, warm_up = self._excerpt
        blocks = (x[at : at + BLOCK] for at in range(0, x.size, BLOCK))
        y = np.concatenate(list(task.process(network, blocks, ProcessSettings())))[warm_up : x.size]
        # What keeps it from being written also ends the training, or is no reason to end it.
        with suppress(BridgeError):
            audio_files.write(self._run.folder.preview, [y], self._run.info.rate, "PCM_16")

    def _chosen(self) -> tuple[Samples, int]:
        """Input of the loudest seconds of the first pair's test part, and the samples before them for the state."""
        run, pair = self._run, self._run.pairs[0]
        assert pair.target is not None, "there is no preview without a target"
        hop = run.task.hop
        part = part_of(len(run.signals[0][1]), "test")
        begin, count = part.start * hop, (part.stop - part.start) * hop
        target = pair.target.read(pair.rate, pair.target_start + begin, count)
        where = loudest_vectors(target[:, None], slice(0, count), round(self._steps * hop))
        warm_up = min(WARM_UP * hop, begin + where.start)
        start = pair.input_start + begin + where.start - warm_up
        return pair.input.read(pair.rate, start, where.stop - where.start + warm_up), warm_up
