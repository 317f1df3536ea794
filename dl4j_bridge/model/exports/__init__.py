"""Formats that a model can be exported to. A new format is a file here and an entry of `FORMATS`."""

from dl4j_bridge.model.exports import dl4j, nam, onnx, proteus, rtneural
from dl4j_bridge.model.exports.format import Format

FORMATS: dict[str, Format] = {
    "onnx": onnx.FORMAT,
    "nam": nam.FORMAT,
    "rtneural": rtneural.FORMAT,
    "proteus": proteus.FORMAT,
    "dl4j": dl4j.FORMAT,
}
