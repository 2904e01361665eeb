"""Executing one attempt of one run."""

from __future__ import annotations

import os
import re
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from jupyter_client.kernelspec import NoSuchKernel
from jupyter_core.utils import run_sync
from nbclient.exceptions import CellTimeoutError, DeadKernelError

from ..core.records import RunError, RunResult, RunSpec, now
from ..core.states import RunState
from .files import changed, snapshot
from .kernels import KernelProcess, kernel_environment, kernel_manager
from .metrics import read_metrics, read_own_runs

TOPIC = "jupyter-mlops"
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_live: dict[tuple[str, int], _Attempt] = {}
_live_lock = threading.Lock()

Report = Callable[[dict[str, Any]], None]


def run_attempt(spec: RunSpec, report: Report | None = None) -> RunResult:
    """Execute one attempt; what the notebook does wrong is in the result, never raised.

    Beside the result it leaves ``output.ipynb`` (as far as it got) and ``result.json`` in the
    attempt's folder, the latter last: where it exists, the attempt is over.

    Args:
        spec: what to run and where.
        report: called with progress; by default it goes to the Dask scheduler as events.
    """
    attempt = _Attempt(spec, report or _dask_report())
    with _live_lock:
        _live[attempt.key] = attempt
    try:
        result = attempt.run()
        attempt.spool(result)
        return result
    finally:
        with _live_lock:
            del _live[attempt.key]


def stop_attempt(run_id: str, attempt: int) -> bool:
    """End an attempt's kernel at once; False where it is not here (any more)."""
    with _live_lock:
        found = _live.get((run_id, attempt))
    if found is None:
        return False
    found.end("stopped")
    return True


def live_attempts() -> list[tuple[str, int]]:
    """Run id and number of the attempts in this process."""
    with _live_lock:
        return list(_live)


