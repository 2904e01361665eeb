"""Pipelines, their versions, what fires them, their runs and steps."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import uuid4

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
from .base import Base, Epoch, check_move, next_revision, putting, replace
from .tables import fires, infos, pipeline_runs, pipelines, step_runs, triggers, versions

RECENT = 14
MOST_LINES = 200
MOST_AT_ONCE = 500  # triggers that one statement names
_LIVE = [PipelineRunState.QUEUED.value, PipelineRunState.RUNNING.value]

_PIPELINE = select(pipelines.c.record, pipelines.c.revision).where(pipelines.c.id == bindparam("key"))
_PIPELINE_RUN = select(pipeline_runs.c.record, pipeline_runs.c.revision).where(pipeline_runs.c.id == bindparam("key"))
_OF_LIVE = (pipeline_runs.c.pipeline_id == bindparam("key"), pipeline_runs.c.state.in_(_LIVE))
_FIRST_LIVE = select(func.min(pipeline_runs.c.number)).where(*_OF_LIVE)
_LIVE_RUNS = select(pipeline_runs.c.record, pipeline_runs.c.revision).where(*_OF_LIVE)
_STEP = select(step_runs.c.record).where(step_runs.c.id == bindparam("key"))
_TRIGGER = select(triggers.c.record).where(triggers.c.id == bindparam("key"))
_DELETE_FIRE = delete(fires).where(
    fires.c.trigger_id == bindparam("trigger"), fires.c.scheduled_at == bindparam("time")
)
_NEXT_AT = select(func.min(triggers.c.next_at)).where(
    triggers.c.pipeline_id == bindparam("key"), triggers.c.kind == "cron"
)
_PUT_PIPELINE = putting(pipelines, "path", "created_at", "deleted_at", "revision", "record")
_PUT_RUN = putting(pipeline_runs, "state", "service", "revision", "record")
_PUT_STEP = putting(step_runs, "state", "fingerprint", "revision", "record")
_PUT_TRIGGER = putting(triggers, "kind", "upstream", "next_at", "revision", "record")
_STAMP_RUN = update(pipeline_runs).where(pipeline_runs.c.id == bindparam("key")).values(revision=bindparam("stamp"))
_STAMP_PIPELINE = update(pipelines).where(pipelines.c.id == bindparam("key")).values(revision=bindparam("stamp"))


class Firing(NamedTuple):
    """What a service wants to fire of one trigger.

    Attributes:
        trigger: as the service read it; where it was changed since, nothing is fired.
        next_at: when it fires next.
        due: each scheduled time with the run to be made, or why none is.
        message: of the trigger from now on.
        state: to be kept for the trigger, see :meth:`PipelineStore.trigger_state`; None leaves it as it is.
    """

    trigger: Trigger
    next_at: str | None
    due: Sequence[tuple[str, PipelineRun | None, str]]
    message: str = ""
    state: Any = None


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
            .order_by(pipelines.c.created_at, pipelines.c.id)
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
        """Change fields of a pipeline, by the names of :class:`~jupyter_mlops.core.pipelines.Pipeline`.

        While it is paused or deleted, none of its triggers is due. Whoever lets it go on sets their ``next_at`` first,
        where times that passed meanwhile are not to be made up for.
        """
        with self._write() as connection:
            number = next_revision(connection)
            changed = msgspec.structs.replace(_pipeline(connection, pipeline_id), **fields)
            if not fields.keys() & {"paused", "deleted_at"}:
                return _put_pipeline(connection, changed, number)
            _put_pipeline(connection, changed, number)
            query = select(triggers.c.record).where(triggers.c.pipeline_id == pipeline_id)
            for record in connection.execute(query).scalars().all():
                trigger = msgspec.convert(record, Trigger)
                connection.execute(_PUT_TRIGGER, _trigger_row(trigger, changed) | {"key": trigger.id})
            return _follow_triggers(connection, changed, number)

    def purgeable_pipelines(self, before: str) -> list[str]:
        """Ids of the pipelines deleted before an ISO time."""
        with self._read() as connection:
            return list(connection.execute(select(pipelines.c.id).where(pipelines.c.deleted_at < before)).scalars())

    def purge_pipeline(self, pipeline_id: str) -> None:
        """Remove a pipeline with its versions, triggers and runs for good; the bytes of its files stay."""
        with self._write() as connection:
            next_revision(connection)
            query = select(triggers.c.id).where(triggers.c.pipeline_id == pipeline_id)
            keys = [_state_key(trigger_id) for trigger_id in connection.execute(query).scalars()]
            connection.execute(delete(infos).where(infos.c.key.in_(keys)))
            connection.execute(delete(pipelines).where(pipelines.c.id == pipeline_id))

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
            pipeline = _pipeline(connection, stored.pipeline_id)
            row = _trigger_row(stored, pipeline)
            connection.execute(insert(triggers).values(id=stored.id, pipeline_id=pipeline.id, **row))
            _follow_triggers(connection, pipeline, number)
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
        query = select(triggers.c.record).order_by(triggers.c.next_at.nulls_last(), triggers.c.id).limit(limit)
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
            connection.execute(delete(infos).where(infos.c.key == _state_key(trigger_id)))
            _follow_triggers(connection, _pipeline(connection, trigger.pipeline_id), next_revision(connection))

    def fire(self, firings: Sequence[Firing], fired_at: str, service: str) -> list[PipelineRun]:
        """Fire triggers, all in one transaction; what another service fired meanwhile is left out.

        A trigger has one row of ``fires`` for each scheduled time, so that a time fires once however many
        services look, restart or fill in. What is paused is fired by a person's wish only, what is deleted by none.

        Returns:
            the runs that were made.
        """
        made: list[PipelineRun] = []
        with self._write() as connection:
            number = next_revision(connection)
            for first in range(0, len(firings), MOST_AT_ONCE):
                made += _fire(connection, firings[first : first + MOST_AT_ONCE], fired_at, service, number)
        return made

    def trigger_state(self, trigger_id: str) -> Any:
        """What a trigger remembers from one look to the next, None before the first."""
        return self.info(_state_key(trigger_id))

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
            number = next_revision(connection)
            pipeline, (added,) = _add_runs(connection, _pipeline(connection, run.pipeline_id), [run], number)
            _put_pipeline(connection, pipeline, number)
            return added

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
        service: str | None = None,
        limit: int | None = None,
    ) -> list[PipelineRun]:
        """Runs of one pipeline, newest first, or of all, those first that changed last.

        Args:
            since: only those changed after this revision, or of which a step changed.
            states: only those in one of these.
            service: only those that this service has.
            limit: at most so many.
        """
        query = select(pipeline_runs.c.record, pipeline_runs.c.revision).limit(limit)
        if service is not None:
            query = query.where(pipeline_runs.c.service == service)
        if since:
            query = query.where(pipeline_runs.c.revision > since)
        if pipeline_id is None:
            query = query.order_by(pipeline_runs.c.revision.desc(), pipeline_runs.c.number.desc(), pipeline_runs.c.id)
        else:
            query = query.order_by(pipeline_runs.c.number.desc()).where(pipeline_runs.c.pipeline_id == pipeline_id)
        if states is not None:
            query = query.where(pipeline_runs.c.state.in_([state.value for state in states]))
        with self._read() as connection:
            return [_stamped(row, PipelineRun) for row in connection.execute(query)]

    def queued_pipeline_runs(self, limit: int) -> list[PipelineRun]:
        """Runs that wait for their turn, those first that have waited longest."""
        query = (
            select(pipeline_runs.c.record, pipeline_runs.c.revision)
            .where(pipeline_runs.c.state == PipelineRunState.QUEUED.value)
            .order_by(pipeline_runs.c.revision, pipeline_runs.c.number)
            .limit(limit)
        )
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
            number = next_revision(connection)
            changed = _put_run(connection, msgspec.structs.replace(run, **fields), number)
            if changed.state in PIPELINE_RUN_OVER and run.state not in PIPELINE_RUN_OVER:
                _fire_followers(connection, changed, number)
            return changed

    def claim_pipeline_run(self, run_id: str, concurrency: int, service: str, epoch: Epoch) -> PipelineRun | None:
        """Take a run whose turn it is; None where it is not.

        Args:
            concurrency: how many runs of its pipeline may go on at once.
        """
        with self._write(epoch) as connection:
            run = _pipeline_run(connection, run_id)
            if run.state is not PipelineRunState.QUEUED:
                return None
            others = select(pipeline_runs.c.number, pipeline_runs.c.state).where(
                pipeline_runs.c.pipeline_id == run.pipeline_id, pipeline_runs.c.state.in_(_LIVE)
            )
            rows = connection.execute(others).all()
            running = sum(state == PipelineRunState.RUNNING.value for _, state in rows)
            first = min(number for number, state in rows if state == PipelineRunState.QUEUED.value)
            if running >= concurrency or first != run.number:
                return None
            taken = msgspec.structs.replace(run, state=PipelineRunState.RUNNING, service=service, message="")
            return _put_run(connection, taken, next_revision(connection))

    # -- steps ---------------------------------------------------------------------------------

    def add_steps(self, run_id: str, new: Sequence[StepRun], *, epoch: Epoch | None = None) -> None:
        """Store the steps of a run that begins; those that are there already stay as they are."""
        with self._write(epoch) as connection:
            _pipeline_run(connection, run_id)
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
        expect_attempt: int | None = None,
        epoch: Epoch | None = None,
        **fields: Any,
    ) -> StepRun:
        """Change fields of a step.

        Args:
            expect: states in which it must be.
            expect_attempt: which the writer believes to be the present one.
            epoch: of the writer's lease.

        Raises:
            ConflictError: another attempt counts, it is in another state, or may not move so.
        """
        with self._write(epoch) as connection:
            step = _step(connection, step_id)
            if expect_attempt is not None and step.attempt != expect_attempt:
                raise ConflictError(f"Attempt {expect_attempt} of this step was given up; {step.attempt} counts.")
            check_move("step", step.state, fields.get("state", step.state), expect, STEP_MOVES)
            number = next_revision(connection)
            changed = msgspec.structs.replace(step, **fields, revision=number)
            connection.execute(_PUT_STEP, _step_row(changed) | {"key": step_id})
            if changed.state is not step.state:
                _count_steps(connection, step.run_id, number, step.state, changed.state)
            else:
                connection.execute(_STAMP_RUN, {"key": step.run_id, "stamp": number})
                connection.execute(_STAMP_PIPELINE, {"key": step.pipeline_id, "stamp": number})
            return changed

    def reusable(self, pipeline_id: str, fingerprint: str) -> StepRun | None:
        """The newest step that succeeded with a fingerprint, None where none did."""
        if not fingerprint:
            return None
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
    pipeline = _pipeline(connection, trigger.pipeline_id)
    connection.execute(_PUT_TRIGGER, _trigger_row(stamped, pipeline) | {"key": trigger.id})
    _follow_triggers(connection, pipeline, number)
    return stamped


def _follow_triggers(connection: Connection, pipeline: Pipeline, number: int) -> Pipeline:
    """A pipeline shows when a schedule fires it next."""
    next_at = connection.execute(_NEXT_AT, {"key": pipeline.id}).scalar()
    return _put_pipeline(connection, msgspec.structs.replace(pipeline, next_at=next_at), number)


def _fire(
    connection: Connection, firings: Sequence[Firing], fired_at: str, service: str, number: int
) -> list[PipelineRun]:
    """Fire what may be fired; what it reads and writes of all of them it reads and writes together."""
    ids = [firing.trigger.id for firing in firings]
    query = select(triggers.c.record).where(triggers.c.id.in_(ids))
    present = {
        trigger.id: trigger
        for trigger in (msgspec.convert(record, Trigger) for record in connection.execute(query).scalars())
    }
    of = pipelines.c.id.in_({trigger.pipeline_id for trigger in present.values()})
    rows = connection.execute(select(pipelines.c.record, pipelines.c.revision).where(of))
    owners: dict[str, Pipeline] = {pipeline.id: pipeline for pipeline in (_stamped(row, Pipeline) for row in rows)}
    known = _known_fires(connection, firings)
    made: list[PipelineRun] = []
    fired: list[Fire] = []
    moved: list[Trigger] = []
    made_up: list[dict[str, str]] = []
    for firing in firings:
        # once: with its second firing it is not as the service read it
        trigger = present.pop(firing.trigger.id, None)
        if trigger is None or not _may_fire(firing, trigger, owners[trigger.pipeline_id]):
            continue
        due = {
            time: (run, reason)
            for time, run, reason in firing.due
            if (trigger.id, time) not in known or _makes_up(run, known[trigger.id, time])
        }
        made_up += [{"trigger": trigger.id, "time": time} for time in due if (trigger.id, time) in known]
        wanted = [run for run, _ in due.values() if run is not None]
        owners[trigger.pipeline_id], runs = _add_runs(connection, owners[trigger.pipeline_id], wanted, number)
        made += runs
        fired += _fires_of(trigger.id, due, {run.id: run for run in runs}, fired_at, service)
        last = max([*(time for time, _, _ in firing.due), trigger.last_at or ""]) or None
        fields = {"next_at": firing.next_at, "last_at": last, "message": firing.message, "revision": number}
        moved.append(msgspec.structs.replace(trigger, **fields))
        if firing.state is not None:
            replace(connection, infos, {"key": _state_key(trigger.id)}, {"value": firing.state})
    if made_up:
        connection.execute(_DELETE_FIRE, made_up)
    _put_fired(connection, fired, moved, owners, number)
    return made


def _may_fire(firing: Firing, trigger: Trigger, pipeline: Pipeline) -> bool:
    if trigger.revision != firing.trigger.revision or pipeline.deleted_at is not None:
        # another service fired it, or a person changed it
        return False
    by_person = all(run is not None and run.cause in ("hand", "backfill") for _, run, _ in firing.due)
    return by_person or not pipeline.paused


def _known_fires(connection: Connection, firings: Sequence[Firing]) -> dict[tuple[str, str], str]:
    """By trigger and time, the id of the run that was made, empty where none was."""
    times = [time for firing in firings for time, _, _ in firing.due]
    if not times:
        return {}
    query = select(fires.c.trigger_id, fires.c.scheduled_at, fires.c.record).where(
        fires.c.trigger_id.in_([firing.trigger.id for firing in firings]),
        # a backfill has more times than a statement may have parameters
        fires.c.scheduled_at >= min(times),
        fires.c.scheduled_at <= max(times),
    )
    return {(trigger_id, time): record.get("run_id", "") for trigger_id, time, record in connection.execute(query)}


def _makes_up(run: PipelineRun | None, earlier: str) -> bool:
    """Whether a person asks for a time that was let go without a run."""
    return not earlier and run is not None and run.cause == "backfill"


def _fires_of(
    trigger_id: str,
    due: dict[str, tuple[PipelineRun | None, str]],
    runs: dict[str, PipelineRun],
    fired_at: str,
    service: str,
) -> Iterator[Fire]:
    for time, (wanted, reason) in due.items():
        run = None if wanted is None else runs[wanted.id]
        yield Fire(
            trigger_id=trigger_id,
            scheduled_at=time,
            fired_at=fired_at,
            service=service,
            run_id=run.id if run else "",
            reason=run.message if run and run.state is PipelineRunState.SKIPPED else reason,
        )


def _put_fired(
    connection: Connection, fired: list[Fire], moved: list[Trigger], owners: dict[str, Pipeline], number: int
) -> None:
    if not moved:
        return
    if fired:
        columns = ("trigger_id", "scheduled_at")
        rows = [
            {name: getattr(fire, name) for name in columns} | {"record": msgspec.to_builtins(fire)} for fire in fired
        ]
        connection.execute(insert(fires), rows)
    rows = [_trigger_row(trigger, owners[trigger.pipeline_id]) | {"key": trigger.id} for trigger in moved]
    connection.execute(_PUT_TRIGGER, rows)
    ids = {trigger.pipeline_id for trigger in moved}
    query = (
        select(triggers.c.pipeline_id, func.min(triggers.c.next_at))
        .where(triggers.c.pipeline_id.in_(ids), triggers.c.kind == "cron")
        .group_by(triggers.c.pipeline_id)
    )
    next_at = {found[0]: found[1] for found in connection.execute(query)}
    shown = [
        msgspec.structs.replace(owners[pipeline_id], next_at=next_at.get(pipeline_id), revision=number)
        for pipeline_id in sorted(ids)
    ]
    connection.execute(_PUT_PIPELINE, [_pipeline_row(pipeline) | {"key": pipeline.id} for pipeline in shown])


def _state_key(trigger_id: str) -> str:
    return f"trigger:{trigger_id}"


def _fire_followers(connection: Connection, run: PipelineRun, number: int) -> None:
    """Fire what follows a run's end, in the transaction that ends it: neither forgotten nor done twice."""
    query = select(triggers.c.record).where(triggers.c.upstream == run.pipeline_id, triggers.c.kind == "pipeline")
    for record in connection.execute(query).scalars().all():
        trigger = msgspec.convert(record, Trigger)
        wanted = {"succeeded": ("succeeded",), "failed": ("failed",), "ended": ("succeeded", "failed", "stopped")}
        pipeline = _pipeline(connection, trigger.pipeline_id)
        if not trigger.enabled or pipeline.paused or pipeline.deleted_at or run.state.value not in wanted[trigger.on]:
            continue
        at = run.ended_at or run.created_at
        follower = PipelineRun(
            id=uuid4().hex,
            pipeline_id=trigger.pipeline_id,
            version=0,
            cause="pipeline",
            trigger_id=trigger.id,
            scheduled_at=at,
            parameters=trigger.parameters,
            overlap=trigger.overlap,
            created_at=at,
        )
        _fire(connection, [Firing(trigger, trigger.next_at, [(at, follower, "")])], at, run.service, number)


