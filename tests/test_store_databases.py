"""Opening stores on each back end, what cannot be opened, and what happens when a database goes away."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

import msgspec
import pytest
from alembic import command
from alembic.config import Config
from conftest import serving
from postgresql_helpers import Server, free_port
from sqlalchemy import Engine, create_engine, inspect, make_url, text

import jupyter_mlops.store
from jupyter_mlops.core.errors import InvalidInputError, NotFoundError, UnavailableError
from jupyter_mlops.core.pipelines.definition import PipelineDefinition
from jupyter_mlops.core.pipelines.records import Pipeline, PipelineRun, Version
from jupyter_mlops.core.record import now
from jupyter_mlops.core.states import PipelineRunState, SweepState
from jupyter_mlops.core.sweeps import Sweep
from jupyter_mlops.services.process.launch import service_info, service_log
from jupyter_mlops.settings import MlopsSettings
from jupyter_mlops.store import Store, StoreFailedError
from jupyter_mlops.store.base import present_revision
from jupyter_mlops.store.blobs import MAX_BLOB_BYTES
from jupyter_mlops.store.engine import HEAD
from jupyter_mlops.store.sqlite import Sqlite
from jupyter_mlops.store.tables import metadata

SECRET = "s3cr3t w0rd"


def new_sweep(store: Store, **fields: Any) -> Sweep:
    sweep = Sweep(id=f"sweep{store.revision()}", name="a", path="/a.ipynb", notebook_hash="h", **fields)
    return store.sweeps.create(sweep, b"{}")


def plain_engine(url: str) -> Engine:
    return create_engine(url.replace("postgresql:", "postgresql+psycopg:"))


def made_by_0002(url: str) -> Engine:
    """A store as the second migration left it."""
    engine = plain_engine(url)
    config = Config()
    config.set_main_option("script_location", str(Path(jupyter_mlops.store.__file__).parent / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
    return engine


def put(engine: Engine, table: str, **values: Any) -> None:
    names = list(values)
    statement = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join(f':{name}' for name in names)})"
    with engine.begin() as connection:
        connection.execute(text(statement), values)


def test_what_was_kept_before_notebooks_were_blobs_is_found(empty_url: str) -> None:
    engine = made_by_0002(empty_url)
    for number, data in enumerate([b"one", b"one", b"two"]):
        sweep = Sweep(id=f"s{number}", name="a", path="/a.ipynb", notebook_hash="h", service="here")
        row = {"path": "/a.ipynb", "state": "queued", "archived": False, "created_at": "2026", "revision": number}
        put(
            engine,
            "sweeps",
            id=sweep.id,
            **row,
            record=msgspec.json.encode(sweep, enc_hook=str).decode(),
            notebook=data,
        )
    frozen = hashlib.sha256(b"two").hexdigest()
    put(engine, "blobs", sha256=frozen, data=b"two")
    pipeline = Pipeline(id="p", name="a", path="/a.ipynb", project="/")
    record = msgspec.json.encode(pipeline, enc_hook=str).decode()
    put(engine, "pipelines", id="p", path="/a.ipynb", created_at="2026", revision=1, record=record)
    version = Version(pipeline_id="p", number=1, definition=PipelineDefinition(steps={}), files={"a.ipynb": frozen})
    put(engine, "versions", pipeline_id="p", number=1, record=msgspec.json.encode(version, enc_hook=str).decode())
    for number, fields in enumerate([{"stop_requested": True}, {"state": "succeeded", "ended_at": "2026-01-01"}]):
        run = msgspec.convert({"id": f"r{number}", "pipeline_id": "p", "version": 1} | fields, PipelineRun)
        row = {"pipeline_id": "p", "number": number, "state": run.state.value, "service": "", "revision": 1}
        put(engine, "pipeline_runs", id=run.id, **row, record=msgspec.json.encode(run, enc_hook=str).decode())
    put(engine, "infos", key="mlflow-unclosed:here", value='["s0", "s1"]')
    engine.dispose()
    store = Store(empty_url)
    assert [store.sweeps.notebook(f"s{number}") for number in range(3)] == [b"one", b"one", b"two"]
    queued = [PipelineRunState.QUEUED]
    assert [run.id for run in store.pipeline_runs.find(states=queued, stop_requested=True)] == ["r0"]
    assert (store.infos.unclosed("here"), store.infos.get("mlflow-unclosed:here")) == (["s0", "s1"], None)
    store.sweeps.purge("s0")
    store.sweeps.purge("s2")
    assert (store.sweeps.notebook("s1"), store.blobs.get(frozen)) == (b"one", b"two")
    store.sweeps.purge("s1")
    store.pipelines.purge(["p"])
    for data in (b"one", b"two"):
        with pytest.raises(NotFoundError):
            store.blobs.get(hashlib.sha256(data).hexdigest())
    store.close()


# -- opening ---------------------------------------------------------------------------------------


def test_the_migrations_lead_to_the_tables_of_the_code(store_url: str, empty_url: str, tmp_path: Path) -> None:
    def shape(url: str) -> dict[str, Any]:
        engine = plain_engine(url)
        found = inspect(engine)
        tables = [name for name in found.get_table_names() if name != "alembic_version"]
        described = {
            name: (
                sorted(
                    (c["name"], str(c["type"]), getattr(c["type"], "collation", None), c["nullable"], c["default"])
                    for c in found.get_columns(name)
                ),
                found.get_pk_constraint(name),
                sorted((index["name"], index["column_names"]) for index in found.get_indexes(name)),
                found.get_unique_constraints(name),
                found.get_foreign_keys(name),
            )
            for name in tables
        }
        engine.dispose()
        return described

    Store(store_url).close()
    fresh = f"sqlite:///{tmp_path / 'fresh.sqlite'}" if store_url.startswith("sqlite") else empty_url
    engine = plain_engine(fresh)
    metadata.create_all(engine)
    engine.dispose()
    assert shape(store_url) == shape(fresh)
    engine = plain_engine(store_url)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == [HEAD]
    engine.dispose()


def test_a_file_is_read_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    Store(f"sqlite:///{path}").close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_opened_again_it_is_as_it_was(empty_url: str) -> None:
    store = Store(empty_url)
    sweep = new_sweep(store)
    store.close()
    for _ in range(2):
        again = Store(empty_url)
        assert (again.revision(), again.sweeps.get(sweep.id)) == (1, sweep)
        again.close()


def test_many_open_an_empty_one_at_once(empty_url: str) -> None:
    code = f"from jupyter_mlops.store import Store; Store({empty_url!r}).infos.put('a', 1)"
    processes = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) for _ in range(4)]
    assert [process.communicate()[1] for process in processes] == [b"", b"", b"", b""]
    assert [process.returncode for process in processes] == [0, 0, 0, 0]


def test_many_threads_open_an_empty_one_at_once(empty_url: str) -> None:
    failed: list[BaseException] = []
    barrier = threading.Barrier(8)

    def open_it() -> None:
        barrier.wait()
        try:
            Store(empty_url).close()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_many_threads_change_a_files_journal_at_once(tmp_path: Path) -> None:
    # a restored file is in SQLite's first mode; one opening in thirty failed with "database is locked"
    failed: list[BaseException] = []

    def open_it(engine: Engine) -> None:
        barrier.wait()
        try:
            with engine.connect() as connection:
                connection.exec_driver_sql("SELECT * FROM t").all()
        except BaseException as error:
            failed.append(error)
        engine.dispose()

    for number in range(60):
        file = tmp_path / f"{number}.sqlite"
        with contextlib.closing(sqlite3.connect(file)) as connection:
            connection.execute("CREATE TABLE t (x)")
        barrier = threading.Barrier(8)
        engines = [Sqlite(make_url(f"sqlite:///{file}")).create() for _ in range(8)]
        threads = [threading.Thread(target=open_it, args=(engine,)) for engine in engines]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failed == []


def test_a_newer_version_is_refused_with_a_sentence(empty_url: str) -> None:
    Store(empty_url).close()
    engine = plain_engine(empty_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        connection.execute(text("DELETE FROM infos"))
    with pytest.raises(UnavailableError, match="written by a newer version of jupyter-mlops; install that version"):
        Store(empty_url)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == ["9999"]
    engine.dispose()


def test_what_is_no_store_is_refused_with_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(UnavailableError, match=r"store\.sqlite cannot be opened \(file is not a database\)"):
        Store(f"sqlite:///{path}")
    assert path.read_bytes() == b"no database" * 1000
    with pytest.raises(UnavailableError, match="cannot be opened"):
        Store(f"sqlite:///{tmp_path}/missing/store.sqlite")


# -- a server that cannot be used ------------------------------------------------------------------


def refused(url: str) -> str:
    """The sentence with which a store is refused; nothing that could be printed of it holds the password."""
    with pytest.raises(UnavailableError) as caught:
        Store(url)
    printed = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    for secret in (SECRET, SECRET.replace(" ", "%20"), SECRET.replace(" ", "+"), SECRET.split(maxsplit=1)[0]):
        assert secret not in printed
    assert "\n" not in str(caught.value)
    return str(caught.value)


def with_password(server: Server, database: str, password: str = "s3cr3t%20w0rd", user: str = "ada") -> str:
    return f"postgresql://{user}:{password}@127.0.0.1:{server.port}/{database}"


@pytest.fixture(scope="module")
def ada(postgresql: Server) -> Server:
    """A server with a user who has a password."""
    postgresql.run(f"CREATE ROLE ada LOGIN PASSWORD '{SECRET}'")
    return postgresql


def test_a_person_with_a_password(ada: Server) -> None:
    database = ada.empty()
    ada.run(f"ALTER DATABASE {database} OWNER TO ada")
    for scheme in ("postgresql", "postgres", "postgresql+psycopg", "postgresql+psycopg2"):
        store = Store(with_password(ada, database).replace("postgresql", scheme))
        store.infos.put("a", scheme)
        assert store.infos.get("a") == scheme
        store.close()


def test_a_wrong_password(ada: Server) -> None:
    said = refused(with_password(ada, "postgres", "s3cr3t%20w0rd-not"))
    assert f"The store postgresql://ada@127.0.0.1:{ada.port}/postgres cannot be opened" in said
    assert 'password authentication failed for user "ada"' in said
    assert "check that its server runs" in said
    said = refused(f"postgresql://ada@127.0.0.1:{ada.port}/postgres?password=s3cr3t+w0rd+not")
    assert 'password authentication failed for user "ada"' in said


def test_a_missing_database(ada: Server) -> None:
    assert 'database "nowhere" does not exist' in refused(with_password(ada, "nowhere"))


def test_a_database_that_belongs_to_another(ada: Server) -> None:
    assert "permission denied" in refused(with_password(ada, ada.empty()))
    assert "permission denied" in refused(with_password(ada, ada.migrated()))


def test_no_server() -> None:
    said = refused(f"postgresql://ada:s3cr3t%20w0rd@127.0.0.1:{free_port()}/mlops")
    assert "Connection refused" in said
    assert "cannot be opened" in refused("postgresql://ada:s3cr3t%20w0rd@no-such-host.invalid/mlops")
    assert "cannot be opened" in refused("postgresql://ada:s3cr3t%20w0rd@/mlops?host=/nonexistent")
    assert "cannot be opened" in refused("postgresql://ada:s3cr3t%20w0rd@localhost/mlops?nonsense=1")


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://ada:s3cr3t@w0rd@host/mlops",
        "postgresql://ada:x@host:s3cr3t/mlops",
        "s3cr3t",
        "mysql://ada:s3cr3t@host/mlops",
        "nonsense+s3cr3t://host/mlops",
        "postgresql//ada:s3cr3t@host",
    ],
)
def test_what_is_no_address(address: str) -> None:
    assert "is no address such as postgresql://user:password@host:5432/database" in refused(address)


def test_a_missing_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    said = refused("postgresql://ada:s3cr3t%20w0rd@127.0.0.1/mlops")
    assert "needs psycopg" in said and "pip install 'jupyter-mlops[postgresql]'" in said


def test_a_database_of_another_encoding(postgresql: Server) -> None:
    postgresql.run(
        "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE_PROVIDER 'libc' LOCALE 'C' TEMPLATE template0"
        if postgresql.version >= 15
        else "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0"
    )
    assert "its encoding is LATIN1" in refused(postgresql.url("latin"))


def test_the_password_is_not_in_what_the_service_tells_or_hands_to_kernels(tmp_path: Path, ada: Server) -> None:
    database = ada.empty()
    ada.run(f"ALTER DATABASE {database} OWNER TO ada")
    settings = MlopsSettings(data_dir=str(tmp_path), store=with_password(ada, database))
    assert settings.store_url == settings.values()["store"]
    store = Store(settings.store_url)
    assert "s3cr3t" not in repr(service_info(store, settings))
    store.close()
    code = (
        "import os; from jupyter_mlops.service import settings_from_environment as read\n"
        "assert 's3cr3t' in read().store_url; print('s3cr3t' in str(os.environ))"
    )
    values = '{"store": "postgresql://ada:s3cr3t@host/a"}'
    env = os.environ | {"JUPYTER_MLOPS_SETTINGS": values}
    assert subprocess.check_output([sys.executable, "-c", code], env=env, text=True).strip() == "False"


# -- transactions ----------------------------------------------------------------------------------


def test_a_reader_sees_one_moment(any_store: Store) -> None:
    first = new_sweep(any_store)
    with any_store._database.read() as connection:
        before = present_revision(connection)
        any_store.sweeps.change(first.id, name="b")
        assert present_revision(connection) == before
        count = connection.execute(text(f"SELECT count(*) FROM sweeps WHERE revision > {before}")).scalar()
        assert count == 0
    assert any_store.sweeps.find(since=before)[0].name == "b"


def test_what_is_kept_is_visible_with_all_before_it(any_store: Store, store_url: str) -> None:
    """Writers that take long between their number and their end hold up those with later numbers."""
    sweeps = [new_sweep(any_store) for _ in range(2)]
    began = threading.Event()

    def slow() -> None:
        with any_store._database.write() as connection:
            connection.execute(text("UPDATE revisions SET number = number + 1"))
            connection.execute(text(f"UPDATE sweeps SET revision = 3, path = 'slow' WHERE id = '{sweeps[0].id}'"))
            began.set()
            time.sleep(0.5)

    thread = threading.Thread(target=slow)
    thread.start()
    began.wait()
    other = Store(store_url)
    assert other.sweeps.change(sweeps[1].id, name="fast").revision == 4
    with other._database.read() as connection:
        assert present_revision(connection) == 4
        assert connection.execute(text("SELECT path FROM sweeps WHERE revision = 3")).scalar() == "slow"
    thread.join()
    other.close()


def test_what_fails_in_the_middle_leaves_nothing(any_store: Store) -> None:
    sweep = new_sweep(any_store)

    def write() -> None:
        with any_store._database.write() as connection:
            connection.execute(text("DELETE FROM sweeps"))
            connection.execute(text("UPDATE revisions SET number = 99"))
            raise KeyError

    with pytest.raises(KeyError):
        write()
    assert (any_store.revision(), any_store.sweeps.get(sweep.id)) == (1, sweep)


def test_more_readers_than_connections(any_store: Store) -> None:
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.extend(any_store.revision() for _ in range(20))) for _ in range(40)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [0] * 800


# -- bytes and characters --------------------------------------------------------------------------


def test_bytes_come_back(any_store: Store) -> None:
    for data in (b"", b"\x00\xff'\\", os.urandom(1_000_000), bytes(range(256)) * 250_000):
        name = any_store.blobs.put(data)
        assert any_store.blobs.put(data) == name
        assert any_store.blobs.get(name) == data
    with pytest.raises(NotFoundError, match="The store has no file with the hash 0000"):
        any_store.blobs.get("0" * 64)


def test_the_same_bytes_at_once_are_kept_once(any_store: Store) -> None:
    data = os.urandom(300_000)
    names: list[str] = []
    threads = [threading.Thread(target=lambda: names.append(any_store.blobs.put(data))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names) == 8 and len(set(names)) == 1
    with any_store._database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM blobs")).scalar() == 1


def test_too_many_bytes_are_refused_with_a_sentence(any_store: Store) -> None:
    with pytest.raises(InvalidInputError, match="A file of 400 MB is too large for the store"):
        any_store.blobs.put(bytes(MAX_BLOB_BYTES + 1))


def test_names_that_cannot_be_kept(any_store: Store) -> None:
    with pytest.raises(InvalidInputError, match="characters that the store cannot keep"):
        any_store.infos.put("half \ud83d", 1)
    any_store.infos.put("whole 😀", 1)
    assert any_store.infos.get("whole 😀") == 1
    any_store.infos.put("nothing", None)
    assert any_store.infos.get("nothing") is None


def test_a_name_with_nul_is_refused_by_a_server(postgresql: Server) -> None:
    store = Store(postgresql.url(postgresql.migrated()))
    with pytest.raises(InvalidInputError, match="characters that the store cannot keep"):
        store.infos.put("a\0b", 1)
    store.infos.put("a", 1)
    store.close()


def test_times_are_sorted_by_their_bytes(any_store: Store) -> None:
    """In the database's own language a full stop comes before a plus sign."""
    for moment in ("2026-01-01T00:00:00.500000+00:00", "2026-01-01T00:00:00+00:00", "2026-01-01T00:00:00Z"):
        any_store.sweeps.create(
            Sweep(id=moment, name="a", path="/a", notebook_hash="h", created_at=moment, deleted_at=moment), b""
        )
    newest_first = ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.500000+00:00", "2026-01-01T00:00:00+00:00"]
    assert [sweep.id for sweep in any_store.sweeps.find(deleted=True)] == newest_first
    assert any_store.sweeps.purgeable("2026-01-01T00:00:00.000000+00:00") == ["2026-01-01T00:00:00+00:00"]


