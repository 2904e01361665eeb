"""The first tables.

Written out rather than taken from ``tables``: what a migration did must not change with the code.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from jupyter_mlops.store.migrations.columns import MOMENT, RECORD, REVISION

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "revisions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("number", REVISION, nullable=False),
    )
    op.execute("INSERT INTO revisions (id, number) VALUES (1, 0)")
    op.create_table(
        "sweeps",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("path", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("archived", sa.Boolean, nullable=False),
        sa.Column("deleted_at", MOMENT),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("revision", REVISION, nullable=False),
        sa.Column("record", RECORD, nullable=False),
        sa.Column("notebook", sa.LargeBinary, nullable=False),
    )
    op.create_index("sweeps_revision", "sweeps", ["revision"])
    op.create_index("sweeps_path", "sweeps", ["path"])
    op.create_table(
        "runs",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("sweep_id", sa.String, sa.ForeignKey("sweeps.id", ondelete="CASCADE"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("tracked", sa.Boolean, nullable=False),
        sa.Column("revision", REVISION, nullable=False),
        sa.Column("record", RECORD, nullable=False),
        sa.UniqueConstraint("sweep_id", "number", name="runs_once"),
    )
    op.create_index("runs_revision", "runs", ["sweep_id", "revision"])
    op.create_index("runs_state", "runs", ["sweep_id", "state"])
    op.create_table(
        "drafts",
        sa.Column("path", sa.String, primary_key=True),
        sa.Column("record", RECORD, nullable=False),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("owner", sa.String, nullable=False),
    )
    op.create_table(
        "infos",
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("value", RECORD, nullable=False),
    )
