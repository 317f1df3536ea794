"""Writes the recordings in this folder: 8-bit, 11025 Hz, about 220 kB each."""

from __future__ import annotations

from pathlib import Path

from dl4j_bridge.demos import synthesis
from dl4j_bridge.signal import audio_files

SECONDS = 20


def main(folder: Path = Path(__file__).parent) -> None:
    dry = synthesis.plucked_strings(SECONDS)
    for name, sound in (
        ("plucked_dry", dry),
        ("plucked_amplifier", synthesis.amplifier(dry)),
        ("speech_like", synthesis.speech_like(SECONDS)),
    ):
        path = folder / f"{name}.wav"
        audio_files.write(path, [sound], synthesis.CLASSIC_RATE, "PCM_U8")
        print(path)


if __name__ == "__main__":
    main()
