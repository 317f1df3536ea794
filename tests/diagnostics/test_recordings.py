"""Planted faults must be named first; healthy pairs must stay quiet, whatever the effect."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.signal import butter, lfilter, oaconvolve

from dl4j_bridge.demos import synthesis
from dl4j_bridge.diagnostics.case import LOOKED_AT_SECONDS, Case
from dl4j_bridge.diagnostics.findings import FAULT, WARNING
from dl4j_bridge.diagnostics.recordings import checks
from dl4j_bridge.diagnostics.recordings.amount import parameters
from dl4j_bridge.errors import InputError
from dl4j_bridge.settings.training import TrainSettings
from dl4j_bridge.signal import resampling
from tests.conftest import EXAMPLES

SECONDS = 4
AUDIO = os.environ.get("DL4J_BRIDGE_AUDIO")
LINEAR = TrainSettings().with_options({"codec": "linear"})
NOT_ALIGNED = TrainSettings().with_options({"align": "off"})


def recorded(path, start=0.0, rate=None):
    """A stretch of a recording, resampled if wanted."""
    old = soundfile.info(path).samplerate
    x, _ = soundfile.read(path, start=round(start * old), frames=SECONDS * old)
    return (resampling.resample(x, old, rate), rate) if rate else (x, old)


VOICES = {
    "strings": (synthesis.plucked_strings(SECONDS), 11025),
    "speech-like": (synthesis.speech_like(SECONDS, 8000), 8000),
    "8-bit example": recorded(EXAMPLES / "speech_like.wav"),
    "strings 44k1": (synthesis.plucked_strings(SECONDS / 2, 44100, seed=4), 44100),
    # The hiss of the speech-like sound comes from seed 1.
    "noise": (np.random.default_rng(11).normal(0, 0.2, SECONDS * 8000).clip(-0.95, 0.95), 8000),
}
if AUDIO:
    VOICES |= {
        "speech": recorded(Path(AUDIO) / "speech_8k.wav", 20),
        "guitar": recorded(Path(AUDIO) / "guitar_44k1.wav", rate=11025),
        "tabla": recorded(Path(AUDIO) / "tabla_44k1.wav", rate=22050),
    }
EVERY_VOICE = pytest.mark.parametrize("voice", VOICES)
PLANTED = pytest.mark.parametrize("voice", ["strings", "speech" if AUDIO else "speech-like"])


def full(x):
    return x / np.abs(x).max()


def time(x, rate):
    return np.arange(x.size) / rate


def delayed(y, delay):
    """Both begin at once; what is missing at either end is silent."""
    late = np.zeros_like(y)
    late[max(delay, 0) : y.size + min(delay, 0)] = y[max(-delay, 0) : y.size - max(delay, 0)]
    return late


def slower(x, speed):
    return resampling.resample(x, 1_000_000, round(1_000_000 * speed))


def through_file(x, rate, file_format, subtype):
    file = io.BytesIO()
    soundfile.write(file, x, rate, format=file_format, subtype=subtype)
    file.seek(0)
    y = soundfile.read(file)[0][: x.size]
    return np.r_[y, np.zeros(x.size - y.size)]


def reverberated(x, rate, wet):
    """Noise that dies away by 60 dB in 0.8 s."""
    n = round(0.8 * rate)
    tail = np.random.default_rng(3).normal(size=n) * np.exp(-6.9 * np.arange(n) / n)
    return (1 - wet) * x + wet * oaconvolve(x, tail / np.linalg.norm(tail))[: x.size]


def modulated_delay(x, rate, shortest, longest, mix):
    at = np.arange(x.size)
    lag = rate * (shortest + (longest - shortest) * (1 + np.sin(np.pi * at / rate)) / 2)
    return 0.6 * (x + mix * np.interp(at - lag, at, x, left=0))


def compressed(x, rate):
    smooth = np.exp(-1 / (0.02 * rate))
    loudness = lfilter([1 - smooth], [1, -smooth], np.abs(x))
    return full(x * np.minimum(1, (0.05 / np.maximum(loudness, 1e-6)) ** 0.6)) * 0.9


EFFECTS = {
    "identity": lambda x, rate: x,
    "gain": lambda x, rate: x / 2,
    "overdrive": lambda x, rate: 0.8 * np.tanh(4 * x),
    "fuzz": lambda x, rate: 0.7 * np.tanh(60 * x),
    "hard clip": lambda x, rate: np.clip(4 * x, -0.5, 0.5),
    "amplifier": lambda x, rate: synthesis.amplifier(x, rate),
    "low-pass": lambda x, rate: lfilter(*butter(2, 1500, fs=rate), x),
    "steep low-pass": lambda x, rate: lfilter(*butter(4, 1000, fs=rate), x),
    "high-pass": lambda x, rate: lfilter(*butter(2, 500, "highpass", fs=rate), x),
    "band-pass": lambda x, rate: lfilter(*butter(2, [400, 2000], "bandpass", fs=rate), x),
    "echo": lambda x, rate: 0.7 * (x + 0.5 * delayed(x, round(0.06 * rate))),
    "reverb": lambda x, rate: reverberated(x, rate, 0.5),
    "wet reverb": lambda x, rate: 0.9 * full(reverberated(x, rate, 0.9)),
    "tail": lambda x, rate: np.r_[reverberated(x, rate, 0.3), 0.01 * x[: rate // 8]],
    "tremolo": lambda x, rate: x * (0.55 + 0.45 * np.sin(2 * np.pi * 5 * time(x, rate))),
    "ring modulation": lambda x, rate: x * np.sin(2 * np.pi * 440 * time(x, rate)),
    "slow ring modulation": lambda x, rate: x * np.sin(2 * np.pi * 40 * time(x, rate)),
    "compressor": compressed,
    "flanger": lambda x, rate: modulated_delay(x, rate, 0.001, 0.004, 0.7),
    "chorus": lambda x, rate: modulated_delay(x, rate, 0.015, 0.02, 0.8),
    "mu-law": lambda x, rate: through_file(x, rate, "WAV", "ULAW"),
    "ADPCM": lambda x, rate: through_file(x, rate, "WAV", "IMA_ADPCM"),
    "GSM": lambda x, rate: through_file(x, rate, "WAV", "GSM610"),
    "Vorbis": lambda x, rate: through_file(x, rate, "OGG", "VORBIS"),
    "bit crusher": lambda x, rate: np.round(x * 8) / 8,
    "noise": lambda x, rate: x + np.random.default_rng(5).normal(0, 0.3 * x.std(), x.size),
    "gate": lambda x, rate: x * (np.abs(x) > 0.02),
}


@pytest.fixture
def diagnosed(tmp_path):
    """Write recordings, run every check, give findings and figures."""

    def run(x, rate, y=None, *, y_rate=None, subtypes=("PCM_16", "PCM_16"), settings=TrainSettings()):  # noqa: B008
        paths = [tmp_path / "x.wav", tmp_path / "y.wav"]
        for path, samples, hertz, subtype in zip(paths, (x, y), (rate, y_rate or rate), subtypes, strict=True):
            if samples is not None:
                soundfile.write(path, samples, hertz, subtype=subtype)
        case = Case(paths[0], None if y is None else paths[1], settings)
        outcomes = [check.run() for check in checks(case)]
        findings = [finding for outcome in outcomes for finding in outcome.findings]
        return findings, {name: value for outcome in outcomes for name, value in outcome.figures.items()}

    return run


def codes(result):
    return [finding.code for finding in result[0]]


def in_turn():
    """Every effect with two voices, every voice with many effects."""
    names = list(VOICES)
    return [(effect, names[(i + j) % len(names)]) for i, effect in enumerate(EFFECTS) for j in (0, 4)]


# What is true of an effect that no fixed network can learn exactly; test_fixed_model.py has what must be found.
MOVING = ("tremolo", "ring modulation", "slow ring modulation", "flanger", "chorus")
TRUE_OF = (
    {effect: {"time-variant"} for effect in MOVING}
    | {effect: {"memory-too-short"} for effect in ("echo", "reverb", "wet reverb", "tail")}
    | {effect: {"noise-floor", "bit-crushed"} for effect in ("noise", "ADPCM", "GSM", "Vorbis")}
    | {"bit crusher": {"bit-crushed"}}
)


@pytest.mark.parametrize(("effect", "voice"), sorted(set(in_turn())))
def test_nothing_is_found_in_a_healthy_pair(diagnosed, voice, effect):
    x, rate = VOICES[voice]
    assert set(codes(diagnosed(x, rate, EFFECTS[effect](x, rate)))) <= TRUE_OF.get(effect, set())


@EVERY_VOICE
def test_nothing_is_found_in_one_healthy_recording(diagnosed, voice):
    assert diagnosed(*VOICES[voice])[0] == []


@pytest.mark.parametrize(
    "subtypes", [("PCM_U8", "PCM_16"), ("PCM_16", "PCM_U8"), ("PCM_U8", "PCM_U8"), ("FLOAT", "PCM_24")]
)
@PLANTED
def test_nothing_is_found_between_sample_formats(diagnosed, voice, subtypes):
    x, rate = VOICES[voice]
    assert diagnosed(x, rate, np.tanh(2 * x) * 0.8, subtypes=subtypes)[0] == []


@pytest.mark.parametrize(
    ("subtypes", "codec"),
    [(("PCM_U8", "PCM_U8"), "linear"), (("PCM_U8", "PCM_16"), "mulaw"), (("PCM_16",) * 2, "mulaw")],
)
def test_a_pair_is_checked_in_the_codec_that_training_chooses(diagnosed, subtypes, codec):
    x, rate = VOICES["strings"]
    assert diagnosed(x, rate, np.tanh(2 * x) * 0.8, subtypes=subtypes)[1]["codec"] == codec


@pytest.mark.parametrize("other", [16000, 44100])
@PLANTED
def test_nothing_is_found_between_rates_whose_contents_run_alike(diagnosed, voice, other):
    x, rate = VOICES[voice]
    assert diagnosed(x, rate, resampling.resample(x, rate, other), y_rate=other)[0] == []


@PLANTED
def test_nothing_is_found_in_stereo(diagnosed, voice):
    x, rate = VOICES[voice]
    assert diagnosed(np.stack([x, 0.7 * x], 1), rate, np.stack([0.5 * x, np.tanh(2 * x)], 1))[0] == []


def test_the_examples_are_healthy():
    case = Case(EXAMPLES / "plucked_dry.wav", EXAMPLES / "plucked_amplifier.wav", TrainSettings())
    assert [finding for check in checks(case) for finding in check.run().findings] == []


@pytest.mark.parametrize(("hertz", "amplitude"), [(50, 0.99), (50, 0.3), (441, 0.9), (440.3, 1.0), (3000, 0.99)])
@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "FLOAT"])
def test_the_tops_of_a_sine_are_not_clipped(diagnosed, hertz, amplitude, subtype):
    x = amplitude * np.sin(2 * np.pi * hertz * np.arange(SECONDS * 11025) / 11025)
    assert "clipped" not in codes(diagnosed(x, 11025, subtypes=(subtype, "")))


@pytest.mark.parametrize("wrong", [(48000, 44100), (44100, 48000), (8000, 11025), (11025, 8000), (44100, 22050)])
@PLANTED
def test_a_header_that_lies_is_named_with_its_speed(diagnosed, voice, wrong):
    x, rate = VOICES[voice]
    true, written = wrong
    (first, *rest), _ = diagnosed(x, rate, 0.8 * np.tanh(3 * resampling.resample(x, written, true)))
    assert first.code == "rate-mismatch"
    assert first.evidence["speed"] == pytest.approx(true / written, rel=1e-3)
    assert {finding.code for finding in rest} <= {"too-little-data"}


@pytest.mark.parametrize("true", [44100, 32000])
def test_the_fix_names_the_header_that_lies(diagnosed, true):
    x, _ = VOICES["strings 44k1"]
    findings, _ = diagnosed(resampling.resample(x, 44100, true), true, x, y_rate=48000)
    assert "48000 Hz, its contents run at 44100 Hz" in findings[0].fix


@pytest.mark.parametrize("speed", [1.0003, 1.003, 0.99])
@PLANTED
def test_another_tape_speed_is_named_with_its_speed(diagnosed, voice, speed):
    x, rate = VOICES[voice]
    (first, *rest), _ = diagnosed(x, rate, slower(x, speed))
    assert (first.code, rest) == ("rate-mismatch", [])
    assert first.evidence["speed"] == pytest.approx(speed, abs=0.0005)


@pytest.mark.parametrize("cut", [lambda y: y[: round(0.7 * y.size)], lambda y: np.r_[y, y[: y.size // 3]]])
@PLANTED
def test_lengths_that_train_refuses_are_named(diagnosed, voice, cut):
    x, rate = VOICES[voice]
    y = cut(np.tanh(2 * x) * 0.8)
    (first, *rest), _ = diagnosed(x, rate, y)
    assert first.code == "length-mismatch"
    assert first.evidence["difference"] == y.size - x.size
    assert {finding.code for finding in rest} <= {"too-little-data"}


@pytest.mark.parametrize("effect", ["identity", "overdrive", "low-pass", "amplifier"])
@pytest.mark.parametrize("delay", [17, -200])
@PLANTED
def test_a_delay_is_named_with_its_sign_after_an_effect(diagnosed, voice, delay, effect):
    x, rate = VOICES[voice]
    y = delayed(EFFECTS[effect](x, rate), delay)
    assert codes(diagnosed(x, rate, y)) == []
    findings, _ = diagnosed(x, rate, y, settings=NOT_ALIGNED)
    assert [finding.code for finding in findings] == ["misaligned" if delay > 0 else "target-leads"]
    assert delay - 3 <= findings[0].evidence["samples"] <= delay
    assert findings[0].evidence["low"] - 1 <= delay <= findings[0].evidence["high"] + 1
    assert findings[0].evidence["confidence"] >= 0.3
    assert f"--align {findings[0].evidence['samples']}" in findings[0].fix


@pytest.mark.parametrize("effect", ["identity", "overdrive"])
@PLANTED
def test_a_sample_too_early_is_named_and_one_too_late_is_harmless(diagnosed, voice, effect):
    x, rate = VOICES[voice]
    y = EFFECTS[effect](x, rate)
    assert codes(diagnosed(x, rate, delayed(y, -1), settings=NOT_ALIGNED)) == ["target-leads"]
    findings, figures = diagnosed(x, rate, delayed(y, 1), settings=NOT_ALIGNED)
    assert findings == []
    assert figures["delay"]["samples"] == 1


@PLANTED
def test_a_delay_that_was_given_is_no_fault_but_a_wrong_one_is(diagnosed, voice):
    x, rate = VOICES[voice]

    def at(align):
        return codes(diagnosed(x, rate, delayed(x, 40), settings=TrainSettings().with_options({"align": align})))

    assert (at("40"), at("off"), at("50"), at("30")) == ([], ["misaligned"], ["target-leads"], ["misaligned"])


@pytest.mark.parametrize("effect", ["overdrive", "low-pass", "band-pass"])
@PLANTED
def test_an_inverted_polarity_is_named(diagnosed, voice, effect):
    x, rate = VOICES[voice]
    assert codes(diagnosed(x, rate, -EFFECTS[effect](x, rate))) == ["polarity-inverted"]


@PLANTED
def test_a_delay_comes_before_the_polarity(diagnosed, voice):
    x, rate = VOICES[voice]
    assert codes(diagnosed(x, rate, -delayed(x, 40))) == ["polarity-inverted"]
    found = codes(diagnosed(x, rate, -delayed(x, 40), settings=NOT_ALIGNED))
    assert found == ["misaligned", "polarity-inverted"]


@pytest.mark.parametrize(("input_gain", "target_gain"), [(1, 0.03), (0.02, 1)])
@PLANTED
def test_levels_far_apart_are_a_warning(diagnosed, voice, input_gain, target_gain):
    x, rate = VOICES[voice]
    findings, _ = diagnosed(input_gain * x, rate, target_gain * x)
    assert [(finding.code, finding.severity) for finding in findings] == [("gain-mismatch", WARNING)]
    wanted = 20 * np.log10(target_gain / input_gain)
    assert findings[0].evidence["gain_db"] == pytest.approx(wanted, abs=0.5)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16"])
@pytest.mark.parametrize("level", [1.0, 0.6])
@PLANTED
def test_flat_tops_of_the_input_are_named_at_any_level(diagnosed, voice, level, subtype):
    x, rate = VOICES[voice]
    clipped = level * np.clip(3 * full(x), -1, 1)
    findings, figures = diagnosed(clipped, rate, 0.5 * clipped, subtypes=(subtype, "PCM_16"))
    assert [finding.code for finding in findings] == ["clipped"]
    assert figures["clipped_share"]["input"] == pytest.approx(np.mean(np.abs(3 * full(x)) >= 1), rel=0.1)
    assert codes(diagnosed(clipped, rate, subtypes=(subtype, ""))) == ["clipped"]


@PLANTED
def test_flat_tops_of_the_target_are_named_at_full_scale_only(diagnosed, voice):
    x, rate = VOICES[voice]
    y = np.clip(3 * full(x), -1, 1)
    assert codes(diagnosed(0.5 * full(x), rate, y)) == ["clipped"]
    assert codes(diagnosed(0.5 * full(x), rate, 0.9 * y)) == []


@PLANTED
def test_samples_beyond_full_scale_are_named(diagnosed, voice):
    x, rate = VOICES[voice]
    assert codes(diagnosed(4 * full(x), rate, x, subtypes=("FLOAT", "FLOAT"))) == ["clipped"]


@pytest.mark.parametrize("hiss", [0, 0.0005])
@pytest.mark.parametrize("sounds", [lambda at: abs(at) < 0.25, lambda at: abs(at) % 1 < 0.06], ids=["once", "bursts"])
@PLANTED
def test_a_recording_of_mostly_silence_is_named(diagnosed, voice, sounds, hiss):
    x, rate = VOICES[voice]
    x = x * sounds(time(x, rate) - np.abs(x).argmax() / rate) + np.random.default_rng(2).normal(0, hiss, x.size)
    findings, _ = diagnosed(x, rate, 0.8 * np.tanh(2 * x))
    assert [finding.code for finding in findings] == ["silence-dominated"]
    assert findings[0].evidence["input"] > 0.8
    assert codes(diagnosed(x, rate)) == ["silence-dominated"]


@pytest.mark.parametrize("seed", range(1, 13))
def test_the_mean_that_a_string_has_with_every_note_is_no_offset(diagnosed, seed):
    x = synthesis.plucked_strings(3, seed=seed)
    assert codes(diagnosed(x, 11025, 0.8 * np.tanh(4 * x))) == []


@pytest.mark.parametrize("offset", [0.1, -0.2])
@PLANTED
def test_an_offset_is_named_on_either_side(diagnosed, voice, offset):
    x, rate = VOICES[voice]
    x = x / 2
    findings, _ = diagnosed(x + offset, rate, x)
    assert [finding.code for finding in findings] == ["dc-offset"]
    assert findings[0].evidence == {"input": pytest.approx(offset, abs=0.03)}
    assert codes(diagnosed(x, rate, x + offset)) == ["dc-offset"]
    assert codes(diagnosed(x + offset, rate)) == ["dc-offset"]


UNRELATED = {
    "music and speech": (VOICES["strings"][0], synthesis.speech_like(SECONDS), 11025),
    "two tunes": (VOICES["strings"][0], synthesis.plucked_strings(SECONDS, seed=7), 11025),
    "two speakers": (VOICES["speech-like"][0], synthesis.speech_like(SECONDS, 8000, seed=6), 8000),
    "speech and noise": (VOICES["speech-like"][0], VOICES["noise"][0], 8000),
}
if AUDIO:
    UNRELATED["two sentences"] = (VOICES["speech"][0], recorded(Path(AUDIO) / "speech_8k.wav", 60)[0], 8000)
    speech = recorded(Path(AUDIO) / "speech_48k.wav", rate=8000)[0]
    UNRELATED["two real speakers"] = (VOICES["speech"][0], speech, 8000)


def another_take(x, rate):
    """The same words by somebody else: the same loudness roughly, and no sample the same."""
    smooth = np.ones(round(0.05 * rate)) / round(0.05 * rate)
    hurried = np.interp(np.arange(x.size) + 0.06 * rate * np.sin(2 * np.pi * time(x, rate)), np.arange(x.size), x)
    loudness = np.convolve(np.abs(hurried), smooth, "same")
    return loudness * lfilter(*butter(2, 900, fs=rate), np.random.default_rng(8).normal(0, 2, x.size))


UNRELATED |= {
    f"takes of {voice}": (x, another_take(x, rate), rate) for voice, (x, rate) in VOICES.items() if "speech" in voice
}


@pytest.mark.parametrize("driven", [False, True])
@pytest.mark.parametrize("name", UNRELATED)
def test_what_has_nothing_in_common_is_named_unrelated(diagnosed, name, driven):
    x, y, rate = UNRELATED[name]
    findings, _ = diagnosed(x, rate, 0.8 * np.tanh(5 * y) if driven else y)
    assert [finding.code for finding in findings] == ["unrelated"]


@pytest.mark.parametrize("seconds", [0.2, 1])
@PLANTED
def test_too_little_for_the_network_is_named_and_a_smaller_network_is_content(diagnosed, voice, seconds):
    x, rate = VOICES[voice]
    x = x[2 * rate : round((2 + seconds) * rate)]
    assert codes(diagnosed(x, rate, 0.8 * np.tanh(2 * x)))[-1:] == ["too-little-data"]
    assert codes(diagnosed(x, rate)) == ["too-little-data"]
    small = TrainSettings().with_options({"hidden": 16, "length": 100, "tbptt": 50})
    assert codes(diagnosed(x, rate, settings=small)) == []


def test_the_parameters_are_counted_as_dl4j_does():
    assert parameters(TrainSettings().network, 256) == 739_056


@PLANTED
def test_a_quiet_recording_is_named_and_mu_law_is_content(diagnosed, voice):
    x, rate = VOICES[voice]
    findings, figures = diagnosed(0.01 * x, rate, 0.01 * x, settings=LINEAR)
    assert [finding.code for finding in findings] == ["quiet-recording"]
    assert "--codec mulaw" in findings[0].fix
    assert figures["quantisation_esr"]["target"] > 0.1
    assert codes(diagnosed(0.01 * x, rate, 0.01 * x)) == []
    assert codes(diagnosed(0.01 * x, rate, settings=LINEAR)) == ["quiet-recording"]
    quiet = 0.03 * full(x)
    assert codes(diagnosed(quiet, rate, quiet, subtypes=("PCM_U8", "PCM_U8"))) == ["quiet-recording"]


def test_the_figures_are_all_there_for_a_healthy_pair(diagnosed):
    x, rate = VOICES["strings"]
    _, figures = diagnosed(x, rate, x)
    assert figures["rate"] == {"input": rate, "target": rate, "training": rate}
    assert figures["samples"] == {"input": x.size, "target": x.size}
    assert figures["delay"]["samples"] == 0
    assert figures["peak_dbfs"]["input"] == pytest.approx(20 * np.log10(0.9), abs=0.01)
    assert figures["level_dbfs"]["input"] == pytest.approx(20 * np.log10(x.std()), abs=0.01)
    assert sum(figures["histogram"]["input"]) == sum(figures["histogram"]["target"]) == x.size
    assert 0 < figures["order_1_entropy_bits"]["target"] < figures["entropy_bits"]["target"] < 8
    assert figures["training_samples"] == int(0.8 * x.size)
    assert {"clipped_share", "silence_share", "offset", "quantisation_esr", "quantisation_db", "parameters"} <= set(
        figures
    )


def test_of_a_long_recording_stretches_are_looked_at(diagnosed):
    x, delay = synthesis.speech_like(LOOKED_AT_SECONDS + 10, 8000), 40
    findings, figures = diagnosed(x, 8000, delayed(np.tanh(2 * x), delay))
    assert findings == []
    assert figures["looked_at_seconds"] == LOOKED_AT_SECONDS
    assert figures["delay"]["cut_out"] == delay
    assert figures["training_samples"] == int(0.8 * (x.size - delay))


def test_a_long_recording_that_drifts_is_named(diagnosed):
    x = synthesis.speech_like(LOOKED_AT_SECONDS + 10, 8000)
    (first, *_), _ = diagnosed(x, 8000, slower(x, 1.0002))
    assert first.code == "rate-mismatch"
    assert first.severity == FAULT
    assert first.evidence["speed"] == pytest.approx(1.0002, abs=0.00002)


def test_what_is_no_recording_is_a_users_mistake_as_ever(tmp_path):
    (tmp_path / "x.wav").write_bytes(b"no audio")
    with pytest.raises(InputError, match="not audio"):
        checks(Case(tmp_path / "x.wav", None, TrainSettings()))[0].run()