class _Attempt:
    def __init__(self, spec: RunSpec, report: Report) -> None:
        self.spec = spec
        self.key = (spec.run_id, spec.attempt)
        self.report = report
        self.folder = Path(spec.directory) / str(spec.attempt)
        self.files = Path(spec.directory) / "files"
        self.process: KernelProcess | None = None
        self.ended: str | None = None  # why we ended the kernel ourselves
        self.metrics: dict[str, float] = {}
        self.warnings: list[str] = []
        self.cells = 0
        self.finished = 0
        self._lock = threading.Lock()

    def end(self, why: str) -> None:
        with self._lock:
            self.ended = self.ended or why
            process = self.process
        if process is not None:
            process.kill()

    def run(self) -> RunResult:
        self.started_at = now()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.files.mkdir(parents=True, exist_ok=True)
        before = snapshot(Path(self.spec.folder))
        timer = threading.Timer(self.spec.run_timeout or 0, self.end, ["timeout"])
        timer.daemon = True
        if self.spec.run_timeout:
            timer.start()
        try:
            error = self._execute()
        finally:
            timer.cancel()
        state = RunState.FAILED if error else RunState.SUCCEEDED
        if self.ended == "stopped":
            state, error = RunState.STOPPED, None
        return RunResult(
            run_id=self.spec.run_id,
            attempt=self.spec.attempt,
            state=state,
            started_at=self.started_at,
            ended_at=now(),
            metrics=self.metrics,
            error=error,
            cell=self.finished,
            cells=self.cells,
            peak_memory=self.process.peak_memory if self.process else None,
            cpu_seconds=round(self.process.cpu_seconds, 3) if self.process else None,
            warnings=self.warnings,
            written=changed(before, snapshot(Path(self.spec.folder))),
            worker=_worker_name(),
        )

    def spool(self, result: RunResult) -> None:
        beside = self.folder / "result.tmp"
        beside.write_bytes(msgspec.json.encode(result))
        os.replace(beside, self.folder / "result.json")
        self._say("finished")

    def _execute(self) -> RunError | None:
        import papermill.iorw
        import papermill.parameterize
        from papermill.engines import papermill_engines
        from papermill.exceptions import PapermillException

        from .engine import ENGINE, Progress

        spec = self.spec
        try:
            notebook = papermill.iorw.load_notebook_node(spec.notebook)
            if spec.parameters:
                notebook = papermill.parameterize.parameterize_notebook(
                    notebook, spec.parameters, kernel_name=spec.kernel
                )
        except (PapermillException, ValueError) as error:
            return RunError(name=type(error).__name__, message=f"The parameters could not be put in: {error}")
        self.cells = sum(cell.cell_type == "code" for cell in notebook.cells)
        language = str(notebook.metadata.get("kernelspec", {}).get("language") or "python").lower()
        progress = Progress(notebook, str(self.folder / "output.ipynb"), self._on_cell)
        with kernel_manager(spec.kernel) as manager:
            try:
                papermill_engines.execute_notebook_with_engine(
                    ENGINE,
                    notebook,
                    kernel_name=spec.kernel,
                    progress=progress,
                    km=manager,
                    cwd=spec.folder,
                    env=self._environment(),
                    timeout=spec.cell_timeout,
                    max_output=spec.max_output,
                    on_kernel=self._on_kernel,
                    epilogue=lambda client: self._read(client, language),
                )
            except (DeadKernelError, CellTimeoutError, NoSuchKernel, RuntimeError, OSError) as error:
                return self._why(error, manager, progress)
            finally:
                self._finish(manager)
        if progress.error is not None:
            return self._cell_error(progress)
        return None

    def _environment(self) -> dict[str, str]:
        spec = self.spec
        own = {
            "MLOPS_RUN_DIR": str(self.files),
            "MLOPS_RUN_ID": spec.run_id,
            "MLOPS_SWEEP_ID": spec.sweep_id,
            "MLOPS_ATTEMPT": str(spec.attempt),
        }
        return kernel_environment(spec.threads, {**spec.env, **own})

    def _on_kernel(self, manager: Any) -> None:
        with self._lock:
            self.process = KernelProcess(manager.provisioner.pid)
            ended = self.ended
        if ended:
            self.process.kill()
        self._say("started")

    def _on_cell(self, finished: int) -> None:
        self.finished = finished
        self._say("cell")

    def _read(self, client: Any, language: str) -> None:
        metrics, warnings = read_metrics(client, self.spec.metrics, language)
        if language == "python" and self.spec.env.get("MLOPS_OWNS_RUNS"):
            own, more = read_own_runs(client, self.spec.env["MLOPS_MLFLOW_RUN_ID"])
            metrics = {**own, **metrics}
            warnings += more
        self.metrics = metrics
        self.warnings += warnings
        if client.cut:
            limit = self.spec.max_output / 1e6
            self.warnings.append(f"Its output went beyond {limit:g} MB and was cut; raise max_output to keep more.")

    def _finish(self, manager: Any) -> None:
        if self.process is None:
            return
        self.process.sample()
        if self.ended is None and self.process.peak_memory:
            # orderly first: what a notebook registered with atexit is still written
            run_sync(_shut_down)(manager)
        self.process.kill()

    def _why(self, error: Exception, manager: Any, progress: Any) -> RunError:
        cell = _running_cell(progress.nb)
        where = "" if cell is None else f" in cell {cell + 1}"
        if isinstance(error, NoSuchKernel):
            from jupyter_client.kernelspec import KernelSpecManager

            known = ", ".join(sorted(KernelSpecManager().find_kernel_specs())) or "none"
            return RunError(
                name="NoSuchKernel",
                message=f"The worker has no kernel “{self.spec.kernel}”; it has {known}.",
            )
        if self.ended == "timeout":
            return RunError(
                name="Timeout", message=f"The run took longer than {self.spec.run_timeout:g} s{where} and was ended.", cell=cell
            )
        if isinstance(error, CellTimeoutError):
            self.ended = "timeout"  # its kernel is busy: it would not hear an orderly end
            return RunError(
                name="Timeout",
                message=f"A cell took longer than {self.spec.cell_timeout:g} s{where}, so the run was ended.",
                cell=cell,
            )
        if isinstance(error, DeadKernelError):
            return RunError(name="KernelDied", message=_death(manager) + where + ".", cell=cell)
        return RunError(name=type(error).__name__, message=f"The kernel could not be started: {error}", cell=cell)

    def _cell_error(self, progress: Any) -> RunError:
        error = progress.error
        cell = _running_cell(progress.nb)
        name, value = str(error.ename), _ANSI.sub("", str(error.evalue)).strip()
        if name == "SystemExit":
            name, message = "Exit", f"The notebook exited with {value}"
        else:
            message = f"{name}: {value.splitlines()[0][:500]}" if value else name
        where = "" if cell is None else f" in cell {cell + 1}"
        return RunError(
            name=name,
            message=f"{message}{where}",
            cell=cell,
            traceback=_ANSI.sub("", str(error.traceback))[-20_000:],
        )

    def _say(self, kind: str) -> None:
        self.report(
            {
                "run_id": self.spec.run_id,
                "attempt": self.spec.attempt,
                "kind": kind,
                "cell": self.finished,
                "cells": self.cells,
                "worker": _worker_name(),
                "time": time.time(),
            }
        )


async def _shut_down(manager: Any) -> None:
    if await manager.is_alive():
        await manager.shutdown_kernel(now=False)


def _running_cell(notebook: Any) -> int | None:
    for index, cell in enumerate(notebook.cells):
        if cell.metadata.get("papermill", {}).get("status") in ("failed", "running"):
            return index
    return None


def _death(manager: Any) -> str:
    process = getattr(manager.provisioner, "process", None)
    code = process.poll() if process is not None else None
    if code is not None and code < 0:
        often = ", often because memory ran out" if code == -9 else ""
        return f"The kernel was ended by signal {-code}{often},"
    return f"The kernel ended with code {code}" if code is not None else "The kernel died"


def _worker_name() -> str:
    worker = _dask_worker()
    return str(worker.name) if worker is not None else f"{socket.gethostname()}:{os.getpid()}"


def _dask_worker() -> Any:
    import sys

    if "distributed" not in sys.modules:
        return None
    from distributed import get_worker

    try:
        return get_worker()
    except ValueError:
        return None


def _dask_report() -> Report:
    worker = _dask_worker()
    if worker is None:
        return lambda event: None
    return lambda event: worker.log_event(TOPIC, event)
