"""Sweeps, and the drafts of notebooks' forms."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, delete, exists, insert, select

from ..core.errors import ConflictError, NotFoundError
from ..core.lenient import decode, encode, is_supported, with_unknown_of, without_unknown
from ..core.messages import Message
from ..core.record import now
from ..core.states import SWEEP_MOVES, SWEEP_OVER, RunState, SweepState
from ..core.sweeps import Sweep, SweepRequest
from .base import (
    Repository,
    changed,
    check_move,
    is_below,
    is_deleted,
    next_revision,
    read_record,
    replace,
    update_by_id,
)
from .blobs import delete_unused, insert_blob
from .tables import LIVE_SWEEP, blobs, drafts, runs, sweeps

# made once: building a statement takes longer than executing it
_SWEEP = select(sweeps.c.record).where(sweeps.c.id == bindparam("key"))
_COLUMNS = ("id", "path", "archived", "deleted_at", "created_at", "pipeline_run", "service", "revision")
_PUT = update_by_id(sweeps, *_COLUMNS, "state", "record")


class SweepStore(Repository):
    """Sweeps and drafts."""

    def create(self, sweep: Sweep, notebook: bytes) -> Sweep:
        """Store a new sweep with its frozen notebook."""
        with self._write() as connection:
            stored = msgspec.structs.replace(sweep, revision=next_revision(connection))
            row = _sweep_row(stored) | {"notebook": b"", "notebook_sha256": insert_blob(connection, notebook)}
            connection.execute(insert(sweeps).values(row))
            return stored

    def get(self, sweep_id: str) -> Sweep:
        """One sweep.

        Raises:
            NotFoundError: there is none with this id.
        """
        with self._read() as connection:
            return read_sweep(connection, sweep_id)

    def notebook(self, sweep_id: str) -> bytes:
        """The bytes a sweep was started with."""
        with self._read() as connection:
            query = select(blobs.c.data).join(sweeps, sweeps.c.notebook_sha256 == blobs.c.sha256)
            data = connection.execute(query.where(sweeps.c.id == sweep_id)).scalar()
        if data is None:
            raise NotFoundError(Message("There is no sweep {sweep_id}.", sweep_id=sweep_id))
        return bytes(data)

    def find(
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
            since: only sweeps that changed after this revision.
            archived, deleted, live: only sweeps that are, or are not; None for both. Sweeps that only a newer version
                supports are not live.
            folder: only sweeps of notebooks below this absolute folder.
            steps: only sweeps of pipeline steps, or only others; None for both.
            service: only sweeps of this service, or of none.
            limit: maximum number.
        """
        query = select(sweeps.c.record).order_by(sweeps.c.created_at.desc(), sweeps.c.id)
        if since:
            query = query.where(sweeps.c.revision > since)
        if archived is not None:
            query = query.where(sweeps.c.archived == archived)
        if deleted is not None:
            query = query.where(is_deleted(sweeps, deleted))
        if folder is not None:
            query = query.where(is_below(sweeps, folder))
        if service is not None:
            query = query.where(sweeps.c.service.in_(["", service]))
        if steps is not None:
            query = query.where((sweeps.c.pipeline_run != "") if steps else (sweeps.c.pipeline_run == ""))
        if live is not None:
            query = query.where(LIVE_SWEEP if live else ~LIVE_SWEEP)
        found = self._records(query.limit(limit), Sweep)
        return [sweep for sweep in found if is_supported(sweep)] if live else found

    def change(
        self,
        sweep_id: str,
        *,
        expect: Collection[SweepState] | None = None,
        **fields: Any,
    ) -> Sweep:
        """Change fields of a sweep.

        Args:
            expect: states in which it must be.
            fields: of :class:`~jupyter_mlops.core.sweeps.Sweep`.

        Raises:
            ConflictError: it is in another state, or the transition is not allowed.
        """
        with self._write() as connection:
            sweep = read_sweep(connection, sweep_id)
            check_move("sweep", sweep, fields.get("state", sweep.state), expect, SWEEP_MOVES)
            return put_sweep(connection, changed(sweep, **fields))

    def request_stop(self, sweep_id: str) -> None:
        """Record the request to stop a sweep."""
        with self._write() as connection:
            sweep = read_sweep(connection, sweep_id)
            if sweep.state in SWEEP_OVER:
                raise ConflictError(Message("This sweep is over; there is nothing to stop."))
            put_sweep(connection, msgspec.structs.replace(sweep, stop_requested=True))

    def delete(self, sweep_id: str) -> None:
        """Mark a finished sweep as deleted; :meth:`restore` undoes it."""
        self.change(sweep_id, expect=SWEEP_OVER, deleted_at=now())

    def restore(self, sweep_id: str) -> None:
        """Undo :meth:`delete`."""
        self.change(sweep_id, deleted_at=None)

    def purge(self, sweep_id: str) -> None:
        """Permanently delete a sweep and its runs."""
        with self._write() as connection:
            next_revision(connection)
            names = connection.execute(select(sweeps.c.notebook_sha256).where(sweeps.c.id == sweep_id)).scalars().all()
            connection.execute(delete(sweeps).where(sweeps.c.id == sweep_id))
            delete_unused(connection, names)

    def purgeable(self, before: str, service: str = "") -> list[str]:
        """Ids of a service's sweeps deleted before an ISO time."""
        unknown = exists().where(runs.c.sweep_id == sweeps.c.id, runs.c.state.not_in(list(RunState)))
        query = select(sweeps.c.record).where(sweeps.c.deleted_at < before, sweeps.c.service.in_(["", service]))
        return [sweep.id for sweep in self._records(query.where(~unknown), Sweep) if is_supported(sweep)]

    def set_draft(self, path: str, request: SweepRequest) -> None:
        """Remember the form of a notebook by its absolute path."""
        with self._write() as connection:
            kept = connection.execute(select(drafts.c.record).where(drafts.c.path == path)).scalar()
            written = request if kept is None else with_unknown_of(request, decode(kept, SweepRequest))
            replace(connection, drafts, {"path": path}, {"record": encode(written)})

    def draft(self, path: str) -> SweepRequest | None:
        """The last form of a notebook, None if there is none."""
        found = self._records(select(drafts.c.record).where(drafts.c.path == path), SweepRequest)
        return without_unknown(found[0]) if found else None

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
        """Average duration of a run in the notebook's last sweep with succeeded runs, None if there is none."""
        recent = select(sweeps.c.record).where(sweeps.c.path == path).order_by(sweeps.c.created_at.desc()).limit(5)
        known = (sweep.run_seconds for sweep in self._records(recent, Sweep))
        return next((seconds for seconds in known if seconds is not None), None)


def read_sweep(connection: Connection, sweep_id: str) -> Sweep:
    """One sweep; raises :class:`NotFoundError` if there is none with this id."""
    return read_record(connection, _SWEEP, sweep_id, Sweep, f"There is no sweep {sweep_id}.")


def put_sweep(connection: Connection, sweep: Sweep, number: int | None = None) -> Sweep:
    """Write a sweep with the given revision, or else a new one."""
    stamped = msgspec.structs.replace(sweep, revision=number or next_revision(connection))
    connection.execute(_PUT, _sweep_row(stamped) | {"key": sweep.id})
    return stamped


def _sweep_row(sweep: Sweep) -> dict[str, Any]:
    return {
        **{name: getattr(sweep, name) for name in _COLUMNS},
        "state": sweep.state.value,
        "record": encode(sweep),
    }
