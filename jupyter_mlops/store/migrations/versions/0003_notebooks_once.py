"""Notebooks of sweeps among the blobs, once per content; indexes and columns for what is looked for often."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

from jupyter_mlops.store.migrations.columns import MOMENT

revision = "0003"
down_revision = "0002"

_LIVE = sa.text("state IN ('queued', 'starting', 'running', 'paused', 'stopping')")
_UNTRACKED = {"sqlite": sa.text("tracked IS 0"), "postgresql": sa.text("tracked IS false")}
_KEEP = sa.text("INSERT INTO blobs (sha256, data) VALUES (:sha256, :data) ON CONFLICT DO NOTHING")


def upgrade() -> None:
    """Add tables, columns and indexes, and fill them."""
    _sweeps()
    op.create_table(
        "version_blobs",
        sa.Column("pipeline_id", sa.String, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("sha256", sa.String, primary_key=True),
        sa.ForeignKeyConstraint(
            ["pipeline_id", "number"], ["versions.pipeline_id", "versions.number"], ondelete="CASCADE"
        ),
    )
    op.create_index("version_blobs_sha256", "version_blobs", ["sha256"])
    for pipeline_id, number, version in _records("versions", "pipeline_id", "number"):
        names = {*version["files"].values(), *version["lock"].values(), version["git_diff"]} - {""}
        _execute(
            "INSERT INTO version_blobs (pipeline_id, number, sha256) VALUES (:pipeline_id, :number, :sha256)",
            [{"pipeline_id": pipeline_id, "number": number, "sha256": name} for name in names],
        )
    _pipeline_runs()
    _unclosed()


def _sweeps() -> None:
    op.add_column("sweeps", sa.Column("notebook_sha256", sa.String, nullable=False, server_default=""))
    op.create_index("sweeps_notebook", "sweeps", ["notebook_sha256"])
    op.create_index("sweeps_live", "sweeps", ["service"], sqlite_where=_LIVE, postgresql_where=_LIVE)
    op.create_index(
        "runs_untracked",
        "runs",
        ["state"],
        sqlite_where=_UNTRACKED["sqlite"],
        postgresql_where=_UNTRACKED["postgresql"],
    )
    connection = op.get_bind()
    for sweep_id in connection.execute(sa.text("SELECT id FROM sweeps")).scalars().all():
        query = sa.text("SELECT notebook FROM sweeps WHERE id = :id")
        data = bytes(connection.execute(query, {"id": sweep_id}).scalar_one())
        name = hashlib.sha256(data).hexdigest()
        connection.execute(_KEEP, {"sha256": name, "data": data})
        moved = sa.text("UPDATE sweeps SET notebook = :empty, notebook_sha256 = :name WHERE id = :id")
        connection.execute(moved, {"empty": b"", "name": name, "id": sweep_id})


def _pipeline_runs() -> None:
    op.add_column("pipeline_runs", sa.Column("version", sa.Integer, nullable=False, server_default="0"))
    op.add_column("pipeline_runs", sa.Column("stop_requested", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("pipeline_runs", sa.Column("ended_at", MOMENT))
    op.drop_index("pipeline_runs_state", "pipeline_runs")
    op.create_index("pipeline_runs_line", "pipeline_runs", ["state", "pipeline_id", "number"])
    reused = sa.text("state = 'reused'")
    op.create_index("step_runs_reused", "step_runs", ["pipeline_id"], sqlite_where=reused, postgresql_where=reused)
    _execute(
        "UPDATE pipeline_runs SET version = :version, stop_requested = :stop_requested, ended_at = :ended_at "
        "WHERE id = :id",
        [
            {"id": run_id} | {name: run[name] for name in ("version", "stop_requested", "ended_at")}
            for run_id, run in _records("pipeline_runs", "id")
        ],
    )


def _unclosed() -> None:
    op.create_table(
        "unclosed",
        sa.Column("service", sa.String, primary_key=True),
        sa.Column("name", sa.String, primary_key=True),
    )
    connection = op.get_bind()
    before = "mlflow-unclosed:"
    for key, names in connection.execute(sa.text("SELECT key, value FROM infos")).all():
        if key.startswith(before):
            rows = [{"service": key.removeprefix(before), "name": name} for name in json.loads(names) or ()]
            _execute("INSERT INTO unclosed (service, name) VALUES (:service, :name)", rows)
            connection.execute(sa.text("DELETE FROM infos WHERE key = :key"), {"key": key})


def _records(table: str, *keys: str) -> Iterator[tuple[Any, ...]]:
    rows = op.get_bind().execute(sa.text(f"SELECT {', '.join(keys)}, record FROM {table}")).all()
    return ((*key, json.loads(record)) for *key, record in rows)


def _execute(statement: str, rows: list[dict[str, Any]]) -> None:
    if rows:
        op.get_bind().execute(sa.text(statement), rows)
