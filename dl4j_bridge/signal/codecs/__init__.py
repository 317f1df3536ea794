"""8-bit codecs by name. A new codec is a file here and an entry in `CODECS`."""

from dl4j_bridge.errors import InputError
from dl4j_bridge.settings.checks import option
from dl4j_bridge.signal.codecs.codec import CLASSES, SILENCE, Codec
from dl4j_bridge.signal.codecs.linear import LINEAR
from dl4j_bridge.signal.codecs.mulaw import MULAW

__all__ = ["CLASSES", "CODECS", "LINEAR", "MULAW", "SILENCE", "Codec", "get_codec"]

CODECS = {codec.name: codec for codec in (LINEAR, MULAW)}


def get_codec(name: str, source_is_8_bit: bool = False) -> Codec:
    """Return the codec `name`; ``auto`` is linear for an 8-bit source, otherwise mu-law.

    Raises
    ------
    InputError
        If no codec has that name.
    """
    if name == "auto":
        return LINEAR if source_is_8_bit else MULAW
    if name not in CODECS:
        raise InputError(option("codec"), name, f"wanted one of {', '.join(['auto', *CODECS])}")
    return CODECS[name]
