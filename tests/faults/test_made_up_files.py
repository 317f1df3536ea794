"""Whatever is in a file or an option, it is used or refused in one line."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from dl4j_bridge.errors import BridgeError
from dl4j_bridge.model.run_folder import RunFolder
from dl4j_bridge.settings import toml_file
from dl4j_bridge.signal.recordings import open_recording
from dl4j_bridge.tasks import registry
from dl4j_bridge.untrusted import json_text

FORMATS = ("WAV", "FLAC", "AIFF", "AU", "W64", "RF64", "OGG", "CAF")


def whole(file_format: str) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, 0.5 * np.sin(np.arange(3000) / 7), 8000, format=file_format)
    return buffer.getvalue()


WHOLE = {name: whole(name) for name in FORMATS}
changes = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=6)


def accepted(action, *names: object):
    """The result of `action`, or None if it refuses its input in one line that names it."""
    try:
        return action()
    except BridgeError as e:
        check_one_line(str(e), *names)
        return None


def check_one_line(message: str, *names: object) -> None:
    assert len(message.splitlines()) == 1
    assert not names or any(str(name) in message for name in names), message


@given(st.sampled_from(FORMATS), changes, st.integers(0, 8000))
def test_recordings(tmp_path_factory, file_format, changed, cut):
    path = tmp_path_factory.getbasetemp() / f"made-up.{file_format.lower()}"
    content = bytearray(WHOLE[file_format])
    for at, value in changed:
        if at < len(content):
            content[at] = value
    path.write_bytes(content[: len(content) - cut] if cut < len(content) else content)
    recording = accepted(lambda: open_recording(path), path)
    if recording is not None:
        samples = accepted(lambda: recording.read(recording.rate), path)
        assert samples is None or (samples.size == recording.frames and np.isfinite(samples).all())


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode), st.just(b"[" * 5000)))
def test_files_of_options(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "made-up.toml"
    path.write_bytes(content)
    accepted(lambda: toml_file.read(path, {"hidden": ("hidden", int)}), path)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.sampled_from(["hidden", "layers", "rate", "codec", "align", "learning_rate", "epochs", "augment", "seed"]), plain
)
def test_options_from_python(name, value):
    def settings():
        return registry.train_settings(registry.checked_options("train()", {name: value}))

    accepted(settings, name, "--" + name.replace("_", "-"))


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode), st.just(b"[" * 100_000)))
def test_json(content):
    try:
        json_text.parse(content)
    except ValueError as e:
        check_one_line(str(e))


@pytest.mark.parametrize("name", ["log.csv", "run.json"])
@given(
    st.one_of(
        st.binary(max_size=200),
        st.lists(st.sampled_from(["step,bits\n", "1,0.5\n", "2,x\n", "2", "1,0.4\n", ",\n", '"', "3,0.1,9\n"])).map(
            lambda lines: "".join(lines).encode()
        ),
        st.just(b"step\n" + b"9" * 5000 + b"\n"),
    )
)
def test_files_of_a_run(tmp_path_factory, name, content):
    folder = RunFolder(tmp_path_factory.getbasetemp())
    path: Path = folder.path / name
    path.write_bytes(content)
    accepted(folder.read_log if name == "log.csv" else folder.read_run, path)
