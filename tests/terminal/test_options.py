"""Options that are made from settings dataclasses."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from typer.testing import CliRunner

from dl4j_bridge.terminal import options


@dataclass(frozen=True)
class Network:
    hidden: int = field(default=200, metadata={"help": "Number of units in each layer."})
    learning_rate: float = field(default=0.01, metadata={"help": "Learning rate."})
    skip: bool = field(default=False, metadata={"help": "Learn the difference."})
    steps: int | None = field(default=None, metadata={"help": "Maximum number of steps.", "also": ("-n",)})


@dataclass(frozen=True)
class OwnSettings:
    """Settings of a task that someone registered."""

    grain: int = field(default=7, metadata={"help": "Grain of the new task."})
    hidden: int = field(default=3, metadata={"help": "Another text."})


@pytest.fixture
def seen():
    return {}


@pytest.fixture
def app(seen):
    app = typer.Typer(rich_markup_mode="rich")

    @options.command(app, "x", {"Network": Network, "With --task mine": OwnSettings})
    def train(
        options: dict[str, Any],
        as_json: bool,
        inputs: Annotated[list[Path] | None, typer.Option("--input")] = None,
        steer: Annotated[bool, options.setting(Steering, "steer")] = True,
    ) -> Any:
        seen.update(options=options, inputs=inputs, steer=steer, as_json=as_json)
        return {"rows": [{"name": "model"}]}, int(not steer)

    return app


@dataclass(frozen=True)
class Steering:
    steer: bool = field(default=True, metadata={"help": "Hold the level."})
    seed: int = field(default=5, metadata={"help": "Random seed."})


def invoke(app, *args, status=0) -> str:
    result = CliRunner().invoke(app, [str(arg) for arg in args], env={"COLUMNS": "120"})
    assert result.exit_code == status, result.output
    return result.output


def test_only_given_options_arrive(app, seen):
    invoke(app, "--hidden", 16, "--skip", "--grain", 0, "--input", "a.wav", "--json")
    assert seen["options"] == {"hidden": 16, "skip": True, "grain": 0}
    assert (seen["inputs"], seen["as_json"], seen["steer"]) == ([Path("a.wav")], True, True)
    invoke(app, "--no-steer", status=1)
    assert (seen["options"], seen["steer"]) == ({}, False)
    invoke(app, "-n", 3)
    assert seen["options"] == {"steps": 3}


def test_help_shows_panels_and_the_defaults_of_the_fields(app):
    text = " ".join(invoke(app, "--help").split())
    assert "Network" in text
    assert "With --task mine" in text
    assert "[default: (200)]" in text
    assert "Grain of the new task. [default: (7)]" in text
    assert "Maximum number of steps. " in text
    assert "[default: None]" not in text
    assert "Another text" not in text


def test_a_file_gives_defaults_and_the_command_line_wins(app, seen, tmp_path):
    (tmp_path / "c.toml").write_text('hidden = 32\nlearning-rate = 1\ninput = ["b.wav"]\ngrain = 9\n')
    invoke(app, "--config", tmp_path / "c.toml", "--hidden", 8)
    assert seen["options"] == {"hidden": 8, "learning_rate": 1.0, "grain": 9}
    assert seen["inputs"] == [Path("b.wav")]


def test_json_is_one_line_and_the_status_is_the_functions(app):
    assert invoke(app) == ""
    assert json.loads(invoke(app, "--json", "--no-steer", status=1)) == {"rows": [{"name": "model"}]}
