"""The player of a report: tracks that run in step, with a wave to click on and a blind test.

Without JavaScript, each track has a plain player.
"""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

import numpy as np

from dl4j_bridge.report import encoding, page
from dl4j_bridge.tasks.shown import Floats

# Columns of the wave, and units of its height: the wave is above the error.
COLUMNS, HEIGHT, WAVE = 600, 100, 72
COUNTS = (10, 16, 24)


@dataclass(frozen=True)
class Track:
    """A sound to listen to.

    Attributes
    ----------
    title, remark
        Name, and what stands below it.
    sound : ndarray of float, shape (n,)
        Full scale is 1.
    """

    title: str
    remark: str
    sound: Floats


@dataclass(frozen=True)
class Wave:
    """What the player shows above its buttons.

    Attributes
    ----------
    sound : ndarray of float, shape (n,)
        The signal to plot.
    error : ndarray of float, shape (n,), or None
        Plotted below it.
    worst
        Sample with the largest error.
    trained
        Number of samples at the start that are shaded, because the network was trained on them.
    """

    sound: Floats
    error: Floats | None = None
    worst: int = 0
    trained: int = 0


def player(tracks: Sequence[Track], rate: int, wave: Wave, compared: tuple[int, int] = (0, 1)) -> str:
    """Return the HTML of a player, of which a page holds one.

    Parameters
    ----------
    tracks
        Sounds of equal length and level, at most nine.
    rate
        In Hz.
    wave
        What to plot.
    compared
        Tracks that the blind test compares unless others are chosen.
    """
    uris = encoding.data_uris([track.sound for track in tracks], rate)
    plain = "".join(page.player(uri, t.title, t.remark) for uri, t in zip(uris, tracks, strict=True))
    worst = f' data-worst="{wave.worst / rate:.3f}"' if wave.error is not None else ""
    seconds = wave.sound.size / rate
    return (
        f"<style>{_file('player.css')}</style>"
        f'<section class="listen" aria-label="Player" data-seconds="{seconds:.4f}"{worst}>'
        f'<div class="full" hidden>{_tracks(tracks)}{_wave(wave, seconds)}{_transport(wave, rate)}'
        f"{_blind_test(tracks, compared)}<small>{_keys(len(tracks), wave)}</small></div>"
        f'<p class="message" role="alert"></p><div class="plain">{plain}</div></section>'
        f"<script>{_file('player.js')}</script>"
    )


def _tracks(tracks: Sequence[Track]) -> str:
    buttons = "".join(
        f'<button type="button" aria-pressed="false" aria-keyshortcuts="{n}" data-title="{html.escape(track.title)}">'
        f"<kbd>{n}</kbd>{html.escape(track.title)}<small>{html.escape(track.remark)}</small></button>"
        for n, track in enumerate(tracks, 1)
    )
    return f'<div class="tracks" role="group" aria-label="Track to listen to">{buttons}</div>'


def _wave(wave: Wave, seconds: float) -> str:
    shapes = _trained(wave) + _sound(wave.sound)
    mark = ""
    if wave.error is not None:
        shapes += _error(wave.error)
        mark = f'<i class="mark" style="left:{100 * wave.worst / wave.sound.size:.2f}%"></i>'
    return (
        f'<div class="wave" role="slider" tabindex="0" aria-label="Position" aria-valuemin="0" '
        f'aria-valuemax="{seconds:.2f}" aria-valuenow="0"><svg viewBox="0 0 {COLUMNS} {HEIGHT}" '
        f'preserveAspectRatio="none" aria-hidden="true">{shapes}</svg>'
        f'{mark}<i class="region" hidden></i><i class="cursor"></i></div>'
    )


def _transport(wave: Wave, rate: int) -> str:
    jump = ""
    if wave.error is not None:
        place = f"{wave.worst / rate:.2f} s"
        jump = f'<button type="button" class="jump" aria-keyshortcuts="e">Largest error ({place})</button>'
    return (
        '<div class="transport"><button type="button" class="play" aria-keyshortcuts="Space"><span>Play</span></button>'
        f'{jump}<label><input type="checkbox" class="looping"> Loop</label><output></output></div>'
    )


