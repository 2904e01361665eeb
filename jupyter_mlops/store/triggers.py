"""Triggers and their fires."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

import msgspec
from sqlalchemy import delete, func, insert, select

from ..core.pipelines.records import Fire, PipelineRun, Trigger, TriggerKind
from .base import Repository, in_batches, next_revision
from .firing import Firing, fire_all
from .leases import read_info
from .pipeline_rows import follow_triggers, put_trigger, read_pipeline, read_trigger, state_key, trigger_row
from .tables import fires, infos, triggers

# only newer versions can fire other kinds
_KNOWN = triggers.c.kind.in_(get_args(TriggerKind))


class TriggerStore(Repository):
    """Triggers and their fires."""

    def create(self, trigger: Trigger) -> Trigger:
        """Store a new trigger."""
        with self._write() as connection:
            number = next_revision(connection)
            stored = msgspec.structs.replace(trigger, revision=number)
            pipeline = read_pipeline(connection, stored.pipeline_id)
            row = trigger_row(stored, pipeline)
            connection.execute(insert(triggers).values(id=stored.id, pipeline_id=pipeline.id, **row))
            follow_triggers(connection, pipeline, number)
            return stored

    def get(self, trigger_id: str) -> Trigger:
        """One trigger.

        Raises:
            NotFoundError: there is none with this id.
        """
        with self._read() as connection:
            return read_trigger(connection, trigger_id)

    def find(
        self,
        pipeline_id: str | None = None,
        *,
        due: str | None = None,
        kind: TriggerKind | None = None,
        limit: int | None = None,
    ) -> list[Trigger]:
        """Triggers, ordered by their next fire.

        Args:
            pipeline_id: only triggers of this pipeline.
            due: only triggers that fire at this ISO time or earlier.
            kind: only triggers of this kind.
            limit: maximum number.
        """
        query = select(triggers.c.record).order_by(triggers.c.next_at.nulls_last(), triggers.c.id).limit(limit)
        if pipeline_id is not None:
            query = query.where(triggers.c.pipeline_id == pipeline_id)
        if due is not None:
            query = query.where(triggers.c.next_at <= due, _KNOWN)
        if kind is not None:
            query = query.where(triggers.c.kind == kind)
        return self._records(query, Trigger)

    def next_due(self) -> str | None:
        """When the next trigger is due, None if none is."""
        with self._read() as connection:
            return connection.execute(select(func.min(triggers.c.next_at)).where(_KNOWN)).scalar()

    def change(self, trigger_id: str, **fields: Any) -> Trigger:
        """Change fields of a trigger (:class:`~jupyter_mlops.core.pipelines.records.Trigger`)."""
        with self._write() as connection:
            number = next_revision(connection)
            trigger = msgspec.structs.replace(read_trigger(connection, trigger_id), **fields)
            return put_trigger(connection, trigger, number)

    def delete(self, trigger_id: str) -> None:
        """Delete a trigger; its runs stay."""
        with self._write() as connection:
            trigger = read_trigger(connection, trigger_id)
            connection.execute(delete(triggers).where(triggers.c.id == trigger_id))
            connection.execute(delete(infos).where(infos.c.key == state_key(trigger_id)))
            follow_triggers(connection, read_pipeline(connection, trigger.pipeline_id), next_revision(connection))

    def fire(self, firings: Sequence[Firing], fired_at: str, service: str) -> list[PipelineRun]:
        """Fire triggers in one transaction, except those that another service has fired meanwhile.

        ``fires`` has one row per trigger and scheduled time, so each time fires once, however many services there are.
        Paused pipelines are fired by users only, deleted ones never.

        Returns:
            the new runs.
        """
        made: list[PipelineRun] = []
        with self._write() as connection:
            number = next_revision(connection)
            for some in in_batches(firings):
                made += fire_all(connection, some, fired_at, service, number)
        return made

    def state(self, trigger_id: str) -> Any:
        """What a trigger remembers between polls, None before the first."""
        with self._read() as connection:
            return read_info(connection, state_key(trigger_id))

    def purge_fires(self, before: str) -> None:
        """Remove the fires whose scheduled time lies before an ISO time."""
        # naming the triggers lets the primary key serve the query
        where = (fires.c.trigger_id.in_(select(triggers.c.id)), fires.c.scheduled_at < before)
        with self._write() as connection:
            connection.execute(delete(fires).where(*where))

    def fired(self, trigger_id: str, since: str = "", limit: int | None = None) -> list[Fire]:
        """Fires of a trigger whose scheduled time is not before an ISO time, newest first."""
        query = (
            select(fires.c.record)
            .where(fires.c.trigger_id == trigger_id, fires.c.scheduled_at >= since)
            .order_by(fires.c.scheduled_at.desc())
            .limit(limit)
        )
        return self._records(query, Fire)
