"""Opening the store's database, and bringing it to the newest migration."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from sqlalchemy import URL, Connection, Engine, delete, insert, inspect, make_url, select, text
from sqlalchemy.exc import ArgumentError, DatabaseError

from ..core.errors import UnavailableError
from ..core.messages import Message
from .postgresql import Postgresql
from .sqlite import Sqlite
from .tables import infos

HEAD = "0003"
# whose code can read and change a store of HEAD; a migration that only adds what has a default leaves it as it is
OLDEST_READER = "0003"
_OLDEST_READER = infos.c.key == "oldest reader"
_MIGRATIONS = Path(__file__).parent / "migrations"


class BackEnd(Protocol):
    """A kind of database.

    Attributes:
        name: of this one, for a person; without a password.
        mend: what a person can do where it does not open; elsewhere: how to use another one.
    """

    name: str
    mend: str
    elsewhere: str

    def make(self) -> Engine:
        """An engine on the database, whatever is in it."""
        ...

    def alone(self, engine: Engine) -> AbstractContextManager[Connection]:
        """A transaction that waits until nobody else is in one of these."""
        ...


def open_engine(address: str) -> Engine:
    """An engine on a migrated database.

    Raises:
        UnavailableError: it was written by a newer version, is not one of ours, or not accessible.
    """
    url = _parsed(address)
    back_end: BackEnd = Sqlite(url) if url.get_backend_name() == "sqlite" else Postgresql(url)
    engine = back_end.make()
    try:
        _migrate(engine, back_end)
    except (DatabaseError, OSError) as error:
        engine.dispose()
        raise UnavailableError(
            Message(
                "The store {name} cannot be opened ({said}); {mend}, or {elsewhere}.",
                name=back_end.name,
                said=_said(error, url),
                mend=back_end.mend,
                elsewhere=back_end.elsewhere,
            )
        ) from error
    except BaseException:
        engine.dispose()
        raise
    return engine


def _parsed(address: str) -> URL:
    try:
        url = make_url(address)
        # what follows an @ within the password is taken for the host's name
        if url.get_backend_name() in ("sqlite", "postgresql", "postgres") and "@" not in (url.host or ""):
            return url
    except (ArgumentError, ValueError):
        # what it says may hold parts of the password
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


def _migrate(engine: Engine, back_end: BackEnd) -> None:
    with engine.connect() as connection:
        if _is_current(connection, back_end):
            return
    # opened by a Jupyter server and the service at once: one migrates, the other waits for it
    with back_end.alone(engine) as connection:
        if not _is_current(connection, back_end):
            _upgrade(connection)


def _is_current(connection: Connection, back_end: BackEnd) -> bool:
    """Whether a store can be used as it stands.

    Raises:
        UnavailableError: it was migrated further, to what this version cannot read.
    """
    version = _version(connection)
    if version is None or version <= HEAD:
        return version == HEAD
    oldest = connection.execute(select(infos.c.value).where(_OLDEST_READER)).scalar()
    if oldest is None or oldest > HEAD:
        raise UnavailableError(
            Message(
                "The store was written by a newer version of jupyter-mlops; install that version, or "
                "{elsewhere}. (It is at {version}, this version at {head})",
                elsewhere=back_end.elsewhere,
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
