"""A training as a run of MLflow, written by the optional package mlflow-skinny or mlflow."""

from __future__ import annotations

import logging
import os
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dl4j_bridge import atomic_files
from dl4j_bridge.errors import InputError
from dl4j_bridge.jobs.tensorboard_log import scalars_of
from dl4j_bridge.model.run import Progress, Report, Run

EXPERIMENT = "dl4j_bridge"
# The tag by which a resumed training finds its run.
TAG = "dl4j_bridge.run"
# Seconds between two transfers, and what MLflow takes in one of them.
SECONDS = 5.0
MOST_METRICS, MOST_PARAMS, LONGEST_PARAM = 1000, 100, 500

_log = logging.getLogger(__name__)


def check(place: str | os.PathLike[str] | None) -> None:
    """Check, before any work is done, that runs can be logged to `place`, if there is one.

    Raises
    ------
    InputError
        If MLflow is not installed, or the place cannot be used.
    """
    if place is None:
        return
    _import()
    if not _is_uri(place):
        atomic_files.check_folder(Path(place))
        return
    try:
        _client(place).get_experiment_by_name(EXPERIMENT)
    except Exception as e:
        raise _unusable(place, e) from e


@contextmanager
def logged(run: Run, place: str | os.PathLike[str] | None, report: Report) -> Iterator[Report]:
    """Extend `report` by logging the settings and each step to MLflow; at the end the model and the report.

    A background thread writes, so that a slow server does not slow the training down. A server that fails loses the
    log, not the training: a warning names it.

    Parameters
    ----------
    run
        Run to log.
    place
        Folder with a database, which is made, or a tracking URI; None yields `report` unchanged.
    report
        Function to call with the progress of each step.

    Raises
    ------
    InputError
        If the place cannot be used.
    """
    if place is None:
        yield report
        return
    with ThreadPoolExecutor(1, "mlflow") as pool:
        log = _Log(run, place, pool)

        def both(progress: Progress) -> None:
            log.add(progress)
            report(progress)

        status = "FAILED"
        try:
            yield both
            status = "FINISHED"
        finally:
            log.close(status)


class _Log:
    """The run at MLflow, and the metrics that are not there yet."""

    def __init__(self, run: Run, place: str | os.PathLike[str], pool: ThreadPoolExecutor) -> None:
        self._run, self._place, self._pool = run, place, pool
        self._waiting: list[tuple[str, float, int, int]] = []
        self._sent: Future[None] | None = None
        self._last = time.monotonic()
        self._failed = False
        try:
            self._client = _client(place)
            self._id = self._found_or_made()
        except Exception as e:
            raise _unusable(place, e) from e

    def add(self, progress: Progress) -> None:
        now = round(time.time() * 1000)
        self._waiting += [(name, value, now, progress.step) for name, value in scalars_of(self._run, progress).items()]
        is_free = self._sent is None or self._sent.done()
        if is_free and time.monotonic() - self._last >= SECONDS:
            self._send()

    def close(self, status: str) -> None:
        """Send the rest, with the model and the report."""
        self._send()
        self._pool.submit(self._try, self._finish, status).result()

    def _send(self) -> None:
        batch, self._waiting, self._last = self._waiting, [], time.monotonic()
        self._sent = self._pool.submit(self._try, self._log_metrics, batch)

    def _try(self, action: Any, argument: Any) -> None:
        """Do something with the server; warn at the first failure and do nothing from then on."""
        if self._failed:
            return
        try:
            action(argument)
        except Exception as e:
            self._failed = True
            _log.warning("%s: MLflow failed, so it lacks the rest of this training (%s)", self._place, _first_line(e))

    def _log_metrics(self, batch: list[tuple[str, float, int, int]]) -> None:
        from mlflow.entities import Metric

        for start in range(0, len(batch), MOST_METRICS):
            metrics = [Metric(*values) for values in batch[start : start + MOST_METRICS]]
            self._client.log_batch(self._id, metrics=metrics)

    def _finish(self, status: str) -> None:
        for file in (self._run.folder.model, self._run.folder.path / "report.html"):
            if status == "FINISHED" and file.exists():
                self._client.log_artifact(self._id, str(file))
        self._client.set_terminated(self._id, status)

    def _found_or_made(self) -> str:
        """The run of this folder, also if the training is resumed."""
        folder = self._run.folder.path.absolute()
        mark = uuid.uuid5(uuid.NAMESPACE_URL, folder.as_uri()).hex
        experiment = self._client.get_experiment_by_name(EXPERIMENT)
        if experiment is None:
            artifacts = None if _is_uri(self._place) else (Path(self._place).absolute() / "artifacts").as_uri()
            number = self._client.create_experiment(EXPERIMENT, artifact_location=artifacts)
        else:
            number = experiment.experiment_id
        if self._run.state.step > 0:
            for found in self._client.search_runs([number], f"tags.`{TAG}` = '{mark}'", max_results=1):
                self._client.update_run(found.info.run_id, status="RUNNING")
                return str(found.info.run_id)
        made = self._client.create_run(number, run_name=folder.name, tags={TAG: mark})
        self._log_params(made.info.run_id)
        return str(made.info.run_id)

    def _log_params(self, number: str) -> None:
        from mlflow.entities import Param

        options = self._run.settings.as_options() | {"task": self._run.task.name}
        params = [Param(name, str(value)[:LONGEST_PARAM]) for name, value in options.items()]
        for start in range(0, len(params), MOST_PARAMS):
            self._client.log_batch(number, params=params[start : start + MOST_PARAMS])


def _client(place: str | os.PathLike[str]) -> Any:
    return _import().MlflowClient(tracking_uri=_tracking_uri(place))


def _unusable(place: str | os.PathLike[str], error: Exception) -> InputError:
    return InputError("--mlflow", f"{place} cannot be used ({_first_line(error)})", "wanted a folder or a tracking URI")


def _is_uri(place: str | os.PathLike[str]) -> bool:
    return "://" in str(place) or str(place) in ("databricks", "uc")


def _tracking_uri(place: str | os.PathLike[str]) -> str:
    """MLflow's address of a place; a folder holds a database, since MLflow gives up its plain files."""
    if _is_uri(place):
        return str(place)
    folder = Path(place).absolute()
    folder.mkdir(exist_ok=True)
    return f"sqlite:///{folder / 'mlflow.db'}"


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _import() -> Any:
    # MLflow reports its use to its makers unless told otherwise, and tries a server that is gone for minutes.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    try:
        import alembic  # noqa: F401
        import mlflow
    except ImportError:
        wanted = "run: pip install 'dl4j_bridge[mlflow]'"
        raise InputError("--mlflow", "needs mlflow-skinny, which is not installed", wanted) from None
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return mlflow
