"""Starts the service in its own session, and reports its state."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import msgspec

from ...core.errors import UnavailableError
from ...core.lenient import decode
from ...core.messages import Message, to_store
from ...core.processes import PYTHON, build_on_disk, is_same_build, own_build
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

END_SECONDS = 60.0  # a service ends its MLflow and lets go of its targets
_LOG_LIMIT = 5_000_000


def info_key(layout: Layout) -> str:
    """Key of a service's state in the store."""
    return f"service:{layout.service}"


def take_lock(path: Path) -> IO[str] | None:
    """Take the service's lock; None if another process holds it.

    The kernel frees the lock however its holder ends.
    """
    file = os.fdopen(private(str(path), os.O_RDWR | os.O_CREAT | os.O_APPEND), "a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def own_info() -> ServiceInfo:
    """What a service says of itself as it starts."""
    return ServiceInfo(
        state="starting", pid=os.getpid(), host=socket.gethostname(), python=sys.executable, build=own_build()
    )


def write_into(lock: IO[str], info: ServiceInfo) -> None:
    """Have a lock that is held say who holds it, for those that have not opened the store."""
    lock.truncate(0)
    lock.write(msgspec.json.encode(info, enc_hook=to_store).decode())
    lock.flush()


def is_running(settings: MlopsSettings) -> bool:
    """Whether a service is running on this data folder."""
    lock = take_lock(Layout(settings.data_path).lock)
    if lock is None:
        return True
    lock.close()
    return False


def suspend_service(settings: MlopsSettings) -> None:
    """Start no service until a user makes the next request.

    Raises:
        UnavailableError: the data folder cannot be written.
    """
    try:
        Layout(settings.data_path).suspended.touch(mode=0o600)
    except OSError as error:
        raise UnavailableError(
            Message(
                "{data_path} cannot be written ({error}); free disk space.", data_path=settings.data_path, error=error
            )
        ) from error


def resume_service(settings: MlopsSettings) -> None:
    """Allow the service to start again."""
    Layout(settings.data_path).suspended.unlink(missing_ok=True)


def is_suspended(settings: MlopsSettings) -> bool:
    """Whether a user stopped the service and has made no request since."""
    return Layout(settings.data_path).suspended.exists()


def ensure_service(settings: MlopsSettings, wait: float = 0.0) -> None:
    """Start the service on a user's request, unless it runs. It outlives this process.

    One of an earlier build, or of one that is no longer installed, is ended first; its runs go on.

    Args:
        wait: seconds to wait until it holds its lock.

    Raises:
        UnavailableError: it ended at once, or the one before did not end; the sentence names its log.
    """
    resume_service(settings)
    if not settings.start_service:
        return
    if is_running(settings):
        info = _info_of_living(settings)
        if info is None or not _is_here(info) or not _is_outdated(info):
            return
        end_service(settings, info)
    process = _launch(settings)
    deadline = time.monotonic() + wait
    while time.monotonic() < deadline and not is_running(settings):
        if process is not None and process.poll() not in (None, 0):
            log = Layout(settings.data_path).log
            raise UnavailableError(Message("The service ended as it started; its log is {log}.", log=log))
        time.sleep(0.05)


def revive_service(store: Store | None, settings: MlopsSettings) -> bool:
    """Start the service if there is work or a schedule but no service, without waiting for it.

    Args:
        store: None if it is not open; then only schedules count.

    Returns:
        whether the service was started.
    """
    if not settings.start_service or is_suspended(settings) or is_running(settings):
        return False
    layout = Layout(settings.data_path)
    if not layout.scheduled.exists() and (store is None or not has_work(store, layout.service)):
        return False
    _launch(settings)
    return True


def has_work(store: Store, service: str) -> bool:
    """Whether a service has unfinished sweeps or pipeline runs."""
    if any(_waits(sweep) for sweep in store.sweeps.find(live=True) if sweep.service in ("", service)):
        return True
    for run in store.pipeline_runs.find(states=[PipelineRunState.QUEUED, PipelineRunState.RUNNING]):
        if (run.service or store.pipelines.get(run.pipeline_id).service) in ("", service):
            return True
    return False


def _waits(sweep: Sweep) -> bool:
    """Whether a live sweep needs a service; a paused one without live runs needs none."""
    rests = sweep.state is SweepState.PAUSED and sweep.pause_requested and not sweep.stop_requested
    return not rests or any(sweep.counts.get(state) for state in RUN_LIVE)


def open_store(settings: MlopsSettings) -> Store:
    """The store, for a process that is no service.

    A service of another build is ended before the store is migrated; its runs go on.

    Raises:
        UnavailableError: the store cannot be opened, or that service does not end or runs on another machine.
    """
    from ...store import Store

    def end_other(said: Mapping[str, Any]) -> None:
        if is_running(settings):
            info = _info_of_living(settings, said)
            if info is not None and not is_same_build(info.build, build_on_disk()):
                end_service(settings, info)

    return Store(settings.store_url, end_other)


def end_service(settings: MlopsSettings, info: ServiceInfo, *, held_back: bool = False) -> None:
    """Have the service end and wait for that; its runs go on.

    Args:
        held_back: whether none is to follow until a person asks for something.

    Raises:
        UnavailableError: it runs on another machine, or does not end in time.
    """
    if info.pid is None or not _is_here(info):
        raise UnavailableError(
            Message("The service runs on {host} as process {pid}; end it there.", host=info.host, pid=info.pid)
        )
    if held_back:
        # before it ends: a server that sees it gone would start another
        suspend_service(settings)
    deadline = time.monotonic() + END_SECONDS
    os.kill(info.pid, signal.SIGTERM)
    while is_running(settings):
        if time.monotonic() > deadline:
            log = Layout(settings.data_path).log
            raise UnavailableError(
                Message("Process {pid} was asked to end and has not; see {log}.", pid=info.pid, log=log)
            )
        time.sleep(0.1)


def _info_of_living(settings: MlopsSettings, said: Mapping[str, Any] | None = None) -> ServiceInfo | None:
    """What the service that holds the lock said of itself; None where it did not yet.

    Args:
        said: what services wrote in the store, by key, where that is at hand.
    """
    layout = Layout(settings.data_path)
    if (text := layout.lock.read_bytes()) and _may_live(info := decode(msgspec.json.decode(text), ServiceInfo)):
        return info
    # releases before builds leave the lock empty
    if said is None:
        store = open_store(settings)
        try:
            said = {info_key(layout): store.infos.get(info_key(layout))}
        finally:
            store.close()
    raw = said.get(info_key(layout))
    return info if raw and _may_live(info := decode(raw, ServiceInfo)) else None


def _may_live(info: ServiceInfo) -> bool:
    """Whether what was written down may be of a living service; another machine's processes cannot be looked at."""
    return info.pid is not None and (info.host != socket.gethostname() or _is_here(info))


def _is_here(info: ServiceInfo) -> bool:
    """Whether a service lives on this machine: what was written down may be older than what runs now."""
    import psutil

    if info.pid is None or info.host != socket.gethostname():
        return False
    try:
        return any("mlops" in part for part in psutil.Process(info.pid).cmdline())
    except psutil.Error:
        return False


def _is_outdated(info: ServiceInfo) -> bool:
    """Whether a service is to be replaced; one of a newer version in another environment is not."""
    build = build_on_disk()
    if is_same_build(info.build, build):
        return False
    return info.python == sys.executable or _version(info.build) < _version(build)


def _version(build: str) -> list[int]:
    return [int(number) for number in re.findall("[0-9]+", build.partition("+")[0])]


def _launch(settings: MlopsSettings) -> subprocess.Popen[bytes] | None:
    """Start the service's process; None if systemd started it."""
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
    """State of the service; what it stored counts only while it runs."""
    if not is_running(settings):
        return ServiceInfo(state="off")
    stored = store.infos.get(info_key(Layout(settings.data_path)))
    return ServiceInfo(state="starting") if stored is None else decode(stored, ServiceInfo)


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
