"""Opening and migrating the store's database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import URL, Connection, Engine, delete, insert, inspect, make_url, select, text
from sqlalchemy.exc import ArgumentError, DatabaseError

from ..core.errors import UnavailableError
from ..core.messages import Message
from .postgresql import Postgresql
from .sqlite import Sqlite
from .tables import infos

HEAD = "0005"
# the oldest version that can use a store at HEAD; migrations that only add columns with defaults do not raise it
OLDEST_READER = "0003"
_OLDEST_READER = infos.c.key == "oldest reader"
_MIGRATIONS = Path(__file__).parent / "migrations"

BeforeMigration = Callable[[Mapping[str, Any]], None]


class BackEnd(Protocol):
    """A kind of database.

    Attributes:
        name: shown to users, without a password.
        remedy: what to do if it does not open; alternative: how to use another database.
    """

    name: str
    remedy: str
    alternative: str

    def create(self) -> Engine:
        """An engine on the database, not yet migrated."""
        ...

    def exclusive(self, engine: Engine) -> AbstractContextManager[Connection]:
        """A transaction that excludes all others of this kind."""
        ...


def open_engine(address: str, before_migration: BeforeMigration | None = None) -> Engine:
    """An engine on a migrated database.

    Args:
        before_migration: called with all entries of the table ``infos`` by key, before an older store is migrated.

    Raises:
        UnavailableError: it is inaccessible, not a store of this package, or written by a newer version.
    """
    url = _parsed(address)
    back_end: BackEnd = Sqlite(url) if url.get_backend_name() == "sqlite" else Postgresql(url)
    engine = back_end.create()
    try:
        _migrate(engine, back_end, before_migration)
    except (DatabaseError, OSError) as error:
        engine.dispose()
        raise UnavailableError(
            Message(
                "The store {name} cannot be opened ({said}); {remedy}, or {alternative}.",
                name=back_end.name,
                said=_said(error, url),
                remedy=back_end.remedy,
                alternative=back_end.alternative,
            )
        ) from error
    except BaseException:
        engine.dispose()
        raise
    return engine


def _parsed(address: str) -> URL:
    try:
        url = make_url(address)
        # an unescaped @ in the password puts part of it into the host
        if url.get_backend_name() in ("sqlite", "postgresql", "postgres") and "@" not in (url.host or ""):
            return url
    except (ArgumentError, ValueError):
        # the error may quote parts of the password
        pass
    raise UnavailableError(
        Message(
            "MlopsSettings.store is no address such as "
            "postgresql://user:password@host:5432/database; in a password, characters such as @, : "
            "and / are written %40, %3A and %2F."
        )
    )


def _said(error: Exception, url: URL) -> str:
    said = " ".join(str(getattr(error, "orig", error)).split())
    for secret in (url.password, url.query.get("password")):
        said = said.replace(str(secret), "…") if secret else said
    return said


def _migrate(engine: Engine, back_end: BackEnd, before_migration: BeforeMigration | None) -> None:
    with engine.connect() as connection:
        if _is_current(connection, back_end):
            return
        is_older = _version(connection) is not None
        said = dict(connection.execute(select(infos.c.key, infos.c.value)).tuples().all()) if is_older else {}
    if is_older and before_migration is not None:
        before_migration(said)
    # Jupyter server and service may open it at once: one migrates, the other waits
    with back_end.exclusive(engine) as connection:
        if not _is_current(connection, back_end):
            _upgrade(connection)


def _is_current(connection: Connection, back_end: BackEnd) -> bool:
    """Whether the store needs no migration.

    Raises:
        UnavailableError: a newer version migrated it beyond what this one can read.
    """
    version = _version(connection)
    if version is None or version <= HEAD:
        return version == HEAD
    oldest = connection.execute(select(infos.c.value).where(_OLDEST_READER)).scalar()
    if oldest is None or oldest > HEAD:
        raise UnavailableError(
            Message(
                "The store was written by a newer version of jupyter-mlops; install that version, or "
                "{alternative}. (It is at {version}, this version at {head})",
                alternative=back_end.alternative,
                version=version,
                head=HEAD,
            )
        )
    return True


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return version


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    connection.execute(delete(infos).where(_OLDEST_READER))
    connection.execute(insert(infos).values(key="oldest reader", value=OLDEST_READER))
