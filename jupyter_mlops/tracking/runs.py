"""Sweeps as parent runs, runs as their children, in an embedded or any other MLflow."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import UnavailableError
from ..core.messages import Message
from ..core.runs import Run, RunResult
from ..core.sweeps import Sweep
from ..environments import packages, recent_packages
from ..private import private
from .address import check_answers, external_uri
from .fields import OWNER, PARENT, file_name, log_parameters, log_values, milliseconds, parent_tag, sweep_tags
from .metric_log import MetricLog
from .registry import Registry, run_exists
from .server.process import EmbeddedServer, State

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run as MlflowRun

# fail fast: what could not be written is written later. No retries: a slow server would create the run twice
_CLIENT_TIMEOUTS = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "5", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
# a sweep cannot begin without its parent run, and a busy machine's MLflow may take long for the first answer
_BEGIN_TIMEOUTS = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "30"}
# kernels inherit this process's environment, but may wait minutes for a server to come back
_KERNEL_TIMEOUTS = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "120", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "7"}
# pause after an unanswered call, as a multiple of the time it took
_BACKOFF = 10.0
RunKey = tuple[str, str]  # experiment and run
_STATUS = {"succeeded": "FINISHED", "failed": "FAILED", "stopped": "KILLED", "pruned": "KILLED"}


class Tracking:
    """Writes sweeps and runs to MLflow. Methods block and are idempotent.

    Args:
        data_dir: of the embedded MLflow.
        uri: another MLflow; empty means MLFLOW_TRACKING_URI, else the embedded one.

    Attributes:
        metric_log: of the embedded MLflow, None for another.
        outage: why the last call to an external MLflow got no answer; None since one did.
    """

    def __init__(self, data_dir: Path, uri: str = "") -> None:
        self.data = data_dir
        self.external = external_uri(uri)
        self.metric_log = None if self.external else MetricLog(data_dir / "mlflow.sqlite")
        self.server = EmbeddedServer(data_dir)
        self._opened: MlflowClient | None = None
        self._lock = threading.RLock()
        self._registry = Registry()
        self.outage: Message | None = None
        self._retry_at = 0.0
        self._logged: set[tuple[str, str]] = set()
        self._patience = {name: os.environ.get(name, value) for name, value in _KERNEL_TIMEOUTS.items()}

    # -- life --------------------------------------------------------------------------------

    def start(self) -> None:
        """Open MLflow for writing; starts the embedded server without waiting for it.

        Raises:
            UnavailableError: the external MLflow does not answer.
        """
        if self.external:
            check_answers(self.external)
        else:
            self._client()
            self.server.ensure()

    def keep(self) -> None:
        """Restart the embedded server if it ended."""
        # only once the file exists: two processes creating it at once would corrupt it
        if not self.external and self._opened is not None:
            self.server.ensure()

    def close(self) -> None:
        """End the embedded server."""
        if not self.external:
            self.server.close()

    def info(self) -> tuple[State, str]:
        """State of the server, and a message."""
        if self.external:
            if self.outage:
                return "failed", f"{self.outage} Runs go on; what it could not be told follows when it answers."
            return "ready", self.external
        return self.server.state, self.server.message

    def urls(self) -> list[str]:
        """Servers that a worker must be able to reach; waits until the embedded one answers or has failed."""
        if not self.external:
            self.start()
            self.server.wait()
        return [self.external or self.server.uri]

    def _client(self) -> MlflowClient:
        with self._lock:
            if self._opened is None:
                os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
                from mlflow import MlflowClient

                file = self.data / "mlflow.sqlite"
                if not self.external and not file.exists():
                    _make_database(file, self.data / "mlartifacts")
                client = MlflowClient(tracking_uri=self.external or f"sqlite:///{file}")
                if not self.external:
                    client.search_experiments(max_results=1)  # migrates the file
                    _set_wal(file)
                self._opened = client
            return self._opened

    @contextmanager
    def _mlflow(self, insist: bool = False) -> Iterator[MlflowClient]:
        """The client, with its errors raised as UnavailableError.

        After a call timed out, further calls fail at once for ten times as long as it took.

        Args:
            insist: call even then, and wait longer for an answer.
        """
        if self.outage and time.monotonic() < self._retry_at and not insist:
            raise UnavailableError(self.outage)
        client = self._client()
        from mlflow.exceptions import MlflowException

        with self._lock:
            begun = time.monotonic()
            os.environ.update(_CLIENT_TIMEOUTS | (_BEGIN_TIMEOUTS if insist else {}))
            try:
                yield client
                self.outage = None
            except (MlflowException, OSError) as error:
                if not self.external or not _is_unanswered(error):
                    self.outage = None
                    raise UnavailableError(Message("MLflow refused: {error}", error=error)) from error
                self.outage = self._silence()
                self._retry_at = time.monotonic() + _BACKOFF * (time.monotonic() - begun)
                raise UnavailableError(self.outage) from error

    def _silence(self) -> Message:
        try:
            check_answers(self.external)
        except UnavailableError as error:
            return error.message
        return Message("MLflow at {uri} takes requests and does not answer them.", uri=self.external)

    def ask_again(self) -> None:
        """End an outage if MLflow answers again.

        Raises:
            UnavailableError: it does not, or was asked too short a time ago.
        """
        with self._mlflow() as client:
            client.search_experiments(max_results=1)

    # -- sweeps ------------------------------------------------------------------------------

    def begin_sweep(self, sweep: Sweep) -> tuple[str, str]:
        """Experiment and parent run of a sweep; creates what is missing.

        Raises:
            UnavailableError: MLflow does not answer.
        """
        self.start()
        # a user waits for this one
        with self._mlflow(insist=not sweep.pipeline_run) as client:
            experiment = self._experiment(client, sweep.experiment)
            query = f"tags.`mlops.sweep_id` = '{sweep.id}' and tags.`mlops.kind` = 'sweep'"
            found = client.search_runs([experiment], query, max_results=1)
            if found:
                parent: str = found[0].info.run_id
                client.update_run(parent, status="RUNNING")
                return experiment, parent
            made = client.create_run(
                experiment,
                run_name=sweep.name,
                start_time=milliseconds(sweep.created_at),
                tags={
                    **sweep_tags(sweep),
                    **parent_tag(sweep.mlflow_parent),
                    "mlops.kind": "sweep",
                    "mlops.space": json.dumps(sweep.space),
                },
            )
            return experiment, made.info.run_id

    def finish_sweep(self, sweep: Sweep) -> None:
        """Close a sweep's parent run.

        Raises:
            UnavailableError: MLflow does not answer.
        """
        if sweep.mlflow_run_id is None or sweep.state.value not in _STATUS:
            return
        with self._mlflow() as client:
            client.set_tag(sweep.mlflow_run_id, "mlflow.runName", sweep.name)
            if sweep.best_run_id is not None and sweep.objective is not None:
                client.set_tag(sweep.mlflow_run_id, "mlops.best_run_id", sweep.best_run_id)
                client.set_tag(sweep.mlflow_run_id, f"mlops.best.{sweep.objective.metric}", str(sweep.best_value))
            ended = milliseconds(sweep.ended_at or sweep.created_at)
            client.set_terminated(sweep.mlflow_run_id, _STATUS[sweep.state.value], ended)

    def _experiment(self, client: MlflowClient, name: str) -> str:
        found = client.get_experiment_by_name(name)
        if found is not None:
            if found.lifecycle_stage == "deleted":
                client.restore_experiment(found.experiment_id)
            return str(found.experiment_id)
        # MLflow's default would be relative to the working directory
        location = None if self.external else (self.data / "mlartifacts" / file_name(name)).as_uri()
        # without it MLflow's interface opens on traces of language models
        kind = {"mlflow.experimentKind": "custom_model_development"}
        return str(client.create_experiment(name, artifact_location=location, tags=kind))

    def drop_sweep(self, sweep: Sweep) -> None:
        """Delete a sweep's runs; MLflow can restore them.

        Raises:
            UnavailableError: MLflow does not answer.
        """
        if sweep.mlflow_experiment_id is None:
            return
        with self._mlflow() as client:
            query = f"tags.`mlops.sweep_id` = '{sweep.id}'"
            while found := client.search_runs([sweep.mlflow_experiment_id], query, max_results=500):
                for run in found:
                    _delete(client, run)

    # -- pipelines ---------------------------------------------------------------------------

    def begin_pipeline(self, experiment: str, name: str, tags: dict[str, str], parameters: dict[str, Any]) -> RunKey:
        """Experiment and MLflow run of a pipeline run, the parent of its steps; creates what is missing.

        Args:
            experiment: name of the experiment.
            name: of the run.
            tags: of the run; ``mlops.pipeline_run`` identifies it.
            parameters: of the pipeline.

        Raises:
            UnavailableError: MLflow does not answer.
        """
        self.start()
        with self._mlflow() as client:
            number = self._experiment(client, experiment)
            query = f"tags.`mlops.pipeline_run` = '{tags['mlops.pipeline_run']}' and tags.`mlops.kind` = 'pipeline'"
            found = client.search_runs([number], query, max_results=1)
            if found:
                client.update_run(found[0].info.run_id, status="RUNNING")
                return number, str(found[0].info.run_id)
            made = client.create_run(number, run_name=name, tags={**tags, "mlops.kind": "pipeline"})
            log_parameters(client, made.info.run_id, parameters)
            return number, str(made.info.run_id)

    def finish_pipeline(self, run_id: str, state: str, ended_at: str) -> None:
        """Close the MLflow run of a pipeline run.

        Raises:
            UnavailableError: MLflow does not answer.
        """
        with self._mlflow() as client:
            if run_exists(client, run_id):
                client.set_terminated(run_id, _STATUS[state], milliseconds(ended_at))

    def drop_runs(self, run_ids: Collection[str]) -> None:
        """Delete those runs that still exist; MLflow can restore them.

        Raises:
            UnavailableError: MLflow does not answer.
        """
        with self._mlflow() as client:
            for run_id in run_ids:
                if run_exists(client, run_id):
                    _delete(client, client.get_run(run_id))

    def linked_to_model(self, run_ids: Collection[str]) -> set[str]:
        """The runs among these that registered models come from, directly or through a child run.

        Raises:
            UnavailableError: MLflow does not answer.
        """
        with self._mlflow() as client:
            return self._registry.linked(client, set(run_ids))

    # -- runs --------------------------------------------------------------------------------

    def begin_run(self, sweep: Sweep, run: Run) -> str:
        """Child run of an attempt; those of earlier attempts are deleted.

        Raises:
            UnavailableError: MLflow does not answer.
        """
        assert sweep.mlflow_experiment_id is not None
        with self._mlflow() as client:
            if run.attempt > 1:
                _drop_children(client, sweep, run.id)
            made = client.create_run(
                sweep.mlflow_experiment_id,
                run_name=f"{sweep.name} · {run.index + 1}" if sweep.space or not sweep.pipeline_run else sweep.name,
                tags={
                    **sweep_tags(sweep),
                    PARENT: sweep.mlflow_run_id or "",
                    "mlops.kind": "run",
                    "mlops.run_id": run.id,
                    "mlops.attempt": str(run.attempt),
                },
            )
            return str(made.info.run_id)

    def drop_others(self, sweep: Sweep, run: Run) -> None:
        """Delete a run's surplus child runs, which a server that timed out may have created.

        Raises:
            UnavailableError: MLflow does not answer.
        """
        with self._mlflow() as client:
            _drop_children(client, sweep, run.id, but=run.mlflow_run_id)

    def kernel_env(self, sweep: Sweep, run: Run, mlflow_run_id: str | None, owns_runs: bool) -> dict[str, str]:
        """Environment that attaches a notebook's plain ``mlflow`` calls to the sweep.

        Args:
            sweep: of the run.
            run: about to be executed.
            mlflow_run_id: its child run; None if MLflow did not answer.
            owns_runs: whether the notebook chooses experiment, server or runs itself; then it gets no run, and the
                metrics of the runs it starts are read from the kernel.
        """
        owner = mlflow_run_id or run.id
        env = {
            **self._patience,
            "MLFLOW_DISABLE_TELEMETRY": "true",
            # tags of the runs that the notebook starts itself, in any experiment or server
            "MLFLOW_RUN_CONTEXT": json.dumps({PARENT: owner, OWNER: owner}),
            "MLOPS_MLFLOW_OWNER": owner,
            # by name: ids differ between servers
            "MLFLOW_EXPERIMENT_NAME": sweep.experiment,
        }
        # what reaches the embedded server is read from its file; all else is recorded in the kernel
        if self.external or mlflow_run_id is None or owns_runs:
            env["MLOPS_MLFLOW_EMBEDDED"] = "" if self.external else self.server.uri
        if mlflow_run_id is None:
            file = self.data / "runs" / run.id / "mlflow-offline.sqlite"
            return {**env, "MLFLOW_TRACKING_URI": f"sqlite:///{file}"}
        # no token: MLflow would send it to any server the notebook uses; ours identifies the user by the connection
        env["MLFLOW_TRACKING_URI"] = self.external or self.server.uri
        return env if owns_runs else {**env, "MLFLOW_RUN_ID": mlflow_run_id}

    def finish_run(self, sweep: Sweep, run: Run, result: RunResult, directory: Path) -> dict[str, float]:
        """Write a finished attempt to its child run.

        Args:
            sweep: of the run.
            run: with its child run's id.
            result: how it ended.
            directory: of the run, see :class:`~jupyter_mlops.core.runs.RunSpec`.

        Returns:
            All metrics by name: those read from the kernel, and those the notebook logged itself.

        Raises:
            UnavailableError: MLflow does not answer.
        """
        assert run.mlflow_run_id is not None
        with self._mlflow() as client:
            child = client.get_run(run.mlflow_run_id)
            data = child.data
            environment = self._environment(client, sweep)
            log_values(client, run, result, data, defaults=sweep.defaults, environment=environment)
            output = directory / str(run.attempt) / "output.ipynb"
            if output.exists():
                self._log_artifact(client, child, output)
            files = directory / "files"
            if files.is_dir() and any(files.iterdir()):
                client.log_artifacts(run.mlflow_run_id, str(files), "files")
            ended = milliseconds(result.ended_at)
            client.set_terminated(run.mlflow_run_id, _STATUS[result.state.value], ended)
            not_finite = {name: float(value) for name, value in result.not_finite.items()}
            return {**data.metrics, **result.metrics, **not_finite}

    def _log_artifact(self, client: MlflowClient, child: MlflowRun, file: Path) -> None:
        if self.external:
            client.log_artifact(child.info.run_id, str(file))
            return
        from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

        # the client would fetch the run again for its artifact address
        LocalArtifactRepository(child.info.artifact_uri).log_artifact(str(file))

    def _environment(self, client: MlflowClient, sweep: Sweep) -> str:
        """Short hash of the kernel's package list, which the parent run stores; empty if unknown."""
        kernel, spec = sweep.kernel, sweep.kernelspec
        found = recent_packages(kernel, spec) if sweep.pipeline_run else packages(kernel, sweep.id, spec)
        if found is None or sweep.mlflow_run_id is None:
            return ""
        text, short = found
        if (sweep.mlflow_run_id, short) not in self._logged:
            client.log_text(sweep.mlflow_run_id, text, f"environments/{short}.txt")
            self._logged.add((sweep.mlflow_run_id, short))
        return short


