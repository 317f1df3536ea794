"""All checks on recordings, settings and a model: what is wrong, and how to fix it."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from dl4j_bridge.diagnostics import (
    consequences,
    criteria,
    curves,
    handover,
    learning,
    network,
    output,
    pair_plots,
    recordings,
)
from dl4j_bridge.diagnostics.case import Case, Classes, read
from dl4j_bridge.diagnostics.criteria import Criterion
from dl4j_bridge.diagnostics.findings import FAULT, Check, Diagnosis, Finding, Outcome
from dl4j_bridge.diagnostics.trial import FULL, QUICK, as_fused
from dl4j_bridge.errors import InputError
from dl4j_bridge.java import jvm
from dl4j_bridge.java.network import Network
from dl4j_bridge.jobs import advice, remedies
from dl4j_bridge.jobs.compare import check_kind, evaluate, with_best_esr
from dl4j_bridge.model.info import versions_without_java
from dl4j_bridge.model.model_zip import Model, OpenedModel, open_model
from dl4j_bridge.model.run_folder import RunFolder
from dl4j_bridge.settings.commands import CompareSettings, ProcessSettings
from dl4j_bridge.settings.training import TrainSettings
from dl4j_bridge.signal import pairs
from dl4j_bridge.signal.codecs import CLASSES
from dl4j_bridge.signal.pairs import Stretch, part_of
from dl4j_bridge.signal.recordings import open_recording, sha256
from dl4j_bridge.tasks.comparison import ComparisonResult
from dl4j_bridge.tasks.excerpts import SECONDS, loudest_samples
from dl4j_bridge.tasks.interface import Task
from dl4j_bridge.tasks.registry import choose
from dl4j_bridge.tasks.shown import Excerpt

Report = Callable[[str, bool | None, float], None]

# Share of the time that has about passed after the checks of each kind.
AFTER_ITERATOR, AFTER_RECORDINGS, AFTER_HANDOVER, AFTER_NETWORK, AFTER_IDENTITY = 0.1, 0.4, 0.45, 0.6, 0.8


@dataclass(frozen=True)
class Request:
    """What to look at.

    Attributes
    ----------
    source, target
        Recordings; no target where the next sample is learned, and no source with an iterator alone.
    settings
        Settings to train with; a model brings its own.
    model
        Run folder or model zip, or None.
    processed
        What the user's own program made of `source` with that model.
    decode
        How that program decodes: ``mean``, ``argmax`` or ``sample``.
    iterator, classpath
        A DataSetIterator of the user's own, and where it is.
    quick
        Shorter trials.
    given
        Whether the settings hold anything that the user asked for.
    kept
        Whether the recordings are files of the user's, which a command can name.
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
    kept: bool = True


def diagnose(request: Request, report: Report = lambda name, passed, share: None) -> Diagnosis:
    """Run all checks, from fastest to slowest. Nothing is printed or written.

    Parameters
    ----------
    request
        What to look at.
    report
        Called with the name of each check, with None before it and with whether it passed after it, and with the share
        of all checks that is done, from 0 to 1.

    Raises
    ------
    InputError
        A recording or a model cannot be used, or options do not go together.
    """
    _check(request)
    suite = _Suite(report)
    if request.iterator:
        name, classpath = request.iterator, request.classpath or ""
        suite.run(
            [Check(f"batches of {name}", lambda: Outcome(handover.inspect(handover.open_iterator(name, classpath))))],
            until=AFTER_ITERATOR if request.source else 1,
        )
    if request.source is None:
        return _diagnosis(request, suite, request.settings)
    opened = open_model(request.model) if request.model else None
    case = Case(request.source, request.target, _settings(request, opened), _stored_delay(request, opened))
    examined = _examine(case, request, opened, suite)
    excerpt, part = _excerpt(case, examined)
    task, found = examined.criterion and examined.criterion.task, _diagnosis(request, suite, case.settings)
    if opened is None and task:
        found = replace(found, notes=advice.notes(task, [case.pair], case.settings))
        better = advice.better_training(task, [case.pair], case.settings)
        if better and request.kept and not found.findings:
            found = replace(found, next=better)
    return replace(
        found,
        title=f"Diagnosis of {case.input.name}" + (f" and {case.target.name}" if case.target else ""),
        excerpt=excerpt,
        part=part,
        class_counts=_class_counts(case, examined),
        plots=pair_plots.of(case, suite.findings),
        settings=case.settings.as_dict(),
        versions=versions_without_java(),
        bounds=examined.bounds,
    )


