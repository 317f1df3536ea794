"""Writes the reference of the Python API into a folder, a page for each public module: `make api-docs`."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pdoc

# Modules for users; their `__all__` has what is public.
MODULES = ("dl4j_bridge", "dl4j_bridge.java")


def main(folder: Path) -> None:
    """Write the pages into `folder`."""
    public = [module for name in MODULES if hasattr(module := importlib.import_module(name), "__all__")]
    for module in public:
        for name in module.__all__:
            # pdoc looks for names in the module's dictionary, where those that are imported lazily are not.
            setattr(module, name, getattr(module, name))
    pdoc.render.configure(docformat="numpy", show_source=False)
    pdoc.pdoc(*(module.__name__ for module in public), output_directory=folder)
    print(folder / "index.html")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
