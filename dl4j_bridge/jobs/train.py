"""The training loop: update, validate, keep the best, stop."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from dl4j_bridge.jobs.large_folders import in_memory
from dl4j_bridge.jobs.live_checks import LiveChecks
from dl4j_bridge.jobs.pretraining import pretrain
from dl4j_bridge.jobs.preview import Preview
from dl4j_bridge.jobs.session import Stopwatch, interruptible
from dl4j_bridge.jobs.updates import Updates, updates_of
from dl4j_bridge.jobs.validation import long_outputs, loss_of, validate, validate_long
from dl4j_bridge.model import model_zip
from dl4j_bridge.model.info import TrainingInfo
from dl4j_bridge.model.model_zip import Model
from dl4j_bridge.model.run import OUTER_MOMENTUM, Progress, Report, Run
from dl4j_bridge.settings.schedules import SCHEDULES
from dl4j_bridge.signal.pairs import part
from dl4j_bridge.signal.windows import Windows
from dl4j_bridge.tasks import grades
from dl4j_bridge.tasks.interface import Metrics
from dl4j_bridge.tasks.update import segments

# A save takes as long as ten steps; a run that is killed loses this much at most.
SAVE_SECONDS = 10.0


# A reason to stop after a step, or None.
Until = Callable[[Progress], str | None]


def train(
    run: Run,
    report: Report = lambda progress: None,
    stop: threading.Event | None = None,
    until: Until = lambda progress: None,
) -> dict[str, Any]:
    """Train until a limit, a plateau or Ctrl-C; the best and the last network are in the run folder.

    Parameters
    ----------
    run
        From `new_run` or `resumed_run`.
    report
        Called after every step.
    stop
        Set by another thread to stop and save, as Ctrl-C does.
    until
        Called after every step, and returns a reason to stop or None. ``interrupted`` is to be resumed.

    Returns
    -------
    dict
        ``run, model, task, steps, epochs, samples_per_second, valid, grade`` (the ESR in words, or None),
        ``stopped_because``, and ``findings`` of the live checks, as `diagnose` has them. With workers also
        ``exchanges``: their number, and means of one in milliseconds and bytes.

    Raises
    ------
    BridgeError
        The loss is not finite any more, or a file cannot be written. What was saved before is still there, and the run
        folder is free for another process.
    """
    try:
        result = _trained(run, report, stop or threading.Event(), until)
        run.folder.write_run(run.info.as_dict() | {"status": result["stopped_because"], "result": result})
        return result
    except BaseException:
        run.folder.write_status("failed")
        raise
    finally:
        run.folder.lock.release()


def _trained(run: Run, report: Report, stop: threading.Event, until: Until) -> dict[str, Any]:
    settings, state = run.settings.run, run.state
    training = [part(s, "train") for s in run.signals]
    stretches = training + run.augmented
    windows = Windows(stretches, settings.length, settings.batch, run.settings.network.seed)
    valid = None
    log = run.folder.log_rows(run.task.training_metrics, run.task.validation_metrics)
    with interruptible(stop) as interrupted, updates_of(run, stretches, windows) as updates:
        # Otherwise the first save waits for the first step, which users wait for.
        if settings.validate_every == 1 or run.settings.small_data.pretrain != "none" or run.settings.workers.on_ray:
            _save_first(run, updates)
        reason = _reason_to_stop(run, windows)
        # Nothing of the pre-training is saved: a run that stops in it begins it again, from the same seed.
        if state.step == 0 and reason is None and run.settings.small_data.pretrain != "none":
            reason = pretrain(run, in_memory(stretches), report, interrupted)
        saved = time.monotonic()
        checks, progress = LiveChecks(run), None
        found = checks.before()
        watch, preview = Stopwatch(state.seconds), Preview(run)
        while reason is None:
            _follow_schedule(run, windows)
            asked = None
            for loss, accuracy, steps in updates.advance():
                run.check_finite(loss, state.step + 1)
                state.step += 1
                state.seconds = watch.trained(steps * run.task.hop)
                valid = None
                if state.step % settings.validate_every == 0:
                    with watch.paused():
                        # Not before the first step, which need not wait for them.
                        run.baselines = run.task.fit_baselines(training, run.baselines)
                        valid = validate(run.network, run.task, run.signals, settings.validation_samples)
                        _keep_if_best(run, valid)
                        preview.after_validation()
                        if settings.schedule not in SCHEDULES:
                            _reduce_lr_on_plateau(run, valid)
                        if time.monotonic() - saved > SAVE_SECONDS:
                            _save_last(run, updates)
                            saved = time.monotonic()
                values = run.task.step_metrics(loss, accuracy)
                found += checks.after_step(loss, valid)
                progress = replace(_progress(run, windows, watch, values, valid), findings=found, news=updates.news())
                validated = {f"valid_{name}": value for name, value in (valid or {}).items()}
                log(vars(progress) | values | validated | {"learning_rate": state.learning_rate})
                report(progress)
                found = []
                asked = until(progress) or asked
            with watch.paused():
                _save_first(run, updates)
            reason = "interrupted" if interrupted() else _reason_to_stop(run, windows) or asked
        run.baselines = run.task.fit_baselines(training, run.baselines)
        if reason != "interrupted":
            if valid is None or not run.folder.model.exists():
                _keep_if_best(run, validate(run.network, run.task, run.signals, settings.validation_samples))
            run.best, valid = _calibrated_best(run)
            preview.at_end()
            if progress and (found := checks.at_end(valid)):
                report(replace(progress, values={}, valid=None, findings=found, news=[]))
        _save_last(run, updates)
    result = {
        "run": str(run.folder.path),
        "model": str(run.folder.model if run.folder.model.exists() else run.folder.last),
        "task": run.task.name,
        "steps": state.step,
        "epochs": _epochs(run, windows),
        "samples_per_second": watch.samples_per_second,
        "valid": valid,
        "grade": grades.of(valid.get("esr")) if valid and run.task.graded else None,
        "stopped_because": reason,
        "findings": [finding.as_dict() for finding in checks.findings],
    }
    if facts := updates.facts():
        result["exchanges"] = facts
    return result | ({"pretrain_steps": run.info.pretraining["steps"]} if run.info.pretraining else {})


def _reason_to_stop(run: Run, windows: Windows) -> str | None:
    settings, state = run.settings.run, run.state
    epochs = _epochs(run, windows)
    ends = {
        "steps": settings.steps is not None and state.step >= settings.steps,
        "epochs": settings.epochs is not None and epochs >= settings.epochs,
        "minutes": settings.minutes is not None and state.seconds >= settings.minutes * 60,
        "solved": settings.stop_when_solved and state.best_loss is not None and state.best_loss <= run.task.solved,
        "plateau": settings.schedule not in SCHEDULES and state.validations_since_best >= settings.patience,
    }
    return next((reason for reason, reached in ends.items() if reached), None)


def _keep_if_best(run: Run, valid: Metrics) -> None:
    """Save the network if a validation found it the best, and a long one too."""
    state, loss = run.state, loss_of(run.task, valid)
    has_model = run.folder.model.exists()
    if has_model and state.best_short_loss is not None and loss >= state.best_short_loss:
        return
    state.best_short_loss = loss
    valid = validate_long(run.network, run.task, run.signals)
    loss = loss_of(run.task, valid)
    if not has_model or state.best_loss is None or loss < state.best_loss:
        state.best_loss = loss
        info = replace(run.info, training=TrainingInfo(state.step, valid))
        model_zip.save(run.folder.model, Model(run.network, info, run.baselines), with_updater=False)


def _follow_schedule(run: Run, windows: Windows) -> None:
    """Set the learning rate of the next step, unless the validations decide on it."""
    share_of_rate = SCHEDULES.get(run.settings.run.schedule)
    if share_of_rate:
        done = _fraction(run, windows) or 0.0
        rate = run.settings.network.learning_rate * share_of_rate(done)
        if done:
            rate *= run.task.rate_share(_epochs(run, windows) / done)
        run.state.learning_rate = rate
        run.network.set_learning_rate(run.state.learning_rate)


def _reduce_lr_on_plateau(run: Run, valid: Metrics) -> None:
    """Count validations without improvement; after a quarter of the patience, halve the learning rate."""
    state, settings, loss = run.state, run.settings.run, loss_of(run.task, valid)
    if state.plateau_loss is None or run.task.bits_gained(state.plateau_loss, loss) > settings.min_gain:
        state.plateau_loss = loss
        state.validations_since_best = state.validations_since_drop = 0
        return
    state.validations_since_best += 1
    state.validations_since_drop += 1
    if state.validations_since_drop >= max(settings.patience // 4, 1):
        state.validations_since_drop = 0
        state.learning_rate /= 2
        run.network.set_learning_rate(state.learning_rate)


def _save_first(run: Run, updates: Updates) -> None:
    """Save what can be resumed, before the best network is put beside it."""
    if not run.folder.last.exists():
        _save_last(run, updates)


def _save_last(run: Run, updates: Updates) -> None:
    updates.settle()
    info, state = replace(run.info, run_state=run.state), run.network.state()
    if run.outer_momentum is not None:
        state[OUTER_MOMENTUM] = run.outer_momentum
    model = Model(run.network, info, run.baselines, state)
    model_zip.save(run.folder.last, model, with_updater=True)


def _calibrated_best(run: Run) -> tuple[Model, Metrics]:
    """The best network, with distributions as sharp as they should be, and what is measured on it after training."""
    best = model_zip.open_model(run.folder.model).load()
    assert best.info.training is not None, "the best network was validated"
    outputs = long_outputs(best.network, run.signals)
    factor = run.task.sharpness(*outputs)
    if factor != 1:
        best.network.scale_output(factor)
        outputs = long_outputs(best.network, run.signals)
    task = run.task.calibrate(best.network, [part(signals, "train") for signals in run.signals], run.info.rate)
    valid = task.measure(*outputs)
    info = replace(best.info, task=task, training=replace(best.info.training, valid=valid))
    best = replace(best, info=info)
    model_zip.save(run.folder.model, best, with_updater=False)
    return best, valid


def _progress(
    run: Run, windows: Windows, watch: Stopwatch, values: dict[str, float], valid: Metrics | None
) -> Progress:
    state, fraction, epochs = run.state, _fraction(run, windows), _epochs(run, windows)
    left = state.seconds * (1 - fraction) / fraction if fraction else None
    return Progress(state.step, epochs, state.seconds, values, watch.samples_per_second, fraction, left, valid)


def _fraction(run: Run, windows: Windows) -> float | None:
    """The share of the way to the nearest limit; None without a limit."""
    settings, state = run.settings.run, run.state
    epochs = _epochs(run, windows)
    limits = ((state.step, settings.steps), (epochs, settings.epochs), (state.seconds / 60, settings.minutes))
    done = [value / limit for value, limit in limits if limit is not None]
    return min(max(done), 1.0) if done else None


def _epochs(run: Run, windows: Windows) -> float:
    """Number of epochs that are done."""
    return windows.epochs(run.state.step / segments(run.settings))
