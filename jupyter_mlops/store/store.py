"""The store: one repository per noun on one database."""

from __future__ import annotations

import copy
from typing import Self

from .base import Database, Epoch, present_revision
from .blobs import BlobStore
from .curves import CurveStore
from .engine import BeforeMigration
from .leases import InfoStore, LeaseStore
from .pipeline_runs import PipelineRunStore
from .pipelines import PipelineStore
from .runs import RunStore
from .sweeps import SweepStore
from .targets import TargetStore
from .triggers import TriggerStore


class Store:
    """Sweeps, runs and pipelines, shared by any number of processes and threads.

    Args:
        url: SQLAlchemy address of a SQLite file or a PostgreSQL database; a missing file is created, and an older store
            migrated.
        before_migration: see :func:`~.engine.open_engine`.
    """

    def __init__(self, url: str, before_migration: BeforeMigration | None = None) -> None:
        self._compose(Database(url, before_migration))

    def _compose(self, database: Database) -> None:
        self._database = database
        self.sweeps = SweepStore(database)
        self.runs = RunStore(database)
        self.curves = CurveStore(database)
        self.pipelines = PipelineStore(database)
        self.pipeline_runs = PipelineRunStore(database)
        self.triggers = TriggerStore(database)
        self.targets = TargetStore(database)
        self.blobs = BlobStore(database)
        self.leases = LeaseStore(database)
        self.infos = InfoStore(database)

    def under(self, epoch: Epoch) -> Self:
        """The same store for the holder of a lease.

        Each of its writes raises :class:`StaleEpochError` once the lease was taken over.
        """
        database = copy.copy(self._database)
        database.epoch = epoch
        held = copy.copy(self)
        held._compose(database)
        return held

    def close(self) -> None:
        """Close all connections."""
        self._database.engine.dispose()

    def revision(self) -> int:
        """Number of the last change."""
        with self._database.read() as connection:
            return present_revision(connection)
