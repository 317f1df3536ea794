"""The notebook of ``examples/``, run from its first cell to its last."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.conftest import EXAMPLES

NOTEBOOK = EXAMPLES / "quickstart.ipynb"


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> nbformat.NotebookNode:
    folder = tmp_path_factory.mktemp("notebook")
    for path in EXAMPLES.glob("*.wav"):
        shutil.copy(path, folder)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(folder)}})
    # The kernel runs in another folder, and must find this package.
    client.execute(env=os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)})
    return notebook


def outputs(notebook: nbformat.NotebookNode, cell: str) -> list[nbformat.NotebookNode]:
    return next(c.outputs for c in notebook.cells if c.id == cell)


def shown(notebook: nbformat.NotebookNode, cell: str, mime: str) -> list[str]:
    return [o.data[mime] for o in outputs(notebook, cell) if mime in o.get("data", {})]


def test_it_was_committed_without_outputs():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert [c.outputs for c in notebook.cells if c.cell_type == "code" and c.outputs] == []


def test_training_says_how_it_goes_and_what_came_out(executed):
    said = "".join(str(output) for output in outputs(executed, "train"))
    assert "step 100 " in said
    came_out = shown(executed, "train", "text/plain")[-1]
    assert came_out == "Run('runs/plucked_dry-1'): input to target, 11025 Hz, 100 steps"


@pytest.mark.parametrize("cell", ["plot", "waves"])
def test_pictures_are_shown(executed, cell):
    assert len(shown(executed, cell, "image/png")) == 1


def test_sounds_have_players(executed):
    for cell, count in (("process", 3), ("generate", 1)):
        players = shown(executed, cell, "text/html")
        assert len(players) == count
        assert all("<audio" in player for player in players)


def test_the_comparison_is_a_table(executed):
    (table,) = shown(executed, "compare", "text/html")
    assert "<td>model</td>" in table
    assert "<td>copy</td>" in table
