"""Audio files, written atomically from float samples."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from dl4j_bridge.atomic_files import check_writable, temporary_name
from dl4j_bridge.errors import BridgeError, InputError
from dl4j_bridge.signal.recordings import reason


def write(path: Path, blocks: Iterable[npt.NDArray[np.floating]], rate: int, subtype: str | None = None) -> int:
    """Write mono samples to `path`; the file appears only once it is complete.

    Parameters
    ----------
    path
        File to write. Its ending selects the format: .wav, .flac, .aiff, .ogg, ...
    blocks
        Arrays of samples of shape (n,); values outside -1 to 1 are clipped.
    rate
        Sample rate in Hz.
    subtype
        Name of the sample format in libsndfile, such as ``PCM_16``; None selects the default of the format.

    Returns
    -------
    int
        Number of samples written.

    Raises
    ------
    InputError
        If the folder is missing or not writable, or libsndfile cannot write files with this ending.
    BridgeError
        If writing failed, for example on a full disk; no partial file remains.
    """
    file_format, subtype = check_output(path, subtype)
    count = 0
    with temporary_name(path) as temporary:
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
        if not temporary.stat().st_size:
            raise BridgeError(path, "not written (nothing reached the disk)", "free some space or name another file")
    return count


def check_output(path: Path, subtype: str | None = None) -> tuple[str, str]:
    """Check, before any work is done, that `write` can write to `path`.

    Returns
    -------
    format, subtype : str
        Names in libsndfile; if the format does not support `subtype`, its default is returned.

    Raises
    ------
    InputError
        As for `write`.
    """
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
