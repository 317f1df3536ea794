"""Named sets of options for ``--task frames`` with a target: a line for each."""

from dl4j_bridge.tasks.kind import Preset


def _in_a_plugin(purpose: str, hidden: int) -> Preset:
    """One LSTM without peepholes or skip fits every plug-in but Proteus, which adds its input: it wants --skip too."""
    return Preset(purpose, {"cell": "lstm", "layers": 1, "hidden": hidden, "frame": 1, "skip": False})


PRESETS = {
    # Sizes that AIDA-X has compiled in; --hidden chooses its others. Proteus has 40 units only. Larger networks were no
    # better in the minutes that were measured.
    "tiny": _in_a_plugin("For plug-ins, with 8 units.", 8),
    "light": _in_a_plugin("For plug-ins, with 16 units.", 16),
    "standard": _in_a_plugin("For plug-ins, with 40 units.", 40),
    "plugin": _in_a_plugin("The same as standard, which every plug-in loads.", 40),
    "compressor": Preset("A longer memory, for compressors and limiters.", {"length": 8000}),
}
