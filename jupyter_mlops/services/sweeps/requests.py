"""Users' requests on sweeps, for the API and the command line.

Runs in the Jupyter server, so it imports neither Dask, MLflow nor papermill. It stores requests; the service acts on
them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec

from ...core.curves import RunCurves
from ...core.errors import ConflictError, InvalidInputError, NotFoundError
from ...core.lenient import check_supported
from ...core.messages import Message
from ...core.notebook import reading as notebooks
from ...core.notebook.shared_cells import shared_prefix
from ...core.parameters import NotebookInfo
from ...core.pipelines.requests import Changes
from ...core.record import now
from ...core.runs import Run, RunsPage, RunSummary
from ...core.search.samplers import make_study, planned_total
from ...core.search.space import build_space, check_space
from ...core.states import RUN_OVER, SWEEP_LIVE, SWEEP_OVER, RunState, SweepState
from ...core.sweeps import Compared, PrefixCheck, SpaceCheck, SpaceRequest, Sweep, SweepChange, SweepRequest
from ...core.values import recorded_defaults
from ...tracking.address import check_answers, external_uri
from ..base import RequestsBase
from ..git import commit_of
from ..user_files import KernelSpecs, kernel_problem, read_file, resolve_kernel
from .planner import best_run, study_of

# runs that one answer lists: some 500 kB
PAGE_LENGTH = 1_000


class Sweeps(RequestsBase):
    """Requests on notebooks, sweeps and runs."""

    # -- notebooks ---------------------------------------------------------------------------

    def inspect(self, file: Path, kernelspecs: KernelSpecs) -> NotebookInfo:
        """A notebook's parameters, kernel, suggested metrics and saved form.

        Raises:
            NotFoundError: there is no such file.
            InvalidInputError: it is not a notebook that can be run.
        """
        notebook = notebooks.read_notebook(read_file(file))
        info = notebooks.inspect(notebook, str(file))
        seen = self.store.sweeps.metric_names(str(file))
        return msgspec.structs.replace(
            info,
            kernel_problem=kernel_problem(info.kernel, kernelspecs),
            draft=self.store.sweeps.draft(str(file)),
            metrics=list(dict.fromkeys([*seen, *notebooks.suggest_metrics(notebook)])),
            run_seconds=self.store.sweeps.run_seconds(str(file)),
        )

    def check(self, file: Path, request: SpaceRequest) -> SpaceCheck:
        """Count a space's runs and report the problems of its fields, without raising."""
        notebook = notebooks.read_notebook(read_file(file))
        info = notebooks.inspect(notebook, str(file))
        found = check_space(request.space, info, request.sampler, self.settings.max_runs)
        if found.error:
            return found
        varied = [name for name, field in found.fields.items() if field.count > 1]
        return msgspec.structs.replace(found, prefix=shared_prefix(notebook, varied))

    def save_draft(self, file: Path, request: SweepRequest) -> None:
        """Save a notebook's form."""
        self.store.sweeps.set_draft(str(file), msgspec.structs.replace(request, path=str(file)))

    # -- sweeps ------------------------------------------------------------------------------

    def create(self, file: Path, request: SweepRequest, kernelspecs: KernelSpecs) -> Sweep:
        """Freeze a notebook and store a sweep of it for the service.

        Raises:
            InvalidInputError: the notebook, its kernel or the space cannot be run.
            UnavailableError: the configured MLflow does not answer, or the disk is full.
        """
        mlflow = external_uri(self.settings.mlflow_tracking_uri)
        if mlflow:
            check_answers(mlflow)
        data = read_file(file)
        notebook = notebooks.read_notebook(data)
        info = notebooks.inspect(notebook, str(file))
        kernel = request.kernel or info.kernel
        kernelspec = resolve_kernel(kernel, kernelspecs)
        # raises if the parameters cell does not parse
        notebooks.declared(notebook)
        if info.problem and not info.open_names and request.space:
            raise InvalidInputError(info.problem)
        _check_numbers(request)
        self.targets.check(request.target)
        space = build_space(request.space, info, request.sampler, self.settings.max_runs)
        shared = _prefix(notebook, space.varied) if request.shared_prefix else PrefixCheck()
        sweep = Sweep(
            id=uuid4().hex,
            name=request.name.strip() or f"{file.stem} · {now()[11:16]}",
            path=str(file),
            notebook_hash=info.hash,
            kernel=kernel,
            kernelspec=kernelspec,
            language=info.language,
            space=request.space,
            defaults=recorded_defaults(info.parameters, request.space),
            varied=space.varied,
            sampler=request.sampler,
            objectives=request.objectives,
            metrics=_metric_names(request) or notebooks.suggest_metrics(notebook),
            target=request.target,
            slots=request.slots,
            experiment=request.experiment.strip() or f"{file.parent.name}/{file.stem}",
            cell_timeout=request.cell_timeout,
            run_timeout=request.run_timeout,
            max_output=request.max_output or self.settings.max_output,
            prefix=shared.end,
            shared_cells=len(shared.cells),
            total=planned_total(make_study(space, request.sampler), request.sampler),
            created_at=now(),
            git_commit=commit_of(file.parent),
            service=self.layout.service,
            started_by=self.layout.service,
            message=Message("Waiting for the service"),
        )
        created = self.store.sweeps.create(sweep, data)
        self.save_draft(file, request)
        return created

    def listed(self, *, archived: bool | None = None, deleted: bool | None = False) -> list[Sweep]:
        """Sweeps of notebooks below the root, newest first."""
        return self.store.sweeps.find(folder=str(self.root), archived=archived, deleted=deleted, steps=False)

    def changes(self, since: int) -> Changes:
        """Sweeps and pipelines that changed after a revision, including archived and deleted ones."""
        revision, folder = self.store.revision(), str(self.root)
        return Changes(
            sweeps=self.store.sweeps.find(folder=folder, since=since, deleted=None, steps=False),
            pipelines=self.store.pipelines.find(folder=folder, since=since, deleted=None),
            revision=revision,
        )

    def change(self, sweep_id: str, change: SweepChange) -> Sweep:
        """Rename, archive or extend a sweep, or change its objective or slots."""
        sweep = self.sweep(sweep_id)
        fields: dict[str, Any] = {
            name: value
            for name in ("name", "archived", "slots", "objectives")
            if (value := getattr(change, name)) not in (None, [])
        }
        if "name" in fields:
            fields["name"] = fields["name"].strip()
            if not fields["name"]:
                raise InvalidInputError(Message("Give the sweep a name."), {"name": Message("is empty")})
        if fields.get("slots", 1) < 1:
            raise InvalidInputError(
                Message("At least one run must be allowed at once."), {"slots": Message("must be 1 or more")}
            )
        _check_objectives(change)
        if change.objective is not None:
            fields["objective"] = change.objective
            best_id, best_value = best_run(
                self.store.runs.of_sweep(sweep_id, states=[RunState.SUCCEEDED]), change.objective
            )
            fields |= {"best_run_id": best_id, "best_value": best_value}
        if change.total is not None:
            fields |= self._extended(sweep, change.total)
        return self.store.sweeps.change(sweep_id, **fields)

    def _extended(self, sweep: Sweep, total: int) -> dict[str, Any]:
        """The fields that give a sweep more runs; a finished sweep goes on."""
        if sweep.deleted_at is not None or sweep.pipeline_run:
            raise ConflictError(
                Message("Only a sweep that is neither deleted nor a pipeline's step can be given more runs.")
            )
        limit = study_of(self.store, self.settings, sweep, total).limit
        problem = Message()
        if total <= sweep.total:
            problem = Message("The sweep has {total:,} runs already; give a larger number.", total=sweep.total)
        elif limit is not None and total > limit:
            problem = Message(
                "Its space holds {limit:,} combinations, so it cannot have {total:,} runs.", limit=limit, total=total
            )
        elif total > self.settings.max_runs:
            problem = Message("At most {max_runs:,} runs are allowed.", max_runs=self.settings.max_runs)
        if problem:
            raise InvalidInputError(problem, {"total": problem})
        over = sweep.state in SWEEP_OVER
        return {"total": total, "expect": [sweep.state] if over else SWEEP_LIVE} | (begun_again() if over else {})

    def stop(self, sweep_id: str) -> Sweep:
        """Request the stop of a sweep; the service ends its kernels."""
        self.store.sweeps.request_stop(self.sweep(sweep_id).id)
        return self.store.sweeps.get(sweep_id)

    def pause(self, sweep_id: str) -> Sweep:
        """Start no new runs; running ones go on."""
        if self.sweep(sweep_id).state in SWEEP_OVER:
            raise ConflictError(Message("This sweep is over; there is nothing to pause."))
        return self.store.sweeps.change(sweep_id, expect=SWEEP_LIVE, pause_requested=True)

    def resume(self, sweep_id: str) -> Sweep:
        """Resume a paused sweep with all slots."""
        if self.sweep(sweep_id).state in SWEEP_OVER:
            raise ConflictError(Message("This sweep is over; repeat its failed runs instead."))
        return self.store.sweeps.change(sweep_id, expect=SWEEP_LIVE, pause_requested=False, confirmed=True)

    def retry(self, sweep_id: str) -> Sweep:
        """Repeat the failed and stopped runs of a finished sweep, and start those that were never started."""
        sweep = self.sweep(sweep_id)
        if sweep.deleted_at is not None:
            raise ConflictError(Message("This sweep is deleted; restore it before repeating its runs."))
        if sweep.state not in (SweepState.FAILED, SweepState.STOPPED):
            raise ConflictError(Message("Only a sweep that is over and has failed or stopped runs can be repeated."))
        runs = self.store.runs.of_sweep(sweep_id, states=[RunState.FAILED, RunState.STOPPED])
        for record in (sweep, *runs):
            check_supported("sweep", record)
        for run in runs:
            self.store.runs.change(
                run.id,
                expect=[run.state],
                expect_attempt=run.attempt,
                state=RunState.QUEUED,
                **fresh_attempt(run, Message("Repeated")),
            )
        return self.store.sweeps.change(sweep_id, expect=[SweepState.FAILED, SweepState.STOPPED], **begun_again())

    def delete(self, sweep_id: str) -> None:
        """Delete a finished sweep; it can be restored for some days."""
        if self.sweep(sweep_id).state not in SWEEP_OVER:
            raise ConflictError(Message("Stop the sweep before deleting it."))
        self.store.sweeps.delete(sweep_id)

    def restore(self, sweep_id: str) -> Sweep:
        """Restore a deleted sweep."""
        self.store.sweeps.restore(self.sweep(sweep_id).id)
        return self.store.sweeps.get(sweep_id)

    # -- runs --------------------------------------------------------------------------------

    def runs(self, sweep_id: str) -> list[Run]:
        """All runs of a sweep."""
        return self.store.runs.of_sweep(self.sweep(sweep_id).id)

    def runs_page(self, sweep_id: str, since: int = 0, first: int = 0) -> RunsPage:
        """Summaries of a sweep's runs from an index on that changed after a revision, at most ``PAGE_LENGTH``."""
        self.sweep(sweep_id)
        revision = self.store.revision()
        found = self.store.runs.of_sweep(sweep_id, since=since, first=first, limit=PAGE_LENGTH)
        return RunsPage(
            runs=[RunSummary.of(run) for run in found],
            revision=revision,
            next=found[-1].index + 1 if len(found) == PAGE_LENGTH else None,
        )

    def curves(self, run_id: str, attempt: int = 0) -> RunCurves:
        """The curves of a run.

        Args:
            attempt: which, from 1; 0 for the present one.
        """
        run = self.run(run_id)
        return RunCurves(
            attempt=attempt or run.attempt, curves=self.store.curves.of_run(run.id, attempt or run.attempt)
        )

    def stop_run(self, run_id: str) -> Run:
        """Request the stop of one run."""
        self.store.runs.request_stop(self.run(run_id).id)
        return self.store.runs.get(run_id)

    def run_output(self, run_id: str) -> Path:
        """Path of the executed notebook of a run's current attempt.

        Raises:
            NotFoundError: no cell has been executed yet.
        """
        run = self.run(run_id)
        path = self.layout.output(run.id, run.attempt)
        if not path.exists():
            state = "was never executed" if run.state in RUN_OVER else "has not started yet"
            raise NotFoundError(Message("This run {state}, so there is no executed notebook.", state=state))
        return path

    def run_notebook(self, run_id: str) -> dict[str, Any]:
        """The executed notebook of a run; see :meth:`run_output`."""
        sweep = self.sweep(self.run(run_id).sweep_id)
        # sweeps of old releases name no starter; a SQLite store has only one user
        mine = sweep.started_by == self.layout.service if sweep.started_by else not self.settings.store
        return _trusting(json.loads(self.run_output(run_id).read_bytes()), mine)

    def sweep_notebook(self, sweep_id: str) -> dict[str, Any]:
        """The notebook as it was when the sweep was started."""
        return _trusting(json.loads(self.store.sweeps.notebook(self.sweep(sweep_id).id)), False)


