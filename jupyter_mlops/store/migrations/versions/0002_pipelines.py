"""Pipelines, what fires them and what became of it; heartbeats of leases."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from jupyter_mlops.store.migrations.columns import MOMENT, RECORD, REVISION

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables and columns."""
    op.add_column("leases", sa.Column("beat", sa.Integer, nullable=False, server_default="0"))
    op.add_column("sweeps", sa.Column("pipeline_run", sa.String, nullable=False, server_default=""))
    op.add_column("sweeps", sa.Column("service", sa.String, nullable=False, server_default=""))
    op.create_index("sweeps_pipeline_run", "sweeps", ["pipeline_run"])
    op.create_table(
        "blobs",
        sa.Column("sha256", sa.String, primary_key=True),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "pipelines",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("path", sa.String, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("deleted_at", MOMENT),
        sa.Column("revision", REVISION, nullable=False),
        sa.Column("record", RECORD, nullable=False),
    )
    op.create_index("pipelines_revision", "pipelines", ["revision"])
    op.create_table(
        "versions",
        sa.Column("pipeline_id", sa.String, _pipeline(), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("record", RECORD, nullable=False),
    )
    _fires()
    _runs()


def _pipeline() -> sa.ForeignKey:
    return sa.ForeignKey("pipelines.id", ondelete="CASCADE")


def _fires() -> None:
    op.create_table(
        "triggers",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("pipeline_id", sa.String, _pipeline(), nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("upstream", sa.String, nullable=False),
        sa.Column("next_at", MOMENT),
        sa.Column("revision", REVISION, nullable=False),
        sa.Column("record", RECORD, nullable=False),
    )
    op.create_index("triggers_next", "triggers", ["next_at"])
    op.create_index("triggers_pipeline", "triggers", ["pipeline_id"])
    op.create_table(
        "fires",
        sa.Column("trigger_id", sa.String, sa.ForeignKey("triggers.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("scheduled_at", MOMENT, primary_key=True),
        sa.Column("record", RECORD, nullable=False),
    )


def _runs() -> None:
    op.create_table(
        "pipeline_runs",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("pipeline_id", sa.String, _pipeline(), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("service", sa.String, nullable=False),
        sa.Column("revision", REVISION, nullable=False),
        sa.Column("record", RECORD, nullable=False),
        sa.UniqueConstraint("pipeline_id", "number", name="pipeline_runs_once"),
    )
    op.create_index("pipeline_runs_state", "pipeline_runs", ["state"])
    op.create_index("pipeline_runs_revision", "pipeline_runs", ["pipeline_id", "revision"])
    op.create_table(
        "step_runs",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("run_id", sa.String, sa.ForeignKey("pipeline_runs.id", ondelete="CASCADE"), nullable=False),
        sa.Column("pipeline_id", sa.String, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("fingerprint", sa.String, nullable=False),
        sa.Column("revision", REVISION, nullable=False),
        sa.Column("record", RECORD, nullable=False),
    )
    op.create_index("step_runs_run", "step_runs", ["run_id", "position"])
    op.create_index("step_runs_fingerprint", "step_runs", ["fingerprint"])
