"""Leases with heartbeats, and values by name."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, select, text, update

from .base import Epoch, Repository, replace
from .tables import infos, leases, unclosed

_ADD_UNCLOSED = text("INSERT INTO unclosed (service, name) VALUES (:service, :name) ON CONFLICT DO NOTHING")


class LeaseStore(Repository):
    """Leases: each has one holder at a time."""

    def acquire(self, name: str, owner: str) -> Epoch:
        """Take over a lease; writes under earlier epochs are refused from now on."""
        with self._write() as connection:
            held = connection.execute(select(leases.c.epoch).where(leases.c.name == name)).scalar() or 0
            values = {"epoch": held + 1, "owner": owner, "beat": 0}
            replace(connection, leases, {"name": name}, values)
            return Epoch(name=name, number=held + 1)

    def beat(self) -> None:
        """Send the heartbeat of this store's lease.

        Raises:
            StaleEpochError: another process holds the lease.
        """
        assert self._database.epoch is not None
        with self._write() as connection:
            name = leases.c.name == self._database.epoch.name
            connection.execute(update(leases).where(name).values(beat=leases.c.beat + 1))

    def beats(self) -> dict[str, tuple[int, int]]:
        """Epoch and heartbeat of each lease; a heartbeat that stops means the holder is gone."""
        with self._read() as connection:
            rows = connection.execute(select(leases.c.name, leases.c.epoch, leases.c.beat))
            return {name: (epoch, beat) for name, epoch, beat in rows}


class InfoStore(Repository):
    """Values by name, and MLflow runs still to be closed."""

    def put(self, key: str, value: Any) -> None:
        """Store a JSON value by name, without a revision."""
        with self._write() as connection:
            replace(connection, infos, {"key": key}, {"value": value})

    def get(self, key: str) -> Any:
        """A JSON value by name, None where there is none."""
        with self._read() as connection:
            return read_info(connection, key)

    def add_unclosed(self, service: str, name: str) -> None:
        """Add a run to be closed in a service's MLflow."""
        with self._write() as connection:
            connection.execute(_ADD_UNCLOSED, {"service": service, "name": name})

    def unclosed(self, service: str) -> list[str]:
        """Runs to be closed in a service's MLflow."""
        with self._read() as connection:
            query = select(unclosed.c.name).where(unclosed.c.service == service).order_by(unclosed.c.name)
            return list(connection.execute(query).scalars())

    def remove_unclosed(self, service: str, name: str) -> None:
        """Remove a run that was closed."""
        # usually there is none, and reading blocks no writer
        if name not in self.unclosed(service):
            return
        with self._write() as connection:
            connection.execute(delete(unclosed).where(unclosed.c.service == service, unclosed.c.name == name))


def read_info(connection: Connection, key: str) -> Any:
    """A JSON value by name, None where there is none."""
    return connection.execute(select(infos.c.value).where(infos.c.key == key)).scalar()
