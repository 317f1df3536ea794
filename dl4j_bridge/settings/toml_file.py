"""Options of a command in a TOML file, with flat keys named like the options."""

import json
import tomllib
from collections.abc import Collection, Mapping
from os import PathLike
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin

from dl4j_bridge.atomic_files import write_bytes
from dl4j_bridge.errors import InputError
from dl4j_bridge.settings import habits
from dl4j_bridge.untrusted import files

# Maximum size of a file of options in bytes.
LARGEST = 1 << 20

# For each kind of option, the valid types in TOML and their name in errors.
_KINDS: dict[type, tuple[tuple[type, ...], str]] = {
    bool: ((bool,), "true or false"),
    int: ((int,), "a whole number"),
    float: ((float, int), "a number"),
    # The value of some options is a word or a number, for example --align.
    str: ((str, int), "a text"),
    Path: ((str,), "the name of a file or folder"),
}


# Name of the parameter of the command and hint of its type, by key: the option without its hyphens in front.
Options = Mapping[str, tuple[str, Any]]


def read(path: Path, options: Options, ignored: Collection[str] = ()) -> dict[str, Any]:
    """Read the values of the parameters of a command.

    Parameters
    ----------
    path
        TOML file. A key has hyphens, like the option, or underscores.
    options
        Options of the command by key, with hyphens.
    ignored
        Options of other commands, which the file may have.

    Returns
    -------
    dict
        Values by name of the parameter.

    Raises
    ------
    InputError
        If the file is not readable or not TOML, a key is unknown, or a value has the wrong type.
    """
    content = files.read(path, LARGEST, "wanted a TOML file of options")
    try:
        given = tomllib.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as e:
        raise InputError(path, f"not TOML ({e})", 'wanted lines such as: hidden = 200 or codec = "mulaw"') from None
    return checked(path, {k: v for k, v in given.items() if k.replace("_", "-") not in ignored}, options)


def checked(source: str | PathLike[str], given: Mapping[str, Any], options: Options) -> dict[str, Any]:
    """Check keys and types of options, as `read` does for a file.

    Parameters
    ----------
    source
        Origin of the options, for errors.
    given
        Values by key, with hyphens or underscores.
    options
        Valid options by key, with hyphens.

    Returns
    -------
    dict
        Values by name of the parameter.
    """
    values = {}
    for key, value in given.items():
        name = key.replace("_", "-")
        if name not in options:
            near = habits.ours(name, options)
            wanted = f"did you mean {near}?" if near else f"wanted one of {', '.join(options)}"
            raise InputError(source, f"unknown option {key}", wanted)
        parameter, hint = options[name]
        values[parameter] = _checked(source, key, value, hint)
    return values


def write(path: Path, values: Mapping[str, Any]) -> None:
    """Write options by name of the field, for `read`; values of None are omitted."""
    import tomli_w

    given = {name.replace("_", "-"): value for name, value in values.items() if value is not None}
    write_bytes(path, tomli_w.dumps(given).encode())


def _checked(source: str | PathLike[str], key: str, value: Any, hint: Any) -> Any:
    kind = next(k for k in get_args(hint) if k is not type(None)) if isinstance(hint, UnionType) else hint
    repeats = get_origin(kind) is list
    kind = get_args(kind)[0] if repeats else kind
    types, wanted = _KINDS[kind]
    values = value if isinstance(value, list) else [value]
    # isinstance would accept a bool as an int.
    if any(type(v) not in types for v in values):
        shown = json.dumps(value, default=str)
        raise InputError(source, f"{key} = {shown}", f"wanted {wanted}" + " or a list" * repeats)
    if kind is str:
        values = [str(v) for v in values]
    if repeats:
        return values
    if len(values) != 1:
        raise InputError(source, f"{key} holds {len(values)} values", "wanted one")
    return values[0]
