"""Names of the new interfaces, made of the old ones. Goes away with the merge of the core."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from dl4j_bridge.jobs import generation, training
from dl4j_bridge.signal import audio, codec, pairs

Stretch = __import__("dl4j_bridge.tasks.interface", fromlist=["x"]).Stretch
WARM_UP = training.WARM_UP
part, part_of, run_through = training.part, training.part_of, training.run_through
CALIBRATION_SAMPLES, own_audio = generation.CALIBRATION_SAMPLES, generation.own_audio
Windows = pairs.Windows
Windows.batch = Windows.draw
from dl4j_bridge.settings.config import parse_align
CLASSES, LINEAR, MULAW, SILENCE = codec.CLASSES, codec.LINEAR, codec.MULAW, codec.SILENCE
Codec, get_codec, PreEmphasis, DeEmphasis = codec.Codec, codec.get_codec, codec.PreEmphasis, codec.DeEmphasis
Recording, open_recording, resample, write = audio.Recording, audio.open_recording, audio.resample, audio.write


def step(network, windows, settings, number, task):
    return training.step(network, windows, settings, number, task.weigh)


def starts(length, size, count, first=0):
    return [int(s) for s in np.linspace(first, first + length - size, count).astype(int)]


def loudest_samples(values, y, part, size):
    from dl4j_bridge.report import excerpt

    return excerpt.loudest(SimpleNamespace(codec=SimpleNamespace(values=values)), y, part, size)


def width(settings):
    sizes = {"frames": settings.frames.frame, "spectrogram": settings.spectrogram.window // 2 + 1}
    return sizes.get(settings.network.task, CLASSES)


def temperature_of(task):
    return 1.0


# ---- for jobs/diagnose.py
from dl4j_bridge import tasks  # noqa: E402
from dl4j_bridge.java import jvm  # noqa: E402
from dl4j_bridge.model import model_zip  # noqa: E402
from dl4j_bridge.settings import config  # noqa: E402
from dl4j_bridge.tasks import shown  # noqa: E402

EXCERPT_SECONDS = 8.0
OpenedModel = SimpleNamespace
choose, configure, versions_without_java = tasks.choose, jvm.start, training.versions_without_java


def temperature_of(task):
    return task._temperature


def open_model(path):
    path = model_zip.resolve(path)
    about = model_zip.read_about(path)
    task = tasks.from_dict(about)
    object.__setattr__(task, "_temperature", generation.temperature_of(about))
    object.__setattr__(task, "_about", about)
    info = SimpleNamespace(task=task, rate=about["rate"], settings=config.TrainSettings.from_dict(about["settings"]))
    return SimpleNamespace(path=path, info=info, load=lambda: model_zip.load(path))


def compare_rows(path, source, target):
    from dl4j_bridge.jobs import comparing

    return comparing.compare(path, source, target, config.CompareSettings(drift_seconds=0))["rows"]


def task_excerpt(task, network, pair, signals, part, rate):
    from dl4j_bridge.report import excerpt

    if hasattr(task, "stft"):
        found = excerpt.of_spectrogram(network, task, pair, *signals, part)
    elif hasattr(task, "codec"):
        found = excerpt.of_network(network, task, *signals, part, rate, task._about)
    else:
        found = excerpt.of_frames(network, task, *signals, part, rate)
    rename = lambda d: {"generated" if k == "drawn" else k: v for k, v in d.items()}  # noqa: E731
    return shown.Excerpt(found.rate, found.start, rename(found.sounds), rename(found.classes))


def train_settings(options, has_target):
    return config.preset("default", has_target=has_target, task=options["task"])
