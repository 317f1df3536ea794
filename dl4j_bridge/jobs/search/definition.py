"""What a search is: the recordings, the settings that are fixed, those that vary, and the folder that stores it."""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import msgspec

from dl4j_bridge.atomic_files import check_folder, write_json
from dl4j_bridge.errors import InputError
from dl4j_bridge.jobs.new_run import open_pairs
from dl4j_bridge.jobs.search import storage
from dl4j_bridge.jobs.search.slots import Direction
from dl4j_bridge.model.run_folder import RUNS, RunFolder
from dl4j_bridge.object_store import as_path, is_remote
from dl4j_bridge.settings.checks import check, one_of, option
from dl4j_bridge.settings.search import SearchSettings
from dl4j_bridge.settings.training import TrainSettings
from dl4j_bridge.signal import augmentation
from dl4j_bridge.tasks import columns, registry, search_space
from dl4j_bridge.tasks.interface import Task
from dl4j_bridge.untrusted import files, json_text

# The objective that is no metric of a task.
SPEED = "real_time_factor"
FILE = "search.json"
LARGEST = 1 << 20
SEARCH_OPTIONS = tuple(f.name for f in fields(SearchSettings))
# Options that may change when a search is resumed.
FREE = ("trials", "minutes", "storage", "heartbeat", "threads")


@dataclass(frozen=True)
class Search:
    """What all workers of a search have in common: the content of ``search.json``.

    Attributes
    ----------
    study
        Name of the study in Optuna's storage.
    inputs, targets
        Absolute paths of the recordings.
    preset
        Name of a preset, or ``default``.
    options
        Options of `train` that are the same in each trial.
    vary
        As `search_space.space` takes it.
    settings
        Trials, limits and objectives. A password in the address of the storage is not stored.
    """

    study: str
    inputs: list[str]
    targets: list[str]
    preset: str
    options: dict[str, Any]
    vary: list[str]
    settings: SearchSettings

    @classmethod
    def of(
        cls, inputs: list[Path], targets: list[Path], preset: str, options: dict[str, Any], vary: list[str]
    ) -> Search:
        """Make a search from the options of the command, those of `SearchSettings` and of `train` together."""
        own = {name: options[name] for name in SEARCH_OPTIONS if name in options}
        fixed = {name: value for name, value in options.items() if name not in own}
        settings = SearchSettings(**own)
        if settings.minutes and settings.trial_minutes is None and not {"steps", "epochs"} & set(fixed):
            settings = replace(settings, trial_minutes=settings.minutes / settings.trials)
        study = f"{inputs[0].stem}-{uuid.uuid4().hex[:12]}"
        sources, others = ([str(path.absolute()) for path in paths] for paths in (inputs, targets))
        return cls(study, sources, others, preset, fixed, vary, settings)

    @property
    def train_settings(self) -> TrainSettings:
        """Settings of a trial without the parameters that are searched."""
        return self.with_parameters({})

    def with_parameters(self, parameters: dict[str, Any]) -> TrainSettings:
        """Settings of a trial."""
        options = {"minutes": self.settings.trial_minutes, **self.options, **parameters}
        return registry.train_settings(options, bool(self.targets), self.preset)

    @property
    def task(self) -> type[Task]:
        return registry.find(self.train_settings.network.task).load()

    @property
    def objectives(self) -> tuple[str, ...]:
        return self.settings.objectives or (self.task.loss,)

    @property
    def directions(self) -> list[Direction]:
        """``minimize`` or ``maximize`` of each objective."""
        better = (columns.column(name).better for name in self.objectives)
        return ["maximize" if direction == columns.HIGHER else "minimize" for direction in better]

    @property
    def space(self) -> search_space.Space:
        """Parameters that are searched; a preset fixes its own."""
        settings = self.train_settings
        preset = registry.preset_options(self.preset, registry.find(settings.network.task))
        task, fixed = settings.network.task, {*self.options, *preset}
        return search_space.space(task, self.objectives[0], settings.as_options(), fixed, self.vary)

    def as_facts(self) -> dict[str, Any]:
        """What a report shows: recordings by name, without their folders."""
        recordings = {"input": [Path(p).name for p in self.inputs], "target": [Path(p).name for p in self.targets]}
        stored = {name: ", ".join(names) for name, names in recordings.items() if names}
        own = {name: value for name, value in asdict(self.settings).items() if name != "storage"}
        return stored | {"preset": self.preset} | own | self.options

    def check(self) -> None:
        """Refuse what no trial could be run with.

        Raises
        ------
        InputError
            An option or a recording cannot be used.
        """
        self.settings.check()
        settings = self.train_settings
        first, *others = self.objectives
        check("objective", first, one_of(self.task.validation_metrics))
        for other in others:
            check("objective", other, one_of([SPEED]))
        if others and not self.targets:
            found = f"{SPEED} without --target"
            raise InputError("--objective", found, "wanted a network that turns an input into a target")
        if not settings.run.has_limit:
            wanted = "wanted --minutes, --trial-minutes, --steps or --epochs: a limit for each trial"
            raise InputError("--trials", "without the length of a trial", wanted)
        if not self.space:
            raise InputError("--vary", "nothing is left to search", "leave out an option, or name some with --vary")
        if "augment" in self.space:
            augmentation.check(replace(settings.small_data, augment="gain"))
        open_pairs([as_path(p) for p in self.inputs], [as_path(p) for p in self.targets], settings)


