"""The part of a page that is about sound: players, and pictures of input, target, output and error."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import numpy as np

from dl4j_bridge.report import page, plots, sound_plots
from dl4j_bridge.report.excerpt import Excerpt, Floats

# Of the players: as loud as that, or as loud as the peaks allow.
LEVEL_DB = -20.0
PEAK = 0.98
# Below this there is nothing to see or to hear.
FEWEST_SAMPLES = 64

_TITLES = {"input": "Input (dry)", "target": "Target", "output": "Output of the model"}
_TITLES_OF_NEXT = {
    "target": "Recording (target)",
    "output": "Expected next sample (output)",
    "drawn": "New audio (drawn)",
}


def levelled(sounds: dict[str, Floats]) -> dict[str, tuple[Floats, float]]:
    """Bring sounds to one level, lest the louder one seem the better one.

    Parameters
    ----------
    sounds : dict of ndarray of float, shape (n,)
        Full scale is 1.

    Returns
    -------
    dict
        Each sound without its offset, and the gain that it got in dB. All have the same RMS: `LEVEL_DB`, or less where
        one of them would be clipped. Silence stays as it is.
    """
    still = {name: sound - sound.mean() for name, sound in sounds.items()}
    rms = {name: float(np.sqrt(np.mean(sound**2))) for name, sound in still.items()}
    heard = [name for name in still if rms[name] > 1e-9]
    level = min([10 ** (LEVEL_DB / 20), *(PEAK * rms[n] / float(np.abs(still[n]).max()) for n in heard)])
    gains = {name: level / rms[name] if name in heard else 1.0 for name in still}
    return {name: (sound * gains[name], 20 * float(np.log10(gains[name]))) for name, sound in still.items()}


def wav(sound: Floats, rate: int) -> bytes:
    """A whole wav file of 16 bits; `sound` has shape (n,) and a full scale of 1."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as f:
        f.setnchannels(1)
        f.setsampwidth(2)
        f.setframerate(rate)
        f.writeframes(np.rint(np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())
    return buffer.getvalue()


def sections(folder: Path, excerpt: Excerpt, part: str, remark: str = "") -> list[tuple[str, str]]:
    """Write the pictures of an excerpt into a folder, and give headings and HTML for `page.write`.

    Parameters
    ----------
    folder
        It exists.
    excerpt
        With an output or without.
    part
        What it was cut from, in words.
    remark
        On what can be heard.
    """
    if excerpt.size < FEWEST_SAMPLES:
        return [("Listen", page.paragraph(f"{part} has {excerpt.size} samples: too short to be heard or drawn."))]
    has_output = "output" in excerpt.sounds
    groups = [("Listen", _players(excerpt, part, remark))]
    if has_output:
        groups.append(("Waves and spectra", page.cards([*_waves(folder, excerpt), *_spectra(folder, excerpt)])))
    else:
        groups.append(("Spectra", page.cards(_spectra(folder, excerpt))))
    return [*groups, ("Levels and classes", page.cards([*_transfer(folder, excerpt), *_classes(folder, excerpt)]))]


def _players(excerpt: Excerpt, part: str, remark: str) -> str:
    titles = _TITLES if "input" in excerpt.sounds else _TITLES_OF_NEXT
    begin, end = excerpt.start / excerpt.rate, (excerpt.start + excerpt.size) / excerpt.rate
    text = (
        f"The loudest {end - begin:.1f} s of {part}, from {begin:.1f} s on. All players are level-matched: brought to "
        "the same RMS, so that none seems better because it is louder. The gain of each is below its name. " + remark
    )
    players = "".join(
        page.player(wav(sound, excerpt.rate), titles[name], f"gain {gain:+.1f} dB")
        for name, (sound, gain) in levelled(excerpt.sounds).items()
    )
    return page.paragraph(text) + f'<div class="players">{players}</div>'


def _waves(folder: Path, excerpt: Excerpt) -> list[str]:
    path = folder / "waves.png"
    sound_plots.waves(path, excerpt)
    caption = (
        "20 ms of the target with the output over it: where the error energy is largest, and where it is the median."
    )
    return [page.picture(path, "target and output waves", caption)]


def _spectra(folder: Path, excerpt: Excerpt) -> list[str]:
    grams, spectrum = folder / "spectrograms.png", folder / "spectrum.png"
    sound_plots.spectrograms(grams, excerpt)
    sound_plots.error_spectrum(spectrum, excerpt)
    caption = f"The same colours in all; the range is {sound_plots.RANGE_DB} dB below the loudest of the target."
    of_error = "Where the error comes near the target, the output is wrong there." if excerpt.error is not None else ""
    return [
        page.picture(spectrum, "power over frequency", f"Power over frequency (Welch). {of_error}".strip()),
        page.picture(grams, f"spectrograms of {', '.join(excerpt.sounds)}", caption),
    ]


def _transfer(folder: Path, excerpt: Excerpt) -> list[str]:
    """None where the next sample is predicted: there input and target are one recording."""
    if "input" not in excerpt.sounds:
        return []
    path = folder / "transfer.png"
    sound_plots.transfer(path, excerpt)
    caption = (
        "Output level over input level, sample by sample; darker is more often. A line is a memoryless effect, "
        "a cloud one with memory."
    )
    return [page.picture(path, "output level over input level", caption)]


def _classes(folder: Path, excerpt: Excerpt) -> list[str]:
    if "output" not in excerpt.classes:
        return []
    histogram, confusion = folder / "classes.png", folder / "confusion.png"
    plots.histogram(histogram, {name: np.bincount(c, minlength=256) for name, c in excerpt.classes.items()})
    sound_plots.confusion(confusion, excerpt.classes["target"], excerpt.classes["output"])
    of_histogram = "How often each of the 256 classes comes; of the output the likeliest ones."
    of_confusion = "How many classes the output is beside the target, and at which classes; darker is more often."
    return [
        page.picture(histogram, "how often each class comes", of_histogram),
        page.picture(confusion, "confusion around the diagonal", of_confusion),
    ]
