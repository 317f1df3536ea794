"""Options of the command line, made from the fields of settings dataclasses.

A field gives its option's name, type, default and help (``metadata["help"]``), and further names
(``metadata["also"]``). Nothing here imports more than Typer and the settings, so that ``--help`` is quick.
"""

import functools
import inspect
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple, get_args, get_type_hints

import typer

from dl4j_bridge.object_store import as_path
from dl4j_bridge.settings.checks import option as spelled
from dl4j_bridge.settings.training import OF_A_RUN
from dl4j_bridge.tasks import registry
from dl4j_bridge.terminal.command import Command
from dl4j_bridge.terminal.completion import offer

# Options that are handled before a file is read, and parameters that are not options.
NOT_IN_A_FILE = ("debug", "verbose", "config_file", "run_folder")


class Known(NamedTuple):
    """What is known of options that their fields do not say.

    Attributes
    ----------
    default
        Returns the default of an option in words, empty if it has none; None if the field says it.
    values
        Returns values of an option for a shell to offer.
    """

    default: Callable[[str], str | None]
    values: Callable[[str], Iterable[str]]


def setting(group: type, name: str, panel: str | None = None, known: Known | None = None) -> Any:
    """Make an option for a field of a settings dataclass.

    Parameters
    ----------
    group
        The dataclass.
    name
        Name of the field.
    panel
        Title of the panel of the help that lists the option.
    known
        What the field does not say of its default and its values.

    Returns
    -------
    typer.models.OptionInfo
        Its parameter's default must be None, which stands for "not given"; the help shows the default of the field.
    """
    field = {f.name: f for f in fields(group)}[name]
    default = known.default(name) if known else None
    if default is None:
        default = "" if field.default in (None, "") else str(field.default)
    negative = f"/{spelled('no_' + name)}" if field.default is True else ""
    names = [spelled(name) + negative, *field.metadata.get("also", ())]
    allowed = field.metadata.get("allowed")
    choices = allowed.choices if allowed else ()
    others = partial(known.values, name) if known else lambda: [default] if default else []
    return typer.Option(
        *names,
        help=_with_choices(field.metadata["help"], choices),
        show_default=default or False,
        rich_help_panel=panel,
        autocompletion=offer((lambda: choices) if choices else others),
    )


def _with_choices(text: str, choices: tuple[str, ...]) -> str:
    """The help of an option with its choices, unless it explains each of them."""
    if all(re.search(rf"(?<![\w-]){re.escape(choice)}(?![\w-])", text) for choice in choices):
        return text
    return f"{text.removesuffix('.')}: {', '.join(choices[:-1])} or {choices[-1]}."


def command(
    app: typer.Typer, example: str, settings: Mapping[str | None, type] | None = None, known: Known | None = None
) -> Callable[[Callable[..., Any]], Callable[..., None]]:
    """Decorate a function as a command with the options that all commands have: ``--json``, ``-v`` and ``--debug``.

    Parameters
    ----------
    app
        The command line to add it to.
    example
        Command and options of a call, for ``--help``; the rest of its text is the docstring of the function.
    settings
        Settings dataclasses by the title of their panel in the help: the command gets an option for every field, and
        ``--config`` unless the title is None. The function gets those that are given as the dict `options`. A field of
        a later group that has the name of an earlier one shares its option.
    known
        What the fields do not say of their defaults and values.

    Returns
    -------
    callable
        Decorator of a function that returns the content of ``--json``, or that and an exit status. It may ask for
        `as_json` itself.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., None]:
        own = inspect.signature(function, eval_str=True).parameters
        added = _fields(settings or {}, known)

        @functools.wraps(function)
        def run(**values: Any) -> None:
            values = {name: _with_addresses(value) for name, value in values.items()}
            as_json = values.pop("as_json")
            del values["verbose"], values["debug"]
            if "as_json" in own:
                values["as_json"] = as_json
            values.pop("config_file", None)
            if settings:
                values["options"] = {name: value for name in added if (value := values.pop(name)) is not None}
            try:
                found = function(**values)
            except KeyboardInterrupt:
                # Typer would end with its status and no word.
                raise typer.Abort from None
            content, status = found if isinstance(found, tuple) else (found, 0)
            if as_json:
                print(json.dumps(content))
            if status:
                raise typer.Exit(status)

        parameters: list[inspect.Parameter] = []
        for name, parameter in own.items():
            parameters += added.values() if name == "options" else [parameter.replace(kind=parameter.KEYWORD_ONLY)]
        parameters = [p for p in parameters if p.name != "as_json"]
        parameters += [_parameter(name, hint) for name, hint in _COMMON.items()]
        if settings and None not in settings:
            parameters.append(_config_option(parameters))
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        app.command(function.__name__, cls=Command, epilog=f"Example: dl4j-bridge {example}")(run)
        return run

    return decorate


def _with_addresses(value: Any) -> Any:
    """A value of a parameter, with paths that ``s3://bucket/name`` and the like are read and written at."""
    if isinstance(value, list):
        return [_with_addresses(one) for one in value]
    return as_path(value) if isinstance(value, Path) else value