def _trusting(notebook: dict[str, Any], mine: bool) -> dict[str, Any]:
    """Mark executed cells as trusted only if this account started the sweep, whatever the file itself claims."""
    for cell in notebook.get("cells", ()):
        metadata = cell.get("metadata")
        if not isinstance(metadata, dict):
            continue
        metadata.pop("trusted", None)
        if mine and cell.get("cell_type") == "code" and isinstance(cell.get("execution_count"), int):
            metadata["trusted"] = True
    return notebook


def begun_again() -> dict[str, Any]:
    """Fields of a finished sweep that is queued again."""
    return {
        "state": SweepState.QUEUED,
        "stop_requested": False,
        "pause_requested": False,
        "ended_at": None,
        "message": Message("Waiting for the service"),
    }


def fresh_attempt(run: Run, message: Message) -> dict[str, Any]:
    """Fields of a run at the start of its next attempt."""
    return {
        "attempt": run.attempt + 1,
        "metrics": {},
        "not_finite": {},
        "error": None,
        "cell": 0,
        "worker": "",
        "started_at": None,
        "ended_at": None,
        "peak_memory": None,
        "cpu_seconds": None,
        "timing": None,
        "kernel_start": "",
        "kernel_reason": Message(),
        "queued_at": now(),
        "warnings": [],
        "tracked": False,
        "stop_requested": False,
        "message": message,
    }


