"""Spectrogram to spectrogram: the transform and its way back, borders of windows, separation through the commands."""

from __future__ import annotations

import csv
import json
import warnings
import zipfile
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import soundfile

from dl4j_bridge.demos import synthesis
from dl4j_bridge.errors import InputError
from dl4j_bridge.java import jvm
from dl4j_bridge.java.network import Network
from dl4j_bridge.jobs.compare import compare
from dl4j_bridge.jobs.process import process_samples
from dl4j_bridge.model import model_zip
from dl4j_bridge.settings.commands import CompareSettings, ProcessSettings
from dl4j_bridge.settings.training import DataSettings
from dl4j_bridge.signal import audio_files
from dl4j_bridge.signal.pairs import open_pair, split
from dl4j_bridge.signal.stft import Stft
from dl4j_bridge.tasks.registry import choose, train_settings
from dl4j_bridge.tasks.spectrogram.comparison import border_jump, jumps_in_window, stateless
from dl4j_bridge.tasks.spectrogram.task import SpectrogramTask
from tests.conftest import run, run_ok

RATE = 11025
SMALL = ["--task", "spectrogram", "--layers", "1", "--hidden", "24", "--batch", "4", "--window", "256", "--hop", "64"]
SMALL += ["--validate-every", "50", "--learning-rate", "0.01", "--threads", "1", "--schedule", "plateau"]
WINDOW = 32

rng = np.random.default_rng(7)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Ten seconds of a voice among strings, and the voice."""
    folder = tmp_path_factory.mktemp("mixture")
    voice = 0.5 * synthesis.speech_like(10, RATE)
    audio_files.write(folder / "mix.wav", [voice + 0.4 * synthesis.plucked_strings(10, RATE)], RATE, "PCM_16")
    audio_files.write(folder / "voice.wav", [voice], RATE, "PCM_16")
    return folder / "mix.wav", folder / "voice.wav"


@pytest.fixture(scope="module")
def trained(pair, tmp_path_factory):
    out = tmp_path_factory.mktemp("separated") / "run"
    run_ok("train", "--input", pair[0], "--target", pair[1], "--out", out, "--steps", 300, *SMALL)
    return out


@pytest.fixture(scope="module")
def model(trained, java):
    return model_zip.open_model(trained).load()


# --- The transform.


@pytest.mark.parametrize(("window", "hop"), [(768, 192), (768, 384), (100, 30), (16, 3)])
@pytest.mark.parametrize("length", [1, 767, 768, 10_000, 256 * 192 + 1])
def test_the_way_back_is_exact_whatever_the_blocks(window, hop, length):
    stft = Stft(window, hop)
    x = rng.normal(size=length)
    blocks = list(stft.spectra(np.split(x, np.sort(rng.integers(0, length + 1, 3)))))
    spectra = np.concatenate(blocks)
    assert len(spectra) == -(-(length + window - hop) // hop)
    np.testing.assert_array_equal(spectra, np.concatenate(list(stft.spectra([x]))))
    np.testing.assert_allclose(np.concatenate(list(stft.samples(blocks)))[:length], x, atol=1e-9)
    cut = [part for part in (spectra[:5], spectra[5:]) if len(part)]
    np.testing.assert_allclose(np.concatenate(list(stft.samples(cut)))[:length], x, atol=1e-9)


def test_it_is_scipys_stft_and_scipys_istft_inverts_it():
    stft = Stft(768, 192)
    x = rng.normal(size=20_000)
    spectra = np.concatenate(list(stft.spectra([x])))
    _, _, theirs = scipy.signal.stft(np.pad(x, (576, 0)), nperseg=768, noverlap=576, boundary=None)
    # SciPy's spectra are divided by the sum of the window.
    np.testing.assert_allclose(spectra[: theirs.shape[1]], 384 * theirs.T, atol=1e-9)
    np.testing.assert_allclose(_by_scipy(spectra.T / 384, 768, 192)[: x.size], x, atol=1e-6)
    np.testing.assert_allclose(np.concatenate(list(stft.samples([spectra])))[: x.size], x, atol=1e-6)


def _by_scipy(spectra, window, hop):
    """SciPy's own way back; the silence in front is cut off."""
    with warnings.catch_warnings():
        # At the very first sample the window is 0.
        warnings.filterwarnings("ignore", "NOLA condition failed")
        _, x = scipy.signal.istft(spectra, nperseg=window, noverlap=window - hop, boundary=False)
    return x[window - hop :]


# --- The task.


