"""Named sets of options for ``--task frames`` with a target."""

from typing import Any

PRESETS: dict[str, dict[str, Any]] = {
    # One LSTM without peepholes or skip fits every plug-in but Proteus, which adds its input: it wants --skip too.
    # 40 units are one of the sizes that AIDA-X has compiled in, and the only one of Proteus.
    "plugin": {"cell": "lstm", "layers": 1, "hidden": 40, "frame": 1, "skip": False},
}
