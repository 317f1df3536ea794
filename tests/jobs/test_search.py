"""Searching for settings: no trial is lost or done twice, whenever a worker dies."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from dl4j_bridge.errors import InputError
from dl4j_bridge.jobs.search import definition, outcome, slots, storage, worker
from dl4j_bridge.report import search as search_page
from dl4j_bridge.settings.search import SearchSettings
from dl4j_bridge.tasks import registry, search_space
from tests.conftest import SMALL, command, run, run_ok
from tests.report.pages import Page

pytest.importorskip("optuna")

TRIALS = 8
WORKERS = 6
# A worker whose trials compute nothing. It dies in those whose slots it is told, at their start or later.
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


def test_workers_that_start_together_make_the_tables_of_a_new_database_once(postgresql, tmp_path):
    import psycopg

    with psycopg.connect(postgresql, autocommit=True) as connection:
        connection.execute("CREATE DATABASE together")
    settings = SearchSettings(storage=postgresql.replace("/postgres", "/together"))
    together = threading.Barrier(WORKERS)

    def opened(_: int) -> Any:
        together.wait()
        return storage.open_storage(settings, tmp_path)

    storage.require()
    with ThreadPoolExecutor(WORKERS) as pool:
        assert all(study.get_all_studies() == [] for study in pool.map(opened, range(WORKERS)))


def started(folder: Path, address: str, *deaths: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", WORKER, str(folder), address, *deaths])


@pytest.mark.parametrize("kind", ["journal", "postgresql"])
def test_trials_of_dead_workers_are_run_again_and_no_other(request, tmp_path, kind):
    address = request.getfixturevalue("postgresql") if kind == "postgresql" else ""
    workers = [started(tmp_path, address, "2=first", "5=later") for _ in range(3)]
    assert [process.wait(60) for process in workers] == [9, 9, 9]
    last = started(tmp_path, address)
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
        assert started(tmp_path, "", "3=later").wait(60) == 9
        time.sleep(1)
    assert started(tmp_path, "", "3=later").wait(60) == 0
    storage.require()
    study = slots.open_study("search", tmp_path, SearchSettings(trials=TRIALS), ["minimize"])
    assert [slot for slot, trials in slots.by_slot(study).items() if slots.is_given_up(trials)] == [3]


def front_of(values: dict[int, dict[str, float]]) -> set[int]:
    """Trials that no other one beats in both."""
    return {
        a for a, x in values.items()
        if not any(
            y["esr"] <= x["esr"] and y["real_time_factor"] >= x["real_time_factor"] and y != x for y in values.values()
        )
    }  # fmt: skip


def made_up(folder: Path, trials: int, objective: str = "") -> tuple[definition.Search, Any]:
    """A search whose trials compute nothing, and its study."""
    settings = SearchSettings(trials=trials, objective=objective, pruner="none")
    search = definition.Search("s", ["/x.wav"], ["/y.wav"], registry.DEFAULT, {"steps": 3}, ["hidden"], settings)
    storage.require()
    study = slots.open_study("s", folder, settings, search.directions)
    slots.add_slots(study, trials, {})
    return search, study


def test_a_worker_that_was_taken_for_dead_changes_nothing(tmp_path):
    from optuna.trial import TrialState

    search, study = made_up(tmp_path, 1)
    _, others = made_up(tmp_path, 1)
    late = worker._Worker(tmp_path, search, {}, lambda run: None)

    def slow(trial: Any, slot: int) -> tuple[float, ...]:
        others.tell(trial.number, state=TrialState.FAIL)
        return (1.0,)

    late._values = slow
    assert late.run_one(study) is None
    assert slots.state(others) == "waiting"
    late._values = lambda trial, slot: (2.0,)
    assert late.run_one(study) == 0
    assert outcome.result(tmp_path, search, study, False).best.values == {"bits": 2.0}


def test_the_report_has_the_front_of_two_objectives(tmp_path):
    search, study = made_up(tmp_path, 8, "esr,real_time_factor")

    def values(trial: Any) -> tuple[float, float]:
        slot = slots.begin(study, trial)
        size = trial.suggest_int("hidden", 40, 400)
        if slot == 3:
            trial.set_user_attr(slots.ERROR, "no memory <&")
            raise ValueError
        return 1 / size, (0.5 if slot == 4 else 1) * 100 / size

    study.optimize(values, n_trials=8, catch=(ValueError,))
    assert slots.state(study) == "done"
    result = outcome.result(tmp_path, search, study, True)
    assert result.counts == {"complete": 7, "failed": 1}
    # The smaller, the faster; but trial 4 is slower than its size.
    assert {t.slot for t in result.front} == front_of({t.slot: t.values for t in result.trials if t.values})
    assert result.best.parameters["hidden"] == max(t.parameters["hidden"] for t in result.trials if t.slot != 3)
    page = Page(search_page.write(result))
    assert len(page.pictures) == 3
    assert "no memory &lt;&amp;" in page.text


# --- The command.

# What each trial has in common, and two settings that are searched.
TINY = [*SMALL, "--layers", "1", "--steps", "10", "--updater", "adam", "--vary", "hidden=4..16", "--vary", "dropout"]


def searched(result: dict[str, Any], folder: Path) -> dict[int, dict[str, float]]:
    """Values by trial; each has a run folder of its own with a model."""
    trials = {trial["slot"]: trial for trial in result["trials"]}
    assert len(trials) == len(result["trials"])
    for trial in trials.values():
        assert trial["state"] == "complete", trial
        assert (folder / trial["run"] / "model.zip").exists()
        run_json = definition.json_text.parse((folder / trial["run"] / "run.json").read_bytes())
        assert run_json["settings"]["network"]["hidden"] == trial["parameters"]["hidden"]
    assert len({trial["run"] for trial in trials.values()}) == len(trials)
    return {slot: trial["values"] for slot, trial in trials.items()}


@pytest.mark.slow
def test_workers_on_ray_do_each_trial_once(recordings, tmp_path):
    pytest.importorskip("ray")
    out = tmp_path / "search"
    pair = ["--input", recordings[0], "--target", recordings[1], "--threads", 1]
    result = run_ok("search", *pair, "--out", out, "--trials", 4, "--cluster", "local", *TINY, "--json")
    assert list(searched(result.json, out)) == list(range(4))
    assert result.json["best"]["values"]["bits"] == min(t["values"]["bits"] for t in result.json["trials"])
    # Each machine's processes found the recordings and the folder by themselves.
    again = run_ok("search", out, "--resume", "--trials", 5, "--cluster", "local", "--no-report", "--json")
    assert list(searched(again.json, out)) == list(range(5))


@pytest.mark.slow
def test_a_search_on_postgresql_is_killed_and_resumed(postgresql, recordings, tmp_path):
    out = tmp_path / "search"
    pair = ["--input", recordings[0], "--target", recordings[1], "--threads", 1]
    two = ["--objective", "esr,real_time_factor", "--storage", postgresql]
    # Two workers run the trials, and are killed before these are done.
    workers = [subprocess.Popen(command("search", *pair, "--out", out, "--trials", 6, *two, *TINY))]
    _wait_for(lambda: (out / "trial-0" / "last.zip").exists())
    workers.append(subprocess.Popen(command("search", out, "--resume", "--no-report")))
    _wait_for(lambda: len(list(out.glob("trial-*/model.zip"))) >= 3)
    for process in workers:
        process.kill()
        process.wait()
    result = run_ok("search", out, "--resume", "--no-report", "--json").json
    values = searched(result, out)
    assert list(values) == list(range(6))
    study = slots.open_study(*_stored(out, postgresql))
    complete = [t.user_attrs[slots.SLOT] for t in study.get_trials() if t.state.name == "COMPLETE"]
    assert sorted(complete) == list(range(6))
    assert set(result["front"]) == front_of(values)
    assert result["best"]["values"]["esr"] == min(x["esr"] for x in values.values())
    page = Page(out / "report.html")
    assert {"both objectives of each trial", "importance of each setting"} <= set(page.pictures)
    # The best one is an ordinary run.
    run_ok("process", "--model", result["best_run"], "--input", recordings[0], "--output", tmp_path / "y.wav")
    run_ok("export", "--model", result["best_run"], "--format", "dl4j", "--output", tmp_path / "best.zip")
    # More trials of the same search; pruned ones would count too.
    more = run_ok("search", out, "--resume", "--no-report", "--trials", 7, "--json").json
    assert {k: v for k, v in searched(more, out).items() if k < 6} == values


@pytest.mark.slow
def test_ctrl_c_saves_the_trial_and_resume_ends_it(recordings, tmp_path):
    out = tmp_path / "search"
    pair = ["--input", recordings[0], "--target", recordings[1], "--out", out, "--trials", 2, "--pruner", "none"]
    # It does not come to the end of its first trial.
    endless = ["100000" if word == "10" else word for word in TINY]
    process = subprocess.Popen(command("search", *pair, *endless), stderr=subprocess.PIPE)
    _wait_for(lambda: (out / "trial-0" / "model.zip").exists() or process.poll() is not None)
    process.send_signal(signal.SIGINT)
    assert "search" in process.communicate()[1].decode().split("next:")[1]
    assert process.returncode == 130
    assert len((out / "trial-0" / "log.csv").read_text().splitlines()) > 10
    interrupted = storage.require() or slots.open_study(*_stored(out, None))
    assert [t.state.name for t in interrupted.get_trials()] == ["FAIL", "WAITING"]


def _stored(out: Path, address: str | None) -> tuple[str, Path, SearchSettings, list[slots.Direction]]:
    storage.require()
    search = definition.resume(out, {"storage": address} if address else {})
    return search.study, out, search.settings, search.directions


def _wait_for(what: Any) -> None:
    for _ in range(6000):
        if what():
            return
        time.sleep(0.1)
    raise AssertionError("ten minutes without it")


# --- What is searched.


def space(task: str, objective: str, *vary: str, fixed: tuple[str, ...] = ()) -> dict[str, str]:
    defaults = registry.train_settings({"task": task}).as_options()
    return {name: str(p) for name, p in search_space.space(task, objective, defaults, fixed, vary).items()}


def test_ranges_follow_the_defaults_of_the_task():
    assert space("samples", "bits")["hidden"] == "40 to 400"
    assert space("frames", "esr")["hidden"] == "8 to 80"
    assert "augment" not in space("samples", "bits")
    assert "codec" not in space("samples", "bits")
    assert space("samples", "esr")["codec"] == "linear, mulaw"
    assert "hidden" not in space("samples", "bits", fixed=("hidden",))
    found = space("samples", "bits", "hidden=16..64", "cell=lstm", "learning-rate", "clip=0,2")
    assert found == {"hidden": "16 to 64", "cell": "lstm", "learning_rate": "0.001 to 0.03", "clip": "0.0, 2.0"}


@pytest.mark.parametrize(
    ("vary", "words"),
    [
        ("hiden", "hiden is no parameter of a search"),
        ("hidden=a..b", "is no list or span of int"),
        ("hidden=64..16", "is no list or span of int"),
        ("codec", "wanted --objective esr"),
    ],
)
def test_settings_that_cannot_be_searched(vary, words):
    with pytest.raises(InputError, match=words):
        space("samples", "bits", vary)


def test_what_cannot_be_searched_ends_in_one_line_and_nothing_written(recordings, tmp_path):
    pair = ["search", "--input", recordings[0], "--target", recordings[1], "--out", tmp_path / "search"]
    assert "without the length of a trial" in run(*pair).error
    assert "--storage: not usable" in run(*pair, "--minutes", 1, "--storage", "postgresql://127.0.0.1:1/none").error
    (tmp_path / "optuna.py").write_text("raise ImportError('not here')\n")
    path = {"PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}"}
    assert "pip install 'dl4j_bridge[search]'" in run(*pair, "--minutes", 1, env=path).error
    assert not (tmp_path / "search").exists()


def test_a_password_is_not_stored(tmp_path):
    settings = SearchSettings(storage="postgresql://me:secret@db.example.org/trials")
    search = definition.Search("s", [], [], registry.DEFAULT, {}, [], settings)
    definition.write(tmp_path, search)
    stored = (tmp_path / definition.FILE).read_text()
    assert "secret" not in stored
    assert "postgresql://me@db.example.org/trials" in stored
