"""A mutant of a model zip is refused in one line, or is the model that it was made from."""

from __future__ import annotations

import zipfile
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dl4j_bridge.errors import InputError
from dl4j_bridge.model import model_zip
from tests.faults.zip_mutants import KINDS, Mutant, entries_of, hidden_entry

ORIGINALS = [Path(__file__).parents[1] / "data" / "version_0.1.0" / name for name in ("samples.zip", "run/last.zip")]
mutants = st.builds(Mutant, st.sampled_from([kind.__name__ for kind in KINDS]), st.integers(0, 2**32))


def check_one_line(message: str, path: Path) -> None:
    assert message.startswith(f"{path}: ")
    assert len(message.splitlines()) == 1
    assert len(message) < 600


@pytest.mark.parametrize(
    "original", [pytest.param(ORIGINALS[0], marks=pytest.mark.slow), ORIGINALS[1]], ids=lambda path: path.stem
)
@given(mutant=mutants)
def test_a_mutant_is_refused_in_one_line_or_changes_nothing(tmp_path_factory, original, mutant):
    path = tmp_path_factory.getbasetemp() / "mutant.zip"
    path.write_bytes(mutant.of(original.read_bytes()))
    whole = model_zip.open_model(original)
    try:
        model = model_zip.open_model(path)
        baselines, state = model.baselines, model.state
    except InputError as e:
        check_one_line(str(e), path)
        return
    np.testing.assert_array_equal(model.stored.parameters, whole.stored.parameters)
    assert baselines.keys() == whole.baselines.keys()
    assert state.keys() == whole.state.keys()
    if mutant.kind != "json_value":
        # Another value of the metadata may be a valid one.
        assert model.info.task.as_dict() == whole.info.task.as_dict()


def test_a_hidden_entry_is_named_wherever_it_is(tmp_path):
    content = ORIGINALS[0].read_bytes()
    path = tmp_path / "m.zip"
    for seed in range(20):
        path.write_bytes(hidden_entry(content, Random(seed)))
        with zipfile.ZipFile(path) as z:
            assert set(z.namelist()) == set(entries_of(content)), "Python's zipfile shows the entry"
        with pytest.raises(InputError, match="hidden entry '"):
            model_zip.open_model(path)
