"""The command line: each command parses its options, calls a job, and shows the result."""

import gc
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Argument, Option

from dl4j_bridge import many_runs
from dl4j_bridge.errors import InputError
from dl4j_bridge.settings.checks import check, one_of
from dl4j_bridge.settings.commands import (
    DECODES,
    AdoptSettings,
    CompareSettings,
    ExportSettings,
    GenerateSettings,
    ProcessSettings,
)
from dl4j_bridge.settings.search import SearchSettings
from dl4j_bridge.settings.training import DataSettings, NetworkSettings, RunSettings, TrainSettings
from dl4j_bridge.tasks import defaults, registry
from dl4j_bridge.terminal.completion import offer
from dl4j_bridge.terminal.failures import exit_status
from dl4j_bridge.terminal.options import Known, Model, Preset, Verbose, command, setting
from dl4j_bridge.terminal.training_options import DIAGNOSED, SEARCHED, TRAINING

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Train a DL4J GravesLSTM on a dry and a processed recording, and run it.",
)

_KNOWN = Known(defaults.in_words, defaults.values)


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[
        bool, Option("--version", help="Show the versions of this program, DL4J, Java and Python.")
    ] = False,
    offline: Annotated[
        bool, Option("--offline", help="Never use the network; report what is missing instead.")
    ] = False,
    verbose: Verbose = None,
) -> None:
    if offline:
        os.environ["DL4J_BRIDGE_OFFLINE"] = "1"
    if version:
        from dl4j_bridge.terminal.results import print_versions

        print_versions()
        raise typer.Exit


@command(app, "train --input dry.wav --target wet.wav --out runs/amp", TRAINING, _KNOWN)
def train(
    run_folder: Annotated[
        Path | None, Argument(metavar="[RUN]", help="With --resume: the run folder, as --out would name it.")
    ] = None,
    inputs: Annotated[
        list[Path] | None,
        Option(
            "--input", metavar="A.wav", help="Dry recording; repeat for several pairs. Without a target also a folder."
        ),
    ] = None,
    targets: Annotated[
        list[Path] | None, Option("--target", metavar="B.wav", help="Processed recording, one for each input.")
    ] = None,
    out: Annotated[Path | None, Option(help="Run folder to write.", show_default="runs/INPUT-1, -2, ...")] = None,
    start: Annotated[
        Path | None,
        Option("--from", metavar="M", help="Start from the network of a model, with its settings as the defaults."),
    ] = None,
    resume: Annotated[bool, Option("--resume", help="Resume the run in RUN or --out.")] = False,
    preset: Preset = registry.DEFAULT,
    tensorboard: Annotated[
        Path | None, Option(metavar="DIR", help="Folder to log scalars for TensorBoard into.")
    ] = None,
    mlflow: Annotated[
        str | None, Option(metavar="DIR", help="Folder or tracking URI of MLflow to log settings and scalars to.")
    ] = None,
    live: Annotated[
        bool, Option("--live", help="Show the training in a browser on this computer, at the address that is printed.")
    ] = False,
    report: Annotated[bool, Option("--report/--no-report", help="Write report.html and its plots.")] = True,
    *,
    options: dict[str, Any],
) -> Any:
    """Learn to turn INPUT into TARGET; without a target, learn to predict the next sample."""
    if run_folder and (not resume or out):
        raise InputError(run_folder, "a folder or file without an option", "wanted --input FILE, or RUN --resume alone")
    from dl4j_bridge.jobs import new_run, resumed_run
    from dl4j_bridge.model.model_zip import open_model
    from dl4j_bridge.terminal import results
    from dl4j_bridge.with_report import Watching, train_and_report

    watching = Watching(True, tensorboard, mlflow, live, report).checked()
    out = out or run_folder
    if resume:
        if out is None:
            raise InputError("--resume", "without --out", "wanted the run folder: train RUN --resume")
        changes = registry.preset_options(preset, registry.find(options.get("task", NetworkSettings.task)))
        run = resumed_run.resumed_run(out, changes | options, inputs or [], targets or [])
    elif inputs:
        opened = open_model(start) if start else None
        if opened:
            settings = new_run.settings_from(opened, options)
        else:
            settings = registry.train_settings(options, bool(targets), preset)
        run = new_run.new_run(inputs, targets or [], out, settings, opened)
    else:
        raise InputError("--input", "not given", "wanted a recording")
    result = train_and_report(run, watching)
    results.print_trained(result, run.task.predicts == "target", report)
    return result, 130 if result["stopped_because"] == "interrupted" else 0


