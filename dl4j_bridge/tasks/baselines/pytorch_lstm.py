"""The network's twin in PyTorch: what the same training comes to without DL4J."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from dl4j_bridge.errors import InputError
from dl4j_bridge.settings.config import NetworkSettings, RunSettings, default_threads
from dl4j_bridge.signal import pairs
from dl4j_bridge.signal.codec import CLASSES, Codec
from dl4j_bridge.tasks.baselines.base import Arrays, Baseline, Indices, Prediction, Stretch


class PytorchLstm(Baseline):
    """`torch.nn.LSTM` layers under a softmax, of the network's size, on the windows that it was trained on.

    It has no peepholes, its updater is Adam whatever the network's, and clipping is by the norm of all gradients. The
    start is the network's: input weights of the first layer with a standard deviation of 1, forget gates open.

    Parameters
    ----------
    codec
        Gives the sample values of the classes.
    network, run
        Sizes, learning rate, clipping, seed, batch, window and threads, as of the network.
    steps
        Updates to make, each on a segment of ``network.tbptt`` samples with the state carried from the one before.

    Raises
    ------
    InputError
        PyTorch is not installed.
    """

    name = "pytorch"
    # Heard before a block that is predicted, from an empty state on.
    memory = 1000

    def __init__(self, codec: Codec, network: NetworkSettings, run: RunSettings, steps: int) -> None:
        super().__init__(codec)
        torch = import_torch()
        # As many as the network trained with.
        torch.set_num_threads(run.threads or default_threads(run.batch))
        self._settings, self._run, self._steps = network, run, steps
        torch.manual_seed(network.seed)
        self._lstm = torch.nn.LSTM(CLASSES, network.hidden, network.layers, batch_first=True)
        self._dense = torch.nn.Linear(network.hidden, CLASSES)
        with torch.no_grad():
            self._lstm.weight_ih_l0.normal_(0, 1)
            for name, values in self._lstm.named_parameters():
                # PyTorch's gates: input, forget, block input, output.
                if name.startswith("bias_ih"):
                    values[network.hidden : 2 * network.hidden] = 1

    def fit(self, stretches: list[Stretch]) -> None:
        torch, tbptt = import_torch(), self._settings.tbptt
        windows = pairs.Windows(stretches, self._run.length, self._run.batch, self._settings.seed)
        weights = [*self._lstm.parameters(), *self._dense.parameters()]
        adam = torch.optim.Adam(weights, lr=self._settings.learning_rate)
        segments = -(-self._run.length // tbptt)
        state: Any = None
        for step in range(self._steps):
            number, segment = divmod(step, segments)
            if segment == 0:
                x, y = (torch.from_numpy(side.astype(np.int64)) for side in windows.draw(number))
                state = None
            here = slice(segment * tbptt, (segment + 1) * tbptt)
            logits, state = self._forward(x[:, here], state)
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), y[:, here].flatten())
            adam.zero_grad()
            loss.backward()
            if self._settings.clip:
                torch.nn.utils.clip_grad_norm_(weights, self._settings.clip)
            adam.step()
            state = tuple(part.detach() for part in state)

    def predict(self, x: Indices) -> Prediction:
        torch = import_torch()
        with torch.inference_mode():
            logits, _ = self._forward(torch.from_numpy(x.astype(np.int64))[None], None)
            probabilities = torch.softmax(logits[0], dim=1).numpy()
        values = (probabilities * self.codec.values).sum(axis=1)
        return Prediction(values, probabilities.argmax(axis=1).astype(np.uint8), probabilities)

    def _forward(self, x: Any, state: Any) -> tuple[Any, Any]:
        torch = import_torch()
        hidden, state = self._lstm(torch.nn.functional.one_hot(x, CLASSES).float(), state)
        return self._dense(hidden), state

    def arrays(self) -> Arrays:
        modules = (("lstm", self._lstm), ("dense", self._dense))
        return {f"{name}.{key}": part.numpy() for name, module in modules for key, part in module.state_dict().items()}

    def restore(self, arrays: Arrays) -> None:
        torch = import_torch()
        for name, module in (("lstm", self._lstm), ("dense", self._dense)):
            own = {key: torch.from_numpy(np.array(arrays[f"{name}.{key}"])) for key in module.state_dict()}
            module.load_state_dict(own)


def import_torch() -> Any:
    """Import PyTorch, which takes seconds and need not be installed, or say that it is not there."""
    try:
        return importlib.import_module("torch")
    except ImportError:
        raise InputError("--pytorch", "PyTorch is not installed", "bring it: python -m pip install torch") from None
