"""The checks of a diagnosis on the curves of a training that is running."""

import shlex
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from dl4j_bridge.diagnostics import consequences, curves
from dl4j_bridge.diagnostics.criteria.classes import WORSE, is_uniform, stuck_at_uniform
from dl4j_bridge.diagnostics.criteria.criterion import MARGINAL_FIX, POOR, SLOW_LEARNING, STUCK_AT_MARGINAL
from dl4j_bridge.diagnostics.findings import Finding
from dl4j_bridge.diagnostics.learning.identity import LEARNING_RATE_TOO_HIGH, LEARNING_RATE_TOO_LOW
from dl4j_bridge.diagnostics.network.scale import weak_input
from dl4j_bridge.diagnostics.output.baselines import NOISIER_THAN_BASELINE, train_longer
from dl4j_bridge.diagnostics.output.following import IS_ECHO, LONGEST_SECONDS, NOT_FOLLOWED, echo
from dl4j_bridge.diagnostics.output.generalization import found_overfit
from dl4j_bridge.jobs import remedies, typed, validation
from dl4j_bridge.model.run import Run
from dl4j_bridge.settings.schedules import SCHEDULES
from dl4j_bridge.settings.training import NetworkSettings
from dl4j_bridge.signal import metrics
from dl4j_bridge.signal.pairs import part_of
from dl4j_bridge.tasks.interface import Metrics
from dl4j_bridge.tasks.registry import train_settings
from dl4j_bridge.tasks.samples.task import CHANCE_BITS

# Findings of one training: more would only follow from the first ones.
MOST = 3
# Steps before which nothing is said of what is learned, and of a plateau.
FEWEST, FEWEST_OF_A_PLATEAU = 300, 1000
# Error to signal above which it is asked what keeps a network from learning.
SUSPICIOUS = 0.1
# Learning rates that are this many times the usual one or a share of it are the first suspects.
HIGH, LOW = 3.0, 0.1
# Findings that name a setting.
_SETTINGS = {"learning-rate-too-high", "learning-rate-too-low", "weak-input-scale"}


