"""The command line: parse, call, print. One short function a command."""

from __future__ import annotations

import functools
import inspect
import json
import os
import sys
from collections.abc import Callable
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer

from dl4j_bridge import __version__
from dl4j_bridge.errors import BridgeError, InputError
from dl4j_bridge.settings import config

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Train a DL4J GravesLSTM on a dry and a processed recording, and run it.",
)

_SETTINGS = {
    field.name: field
    for group in (
        config.GenerateSettings,
        config.ProcessSettings,
        config.CompareSettings,
        config.DataSettings,
        config.NetworkSettings,
        config.RunSettings,
        config.FrameSettings,
        config.SmallDataSettings,
        config.SpectrogramSettings,
    )
    for field in fields(group)
}


def _setting(name: str, panel: str | None = None, of: type | None = None) -> Any:
    """An option for a settings field: its help and its default as `config` has them; None stands for not given."""
    field = _SETTINGS[name] if of is None else next(f for f in fields(of) if f.name == name)
    default = None if field.default in (None, MISSING) else str(field.default)
    names = [config.option(name), *field.metadata.get("also", ())]
    return typer.Option(*names, help=field.metadata["help"], show_default=default or False, rich_help_panel=panel)


_TRAINING = {
    config.DataSettings: "Recordings",
    config.NetworkSettings: "Network",
    config.RunSettings: "Training",
    config.FrameSettings: "With --task frames",
    config.SmallDataSettings: "Small data",
    config.SpectrogramSettings: "With --task spectrogram",
}


def _takes_training_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for every setting of training; it gets those given as the dict `options`."""
    own = inspect.signature(function, eval_str=True).parameters
    added = {}
    for group, panel in _TRAINING.items():
        for name, kind in get_type_hints(group).items():
            hint = Annotated[kind | None, _setting(name, panel, group)]  # type: ignore[valid-type]
            added[name] = inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=hint)

    @functools.wraps(function)
    def command(**given: Any) -> None:
        del given["config_file"]
        options = {name: value for name in added if (value := given.pop(name)) is not None}
        function(options=options, **given)

    parameters = [*(p.replace(kind=p.KEYWORD_ONLY) for name, p in own.items() if name != "options"), *added.values()]
    parameters.append(_config_option(parameters))
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command


def _config_option(parameters: list[inspect.Parameter]) -> inspect.Parameter:
    """Make `--config`: a file whose values stand in for the options that are not given."""

    def read(context: typer.Context, path: Path | None) -> Path | None:
        if path and not context.resilient_parsing:
            from dl4j_bridge.settings import toml_file

            spelt = {p.name: p.opts[0].removeprefix("--") for p in context.command.params}
            hints = {spelt[p.name]: p for p in parameters if p.name not in NOT_IN_A_FILE}
            keys = {key: toml_file.Option(p.name, *_kind(p.annotation)) for key, p in hints.items()}
            context.default_map = toml_file.read(path, keys)
        return path

    text = "TOML file with any of these options (hidden = 200); the command line wins."
    option = typer.Option("--config", metavar="FILE.toml", help=text, callback=read, is_eager=True)
    hint = Annotated[Path | None, option]
    return inspect.Parameter("config_file", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=hint)


def _kind(annotation: Any) -> tuple[type, bool]:
    """Give the type of an option's values, and whether it holds several."""
    hint = get_args(annotation)[0]
    kind = next((k for k in get_args(hint) if k is not type(None)), hint)
    return (get_args(kind)[0], True) if get_origin(kind) is list else (kind, False)


def _flag(name: str) -> Any:
    """An option that is off if not given."""
    return typer.Option(config.option(name), help=_SETTINGS[name].metadata["help"], show_default=False)


Model = Annotated[Path, typer.Option("--model", metavar="M", help="A run folder or a model zip.")]
Preset = Annotated[str, typer.Option("--preset", help=f"Settings to begin from: {', '.join(config.PRESETS)}.")]
# What is looked at before a file is read, and what is no option.
NOT_IN_A_FILE = ("debug", "verbose", "config_file", "run_folder")


