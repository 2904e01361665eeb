"""What earlier releases left, laid out as if it had been made here; ``upgrade/make.py`` says how it was made."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from postgresql_helpers import Server

_ARCHIVES = Path(__file__).with_name("upgrade")
RELEASES = sorted(path.name.partition(".")[0] for path in _ARCHIVES.glob("*.tar.xz"))


@dataclass
class Earlier:
    """A release's store, data folder and project, below ``root``.

    Attributes:
        facts: ids by what was done to make them.
        rows: records by table, as they stood there.
        store: address of the store, empty where it is the data folder's SQLite file.
    """

    root: Path
    facts: dict[str, str]
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    store: str = ""

    @property
    def project(self) -> Path:
        return self.root / "project"

    @property
    def data(self) -> Path:
        return self.root / "data"

    def record(self, table: str, name: str) -> dict[str, Any]:
        """The record that was made under a name."""
        return next(row for row in self.rows[table] if row["id"] == self.facts[name])


def lay_out(release: str, root: Path) -> Earlier:
    """Unpack what a release left, with its SQLite files."""
    with tarfile.open(_ARCHIVES / f"{release}.tar.xz") as archive:
        for member in archive:
            path = root / member.name
            path.parent.mkdir(parents=True, exist_ok=True)
            if member.issym():
                path.symlink_to(member.linkname.replace("@ROOT@", str(root)))
                continue
            file = archive.extractfile(member)
            assert file is not None
            path.write_bytes(file.read().replace(b"@ROOT@", str(root).encode()))
            path.chmod(member.mode)
            os.utime(path, (member.mtime, member.mtime))
    earlier = Earlier(root, json.loads((root / "facts.json").read_bytes()))
    for text, file_name in (("sqlite", "store"), ("mlflow", "mlflow")):
        with contextlib.closing(sqlite3.connect(earlier.data / f"{file_name}.sqlite")) as connection:
            connection.executescript((root / f"{text}.sql").read_text())
            if text == "sqlite":
                tables = ("sweeps", "runs", "drafts", "pipelines", "versions", "triggers", "pipeline_runs", "step_runs")
                for table in tables:
                    found = connection.execute(f"SELECT record FROM {table}").fetchall()
                    earlier.rows[table] = [json.loads(record) for (record,) in found]
    return earlier


def into_postgresql(earlier: Earlier, server: Server) -> None:
    """Put the store into a database of its own, in place of the SQLite file."""
    (earlier.data / "store.sqlite").unlink()
    name = server.empty()
    with psycopg.connect(
        host=str(server.folder), port=server.port, user="postgres", dbname=name, autocommit=True
    ) as connection:
        connection.execute((earlier.root / "postgresql.sql").read_bytes())
    earlier.store = server.url(name)
