"""Runs of sweeps."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, insert, select
from sqlalchemy.exc import IntegrityError

from ..core.errors import ConflictError
from ..core.lenient import encode
from ..core.messages import Message
from ..core.runs import Run
from ..core.states import RUN_LIVE, RUN_MOVES, RUN_OVER, RunState
from .base import Repository, changed, check_attempt, check_move, next_revision, read_record, update_by_id
from .sweeps import put_sweep, read_sweep
from .tables import LIVE_SWEEP, UNTRACKED, runs, sweeps

# made once: building a statement takes longer than executing it
_RUN = select(runs.c.record).where(runs.c.id == bindparam("key"))
_COLUMNS = ("id", "sweep_id", "attempt", "tracked", "revision")
_PUT = update_by_id(runs, *_COLUMNS, "number", "state", "record")


class RunStore(Repository):
    """Runs of sweeps."""

    def add(self, sweep_id: str, new: list[Run]) -> None:
        """Add planned runs to a sweep's table.

        Raises:
            ConflictError: a run with the same index exists.
        """
        with self._write() as connection:
            sweep = read_sweep(connection, sweep_id)
            number = next_revision(connection)
            rows = [_run_row(msgspec.structs.replace(run, revision=number)) for run in new]
            try:
                connection.execute(insert(runs), rows)
            except IntegrityError as error:
                raise ConflictError(Message("A run of this index is planned already.")) from error
            counts = dict(sweep.counts)
            for run in new:
                counts[run.state.value] = counts.get(run.state.value, 0) + 1
            put_sweep(
                connection,
                msgspec.structs.replace(sweep, counts=counts, planned=sweep.planned + len(new)),
                number,
            )

    def get(self, run_id: str) -> Run:
        """One run.

        Raises:
            NotFoundError: there is none with this id.
        """
        with self._read() as connection:
            return _run(connection, run_id)

    def of_sweep(
        self,
        sweep_id: str,
        *,
        since: int = 0,
        first: int = 0,
        states: Collection[RunState] | None = None,
        tracked: bool | None = None,
        limit: int | None = None,
    ) -> list[Run]:
        """Runs of a sweep by index.

        Args:
            since: only runs that changed after this revision.
            first: only runs from this index on.
            states: only runs in one of these.
            tracked: only runs that MLflow has, or lacks; None for both.
            limit: maximum number.
        """
        query = (
            select(runs.c.record)
            .where(runs.c.sweep_id == sweep_id, runs.c.revision > since, runs.c.number >= first)
            .order_by(runs.c.number)
            .limit(limit)
        )
        if states is not None:
            query = query.where(runs.c.state.in_([state.value for state in states]))
        if tracked is not None:
            query = query.where(runs.c.tracked == tracked)
        return self._records(query, Run)

    def change(
        self,
        run_id: str,
        *,
        expect: Collection[RunState] | None = None,
        expect_attempt: int | None = None,
        **fields: Any,
    ) -> Run:
        """Change fields of a run, and the sweep's counts with it.

        Args:
            expect: states in which it must be.
            expect_attempt: number of the writer's attempt.
            fields: of :class:`~jupyter_mlops.core.runs.Run`.

        Raises:
            ConflictError: another attempt has started, it is in another state, or the transition is not allowed.
        """
        with self._write() as connection:
            run = _run(connection, run_id)
            check_attempt("run", run, expect_attempt)
            state = fields.get("state", run.state)
            check_move("run", run, state, expect, RUN_MOVES)
            number = next_revision(connection)
            written = changed(run, **fields, revision=number)
            connection.execute(_PUT, _run_row(written) | {"key": run_id})
            if state is not run.state:
                sweep = read_sweep(connection, run.sweep_id)
                counts = dict(sweep.counts)
                counts[run.state.value] = counts.get(run.state.value, 0) - 1
                counts[state.value] = counts.get(state.value, 0) + 1
                counts = {name: count for name, count in counts.items() if count}
                put_sweep(connection, msgspec.structs.replace(sweep, counts=counts), number)
            return written

    def request_stop(self, run_id: str) -> None:
        """Record the request to stop a run."""
        with self._write() as connection:
            run = _run(connection, run_id)
            if run.state in RUN_OVER:
                raise ConflictError(Message("This run is over; there is nothing to stop."))
            number = next_revision(connection)
            changed = msgspec.structs.replace(run, stop_requested=True, revision=number)
            connection.execute(_PUT, _run_row(changed) | {"key": run_id})
            # the sweep's new revision is what its driver notices
            put_sweep(connection, read_sweep(connection, run.sweep_id), number)

    def live(self, service: str = "") -> list[Run]:
        """Runs that are executing, in all sweeps of a service."""
        states = [state.value for state in RUN_LIVE]
        query = (
            select(runs.c.record)
            .join(sweeps, sweeps.c.id == runs.c.sweep_id)
            # a sweep ends after its runs
            .where(LIVE_SWEEP, runs.c.state.in_(states))
        )
        return self._records(query.where(sweeps.c.service.in_(["", service])), Run)

    def untracked(self, limit: int, service: str = "") -> list[Run]:
        """Finished runs that MLflow lacks, in all sweeps of a service that are not deleted."""
        over = [state.value for state in RUN_OVER]
        query = (
            select(runs.c.record)
            .join(sweeps, sweeps.c.id == runs.c.sweep_id)
            .where(UNTRACKED, runs.c.state.in_(over), sweeps.c.deleted_at.is_(None))
            .where(sweeps.c.service.in_(["", service]))
            .limit(limit)
        )
        return self._records(query, Run)


def _run(connection: Connection, run_id: str) -> Run:
    return read_record(connection, _RUN, run_id, Run, f"There is no run {run_id}.")


def _run_row(run: Run) -> dict[str, Any]:
    return {
        **{name: getattr(run, name) for name in _COLUMNS},
        "number": run.index,
        "state": run.state.value,
        "record": encode(run),
    }
