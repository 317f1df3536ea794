"""No trial of a search is lost or done twice, whenever a worker dies; the trials here compute nothing."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dl4j_bridge.jobs.search import slots, storage
from dl4j_bridge.settings.search import SearchSettings

pytest.importorskip("optuna")

TRIALS = 8
# A worker: it dies in the trials whose slots it is told, before, while or after it reports.
WORKER = """
import os, sys, time
from pathlib import Path
from dl4j_bridge.errors import BridgeError
from dl4j_bridge.jobs.search import slots, storage
from dl4j_bridge.settings.search import SearchSettings

folder, address, deaths = Path(sys.argv[1]), sys.argv[2] or None, dict(d.split("=") for d in sys.argv[3:])
storage.require()
storage.LOCKED_AFTER = 1
settings = SearchSettings(trials=8, pruner="none", storage=address, heartbeat=1)
study = slots.open_study("search", folder, settings, ["minimize"])
slots.add_slots(study, settings.trials, {"x": 1.0})

def objective(trial):
    slot = slots.begin(study, trial)
    if slot is None:
        raise BridgeError("trial", "superfluous", "")
    where = deaths.get(str(slot))
    if where == "first":
        os._exit(9)
    x = trial.suggest_float("x", 0, 3)
    if where == "later":
        os._exit(9)
    with open(folder / f"{slot}.txt", "a") as f:
        f.write(f"{x}\\n")
    time.sleep(0.02)
    return x

while (state := slots.state(study)) != "done":
    if state == "waiting":
        study.optimize(objective, n_trials=1, catch=(BridgeError,))
    else:
        time.sleep(0.2)
"""


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a PostgreSQL server of our own."""
    initdb, pg_ctl = shutil.which("initdb"), shutil.which("pg_ctl")
    if not initdb or not pg_ctl:
        pytest.skip("no PostgreSQL server: apt-get install postgresql, and put its initdb and pg_ctl on the PATH")
    pytest.importorskip("psycopg")
    # The server refuses root, and the folders of pytest are closed to others.
    as_user: list[str] = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    made = subprocess.run([*as_user, "mktemp", "-d"], capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"no user postgres to run the server as: {made.stderr}")
    folder = made.stdout.strip()
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    options = f"-c listen_addresses=127.0.0.1 -p {port} -k {folder} -c fsync=off"
    run = {"check": True, "stdout": subprocess.DEVNULL, "cwd": "/"}
    subprocess.run([*as_user, initdb, "-D", f"{folder}/data", "-A", "trust", "-U", "trials"], **run)
    server = [*as_user, pg_ctl, "-D", f"{folder}/data", "-w"]
    subprocess.run([*server, "-o", options, "-l", f"{folder}/log", "start"], **run)
    yield f"postgresql://trials@127.0.0.1:{port}/postgres"
    subprocess.run([*server, "-m", "immediate", "stop"], **run)
    subprocess.run([*as_user, "rm", "-rf", folder], **run)


def worker(folder: Path, address: str, *deaths: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", WORKER, str(folder), address, *deaths])


@pytest.mark.parametrize("kind", ["journal", "postgresql"])
def test_trials_of_dead_workers_are_run_again_and_no_other(request, tmp_path, kind):
    address = request.getfixturevalue("postgresql") if kind == "postgresql" else ""
    workers = [worker(tmp_path, address, "2=first", "5=later") for _ in range(3)]
    assert [process.wait(60) for process in workers] == [9, 9, 9]
    last = worker(tmp_path, address)
    assert last.wait(60) == 0
    storage.require()
    settings = SearchSettings(trials=TRIALS, storage=address or None)
    study = slots.open_study("search", tmp_path, settings, ["minimize"])
    trials = slots.by_slot(study)
    assert list(trials) == list(range(TRIALS))
    for slot, found in trials.items():
        complete = [t for t in found if t.state.name == "COMPLETE"]
        assert len(complete) == 1, (slot, found)
        # What was sampled before the worker died is what was run.
        assert {t.params["x"] for t in found if "x" in t.params} == {complete[0].params["x"]}
        # It was run once.
        assert (tmp_path / f"{slot}.txt").read_text() == f"{complete[0].params['x']}\n"
    assert trials[0][0].params == {"x": 1.0}
    assert all(any(t.state.name == "FAIL" for t in trials[slot]) for slot in (2, 5))


def test_settings_that_always_end_their_process_are_given_up(tmp_path):
    for _ in range(slots.MOST_DEATHS + 1):
        assert worker(tmp_path, "", "3=later").wait(60) == 9
        time.sleep(1)
    assert worker(tmp_path, "", "3=later").wait(60) == 0
    storage.require()
    study = slots.open_study("search", tmp_path, SearchSettings(trials=TRIALS), ["minimize"])
    assert [slot for slot, trials in slots.by_slot(study).items() if slots.is_given_up(trials)] == [3]
