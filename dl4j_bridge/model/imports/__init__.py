"""Formats of other programs that become a model. A new format is a file here and an entry of `FORMATS`."""

from pathlib import Path

from dl4j_bridge.errors import InputError
from dl4j_bridge.model.imports import dl4j, nam, proteus, pytorch, rtneural
from dl4j_bridge.model.imports.format import Format, Imported
from dl4j_bridge.settings.checks import check, one_of

# In the order in which they are recognised: a zip of PyTorch is one too.
FORMATS: dict[str, Format] = {
    "nam": nam.FORMAT,
    "proteus": proteus.FORMAT,
    "rtneural": rtneural.FORMAT,
    "pytorch": pytorch.FORMAT,
    "dl4j": dl4j.FORMAT,
}


def read(path: Path, content: bytes, name: str | None = None) -> tuple[str, Imported]:
    """The format and the network of a file.

    Parameters
    ----------
    path
        The file, for errors.
    content
        All of it.
    name
        A key of `FORMATS`; None if the content shows it.

    Raises
    ------
    InputError
        Unknown format, or the file holds something else than it can.
    """
    check("format", name, one_of(FORMATS))
    name = name or next((name for name, kind in FORMATS.items() if kind.recognises(content)), None)
    if name is None:
        raise InputError(path, "in no format that is known", f"wanted one of {', '.join(FORMATS)}")
    try:
        return name, FORMATS[name].read(content)
    except (ValueError, RecursionError) as e:
        raise InputError(path, f"not usable as {name}: {e}", f"wanted {FORMATS[name].wanted}") from None
