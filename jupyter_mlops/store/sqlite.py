"""The store in a SQLite file."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event

from ..private import private

_BUSY_SECONDS = 30


class Sqlite:
    """A file; write transactions take the write lock when they begin.

    Args:
        url: with the file's absolute path.
    """

    remedy = "repair or move it"
    alternative = "set MlopsSettings.data_dir to another folder"

    def __init__(self, url: URL) -> None:
        self._url = url
        self.name = url.database or ""

    def create(self) -> Engine:
        """An engine on the file, which is created if missing."""
        with contextlib.suppress(OSError):
            # SQLite would create it world-readable. An existing file is never opened here: closing it drops locks of
            # this process's other connections, and another process then removes the log that they read
            os.close(private(self.name, os.O_RDWR | os.O_CREAT | os.O_EXCL))
        engine = create_engine(self._url, connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False})
        event.listen(engine, "connect", _configure)
        event.listen(engine, "begin", _begin)
        return engine

    @contextmanager
    def exclusive(self, engine: Engine) -> Iterator[Connection]:
        """A transaction that excludes all others of this kind."""
        with open(f"{self.name}.migrate.lock", "w", encoding="utf-8", opener=private) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            with engine.connect().execution_options(writing=True) as connection, connection.begin():
                yield connection


def _configure(connection: Any, record: object) -> None:
    # the driver begins only at the first write, where two readers that turn writers would deadlock
    connection.isolation_level = None
    for pragma in (f"busy_timeout={_BUSY_SECONDS * 1000}", "synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    deadline = time.monotonic() + _BUSY_SECONDS
    # for this statement SQLite does not wait: it fails at once while another connection opens the file
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _begin(connection: Any) -> None:
    writing = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
