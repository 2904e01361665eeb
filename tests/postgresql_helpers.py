"""A real PostgreSQL server in a folder of its own, and stores on both back ends."""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from jupyter_mlops.store import Store
from jupyter_mlops.store.tables import metadata

TEMPLATE = "template_store"


def newest_programs() -> Path | None:
    """Folder of initdb and postgres: Debian's newest, else those on the path; None where there are none."""
    debian = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if debian:
        return max(debian, key=lambda path: int(path.parent.name))
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


class Server:
    """A server on a free port and a socket, without fsync, whose own sorting of texts is not that of their bytes."""

    def __init__(self, programs: Path) -> None:
        self.programs = programs
        # a path of a socket is 107 characters long at most
        self.folder = Path(tempfile.mkdtemp(prefix="mlops-pg-", dir="/tmp"))
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count()
        self._spare: list[str] = []
        self.port = 0
        said = subprocess.check_output([str(programs / "postgres"), "--version"], text=True)
        self.version = int(said.split()[2].split(".")[0])
        # initdb and postgres refuse to run as root
        self._user: str | None = None
        if os.getuid() == 0:
            self._user = "postgres"
            entry = pwd.getpwnam(self._user)
            os.chown(self.folder, entry.pw_uid, entry.pw_gid)

    def make(self) -> None:
        """Make its cluster of databases."""
        order = [str(self.programs / "initdb"), "-D", str(self.folder / "data"), "-U", "postgres", "-E", "UTF8"]
        order += ["--no-sync", "--no-instructions", "--auth-local=trust", "--auth-host=scram-sha-256", "--locale=C"]
        if self.version >= 15:
            order += ["--locale-provider=icu", "--icu-locale=en-US"]
        subprocess.run(
            order,
            check=True,
            capture_output=True,
            cwd="/",
            user=self._user,
            group=self._user,
            extra_groups=self._groups,
        )

    @property
    def _groups(self) -> list[str] | None:
        return None if self._user is None else []

    def start(self) -> None:
        """Start it, and wait until it answers."""
        for _ in range(5):
            self.port = self.port or free_port()
            if self._answers():
                return
            self.port = 0
        raise AssertionError((self.folder / "log").read_text())

    def _answers(self) -> bool:
        options = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self.folder,
            "fsync": "off",
            "full_page_writes": "off",
            "shared_buffers": "32MB",
            "max_connections": 100,
        }
        order = [str(self.programs / "postgres"), "-D", str(self.folder / "data")]
        order += [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        if shutil.which("setpriv"):
            # ends with the tests, however they end
            order = ["setpriv", "--pdeathsig", "QUIT", *order]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                order, stdout=log, stderr=log, cwd="/", user=self._user, group=self._user, extra_groups=self._groups
            )
        deadline = time.monotonic() + 120
        while self._process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(psycopg.OperationalError):
                self.run("SELECT 1")
                return True
            time.sleep(0.05)
        self.stop()
        return False

    def stop(self) -> None:
        """End it at once, as a power cut would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()
            self._process = None

    def run(self, *statements: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Execute statements as its administrator; what the last one finds."""
        found: list[tuple[object, ...]] = []
        with psycopg.connect(
            host=str(self.folder), port=self.port, user="postgres", dbname=database, autocommit=True
        ) as connection:
            for statement in statements:
                cursor = connection.execute(statement)  # type: ignore[arg-type,unused-ignore]
                found = cursor.fetchall() if cursor.description else []
        return found

    def url(self, database: str) -> str:
        """Address of a database, through the socket."""
        return f"postgresql://postgres@/{database}?host={self.folder}&port={self.port}"

    def empty(self) -> str:
        """Name of a new database with nothing in it."""
        name = f"empty{next(self._numbers)}"
        self.run(f"CREATE DATABASE {name}")
        return name

    def migrated(self) -> str:
        """Name of a database with an empty store in it."""
        if self._spare:
            return self._spare.pop()
        name = f"store{next(self._numbers)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        return name

    def take_back(self, name: str) -> None:
        """Empty a store for the next test; to make and remove a database takes thirty times as long."""
        self.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        tables = [table.name for table in reversed(metadata.sorted_tables) if table.name != "revisions"]
        self.run(*(f"DELETE FROM {table}" for table in tables), "UPDATE revisions SET number = 0", database=name)
        self._spare.append(name)


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """One server for all tests of this process."""
    programs = newest_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (Debian's package postgresql)")
    server = Server(programs)
    try:
        server.make()
        server.start()
        server.run(f"CREATE DATABASE {TEMPLATE}")
        Store(server.url(TEMPLATE)).close()
        yield server
    finally:
        server.stop()
        shutil.rmtree(server.folder)


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def back_end(request: pytest.FixtureRequest) -> str:
    """Both, one after the other."""
    return str(request.param)


@pytest.fixture
def empty_url(back_end: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of a store that nobody opened yet, on each back end."""
    if back_end == "sqlite":
        return f"sqlite:///{tmp_path / 'store.sqlite'}"
    server: Server = request.getfixturevalue("postgresql")
    return server.url(server.empty())


def new_url(back_end: str, request: pytest.FixtureRequest, folder: Path) -> str:
    """Address of an empty store, as long as a fixture lasts; its tables stay as they are."""
    if back_end == "sqlite":
        return f"sqlite:///{folder / 'store.sqlite'}"
    server: Server = request.getfixturevalue("postgresql")
    name = server.migrated()
    request.addfinalizer(lambda: server.take_back(name))
    return server.url(name)


@pytest.fixture
def store_url(back_end: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of an empty store, on each back end."""
    return new_url(back_end, request, tmp_path)


@pytest.fixture
def any_store(store_url: str) -> Iterator[Store]:
    """What is at ``store_url``."""
    store = Store(store_url)
    yield store
    store.close()