def _talk(verbose: bool | None) -> bool | None:
    """Set how much is said, for `console` and `jvm`, which are not imported yet."""
    if verbose is not None:
        import logging

        logging.basicConfig(format="%(message)s")
        logging.getLogger("dl4j_bridge").setLevel(logging.INFO if verbose else logging.ERROR)
    return verbose


Verbose = Annotated[
    bool | None,
    typer.Option(
        "--verbose/--quiet",
        "-v/-q",
        callback=_talk,
        show_default=False,
        help="Show settings, the JVM's options and Java's log; or nothing but errors and the result.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="End stdout with one JSON object.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="Never touch the network; say what is missing instead.")
    ] = False,
    verbose: Verbose = None,
) -> None:
    if offline:
        os.environ["DL4J_BRIDGE_OFFLINE"] = "1"
    if version:
        print(__version__)
        raise typer.Exit


@app.command(
    epilog="Example: dl4j-bridge train --input dry.wav --target wet.wav --out runs/amp",
    help="Learn to turn INPUT into TARGET; without a target, learn to predict the next sample.",
)
@_takes_training_options
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
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in RUN or --out.")] = False,
    preset: Preset = "default",
    tensorboard: Annotated[
        Path | None, typer.Option("--tensorboard", metavar="DIR", help="Folder to log scalars for TensorBoard into.")
    ] = None,
    as_json: Json = False,
    verbose: Verbose = None,
    debug: Debug = False,
) -> None:
    if run_folder and (not resume or out):
        raise InputError(run_folder, "a folder or file without an option", "wanted --input FILE, or RUN --resume alone")
    from dl4j_bridge.jobs import tensorboard_log

    if tensorboard:
        tensorboard_log.check(tensorboard)
    out = out or run_folder
    if resume:
        run = _resumed(inputs, targets, out, preset, options)
    elif inputs:
        settings = config.preset(preset, bool(targets), options.get("task", "samples")).with_options(options)
        from dl4j_bridge.jobs import training

        run = training.new_run(inputs, targets or [], out, settings)
    else:
        raise InputError("--input", "not given", "wanted a recording")
    from dl4j_bridge.jobs import training
    from dl4j_bridge.report import run as run_report
    from dl4j_bridge.terminal.progress import announce, training_progress

    announce(run)
    with training_progress() as show, tensorboard_log.scalars(run, tensorboard, show) as report:
        result = training.train(run, report)
    run_report.write(run)
    interrupted = result["stopped_because"] == "interrupted"
    _print_trained(result, bool(run.pairs[0].target))
    _print_json(as_json, result)
    if interrupted:
        raise typer.Exit(130)


def _resumed(
    inputs: list[Path] | None, targets: list[Path] | None, out: Path | None, preset: str, options: dict[str, Any]
) -> Any:
    from dl4j_bridge.jobs import training

    if out is None:
        raise InputError("--resume", "without --out", "wanted the run folder: train RUN --resume")
    config.preset(preset)
    return training.resumed_run(out, config.PRESETS[preset] | options, inputs or [], targets or [])


def _print_trained(result: dict[str, Any], has_target: bool) -> None:
    import shlex

    from rich.markup import escape

    from dl4j_bridge.terminal import tables
    from dl4j_bridge.terminal.console import stderr

    folder = shlex.quote(result["run"])
    if result["stopped_because"] == "interrupted":
        stderr.print(f"interrupted at step {result['steps']}, saved; go on with:")
        stderr.print(f"  dl4j-bridge train {escape(folder)} --resume", soft_wrap=True)
        return
    print(
        f"{folder}: {result['steps']} steps, {result['epochs']:.2f} epochs, stopped by {result['stopped_because']}; "
        f"validation {tables.validated(result['valid'])}"
    )
    print(f"look: {shlex.quote(result['run'] + '/report.html')}")
    following = (
        "process --model {} --input X.wav --output Y.wav" if has_target else "generate --model {} --output Y.wav"
    )
    stderr.print(f"next:\n  dl4j-bridge {following.format(escape(folder))}", soft_wrap=True)