@command(app, "process --model runs/amp --input guitar.wav --output out.wav", {None: ProcessSettings})
def process(
    model: Model,
    inputs: Annotated[
        list[Path], Option("--input", metavar="X.wav", help="Recording or folder to process; repeat for several.")
    ],
    output: Annotated[
        Path, Option("--output", metavar="Y.wav", help="Recording to write; of several, the folder for them.")
    ],
    options: dict[str, Any],
    channel: Annotated[int | None, setting(DataSettings, "channel")] = None,
    cluster: Annotated[
        str | None,
        Option(metavar="ADDRESS", help="Of several recordings: run them on a Ray cluster, or local: on all cores."),
    ] = None,
) -> Any:
    """Run recordings of any length through a model."""
    _start_java_early(model, *inputs)
    from dl4j_bridge.jobs.process_files import process_files
    from dl4j_bridge.terminal import progress, results

    with progress.samples_progress("process") as report:
        result = process_files(model, inputs, output, ProcessSettings(**options), channel, report, cluster)
    results.print_processed(result)
    return result, 1 if result.get("failed") else 0


@command(app, "generate --model runs/voice --output new.wav --seconds 10 --seed 7", {None: GenerateSettings})
def generate(
    model: Model,
    output: Annotated[Path, Option("--output", metavar="Y.wav", help="Recording to write.")],
    options: dict[str, Any],
    prime: Annotated[Path | None, Option(metavar="P.wav", help="Recording to feed to the network first.")] = None,
) -> Any:
    """Generate new audio from a model that predicts the next sample."""
    _start_java_early(model)
    from dl4j_bridge.jobs.generate import generate as generate_audio
    from dl4j_bridge.terminal import progress, results

    with progress.samples_progress("generate") as report:
        result = generate_audio(model, output, GenerateSettings(**options), prime, report)
    results.print_written(result)
    return result


@command(app, "compare --model runs/amp --input dry.wav --target wet.wav", {None: CompareSettings})
def compare(
    models: Annotated[
        list[Path],
        Option(
            "--model",
            metavar="M",
            help="A run folder, a model zip, a .nam of the architecture LSTM, or an .onnx that export wrote; "
            "repeat to see several side by side.",
        ),
    ],
    source: Annotated[Path, Option("--input", metavar="A.wav", help="Dry recording.")],
    target: Annotated[Path | None, Option(metavar="B.wav", help="Processed recording.")] = None,
    *,
    options: dict[str, Any],
    out: Annotated[
        Path | None, Option(help="Folder for report.html.", show_default="compare, beside the model file")
    ] = None,
) -> Any:
    """Evaluate models and the pure-Python baselines on the same held-out samples."""
    from dl4j_bridge.terminal import results
    from dl4j_bridge.with_report import compare_and_report

    settings = CompareSettings(**options)
    result, page = compare_and_report(models, source, target, settings, out)
    results.print_comparison(result, page)
    written = {"wavs": settings.wavs, "plot": settings.plot, "report": page}
    return result.as_dict() | {name: file and str(file) for name, file in written.items()}


