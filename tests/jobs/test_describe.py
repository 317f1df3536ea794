"""What `info` shows, and what a model's author says about it: kept, shown and exported."""

from __future__ import annotations

import json
import re

import pytest
from typer.testing import CliRunner

import dl4j_bridge
from dl4j_bridge import cli
from dl4j_bridge.errors import InputError

pytestmark = pytest.mark.usefixtures("java")
ABOUT = {"name": "Lead <b>channel", "gear": "Plexi, 1968", "notes": "gain at 4", "modeled_by": "Someone"}
IN_NAM = {"name": "Lead <b>channel", "gear_model": "Plexi, 1968", "notes": "gain at 4", "modeled_by": "Someone"}
OPTIONS = {"task": "frames", "batch": 4, "length": 100, "tbptt": 25, "warm_up": 10, "validate_every": 10}
OPTIONS |= {"validation_samples": 800, "steps": 20, "progress": False}


@pytest.fixture(scope="module")
def named_run(java, recordings, tmp_path_factory):
    out = tmp_path_factory.mktemp("named") / "run"
    return dl4j_bridge.train(*recordings, out=out, preset="plugin", **OPTIONS, **ABOUT)


def info(path, *options: str) -> str:
    result = CliRunner().invoke(cli.app, ["info", str(path), *options], env={"COLUMNS": "80"})
    if result.exception:
        raise result.exception
    return result.stdout


def rows(path) -> dict[str, str]:
    """The table as a dict; lines that go on below others are joined."""
    found: dict[str, str] = {}
    for line in info(path).splitlines()[1:]:
        row = re.match(r"(\S.*?)  +(\S.*)", line)
        if row:
            found[row[1]] = row[2].rstrip()
        elif found:
            found[list(found)[-1]] += " " + line.strip()
    return found


def test_the_table_has_the_figures_that_training_ended_with(named_run):
    result, found = named_run.result, rows(named_run.path)
    assert found["validation"].startswith(f"ESR {result['valid']['esr']:.4g} ({result['grade']})")
    assert found["trained"] == f"20 steps, {result['epochs']:.2f} epochs, stopped by steps"
    assert found["network"] == "1 layer of 40 LSTM units, 6,761 parameters"
    assert found["rate"] == "11,025 Hz"
    assert found["recordings"].startswith("dry.wav -> wet.wav, ")
    assert (found["name"], found["gear"], found["notes"]) == ("Lead <b>channel", "Plexi, 1968", "gain at 4")
    assert len(info(named_run.path).splitlines()) < 20
    about = json.loads(info(named_run.path, "--json"))
    assert about["about"] == IN_NAM
    assert about["result"] == result


def test_a_zip_alone_has_the_best_network(named_run, next_run):
    found = rows(named_run.path / "model.zip")
    assert f"ESR {named_run.result['valid']['esr']:.4g} ({named_run.result['grade']})" in found["validation"]
    assert found["trained"].endswith("(the best network)")
    # The error of the expected next sample is not what is heard, so it gets no word.
    validation = rows(next_run)["validation"]
    assert re.match(r"\d\.\d+ bits/sample", validation)
    assert "(" not in validation


@pytest.mark.parametrize("format_name", ["nam", "rtneural", "onnx"])
def test_exports_have_it_too_and_info_reads_them(named_run, tmp_path, format_name):
    file = tmp_path / f"amp.{format_name}"
    named_run.export(format_name, file, gear_make="Marshall")
    if format_name == "onnx":
        onnx = pytest.importorskip("onnx")
        stored = {entry.key: entry.value for entry in onnx.load(file).metadata_props}
    else:
        stored = json.loads(file.read_text())["metadata"]
    assert {name: stored[name] for name in IN_NAM} == IN_NAM
    assert stored["gear_make"] == "Marshall"
    if format_name != "onnx":
        found = rows(file)
        assert found["network"] == "1 x 40 lstm, 6,761 parameters"
        assert found["to use it"].startswith("dl4j-bridge adopt ")
    if format_name == "nam":
        assert found["name"] == "Lead <b>channel"


def test_the_report_has_it_and_its_text_is_no_html(named_run):
    text = (named_run.path / "report.html").read_text()
    assert "Lead &lt;b&gt;channel" in text
    assert "<th>gear</th><td>Plexi, 1968</td>" in text


def test_another_run_does_not_take_it_up_and_a_resumed_one_may_change_it(named_run, recordings, tmp_path):
    limits = {"steps": 1, "report": False, "progress": False}
    other = dl4j_bridge.train(*recordings, out=tmp_path / "b", start=named_run.path, **limits)
    assert json.loads(info(other.path, "--json"))["about"] == {}
    other.resume(**limits | {"steps": 2}, name="Clean")
    assert json.loads(info(other.path, "--json"))["about"] == {"name": "Clean"}


@pytest.mark.parametrize("name", ["", "a\x1b[2Jb", "x" * 2001])
def test_what_is_no_text_is_refused(recordings, tmp_path, name):
    with pytest.raises(InputError, match="wanted 1 to 2000 printable characters"):
        dl4j_bridge.train(*recordings, out=tmp_path / "run", name=name)


def test_a_strangers_file_cannot_steer_the_terminal(named_run, tmp_path):
    named_run.export("nam", tmp_path / "a.nam")
    stored = json.loads((tmp_path / "a.nam").read_text())
    stored["metadata"]["name"] = "red \x1b[31m"
    (tmp_path / "a.nam").write_text(json.dumps(stored))
    assert "\x1b" not in info(tmp_path / "a.nam")


def test_what_is_no_model_is_one_line(tmp_path):
    (tmp_path / "wavenet.nam").write_text('{"architecture": "WaveNet", "config": {}, "weights": []}')
    with pytest.raises(InputError, match="architecture WaveNet"):
        info(tmp_path / "wavenet.nam")
    (tmp_path / "text.json").write_text("[]")
    with pytest.raises(InputError, match="not a model zip"):
        info(tmp_path / "text.json")
