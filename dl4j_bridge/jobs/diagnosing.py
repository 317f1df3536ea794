"""Ties recordings, settings, a model and all checks together: what is wrong, and what mends it."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dl4j_bridge import tasks
from dl4j_bridge.diagnostics import data, handover, learning, network, output, vectors
from dl4j_bridge.diagnostics.case import Case
from dl4j_bridge.diagnostics.findings import FAULT, Check, Finding, Outcome
from dl4j_bridge.errors import InputError
from dl4j_bridge.java import jvm
from dl4j_bridge.jobs import comparing, generation
from dl4j_bridge.model import model_zip
from dl4j_bridge.model.run_folder import RunFolder
from dl4j_bridge.settings.config import (
    CLASS_TASKS,
    CompareSettings,
    ProcessSettings,
    TrainSettings,
    option,
    preset,
    validate_process,
)
from dl4j_bridge.signal import audio, pairs
from dl4j_bridge.tasks.samples import SamplesTask

# With one of these the pair cannot be learnt, and trying would only repeat it.
NO_PAIR = {"rate-mismatch", "length-mismatch", "unrelated", "target-leads", "misaligned"}
# What does not learn the identity learns no pair.
NO_LEARNING = {
    "learning-rate-too-high",
    "learning-rate-too-low",
    "non-finite",
    "stuck-at-uniform",
    "stuck-at-marginal",
    "weak-input-scale",
}
# What the hand-over breaks, no network can learn.
NO_TENSORS = {"not-one-hot", "axis-order", "memory-order", "signed-bytes"}

Report = Callable[[str, bool | None], None]


@dataclass(frozen=True)
class Request:
    """What to look at.

    Attributes
    ----------
    source, target
        Recordings; no target where the next sample is learnt, and no source with an iterator alone.
    settings
        To train with; a model brings its own.
    model
        Run folder or model zip, or None.
    processed
        What the user's own program made of `source` with that model.
    decode
        How that program makes samples: ``mean``, ``argmax`` or ``sample``.
    iterator, classpath
        A DataSetIterator of the user's own, and where it is.
    quick
        Shorter trials.
    given
        True if the settings hold anything that the user asked for.
    """

    source: Path | None
    target: Path | None
    settings: TrainSettings
    model: Path | None = None
    processed: Path | None = None
    decode: str = "mean"
    iterator: str | None = None
    classpath: str | None = None
    quick: bool = False
    given: bool = False


def diagnose(request: Request, out: Path | None = None, report: Report = lambda name, passed: None) -> dict[str, Any]:
    """Run all checks, from cheap to dear.

    Parameters
    ----------
    request
        What to look at.
    out
        Folder of the report; a fresh one in ``runs`` if not given.
    report
        Called with the name of each check, with None before it and with whether it passed after it.

    Returns
    -------
    dict
        ``verdict`` (``ok`` or ``fault``), ``findings`` (each ``code, severity, fix, evidence``), ``checks`` (each
        ``name, passed, seconds``), ``report`` (path or None) and ``next`` (the command to type).

    Raises
    ------
    InputError
        A recording or a model cannot be used, or options do not go together.
    """
    _check(request)
    suite = _Suite(report)
    case = None
    if request.iterator:
        suite.run(_iterator_checks(request.iterator, request.classpath))
    if request.source:
        about = model_zip.read_about(model_zip.resolve(request.model)) if request.model else None
        case = Case(request.source, request.target, _settings(request, about))
        if out:
            RunFolder(out).check_free()
        model = _examine(case, request, about, suite)
        from dl4j_bridge.report import diagnosis

        folder = RunFolder.made(out, Path(f"diagnose-{request.source.stem}"))
        page = diagnosis.write(folder.path, case, suite.findings, suite.figures, suite.checks, model)
    findings = [finding.as_dict() for finding in suite.findings]
    return {
        "verdict": "fault" if any(finding.severity == FAULT for finding in suite.findings) else "ok",
        "findings": findings,
        "checks": suite.checks,
        "report": str(page) if case else None,
        "next": _next(request, suite.findings),
    }


class _Suite:
    """Runs checks one after the other; what an earlier one found, a later one does not repeat."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self.findings: list[Finding] = []
        self.checks: list[dict[str, Any]] = []
        self.figures: dict[str, dict[str, Any]] = {}

    def run(self, checks: list[Check] | Iterator[Check]) -> None:
        for check in checks:
            self._report(check.name, None)
            began = time.perf_counter()
            outcome = check.run()
            self.figures[check.name] = outcome.figures
            passed = not outcome.findings
            seconds = time.perf_counter() - began
            self.checks.append({"name": check.name, "passed": passed, "seconds": round(seconds, 3)})
            known = {finding.code for finding in self.findings}
            self.findings += [finding for finding in outcome.findings if finding.code not in known]
            self._report(check.name, passed)

    def found(self, codes: set[str]) -> bool:
        return any(finding.code in codes for finding in self.findings)


