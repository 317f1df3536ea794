"""Formats that a model can be exported to. A new format is a file here and an entry of `FORMATS`."""

from collections.abc import Callable
from pathlib import Path

from dl4j_bridge.model.exports import dl4j
from dl4j_bridge.model.model_zip import OpenedModel

# Each writes a checked model to a file, which appears whole or not at all.
FORMATS: dict[str, Callable[[OpenedModel, Path], None]] = {"dl4j": dl4j.write}
