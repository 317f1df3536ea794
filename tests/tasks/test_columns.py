"""How values are spelled."""

from __future__ import annotations

import pytest

from dl4j_bridge.tasks import columns, grades, registry
from dl4j_bridge.tasks.comparison import ComparisonResult
from dl4j_bridge.tasks.shown import Chart, Excerpt


@pytest.mark.parametrize(
    ("name", "value", "alone", "named"),
    [
        ("bits", 5.12, "5.120", "5.120 bits/sample"),
        ("accuracy", 0.051, "5.10%", "accuracy 5.10%"),
        ("esr", 0.000643218, "0.0006432", "ESR 0.0006432"),
        ("esr", None, "– (silent)", "ESR – (silent)"),
        ("snr_db", -0.001, "0.0", "SNR 0.0 dB"),
        ("snr_db", -12.34, "-12.3", "SNR -12.3 dB"),
        ("level_db", None, "silent", "level silent"),
        ("my_metric", 1.2345, "1.23", "my metric 1.23"),
        ("my_metric", None, "–", "my metric –"),
        ("my_word", "abc", "abc", "my word abc"),
    ],
)
def test_one_value(name, value, alone, named):
    assert columns.spell(name, value) == alone
    assert columns.named(name, value) == named


def test_headings_and_labels():
    assert columns.column("snr_db").heading == "SNR (dB)"
    assert columns.column("snr_db").title == "signal-to-noise ratio (dB)"
    assert columns.column("border_jump").heading == "border jump"
    assert columns.column("my_metric").title == "my metric"


def test_a_ratio_without_an_error_is_exact():
    assert columns.cell({"esr": 0.0, "snr_db": None}, "snr_db") == "exact"
    assert columns.with_unit({"esr": 0.0, "snr_db": None}, "snr_db") == "exact"
    assert columns.listed({"esr": 0.0, "snr_db": None}) == "ESR 0, SNR exact"
    assert columns.cell({"esr": None, "snr_db": None}, "snr_db") == "–"
    assert columns.with_unit({"snr_db": 12.34}, "snr_db") == "12.3 dB"


def test_rows_of_a_table():
    rows = [{"name": "model", "parameters": 12345, "samples_per_second": None}]
    assert columns.spelled(rows) == [{"name": "model", "params": "12.3k", "samples/s": "–"}]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (999.4, "999"),
        (999.6, "1.00k"),
        (12345, "12.3k"),
        (999_499, "999k"),
        (1e6, "1.00M"),
        (1.08e8, "108M"),
        (2.19e9, "2.19G"),
    ],
)
def test_brief_numbers(number, text):
    assert columns.brief(number) == text


def test_counts():
    assert columns.count(1, "sample") == "1 sample"
    assert columns.count(0, "sample") == "0 samples"
    assert columns.evaluated(12000, "all") == "12,000 samples: all of the recordings"
    assert columns.evaluated(1, "test") == "1 sample: the held-out test part"


@pytest.mark.parametrize(
    ("esr", "words"),
    [
        # The limits of nam.train.core._esr_comment.
        (0.0, "great"),
        (0.00999, "great"),
        (0.01, "not bad"),
        (0.0349, "not bad"),
        (0.035, "might sound fine"),
        (0.1, "probably sounds wrong"),
        (0.3, "something went wrong"),
        (40.0, "something went wrong"),
        (None, None),
    ],
)
def test_the_esr_in_words(esr, words):
    assert grades.of(esr) == words
    assert words is None or words in grades.SCALE


def test_what_is_heard_comes_first_where_it_has_a_grade():
    valid = {"mse": 0.5, "esr": 0.02, "snr_db": 17.0}
    assert columns.validated(valid, "not bad") == "ESR 0.02 (not bad), SNR 17.0 dB, MSE 0.5"
    assert columns.validated(valid, None) == "MSE 0.5, ESR 0.02, SNR 17.0 dB"


@pytest.mark.parametrize("name", ["esr", "ESR", "error-to-signal ratio", "snr_db", "SNR", "bits", "samples/s"])
def test_a_metric_is_known_by_all_of_its_names(name):
    assert columns.column(columns.called(name)).meaning
    assert columns.called(f"no {name}") is None


def test_every_metric_of_every_task_has_a_meaning():
    for kind in registry.KINDS.values():
        task = kind.load()
        for name in (*task.training_metrics, *task.validation_metrics):
            assert columns.column(name).meaning, name


def test_the_verdict_of_a_comparison():
    rows = [
        {"name": "model", "esr": 0.02, "parameters": 100},
        {"name": "copy", "esr": 0.001, "parameters": 0},
        {"name": "silent", "esr": None, "parameters": 5},
        {"name": "fir", "esr": 0.2, "parameters": 5},
        {"name": "8-bit", "esr": 0.0001, "parameters": None},
    ]

    def verdict(rows, graded=True, models=1):
        chart, excerpt = Chart((), "", "", ""), Excerpt(1, 0, {})
        return ComparisonResult(rows, "test", 1, [], excerpt, chart, 1, {}, graded=graded, models=models).verdict

    # What was not fitted is no rival.
    assert verdict(rows) == "model: ESR 0.02 (not bad); best baseline: fir, ESR 0.2 (probably sounds wrong)"
    assert verdict(rows[:2]) == "model: ESR 0.02 (not bad)"
    assert verdict(rows[:2], models=2) == "model: ESR 0.02 (not bad); copy: ESR 0.001 (great)"
    assert verdict(rows, graded=False) is None
    assert verdict([{"name": "model", "si_sdr_db": 3.0}]) is None
