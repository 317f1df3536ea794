"""What a command prints when it is done: results on stdout, notes and the next command on stderr.

Import this after ``--quiet`` was parsed, as `terminal.console`.
"""

from __future__ import annotations

import platform
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape

from dl4j_bridge import __version__
from dl4j_bridge.errors import BridgeError
from dl4j_bridge.java.installation import find_java
from dl4j_bridge.java.jars import dl4j_version
from dl4j_bridge.tasks import columns
from dl4j_bridge.terminal import facts, tables
from dl4j_bridge.terminal.console import command_lines, hanging, line, print_error, print_notes, stderr

if TYPE_CHECKING:
    from dl4j_bridge.diagnostics.findings import Diagnosis
    from dl4j_bridge.jobs.batch.pair import Row
    from dl4j_bridge.jobs.search.outcome import SearchResult
    from dl4j_bridge.tasks.comparison import ComparisonResult

_TICK, _CROSS, _SKIPPED = "[green]✓[/]", "[red]✗[/]", "[yellow]–[/]"
_COLOURS = {"fault": "red", "warning": "yellow"}
# Fields of a doctor's result that are not one thing that was examined.
_NOT_EXAMINED = ("ok", "problems", "failed")


def print_trained(result: Mapping[str, Any], has_target: bool, has_report: bool = True) -> None:
    """Print how a training ended.

    Parameters
    ----------
    result
        ``run, steps, epochs, valid, stopped_because``, and ``grade`` if there is one.
    has_target
        True if the model turns an input into a target, False if it predicts the next sample.
    has_report
        Whether ``report.html`` was written.
    """
    folder = shlex.quote(result["run"])
    if result["stopped_because"] == "interrupted":
        line(f"interrupted at step {result['steps']}, saved; resume with:", stderr)
        _print_command(f"dl4j-bridge train {folder} --resume")
        return
    steps = columns.count(result["steps"], "step")
    line(
        f"{folder}: {steps}, {result['epochs']:.2f} epochs, stopped by {result['stopped_because']}; "
        f"validation {columns.validated(result['valid'], result.get('grade'))}"
    )
    if result["stopped_because"] == "solved":
        go_on = f"dl4j-bridge train {folder} --resume --no-stop-when-solved"
        line(f"the validation part is learned exactly; to go on: {go_on}")
    if has_report:
        line(f"look: {shlex.quote(result['run'] + '/report.html')}")
    use = "process --model {} --input X.wav --output Y.wav" if has_target else "generate --model {} --output Y.wav"
    _print_next(f"dl4j-bridge {use.format(folder)}")
    if result.get("grade"):
        line("what ESR and the others mean: dl4j-bridge diagnose --explain ESR", stderr)


def print_versions() -> None:
    """Print the versions of this program and of what it runs on; the JVM is not started for its own."""
    try:
        found = find_java()
        java = f"{found.version} ({found.source})"
    except BridgeError:
        java = "not found; see: dl4j-bridge doctor"
    versions = {"dl4j-bridge": __version__, "DL4J": dl4j_version(), "Java": java, "Python": platform.python_version()}
    for name, version in versions.items():
        print(f"{name} {version}")


def print_written(result: Mapping[str, Any]) -> None:
    """Print notes and which recording was written, how fast: ``notes, output, samples, samples_per_second, ...``."""
    print_notes(result["notes"])
    line(
        f"{result['output']}: {columns.count(result['samples'], 'sample')} at {result['rate']} Hz; "
        f"{result['samples_per_second']:,.0f} samples/s, {result['real_time_factor']:.2f} x real time"
    )


def print_processed(result: Mapping[str, Any]) -> None:
    """Print what was written, and an error for each recording that failed: as `jobs.process_files` returns it."""
    for written in result.get("outputs", [result]):
        print_written(written)
    for failed in result.get("failed", ()):
        print_error(failed["error"])


