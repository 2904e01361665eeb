"""The tables, as the newest migration leaves them."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Dialect,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    bindparam,
    event,
    false,
)

from ..core.states import SWEEP_LIVE, StepState, SweepState


class _JsonText(TypeDecorator[Any]):
    """JSON as text, as in SQLite.

    PostgreSQL's JSON types reject NaN, and jsonb also NUL and lone surrogates, which notebooks can print.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:
        """Encode as ASCII."""
        return json.dumps(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Decode."""
        return None if value is None else json.loads(value)


RECORD = JSON().with_variant(_JsonText(), "postgresql")
# sorted bytewise, whatever the database's locale
MOMENT = String().with_variant(String(collation="C"), "postgresql")
# grows with every write
REVISION = Integer().with_variant(BigInteger(), "postgresql")

metadata = MetaData()

# one row: the number of the last change in the whole store
revisions = Table(
    "revisions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("number", REVISION, nullable=False),
)

sweeps = Table(
    "sweeps",
    metadata,
    Column("id", String, primary_key=True),
    Column("path", String, nullable=False),
    Column("state", String, nullable=False),
    Column("archived", Boolean, nullable=False),
    Column("deleted_at", MOMENT),
    Column("created_at", MOMENT, nullable=False),
    Column("revision", REVISION, nullable=False),
    Column("record", RECORD, nullable=False),
    Column("notebook", LargeBinary, nullable=False),  # empty: since migration 0003 its bytes are among the blobs
    Column("pipeline_run", String, nullable=False, server_default=""),
    Column("service", String, nullable=False, server_default=""),
    Column("notebook_sha256", String, nullable=False, server_default=""),
    Index("sweeps_revision", "revision"),
    Index("sweeps_path", "path"),
    Index("sweeps_pipeline_run", "pipeline_run"),
    Index("sweeps_notebook", "notebook_sha256"),
)
# a literal: a partial index serves only queries with the same condition
LIVE_SWEEP = sweeps.c.state.in_(
    bindparam(
        "live",
        [state.value for state in SweepState if state in SWEEP_LIVE],
        expanding=True,
        literal_execute=True,
    )
)
Index("sweeps_live", sweeps.c.service, sqlite_where=LIVE_SWEEP)

runs = Table(
    "runs",
    metadata,
    Column("id", String, primary_key=True),
    Column("sweep_id", String, ForeignKey("sweeps.id", ondelete="CASCADE"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("state", String, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("tracked", Boolean, nullable=False),
    Column("revision", REVISION, nullable=False),
    Column("record", RECORD, nullable=False),
    UniqueConstraint("sweep_id", "number", name="runs_once"),
    Index("runs_revision", "sweep_id", "revision"),
    Index("runs_state", "sweep_id", "state"),
)
UNTRACKED = runs.c.tracked.is_(False)
Index("runs_untracked", runs.c.state, sqlite_where=UNTRACKED)

curves = Table(
    "curves",
    metadata,
    Column("run_id", String, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("name", String, primary_key=True),
    Column("record", RECORD, nullable=False),
)

drafts = Table(
    "drafts",
    metadata,
    Column("path", String, primary_key=True),
    Column("record", RECORD, nullable=False),
)

targets = Table(
    "targets",
    metadata,
    Column("name", String, primary_key=True),
    Column("record", RECORD, nullable=False),
)

leases = Table(
    "leases",
    metadata,
    Column("name", String, primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("owner", String, nullable=False),
    Column("beat", Integer, nullable=False, server_default="0"),
)

infos = Table(
    "infos",
    metadata,
    Column("key", String, primary_key=True),
    Column("value", RECORD, nullable=False),
)

# runs still to be closed in a service's MLflow
unclosed = Table(
    "unclosed",
    metadata,
    Column("service", String, primary_key=True),
    Column("name", String, primary_key=True),
)

# bytes by their sha256: notebooks of sweeps; frozen files, package lists and differences of versions
blobs = Table(
    "blobs",
    metadata,
    Column("sha256", String, primary_key=True),
    Column("data", LargeBinary, nullable=False),
)

pipelines = Table(
    "pipelines",
    metadata,
    Column("id", String, primary_key=True),
    Column("path", String, nullable=False),
    Column("created_at", MOMENT, nullable=False),
    Column("deleted_at", MOMENT),
    Column("revision", REVISION, nullable=False),
    Column("record", RECORD, nullable=False),
    Index("pipelines_revision", "revision"),
)

versions = Table(
    "versions",
    metadata,
    Column("pipeline_id", String, ForeignKey("pipelines.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("record", RECORD, nullable=False),
)

# the blobs that a version refers to
version_blobs = Table(
    "version_blobs",
    metadata,
    Column("pipeline_id", String, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("sha256", String, primary_key=True),
    ForeignKeyConstraint(["pipeline_id", "number"], [versions.c.pipeline_id, versions.c.number], ondelete="CASCADE"),
    Index("version_blobs_sha256", "sha256"),
)

triggers = Table(
    "triggers",
    metadata,
    Column("id", String, primary_key=True),
    Column("pipeline_id", String, ForeignKey("pipelines.id", ondelete="CASCADE"), nullable=False),
    Column("kind", String, nullable=False),
    Column("upstream", String, nullable=False),
    Column("next_at", MOMENT),
    Column("revision", REVISION, nullable=False),
    Column("record", RECORD, nullable=False),
    Index("triggers_next", "next_at"),
    Index("triggers_pipeline", "pipeline_id"),
)

fires = Table(
    "fires",
    metadata,
    Column("trigger_id", String, ForeignKey("triggers.id", ondelete="CASCADE"), primary_key=True),
    Column("scheduled_at", MOMENT, primary_key=True),
    Column("record", RECORD, nullable=False),
)

pipeline_runs = Table(
    "pipeline_runs",
    metadata,
    Column("id", String, primary_key=True),
    Column("pipeline_id", String, ForeignKey("pipelines.id", ondelete="CASCADE"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("state", String, nullable=False),
    Column("service", String, nullable=False),
    Column("revision", REVISION, nullable=False),
    Column("record", RECORD, nullable=False),
    Column("version", Integer, nullable=False, server_default="0"),
    Column("stop_requested", Boolean, nullable=False, server_default=false()),
    Column("ended_at", MOMENT),
    UniqueConstraint("pipeline_id", "number", name="pipeline_runs_once"),
    Index("pipeline_runs_line", "state", "pipeline_id", "number"),
    Index("pipeline_runs_revision", "pipeline_id", "revision"),
)

step_runs = Table(
    "step_runs",
    metadata,
    Column("id", String, primary_key=True),
    Column("run_id", String, ForeignKey("pipeline_runs.id", ondelete="CASCADE"), nullable=False),
    Column("pipeline_id", String, nullable=False),
    Column("position", Integer, nullable=False),
    Column("state", String, nullable=False),
    Column("fingerprint", String, nullable=False),
    Column("revision", REVISION, nullable=False),
    Column("record", RECORD, nullable=False),
    Index("step_runs_run", "run_id", "position"),
    Index("step_runs_fingerprint", "fingerprint"),
)
REUSED_STEP = step_runs.c.state == bindparam("reused", StepState.REUSED.value, literal_execute=True)
Index("step_runs_reused", step_runs.c.pipeline_id, sqlite_where=REUSED_STEP)


@event.listens_for(metadata, "before_create")
def _as_partial(target: MetaData, connection: Connection, **options: Any) -> None:
    """Copy SQLite's index conditions for PostgreSQL, whose dialect would otherwise be loaded at each start."""
    if connection.dialect.name == "postgresql":
        for index in (index for table in target.tables.values() for index in table.indexes):
            index.dialect_options["postgresql"]["where"] = index.dialect_options["sqlite"]["where"]
