"""A plan: a TOML file that names pairs of recordings, and the options of `train` for all or for one of them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from dl4j_bridge.atomic_files import check_folder
from dl4j_bridge.errors import InputError
from dl4j_bridge.model.exports import FORMATS
from dl4j_bridge.model.run_folder import RUNS
from dl4j_bridge.object_store import as_path, is_remote
from dl4j_bridge.settings.checks import check, one_of, option
from dl4j_bridge.settings.training import TrainSettings, WorkersSettings
from dl4j_bridge.tasks import registry
from dl4j_bridge.untrusted import files

LARGEST = 16 << 20
# Keys of a plan that are no options of a training.
KEYS = ("input", "target", "export", "preset", "pair")
PAIR_KEYS = ("name", "input", "target")
EXPORTS = "exports"
# What a batch writes beside its run folders.
RESERVED = (EXPORTS, "report.html", "batch.png")


@dataclass(frozen=True)
class Entry:
    """A run of a plan.

    Attributes
    ----------
    name
        Name of its run folder.
    source, target
        Recordings, absolute; no target to learn the next sample.
    options
        Options of its training by name of field.
    preset
        Name of a preset.
    """

    name: str
    source: Path
    target: Path | None
    options: dict[str, Any]
    preset: str

    def settings(self, threads: int) -> TrainSettings:
        """Settings of the training, with `threads` unless the plan names a number."""
        return registry.train_settings({"threads": threads, **self.options}, self.target is not None, self.preset)


@dataclass(frozen=True)
class Plan:
    """The content of a plan; `export` holds the formats that each model is written in."""

    entries: list[Entry]
    export: list[str] = field(default_factory=list)


def read(path: Path) -> Plan:
    """Read a plan. Paths in it are relative to its folder.

    Raises
    ------
    InputError
        If it is not readable or not TOML, names no recordings or an unknown option, two runs have one name, or one
        has a name that the batch needs.
    """
    content = files.read(path, LARGEST, "wanted a plan: a TOML file")
    try:
        given = tomllib.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as e:
        raise InputError(path, f"not TOML ({e})", 'wanted lines such as: input = "*_dry.wav"') from None
    formats = _texts(path, "export", given.get("export", []))
    for name in formats:
        check("export", name, one_of(FORMATS))
    preset = str(given.get("preset", registry.DEFAULT))
    options = _options(path, {k: v for k, v in given.items() if k not in KEYS})
    found = [*_matching(path, given, options, preset), *_listed(path, given, options, preset)]
    if not found:
        raise InputError(path, "no recordings", 'wanted input = "*_dry.wav" and target = "*_wet.wav", or [[pair]]')
    names = [entry.name for entry in found]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(path, f"two pairs are called {twice}", "wanted a name for each: [[pair]] name = ...")
    if taken := next((name for name in names if name.lower() in RESERVED), None):
        raise InputError(path, f"a pair called {taken}", "wanted another name: the batch writes its own there")
    for entry in found:
        entry.settings(1)
    return Plan(found, formats)


def prepared_folder(plan: Path, out: Path | None, resume: bool) -> Path:
    """Make the folder of a batch; returns its absolute path.

    Raises
    ------
    InputError
        It holds files, but the batch is not resumed.
    """
    folder = (out or RUNS / plan.stem).absolute()
    if not resume and folder.is_dir() and any(folder.iterdir()):
        raise InputError(folder, "a folder with files in it", "use --resume to continue a batch, or another --out")
    if out is None:
        RUNS.mkdir(exist_ok=True)
    check_folder(folder)
    folder.mkdir(exist_ok=True)
    return folder


def _matching(path: Path, given: dict[str, Any], options: dict[str, Any], preset: str) -> list[Entry]:
    """Pairs whose files match patterns: where both have the same text for the star."""
    if "input" not in given:
        return []
    folder, source = _pattern(path, "input", given["input"])
    others, target = _pattern(path, "target", given["target"]) if "target" in given else (folder, None)
    before, after = source.split("*")
    entries = []
    for file in sorted(folder.glob(source)):
        star = file.relative_to(folder).as_posix().removeprefix(before).removesuffix(after)
        other = others / target.replace("*", star) if target else None
        entries.append(Entry(star or file.stem, file, other, options, preset))
    if not entries:
        raise InputError(
            path, f"no file matches {given['input']}", "wanted a pattern relative to the folder of the plan"
        )
    return entries


def _listed(path: Path, given: dict[str, Any], options: dict[str, Any], preset: str) -> list[Entry]:
    """Pairs that the plan names one by one, each with options of its own."""
    pairs = given.get("pair", [])
    if not isinstance(pairs, list) or not all(isinstance(pair, dict) and "input" in pair for pair in pairs):
        raise InputError(path, "a pair without input", 'wanted [[pair]] and below it input = "dry.wav"')
    entries = []
    for pair in pairs:
        named = {key: str(pair[key]) for key in PAIR_KEYS if key in pair}
        own = _options(path, {k: v for k, v in pair.items() if k not in PAIR_KEYS})
        source = _place(path, named["input"])
        target = _place(path, named["target"]) if "target" in named else None
        name = named.get("name", source.stem)
        if name in ("", ".", "..") or "/" in name or "\\" in name:
            raise InputError(path, f"a pair called {name}", "wanted the name of a folder")
        entries.append(Entry(name, source, target, options | own, preset))
    return entries


def _options(path: Path, given: dict[str, Any]) -> dict[str, Any]:
    """Check the options of `train` in a plan; a batch has its own workers."""
    options = registry.checked_options(str(path), given)
    for f in fields(WorkersSettings):
        if f.name in options:
            raise InputError(path, f"{option(f.name)[2:]} in a plan", "wanted none: a run of a batch is one worker")
    return options


def _place(path: Path, name: str) -> Path:
    """A path in a plan: relative to its folder, or an address in an object store."""
    address = as_path(name)
    return address if is_remote(address) else path.absolute().parent / name


def _pattern(path: Path, key: str, value: Any) -> tuple[Path, str]:
    """The last folder before the star, and the pattern from there on."""
    if not isinstance(value, str) or value.count("*") != 1 or value.startswith("/"):
        raise InputError(path, f"{key} = {value}", 'wanted a pattern with one star, such as "captures/*_dry.wav"')
    folder = value.partition("*")[0].rpartition("/")[0]
    return _place(path, folder), value.removeprefix(folder).removeprefix("/")


def _texts(path: Path, key: str, value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise InputError(path, f"{key} = {value}", 'wanted a list such as ["nam", "onnx"]')
    return value
