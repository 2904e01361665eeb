"""Metrics as the embedded MLflow receives them, read from its database file."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from ..core.curves import Logged
from .fields import OWNER, milliseconds

NEWEST = 2**62

# a run that the notebook started itself names its owner in a tag
_SINCE = f"""
    SELECT coalesce(tags.value, metrics.run_uuid), metrics.key, step, metrics.value, is_nan
    FROM metrics LEFT JOIN tags ON tags.run_uuid = metrics.run_uuid AND tags.key = '{OWNER}'
    WHERE metrics.rowid > ? AND metrics.rowid <= ? ORDER BY metrics.rowid"""
# but for the values that ``fields.log_values`` adds after the end
_OF_OWNER = f"""
    SELECT key, step, value, is_nan FROM metrics
    WHERE run_uuid IN (SELECT :owner UNION SELECT run_uuid FROM tags WHERE key = '{OWNER}' AND value = :owner)
    AND rowid <= :row AND NOT (run_uuid = :owner AND timestamp = :ended AND step = 0) ORDER BY rowid"""


class MetricLog:
    """The metrics in the embedded MLflow's file; MLflow only ever adds rows for runs under way.

    An owner is the id of a run's child run in MLflow: the notebook logs to that, or to runs tagged with it.

    All methods raise :class:`sqlite3.Error` if the file cannot be read now.
    """

    def __init__(self, file: Path) -> None:
        self.file = file

    def newest(self) -> int:
        """Number of the newest row, 0 if there is none."""
        with self._open() as database:
            return int(database.execute("SELECT coalesce(max(rowid), 0) FROM metrics").fetchone()[0])

    def between(self, after: int, row: int) -> dict[str, Logged]:
        """What was logged after one row up to another, by owner."""
        found: dict[str, Logged] = {}
        with self._open() as database:
            for owner, name, step, value, is_nan in database.execute(_SINCE, (after, row)):
                found.setdefault(owner, []).append((name, step, math.nan if is_nan else value))
        return found

    def of_owner(self, owner: str, row: int = NEWEST, ended_at: str = "") -> Logged:
        """All that was logged for an owner, up to a row.

        Args:
            ended_at: when its attempt ended, if it has.
        """
        ended = milliseconds(ended_at) if ended_at else -1
        with self._open() as database:
            rows = database.execute(_OF_OWNER, {"owner": owner, "row": row, "ended": ended})
            return [(name, step, math.nan if is_nan else value) for name, step, value, is_nan in rows]

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        # never make the file: MLflow does
        with closing(sqlite3.connect(f"{self.file.as_uri()}?mode=rw", uri=True)) as database:
            yield database
