"""The twin in PyTorch of a network that gives numbers: what the same training comes to without DL4J."""

from __future__ import annotations

from typing import Any

import numpy as np

from dl4j_bridge.settings.config import TrainSettings, default_threads
from dl4j_bridge.signal import pairs
from dl4j_bridge.tasks.baselines.pytorch_lstm import import_torch
from dl4j_bridge.tasks.frames import FramesTask, Vectors
from dl4j_bridge.tasks.interface import Stretch

# Time steps in a call of `run`.
BLOCK = 1 << 14


class PytorchRegression:
    """`torch.nn.LSTM` layers under a linear output, of the network's size, on the windows that it was trained on.

    The loss is the network's, and so are the clipping at the norm of all gradients instead of a layer's, and the
    learning rate, which is halved at a plateau of the validation loss. It has no peepholes, PyTorch's own start but for
    open forget gates, and its updater is Adam whatever the network's.

    Parameters
    ----------
    task
        Gives the loss, and says whether the output is added to the input.
    settings
        Sizes, learning rate, clipping, seed, batch, window, validations and threads, as of the network.
    steps
        Updates to make, each on a segment of ``network.tbptt`` time steps with the state carried from the one before.

    Raises
    ------
    InputError
        PyTorch is not installed.
    """

    name = "pytorch"

    def __init__(self, task: FramesTask, settings: TrainSettings, steps: int) -> None:
        torch, network, run = import_torch(), settings.network, settings.run
        # As many as the network trained with.
        torch.set_num_threads(run.threads or default_threads(run.batch))
        torch.manual_seed(network.seed)
        self._task, self._settings, self._run, self._steps = task, network, run, steps
        self._warm_up = settings.frames.warm_up
        self._lstm = torch.nn.LSTM(task.frame, network.hidden, network.layers, batch_first=True)
        self._dense = torch.nn.Linear(network.hidden, task.frame)
        self._modules = torch.nn.ModuleList([self._lstm, self._dense])
        with torch.no_grad():
            for name, values in self._lstm.named_parameters():
                # PyTorch's gates: input, forget, block input, output.
                if name.startswith("bias_ih"):
                    values[network.hidden : 2 * network.hidden] = 1

    @property
    def parameters(self) -> int:
        return sum(weights.numel() for weights in self._modules.parameters())

    def fit(self, training: Stretch, valid: Stretch) -> None:
        """Train; the weights that did best on the validation part remain.

        Parameters
        ----------
        training, valid : pairs of ndarray of float32, shape (n, frame)
            Input and target.
        """
        torch, settings, run = import_torch(), self._settings, self._run
        windows = pairs.Windows([training], run.length, run.batch, settings.seed)
        adam = torch.optim.Adam(self._modules.parameters(), lr=settings.learning_rate)
        segments = -(-run.length // settings.tbptt)
        best, plateau, since_drop, kept = np.inf, np.inf, 0, self._copy()
        state: Any = None
        for step in range(self._steps):
            number, segment = divmod(step, segments)
            if segment == 0:
                x, y = windows.draw(number)
                state = None
            here = slice(segment * settings.tbptt, (segment + 1) * settings.tbptt)
            output, state = self._forward(torch.from_numpy(x[:, here]), state)
            adam.zero_grad()
            unheard = min(self._warm_up, settings.tbptt // 2) if segment == 0 else 0
            self._loss(output, y[:, here], unheard).backward()
            if settings.clip:
                torch.nn.utils.clip_grad_norm_(self._modules.parameters(), settings.clip)
            adam.step()
            state = tuple(part.detach() for part in state)
            if (step + 1) % run.validate_every and step + 1 < self._steps:
                continue
            x_valid, y_valid = (side[: run.validation_samples] for side in valid)
            loss = float(np.mean((self.run(x_valid) - y_valid) ** 2))
            if loss < best:
                best, kept = loss, self._copy()
            if self._task.bits_gained(plateau, loss) > run.min_gain:
                plateau, since_drop = loss, 0
                continue
            since_drop += 1
            if since_drop >= max(run.patience // 4, 1):
                since_drop = 0
                adam.param_groups[0]["lr"] /= 2
        self._modules.load_state_dict(kept)

    def run(self, x: Vectors) -> Vectors:
        """Output for a recording, from an empty state on; float32, shape (n, frame) as of `x`."""
        torch = import_torch()
        state, found = None, []
        with torch.inference_mode():
            for at in range(0, len(x), BLOCK):
                output, state = self._forward(torch.from_numpy(x[None, at : at + BLOCK]), state)
                found.append(output[0].numpy())
        return np.concatenate(found)

    def _forward(self, x: Any, state: Any) -> tuple[Any, Any]:
        hidden, state = self._lstm(x, state)
        output = self._dense(hidden)
        return (output + x if self._task.skip else output), state

    def _loss(self, output: Any, target: Vectors, start: int = 0) -> Any:
        """As `Network.set_loss_weights` has it."""
        square, pre_emphasis, offset = self._task.weigh(target) or (1 / self._task.frame, 0.0, 0.0)
        error = (output - import_torch().from_numpy(target))[:, start if pre_emphasis else 0 :]
        before = import_torch().nn.functional.pad(error[:, :-1], (0, 0, 1, 0))
        squares = ((error - pre_emphasis * before) ** 2).sum()
        return (square * squares + offset * (error.sum(1) ** 2).sum()) / len(target)

    def _copy(self) -> dict[str, Any]:
        return {name: value.clone() for name, value in self._modules.state_dict().items()}
