"""The guide to the Python API can be followed, and the generated reference has the text of every public name."""

from __future__ import annotations

import inspect
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
import soundfile

import dl4j_bridge
from tests.conftest import EXAMPLES
from tests.test_docs import script_of

DOCS = EXAMPLES.parent / "docs"
GUIDE = DOCS / "python-api.md"


@pytest.mark.slow
def test_the_guide_can_be_followed(java, tmp_path, monkeypatch):
    """Every block in its order; only the trainings are shorter."""
    for name, source in (("dry", "plucked_dry"), ("wet", "plucked_amplifier"), ("voice", "speech_like")):
        sound, rate = soundfile.read(EXAMPLES / f"{source}.wav", stop=3 * 11025)
        soundfile.write(tmp_path / f"{name}.wav", sound, rate, "PCM_16")
    for copy, name in (("dry2", "dry"), ("wet2", "wet"), ("other", "voice")):
        shutil.copy(tmp_path / f"{name}.wav", tmp_path / f"{copy}.wav")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.S | re.M)
    assert len(blocks) > 8
    small = "steps=10, batch=4, length=600, validation_samples=2000, report=False"
    voice = "steps=10, batch=4, length=100, hidden=16, validation_samples=400, report=False"
    shorter = iter([small, small, voice, "steps=15", small])
    names: dict[str, object] = {}
    for block in blocks:
        exec(re.sub(r"\bminutes=\d+", lambda _: next(shorter), block), names)
    assert next(shorter, None) is None
    run, out, rows = names["run"], names["out"], names["rows"]
    assert isinstance(run, dl4j_bridge.Run)
    assert len(run.curves()["step"]) == 15
    assert len(out) == soundfile.info("other.wav").frames
    assert rows[0]["name"] == "model"
    assert soundfile.info("new.wav").frames == 2 * 11025
    assert dl4j_bridge.load("runs/amp2").about["pairs"][0]["input"]["path"].endswith("dry2.wav")
    assert {"amp.nam", "amp.onnx", "loss.png", "out.wav"} <= {path.name for path in tmp_path.iterdir()}


class Text(HTMLParser):
    """The letters and digits of a page."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.text = ""
        self.ids: set[str] = set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.ids.add(dict(attrs).get("id"))

    def handle_data(self, data):
        self.text += re.sub(r"\W", "", data)


def test_the_reference_has_the_text_of_every_public_name(tmp_path):
    script_of(DOCS / "make_api.py").main(tmp_path)
    page = Text(tmp_path / "dl4j_bridge.html")
    public = {name: getattr(dl4j_bridge, name) for name in dl4j_bridge.__all__}
    members = {
        f"{name}.{member}": value
        for name, owner in public.items()
        if inspect.isclass(owner)
        for member, value in vars(owner).items()
        if not member.startswith("_") and (inspect.isfunction(value) or isinstance(value, property))
    }
    assert {"train", "Run.process", "Run.rate", "InputError"} <= set(public | members)
    for name, value in (public | members).items():
        assert name in page.ids
        assert value.__doc__, name
        for paragraph in inspect.cleandoc(value.__doc__).split("\n\n")[:1]:
            assert re.sub(r"\W", "", paragraph) in page.text, name


@pytest.mark.parametrize("name", dl4j_bridge.__all__)
def test_the_guide_names_everything_public(name):
    assert re.search(rf"`{name}\b", GUIDE.read_text(encoding="utf-8"))
