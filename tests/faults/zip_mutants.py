"""Mutants of a model zip that know its structure, as a stranger would make them."""

from __future__ import annotations

import io
import json
import struct
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np

LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
# A serialised java.util.Date.
DATE = bytes.fromhex("aced00057372000e6a6176612e7574696c2e44617465686a81014b597419030000787077080000018c2512f40078")
NAMES = ("preprocessor.bin", "updater.bin", "normalizer.bin", "configuration.json", "coefficients.bin")


def entries_of(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as z:
        return {name: z.read(name) for name in z.namelist()}


def zipped(entries: list[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as z, warnings.catch_warnings(action="ignore"):
        for name, content in entries:
            z.writestr(name, content)
    return buffer.getvalue()


def local_entry(name: str, content: bytes) -> bytes:
    """An entry with a local header, as Java's `ZipInputStream` reads it."""
    header = struct.pack(
        "<4sHHHHHIIIHH", LOCAL, 20, 0, 0, 0, 0, zipfile.crc32(content), *[len(content)] * 2, len(name), 0
    )
    return header + name.encode() + content


def hidden_entry(content: bytes, random: Random, hidden: bytes | None = None) -> bytes:
    """An entry that the central directory does not list, at the start, between two entries or at the end."""
    with zipfile.ZipFile(io.BytesIO(content)) as z:
        places = [info.header_offset for info in z.infolist()] + [z.start_dir]
        directory, listed = z.start_dir, z.infolist()
    at = random.choice(places)
    added = local_entry(random.choice(NAMES), random.choice([DATE, b"{}", b""]) if hidden is None else hidden)
    patched = bytearray(content[:at] + added + content[at:])
    entry = directory + len(added)
    for _ in listed:
        (offset,) = struct.unpack_from("<I", patched, entry + 42)
        struct.pack_into("<I", patched, entry + 42, offset + (len(added) if offset >= at else 0))
        entry += 46 + sum(struct.unpack_from("<HHH", patched, entry + 28))
    struct.pack_into("<I", patched, len(patched) - 6, directory + len(added))
    return bytes(patched)


def entry_twice(content: bytes, random: Random) -> bytes:
    entries = list(entries_of(content).items())
    entries.insert(random.randrange(len(entries) + 1), random.choice(entries))
    return zipped(entries)


def unknown_entry(content: bytes, random: Random) -> bytes:
    entries = list(entries_of(content).items())
    name = random.choice([*NAMES[:3], "../evil", "a/b.class", "configuration.json\0.txt", " ", "x" * 60000])
    entries.insert(random.randrange(len(entries) + 1), (name, DATE))
    return zipped(entries)


def header_field(content: bytes, random: Random) -> bytes:
    """Another byte in a local header, the central directory or the end record."""
    signature = random.choice([LOCAL, CENTRAL, END])
    places = [i for i in range(len(content) - 3) if content.startswith(signature, i)]
    at = random.choice(places) + random.randrange(46)
    return content[:at] + bytes([random.randrange(256)]) + content[at + 1 :] if at < len(content) else content[:-1]


def bytes_around(content: bytes, random: Random) -> bytes:
    junk = random.randbytes(random.randrange(1, 200))
    at = random.choice([0, len(content), random.randrange(len(content))])
    return random.choice(
        [content[:at] + junk + content[at:], content[:at], content[:at] + junk + content[at + len(junk) :]]
    )


def key_twice(content: bytes, random: Random) -> bytes:
    """A key of an object in JSON a second time, first or last, with another value."""

    def change(text: str) -> str:
        found = [i for i, letter in enumerate(text) if letter == "{"]
        at = random.choice(found) + 1
        key = random.choice(["@class", "rate", "nin", "task", "codec", "type", "layer"])
        doubled = f'"{key}": "com.evil.Gadget", '
        return text[:at] + doubled * random.choice([1, 2]) + text[at:]

    return with_json(content, random, change)


def encoding(content: bytes, random: Random) -> bytes:
    name = random.choice(["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
    return with_entry(content, random, ("configuration.json", "dl4j_bridge.json"), lambda c: c.decode().encode(name))


def nesting(content: bytes, random: Random) -> bytes:
    depth = random.choice([50, 900, 100_000])
    opened, closed = random.choice([("[", "]"), ('{"a":', "}")])

    def change(text: str) -> str:
        middle = opened * depth + "1" + closed * depth
        at = text.index("{") + 1
        return random.choice([middle, text[:at] + f'"deep": {middle}, ' + text[at:], text.replace("null", middle, 1)])

    return with_json(content, random, change)


def json_value(content: bytes, random: Random) -> bytes:
    """Another type or an extreme number for a value in the metadata."""
    extreme: list[Any] = [
        None,
        -1,
        0,
        2**31,
        2**63,
        10**400,
        1e308,
        float("nan"),
        True,
        "x",
        "\0",
        "é" * 9999,
        [],
        {},
        [[]],
    ]

    def change(c: bytes) -> bytes:
        about = json.loads(c)
        node: Any = about
        while True:
            key = random.choice(list(node) if isinstance(node, dict) else range(len(node)))
            if isinstance(node[key], (dict, list)) and node[key] and random.random() < 0.8:
                node = node[key]
                continue
            if random.random() < 0.3:
                del node[key]
            else:
                node[key] = random.choice(extreme)
            return json.dumps(about).encode()

    return with_entry(content, random, ("dl4j_bridge.json",), change)


def blanks(content: bytes, random: Random) -> bytes:
    """Megabytes that compress to nothing."""
    return with_entry(content, random, tuple(entries_of(content)), lambda c: c + b" " * (8 << 20))


def npz_header(content: bytes, random: Random) -> bytes:
    """Another shape, type or version in the header of an array."""
    descriptions = ["<f4", "|O", ">f8", "<U999999", "|V8", "<M8[s]", "nonsense", "<c16"]
    shapes = [
        "(1000000000, 1000000000)",
        "(-1,)",
        "()",
        "(3,)",
        "(2**40,)",
        "[]",
        "(1e9,)",
        "(0,)",
        "(" * 90 + ")" * 90,
    ]

    def change(c: bytes) -> bytes:
        arrays = entries_of(c)
        name = random.choice(list(arrays))
        description, shape = random.choice(descriptions), random.choice(shapes)
        header = f"{{'descr': '{description}', 'fortran_order': False, 'shape': {shape}, }}\n"
        magic = b"\x93NUMPY" + bytes([random.choice([1, 2, 3, 9]), 0]) + struct.pack("<H", len(header))
        values = arrays[name][128:]
        arrays[name] = random.choice([magic + header.encode() + values, arrays[name][: random.randrange(130)]])
        return zipped(list(arrays.items()), zipfile.ZIP_STORED)

    return with_entry(content, random, ("dl4j_bridge_state.npz", "dl4j_bridge_baselines.npz"), change)


def not_finite(content: bytes, random: Random) -> bytes:
    def change(c: bytes) -> bytes:
        at = len(c) - 4 * random.randrange(1, 20)
        return c[:at] + np.array(random.choice([np.nan, np.inf, -np.inf]), ">f4").tobytes() + c[at + 4 :]

    return with_entry(content, random, ("coefficients.bin", "updaterState.bin"), change)


def nd4j_header(content: bytes, random: Random) -> bytes:
    """Another byte in the header of an ND4J array, or fewer or more values."""

    def change(c: bytes) -> bytes:
        at = random.randrange(80)
        return random.choice([c[:at] + random.randbytes(1) + c[at + 1 :], c[: random.randrange(len(c))], c + b"\0" * 4])

    return with_entry(content, random, ("coefficients.bin", "updaterState.bin"), change)


def with_entry(content: bytes, random: Random, names: tuple[str, ...], change: Callable[[bytes], bytes]) -> bytes:
    entries = entries_of(content)
    name = random.choice([name for name in names if name in entries])
    return zipped([(n, change(c) if n == name else c) for n, c in entries.items()])


def with_json(content: bytes, random: Random, change: Callable[[str], str]) -> bytes:
    names = ("configuration.json", "dl4j_bridge.json")
    return with_entry(content, random, names, lambda c: change(c.decode()).encode())


KINDS: tuple[Callable[[bytes, Random], bytes], ...] = (
    hidden_entry, entry_twice, unknown_entry, header_field, bytes_around, key_twice, encoding, nesting, json_value,
    blanks, npz_header, not_finite, nd4j_header,
)  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """What a seed makes of a zip; Hypothesis shows it when a test fails."""

    kind: str
    seed: int

    def of(self, content: bytes) -> bytes:
        make = next(kind for kind in KINDS if kind.__name__ == self.kind)
        return make(content, Random(self.seed))
