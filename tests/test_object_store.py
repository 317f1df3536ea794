"""Recordings, models and outputs in an object store: a local server that speaks S3."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from dl4j_bridge import object_store
from dl4j_bridge.atomic_files import check_output
from dl4j_bridge.errors import BridgeError, InputError
from dl4j_bridge.jobs.batch import plan
from dl4j_bridge.model.model_zip import open_model
from dl4j_bridge.object_store import as_path
from dl4j_bridge.signal import recordings as on_disk
from tests.conftest import SMALL, command, network_of, run, run_ok

BUCKET = "captures"


class Store:
    """A bucket that the commands reach through `environment`."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def put(self, file: Path, key: str) -> str:
        self._client.upload_file(str(file), BUCKET, key)
        return f"s3://{BUCKET}/{key}"

    def get(self, key: str, file: Path) -> Path:
        self._client.download_file(BUCKET, key, str(file))
        return file

    def names(self, prefix: str = "") -> list[str]:
        found = self._client.list_objects_v2(Bucket=BUCKET, Prefix=prefix)
        return [entry["Key"] for entry in found.get("Contents", [])]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    reason = "no moto and s3fs: pip install 's3fs' 'moto[server]'"
    pytest.importorskip("s3fs", reason=reason)
    moto = pytest.importorskip("moto.server", reason=reason)
    server = moto.ThreadedMotoServer(port=0)
    server.start()
    yield f"http://127.0.0.1:{server.get_host_and_port()[1]}"
    server.stop()


@pytest.fixture
def store(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """An empty bucket, for this process and for the commands that it starts."""
    import boto3
    import fsspec
    import requests

    names = {
        "AWS_ENDPOINT_URL": server,
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_DEFAULT_REGION": "us-east-1",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    object_store._fetched.cache_clear()
    requests.post(f"{server}/moto-api/reset", timeout=30)
    client = boto3.client("s3")
    client.create_bucket(Bucket=BUCKET)
    return Store(client)


def test_an_address_is_a_path_that_keeps_its_slashes():
    address = "s3://captures/in/x_dry.wav"
    # The second is what a command line makes of it.
    for path in (as_path(address), as_path(Path(address)), pickle.loads(pickle.dumps(as_path(address)))):
        assert str(path) == str(path.absolute()) == address
        assert str(path.parent / "y.wav") == "s3://captures/in/y.wav"
        assert path.relative_to(path.parent.parent).as_posix() == "in/x_dry.wav"
    for name in ("dry.wav", "/a/dry.wav", "C:/dry.wav", "a:b.wav", "folder/s3://x"):
        assert type(as_path(name)) is type(Path())


def test_a_local_folder_with_the_name_of_a_scheme_stays_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s3:").mkdir()
    assert not object_store.is_remote(as_path("s3:/dry.wav"))


def test_a_recording_is_fetched_once_and_again_when_it_has_changed(store, recordings):
    address = as_path(store.put(recordings[0], "dry.wav"))
    opened = on_disk.open_recording(address)
    there = on_disk.open_recording(recordings[0])
    np.testing.assert_array_equal(opened.read(opened.rate), there.read(there.rate))
    assert (str(opened.path), opened.sha256()) == (str(address), there.sha256())
    copy = object_store.local(address)
    written = copy.stat().st_mtime_ns
    object_store._fetched.cache_clear()
    assert object_store.local(address) == copy
    assert copy.stat().st_mtime_ns == written
    store.put(recordings[1], "dry.wav")
    object_store._fetched.cache_clear()
    assert object_store.local(address).read_bytes() == recordings[1].read_bytes()


@pytest.mark.parametrize(
    ("address", "found"),
    [
        (f"s3://{BUCKET}/none.wav", "no such file; check the bucket and the name"),
        ("s3://no-such-bucket/dry.wav", "no such file; check the bucket and the name"),
        ("ftq://captures/dry.wav", "an address of an unknown kind, ftq; wanted one such as s3://bucket/dry.wav"),
    ],
)
def test_what_is_not_there_is_one_line(store, address, found):
    with pytest.raises(InputError) as e:
        on_disk.open_recording(as_path(address))
    assert str(e.value) == f"{address}: {found}"


def test_an_output_in_a_bucket_that_is_not_there_is_refused_before_any_work(store):
    check_output(as_path(f"s3://{BUCKET}/out/y.wav"), overwrite=False)
    with pytest.raises(InputError, match=r"^s3://no-such-bucket/y\.wav: no bucket s3://no-such-bucket; wanted"):
        check_output(as_path("s3://no-such-bucket/y.wav"), overwrite=False)


def test_a_store_that_cannot_be_used_is_one_line(store, monkeypatch):
    address = as_path(f"s3://{BUCKET}/dry.wav")
    with monkeypatch.context() as patch:
        patch.setenv("DL4J_BRIDGE_OFFLINE", "1")
        with pytest.raises(InputError, match="in an object store, with --offline; wanted"):
            address.exists()
    for package, path in (("fsspec", address), ("gcsfs", as_path("gs://captures/dry.wav"))):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, package, None)
            with pytest.raises(InputError, match=r"not installed.*; run: pip install 'dl4j_bridge\[remote\]'"):
                path.exists()
    import fsspec

    fsspec.get_filesystem_class("s3").clear_instance_cache()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, "/none")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(BridgeError, match=r"not reached \(NoCredentialsError: .*the credentials$"):
        on_disk.open_recording(address)


