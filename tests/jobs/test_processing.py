"""`process`: length, timing, and no trace of how the recording was cut."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from dl4j_bridge.demos import synthesis
from dl4j_bridge.jobs.process import process as process_recording
from dl4j_bridge.settings.commands import ProcessSettings
from dl4j_bridge.signal import audio_files
from tests.conftest import SMALL, run, run_ok

RATE = 11025


def process(model, source, output, *args):
    return run_ok("process", "--model", model, "--input", source, "--output", output, "--json", *args)


@pytest.mark.parametrize("decode", ["mean", "argmax", "sample"])
def test_chunk_size_changes_no_byte(effect_run, recordings, tmp_path, decode):
    written = []
    for chunk in (7, 1000, 4096, 1_000_000):
        out = tmp_path / f"{chunk}.wav"
        process(effect_run, recordings[0], out, "--chunk", chunk, "--decode", decode)
        written.append(out.read_bytes())
    assert len(set(written)) == 1


def test_length_and_fields(effect_run, recordings, tmp_path):
    out = tmp_path / "y.wav"
    result = process(effect_run, recordings[0], out).json
    assert {"output", "samples", "rate", "samples_per_second", "real_time_factor"} <= result.keys()
    assert result["samples"] == soundfile.info(recordings[0]).frames == soundfile.info(out).frames
    assert result["rate"] == RATE
    assert result["real_time_factor"] > 0


@pytest.mark.parametrize(("rate", "channels"), [(44100, 1), (8000, 2), (48000, 2)])
def test_other_rates_and_stereo_keep_rate_and_length(effect_run, tmp_path, rate, channels):
    source, out = tmp_path / "x.wav", tmp_path / "y.flac"
    frames = rate // 2 + 13
    sound = np.sin(np.arange(frames)[:, None] * 0.05) * np.full((1, channels), 0.4)
    soundfile.write(source, sound, rate)
    result = process(effect_run, source, out)
    assert soundfile.info(out).frames == frames
    assert soundfile.info(out).samplerate == rate
    assert soundfile.info(out).channels == 1
    assert f"{rate} Hz, processed at the model's {RATE} Hz" in result.stderr
    assert ("mixed down" in result.stderr) == (channels == 2)


@pytest.mark.parametrize("level", [0, 3e-5])
def test_a_recording_without_sound_is_processed(java, effect_run, tmp_path, level):
    soundfile.write(tmp_path / "x.wav", level * np.sin(np.arange(5000)), RATE, subtype="FLOAT")
    process_recording(effect_run, tmp_path / "x.wav", tmp_path / "y.wav", ProcessSettings())
    assert soundfile.info(tmp_path / "y.wav").frames == 5000


@pytest.mark.parametrize(
    ("given", "name", "wanted"),
    [
        ("PCM_U8", "y.wav", "PCM_16"),
        ("PCM_24", "y.wav", "PCM_24"),
        ("DOUBLE", "y.wav", "FLOAT"),
        ("DOUBLE", "y.flac", "PCM_24"),
    ],
)
def test_the_output_is_as_fine_as_the_input(java, effect_run, tmp_path, given, name, wanted):
    soundfile.write(tmp_path / "x.wav", 0.4 * np.sin(np.arange(500)), RATE, subtype=given)
    process_recording(effect_run, tmp_path / "x.wav", tmp_path / name, ProcessSettings())
    assert soundfile.info(tmp_path / name).subtype == wanted


@pytest.mark.slow
@pytest.mark.parametrize("delay", [40, -40])
def test_the_delay_is_cut_out_of_training_and_put_back(tmp_path, delay):
    """A copy that comes `delay` samples late (or early) is learnt as a copy, and comes out late (or early)."""
    sound = synthesis.plucked_strings(6)
    dry, wet = (sound[40:], sound[:-40]) if delay > 0 else (sound[:-40], sound[40:])
    for name, samples in (("dry", dry), ("wet", wet)):
        audio_files.write(tmp_path / f"{name}.wav", [samples], RATE, "PCM_U8")
    paths = tmp_path / "dry.wav", tmp_path / "wet.wav"
    args = ["--steps", 60, *SMALL, "--hidden", 64, "--batch", 16]
    trained = run_ok("train", "--input", paths[0], "--target", paths[1], "--out", tmp_path / "run", *args)
    assert f"40 samples (3.6 ms) {'later' if delay > 0 else 'earlier'} than the input" in trained.stderr
    process(tmp_path / "run", paths[0], tmp_path / "y.wav")
    y, target = soundfile.read(tmp_path / "y.wav")[0], soundfile.read(paths[1])[0]
    assert y.size == target.size
    lags = np.arange(-60, 61)
    inner = slice(100, y.size - 100)
    correlation = [np.dot(y[inner], np.roll(target, lag)[inner]) for lag in lags]
    assert lags[int(np.argmax(correlation))] == 0
    missing = slice(None, 40) if delay > 0 else slice(-40, None)
    assert np.all(y[missing] == 0)


def test_an_identity_gives_the_file_back_byte_for_byte(tmp_path):
    """Few classes and a small network: enough for argmax to be exact everywhere."""
    rng = np.random.default_rng(1)
    levels = np.array([-96, -40, -8, 0, 24, 64, 120]) / 128
    source = tmp_path / "x.wav"
    audio_files.write(source, [rng.choice(levels, 2 * RATE)], RATE, "PCM_U8")
    args = ["--steps", 80, *SMALL, "--hidden", 32, "--batch", 16, "--learning-rate", 0.02]
    run_ok("train", "--input", source, "--target", source, "--out", tmp_path / "run", *args)
    process(tmp_path / "run", source, tmp_path / "y.wav", "--decode", "argmax")
    assert (tmp_path / "y.wav").read_bytes() == source.read_bytes()


@pytest.mark.slow
def test_the_channel_of_training_is_that_of_processing(recordings, tmp_path):
    dry, rate = soundfile.read(recordings[0])
    stereo = tmp_path / "stereo.wav"
    soundfile.write(stereo, np.stack([dry[::-1], dry], axis=1), rate, "PCM_U8")
    run_ok(
        "train", "--input", stereo, "--target", stereo, "--channel", 2, "--out", tmp_path / "run", "--steps", 5, *SMALL
    )
    for source in (stereo, recordings[0]):
        process(tmp_path / "run", source, tmp_path / f"{source.stem}-out.wav")
    assert (tmp_path / "stereo-out.wav").read_bytes() == (tmp_path / "dry-out.wav").read_bytes()
    rows = run_ok("compare", "--model", tmp_path / "run", "--input", recordings[0], "--target", stereo, "--json").json
    assert rows["part"] == "all"


def test_a_channel_without_sound_is_left_out(effect_run, recordings, tmp_path):
    dry, rate = soundfile.read(recordings[0])
    stereo = tmp_path / "stereo.wav"
    soundfile.write(stereo, np.stack([dry, 0 * dry], axis=1), rate, "PCM_U8")
    noted = process(effect_run, stereo, tmp_path / "out.wav")
    process(effect_run, recordings[0], tmp_path / "mono-out.wav")
    assert (tmp_path / "out.wav").read_bytes() == (tmp_path / "mono-out.wav").read_bytes()
    assert "only channel 1 has sound" in noted.stderr


def test_the_sampled_output_follows_its_seed(effect_run, recordings, tmp_path):
    outs = []
    for number, seed in enumerate((1, 1, 2)):
        out = tmp_path / f"{number}.wav"
        process(effect_run, recordings[0], out, "--decode", "sample", "--seed", seed)
        outs.append(out.read_bytes())
    assert outs[0] == outs[1] != outs[2]


def test_a_full_disk_leaves_the_old_output(effect_run, recordings, tmp_path):
    import resource

    out = tmp_path / "y.wav"
    out.write_bytes(b"old")
    limit = 20_000
    result = run(
        "process", "--model", effect_run, "--input", recordings[0], "--output", out, "--overwrite",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )  # fmt: skip
    assert result.status == 1
    assert f"{out}: not written" in result.error
    assert out.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["y.wav"]


def test_pre_emphasis_round_trip_through_the_command(recordings, tmp_path):
    args = ["--steps", 10, "--pre-emphasis", 0.9, "--codec", "mulaw", *SMALL]
    run_ok("train", "--input", recordings[0], "--target", recordings[0], "--out", tmp_path / "run", *args)
    process(tmp_path / "run", recordings[0], tmp_path / "y.wav")
    assert np.isfinite(soundfile.read(tmp_path / "y.wav")[0]).all()
