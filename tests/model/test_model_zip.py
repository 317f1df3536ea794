"""A stranger's zip is refused before DL4J opens it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest

from dl4j_bridge.java import installation, jars
from dl4j_bridge.model import model_zip
from tests.conftest import run

PLAIN_JAVA = Path(__file__).parents[2] / "examples" / "LoadModel.java"


def rewritten(source: Path, target: Path, change) -> Path:
    """Copy a zip entry by entry through `change(name, content)`; None leaves the entry out."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = change(name, old.read(name))
            if content is not None:
                new.writestr(name, content)
    return target


def keep(name: str, content: bytes) -> bytes:
    return content


def refused(path: Path) -> str:
    result = run("info", path)
    assert result.status == 2
    assert result.error.startswith(f"error: {path}: ")
    return result.error


@pytest.mark.parametrize("entry", ["preprocessor.bin", "updater.bin", "normalizer.bin", "../evil", "a/b.class"])
def test_entries_that_java_would_deserialise_or_that_we_do_not_know(effect_run, tmp_path, entry):
    path = rewritten(effect_run / "model.zip", tmp_path / "m.zip", keep)
    with zipfile.ZipFile(path, "a") as z:
        z.writestr(entry, b"\xac\xed\x00\x05")
    assert "unknown entry" in refused(path)


def test_a_configuration_that_names_foreign_classes(effect_run, tmp_path):
    def change(name, content):
        return (
            content.replace(b"org.nd4j.linalg.learning.config.Adam", b"com.evil.Gadget") if "conf" in name else content
        )

    assert "com.evil.Gadget" in refused(rewritten(effect_run / "model.zip", tmp_path / "m.zip", change))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda n, c: None if n == "coefficients.bin" else c, "no entry coefficients.bin"),
        (lambda n, c: None if n == "dl4j_bridge.json" else c, "no entry dl4j_bridge.json"),
        (lambda n, c: b"[]" if n == "dl4j_bridge.json" else c, "does not describe a model"),
        (lambda n, c: b"{" if n == "configuration.json" else c, "not JSON"),
    ],
)
def test_incomplete_zips(effect_run, tmp_path, change, words):
    assert words in refused(rewritten(effect_run / "model.zip", tmp_path / "m.zip", change))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("task", "spectra"),
        ("codec", "alaw"),
        ("classes", 128),
        ("rate", "x"),
        ("predicts", "past"),
        ("pre_emphasis", 2),
        ("sampling", {"temperature": -1}),
        ("sampling", {"temperature": 1, "usual": {"level_db": float("nan"), "order_1_bits": 3}}),
    ],
)
def test_models_that_this_version_cannot_use(effect_run, tmp_path, name, value):
    def change(entry, content):
        return json.dumps(json.loads(content) | {name: value}).encode() if entry == "dl4j_bridge.json" else content

    error = refused(rewritten(effect_run / "model.zip", tmp_path / "m.zip", change))
    assert "does not describe a model" in error
    # The field with its value, or as the option that would set it.
    assert re.search(rf"{name}:? {re.escape(str(value)[:40])}", error), error


@pytest.mark.parametrize(
    ("group", "name", "value"),
    [("network", "task", "spectra"), ("network", "hidden", "many"), ("network", "hidden", 0), ("run", "batch", None)],
)
def test_settings_that_this_version_cannot_use(effect_run, tmp_path, group, name, value):
    """Such as those of a task that only a newer version has."""

    def change(entry, content):
        if entry != "dl4j_bridge.json":
            return content
        about = json.loads(content)
        about["settings"][group][name] = value
        return json.dumps(about).encode()

    path = rewritten(effect_run / "model.zip", tmp_path / "m.zip", change)
    assert name in refused(path)
    assert "does not describe a model" in refused(path)
    # Java was not asked.
    processed = run("process", "--model", path, "--input", tmp_path / "x.wav", "--output", tmp_path / "y.wav")
    assert processed.status == 2
    assert processed.error == refused(path)


@pytest.mark.parametrize("name", ["pairs", "settings", "predicts"])
def test_models_that_lack_what_every_job_needs(effect_run, tmp_path, name):
    def change(entry, content):
        if entry != "dl4j_bridge.json":
            return content
        return json.dumps({k: v for k, v in json.loads(content).items() if k != name}).encode()

    assert "does not describe a model" in refused(rewritten(effect_run / "model.zip", tmp_path / "m.zip", change))


@pytest.mark.parametrize("entry", ["configuration.json", "dl4j_bridge.json"])
def test_a_bomb(effect_run, tmp_path, entry):
    """Blanks, which a zip holds in a thousandth of their size."""

    def change(name, content):
        return content + b" " * (5 << 20) if name == entry else content

    path = rewritten(effect_run / "model.zip", tmp_path / "m.zip", change)
    assert path.stat().st_size < 1 << 20
    assert f"entry {entry} unpacks to more than 4 MiB" in refused(path)


def test_damage_anywhere_is_found(effect_run, tmp_path):
    whole = (effect_run / "model.zip").read_bytes()
    for at in (len(whole) // 4, len(whole) // 2):
        path = tmp_path / f"{at}.zip"
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        assert "damaged" in refused(path)
    cut = tmp_path / "cut.zip"
    cut.write_bytes(whole[: len(whole) // 2])
    assert "not a model zip" in refused(cut)


def test_parameters_of_another_network_get_one_line(effect_run, recordings, tmp_path):
    def change(name, content):
        return content[: len(content) // 2] if name == "coefficients.bin" else content

    path = rewritten(effect_run / "model.zip", tmp_path / "m.zip", change)
    result = run("process", "--model", path, "--input", recordings[0], "--output", tmp_path / "y.wav")
    assert result.status == 2
    assert str(path) in result.error
    assert not (tmp_path / "y.wav").exists()


def test_plain_dl4j_loads_it_and_gives_the_same_probabilities(effect_run, java, tmp_path):
    """A Java program with DL4J's jars and none of our classes."""
    indices = np.random.default_rng(0).integers(0, 256, 500, dtype=np.uint8)
    stream = model_zip.open_model(effect_run / "model.zip").load().network.stream()
    ours = stream.run(indices)
    (tmp_path / "indices").write_bytes(indices.tobytes())
    class_path = [str(p) for p in jars.class_path() if p.name != jars.OURS]
    program = shutil.copy(PLAIN_JAVA, tmp_path)
    subprocess.run(
        [
            installation.find_java().home / "bin" / "java", "-cp", ":".join(class_path), program,
            effect_run / "model.zip", tmp_path / "indices", tmp_path / "probabilities",
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    theirs = np.fromfile(tmp_path / "probabilities", ">f4").reshape(500, 256)
    np.testing.assert_allclose(theirs, ours, atol=1e-6, rtol=0)
    assert theirs.std() > 1e-4, "a network that says nothing would agree with anything"


def test_the_layers_in_the_zip_are_stock(effect_run):
    with zipfile.ZipFile(effect_run / "model.zip") as z:
        layers = [c["layer"]["@class"] for c in json.loads(z.read("configuration.json"))["confs"]]
    assert layers == [
        "org.deeplearning4j.nn.conf.layers.GravesLSTM",
        "org.deeplearning4j.nn.conf.layers.GravesLSTM",
        "org.deeplearning4j.nn.conf.layers.RnnOutputLayer",
    ]
