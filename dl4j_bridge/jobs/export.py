"""Write a model in the format of another program, and prove that the file computes what the model does."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from dl4j_bridge.atomic_files import check_output, write_bytes
from dl4j_bridge.errors import BridgeError, InputError
from dl4j_bridge.jobs import proof
from dl4j_bridge.jobs.new_run import open_pairs
from dl4j_bridge.jobs.proof import CLOSE
from dl4j_bridge.model import model_zip
from dl4j_bridge.model.exports import FORMATS
from dl4j_bridge.model.exports.format import Format
from dl4j_bridge.model.info import ModelInfo
from dl4j_bridge.model.model_zip import OpenedModel
from dl4j_bridge.settings.checks import check, one_of
from dl4j_bridge.settings.commands import ExportSettings
from dl4j_bridge.signal import metrics
from dl4j_bridge.signal.pairs import part
from dl4j_bridge.tasks.interface import Signal

# Time steps that are compared.
STEPS = 44_100


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
        (the largest of an output) and ``esr``; ``silence``: the time steps of silence that a player of the file has to
        run first, as `process` does.

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
    compared = _compared(opened, kind, content)
    if compared and not compared["difference"] <= CLOSE:
        wanted = f"wanted at most {CLOSE:g}; please report this with the model"
        raise BridgeError(output, f"differs from the model by {compared['difference']:g}, not written", wanted)
    write_bytes(output, content)
    return {"output": str(output), "format": format_name, "bytes": len(content), **compared}


def _compared(opened: OpenedModel, kind: Format, content: bytes) -> dict[str, Any]:
    """How the output of a written file differs from the model's; nothing for a format without a reader."""
    if not kind.read:
        return {}
    x, name = _input(opened.info)
    wanted = proof.output(opened.load().network, x)
    silence = 0 if kind.keeps_state else opened.info.silence
    found = kind.read(content)(np.concatenate([np.zeros((silence, *x.shape[1:]), x.dtype), x]))[silence:]
    return {
        "compared": name,
        "samples": len(x),
        "difference": proof.difference(found, wanted),
        "esr": metrics.esr(wanted, found) or 0.0,
        "silence": silence,
    }


def _input(info: ModelInfo) -> tuple[Signal, str]:
    """Input of the network: the start of the held-out part, or noise."""
    for source, target in [pair.paths for pair in info.pairs[:1]]:
        with suppress(InputError):
            (pair,) = open_pairs([source], [target] if target else [], info.settings)
            return part(info.task.signals(pair), "test")[0][:STEPS], f"the held-out part of {source}"
    return proof.noise(info.task.interface, STEPS), "noise"
