"""The state of one attempt of one run while it lives, and how it is ended from outside."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from ..core.record import now
from ..core.runs import KernelStart, RunSpec, Timing
from .attempt_files import Snapshot
from .failures import EndedError, memory_used
from .hiding import NOTHING
from .inputs import State

if TYPE_CHECKING:
    from jupyter_client.kernelspec import KernelSpec

    from .processes.groups import ProcessGroup

Report = Callable[[dict[str, Any]], None]

_PROGRESS_INTERVAL = 0.25  # s between two reports of finished cells

logger = logging.getLogger(__name__)


class Ending(StrEnum):
    """Why an attempt is ended from outside its notebook."""

    STOPPED = "stopped"
    CELL_TIMEOUT = "cell timeout"
    RUN_TIMEOUT = "run timeout"
    MEMORY = "memory"


class Attempt:
    """What is known of an attempt while it lives. ``end`` may be called from any thread.

    Attributes:
        kernelspec: what its kernel is started by; known once it is executed.
        injected: index of the cell with the run's values, None where there is none.
        shared_end: index of the first cell that is not shared, as the notebook is executed.
        finished: whether all cells were executed.
        language: that its kernel speaks, known at the end.
        loaded: files that modules were loaded from.
        opened: files that were opened for reading, or match the patterns of the step's inputs.
        variables, unfit: named variables to hand on, and what is wrong with others.
        outputs: all that is handed on.
        hiding: takes the step's secrets out of all that is kept.
    """

    def __init__(self, spec: RunSpec, report: Report, worker: str) -> None:
        self.spec = spec
        self.worker = worker
        self.cell = 0
        self.cells = 0
        self.cell_index: int | None = None
        self.ending: Ending | None = None
        self.group: ProcessGroup | None = None
        self.metrics: dict[str, float] = {}
        self.warnings: list[str] = []
        self.clock = Clock()
        self.kernelspec: KernelSpec
        self.injected: int | None = None
        self.shared_end = 0
        self.files: Snapshot = {}
        self.kernel_start: KernelStart = ""
        self.kernel_reason = ""
        self.finished = False
        self.language = ""
        self.loaded: list[str] = []
        self.opened: dict[str, State] = {}
        self.variables: dict[str, Any] = {}
        self.unfit: dict[str, str] = {}
        self.outputs: dict[str, Any] = {}
        self.hiding = NOTHING
        self._report = report
        self._lock = threading.Lock()
        self._earlier_cpu = 0.0
        self._earlier_memory = 0
        self._pending = False
        self._next_report = 0.0

    def end(self, why: Ending) -> None:
        """End the kernel and everything it started; the first reason given stays."""
        with self._lock:
            self.ending = self.ending or why
            group = self.group
        if group is not None:
            group.sample()
            group.kill()

    def kernel_started(self, group: ProcessGroup) -> None:
        """There is a process now that ``end`` has to end; an earlier one is none of the attempt's any more."""
        with self._lock:
            if self.group is not None:
                self._earlier_cpu += self.group.cpu_seconds
                self._earlier_memory = max(self._earlier_memory, self.group.peak_memory)
            self.group = group
            ending = self.ending
        if ending is not None:
            group.kill()

    def limit(self, why: Ending, seconds: float | None) -> asyncio.TimerHandle | None:
        """End the attempt in so many seconds unless the timer is cancelled."""
        if seconds is None:
            return None
        return asyncio.get_running_loop().call_later(seconds, self.end, why)

    def ended(self) -> EndedError:
        """The exception that says why it was ended."""
        where = f"Cell {self.cell + 1} of {self.cells}" if self.cells else "The kernel"
        if self.ending is Ending.CELL_TIMEOUT:
            return EndedError(f"{where} took longer than {self.spec.cell_timeout:g} s and was ended.")
        if self.ending is Ending.RUN_TIMEOUT:
            return EndedError(f"The run took longer than {self.spec.run_timeout:g} s and was ended.")
        if self.ending is Ending.MEMORY and self.memory_limit is not None:
            return EndedError(memory_used(self.peak_memory or 0, self.memory_limit), "Memory")
        return EndedError("Stopped.")

    def raise_if_ended(self) -> None:
        """Raise :class:`EndedError` where the attempt was ended from outside."""
        if self.ending is not None:
            raise self.ended()

    def warn(self, sentence: str) -> None:
        """Add a sentence that a person should read beside the result."""
        sentence = self.hiding.text(sentence)
        if sentence not in self.warnings:
            self.warnings.append(sentence)

    @property
    def memory_limit(self) -> int | None:
        """Bytes that the kernel and all it starts may hold."""
        return None if self.spec.extras is None else self.spec.extras.memory

    def end_if_too_large(self) -> None:
        """End it where it was last seen to hold more memory than it may."""
        limit = self.memory_limit
        if limit is not None and self.ending is None and (self.peak_memory or 0) > limit:
            self.end(Ending.MEMORY)

    @property
    def cpu_seconds(self) -> float | None:
        """CPU time of its kernels and all they started."""
        return None if self.group is None else round(self._earlier_cpu + self.group.cpu_seconds, 3)

    @property
    def peak_memory(self) -> int | None:
        """Bytes its kernel and all that this started held at most."""
        return None if self.group is None else max(self._earlier_memory, self.group.peak_memory)

    def began(self, cells: int, shared: int = 0) -> None:
        """The kernel is ready.

        Args:
            cells: number of code cells in all.
            shared: how many of these were executed for it before.
        """
        self.cells = cells
        self.cell = shared
        self.clock.kernel_ready()
        # what is done within the first moment comes with the result
        self._next_report = time.monotonic() + _PROGRESS_INTERVAL
        self._send("started")

    def starts_over(self) -> None:
        """What its cells did so far does not count."""
        self.cell = 0
        self.cell_index = None

    def cell_done(self) -> None:
        """One more code cell is finished."""
        self.cell += 1
        self._pending = True
        if time.monotonic() >= self._next_report:
            self.flush()

    def flush(self) -> None:
        """Report finished cells that were not reported yet."""
        if self._pending:
            self._pending = False
            self._next_report = time.monotonic() + _PROGRESS_INTERVAL
            self._send("cell")

    def _send(self, kind: str) -> None:
        event = {
            "run_id": self.spec.run_id,
            "attempt": self.spec.attempt,
            "kind": kind,
            "cell": self.cell,
            "cells": self.cells,
            "name": self.worker,  # Dask writes the worker's address as "worker"
            "time": now(),
        }
        try:
            self._report(event)
        except Exception as error:  # the result is what counts; progress may be lost
            logger.warning("progress of run %s could not be reported: %s", self.spec.run_id, error)


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
