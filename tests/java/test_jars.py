"""The lock file, platforms, and the folders in which jars are found."""

import re
from pathlib import Path

import pytest

from dl4j_bridge.errors import BridgeError
from dl4j_bridge.java import jars

PLATFORMS = ["linux-arm64", "linux-x86_64", "macosx-arm64", "macosx-x86_64", "windows-x86_64"]
# In the installed package, in the checkout.
OUR_PLACES = [Path(jars.__file__).parents[1] / jars.OURS, Path(jars.__file__).parents[2] / "target" / jars.OURS]
NATIVE = ["javacpp", "openblas", "nd4j-native-preset", "nd4j-native"]


@pytest.fixture
def places(tmp_path, monkeypatch):
    """A machine without any jar; returns DL4J_BRIDGE_CACHE and Maven's repository."""
    for name in ("HOME", "USERPROFILE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.setenv("DL4J_BRIDGE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache", tmp_path / "home" / ".m2" / "repository"


def put(place, jar, size):
    """Write a sparse file of the given size."""
    path = place / jar.path
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as f:
        f.truncate(size)
    return path


def test_the_lock_has_every_platform_and_a_hash_of_every_jar():
    locked = jars.locked()
    assert sorted({jar.platform for jar in locked}) == ["any", *PLATFORMS]
    for jar in locked:
        assert re.fullmatch(r"[0-9a-f]{64}", jar.sha256), jar
        assert jar.size > 0, jar
    assert len({jar.sha256 for jar in locked}) == len({jar.path for jar in locked}) == len(locked)


def test_paths_are_those_of_mavens_layout():
    for jar in jars.locked():
        group, artifact, version, *classifier = jar.coordinates.split(":")
        name = "-".join([artifact, version, *classifier])
        assert jar.path == f"{group.replace('.', '/')}/{artifact}/{version}/{name}.jar"
        assert classifier == ([] if jar.platform == "any" else [jar.platform])


@pytest.mark.parametrize("name", PLATFORMS)
def test_a_platform_gets_its_own_native_jars_and_no_others(name):
    chosen = jars.for_platform(name)
    native = [jar for jar in chosen if any(platform in jar.path for platform in PLATFORMS)]
    assert [jar.coordinates.split(":")[1] for jar in native] == NATIVE
    assert all(jar.path.endswith(f"-{name}.jar") for jar in native)
    assert len(chosen) - len(native) == sum(jar.platform == "any" for jar in jars.locked())
    assert any(jar.coordinates == "org.deeplearning4j:deeplearning4j-nn:1.0.0-M2.1" for jar in chosen)


@pytest.mark.parametrize(
    ("system", "machine", "name"),
    [
        ("linux", "x86_64", "linux-x86_64"),
        ("linux", "aarch64", "linux-arm64"),
        ("darwin", "x86_64", "macosx-x86_64"),
        ("darwin", "arm64", "macosx-arm64"),
        ("win32", "AMD64", "windows-x86_64"),
    ],
)
def test_a_platform_has_javacpps_name(system, machine, name):
    assert jars.current_platform(system, machine) == name


@pytest.mark.parametrize(
    ("system", "machine", "name"),
    [("win32", "ARM64", "windows-arm64"), ("linux", "riscv64", "linux-riscv64"), ("sunos5", "x86_64", "sunos5-x86_64")],
)
def test_a_platform_without_native_code_is_refused_with_those_that_have_it(system, machine, name):
    with pytest.raises(BridgeError) as e:
        jars.current_platform(system, machine)
    assert name in str(e.value)
    assert all(platform in str(e.value) for platform in PLATFORMS)


@pytest.mark.parametrize("wrong", [-1, 1])
def test_a_jar_of_a_wrong_size_is_not_found(places, wrong):
    jar = jars.locked()[0]
    assert jars.find(jar) is None
    put(places[0], jar, jar.size + wrong)
    assert jars.find(jar) is None
    whole = put(places[1], jar, jar.size)
    assert jars.find(jar) == whole
    preferred = put(places[0], jar, jar.size)
    assert jars.find(jar) == preferred


def test_a_folder_in_a_jars_place_is_not_found(places):
    jar = jars.locked()[0]
    (places[0] / jar.path).mkdir(parents=True)
    assert jars.find(jar) is None


def test_the_own_cache_is_looked_at_first_and_only_if_named(places, monkeypatch):
    assert jars.repositories()[0] == places[0]
    assert jars.repositories()[-1] == places[1]
    monkeypatch.setenv("DL4J_BRIDGE_CACHE", "")
    assert places[0] not in jars.repositories()
    assert len(jars.repositories()) == 2


def test_a_missing_jar_is_reported_with_the_command_that_fetches_it(places):
    needed = jars.for_platform(jars.current_platform())
    with pytest.raises(BridgeError) as e:
        jars.class_path()
    assert all(jar.coordinates in str(e.value) for jar in needed[:3])
    assert f"and {len(needed) - 3} more" in str(e.value)
    assert str(e.value).endswith("run: dl4j-bridge fetch")
    for jar in needed[1:-1]:
        put(places[0], jar, jar.size)
    with pytest.raises(BridgeError) as e:
        jars.class_path()
    assert str(e.value) == f"jars: missing {needed[0].coordinates}, {needed[-1].coordinates}; run: dl4j-bridge fetch"


@pytest.mark.skipif(not any(place.is_file() for place in OUR_PLACES), reason="Maven has not built our jar")
def test_the_class_path_is_our_jar_and_this_platforms(places):
    ours = next(place for place in OUR_PLACES if place.is_file())
    expected = [put(places[0], jar, jar.size) for jar in jars.for_platform(jars.current_platform())]
    assert jars.class_path() == [ours, *expected]
