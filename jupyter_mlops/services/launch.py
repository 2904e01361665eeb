"""Starting the service in a session of its own, and asking how it is."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import msgspec

from ..core.errors import UnavailableError
from ..core.records import ServiceInfo
from ..settings import MlopsSettings
from ..store import Store
from .layout import Layout

INFO_KEY = "service"
_LOG_LIMIT = 5_000_000


def take_lock(path: Path) -> IO[str] | None:
    """Take the service's lock, or None where another process lives and holds it.

    The kernel frees the lock however its holder ends, so there is nothing to clean up after a kill.
    """
    file = path.open("a+", encoding="utf-8")
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


def ensure_service(settings: MlopsSettings, wait: float = 0.0) -> None:
    """Start the service where none runs; it goes on when this process ends.

    Args:
        settings: handed on to it.
        wait: seconds to wait until it holds its lock.

    Raises:
        UnavailableError: it ended at once; the sentence names its log.
    """
    if not settings.start_service or is_running(settings):
        return
    layout = Layout(settings.data_path)
    with _log_file(layout.log) as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyter_mlops.service"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
            env=os.environ | {"JUPYTER_MLOPS_SETTINGS": json.dumps(settings.values())},
        )
    deadline = time.monotonic() + wait
    while time.monotonic() < deadline and not is_running(settings):
        if process.poll() not in (None, 0):
            raise UnavailableError(f"The service ended as it started; its log is {layout.log}.")
        time.sleep(0.05)


def service_info(store: Store, settings: MlopsSettings) -> ServiceInfo:
    """How the service is; what it last said of itself counts only while it lives."""
    if not is_running(settings):
        return ServiceInfo(state="off")
    said = store.info(INFO_KEY)
    if said is None:
        return ServiceInfo(state="starting")
    return msgspec.convert(said, ServiceInfo)


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
    with path.open("ab") as file:
        path.chmod(0o600)
        yield file
