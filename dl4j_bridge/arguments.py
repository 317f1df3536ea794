"""Arguments of the Python functions as options."""

from typing import Any

import numpy as np

from dl4j_bridge.settings.training import TrainSettings
from dl4j_bridge.tasks import registry


def checked(function: str, given: dict[str, Any]) -> dict[str, Any]:
    """Check names and types of options; NumPy's numbers count as Python's, and None as not given."""
    plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in given.items()}
    return registry.checked_options(f"{function}()", {k: v for k, v in plain.items() if v is not None})


def checked_rate(given: int | None, own: int) -> int:
    """Check a sample rate in Hz; None is the network's own."""
    return TrainSettings().with_options({"rate": own} | checked("rate", {"rate": given})).data.rate or own
