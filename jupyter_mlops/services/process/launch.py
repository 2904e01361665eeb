"""Starting the service in a session of its own, and asking how it is."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ...core.errors import UnavailableError
from ...core.lenient import decode
from ...core.messages import Message
from ...core.processes import PYTHON
from ...core.service import ServiceInfo
from ...core.states import RUN_LIVE, PipelineRunState, SweepState
from ...core.sweeps import Sweep
from ...private import private
from ...settings import MlopsSettings
from .layout import Layout
from .unit import start_unit

if TYPE_CHECKING:
    # a Jupyter server that looks for schedules as it starts opens no store
    from ...store import Store

_LOG_LIMIT = 5_000_000


def info_key(layout: Layout) -> str:
    """Under which name a service says how it is."""
    return f"service:{layout.service}"


def take_lock(path: Path) -> IO[str] | None:
    """Take the service's lock, or None where another process lives and holds it.

    The kernel frees the lock however its holder ends, so there is nothing to clean up after a kill.
    """
    file = os.fdopen(private(str(path), os.O_RDWR | os.O_CREAT | os.O_APPEND), "a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def is_running(settings: MlopsSettings) -> bool:
    """Whether a service lives that works on this data folder."""
    lock = take_lock(Layout(settings.data_path).lock)
    if lock is None:
        return True
    lock.close()
    return False


def hold_back(settings: MlopsSettings) -> None:
    """A person wants no service: none is started until a person asks for something again.

    Raises:
        UnavailableError: this cannot be written down.
    """
    try:
        Layout(settings.data_path).held_back.touch(mode=0o600)
    except OSError as error:
        raise UnavailableError(
            Message(
                "{data_path} cannot be written ({error}); free disk space.", data_path=settings.data_path, error=error
            )
        ) from error


def release(settings: MlopsSettings) -> None:
    """A person asked for something: the service may be started again."""
    Layout(settings.data_path).held_back.unlink(missing_ok=True)


def is_held_back(settings: MlopsSettings) -> bool:
    """Whether a person ended the service and asked for nothing since."""
    return Layout(settings.data_path).held_back.exists()


def ensure_service(settings: MlopsSettings, wait: float = 0.0) -> None:
    """Start the service where none runs, because a person asked for something; it goes on when this process ends.

    Args:
        settings: handed on to it.
        wait: seconds to wait until it holds its lock.

    Raises:
        UnavailableError: it ended at once; the sentence names its log.
    """
    release(settings)
    if not settings.start_service or is_running(settings):
        return
    process = _launch(settings)
    deadline = time.monotonic() + wait
    while time.monotonic() < deadline and not is_running(settings):
        if process is not None and process.poll() not in (None, 0):
            log = Layout(settings.data_path).log
            raise UnavailableError(Message("The service ended as it started; its log is {log}.", log=log))
        time.sleep(0.05)


def revive_service(store: Store | None, settings: MlopsSettings) -> bool:
    """Start the service where none lives though there is work or a schedule, without anybody's asking.

    Args:
        store: asked for work; None where it is not open, so that schedules alone count.

    Returns:
        whether it was started. It is not waited for.
    """
    if not settings.start_service or is_held_back(settings) or is_running(settings):
        return False
    layout = Layout(settings.data_path)
    if not layout.scheduled.exists() and (store is None or not has_work(store, layout.service)):
        return False
    _launch(settings)
    return True


def has_work(store: Store, service: str) -> bool:
    """Whether a sweep or a pipeline's run waits for a service, or is with it."""
    if any(_waits(sweep) for sweep in store.sweeps.find(live=True) if sweep.service in ("", service)):
        return True
    for run in store.pipeline_runs.find(states=[PipelineRunState.QUEUED, PipelineRunState.RUNNING]):
        if (run.service or store.pipelines.get(run.pipeline_id).service) in ("", service):
            return True
    return False


def _waits(sweep: Sweep) -> bool:
    """Whether a live sweep needs a service: one that rests needs none until a person asks for something."""
    rests = sweep.state is SweepState.PAUSED and sweep.pause_requested and not sweep.stop_requested
    return not rests or any(sweep.counts.get(state) for state in RUN_LIVE)


def _launch(settings: MlopsSettings) -> subprocess.Popen[bytes] | None:
    """The process started; None where systemd started it."""
    if start_unit(settings):
        return None
    layout = Layout(settings.data_path)
    with _log_file(layout.log) as log:
        return subprocess.Popen(
            [*PYTHON, "-m", "jupyter_mlops.service"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
            env=os.environ | {"JUPYTER_MLOPS_SETTINGS": json.dumps(settings.values())},
        )


def service_info(store: Store, settings: MlopsSettings) -> ServiceInfo:
    """How the service is; what it last said of itself counts only while it lives."""
    if not is_running(settings):
        return ServiceInfo(state="off")
    said = store.infos.get(info_key(Layout(settings.data_path)))
    if said is None:
        return ServiceInfo(state="starting")
    return decode(said, ServiceInfo)


def service_log(settings: MlopsSettings, size: int = 64_000) -> str:
    """The end of the service's log, at most ``size`` bytes."""
    path = Layout(settings.data_path).log
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - size))
        return file.read().decode(errors="replace")


@contextmanager
def _log_file(path: Path) -> Iterator[IO[bytes]]:
    if path.exists() and path.stat().st_size > _LOG_LIMIT:
        path.replace(path.with_suffix(".log.1"))
    with open(path, "ab", opener=private) as file:
        yield file