def begin(search: Search, out: Path | None) -> Path:
    """Check a search and make its folder; `worker.run_trials` does the rest.

    Raises
    ------
    InputError
        Before anything is written.
    """
    storage.require()
    search.check()
    folder = out or RunFolder.fresh_name(Path(f"search-{Path(search.inputs[0]).stem}"))
    if is_remote(folder):
        raise InputError(folder, "a search in an object store", "wanted --out FOLDER on this machine")
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError(folder, "a folder with files in it", "use --resume to continue a search, or another --out")
    if search.settings.storage:
        storage.open_storage(search.settings, folder)
    if folder.parent == RUNS:
        RUNS.mkdir(exist_ok=True)
    check_folder(folder)
    folder.mkdir(exist_ok=True)
    write(folder, search)
    return folder


def resume(folder: Path, changes: dict[str, Any]) -> Search:
    """Read a search to run its trials, as a further worker or after an interruption.

    Parameters
    ----------
    folder
        The search folder.
    changes
        Options of `FREE`.

    Raises
    ------
    InputError
        Not a search folder, or an option that cannot change any more.
    """
    storage.require()
    wanted = "wanted the folder of a search"
    content = files.read(folder / FILE, LARGEST, wanted)
    try:
        search = msgspec.convert(json_text.parse(content), Search)
    except ValueError as e:
        raise InputError(folder / FILE, f"not readable ({e})", wanted) from None
    if wrong := [name for name in changes if name not in FREE]:
        raise InputError(option(wrong[0]), "with --resume of a search", f"wanted only {', '.join(map(option, FREE))}")
    own = {name: value for name, value in changes.items() if name in SEARCH_OPTIONS}
    threads = {name: value for name, value in changes.items() if name not in own}
    search = replace(search, settings=replace(search.settings, **own), options=search.options | threads)
    search.check()
    if own:
        write(folder, search)
    return search


def write(folder: Path, search: Search) -> None:
    """Write ``search.json``, without the password of a database."""
    settings = search.settings
    if settings.storage:
        from sqlalchemy.engine import URL, make_url
        from sqlalchemy.exc import ArgumentError

        try:
            given = make_url(settings.storage)
        except ArgumentError:
            wanted = "wanted an address such as postgresql://USER@HOST/NAME"
            raise InputError("--storage", "not the address of a database", wanted) from None
        address = URL.create(
            given.drivername, given.username, None, given.host, given.port, given.database, given.query
        )
        settings = replace(settings, storage=address.render_as_string())
    write_json(folder / FILE, msgspec.to_builtins(replace(search, settings=settings)))
