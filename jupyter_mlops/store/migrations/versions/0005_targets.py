"""Targets that were added to those that are always there."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from jupyter_mlops.store.migrations.columns import RECORD

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add their table."""
    op.create_table(
        "targets",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("record", RECORD, nullable=False),
    )
