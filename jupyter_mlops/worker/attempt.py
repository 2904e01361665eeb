"""The state of a running attempt, and how to end it from outside."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from ..core.messages import Message
from ..core.record import now
from ..core.runs import KernelStart, RunSpec, Timing
from .attempt_files import Snapshot, curves_file
from .curves import KernelCurves
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
    """Why an attempt was ended from outside its notebook."""

    STOPPED = "stopped"
    PRUNED = "pruned"
    CELL_TIMEOUT = "cell timeout"
    RUN_TIMEOUT = "run timeout"
    MEMORY = "memory"


class Attempt:
    """The state of a running attempt. ``end`` is thread-safe.

    Attributes:
        kernelspec: set once execution begins.
        injected: index of the injected parameters cell, None if there is none.
        shared_end: index of the first cell that is not shared, in the executed notebook.
        finished: whether all cells were executed.
        language: of the kernel, set after the last cell.
        loaded: files of the imported modules.
        opened: files that were opened for reading, or match the step's input patterns.
        variables: output variables.
        unfit: by name of other output variables, why they cannot be outputs.
        outputs: all outputs of the step.
        hiding: removes the step's secrets from everything that is stored.
        curves: what the notebook logs elsewhere than to the embedded MLflow.
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
        self.warnings: list[Message] = []
        self.clock = Clock()
        self.kernelspec: KernelSpec
        self.injected: int | None = None
        self.shared_end = 0
        self.files: Snapshot = {}
        self.kernel_start: KernelStart = ""
        self.kernel_reason = Message()
        self.finished = False
        self.language = ""
        self.loaded: list[str] = []
        self.opened: dict[str, State] = {}
        self.variables: dict[str, Any] = {}
        self.unfit: dict[str, str] = {}
        self.outputs: dict[str, Any] = {}
        self.hiding = NOTHING
        self.curves = KernelCurves(curves_file(spec))
        self._report = report
        self._lock = threading.Lock()
        self._earlier_cpu = 0.0
        self._earlier_memory = 0
        self._pending = False
        self._next_report = 0.0

    def end(self, why: Ending) -> None:
        """Kill the kernel and all its processes; the first reason stays."""
        with self._lock:
            self.ending = self.ending or why
            group = self.group
        if group is not None:
            group.sample()
            group.kill()

    def kernel_started(self, group: ProcessGroup) -> None:
        """Set the process group that ``end`` kills, replacing an earlier one."""
        with self._lock:
            if self.group is not None:
                self._earlier_cpu += self.group.cpu_seconds
                self._earlier_memory = max(self._earlier_memory, self.group.peak_memory)
            self.group = group
            ending = self.ending
        if ending is not None:
            group.kill()

    def limit(self, why: Ending, seconds: float | None) -> asyncio.TimerHandle | None:
        """End the attempt after some seconds unless the timer is cancelled."""
        if seconds is None:
            return None
        return asyncio.get_running_loop().call_later(seconds, self.end, why)

    def ended(self) -> EndedError:
        """The exception for an attempt that was ended."""
        where = f"Cell {self.cell + 1} of {self.cells}" if self.cells else "The kernel"
        if self.ending is Ending.CELL_TIMEOUT:
            return EndedError(
                Message(
                    "{where} took longer than {cell_timeout:g} s and was ended.",
                    where=where,
                    cell_timeout=self.spec.cell_timeout,
                )
            )
        if self.ending is Ending.RUN_TIMEOUT:
            return EndedError(
                Message("The run took longer than {run_timeout:g} s and was ended.", run_timeout=self.spec.run_timeout)
            )
        if self.ending is Ending.MEMORY and self.memory_limit is not None:
            return EndedError(memory_used(self.peak_memory or 0, self.memory_limit), "Memory")
        return EndedError(Message("Pruned.") if self.ending is Ending.PRUNED else Message("Stopped."))

    def raise_if_ended(self) -> None:
        """Raise :class:`EndedError` if the attempt was ended from outside."""
        if self.ending is not None:
            raise self.ended()

    def warn(self, sentence: Message) -> None:
        """Add a warning to the result."""
        sentence = self.hiding.message(sentence)
        if sentence not in self.warnings:
            self.warnings.append(sentence)

    @property
    def memory_limit(self) -> int | None:
        """Memory limit in bytes for the kernel and its child processes."""
        return None if self.spec.extras is None else self.spec.extras.memory

    def end_if_too_large(self) -> None:
        """End the attempt if it exceeded its memory limit."""
        limit = self.memory_limit
        if limit is not None and self.ending is None and (self.peak_memory or 0) > limit:
            self.end(Ending.MEMORY)

    @property
    def cpu_seconds(self) -> float | None:
        """CPU time of its kernels and their child processes."""
        return None if self.group is None else round(self._earlier_cpu + self.group.cpu_seconds, 3)

    @property
    def peak_memory(self) -> int | None:
        """Peak memory in bytes of its kernels and their child processes."""
        return None if self.group is None else max(self._earlier_memory, self.group.peak_memory)

    def began(self, cells: int, shared: int = 0) -> None:
        """Report that the kernel is ready.

        Args:
            cells: total number of code cells.
            shared: number of shared cells, already executed.
        """
        self.cells = cells
        self.cell = shared
        self.clock.kernel_ready()
        # very short runs report progress only with their result
        self._next_report = time.monotonic() + _PROGRESS_INTERVAL
        self._send("started")

    def starts_over(self) -> None:
        """Reset the progress."""
        self.cell = 0
        self.cell_index = None

    def cell_done(self) -> None:
        """Count a finished code cell."""
        self.cell += 1
        self._pending = True
        if time.monotonic() >= self._next_report:
            self.flush()

    def flush(self) -> None:
        """Report finished cells not reported yet."""
        if self._pending:
            self._pending = False
            self._next_report = time.monotonic() + _PROGRESS_INTERVAL
            self._send("cell")

    def report_metrics(self) -> None:
        """Report what was logged since the last call."""
        if curves := self.curves.news(self.hiding):
            self._send("metric", curves=[msgspec.to_builtins(curve) for curve in curves])

    def _send(self, kind: str, **more: Any) -> None:
        event = {
            "run_id": self.spec.run_id,
            "attempt": self.spec.attempt,
            "kind": kind,
            "cell": self.cell,
            "cells": self.cells,
            "name": self.worker,  # Dask writes the worker's address as "worker"
            "time": now(),
            **more,
        }
        try:
            self._report(event)
        except (OSError, RuntimeError) as error:  # the connection is closed; losing progress is acceptable
            logger.warning("progress of run %s could not be reported: %s", self.spec.run_id, error)


class Clock:
    """Measures the phases of an attempt."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._ready: float | None = None
        self._done: float | None = None

    def kernel_ready(self) -> None:
        """Mark the start of the first cell; only the first call counts."""
        self._ready = self._ready or time.monotonic()

    def cells_done(self) -> None:
        """Mark the end of the last cell."""
        self._done = time.monotonic()

    def timing(self) -> Timing:
        """Seconds per phase so far; phases not reached count zero."""
        now = time.monotonic()
        ready = self._ready or now
        done = self._done or now
        return Timing(
            start=round(ready - self._began, 4),
            cells=round(done - ready, 4),
            finish=round(now - done, 4),
        )
