"""Settings: what is refused, presets, round trips."""

import json
from dataclasses import fields, replace

import pytest

from dl4j_bridge.errors import InputError
from dl4j_bridge.settings import config
from dl4j_bridge.settings.commands import GenerateSettings, ProcessSettings
from dl4j_bridge.settings.presets import PRESETS
from dl4j_bridge.settings.training import (
    DataSettings,
    NetworkSettings,
    RunSettings,
    TrainSettings,
    parse_align,
    validate_generate,
    validate_process,
)
from dl4j_bridge.tasks.registry import train_settings

NAN, INF = float("nan"), float("inf")


def refuses(name, value, check, *args):
    with pytest.raises(InputError) as e:
        check(*args)
    assert str(e.value).startswith(f"--{name.replace('_', '-')}: {value}; wanted ")
    assert len(str(e.value).splitlines()) == 1


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
        *((name, ["nonsense", "", "ADAM"]) for name in ("codec", "layer", "updater", "init", "task", "backend")),
        ("align", ["nonsense", "1.5", ""]),
    ],
)
def test_nonsense_is_refused_by_name(name, values):
    for value in values:
        refuses(name, value, TrainSettings().with_options, {name: value})


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


def test_options_change_what_they_name_and_nothing_else():
    settings = TrainSettings().with_options({"codec": "mulaw", "hidden": 7, "steps": 3})
    assert settings.data == replace(DataSettings(), codec="mulaw")
    assert settings.network == replace(NetworkSettings(), hidden=7)
    assert settings.run == replace(RunSettings(), steps=3)
    assert TrainSettings().network.hidden == 200


def test_names_are_unique_and_each_has_a_help_text():
    everything = [f for group in (DataSettings, NetworkSettings, RunSettings) for f in fields(group)]
    names = [f.name for f in everything]
    assert len(set(names)) == len(names)
    for f in (*everything, *fields(ProcessSettings), *fields(GenerateSettings)):
        assert f.metadata["help"].endswith(".")


@pytest.mark.parametrize("name", PRESETS)
def test_settings_survive_json(name):
    settings = preset(name).with_options({"rate": 8000, "epochs": 1.5, "align": "-3"})
    assert TrainSettings.from_dict(json.loads(json.dumps(settings.as_dict()))) == settings


def test_the_default_preset_is_the_defaults():
    assert train_settings({}) == TrainSettings()


@pytest.mark.parametrize(
    ("name", "learning_rate", "l2", "weight_decay"),
    [("posted", 0.1, 0.001, 0.0), ("posted-legacy", 0.1 / 32, 0.0, 0.001 / 32)],
)
def test_the_posted_presets_are_the_character_examples(name, learning_rate, l2, weight_decay):
    """DESIGN: RmsProp(0.1) and L2 0.001; both divided by the batch of 32 where that came after the updater."""
    network = preset(name).network
    assert (network.updater, network.init, network.clip) == ("rmsprop", "xavier", 0)
    assert (network.learning_rate, network.l2, network.weight_decay) == pytest.approx((learning_rate, l2, weight_decay))
    assert (network.layers, network.hidden, network.tbptt) == (2, 200, 50)


def test_an_unknown_preset_is_refused_with_the_list():
    with pytest.raises(InputError, match=r"^--preset: nonsense; wanted one of default, posted, posted-legacy$"):
        train_settings({}, preset="nonsense")


@pytest.mark.parametrize(
    ("text", "samples"), [("auto", None), ("off", 0), ("0", 0), ("17", 17), ("-40", -40), ("+5", 5)]
)
def test_align_is_auto_off_or_samples(text, samples):
    assert parse_align(text) == samples


@pytest.mark.parametrize(("name", "value"), [("decode", "nonsense"), ("chunk", 0), ("seed", -1)])
def test_nonsense_of_process_is_refused_by_name(name, value):
    refuses(name, value, validate_process, replace(ProcessSettings(), **{name: value}))


@pytest.mark.parametrize("decode", ["auto", "mean", "argmax", "sample"])
def test_every_decoding_is_taken(decode):
    validate_process(ProcessSettings(decode=decode, chunk=1, seed=0))
    assert decode in config.DECODES


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("temperature", value) for value in (0.0, -1.0, NAN, INF)),
        *(("top_p", value) for value in (0.0, -0.1, 1.01, NAN)),
        *(("seed", value) for value in (-1, 2**63)),
    ],
)
def test_nonsense_of_generate_is_refused_by_name(name, value):
    refuses(name, value, validate_generate, replace(GenerateSettings(), **{name: value}), 1.0)


@pytest.mark.parametrize("seconds", [0.0, -1.0, NAN, INF])
def test_nonsense_seconds_are_refused(seconds):
    refuses("seconds", seconds, validate_generate, GenerateSettings(), seconds)


def test_the_defaults_of_generate_are_taken():
    validate_generate(GenerateSettings(), 0.001)
    validate_generate(GenerateSettings(temperature=0.01, top_p=1.0, seed=2**63 - 1), 1e6)
