"""Where an attempt's time goes."""

from __future__ import annotations

import time

from ..core.runs import Timing


class Clock:
    """Started when an attempt begins; told when its kernel is ready and when its cells are done."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._ready: float | None = None
        self._done: float | None = None

    def kernel_ready(self) -> None:
        """The first cell is about to be executed; only the first such moment counts."""
        self._ready = self._ready or time.monotonic()

    def cells_done(self) -> None:
        """No further cell is executed."""
        self._done = time.monotonic()

    def timing(self) -> Timing:
        """Seconds until now by phase; phases that were not reached took none."""
        now = time.monotonic()
        ready = self._ready or now
        done = self._done or now
        return Timing(
            start=round(ready - self._began, 4),
            cells=round(done - ready, 4),
            finish=round(now - done, 4),
        )
