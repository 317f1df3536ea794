"""Audio files, written atomically from float samples."""

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from dl4j_bridge.atomic_files import check_writable, temporary_name
from dl4j_bridge.errors import BridgeError, InputError
from dl4j_bridge.signal.recordings import reason

Blocks = Iterable[npt.NDArray[np.floating]]

# A file in which no sample is below this level, or none above its negative, holds no sound.
FULL_SCALE = 0.99
_OTHER_MODEL = "wanted a working model: its network is damaged or has diverged; train it again"


def write(path: Path, blocks: Blocks, rate: int, subtype: str | None = None) -> int:
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
        If writing failed, for example on a full disk, or the samples are not finite or a constant at full scale; no
        partial file remains.
    """
    file_format, subtype = check_output(path, subtype)
    count, lowest, highest = 0, np.inf, -np.inf
    with temporary_name(path) as temporary:
        try:
            with soundfile.SoundFile(
                temporary, "w", samplerate=rate, channels=1, format=file_format, subtype=subtype
            ) as f:
                for block in blocks:
                    if not np.isfinite(block).all():
                        raise BridgeError(path, f"not written (NaN or Inf after {count} samples)", _OTHER_MODEL)
                    if len(block):
                        lowest, highest = min(lowest, float(block.min())), max(highest, float(block.max()))
                    f.write(np.clip(block, -1.0, 1.0))
                    count += len(block)
                f.flush()
        except (soundfile.LibsndfileError, OSError) as e:
            found = _full_disk(temporary) or reason(e)
            raise BridgeError(path, f"not written ({found})", "free some space or name another file") from e
        if count and (lowest >= FULL_SCALE or highest <= -FULL_SCALE):
            # Loudspeakers can be damaged by it.
            raise BridgeError(path, "not written (every sample is at full scale)", _OTHER_MODEL)
        if not temporary.stat().st_size:
            raise BridgeError(path, "not written (nothing reached the disk)", "free some space or name another file")
    return count


def _full_disk(path: Path) -> str | None:
    """The reason why nothing more can be written to a file; libsndfile's own is "System error"."""
    try:
        with open(path, "ab") as f:
            f.write(bytes(1 << 16))
            f.flush()
            os.fsync(f.fileno())
    except OSError as e:
        return e.strerror
    return None


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
