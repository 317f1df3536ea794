"""The sections of a page about sound: players, and plots of input, target, output and error."""

import io
import wave
from pathlib import Path

import numpy as np

from dl4j_bridge.report import page, sound_plots
from dl4j_bridge.tasks import columns
from dl4j_bridge.tasks.shown import Excerpt, Floats

# Level of the players; less where a peak would be above PEAK.
LEVEL_DB = -20.0
PEAK = 0.98
# A shorter excerpt has no plots and no players.
FEWEST_SAMPLES = 64

_TITLES = {"input": "Input (dry)", "target": "Target", "output": "Output of the model"}
_TITLES_OF_NEXT = {
    "target": "Recording (target)",
    "output": "Expected next sample (output)",
    "generated": "New audio (generated)",
}


def levelled(sounds: dict[str, Floats]) -> dict[str, tuple[Floats, float]]:
    """Scale sounds to the same level, so that the louder one does not seem the better one.

    Parameters
    ----------
    sounds : dict of ndarray of float, shape (n,)
        Full scale is 1.

    Returns
    -------
    dict
        Each sound without its offset, and its gain in dB. All have the same RMS: `LEVEL_DB`, or less where one of them
        would be clipped. Silence is not scaled.
    """
    still = {name: sound - sound.mean() for name, sound in sounds.items()}
    rms = {name: float(np.sqrt(np.mean(sound**2))) for name, sound in still.items()}
    audible = [name for name in still if rms[name] > 1e-9]
    level = min([10 ** (LEVEL_DB / 20), *(PEAK * rms[n] / float(np.abs(still[n]).max()) for n in audible)])
    gains = {name: level / rms[name] if name in audible else 1.0 for name in still}
    return {name: (sound * gains[name], 20 * float(np.log10(gains[name]))) for name, sound in still.items()}


def wav(sound: Floats, rate: int) -> bytes:
    """Return a 16-bit wav file; `sound` has shape (n,) and a full scale of 1."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as f:
        f.setnchannels(1)
        f.setsampwidth(2)
        f.setframerate(rate)
        f.writeframes(np.rint(np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())
    return buffer.getvalue()


def sections(folder: Path, excerpt: Excerpt, part: str, remark: str = "") -> list[tuple[str, str]]:
    """Write the plots of an excerpt into a folder, and return sections for `page.write`.

    Parameters
    ----------
    folder
        An existing folder.
    excerpt
        Signals to show, with or without an output.
    part
        What the excerpt was cut from, in words.
    remark
        A sentence to add to the description of the players.

    Returns
    -------
    list of tuple of str
        Headings and HTML.
    """
    if excerpt.size < FEWEST_SAMPLES:
        text = f"Too short to play or plot: {part} has {columns.count(excerpt.size, 'sample')}."
        return [("Listen", page.paragraph(text))]
    waves = _waves(folder, excerpt)
    return [
        ("Listen", _players(excerpt, part, remark)),
        ("Waves and spectra" if waves else "Spectra", page.cards(waves + _spectra(folder, excerpt))),
        ("Levels and classes", page.cards(_transfer(folder, excerpt) + _classes(folder, excerpt))),
    ]


def _players(excerpt: Excerpt, part: str, remark: str) -> str:
    titles = _TITLES if "input" in excerpt.sounds else _TITLES_OF_NEXT
    begin, end = excerpt.start / excerpt.rate, (excerpt.start + excerpt.size) / excerpt.rate
    text = (
        f"The loudest {end - begin:.1f} s of {part}, starting at {begin:.1f} s. All players are level-matched: they "
        "have the same RMS, so that none seems better because it is louder. Their gains are below their names. "
    ) + remark
    players = "".join(
        page.player(wav(sound, excerpt.rate), titles[name], f"gain {gain:+.1f} dB")
        for name, (sound, gain) in levelled(excerpt.sounds).items()
    )
    return page.paragraph(text) + f'<div class="players">{players}</div>'


def _waves(folder: Path, excerpt: Excerpt) -> list[str]:
    if "output" not in excerpt.sounds:
        return []
    caption = "20 ms of target and output: where the energy of the error is largest, and where it is the median."
    return [page.picture(sound_plots.waves(folder / "waves.png", excerpt), "target and output waves", caption)]


def _spectra(folder: Path, excerpt: Excerpt) -> list[str]:
    spectrograms = sound_plots.spectrograms(folder / "spectrograms.png", excerpt)
    spectrum = sound_plots.error_spectrum(folder / "spectrum.png", excerpt)
    caption = f"All with the same colours, from the maximum of the target to {sound_plots.RANGE_DB} dB below it."
    of_spectrum = "Power over frequency (Welch)."
    if excerpt.error is not None:
        of_spectrum += " At frequencies where the error is close to the target, the output is wrong."
    return [
        page.picture(spectrum, "power over frequency", of_spectrum),
        page.picture(spectrograms, f"spectrograms of {', '.join(excerpt.sounds)}", caption),
    ]


def _transfer(folder: Path, excerpt: Excerpt) -> list[str]:
    """Nothing for a model that predicts the next sample: its input and target are the same recording."""
    if "input" not in excerpt.sounds:
        return []
    path = sound_plots.transfer(folder / "transfer.png", excerpt)
    caption = (
        "Output level over input level, sample by sample; darker is more frequent. An effect without memory is a line, "
        "an effect with memory is a cloud."
    )
    return [page.picture(path, "output level over input level", caption)]


def _classes(folder: Path, excerpt: Excerpt) -> list[str]:
    if "output" not in excerpt.classes:
        return []
    counts = {name: np.bincount(c, minlength=256) for name, c in excerpt.classes.items()}
    histogram = sound_plots.histogram(folder / "classes.png", counts)
    confusion = sound_plots.confusion(folder / "confusion.png", excerpt.classes["target"], excerpt.classes["output"])
    of_histogram = "How often each of the 256 classes occurs; for the output the most probable class of each sample."
    of_confusion = "Distance from the output class to the target class, and at which classes; darker is more frequent."
    return [
        page.picture(histogram, "how often each class occurs", of_histogram),
        page.picture(confusion, "confusion around the diagonal", of_confusion),
    ]
