"""A batch of runs: what a plan may say, and that runs survive the death of their worker or their machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from dl4j_bridge.errors import InputError
from dl4j_bridge.jobs.batch import plan as plans
from dl4j_bridge.model import model_zip
from tests.conftest import command, network_of, run, run_ok
from tests.report.pages import Page

# --- Plans.


def planned(folder: Path, text: str) -> plans.Plan:
    (folder / "plan.toml").write_text(text)
    return plans.read(folder / "plan.toml")


def test_patterns_name_pairs_and_a_pair_has_options_of_its_own(tmp_path):
    (tmp_path / "captures").mkdir()
    for name in ("b_dry", "b_wet", "a_dry", "other"):
        (tmp_path / "captures" / f"{name}.wav").touch()
    plan = planned(
        tmp_path,
        'input = "captures/*_dry.wav"\ntarget = "captures/*_wet.wav"\nexport = ["nam"]\n'
        'task = "frames"\nlearning-rate = 0.002\nminutes = 3\n'
        '[[pair]]\nname = "loud"\ninput = "captures/other.wav"\ntarget = "x.wav"\nhidden = 7\n',
    )
    assert plan.export == ["nam"]
    assert [entry.name for entry in plan.entries] == ["a", "b", "loud"]
    a, b, loud = plan.entries
    # A target that is not there is found out by its run, which harms no other.
    assert (a.source, a.target) == (tmp_path / "captures/a_dry.wav", tmp_path / "captures/a_wet.wav")
    assert b.settings(3).network.hidden == 40
    assert b.settings(3).network.learning_rate == 0.002
    assert b.settings(3).threads == 3
    assert loud.target == tmp_path / "x.wav"
    assert loud.settings(3).network.hidden == 7


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("input = ", "not TOML"),
        ("steps = 3", "no recordings"),
        ('input = "*.flac"', "no file matches"),
        ('input = "dry.wav"', "wanted a pattern with one star"),
        ('input = "*.wav"\nexport = "nam"', "wanted a list"),
        ('input = "*.wav"\nexport = ["mp3"]', "--export: mp3"),
        ('input = "*.wav"\nhiden = 3', "did you mean hidden"),
        ('input = "*.wav"\nhidden = 0', "--hidden: 0"),
        ('input = "*.wav"\nworkers = 2', "workers in a plan"),
        ('[[pair]]\ntarget = "x.wav"', "a pair without input"),
        ('[[pair]]\nname = "../x"\ninput = "x.wav"', "wanted the name of a folder"),
        ('input = "*.wav"\n[[pair]]\nname = "dry"\ninput = "x.wav"', "two pairs are called dry"),
        ('[[pair]]\nname = "exports"\ninput = "dry.wav"', "a pair called exports; wanted another name"),
    ],
)
def test_plans_that_cannot_be_run(tmp_path, text, words):
    (tmp_path / "dry.wav").touch()
    with pytest.raises(InputError) as error:
        planned(tmp_path, text)
    assert words in str(error.value)


def test_without_ray_one_line_says_how_to_get_it(tmp_path):
    (tmp_path / "ray.py").write_text("raise ImportError('not here')\n")
    path = {"PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}"}
    result = run("batch", tmp_path / "plan.toml", env=path)
    assert result.status == 2
    assert "pip install 'dl4j_bridge[ray]'" in result.error


# --- Runs on a cluster of two machines, which are processes here.

# Two runs that last until they are killed, nine short ones, and one that cannot be done. The first save of a run comes
# after ten seconds; a step takes one to two milliseconds.
LONG, SHORT = 18_000, 5
PLAN = """
export = ["dl4j"]
task = "frames"
loss = "mse"
hidden = 32
batch = 16
length = 400
tbptt = 200
warm-up = 0
validate-every = 200
validation-samples = 400
"""


@pytest.fixture
def cluster() -> Iterator[Any]:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    cluster_utils = pytest.importorskip("ray.cluster_utils")
    for attempt in range(5):
        try:
            made = cluster_utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
            break
        except Exception:
            # Ray gives a machine that is busy with other things half a minute.
            if attempt == 4:
                raise
    yield made
    made.shutdown()


@pytest.mark.slow
def test_a_batch_survives_the_death_of_a_worker_and_of_a_machine(cluster, recordings, tmp_path):
    other = cluster.add_node(num_cpus=1)
    names = ["long-1", "long-2", "bad", *(f"short-{number}" for number in range(9))]
    pairs = [
        f'[[pair]]\nname = "{name}"\ninput = "{recordings[0]}"\ntarget = "{recordings[1]}"\n'
        f"steps = {LONG if name.startswith('long') else SHORT}\n"
        for name in names
    ]
    bad = tmp_path / "bad.wav"
    bad.write_text("no sound")
    pairs[2] = pairs[2].replace(str(recordings[1]), str(bad))
    (tmp_path / "plan.toml").write_text(PLAN + "".join(pairs))
    out = tmp_path / "out"
    words = command("batch", tmp_path / "plan.toml", "--out", out, "--cluster", cluster.address, "--no-report")
    batch = subprocess.Popen([*words, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    longs = [out / "long-1", out / "long-2"]
    _wait_for(lambda: all(_saved_steps(folder) > 0 for folder in longs), batch)
    # A worker of one machine is killed, then the other machine is removed.
    (worker,) = _workers(cluster.head_node)
    saved = [_saved_steps(folder) for folder in longs]
    worker.kill()
    cluster.remove_node(other, allow_graceful=False)
    printed, notes = batch.communicate()
    assert batch.returncode == 1, notes
    result = json.loads(printed.splitlines()[-1])
    rows = {row["name"]: row for row in result["rows"]}
    assert list(rows) == names
    assert rows["bad"]["state"] == "failed"
    assert "bad.wav" in rows["bad"]["error"]
    assert [name for name, row in rows.items() if row["state"] == "trained"] == [n for n in names if n != "bad"]
    for name, row in rows.items():
        if name != "bad":
            assert row["steps"] == (LONG if name.startswith("long") else SHORT)
            assert row["model"] is not None
            assert row["best_baseline"] is not None
            assert (out / "exports" / "dl4j" / f"{name}.zip").exists()
            run_json = json.loads((out / name / "run.json").read_text())
            assert run_json["status"] == "steps"
    # Both went on from where they had been saved.
    for row, steps in zip((rows["long-1"], rows["long-2"]), saved, strict=True):
        assert row["resumed_at"] >= steps
    # And to the same end, bit for bit.
    assert network_of(longs[0]) == network_of(longs[1])
    straight = tmp_path / "straight"
    run_ok("train", "--config", longs[0] / "config.toml", "--out", straight, "--no-report")
    assert network_of(longs[0]) == network_of(straight)
    page = Page(out / "report.html")
    assert "networks against baselines" in page.pictures
    assert " of 11" in page.text


@pytest.mark.slow
def test_a_batch_that_was_interrupted_is_resumed(recordings, tmp_path):
    pytest.importorskip("ray")
    for name in ("dry", "wet"):
        shutil.copy(recordings[name == "wet"], tmp_path / f"a_{name}.wav")
    (tmp_path / "plan.toml").write_text(f'input = "*_dry.wav"\ntarget = "*_wet.wav"\nsteps = 1000000\n{PLAN}')
    out = tmp_path / "out"
    words = command("batch", tmp_path / "plan.toml", "--out", out, "--no-report")
    batch = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    _wait_for((out / "a" / "model.zip").exists, batch)
    # As Ctrl-C, which a shell's background jobs ignore.
    batch.terminate()
    assert "--resume" in batch.communicate()[1].split("next:")[1]
    assert batch.returncode == 130
    assert _saved_steps(out / "a") > 0
    assert json.loads((out / "a" / "run.json").read_text())["status"] == "interrupted"


def _workers(node: Any) -> list[psutil.Process]:
    """The workers of a node that train."""
    (raylet,) = node.all_processes["raylet"]
    children = psutil.Process(raylet.process.pid).children(recursive=True)
    return [child for child in children if "work_on_pair" in " ".join(child.cmdline())]


def _saved_steps(folder: Path) -> int:
    if not (folder / "last.zip").exists():
        return 0
    state = model_zip.open_model(folder / "last.zip").info.run_state
    return state.step if state else 0


def _wait_for(what: Callable[[], bool], batch: subprocess.Popen[str]) -> None:
    while not what():
        assert batch.poll() is None, batch.communicate()
        time.sleep(0.2)