@command(app, "export --model runs/amp --format onnx --output amp.onnx", {None: ExportSettings})
def export(
    model: Model,
    format: Annotated[
        str,
        Option(
            help="onnx, nam (Neural Amp Modeler), rtneural (AIDA-X), proteus or dl4j (Java).",
            autocompletion=offer("dl4j_bridge.model.exports:FORMATS"),
        ),
    ],
    output: Annotated[Path, Option("--output", metavar="FILE", help="File to write.")],
    options: dict[str, Any],
) -> Any:
    """Write a model for another program, after comparing the two."""
    from dl4j_bridge.jobs.export import export as export_model
    from dl4j_bridge.terminal import progress, results

    with progress.working("export: writing the file and comparing it with the model"):
        result = export_model(model, format, output, ExportSettings(**options))
    results.print_exported(result)
    return result


@command(app, "adopt amp.nam --out runs/amp", {None: AdoptSettings})
def adopt(
    file: Annotated[
        Path, Argument(metavar="FILE", help="A .nam file, a PyTorch state_dict, a DL4J zip, RTNeural or Proteus JSON.")
    ],
    options: dict[str, Any],
    out: Annotated[Path | None, Option(help="Run folder to write.", show_default="runs/FILE-1, -2, ...")] = None,
) -> Any:
    """Make a run folder from a model of another program, after comparing the two."""
    from dl4j_bridge.jobs.adopt import adopt as adopt_model
    from dl4j_bridge.terminal import results

    result = adopt_model(file, out, AdoptSettings(**options))
    results.print_adopted(result, result["predicts"] == "target")
    return result


@command(app, "diagnose --input dry.wav --target wet.wav --quick", DIAGNOSED, _KNOWN)
def diagnose(
    source: Annotated[Path | None, Option("--input", metavar="A.wav", help="Dry recording.")] = None,
    target: Annotated[
        Path | None, Option(metavar="B.wav", help="Processed recording; none to predict the next sample.")
    ] = None,
    model: Annotated[Path | None, Option(metavar="M", help="A run folder or a model zip to examine as well.")] = None,
    processed: Annotated[
        Path | None, Option(metavar="Y.wav", help="With --model: your own program's output for --input.")
    ] = None,
    decode: Annotated[
        str,
        Option(
            help="With --model: how your program makes samples: mean, argmax or sample.",
            autocompletion=offer(lambda: DECODES[1:]),
        ),
    ] = "mean",
    iterator: Annotated[str | None, Option(metavar="CLASS", help="A DataSetIterator of your own to examine.")] = None,
    classpath: Annotated[str | None, Option(metavar="JARS", help="With --iterator: where its class is.")] = None,
    preset: Preset = registry.DEFAULT,
    quick: Annotated[bool, Option("--quick", help="Under a minute: shorter trials.")] = False,
    out: Annotated[
        Path | None, Option(help="Folder for report.html.", show_default="runs/diagnose-INPUT-1, ...")
    ] = None,
    explain: Annotated[
        str | None,
        Option(
            metavar="CODE",
            help="Print what a finding or a metric such as ESR means, and nothing else.",
            autocompletion=offer("dl4j_bridge.diagnostics.explanations:codes"),
        ),
    ] = None,
    *,
    options: dict[str, Any],
) -> Any:
    """Find out why a network does not learn, or why its output is bad: recordings, tensors, network, learning."""
    if explain:
        from dl4j_bridge.diagnostics import explanations
        from dl4j_bridge.terminal.console import markdown

        text = explanations.explain(explain)
        markdown(text)
        return {"code": explain, "meaning": explanations.meaning(explain), "text": text}
    from dl4j_bridge.jobs.diagnose import Request
    from dl4j_bridge.terminal import results
    from dl4j_bridge.with_report import diagnose_and_report

    settings = registry.train_settings(options, target is not None, preset)
    request = Request(source, target, settings, model, processed, decode, iterator, classpath, quick, bool(options))
    found, page = diagnose_and_report(request, out, True)
    results.print_diagnosis(found, page)
    return found.as_dict() | {"report": page and str(page)}, 0 if found.verdict == "ok" else 1


