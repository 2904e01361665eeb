"""The store in a SQLite file."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event

from ..private import private


class Sqlite:
    """A file; its transactions that write take the write lock at their start.

    Args:
        url: with the file's absolute path.
    """

    mend = "mend or move it"
    elsewhere = "set MlopsSettings.data_dir to another folder"

    def __init__(self, url: URL) -> None:
        self._url = url
        self.name = url.database or ""

    def make(self) -> Engine:
        """An engine on the file, which is made where it is missing."""
        with contextlib.suppress(OSError):
            # SQLite would let everybody read it; why it cannot be made is said where it is opened
            os.close(private(self.name, os.O_RDWR | os.O_CREAT))
        engine = create_engine(self._url, connect_args={"timeout": 30, "check_same_thread": False})
        event.listen(engine, "connect", _configure)
        event.listen(engine, "begin", _begin)
        return engine

    @contextmanager
    def alone(self, engine: Engine) -> Iterator[Connection]:
        """A transaction that waits until nobody else is in one of these."""
        with open(f"{self.name}.migrate.lock", "w", encoding="utf-8", opener=private) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            with engine.connect().execution_options(writing=True) as connection, connection.begin():
                yield connection


def _configure(connection: Any, record: object) -> None:
    # the driver's own BEGIN comes only with the first write: two readers that go on to write would deadlock
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=30000", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Any) -> None:
    writing = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
