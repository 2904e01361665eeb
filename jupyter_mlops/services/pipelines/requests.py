"""What people ask of pipelines: the one way in for the API and the command line.

Light on purpose, as :mod:`..requests` is: it writes intents; the service acts on them.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec

from ...core.cron import iso
from ...core.errors import ConflictError, InvalidInputError, NotFoundError
from ...core.pipeline_graph import graph
from ...core.pipeline_order import edges
from ...core.pipeline_records import Pipeline, PipelineRun, Trigger, Version
from ...core.pipeline_requests import (
    BackfillAnswer,
    BackfillRequest,
    PipelineChange,
    PipelineDetails,
    PipelineRunDetails,
    PipelineRunsPage,
    PromoteAnswer,
    PromoteRequest,
    RetryRequest,
    RunRequest,
    ScheduleAnswer,
    ScheduleRequest,
    TriggerChange,
    VersionDiff,
)
from ...core.records import now
from ...core.states import PIPELINE_RUN_OVER, PipelineRunState, StepState
from ...settings import MlopsSettings
from ...store import Firing, Store
from ..layout import Layout
from ..reading import KernelSpecs
from .backfill import times_of
from .firing import next_at, run_of
from .promotion import Source, freeze, source_of
from .triggers import check_trigger, short_pattern, trigger_of
from .uploads import uploaded

_REPEATED = frozenset({StepState.FAILED, StepState.STOPPED, StepState.SKIPPED})
_PAGE = 500


class Pipelines:
    """Everything a person can do with pipelines, their schedules and runs.

    All methods block for as long as the store takes; call them from a thread where that matters.
    """

    def __init__(self, store: Store, settings: MlopsSettings) -> None:
        self.store = store
        self.settings = settings
        self.layout = Layout(settings.data_path)

    # -- promotion and versions --------------------------------------------------------------

    def promote(self, request: PromoteRequest, root: Path, kernelspecs: KernelSpecs) -> PromoteAnswer:
        """Make a new pipeline, or the next version of the one made from the same file.

        Args:
            root: folder in which everything has to lie.

        Raises:
            InvalidInputError: it cannot run as it stands; says why.
        """
        if request.files or request.commit:
            with uploaded(self.store, request, root) as (source, project):
                _, version = freeze(self.store, source, source.project, kernelspecs, request.note)
        else:
            source = source_of(self.store, request, root)
            project, version = freeze(self.store, source, root, kernelspecs, request.note)
        if request.schedule is not None:
            # before anything is made
            check_trigger(request.schedule, source.path.parent)
        return self._kept(request, source, project, version)

    def _kept(self, request: PromoteRequest, source: Source, project: Path, version: Version) -> PromoteAnswer:
        definition = version.definition
        known = self._known(request, str(source.path), definition.name)
        fields: dict[str, Any] = {
            "name": request.name.strip() or definition.name or source.path.name.partition(".")[0],
            "project": str(project),
            "target": definition.target,
            "steps": len(definition.steps),
            "service": self.layout.service,
        }
        if known is None:
            made = Pipeline(id=uuid4().hex, path=str(source.path), created_at=now(), **fields)
            pipeline = self.store.create_pipeline(made, version)
            version = msgspec.structs.replace(version, pipeline_id=pipeline.id, number=1)
        else:
            if not request.name.strip():
                del fields["name"]
            pipeline, version = self.store.add_version(known.id, version, **fields)
        trigger = None
        if request.schedule is not None:
            trigger = self.add_trigger(pipeline.id, request.schedule).trigger
            pipeline = self.store.pipeline(pipeline.id)
        return PromoteAnswer(pipeline=pipeline, version=version, trigger=trigger)

    def _known(self, request: PromoteRequest, path: str, name: str) -> Pipeline | None:
        if request.pipeline_id:
            return self.store.pipeline(request.pipeline_id)
        wanted = request.name.strip()
        same = [p for p in self.store.pipelines(path=path) if not wanted or p.name == wanted]
        return same[0] if same else None

    def version(self, pipeline_id: str, number: int) -> Version:
        """One version."""
        return self.store.version(pipeline_id, number)

    def diff(self, pipeline_id: str, older: int, newer: int) -> VersionDiff:
        """What is different between two versions."""
        from .diff import diff

        return diff(self.store.version(pipeline_id, older), self.store.version(pipeline_id, newer), self.store.blob)

    # -- pipelines -----------------------------------------------------------------------------

    def listed(self, *, folder: str, deleted: bool | None = False) -> list[Pipeline]:
        """Pipelines of files below a folder, by the time they were made."""
        return self.store.pipelines(folder=folder, deleted=deleted)

    def get(self, pipeline_id: str, folder: str) -> Pipeline:
        """One pipeline; one of a file outside ``folder`` is not found."""
        pipeline = self.store.pipeline(pipeline_id)
        if not Path(pipeline.path).is_relative_to(folder):
            raise NotFoundError(f"There is no pipeline {pipeline_id}.")
        return pipeline

    def details(self, pipeline_id: str) -> PipelineDetails:
        """A pipeline with all that is shown beside its runs."""
        from ..keep import keeper

        pipeline = self.store.pipeline(pipeline_id)
        versions = self.store.versions(pipeline_id)
        current = next(version for version in versions if version.number == pipeline.version)
        sentence, ends = keeper(self.settings, self.store)
        return PipelineDetails(
            pipeline=pipeline,
            triggers=[self._outward(trigger) for trigger in self.store.triggers(pipeline_id)],
            versions=versions,
            graph=graph(current.definition),
            keeper=sentence,
            keeper_ends=ends,
        )

    def change(self, pipeline_id: str, change: PipelineChange) -> Pipeline:
        """Rename a pipeline, pause it, or let another version fire."""
        fields: dict[str, Any] = {
            name: value for name in ("name", "paused", "version") if (value := getattr(change, name)) is not None
        }
        if "name" in fields:
            fields["name"] = fields["name"].strip()
            if not fields["name"]:
                raise InvalidInputError("Give the pipeline a name.", {"name": "is empty"})
        if "version" in fields:
            definition = self.store.version(pipeline_id, fields["version"]).definition
            fields |= {"target": definition.target, "steps": len(definition.steps)}
        pipeline = self.store.change_pipeline(pipeline_id, **fields)
        if "paused" in fields:
            self._set_triggers(pipeline)
        return self.store.pipeline(pipeline_id)

    def delete(self, pipeline_id: str) -> None:
        """Put a pipeline aside; nothing fires it any more, and it can be restored."""
        live = self.store.pipeline_runs(
            pipeline_id, states=[PipelineRunState.QUEUED, PipelineRunState.RUNNING], limit=1
        )
        if live:
            raise ConflictError(f"Run {live[0].number} of this pipeline goes on; stop it first.")
        self._set_triggers(self.store.change_pipeline(pipeline_id, deleted_at=now()))

    def restore(self, pipeline_id: str) -> Pipeline:
        """Bring a deleted pipeline back."""
        self._set_triggers(self.store.change_pipeline(pipeline_id, deleted_at=None))
        return self.store.pipeline(pipeline_id)

    def _set_triggers(self, pipeline: Pipeline) -> None:
        """What is paused is not due; what goes on does so from now on."""
        rests = pipeline.paused or pipeline.deleted_at is not None
        for trigger in self.store.triggers(pipeline.id):
            self.store.change_trigger(trigger.id, next_at=None if rests else next_at(trigger))

    # -- triggers --------------------------------------------------------------------------------

    def trigger(self, trigger_id: str) -> Trigger:
        """One schedule or trigger."""
        return self._outward(self.store.trigger(trigger_id))

    def add_trigger(self, pipeline_id: str, request: ScheduleRequest) -> ScheduleAnswer:
        """Add a schedule or trigger.

        Raises:
            InvalidInputError: it would never fire, or cannot be understood.
        """
        pipeline = self.store.pipeline(pipeline_id)
        folder = Path(pipeline.path).parent
        check_trigger(request, folder)
        if request.kind == "pipeline":
            self._check_upstream(pipeline_id, request.upstream)
        token = secrets.token_urlsafe(32) if request.kind == "http" else ""
        trigger = trigger_of(pipeline_id, request, folder, _hash(token) if token else "")
        if pipeline.paused or pipeline.deleted_at:
            trigger = msgspec.structs.replace(trigger, next_at=None)
        return ScheduleAnswer(trigger=self._outward(self.store.create_trigger(trigger)), token=token)

    def _check_upstream(self, pipeline_id: str, upstream: str) -> None:
        followed, todo = {pipeline_id}, [upstream]
        name = self.store.pipeline(upstream).name
        while todo:
            current = todo.pop()
            if current in followed:
                if current == pipeline_id:
                    message = f"“{name}” follows this pipeline already, so that they would fire each other for ever."
                    raise InvalidInputError(
                        message if upstream != pipeline_id else "A pipeline cannot follow itself.",
                        {"upstream": "a circle"},
                    )
                continue
            followed.add(current)
            todo += [t.upstream for t in self.store.triggers(current) if t.kind == "pipeline"]

    def change_trigger(self, trigger_id: str, change: TriggerChange) -> Trigger:
        """Change a schedule or trigger."""
        trigger = self.store.trigger(trigger_id)
        pipeline = self.store.pipeline(trigger.pipeline_id)
        fields = {name: value for name, value in msgspec.structs.asdict(change).items() if value is not None}
        changed = msgspec.structs.replace(trigger, **fields, message="")
        folder = Path(pipeline.path).parent
        asked = ScheduleRequest(**{name: getattr(changed, name) for name in ScheduleRequest.__struct_fields__})
        check_trigger(asked, folder)
        checked = trigger_of(trigger.pipeline_id, asked, folder, trigger.token_hash)
        rests = pipeline.paused or pipeline.deleted_at is not None
        moved = {"cron", "zone", "enabled", "pattern"} & set(fields)
        at = (None if rests else checked.next_at) if moved else trigger.next_at
        return self._outward(
            self.store.change_trigger(trigger_id, **fields | {"pattern": checked.pattern}, next_at=at, message="")
        )

    def _outward(self, trigger: Trigger) -> Trigger:
        folder = Path(self.store.pipeline(trigger.pipeline_id).path).parent
        # a hash, too, is nobody's business
        return msgspec.structs.replace(trigger, token_hash="", pattern=short_pattern(trigger.pattern, folder))

    def delete_trigger(self, trigger_id: str) -> None:
        """Remove a schedule or trigger; what it fired stays."""
        self.store.delete_trigger(trigger_id)

    def checked_trigger(self, trigger_id: str, token: str) -> Trigger:
        """A trigger for whoever has its token.

        Raises:
            NotFoundError: there is none, or the token is another.
        """
        trigger = self.store.trigger(trigger_id)
        # compared in constant time, also where there is nothing to compare with
        if not hmac.compare_digest(_hash(token), trigger.token_hash or _hash(secrets.token_hex())):
            raise NotFoundError("There is no such trigger.")
        return trigger

    def fire_by_call(self, trigger: Trigger, request: RunRequest) -> PipelineRun:
        """Fire a trigger of kind ``http``."""
        pipeline = self.store.pipeline(trigger.pipeline_id)
        if not trigger.enabled or pipeline.paused or pipeline.deleted_at:
            raise ConflictError(f"“{pipeline.name}” is paused; resume it, or this trigger, first.")
        self._check_parameters(pipeline.id, pipeline.version, request.parameters)
        for _ in range(10):
            at = now()
            run = run_of(trigger, "http", _moment(request.scheduled_time) or at, at)
            run = msgspec.structs.replace(run, parameters={**trigger.parameters, **request.parameters})
            made = self.store.fire([Firing(trigger, None, [(at, run, "")])], at, self.layout.service)
            if made:
                return made[0]
            # another call was written down at the same time
            trigger = self.store.trigger(trigger.id)
        raise ConflictError("This trigger is called too often at once; call it again.")

    # -- runs ----------------------------------------------------------------------------------

    def pipeline_run(self, run_id: str) -> PipelineRun:
        """One run."""
        return self.store.pipeline_run(run_id)

    def runs(self, pipeline_id: str, since: int = 0) -> PipelineRunsPage:
        """Runs of a pipeline that changed after a revision, newest first."""
        revision = self.store.revision()
        return PipelineRunsPage(runs=self.store.pipeline_runs(pipeline_id, since=since, limit=_PAGE), revision=revision)

    def run_details(self, run_id: str) -> PipelineRunDetails:
        """A run with its steps and their graph."""
        run = self.store.pipeline_run(run_id)
        definition = self.store.version(run.pipeline_id, run.version).definition
        return PipelineRunDetails(run=run, steps=self.store.steps(run_id), graph=graph(definition))

    def run(self, pipeline_id: str, request: RunRequest) -> PipelineRun:
        """Run a pipeline now, or rather as soon as it has its turn.

        Raises:
            InvalidInputError: it has no such parameter or version, or the time is none.
        """
        pipeline = self.store.pipeline(pipeline_id)
        if pipeline.deleted_at:
            raise ConflictError("This pipeline is deleted; restore it before running it.")
        number = request.version or pipeline.version
        self._check_parameters(pipeline_id, number, request.parameters)
        at = now()
        return self.store.create_pipeline_run(
            PipelineRun(
                id=uuid4().hex,
                pipeline_id=pipeline_id,
                version=number,
                cause="hand",
                scheduled_at=_moment(request.scheduled_time) or at,
                parameters=request.parameters,
                created_at=at,
                message="Waiting for the service",
            )
        )

    def _check_parameters(self, pipeline_id: str, number: int, parameters: dict[str, Any]) -> None:
        known = self.store.version(pipeline_id, number).definition.parameters
        unknown = [name for name in parameters if name not in known]
        if unknown:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise InvalidInputError(
                f"This pipeline has no parameter “{unknown[0]}”; {has}.", {"parameters": f"{unknown[0]} is unknown"}
            )

    def stop(self, run_id: str) -> PipelineRun:
        """Ask for a run to be stopped; the service ends its kernels."""
        run = self.store.pipeline_run(run_id)
        if run.state in PIPELINE_RUN_OVER:
            raise ConflictError("This run is over; there is nothing to stop.")
        return self.store.change_pipeline_run(run_id, stop_requested=True)

    def retry(self, run_id: str, request: RetryRequest) -> PipelineRun:
        """Repeat a run's failed steps and all behind them; what succeeded before stays as it is.

        Raises:
            ConflictError: it goes on, or nothing of it failed.
        """
        run = self.store.pipeline_run(run_id)
        if run.state not in (PipelineRunState.FAILED, PipelineRunState.STOPPED):
            raise ConflictError(
                "Only a run that is over and failed or was stopped can be repeated; run it anew instead."
            )
        steps = {step.step: step for step in self.store.steps(run_id)}
        again = {name for name, step in steps.items() if step.state in _REPEATED}
        if request.step:
            if request.step not in steps:
                raise NotFoundError(f"This run has no step “{request.step}”.")
            waits = edges(self.store.version(run.pipeline_id, run.version).definition)
            again |= _behind(request.step, waits)
        for name in again:
            step = steps[name]
            begun = bool(step.sweeps) and step.state is not StepState.SKIPPED
            self.store.change_step(
                step.id,
                state=StepState.WAITING,
                attempt=step.attempt + begun,
                failures=0,
                retry_at=None,
                error=None,
                outputs={},
                ended_at=None,
                message="",
            )
        return self.store.change_pipeline_run(
            run_id,
            expect=[run.state],
            state=PipelineRunState.QUEUED,
            stop_requested=False,
            # its deadline and its duration count from when it goes on
            started_at=None,
            ended_at=None,
            alerted=[],
            message="Waiting for the service",
        )

    def backfill(self, pipeline_id: str, request: BackfillRequest) -> BackfillAnswer:
        """Run a schedule's times in a range; those that were fired already are not repeated.

        Raises:
            InvalidInputError: the range makes no sense, or the pipeline has no such schedule.
        """
        trigger, times = times_of(self.store, pipeline_id, request)
        if not times:
            return BackfillAnswer()
        known = self._fired(trigger, times)
        if request.dry_run:
            return BackfillAnswer(times=times, known=len(known))
        at = now()
        due = [(time, run_of(trigger, "backfill", time, at), "") for time in times]
        for _ in range(10):
            self.store.fire([Firing(trigger, trigger.next_at, due, trigger.message)], at, self.layout.service)
            present = self.store.trigger(trigger.id)
            if self._fired(trigger, times) >= set(times):
                return BackfillAnswer(times=times, known=len(known))
            # it fired, or was changed, in between
            trigger = present
        raise ConflictError("The schedule is changed too often at once; try again.")

    def _fired(self, trigger: Trigger, times: list[str]) -> set[str]:
        """Which of some times made a run; those that were missed or let go did not."""
        return {fire.scheduled_at for fire in self.store.fired(trigger.id, since=times[0]) if fire.run_id} & set(times)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _behind(step: str, waits: dict[str, list[str]]) -> set[str]:
    found = {step}
    while more := {name for name, before in waits.items() if found & set(before)} - found:
        found |= more
    return found


def _moment(text: str) -> str:
    """A time that a person gave, as records write it; without a zone it is UTC's."""
    if not text:
        return ""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInputError(
            f"“{text}” is no time; write 2026-01-31T06:00+01:00.", {"scheduled_time": "is no time"}
        ) from None
    return iso(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
