"""Writes the locked list of jars from the folders that `make lock` lets Maven fill, one a platform."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path


def lock(root: Path) -> list[dict[str, object]]:
    """List every jar below ``root/PLATFORM`` (Maven's repository layout), once each.

    A jar that every platform has is listed for ``any``, else for the one platform whose classifier it carries.
    """
    platforms: dict[str, set[str]] = {}
    for folder in sorted(root.iterdir()):
        for jar in folder.rglob("*.jar"):
            platforms.setdefault(jar.relative_to(folder).as_posix(), set()).add(folder.name)
    everywhere = {folder.name for folder in root.iterdir()}
    return [entry(root, path, names, everywhere) for path, names in sorted(platforms.items())]


def entry(root: Path, path: str, names: set[str], everywhere: set[str]) -> dict[str, object]:
    data = (root / min(names) / path).read_bytes()
    *group, artifact, version, file = path.split("/")
    classifier = file.removeprefix(f"{artifact}-{version}").removesuffix(".jar").removeprefix("-")
    if names != everywhere and len(names) != 1:
        raise SystemExit(f"{path}: wanted on some platforms but not on all: {sorted(names)}")
    return {
        "coordinates": ":".join(filter(None, [".".join(group), artifact, version, classifier])),
        "path": path,
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "platform": "any" if names == everywhere else min(names),
    }


if __name__ == "__main__":
    print(json.dumps(lock(Path(sys.argv[1])), indent=1))
