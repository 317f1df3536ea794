"""Named sets of options for ``--task frames`` with a target: a line for each."""

from typing import Any

from dl4j_bridge.tasks.kind import Preset

# One LSTM without peepholes or skip fits every plug-in but Proteus, which adds its input: it wants --skip too.
_IN_A_PLUGIN: dict[str, Any] = {"cell": "lstm", "layers": 1, "frame": 1, "skip": False}

PRESETS = {
    # 40 units are one of the sizes that AIDA-X has compiled in, and the only one of Proteus.
    "plugin": Preset("A small network that every plug-in loads.", _IN_A_PLUGIN | {"hidden": 40}),
    # The other sizes of AIDA-X have no preset: --hidden chooses them.
    "light": Preset("As plugin, with 16 units: a third of the computing.", _IN_A_PLUGIN | {"hidden": 16}),
    "compressor": Preset("A longer memory, for compressors and limiters.", {"length": 8000}),
}
