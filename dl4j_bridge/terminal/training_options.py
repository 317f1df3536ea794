"""The options of a training by the title of their panel in the help."""

from dl4j_bridge.settings.training import TaskSettings
from dl4j_bridge.tasks import registry

_ABOUT = "About the model"
_WORKERS = "Workers on Ray"
_TITLES = ("Recordings", "Network", "Training", "Small data", _WORKERS, _ABOUT)

TRAINING: dict[str | None, type] = {
    **dict(zip(_TITLES, registry.GROUPS.values(), strict=True)),
    **{f"With --task {k.name}": k.settings for k in registry.KINDS.values() if k.settings is not TaskSettings},
}
# A search has workers of its own, and a diagnosis names no model.
SEARCHED = {title: group for title, group in TRAINING.items() if title != _WORKERS}
DIAGNOSED = {title: group for title, group in SEARCHED.items() if title != _ABOUT}
