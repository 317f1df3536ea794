"""The sections of a page about sound: the player, and plots of input, target, output and error."""

from pathlib import Path

import numpy as np

from dl4j_bridge.report import page, player, sound_plots
from dl4j_bridge.tasks import columns
from dl4j_bridge.tasks.shown import Excerpt, Floats

# Level of the tracks; less where a peak would be above PEAK.
LEVEL_DB = -20.0
PEAK = 0.98
# A shorter excerpt has no plots and no player.
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
        A sentence to add to the description of the player.

    Returns
    -------
    list of tuple of str
        Headings and HTML.
    """
    if excerpt.held_out.size < FEWEST_SAMPLES:
        text = f"Too short to play or plot: {part} has {columns.count(excerpt.held_out.size, 'sample')}."
        return [("Listen", page.paragraph(text))]
    shown = excerpt.held_out
    waves = _waves(folder, excerpt)
    return [
        ("Listen", _player(excerpt, part, remark)),
        ("Waves and spectra" if waves else "Spectra", page.cards(waves + _spectra(folder, excerpt))),
        ("Levels and classes", page.cards(_transfer(folder, shown) + _classes(folder, shown))),
    ]


def _player(excerpt: Excerpt, part: str, remark: str) -> str:
    titles = _TITLES if "input" in excerpt.sounds else _TITLES_OF_NEXT
    text = (
        f"{_what(excerpt, part)} The tracks run in step and are level-matched: they have the same RMS, so that none "
        "seems better because it is louder. Their gains are below their names. "
    ) + remark
    done = levelled(excerpt.sounds | excerpt.others)
    tracks = [
        player.Track(titles.get(name, name), f"gain {gain:+.1f} dB", sound) for name, (sound, gain) in done.items()
    ]
    names = list(done)
    compared = (names.index("target"), names.index("output")) if "output" in names else (0, 1)
    return page.paragraph(text) + player.player(tracks, excerpt.rate, _wave(excerpt), compared)


def _what(excerpt: Excerpt, part: str) -> str:
    begin, seconds = excerpt.start / excerpt.rate, excerpt.size / excerpt.rate
    if not excerpt.trained:
        return f"The loudest {seconds:.1f} s of {part}, starting at {begin:.1f} s."
    trained = excerpt.trained / excerpt.rate
    return (
        f"{seconds:.1f} s, starting at {begin:.1f} s. The shaded first {trained:.1f} s were used for training and "
        f"validation; the rest is {part}, which the plots below show alone."
    )


def _wave(excerpt: Excerpt) -> player.Wave:
    """The target, with the error of the output and the place that the plot of the waves shows too."""
    shown = excerpt.held_out
    if shown.error is None:
        return player.Wave(excerpt.sounds["target"], trained=excerpt.trained)
    places = sound_plots.places(shown.sounds["target"], shown.sounds["output"], sound_plots.wave_size(shown))
    worst = excerpt.trained + places["largest error"]
    return player.Wave(excerpt.sounds["target"], excerpt.error, worst, excerpt.trained)


def _waves(folder: Path, excerpt: Excerpt) -> list[str]:
    if "output" not in excerpt.sounds:
        return []
    caption = "20 ms of target and output: where the energy of the error is largest, and where it is the median."
    return [page.picture(sound_plots.waves(folder / "waves.png", excerpt), "target and output waves", caption)]


def _spectra(folder: Path, excerpt: Excerpt) -> list[str]:
    spectrograms = sound_plots.spectrograms(folder / "spectrograms.png", excerpt)
    spectrum = sound_plots.error_spectrum(folder / "spectrum.png", excerpt.held_out)
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
