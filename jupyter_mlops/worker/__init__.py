"""Executes attempts of runs inside a Dask worker's process.

Importing this package imports only the standard library; the first attempt imports papermill.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .capabilities import worker_report
    from .fork.client import ForkServerLostError
    from .run import live_attempts, run_attempt, stop_attempt

__all__ = ["ForkServerLostError", "live_attempts", "run_attempt", "stop_attempt", "worker_report"]
_OTHER_MODULES = {"worker_report": "capabilities", "ForkServerLostError": "fork.client"}


def __getattr__(name: str) -> Any:
    # lazy, so that the guardian process stays small
    if name not in __all__:
        raise AttributeError(name)
    return getattr(importlib.import_module(f".{_OTHER_MODULES.get(name, 'run')}", __name__), name)
