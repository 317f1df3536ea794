"""Mutants of a DL4J configuration, as a stranger would write them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any

CANARY = "dl4jbridge.Canary"
_CLASSES = [
    CANARY, "java.util.Date", "org.deeplearning4j.nn.conf.layers.LSTM", "javax.script.ScriptEngineManager",
    "org.nd4j.linalg.activations.impl.ActivationReLU", "org.deeplearning4j.nn.conf.layers.samediff.SameDiffLayer",
    "org.deeplearning4j.nn.conf.distribution.NormalDistribution", "java.util.ArrayList<dl4jbridge.Canary>", "[I", "",
]  # fmt: skip
_NUMBERS = [0, -1, 1, 2, 3, 7, 1 << 12, 1 << 24, 1 << 31, 1 << 62, 1 << 70, 0.5, -0.5, 1e300, "7", "NaN", True]
_KEYS = ["@class", "type", "layer", "activationFn", "lossFn", "iupdater", "dist", "stepFunction", "constraints", CANARY]


def mutant(configuration: Any, random: Random) -> Any:
    """A copy with one to three values replaced, removed or added."""
    changed = json.loads(json.dumps(configuration))
    for _ in range(random.choice([1, 1, 2, 3])):
        holder = random.choice(list(_holders(changed)))
        keys: list[Any] = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        if keys and random.random() < 0.8:
            key = random.choice(keys)
            if random.random() < 0.15:
                del holder[key]
            else:
                holder[key] = _value(holder[key], random)
        elif isinstance(holder, dict):
            holder[random.choice(_KEYS)] = _value(None, random)
        else:
            holder.append(_value(None, random))
    return changed


def _holders(node: Any) -> Iterator[Any]:
    if isinstance(node, dict | list) and node:
        yield node
        for child in node.values() if isinstance(node, dict) else node:
            yield from _holders(child)


def _value(old: Any, random: Random) -> Any:
    name = random.choice(_CLASSES)
    others = [None, {}, [], {"@class": name}, {"type": name}, {name: {}}, [{"@class": name}], [name, {}], name, [3, 3]]
    if isinstance(old, int | float | str) and random.random() < 0.6:
        return random.choice(_NUMBERS)
    return random.choice([*others, random.choice(_NUMBERS)])
