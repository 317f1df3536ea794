"""The cell `lstm` through the commands: train, process, resume; the output against the reference in NumPy.

The other tests of this folder do the same with the default, `graves`.
"""

from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest
import soundfile

from dl4j_bridge import reference
from dl4j_bridge.model import model_zip
from dl4j_bridge.signal.codecs import LINEAR
from tests.conftest import SMALL, run, run_ok
from tests.jobs.test_training import log_of, network_of

# The steps of `train` before it is resumed, and in all.
FIRST, ALL = 13, 20
TASKS = {"samples": [], "frames": ["--frame", 1, "--layers", 2, "--validate-every", 10]}


def expected(model, dry: np.ndarray) -> np.ndarray:
    """The output of `process` for float samples, computed with the reference."""
    ends, network = model.info.task.interface, model.info.settings.network
    sizes = (ends.inputs, network.hidden, network.layers, ends.outputs)
    params = reference.unpack(model.network.parameters(), *sizes, network.cell)
    classes = ends.input == "one-hot"
    x = reference.one_hot(LINEAR.encode(dry)[None].astype(np.int64), 256) if classes else dry[None, None]
    logits = reference.forward(params, x, reference.zero_states(params, 1)).logits[0]
    if not classes:
        return logits[0]
    probabilities = np.exp(logits - logits.max(axis=0))
    return LINEAR.values @ (probabilities / probabilities.sum(axis=0))


@pytest.mark.parametrize(
    "task", [pytest.param(each, marks=pytest.mark.slow) if each == "frames" else each for each in TASKS]
)
def test_train_process_and_resume(task, recordings, tmp_path, java):
    whole, parts, out = tmp_path / "whole", tmp_path / "parts", tmp_path / "y.wav"
    options = ["--task", task, "--cell", "lstm", "--align", "off", "--schedule", "plateau", *SMALL, *TASKS[task]]
    files = ["--input", recordings[0], "--target", recordings[1]]
    run_ok("train", *files, "--out", whole, "--steps", ALL, *options)
    run_ok("train", *files, "--out", parts, "--steps", FIRST, *options)
    run_ok("train", parts, "--resume", "--no-report", "--steps", ALL)
    assert network_of(parts) == network_of(whole)
    training = "bits" if task == "samples" else "loss"
    assert [row[training] for row in log_of(parts)] == [row[training] for row in log_of(whole)]

    with zipfile.ZipFile(whole / "model.zip") as z:
        layers = [c["layer"]["@class"].rpartition(".")[2] for c in json.loads(z.read("configuration.json"))["confs"]]
    assert layers == ["LSTM", "LSTM", "RnnOutputLayer"]
    model = model_zip.open_model(whole).load()
    assert model.info.settings.network.cell == "lstm"
    dry = soundfile.read(recordings[0])[0][3000:5000]
    soundfile.write(tmp_path / "x.wav", dry, 11025, "PCM_U8")
    run_ok("process", "--model", whole, "--input", tmp_path / "x.wav", "--output", out)
    found = soundfile.read(out)[0]
    np.testing.assert_allclose(found, expected(model, dry).clip(-1, 1), atol=1.5 / 2**15)
    assert found.std() > 1e-3


def test_a_run_keeps_its_cell(recordings, tmp_path):
    out = tmp_path / "run"
    run_ok("train", "--input", recordings[0], "--out", out, "--steps", 2, "--cell", "lstm", *SMALL)
    refused = run("train", out, "--resume", "--steps", 4, "--cell", "graves")
    assert refused.status == 2
    assert "--cell: graves for a run that began with lstm" in refused.error
    assert run_ok("train", out, "--resume", "--no-report", "--steps", 4, "--json").json["steps"] == 4
    refused = run("train", "--input", recordings[0], "--out", tmp_path / "other", "--cell", "gru", *SMALL)
    assert refused.status == 2
    assert "--cell: gru; wanted one of" in refused.error
