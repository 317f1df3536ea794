"""The default of an option, which a task may change: as the help shows it and as a shell offers it."""

from dataclasses import fields
from typing import Any

from dl4j_bridge.tasks import registry


def by_task(name: str) -> dict[str, dict[bool, Any]]:
    """The default of an option for each task that has it: with a target (True) and without, as far as the task can."""
    found = {}
    for kind in registry.KINDS.values():
        own = {f.name: f.default for group in (*registry.GROUPS.values(), kind.settings) for f in fields(group)}
        if name in own:
            changed = {True: kind.with_target, False: kind.without_target}
            found[kind.name] = {key: d.get(name, own[name]) for key, d in changed.items() if d is not None}
    return found


def in_words(name: str) -> str | None:
    """The default of an option, such as ``200; frames: 40, without a target 128``; empty if it has none.

    None if no task has the option. The first value is that of the default task, or of the only one; a task with the
    same values is left out.
    """
    tasks = by_task(name)
    if not tasks:
        return None
    usual = next(iter(tasks.values()))
    texts = [_spelled(usual)] if any(map(_is_one, usual.values())) else []
    texts += [
        f"{task}: {_spelled(values)}"
        for task, values in tasks.items()
        if any(value != usual.get(key, value) for key, value in values.items())
    ]
    return "; ".join(texts)


def values(name: str) -> list[str]:
    """Values of an option for a shell to offer: all of them if they have names, or else the defaults, each once."""
    if name == "task":
        return list(registry.KINDS)
    if name == "codec":
        # Not at the top: the codecs import NumPy, which `--help` does not wait for.
        from dl4j_bridge.signal.codecs import CODECS

        return ["auto", *CODECS]
    found = [value for values in by_task(name).values() for value in values.values()]
    return list(dict.fromkeys(str(value) for value in found if _is_one(value)))


def _is_one(value: Any) -> bool:
    """Whether a default is a value: None, an empty text and a flag that is not set are none."""
    return value is not None and value is not False and value != ""


def _spelled(values: dict[bool, Any]) -> str:
    first, *others = dict.fromkeys(values.values())
    return ", ".join([str(first), *(f"without a target {other}" for other in others)])
