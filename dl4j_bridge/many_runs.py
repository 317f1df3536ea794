"""The commands that train many networks, `search` and `batch`, for `cli`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from dl4j_bridge.errors import InputError
from dl4j_bridge.tasks import registry
from dl4j_bridge.terminal.options import Preset

CoresPerRun = Annotated[int, Option(help="CPU cores of a run on Ray; a machine runs as many as fit.", min=1)]


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
    out: Annotated[Path | None, Option(help="Search folder to write.", show_default="below runs")] = None,
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
    cluster: Annotated[
        str | None,
        Option(
            metavar="ADDRESS",
            help="Run trials side by side on a Ray cluster, such as 10.0.0.1:6379, or local: on the cores of this "
            "machine. If not given, one after the other.",
        ),
    ] = None,
    cores_per_run: CoresPerRun = 1,
    report: Annotated[bool, Option("--report/--no-report", help="Write report.html of each trial.")] = True,
    *,
    options: dict[str, Any],
) -> Any:
    """Search for the training settings that suit a recording, in many trials."""
    if folder and (not resume or out):
        raise InputError(folder, "a folder or file without an option", "wanted --input FILE, or SEARCH --resume alone")
    from dl4j_bridge.jobs import ray_cluster
    from dl4j_bridge.jobs.search import definition
    from dl4j_bridge.terminal import results
    from dl4j_bridge.with_report import search_and_report

    if cluster:
        ray_cluster.require("--cluster")
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
    result, page = search_and_report(folder, found, report, cluster, cores_per_run)
    results.print_search(result, page)
    content = result.as_dict() | {"report": str(page)}
    return content, 130 if result.interrupted else 0 if result.best else 1


def batch(
    plan: Annotated[Path, Argument(metavar="PLAN.toml", help="Pairs of recordings, and options of train.")],
    out: Annotated[Path | None, Option(help="Folder for the run folders.", show_default="runs/PLAN")] = None,
    resume: Annotated[bool, Option("--resume", help="Run what is not trained yet, each from its last save.")] = False,
    cluster: Annotated[
        str | None,
        Option(metavar="ADDRESS", help="Ray cluster to run on, such as 10.0.0.1:6379; this machine if not given."),
    ] = None,
    cores_per_run: CoresPerRun = 1,
    report: Annotated[bool, Option("--report/--no-report", help="Write report.html of each run.")] = True,
) -> Any:
    """Train, export and compare a network for each pair of a plan, on the cores of one or many machines."""
    from dl4j_bridge.jobs import ray_cluster
    from dl4j_bridge.jobs.batch import plan as plans
    from dl4j_bridge.terminal import results
    from dl4j_bridge.with_report import batch_and_report

    ray_cluster.require("batch")
    found = plans.read(plan)
    folder = plans.prepared_folder(plan, out, resume)
    rows, interrupted, page = batch_and_report(found, folder, report, cluster or ray_cluster.LOCAL, cores_per_run)
    at = ["--cluster", cluster] if cluster else []
    results.print_batch(rows, page, ["dl4j-bridge", "batch", str(plan), "--out", str(folder), *at, "--resume"])
    trained = sum(row.state == "trained" for row in rows)
    content = {
        "batch": str(folder),
        "trained": trained,
        "failed": sum(row.state == "failed" for row in rows),
        "rows": [asdict(row) for row in rows],
        "interrupted": interrupted,
        "report": str(page),
    }
    return content, 130 if interrupted else 0 if trained == len(rows) else 1
