"""Reading a page without a browser and without the package's code."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path


@dataclass
class Page(HTMLParser):
    """Contents of a page."""

    path: Path
    pictures: dict[str, bytes] = field(default_factory=dict)
    sounds: list[bytes] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.text = self.path.read_text()
        self.feed(self.text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.addresses += [values[name] for name in ("src", "href") if name in values]
        if tag == "img":
            self.pictures[values["alt"]] = decoded(values["src"], "data:image/png;base64,")
        if tag == "audio":
            self.sounds.append(decoded(values["src"], "data:audio/(wav|flac|mpeg);base64,"))


def decoded(address: str, kind: str) -> bytes:
    head = re.match(kind, address)
    assert head
    return base64.b64decode(address[head.end() :], validate=True)