@app.command(
    epilog="Example: dl4j-bridge process --model runs/amp --input guitar.wav --output out.wav",
    help="Run a recording of any length through a model.",
)
def process(
    model: Model,
    source: Annotated[Path, typer.Option("--input", metavar="X.wav", help="Recording to process.")],
    output: Annotated[Path, typer.Option("--output", metavar="Y.wav", help="Recording to write.")],
    decode: Annotated[str | None, _setting("decode")] = None,
    seed: Annotated[int | None, _setting("seed", of=config.ProcessSettings)] = None,
    chunk: Annotated[int | None, _setting("chunk")] = None,
    channel: Annotated[int | None, _setting("channel")] = None,
    as_json: Json = False,
    verbose: Verbose = None,
    debug: Debug = False,
) -> None:
    from dl4j_bridge.jobs import processing
    from dl4j_bridge.terminal.progress import samples_progress

    settings = _given(config.ProcessSettings, decode=decode, seed=seed, chunk=chunk)
    with samples_progress("process") as report:
        result = processing.process(model, source, output, settings, channel, report)
    _print_notes(result)
    _print_written(result)
    _print_json(as_json, result)


@app.command(
    epilog="Example: dl4j-bridge generate --model runs/voice --output new.wav --seconds 10 --seed 7",
    help="Draw new audio from a model that predicts the next sample.",
)
def generate(
    model: Model,
    output: Annotated[Path, typer.Option("--output", metavar="Y.wav", help="Recording to write.")],
    seconds: Annotated[float, typer.Option("--seconds", help="Length of the new audio.")] = 10.0,
    prime: Annotated[Path | None, typer.Option("--prime", metavar="P.wav", help="Recording to hear first.")] = None,
    temperature: Annotated[float | None, _setting("temperature")] = None,
    top_p: Annotated[float | None, _setting("top_p")] = None,
    seed: Annotated[int | None, _setting("seed", of=config.GenerateSettings)] = None,
    steer: Annotated[bool, typer.Option("--steer/--no-steer", help=_SETTINGS["steer"].metadata["help"])] = True,
    as_json: Json = False,
    verbose: Verbose = None,
    debug: Debug = False,
) -> None:
    from dl4j_bridge.jobs import generation
    from dl4j_bridge.terminal.progress import samples_progress

    settings = _given(config.GenerateSettings, temperature=temperature, top_p=top_p, seed=seed, steer=steer)
    with samples_progress("generate") as report:
        result = generation.generate(model, output, seconds, settings, prime, report)
    _print_notes(result)
    _print_written(result)
    _print_json(as_json, result)


@app.command(
    epilog="Example: dl4j-bridge compare --model runs/amp --input dry.wav --target wet.wav",
    help="Judge a model and the pure-Python baselines on the same held-out samples.",
)
def compare(
    model: Model,
    source: Annotated[Path, typer.Option("--input", metavar="A.wav", help="Dry recording.")],
    target: Annotated[Path | None, typer.Option("--target", metavar="B.wav", help="Processed recording.")] = None,
    wavs: Annotated[Path | None, _setting("wavs")] = None,
    plot: Annotated[Path | None, _setting("plot")] = None,
    pytorch: Annotated[bool, _flag("pytorch")] = False,
    pytorch_steps: Annotated[int | None, _setting("pytorch_steps")] = None,
    drift_seconds: Annotated[float | None, _setting("drift_seconds")] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for report.html.", show_default="compare, beside the model file"),
    ] = None,
    as_json: Json = False,
    verbose: Verbose = None,
    debug: Debug = False,
) -> None:
    from dl4j_bridge.jobs import comparing
    from dl4j_bridge.terminal import tables
    from dl4j_bridge.terminal.progress import samples_progress

    options = {"wavs": wavs, "plot": plot, "pytorch_steps": pytorch_steps, "drift_seconds": drift_seconds}
    settings = _given(config.CompareSettings, pytorch=pytorch, **options)
    with samples_progress("compare") as report:
        result = comparing.compare(model, source, target, settings, report, out or comparing.report_folder(model))
    _print_notes(result)
    _print_rows(result["rows"], tables.judged(result["samples"], result["part"]))
    if "drift" in result:
        _print_drift(result["drift"])
    print(f"look: {result['report']}")
    _print_json(as_json, result)


