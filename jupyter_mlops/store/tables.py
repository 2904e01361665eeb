"""The tables, as the newest migration leaves them."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)


class _JsonText(TypeDecorator[Any]):
    """JSON kept as the text that SQLite keeps, too.

    PostgreSQL's own JSON types refuse NaN, and one of them NUL and halves of characters, which notebooks print.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:
        """As it is written: ASCII, everything else escaped."""
        return json.dumps(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """As it was given."""
        return None if value is None else json.loads(value)


RECORD = JSON().with_variant(_JsonText(), "postgresql")
# sorted as text, whatever the database's language
MOMENT = String().with_variant(String(collation="C"), "postgresql")
# grows with every write, for ever
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
    Column("notebook", LargeBinary, nullable=False),
    Column("pipeline_run", String, nullable=False, server_default=""),
    Column("service", String, nullable=False, server_default=""),
    Index("sweeps_revision", "revision"),
    Index("sweeps_path", "path"),
    Index("sweeps_pipeline_run", "pipeline_run"),
)

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

drafts = Table(
    "drafts",
    metadata,
    Column("path", String, primary_key=True),
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

# bytes by their sha256: frozen files, package lists, differences
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
    UniqueConstraint("pipeline_id", "number", name="pipeline_runs_once"),
    Index("pipeline_runs_state", "state"),
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
