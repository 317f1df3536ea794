"""What an export format is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge import __version__
from dl4j_bridge.model.model_zip import OpenedModel
from dl4j_bridge.settings.commands import ExportSettings

# The network's input and output at each time step: class indices, shape (n,), or vectors, shape (n, width); and
# probabilities or vectors, shape (n, outputs).
Run = Callable[[npt.NDArray[Any]], npt.NDArray[np.floating]]


@dataclass(frozen=True)
class Format:
    """A file format.

    Attributes
    ----------
    suffix
        Of its files, with the dot.
    check
        Raises `InputError` for a model that the format has no place for.
    content
        Returns the file's bytes.
    read
        Returns the network in such a file, from its layout and without the code that wrote it; None where the
        content is the model's own file.
    keeps_state
        Whether the file holds the state from which it starts; otherwise it starts from the zero state.
    """

    suffix: str
    check: Callable[[OpenedModel], None]
    content: Callable[[OpenedModel, ExportSettings], bytes]
    read: Callable[[bytes], Run] | None = None
    keeps_state: bool = False


def metadata(model: OpenedModel, settings: ExportSettings) -> dict[str, Any]:
    """Everything that is known of a model beside its weights, by the names of NAM's format; None is left out.

    What was said when the model was trained or adopted counts where the settings say nothing. The date is that of the
    export, as in NAM's own files, and the validation's ESR stands where readers of those look for it.
    """
    given = {name: v for name, v in asdict(settings).items() if name != "overwrite" and v is not None}
    now = datetime.now()
    date = {unit: getattr(now, unit) for unit in ("year", "month", "day", "hour", "minute", "second")}
    valid = model.info.training.valid if model.info.training else {}
    training = {"validation_esr": valid["esr"]} if valid.get("esr") is not None else {}
    return model.info.about | given | {"date": date, "software": f"dl4j_bridge {__version__}", "training": training}
