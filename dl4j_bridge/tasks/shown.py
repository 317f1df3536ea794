"""What a task hands to reports and terminals: plain data that names no task."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Excerpt:
    """Signals of one stretch, of equal length, by name.

    The names are ``input``, ``target`` and ``output``, as far as there are such. Of a model that predicts the next
    sample, ``target`` is that sample, ``output`` its expected value, and ``generated`` new audio, which fits neither.

    Attributes
    ----------
    rate
        Sample rate in Hz.
    start
        First sample of the stretch, counted in the signals that it was cut from.
    sounds : dict of ndarray of float64, shape (n,)
        Full scale is 1.
    classes : dict of ndarray of uint8, shape (n,)
        Class indices, where the task has classes; for ``output`` the most probable ones.
    others : dict of ndarray of float64, shape (n,)
        Further outputs to listen to, by title, such as that of a baseline.
    trained
        Number of samples at the start that the training used, also to choose the network: a short held-out part alone
        would be too short to listen to.
    """

    rate: int
    start: int
    sounds: dict[str, Floats]
    classes: dict[str, npt.NDArray[np.uint8]] = field(default_factory=dict)
    others: dict[str, Floats] = field(default_factory=dict)
    trained: int = 0

    @property
    def held_out(self) -> Excerpt:
        """The excerpt without what the network was trained on."""
        sounds = {name: sound[self.trained :] for name, sound in self.sounds.items()}
        classes = {name: indices[self.trained :] for name, indices in self.classes.items()}
        return replace(self, start=self.start + self.trained, sounds=sounds, classes=classes, others={}, trained=0)

    @property
    def size(self) -> int:
        return self.sounds["target"].size

    @property
    def error(self) -> Floats | None:
        """Output minus target; float64 of shape (n,)."""
        return self.sounds["output"] - self.sounds["target"] if "output" in self.sounds else None


@dataclass(frozen=True)
class Curve:
    """A quantity over training steps, read from columns of ``log.csv``.

    Attributes
    ----------
    name
        File name of the picture, without its ending.
    training, validation
        Columns of ``log.csv``; no training curve if empty.
    label
        Label of the vertical axis, with the unit.
    caption
        How to read the picture.
    title
        What the picture shows, for those who cannot see it.
    scale
        ``linear``, ``log`` or ``percent``.
    levels
        Horizontal lines by label, such as chance or a baseline.
    """

    name: str
    training: str
    validation: str
    label: str
    caption: str
    title: str
    scale: str = "linear"
    levels: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Chart:
    """Bars of a comparison: one panel for each column, one bar for each row.

    Attributes
    ----------
    columns
        Names of row values to plot.
    heading
        Heading of the section, such as ``Against the baselines``.
    title
        What the picture shows, for those who cannot see it.
    caption
        How to read the picture.
    """

    columns: tuple[str, ...]
    heading: str
    title: str
    caption: str


@dataclass(frozen=True)
class Lines:
    """A picture of several series over one axis that a task adds to the report of a comparison.

    Attributes
    ----------
    name
        File name of the picture, without its ending.
    series : dict of ndarray of float, shape (n,)
        By label.
    """

    name: str
    heading: str
    title: str
    caption: str
    x_label: str
    y_label: str
    series: dict[str, npt.NDArray[np.float64]]
