"""The settings of DL4J's character example, as presets."""

from typing import Any

from dl4j_bridge.tasks.kind import Preset

# DL4J's character example (GravesLSTMCharModellingExample), as today's DL4J interprets its numbers.
_POSTED: dict[str, Any] = {
    "updater": "rmsprop",
    "learning_rate": 0.1,
    "l2": 0.001,
    "clip": 0.0,
    "init": "xavier",
    "gradient_state": "stock",
    "cell_penalty": 0.0,
    "schedule": "plateau",
    "patience": 1_000_000,
}

# Before 1.0.0-beta3, DL4J divided by the batch (32) after the updater and added L2 after both. The gradient
# carried the state too, which today only the fused layer does.
_LEGACY = _POSTED | {"learning_rate": 0.1 / 32, "l2": 0.0, "weight_decay": 0.001 / 32, "gradient_state": "carried"}

PRESETS = {
    "posted": Preset("DL4J's character example, as today's DL4J takes its numbers.", _POSTED),
    "posted-legacy": Preset("The same as DL4J took them before 1.0.0-beta3.", _LEGACY),
}
