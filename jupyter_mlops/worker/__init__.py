"""Executes attempts of runs inside a Dask worker's process.

Importing this package imports only the standard library; the first attempt imports papermill.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .capabilities import worker_report
    from .fork.client import ForkServerLostError
    from .run import live_attempts, run_attempt, stop_attempt

__all__ = ["ForkServerLostError", "live_attempts", "run_attempt", "stop_attempt", "worker_report"]


def __getattr__(name: str) -> Any:
    # lazy, so that the guardian process stays small
    if name == "worker_report":
        from .capabilities import worker_report

        return worker_report
    if name == "ForkServerLostError":
        from .fork.client import ForkServerLostError

        return ForkServerLostError
    if name in __all__:
        from . import run

        return getattr(run, name)
    raise AttributeError(name)
