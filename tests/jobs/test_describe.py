"""What `info` shows, and what a model's author says about it: kept, shown and exported."""

from __future__ import annotations

import json
import re

import pytest

from tests.conftest import SMALL_NETWORK, run, run_ok

ABOUT = ["--name", "Lead <b>channel", "--gear", "Plexi, 1968", "--notes", "gain at 4", "--modeled-by", "Someone"]
# --hidden stays that of the preset.
AMP = ["--task", "frames", "--preset", "plugin", "--warm-up", 10, "--steps", 20, *SMALL_NETWORK[2:]]
IN_NAM = {"name": "Lead <b>channel", "gear_model": "Plexi, 1968", "notes": "gain at 4", "modeled_by": "Someone"}


@pytest.fixture(scope="module")
def named_run(recordings, tmp_path_factory):
    out = tmp_path_factory.mktemp("named") / "run"
    trained = run_ok("train", "--input", recordings[0], "--target", recordings[1], "--out", out, *AMP, *ABOUT, "--json")
    return out, trained.json


def rows(text: str) -> dict[str, str]:
    """The table as a dict; lines that go on below others are joined."""
    found: dict[str, str] = {}
    for line in text.splitlines()[1:]:
        label = re.match(r"(\S.*?)  +(\S.*)", line)
        if label:
            found[label[1]] = label[2].rstrip()
        else:
            found[list(found)[-1]] += " " + line.strip()
    return found


def test_the_table_has_the_figures_that_training_ended_with(named_run):
    folder, trained = named_run
    found = rows(run_ok("info", folder).stdout)
    esr = f"ESR {trained['valid']['esr']:.4g} ({trained['grade']})"
    assert found["validation"].startswith(esr)
    assert found["trained"] == f"20 steps, {trained['epochs']:.2f} epochs, stopped by steps"
    assert found["network"] == "1 layer of 40 LSTM units, 6,761 parameters"
    assert found["rate"] == "11,025 Hz"
    assert found["recordings"].startswith("dry.wav -> wet.wav, ")
    assert (found["name"], found["gear"], found["notes"]) == ("Lead <b>channel", "Plexi, 1968", "gain at 4")
    about = run_ok("info", folder, "--json").json
    assert about["about"] == IN_NAM
    assert about["result"] == trained
    assert len(run_ok("info", folder).stdout.splitlines()) < 20


def test_a_zip_alone_has_the_best_network(named_run, next_run):
    folder, trained = named_run
    found = rows(run_ok("info", folder / "model.zip").stdout)
    assert f"ESR {trained['valid']['esr']:.4g}" in found["validation"]
    assert found["trained"].endswith("(the best network)")
    # The error of the expected next sample is not what is heard, so it gets no word.
    assert re.match(r"\d\.\d+ bits/sample", rows(run_ok("info", next_run).stdout)["validation"])
    assert "(" not in rows(run_ok("info", next_run).stdout)["validation"]


@pytest.mark.parametrize("format_name", ["nam", "rtneural", "onnx"])
def test_exports_say_it_too_and_info_reads_them(named_run, tmp_path, format_name):
    file = tmp_path / f"amp.{format_name}"
    run_ok("export", "--model", named_run[0], "--format", format_name, "--output", file, "--gear-make", "Marshall")
    if format_name == "onnx":
        onnx = pytest.importorskip("onnx")
        stored = {entry.key: entry.value for entry in onnx.load(file).metadata_props}
    else:
        stored = json.loads(file.read_text())["metadata"]
    assert {name: stored[name] for name in IN_NAM} == IN_NAM
    assert stored["gear_make"] == "Marshall"
    if format_name == "nam":
        found = rows(run_ok("info", file).stdout)
        assert found["name"] == "Lead <b>channel"
        assert found["network"] == "1 x 40 lstm, 6,761 parameters"
        assert found["to use it"].startswith("dl4j-bridge adopt ")


def test_the_report_has_it_and_its_text_is_no_html(named_run):
    text = (named_run[0] / "report.html").read_text()
    assert "Lead &lt;b&gt;channel" in text
    assert "<th>gear</th><td>Plexi, 1968</td>" in text


def test_another_run_takes_it_up_or_not(named_run, recordings, tmp_path):
    pair = ["--input", recordings[0], "--target", recordings[1]]
    run_ok("train", *pair, "--from", named_run[0], "--out", tmp_path / "b", "--steps", 1, "--no-report")
    assert run_ok("info", tmp_path / "b", "--json").json["about"] == {}
    run_ok("train", tmp_path / "b", "--resume", "--steps", 2, "--name", "Clean", "--no-report")
    assert run_ok("info", tmp_path / "b", "--json").json["about"] == {"name": "Clean"}


def test_what_is_no_text_is_refused(recordings, tmp_path):
    for name in ("", "a\x1b[2Jb", "x" * 2001):
        result = run("train", "--input", recordings[0], "--out", tmp_path / "run", "--name", name)
        assert result.status == 2
        assert "--name" in result.error
        assert "wanted 1 to 2000 printable characters" in result.error


def test_what_is_no_model_is_one_line(tmp_path):
    (tmp_path / "wavenet.nam").write_text('{"architecture": "WaveNet", "config": {}, "weights": []}')
    result = run("info", tmp_path / "wavenet.nam")
    assert result.status == 2
    assert "architecture WaveNet" in result.error
    (tmp_path / "text.json").write_text("[]")
    assert run("info", tmp_path / "text.json").status == 2
