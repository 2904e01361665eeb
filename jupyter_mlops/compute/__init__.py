"""Floor 2: targets, the named places that lend slots. Dask is imported when one is started."""

from __future__ import annotations

from .catalog import Catalog, Targets
from .target import Target, WorkerLostError, spooled_result

__all__ = ["Catalog", "Target", "Targets", "WorkerLostError", "spooled_result"]