def test_pairs_of_a_plan_are_found_in_a_bucket(store, recordings, tmp_path):
    for name in ("clean", "loud"):
        store.put(recordings[0], f"studio/{name}_dry.wav")
    lines = [
        f'input = "s3://{BUCKET}/studio/*_dry.wav"',
        f'target = "s3://{BUCKET}/studio/*_wet.wav"',
        "[[pair]]",
        'input = "here.wav"',
        f'target = "s3://{BUCKET}/there.wav"',
    ]
    file = tmp_path / "plan.toml"
    file.write_text("\n".join(lines))
    found = [(entry.name, str(entry.source), str(entry.target)) for entry in plan.read(file).entries]
    studio = f"s3://{BUCKET}/studio"
    assert found == [
        ("clean", f"{studio}/clean_dry.wav", f"{studio}/clean_wet.wav"),
        ("loud", f"{studio}/loud_dry.wav", f"{studio}/loud_wet.wav"),
        ("here", str(tmp_path / "here.wav"), f"s3://{BUCKET}/there.wav"),
    ]
    # A plan may be there too, and its paths are relative to it.
    file.write_text('input = "*_dry.wav"')
    of_there = plan.read(as_path(store.put(file, "studio/plan.toml"))).entries
    assert [str(entry.source) for entry in of_there] == [f"{studio}/{name}_dry.wav" for name in ("clean", "loud")]


@pytest.mark.slow
def test_train_process_export_and_compare_with_addresses(store, recordings, effect_run, tmp_path):
    dry, wet = (store.put(file, f"in/{file.name}") for file in recordings)
    for file in ("model.zip", "run.json"):
        model = store.put(effect_run / file, f"runs/amp/{file}").rpartition("/")[0]
    run_ok("train", "--input", dry, "--target", wet, "--out", tmp_path / "run", "--steps", 3, *SMALL)
    about = json.loads((tmp_path / "run" / "run.json").read_text())
    assert [about["pairs"][0][side]["path"] for side in ("input", "target")] == [dry, wet]
    assert run_ok("train", tmp_path / "run", "--resume", "--steps", 4, "--json").json["steps"] == 4

    output = f"s3://{BUCKET}/out/processed.wav"
    common = ("process", "--model", model, "--input", dry, "--output", output)
    assert run_ok(*common, "--json").json["output"] == output
    assert f"{output}: exists already" in run(*common).error
    run_ok("process", "--model", effect_run, "--input", recordings[0], "--output", tmp_path / "processed.wav")
    there = soundfile.read(store.get("out/processed.wav", tmp_path / "fetched.wav"))
    np.testing.assert_array_equal(there[0], soundfile.read(tmp_path / "processed.wav")[0])
    folder = run_ok(
        "process", "--model", model, "--input", f"s3://{BUCKET}/in", "--output", f"s3://{BUCKET}/all", "--json"
    )
    assert len(folder.json["outputs"]) == 2
    assert store.names("all/") == ["all/dry.wav", "all/wet.wav"]
    assert "the same file as the input" in run(*common[:-1], dry, "--overwrite").error

    run_ok("export", "--model", model, "--format", "dl4j", "--output", f"s3://{BUCKET}/out/again.zip")
    assert run_ok("info", f"s3://{BUCKET}/out/again.zip", "--json").json["rate"] == 11025
    assert run_ok("info", model, "--json").json["status"] == about["status"]
    compared = run_ok("compare", "--model", model, "--input", dry, "--target", wet, "--json", cwd=tmp_path)
    here = run_ok("compare", "--model", effect_run, "--input", recordings[0], "--target", recordings[1], "--json")
    rows, rows_here = compared.json["rows"], here.json["rows"]
    for row in (*rows, *rows_here):
        row.pop("samples_per_second", None)
    assert rows == rows_here
    assert Path(tmp_path, compared.json["report"]).is_file()


