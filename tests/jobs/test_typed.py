"""Commands that are printed for the user to paste."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from dl4j_bridge.errors import InputError
from dl4j_bridge.jobs import typed
from dl4j_bridge.tasks.registry import train_settings
from tests.test_docs import wrong_words

DRY, WET = Path("my dry.wav"), Path("it's wet.wav")


def command(settings, **changes):
    return typed.training([DRY], [WET], settings, **changes)


def test_paths_are_quoted_and_defaults_are_left_out():
    assert command(train_settings({})) == """dl4j-bridge train --input 'my dry.wav' --target 'it'"'"'s wet.wav'"""


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"hidden": 64, "steps": 300}, ["--hidden", "64", "--steps", "300"]),
        ({"task": "frames", "skip": True}, ["--task", "frames", "--skip"]),
        ({"task": "frames", "layers": 1}, ["--task", "frames"]),
        ({"stop_when_solved": False}, ["--no-stop-when-solved"]),
        ({"neighbours": 0.0}, ["--neighbours", "0.0"]),
        ({"minutes": 2.0, "schedule": "plateau"}, ["--minutes", "2.0", "--schedule", "plateau"]),
    ],
)
def test_options_that_differ_are_typed_so_that_the_command_line_takes_them(options, words):
    typed_words = shlex.split(command(train_settings(options)))
    assert typed_words[6:] == words
    assert wrong_words(typed_words[1:]) == []


def test_what_auto_stands_for_is_not_typed():
    """The settings of a model file have it resolved."""
    settings = train_settings({"steps": 300})
    chosen = {"init": "smooth", "gradient_state": "carried", "neighbours": 0.85, "schedule": "cooldown"}
    resolved = settings.with_options(chosen)
    assert command(resolved) == command(settings)


def test_changes_come_on_top():
    settings = train_settings({"learning_rate": 0.1, "hidden": 64})
    assert command(settings, learning_rate=0.01) == command(train_settings({"hidden": 64}))
    with pytest.raises(InputError, match="--align"):
        command(settings, align="soon")