@app.command(
    epilog="Example: dl4j-bridge diagnose --input dry.wav --target wet.wav --quick",
    help="Find out why a network does not learn, or why its output is bad: recordings, hand-over, network, learning.",
)
@_takes_training_options
def diagnose(
    options: dict[str, Any],
    source: Annotated[Path | None, typer.Option("--input", metavar="A.wav", help="Dry recording.")] = None,
    target: Annotated[
        Path | None,
        typer.Option("--target", metavar="B.wav", help="Processed recording; without it the next sample is learnt."),
    ] = None,
    model: Annotated[
        Path | None, typer.Option("--model", metavar="M", help="A run folder or a model zip to look at as well.")
    ] = None,
    processed: Annotated[
        Path | None,
        typer.Option("--processed", metavar="Y.wav", help="With --model: what your own program made of --input."),
    ] = None,
    decode: Annotated[
        str, typer.Option("--decode", help="With --model: how your program makes samples: mean, argmax or sample.")
    ] = "mean",
    iterator: Annotated[
        str | None, typer.Option("--iterator", metavar="CLASS", help="A DataSetIterator of your own to look at.")
    ] = None,
    classpath: Annotated[
        str | None, typer.Option("--classpath", metavar="JARS", help="With --iterator: where its class is.")
    ] = None,
    preset: Preset = "default",
    quick: Annotated[bool, typer.Option("--quick", help="Under a minute: shorter trials.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for report.html.", show_default="runs/diagnose-INPUT-1, ...")
    ] = None,
    as_json: Json = False,
    verbose: Verbose = None,
    debug: Debug = False,
) -> None:
    from dl4j_bridge.jobs import diagnosing
    from dl4j_bridge.terminal.progress import checks_progress

    settings = config.preset(preset, target is not None, options.get("task", "samples")).with_options(options)
    request = diagnosing.Request(
        source, target, settings, model, processed, decode, iterator, classpath, quick, given=bool(options)
    )
    with checks_progress() as report:
        result = diagnosing.diagnose(request, out, report)
    _print_findings(result)
    _print_json(as_json, result)
    if result["verdict"] != "ok":
        raise typer.Exit(1)


@app.command(
    epilog="Example: dl4j-bridge doctor --json",
    help="Show Java, jars, backend and audio library: what is wrong and how to mend it.",
)
def doctor(
    threads: Annotated[int | None, _setting("threads")] = None,
    backend: Annotated[str | None, _setting("backend")] = None,
    as_json: Json = False,
    verbose: Verbose = None,
    debug: Debug = False,
) -> None:
    from dl4j_bridge.jobs import doctor as examiner

    given = {name: value for name, value in (("threads", threads), ("backend", backend)) if value is not None}
    wanted = config.TrainSettings().with_options(given)
    result = examiner.examine(wanted.threads, wanted.run.backend)
    _print_checks(result)
    _print_json(as_json, result)
    if result["problems"]:
        raise typer.Exit(1)


@app.command(
    epilog="Example: dl4j-bridge fetch",
    help="Bring what the first start would: DL4J's jars for this platform, and Java's start-up archive.",
)
def fetch(as_json: Json = False, debug: Debug = False, verbose: Verbose = None) -> None:
    from rich.console import Console

    from dl4j_bridge.java import fetching, jvm

    fetched = fetching.fetch_missing()
    found = {"fetched": [jar.coordinates for jar in fetched], **jvm.prepare()}
    console = Console()
    archive = found["archive"] or "none"
    console.print(f"{found['jars']} jars, {len(fetched)} of them fetched; start-up archive: {archive}", soft_wrap=True)
    _print_json(as_json, found)


@app.command(epilog="Example: dl4j-bridge info runs/amp", help="Show what a model file holds.")
def info(
    model: Annotated[Path, typer.Argument(metavar="M", help="A run folder or a model zip.")],
    as_json: Json = False,
    verbose: Verbose = None,
    debug: Debug = False,
) -> None:
    from rich import print_json

    from dl4j_bridge.model import model_zip

    about = model_zip.read_about(model_zip.resolve(model))
    if as_json:
        _print_json(True, about)
    else:
        print_json(data=about)


