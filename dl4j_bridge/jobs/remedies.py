"""The command that fixes a finding, with the user's own paths."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dl4j_bridge.diagnostics.findings import FAULT, Finding
from dl4j_bridge.jobs import typed
from dl4j_bridge.model.run_folder import RunFolder
from dl4j_bridge.settings.checks import option
from dl4j_bridge.settings.training import RunSettings, TrainSettings

if TYPE_CHECKING:
    from dl4j_bridge.jobs.diagnose import Request

# Findings that another command than `train` fixes.
_DOCTOR = {"parity-broken", "gradient-broken"}
_PROCESS = {"sampling-noise", "state-not-carried"}
_TRAIN_ON = {"noisier-than-baseline"}


def with_command(finding: Finding, request: Request, settings: TrainSettings) -> Finding:
    """The finding with the command that fixes it, if there is one.

    Parameters
    ----------
    finding
        What was found.
    request
        What was looked at.
    settings
        The user's, or those of the model.
    """
    return replace(finding, command=_command(finding, request, settings) if request.kept else None)


def after(request: Request, findings: list[Finding]) -> str:
    """What to do after a diagnosis: a command, or a sentence."""
    if findings and findings[0].command:
        return findings[0].command
    if request.source is None:
        again = ["--iterator", request.iterator or ""] + (
            ["--classpath", request.classpath] if request.classpath else []
        )
        if findings:
            return f"change your Java code as the first fix says, then: {typed.command('diagnose', *again)}"
        return (
            "these batches hold what a network needs: train with network.fit(iterator); the settings of your program "
            "are tried by: dl4j-bridge diagnose --input YOUR.wav --preset posted"
        )
    if any(finding.severity == FAULT for finding in findings):
        return "fix the first finding, then run this again"
    if not request.kept:
        return "train on these recordings with dl4j_bridge.train"
    if request.model:
        todo = ("process", "--input", "X.wav") if request.target else ("generate",)
        return typed.command(*todo, "--model", request.model, "--output", "Y.wav")
    return typed.training([request.source], [request.target] if request.target else [], request.settings)


def longer(model: Path, limits: RunSettings) -> str | None:
    """The command that trains a run for twice its limit; None if `model` is no run folder that can be resumed."""
    if not RunFolder(model).last.exists():
        return None
    given = {name: getattr(limits, name) for name in ("steps", "epochs", "minutes")}
    doubled = {name: 2 * value for name, value in given.items() if value is not None}
    words = [
        word for name, value in (doubled or {"patience": 2 * limits.patience}).items() for word in (option(name), value)
    ]
    return typed.command("train", model, "--resume", *words)


def _command(finding: Finding, request: Request, settings: TrainSettings) -> str | None:
    if finding.changes and request.source:
        targets = [request.target] if request.target else []
        return typed.training([request.source], targets, settings, **finding.changes)
    if finding.code == "swapped" and request.source and request.target:
        return typed.training([request.target], [request.source], settings)
    if finding.code in _DOCTOR:
        return typed.command("doctor")
    if finding.code in _PROCESS and request.model and request.source:
        return typed.command("process", "--model", request.model, "--input", request.source, "--output", "Y.wav")
    if finding.code in _TRAIN_ON and request.model:
        return longer(request.model, settings.run)
    return None