def _metric_names(request: SweepRequest) -> list[str]:
    names = list(dict.fromkeys(name.strip() for name in request.metrics if name.strip()))
    return list(dict.fromkeys([*names, *(objective.metric for objective in request.objectives)]))


def _prefix(notebook: notebooks.Notebook, varied: list[str]) -> PrefixCheck:
    found = shared_prefix(notebook, varied)
    if not found.end:
        raise InvalidInputError(
            Message("This sweep cannot share cells. {reason}", reason=found.reason),
            {"shared_prefix": found.reason},
        )
    return found


def _check_objectives(compared: Compared) -> None:
    metrics = [objective.metric.strip() for objective in compared.objectives]
    if not all(metrics):
        raise InvalidInputError(
            Message("Name the metric to compare by, or leave the objective out."), {"objective": Message("is empty")}
        )
    if len(set(metrics)) < len(metrics):
        raise InvalidInputError(
            Message("Each objective needs a metric of its own."), {"objectives": Message("is there twice")}
        )


def _check_numbers(request: SweepRequest) -> None:
    _check_objectives(request)
    for name in ("slots", "cell_timeout", "run_timeout", "max_output"):
        value = getattr(request, name)
        if value is not None and value <= 0:
            raise InvalidInputError(
                Message("{name} must be more than 0.", name=name), {name: Message("must be more than 0")}
            )
