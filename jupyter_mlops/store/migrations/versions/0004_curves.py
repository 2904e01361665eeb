"""Curves of metrics that runs log while they run."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from jupyter_mlops.store.migrations.columns import RECORD

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add a table."""
    op.create_table(
        "curves",
        sa.Column("run_id", sa.String, sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("attempt", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("record", RECORD, nullable=False),
    )
