"""Where Optuna stores the trials of a search: a journal file, or a database that several machines share."""

from __future__ import annotations

import random
import threading
import time
import warnings
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from dl4j_bridge.errors import InputError
from dl4j_bridge.settings.search import SearchSettings

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

# A worker locks the file of its trial within this number of seconds.
LOCKED_AFTER = 10

# Number of times that a worker opens a new database again, whose tables another worker is making.
COLLISIONS = 5


def require() -> None:
    """Check that Optuna is installed, and silence it.

    Raises
    ------
    InputError
        It is not.
    """
    try:
        import optuna
    except ImportError:
        wanted = "run: pip install 'dl4j_bridge[search]'"
        raise InputError("search", "needs optuna, which is not installed", wanted) from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)


def open_storage(settings: SearchSettings, folder: Path) -> BaseStorage:
    """The database of the settings, or the journal in the search folder.

    Raises
    ------
    InputError
        The database cannot be used.
    """
    return _database(settings.storage, settings.heartbeat) if settings.storage else _journal(folder)


def _database(address: str, heartbeat: int) -> BaseStorage:
    import optuna
    import sqlalchemy

    if address.startswith("postgresql://"):
        address = address.replace("postgresql://", "postgresql+psycopg://", 1)
    opened = partial(optuna.storages.RDBStorage, heartbeat_interval=heartbeat, grace_period=3 * heartbeat)
    # Workers that start together make the tables of a new database at the same time. Optuna makes them in several
    # transactions, so one worker may be late more than once.
    collisions = (sqlalchemy.exc.IntegrityError, sqlalchemy.exc.ProgrammingError)
    try:
        for _ in range(COLLISIONS):
            with suppress(*collisions):
                return opened(address)
            time.sleep(random.uniform(0.1, 0.5))
        return opened(address)
    except (ImportError, ValueError, sqlalchemy.exc.SQLAlchemyError) as e:
        reason = " ".join(str(getattr(e, "orig", None) or e).split())
        wanted = "wanted a database that runs, such as postgresql://USER@HOST/NAME"
        raise InputError("--storage", f"not usable ({reason[:200]})", wanted) from e


def _journal(folder: Path) -> BaseStorage:
    """A file of all operations. Optuna has no heartbeat for it: a worker holds a lock, which goes when it dies."""
    from optuna.storages import JournalStorage
    from optuna.storages._heartbeat import BaseHeartbeat
    from optuna.storages.journal import JournalFileBackend
    from optuna.storages.journal._file import BaseJournalFileLock
    from optuna.trial import TrialState

    class Lock(BaseJournalFileLock):
        """Optuna's own locks stay for half a minute when their process is killed."""

        def __init__(self) -> None:
            self._lock = _lock(folder / ".journal.lock")

        def acquire(self) -> bool:
            self._lock.acquire()
            return True

        def release(self) -> None:
            self._lock.release()

    class Journal(JournalStorage, BaseHeartbeat):
        def __init__(self) -> None:
            super().__init__(JournalFileBackend(str(folder / "journal.log"), Lock()))
            self._held: dict[int, FileLock] = {}
            self._beat = threading.Lock()

        def record_heartbeat(self, trial_id: int) -> None:
            with self._beat:
                if trial_id not in self._held:
                    self._held = {trial_id: _lock(folder / f".trial-{trial_id}.lock")}
                    self._held[trial_id].acquire()

        def _get_stale_trial_ids(self, study_id: int) -> list[int]:
            running = self.get_all_trials(study_id, deepcopy=False, states=(TrialState.RUNNING,))
            others = [trial for trial in running if trial._trial_id not in self._held]
            return [trial._trial_id for trial in others if self._has_no_worker(trial)]

        def _has_no_worker(self, trial: FrozenTrial) -> bool:
            began = trial.datetime_start
            if began is None or datetime.now(began.tzinfo) - began < timedelta(seconds=LOCKED_AFTER):
                return False
            try:
                with _lock(folder / f".trial-{trial._trial_id}.lock").acquire(timeout=0):
                    return True
            except Timeout:
                return False

        def get_heartbeat_interval(self) -> int:
            return SearchSettings.heartbeat

        def get_heartbeat_stale_trial_callback(self) -> None:
            return None

    return Journal()


def _lock(path: Path) -> FileLock:
    """A lock that the heartbeat's thread may take."""
    return FileLock(path, thread_local=False)
