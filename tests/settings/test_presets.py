"""Presets, and settings as a model file stores them."""

import json

import pytest

from dl4j_bridge.errors import InputError
from dl4j_bridge.settings.training import TrainSettings
from dl4j_bridge.tasks.registry import KINDS, settings_from_dict, train_settings
from tests.conftest import run_ok


@pytest.mark.parametrize(
    ("task", "name"), [("samples", "default"), *((kind.name, name) for kind in KINDS.values() for name in kind.presets)]
)
def test_settings_survive_json(task, name):
    settings = train_settings({"task": task, "rate": 8000, "epochs": 1.5, "align": "-3"}, preset=name)
    assert settings_from_dict(json.loads(json.dumps(settings.as_dict()))) == settings


def test_the_default_preset_is_the_defaults():
    assert train_settings({}) == TrainSettings()


@pytest.mark.parametrize(
    ("name", "learning_rate", "l2", "weight_decay"),
    [("posted", 0.1, 0.001, 0.0), ("posted-legacy", 0.1 / 32, 0.0, 0.001 / 32)],
)
def test_the_posted_presets_are_the_character_examples(name, learning_rate, l2, weight_decay):
    """DESIGN: RmsProp(0.1) and L2 0.001; both divided by the batch of 32 where that came after the updater."""
    network = train_settings({}, preset=name).network
    assert (network.updater, network.init, network.clip) == ("rmsprop", "xavier", 0)
    assert (network.learning_rate, network.l2, network.weight_decay) == pytest.approx((learning_rate, l2, weight_decay))
    assert (network.layers, network.hidden, network.tbptt) == (2, 200, 50)


def test_every_preset_says_what_it_is_for():
    text = " ".join(run_ok("train", "--help", env={"COLUMNS": "200"}).stdout.replace("│", " ").split())
    for kind in KINDS.values():
        for name, preset in kind.presets.items():
            assert f"{name} (--task {kind.name}): {preset.purpose}" in text
            assert preset.purpose.endswith(".")


def test_an_unknown_preset_is_refused_with_the_list():
    with pytest.raises(
        InputError, match=r"^--preset: nonsense with --task samples; wanted one of default, posted, posted-legacy$"
    ):
        train_settings({}, preset="nonsense")
