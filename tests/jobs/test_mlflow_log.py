"""Runs of MLflow, read back with MLflow."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import dl4j_bridge
from dl4j_bridge.errors import InputError
from tests.conftest import run

NETWORK = {"hidden": 16, "batch": 4, "length": 100, "tbptt": 25, "validate_every": 10, "validation_samples": 800}


def test_a_training_and_its_resumption_are_one_run(java, recordings, tmp_path):
    client_of = pytest.importorskip("mlflow", reason="no MLflow: pip install 'dl4j_bridge[mlflow]'").MlflowClient
    pytest.importorskip("alembic", reason="no alembic: pip install 'dl4j_bridge[mlflow]'")
    place = tmp_path / "ml"
    done = dl4j_bridge.train(
        recordings[0], recordings[1], out=tmp_path / "amp", steps=20, mlflow=place, report=False, **NETWORK
    )
    done.resume(steps=30, mlflow=place, report=False)
    client = client_of(tracking_uri=f"sqlite:///{place / 'mlflow.db'}")
    (experiment,) = (e for e in client.search_experiments() if e.name == "dl4j_bridge")
    (found,) = client.search_runs([experiment.experiment_id])
    assert found.info.run_name == "amp"
    assert found.info.status == "FINISHED"
    assert {name: found.data.params[name] for name in ("hidden", "tbptt", "task")} == {
        "hidden": "16", "tbptt": "25", "task": "samples",
    }  # fmt: skip
    with open(tmp_path / "amp" / "log.csv", newline="") as f:
        log = list(csv.DictReader(f))
    for name, column in (("bits/train", "bits"), ("bits/valid", "valid_bits"), ("learning_rate", "learning_rate")):
        logged = {int(row["step"]): float(row[column]) for row in log if row[column]}
        history = {metric.step: metric.value for metric in client.get_metric_history(found.info.run_id, name)}
        assert history == pytest.approx(logged, rel=1e-5), name
    assert [file.path for file in client.list_artifacts(found.info.run_id)] == ["model.zip"]
    stored = next((place / "artifacts").rglob("model.zip"))
    assert stored.read_bytes() == (tmp_path / "amp" / "model.zip").read_bytes()


def test_without_the_package_one_line_says_how_to_get_it(recordings, tmp_path):
    (tmp_path / "mlflow.py").write_text("raise ImportError('not here')\n")
    result = run(
        "train", "--input", recordings[0], "--out", tmp_path / "run", "--mlflow", tmp_path / "ml",
        env={"PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}"},
    )  # fmt: skip
    assert result.status == 2
    assert "pip install 'dl4j_bridge[mlflow]'" in result.error
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("place", ["http://127.0.0.1:9", "nonsense://x", "missing/ml"])
def test_a_place_that_cannot_be_used_is_named_before_anything_is_written(place, recordings, tmp_path, monkeypatch):
    pytest.importorskip("mlflow", reason="no MLflow: pip install 'dl4j_bridge[mlflow]'")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=place.partition(":")[0]):
        dl4j_bridge.train(recordings[0], out=tmp_path / "run", mlflow=place)
    assert list(tmp_path.iterdir()) == []
