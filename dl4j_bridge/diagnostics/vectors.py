"""Does a network between vectors learn, and is its output as good as it is? Frames of samples and spectra."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from dl4j_bridge.diagnostics import learning, output
from dl4j_bridge.diagnostics.findings import FAULT, WARNING, Check, Finding, Outcome
from dl4j_bridge.diagnostics.learning import Effort, Trial
from dl4j_bridge.java.network import Network
from dl4j_bridge.jobs import training
from dl4j_bridge.settings.config import TrainSettings
from dl4j_bridge.signal import metrics
from dl4j_bridge.tasks.interface import Signal, Stretch, Task

# Shares of the variance that are left: where a network has begun to learn the identity (more cannot be asked of a short
# trial with fewer units than a frame has samples), where it has learnt nothing, and where a copy does a good deal.
LEARNT, NOTHING, COPIED = 0.75, 0.9, 0.5
# Steps between two looks at the error: a look costs about as much as a step.
LOOK_EVERY = 20
# Values that an error is taken on, and from how many stretches of a recording.
MOST_VALUES, STRETCHES = 400_000, 8
# Names of the trial on what was asked, by what the task predicts.
PAIR = {"target": "pair", "next": "next frame"}
# Rows of a comparison that no baseline could be: they are told the target.
TOLD = ("oracle", "8-bit")
# A network is worse than a baseline if so many dB are between them.
WORSE_DB = 1.0


def checks(settings: TrainSettings, task: Task, signals: Stretch, effort: Effort) -> list[Check]:
    """The identity on the input alone, then the pair or what comes next.

    Parameters
    ----------
    settings
        Of the user; stock layers are computed by the fused ones.
    task
        Of vectors.
    signals
        Input and target, float32 of shape (n, width), the delay cut out.
    effort
        How long a trial may take.
    """
    settings = learning.as_fused(settings)
    x, _ = signals
    return [
        Check("identity", lambda: identity(settings, task, training.part((x, x), "train"), effort)),
        Check(PAIR[task.predicts], lambda: pair(settings, task, signals, effort)),
    ]


def identity(settings: TrainSettings, task: Task, stretch: Stretch, effort: Effort) -> Outcome:
    """Learn to give the input back; where that fails, look for a learning rate that does."""
    steps = effort.steps(settings)

    def with_rate(rate: float) -> Trial:
        network = replace(settings.network, learning_rate=rate)
        return learning.train_briefly(replace(settings, network=network), stretch, steps, look, task)

    def learnt(trial: Trial) -> bool:
        return trial.finite and error_share(trial.network, stretch) <= LEARNT

    def look(trial: Trial) -> bool:
        return len(trial.losses) % LOOK_EVERY == 0 and learnt(trial)

    def shown(trial: Trial) -> dict[str, Any]:
        return _figures(trial, stretch)

    first = with_rate(settings.network.learning_rate)
    figures: dict[str, Any] = {"trials": [shown(first)], "curve": learning.loss_curve(first)}
    if learnt(first):
        return Outcome([], figures)
    trials: list[Trial] = []

    def with_changes(init: str, learning_rate: float) -> Trial:
        trials.append(with_rate(learning_rate))
        return trials[-1]

    mended = learning.other_rate(first, with_changes, learnt)
    figures["trials"] += [shown(trial) for trial in trials]
    found = [] if first.finite else [learning.non_finite(first, shown)]
    if mended is None:
        return Outcome(found or [_stuck(first, stretch)], figures)
    return Outcome([*found, learning.wrong_rate(first, mended, shown)], figures)


def pair(settings: TrainSettings, task: Task, signals: Stretch, effort: Effort) -> Outcome:
    """Learn for a while: a network that explains nothing where a copy explains something is stuck."""
    stretch, valid = training.part(signals, "train"), training.part(signals, "valid")
    steps = effort.steps(settings)
    halfway: list[float] = []

    def look_halfway(trial: Trial) -> bool:
        if len(trial.losses) == steps // 2:
            halfway.append(error_share(trial.network, valid))
        return False

    trial = learning.train_briefly(settings, stretch, steps, look_halfway, task)
    figures: dict[str, Any] = {
        "trials": [_figures(trial, stretch)],
        "curve": learning.loss_curve(trial),
        "copy": _share_of_copy(stretch),
    }
    if not trial.finite:
        return Outcome([learning.non_finite(trial, lambda lost: _figures(lost, stretch))], figures)
    here, there = error_share(trial.network, stretch), error_share(trial.network, valid)
    figures |= {"train_share": here, "valid_share_halfway": halfway[0], "valid_share": there}
    if here > NOTHING and figures["copy"] < COPIED:
        return Outcome([_stuck(trial, stretch)], figures)
    worse = metrics.bits_of_error(there, halfway[0]) > learning.WORSE_BITS
    return Outcome(_overfit(here, there, signals) if worse else [], figures)


def checks_of_model(network: Network, signals: Stretch, compare: Callable[[], list[dict[str, Any]]]) -> list[Check]:
    """Look at a trained network.

    Parameters
    ----------
    network
        The model's.
    signals
        As for `checks`.
    compare
        Gives the rows of `comparing.compare`.
    """
    return [
        Check("train and validation", lambda: generalisation(network, signals)),
        Check("baselines", lambda: against_baselines(compare())),
        Check("memory", lambda: memory(network, training.part(signals, "test"))),
    ]


def generalisation(network: Network, signals: Stretch) -> Outcome:
    """Compare a trained network's error on its training part with that on its validation part."""
    here, there = (error_share(network, training.part(signals, name)) for name in ("train", "valid"))
    figures = {"train_share": here, "valid_share": there}
    return Outcome(_overfit(here, there, signals), figures)