def _is_unanswered(error: BaseException | None) -> bool:
    """Whether an exception comes from the connection, not from the server's answer."""
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error is not None


def _drop_children(client: MlflowClient, sweep: Sweep, run_id: str, but: str | None = None) -> None:
    assert sweep.mlflow_experiment_id is not None
    experiments = [sweep.mlflow_experiment_id]
    for child in client.search_runs(experiments, f"tags.`mlops.run_id` = '{run_id}'"):
        if child.info.run_id != but:
            for started in client.search_runs(experiments, f"tags.`{OWNER}` = '{child.info.run_id}'"):
                _delete(client, started)
            _delete(client, child)


def _delete(client: MlflowClient, run: MlflowRun) -> None:
    """Delete a run; an unfinished one is closed first, because MLflow keeps a deleted run's state."""
    if run.info.status in ("RUNNING", "SCHEDULED"):
        client.set_terminated(run.info.run_id, "KILLED")
    client.delete_run(run.info.run_id)


def _make_database(file: Path, artifacts: Path) -> None:
    """Create MLflow's database under a temporary name, so that a kill leaves no half-made file."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    beside = file.with_name(f"{file.name}.new")
    for name in ("", "-journal", "-wal", "-shm"):
        beside.with_name(f"{beside.name}{name}").unlink(missing_ok=True)
    os.close(private(str(beside), os.O_RDWR | os.O_CREAT))
    store = SqlAlchemyStore(f"sqlite:///{beside}", artifacts.as_uri())
    store.engine.dispose()
    _set_wal(beside)
    beside.replace(file)


def _set_wal(file: Path) -> None:
    # persists in the file; in SQLite's default mode readers block the writer
    connection = sqlite3.connect(file)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
    finally:
        connection.close()
