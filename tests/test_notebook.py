"""The notebooks of ``examples/``, run from their first cell to their last."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import nbformat
import numpy as np
import pytest
import soundfile
from nbclient import NotebookClient

from dl4j_bridge.demos import synthesis
from tests.conftest import EXAMPLES

NOTEBOOK = EXAMPLES / "quickstart.ipynb"
COLAB = EXAMPLES / "colab.ipynb"
# Colab's module: `upload` hands over the files of the folder `uploads` one after the other, as a user would.
COLAB_FILES = """
from pathlib import Path
import shutil

_chosen = iter(sorted(Path("uploads").iterdir()))


def upload():
    path = next(_chosen)
    shutil.copy(path, path.name)
    return {path.name: path.read_bytes()}


def download(path):
    assert Path(path).is_file()
    with open("downloads", "a") as f:
        f.write(Path(path).name + "\\n")
"""


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


@pytest.mark.parametrize("path", [NOTEBOOK, COLAB], ids=lambda path: path.stem)
def test_it_was_committed_without_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    assert [c.outputs for c in notebook.cells if c.cell_type == "code" and c.outputs] == []


@pytest.mark.slow
def test_training_says_how_it_goes_and_what_came_out(executed):
    said = "".join(str(output) for output in outputs(executed, "train"))
    assert "step 100 " in said
    came_out = shown(executed, "train", "text/plain")[-1]
    assert came_out == "Run('runs/plucked_dry-1'): input to target, 11025 Hz, 100 steps"


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["plot", "waves"])
def test_pictures_are_shown(executed, cell):
    assert len(shown(executed, cell, "image/png")) == 1


@pytest.mark.slow
def test_sounds_have_players(executed):
    for cell, count in (("process", 3), ("generate", 1)):
        players = shown(executed, cell, "text/html")
        assert len(players) == count
        assert all("<audio" in player for player in players)


@pytest.mark.slow
def test_the_comparison_is_a_table(executed):
    (table,) = shown(executed, "compare", "text/html")
    assert "<td>model</td>" in table
    assert "<td>copy</td>" in table


@pytest.mark.slow
def test_the_notebook_for_colab_trains_from_two_uploads(tmp_path):
    (tmp_path / "uploads").mkdir()
    dry = synthesis.plucked_strings(6, 44100)
    for name, sound in (("1-dry.wav", dry), ("2-wet.wav", np.tanh(3 * dry))):
        soundfile.write(tmp_path / "uploads" / name, sound, 44100, "PCM_24")
    (tmp_path / "google" / "colab").mkdir(parents=True)
    (tmp_path / "google" / "colab" / "files.py").write_text(COLAB_FILES)
    notebook = nbformat.read(COLAB, as_version=4)
    (train,) = (cell for cell in notebook.cells if cell.id == "train")
    assert "MINUTES = 10  #" in train.source
    train.source = train.source.replace("MINUTES = 10  #", "MINUTES = 0.2  #")
    client = NotebookClient(notebook, timeout=1800, resources={"metadata": {"path": str(tmp_path)}})
    client.execute(env=os.environ | {"PYTHONPATH": f"{Path(__file__).parent.parent}{os.pathsep}{tmp_path}"})
    said = "".join(output.get("text", "") for output in outputs(notebook, "train"))
    assert float(re.search(r"ESR (\S+)", said)[1]) < 1
    assert len(shown(notebook, "listen", "text/html")) == 3
    assert (tmp_path / "downloads").read_text().split() == ["mine.nam", "mine.zip"]
    assert json.loads((tmp_path / "mine.nam").read_text())["architecture"] == "LSTM"
