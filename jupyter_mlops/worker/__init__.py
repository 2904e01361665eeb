"""Floor 2: what runs inside Dask workers. Imports core, papermill, nbclient and psutil only."""

from __future__ import annotations

from .attempts import live_attempts, run_attempt, stop_attempt
from .report import worker_report

__all__ = ["live_attempts", "run_attempt", "stop_attempt", "worker_report"]
