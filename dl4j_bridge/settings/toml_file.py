"""A command's options in a TOML file: flat keys, named like the options."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from os import PathLike
from pathlib import Path
from typing import Any

from dl4j_bridge.atomic_files import write_bytes
from dl4j_bridge.errors import InputError

# For each kind of option: what TOML may hold for it, and how an error names that.
_KINDS: dict[type, tuple[tuple[type, ...], str]] = {
    bool: ((bool,), "true or false"),
    int: ((int,), "a whole number"),
    float: ((float, int), "a number"),
    # Some options take a word or a number, such as --align.
    str: ((str, int), "a text"),
    Path: ((str,), "the name of a file or folder"),
}


@dataclass(frozen=True)
class Option:
    """What a key may hold.

    Attributes
    ----------
    parameter
        Name of the command's parameter.
    kind
        bool, int, float, str or Path.
    repeats
        True if it may hold several values, as a list.
    """

    parameter: str
    kind: type
    repeats: bool = False


def read(path: Path, options: Mapping[str, Option]) -> dict[str, Any]:
    """Read values for a command's parameters.

    Parameters
    ----------
    path
        A TOML file. A key may be spelt with hyphens, as the option, or with underscores.
    options
        The keys that there are.

    Returns
    -------
    dict
        By name of parameter.

    Raises
    ------
    InputError
        Not readable, not TOML, an unknown key, or a value of the wrong type.
    """
    return checked(path, _parsed(path), options)


def checked(source: str | PathLike[str], given: Mapping[str, Any], options: Mapping[str, Option]) -> dict[str, Any]:
    """Check keys and types of what `source` gives, as `read` does for a file."""
    values = {}
    for key, value in given.items():
        name = key.replace("_", "-")
        if name not in options:
            near = get_close_matches(name, options, n=1)
            wanted = f"did you mean {near[0]}?" if near else f"wanted one of {', '.join(options)}"
            raise InputError(source, f"unknown option {key}", wanted)
        values[options[name].parameter] = _checked(source, key, value, options[name])
    return values


def write(path: Path, values: Mapping[str, Any]) -> None:
    """Write options, by name of field, so that `read` gives them back; those that are None are left out."""
    import tomli_w

    given = {name.replace("_", "-"): value for name, value in values.items() if value is not None}
    write_bytes(path, tomli_w.dumps(given).encode())


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as e:
        raise InputError(path, f"not readable ({e.strerror})", "wanted a TOML file of options") from None
    except ValueError as e:
        raise InputError(path, f"not TOML ({e})", 'wanted lines such as: hidden = 200 or codec = "mulaw"') from None


def _checked(source: str | PathLike[str], key: str, value: Any, option: Option) -> Any:
    types, wanted = _KINDS[option.kind]
    values = value if isinstance(value, list) else [value]
    # Not isinstance: to Python, true is a whole number.
    if any(type(v) not in types for v in values):
        raise InputError(source, f"{key} = {_as_toml(value)}", f"wanted {wanted}" + " or a list" * option.repeats)
    if option.kind is str:
        values = [str(v) for v in values]
    if option.repeats:
        return values
    if len(values) != 1:
        raise InputError(source, f"{key} holds {len(values)} values", "wanted one")
    return values[0]


def _as_toml(value: Any) -> str:
    import json

    return json.dumps(value, default=str)
