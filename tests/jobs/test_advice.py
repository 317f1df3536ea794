"""What is said before a training: swapped files, a forgotten target, a task that suits better."""

import numpy as np
import pytest
import soundfile
from scipy.signal import lfilter

from dl4j_bridge.demos import synthesis
from dl4j_bridge.errors import InputError
from dl4j_bridge.jobs import advice
from dl4j_bridge.jobs.diagnose import Request, diagnose
from dl4j_bridge.signal import pairs
from dl4j_bridge.tasks import registry
from tests.conftest import SMALL, run, run_ok


@pytest.fixture(scope="module")
def fine(tmp_path_factory):
    """Plucked strings at 44.1 kHz and 24 bits, dry and through a clipping amplifier."""
    folder = tmp_path_factory.mktemp("fine")
    dry = synthesis.plucked_strings(1.5, 44100)
    wet = lfilter([0.4], [1, -0.6], np.clip(6 * dry, -0.5, 0.5))
    for name, sound in (("dry", dry), ("wet", wet)):
        soundfile.write(folder / f"{name}.wav", 0.6 * sound / np.abs(sound).max(), 44100, "PCM_24")
    return folder / "dry.wav", folder / "wet.wav"


def pair_of(files, **options):
    settings = registry.train_settings(options, has_target=len(files) > 1)
    return [pairs.open_pair(files[0], files[1] if len(files) > 1 else None, settings.data)], settings


def said(files, **options):
    opened, settings = pair_of(files, **options)
    return advice.notes(registry.choose(settings, opened), opened, settings)


def test_train_names_swapped_files_and_the_task_for_an_amplifier(fine, tmp_path):
    dry, wet = fine
    result = run_ok("train", "--input", wet, "--target", dry, "--steps", 1, "--out", tmp_path / "run", *SMALL)
    lines = result.stderr.splitlines()
    (warning,) = [line for line in lines if line.startswith("warning: ")]
    assert f"{wet} and {dry} look swapped (energy that the best filter leaves: input to target" in warning
    assert f"train --input {dry} --target {wet}" in warning
    (note,) = [line for line in lines if "--task frames" in line]
    assert note.startswith(f"note: {wet}: 44100 Hz and more than 8 bits, but --task samples keeps 8 bits")
    assert note.endswith("--task frames --steps 1")
    # Before the training.
    assert lines.index(warning) < next(i for i, line in enumerate(lines) if "Ctrl-C stops" in line)


@pytest.mark.slow
def test_long_recordings_are_examined_at_their_start(fine, tmp_path):
    """Beyond the first minute nothing is read: there the two have nothing in common."""
    files = [tmp_path / path.name for path in fine]
    rng = np.random.default_rng(1)
    for path, file in zip(fine, files, strict=True):
        sound = np.tile(soundfile.read(path)[0], 11)[: 61 * 11025]
        soundfile.write(file, np.concatenate([sound, rng.normal(0, 0.1, 11025)]), 11025, "PCM_16")
    dry, wet = files
    assert len(advice.warnings(*pair_of([wet, dry]))) == 1
    assert advice.warnings(*pair_of([dry, wet])) == []


def test_the_right_order_is_no_mistake(fine, recordings):
    for files in (fine, recordings):
        assert advice.warnings(*pair_of(files)) == []


def test_eight_bits_that_were_asked_for_are_not_questioned(fine, recordings, tmp_path):
    assert len(said(fine)) == 1
    assert said(fine, codec="mulaw") == said(fine, rate=11025) == said(fine, task="frames") == []
    assert said(recordings) == []
    eight = [tmp_path / path.name for path in fine]
    for path, copy in zip(fine, eight, strict=True):
        sound, rate = soundfile.read(path)
        soundfile.write(copy, sound, rate, "PCM_U8")
    assert said(eight) == []


def test_without_a_target_it_says_that_it_learns_to_generate(fine, recordings):
    wanted = ["no --target: learns to generate; to learn an effect, add --target PROCESSED.wav"]
    assert said(recordings[:1]) == said(fine[:1]) == wanted
    assert said(recordings[:1], predict="next") == said(recordings[:1], task="language-model") == []


@pytest.mark.parametrize(
    ("options", "has_target", "words"),
    [
        ({"task": "frames"}, False, "to learn an effect, or --predict next to learn what comes next"),
        ({"predict": "next"}, True, "--predict: next with --target"),
        ({"predict": "target"}, False, "--predict: target without --target"),
    ],
)
def test_a_forgotten_target_is_refused_where_it_must_be_asked_for(options, has_target, words):
    settings = registry.train_settings(options, has_target)
    with pytest.raises(InputError, match=words):
        advice.check_predict(settings, has_target)


def test_frames_without_a_target_are_refused_before_anything_is_done(recordings, tmp_path):
    result = run("train", "--task", "frames", "--input", recordings[0], "--out", tmp_path / "out")
    assert (result.status, list(tmp_path.iterdir())) == (2, [])
    assert result.error.startswith("error: --target: not given with --task frames; wanted the processed recording")
    settings = registry.train_settings({"task": "frames"}, has_target=False)
    with pytest.raises(InputError, match="--target: not given with --task frames"):
        diagnose(Request(recordings[0], None, settings))


@pytest.mark.slow
def test_diagnose_names_the_task_for_an_amplifier(fine, tmp_path):
    dry, wet = fine
    options = ["--quick", "--hidden", 16, "--out", tmp_path / "out", "--json"]
    result = run("diagnose", "--input", dry, "--target", wet, *options)
    (note,) = result.json["notes"]
    assert f"train --input {dry} --target {wet} --task frames" in note
    assert f"note: {note}" in result.stderr
