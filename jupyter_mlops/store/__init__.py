"""Floor 2: the truth about sweeps, runs and pipelines. The only place that knows SQL.

The law of the store: every write is one transaction that takes the next revision number and stamps
it on what it changed, so a reader that asks for what is newer than the revision it knows misses
nothing. States move by compare-and-set along the tables of ``core.states``. A run's writes name the
attempt they belong to, the service's writes the epoch of its lease; a late one is refused.
"""

from __future__ import annotations

from .base import Epoch, StaleEpochError, StoreFailedError
from .firing import Firing
from .store import Store

__all__ = ["Epoch", "Firing", "StaleEpochError", "Store", "StoreFailedError"]
