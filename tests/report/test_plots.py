"""The numbers behind the plots, against other implementations and by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import signal

from dl4j_bridge.report import charts, listening, sound_plots, style
from dl4j_bridge.tasks.shown import Chart, Curve, Lines
from tests.report.conftest import CURVES, EFFECT, RATE, SECONDS, a_drift, a_row, an_excerpt, log_rows


@pytest.fixture
def plotted(monkeypatch):
    """Axes of the plots that are written, in order."""
    found = []
    monkeypatch.setattr(style, "save", lambda path, figure: found.extend(figure.axes))
    return found


def labels(axes) -> list[str]:
    return axes.get_legend_handles_labels()[1]


def test_a_learning_curve_with_levels():
    figure = charts.curve_figure(CURVES[0], charts.columns_of(log_rows()))
    (axes,) = figure.axes
    *levels, training, validation = axes.get_lines()
    assert [line.get_label() for line in levels] == [
        "chance (8 bits)", "histogram of the target (6.20 bits)", "lookup-table (4.10 bits)", "fir (3.30 bits)",
    ]  # fmt: skip
    assert training.get_xydata().shape == (40, 2)
    np.testing.assert_array_equal(validation.get_xdata(), [10, 20, 30, 40])
    assert axes.get_ylabel() == "bits per sample"
    assert axes.get_ylim() == (0, 10)
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_a_spike_at_the_start_does_not_flatten_the_curve():
    log = {"step": np.arange(100.0), "bits": np.full(100, 4.0)}
    log["bits"][0] = 1000
    (axes,) = charts.curve_figure(Curve("loss", "bits", "", "bits", "", "", levels={"chance": 8.0}), log).axes
    assert axes.get_ylim() == (0, 10)
    log["bits"][:] = 20
    (axes,) = charts.curve_figure(Curve("loss", "bits", "", "bits", "", "", levels={"chance": 8.0}), log).axes
    assert axes.get_ylim()[1] > 20


@pytest.mark.parametrize(("scale", "yscale"), [("linear", "linear"), ("percent", "linear"), ("log", "log")])
def test_scales_of_learning_curves(scale, yscale):
    log = {"step": np.arange(3.0), "loss": np.ones(3), "valid_mse": np.array([np.nan, 0.1, np.nan])}
    (axes,) = charts.curve_figure(Curve("loss", "loss", "valid_mse", "MSE", "", "", scale), log).axes
    assert axes.get_yscale() == yscale
    assert (axes.get_ylim() == (0, 1.02)) == (scale == "percent")
    np.testing.assert_array_equal(axes.get_lines()[1].get_xydata(), [[1, 0.1]])


@pytest.mark.parametrize("log", [[], [{"step": "1", "bits": "8", "accuracy": "0", "valid_bits": ""}]])
@pytest.mark.filterwarnings("error")
def test_a_log_without_a_validation(log, tmp_path):
    for curve in CURVES:
        charts.learning_curve(tmp_path / "loss.png", curve, charts.columns_of(log))


@pytest.mark.parametrize(
    ("columns", "label", "scale"),
    [
        (("bits", "valid_bits"), "bits per sample", "linear"),
        (("loss", "valid_esr"), "loss, error-to-signal ratio", "log"),
        (("accuracy", "valid_accuracy"), "exact classes", "percent"),
    ],
)
def test_a_curve_of_two_columns(columns, label, scale):
    curve = charts.curve_of(*columns)
    assert (curve.training, curve.validation, curve.label, curve.scale) == (*columns, label, scale)


def test_bars_of_each_column(plotted, tmp_path):
    rows = [a_row("model"), a_row("copy", bits=None, esr=0.0, snr_db=None), a_row("silent", esr=None, snr_db=None)]
    charts.bars(tmp_path / "bars.png", rows, Chart(("bits", "snr_db"), "", "", ""))
    bits, snr = plotted
    assert [bar.get_width() for bar in bits.patches] == pytest.approx([2.5, np.nan, 2.5], nan_ok=True)
    assert [text.get_text() for text in bits.texts] == ["2.500", "", "2.500"]
    # The exact row is as long as the longest of the others.
    assert [bar.get_width() for bar in snr.patches] == pytest.approx([20, 20, np.nan], nan_ok=True)
    assert [text.get_text() for text in snr.texts] == ["20.0", "exact", ""]
    assert bits.get_xlabel() == "bits per sample\n(shorter is better)"
    assert snr.get_xlabel() == "signal-to-noise ratio (dB)\n(longer is better)"
    assert [text.get_text() for text in bits.get_yticklabels()] == ["model", "copy", "silent"]


def test_bars_of_an_unknown_column(plotted, tmp_path):
    charts.bars(tmp_path / "bars.png", [{"name": "a", "my_score": 1.2345}], Chart(("my_score",), "", "", ""))
    assert plotted[0].get_xlabel() == "my score"
    assert plotted[0].texts[0].get_text() == "1.23"


def test_lines_by_name(plotted, tmp_path):
    series = {"model": np.arange(5.0), "stateless": np.ones(5)}
    charts.lines(tmp_path / "lines.png", Lines("jumps", "", "", "", "frame", "change", series))
    assert labels(plotted[0]) == ["model", "stateless"]
    assert (plotted[0].get_xlabel(), plotted[0].get_ylabel()) == ("frame", "change")


def test_drift_has_a_panel_for_each_value(plotted, tmp_path):
    charts.drift(tmp_path / "drift.png", a_drift())
    assert [axes.get_ylabel() for axes in plotted] == ["level\n(dB)", "entropy\n(bits)", "spectral distance\n(dB)"]
    assert np.isnan(plotted[0].get_lines()[0].get_ydata()[3]), "silence has no level"


def test_power_is_that_of_welch():
    x = np.random.default_rng(1).normal(0, 0.1, 5000)
    ours = sound_plots.power_density(x, RATE, 512, 256).mean(axis=1)
    _, theirs = signal.welch(x, RATE, nperseg=512, noverlap=256, detrend=False)
    np.testing.assert_allclose(ours, theirs, rtol=1e-9)
    # Its sum over the frequencies is the power.
    assert ours.sum() * RATE / 512 == pytest.approx(np.mean(x**2), rel=0.05)


def test_places_are_the_worst_and_the_median_one():
    rng = np.random.default_rng(1)
    target, error = rng.normal(0, 1, 1000), np.repeat([0.1, 0.3, 0.2, 0.5, 0.4, 0, 0, 0, 0, 0], 100)
    # The second half is a rest with hardly an error, and not typical.
    target[500:] = 0
    assert sound_plots.places(target, target + error, 100) == {"largest error": 300, "typical error": 100}


def test_the_plots_have_the_times_of_the_player(plotted, tmp_path):
    """Of an excerpt whose first second was trained with, only the rest is plotted."""
    excerpt = replace(an_excerpt(*EFFECT), trained=RATE)
    worst = listening._wave(excerpt).worst / RATE
    sound_plots.waves(tmp_path / "waves.png", excerpt)
    sound_plots.spectrograms(tmp_path / "spectrograms.png", excerpt)
    largest, typical, first, *_ = plotted
    assert worst > 1
    assert largest.get_title(loc="left") == f"largest error ({worst:.2f} s)"
    assert largest.lines[0].get_xdata()[0] == pytest.approx(1000 * worst)
    assert typical.lines[0].get_xdata()[0] >= 1000
    assert first.get_xlim() == (1, SECONDS)


def test_mean_by_level():
    x, y = np.repeat([0.1, 0.9], [6, 2]), np.array([1, 2, 3, 4, 5, 6, 7, 7.0])
    mean = sound_plots.mean_by_level(x, y, np.array([0, 0.5, 1]))
    assert mean[0] == pytest.approx(3.5)
    assert np.isnan(mean[1]), "two samples are too few for a mean"


def test_levelled_is_as_loud_as_the_peaks_allow():
    quiet, peaky = 0.01 * np.sin(np.arange(1000)), np.zeros(1000)
    peaky[::100] = 0.5
    done = listening.levelled({"quiet": quiet + 0.2, "peaky": peaky, "silent": np.zeros(1000)})
    (quiet_now, gain), (peaky_now, _), (silent, none) = (done[name] for name in ("quiet", "peaky", "silent"))
    assert np.std(quiet_now) == pytest.approx(np.std(peaky_now))
    assert gain == pytest.approx(20 * np.log10(np.std(quiet_now) / np.std(quiet)))
    assert np.abs(peaky_now).max() <= 0.98 + 1e-9
    assert not silent.any()
    assert none == 0
