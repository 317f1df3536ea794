"""`examples/live_effect.py`: blocks of a file, and of a sound card that a stand-in for sounddevice plays."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import dl4j_bridge
from tests.conftest import EXAMPLES

RUN = Path(__file__).parent / "data" / "version_0.1.0"
# Plays `card.npy` block by block from a thread of its own, keeps what comes out, and presses Ctrl-C.
CARD = """
import os, signal, threading
import numpy as np

# A process that was started in the background ignores it.
signal.signal(signal.SIGINT, signal.default_int_handler)

def query_devices():
    return "  0 a card (1 in, 2 out)"

class Stream:
    def __init__(self, samplerate, blocksize, device, channels, dtype, latency, callback):
        assert (device, channels, dtype) == ((3, "out"), (2, 2), "float32")
        self.size, self.callback = blocksize, callback

    def __enter__(self):
        threading.Thread(target=self.play).start()

    def __exit__(self, *error):
        pass

    def play(self):
        x = np.load("card.npy")
        heard = np.zeros((len(x), 2), np.float32)
        for number, at in enumerate(range(0, len(x), self.size)):
            block = np.stack([0 * x[at : at + self.size], x[at : at + self.size]], axis=1)
            self.callback(block, heard[at : at + self.size], len(block), None, number == 3)
        np.save("heard.npy", heard)
        os.kill(os.getpid(), signal.SIGINT)
"""


def live_effect(*args: object, cwd: Path, status: int = 0) -> str:
    command = [sys.executable, EXAMPLES / "live_effect.py", *map(str, args)]
    path = os.pathsep.join([str(cwd), str(EXAMPLES.parent)])
    done = subprocess.run(
        command, cwd=cwd, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == status, done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def dry(tmp_path):
    x = np.random.default_rng(0).uniform(-0.5, 0.5, 5000).astype(np.float32)
    soundfile.write(tmp_path / "dry.wav", x, dl4j_bridge.load(RUN / "run").rate, "FLOAT")
    return x


@pytest.mark.parametrize("block", [128, 77])
def test_a_file_in_blocks_is_what_process_makes_of_it(dry, tmp_path, block):
    model = RUN / "run"
    options = ["--input", "dry.wav", "--output", "wet.wav", "--block", block]
    assert "of the time" in live_effect("--model", model, *options, cwd=tmp_path)
    wet, rate = soundfile.read(tmp_path / "wet.wav", dtype="float32")
    run = dl4j_bridge.load(model)
    assert rate == run.rate
    np.testing.assert_array_equal(wet, run.process(dry))


def test_a_sound_card_gets_the_same_samples_and_misses_are_counted(dry, tmp_path):
    (tmp_path / "sounddevice.py").write_text(CARD)
    np.save(tmp_path / "card.npy", dry[: 39 * 128])
    options = ["--input-device", 3, "--output-device", "out", "--channel", 2]
    shown = live_effect("--model", RUN / "run", *options, cwd=tmp_path)
    heard = np.load(tmp_path / "heard.npy")
    wanted = dl4j_bridge.load(RUN / "run").process(dry[: 39 * 128])
    np.testing.assert_array_equal(heard, np.stack([wanted, wanted], axis=1))
    # The card reports one, and a busy machine may add others.
    assert int(shown.split("stopped, ")[1].split()[0]) >= 1
    assert "a card (1 in, 2 out)" in live_effect("--list-devices", cwd=tmp_path)


def test_what_cannot_be_played_is_one_line(dry, tmp_path):
    soundfile.write(tmp_path / "other.wav", dry, 96000)
    options = ["--input", "other.wav", "--output", "wet.wav"]
    shown = live_effect("--model", RUN / "run", *options, cwd=tmp_path, status=1)
    assert "error: other.wav: found 96000 Hz, shape (5000,); wanted mono, 8000 Hz" in shown
    assert "wanted --model" in live_effect(cwd=tmp_path, status=2)
    assert not (tmp_path / "wet.wav").exists()
