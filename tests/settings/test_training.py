"""Settings of a training: what is refused, and what an option changes."""

from dataclasses import fields, replace

import pytest

from dl4j_bridge.errors import InputError
from dl4j_bridge.settings.schedules import SCHEDULES
from dl4j_bridge.settings.training import (
    DataSettings,
    NetworkSettings,
    RunSettings,
    TrainSettings,
    parse_align,
)
from dl4j_bridge.tasks import registry
from tests.settings.refusals import INF, NAN, refuses


@pytest.mark.parametrize(
    ("name", "values"),
    [
        *(
            (name, [0, -1])
            for name in (
                *("rate", "channel", "layers", "hidden", "tbptt", "length", "batch", "steps"),
                *("validate_every", "patience", "validation_samples", "threads"),
            )
        ),
        *((name, [0.0, -0.1, NAN, INF]) for name in ("epochs", "minutes", "learning_rate")),
        *((name, [-1e-9, NAN, INF]) for name in ("l2", "weight_decay", "clip", "min_gain")),
        *((name, [-0.1, 1.0, 2.0, NAN]) for name in ("dropout", "pre_emphasis")),
        ("seed", [-1, 2**63]),
        *((name, ["nonsense", "", "ADAM"]) for name in ("layer", "cell", "updater", "init", "schedule", "backend")),
        ("align", ["nonsense", "1.5", ""]),
    ],
)
def test_nonsense_is_refused_by_name(name, values):
    for value in values:
        refuses(name, value, TrainSettings().with_options, {name: value})


@pytest.mark.parametrize("name", ["codec", "task"])
@pytest.mark.parametrize("value", ["nonsense", "", "ADAM"])
def test_an_unknown_task_or_codec_is_refused_by_name(name, value):
    """Their names stand elsewhere, so that a new one is known everywhere at once."""
    refuses(name, value, registry.train_settings, {name: value})


@pytest.mark.parametrize("task", registry.KINDS)
def test_every_task_checks_the_codec(task):
    has_target = registry.KINDS[task].with_target is not None
    refuses("codec", "mp3", registry.train_settings, {"task": task, "codec": "mp3"}, has_target)


@pytest.mark.parametrize("name", ["steps", "seed", "rate"])
def test_a_number_too_large_for_a_float_is_refused_by_name(name):
    """As when a key was held down too long."""
    refuses(name, 10**400, TrainSettings().with_options, {name: 10**400})


@pytest.mark.parametrize(
    "options",
    [
        {"dropout": 0.0, "pre_emphasis": 0.0, "clip": 0.0, "l2": 0.0, "min_gain": 0.0},
        {"dropout": 0.999, "pre_emphasis": 0.999, "seed": 2**63 - 1},
        {"seed": 0, "layers": 1, "hidden": 1, "tbptt": 1, "length": 1, "batch": 1, "threads": 1, "channel": 1},
        {"length": 50, "tbptt": 50},
        {"steps": 1, "epochs": 0.001, "minutes": 0.001, "rate": 1},
        {"align": "-40"},
    ],
)
def test_the_ends_of_the_ranges_are_taken(options):
    stored = TrainSettings().with_options(options).as_dict()
    assert {name: value for group in stored.values() for name, value in group.items() if name in options} == options


def test_a_segment_longer_than_a_window_is_refused():
    with pytest.raises(InputError, match=r"^--tbptt: 50 samples, longer than --length 49"):
        TrainSettings().with_options({"length": 49})


@pytest.mark.parametrize(
    ("name", "value"),
    [("sync_every", 10), ("gradient_format", "bfloat16"), ("cores_per_worker", 2), ("worker_timeout", 5.0)],
)
def test_what_only_workers_use_is_refused_without_them(name, value):
    refuses(name, f"{value} without --workers", TrainSettings().with_options, {name: value})
    for others in ({"workers": 2}, {"cluster": "10.0.0.1:6379"}):
        assert TrainSettings().with_options({name: value, **others}).as_options()[name] == value


def test_a_run_that_had_workers_goes_on_without_them():
    """The values that its model file stores are ignored then."""
    stored = TrainSettings().with_options({"workers": 4, "sync_every": 10})
    assert not stored.with_options({"workers": 1}).workers.on_ray
    assert registry.settings_from_dict(stored.with_options({"workers": 1}).as_dict()).workers.sync_every == 10


def test_options_change_what_they_name_and_nothing_else():
    settings = TrainSettings().with_options({"codec": "mulaw", "hidden": 7, "steps": 3})
    assert settings.data == replace(DataSettings(), codec="mulaw")
    assert settings.network == replace(NetworkSettings(), hidden=7)
    assert settings.run == replace(RunSettings(), steps=3)
    assert TrainSettings().network.hidden == 200


def test_names_are_unique_and_each_has_a_help_text():
    of_tasks = {kind.settings for kind in registry.KINDS.values()}
    groups = (*registry.GROUPS.values(), *of_tasks)
    everything = [f for group in groups for f in fields(group)]
    names = [f.name for f in everything]
    assert len(set(names)) == len(names)
    for f in everything:
        assert f.metadata["help"].endswith(".")


@pytest.mark.parametrize(
    ("text", "samples"), [("auto", None), ("off", 0), ("0", 0), ("17", 17), ("-40", -40), ("+5", 5)]
)
def test_align_is_auto_off_or_samples(text, samples):
    assert parse_align(text) == samples


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_schedule_without_a_limit_is_refused(schedule):
    refuses("schedule", schedule, TrainSettings().with_options, {"schedule": schedule})


def test_a_run_with_a_limit_has_a_schedule_and_another_follows_its_validations():
    chosen = [TrainSettings().with_options(limits).run.resolved().schedule for limits in ({}, {"minutes": 2.0})]
    assert chosen == ["plateau", "cooldown"]