@app.command(
    epilog="Example: dl4j-bridge demo --minutes 1",
    help="A task end to end on recordings that the package makes: train, compare, process or generate, report.",
)
def demo(
    task: Annotated[
        str,
        typer.Option("--task", help=f"What to show: {', '.join(config.TASKS)}, next-frame (frames without a target)."),
    ] = "samples",
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder to write.", show_default="runs/demo-1, -2, ...")
    ] = None,
    minutes: Annotated[float | None, _setting("minutes")] = None,
    steps: Annotated[int | None, _setting("steps")] = None,
    as_json: Json = False,
    verbose: Verbose = None,
    debug: Debug = False,
) -> None:
    from dl4j_bridge import demos
    from dl4j_bridge.model.run_folder import RunFolder
    from dl4j_bridge.terminal.console import stderr
    from dl4j_bridge.terminal.progress import training_progress

    config.check_task(task, demos.NAMES)
    if minutes is None and steps is None:
        minutes = config.DEMO_MINUTES
    limits = {"minutes": minutes, "steps": steps}
    config.TrainSettings().with_options(limits)
    if out:
        RunFolder(out).check_free()
    folder = RunFolder.made(out, Path("demo" if task == "samples" else f"demo-{task}"))
    with training_progress() as report:
        result = demos.run(
            task, folder.path, limits, lambda text: stderr.print(text, soft_wrap=True, markup=False), report
        )
    interrupted = result["stopped_because"] == "interrupted"
    if interrupted:
        _print_trained(result, has_target=True)
    else:
        _print_rows(result["rows"], result["title"])
        print(f"listen: {result['output']}\nlook:   {result['report']}")
        stderr.print(f"next:\n  dl4j-bridge train {demos.YOURS[task]} --out runs/mine", soft_wrap=True)
    _print_json(as_json, result)
    if interrupted:
        raise typer.Exit(130)


def main() -> None:
    """Run a command; a user's mistake ends in one line on stderr and exit status 2."""
    # NumPy's products are small here: on a busy machine its threads wait for each other twenty times as long as one
    # takes. It must be said before NumPy is imported.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    debug = "--debug" in sys.argv
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a tick is no reason to fail.
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        status = app(standalone_mode=False, prog_name="dl4j-bridge")
    except BridgeError as e:
        status = _fail(str(e), e.exit_status, e, debug)
    except (typer.Abort, KeyboardInterrupt) as e:
        status = _fail("interrupted", 130, e, debug)
    except OSError as e:
        status = _fail(f"{e.filename or 'system'}: {e.strerror or e}; wanted a usable file or folder", 2, e, debug)
    except Exception as e:
        if hasattr(e, "format_message"):  # a usage error of Click, which Typer brings along but does not name
            sys.exit(_fail(_usage_line(e), 2, e, debug) if e.format_message() else 2)
        status = _fail(f"{type(e).__name__}: {e}; this is a bug: run again with --debug and report it", 1, e, debug)
    sys.exit(status or 0)


def _usage_line(error: Any) -> str:
    text = " ".join(error.format_message().split()).rstrip(".")
    possible = getattr(error, "possibilities", None)
    if possible and hasattr(error, "option_name"):
        from difflib import get_close_matches

        near = get_close_matches(error.option_name, possible, n=1, cutoff=0)
        text = f"{error.option_name}: no such option; did you mean {near[0]}?"
    # Behind an unknown command the path has the program's name twice.
    path = error.ctx.command_path.split() if error.ctx else []
    return f"{text}; see: {' '.join(dict.fromkeys(path)) or 'dl4j-bridge'} --help"


def _fail(text: str, status: int, error: BaseException, debug: bool) -> int:
    if debug:
        import traceback

        traceback.print_exception(error)
    print(f"error: {' '.join(text.split())}", file=sys.stderr)
    return status


def _given(kind: Any, **options: Any) -> Any:
    return kind(**{name: value for name, value in options.items() if value is not None})