def _add_runs(
    connection: Connection, pipeline: Pipeline, wanted: Sequence[PipelineRun], number: int
) -> tuple[Pipeline, list[PipelineRun]]:
    """Store runs under a pipeline's next numbers; what they find going on decides whether they have their turn.

    Returns:
        the pipeline as the caller has to store it, once for all of them, and the runs.
    """
    made: list[PipelineRun] = []
    for asked in wanted:
        run = msgspec.structs.replace(
            asked, number=pipeline.runs + len(made) + 1, version=asked.version or pipeline.version, revision=number
        )
        if run.overlap == "skip":
            live = (other.number for other in made if other.state is not PipelineRunState.SKIPPED)
            run = _skipped_after(
                connection.execute(_FIRST_LIVE, {"key": pipeline.id}).scalar() or next(live, None), run
            )
        if run.overlap == "replace":
            if not any(other.overlap == "replace" for other in made):
                _replace_live(connection, run, number)
            made = [_replaced(other, run) for other in made]
        made.append(run)
    if made:
        rows = [{"id": run.id, "pipeline_id": pipeline.id, "number": run.number, **_run_row(run)} for run in made]
        connection.execute(insert(pipeline_runs), rows)
    recent = [*pipeline.recent, *(_mark(run) for run in made[-RECENT:])][-RECENT:]
    return msgspec.structs.replace(pipeline, runs=pipeline.runs + len(made), recent=recent), made


