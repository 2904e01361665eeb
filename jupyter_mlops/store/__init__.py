"""The store of sweeps, runs and pipelines; no other package uses SQL.

Every write is one transaction that takes the next revision number and stamps it on the records it changed, so readers
that ask for everything after a revision miss nothing. States change by compare-and-set along the tables of
``core.states``. Late writes are refused: a run's writes name their attempt, the service's writes the epoch of its
lease.
"""

from __future__ import annotations

from .base import Epoch, StaleEpochError, StoreFailedError
from .firing import Firing
from .pipeline_rows import health_key
from .store import Store

__all__ = ["Epoch", "Firing", "StaleEpochError", "Store", "StoreFailedError", "health_key"]
