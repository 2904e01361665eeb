"""Floor 2: targets, the named places that lend slots. Dask is imported when one is started."""

from __future__ import annotations

from .targets import Targets, WorkerLostError

__all__ = ["Targets", "WorkerLostError"]
