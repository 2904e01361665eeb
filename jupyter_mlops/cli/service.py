"""``jupyter mlops service``: the background process in the foreground, its state, its end, its log."""

from __future__ import annotations

import argparse
import sys
import time

from ..compute import Catalog
from ..core.errors import ConflictError
from ..core.messages import Message
from ..core.service import ServiceInfo
from ..services.process.disk import store_warnings
from ..services.process.launch import (
    END_SECONDS,
    end_service,
    is_running,
    is_suspended,
    resume_service,
    service_info,
    service_log,
    suspend_service,
)
from ..services.process.layout import Layout
from .output import note, print_json, when_text
from .parser import Noun
from .session import Session

FAILED = 1
EPILOG = """\
The service runs sweeps and pipelines, and fires schedules. It starts by itself when there is work, and ends
when there is none and nothing is scheduled. “service” without an action is short for “service run”.
"""
_UNTIL = "until the next start, resume, retry or stop, or “jupyter mlops service”"


def add_actions(noun: Noun) -> None:
    """Everything that can be done with the service."""
    more = "Without --until-idle it stays until Ctrl-C, for supervisors such as systemd."
    parser = noun.add("run", _run, "Run the service in the foreground.", more=more, json=False)
    parser.add_argument("--until-idle", action="store_true", help="End by itself, as it does in the background.")
    parser.add_argument("--replace", action="store_true", help="End a service that runs already and take its place.")
    noun.add("status", _status, "Say whether the service runs, in which environment, and what it does.")
    noun.add("stop", _stop, "End the service; runs that are under way go on.", json=False)
    noun.add("log", _log, "Print the service's log.", json=False)
    text = "Have a systemd user unit keep the service, so that schedules outlive the login."
    noun.add("install", _install, text)
    noun.add("uninstall", _uninstall, "Remove the systemd user unit.", json=False)


def _log(session: Session, arguments: argparse.Namespace) -> int:
    sys.stdout.write(service_log(session.settings))
    return 0


def _run(session: Session, arguments: argparse.Namespace) -> int:
    from ..service import main as serve
    from ..service import take_over_settings

    settings = session.settings
    take_over_settings(settings)
    if is_running(settings):
        if not arguments.replace:
            info = _info(session)
            raise ConflictError(
                Message("A service runs already (process {pid}); “jupyter mlops service stop” ends it.", pid=info.pid)
            )
        _end(session)
    if not arguments.until_idle:
        # a person who starts it by hand wants it to stay
        settings.service_idle_timeout = float("inf")
    resume_service(settings)
    note(f"The service runs on {settings.data_path}; Ctrl-C ends it.")
    code = serve(settings)
    # another one was quicker; a supervisor that asked for this one tries again
    return FAILED if arguments.replace and is_running(settings) else code


def _install(session: Session, arguments: argparse.Namespace) -> int:
    from ..services.process.systemd import install

    keep = install(session.settings)
    if arguments.json:
        print_json({"keep": keep})
        return 0
    print(f"{keep.unit} is installed: systemd keeps the service.")
    if keep.message:
        note(keep.message)
    return 0


def _uninstall(session: Session, arguments: argparse.Namespace) -> int:
    from ..services.process.systemd import uninstall

    print("The unit is removed." if uninstall(session.settings) else "There is no unit; nothing was to be removed.")
    return 0


def _status(session: Session, arguments: argparse.Namespace) -> int:
    settings = session.settings
    info = _info(session)
    if arguments.json:
        print_json({"service": info})
        return 0
    for warning in store_warnings(settings.data_path):
        print(f"! {warning}")
    if info.state == "off":
        if is_suspended(settings):
            print(f"off — it was stopped, and stays off {_UNTIL}")
        else:
            print("off — it starts by itself when there is work")
        return 0
    since = f" since {when_text(info.started_at)}" if info.started_at else ""
    print(f"{info.state} — {info.doing or 'starting'} (process {info.pid} on {info.host}{since})")
    if info.python:
        print(f"Python: {info.python}; kernels are those of the environment that asked for their run")
    print(f"MLflow: {info.mlflow}{' — ' + info.mlflow_message if info.mlflow_message else ''}")
    for target in Catalog(settings, session.store.targets).infos(info.targets):
        busy = f", {target.busy} of {target.slots} slots busy" if target.slots else ""
        print(f"target {target.name}: {target.state}{busy}{' — ' + target.message if target.message else ''}")
    print(f"log: {Layout(settings.data_path).log}")
    return 0


def _stop(session: Session, arguments: argparse.Namespace) -> int:
    if not _end(session):
        print(f"The service is off already, and stays off {_UNTIL}.")
        return 0
    print(f"The service ended, and stays off {_UNTIL}. Runs under way go on; the next service takes them up.")
    return 0


def _end(session: Session) -> bool:
    """End the service and hold it back; whether there was one."""
    settings, deadline = session.settings, time.monotonic() + END_SECONDS
    info = _info(session)
    while info.state == "starting" and time.monotonic() < deadline:
        time.sleep(0.1)
        info = _info(session)
    if info.state == "off":
        suspend_service(settings)
        return False
    end_service(settings, info, held_back=True)
    return True


def _info(session: Session) -> ServiceInfo:
    if not is_running(session.settings):
        return ServiceInfo(state="off")
    return service_info(session.store, session.settings)
