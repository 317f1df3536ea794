"""Write a model in the format of another program, and prove that the file computes what the model does."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge.atomic_files import check_output, write_bytes
from dl4j_bridge.errors import BridgeError, InputError
from dl4j_bridge.jobs.new_run import open_pairs
from dl4j_bridge.model import model_zip
from dl4j_bridge.model.exports import FORMATS
from dl4j_bridge.model.exports.format import Run
from dl4j_bridge.model.info import ModelInfo
from dl4j_bridge.model.model_zip import OpenedModel
from dl4j_bridge.settings.checks import check, one_of
from dl4j_bridge.settings.commands import ExportSettings
from dl4j_bridge.signal import metrics
from dl4j_bridge.signal.pairs import part
from dl4j_bridge.tasks.interface import Signal

# Time steps that are compared, and the largest difference of an output that rounding explains.
STEPS, CLOSE = 44_100, 1e-4


def export(model: Path, format_name: str, output: Path, settings: ExportSettings) -> dict[str, Any]:
    """Write a model in another format.

    Before the file is written, a reader of the format runs its content over the held-out part of the training's
    recordings, or over noise if they are gone, and the output is compared with the model's.

    Parameters
    ----------
    model
        Run folder or model zip.
    format_name
        A key of `FORMATS`.
    output
        File to write.
    settings
        What the file says about the model.

    Returns
    -------
    dict
        ``output, format, bytes``, and of formats with a reader ``compared`` (the signal), ``samples``, ``difference``
        (the largest of an output) and ``esr``.

    Raises
    ------
    InputError
        The format has no place for the model, or the file cannot be written.
    BridgeError
        The file would compute something else than the model. Nothing was written.
    """
    settings.check()
    check("format", format_name, one_of(FORMATS))
    kind = FORMATS[format_name]
    opened = model_zip.open_model(model)
    kind.check(opened)
    check_output(output, settings.overwrite, [opened.path])
    content = kind.content(opened, settings)
    proof = _compared(opened, kind.read(content)) if kind.read else {}
    if proof and not proof["difference"] <= CLOSE:
        wanted = f"wanted at most {CLOSE:g}; please report this with the model"
        raise BridgeError(output, f"differs from the model by {proof['difference']:g}, not written", wanted)
    write_bytes(output, content)
    return {"output": str(output), "format": format_name, "bytes": len(content), **proof}


def _compared(opened: OpenedModel, theirs: Run) -> dict[str, Any]:
    """How the output of a written file differs from the model's."""
    model = opened.load()
    x, name = _input(opened.info)
    stream = model.network.stream() if x.ndim == 1 else model.network.dense_stream()
    wanted = stream.run(x).astype(np.float64)
    found = theirs(x)
    return {
        "compared": name,
        "samples": len(x),
        "difference": float(np.abs(found - wanted).max()),
        "esr": metrics.esr(wanted, found) or 0.0,
    }


def _input(info: ModelInfo) -> tuple[Signal, str]:
    """Input of the network: the start of the held-out part, or noise."""
    inputs, targets = zip(*(pair.paths for pair in info.pairs[:1]), strict=True)
    try:
        (pair,) = open_pairs(list(inputs), [target for target in targets if target], info.settings)
    except InputError:
        return _noise(info), "noise"
    return part(info.task.signals(pair), "test")[0][:STEPS], f"the held-out part of {inputs[0]}"


def _noise(info: ModelInfo) -> npt.NDArray[Any]:
    rng, ends = np.random.default_rng(1), info.task.interface
    if ends.input == "one-hot":
        return rng.integers(0, ends.inputs, STEPS, np.uint8)
    return rng.uniform(-0.5, 0.5, (STEPS, ends.inputs)).astype(np.float32)
