"""Pipelines, their versions, what fires them, their runs and steps."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from ..core.errors import ConflictError, NotFoundError
from ..core.pipelines import Fire, LogLine, Pipeline, PipelineRun, RunMark, StepRun, Trigger, Version
from ..core.states import (
    PIPELINE_RUN_MOVES,
    PIPELINE_RUN_OVER,
    STEP_MOVES,
    PipelineRunState,
    StepState,
)
from .base import Base, Epoch, check_move, next_revision, putting
from .tables import fires, pipeline_runs, pipelines, step_runs, triggers, versions

RECENT = 14
MOST_LINES = 200
_LIVE = [PipelineRunState.QUEUED.value, PipelineRunState.RUNNING.value]

_PIPELINE = select(pipelines.c.record, pipelines.c.revision).where(pipelines.c.id == bindparam("key"))
_PIPELINE_RUN = select(pipeline_runs.c.record, pipeline_runs.c.revision).where(pipeline_runs.c.id == bindparam("key"))
_STEP = select(step_runs.c.record).where(step_runs.c.id == bindparam("key"))
_TRIGGER = select(triggers.c.record).where(triggers.c.id == bindparam("key"))
_PUT_PIPELINE = putting(pipelines, "path", "created_at", "deleted_at", "revision", "record")
_PUT_RUN = putting(pipeline_runs, "state", "service", "revision", "record")
_PUT_STEP = putting(step_runs, "state", "fingerprint", "revision", "record")
_PUT_TRIGGER = putting(triggers, "kind", "upstream", "next_at", "revision", "record")
_STAMP_RUN = update(pipeline_runs).where(pipeline_runs.c.id == bindparam("key")).values(revision=bindparam("number"))
_STAMP_PIPELINE = update(pipelines).where(pipelines.c.id == bindparam("key")).values(revision=bindparam("number"))


class Firing(NamedTuple):
    """What a service wants to fire of one trigger.

    Attributes:
        trigger: as the service read it; where it was changed since, nothing is fired.
        next_at: when it fires next.
        due: each scheduled time with the run to be made, or why none is.
        message: of the trigger from now on.
    """

    trigger: Trigger
    next_at: str | None
    due: Sequence[tuple[str, PipelineRun | None, str]]
    message: str = ""


class PipelineStore(Base):
    """All of the store that is about pipelines."""

    # -- pipelines and versions --------------------------------------------------------------

    def create_pipeline(self, pipeline: Pipeline, version: Version) -> Pipeline:
        """Store a new pipeline with its first version."""
        with self._write() as connection:
            stored = msgspec.structs.replace(pipeline, version=1, versions=1, revision=next_revision(connection))
            connection.execute(insert(pipelines).values(id=stored.id, **_pipeline_row(stored)))
            _add_version(connection, msgspec.structs.replace(version, pipeline_id=stored.id, number=1))
            return stored

    def add_version(self, pipeline_id: str, version: Version, **fields: Any) -> tuple[Pipeline, Version]:
        """Store a pipeline's next version, which fires from now on.

        Args:
            fields: of the pipeline that change with it.
        """
        with self._write() as connection:
            pipeline = _pipeline(connection, pipeline_id)
            numbered = msgspec.structs.replace(version, pipeline_id=pipeline_id, number=pipeline.versions + 1)
            _add_version(connection, numbered)
            fields |= {"version": numbered.number, "versions": numbered.number}
            return _put_pipeline(connection, msgspec.structs.replace(pipeline, **fields)), numbered

    def pipeline(self, pipeline_id: str) -> Pipeline:
        """One pipeline.

        Raises:
            NotFoundError: there is none of this id.
        """
        with self._read() as connection:
            return _pipeline(connection, pipeline_id)

    def pipelines(
        self,
        *,
        since: int = 0,
        deleted: bool | None = False,
        folder: str | None = None,
        path: str | None = None,
    ) -> list[Pipeline]:
        """Pipelines, by the time they were made.

        Args:
            since: only those changed after this revision, or of which a run changed.
            deleted: only those that are, or are not; None for both.
            folder: only those of files below this absolute folder; path: only those of this file.
        """
        query = (
            select(pipelines.c.record, pipelines.c.revision)
            .where(pipelines.c.revision > since)
            .order_by(pipelines.c.created_at)
        )
        if deleted is not None:
            query = query.where(pipelines.c.deleted_at.is_not(None) if deleted else pipelines.c.deleted_at.is_(None))
        if folder is not None:
            prefix = folder.rstrip("/") + "/"
            query = query.where(func.substr(pipelines.c.path, 1, len(prefix)) == prefix)
        if path is not None:
            query = query.where(pipelines.c.path == path)
        with self._read() as connection:
            return [_stamped(row, Pipeline) for row in connection.execute(query)]

    def change_pipeline(self, pipeline_id: str, **fields: Any) -> Pipeline:
        """Change fields of a pipeline, by the names of :class:`~jupyter_mlops.core.pipelines.Pipeline`."""
        with self._write() as connection:
            return _put_pipeline(connection, msgspec.structs.replace(_pipeline(connection, pipeline_id), **fields))

    def version(self, pipeline_id: str, number: int) -> Version:
        """One version of a pipeline.

        Raises:
            NotFoundError: there is none of this number.
        """
        query = select(versions.c.record).where(versions.c.pipeline_id == pipeline_id, versions.c.number == number)
        found = self._records(query, Version)
        if not found:
            raise NotFoundError(f"This pipeline has no version {number}.")
        return found[0]

    def versions(self, pipeline_id: str) -> list[Version]:
        """All versions of a pipeline, newest first."""
        query = select(versions.c.record).where(versions.c.pipeline_id == pipeline_id)
        return self._records(query.order_by(versions.c.number.desc()), Version)

    # -- triggers and fires ------------------------------------------------------------------

    def create_trigger(self, trigger: Trigger) -> Trigger:
        """Store a new trigger."""
        with self._write() as connection:
            number = next_revision(connection)
            stored = msgspec.structs.replace(trigger, revision=number)
            connection.execute(
                insert(triggers).values(id=stored.id, pipeline_id=stored.pipeline_id, **_trigger_row(stored))
            )
            _follow_triggers(connection, stored.pipeline_id, number)
            return stored

    def trigger(self, trigger_id: str) -> Trigger:
        """One trigger.

        Raises:
            NotFoundError: there is none of this id.
        """
        with self._read() as connection:
            return _trigger(connection, trigger_id)

    def triggers(
        self,
        pipeline_id: str | None = None,
        *,
        due: str | None = None,
        upstream: str | None = None,
        limit: int | None = None,
    ) -> list[Trigger]:
        """Triggers, those first that fire first.

        Args:
            pipeline_id: only those of this pipeline.
            due: only those that fire at this ISO time or earlier.
            upstream: only those of kind ``pipeline`` that follow this pipeline.
            limit: at most so many.
        """
        query = select(triggers.c.record).order_by(triggers.c.next_at).limit(limit)
        if pipeline_id is not None:
            query = query.where(triggers.c.pipeline_id == pipeline_id)
        if due is not None:
            query = query.where(triggers.c.next_at <= due)
        if upstream is not None:
            query = query.where(triggers.c.upstream == upstream, triggers.c.kind == "pipeline")
        return self._records(query, Trigger)

    def next_due(self) -> str | None:
        """When the next trigger fires or looks, None where none does."""
        with self._read() as connection:
            return connection.execute(select(func.min(triggers.c.next_at))).scalar()

    def change_trigger(self, trigger_id: str, **fields: Any) -> Trigger:
        """Change fields of a trigger, by the names of :class:`~jupyter_mlops.core.pipelines.Trigger`."""
        with self._write() as connection:
            number = next_revision(connection)
            trigger = msgspec.structs.replace(_trigger(connection, trigger_id), **fields)
            return _put_trigger(connection, trigger, number)

    def delete_trigger(self, trigger_id: str) -> None:
        """Remove a trigger; what it fired stays."""
        with self._write() as connection:
            trigger = _trigger(connection, trigger_id)
            connection.execute(delete(triggers).where(triggers.c.id == trigger_id))
            _follow_triggers(connection, trigger.pipeline_id, next_revision(connection))

    def fire(self, firings: Sequence[Firing], fired_at: str, service: str) -> list[PipelineRun]:
        """Fire triggers, all in one transaction; what another service fired meanwhile is left out.

        A trigger has one row of ``fires`` for each scheduled time, so that a time fires once however many
        services look, restart or fill in.

        Returns:
            the runs that were made.
        """
        made: list[PipelineRun] = []
        with self._write() as connection:
            number = next_revision(connection)
            for firing in firings:
                made += _fire(connection, firing, fired_at, service, number)
        return made

    def fired(self, trigger_id: str, since: str = "", limit: int | None = None) -> list[Fire]:
        """Fires of a trigger whose scheduled time is not before an ISO time, newest first."""
        query = (
            select(fires.c.record)
            .where(fires.c.trigger_id == trigger_id, fires.c.scheduled_at >= since)
            .order_by(fires.c.scheduled_at.desc())
            .limit(limit)
        )
        return self._records(query, Fire)

    # -- runs ----------------------------------------------------------------------------------

    def create_pipeline_run(self, run: PipelineRun) -> PipelineRun:
        """Store a run that waits for its turn."""
        with self._write() as connection:
            return _add_run(connection, run, next_revision(connection))

    def pipeline_run(self, run_id: str) -> PipelineRun:
        """One run of a pipeline.

        Raises:
            NotFoundError: there is none of this id.
        """
        with self._read() as connection:
            return _pipeline_run(connection, run_id)

    def pipeline_runs(
        self,
        pipeline_id: str | None = None,
        *,
        since: int = 0,
        states: Collection[PipelineRunState] | None = None,
        limit: int | None = None,
    ) -> list[PipelineRun]:
        """Runs of one pipeline or all, newest first.

        Args:
            since: only those changed after this revision, or of which a step changed.
            states: only those in one of these.
            limit: at most so many.
        """
        query = select(pipeline_runs.c.record, pipeline_runs.c.revision).limit(limit)
        query = query.order_by(pipeline_runs.c.pipeline_id, pipeline_runs.c.number.desc())
        if since:
            query = query.where(pipeline_runs.c.revision > since)
        if pipeline_id is not None:
            query = query.where(pipeline_runs.c.pipeline_id == pipeline_id)
        if states is not None:
            query = query.where(pipeline_runs.c.state.in_([state.value for state in states]))
        with self._read() as connection:
            return [_stamped(row, PipelineRun) for row in connection.execute(query)]

    def change_pipeline_run(
        self,
        run_id: str,
        *,
        expect: Collection[PipelineRunState] | None = None,
        expect_service: str | None = None,
        epoch: Epoch | None = None,
        say: Sequence[LogLine] = (),
        **fields: Any,
    ) -> PipelineRun:
        """Change fields of a run, and what its pipeline shows of it.

        Args:
            expect: states in which it must be.
            expect_service: that must have it.
            epoch: of the writer's lease.
            say: lines to add to its log.
            fields: by the names of :class:`~jupyter_mlops.core.pipelines.PipelineRun`.

        Raises:
            ConflictError: another service has it, it is in another state, or may not move so.
        """
        with self._write(epoch) as connection:
            run = _pipeline_run(connection, run_id)
            if expect_service is not None and run.service != expect_service:
                raise ConflictError("Another service has this run by now.")
            check_move("run", run.state, fields.get("state", run.state), expect, PIPELINE_RUN_MOVES)
            if say:
                fields["log"] = [*run.log, *say][-MOST_LINES:]
            return _put_run(connection, msgspec.structs.replace(run, **fields), next_revision(connection))

    # -- steps ---------------------------------------------------------------------------------

    def add_steps(self, run_id: str, new: Sequence[StepRun], *, epoch: Epoch | None = None) -> None:
        """Store the steps of a run that begins; those that are there already stay as they are."""
        with self._write(epoch) as connection:
            known = set(connection.execute(select(step_runs.c.id).where(step_runs.c.run_id == run_id)).scalars())
            number = next_revision(connection)
            missing = [msgspec.structs.replace(step, revision=number) for step in new if step.id not in known]
            if missing:
                rows = [
                    {
                        "id": s.id,
                        "run_id": s.run_id,
                        "pipeline_id": s.pipeline_id,
                        "position": s.position,
                        **_step_row(s),
                    }
                    for s in missing
                ]
                connection.execute(insert(step_runs), rows)
                _count_steps(connection, run_id, number)

    def steps(self, run_id: str) -> list[StepRun]:
        """The steps of a run, in their order."""
        query = select(step_runs.c.record).where(step_runs.c.run_id == run_id).order_by(step_runs.c.position)
        return self._records(query, StepRun)

    def step(self, step_id: str) -> StepRun:
        """One step of one run.

        Raises:
            NotFoundError: there is none of this id.
        """
        with self._read() as connection:
            return _step(connection, step_id)

    def change_step(
        self,
        step_id: str,
        *,
        expect: Collection[StepState] | None = None,
        epoch: Epoch | None = None,
        **fields: Any,
    ) -> StepRun:
        """Change fields of a step.

        Raises:
            ConflictError: it is in another state, or may not move so.
        """
        with self._write(epoch) as connection:
            step = _step(connection, step_id)
            check_move("step", step.state, fields.get("state", step.state), expect, STEP_MOVES)
            number = next_revision(connection)
            changed = msgspec.structs.replace(step, **fields, revision=number)
            connection.execute(_PUT_STEP, _step_row(changed) | {"key": step_id})
            if changed.state is not step.state:
                _count_steps(connection, step.run_id, number, step.state, changed.state)
            else:
                connection.execute(_STAMP_RUN, {"key": step.run_id, "number": number})
                connection.execute(_STAMP_PIPELINE, {"key": step.pipeline_id, "number": number})
            return changed

    def reusable(self, pipeline_id: str, fingerprint: str) -> StepRun | None:
        """The newest step that succeeded with a fingerprint, None where none did."""
        query = (
            select(step_runs.c.record)
            .where(
                step_runs.c.fingerprint == fingerprint,
                step_runs.c.pipeline_id == pipeline_id,
                step_runs.c.state == StepState.SUCCEEDED.value,
            )
            .order_by(step_runs.c.revision.desc())
            .limit(1)
        )
        found = self._records(query, StepRun)
        return found[0] if found else None

    def purge_pipeline_run(self, run_id: str) -> None:
        """Remove a run that is over and its steps for good; its fires stay."""
        with self._write() as connection:
            run = _pipeline_run(connection, run_id)
            if run.state not in PIPELINE_RUN_OVER:
                raise ConflictError("This run goes on; stop it first.")
            connection.execute(delete(pipeline_runs).where(pipeline_runs.c.id == run_id))
            pipeline = _pipeline(connection, run.pipeline_id)
            recent = [mark for mark in pipeline.recent if mark.id != run_id]
            _put_pipeline(connection, msgspec.structs.replace(pipeline, recent=recent))


# -- within a transaction ------------------------------------------------------------------------


def _stamped(row: Any, kind: type[Any]) -> Any:
    # a change of a step stamps its run and pipeline without writing their records anew
    return msgspec.structs.replace(msgspec.convert(row[0], kind), revision=row[1])


def _pipeline(connection: Connection, pipeline_id: str) -> Pipeline:
    row = connection.execute(_PIPELINE, {"key": pipeline_id}).first()
    if row is None:
        raise NotFoundError(f"There is no pipeline {pipeline_id}.")
    found: Pipeline = _stamped(row, Pipeline)
    return found


def _pipeline_run(connection: Connection, run_id: str) -> PipelineRun:
    row = connection.execute(_PIPELINE_RUN, {"key": run_id}).first()
    if row is None:
        raise NotFoundError(f"There is no pipeline run {run_id}.")
    found: PipelineRun = _stamped(row, PipelineRun)
    return found


def _step(connection: Connection, step_id: str) -> StepRun:
    record = connection.execute(_STEP, {"key": step_id}).scalar()
    if record is None:
        raise NotFoundError(f"There is no step {step_id}.")
    return msgspec.convert(record, StepRun)


def _trigger(connection: Connection, trigger_id: str) -> Trigger:
    record = connection.execute(_TRIGGER, {"key": trigger_id}).scalar()
    if record is None:
        raise NotFoundError("There is no such schedule or trigger.")
    return msgspec.convert(record, Trigger)


def _add_version(connection: Connection, version: Version) -> None:
    connection.execute(
        insert(versions).values(
            pipeline_id=version.pipeline_id, number=version.number, record=msgspec.to_builtins(version)
        )
    )


def _put_pipeline(connection: Connection, pipeline: Pipeline, number: int | None = None) -> Pipeline:
    stamped = msgspec.structs.replace(pipeline, revision=number or next_revision(connection))
    connection.execute(_PUT_PIPELINE, _pipeline_row(stamped) | {"key": pipeline.id})
    return stamped


def _put_trigger(connection: Connection, trigger: Trigger, number: int) -> Trigger:
    stamped = msgspec.structs.replace(trigger, revision=number)
    connection.execute(_PUT_TRIGGER, _trigger_row(stamped) | {"key": trigger.id})
    _follow_triggers(connection, trigger.pipeline_id, number)
    return stamped


def _follow_triggers(connection: Connection, pipeline_id: str, number: int) -> None:
    """A pipeline shows when a schedule fires it next."""
    pipeline = _pipeline(connection, pipeline_id)
    query = select(func.min(triggers.c.next_at)).where(triggers.c.pipeline_id == pipeline_id, triggers.c.kind == "cron")
    next_at = None if pipeline.paused else connection.execute(query).scalar()
    _put_pipeline(connection, msgspec.structs.replace(pipeline, next_at=next_at), number)


def _fire(connection: Connection, firing: Firing, fired_at: str, service: str, number: int) -> list[PipelineRun]:
    try:
        trigger = _trigger(connection, firing.trigger.id)
    except NotFoundError:
        return []
    if trigger.revision != firing.trigger.revision:
        # another service fired it, or a person changed it
        return []
    times = [time for time, _, _ in firing.due]
    known = set(
        connection.execute(
            select(fires.c.scheduled_at).where(fires.c.trigger_id == trigger.id, fires.c.scheduled_at.in_(times))
        ).scalars()
    )
    made = []
    for scheduled_at, wanted, reason in firing.due:
        if scheduled_at in known:
            continue
        run = None if wanted is None else _add_run(connection, wanted, number)
        made += [] if run is None else [run]
        fire = Fire(
            trigger_id=trigger.id,
            scheduled_at=scheduled_at,
            fired_at=fired_at,
            service=service,
            run_id=run.id if run else "",
            reason=reason,
        )
        connection.execute(
            insert(fires).values(trigger_id=trigger.id, scheduled_at=scheduled_at, record=msgspec.to_builtins(fire))
        )
    last = max([*times, trigger.last_at or ""]) or None
    changed = msgspec.structs.replace(trigger, next_at=firing.next_at, last_at=last, message=firing.message)
    _put_trigger(connection, changed, number)
    return made


def _add_run(connection: Connection, run: PipelineRun, number: int) -> PipelineRun:
    """Store a run under the pipeline's next number; what it finds going on decides whether it has its turn."""
    pipeline = _pipeline(connection, run.pipeline_id)
    run = msgspec.structs.replace(run, number=pipeline.runs + 1)
    live = [
        _stamped(row, PipelineRun)
        for row in connection.execute(
            select(pipeline_runs.c.record, pipeline_runs.c.revision).where(
                pipeline_runs.c.pipeline_id == run.pipeline_id, pipeline_runs.c.state.in_(_LIVE)
            )
        )
    ]
    if live and run.overlap == "skip":
        message = f"Run {live[0].number} went on, and runs do not overlap"
        run = msgspec.structs.replace(run, state=PipelineRunState.SKIPPED, message=message, ended_at=run.created_at)
    if run.overlap == "replace":
        for other in live:
            line = LogLine(at=run.created_at, text=f"Run {run.number} takes its place")
            replaced = msgspec.structs.replace(
                other, stop_requested=True, message=f"Replaced by run {run.number}", log=[*other.log, line]
            )
            _put_run(connection, replaced, number)
        pipeline = _pipeline(connection, run.pipeline_id)
    run = msgspec.structs.replace(run, revision=number)
    connection.execute(
        insert(pipeline_runs).values(id=run.id, pipeline_id=run.pipeline_id, number=run.number, **_run_row(run))
    )
    shown = msgspec.structs.replace(pipeline, runs=run.number, recent=[*pipeline.recent, _mark(run)][-RECENT:])
    _put_pipeline(connection, shown, number)
    return run


