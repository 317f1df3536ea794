"""What a training that fails leaves: a run folder that the next one may use, and a status that tells."""

from __future__ import annotations

import gc
import json

import pytest

import dl4j_bridge
from dl4j_bridge import BridgeError, InputError
from dl4j_bridge.model.run_folder import RunFolder

SMALL = {"hidden": 8, "batch": 4, "length": 100, "tbptt": 25, "validate_every": 5, "validation_samples": 400}


def test_a_run_whose_loss_is_not_finite_is_free_and_failed_although_its_error_is_still_held(recordings, tmp_path):
    dry, wet = recordings
    with pytest.raises(BridgeError, match="the loss is") as held:
        dl4j_bridge.train(dry, wet, out=tmp_path / "run", learning_rate=1e30, updater="sgd", clip=0, steps=50, **SMALL)
    gc.collect()
    assert held.traceback
    RunFolder(tmp_path / "run").acquire()
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "failed"


def test_a_resume_that_is_refused_leaves_the_run_free(recordings, tmp_path):
    dry, wet = recordings
    run = dl4j_bridge.train(dry, wet, out=tmp_path / "run", steps=5, **SMALL)
    with pytest.raises(InputError, match="--hidden"):
        run.resume(hidden=9)
    assert run.resume(steps=7).result["steps"] == 7
