"""The package from Python: what a notebook does with it."""

from __future__ import annotations

import doctest
import json
import shutil
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import soundfile
from matplotlib.figure import Figure

import dl4j_bridge
from dl4j_bridge import InputError, api, trained
from dl4j_bridge.java import handover
from dl4j_bridge.jobs import stream
from dl4j_bridge.settings.checks import option
from dl4j_bridge.tasks import registry
from tests.conftest import EXAMPLES, run_ok

# Lines of the docstrings that run, at least.
ATTEMPTED = {api: 8, trained: 8, dl4j_bridge: 1, stream: 2, handover: 5}
TINY = {"hidden": 16, "batch": 4, "length": 100, "tbptt": 25, "validate_every": 5, "validation_samples": 400}


@pytest.fixture(scope="module")
def work(effect_run: Path, next_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the recordings of ``examples/`` and two trained runs."""
    folder = tmp_path_factory.mktemp("work")
    for path in EXAMPLES.glob("*.wav"):
        shutil.copy(path, folder)
    shutil.copytree(effect_run, folder / "amp")
    shutil.copytree(next_run, folder / "voice")
    return folder


@pytest.fixture(scope="module")
def effect(work: Path) -> dl4j_bridge.Run:
    return dl4j_bridge.load(work / "amp")


def test_importing_the_package_imports_nothing_heavy():
    script = (
        "import sys, dl4j_bridge\n"
        "heavy = {'jnius', 'numpy', 'rich', 'typer', 'dl4j_bridge.api'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "assert set(dl4j_bridge.__all__) <= set(dir(dl4j_bridge))\n"
        "dl4j_bridge.train, dl4j_bridge.InputError\n"
        "assert 'jnius' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_public_name_is_there_and_no_other():
    assert all(getattr(dl4j_bridge, name).__name__ == name for name in dl4j_bridge.__all__)
    with pytest.raises(AttributeError, match="no attribute 'tain'"):
        dl4j_bridge.tain  # noqa: B018


def test_the_options_are_those_of_the_command_line():
    """Every option of a run can be given again, and `align` as a number too; no other name is known."""
    for task, kind in registry.KINDS.items():
        options = registry.train_settings({"task": task}, has_target=kind.with_target is not None).as_options()
        given = {name: value for name, value in options.items() if value is not None}
        assert registry.checked_options("train", given) == given
    assert registry.checked_options("train", {"align": -40}) == {"align": "-40"}
    assert registry.checked_options("train", {"steps": 3, "minutes": 1}) == {"steps": 3, "minutes": 1}
    with pytest.raises(InputError, match="unknown option out"):
        registry.checked_options("train", {"out": "x"})


@pytest.mark.parametrize("module", ATTEMPTED, ids=lambda module: module.__name__)
def test_the_examples_in_the_docstrings(module: types.ModuleType, java, work, monkeypatch):
    monkeypatch.chdir(work)
    found = doctest.testmod(module, extraglobs={"np": np}, optionflags=doctest.ELLIPSIS)
    assert found.attempted > ATTEMPTED[module]
    assert found.failed == 0


def test_three_lines_train_process_and_compare(java, recordings, tmp_path):
    run = dl4j_bridge.train(*recordings, out=tmp_path / "run", steps=10, **TINY)
    y = run.process(recordings[0])
    rows = run.compare()
    assert y.shape == (soundfile.info(recordings[0]).frames,)
    assert rows[0]["name"] == "model"
    assert rows.part == "test"
    assert run.result["stopped_because"] == "steps"
    assert run.get_params()["hidden"] == 16
    assert (tmp_path / "run" / "report.html").exists()


def test_the_same_run_as_the_command_makes(java, recordings, tmp_path):
    run = dl4j_bridge.train(*recordings, out=tmp_path / "here", steps=10, **TINY)
    options = [text for name, value in TINY.items() for text in (option(name), str(value))]
    run_ok("train", "--input", recordings[0], "--target", recordings[1], "--out", tmp_path / "there", "--steps", 10,
           *options)  # fmt: skip
    other = dl4j_bridge.load(tmp_path / "there")
    assert other.get_params() == run.get_params()
    assert other.result["valid"] == run.result["valid"]


@pytest.mark.slow
def test_arrays_train_as_their_files_do(java, recordings, tmp_path):
    sounds = [soundfile.read(path)[0] for path in recordings]
    rate = soundfile.info(recordings[0]).samplerate
    options = {"steps": 10, "codec": "linear", **TINY}
    of_arrays = dl4j_bridge.train(*sounds, rate=rate, out=tmp_path / "arrays", **options)
    of_files = dl4j_bridge.train(*recordings, out=tmp_path / "files", **options)
    assert of_arrays.result["valid"] == of_files.result["valid"]
    assert of_arrays.compare().part == "test"
    # Given again they are known, so that nothing of the training is judged.
    assert of_arrays.compare(*sounds).part == "test"
    resumed = of_arrays.resume(steps=15)
    assert resumed.result["steps"] == 15


def test_processing_an_array_is_processing_its_file(effect, recordings, tmp_path):
    x, rate = soundfile.read(recordings[0])
    y = effect.process(x)
    run_ok("process", "--model", effect.path, "--input", recordings[0], "--output", tmp_path / "y.wav")
    written, _ = soundfile.read(tmp_path / "y.wav")
    assert y.dtype == np.float32
    assert y.shape == x.shape
    assert rate == effect.rate
    # The file holds 16 bits.
    np.testing.assert_allclose(y, written, atol=2**-15)
    np.testing.assert_array_equal(effect.process(recordings[0]), y)
    # A second run starts from silence again.
    np.testing.assert_array_equal(effect.process(x), y)


@pytest.mark.parametrize("before", ["jvm.configure(threads=1)", ""], ids=["Java runs already", "Java does not run"])
def test_all_of_it_may_happen_in_a_thread(effect, before, recordings):
    """As in a window that stays alive while it computes: Java knows no class loader in a thread that Python made."""
    script = (
        "import sys, threading, dl4j_bridge\n"
        "from dl4j_bridge.java import jvm\n"
        "def work():\n"
        "    sound = dl4j_bridge.load(sys.argv[1]).process(sys.argv[2])\n"
        "    assert sound.size\n"
        "    print('done')\n"
        f"{before}\n"
        "thread = threading.Thread(target=work)\n"
        "thread.start()\n"
        "thread.join()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, effect.path, recordings[0]], capture_output=True, text=True, check=False
    )
    assert done.stdout == "done\n", done.stderr


def test_processing_keeps_length_and_rate(effect):
    x = 0.5 * np.sin(np.arange(44100) / 20)
    y = effect.process(x, rate=44100)
    assert y.shape == x.shape
    exact = effect.process(x[:3000], decode="argmax")
    assert np.unique(exact).size < 256
    assert not np.array_equal(exact, effect.process(x[:3000]))


def test_generating_is_repeatable(work):
    run = dl4j_bridge.load(work / "voice")
    y = run.generate(0.2, seed=3)
    assert y.shape == (round(0.2 * run.rate),)
    np.testing.assert_array_equal(run.generate(0.2, seed=3), y)
    assert not np.array_equal(run.generate(0.2, seed=4), y)
    primed = run.generate(0.2, seed=3, prime=work / "plucked_dry.wav")
    assert not np.array_equal(primed, y)
    np.testing.assert_array_equal(run.generate(0.2, seed=3, prime=soundfile.read(work / "plucked_dry.wav")[0]), primed)


def test_rows_print_well(effect):
    rows = effect.compare()
    html = rows._repr_html_()
    assert f"{rows.samples:,} samples: the held-out test part" in html
    assert html.count("<tr>") == len(rows) + 1
    text = repr(rows)
    assert all(row["name"] in text for row in rows)
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "\x1b" not in text


def test_the_curves_are_those_of_the_log(effect):
    curves = effect.curves()
    assert list(curves["step"]) == list(range(1, 41))
    assert np.isnan(curves["valid_bits"]).sum() == 36
    figure = effect.plot()
    assert isinstance(figure, Figure)
    # What a notebook shows where pyplot was never imported.
    assert figure._repr_png_().startswith(b"\x89PNG")
    drawn = figure.axes[0].lines[0].get_ydata()
    np.testing.assert_array_equal(drawn, curves["bits"])


def test_diagnosing_an_unrelated_pair(java, tmp_path):
    x, y = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 11025))
    found = dl4j_bridge.diagnose(x, y, rate=11025, out=tmp_path / "d", quick=True, **TINY)
    assert not found.ok
    assert "unrelated" in {finding["code"] for finding in found["findings"]}
    assert "unrelated" in repr(found)
    assert "unrelated" in found._repr_html_()
    # Arrays have no files that a command could name.
    assert {finding["command"] for finding in found["findings"]} == {None}
    assert "dl4j-bridge train" not in found["next"]
    assert (tmp_path / "d" / "report.html").exists()


def test_progress_goes_to_stderr_if_it_is_wanted(java, recordings, tmp_path, capfd):
    dl4j_bridge.train(recordings[0], out=tmp_path / "quiet", steps=5, **TINY)
    assert capfd.readouterr() == ("", "")
    dl4j_bridge.train(recordings[0], out=tmp_path / "shown", steps=5, progress=True, **TINY)
    said = capfd.readouterr()
    assert said.out == ""
    assert "parameters" in said.err
    assert "step 5 " in said.err


NOISE = np.random.default_rng(1).uniform(-0.5, 0.5, 4000)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda out: dl4j_bridge.train(NOISE, out=out), "rate: not given"),
        (lambda out: dl4j_bridge.train(NOISE, NOISE[:1000], rate=8000, out=out), "more than a delay"),
        (lambda out: dl4j_bridge.train(NOISE.reshape(2, -1), rate=8000, out=out), r"shape \(2, 2000\)"),
        (lambda out: dl4j_bridge.train((NOISE * 99).astype(np.int16), rate=8000, out=out), "int16"),
        (lambda out: dl4j_bridge.train(np.append(NOISE, np.nan), rate=8000, out=out), "sample 4000 is NaN"),
        (lambda out: dl4j_bridge.train(NOISE[:0], rate=8000, out=out), "without samples"),
        (lambda out: dl4j_bridge.train(7, out=out), "of type int"),
        (lambda out: dl4j_bridge.train([NOISE, NOISE], [NOISE], rate=8000, out=out), "1 for 2"),
        (lambda out: dl4j_bridge.train("gone.wav", out=out), "gone.wav: no such file"),
        (
            lambda out: dl4j_bridge.train(NOISE, rate=8000, out=out, hiden=3),
            "unknown option hiden; did you mean hidden",
        ),
        (lambda out: dl4j_bridge.train(NOISE, rate=8000, out=out, hidden="many"), 'hidden = "many"; wanted a whole'),
        (lambda out: dl4j_bridge.train(NOISE, rate=8000, out=out, hidden=np.int64(0)), "--hidden: 0"),
        (lambda out: dl4j_bridge.train(NOISE, rate=8000, out=out, preset="best"), "--preset: best"),
        (lambda out: dl4j_bridge.train([], out=out), "input: an empty list"),
        (lambda out: dl4j_bridge.train(NOISE, [], rate=8000, out=out), "target: an empty list"),
        (lambda out: dl4j_bridge.train(None, out=out), "input: of type NoneType"),
        (lambda out: dl4j_bridge.load(3), "path: of type int"),
        (lambda out: dl4j_bridge.load(out / "gone"), "no such file"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(tmp_path, call, words):
    with pytest.raises(InputError, match=words) as e:
        call(tmp_path / "run")
    assert len(str(e.value).splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_the_users_recordings_is_left_alone(tmp_path):
    kept = tmp_path / "project" / "recordings" / "mine.wav"
    kept.parent.mkdir(parents=True)
    kept.write_text("dear to me")
    with pytest.raises(InputError, match="recordings: is there already"):
        dl4j_bridge.train(NOISE, rate=8000, out=tmp_path / "project", **TINY)
    assert kept.read_text() == "dear to me"


@pytest.mark.parametrize(("rate", "words"), [(0, "--rate: 0"), (-8000, "--rate: -8000"), (8000.5, "rate = 8000.5")])
def test_a_rate_that_makes_no_sense(effect, rate, words):
    for call in (effect.process, effect.compare):
        with pytest.raises(InputError, match=words):
            call(NOISE, rate=rate)


def test_models_of_another_kind(effect, work):
    with pytest.raises(InputError, match="dl4j-bridge process"):
        effect.generate(1)
    with pytest.raises(InputError, match="dl4j-bridge generate"):
        dl4j_bridge.load(work / "voice").process(NOISE)


def test_a_run_that_has_not_ended_has_no_result(work, tmp_path):
    shutil.copytree(work / "amp", tmp_path / "amp")
    (tmp_path / "amp" / "run.json").write_text(json.dumps({"status": "running"}))
    with pytest.raises(InputError, match="a run that is running"):
        _ = dl4j_bridge.load(tmp_path / "amp").result