def _fields(groups: Mapping[str | None, type], known: Known | None) -> dict[str, inspect.Parameter]:
    """Make a parameter for every field of several dataclasses."""
    added: dict[str, inspect.Parameter] = {}
    for panel, group in groups.items():
        hints = get_type_hints(group)
        for field in fields(group):
            hint, option = hints[field.name], setting(group, field.name, panel, known)
            added.setdefault(field.name, _parameter(field.name, Annotated[hint | None, option]))
    return added


def _parameter(name: str, hint: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=hint)


def _config_option(parameters: list[inspect.Parameter]) -> inspect.Parameter:
    """Make ``--config``: a file whose values replace the defaults of options that are not given."""

    def read(context: typer.Context, path: Path | None) -> Path | None:
        if path and not context.resilient_parsing:
            from dl4j_bridge.settings import toml_file

            names = {p.name: p.opts[0].removeprefix("--") for p in context.command.params}
            hints = {names[p.name]: p for p in parameters if p.name not in NOT_IN_A_FILE}
            keys = {key: (p.name, get_args(p.annotation)[0]) for key, p in hints.items()}
            context.default_map = toml_file.read(path, keys, {spelled(name)[2:] for name in OF_A_RUN} - keys.keys())
        return path

    text = "TOML file with any of these options (hidden = 200); the command line takes precedence."
    option = typer.Option("--config", metavar="FILE.toml", help=text, callback=read, is_eager=True)
    return _parameter("config_file", Annotated[Path | None, option])


def _set_verbosity(verbose: bool | None) -> bool | None:
    """Set the level of the log before `terminal.console` and `java.jvm` are imported, which read it."""
    if verbose is not None:
        import logging

        logging.basicConfig(format="%(message)s")
        logging.getLogger("dl4j_bridge").setLevel(logging.INFO if verbose else logging.ERROR)
    return verbose


Model = Annotated[Path, typer.Option("--model", metavar="M", help="A run folder or a model zip.")]
_PRESETS = [f"{n} (--task {k.name}): {p.purpose}" for k in registry.KINDS.values() for n, p in k.presets.items()]
Preset = Annotated[
    str,
    typer.Option(
        "--preset",
        help=f"Settings to start from, beside the defaults. {' '.join(_PRESETS)}",
        autocompletion=offer("dl4j_bridge.tasks.registry:presets"),
    ),
]
Json = Annotated[bool, typer.Option("--json", help="End stdout with one JSON object.", show_default=False)]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.", show_default=False)]
Verbose = Annotated[
    bool | None,
    typer.Option(
        "--verbose/--quiet",
        "-v/-q",
        callback=_set_verbosity,
        show_default=False,
        help="Show settings, the JVM's options and Java's log; or nothing but errors and the result.",
    ),
]
# Options of every command; `failures.exit_status` looks for --debug itself, since an error may come before parsing.
_COMMON: dict[str, Any] = {"as_json": Json, "verbose": Verbose, "debug": Debug}
