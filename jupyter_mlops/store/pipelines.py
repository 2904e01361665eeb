"""Pipelines and their versions."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, func, insert, select

from ..core.errors import ConflictError, NotFoundError
from ..core.lenient import decode
from ..core.messages import Message
from ..core.pipelines.records import Pipeline, Trigger, Version
from .base import Repository, in_batches, is_below, is_deleted, next_revision
from .blobs import delete_unused
from .pipeline_rows import (
    PUT_TRIGGER,
    add_version,
    blobs_of,
    follow_triggers,
    health_key,
    pipeline_row,
    put_pipeline,
    read_pipeline,
    stamped,
    state_key,
    trigger_row,
)
from .tables import blobs, infos, pipelines, triggers, version_blobs, versions


class PipelineStore(Repository):
    """Pipelines and their versions."""

    def create(self, pipeline: Pipeline, version: Version) -> Pipeline:
        """Store a new pipeline with its first version."""
        with self._write() as connection:
            _check_kept(connection, version)
            stored = msgspec.structs.replace(pipeline, version=1, versions=1, revision=next_revision(connection))
            connection.execute(insert(pipelines).values(id=stored.id, **pipeline_row(stored)))
            add_version(connection, msgspec.structs.replace(version, pipeline_id=stored.id, number=1))
            return stored

    def add_version(self, pipeline_id: str, version: Version, **fields: Any) -> tuple[Pipeline, Version]:
        """Store a pipeline's next version and make it the active one.

        Args:
            fields: other fields of the pipeline to change.
        """
        with self._write() as connection:
            pipeline = read_pipeline(connection, pipeline_id)
            _check_kept(connection, version)
            numbered = msgspec.structs.replace(version, pipeline_id=pipeline_id, number=pipeline.versions + 1)
            add_version(connection, numbered)
            fields |= {"version": numbered.number, "versions": numbered.number}
            return put_pipeline(connection, msgspec.structs.replace(pipeline, **fields)), numbered

    def get(self, pipeline_id: str) -> Pipeline:
        """One pipeline.

        Raises:
            NotFoundError: there is none with this id.
        """
        with self._read() as connection:
            return read_pipeline(connection, pipeline_id)

    def find(
        self,
        *,
        since: int = 0,
        deleted: bool | None = False,
        folder: str | None = None,
        path: str | None = None,
    ) -> list[Pipeline]:
        """Pipelines by creation time.

        Args:
            since: only pipelines that changed, or whose runs changed, after this revision.
            deleted: only pipelines that are deleted, or are not; None for both.
            folder: only pipelines of files below this absolute folder; path: only those of this file.
        """
        query = (
            select(pipelines.c.record, pipelines.c.revision)
            .where(pipelines.c.revision > since)
            .order_by(pipelines.c.created_at, pipelines.c.id)
        )
        if deleted is not None:
            query = query.where(is_deleted(pipelines, deleted))
        if folder is not None:
            query = query.where(is_below(pipelines, folder))
        if path is not None:
            query = query.where(pipelines.c.path == path)
        with self._read() as connection:
            return [stamped(row, Pipeline) for row in connection.execute(query)]

    def change(self, pipeline_id: str, **fields: Any) -> Pipeline:
        """Change fields of a pipeline (:class:`~jupyter_mlops.core.pipelines.records.Pipeline`).

        Triggers of paused or deleted pipelines are never due. To skip the times that passed, set the triggers'
        ``next_at`` before resuming.
        """
        with self._write() as connection:
            number = next_revision(connection)
            changed = msgspec.structs.replace(read_pipeline(connection, pipeline_id), **fields)
            if not fields.keys() & {"paused", "deleted_at"}:
                return put_pipeline(connection, changed, number)
            put_pipeline(connection, changed, number)
            query = select(triggers.c.record).where(triggers.c.pipeline_id == pipeline_id)
            for record in connection.execute(query).scalars().all():
                trigger = decode(record, Trigger)
                connection.execute(PUT_TRIGGER, trigger_row(trigger, changed) | {"key": trigger.id})
            return follow_triggers(connection, changed, number)

    def purgeable(self, before: str) -> list[str]:
        """Ids of the pipelines deleted before an ISO time."""
        with self._read() as connection:
            return list(connection.execute(select(pipelines.c.id).where(pipelines.c.deleted_at < before)).scalars())

    def purge(self, pipeline_ids: Collection[str]) -> None:
        """Permanently delete pipelines with their versions, triggers, runs and frozen files."""
        with self._write() as connection:
            next_revision(connection)
            query = select(triggers.c.id).where(triggers.c.pipeline_id.in_(pipeline_ids))
            keys = [state_key(trigger_id) for trigger_id in connection.execute(query).scalars()]
            keys += [health_key(pipeline_id) for pipeline_id in pipeline_ids]
            connection.execute(delete(infos).where(infos.c.key.in_(keys)))
            frozen = select(version_blobs.c.sha256).where(version_blobs.c.pipeline_id.in_(pipeline_ids)).distinct()
            names = connection.execute(frozen).scalars().all()
            connection.execute(delete(pipelines).where(pipelines.c.id.in_(pipeline_ids)))
            delete_unused(connection, names)

    def version(self, pipeline_id: str, number: int) -> Version:
        """One version of a pipeline.

        Raises:
            NotFoundError: there is none with this number.
        """
        query = select(versions.c.record).where(versions.c.pipeline_id == pipeline_id, versions.c.number == number)
        found = self._records(query, Version)
        if not found:
            raise NotFoundError(Message("This pipeline has no version {number}.", number=number))
        return found[0]

    def versions(self, pipeline_id: str) -> list[Version]:
        """All versions of a pipeline, newest first."""
        query = select(versions.c.record).where(versions.c.pipeline_id == pipeline_id)
        return self._records(query.order_by(versions.c.number.desc()), Version)


def _check_kept(connection: Connection, version: Version) -> None:
    """Refuse a version whose files were purged with another pipeline after they had been stored."""
    for some in in_batches(sorted(blobs_of(version))):
        query = select(func.count()).select_from(blobs).where(blobs.c.sha256.in_(some))
        if connection.execute(query).scalar() != len(some):
            raise ConflictError(Message("Files of this version were removed while it was made; promote it once more."))
