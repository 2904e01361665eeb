"""Bytes by their hash."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from sqlalchemy import Connection, delete, exists, func, select, text

from ..core.errors import InvalidInputError, NotFoundError
from ..core.messages import Message
from .base import Repository, in_batches
from .tables import blobs, sweeps, version_blobs

_KEEP = text("INSERT INTO blobs (sha256, data) VALUES (:sha256, :data) ON CONFLICT DO NOTHING")
# half the limit of PostgreSQL's bytea
MAX_BLOB_BYTES = 400_000_000


class BlobStore(Repository):
    """Notebooks of sweeps, and frozen files, package lists and differences of versions."""

    def put(self, data: bytes) -> str:
        """Store bytes once per content.

        Returns:
            their sha256, the key for :meth:`get`.

        Raises:
            InvalidInputError: they are too large.
        """
        if len(data) > MAX_BLOB_BYTES:
            size, most = len(data) // 1_000_000, MAX_BLOB_BYTES // 1_000_000
            raise InvalidInputError(
                Message(
                    "A file of {size} MB is too large for the store, which takes {most} MB at most.",
                    size=size,
                    most=most,
                )
            )
        name = hashlib.sha256(data).hexdigest()
        with self._read() as connection:
            known = connection.execute(select(func.count()).select_from(blobs).where(blobs.c.sha256 == name)).scalar()
        if not known:
            with self._write(alone=False) as connection:
                insert_blob(connection, data)
        return name

    def get(self, name: str) -> bytes:
        """Bytes by their sha256.

        Raises:
            NotFoundError: they are not stored.
        """
        with self._read() as connection:
            data = connection.execute(select(blobs.c.data).where(blobs.c.sha256 == name)).scalar()
        if data is None:
            raise NotFoundError(Message("The store has no file with the hash {name}….", name=name[:12]))
        return bytes(data)


def insert_blob(connection: Connection, data: bytes) -> str:
    """Store bytes if they are missing; returns their sha256."""
    name = hashlib.sha256(data).hexdigest()
    connection.execute(_KEEP, {"sha256": name, "data": data})
    return name


def delete_unused(connection: Connection, names: Sequence[str]) -> None:
    """Delete the given blobs that neither a version nor a sweep refers to."""
    named = (version_blobs.c.sha256, sweeps.c.notebook_sha256)
    unused = [~exists().where(column == blobs.c.sha256) for column in named]
    for some in in_batches(names):
        connection.execute(delete(blobs).where(blobs.c.sha256.in_(some), *unused))