class _Suite:
    """Runs checks one after the other; what an earlier one found, a later one does not repeat."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self.findings: list[Finding] = []
        self.checks: list[dict[str, Any]] = []
        self.figures: dict[str, dict[str, Any]] = {}
        self._share = 0.0

    def run(self, checks: Sequence[Check], until: float = 1.0) -> None:
        """Run checks, after which the share `until` of all is done."""
        first = self._share
        for number, check in enumerate(checks, 1):
            self._report(check.name, None, self._share)
            began = time.perf_counter()
            outcome = check.run()
            seconds = time.perf_counter() - began
            self.figures[check.name] = outcome.figures
            found = consequences.unexplained(outcome.findings, self.findings)
            self.checks.append({"name": check.name, "passed": not found, "seconds": round(seconds, 3)})
            known = {finding.code for finding in self.findings}
            self.findings += [finding for finding in found if finding.code not in known]
            self._share = first + (until - first) * number / len(checks)
            self._report(check.name, not found, self._share)

    def stopped(self, codes: frozenset[str]) -> bool:
        return consequences.stops(codes, self.findings)


@dataclass(frozen=True)
class _Examined:
    """How far the checks came: nothing of this is known for recordings that are too short."""

    criterion: Criterion | None = None
    signals: Stretch | None = None
    network: Network | None = None
    bounds: list[str] = field(default_factory=list)


def _examine(case: Case, request: Request, opened: OpenedModel | None, suite: _Suite) -> _Examined:
    """Run the checks of recordings, hand-over, network, and learning or output."""
    suite.run(recordings.checks(case), AFTER_RECORDINGS)
    settings = case.settings
    if pairs.split(case.time_steps)["train"][1] < settings.run.length:
        # Not even one window: there is a finding that names what is too short.
        return _Examined()
    task = opened.info.task if opened else choose(settings, [case.pair])
    criterion = criteria.of(task)
    hopeless = suite.stopped(consequences.INCOMPARABLE if opened else consequences.UNLEARNABLE)
    if hopeless and not criterion.identity_settles:
        return _Examined(criterion)
    signals = criterion.signals(case)
    jvm.configure(settings.threads)
    if task.interface.input == "one-hot":
        run, seed = settings.run, settings.network.seed
        tensors = handover.checks(*signals, run.length, run.batch, settings.network.tbptt, seed, case.codec)
        suite.run(tensors, AFTER_HANDOVER)
        if suite.stopped(consequences.NO_TENSORS):
            return _Examined(criterion, signals)
    if opened is None:
        suite.run(network.checks(as_fused(settings).network, task.interface, *signals), AFTER_NETWORK)
        identity, *pair = learning.checks(settings, criterion, signals, QUICK if request.quick else FULL)
        suite.run([identity], AFTER_IDENTITY)
        if not (hopeless or (criterion.identity_settles and suite.stopped(consequences.NO_LEARNING))):
            suite.run(pair)
        return _Examined(criterion, signals)
    model = opened.load()
    suite.run(network.checks(settings.network, task.interface, *signals, model.network), AFTER_NETWORK)
    if hopeless:
        return _Examined(criterion, signals, model.network)
    compared = cache(partial(_compared, case, model))
    processed, history = _processed(request, case), _history(opened)
    checks = output.checks(
        criterion,
        settings.network,
        model.network,
        signals,
        lambda: compared().rows,
        request.decode,
        processed,
        history,
    )
    suite.run(checks)
    beside_best = compared().beside_best if case.target else ""
    bounds = [bound for bound in (beside_best, _still_to_gain(task, history)) if bound]
    return _Examined(criterion, signals, model.network, bounds)


def _compared(case: Case, model: Model) -> ComparisonResult:
    """A comparison of the model with its baselines; the case has the delay that the model stores."""
    pair = case.pair
    trained = model.info.pair_of((pair.input.sha256(), pair.target.sha256() if pair.target else None))
    return with_best_esr(evaluate(model, pair, trained, CompareSettings(drift_seconds=0)), case)


def _history(opened: OpenedModel) -> curves.History | None:
    """The validations of a model's training, from the log beside it; None without one."""
    folder, task = RunFolder(opened.path.parent), opened.info.task
    if opened.path.name not in (folder.model.name, folder.last.name) or not folder.log.exists():
        return None
    history, losses = curves.History(), []
    for row in folder.read_log():
        losses.append(float(row.get(task.training_metrics[0]) or "nan"))
        if row.get(f"valid_{task.loss}"):
            error = row.get("valid_esr")
            history.add(losses, float(row[f"valid_{task.loss}"]), float(error) if error else None)
            losses = []
    return history


