"""Files that appear whole or not at all."""

import json
import os
import stat

import pytest

from dl4j_bridge.atomic_files import check_writable, temporary_name, write_bytes, write_json
from dl4j_bridge.errors import BridgeError, InputError

POSIX = pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
NOT_ROOT = pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")


def names(folder):
    return sorted(file.name for file in folder.iterdir())


def write_halfway(path, error):
    with temporary_name(path) as temporary:
        temporary.write_bytes(b"half")
        assert temporary.parent == path.parent
        assert temporary.suffix == path.suffix
        raise error


@pytest.mark.parametrize("before", [None, b"old"])
def test_a_file_appears_when_all_of_it_is_written(tmp_path, before):
    path = tmp_path / "x.zip"
    if before is not None:
        path.write_bytes(before)
    with temporary_name(path) as temporary:
        temporary.write_bytes(b"new")
        assert (path.read_bytes() if path.exists() else None) == before
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["x.zip"]


@pytest.mark.parametrize(
    ("error", "raised"),
    [(ValueError, ValueError), (KeyboardInterrupt, KeyboardInterrupt), (OSError, BridgeError)],
)
@pytest.mark.parametrize("before", [None, b"old"])
def test_an_error_leaves_what_was_there_and_nothing_else(tmp_path, error, raised, before):
    path = tmp_path / "x.zip"
    if before is not None:
        path.write_bytes(before)
    with pytest.raises(raised):
        write_halfway(path, error)
    assert names(tmp_path) == ([] if before is None else ["x.zip"])
    assert before is None or path.read_bytes() == before


@POSIX
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_file_has_the_permissions_that_the_umask_gives(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        write_bytes(tmp_path / "x", b"content")
        assert os.umask(umask) == umask, "the umask is as it was"
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == mode


@pytest.mark.parametrize("content", [b"", b"\0\r\n\xff" * 1000])
def test_bytes_are_written_as_they_are(tmp_path, content):
    write_bytes(tmp_path / "x", content)
    assert (tmp_path / "x").read_bytes() == content


def test_json_is_written_to_be_read(tmp_path):
    content = {"a": [1, None, "ä"], "b": {"c": 0.1}}
    write_json(tmp_path / "x.json", content)
    text = (tmp_path / "x.json").read_text()
    assert json.loads(text) == content
    assert text.endswith("}\n")


@pytest.mark.parametrize("name", ["no folder/x", "folder"])
def test_what_cannot_be_written_is_an_error_of_one_line_and_leaves_nothing(tmp_path, name):
    (tmp_path / "folder").mkdir()
    with pytest.raises(BridgeError) as e:
        write_bytes(tmp_path / name, b"content")
    assert str(e.value).startswith(f"{tmp_path / name}: not written (")
    assert len(str(e.value).splitlines()) == 1
    assert names(tmp_path) == ["folder"]


def test_the_longest_name_that_the_system_takes_can_be_written(tmp_path):
    path = tmp_path / ("x" * 251 + ".wav")
    path.write_bytes(b"old")
    write_bytes(path, b"new")
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize(
    ("name", "says"), [("no folder/x.wav", "mkdir -p"), ("folder", "a folder"), ("file/x.wav", "no folder")]
)
def test_a_place_that_cannot_be_written_is_refused_before_any_work(tmp_path, name, says):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"content")
    with pytest.raises(InputError) as e:
        check_writable(tmp_path / name)
    assert str(e.value).startswith(f"{tmp_path / name}: ")
    assert says in str(e.value)
    assert len(str(e.value).splitlines()) == 1


@NOT_ROOT
@pytest.mark.parametrize(("name", "locked"), [("folder/x", "folder"), ("file", "file")])
def test_a_place_without_permission_is_refused_before_any_work(tmp_path, name, locked):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / locked).chmod(0o555)
    try:
        with pytest.raises(InputError, match="not writable"):
            check_writable(tmp_path / name)
    finally:
        (tmp_path / locked).chmod(0o755)


def test_asking_leaves_no_trace(tmp_path, monkeypatch):
    (tmp_path / "old").write_bytes(b"content")
    monkeypatch.chdir(tmp_path)
    for path in (tmp_path / "new", tmp_path / "old", type(tmp_path)("relative")):
        check_writable(path)
    assert names(tmp_path) == ["old"]
    assert (tmp_path / "old").read_bytes() == b"content"
