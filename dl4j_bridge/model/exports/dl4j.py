"""DL4J's own zip, which a Java program loads with ``MultiLayerNetwork.load``."""

from dl4j_bridge.model.exports.format import Format
from dl4j_bridge.model.model_zip import OpenedModel
from dl4j_bridge.settings.commands import ExportSettings


def check(model: OpenedModel) -> None:
    """Every model is one."""


def content(model: OpenedModel, settings: ExportSettings) -> bytes:
    return model.path.read_bytes()


FORMAT = Format(".zip", check, content)
