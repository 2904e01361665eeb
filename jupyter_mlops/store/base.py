"""What all of the store stands on: transactions, revisions, leases, values by name, bytes by their hash."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self, TypeVar

import msgspec
from sqlalchemy import Connection, Select, Table, Update, bindparam, delete, exists, func, insert, select, text, update
from sqlalchemy.exc import DataError, DBAPIError, InternalError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionError

from ..core.errors import ConflictError, InvalidInputError, NotFoundError, UnavailableError
from ..core.record import Record
from .engine import open_engine
from .postgresql import at_one_moment
from .tables import blobs, infos, leases, revisions, sweeps, unclosed, version_blobs

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
_KEEP = text("INSERT INTO blobs (sha256, data) VALUES (:sha256, :data) ON CONFLICT DO NOTHING")
_ADD_UNCLOSED = text("INSERT INTO unclosed (service, name) VALUES (:service, :name) ON CONFLICT DO NOTHING")
# bytea of a server ends at twice as much
MOST_BYTES = 400_000_000
MOST_AT_ONCE = 500  # rows that one statement names
# on a server there is no lock on the whole: this row is it
_LOCK = select(revisions.c.number).with_for_update()


class Base:
    """The engine and what every table needs.

    Args:
        url: SQLAlchemy address of a SQLite file or a PostgreSQL database; the file is made where it is missing, and
            both are migrated where needed.
    """

    def __init__(self, url: str) -> None:
        self._engine = open_engine(url)
        self._reader = at_one_moment(self._engine)
        self._one_writer = self._engine.dialect.name == "sqlite"
        self._epoch: Epoch | None = None

    def under(self, epoch: Epoch) -> Self:
        """The same store for the holder of a lease: each of its writes is refused once the lease was taken over.

        Writes raise :class:`StaleEpochError` then.
        """
        held = copy.copy(self)
        held._epoch = epoch
        return held

    def close(self) -> None:
        """Give all connections back."""
        self._engine.dispose()

    # -- transactions ------------------------------------------------------------------------

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with _told(), self._reader.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def _write(self, alone: bool = True) -> Iterator[Connection]:
        """A transaction that writes; all others wait for its end, so that revisions become visible in their order.

        Args:
            alone: False for what takes no revision and cannot meet another's change.
        """
        with _told(), self._engine.connect() as connection:
            writing = connection.execution_options(writing=True)
            with writing.begin():
                if alone and not self._one_writer:
                    writing.execute(_LOCK)
                if self._epoch is not None:
                    _check_epoch(writing, self._epoch)
                yield writing

    def revision(self) -> int:
        """Number of the last change."""
        with self._read() as connection:
            return present_revision(connection)

    def _records(self, query: Select[Any], kind: type[R]) -> list[R]:
        with self._read() as connection:
            return [msgspec.convert(record, kind) for record in connection.execute(query).scalars()]

    # -- leases, values, bytes ---------------------------------------------------------------

    def acquire_lease(self, name: str, owner: str) -> Epoch:
        """Take a lease over from whoever held it; writes under earlier epochs are refused from now on."""
        with self._write() as connection:
            held = connection.execute(select(leases.c.epoch).where(leases.c.name == name)).scalar() or 0
            values = {"epoch": held + 1, "owner": owner, "beat": 0}
            replace(connection, leases, {"name": name}, values)
            return Epoch(name=name, number=held + 1)

    def beat(self) -> None:
        """Show that the holder of the lease that this store is :meth:`under` lives.

        Raises:
            StaleEpochError: it is held by another.
        """
        assert self._epoch is not None
        with self._write() as connection:
            name = leases.c.name == self._epoch.name
            connection.execute(update(leases).where(name).values(beat=leases.c.beat + 1))

    def beats(self) -> dict[str, tuple[int, int]]:
        """Epoch and heartbeat of each lease; one that stands still for long has lost its holder."""
        with self._read() as connection:
            rows = connection.execute(select(leases.c.name, leases.c.epoch, leases.c.beat))
            return {name: (epoch, beat) for name, epoch, beat in rows}

    def put_info(self, key: str, value: Any) -> None:
        """Keep a JSON value by name; it takes no revision number."""
        with self._write() as connection:
            replace(connection, infos, {"key": key}, {"value": value})

    def info(self, key: str) -> Any:
        """A JSON value by name, None where there is none."""
        with self._read() as connection:
            return connection.execute(select(infos.c.value).where(infos.c.key == key)).scalar()

    def add_unclosed(self, service: str, name: str) -> None:
        """Remember what has yet to be closed in the MLflow that a service writes to."""
        with self._write() as connection:
            connection.execute(_ADD_UNCLOSED, {"service": service, "name": name})

    def unclosed(self, service: str) -> list[str]:
        """What has yet to be closed in the MLflow that a service writes to."""
        with self._read() as connection:
            query = select(unclosed.c.name).where(unclosed.c.service == service).order_by(unclosed.c.name)
            return list(connection.execute(query).scalars())

    def remove_unclosed(self, service: str, name: str) -> None:
        """Forget what was closed, where it was remembered."""
        if name not in self.unclosed(service):
            # the rule, and a look holds up no other writer
            return
        with self._write() as connection:
            connection.execute(delete(unclosed).where(unclosed.c.service == service, unclosed.c.name == name))

    def put_blob(self, data: bytes) -> str:
        """Keep bytes, once.

        Returns:
            their sha256, by which :meth:`blob` finds them.

        Raises:
            InvalidInputError: there are too many.
        """
        if len(data) > MOST_BYTES:
            size, most = len(data) // 1_000_000, MOST_BYTES // 1_000_000
            raise InvalidInputError(f"A file of {size} MB is too large for the store, which takes {most} MB at most.")
        name = hashlib.sha256(data).hexdigest()
        with self._read() as connection:
            known = connection.execute(select(func.count()).select_from(blobs).where(blobs.c.sha256 == name)).scalar()
        if not known:
            with self._write(alone=False) as connection:
                keep_blob(connection, data)
        return name

    def blob(self, name: str) -> bytes:
        """Bytes by their sha256.

        Raises:
            NotFoundError: they are not kept.
        """
        with self._read() as connection:
            data = connection.execute(select(blobs.c.data).where(blobs.c.sha256 == name)).scalar()
        if data is None:
            raise NotFoundError(f"The store does not hold what is called {name[:12]}.")
        return bytes(data)


def keep_blob(connection: Connection, data: bytes) -> str:
    """Keep bytes that may be there already; their sha256."""
    name = hashlib.sha256(data).hexdigest()
    connection.execute(_KEEP, {"sha256": name, "data": data})
    return name


def drop_unused(connection: Connection, names: Sequence[str]) -> None:
    """Remove those of some blobs that neither a version nor a sweep names."""
    named = (version_blobs.c.sha256, sweeps.c.notebook_sha256)
    unused = [~exists().where(column == blobs.c.sha256) for column in named]
    for some in in_batches(names):
        connection.execute(delete(blobs).where(blobs.c.sha256.in_(some), *unused))


def read_record(connection: Connection, query: Select[Any], key: str, kind: type[R], missing: str) -> R:
    """The record that a query finds by its parameter ``key``.

    Raises:
        NotFoundError: there is none; says ``missing``.
    """
    record = connection.execute(query, {"key": key}).scalar()
    if record is None:
        raise NotFoundError(missing)
    return msgspec.convert(record, kind)


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
    what: str, state: Any, wanted: Any, expect: Collection[Any] | None, moves: dict[Any, frozenset[Any]]
) -> None:
    """Refuse a move between states that the table of ``core.states`` does not have.

    Raises:
        ConflictError: it is in another state, or may not move to the new one.
    """
    if expect is not None and state not in expect:
        raise ConflictError(f"The {what} is {state} by now.")
    if wanted is not state and wanted not in moves[state]:
        raise ConflictError(f"A {what} that is {state} cannot become {wanted}.")


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InternalError, NoConnectionError) as error:
        raise _failed(error) from error
    except (DataError, UnicodeEncodeError) as error:
        raise InvalidInputError(
            "A name or path holds characters that the store cannot keep (NUL, or bytes that are no UTF-8); rename it."
        ) from error
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        raise _failed(error) from error


def _failed(error: SQLAlchemyError) -> StoreFailedError:
    said = " ".join(str(getattr(error, "orig", error)).split())
    return StoreFailedError(
        f"The store cannot be read or written ({said}); free disk space, make its folder writable again, or "
        "start its database server."
    )


def _check_epoch(connection: Connection, epoch: Epoch) -> None:
    held = connection.execute(_EPOCH, {"key": epoch.name}).scalar()
    if held != epoch.number:
        raise StaleEpochError(f"The lease “{epoch.name}” was taken over.")
