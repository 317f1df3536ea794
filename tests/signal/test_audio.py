"""Recordings: every format against bytes that the test packs itself, damage, blocks, resampling, writing."""

import hashlib
import struct
from fractions import Fraction
from math import floor

import numpy as np
import pytest
import soundfile
from scipy.signal import resample_poly

from dl4j_bridge.errors import BridgeError, InputError
from dl4j_bridge.signal import audio_files, resampling
from dl4j_bridge.signal.codecs import LINEAR
from dl4j_bridge.signal.recordings import BLOCK, SMALL_BLOCK, open_recording

RATE = 8000
PCM, FLOAT = 1, 3


def riff(data, tag, bits, channels=1, extensible=False, before=b"", announced=None):
    """A wav file around `data`; `before` goes in front of its data chunk, `announced` is the size it claims."""
    frame = channels * bits // 8
    fmt = struct.pack("<HHIIHH", 0xFFFE if extensible else tag, channels, RATE, RATE * frame, frame, bits)
    if extensible:
        guid = struct.pack("<I", tag) + bytes.fromhex("00001000800000aa00389b71")
        fmt += struct.pack("<HHI", 22, bits, (1 << channels) - 1) + guid
    size = len(data) if announced is None else announced
    body = b"WAVEfmt " + struct.pack("<I", len(fmt)) + fmt + before + b"data" + struct.pack("<I", size) + data
    return b"RIFF" + struct.pack("<I", min(len(body) + size - len(data), 0xFFFFFFFF)) + body


def integers(bits, seed=1, count=2000):
    """Every range of `bits`, its ends included."""
    top = 1 << (bits - 1)
    return np.r_[-top, top - 1, 0, 1, -1, np.random.default_rng(seed).integers(-top, top, count)]


