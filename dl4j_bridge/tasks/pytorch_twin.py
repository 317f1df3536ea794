"""The network's twin in PyTorch: an `nn.LSTM` of the same size, trained on the same windows."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge.errors import InputError
from dl4j_bridge.java.network import LONG_WARM_UP
from dl4j_bridge.settings.schedules import SCHEDULES
from dl4j_bridge.settings.training import TrainSettings, default_threads
from dl4j_bridge.signal.pairs import Stretch
from dl4j_bridge.signal.windows import Windows
from dl4j_bridge.tasks.update import segments

if TYPE_CHECKING:
    from dl4j_bridge.tasks.interface import Signal, Task

# Time steps that are run at a time.
BLOCK = 1 << 12


class PytorchTwin:
    """`torch.nn.LSTM` layers under a softmax or a linear output, of the network's size.

    The LSTM has no peepholes, its updater is Adam whatever the network's, and clipping is by the norm of all gradients.
    Forget gates start open, and with classes the input weights of the first layer have a standard deviation of 1.
    Vectors have the network's loss. Schedule and plateau of the learning rate are the network's.

    Parameters
    ----------
    task
        Gives the interface and the loss.
    settings
        Sizes, learning rate, clipping, seed, batch, window, validations and threads, as for the network.
    steps
        Number of updates, each on a segment of ``network.tbptt`` time steps with the state carried from the one before.
    plain_start
        Whether to keep PyTorch's initial weights.

    Raises
    ------
    InputError
        PyTorch is not installed.
    """

    name = "pytorch"

    def __init__(self, task: Task, settings: TrainSettings, steps: int, plain_start: bool = False) -> None:
        self._torch = torch = import_torch()
        network, run = settings.network, settings.run
        # As many as the network was trained with.
        torch.set_num_threads(run.threads or default_threads(run.batch))
        torch.manual_seed(network.seed)
        self._task, self._settings, self._steps = task, settings, steps
        self._classes = task.interface.output == "softmax"
        self._lstm = torch.nn.LSTM(task.interface.inputs, network.hidden, network.layers, batch_first=True)
        self._dense = torch.nn.Linear(network.hidden, task.interface.outputs)
        self._modules = torch.nn.ModuleList([self._lstm, self._dense])
        if plain_start:
            return
        with torch.no_grad():
            if self._classes:
                self._lstm.weight_ih_l0.normal_(0, 1)
            for name, values in self._lstm.named_parameters():
                # PyTorch's gates: input, forget, block input, output.
                if name.startswith("bias_ih"):
                    values[network.hidden : 2 * network.hidden] = 1

    @property
    def parameters(self) -> int:
        return sum(weights.numel() for weights in self._modules.parameters())

    def fit(
        self,
        training: Stretch,
        valid: Stretch | None = None,
        done: Callable[[int], float] | None = None,
        report: Callable[[int, float], None] = lambda step, loss: None,
    ) -> None:
        """Train; with a validation part, the weights that did best on it remain.

        Parameters
        ----------
        training, valid : pairs of ndarray
            Input and target, as of `Task.signals`.
        done
            The share of the training that is done after a number of steps, which ends it at 1.
        report
            Called with the number of steps and the loss of each validation.
        """
        torch, settings, run = self._torch, self._settings.network, self._settings.run
        done = done or (lambda step: step / self._steps if self._steps else 1.0)
        windows = Windows([training], run.length, run.batch, settings.seed)
        adam = torch.optim.Adam(self._modules.parameters(), lr=settings.learning_rate)
        share_of_rate = SCHEDULES.get(run.schedule)
        # As the network's learning rate: a gain of `min_gain` bits is a smaller squared error by this share.
        gain: dict[str, Any] = {"threshold": 1 - 4**-run.min_gain}
        if self._classes:
            gain = {"threshold": run.min_gain, "threshold_mode": "abs"}
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
            adam, factor=0.5, patience=max(run.patience // 4, 1) - 1, eps=0, **gain
        )
        best, kept = np.inf, self._copy()
        step, state = 0, None
        while done(step) < 1:
            if share_of_rate:
                adam.param_groups[0]["lr"] = settings.learning_rate * share_of_rate(done(step))
            number, segment = divmod(step, segments(self._settings))
            state = self._update(adam, windows.batch(number), segment, state if segment else None)
            step += 1
            if valid is None or (step % run.validate_every and done(step) < 1):
                continue
            loss = self._validate(valid)
            report(step, loss)
            if loss < best:
                best, kept = loss, self._copy()
            if share_of_rate is None:
                plateau.step(loss)
        if valid is not None:
            self._modules.load_state_dict(kept)

    def _update(self, adam: Any, batch: Stretch, segment: int, state: Any) -> Any:
        """One step on a segment of a batch of windows; returns the state after it."""
        settings = self._settings.network
        x, y = (side[:, segment * settings.tbptt : (segment + 1) * settings.tbptt] for side in batch)
        output, state = self._forward(x, state)
        adam.zero_grad()
        self._loss(output, y, segment == 0).backward()
        if settings.clip:
            self._torch.nn.utils.clip_grad_norm_(self._modules.parameters(), settings.clip)
        adam.step()
        return tuple(part.detach() for part in state)

    def _validate(self, valid: Stretch) -> float:
        x, y = (side[: self._settings.run.validation_samples] for side in valid)
        loss = self._task.measure(self.run(x, 0, len(x)), y)[self._task.loss]
        assert loss is not None, "a network always has a loss"
        return loss

    def run(self, x: Signal, start: int, end: int) -> Iterator[npt.NDArray[np.float32]]:
        """Outputs for steps start..end-1 of `x` after up to `LONG_WARM_UP` others, in blocks of shape (n, outputs)."""
        state: Any = None
        with self._torch.inference_mode():
            if start:
                _, state = self._forward(x[None, max(start - LONG_WARM_UP, 0) : start], None)
            for at in range(start, end, BLOCK):
                output, state = self._forward(x[None, at : min(at + BLOCK, end)], state)
                yield (self._torch.softmax(output[0], dim=1) if self._classes else output[0]).numpy()

    def _forward(self, x: Signal, state: Any) -> tuple[Any, Any]:
        """Logits or vectors for `x`, shape (batch, n, ...)."""
        inputs = self._torch.from_numpy(x.astype(np.int64) if self._classes else np.ascontiguousarray(x))
        if self._classes:
            inputs = self._torch.nn.functional.one_hot(inputs, self._task.interface.inputs)
        hidden, state = self._lstm(inputs.float(), state)
        output = self._dense(hidden)
        return (output + inputs if self._task.interface.skip else output), state

    def _loss(self, output: Any, target: Signal, first: bool = False) -> Any:
        """Cross-entropy, or what `Network.set_loss_weights` defines."""
        if self._classes:
            classes = self._torch.from_numpy(target.astype(np.int64))
            return self._torch.nn.functional.cross_entropy(output.flatten(0, 1), classes.flatten())
        plain = (1 / self._task.interface.outputs, 0.0, 0.0, 0)
        square, pre_emphasis, offset, start = self._task.loss_weights(self._settings, target, first) or plain
        error = (output - self._torch.from_numpy(target))[:, start if pre_emphasis else 0 :]
        before = self._torch.nn.functional.pad(error[:, :-1], (0, 0, 1, 0))
        squares = ((error - pre_emphasis * before) ** 2).sum()
        return (square * squares + offset * (error.sum(1) ** 2).sum()) / len(target)

    def _copy(self) -> dict[str, Any]:
        return {name: value.clone() for name, value in self._modules.state_dict().items()}


def import_torch() -> Any:
    """Import PyTorch, which takes seconds and need not be installed.

    Raises
    ------
    InputError
        It is not installed.
    """
    try:
        return importlib.import_module("torch")
    except ImportError:
        raise InputError("--pytorch", "PyTorch is not installed", "bring it: python -m pip install torch") from None
