"""Runs, stops and lists attempts in this process."""

from __future__ import annotations

import logging
import socket
import threading

import msgspec

from ..core.errors import InvalidInputError
from ..core.messages import Message, to_store
from ..core.runs import RunResult, RunSpec
from .attempt import Attempt, Ending, Report
from .attempt_files import attempt_folder, write_atomically
from .kernel.environment import dask_worker

TOPIC = "jupyter-mlops"

logger = logging.getLogger(__name__)

_live: dict[tuple[str, int], Attempt] = {}
_live_lock = threading.Lock()


def live_attempts() -> list[tuple[str, int]]:
    """Run id and number of the attempts that this process is executing."""
    with _live_lock:
        return list(_live)


def stop_attempt(run_id: str, attempt: int, why: str = Ending.STOPPED) -> bool:
    """End an attempt; False if this process is not executing it.

    Args:
        why: an :class:`Ending`.
    """
    with _live_lock:
        found = _live.get((run_id, attempt))
    if found is None:
        return False
    found.end(Ending(why))
    return True


# by these names Dask finds them in a worker of another build, whose modules may be others
for function in (live_attempts, stop_attempt):
    function.__module__ = __package__


def run_attempt(spec: RunSpec, report: Report | None = None) -> RunResult:
    """Execute one attempt in this thread; a failing notebook gives a failed result, not an exception.

    Writes ``output.ipynb`` (updated after each cell) and finally ``result.json`` to the attempt's folder.

    Args:
        report: receives progress events; None sends them as Dask events on the topic ``jupyter-mlops``.

    Raises:
        InvalidInputError: this process is already executing that attempt.
        OSError: the result could not be written.
    """
    # the first attempt imports papermill
    from .notebook.execute import execute

    reporter, worker = _reporter(report)
    attempt = Attempt(spec, reporter, worker)
    key = (spec.run_id, spec.attempt)
    with _live_lock:
        if key in _live:
            raise InvalidInputError(
                Message(
                    "Attempt {attempt} of run {run_id} is already being executed here.",
                    attempt=spec.attempt,
                    run_id=spec.run_id,
                )
            )
        _live[key] = attempt
    try:
        folder = attempt_folder(spec)
        folder.mkdir(parents=True, exist_ok=True)
        result = execute(attempt)
        write_atomically(folder / "result.json", msgspec.json.encode(result, enc_hook=to_store))
    finally:
        with _live_lock:
            del _live[key]
    return result


def _reporter(report: Report | None) -> tuple[Report, str]:
    """The progress reporter and this worker's name."""
    worker = dask_worker()
    name = str(worker.name) if worker is not None else socket.gethostname()
    if report is not None:
        return report, name
    if worker is None:
        return (lambda event: logger.debug("%s", event)), name
    # resolved here because only the task's own thread knows its worker
    return lambda event: worker.log_event(TOPIC, event), name
