"""The model zip: write, read, refuse.

A model zip is DL4J's own (``ModelSerializer``): ``configuration.json``, ``coefficients.bin`` and, to resume from,
``updaterState.bin``. Beside them stand entries of ours, which DL4J passes over.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dl4j_bridge import __version__, tasks
from dl4j_bridge.atomic_files import TemporaryName
from dl4j_bridge.errors import BridgeError, InputError
from dl4j_bridge.java.network import Network
from dl4j_bridge.settings import config
from dl4j_bridge.signal.codec import CLASSES

ABOUT = "dl4j_bridge.json"
STATE = "dl4j_bridge_state.npz"
BASELINES = "dl4j_bridge_baselines.npz"
_DL4J_REQUIRED = {"configuration.json", "coefficients.bin"}
_KNOWN = _DL4J_REQUIRED | {"updaterState.bin", ABOUT, STATE, BASELINES}
# Larger than any network that trains on a desk; a zip that unpacks to more is a trap.
LARGEST_ENTRY = 1 << 30

# What every job needs to know of a model, and what this version can use.
_ABOUT_CHECKS: dict[str, Callable[[Any], bool]] = {
    "task": lambda v: v in config.TASKS,
    "predicts": lambda v: v in ("target", "next"),
    "rate": lambda v: isinstance(v, int) and v >= 1,
    "pairs": lambda v: (
        all(isinstance(p["delay"], int) and p["split"]["test"] and p["input"]["sha256"] for p in v) and v
    ),
    "settings": lambda v: config.TrainSettings.from_dict(v) is not None,
}

_SAMPLES_CHECKS: dict[str, Callable[[Any], bool]] = {
    "codec": lambda v: v in config.CODECS and v != "auto",
    "pre_emphasis": lambda v: 0 <= v < 1,
    "classes": lambda v: v == CLASSES,
}
_TASK_CHECKS: dict[str, dict[str, Callable[[Any], bool]]] = {
    "samples": _SAMPLES_CHECKS,
    "language-model": _SAMPLES_CHECKS,
    "frames": {
        "frame": lambda v: isinstance(v, int) and 1 <= v <= config.LONGEST_FRAME,
        "scale": lambda v: abs(v["mean"]) < float("inf") and 0 < v["range"] < float("inf"),
        "weighed": lambda v: isinstance(v, bool),
        "skip": lambda v: isinstance(v, bool),
    },
    "spectrogram": {
        "window": lambda v: isinstance(v, int) and 4 <= v <= config.LONGEST_WINDOW and v % 2 == 0,
        "hop": lambda v: isinstance(v, int) and 1 <= v <= config.LONGEST_WINDOW // 2,
        "scale": lambda v: 0 < v < float("inf"),
        "mask": lambda v: isinstance(v, bool),
    },
}

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Model:
    """A network and what must be known to use it.

    Attributes
    ----------
    network
        In the JVM.
    about
        The content of ``dl4j_bridge.json``.
    baselines
        Arrays of the baselines fitted on the training part, by "name/array".
    state
        The carried state of a run to resume; empty in a finished model.
    """

    network: Network
    about: dict[str, Any]
    baselines: Arrays = field(default_factory=dict)
    state: Arrays = field(default_factory=dict)


def resolve(model: Path) -> Path:
    """Give the zip that `--model` means: itself, or the best one of a run folder, or the last if none was judged."""
    if not model.is_dir():
        return model
    return next((z for name in ("model.zip", "last.zip") if (z := model / name).exists()), model / "model.zip")


def save(path: Path, model: Model, with_updater: bool) -> None:
    """Write a zip that appears whole or not at all."""
    try:
        with TemporaryName(path) as temporary:
            model.network.save(temporary, with_updater)
            with zipfile.ZipFile(temporary, "a", zipfile.ZIP_DEFLATED) as z:
                z.writestr(ABOUT, json.dumps(model.about, indent=2))
                if model.baselines:
                    z.writestr(BASELINES, _pack(model.baselines))
                if model.state:
                    z.writestr(STATE, _pack(model.state))
    except OSError as e:
        raise BridgeError(path, f"not written ({e.strerror or e})", "free some space or name another place") from e


def read_about(path: Path) -> dict[str, Any]:
    """Check a zip and give its ``dl4j_bridge.json``. Starts no JVM and unpacks nothing but that entry.

    Raises
    ------
    InputError
        Missing, not a zip, damaged, with entries that DL4J would deserialise as Java objects, or not one of ours.
    """
    with _checked(path) as z:
        return _read_about(path, z)


def steps_made(about: dict[str, Any]) -> int | None:
    """Give the steps behind a best or a last network; None where the file does not say."""
    return about.get("training", about.get("run_state", {})).get("step") or None


def load(path: Path) -> Model:
    """Check a zip and load all of it; the JVM must be running."""
    with _checked(path) as z:
        about = _read_about(path, z)
        names = set(z.namelist())
        baselines = _unpack(path, z.read(BASELINES)) if BASELINES in names else {}
        state = _unpack(path, z.read(STATE)) if STATE in names else {}
    settings = config.TrainSettings.from_dict(about["settings"]).network
    return Model(Network.load(path, settings, tasks.from_dict(about).interface), about, baselines, state)


def _checked(path: Path) -> zipfile.ZipFile:
    if not path.exists():
        raise InputError(path, "no such file", "wanted a run folder or a model zip")
    try:
        z = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as e:
        raise InputError(path, f"not a model zip ({e})", "wanted model.zip of a run folder") from None
    names = z.namelist()
    # DL4J hands preprocessor.bin and updater.bin to Java's deserialisation, which runs whatever a stranger put there.
    strange = [n for n in names if n not in _KNOWN]
    if strange:
        raise _refused(z, path, f"unknown entry {strange[0]!r}")
    if len(set(names)) != len(names):
        raise _refused(z, path, "an entry that is there twice")
    missing = sorted((_DL4J_REQUIRED | {ABOUT}) - set(names))
    if missing:
        raise _refused(z, path, f"no entry {missing[0]}")
    large = [i.filename for i in z.infolist() if i.file_size > LARGEST_ENTRY]
    if large:
        raise _refused(z, path, f"entry {large[0]} unpacks to more than 1 GiB")
    try:
        damaged = z.testzip()
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, ValueError, EOFError) as e:
        raise _refused(z, path, f"damaged ({e})") from None
    except Exception as e:  # zlib.error has no public base but Exception
        raise _refused(z, path, f"damaged ({e})") from None
    if damaged:
        raise _refused(z, path, f"entry {damaged} is damaged")
    _check_configuration(z, path)
    return z


def _check_configuration(z: zipfile.ZipFile, path: Path) -> None:
    """Let the configuration name DL4J's own classes only: its JSON says which Java classes to make."""
    try:
        configuration = json.loads(z.read("configuration.json"))
    except ValueError:
        raise _refused(z, path, "configuration.json is not JSON") from None
    for name in _class_names(configuration):
        if not name.startswith(("org.deeplearning4j.", "org.nd4j.linalg.")):
            raise _refused(z, path, f"configuration.json names the class {name!r}")