def test_magnitudes_are_scaled_by_the_training_part_alone(pair):
    opened = open_pair(*pair, DataSettings(align="0"))
    settings = train_settings({"task": "spectrogram"} | {"window": 256, "hop": 64})
    task = choose(settings, [opened])
    assert isinstance(task, SpectrogramTask)
    x, y = task.signals(opened)
    assert x.shape == y.shape == (opened.length // 64, 129)
    assert x.dtype == y.dtype == np.float32
    assert x.min() >= 0
    assert x.max() <= 1
    assert asdict(task.interface) == {
        "inputs": 129,
        "outputs": 129,
        "input": "dense",
        "output": "sigmoid",
        "skip": False,
    }
    # The rest of the recording made louder changes nothing.
    end = split(opened.length)["train"][1]
    louder = []
    for path in pair:
        sound, rate = soundfile.read(path)
        sound[end:] *= 1.8
        louder.append(path.with_name(f"louder-{path.name}"))
        soundfile.write(louder[-1], sound, rate, "FLOAT")
    again = choose(settings, [open_pair(*louder, DataSettings(align="0"))])
    assert isinstance(again, SpectrogramTask)
    assert again.scale == pytest.approx(task.scale, rel=1e-3)


def test_the_untouched_mixture_comes_back(pair):
    x, _ = soundfile.read(pair[0])
    task = SpectrogramTask(768, 192, scale=1000.0, mask=False)
    spectra = task.stft.spectra([x])
    heard = task.stft.samples(task.separated(s, np.abs(s) / task.scale) for s in spectra)
    np.testing.assert_allclose(np.concatenate(list(heard))[: x.size], x, atol=1e-6)


def test_a_mask_times_the_mixture_is_the_stem(pair):
    opened = open_pair(*pair, DataSettings(align="0"))
    task = SpectrogramTask(256, 64, 5.0, mask=True)
    _, y = task.signals(opened)
    frames = slice(100, 140)
    mixture, stem = task.spectra(opened, frames)
    heard = np.abs(task.separated(mixture, y[frames]))
    # A share has no way to be above 1, where strings and voice cancel each other.
    np.testing.assert_allclose(heard, np.minimum(np.abs(stem), np.abs(mixture)), atol=1e-5)
    assert np.mean(heard < 0.99 * np.abs(stem)) < 0.4


def test_a_few_frames_are_those_of_the_whole(pair):
    opened = open_pair(*pair, DataSettings(align="0"))
    task = SpectrogramTask(256, 64, 1.0, mask=False)
    whole = np.concatenate(list(task.stft.spectra([opened.input.read(RATE)])))
    for frames in (slice(0, 5), slice(2, 9), slice(700, 720)):
        found, _ = task.spectra(opened, frames)
        np.testing.assert_allclose(found, whole[frames], atol=1e-9)


# --- State, borders and batch size.


def _magnitudes(model, pair):
    task = model.info.task
    x, y = task.signals(open_pair(*pair, DataSettings(align="0")))
    return task, x, y


def test_no_step_at_any_border_and_there_is_one_without_state(model, pair):
    """The fault of windows that begin with an empty state: a different vector every 32 frames."""
    _, x, _ = _magnitudes(model, pair)
    # Each frame comes once at each place of a window: what it holds has no part in the mean.
    x = np.tile(x[: 50 * WINDOW + 1], (WINDOW, 1))
    carried = model.network.dense_stream().run(x)
    empty = stateless(model.network, x, WINDOW)
    jump = {
        name: border_jump(jumps_in_window(output, WINDOW)) for name, output in (("carried", carried), ("empty", empty))
    }
    assert jump["carried"] <= 1.1
    assert jump["empty"] > 1.5


def test_jumps_are_counted_by_their_place():
    spectrogram = np.repeat(np.arange(5.0), WINDOW)[:, None]
    jumps = jumps_in_window(spectrogram, WINDOW)
    np.testing.assert_array_equal(jumps, [1.0] + [0.0] * (WINDOW - 1))
    assert border_jump(jumps) is None
    wave = np.sin(np.arange(1000.0))[:, None]
    assert border_jump(jumps_in_window(wave, WINDOW)) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("side_by_side", [1, 3, 8])
def test_the_batch_size_of_prediction_changes_nothing(model, pair, side_by_side):
    _, x, _ = _magnitudes(model, pair)
    found = stateless(model.network, x, WINDOW, side_by_side)
    np.testing.assert_allclose(found, stateless(model.network, x, WINDOW), atol=1e-6)
    together = model.network.run_batch(np.stack([x[:300]] * side_by_side))
    alone = model.network.dense_stream().run(x[:300])
    np.testing.assert_allclose(together, np.broadcast_to(alone, together.shape), atol=1e-6)


# --- Processing.


def test_the_stem_is_as_long_as_the_mixture_and_is_what_the_network_says(model, trained, pair, tmp_path):
    output = tmp_path / "stem.flac"
    run_ok("process", "--model", trained, "--input", pair[0], "--output", output)
    found, rate = soundfile.read(output)
    x, _ = soundfile.read(pair[0])
    assert (rate, found.size) == (RATE, x.size)
    # Independently: SciPy's transform, the network in one go, the mixture's phase.
    task = model.info.task
    padded = np.pad(x, (192, 256))
    _, _, spectra = scipy.signal.stft(padded, nperseg=256, noverlap=192, boundary=None)
    magnitudes = np.minimum(128 * np.abs(spectra) / task.scale, 1).astype(np.float32)
    said = model.network.run_batch(magnitudes.T[None])[0].T
    stem = said * task.scale / 128 * np.exp(1j * np.angle(spectra))
    np.testing.assert_allclose(found, _by_scipy(stem, 256, 64)[: x.size], atol=1.5 / 2**15)


def test_the_cut_into_blocks_changes_nothing(model):
    x = rng.uniform(-0.5, 0.5, 3 * RATE).astype(np.float32)
    whole = process_samples(model, x, RATE, ProcessSettings())
    task = model.info.task
    blocks = task.process(model.network, iter(np.array_split(x, 17)), ProcessSettings())
    np.testing.assert_array_equal(np.concatenate(list(blocks), dtype=np.float32)[: x.size], whole)


@pytest.mark.parametrize("length", [1, 63, 255, 256, 257])
def test_a_recording_shorter_than_a_window_is_processed(model, length):
    assert process_samples(model, np.full(length, 0.1), RATE, ProcessSettings()).shape == (length,)


# --- The commands.


def test_training_learns_something_and_reports_it(trained):
    rows = list(csv.DictReader((trained / "log.csv").open()))
    valid = [float(row["valid_mse"]) for row in rows if row["valid_mse"]]
    assert min(valid) < 0.9 * valid[0]
    page = (trained / "report.html").read_text()
    assert page.count("<audio") == 3


def test_a_comparison_has_every_row_and_its_figures_are_those_of_the_wavs(trained, pair, tmp_path):
    done = run_ok(
        "compare", "--model", trained, "--input", pair[0], "--target", pair[1],
        "--wavs", tmp_path / "wavs", "--plot", tmp_path / "bars.png", "--out", tmp_path / "page", "--json",
    )  # fmt: skip
    rows = {row["name"]: row for row in done.json["rows"]}
    assert list(rows) == ["model", "stateless", "mixture", "wiener", "oracle-wiener", "oracle-ratio"]
    assert rows["mixture"]["improvement_db"] == 0
    assert rows["oracle-ratio"]["improvement_db"] > 3
    assert rows["oracle-wiener"]["si_sdr_db"] > rows["wiener"]["si_sdr_db"] > rows["mixture"]["si_sdr_db"]
    assert rows["model"]["border_jump"] < rows["stateless"]["border_jump"]
    stem, _ = soundfile.read(tmp_path / "wavs" / "stem.wav")
    x, _ = soundfile.read(pair[1])
    begin, end = model_zip.open_model(trained).info.pairs[0].split["test"]
    np.testing.assert_allclose(stem, x[begin : end - 192], atol=1 / 2**15)
    for name in ("mixture", "oracle-ratio"):
        sound, _ = soundfile.read(tmp_path / "wavs" / f"{name}.wav")
        scaled = np.dot(stem, sound) / np.dot(stem, stem) * stem
        wanted = 10 * np.log10(np.sum(scaled**2) / np.sum((sound - scaled) ** 2))
        assert rows[name]["si_sdr_db"] == pytest.approx(wanted, abs=0.05)
    assert done.json["samples"] == stem.size
    page = (tmp_path / "page" / "report.html").read_text()
    assert "Borders of windows" in page
    assert page.count("<audio") == 3
    assert (tmp_path / "bars.png").stat().st_size > 1000


def test_a_comparison_of_another_pair_takes_all_of_it(trained, java, tmp_path):
    voice = 0.4 * synthesis.speech_like(3, RATE, seed=9)
    audio_files.write(tmp_path / "m.wav", [voice + 0.3 * synthesis.plucked_strings(3, RATE, seed=9)], RATE)
    audio_files.write(tmp_path / "v.wav", [voice], RATE)
    shares = []
    found = compare(
        trained, tmp_path / "m.wav", tmp_path / "v.wav", report=lambda done, total: shares.append(done / total)
    )
    # The bar of a comparison moves for each row, and gets to its end.
    assert shares == sorted(shares)
    assert len(set(shares)) >= len(found.rows)
    assert shares[-1] == 1
    assert found.part == "all"
    assert found.samples == 3 * RATE // 64 * 64 - 192
    assert all(row["si_sdr_db"] is not None for row in found.rows)


@pytest.mark.parametrize("length", [2, 100, 400])
def test_a_comparison_of_less_than_a_window_is_refused(trained, tmp_path, length):
    for name in ("m.wav", "v.wav"):
        audio_files.write(tmp_path / name, [rng.uniform(-0.5, 0.5, length)], RATE)
    with pytest.raises(InputError, match=r"m\.wav: too short; wanted a longer recording"):
        compare(trained, tmp_path / "m.wav", tmp_path / "v.wav")


@pytest.mark.slow
def test_a_resumed_run_ends_where_one_in_one_go_does(pair, trained, tmp_path):
    out = tmp_path / "run"
    run_ok("train", "--input", pair[0], "--target", pair[1], "--out", out, "--steps", 30, *SMALL)
    run_ok("train", out, "--resume", "--steps", 60)
    losses = [[row["loss"] for row in csv.DictReader((folder / "log.csv").open())] for folder in (out, trained)]
    assert len(losses[0]) == 60
    assert losses[0] == losses[1][:60]


def test_the_zip_is_plain_dl4j_with_a_stock_output_layer(trained, model):
    configuration = json.loads(zipfile.ZipFile(trained / "model.zip").read("configuration.json"))
    layers = [c["layer"] for c in configuration["confs"]]
    assert [layer["@class"].rsplit(".", 1)[-1] for layer in layers] == ["GravesLSTM", "RnnOutputLayer"]
    assert layers[-1]["activationFn"]["@class"].endswith("ActivationSigmoid")
    assert layers[-1]["lossFn"]["@class"].endswith("LossMSE")
    stock = replace(model.info.settings.network, layer="stock", gradient_state="stock")
    theirs = Network.restored(stock, model.network.interface, model.network.parameters())
    x = rng.uniform(0, 1, (2, 40, 129)).astype(np.float32)
    np.testing.assert_allclose(theirs.run_batch(x), model.network.run_batch(x), atol=1e-5)
    assert jvm.java_class("org.deeplearning4j.nn.multilayer.MultiLayerNetwork") is not None


# --- Bad input.


def test_a_mixture_without_its_stem_is_refused(pair, tmp_path):
    result = run("train", "--input", pair[0], "--out", tmp_path / "run", *SMALL)
    assert result.status == 2
    assert result.error == "error: --target: not given with --task spectrogram; wanted one for each --input"
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"window": 767}, "--window: 767; wanted an even number, 4 to 65536"),
        ({"hop": 400}, "--hop: 400; wanted 1 to 384, half of --window"),
        ({"frame": 2}, "--frame: with --task spectrogram; wanted --task frames"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, said):
    with pytest.raises(InputError) as e:
        train_settings({"task": "spectrogram"} | options)
    assert str(e.value) == said


