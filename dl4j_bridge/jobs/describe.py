"""What is in a model's file: a run folder, a model zip, any DL4J zip, or a model of another program."""

from contextlib import suppress
from pathlib import Path
from typing import Any

from dl4j_bridge.errors import InputError
from dl4j_bridge.model import foreign_zip, imports, model_zip
from dl4j_bridge.model.imports.format import LARGEST_JSON
from dl4j_bridge.model.model_zip import OpenedModel
from dl4j_bridge.model.opened_network import open_network
from dl4j_bridge.model.run_folder import RunFolder
from dl4j_bridge.tasks import grades
from dl4j_bridge.untrusted import files


def describe(model: Path) -> dict[str, Any]:
    """Describe a file without starting Java, but for the network of a stranger's zip.

    Returns
    -------
    dict
        JSON types only. Of a model of this package: its metadata, ``represents`` (time steps in words),
        ``parameters``, ``about`` (what its author said), ``valid`` (its last validation) and ``grade`` (that ESR in
        words), and of a run folder ``status`` and ``result`` of the training. Of another program's file: ``format,
        network, parameters, rate, about``. Of DL4J's zip: as `OpenedNetwork.as_dict`.

    Raises
    ------
    InputError
        It is none of these.
    """
    try:
        return _described(model, model_zip.open_model(model))
    except InputError:
        if foreign_zip.is_foreign(model):
            return open_network(model).as_dict()
        found = _foreign(model)
        if found is None:
            raise
        return found


def _described(model: Path, opened: OpenedModel) -> dict[str, Any]:
    info = opened.info
    found = info.as_dict() | {
        "represents": info.task.describe(),
        "parameters": int(opened.stored.parameters.size),
        "about": info.about,
    }
    if model.is_dir():
        with suppress(InputError):
            stored = RunFolder(model).read_run()
            found |= {name: stored[name] for name in ("status", "result") if name in stored}
    of_best = info.training.valid if info.training else {}
    valid = found.get("result", {}).get("valid") or of_best
    return found | {"valid": valid, "grade": grades.of(valid.get("esr")) if info.task.graded else None}


def _foreign(path: Path) -> dict[str, Any] | None:
    """What the file of another program holds; None if it is in none of their formats."""
    if not path.is_file():
        return None
    content = files.read(path, LARGEST_JSON, "wanted a model file")
    recognised = next((name for name, kind in imports.FORMATS.items() if kind.recognises(content)), None)
    if recognised in (None, "dl4j"):
        return None
    name, found = imports.read(path, content, recognised)
    return {
        "format": name,
        "network": f"{found.layers} x {found.hidden} {found.cell}",
        "parameters": int(found.parameters.size),
        "rate": found.rate,
        "about": found.metadata,
    }