def packed(values, bits):
    if bits == 8:
        return (values + 128).astype(np.uint8).tobytes()
    return values.astype("<i4").view(np.uint8).reshape(-1, 4)[:, : bits // 8].tobytes()


def noise(count, seed=1):
    return np.random.default_rng(seed).uniform(-0.9, 0.9, count)


def sines(rate, seconds, highest, seed=1):
    """A sum of sines up to `highest` Hz, and so the exact answer at any rate above twice that."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(rate * seconds)) / rate
    return sum(np.sin(2 * np.pi * rng.uniform(50, highest) * t + rng.uniform(0, 6)) for _ in range(20)) / 25


def snr_db(reference, signal, margin):
    """Away from the ends, where a resampler lacks the past or the future."""
    reference, signal = reference[margin:-margin], signal[margin : len(reference) - margin]
    return 10 * np.log10(np.sum(reference**2) / np.sum((signal - reference) ** 2))


@pytest.fixture
def recorded(tmp_path):
    """Write float samples of shape (n,) or (n, channels) to a file of 32-bit floats, and open it."""

    def make(x, channel=None, name="x.wav", rate=RATE, subtype="FLOAT"):
        soundfile.write(tmp_path / name, x, rate, subtype=subtype)
        return open_recording(tmp_path / name, channel)

    return make


@pytest.mark.parametrize("extensible", [False, True], ids=["plain", "extensible"])
@pytest.mark.parametrize("bits", [8, 16, 24, 32])
def test_integer_wavs_are_read_exactly(tmp_path, bits, extensible):
    values = integers(bits)
    (tmp_path / "x.wav").write_bytes(riff(packed(values, bits), PCM, bits, extensible=extensible))
    recording = open_recording(tmp_path / "x.wav")
    expected = (values / 2.0 ** (bits - 1)).astype(np.float32)
    assert np.array_equal(recording.read(RATE), expected)
    assert recording.read(RATE).dtype == np.float32
    assert (recording.rate, recording.frames, recording.channels, recording.notes) == (RATE, values.size, 1, ())
    assert recording.is_8_bit == (bits == 8)


@pytest.mark.parametrize("extensible", [False, True], ids=["plain", "extensible"])
@pytest.mark.parametrize("bits", [32, 64])
def test_float_wavs_are_read_exactly(tmp_path, bits, extensible):
    values = np.r_[noise(2000), 1.5, -3.0]
    data = values.astype(f"<f{bits // 8}").tobytes()
    (tmp_path / "x.wav").write_bytes(riff(data, FLOAT, bits, extensible=extensible))
    recording = open_recording(tmp_path / "x.wav")
    assert np.array_equal(recording.read(RATE), values.astype(np.float32))
    assert not recording.is_8_bit


def test_libsndfiles_own_extensible_wav_is_read(tmp_path):
    values = integers(24)
    soundfile.write(tmp_path / "x.wav", (values << 8).astype(np.int32), RATE, subtype="PCM_24", format="WAVEX")
    assert np.array_equal(open_recording(tmp_path / "x.wav").read(RATE), (values / 2.0**23).astype(np.float32))


def test_flac_is_read_exactly(tmp_path):
    values = integers(16)
    soundfile.write(tmp_path / "x.flac", values.astype(np.int16), 44100, subtype="PCM_16")
    recording = open_recording(tmp_path / "x.flac")
    assert np.array_equal(recording.read(44100), (values / 32768).astype(np.float32))
    assert (recording.rate, recording.subtype, recording.notes) == (44100, "PCM_16", ())


def test_channels_are_mixed_down_with_a_note(recorded):
    x = np.stack([noise(3000, seed) for seed in range(3)], axis=1)
    recording = recorded(x)
    np.testing.assert_allclose(recording.read(RATE), x.mean(axis=1), atol=1e-7)
    assert len(recording.notes) == 1
    assert "3 channels, mixed down" in recording.notes[0]


@pytest.mark.parametrize("channel", [1, 2, 3])
def test_a_channel_is_taken_with_a_note(recorded, channel):
    x = np.stack([noise(3000, seed) for seed in range(3)], axis=1)
    recording = recorded(x, channel)
    assert np.array_equal(recording.read(RATE), x[:, channel - 1].astype(np.float32))
    assert f"took {channel}" in recording.notes[0]


@pytest.mark.parametrize("silent", [0, 1])
def test_of_channels_of_which_only_one_has_sound_that_one_is_taken(recorded, silent):
    x = np.stack([noise(3000), noise(3000, 2)], axis=1)
    x[:, silent] *= 1e-5
    recording = recorded(x)
    assert np.array_equal(recording.read(RATE), x[:, 1 - silent].astype(np.float32))
    assert f"2 channels, only channel {2 - silent} has sound" in recording.notes[0]


@pytest.mark.parametrize("channel", [-1, 0, 3])
def test_a_channel_that_is_not_there_is_refused(recorded, channel):
    with pytest.raises(InputError, match=rf"^--channel: {channel}.*1 to 2"):
        recorded(np.stack([noise(100), noise(100, 2)], axis=1), channel)


def test_the_only_channel_can_be_named(recorded):
    assert recorded(noise(100), 1).notes == ()


@pytest.mark.parametrize("rate", [RATE, 4000, 7999, 11025, 44100])
@pytest.mark.parametrize("count", [1, 2, 5, 1000, 12345])
def test_a_resampled_recording_has_its_duration_rounded_to_whole_samples(recorded, count, rate):
    recording = recorded(noise(count))
    assert recording.length_at(rate) == floor(Fraction(count * rate, RATE) + Fraction(1, 2))
    assert recording.read(rate).size == recording.length_at(rate)


@pytest.mark.parametrize(("old", "new"), [(44100, 11025), (11025, 16000), (48000, 44100), (8000, 22050)])
def test_resampling_keeps_what_both_rates_can_hold(recorded, old, new):
    highest = 0.4 * min(old, new)
    x, exact = sines(old, 1.5, highest), sines(new, 1.5, highest)
    recording = recorded(x, rate=old)
    y = recording.read(new)
    margin = new // 20
    assert snr_db(exact, y, margin) > 90
    assert snr_db(exact, resampling.resample(x, old, new), margin) > 90
    assert snr_db(resample_poly(x, new, old), y, margin) > 40


def test_resampling_down_removes_what_the_lower_rate_cannot_hold(recorded):
    high = 0.5 * np.sin(2 * np.pi * 3000 * np.arange(2 * RATE) / RATE)
    assert np.abs(recorded(high).read(4000)[200:-200]).max() < 1e-4


@pytest.mark.parametrize("rate", [RATE, 4001, 11025])
@pytest.mark.parametrize("size", [7, 1000, 30001, 1 << 20])
def test_the_block_size_changes_no_sample(recorded, rate, size):
    recording = recorded(np.stack([noise(30001), noise(30001, 2)], axis=1))
    blocks = list(recording.blocks(rate, size))
    assert np.array_equal(np.concatenate(blocks), recording.read(rate))
    assert len(blocks) >= 30001 // size


@pytest.mark.parametrize("rate", [RATE, 11025])
@pytest.mark.parametrize(
    ("start", "count"),
    [(0, 10), (123, 4567), (65530, 12), (65536, 1), (100_000, None), (89_990, 10_000), (200_000, 5), (7, 0)],
)
def test_reading_a_part_equals_a_slice_of_the_whole(recorded, rate, start, count):
    recording = recorded(noise(90_000))
    whole = recording.read(rate)
    expected = whole[start:] if count is None else whole[start : start + count]
    assert np.array_equal(recording.read(rate, start, count), expected)


@pytest.mark.parametrize("more", [-5, 0, 5])
@pytest.mark.parametrize(("old", "new"), [(RATE, 11025), (11025, RATE)])
def test_resampled_blocks_have_exactly_the_given_length(old, new, more):
    x = noise(10_000)
    length = round(x.size * new / old) + more
    y = np.concatenate(list(resampling.resampled(np.array_split(x, 7), old, new, length)))
    whole = np.r_[resampling.resample(x, old, new), np.zeros(more + 5)]
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, whole[:length], atol=1e-5)


def test_the_loudest_block_is_found(recorded):
    x = 0.1 * noise(3 * BLOCK + 50)
    x[BLOCK + 100 : BLOCK + 200] *= 9
    assert recorded(x).loudest == BLOCK


def test_the_hash_is_that_of_the_file(recorded):
    recording = recorded(noise(100))
    assert recording.sha256() == hashlib.sha256(recording.path.read_bytes()).hexdigest()


# An odd chunk is followed by one byte of padding.
@pytest.mark.parametrize("before", [b"", b"LIST" + struct.pack("<I", 5) + b"INFOx" + b"\0"], ids=["", "odd chunk"])
@pytest.mark.parametrize(("bits", "channels", "cut"), [(8, 1, 700), (16, 1, 701), (24, 2, 1000)])
def test_a_truncated_wav_gives_what_is_there_and_says_so(tmp_path, bits, channels, cut, before):
    values = integers(bits, count=1995).reshape(-1, channels)
    whole = riff(packed(values.ravel(), bits), PCM, bits, channels, before=before)
    (tmp_path / "x.wav").write_bytes(whole[:-cut])
    recording = open_recording(tmp_path / "x.wav")
    frames = (values.size * bits // 8 - cut) // (channels * bits // 8)
    expected = (values[:frames] / 2.0 ** (bits - 1)).mean(axis=1)
    assert recording.frames == frames
    np.testing.assert_allclose(recording.read(RATE), expected, atol=1e-7)
    assert f"truncated, {frames} of {len(values)} frames" in recording.notes[0]
    assert str(tmp_path / "x.wav") in recording.notes[0]


@pytest.mark.parametrize("bits", [8, 24])
@pytest.mark.parametrize(
    "before",
    [b"LIST" + struct.pack("<I", 5) + b"INFOx", 2 * (b"abcd" + struct.pack("<I", 3) + b"xyz")],
    ids=["one", "two"],
)
def test_chunks_of_odd_length_without_padding_lose_no_sample(tmp_path, before, bits):
    values = integers(bits, count=70_001)
    (tmp_path / "x.wav").write_bytes(riff(packed(values, bits), PCM, bits, before=before))
    with pytest.raises(soundfile.LibsndfileError):
        soundfile.info(tmp_path / "x.wav")
    recording = open_recording(tmp_path / "x.wav")
    assert np.array_equal(recording.read(RATE), (values / 2.0 ** (bits - 1)).astype(np.float32))
    assert recording.notes == ()
    assert recording.sha256() == hashlib.sha256((tmp_path / "x.wav").read_bytes()).hexdigest()


def test_a_streamed_wav_that_could_not_know_its_length_is_not_truncated(tmp_path):
    values = integers(16)
    (tmp_path / "x.wav").write_bytes(riff(packed(values, 16), PCM, 16, announced=0xFFFFFFFF))
    recording = open_recording(tmp_path / "x.wav")
    assert (recording.frames, recording.notes) == (values.size, ())


@pytest.mark.parametrize("count", [40_000, 200_000])
def test_a_truncated_flac_gives_what_is_there_and_says_so(tmp_path, count):
    path = tmp_path / "x.flac"
    values = (20_000 * noise(count)).astype(np.int16)
    soundfile.write(path, values, RATE, subtype="PCM_16")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 6 // 10])
    recording = open_recording(path)
    # Noise takes the same bytes everywhere, and a FLAC frame holds about 4,000 samples.
    assert 0.6 * count - 10_000 < recording.frames <= 0.6 * count
    assert np.array_equal(recording.read(RATE), (values[: recording.frames] / 32768).astype(np.float32))
    assert "truncated" in recording.notes[0]


@pytest.mark.parametrize(
    ("file_format", "subtype"),
    [
        ("RF64", "PCM_16"), ("RF64", "FLOAT"), ("WAV", "IMA_ADPCM"), ("WAV", "MS_ADPCM"), ("WAV", "GSM610"),
        ("W64", "PCM_24"), ("AIFF", "PCM_16"), ("AIFF", "IMA_ADPCM"), ("AU", "PCM_16"), ("SVX", "PCM_16"),
    ],
)  # fmt: skip
def test_any_truncation_that_libsndfile_sees_is_reported(tmp_path, file_format, subtype):
    path = tmp_path / f"x.{file_format.lower()}"
    soundfile.write(path, 0.5 * noise(16_000), 16_000, format=file_format, subtype=subtype)
    assert open_recording(path).notes == ()
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 3 // 4])
    recording = open_recording(path)
    assert "truncated" in recording.notes[0]
    assert 0.6 * 16_000 < recording.frames < 0.8 * 16_000


def pcm16(x):
    return riff(packed(np.asarray(x), 16), PCM, 16)


def floats(*x):
    return riff(np.asarray(x, "<f4").tobytes(), FLOAT, 32)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (np.random.default_rng(1).bytes(5000), "not audio"),
        (b"just a text, no recording\n" * 50, "not audio"),
        (pcm16([]), "without samples"),
        (pcm16(range(100))[:44], "without samples"),
        (pcm16(range(100))[:20], "not audio"),
        (floats(0.5, float("nan"), 0.5), "sample 1 is NaN"),
        (floats(*[0.5] * 99, float("-inf")), "sample 99 is NaN or Inf"),
        (pcm16([0] * 1000), "silent"),
        (pcm16([3, -3] * 1000), "silent"),
        (riff(b"\1\2", PCM, 16, channels=2), "without samples"),
        (floats(0.0, 32768.0, -100.0), "a peak of 32768; wanted -1 to 1: divide the samples by 32768"),
        (floats(0.0, -127.0, 3.0), "divide the samples by 128"),
    ],
)
def test_a_file_without_a_usable_recording_is_refused_in_one_line_that_names_it(tmp_path, content, says):
    path = tmp_path / "bad file.wav"
    path.write_bytes(content)
    with pytest.raises(InputError) as e:
        open_recording(path)
    assert str(e.value).startswith(f"{path}: ")
    assert says in str(e.value)
    assert len(str(e.value).splitlines()) == 1


@pytest.mark.parametrize(("name", "says"), [("missing.wav", "no such file"), (".", "a folder")])
def test_no_file_is_refused_in_one_line_that_names_it(tmp_path, name, says):
    with pytest.raises(InputError) as e:
        open_recording(tmp_path / name)
    assert str(e.value).startswith(f"{tmp_path / name}: {says}")
    assert len(str(e.value).splitlines()) == 1


@pytest.mark.parametrize("left", [0.0, 0.05])
def test_channels_that_cancel_are_refused_but_each_alone_is_not(recorded, left):
    x = noise(1000)
    with pytest.raises(InputError, match=r"2 channels cancel each other.*--channel 1"):
        recorded(np.stack([x, (left - 1) * x], axis=1))
    assert recorded(np.stack([x, -x], axis=1), channel=2).frames == 1000


def test_silence_can_be_allowed(tmp_path):
    (tmp_path / "x.wav").write_bytes(pcm16([3, 0, -3] * 1000))
    recording = open_recording(tmp_path / "x.wav", may_be_silent=True)
    assert (recording.frames, recording.peak) == (3000, 3 / 2**15)


@pytest.mark.parametrize(("at", "end"), [(0, SMALL_BLOCK), (SMALL_BLOCK - 1, SMALL_BLOCK), (9999, 10_000)])
def test_the_end_of_the_sound_is_that_of_its_last_block(recorded, at, end):
    x = np.full(10_000, 1e-4)
    x[at] = 0.5
    recording = recorded(x)
    assert recording.end_of_sound(0.001) == end
    assert recording.end_of_sound(0.00001) == 10_000
    assert recording.silent(0.001, SMALL_BLOCK, 2 * SMALL_BLOCK)
    assert not recording.silent(0.001, at, at + 1)


def test_a_quiet_recording_is_not_silent(tmp_path):
    (tmp_path / "x.wav").write_bytes(pcm16([4, -4] * 1000))
    assert open_recording(tmp_path / "x.wav").frames == 2000


def test_nan_in_a_later_block_is_counted_from_the_start(recorded):
    x = noise(BLOCK + 1000)
    x[BLOCK + 7] = np.nan
    with pytest.raises(InputError, match=f"sample {BLOCK + 7} is NaN"):
        recorded(x)


@pytest.mark.parametrize("name", ["x.wav", "x.flac"])
def test_a_recording_that_shrinks_while_it_is_read_is_named_not_the_output(recorded, tmp_path, name):
    recording = recorded(noise(200_000), name=name, subtype="PCM_16")
    content = recording.path.read_bytes()
    recording.path.write_bytes(content[: len(content) // 2])
    with pytest.raises(BridgeError) as e:
        audio_files.write(tmp_path / "y.wav", recording.blocks(RATE), RATE)
    assert str(e.value).startswith(f"{recording.path}: ")
    assert not (tmp_path / "y.wav").exists()


def test_an_8_bit_wav_comes_back_byte_for_byte_through_linear_classes(tmp_path):
    values = np.r_[np.arange(256), np.random.default_rng(1).integers(0, 256, 1000)] - 128
    (tmp_path / "x.wav").write_bytes(riff(packed(values, 8), PCM, 8))
    recording = open_recording(tmp_path / "x.wav")
    indices = LINEAR.encode(recording.read(RATE))
    assert np.array_equal(indices, values + 128)
    audio_files.write(tmp_path / "y.wav", [LINEAR.decode(indices)], RATE, LINEAR.subtype)
    assert (tmp_path / "y.wav").read_bytes() == (tmp_path / "x.wav").read_bytes()


def test_a_16_bit_wav_comes_back_sample_for_sample(tmp_path):
    values = np.arange(-32768, 32768)
    (tmp_path / "x.wav").write_bytes(pcm16(values))
    recording = open_recording(tmp_path / "x.wav")
    assert audio_files.write(tmp_path / "y.wav", recording.blocks(RATE, 999), RATE, "PCM_16") == values.size
    assert np.array_equal(soundfile.read(tmp_path / "y.wav", dtype="int16")[0], values)


@pytest.mark.parametrize(("subtype", "highest"), [("PCM_16", 1 - 2**-15), ("FLOAT", 1.0)])
def test_what_is_beyond_full_scale_is_clipped(tmp_path, subtype, highest):
    audio_files.write(tmp_path / "x.wav", [np.array([2.0, -2.0, 0.5])], RATE, subtype)
    assert soundfile.read(tmp_path / "x.wav")[0].tolist() == [highest, -1.0, 0.5]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, BridgeError("x", "y", "z")])
@pytest.mark.parametrize("before", [None, b"what stood there"], ids=["new", "existing"])
def test_a_write_that_breaks_off_leaves_the_folder_as_it_was(tmp_path, error, before):
    path = tmp_path / "x.wav"
    if before is not None:
        path.write_bytes(before)

    def blocks():
        yield noise(100_000)
        assert len(list(tmp_path.iterdir())) == (1 if before is None else 2), "written in the same folder"
        raise error

    with pytest.raises(error if isinstance(error, type) else BridgeError):
        audio_files.write(path, blocks(), RATE)
    assert [file.name for file in tmp_path.iterdir()] == ([] if before is None else ["x.wav"])
    assert before is None or path.read_bytes() == before


def test_a_write_replaces_what_stood_there_and_leaves_nothing_else(tmp_path):
    (tmp_path / "x.wav").write_bytes(b"old")
    audio_files.write(tmp_path / "x.wav", [noise(100)], RATE)
    assert [file.name for file in tmp_path.iterdir()] == ["x.wav"]
    assert open_recording(tmp_path / "x.wav").frames == 100


@pytest.mark.parametrize(
    ("name", "says"),
    [("no/folder/x.wav", "mkdir"), ("x.xyz", "ending .xyz"), ("x", "ending missing"), ("folder.wav", "a folder")],
)
def test_an_output_that_cannot_be_is_refused_before_any_block_is_asked_for(tmp_path, name, says):
    (tmp_path / "folder.wav").mkdir()

    def blocks():
        raise AssertionError("asked for a block")
        yield

    with pytest.raises(InputError) as e:
        audio_files.write(tmp_path / name, blocks(), RATE)
    assert str(e.value).startswith(f"{tmp_path / name}: ")
    assert says in str(e.value)
    assert [file.name for file in tmp_path.iterdir()] == ["folder.wav"]


@pytest.mark.parametrize("ending", sorted(soundfile.available_formats()))
def test_every_ending_is_refused_or_gives_a_file_that_can_be_read(tmp_path, ending):
    path = tmp_path / f"x.{ending.lower()}"
    try:
        audio_files.check_output(path)
    except InputError:
        assert ending not in ("WAV", "FLAC", "AIFF", "OGG")
        return
    assert audio_files.write(path, [noise(4000), noise(4000, 2)], RATE) == 8000
    assert open_recording(path).frames == 8000


@pytest.mark.parametrize(
    ("name", "asked", "given"),
    [
        ("x.wav", "PCM_U8", ("WAV", "PCM_U8")),
        ("x.WAV", None, ("WAV", "PCM_16")),
        ("x.flac", "PCM_24", ("FLAC", "PCM_24")),
        ("x.flac", "PCM_U8", ("FLAC", "PCM_16")),
        ("x.flac", "FLOAT", ("FLAC", "PCM_24")),
        ("x.flac", "PCM_32", ("FLAC", "PCM_24")),
        ("x.ogg", "FLOAT", ("OGG", "VORBIS")),
    ],
)
def test_a_sample_format_that_the_file_format_lacks_gives_way_to_its_default(tmp_path, name, asked, given):
    assert audio_files.check_output(tmp_path / name, asked) == given
    audio_files.write(tmp_path / name, [noise(100)], RATE, asked)
    assert (soundfile.info(tmp_path / name).format, soundfile.info(tmp_path / name).subtype) == given
