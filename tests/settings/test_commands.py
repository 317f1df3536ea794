"""Settings of the commands that use a model: what is refused."""

from dataclasses import fields, replace

import pytest

from dl4j_bridge.model.imports import FORMATS
from dl4j_bridge.settings.commands import DECODES, AdoptSettings, CompareSettings, GenerateSettings, ProcessSettings
from tests.settings.refusals import INF, NAN, refuses


@pytest.mark.parametrize(("name", "value"), [("decode", "nonsense"), ("chunk", 0), ("seed", -1)])
def test_nonsense_of_process_is_refused_by_name(name, value):
    refuses(name, value, replace(ProcessSettings(), **{name: value}).check)


@pytest.mark.parametrize("decode", ["auto", "mean", "argmax", "sample"])
def test_every_decoding_is_taken(decode):
    ProcessSettings(decode=decode, chunk=1, seed=0).check()
    assert decode in DECODES


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("temperature", value) for value in (0.0, -1.0, NAN, INF)),
        *(("top_p", value) for value in (0.0, -0.1, 1.01, NAN)),
        *(("seed", value) for value in (-1, 2**63)),
    ],
)
def test_nonsense_of_generate_is_refused_by_name(name, value):
    refuses(name, value, replace(GenerateSettings(), **{name: value}).check)


@pytest.mark.parametrize("seconds", [0.0, -1.0, NAN, INF])
def test_nonsense_seconds_are_refused(seconds):
    refuses("seconds", seconds, GenerateSettings(seconds=seconds).check)


def test_the_defaults_of_generate_are_taken():
    GenerateSettings(seconds=0.001).check()
    GenerateSettings(seconds=1e6, temperature=0.01, top_p=1.0, seed=2**63 - 1).check()


@pytest.mark.parametrize(
    ("name", "value"), [("pytorch_steps", 0), ("drift_seconds", -0.1), ("drift_seconds", NAN), ("drift_seconds", INF)]
)
def test_nonsense_of_compare_is_refused_by_name(name, value):
    refuses(name, value, replace(CompareSettings(), **{name: value}).check)


def test_adopt_offers_every_format():
    assert AdoptSettings.__dataclass_fields__["format"].metadata["allowed"].choices == tuple(FORMATS)


@pytest.mark.parametrize("group", [ProcessSettings, GenerateSettings, CompareSettings])
def test_each_setting_has_a_help_text(group):
    for f in fields(group):
        assert f.metadata["help"].endswith(".")
