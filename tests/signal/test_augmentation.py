"""Copies of the training part: both sides alike, the rest untouched, the same ones for the same seed."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.signal import butter, lfilter

from dl4j_bridge.jobs.new_run import new_run
from dl4j_bridge.settings.training import AUGMENTATIONS, DataSettings, SmallDataSettings, TaskSettings, TrainSettings
from dl4j_bridge.signal import audio_files, augmentation, metrics, pairs
from dl4j_bridge.signal.pairs import Pair, part
from dl4j_bridge.tasks.frames.settings import FramesSettings
from tests.conftest import SMALL, network_of, run, run_ok

pytest.importorskip("audiomentations")

RATE = 8000
Floats = npt.NDArray[np.floating]


def noise(seconds: float = 1.0, level: float = 0.3, seed: int = 0) -> Floats:
    """Band-limited, so that another speed loses nothing of it."""
    white = np.random.default_rng(seed).normal(0, 1, round(seconds * RATE))
    slow = lfilter(*butter(6, 1500, fs=RATE), white)
    return np.asarray(level * slow / np.abs(slow).max())


def pair_of(folder: Path, x: Floats, y: Floats | None) -> Pair:
    paths = [folder / "x.wav", folder / "y.wav"]
    for path, sound in zip(paths, (x, y), strict=True):
        if sound is not None:
            audio_files.write(path, [sound], RATE, "FLOAT")
    return pairs.open_pair(paths[0], None if y is None else paths[1], DataSettings(align="off"))


def sides(pair: Pair) -> tuple[Floats, Floats]:
    assert pair.target
    return pair.input.read(RATE), pair.target.read(RATE)


def copies(pair: Pair, changes: str, count: int = 6, seed: int = 1) -> list[tuple[Pair, Pair]]:
    settings = SmallDataSettings(augment=changes, augment_copies=count)
    return list(augmentation.copies(pair, pair.length, settings, (seed, 0)))


def test_gain_is_the_same_on_both_sides_and_clips_nothing(tmp_path):
    x, y = noise(level=0.3), noise(level=0.9, seed=1)
    gains = []
    for heard, learnt in copies(pair_of(tmp_path, x, y), "gain"):
        assert heard is learnt
        new_x, new_y = sides(learnt)
        at = int(np.argmax(np.abs(x)))
        gains.append(new_x[at] / x[at])
        np.testing.assert_allclose(new_x, gains[-1] * x, atol=1e-6)
        np.testing.assert_allclose(new_y, gains[-1] * y, atol=1e-6)
        assert np.abs(new_y).max() <= 1
    assert len({round(float(gain), 6) for gain in gains}) == 6
    # -12 dB up to what the louder side has room for.
    assert min(gains) >= 10 ** (-12 / 20) - 1e-6
    assert max(gains) <= 1 / 0.9 + 1e-6


def test_polarity_turns_both_sides_or_none(tmp_path):
    x, y = noise(), noise(seed=1)
    signs = set()
    for _, learnt in copies(pair_of(tmp_path, x, y), "polarity", count=12):
        new_x, new_y = sides(learnt)
        sign = float(np.sign(new_x[100] * x[100]))
        signs.add(sign)
        np.testing.assert_array_equal(new_x, (sign * x).astype(np.float32))
        np.testing.assert_array_equal(new_y, (sign * y).astype(np.float32))
    assert signs == {1.0, -1.0}


def test_shift_moves_both_sides_by_as_many_samples_and_starts_with_silence(tmp_path):
    x, y = noise(), noise(seed=1)
    found = set()
    for _, learnt in copies(pair_of(tmp_path, x, y), "shift"):
        new_x, new_y = sides(learnt)
        by = int(np.flatnonzero(new_x)[0]) - int(np.flatnonzero(x.astype(np.float32))[0])
        found.add(by)
        assert 0 <= by <= 0.1 * x.size
        for new, old in ((new_x, x), (new_y, y)):
            assert not new[:by].any()
            np.testing.assert_array_equal(new[by:], old[: x.size - by].astype(np.float32))
    assert len(found) > 1


@pytest.mark.slow
def test_speed_changes_both_sides_alike(tmp_path):
    """A sine on one side and its octave on the other: one factor for both, and as many samples."""
    t = np.arange(RATE) / RATE
    factors = []
    for _, learnt in copies(pair_of(tmp_path, np.sin(2 * np.pi * 400 * t), np.sin(2 * np.pi * 800 * t)), "speed"):
        new_x, new_y = sides(learnt)
        assert new_x.size == new_y.size
        low, high = (
            float(np.argmax(np.abs(np.fft.rfft(new * np.hanning(new.size), 1 << 17)))) * RATE / (1 << 17)
            for new in (new_x, new_y)
        )
        assert high == pytest.approx(2 * low, rel=1e-3)
        factors.append(low / 400)
        assert new_x.size == pytest.approx(RATE / factors[-1], rel=2e-3)
    assert 0.79 < min(factors) < max(factors) < 1.26
    assert max(factors) - min(factors) > 0.05


def test_noise_is_heard_and_not_learnt(tmp_path):
    x, y = noise(), noise(seed=1)
    for heard, learnt in copies(pair_of(tmp_path, x, y), "noise"):
        np.testing.assert_array_equal(sides(learnt)[0], x.astype(np.float32))
        np.testing.assert_array_equal(sides(learnt)[1], y.astype(np.float32))
        np.testing.assert_array_equal(sides(heard)[1], y.astype(np.float32))
        snr = metrics.snr_db(metrics.esr(x, sides(heard)[0]))
        assert snr is not None
        assert 29 < snr < 51


def filtered(x: Floats) -> Floats:
    return np.asarray(lfilter(*butter(2, 800, fs=RATE), x))


def curve(x: Floats) -> Floats:
    return np.asarray(np.tanh(8 * x))


def lopsided(x: Floats) -> Floats:
    return np.asarray(0.6 * (np.tanh(8 * x + 0.7) - np.tanh(0.7)))


@pytest.mark.parametrize(
    ("effect", "holds", "breaks"),
    [
        (lambda x: x, ("shift", "speed", "gain", "polarity"), ()),
        (filtered, ("shift", "gain", "polarity"), ("speed",)),
        (curve, ("shift", "speed", "polarity"), ("gain",)),
        (lopsided, ("shift", "speed"), ("gain", "polarity")),
    ],
)
def test_which_change_breaks_which_effect(
    effect: Callable[[Floats], Floats], holds: tuple[str, ...], breaks: tuple[str, ...], tmp_path
):
    """The table of docs/small-data.md: what the effect makes of a changed input against the changed target."""
    x = noise(2)
    pair = pair_of(tmp_path, x, effect(x))
    for change in (*holds, *breaks):
        errors = []
        for _, learnt in copies(pair, change):
            new_x, new_y = sides(learnt)
            # The very ends, where resampling has nothing to go by, are left out.
            inner = slice(200, -200)
            errors.append(metrics.esr(effect(new_x)[inner], new_y[inner]) or 0.0)
        if change in holds:
            # What a resampler leaves of a curve's overtones is below 0.1 %.
            assert max(errors) < 1e-3, change
        else:
            assert max(errors) > 0.02, change


def test_the_same_seed_gives_the_same_copies_and_disturbs_nobody(tmp_path):
    pair = pair_of(tmp_path, noise(), noise(seed=1))
    every = ",".join(AUGMENTATIONS)
    random.seed(5)
    np.random.seed(5)
    expected = random.random(), np.random.rand()
    random.seed(5)
    np.random.seed(5)
    first, again, other = copies(pair, every), copies(pair, every), copies(pair, every, seed=2)
    assert (random.random(), np.random.rand()) == expected
    for a, b, c in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(sides(a[0])[0], sides(b[0])[0])
        np.testing.assert_array_equal(sides(a[1])[1], sides(b[1])[1])
        assert sides(a[1])[1].size != sides(c[1])[1].size or (sides(a[1])[1] != sides(c[1])[1]).any()


def settings_of(own: TaskSettings | None = None, **options: Any) -> TrainSettings:
    small = {"hidden": 8, "batch": 2, "length": 50, "tbptt": 25}
    return TrainSettings(own=own or TaskSettings()).with_options(small | options)


def test_held_out_parts_are_left_alone_and_give_nothing_to_the_copies(tmp_path, java):
    """Only the held-out fifth is loud: a loud copy would have come from it."""
    x = noise(2, level=0.1)
    border = round(0.8 * x.size)
    x[border:] *= 9
    pair_of(tmp_path, x, x)
    paths = [tmp_path / "x.wav"], [tmp_path / "y.wav"]
    options = {"codec": "linear", "align": "off"}
    plain = new_run(*paths, tmp_path / "plain", settings_of(**options))
    run = new_run(*paths, tmp_path / "run", settings_of(**options, augment="gain,polarity,shift,noise"))
    for name in ("valid", "test"):
        for ours, theirs in zip(part(run.signals[0], name), part(plain.signals[0], name), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    assert plain.augmented == []
    assert len(run.augmented) == 4
    for heard, learnt in run.augmented:
        assert heard.size == learnt.size == border
        # At most 6 dB above 0.1 of 128 steps, and some noise.
        assert np.abs(learnt.astype(int) - 128).max() <= 27
        assert np.abs(heard.astype(int) - 128).max() <= 30
        assert (heard != learnt).any()


def test_a_delay_is_cut_out_of_the_copies_too(tmp_path, java):
    x = noise(2)
    pair_of(tmp_path, np.concatenate([x, np.zeros(40)]), np.concatenate([np.zeros(40), x]))
    settings = settings_of(align="40", augment="speed,gain")
    run = new_run([tmp_path / "x.wav"], [tmp_path / "y.wav"], tmp_path / "run", settings)
    for heard, learnt in run.augmented:
        np.testing.assert_array_equal(heard, learnt)


def test_without_a_target_the_next_sample_of_a_noisy_one_is_the_clean_one(tmp_path, java):
    pair_of(tmp_path, noise(2), None)
    settings = settings_of(augment="noise", augment_copies=2)
    run = new_run([tmp_path / "x.wav"], [], tmp_path / "run", settings)
    clean = part(run.signals[0], "train")
    for heard, learnt in run.augmented:
        np.testing.assert_array_equal(learnt, clean[1][: learnt.size])
        assert 0.2 < np.mean(heard != clean[0][: heard.size]) < 1


def test_frames_are_copied_as_frames(tmp_path, java):
    pair_of(tmp_path, noise(2), noise(2))
    settings = settings_of(FramesSettings(), task="frames", frame=20, length=30, augment="speed", augment_copies=2)
    run = new_run([tmp_path / "x.wav"], [tmp_path / "y.wav"], tmp_path / "run", settings)
    assert {heard.shape[1] for heard, _ in run.augmented} == {20}
    assert len({len(heard) for heard, _ in run.augmented}) == 2


@pytest.mark.slow
def test_resumed_is_bit_equal_to_uninterrupted(recordings, tmp_path):
    """The second session makes the same copies again; and config.toml begins the same run."""
    args = ["--input", recordings[0], "--target", recordings[1], "--augment", "polarity,noise,shift", *SMALL]
    args += ["--pretrain", "autoencoder", "--pretrain-steps", 6, "--schedule", "plateau"]
    whole, parts, again = (tmp_path / name for name in ("whole", "parts", "again"))
    result = run_ok("train", "--out", whole, "--steps", 24, *args, "--json")
    assert result.json["pretrain_steps"] == 6
    assert "note: --augment polarity: valid for" in result.stderr
    run_ok("train", "--out", parts, "--steps", 11, *args)
    run_ok("train", parts, "--resume", "--no-report", "--steps", 24)
    assert network_of(parts) == network_of(whole)
    assert network_of(parts, "model.zip") == network_of(whole, "model.zip")
    run_ok("train", "--config", whole / "config.toml", "--out", again)
    assert network_of(again) == network_of(whole)
    stored = json.loads((whole / "run.json").read_text())
    assert stored["settings"]["small_data"]["augment"] == "polarity,noise,shift"
    other = run("train", parts, "--resume", "--augment", "gain")
    assert other.status == 2
    assert "--augment" in other.error


def test_notes_are_for_effects_only(tmp_path):
    settings = SmallDataSettings(augment="gain,shift")
    x = noise()
    effect = pair_of(tmp_path, x, 0.5 * x)
    (note,) = augmentation.notes([effect], settings)
    assert note.startswith("--augment gain: valid for a linear effect")
    assert augmentation.notes([replace(effect, target=effect.input)], settings) == []
    assert augmentation.notes([replace(effect, target=None)], settings) == []


def test_without_the_package_one_line_says_how_to_get_it(recordings, tmp_path):
    (tmp_path / "audiomentations.py").write_text("raise ImportError('not here')\n")
    out = tmp_path / "run"
    result = run(
        "train", "--input", recordings[0], "--out", out, "--augment", "gain",
        env={"PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}"},
    )  # fmt: skip
    assert result.status == 2
    assert "pip install 'dl4j_bridge[augment]'" in result.error
    assert not out.exists()


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--augment", "gain,reverb", "--augment: reverb; wanted one of shift, speed, gain, polarity, noise"),
        ("--augment-copies", "0", "--augment-copies: 0; wanted 1 to 1000"),
    ],
)
def test_what_makes_no_sense_is_refused(option: str, value: str, said: str, recordings, tmp_path):
    result = run("train", "--input", recordings[0], "--out", tmp_path / "run", option, value)
    assert result.status == 2
    assert said in result.error
    assert not (tmp_path / "run").exists()
