"""DL4J's own zip, which a Java program loads with ``MultiLayerNetwork.load``."""

from pathlib import Path

from dl4j_bridge.atomic_files import write_bytes
from dl4j_bridge.model.model_zip import OpenedModel


def write(model: OpenedModel, output: Path) -> None:
    """Copy the model zip.

    Raises
    ------
    BridgeError
        It cannot be written.
    """
    write_bytes(output, model.path.read_bytes())
