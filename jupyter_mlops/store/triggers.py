"""What fires pipelines, and what was fired."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

import msgspec
from sqlalchemy import delete, func, insert, select

from ..core.pipelines.records import Fire, PipelineRun, Trigger, TriggerKind
from .base import Part, in_batches, next_revision
from .firing import Firing, fire_all
from .leases import read_info
from .pipeline_rows import follow_triggers, put_trigger, read_pipeline, read_trigger, state_key, trigger_row
from .tables import fires, infos, triggers

# what a newer version alone can fire is not due here
_KNOWN = triggers.c.kind.in_(get_args(TriggerKind))


class TriggerStore(Part):
    """All of the store that is about triggers."""

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
            NotFoundError: there is none of this id.
        """
        with self._read() as connection:
            return read_trigger(connection, trigger_id)

    def find(
        self,
        pipeline_id: str | None = None,
        *,
        due: str | None = None,
        limit: int | None = None,
    ) -> list[Trigger]:
        """Triggers, those first that fire first.

        Args:
            pipeline_id: only those of this pipeline.
            due: only those that fire at this ISO time or earlier.
            limit: at most so many.
        """
        query = select(triggers.c.record).order_by(triggers.c.next_at.nulls_last(), triggers.c.id).limit(limit)
        if pipeline_id is not None:
            query = query.where(triggers.c.pipeline_id == pipeline_id)
        if due is not None:
            query = query.where(triggers.c.next_at <= due, _KNOWN)
        return self._records(query, Trigger)

    def next_due(self) -> str | None:
        """When the next trigger fires or looks, None where none does."""
        with self._read() as connection:
            return connection.execute(select(func.min(triggers.c.next_at)).where(_KNOWN)).scalar()

    def change(self, trigger_id: str, **fields: Any) -> Trigger:
        """Change fields of a trigger, by the names of :class:`~jupyter_mlops.core.pipelines.records.Trigger`."""
        with self._write() as connection:
            number = next_revision(connection)
            trigger = msgspec.structs.replace(read_trigger(connection, trigger_id), **fields)
            return put_trigger(connection, trigger, number)

    def delete(self, trigger_id: str) -> None:
        """Remove a trigger; what it fired stays."""
        with self._write() as connection:
            trigger = read_trigger(connection, trigger_id)
            connection.execute(delete(triggers).where(triggers.c.id == trigger_id))
            connection.execute(delete(infos).where(infos.c.key == state_key(trigger_id)))
            follow_triggers(connection, read_pipeline(connection, trigger.pipeline_id), next_revision(connection))

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
            for some in in_batches(firings):
                made += fire_all(connection, some, fired_at, service, number)
        return made

    def state(self, trigger_id: str) -> Any:
        """What a trigger remembers from one look to the next, None before the first."""
        with self._read() as connection:
            return read_info(connection, state_key(trigger_id))

    def purge_fires(self, before: str) -> None:
        """Remove the fires whose scheduled time lies before an ISO time."""
        # by trigger, so that it is found by the key
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
