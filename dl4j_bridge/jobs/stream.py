"""Run sound through a model while it arrives, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from dl4j_bridge.errors import InputError
from dl4j_bridge.jobs.process import cut
from dl4j_bridge.model.model_zip import Model
from dl4j_bridge.settings.commands import ProcessSettings
from dl4j_bridge.signal.arrays import mono
from dl4j_bridge.tasks.interface import Blocks, Samples


class Stream:
    """A model that takes blocks of sound and returns as many samples; made by `Run.stream`.

    Output sample t is sample ``t - latency`` of what `Run.process` returns for the whole recording, to the last bit,
    whatever the sizes of the blocks; the first `latency` samples are zeros. Any thread may call, one at a time.

    Parameters
    ----------
    model
        A loaded model.
    settings
        How to decode, as for `process`.

    Attributes
    ----------
    rate : int
        Sample rate of the model in Hz, which the samples must have.
    latency : int
        Delay of the output against that of `Run.process`, in samples. It is 0 for ``samples`` and for ``frames`` of 1.
        For longer frames and for spectra it is 1 less than the frame or the window. A delay of the training's target,
        which `process` puts back, shortens it. If the target came before its input, `process` skips the first samples
        of the output, which a stream cannot, so this number of samples is added.

    Examples
    --------
    >>> import dl4j_bridge
    >>> with dl4j_bridge.load("amp").stream() as stream:
    ...     y = [stream.process(block) for block in np.split(np.zeros(1000), [64, 128])]
    >>> [block.size for block in y], stream.latency
    ([64, 64, 872], 0)
    """

    def __init__(self, model: Model, settings: ProcessSettings) -> None:
        settings.check()
        self._model, self._settings = model, settings
        task, delay = model.info.task, model.info.delay
        self.rate = model.info.rate
        self.latency = max(task.latency - delay, 0)
        self._lead, self._early = self.latency + max(delay, 0), max(-delay, 0)
        self.reset()

    def reset(self) -> None:
        """Return to the start of a recording: zero state, and nothing left to return. Opens a closed stream again."""
        self._arrived: list[Samples] = []
        task, network = self._model.info.task, self._model.network
        self._processed: Blocks | None = task.process(network, self._blocks(), self._settings)
        self._ready: npt.NDArray[np.float32] = np.zeros(self._lead, np.float32)
        self._skip = self._early

    def process(self, block: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float32]:
        """Run a block through the network.

        Parameters
        ----------
        block : ndarray of float, shape (n,)
            The next samples of one channel, nominally -1 to 1; n may change from call to call and may be 0.

        Returns
        -------
        ndarray of float32, shape (n,)

        Raises
        ------
        InputError
            The block is not a mono sound of finite floats, or the stream is closed. The stream is as before.
        BridgeError
            Java fails. The stream is closed.
        """
        if self._processed is None:
            raise InputError("stream", "closed", "wanted one that is open: run.stream(), or stream.reset()")
        samples = np.asarray(block)
        if not samples.size:
            return np.zeros(0, np.float32)
        samples = mono("block", samples)
        try:
            for part in cut(iter([samples]), self._settings.chunk):
                self._arrived.append(part)
                self._add(next(self._processed))
        except BaseException:
            self.close()
            raise
        found, self._ready = self._ready[: samples.size], self._ready[samples.size :]
        assert found.size == samples.size, f"--task {self._model.info.task.name} waits for more than its latency"
        return found

    def close(self) -> None:
        """Let go of the buffers in Java; `process` takes no more blocks."""
        self._processed = None
        self._arrived = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _blocks(self) -> Iterator[Samples]:
        """What the task asks for, each block once."""
        while self._arrived:
            yield self._arrived.pop()

    def _add(self, block: Samples) -> None:
        kept = block[self._skip :]
        self._skip -= block.size - kept.size
        self._ready = np.concatenate([self._ready, kept], dtype=np.float32)