def print_exported(result: Mapping[str, Any]) -> None:
    """Print what was written, and how close it is to the model: as `jobs.export` returns it."""
    line(f"{result['output']}: {result['format']}, {columns.count(result['bytes'], 'byte')}")
    if "difference" in result:
        on = f"{columns.count(result['samples'], 'sample')} of {result['compared']}"
        line(f"read back, on {on}: differs from the model by {result['difference']:.2g}, ESR {result['esr']:.2g}")
    if result.get("silence"):
        line(f"feed {columns.count(result['silence'], 'sample')} of silence to it before a recording, as process does")


def print_adopted(result: Mapping[str, Any], has_target: bool) -> None:
    """Print notes, what a file became, how close the two are, and the next commands."""
    print_notes(result["notes"])
    line(f"{result['run']}: {result['network']}, {result['task']} at {result['rate']} Hz, from {result['format']}")
    on = columns.count(result["samples"], "sample")
    line(f"on {on} of noise: differs from the file's own arithmetic by {result['difference']:.2g}")
    folder = shlex.quote(result["run"])
    use = "process --model {} --input X.wav" if has_target else "generate --model {}"
    pair = "--input A.wav --target B.wav" if has_target else "--input A.wav"
    _print_next(
        f"dl4j-bridge {use.format(folder)} --output Y.wav",
        f"dl4j-bridge compare --model {folder} {pair}",
        f"dl4j-bridge train --from {folder} {pair} --out runs/mine",
    )


def print_described(path: Path, found: Mapping[str, Any]) -> None:
    """Print what a model file holds: as `jobs.describe` returns it."""
    if "task" in found:
        Console(highlight=False).print(facts.table(str(path), facts.of_model(path, found)))
    elif "format" in found:
        Console(highlight=False).print(facts.table(str(path), facts.of_other_program(path, found)))
    else:
        _print_network(path, found)


def _print_network(path: Path, network: Mapping[str, Any]) -> None:
    count = columns.count(network["parameters"], "parameter")
    rows = [{name: "" if x is None else escape(str(x)) for name, x in row.items()} for row in network["layers"]]
    Console().print(tables.plain(rows, escape(f"{path.name}: {network['kind']}, {count}, {network['data_type']}")))
    for name, shape in network["inputs"].items():
        line(f"input {name}: [{', '.join(map(str, shape))}]" if shape else f"input {name}")
    line(f"outputs: {', '.join(network['outputs'])}")
    line(f"updates so far: {network['updates']}; tBPTT: {network['tbptt'] or 'off'}")


def print_comparison(result: ComparisonResult, report: Path | None) -> None:
    """Print a comparison and its drift measurement, and where its page is."""
    print_notes(result.notes)
    Console().print(tables.comparison(result.rows, columns.evaluated(result.samples, result.part)))
    if result.verdict:
        line(result.verdict)
    if result.best_esr:
        line(result.beside_best)
    if result.drift:
        _print_drift(result.drift)
    if report:
        line(f"look: {report}")


def print_diagnosis(diagnosis: Diagnosis, report: Path | None) -> None:
    """Print the findings of a diagnosis with their evidence and fixes, and where its page is."""
    print_notes(diagnosis.notes)
    console = Console(highlight=False)
    for finding in diagnosis.findings:
        colour = _COLOURS[finding.severity]
        hanging(f"[{colour}]✗ {finding.code}[/] ({finding.severity}) ", finding.meaning, console)
        for fact in finding.facts:
            hanging("    ", fact, console)
        hanging("    [bold]fix:[/] ", finding.fix, console)
        if finding.command:
            console.print("    [bold]run:[/] ", end="")
            line(command_lines(finding.command, console, " " * 9).lstrip(), console)
        hanging("    [bold]more:[/] ", finding.docs, console)
    for bound in diagnosis.bounds:
        line(bound, console)
    if not diagnosis.findings:
        hanging(f"{_TICK} ", "nothing found that would keep a network from learning this", console)
    if report:
        line(f"look: {report}")
    _print_next(diagnosis.next)


