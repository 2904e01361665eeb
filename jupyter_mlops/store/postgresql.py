"""The store in a PostgreSQL database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, text

from ..core.errors import UnavailableError
from ..core.messages import Message

_DRIVER = "postgresql+psycopg"
# advisory lock of this package; such locks are per database
_MIGRATING = 6_650_728_417
_CONNECT = {
    "connect_timeout": 10,
    "fallback_application_name": "jupyter-mlops",
    # detect a server whose machine is gone
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
# the last one keeps a suspended process from holding the write lock
_TIMEOUTS = "SET statement_timeout = '2min'; SET lock_timeout = '30s'; SET idle_in_transaction_session_timeout = '20s'"


class Postgresql:
    """A database on a server.

    Args:
        url: as configured; always opened with psycopg 3.
    """

    remedy = "check that its server runs, that the database exists, and that user and password are right"
    alternative = "set MlopsSettings.store to another database"

    def __init__(self, url: URL) -> None:
        self._url = url.set(drivername=_DRIVER)
        # without the query, which may hold a password too
        self.name = URL.create("postgresql", url.username, None, url.host, url.port, url.database).render_as_string()

    def create(self) -> Engine:
        """An engine at isolation level READ COMMITTED.

        Raises:
            UnavailableError: the driver is missing.
        """
        try:
            engine = create_engine(
                self._url,
                connect_args={name: value for name, value in _CONNECT.items() if name not in self._url.query},
                isolation_level="READ COMMITTED",
                max_overflow=15,
                pool_pre_ping=True,
            )
        except ImportError as error:
            raise UnavailableError(
                Message(
                    "The store {name} needs psycopg, which cannot be imported here ({error}); install it "
                    "with pip install 'jupyter-mlops[postgresql]'.",
                    name=self.name,
                    error=error,
                )
            ) from error
        event.listen(engine, "connect", _configure)
        return engine

    @contextmanager
    def exclusive(self, engine: Engine) -> Iterator[Connection]:
        """A transaction that excludes all others of this kind."""
        with engine.begin() as connection:
            for setting in ("statement_timeout = 0", "lock_timeout = '10min'"):
                connection.execute(text(f"SET LOCAL {setting}"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATING})
            encoding = connection.execute(text("SHOW server_encoding")).scalar()
            if encoding != "UTF8":
                raise UnavailableError(
                    Message(
                        "The store {name} cannot keep every character (its encoding is {encoding}); create the "
                        "database with ENCODING 'UTF8'.",
                        name=self.name,
                        encoding=encoding,
                    )
                )
            yield connection


def at_one_moment(engine: Engine) -> Engine:
    """The same engine for read-only transactions on one snapshot."""
    if engine.dialect.name != "postgresql":
        return engine
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def _configure(connection: Any, record: object) -> None:
    # not as startup options, which connection poolers reject
    connection.autocommit = True
    connection.execute(_TIMEOUTS)
    connection.autocommit = False