# -- a server that goes away -----------------------------------------------------------------------


def test_a_connection_that_is_cut(postgresql: Server) -> None:
    name = postgresql.migrated()
    store = Store(postgresql.url(name))
    sweep = new_sweep(store)
    cut = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"

    def write() -> None:
        with store._database.write() as connection:
            connection.execute(text("DELETE FROM sweeps"))
            postgresql.run(cut)
            connection.execute(text("UPDATE revisions SET number = 99"))

    with pytest.raises(StoreFailedError, match="start its database server"):
        write()
    assert (store.revision(), store.sweeps.get(sweep.id)) == (1, sweep)
    # one that lay in the pool
    postgresql.run(cut)
    assert store.sweeps.change(sweep.id, name="b").name == "b"
    store.close()


def test_a_server_that_is_off_and_on(postgresql: Server) -> None:
    store = Store(postgresql.url(postgresql.migrated()))
    sweep = new_sweep(store)
    postgresql.stop()
    for _ in range(2):
        with pytest.raises(StoreFailedError, match="start its database server"):
            store.revision()
        with pytest.raises(StoreFailedError, match="cannot be read or written"):
            store.sweeps.change(sweep.id, name="b")
    postgresql.start()
    assert store.sweeps.change(sweep.id, name="c").name == "c"
    store.close()


