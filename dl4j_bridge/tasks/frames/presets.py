"""Named sets of options for ``--task frames`` with a target."""

from typing import Any

PRESETS: dict[str, dict[str, Any]] = {
    # One LSTM without peepholes or skip fits every plug-in but Proteus, which adds its input: it wants --skip too.
    # AIDA-X has layers of 8 to 80 units compiled in; 40 is what GuitarML and AIDA-X train, and Proteus's only size.
    "plugin": {"cell": "lstm", "layers": 1, "hidden": 40, "frame": 1, "skip": False},
}
