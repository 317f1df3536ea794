"""The model zip: write, check, read.

A model zip is DL4J's own (``ModelSerializer``): ``configuration.json``, ``coefficients.bin`` and, to resume from,
``updaterState.bin``. Beside them are entries of this package, which DL4J ignores.
"""

import io
import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dl4j_bridge import __version__
from dl4j_bridge.atomic_files import temporary_name
from dl4j_bridge.errors import InputError
from dl4j_bridge.java.network import Network
from dl4j_bridge.model.info import ModelInfo
from dl4j_bridge.tasks.baselines.base import Arrays

ABOUT = "dl4j_bridge.json"
STATE = "dl4j_bridge_state.npz"
BASELINES = "dl4j_bridge_baselines.npz"
_DL4J_REQUIRED = {"configuration.json", "coefficients.bin"}
_KNOWN = _DL4J_REQUIRED | {"updaterState.bin", ABOUT, STATE, BASELINES}
# Larger than any network that trains on a desk; a zip that unpacks to more is a trap.
LARGEST_ENTRY = 1 << 30


@dataclass(frozen=True)
class Model:
    """A network and what must be known to use it.

    Attributes
    ----------
    network
        The network in the JVM.
    info
        Its metadata.
    baselines
        Arrays of the baselines that were fitted on the training part, by ``name/array``.
    state
        The carried state of a run to resume; empty in a finished model.
    """

    network: Network
    info: ModelInfo
    baselines: Arrays = field(default_factory=dict)
    state: Arrays = field(default_factory=dict)


@dataclass(frozen=True)
class OpenedModel:
    """A zip that was checked once; its metadata, and the rest on demand.

    Attributes
    ----------
    path
        The zip.
    info
        Its metadata; reading it started no JVM.
    """

    path: Path
    info: ModelInfo
    _arrays: dict[str, bytes]

    def load(self) -> Model:
        """Load the network, which starts the JVM."""
        network = Network.load(self.path, self.info.settings.network, self.info.task.interface)
        return Model(network, self.info, *(_unpack(self.path, self._arrays.get(name)) for name in (BASELINES, STATE)))


def resolve(model: Path) -> Path:
    """The zip that `--model` means: itself, or the best one of a run folder, or the last if none was validated."""
    if not model.is_dir():
        return model
    return next((z for name in ("model.zip", "last.zip") if (z := model / name).exists()), model / "model.zip")


def save(path: Path, model: Model, with_updater: bool) -> None:
    """Write a zip that appears whole or not at all.

    Raises
    ------
    BridgeError
        It cannot be written, as on a full disk.
    """
    with temporary_name(path) as temporary:
        model.network.save(temporary, with_updater)
        with zipfile.ZipFile(temporary, "a", zipfile.ZIP_DEFLATED) as z:
            z.writestr(ABOUT, json.dumps(model.info.as_dict(), indent=2))
            for name, arrays in ((BASELINES, model.baselines), (STATE, model.state)):
                if arrays:
                    z.writestr(name, _pack(arrays))


def open_model(model: Path) -> OpenedModel:
    """Check a run folder's zip, or a zip, and read all of it but the network.

    Raises
    ------
    InputError
        Missing, not a zip, damaged, with entries that DL4J would deserialize as Java objects, or not one of ours.
    """
    path = resolve(model)
    if not path.exists():
        raise InputError(path, "no such file", "wanted a run folder or a model zip")
    try:
        with zipfile.ZipFile(path) as z:
            _check(path, z)
            arrays = {name: z.read(name) for name in (BASELINES, STATE) if name in z.namelist()}
            return OpenedModel(path, _read_info(path, z), arrays)
    except (zipfile.BadZipFile, OSError) as e:
        raise InputError(path, f"not a model zip ({e})", "wanted model.zip of a run folder") from None


def _check(path: Path, z: zipfile.ZipFile) -> None:
    """Refuse a zip that must not be given to DL4J."""
    names = z.namelist()
    # DL4J deserializes preprocessor.bin and updater.bin as Java objects, which runs whatever a stranger put there.
    if strange := [n for n in names if n not in _KNOWN]:
        raise _refused(path, f"unknown entry {strange[0]!r}")
    if len(set(names)) != len(names):
        raise _refused(path, "an entry that is there twice")
    if missing := sorted((_DL4J_REQUIRED | {ABOUT}) - set(names)):
        raise _refused(path, f"no entry {missing[0]}")
    if large := [i.filename for i in z.infolist() if i.file_size > LARGEST_ENTRY]:
        raise _refused(path, f"entry {large[0]} unpacks to more than 1 GiB")
    try:
        damaged = z.testzip()
    except Exception as e:  # zlib.error has no public base but Exception
        raise _refused(path, f"damaged ({e})") from None
    if damaged:
        raise _refused(path, f"entry {damaged} is damaged")
    try:
        configuration = json.loads(z.read("configuration.json"))
    except ValueError:
        raise _refused(path, "configuration.json is not JSON") from None
    # Its JSON chooses the Java classes to make: they must be DL4J's own.
    for name in _class_names(configuration):
        if not name.startswith(("org.deeplearning4j.", "org.nd4j.linalg.")):
            raise _refused(path, f"configuration.json names the class {name!r}")


def _refused(path: Path, found: str) -> InputError:
    return InputError(path, found, "wanted model.zip of a run folder, as `train` wrote it")


def _class_names(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [str(v) for k, v in node.items() if k == "@class"]
        return own + [n for v in node.values() for n in _class_names(v)]
    if isinstance(node, list):
        return [n for v in node for n in _class_names(v)]
    return []


def _read_info(path: Path, z: zipfile.ZipFile) -> ModelInfo:
    try:
        return ModelInfo.from_dict(json.loads(z.read(ABOUT)))
    except (ValueError, TypeError, KeyError, AttributeError, InputError) as e:
        wanted = f"wanted a model that dl4j_bridge {__version__} can use"
        raise InputError(path, f"{ABOUT} does not describe a model ({type(e).__name__}: {e})", wanted) from None


def _pack(arrays: Arrays) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def _unpack(path: Path, content: bytes | None) -> Arrays:
    if content is None:
        return {}
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as z:
            return {name: z[name] for name in z.files}
    except (ValueError, OSError, zipfile.BadZipFile) as e:
        raise InputError(path, f"damaged arrays ({e})", "wanted model.zip of a run folder") from None
