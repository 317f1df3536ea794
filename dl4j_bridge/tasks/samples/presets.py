"""The settings of DL4J's character example, as presets."""

from typing import Any

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

PRESETS: dict[str, dict[str, Any]] = {
    "posted": _POSTED,
    # Before 1.0.0-beta3, DL4J divided by the batch (32) after the updater and added L2 after both. The gradient
    # carried the state too, which today only the fused layer does.
    "posted-legacy": _POSTED
    | {"learning_rate": 0.1 / 32, "l2": 0.0, "weight_decay": 0.001 / 32, "gradient_state": "carried"},
}
