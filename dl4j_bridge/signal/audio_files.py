"""Float samples to audio files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dl4j_bridge.atomic_files import TemporaryName, check_writable
from dl4j_bridge.errors import BridgeError, InputError
from dl4j_bridge.signal.recordings import reason


def write(path: Path, blocks: Iterable[npt.NDArray[np.floating]], rate: int, subtype: str | None = None) -> int:
    """Write mono samples to `path`, which appears only when all of it is there.

    Parameters
    ----------
    path
        The ending chooses the format: .wav, .flac, .aiff, .ogg, ...
    blocks
        Arrays of shape (n,), -1 to 1; what is beyond is clipped.
    rate
        In Hz.
    subtype
        libsndfile's name of the sample format, such as ``PCM_16``; None takes the format's default.

    Returns
    -------
    int
        Samples written.

    Raises
    ------
    InputError
        The folder is missing or not writable, or the ending is none that libsndfile writes.
    BridgeError
        Writing failed, as on a full disk; nothing is left behind.
    """
    import soundfile

    file_format, subtype = check_output(path, subtype)
    count = 0
    with TemporaryName(path) as temporary:
        try:
            with soundfile.SoundFile(
                temporary, "w", samplerate=rate, channels=1, format=file_format, subtype=subtype
            ) as f:
                for block in blocks:
                    f.write(np.clip(block, -1.0, 1.0))
                    count += len(block)
                f.flush()
        except (soundfile.LibsndfileError, OSError) as e:
            raise BridgeError(path, f"not written ({reason(e)})", "free some space or name another file") from e
        if os.path.getsize(temporary) == 0:
            raise BridgeError(path, "not written (nothing reached the disk)", "free some space or name another file")
    return count


def check_output(path: Path, subtype: str | None = None) -> tuple[str, str]:
    """Say before any work whether `write` could write to `path`.

    Returns
    -------
    format, subtype
        libsndfile's names; a format that lacks `subtype` gets its own default.
    """
    import soundfile

    file_format = path.suffix.lstrip(".").upper()
    # RAW has no header, and libsndfile cannot read back the SD2 that it writes.
    if file_format not in soundfile.available_formats() or file_format in ("RAW", "SD2"):
        raise InputError(
            path, f"ending {path.suffix or 'missing'}", "wanted .wav, .flac, .aiff or another audio ending"
        )
    check_writable(path)
    if subtype is None or not soundfile.check_format(file_format, subtype):
        subtype = str(soundfile.default_subtype(file_format))
    return file_format, subtype