def _examine(case: Case, request: Request, about: dict[str, Any] | None, suite: _Suite) -> model_zip.Model | None:
    """Run the checks; a model that they needed comes back."""
    settings = case.settings
    suite.run(data.checks(case))
    if settings.network.task not in CLASS_TASKS:
        if not suite.found(NO_PAIR):
            _examine_vectors(case, request, about, suite)
        # The page plays the pair alone.
        return None
    x, y = case.indices
    if pairs.split(x.size)["train"][1] < settings.run.length:
        # Not one window: what is too short was said.
        return None
    jvm.configure(settings.threads)
    suite.run(
        handover.checks(
            x,
            y,
            settings.run.length,
            settings.run.batch,
            settings.network.tbptt,
            settings.network.seed,
            case.task.codec,
        )
    )
    if suite.found(NO_TENSORS):
        return None
    effort = learning.QUICK if request.quick else learning.FULL
    if about is None:
        suite.run(network.checks(learning.as_fused(settings).network, x, y))
        identity, *pair = learning.checks(settings, case.task.codec, (x, y), bool(case.target), effort)
        suite.run([identity])
        if not suite.found(NO_PAIR | NO_LEARNING):
            suite.run(pair)
        return None
    assert request.model is not None
    model = model_zip.load(model_zip.resolve(request.model))
    suite.run(network.checks(settings.network, x, y, model.network))
    if not suite.found(NO_PAIR):
        suite.run(_model_checks(case, request, about, model.network))
    return model


def _examine_vectors(case: Case, request: Request, about: dict[str, Any] | None, suite: _Suite) -> None:
    """Run the checks of a network between vectors, of frames or spectra."""
    settings = case.settings
    pair = pairs.open_pair(case.input, case.target, replace(settings.data, rate=case.rate))
    time_steps = pair.length // settings.hop - (pair.target is None)
    if pairs.split(time_steps)["train"][1] < settings.run.length:
        # Not one window: what is too short was said.
        return
    task = tasks.from_dict(about) if about else tasks.choose(settings, [pair])
    signals = task.signals(pair)
    jvm.configure(settings.threads)
    if about is None:
        fused = learning.as_fused(settings)
        suite.run(network.checks_of_vectors(fused.network, task.interface, *signals))
        suite.run(vectors.checks(fused, task, signals, learning.QUICK if request.quick else learning.FULL))
        return
    assert request.model is not None
    zip_path = model_zip.resolve(request.model)
    model = model_zip.load(zip_path).network
    suite.run(network.checks_of_vectors(settings.network, task.interface, *signals, model))

    def compare() -> list[dict[str, Any]]:
        return list(comparing.compare(zip_path, case.input, case.target, CompareSettings(drift_seconds=0))["rows"])

    suite.run(vectors.checks_of_model(model, signals, compare))


def _model_checks(case: Case, request: Request, about: dict[str, Any], model: Any) -> Iterator[Check]:
    task = SamplesTask.from_dict(about)
    x, y = case.indices
    yield Check("train and validation", lambda: output.generalisation(model, task, x, y))
    heard = output.listen(model, task, x, y)
    if case.target is None:
        # New audio is drawn at random, as it should be.
        yield Check("free-running", lambda: output.free_running(heard, model, generation.temperature_of(about)))
        return
    assert request.model is not None
    zip_path = request.model
    yield Check(
        "baselines",
        lambda: output.against_baselines(comparing.compare(zip_path, case.input, case.target)["rows"]),
    )
    yield from output.checks(heard, model, request.decode, _processed(request, case, task))


def _processed(request: Request, case: Case, task: SamplesTask) -> Any:
    """The user's own output as classes, cut as the target is."""
    if request.processed is None:
        return None
    recording = audio.open_recording(request.processed, case.settings.data.channel)
    start = max(case.cut, 0)
    return task.encode(recording, case.rate)[start:]


def _iterator_checks(name: str, classpath: str | None) -> list[Check]:
    def look() -> Outcome:
        return Outcome(handover.inspect(handover.open_iterator(name, classpath or "")))

    return [Check(f"batches of {name}", look)]


def _settings(request: Request, about: dict[str, Any] | None) -> TrainSettings:
    """Those that the user asked for, or those that the model was trained with."""
    if about is None:
        return replace(request.settings, network=request.settings.network.resolved())
    if request.given:
        raise InputError("--model", "with training options", "wanted one of the two: a model brings its settings")
    if (about["predicts"] == "next") != (request.target is None):
        wanted = "no --target: it predicts the next sample" if request.target else "a --target"
        raise InputError(request.model or "--model", "a model of another kind than the call", f"wanted {wanted}")
    stored = TrainSettings.from_dict(about["settings"])
    return replace(stored, data=replace(stored.data, rate=about["rate"], codec=about.get("codec", stored.data.codec)))


def _check(request: Request) -> None:
    validate_process(ProcessSettings(decode=request.decode))
    if request.source is None and request.iterator is None:
        raise InputError("--input", "not given", "wanted a recording, or --iterator CLASS --classpath JARS")
    if request.processed and not request.model:
        raise InputError("--processed", "without --model", "wanted the model that made it: --model M")
    if request.processed and not request.target:
        raise InputError("--processed", "without --target", "wanted the pair that the model was made for")
    if request.target and request.source is None:
        raise InputError("--target", "without --input", "wanted both")


def _next(request: Request, findings: list[Finding]) -> str:
    """The command that a person would type now."""
    if findings:
        return "mend the first finding, then run this again"
    if request.source is None:
        return "train on these batches"
    if request.model:
        to_do = "process --input X.wav" if request.target else "generate"
        return f"dl4j-bridge {to_do} --model {shlex.quote(str(request.model))} --output Y.wav"
    parts = ["dl4j-bridge train --input", shlex.quote(str(request.source))]
    if request.target:
        parts += ["--target", shlex.quote(str(request.target))]
    return " ".join(parts + _options(request.settings, bool(request.target)))


def _options(settings: TrainSettings, has_target: bool) -> list[str]:
    """What differs from the task's defaults, as a person would type it."""
    task = settings.network.task
    usual = preset("default", has_target=has_target, task=task).as_options() | {"task": TrainSettings().network.task}
    changed = {name: value for name, value in settings.as_options().items() if value != usual[name]}
    return [word for name, value in changed.items() for word in (option(name), shlex.quote(str(value)))]