def against_baselines(rows: list[dict[str, Any]]) -> Outcome:
    """Find the baseline that is better than the model on the same held-out samples.

    Parameters
    ----------
    rows
        Of `comparing.compare`; ``snr_db`` of frames or ``si_sdr_db`` of spectra counts.
    """
    key = "snr_db" if "snr_db" in rows[0] else "si_sdr_db"
    known = {row["name"]: row[key] for row in rows if row[key] is not None and not row["name"].startswith(TOLD)}
    model = known.pop("model", None)
    # The same network without its state is no baseline.
    known.pop("stateless", None)
    figures = {"model": model} | known
    if model is None or not known:
        return Outcome([], figures)
    best = max(known, key=lambda name: float(known[name]))
    if model >= known[best] - WORSE_DB or model >= metrics.snr_db(output.POOR):
        return Outcome([], figures)
    fix = f"train for longer; until then {best} is the better model of this pair"
    return Outcome([Finding("noisier-than-baseline", FAULT, fix, figures)], figures)


def memory(network: Network, stretch: Stretch, chunk: int = 1000, head: int = 50) -> Outcome:
    """How much worse the first time steps behind a border are where the state is dropped there; no verdict."""
    x, y = stretch
    chunk = min(chunk, max(len(x) // 4, 1))
    count, head = len(x) // chunk, min(head, chunk)
    if count < 2:
        return Outcome()
    carried = network.dense_stream().run(x[: count * chunk]).reshape(count, chunk, -1)[1:, :head]
    dropped = network.run_batch(x[: count * chunk].reshape(count, chunk, -1)[1:, :head])
    wanted = y[: count * chunk].reshape(count, chunk, -1)[1:, :head]
    figures = {name: _share(found, wanted) for name, found in (("carried", carried), ("dropped", dropped))}
    return Outcome([], figures | {"time_steps": head})


def error_share(network: Network, stretch: Stretch) -> float:
    """Share of the target's variance that the network leaves, on stretches from all over a recording."""
    x, y = stretch
    values = MOST_VALUES // (x.shape[1] * STRETCHES)
    length = max(min(len(x) // STRETCHES, values), 1)
    starts = np.linspace(0, len(x) - length, STRETCHES).astype(int)
    heard = min(length // 2, training.WARM_UP)
    found = network.run_batch(np.stack([x[s : s + length] for s in starts]))[:, heard:]
    return _share(found, np.stack([y[s : s + length] for s in starts])[:, heard:])


def _share(found: Signal, wanted: Signal) -> float:
    off = np.sum((found.astype(np.float64) - wanted) ** 2)
    mean = wanted.mean(axis=(0, 1), dtype=np.float64)
    return float(off / max(np.sum((wanted - mean) ** 2), 1e-12))


def _share_of_copy(stretch: Stretch) -> float:
    return _share(stretch[0][None], stretch[1][None])


def _figures(trial: Trial, stretch: Stretch) -> dict[str, Any]:
    share = error_share(trial.network, stretch)
    return trial.conditions() | {"error_share": round(share, 4) if math.isfinite(share) else None}


def _overfit(here: float, there: float, signals: Stretch) -> list[Finding]:
    """Compare how much harder the validation part is for the network and for a copy."""
    harder = metrics.bits_of_error(*(_share_of_copy(training.part(signals, name)) for name in ("valid", "train")))
    excess = metrics.bits_of_error(there, here) - max(harder, 0.0)
    if excess <= learning.OVERFIT_BITS:
        return []
    evidence = {"train_share": here, "valid_share": there, "excess_bits": excess}
    return [Finding("overfit", FAULT, learning.OVERFIT_FIX, evidence)]


def _stuck(trial: Trial, stretch: Stretch) -> Finding:
    evidence = _figures(trial, stretch)
    if not evidence["error_share"] or evidence["error_share"] > NOTHING:
        fix = "the target does not follow from this input, or the network is too small: look at the pair and --hidden"
        return Finding("stuck-at-marginal", FAULT, fix, evidence)
    fix = "train for longer, or a larger --hidden: the error falls, but slowly"
    return Finding("slow-learning", WARNING, fix, evidence)
