"""Sound inside a page: as small as it must be, and the same for all sounds that are compared."""

import base64
import io
from collections.abc import Sequence

import numpy as np
import soundfile

from dl4j_bridge.signal.resampling import resample
from dl4j_bridge.tasks.shown import Floats

# Number of characters that the sounds of a player may add to a page. With its plots it stays below 5 MB.
BUDGET = 3_000_000
# Nobody hears what a higher rate adds.
HIGHEST_RATE = 48000
# The rates of MP3 at which it has up to 320 kbit/s.
_MP3_RATES = (32000, 44100, 48000)
_MP3_KBITS = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)


def data_uris(sounds: Sequence[Floats], rate: int, budget: int = BUDGET) -> list[str]:
    """Encode sounds of equal length, all of them the same way, so that they stay in step.

    FLAC adds no error and no delay, and all browsers decode it. Sounds that are too long or too noisy for it become
    MP3, with the highest bit rate that fits.

    Parameters
    ----------
    sounds : sequence of ndarray of float, shape (n,)
        Full scale is 1.
    rate
        Sample rate in Hz.
    budget
        Maximum number of characters of all URIs together.
    """
    if rate > HIGHEST_RATE:
        sounds = [resample(sound, rate, HIGHEST_RATE) for sound in sounds]
        rate = HIGHEST_RATE
    found = [_uri("audio/flac", _flac(sound, rate)) for sound in sounds]
    if sum(map(len, found)) <= budget or "MP3" not in soundfile.available_formats():
        return found
    seconds = sum(sound.size for sound in sounds) / rate
    kbits = 0.95 * budget * 6 / 1000 / seconds
    return [_uri("audio/mpeg", _mp3(sound, rate, kbits)) for sound in sounds]


def _flac(sound: Floats, rate: int) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, np.clip(sound, -1, 1), rate, "PCM_16", format="FLAC")
    return buffer.getvalue()


def _mp3(sound: Floats, rate: int, kbits: float) -> bytes:
    buffer = io.BytesIO()
    to = rate if rate in _MP3_RATES else HIGHEST_RATE
    # libsndfile spreads its compression levels, 0 to 1, evenly over the bit rates.
    least, most = _MP3_KBITS[0], _MP3_KBITS[-1]
    kbits = max((each for each in _MP3_KBITS if each <= kbits), default=least)
    level = (most - kbits) / (most - least)
    soundfile.write(
        buffer, np.clip(resample(sound, rate, to), -1, 1), to, "MPEG_LAYER_III", format="MP3",
        compression_level=level, bitrate_mode="CONSTANT",
    )  # fmt: skip
    return buffer.getvalue()


def _uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
