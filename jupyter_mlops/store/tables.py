"""The tables, as the newest migration leaves them."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

metadata = MetaData()

# one row: the number of the last change in the whole store
revisions = Table(
    "revisions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("number", Integer, nullable=False),
)

sweeps = Table(
    "sweeps",
    metadata,
    Column("id", String, primary_key=True),
    Column("path", String, nullable=False),
    Column("state", String, nullable=False),
    Column("archived", Boolean, nullable=False),
    Column("deleted_at", String),
    Column("created_at", String, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("record", JSON, nullable=False),
    Column("notebook", LargeBinary, nullable=False),
    Index("sweeps_revision", "revision"),
    Index("sweeps_path", "path"),
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
    Column("revision", Integer, nullable=False),
    Column("record", JSON, nullable=False),
    UniqueConstraint("sweep_id", "number", name="runs_once"),
    Index("runs_revision", "sweep_id", "revision"),
    Index("runs_state", "sweep_id", "state"),
)

drafts = Table(
    "drafts",
    metadata,
    Column("path", String, primary_key=True),
    Column("record", JSON, nullable=False),
)

leases = Table(
    "leases",
    metadata,
    Column("name", String, primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("owner", String, nullable=False),
)

infos = Table(
    "infos",
    metadata,
    Column("key", String, primary_key=True),
    Column("value", JSON, nullable=False),
)