@command(app, "doctor --json")
def doctor(
    threads: Annotated[int | None, setting(RunSettings, "threads")] = None,
    backend: Annotated[str, setting(RunSettings, "backend")] = RunSettings.backend,
) -> Any:
    """Check Java, jars, backend and audio library: what is wrong and how to fix it."""
    from dl4j_bridge.jobs.doctor import examine
    from dl4j_bridge.terminal import results

    settings = TrainSettings().with_options({"threads": threads, "backend": backend})
    result = examine(settings.threads, settings.run.backend)
    results.print_doctor(result)
    return result, 1 if result["problems"] else 0


@command(app, "fetch")
def fetch() -> Any:
    """Fetch what the first start needs: DL4J's jars for this platform, and Java's start-up archive."""
    from dl4j_bridge.java import fetching, jvm
    from dl4j_bridge.terminal import results

    fetched = fetching.fetch_missing()
    found = {"fetched": [jar.coordinates for jar in fetched], **jvm.prepare()}
    results.print_fetched(found)
    return found


@command(app, "info runs/amp")
def info(
    model: Annotated[
        Path,
        Argument(metavar="M", help="A run folder, a model zip, the zip of any DL4J network, or a .nam or .json file."),
    ],
    as_json: bool,
) -> Any:
    """Show what a model file holds: a table for people, everything with --json."""
    from dl4j_bridge.jobs.describe import describe
    from dl4j_bridge.terminal import results

    content = describe(model)
    if not as_json:
        results.print_described(model, content)
    return content


@command(app, "demo --minutes 1")
def demo(
    task: Annotated[
        str,
        Option(
            help=f"Task to show: {', '.join(registry.KINDS)}, sag (samples with another effect), "
            "next-frame (frames without target).",
            autocompletion=offer("dl4j_bridge.demos:YOURS"),
        ),
    ] = NetworkSettings.task,
    out: Annotated[Path | None, Option(help="Folder to write.", show_default="runs/demo-1, -2, ...")] = None,
    minutes: Annotated[float | None, setting(RunSettings, "minutes")] = None,
    steps: Annotated[int | None, setting(RunSettings, "steps")] = None,
) -> Any:
    """A task end to end on recordings that the package makes: train, compare, process or generate, report."""
    from dl4j_bridge import demos
    from dl4j_bridge.terminal import progress, results
    from dl4j_bridge.terminal.console import line, stderr

    check("task", task, one_of(demos.YOURS))
    if minutes is None and steps is None:
        minutes = demos.MINUTES
    limits = {"minutes": minutes, "steps": steps}
    TrainSettings().with_options(limits)
    with progress.training_progress() as report:
        result = demos.run(task, out, limits, lambda text: line(text, stderr), report)
    if result["stopped_because"] == "interrupted":
        results.print_trained(result, has_target=True)
        return result, 130
    results.print_demo(result, demos.YOURS[task])
    return result


command(
    app,
    "search --input dry.wav --target wet.wav --trials 40 --minutes 240",
    {"Search": SearchSettings, **SEARCHED},
    _KNOWN,
)(many_runs.search)


command(app, "batch captures.toml --out runs/captures")(many_runs.batch)


def _start_java_early(*files: Path) -> None:
    """Start Java before the imports of a command, which take as long, unless a file is missing."""
    if all(file.exists() for file in files):
        from dl4j_bridge.java import jvm

        jvm.start_early()


def main() -> None:
    """Run a command; a user's mistake ends in one line on stderr and exit status 2."""
    # For NumPy, before its import: its products are small here, and threads wait for each other on a busy machine.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Imports make many objects and no garbage; looking for some took a twentieth of the time of a short command.
    gc.set_threshold(20_000)
    # No window is opened, and matplotlib fails if it does not know the name.
    os.environ.pop("MPLBACKEND", None)
    status = exit_status(app)
    gc.freeze()  # Else Python looks through all objects for garbage once more at its end.
    sys.exit(status)
