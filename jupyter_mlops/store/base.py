"""The database under the store: transactions, revisions, epochs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, Table, Update, bindparam, func, insert, select, update
from sqlalchemy.exc import DataError, DBAPIError, InternalError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionError

from ..core.errors import ConflictError, InvalidInputError, NotFoundError, UnavailableError
from ..core.lenient import check_supported, decode
from ..core.messages import Message
from ..core.record import Record
from ..core.states import Reason
from .engine import BeforeMigration, open_engine
from .postgresql import at_one_moment
from .tables import leases, revisions

R = TypeVar("R", bound=Record)
T = TypeVar("T")


class Epoch(Record, frozen=True, kw_only=True):
    """One tenure of a lease; every takeover starts a new one."""

    name: str
    number: int


class StaleEpochError(ConflictError):
    """The lease was taken over; the holder of this epoch must stop writing."""


class StoreFailedError(UnavailableError):
    """The store cannot be read or written now: disk full or read-only, or server gone."""


def update_by_id(table: Table, *columns: str) -> Update:
    """A statement that sets columns of the row whose id is ``key``; SQLAlchemy caches its compiled form."""
    return update(table).where(table.c.id == bindparam("key")).values({name: bindparam(name) for name in columns})


# building a statement takes longer than executing it
_REVISION = select(revisions.c.number)
_COUNT_UP = update(revisions).values(number=revisions.c.number + 1)
_EPOCH = select(leases.c.epoch).where(leases.c.name == bindparam("key"))
MAX_BATCH = 500  # rows that one statement names
# PostgreSQL has no lock on the whole database, so this row is the lock
_LOCK = select(revisions.c.number).with_for_update()


class Database:
    """The engine, and transactions on it.

    Args:
        url: SQLAlchemy address of a SQLite file or a PostgreSQL database; a missing file is created, and an older store
            migrated.
        before_migration: see :func:`~.engine.open_engine`.
    """

    def __init__(self, url: str, before_migration: BeforeMigration | None = None) -> None:
        self.engine = open_engine(url, before_migration)
        self.epoch: Epoch | None = None
        self._reader = at_one_moment(self.engine)
        self._one_writer = self.engine.dialect.name == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A read transaction; all its statements see the same snapshot."""
        with _store_errors(), self._reader.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self, alone: bool = True) -> Iterator[Connection]:
        """A write transaction. Writers wait for each other, so that revisions become visible in order.

        Args:
            alone: False skips the lock, for writes that take no revision and cannot conflict.
        """
        with _store_errors(), self.engine.connect() as connection:
            writing = connection.execution_options(writing=True)
            with writing.begin():
                if alone and not self._one_writer:
                    writing.execute(_LOCK)
                if self.epoch is not None:
                    _check_epoch(writing, self.epoch)
                yield writing

    def records(self, query: Select[Any], kind: type[R]) -> list[R]:
        """The records that a query finds."""
        with self.read() as connection:
            return [decode(record, kind) for record in connection.execute(query).scalars()]


class Repository:
    """Base of the store's repositories, one per noun."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._read = database.read
        self._write = database.write
        self._records = database.records


def read_record(connection: Connection, query: Select[Any], key: str, kind: type[R], missing: str) -> R:
    """The record that a query finds by its parameter ``key``.

    Raises:
        NotFoundError: with the message ``missing``.
    """
    record = connection.execute(query, {"key": key}).scalar()
    if record is None:
        raise NotFoundError(Message.verbatim(missing))
    return decode(record, kind)


def in_batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Slices small enough for one statement."""
    return (items[first : first + MAX_BATCH] for first in range(0, len(items), MAX_BATCH))


def replace(connection: Connection, table: Table, key: dict[str, Any], values: dict[str, Any]) -> None:
    """Update or insert the row of a key; the caller holds the store's write lock."""
    where = [table.c[name] == value for name, value in key.items()]
    if connection.execute(update(table).where(*where).values(**values)).rowcount == 0:
        connection.execute(insert(table).values(**key, **values))


def present_revision(connection: Connection) -> int:
    """Number of the last change."""
    return int(connection.execute(_REVISION).scalar_one())


def next_revision(connection: Connection) -> int:
    """A number for a new change."""
    connection.execute(_COUNT_UP)
    return present_revision(connection)


def changed(record: R, **fields: Any) -> R:
    """A record with other values of some fields; a new message has no reason unless one is given."""
    reason = {"reason": Reason.NONE} if "message" in fields else {}
    return msgspec.structs.replace(record, **reason | fields)


def check_move(
    what: str, record: Any, wanted: Any, expect: Collection[Any] | None, moves: dict[Any, frozenset[Any]]
) -> None:
    """Refuse a transition that ``core.states`` does not list.

    Raises:
        ConflictError: the record is in an unexpected or unknown state, or must not move to the wanted one.
    """
    state = record.state
    if expect is not None and state not in expect:
        raise ConflictError(Message("The {what} is {state} by now.", what=what, state=state))
    if wanted is not state:
        check_supported(what, record)
    if wanted is not state and wanted not in moves[state]:
        raise ConflictError(
            Message("A {what} that is {state} cannot become {wanted}.", what=what, state=state, wanted=wanted)
        )


def check_attempt(what: str, record: Any, expect: int | None) -> None:
    """Refuse a write that belongs to an earlier attempt; None accepts any.

    Raises:
        ConflictError: another attempt has started.
    """
    if expect is not None and record.attempt != expect:
        raise ConflictError(
            Message(
                "Attempt {expect_attempt} of this {what} was given up; attempt {attempt} counts.",
                expect_attempt=expect,
                what=what,
                attempt=record.attempt,
            )
        )


def is_deleted(table: Table, deleted: bool) -> ColumnElement[bool]:
    """Condition for rows that are deleted, or are not."""
    column = table.c.deleted_at
    return column.is_not(None) if deleted else column.is_(None)


def is_below(table: Table, folder: str) -> ColumnElement[bool]:
    """Condition for rows whose path lies below an absolute folder."""
    prefix = folder.rstrip("/") + "/"
    # LIKE would match /srv/Ada for /srv/ada
    return func.substr(table.c.path, 1, len(prefix)) == prefix


@contextmanager
def _store_errors() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InternalError, NoConnectionError) as error:
        raise _unavailable(error) from error
    except (DataError, UnicodeEncodeError) as error:
        raise InvalidInputError(
            Message(
                "A name or path holds characters that the store cannot keep (NUL, or bytes that are no "
                "UTF-8); rename it."
            )
        ) from error
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        raise _unavailable(error) from error


def _unavailable(error: SQLAlchemyError) -> StoreFailedError:
    said = " ".join(str(getattr(error, "orig", error)).split())
    return StoreFailedError(
        Message(
            "The store cannot be read or written ({said}); free disk space, make its folder "
            "writable again, or start its database server.",
            said=said,
        )
    )


def _check_epoch(connection: Connection, epoch: Epoch) -> None:
    held = connection.execute(_EPOCH, {"key": epoch.name}).scalar()
    if held != epoch.number:
        raise StaleEpochError(Message("The lease “{name}” was taken over.", name=epoch.name))