HOLDER = """
import sys, time
from sqlalchemy import text
from jupyter_mlops.store import Store
store = Store(sys.argv[1])
with store._database.write() as connection:
    connection.execute(text("UPDATE revisions SET number = 99"))
    print("held", flush=True)
    time.sleep(600)
"""


def test_who_is_killed_while_it_writes_holds_up_nobody(any_store: Store, store_url: str) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, store_url], stdout=subprocess.PIPE)
    assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    any_store.infos.put("a", now())
    assert any_store.revision() == 0


def test_a_sweep_runs_with_the_store_on_a_server(postgresql: Server, notebook: Path, data_dir: Path) -> None:
    url = postgresql.url(postgresql.empty())
    settings = MlopsSettings(data_dir=str(data_dir), store=url, local_slots=1, service_idle_timeout=60.0)
    with serving(settings) as service:
        # the address of the store may hold a password
        look = "import os; assert 'JUPYTER_MLOPS_SETTINGS' not in os.environ"
        sweep = service.run_until_over(notebook, "a = 1", look, space={"a": "1,2"})
        assert (sweep.state, sweep.counts) == (SweepState.SUCCEEDED, {"succeeded": 2})
        assert url not in service_log(settings)
    assert not list(data_dir.glob("store.sqlite*"))


def test_opening_a_store_again_drops_no_lock_of_this_process(tmp_path: Path) -> None:
    """https://www.sqlite.org/howtocorrupt.html, 2.2: a close() cancels the POSIX locks of the whole process."""
    file = tmp_path / "store.sqlite"
    first = Store(f"sqlite:///{file}")
    first.infos.put("a", 1)

    def locks() -> list[str]:
        inode = f":{file.stat().st_ino} "
        return [line for line in Path("/proc/locks").read_text().splitlines() if inode in line]

    held = locks()
    assert held
    second = Store(f"sqlite:///{file}")
    assert len(locks()) >= len(held)
    second.close()
    first.close()