def _still_to_gain(task: Task, history: curves.History | None) -> str:
    # The error of vectors has no floor: twice as many steps may gain more than before.
    bits = curves.still_to_gain(history, task.bits_gained) if history and task.interface.output == "softmax" else None
    return "" if bits is None else f"still to gain by twice as many steps: at most {bits:.2g} bits"


def _processed(request: Request, case: Case) -> Classes | None:
    """The user's own output as classes, cut as the target is."""
    if request.processed is None:
        return None
    recording = open_recording(request.processed, case.settings.data.channel)
    return case.encode(read(recording, case.rate, case.places)[max(case.cut, 0) :])


def _excerpt(case: Case, examined: _Examined) -> tuple[Excerpt, str]:
    """The stretch to listen to, and where it is from; the pair alone where there is no model."""
    signals = case.indices if examined.network is None else examined.signals
    assert signals is not None
    x, y = signals
    part = part_of(len(y), "test")
    if examined.network and examined.criterion:
        excerpt = examined.criterion.task.excerpt(examined.network, case.pair, signals, part, case.rate)
    else:
        where = loudest_samples(case.codec.values, y, part, round(SECONDS * case.rate))
        classes = {"input": x[where], "target": y[where]} if case.target else {"target": y[where]}
        sounds = {name: case.decode(indices) for name, indices in classes.items()}
        excerpt = Excerpt(case.rate, where.start, sounds, classes)
    in_stretches = signals is case.indices and not case.is_whole
    return excerpt, "the held-out test part" + (" of the stretches that were looked at" if in_stretches else "")


def _class_counts(case: Case, examined: _Examined) -> dict[str, Any] | None:
    if examined.criterion is None or examined.criterion.task.interface.input != "one-hot":
        return None
    sides = ("input", "target") if case.target else ("input",)
    return {name: np.bincount(x, minlength=CLASSES) for name, x in zip(sides, case.indices, strict=False)}


def _diagnosis(request: Request, suite: _Suite, settings: TrainSettings) -> Diagnosis:
    verdict = "fault" if any(finding.severity == FAULT for finding in suite.findings) else "ok"
    findings = [remedies.with_command(finding, request, settings) for finding in suite.findings]
    return Diagnosis(verdict, findings, suite.checks, suite.figures, remedies.after(request, findings))


def _settings(request: Request, opened: OpenedModel | None) -> TrainSettings:
    """The settings that the user asked for, or those that the model was trained with."""
    if opened is None:
        return replace(request.settings, network=request.settings.network.resolved())
    if request.given:
        raise InputError("--model", "with training options", "wanted one of the two: a model brings its settings")
    info = opened.info
    check_kind(opened.path, info, request.target)
    codec = info.task.as_dict().get("codec", info.settings.data.codec)
    return replace(info.settings, data=replace(info.settings.data, rate=info.rate, codec=codec))


def _stored_delay(request: Request, opened: OpenedModel | None) -> int | None:
    """The delay that a model stores for these recordings, or for the first ones that it was trained with."""
    if opened is None or request.source is None or request.target is None:
        return None
    trained = opened.info.pair_of((sha256(request.source), sha256(request.target)))
    return (trained or opened.info).delay


def _check(request: Request) -> None:
    ProcessSettings(decode=request.decode).check()
    if request.source is None and request.iterator is None:
        raise InputError("--input", "not given", "wanted a recording, or --iterator CLASS --classpath JARS")
    if request.processed and not request.model:
        raise InputError("--processed", "without --model", "wanted the model that made it: --model M")
    if request.processed and not request.target:
        raise InputError("--processed", "without --target", "wanted the pair that the model was made for")
    if request.target and request.source is None:
        raise InputError("--target", "without --input", "wanted both")
    if request.source and request.model is None:
        advice.check_predict(request.settings, request.target is not None)
