"""The model zip: write, check, read.

A model zip is DL4J's own (``ModelSerializer``): ``configuration.json``, ``coefficients.bin`` and, to resume from,
``updaterState.bin``. Beside them are entries of this package, which DL4J ignores.
"""

import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from dl4j_bridge import __version__
from dl4j_bridge.atomic_files import temporary_name
from dl4j_bridge.errors import InputError
from dl4j_bridge.java.network import Network
from dl4j_bridge.model import stored_network
from dl4j_bridge.model.info import ModelInfo, RunState
from dl4j_bridge.model.stored_network import StoredNetwork
from dl4j_bridge.tasks.baselines.base import Arrays
from dl4j_bridge.untrusted import arrays, files, json_text, zips

ABOUT = "dl4j_bridge.json"
STATE = "dl4j_bridge_state.npz"
BASELINES = "dl4j_bridge_baselines.npz"
_REQUIRED = (stored_network.CONFIGURATION, stored_network.PARAMETERS, ABOUT)
# Maximum size of each entry in bytes.
LARGEST = stored_network.LARGEST | {ABOUT: 4 << 20, STATE: 256 << 20, BASELINES: 256 << 20}


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
    """A zip that was read and checked once.

    Attributes
    ----------
    path
        The zip.
    given
        What it was opened by: the zip, or its run folder.
    info
        Its metadata; reading it started no JVM.
    stored, baselines, state
        Its parameters and arrays.
    """

    path: Path
    given: Path
    info: ModelInfo
    stored: StoredNetwork
    baselines: Arrays
    state: Arrays

    def load(self) -> Model:
        """Make the network, which starts the JVM."""
        settings = self.info.settings.network
        if self.info.run_state:
            settings = replace(settings, learning_rate=self.info.run_state.learning_rate)
        stored = self.stored
        network = Network.restored(
            settings,
            self.info.task.interface,
            stored.parameters,
            stored.updater,
            stored.iterations,
            self.info.silence,
        )
        return Model(network, self.info, self.baselines, self.state)

    def resumable_state(self) -> RunState:
        """Return the state of the training, after checking that the zip has all that resumed training needs.

        Raises
        ------
        InputError
            Without it, training would silently continue with other results.
        """
        network, state = self.info.settings.network, self.info.run_state
        wanted = "bring back last.zip as `train` wrote it, or begin another run with --out"
        if state is None:
            raise InputError(self.path, f"{ABOUT} has no run_state", wanted)
        if state.step == 0:
            return state
        if self.stored.updater is None and network.updater != "sgd":
            raise InputError(self.path, f"no entry {stored_network.UPDATER} to resume from", wanted)
        shape = (self.info.settings.run.batch, network.hidden)
        for name in (f"{layer}/{part}" for layer in range(network.layers) for part in ("prevAct", "prevMem")):
            if name not in self.state or self.state[name].shape != shape:
                raise InputError(self.path, f"{STATE} has no {name} of shape {shape}", wanted)
        return state


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
            for name, values in ((BASELINES, model.baselines), (STATE, model.state)):
                if values:
                    z.writestr(name, arrays.pack(values))


def open_model(model: Path) -> OpenedModel:
    """Read and check a run folder's zip, or a zip.

    Raises
    ------
    InputError
        Missing, not a zip, damaged, with other entries than a model has, or not one of ours.
    """
    path = resolve(model)
    largest = sum(LARGEST.values())
    content = files.read(path, largest, "wanted a run folder or a model zip")
    with _refusals(path):
        if not zipfile.is_zipfile(io.BytesIO(content)):
            raise ValueError("not a model zip")
        zips.check_layout(content)
        entries = zips.read(content, LARGEST.get, largest)
        missing = [name for name in _REQUIRED if name not in entries]
        if missing:
            raise ValueError(f"no entry {missing[0]}")
    info = _read_info(path, entries[ABOUT])
    with _refusals(path):
        stored = stored_network.read(entries, info.settings.network, info.task.interface)
    return OpenedModel(path, model, info, stored, _arrays(path, entries, BASELINES), _arrays(path, entries, STATE))


def _arrays(path: Path, entries: dict[str, bytes], name: str) -> Arrays:
    with _refusals(path, f"{name}: "):
        return arrays.unpack(entries[name]) if name in entries else {}


@contextmanager
def _refusals(path: Path, prefix: str = "") -> Iterator[None]:
    """Turn the fault of an entry into one line."""
    try:
        yield
    except (ValueError, RecursionError) as e:
        raise InputError(path, f"{prefix}{e}", "wanted model.zip of a run folder, as `train` wrote it") from None


def _read_info(path: Path, content: bytes) -> ModelInfo:
    try:
        return ModelInfo.from_dict(json_text.parse(content))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, InputError) as e:
        wanted = f"wanted a model that dl4j_bridge {__version__} can use"
        raise InputError(
            path, f"{ABOUT} does not describe a model ({type(e).__name__}: {str(e)[:300]})", wanted
        ) from None
