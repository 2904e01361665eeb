"""Runs the service as a systemd user unit, so that it outlives the login and is restarted."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.errors import UnavailableError
from ...core.messages import Message
from ...core.record import now
from ...core.service import ServiceInfo, ServiceKeep
from ...settings import MlopsSettings
from .launch import ensure_service, is_running, is_suspended, open_store, service_info
from .layout import Layout
from .unit import environment_text, unit_path, unit_text

if TYPE_CHECKING:
    from ...store import Store

BOOTED = Path("/run/systemd/system")
LINGERS = Path("/var/lib/systemd/linger")
PROCESSES = Path("/proc")
COMMAND_SECONDS = 120.0  # systemctl blocks until the service has stopped
START_SECONDS = 30.0


def unit_status(settings: MlopsSettings) -> ServiceKeep:
    """Whether the systemd unit is installed, and whether it can be."""
    path = unit_path(settings)
    problem = _problem()
    if not path.exists():
        return ServiceKeep(installed=False, possible=not problem, unit=str(path), message=problem)
    return ServiceKeep(installed=True, possible=not problem, unit=str(path), message=problem or _lasting_message())


def install(settings: MlopsSettings) -> ServiceKeep:
    """Install the systemd unit with the current settings; it replaces a running service.

    Raises:
        UnavailableError: there is no usable systemd, or it refuses; the message says what to do.
    """
    problem = _problem()
    if problem:
        raise UnavailableError(problem)
    path, began = unit_path(settings), now()
    again = path.exists()
    _write(Layout(settings.data_path).unit_environment, environment_text(settings, os.environ), 0o600)
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, unit_text(settings), 0o644)
    try:
        _systemctl("daemon-reload")
        _systemctl("enable", "--now", path.name)
        if again:
            # the running service has the old settings
            _systemctl("restart", path.name)
    except UnavailableError:
        if not again:
            path.unlink(missing_ok=True)
        raise
    _run("loginctl", "enable-linger")
    keep = unit_status(settings)
    if _runs_before_long(settings, began):
        return keep
    status = Message(
        "The unit was installed, but no service runs yet; “systemctl --user status {unit}” says why.", unit=path.name
    )
    message = Message.together([status, keep.message])
    return ServiceKeep(installed=True, possible=True, unit=str(path), message=message)


def uninstall(settings: MlopsSettings) -> bool:
    """Remove the unit; if something is scheduled, the service goes on without it.

    Returns:
        whether there was a unit.

    Raises:
        UnavailableError: systemd refuses.
    """
    path = unit_path(settings)
    if not path.exists():
        return False
    if not _problem():
        _systemctl("disable", "--now", path.name)
    path.unlink(missing_ok=True)
    Layout(settings.data_path).unit_environment.unlink(missing_ok=True)
    if not _problem():
        _systemctl("daemon-reload")
    if Layout(settings.data_path).scheduled.exists():
        ensure_service(settings)
    return True


def keeper(settings: MlopsSettings, store: Store | None = None) -> tuple[Message, bool]:
    """Which process fires schedules, in a sentence, and whether it ends with the login.

    Args:
        store: opened if None.
    """
    unit = unit_path(settings)
    if not is_running(settings):
        return _absent(settings, unit), True
    info = _info(settings, store)
    if info.pid is None:
        return Message("The service is starting; it fires it."), not unit.exists()
    who = {"pid": info.pid, "host": info.host}
    if info.host == socket.gethostname() and _is_in(unit.name, info.pid):
        if _lingers():
            return Message(
                "The systemd unit {name} fires it (process {pid} on {host}); it starts with the machine.",
                name=unit.name,
                **who,
            ), False
        return Message(
            "The systemd unit {name} fires it (process {pid} on {host}); it ends with your last login.",
            name=unit.name,
            **who,
        ), True
    return Message("The service fires it (process {pid} on {host}); it ends with this machine’s session.", **who), True


def _absent(settings: MlopsSettings, unit: Path) -> Message:
    if is_suspended(settings):
        return Message("The service was stopped: nothing fires it until “jupyter mlops service” starts it again.")
    if unit.exists():
        return Message("No service runs; “systemctl --user start {name}” starts it.", name=unit.name)
    if not settings.start_service:
        return Message("No service runs: nothing fires it until “jupyter mlops service” starts one.")
    return Message("No service runs; one starts with the next Jupyter server, or with the next request.")


def _info(settings: MlopsSettings, store: Store | None) -> ServiceInfo:
    if store is not None:
        return service_info(store, settings)
    opened = open_store(settings)
    try:
        return service_info(opened, settings)
    finally:
        opened.close()


def _runs_before_long(settings: MlopsSettings, began: str) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        info = _info(settings, None)
        # ignore the service that is being replaced
        if info.pid is not None and (info.started_at or "") >= began:
            return True
        time.sleep(0.2)
    return False


# -- the system --------------------------------------------------------------------------------


def _problem() -> Message:
    """Why no unit can be installed here; empty if it can."""
    instead = Message("Let this system’s own process manager run “jupyter mlops service”.")
    if sys.platform != "linux":
        return Message("This system has no systemd. {instead}", instead=instead)
    done = _run("systemctl", "--user", "show-environment")
    if done is None:
        return Message("There is no systemd here. {instead}", instead=instead)
    if done.returncode == 0:
        return Message()
    if not BOOTED.exists():
        return Message("Nothing runs systemd here, as is usual in a container. {instead}", instead=instead)
    return Message(
        "systemd runs no user manager for this account, as happens after su or sudo: log in as "
        "{user} directly and try again. ({said})",
        user=getpass.getuser(),
        said=_first_line(done.stderr),
    )


def _systemctl(*words: str) -> None:
    done = _run("systemctl", "--user", *words)
    if done is None or done.returncode != 0:
        why = _first_line(done.stderr) if done else "it does not answer"
        raise UnavailableError(Message("systemd refused to {words}: {why}", words=" ".join(words), why=why))


def _run(*words: str) -> subprocess.CompletedProcess[str] | None:
    """Run a command; None if the program is missing or does not end in time."""
    try:
        return subprocess.run(words, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False)
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return None


def _first_line(text: str) -> str:
    return (text.strip().splitlines() or ["no reason was given"])[0]


def _lasting_message() -> Message:
    if _lingers():
        return Message()
    name = getpass.getuser()
    return Message(
        "It ends with your last login until “loginctl enable-linger {name}” was run; an administrator may have to.",
        name=name,
    )


def _lingers() -> bool:
    return (LINGERS / getpass.getuser()).exists()


def _is_in(unit: str, pid: int) -> bool:
    """Whether a process belongs to a unit."""
    try:
        return f"/{unit}" in (PROCESSES / str(pid) / "cgroup").read_text(encoding="utf-8")
    except OSError:
        return False


def _write(path: Path, text: str, mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with open(descriptor, "w", encoding="utf-8") as file:
            # the mode above applies only to new files
            os.fchmod(descriptor, mode)
            file.write(text)
    except OSError as error:
        raise UnavailableError(
            Message("{path} cannot be written: {strerror}.", path=path, strerror=error.strerror)
        ) from error
