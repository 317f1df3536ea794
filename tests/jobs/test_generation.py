"""`generate`: the same seed gives the same bytes."""

from __future__ import annotations

import re

import pytest
import soundfile

from dl4j_bridge.signal.codecs import LINEAR
from dl4j_bridge.signal.metrics import order_1_entropy_bits
from dl4j_bridge.signal.recordings import open_recording
from dl4j_bridge.tasks.samples.generation import TEMPERATURES
from tests.conftest import run, run_ok


def generate(model, output, *args):
    return run_ok("generate", "--model", model, "--output", output, "--seconds", 0.5, "--json", *args)


def test_same_seed_same_bytes(next_run, tmp_path):
    files = [tmp_path / f"{n}.wav" for n in range(3)]
    for file, seed in zip(files, (7, 7, 8), strict=True):
        assert generate(next_run, file, "--seed", seed).json["seed"] == seed
    a, b, c = (f.read_bytes() for f in files)
    assert a == b != c
    assert soundfile.info(files[0]).frames == round(0.5 * 11025)


def test_the_temperature_is_that_of_training_if_none_is_given(next_run, tmp_path):
    stored = run_ok("info", next_run, "--json").json["sampling"]
    assert generate(next_run, tmp_path / "own.wav").json["temperature"] == stored["temperature"]
    assert generate(next_run, tmp_path / "given.wav", "--temperature", 0.9).json["temperature"] == 0.9


def test_the_temperature_found_fits_better_than_none_and_than_the_highest(next_run, recordings, tmp_path):
    stored = run_ok("info", next_run, "--json").json["sampling"]

    def off(temperature):
        out = tmp_path / f"{temperature}.wav"
        run_ok("generate", "--model", next_run, "--output", out, "--seconds", 2, "--temperature", temperature)
        return abs(order_1_entropy_bits(LINEAR.encode(open_recording(out).read(11025))) - stored["wanted_bits"])

    assert off(stored["temperature"]) < min(off(1.0), off(TEMPERATURES[1]))


def test_priming_temperature_and_top_p_have_an_effect(next_run, recordings, tmp_path):
    variants = ([], ["--prime", recordings[0]], ["--temperature", 0.5], ["--top-p", 0.5])
    outs = []
    for number, args in enumerate(variants):
        out = tmp_path / f"{number}.wav"
        generate(next_run, out, *args)
        outs.append(out.read_bytes())
    assert len(set(outs)) == len(variants)


def test_a_tiny_top_p_leaves_nothing_to_chance(next_run, tmp_path):
    outs = []
    for seed in (1, 2):
        out = tmp_path / f"{seed}.wav"
        generate(next_run, out, "--top-p", 1e-6, "--seed", seed)
        outs.append(out.read_bytes())
    assert outs[0] == outs[1]


@pytest.mark.parametrize("seconds", [1e9, 1e30])
def test_more_audio_than_the_file_or_the_disk_holds_is_refused_with_its_size(next_run, tmp_path, seconds):
    result = run("generate", "--model", next_run, "--output", tmp_path / "y.wav", "--seconds", seconds)
    assert result.status == 2
    assert f"error: --seconds: {seconds:g}, which makes a file of {seconds * 11025 / 1e9:,.1f} GB" in result.error
    most = int(re.search(r"wanted at most (\d+)", result.error)[1])
    assert 0 < most <= 2**32 / 11025
    assert list(tmp_path.iterdir()) == []