@pytest.mark.slow
def test_a_run_in_a_bucket_goes_on_on_another_machine_where_it_was_killed(store, recordings, tmp_path, monkeypatch):
    out = f"s3://{BUCKET}/runs/amp"
    common = [
        "--input",
        recordings[0],
        "--target",
        recordings[1],
        *SMALL,
        "--schedule",
        "plateau",
        "--patience",
        100_000,
    ]
    training = subprocess.Popen(command("train", *common, "--out", out), stderr=subprocess.PIPE)
    while "runs/amp/model.zip" not in store.names("runs/amp/"):
        assert training.poll() is None, training.stderr and training.stderr.read()
        time.sleep(0.1)
    assert "another process trains in it" in run("train", out, "--resume").error
    training.kill()
    training.communicate()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
    assert f"{out}: holds a run already" in run("train", *common, "--out", out).error
    saved = open_model(as_path(f"{out}/last.zip")).info.run_state
    steps = saved.step + 30
    result = run_ok("train", out, "--resume", "--steps", steps, "--json", "--report").json
    assert (result["run"], result["steps"], result["model"]) == (out, steps, f"{out}/model.zip")

    run_ok("train", *common, "--out", tmp_path / "here", "--steps", steps)
    assert {f"runs/amp/{file.name}" for file in (tmp_path / "here").iterdir() if file.name != ".lock"} <= set(
        store.names("runs/amp/")
    )
    for name in ("last.zip", "model.zip", "log.csv"):
        store.get(f"runs/amp/{name}", tmp_path / name)
    assert network_of(tmp_path) == network_of(tmp_path / "here")
    logged = [line.split(",")[0] for line in (tmp_path / "log.csv").read_text().splitlines()]
    assert logged == ["step", *map(str, range(1, steps + 1))]
    assert b"</html>" in store.get("runs/amp/report.html", tmp_path / "report.html").read_bytes()


@pytest.mark.slow
def test_a_batch_reads_and_writes_a_bucket(store, recordings, tmp_path):
    pytest.importorskip("ray")
    for name in ("clean", "loud"):
        for side, file in zip(("dry", "wet"), recordings, strict=True):
            store.put(file, f"studio/{name}_{side}.wav")
    (tmp_path / "no.wav").write_text("no audio")
    store.put(tmp_path / "no.wav", "studio/bad_dry.wav")
    options = Path(SMALL[1]).read_text()
    lines = f"""
        {options}
        steps = 5
        export = ["dl4j"]
        input = "s3://{BUCKET}/studio/*_dry.wav"
        target = "s3://{BUCKET}/studio/*_wet.wav"
    """
    plan_file = tmp_path / "plan.toml"
    plan_file.write_text(
        "\n".join(line.strip() for line in lines.splitlines() if not line.strip().startswith("report"))
    )
    out = f"s3://{BUCKET}/runs"
    result = run("batch", plan_file, "--out", out, "--no-report", "--json")
    assert result.status == 1, result.stderr
    assert [(row["name"], row["state"]) for row in result.json["rows"]] == [
        ("bad", "failed"), ("clean", "trained"), ("loud", "trained"),
    ]  # fmt: skip
    assert f"s3://{BUCKET}/studio/bad_dry.wav: not audio" in result.json["rows"][0]["error"]
    written = store.names("runs/")
    for name in ("clean", "loud"):
        assert {f"runs/{name}/last.zip", f"runs/{name}/model.zip", f"runs/exports/dl4j/{name}.zip"} <= set(written)
    assert "runs/report.html" in written
    again = run("batch", plan_file, "--out", out, "--resume", "--no-report", "--json")
    assert [row["steps"] for row in again.json["rows"]] == [0, 5, 5]