def _blind_test(tracks: Sequence[Track], compared: tuple[int, int]) -> str:
    if len(tracks) < 2:
        return ""
    choices = "".join(
        f"<label>{name} <select>{_options([track.title for track in tracks], chosen)}</select></label>"
        for name, chosen in zip("AB", compared, strict=True)
    )
    counts = "".join(f"<option>{count}</option>" for count in COUNTS)
    heard = "".join(f'<button type="button" aria-pressed="false">{name}</button>' for name in "ABX")
    answers = "".join(f'<button type="button">X is {name}</button>' for name in "AB")
    return (
        '<details class="abx"><summary>Blind test (ABX): do you hear a difference?</summary>'
        f'<div class="setting"><div class="choices pair">{choices}</div><div class="choices">'
        f'<label>Trials <select class="count">{counts}</select></label>'
        '<button type="button" class="start">Start</button></div></div>'
        '<div class="trial" hidden><p class="question" role="status"></p>'
        f'<div class="choices heard" role="group" aria-label="Listen to">{heard}</div>'
        f'<div class="choices answers" role="group" aria-label="Answer">{answers}'
        '<button type="button" class="end">End the test</button></div>'
        "<small>Keys: A, B and X to listen; Shift+A and Shift+B to answer.</small></div>"
        '<p class="result" role="status"></p></details>'
    )


def _options(names: Sequence[str], chosen: int) -> str:
    return "".join(
        f'<option value="{n}"{" selected" if n == chosen else ""}>{html.escape(name)}</option>'
        for n, name in enumerate(names)
    )


def _keys(count: int, wave: Wave) -> str:
    jump = "" if wave.error is None else ", E the largest error"
    return (
        f"Keys: 1 to {count} switch the track, space plays and pauses, left and right move by a second{jump}. Click on "
        "the wave to move, drag over it to loop a part (or [ and ] at its ends; Esc ends the loop)."
    )


def _columns(sound: Floats) -> list[Floats]:
    return np.array_split(sound, min(COLUMNS, sound.size))


def _sound(sound: Floats) -> str:
    """The range of the sound in each column, above and below the middle of the wave's lane."""
    peak = max(float(np.abs(sound).max()), 1e-9)
    up = [WAVE / 2 * (1 - float(part.max()) / peak) for part in _columns(sound)]
    down = [WAVE / 2 * (1 - float(part.min()) / peak) for part in _columns(sound)]
    # Silence is a line.
    return _area("sound", up, [max(low, high + 0.4) for low, high in zip(down, up, strict=True)])


def _error(error: Floats) -> str:
    """The largest error of each column, from the bottom up, on a scale of its own."""
    peaks = [float(np.abs(part).max()) for part in _columns(error)]
    most = max([*peaks, 1e-9])
    top = [HEIGHT - (HEIGHT - WAVE - 2) * peak / most for peak in peaks]
    return _area("error", top, [float(HEIGHT)] * len(top))


def _area(name: str, top: Sequence[float], bottom: Sequence[float]) -> str:
    """An area between two lines."""
    step = COLUMNS / max(len(top) - 1, 1)
    there = [f"{n * step:.0f} {y:.1f}" for n, y in enumerate(top)]
    back = [f"{n * step:.0f} {y:.1f}" for n, y in enumerate(bottom)]
    return f'<path class="{name}" d="M{"L".join(there + back[::-1])}Z"/>'


def _trained(wave: Wave) -> str:
    width = COLUMNS * wave.trained / wave.sound.size
    return f'<rect class="trained" width="{width:.1f}" height="{HEIGHT}"/>' if wave.trained else ""


def _file(name: str) -> str:
    return files("dl4j_bridge.report").joinpath(name).read_text(encoding="utf-8")