def _skipped_after(earlier: int | None, run: PipelineRun) -> PipelineRun:
    if earlier is None:
        return run
    message = f"Run {earlier} went on, and runs do not overlap"
    return msgspec.structs.replace(run, state=PipelineRunState.SKIPPED, message=message, ended_at=run.created_at)


def _replace_live(connection: Connection, run: PipelineRun, number: int) -> None:
    """Have all stopped that a new run takes the place of."""
    for row in connection.execute(_LIVE_RUNS, {"key": run.pipeline_id}).all():
        other = _stamped(row, PipelineRun)
        replaced = _replaced(other, run)
        if replaced is not other:
            stamped = msgspec.structs.replace(replaced, revision=number)
            connection.execute(_PUT_RUN, _run_row(stamped) | {"key": other.id})


def _replaced(other: PipelineRun, run: PipelineRun) -> PipelineRun:
    if other.stop_requested or other.state in PIPELINE_RUN_OVER:
        return other
    line = LogLine(at=run.created_at, text=f"Run {run.number} takes its place")
    message = f"Replaced by run {run.number}"
    return msgspec.structs.replace(other, stop_requested=True, message=message, log=[*other.log, line][-MOST_LINES:])


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
    connection.execute(_STAMP_PIPELINE, {"key": run.pipeline_id, "stamp": number})


# -- rows ------------------------------------------------------------------------------------------


def _pipeline_row(pipeline: Pipeline) -> dict[str, Any]:
    names = ("path", "created_at", "deleted_at", "revision")
    return {name: getattr(pipeline, name) for name in names} | {"record": msgspec.to_builtins(pipeline)}


def _trigger_row(trigger: Trigger, pipeline: Pipeline) -> dict[str, Any]:
    fires_now = trigger.enabled and not pipeline.paused and pipeline.deleted_at is None
    return {
        "kind": trigger.kind,
        "upstream": trigger.upstream,
        # what does not fire is not found among what is due
        "next_at": trigger.next_at if fires_now else None,
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
