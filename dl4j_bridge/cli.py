"""The command line: each command parses its options, calls a job, and shows the result."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from dl4j_bridge import __version__
from dl4j_bridge.errors import InputError
from dl4j_bridge.settings.commands import CompareSettings, GenerateSettings, ProcessSettings
from dl4j_bridge.settings.training import (
    DataSettings,
    NetworkSettings,
    RunSettings,
    SmallDataSettings,
    TaskSettings,
    TrainSettings,
)
from dl4j_bridge.tasks import registry
from dl4j_bridge.terminal.failures import exit_status
from dl4j_bridge.terminal.options import Model, Preset, Verbose, command, flag, given, setting

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Train a DL4J GravesLSTM on a dry and a processed recording, and run it.",
)

_TRAINING: dict[str, type] = {
    "Recordings": DataSettings,
    "Network": NetworkSettings,
    "Training": RunSettings,
    "Small data": SmallDataSettings,
} | {f"With --task {kind.name}": kind.settings for kind in registry.KINDS.values() if kind.settings is not TaskSettings}


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="Never use the network; report what is missing instead.")
    ] = False,
    verbose: Verbose = None,
) -> None:
    if offline:
        os.environ["DL4J_BRIDGE_OFFLINE"] = "1"
    if version:
        print(__version__)
        raise typer.Exit


@command(
    app,
    "Learn to turn INPUT into TARGET; without a target, learn to predict the next sample.",
    example="dl4j-bridge train --input dry.wav --target wet.wav --out runs/amp",
    settings=_TRAINING,
)
def train(
    options: dict[str, Any],
    run_folder: Annotated[
        Path | None, typer.Argument(metavar="[RUN]", help="With --resume: the run folder, as --out would name it.")
    ] = None,
    inputs: Annotated[
        list[Path] | None,
        typer.Option(
            "--input", metavar="A.wav", help="Dry recording; repeat for several pairs. Without a target also a folder."
        ),
    ] = None,
    targets: Annotated[
        list[Path] | None, typer.Option("--target", metavar="B.wav", help="Processed recording, one for each input.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Run folder to write.", show_default="runs/INPUT-1, -2, ...")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Resume the run in RUN or --out.")] = False,
    preset: Preset = "default",
    tensorboard: Annotated[
        Path | None, typer.Option("--tensorboard", metavar="DIR", help="Folder to log scalars for TensorBoard into.")
    ] = None,
) -> Any:
    if run_folder and (not resume or out):
        raise InputError(run_folder, "a folder or file without an option", "wanted --input FILE, or RUN --resume alone")
    from dl4j_bridge.jobs import tensorboard_log

    if tensorboard:
        tensorboard_log.check(tensorboard)
    out = out or run_folder
    if resume:
        run = _resumed(inputs, targets, out, preset, options)
    elif inputs:
        settings = registry.train_settings(options, bool(targets), preset)
        from dl4j_bridge.jobs.new_run import new_run

        run = new_run(inputs, targets or [], out, settings)
    else:
        raise InputError("--input", "not given", "wanted a recording")
    from dl4j_bridge.jobs.held_out import curves_and_excerpt
    from dl4j_bridge.jobs.train import train as train_run
    from dl4j_bridge.report import run as run_report
    from dl4j_bridge.terminal import progress, results

    progress.announce(run)
    with progress.training_progress() as show, tensorboard_log.scalars(run, tensorboard, show) as report:
        result = train_run(run, report)
    run_report.write(run, *curves_and_excerpt(run))
    results.print_trained(result, run.task.predicts == "target")
    return result, 130 if result["stopped_because"] == "interrupted" else 0


def _resumed(
    inputs: list[Path] | None, targets: list[Path] | None, out: Path | None, preset: str, options: dict[str, Any]
) -> Any:
    from dl4j_bridge.jobs.resumed_run import resumed_run
    from dl4j_bridge.settings.checks import check_choice
    from dl4j_bridge.settings.presets import PRESETS

    if out is None:
        raise InputError("--resume", "without --out", "wanted the run folder: train RUN --resume")
    check_choice("preset", preset, PRESETS)
    return resumed_run(out, PRESETS[preset] | options, inputs or [], targets or [])


@command(
    app,
    "Run a recording of any length through a model.",
    example="dl4j-bridge process --model runs/amp --input guitar.wav --output out.wav",
)
def process(
    model: Model,
    source: Annotated[Path, typer.Option("--input", metavar="X.wav", help="Recording to process.")],
    output: Annotated[Path, typer.Option("--output", metavar="Y.wav", help="Recording to write.")],
    decode: Annotated[str | None, setting(ProcessSettings, "decode")] = None,
    seed: Annotated[int | None, setting(ProcessSettings, "seed")] = None,
    chunk: Annotated[int | None, setting(ProcessSettings, "chunk")] = None,
    channel: Annotated[int | None, setting(DataSettings, "channel")] = None,
) -> Any:
    from dl4j_bridge.jobs.process import process as process_recording
    from dl4j_bridge.terminal import progress, results

    settings = given(ProcessSettings, decode=decode, seed=seed, chunk=chunk)
    with progress.samples_progress("process") as report:
        result = process_recording(model, source, output, settings, channel, report)
    results.print_notes(result["notes"])
    results.print_written(result)
    return result


@command(
    app,
    "Generate new audio from a model that predicts the next sample.",
    example="dl4j-bridge generate --model runs/voice --output new.wav --seconds 10 --seed 7",
)
def generate(
    model: Model,
    output: Annotated[Path, typer.Option("--output", metavar="Y.wav", help="Recording to write.")],
    seconds: Annotated[float, typer.Option("--seconds", help="Length of the new audio.")] = 10.0,
    prime: Annotated[
        Path | None, typer.Option("--prime", metavar="P.wav", help="Recording to feed to the network first.")
    ] = None,
    temperature: Annotated[float | None, setting(GenerateSettings, "temperature")] = None,
    top_p: Annotated[float | None, setting(GenerateSettings, "top_p")] = None,
    seed: Annotated[int | None, setting(GenerateSettings, "seed")] = None,
    steer: Annotated[bool, flag(GenerateSettings, "steer", negative=True)] = GenerateSettings.steer,
) -> Any:
    from dl4j_bridge.jobs.generate import generate as generate_audio
    from dl4j_bridge.terminal import progress, results

    settings = given(GenerateSettings, temperature=temperature, top_p=top_p, seed=seed, steer=steer)
    with progress.samples_progress("generate") as report:
        result = generate_audio(model, output, seconds, settings, prime, report)
    results.print_notes(result["notes"])
    results.print_written(result)
    return result


@command(
    app,
    "Evaluate a model and the pure-Python baselines on the same held-out samples.",
    example="dl4j-bridge compare --model runs/amp --input dry.wav --target wet.wav",
)
def compare(
    model: Model,
    source: Annotated[Path, typer.Option("--input", metavar="A.wav", help="Dry recording.")],
    target: Annotated[Path | None, typer.Option("--target", metavar="B.wav", help="Processed recording.")] = None,
    wavs: Annotated[Path | None, setting(CompareSettings, "wavs")] = None,
    plot: Annotated[Path | None, setting(CompareSettings, "plot")] = None,
    pytorch: Annotated[bool, flag(CompareSettings, "pytorch")] = False,
    pytorch_steps: Annotated[int | None, setting(CompareSettings, "pytorch_steps")] = None,
    drift_seconds: Annotated[float | None, setting(CompareSettings, "drift_seconds")] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for report.html.", show_default="compare, beside the model file"),
    ] = None,
) -> Any:
    from dl4j_bridge.atomic_files import check_folder
    from dl4j_bridge.jobs.compare import compare as compare_models
    from dl4j_bridge.jobs.compare import report_folder
    from dl4j_bridge.report import bars, comparison
    from dl4j_bridge.terminal import progress, results

    options = {"wavs": wavs, "plot": plot, "pytorch_steps": pytorch_steps, "drift_seconds": drift_seconds}
    settings = given(CompareSettings, pytorch=pytorch, **options)
    folder = out or report_folder(model)
    if out or folder.parent.is_dir():
        check_folder(folder)
    with progress.samples_progress("compare") as report:
        result = compare_models(model, source, target, settings, report)
    if plot:
        bars.plot(plot, result.rows, result.chart)
    page = comparison.write(folder, f"Comparison on {source.name}", result)
    results.print_comparison(result, page)
    written = {"wavs": wavs, "plot": plot, "report": page}
    return result.as_dict() | {name: file and str(file) for name, file in written.items()}


@command(
    app,
    "Find out why a network does not learn, or why its output is bad: recordings, tensors, network, learning.",
    example="dl4j-bridge diagnose --input dry.wav --target wet.wav --quick",
    settings=_TRAINING,
)
def diagnose(
    options: dict[str, Any],
    source: Annotated[Path | None, typer.Option("--input", metavar="A.wav", help="Dry recording.")] = None,
    target: Annotated[
        Path | None,
        typer.Option("--target", metavar="B.wav", help="Processed recording; none to predict the next sample."),
    ] = None,
    model: Annotated[
        Path | None, typer.Option("--model", metavar="M", help="A run folder or a model zip to examine as well.")
    ] = None,
    processed: Annotated[
        Path | None,
        typer.Option("--processed", metavar="Y.wav", help="With --model: your own program's output for --input."),
    ] = None,
    decode: Annotated[
        str, typer.Option("--decode", help="With --model: how your program makes samples: mean, argmax or sample.")
    ] = "mean",
    iterator: Annotated[
        str | None, typer.Option("--iterator", metavar="CLASS", help="A DataSetIterator of your own to examine.")
    ] = None,
    classpath: Annotated[
        str | None, typer.Option("--classpath", metavar="JARS", help="With --iterator: where its class is.")
    ] = None,
    preset: Preset = "default",
    quick: Annotated[bool, typer.Option("--quick", help="Under a minute: shorter trials.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for report.html.", show_default="runs/diagnose-INPUT-1, ...")
    ] = None,
) -> Any:
    from dl4j_bridge.jobs.diagnose import Request
    from dl4j_bridge.jobs.diagnose import diagnose as examine
    from dl4j_bridge.model.run_folder import RunFolder
    from dl4j_bridge.report import diagnosis
    from dl4j_bridge.terminal import progress, results

    settings = registry.train_settings(options, target is not None, preset)
    request = Request(
        source, target, settings, model, processed, decode, iterator, classpath, quick, given=bool(options)
    )
    if out:
        RunFolder(out).check_free()
    with progress.checks_progress() as report:
        found = examine(request, report)
    page = None
    if source:
        folder = RunFolder.made(out, Path(f"diagnose-{source.stem}"))
        page = diagnosis.write(folder.path, found)
    results.print_diagnosis(found, page)
    return found.as_dict() | {"report": page and str(page)}, 0 if found.verdict == "ok" else 1


@command(
    app,
    "Check Java, jars, backend and audio library: what is wrong and how to fix it.",
    example="dl4j-bridge doctor --json",
)
def doctor(
    threads: Annotated[int | None, setting(RunSettings, "threads")] = None,
    backend: Annotated[str | None, setting(RunSettings, "backend")] = None,
) -> Any:
    from dl4j_bridge.jobs.doctor import examine
    from dl4j_bridge.terminal import results

    wanted = {name: value for name, value in (("threads", threads), ("backend", backend)) if value is not None}
    settings = TrainSettings().with_options(wanted)
    result = examine(settings.threads, settings.run.backend)
    results.print_doctor(result)
    return result, 1 if result["problems"] else 0


@command(
    app,
    "Fetch what the first start needs: DL4J's jars for this platform, and Java's start-up archive.",
    example="dl4j-bridge fetch",
)
def fetch() -> Any:
    from dl4j_bridge.java import fetching, jvm
    from dl4j_bridge.terminal import results

    fetched = fetching.fetch_missing()
    found = {"fetched": [jar.coordinates for jar in fetched], **jvm.prepare()}
    results.print_fetched(found)
    return found


@command(app, "Show what a model file holds.", example="dl4j-bridge info runs/amp")
def info(
    model: Annotated[Path, typer.Argument(metavar="M", help="A run folder or a model zip.")],
    as_json: bool,
) -> Any:
    from dl4j_bridge.model.model_zip import open_model
    from dl4j_bridge.terminal import results

    content = open_model(model).info.as_dict()
    if not as_json:
        results.print_model(content)
    return content


@command(
    app,
    "A task end to end on recordings that the package makes: train, compare, process or generate, report.",
    example="dl4j-bridge demo --minutes 1",
)
def demo(
    task: Annotated[
        str,
        typer.Option("--task", help=f"Task to show: {', '.join(registry.KINDS)}, next-frame (frames without target)."),
    ] = NetworkSettings.task,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder to write.", show_default="runs/demo-1, -2, ...")
    ] = None,
    minutes: Annotated[float | None, setting(RunSettings, "minutes")] = None,
    steps: Annotated[int | None, setting(RunSettings, "steps")] = None,
) -> Any:
    from dl4j_bridge import demos
    from dl4j_bridge.settings.checks import check_choice
    from dl4j_bridge.terminal import progress, results
    from dl4j_bridge.terminal.console import stderr

    check_choice("task", task, demos.NAMES)
    if minutes is None and steps is None:
        minutes = demos.MINUTES
    limits = {"minutes": minutes, "steps": steps}
    TrainSettings().with_options(limits)
    with progress.training_progress() as report:
        result = demos.run(task, out, limits, lambda text: stderr.print(text, soft_wrap=True, markup=False), report)
    if result["stopped_because"] == "interrupted":
        results.print_trained(result, has_target=True)
        return result, 130
    results.print_demo(result, demos.YOURS[task])
    return result


def main() -> None:
    """Run a command; a user's mistake ends in one line on stderr and exit status 2."""
    # NumPy's products are small here: on a busy machine its threads wait for each other twenty times as long as one
    # product takes. The variable must be set before NumPy is imported.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    sys.exit(exit_status(app))
