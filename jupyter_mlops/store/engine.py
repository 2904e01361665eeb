"""Opening the SQLite file, and bringing it to the newest migration."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, inspect, text
from sqlalchemy.exc import DatabaseError

from ..core.errors import UnavailableError

HEAD = "0002"
_MIGRATIONS = Path(__file__).parent / "migrations"


def open_engine(url: str) -> Engine:
    """An engine whose transactions take the write lock at their start, on a migrated file.

    Raises:
        UnavailableError: the file was written by a newer version, or is not one of ours, or not accessible.
    """
    engine = create_engine(url, connect_args={"timeout": 30, "check_same_thread": False})
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    try:
        _migrate(engine, url)
    except (DatabaseError, OSError) as error:
        engine.dispose()
        raise UnavailableError(
            f"The store {_path(url)} cannot be opened ({getattr(error, 'orig', error)}); mend or move it, or set "
            "MlopsSettings.data_dir to another folder."
        ) from error
    except BaseException:
        engine.dispose()
        raise
    return engine


def _configure(connection: Any, record: object) -> None:
    # the driver's own BEGIN comes only with the first write: two readers that go on to write would deadlock
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=30000", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Any) -> None:
    writing = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _migrate(engine: Engine, url: str) -> None:
    if _version(engine) == HEAD:
        return
    # opened by a Jupyter server and the service at once: one migrates, the other waits for it
    lock = Path(f"{_path(url)}.migrate.lock")
    with lock.open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if _version(engine) != HEAD:
            _upgrade(engine)


def _path(url: str) -> str:
    return url.removeprefix("sqlite:///")


def _version(engine: Engine) -> str | None:
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        version: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return version


def _upgrade(engine: Engine) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    with engine.connect().execution_options(writing=True) as connection, connection.begin():
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise UnavailableError(
                "The store was written by a newer version of jupyter-mlops; install that version, or set "
                f"MlopsSettings.data_dir to another folder. ({error})"
            ) from error
