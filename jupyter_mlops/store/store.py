"""The store itself."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, delete, func, insert, select
from sqlalchemy.exc import IntegrityError

from ..core.errors import ConflictError, NotFoundError
from ..core.record import now
from ..core.runs import Run
from ..core.states import RUN_LIVE, RUN_MOVES, RUN_OVER, SWEEP_MOVES, SWEEP_OVER, RunState, SweepState
from ..core.sweeps import Sweep, SweepRequest
from .base import check_move, drop_unused, keep_blob, next_revision, putting, read_record, replace
from .pipelines import PipelineStore
from .tables import LIVE_SWEEP, UNTRACKED, blobs, drafts, runs, sweeps

# made once: building a statement takes longer than executing it
_SWEEP = select(sweeps.c.record).where(sweeps.c.id == bindparam("key"))
_RUN = select(runs.c.record).where(runs.c.id == bindparam("key"))
_SWEEP_COLUMNS = ("id", "path", "archived", "deleted_at", "created_at", "pipeline_run", "service", "revision")
_RUN_COLUMNS = ("id", "sweep_id", "attempt", "tracked", "revision")
_PUT_SWEEP = putting(sweeps, *_SWEEP_COLUMNS, "state", "record")
_PUT_RUN = putting(runs, *_RUN_COLUMNS, "number", "state", "record")


class Store(PipelineStore):
    """Sweeps, runs and drafts beside what its bases keep, for any number of processes and threads."""

    # -- sweeps ------------------------------------------------------------------------------

    def create_sweep(self, sweep: Sweep, notebook: bytes) -> Sweep:
        """Store a new sweep with its frozen notebook."""
        with self._write() as connection:
            stored = msgspec.structs.replace(sweep, revision=next_revision(connection))
            row = _sweep_row(stored) | {"notebook": b"", "notebook_sha256": keep_blob(connection, notebook)}
            connection.execute(insert(sweeps).values(row))
            return stored

    def sweep(self, sweep_id: str) -> Sweep:
        """One sweep.

        Raises:
            NotFoundError: there is none of this id.
        """
        with self._read() as connection:
            return _sweep(connection, sweep_id)

    def notebook(self, sweep_id: str) -> bytes:
        """The bytes a sweep was started with."""
        with self._read() as connection:
            query = select(blobs.c.data).join(sweeps, sweeps.c.notebook_sha256 == blobs.c.sha256)
            data = connection.execute(query.where(sweeps.c.id == sweep_id)).scalar()
        if data is None:
            raise NotFoundError(f"There is no sweep {sweep_id}.")
        return bytes(data)

    def sweeps(
        self,
        *,
        since: int = 0,
        archived: bool | None = None,
        deleted: bool | None = False,
        folder: str | None = None,
        live: bool | None = None,
        steps: bool | None = None,
        service: str | None = None,
        limit: int | None = None,
    ) -> list[Sweep]:
        """Sweeps, newest first.

        Args:
            steps: only those that are steps of pipelines, or are not; None for both.
            since: only those changed after this revision.
            archived, deleted, live: only those that are, or are not; None for both.
            folder: only those of notebooks below this absolute folder.
            service: only those of this service, and those of none.
            limit: at most so many.
        """
        query = select(sweeps.c.record).order_by(sweeps.c.created_at.desc(), sweeps.c.id)
        if since:
            query = query.where(sweeps.c.revision > since)
        if archived is not None:
            query = query.where(sweeps.c.archived == archived)
        if deleted is not None:
            query = query.where(sweeps.c.deleted_at.is_not(None) if deleted else sweeps.c.deleted_at.is_(None))
        if folder is not None:
            # LIKE would take /srv/Ada for /srv/ada
            prefix = folder.rstrip("/") + "/"
            query = query.where(func.substr(sweeps.c.path, 1, len(prefix)) == prefix)
        if service is not None:
            query = query.where(sweeps.c.service.in_(["", service]))
        if steps is not None:
            query = query.where((sweeps.c.pipeline_run != "") if steps else (sweeps.c.pipeline_run == ""))
        if live is not None:
            query = query.where(LIVE_SWEEP if live else ~LIVE_SWEEP)
        return self._records(query.limit(limit), Sweep)

    def change_sweep(
        self,
        sweep_id: str,
        *,
        expect: Collection[SweepState] | None = None,
        **fields: Any,
    ) -> Sweep:
        """Change fields of a sweep.

        Args:
            expect: states in which it must be.
            fields: by the names of :class:`~jupyter_mlops.core.record.Sweep`.

        Raises:
            ConflictError: it is in another state, or may not move to the new one.
        """
        with self._write() as connection:
            sweep = _sweep(connection, sweep_id)
            check_move("sweep", sweep.state, fields.get("state", sweep.state), expect, SWEEP_MOVES)
            return _put_sweep(connection, msgspec.structs.replace(sweep, **fields))

    def request_stop_sweep(self, sweep_id: str) -> None:
        """Write down that a person wants a sweep stopped."""
        with self._write() as connection:
            sweep = _sweep(connection, sweep_id)
            if sweep.state in SWEEP_OVER:
                raise ConflictError("This sweep is over; there is nothing to stop.")
            _put_sweep(connection, msgspec.structs.replace(sweep, stop_requested=True))

    def delete_sweep(self, sweep_id: str) -> None:
        """Put a sweep that is over aside; :meth:`restore_sweep` brings it back."""
        self.change_sweep(sweep_id, expect=SWEEP_OVER, deleted_at=now())

    def restore_sweep(self, sweep_id: str) -> None:
        """Bring a deleted sweep back."""
        self.change_sweep(sweep_id, deleted_at=None)

    def purge_sweep(self, sweep_id: str) -> None:
        """Remove a sweep and its runs for good."""
        with self._write() as connection:
            next_revision(connection)
            names = connection.execute(select(sweeps.c.notebook_sha256).where(sweeps.c.id == sweep_id)).scalars().all()
            connection.execute(delete(sweeps).where(sweeps.c.id == sweep_id))
            drop_unused(connection, names)

    def purgeable(self, before: str, service: str = "") -> list[str]:
        """Ids of a service's sweeps deleted before an ISO time."""
        query = select(sweeps.c.id).where(sweeps.c.deleted_at < before, sweeps.c.service.in_(["", service]))
        with self._read() as connection:
            return list(connection.execute(query).scalars())

    # -- runs --------------------------------------------------------------------------------

    def add_runs(self, sweep_id: str, new: list[Run]) -> None:
        """Add planned runs to a sweep's table.

        Raises:
            ConflictError: one of that index is there already.
        """
        with self._write() as connection:
            sweep = _sweep(connection, sweep_id)
            number = next_revision(connection)
            rows = [_run_row(msgspec.structs.replace(run, revision=number)) for run in new]
            try:
                connection.execute(insert(runs), rows)
            except IntegrityError as error:
                raise ConflictError("A run of this index is planned already.") from error
            counts = dict(sweep.counts)
            for run in new:
                counts[run.state.value] = counts.get(run.state.value, 0) + 1
            _put_sweep(
                connection,
                msgspec.structs.replace(sweep, counts=counts, planned=sweep.planned + len(new)),
                number,
            )

    def run(self, run_id: str) -> Run:
        """One run.

        Raises:
            NotFoundError: there is none of this id.
        """
        with self._read() as connection:
            return _run(connection, run_id)

    def runs(
        self,
        sweep_id: str,
        *,
        since: int = 0,
        states: Collection[RunState] | None = None,
        tracked: bool | None = None,
        limit: int | None = None,
    ) -> list[Run]:
        """Runs of a sweep by index.

        Args:
            since: only those changed after this revision.
            states: only those in one of these.
            tracked: only those that MLflow holds, or does not yet hold; None for both.
            limit: at most so many.
        """
        query = (
            select(runs.c.record)
            .where(runs.c.sweep_id == sweep_id, runs.c.revision > since)
            .order_by(runs.c.number)
            .limit(limit)
        )
        if states is not None:
            query = query.where(runs.c.state.in_([state.value for state in states]))
        if tracked is not None:
            query = query.where(runs.c.tracked == tracked)
        return self._records(query, Run)

    def change_run(
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
            expect_attempt: which the writer believes to be the present one.
            fields: by the names of :class:`~jupyter_mlops.core.record.Run`.

        Raises:
            ConflictError: another attempt is running, it is in another state, or may not move so.
        """
        with self._write() as connection:
            run = _run(connection, run_id)
            if expect_attempt is not None and run.attempt != expect_attempt:
                raise ConflictError(f"Attempt {expect_attempt} of this run was given up; attempt {run.attempt} counts.")
            state = fields.get("state", run.state)
            check_move("run", run.state, state, expect, RUN_MOVES)
            number = next_revision(connection)
            changed = msgspec.structs.replace(run, **fields, revision=number)
            connection.execute(_PUT_RUN, _run_row(changed) | {"key": run_id})
            if state is not run.state:
                sweep = _sweep(connection, run.sweep_id)
                counts = dict(sweep.counts)
                counts[run.state.value] = counts.get(run.state.value, 0) - 1
                counts[state.value] = counts.get(state.value, 0) + 1
                counts = {name: count for name, count in counts.items() if count}
                _put_sweep(connection, msgspec.structs.replace(sweep, counts=counts), number)
            return changed

    def request_stop_run(self, run_id: str) -> None:
        """Write down that a person wants a run stopped."""
        with self._write() as connection:
            run = _run(connection, run_id)
            if run.state in RUN_OVER:
                raise ConflictError("This run is over; there is nothing to stop.")
            number = next_revision(connection)
            changed = msgspec.structs.replace(run, stop_requested=True, revision=number)
            connection.execute(_PUT_RUN, _run_row(changed) | {"key": run_id})
            # by which whoever drives it sees that there is something to do
            _put_sweep(connection, _sweep(connection, run.sweep_id), number)

    def live_runs(self, service: str = "") -> list[Run]:
        """Runs that are with a worker, over all sweeps of a service."""
        states = [state.value for state in RUN_LIVE]
        query = (
            select(runs.c.record)
            .join(sweeps, sweeps.c.id == runs.c.sweep_id)
            # a sweep is over after its runs
            .where(LIVE_SWEEP, runs.c.state.in_(states))
        )
        return self._records(query.where(sweeps.c.service.in_(["", service])), Run)

    def untracked(self, limit: int, service: str = "") -> list[Run]:
        """Finished runs, over all sweeps of a service that are not deleted, of which MLflow does not know all yet."""
        over = [state.value for state in RUN_OVER]
        query = (
            select(runs.c.record)
            .join(sweeps, sweeps.c.id == runs.c.sweep_id)
            .where(UNTRACKED, runs.c.state.in_(over), sweeps.c.deleted_at.is_(None))
            .where(sweeps.c.service.in_(["", service]))
            .limit(limit)
        )
        return self._records(query, Run)

    # -- drafts ---------------------------------------------------------------

    def set_draft(self, path: str, request: SweepRequest) -> None:
        """Remember the form of a notebook by its absolute path."""
        with self._write() as connection:
            replace(connection, drafts, {"path": path}, {"record": msgspec.to_builtins(request)})

    def draft(self, path: str) -> SweepRequest | None:
        """The form of a notebook as it was last left, None where there was none."""
        found = self._records(select(drafts.c.record).where(drafts.c.path == path), SweepRequest)
        return found[0] if found else None

    def metric_names(self, path: str, sweeps_back: int = 5) -> list[str]:
        """Metric names seen in the last sweeps of a notebook, newest first."""
        recent = (
            select(sweeps.c.id).where(sweeps.c.path == path).order_by(sweeps.c.created_at.desc()).limit(sweeps_back)
        )
        names: dict[str, None] = {}
        with self._read() as connection:
            for sweep_id in connection.execute(recent).scalars().all():
                done = (
                    select(runs.c.record)
                    .where(runs.c.sweep_id == sweep_id, runs.c.state == RunState.SUCCEEDED.value)
                    .limit(3)
                )
                for record in connection.execute(done).scalars():
                    names |= dict.fromkeys(record["metrics"])
        return list(names)

    def run_seconds(self, path: str) -> float | None:
        """How long a run of a notebook took in its last sweep with one that succeeded, None where there is none."""
        recent = select(sweeps.c.record).where(sweeps.c.path == path).order_by(sweeps.c.created_at.desc()).limit(5)
        known = (sweep.run_seconds for sweep in self._records(recent, Sweep))
        return next((seconds for seconds in known if seconds is not None), None)


def _sweep(connection: Connection, sweep_id: str) -> Sweep:
    return read_record(connection, _SWEEP, sweep_id, Sweep, f"There is no sweep {sweep_id}.")


def _run(connection: Connection, run_id: str) -> Run:
    return read_record(connection, _RUN, run_id, Run, f"There is no run {run_id}.")


def _put_sweep(connection: Connection, sweep: Sweep, number: int | None = None) -> Sweep:
    stamped = msgspec.structs.replace(sweep, revision=number or next_revision(connection))
    connection.execute(_PUT_SWEEP, _sweep_row(stamped) | {"key": sweep.id})
    return stamped


def _sweep_row(sweep: Sweep) -> dict[str, Any]:
    return {
        **{name: getattr(sweep, name) for name in _SWEEP_COLUMNS},
        "state": sweep.state.value,
        "record": msgspec.to_builtins(sweep),
    }


def _run_row(run: Run) -> dict[str, Any]:
    return {
        **{name: getattr(run, name) for name in _RUN_COLUMNS},
        "number": run.index,
        "state": run.state.value,
        "record": msgspec.to_builtins(run),
    }
