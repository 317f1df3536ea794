"""The commands that train many networks, `search` and `batch`, for `cli`."""

from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from dl4j_bridge.errors import InputError
from dl4j_bridge.tasks import registry
from dl4j_bridge.terminal.options import Preset


def search(
    folder: Annotated[
        Path | None, Argument(metavar="[SEARCH]", help="With --resume: the search folder, as --out would name it.")
    ] = None,
    inputs: Annotated[
        list[Path] | None, Option("--input", metavar="A.wav", help="Dry recording; repeat for several pairs.")
    ] = None,
    targets: Annotated[
        list[Path] | None, Option("--target", metavar="B.wav", help="Processed recording, one for each input.")
    ] = None,
    out: Annotated[
        Path | None, Option(help="Search folder to write.", show_default="runs/search-INPUT-1, -2, ...")
    ] = None,
    resume: Annotated[
        bool, Option("--resume", help="Resume the search in SEARCH, or join it as a further worker.")
    ] = False,
    vary: Annotated[
        list[str] | None,
        Option(
            metavar="NAME=VALUES",
            help="Setting to search: hidden, hidden=16..64 or cell=graves,lstm; repeat. If not given, all that the "
            "documentation lists; an option that is given as such stays fixed.",
        ),
    ] = None,
    preset: Preset = registry.DEFAULT,
    report: Annotated[bool, Option("--report/--no-report", help="Write report.html of each trial.")] = True,
    *,
    options: dict[str, Any],
) -> Any:
    """Search for the training settings that suit a recording, in many trials."""
    if folder and (not resume or out):
        raise InputError(folder, "a folder or file without an option", "wanted --input FILE, or SEARCH --resume alone")
    from dl4j_bridge.jobs.search import definition
    from dl4j_bridge.terminal import results
    from dl4j_bridge.with_report import search_and_report

    folder = folder or out
    if resume:
        if folder is None:
            raise InputError("--resume", "without --out", "wanted the search folder: search SEARCH --resume")
        found = definition.resume(folder, options)
    elif inputs:
        found = definition.Search.of(inputs, targets or [], preset, options, vary or [])
        folder = definition.begin(found, folder)
    else:
        raise InputError("--input", "not given", "wanted a recording")
    result, page = search_and_report(folder, found, report)
    results.print_search(result, page)
    content = result.as_dict() | {"report": str(page)}
    return content, 130 if result.interrupted else 0 if result.best else 1