class LiveChecks:
    """Judges a training after each step.

    Attributes
    ----------
    findings
        What was found so far, each kind once.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._gained = run.task.bits_gained
        # Training losses since the last complete block, and since the last validation.
        self._block: list[float] = []
        self._unvalidated: list[float] = []
        self._means: list[float] = []
        self._history = curves.History()
        self.findings: list[Finding] = []

    def before(self) -> list[Finding]:
        """What a fresh network shows; the new findings."""
        run = self._run
        if run.state.step or run.start or run.task.interface.input != "one-hot":
            return []
        weak = weak_input(run.settings.network, run.task.interface, run.network.parameters())
        return self._add([weak] if weak else [])

    def after_step(self, loss: float, valid: Metrics | None) -> list[Finding]:
        """The new findings after a step, with its training loss and its validation if it made one."""
        self._block.append(loss)
        self._unvalidated.append(loss)
        found = []
        if len(self._block) == curves.BLOCK:
            self._means.append(float(np.mean(self._block)))
            self._block = []
            if curves.diverges(self._means, self._gained, CHANCE_BITS if self._has_classes else None):
                found.append(self._too_high({"loss_at_best": min(self._means), "loss_now": self._means[-1]}))
        if valid:
            found += self._after_validation(valid)
        return self._add(found)

    def at_end(self, valid: Metrics) -> list[Finding]:
        """The new findings once a training has ended by itself, with the last validation of the best network."""
        # What was found before explains it.
        if self.findings or self._run.task.predicts != "target" or not self._history.errors or self._step < FEWEST:
            return []
        error = min(self._history.errors)
        if error <= POOR:
            return []
        is_far = error > SUSPICIOUS and self._run.task.graded
        evidence = self._errors() | {"model_esr": valid.get("esr")}
        lag, prominence = self._echo if is_far else (0, 0.0)
        if prominence > IS_ECHO:
            evidence |= {"echo_seconds": lag / self._run.info.rate, "echo_prominence": prominence}
            return self._add([self._not_followed(evidence)])
        if error <= WORSE * self._simple_error:
            return self._add([self._not_followed(evidence)] if is_far else [])
        name = min(self._simple, key=self._simple.__getitem__)
        evidence = {"model_esr": error, f"{name}_esr": self._simple[name]}
        found = NOISIER_THAN_BASELINE.found(train_longer(name), evidence)
        return self._add([replace(found, command=remedies.longer(self._run.folder.path, self._run.settings.run))])

    def _after_validation(self, valid: Metrics) -> list[Finding]:
        history = self._history
        history.add(self._unvalidated, validation.loss_of(self._run.task, valid), valid.get("esr"))
        self._unvalidated = []
        if not history.errors or self._step < FEWEST:
            return []
        error = min(history.errors)
        # The simple models are only run where there is a doubt.
        if error > SUSPICIOUS and curves.is_far(error, self._simple_error):
            rate = self._wrong_rate()
            if rate or curves.learns_nothing(error, self._simple_error):
                return [rate or self._learns_nothing()]
        found = []
        # An error that nobody hears is none; what predicts the next sample has one, whatever its loss.
        matters = self._run.task.predicts == "next" or history.errors[-1] > POOR
        if matters and curves.overfits(history, self._gained):
            found.append(self._overfit())
        # A falling learning rate still gains something at its end.
        may_stop = self._run.settings.run.schedule not in SCHEDULES and self._step >= FEWEST_OF_A_PLATEAU
        is_still = may_stop and curves.stands_still(history, self._gained)
        if is_still and error > POOR and curves.is_far(error, self._simple_error):
            found.append(self._slow())
        return found

    def _add(self, found: list[Finding]) -> list[Finding]:
        """Keep those that are new and that no earlier finding explains, with their commands."""
        known = {finding.code for finding in self.findings}
        if consequences.stops(consequences.NO_LEARNING, self.findings):
            # Two settings may be wrong, but that nothing is learned because of them is no third fault.
            known |= (consequences.NO_LEARNING | consequences.LEARNED_LITTLE | {SLOW_LEARNING.code}) - _SETTINGS
        new = [finding for finding in found if finding.code not in known][: MOST - len(self.findings)]
        new = [f if f.command else replace(f, command=self._command(f)) for f in new]
        self.findings += new
        return new

    def _command(self, finding: Finding) -> str | None:
        run = self._run
        if not finding.changes:
            return None
        targets = [pair.target.path for pair in run.pairs if pair.target]
        command = typed.training([pair.input.path for pair in run.pairs], targets, run.settings, **finding.changes)
        return f"{command} --from {shlex.quote(str(run.start))}" if run.start else command

    # ---- what is found

    def _wrong_rate(self) -> Finding | None:
        """The first suspect where little is learned: a learning rate that is far from the usual one."""
        rate, usual = self._run.settings.network.learning_rate, self._usual.learning_rate
        if rate > HIGH * usual:
            return self._too_high(self._errors())
        if rate < LOW * usual:
            fix = f"--learning-rate {usual:g} (found {rate:g})"
            return LEARNING_RATE_TOO_LOW.found(fix, self._errors(), learning_rate=usual)
        return None

    def _learns_nothing(self) -> Finding:
        if self._has_classes and self._is_uniform:
            return stuck_at_uniform(self._errors(), self._run.settings.network, self._usual)
        return STUCK_AT_MARGINAL.found(MARGINAL_FIX, self._errors())

    def _errors(self) -> dict[str, Any]:
        """Evidence that a simple model is better."""
        error = min(self._history.errors)
        return {"steps": self._step, "model_esr": error, "best_simple_model_esr": self._simple_error}

    def _too_high(self, evidence: dict[str, Any]) -> Finding:
        rate, usual = self._run.settings.network.learning_rate, self._usual.learning_rate
        lower = usual if rate > 1.5 * usual else rate / 10
        fix = f"--learning-rate {lower:g} (found {rate:g})"
        return LEARNING_RATE_TOO_HIGH.found(fix, evidence, learning_rate=lower)

    def _overfit(self) -> Finding:
        history, best, run = self._history, self._history.best, self._run.settings.run
        evidence = {
            "best_validation_step": self._step - (len(history.validation) - 1 - best) * run.validate_every,
            "validation_loss_then": history.validation[best],
            "validation_loss_now": history.validation[-1],
            "training_loss_then": history.training[best],
            "training_loss_now": history.training[-1],
        }
        return found_overfit(self._run.task, self._run.settings.network, evidence)

    def _not_followed(self, evidence: dict[str, Any]) -> Finding:
        """The command diagnoses the first pair, since that takes a minute and finds out more."""
        pair = self._run.pairs[0]
        words = ["--input", pair.input.path, *(["--target", pair.target.path] if pair.target else [])]
        fix = "record the amplifier without it and add it afterwards; if there is none, train for longer"
        found = NOT_FOLLOWED.found(fix, evidence)
        return replace(found, command=typed.command("diagnose", *words))

    def _slow(self) -> Finding:
        hidden = 2 * self._run.settings.network.hidden
        fix = f"a larger network (--hidden {hidden}): validation gains no more, far from what a simple model reaches"
        return SLOW_LEARNING.found(fix, self._errors(), hidden=hidden)

    # ---- what it is compared with

    @property
    def _step(self) -> int:
        return self._run.state.step

    @property
    def _has_classes(self) -> bool:
        return self._run.task.interface.output == "softmax"

    @property
    def _is_uniform(self) -> bool:
        target = np.concatenate([y for _, y in self._stretches])
        return is_uniform(self._history.validation[-1], metrics.entropy_bits(target))

    @cached_property
    def _usual(self) -> NetworkSettings:
        run = self._run
        return train_settings({"task": run.task.name}, run.task.predicts == "target").network

    @cached_property
    def _stretches(self) -> list[Any]:
        memory = max((b.memory for b in self._run.task.fitted_baselines(self._run.baselines)), default=0)
        return validation.stretches(self._run.signals, self._run.settings.run.validation_samples, warm_up=memory)

    @cached_property
    def _simple(self) -> dict[str, float]:
        """ESR of the baselines where the validations measure it; only a training in doubt asks for it."""
        return self._run.task.baseline_errors(self._stretches, self._run.baselines)

    @property
    def _echo(self) -> tuple[int, float]:
        """The lag at which what the best linear filter leaves of the validation part repeats the input; see `echo`."""
        run = self._run
        fir = next((b for b in run.task.fitted_baselines(run.baselines) if b.name == "fir"), None)
        if fir is None:
            return 0, 0.0
        x, y = run.signals[0]
        where = part_of(len(x), "valid")
        begin = max(where.start - round(LONGEST_SECONDS * run.info.rate / run.task.hop), 0)
        x, y = run.task.baseline_signals((x[begin : where.stop], y[where]))
        error = fir.decode(y) - fir.predict(x).last(len(y)).values
        return echo(fir.decode(x), error, fir.memory + 1)

    @property
    def _simple_error(self) -> float:
        return min(self._simple.values(), default=float("inf"))
