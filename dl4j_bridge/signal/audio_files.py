"""Audio files, written atomically from float samples."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from dl4j_bridge.atomic_files import check_writable, temporary_name
from dl4j_bridge.errors import BridgeError, InputError
from dl4j_bridge.object_store import working_folder
from dl4j_bridge.signal.recordings import reason

Blocks = Iterable[npt.NDArray[np.floating]]

# A file in which no sample is below this level, or none above its negative, holds no sound.
FULL_SCALE = 0.99
# The sample format of an output for each of an input that holds more than 16 bits. A network computes 32-bit floats.
_FINE = {name: name for name in ("PCM_24", "PCM_32", "FLOAT")} | {"DOUBLE": "FLOAT"}
_FINE |= {"ALAC_20": "PCM_24", "ALAC_24": "PCM_24", "ALAC_32": "PCM_32"}
# Bytes of a sample, for a format that is not compressed.
_BYTES = {"PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8}
# Sizes in a WAV file are 32-bit numbers.
LARGEST_WAV = (1 << 32) - 1
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


def check_size(path: Path, samples: int, rate: int, subtype: str) -> None:
    """Check, before any work is done, that `write` can write that many samples at that rate.

    Raises
    ------
    InputError
        As for `write`; or if the file would be larger than the free space of its folder, or than its format allows.
    """
    file_format, subtype = check_output(path, subtype)
    size = _BYTES.get(subtype, 1) * samples
    free = shutil.disk_usage(working_folder(path)).free
    limit, what = min((free, "are free there"), (LARGEST_WAV if file_format == "WAV" else free, "fit into a WAV file"))
    if size > limit:
        found = f"{samples / rate:g}, which makes a file of {size / 1e9:,.1f} GB"
        most = f"{limit / _BYTES.get(subtype, 1) / rate:.0f}"
        raise InputError("--seconds", found, f"wanted at most {most}: {limit / 1e9:,.1f} GB {what}")


def as_fine(subtype: str) -> str:
    """The sample format for what is made from a recording in `subtype`: as fine, of 16 to 32 bits."""
    return _FINE.get(subtype, "PCM_16")


def check_output(path: Path, subtype: str | None = None) -> tuple[str, str]:
    """Check, before any work is done, that `write` can write to `path`.

    Returns
    -------
    format, subtype : str
        Names in libsndfile. If the format does not support `subtype`, 24 bits are returned for more than 16 where it
        supports those, and otherwise its default.

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
    wanted = [subtype, "PCM_24"] if subtype in _FINE else [subtype]
    default = str(soundfile.default_subtype(file_format))
    return file_format, next((name for name in wanted if name and soundfile.check_format(file_format, name)), default)
