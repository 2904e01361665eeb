"""Pipeline runs and their steps."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, delete, exists, false, insert, or_, select, true

from ..core.errors import ConflictError
from ..core.lenient import check_supported, is_supported
from ..core.messages import Message
from ..core.pipelines.records import LogLine, PipelineRun, StepRun
from ..core.states import PIPELINE_RUN_MOVES, PIPELINE_RUN_OVER, STEP_MOVES, PipelineRunState, StepState
from .base import Repository, changed, check_attempt, check_move, next_revision
from .firing import fire_followers
from .pipeline_queue import MAX_LOG_LINES, add_runs, first_queued, has_turn
from .pipeline_rows import (
    PUT_STEP,
    STAMP_PIPELINE,
    STAMP_RUN,
    count_steps,
    put_pipeline,
    put_run,
    read_pipeline,
    read_pipeline_run,
    read_step,
    stamped,
    step_row,
)
from .tables import REUSED_STEP, pipeline_runs, step_runs


class PipelineRunStore(Repository):
    """Pipeline runs and their steps."""

    def create(self, run: PipelineRun) -> PipelineRun:
        """Store a queued run."""
        with self._write() as connection:
            number = next_revision(connection)
            pipeline, (added,) = add_runs(connection, read_pipeline(connection, run.pipeline_id), [run], number)
            put_pipeline(connection, pipeline, number)
            return added

    def get(self, run_id: str) -> PipelineRun:
        """One pipeline run.

        Raises:
            NotFoundError: there is none with this id.
        """
        with self._read() as connection:
            return read_pipeline_run(connection, run_id)

    def find(
        self,
        pipeline_id: str | None = None,
        *,
        since: int = 0,
        states: Collection[PipelineRunState] | None = None,
        service: str | None = None,
        stop_requested: bool | None = None,
        limit: int | None = None,
    ) -> list[PipelineRun]:
        """Runs of one pipeline, newest first, or of all pipelines, last changed first.

        Args:
            since: only runs that changed, or whose steps changed, after this revision.
            states: only runs in one of these that this version supports.
            service: only runs claimed by this service.
            stop_requested: only runs with, or without, a request to stop; None for both.
            limit: maximum number.
        """
        query = select(pipeline_runs.c.record, pipeline_runs.c.revision).limit(limit)
        if service is not None:
            query = query.where(pipeline_runs.c.service == service)
        if stop_requested is not None:
            query = query.where(pipeline_runs.c.stop_requested.is_(stop_requested))
        if since:
            query = query.where(pipeline_runs.c.revision > since)
        if pipeline_id is None:
            query = query.order_by(pipeline_runs.c.revision.desc(), pipeline_runs.c.number.desc(), pipeline_runs.c.id)
        else:
            query = query.order_by(pipeline_runs.c.number.desc()).where(pipeline_runs.c.pipeline_id == pipeline_id)
        if states is not None:
            query = query.where(pipeline_runs.c.state.in_([state.value for state in states]))
        with self._read() as connection:
            found = [stamped(row, PipelineRun) for row in connection.execute(query)]
        return found if states is None else [run for run in found if is_supported(run)]

    def first_queued(self) -> dict[str, int]:
        """Number of running runs of its pipeline by id of each pipeline's first queued run, oldest first."""
        with self._read() as connection:
            return first_queued(connection)

    def surplus(
        self, pipeline_id: str, service: str, limit: int, *, newest: int | None = None, before: str | None = None
    ) -> list[PipelineRun]:
        """Finished runs of a pipeline that retention does not keep, newest first.

        Args:
            service: only runs of this service, or of none.
            limit: maximum number; the oldest are returned.
            newest: number of runs to keep; skipped runs do not count.
            before: ISO time; runs that ended earlier are not kept.
        """
        of = pipeline_runs.c.pipeline_id == pipeline_id
        over = [state.value for state in PIPELINE_RUN_OVER]
        surplus: list[ColumnElement[bool]] = []
        if newest == 0:
            surplus.append(true())
        elif newest is not None:
            ran = pipeline_runs.c.state.in_([state for state in over if state != PipelineRunState.SKIPPED.value])
            oldest = select(pipeline_runs.c.number).where(of, ran).order_by(pipeline_runs.c.number.desc())
            surplus.append(pipeline_runs.c.number < oldest.offset(newest - 1).limit(1).scalar_subquery())
        if before is not None:
            surplus.append(pipeline_runs.c.ended_at < before)
        query = (
            select(pipeline_runs.c.record, pipeline_runs.c.revision)
            .where(of, pipeline_runs.c.state.in_(over), pipeline_runs.c.service.in_(["", service]))
            .where(or_(false(), *surplus))
            .order_by(pipeline_runs.c.number)
            .limit(limit)
        )
        with self._read() as connection:
            found = [stamped(row, PipelineRun) for row in connection.execute(query)][::-1]
        return [run for run in found if is_supported(run)]

    def in_use(self, pipeline_id: str, version: int, since: str) -> bool:
        """Whether a run of a version is active, or ended after an ISO time."""
        over = pipeline_runs.c.state.in_([state.value for state in PIPELINE_RUN_OVER])
        query = select(
            exists().where(
                pipeline_runs.c.pipeline_id == pipeline_id,
                pipeline_runs.c.version == version,
                or_(~over, pipeline_runs.c.ended_at > since),
            )
        )
        with self._read() as connection:
            return bool(connection.execute(query).scalar())

    def change(
        self,
        run_id: str,
        *,
        expect: Collection[PipelineRunState] | None = None,
        expect_service: str | None = None,
        say: Sequence[LogLine] = (),
        **fields: Any,
    ) -> PipelineRun:
        """Change fields of a run, and update its pipeline's summary.

        Args:
            expect: states in which it must be.
            expect_service: service that must have claimed it.
            say: lines to add to its log.
            fields: of :class:`~jupyter_mlops.core.pipelines.records.PipelineRun`.

        Raises:
            ConflictError: another service has claimed it, it is in another state, or the transition is not allowed.
        """
        with self._write() as connection:
            run = read_pipeline_run(connection, run_id)
            if expect_service is not None and run.service != expect_service:
                raise ConflictError(Message("Another service has this run by now."))
            check_move("run", run, fields.get("state", run.state), expect, PIPELINE_RUN_MOVES)
            if say:
                fields["log"] = [*run.log, *say][-MAX_LOG_LINES:]
            number = next_revision(connection)
            written = put_run(connection, changed(run, **fields), number)
            if written.state in PIPELINE_RUN_OVER and run.state not in PIPELINE_RUN_OVER:
                fire_followers(connection, written, number)
            return written

    def claim(self, run_id: str, concurrency: int, service: str) -> PipelineRun | None:
        """Start a queued run if it is its turn, else None.

        Args:
            concurrency: maximum number of running runs of its pipeline.
        """
        with self._write() as connection:
            run = read_pipeline_run(connection, run_id)
            queued = run.state is PipelineRunState.QUEUED and is_supported(run)
            if not queued or not has_turn(connection, run, concurrency):
                return None
            taken = changed(run, state=PipelineRunState.RUNNING, service=service, message=Message())
            return put_run(connection, taken, next_revision(connection))

    def purge(self, run_id: str) -> None:
        """Permanently delete a finished run and its steps; its fires stay."""
        with self._write() as connection:
            run = read_pipeline_run(connection, run_id)
            if run.state not in PIPELINE_RUN_OVER:
                raise ConflictError(Message("This run goes on; stop it first."))
            check_supported("run", run)
            connection.execute(delete(pipeline_runs).where(pipeline_runs.c.id == run_id))
            pipeline = read_pipeline(connection, run.pipeline_id)
            recent = [mark for mark in pipeline.recent if mark.id != run_id]
            put_pipeline(connection, msgspec.structs.replace(pipeline, recent=recent))

    def add_steps(self, run_id: str, new: Sequence[StepRun]) -> None:
        """Store the steps of a starting run; existing ones stay unchanged."""
        with self._write() as connection:
            read_pipeline_run(connection, run_id)
            known = set(connection.execute(select(step_runs.c.id).where(step_runs.c.run_id == run_id)).scalars())
            number = next_revision(connection)
            missing = [msgspec.structs.replace(step, revision=number) for step in new if step.id not in known]
            if missing:
                columns = ("id", "run_id", "pipeline_id", "position")
                rows = [{name: getattr(step, name) for name in columns} | step_row(step) for step in missing]
                connection.execute(insert(step_runs), rows)
                count_steps(connection, run_id, number)

    def steps(self, run_id: str) -> list[StepRun]:
        """The steps of a run, in their order."""
        query = select(step_runs.c.record).where(step_runs.c.run_id == run_id).order_by(step_runs.c.position)
        return self._records(query, StepRun)

    def step(self, step_id: str) -> StepRun:
        """One step of a run.

        Raises:
            NotFoundError: there is none with this id.
        """
        with self._read() as connection:
            return read_step(connection, step_id)

    def change_step(
        self,
        step_id: str,
        *,
        expect: Collection[StepState] | None = None,
        expect_attempt: int | None = None,
        **fields: Any,
    ) -> StepRun:
        """Change fields of a step.

        Args:
            expect: states in which it must be.
            expect_attempt: number of the writer's attempt.

        Raises:
            ConflictError: another attempt has started, it is in another state, or the transition is not allowed.
        """
        with self._write() as connection:
            step = read_step(connection, step_id)
            check_attempt("step", step, expect_attempt)
            check_move("step", step, fields.get("state", step.state), expect, STEP_MOVES)
            number = next_revision(connection)
            written = changed(step, **fields, revision=number)
            connection.execute(PUT_STEP, step_row(written) | {"key": step_id})
            if written.state is not step.state:
                count_steps(connection, step.run_id, number, step.state, written.state)
            else:
                connection.execute(STAMP_RUN, {"key": step.run_id, "stamp": number})
                connection.execute(STAMP_PIPELINE, {"key": step.pipeline_id, "stamp": number})
            return written

    def reused_steps(self, pipeline_id: str) -> list[StepRun]:
        """The steps of a pipeline that reused an earlier result."""
        return self._records(
            select(step_runs.c.record).where(step_runs.c.pipeline_id == pipeline_id, REUSED_STEP), StepRun
        )

    def reusable(self, pipeline_id: str, fingerprint: str) -> StepRun | None:
        """The newest succeeded step with a fingerprint, None if there is none."""
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