def print_search(result: SearchResult, report: Path) -> None:
    """Print the best trials of a search, where its page is, and the next commands."""
    folder = shlex.quote(str(result.folder))
    ends = ", ".join(f"{count} {state}" for state, count in result.counts.items())
    print(f"{folder}: {columns.count(len(result.trials), 'trial')}: {ends}")
    for trial in result.trials:
        if trial.error:
            stderr.print(f"trial {trial.slot} failed: {trial.error}", soft_wrap=True, markup=False)
    if len(result.front) > 1:
        rows = [{"trial": str(trial.slot), **columns.spelled([trial.values])[0]} for trial in result.front]
        Console().print(tables.plain(rows, "trials that no other one beats in both"))
    if result.best:
        chosen = ", ".join(f"{name} {columns.plain(value) or 'none'}" for name, value in result.best.parameters.items())
        print(f"best: trial {result.best.slot}, {columns.listed(result.best.values)}: {chosen}")
    print(f"look: {report}")
    commands = [f"dl4j-bridge search {folder} --resume"] if result.is_left else []
    if result.best_run:
        model = shlex.quote(str(result.best_run))
        use = "process --model {} --input X.wav" if result.search.targets else "generate --model {}"
        commands.append(f"dl4j-bridge {use.format(model)} --output Y.wav")
        commands.append(f"dl4j-bridge export --model {model} --format onnx --output model.onnx")
    if commands:
        _print_next("\n  ".join(commands))


def print_batch(rows: Sequence[Row], report: Path, resume: Sequence[str]) -> None:
    """Print a table of the runs of a batch, what failed, and where its page is; `resume` are the words to resume it."""
    Console().print(tables.plain([{k: escape(cell) for k, cell in row.cells().items()} for row in rows], "runs"))
    for row in rows:
        if row.error:
            stderr.print(f"{row.name} failed: {row.error}", soft_wrap=True, markup=False)
    print(f"look: {report}")
    if any(row.state != "trained" for row in rows):
        _print_next(shlex.join(resume))


def print_doctor(result: Mapping[str, Any]) -> None:
    """Print a line for each thing that was examined, with the fix for what failed."""
    console = Console(highlight=False)
    examined = {name: value for name, value in result.items() if name not in _NOT_EXAMINED}
    width = max(len(name) for name in examined)
    for name, value in examined.items():
        if value is not None:
            mark, text = _TICK, _found(name, value)
        elif name in result["failed"]:
            mark, text = _CROSS, result["failed"][name]
        else:
            mark, text = _SKIPPED, "not examined: fix the others first"
        hanging(f"{mark} [bold]{name.removesuffix('_bytes'):{width}}[/] ", text, console)
    count = len(result["problems"])
    last = (_CROSS, columns.count(count, "problem")) if count else (_TICK, "nothing is missing; try: dl4j-bridge demo")
    hanging(f"{last[0]} ", last[1], console)


def print_fetched(found: Mapping[str, Any]) -> None:
    """Print what a start of Java will find: ``jars, fetched, archive``."""
    archive = found["archive"] or "none"
    line(f"{found['jars']} jars, {len(found['fetched'])} of them fetched; start-up archive: {archive}")


def print_demo(result: Mapping[str, Any], options: str) -> None:
    """Print what a demo made: ``rows, title, output, report``; `options` are those of the user's own training."""
    Console().print(tables.comparison(result["rows"], result["title"]))
    line(f"listen: {result['output']}\nlook:   {result['report']}")
    _print_next(f"dl4j-bridge train {options} --out runs/mine")


def _print_drift(drift: dict[str, Any]) -> None:
    Console().print(tables.plain(columns.drift_rows(drift), "free-running output over time"))
    if drift.get("track"):
        shares = ", ".join(f"{columns.column(name).name} {share:.0%}" for name, share in drift["outside"].items())
        line(f"seconds outside the range of the recording: {shares}")
    if "until" in drift:
        line(f"free-running output {columns.departure(drift)}")


def _print_next(*commands: str) -> None:
    line("next:", stderr)
    for command in commands:
        _print_command(command)


def _print_command(command: str) -> None:
    # A diagnosis may have a sentence instead.
    is_command = command.startswith("dl4j-bridge ")
    line(command_lines(command, stderr, "  ") if is_command else f"  {command}", stderr)


def _found(name: str, value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {v}" for key, v in value.items())
    return f"at most {value / 2**30:.1f} GiB" if name.endswith("_bytes") else str(value)
