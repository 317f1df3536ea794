"""A short training is killed, or its disk is full, at each change that it makes to its folder, as SQLite tests it."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import network_of, run, run_ok

SOURCE = Path(__file__).parent / "faulty_disk.c"
TRAIN = [
    "--task", "frames", "--hidden", "4", "--steps", "4", "--batch", "4", "--length", "100", "--tbptt", "50",
    "--warm-up", "10", "--validate-every", "2", "--threads", "1",
]  # fmt: skip


@pytest.fixture(scope="module")
def faulty_disk(tmp_path_factory) -> Path:
    """The library that counts writes and lets one go wrong."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or os.uname().sysname != "Linux":
        pytest.skip("needs Linux and a C compiler")
    library = tmp_path_factory.mktemp("disk") / "faulty_disk.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl"], check=True)
    return library


def training(recordings, folder: Path) -> list[object]:
    return ["train", "--input", recordings[0], "--target", recordings[1], "--out", folder / "run", *TRAIN]


@pytest.fixture(scope="module")
def whole(faulty_disk, recordings, tmp_path_factory) -> tuple[int, dict[str, bytes]]:
    """The number of changes of an undisturbed training, and the network that it makes."""
    folder = tmp_path_factory.mktemp("whole")
    count = folder / "count"
    env = faults(faulty_disk, folder / "disk", 0, "kill") | {"FAULT_COUNT": str(count)}
    (folder / "disk").mkdir()
    run_ok(*training(recordings, folder / "disk"), env=env)
    return int(count.read_text()), network_of(folder / "disk" / "run")


def faults(library: Path, root: Path, at: int, kind: str) -> dict[str, str]:
    return {"LD_PRELOAD": str(library), "FAULT_ROOT": str(root), "FAULT_AT": str(at), "FAULT_KIND": kind}


# A few, or all in parts that run at the same time.
some_of_the_writes = pytest.mark.parametrize(
    "chosen", [slice(20, None, 80), *(pytest.param(slice(i, None, 8), marks=pytest.mark.slow) for i in range(8))]
)


def go_on(recordings, disk: Path) -> None:
    """Resume the run, or begin it again in its folder if nothing was saved."""
    if (disk / "run" / "last.zip").exists():
        run_ok("train", disk / "run", "--resume", "--no-report")
    else:
        run_ok(*training(recordings, disk))


@some_of_the_writes
def test_killed_at_any_write_the_folder_is_resumed_or_used_again(faulty_disk, recordings, whole, tmp_path, chosen):
    count, network = whole
    for at in range(1, count + 1)[chosen]:
        disk = tmp_path / f"kill-{at}"
        disk.mkdir()
        killed = run(*training(recordings, disk), env=faults(faulty_disk, disk, at, "kill"))
        assert killed.status == -9, (at, killed.stderr)
        folder = disk / "run"
        go_on(recordings, disk)
        assert network_of(folder) == network, at
        with open(folder / "log.csv", newline="") as f:
            assert [row["step"] for row in csv.DictReader(f)] == ["1", "2", "3", "4"], at
        left = [file.name for file in folder.iterdir() if file.name.startswith(".") and file.name != ".lock"]
        assert left == [], at
        shutil.rmtree(disk)


@some_of_the_writes
def test_a_disk_that_fills_up_at_any_write_gets_one_line(faulty_disk, recordings, whole, tmp_path, chosen):
    count, network = whole
    for at in range(1, count + 1)[chosen]:
        disk = tmp_path / f"full-{at}"
        disk.mkdir()
        full = run(*training(recordings, disk), env=faults(faulty_disk, disk, at, "full"))
        folder = disk / "run"
        if full.status == 0:
            # The last changes, a name and a removal, take no space.
            assert at > count - 3
            assert network_of(folder) == network
            continue
        assert "No space left on device" in full.error, at
        assert str(disk) in full.error, at
        go_on(recordings, disk)
        assert network_of(folder) == network, at
        shutil.rmtree(disk)


@pytest.mark.slow
def test_a_demo_that_was_killed_goes_on(faulty_disk, tmp_path):
    disk, count = tmp_path / "disk", tmp_path / "count"
    demo = ["demo", "--task", "frames", "--steps", 4, "--out", disk / "demo"]
    disk.mkdir()
    run_ok(*demo, env=faults(faulty_disk, disk, 0, "kill") | {"FAULT_COUNT": str(count)})
    network, files = network_of(disk / "demo" / "run"), files_below(disk)
    changes = int(count.read_text())
    for at in range(1, changes, -(-changes // 12)):
        shutil.rmtree(disk)
        disk.mkdir()
        assert run(*demo, env=faults(faulty_disk, disk, at, "kill")).status == -9, at
        run_ok(*demo)
        assert network_of(disk / "demo" / "run") == network, at
        assert files_below(disk) == files, at


def files_below(folder: Path) -> list[Path]:
    return sorted(file.relative_to(folder) for file in folder.rglob("*"))