def _put_run(connection: Connection, run: PipelineRun, number: int) -> PipelineRun:
    stamped = msgspec.structs.replace(run, revision=number)
    connection.execute(_PUT_RUN, _run_row(stamped) | {"key": run.id})
    pipeline = _pipeline(connection, run.pipeline_id)
    recent = [_mark(run) if mark.id == run.id else mark for mark in pipeline.recent]
    _put_pipeline(connection, msgspec.structs.replace(pipeline, recent=recent), number)
    return stamped


def _mark(run: PipelineRun) -> RunMark:
    seconds = None
    if run.started_at and run.ended_at:
        ended, started = datetime.fromisoformat(run.ended_at), datetime.fromisoformat(run.started_at)
        seconds = round((ended - started).total_seconds(), 3)
    return RunMark(id=run.id, number=run.number, state=run.state, at=run.started_at or run.created_at, seconds=seconds)


def _count_steps(
    connection: Connection,
    run_id: str,
    number: int,
    before: StepState | None = None,
    after: StepState | None = None,
) -> None:
    run = _pipeline_run(connection, run_id)
    if before is None or after is None:
        query = select(step_runs.c.state, func.count()).where(step_runs.c.run_id == run_id).group_by(step_runs.c.state)
        counts = {state: count for state, count in connection.execute(query).all()}  # noqa: C416
    else:
        counts = dict(run.steps)
        counts[before.value] = counts.get(before.value, 0) - 1
        counts[after.value] = counts.get(after.value, 0) + 1
    counts = {state: count for state, count in counts.items() if count}
    stamped = msgspec.structs.replace(run, steps=counts, revision=number)
    connection.execute(_PUT_RUN, _run_row(stamped) | {"key": run_id})
    connection.execute(_STAMP_PIPELINE, {"key": run.pipeline_id, "number": number})


# -- rows ------------------------------------------------------------------------------------------


def _pipeline_row(pipeline: Pipeline) -> dict[str, Any]:
    names = ("path", "created_at", "deleted_at", "revision")
    return {name: getattr(pipeline, name) for name in names} | {"record": msgspec.to_builtins(pipeline)}


def _trigger_row(trigger: Trigger) -> dict[str, Any]:
    return {
        "kind": trigger.kind,
        "upstream": trigger.upstream,
        # what does not fire is not found among what is due
        "next_at": trigger.next_at if trigger.enabled else None,
        "revision": trigger.revision,
        "record": msgspec.to_builtins(trigger),
    }


def _run_row(run: PipelineRun) -> dict[str, Any]:
    return {
        "state": run.state.value,
        "service": run.service,
        "revision": run.revision,
        "record": msgspec.to_builtins(run),
    }


def _step_row(step: StepRun) -> dict[str, Any]:
    return {
        "state": step.state.value,
        "fingerprint": step.fingerprint,
        "revision": step.revision,
        "record": msgspec.to_builtins(step),
    }