def _class_names(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [str(v) for k, v in node.items() if k == "@class"]
        return own + [n for v in node.values() for n in _class_names(v)]
    if isinstance(node, list):
        return [n for v in node for n in _class_names(v)]
    return []


def _refused(z: zipfile.ZipFile, path: Path, found: str) -> InputError:
    z.close()
    return InputError(path, found, "wanted model.zip of a run folder, as `train` wrote it")


def _read_about(path: Path, z: zipfile.ZipFile) -> dict[str, Any]:
    try:
        about = json.loads(z.read(ABOUT))
        checks = _ABOUT_CHECKS | _TASK_CHECKS.get(about["task"], {})
        wrong = [name for name, holds in checks.items() if not holds(about[name])]
        # What is further apart than half a window is not heard in full.
        if about["task"] == "spectrogram" and about["hop"] > about["window"] // 2:
            wrong.append("hop")
        if "sampling" in about and not _is_sampling(about["sampling"]):
            wrong.append("sampling")
    except (ValueError, TypeError, KeyError, AttributeError):
        raise InputError(path, f"{ABOUT} does not describe a model", "wanted model.zip of a run folder") from None
    if wrong:
        found = f"{ABOUT} says {wrong[0]} {str(about[wrong[0]])[:40]}"
        raise InputError(path, found, f"dl4j_bridge {__version__} cannot use that: wanted a model that it trained")
    return dict(about)


def _is_sampling(found: dict[str, Any]) -> bool:
    """True for what the end of training finds out about drawing; models that draw nothing have none."""
    usual = found.get("usual")
    if usual is not None and not all(abs(usual[name]) < float("inf") for name in ("level_db", "order_1_bits")):
        return False
    return bool(0 < found["temperature"] < float("inf"))


def _pack(arrays: Arrays) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def _unpack(path: Path, content: bytes) -> Arrays:
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as z:
            return {name: z[name] for name in z.files}
    except (ValueError, OSError, zipfile.BadZipFile) as e:
        raise InputError(path, f"damaged arrays ({e})", "wanted model.zip of a run folder") from None
