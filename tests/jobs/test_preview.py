"""The preview that is written while a network trains."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from dl4j_bridge.jobs.new_run import new_run
from dl4j_bridge.jobs.preview import SHARE, Preview
from dl4j_bridge.settings.commands import ProcessSettings
from dl4j_bridge.signal.pairs import part_of
from dl4j_bridge.tasks.registry import train_settings

pytestmark = pytest.mark.usefixtures("java")
SMALL = {"hidden": 8, "batch": 2, "length": 50, "tbptt": 25, "steps": 1, "preview": 10.0}


def started(recordings, tmp_path, target=True, **options):
    dry, wet = recordings
    tmp_path.mkdir(exist_ok=True)
    run = new_run([dry], [wet] * target, tmp_path / "run", train_settings(SMALL | options, target))
    run.folder.lock.release()
    return run


class Clock:
    """Time that only passes when a test says so."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.mark.parametrize("task", ["samples", "frames"])
def test_the_models_sound_so_far(recordings, tmp_path, task):
    run, clock = started(recordings, tmp_path, task=task), Clock()
    preview = Preview(run, clock)
    clock.now = 9.9
    preview.after_validation()
    assert not run.folder.preview.exists(), "sooner than asked for"
    clock.now = 1000.0
    preview.after_validation()
    sound, rate = soundfile.read(run.folder.preview)
    x, y = run.signals[0]
    part = part_of(len(y), "test")
    assert rate == run.info.rate
    assert sound.size == part.stop - part.start, "the held-out part is shorter than the excerpt"
    whole = run.pairs[0].input.read(rate, run.pairs[0].input_start, len(x))
    made = np.concatenate(list(run.task.process(run.network, iter([whole]), ProcessSettings())))[part]
    # 16 bits, and a state that began 200 samples before.
    assert np.abs(sound - made).max() < 0.01


def test_no_preview_where_it_says_nothing(recordings, tmp_path):
    for number, (target, options) in enumerate([(False, {}), (True, {"preview": 0.0})]):
        run, clock = started(recordings, tmp_path / str(number), target, **options), Clock()
        preview = Preview(run, clock)
        clock.now = 1e6
        preview.after_validation()
        preview.at_end()
        assert not run.folder.preview.exists()


def test_it_takes_at_most_its_share_of_the_time(recordings, tmp_path, monkeypatch):
    run, clock, written = started(recordings, tmp_path), Clock(), []
    preview = Preview(run, clock)

    def slow(network, task):
        written.append(clock.now)
        clock.now += 7.0

    monkeypatch.setattr(preview, "_write", slow)
    for _ in range(2000):
        clock.now += 3.0
        preview.after_validation()
    assert len(written) > 3
    # The duration of the first one was only estimated.
    assert 7.0 * (len(written) - 1) <= SHARE * clock.now
    assert written[0] < 20


def test_at_the_end_it_is_the_best_network(recordings, tmp_path):
    run, clock = started(recordings, tmp_path), Clock()
    preview = Preview(run, clock)
    clock.now = 1000.0
    preview.after_validation()
    before = soundfile.read(run.folder.preview)[0]
    run.network.scale_output(0.5)
    run.best = SimpleNamespace(network=run.network, info=run.info)
    preview.at_end()
    assert not np.array_equal(soundfile.read(run.folder.preview)[0], before)