def test_a_recording_too_short_for_a_window_of_training_is_refused(pair, tmp_path):
    long = ["--task", "spectrogram", "--length", 1000]
    result = run("train", "--input", pair[0], "--target", pair[1], "--out", tmp_path / "run", *long)
    assert result.status == 2
    assert result.error.endswith("110250 samples at 11025 Hz; wanted 240000 or more, or --length 459 --tbptt 459")


def test_a_stem_without_sound_to_learn_from_is_refused(pair, tmp_path):
    x, _ = soundfile.read(pair[1])
    soundfile.write(tmp_path / "silent.wav", 0 * x, RATE)
    settings = train_settings({"task": "spectrogram"})
    with pytest.raises(InputError, match="silent"):
        open_pair(pair[0], tmp_path / "silent.wav", DataSettings())
    x[: split(x.size)["train"][1]] = 0
    soundfile.write(tmp_path / "late.wav", x, RATE)
    with pytest.raises(InputError, match=r"late\.wav: silent in the training part, its first 80 %; wanted sound"):
        choose(settings, [open_pair(pair[0], tmp_path / "late.wav", DataSettings(align="0"))])


def test_a_pytorch_twin_is_refused(trained, pair):
    with pytest.raises(
        InputError, match="--pytorch: with a model of spectra of 129 magnitudes; wanted one with a PyTorch twin"
    ):
        compare(trained, *pair, CompareSettings(pytorch=True))


def test_a_model_file_that_says_nonsense_is_refused(trained, tmp_path: Path):
    with zipfile.ZipFile(trained / "model.zip") as z:
        about = json.loads(z.read(model_zip.ABOUT))
        for name, value in (
            ("window", 767),
            ("hop", 0),
            ("hop", about["window"] // 2 + 1),
            ("scale", 0),
            ("scale", float("inf")),
        ):
            bad = tmp_path / "bad.zip"
            with zipfile.ZipFile(bad, "w") as w:
                for entry in z.namelist():
                    w.writestr(entry, json.dumps(about | {name: value}) if entry == model_zip.ABOUT else z.read(entry))
            with pytest.raises(InputError, match=f"does not describe a model .*{name}"):
                model_zip.open_model(bad)
