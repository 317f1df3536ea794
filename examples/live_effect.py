"""Play a guitar or a microphone through a model while it sounds; or a file, in the same blocks.

    pip install sounddevice
    python examples/live_effect.py --list-devices
    python examples/live_effect.py --model runs/mine
    python examples/live_effect.py --model runs/mine --input dry.wav --output wet.wav

`docs/live.md` explains it.
"""

from __future__ import annotations

import argparse
import gc
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

import dl4j_bridge

BLOCK = 128
# Blocks of silence before the first sound, in which Java compiles the network.
WARM_UP = 1000
# Seconds between two lines of figures.
INTERVAL = 1.0


class Effect:
    """A stream, and how much of the time it takes.

    Attributes
    ----------
    misses : int
        Number of blocks that took longer than they last, or that the sound card reports as lost.
    """

    def __init__(self, model: Path, block: int) -> None:
        self.stream = dl4j_bridge.load(model).stream()
        self.misses = 0
        self._seconds, self._samples, self._worst = 0.0, 0, 0.0
        for _ in range(WARM_UP):
            self.stream.process(np.zeros(block, np.float32))
        self.stream.reset()
        # Python then looks for garbage only among what comes from now on.
        gc.collect()
        gc.freeze()

    def process(self, x: npt.NDArray[np.float32], lost: bool = False) -> npt.NDArray[np.float32]:
        """Run a block through the model."""
        began = time.perf_counter()
        y = self.stream.process(x)
        seconds = time.perf_counter() - began
        share = seconds * self.stream.rate / x.size
        self.misses += lost or share > 1
        self._seconds, self._samples, self._worst = (
            self._seconds + seconds,
            self._samples + x.size,
            max(self._worst, share),
        )
        return y

    def figures(self) -> str:
        """Return the share of the time that was used since the last call, and all misses so far."""
        used = self._seconds * self.stream.rate / max(self._samples, 1)
        line = f"used {used:6.1%} of the time, at most {self._worst:6.1%} in a block, {self.misses} misses"
        self._seconds, self._samples, self._worst = 0.0, 0, 0.0
        return line


def play(effect: Effect, block: int, devices: tuple[str | int | None, str | int | None], channel: int) -> None:
    """Run the sound card until Ctrl-C."""
    import sounddevice

    def callback(indata: Any, outdata: Any, frames: int, when: Any, status: Any) -> None:
        outdata[:] = effect.process(indata[:, channel - 1], bool(status))[:, None]

    sound_card = sounddevice.Stream(
        samplerate=effect.stream.rate,
        blocksize=block,
        device=devices,
        channels=(channel, 2),
        dtype="float32",
        latency="low",
        callback=callback,
    )
    with sound_card:
        late = effect.stream.latency
        print(f"{effect.stream.rate} Hz, blocks of {block}, the model is {late} samples late; stop with Ctrl-C")
        done = threading.Event()
        try:
            while not done.wait(INTERVAL):
                print(effect.figures())
        except KeyboardInterrupt:
            print(f"stopped, {effect.misses} misses in all")


def process_file(effect: Effect, block: int, source: Path, output: Path) -> None:
    """Feed a recording to the model in blocks of the same size, and write what comes out, without its latency."""
    x, rate = soundfile.read(source, dtype="float32")
    if x.ndim != 1 or rate != effect.stream.rate:
        raise SystemExit(f"error: {source}: found {rate} Hz, shape {x.shape}; wanted mono, {effect.stream.rate} Hz")
    late = effect.stream.latency
    x = np.append(x, np.zeros(late, np.float32))
    blocks = [effect.process(x[at : at + block]) for at in range(0, x.size, block)]
    soundfile.write(output, np.concatenate(blocks)[late:], rate, "FLOAT")
    print(effect.figures())


def device(text: str) -> str | int:
    """Return the number or a part of the name of a sound device."""
    return int(text) if text.isdecimal() else text


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--model", type=Path, help="run folder or model zip")
    parser.add_argument("--block", type=int, default=BLOCK, help="samples in a block (default: %(default)s)")
    parser.add_argument("--input-device", type=device, help="number or part of the name")
    parser.add_argument("--output-device", type=device, help="number or part of the name")
    parser.add_argument("--channel", type=int, default=1, help="input channel, from 1 (default: %(default)s)")
    parser.add_argument("--list-devices", action="store_true", help="print the sound devices and stop")
    parser.add_argument("--input", type=Path, help="process this recording instead of the sound card")
    parser.add_argument("--output", type=Path, help="with --input: WAV file to write")
    given = parser.parse_args(arguments)
    if given.list_devices:
        import sounddevice

        print(sounddevice.query_devices())
        return
    if given.model is None or (given.input is None) != (given.output is None):
        parser.error("wanted --model, and --input together with --output or neither")
    if given.block < 1 or given.channel < 1:
        parser.error("wanted --block and --channel of 1 or more")
    effect = Effect(given.model, given.block)
    if given.input:
        process_file(effect, given.block, given.input, given.output)
    else:
        play(effect, given.block, (given.input_device, given.output_device), given.channel)


if __name__ == "__main__":
    main()
