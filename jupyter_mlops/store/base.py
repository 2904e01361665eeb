"""The database below all parts of the store: transactions, revisions, epochs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection, Select, Table, Update, bindparam, insert, select, update
from sqlalchemy.exc import DataError, DBAPIError, InternalError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionError

from ..core.errors import ConflictError, InvalidInputError, NotFoundError, UnavailableError
from ..core.lenient import check_supported, decode
from ..core.messages import Message
from ..core.record import Record
from .engine import open_engine
from .postgresql import at_one_moment
from .tables import leases, revisions

R = TypeVar("R", bound=Record)
T = TypeVar("T")


class Epoch(Record, frozen=True, kw_only=True):
    """Under which holding of a lease a write is made."""

    name: str
    number: int


class StaleEpochError(ConflictError):
    """The lease was taken over since; whoever holds this epoch must stop writing."""


class StoreFailedError(UnavailableError):
    """The store cannot be read or written now: the disk is full, was made read-only, or the server is gone."""


def putting(table: Table, *columns: str) -> Update:
    """A statement that sets columns of the row whose id is ``key``."""
    # columns by name, so that the compiled statement is found again
    return update(table).where(table.c.id == bindparam("key")).values({name: bindparam(name) for name in columns})


# made once: building a statement takes longer than executing it
_REVISION = select(revisions.c.number)
_COUNT_UP = update(revisions).values(number=revisions.c.number + 1)
_EPOCH = select(leases.c.epoch).where(leases.c.name == bindparam("key"))
MOST_AT_ONCE = 500  # rows that one statement names
# on a server there is no lock on the whole: this row is it
_LOCK = select(revisions.c.number).with_for_update()


class Database:
    """The engine, and transactions on it.

    Args:
        url: SQLAlchemy address of a SQLite file or a PostgreSQL database; the file is made where it is missing, and
            both are migrated where needed.
    """

    def __init__(self, url: str) -> None:
        self.engine = open_engine(url)
        self.epoch: Epoch | None = None  # under which all is written
        self._reader = at_one_moment(self.engine)
        self._one_writer = self.engine.dialect.name == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that reads; all of its statements see one moment."""
        with _told(), self._reader.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self, alone: bool = True) -> Iterator[Connection]:
        """A transaction that writes; all others wait for its end, so that revisions become visible in their order.

        Args:
            alone: False for what takes no revision and cannot meet another's change.
        """
        with _told(), self.engine.connect() as connection:
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


class Part:
    """The records of one noun.

    Args:
        database: that holds them.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._read = database.read
        self._write = database.write
        self._records = database.records


def read_record(connection: Connection, query: Select[Any], key: str, kind: type[R], missing: str) -> R:
    """The record that a query finds by its parameter ``key``.

    Raises:
        NotFoundError: there is none; says ``missing``.
    """
    record = connection.execute(query, {"key": key}).scalar()
    if record is None:
        raise NotFoundError(Message.verbatim(missing))
    return decode(record, kind)


def in_batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """So many at a time as one statement may name."""
    return (items[first : first + MOST_AT_ONCE] for first in range(0, len(items), MOST_AT_ONCE))


def replace(connection: Connection, table: Table, key: dict[str, Any], values: dict[str, Any]) -> None:
    """Set the one row of a key, made where it is missing; the caller holds the lock on the whole store."""
    where = [table.c[name] == value for name, value in key.items()]
    if connection.execute(update(table).where(*where).values(**values)).rowcount == 0:
        connection.execute(insert(table).values(**key, **values))


def present_revision(connection: Connection) -> int:
    """Number of the last change, as a transaction sees it."""
    return int(connection.execute(_REVISION).scalar_one())


def next_revision(connection: Connection) -> int:
    """A number for the change that a transaction makes."""
    connection.execute(_COUNT_UP)
    return present_revision(connection)


def check_move(
    what: str, record: Any, wanted: Any, expect: Collection[Any] | None, moves: dict[Any, frozenset[Any]]
) -> None:
    """Refuse a move between states that the table of ``core.states`` does not have.

    Raises:
        ConflictError: it is in another state, may not move to the new one, or only a newer version knows what it is.
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


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InternalError, NoConnectionError) as error:
        raise _failed(error) from error
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
        raise _failed(error) from error


def _failed(error: SQLAlchemyError) -> StoreFailedError:
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