def _print_notes(result: dict[str, Any]) -> None:
    from dl4j_bridge.terminal.console import stderr

    for note in result["notes"]:
        stderr.print(f"note: {note}", soft_wrap=True, markup=False)


def _print_written(result: dict[str, Any]) -> None:
    print(
        f"{result['output']}: {result['samples']:,} samples at {result['rate']} Hz; "
        f"{result['samples_per_second']:,.0f} samples/s, {result['real_time_factor']:.2f} x real time"
    )


def _print_rows(rows: list[dict[str, Any]], title: str) -> None:
    from rich.console import Console

    from dl4j_bridge.terminal import tables

    Console().print(tables.comparison(rows, title))


def _print_drift(drift: dict[str, Any]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(title="free-running output over time", box=box.SIMPLE_HEAD, padding=0)
    has_entropy = "entropy_bits" in drift["recording"]
    for heading in ("from", "level (dB)", *["entropy (bits)"] * has_entropy, "spectrum off by (dB)"):
        table.add_column(heading, justify="right")
    for name, facts in (
        ("recording", drift["recording"]),
        *((f"{facts['seconds']:.1f} s", facts) for facts in drift["parts"]),
    ):
        level = "silent" if facts["level_db"] is None else f"{facts['level_db']:.1f}"
        entropy = [f"{facts['entropy_bits']:.2f}"] if has_entropy else []
        table.add_row(name, level, *entropy, f"{facts['spectrum_db']:.1f}")
    Console().print(table)
    if drift.get("track"):
        shares = ", ".join(f"{name.split('_')[0]} {share:.0%}" for name, share in drift["outside"].items())
        print(f"seconds beyond all of the recording's: {shares}")
    if "until" in drift:
        from dl4j_bridge.jobs import comparing_next_frame

        print(f"free-running output {comparing_next_frame.in_words(drift)}")


def _print_findings(result: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.markup import escape

    from dl4j_bridge.terminal.console import stderr

    console = Console()
    for finding in result["findings"]:
        colour = "red" if finding["severity"] == "fault" else "yellow"
        console.print(f"[{colour}]✗ {finding['code']}[/] ({finding['severity']})", soft_wrap=True)
        for name, value in finding["evidence"].items():
            if not isinstance(value, list):
                console.print(f"    {name}: {escape(_evidence(value))}", soft_wrap=True)
        console.print(f"    [bold]mend:[/] {escape(finding['fix'])}", soft_wrap=True)
    if not result["findings"]:
        console.print("[green]✓[/] nothing found that would keep a network from learning this", soft_wrap=True)
    if result["report"]:
        print(f"look: {result['report']}")
    stderr.print(f"next:\n  {result['next']}", soft_wrap=True, markup=False)


def _evidence(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_evidence(v)}" for name, v in value.items() if not isinstance(v, list))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _print_checks(result: dict[str, Any]) -> None:
    """Print a line for each thing that was looked at; behind a cross stands the mend."""
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False)
    looked_at = {name: value for name, value in result.items() if name not in ("ok", "problems", "failed")}
    width = max(len(name) for name in looked_at)
    for name, value in looked_at.items():
        if value is not None:
            mark, text = "[green]✓[/]", _found(name, value)
        elif name in result["failed"]:
            mark, text = "[red]✗[/]", result["failed"][name]
        else:
            mark, text = "[yellow]–[/]", "not looked at: mend the others first"
        console.print(f"{mark} [bold]{name.removesuffix('_bytes'):{width}}[/] {escape(text)}", soft_wrap=True)
    count = len(result["problems"])
    said = f"{count} {'problem' if count == 1 else 'problems'}" if count else "all is there; try: dl4j-bridge demo"
    console.print(f"[red]✗[/] {said}" if count else f"[green]✓[/] {said}", soft_wrap=True)


def _found(name: str, value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {v}" for key, v in value.items())
    return f"{value / 2**30:.1f} GiB at most" if name.endswith("_bytes") else str(value)


def _print_json(wanted: bool, content: Any) -> None:
    if wanted:
        print(json.dumps(content))
