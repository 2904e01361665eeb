"""Records of the service, its targets and the server's answers."""

from __future__ import annotations

from typing import Literal

from .record import Record

# raised when an older page or command line would misread an answer, or be misread; additions do not raise it
API_VERSION = 1
API_HEADER = "X-Jupyter-Mlops-Api"


class TargetInfo(Record, frozen=True, kw_only=True):
    """A named place that lends slots.

    Attributes:
        state: ``off`` cannot be used (``message`` says why), ``idle`` is started on first use.
        slots: how many runs at once it can take; 0 while not known.
        busy: slots in use.
    """

    name: str
    kind: Literal["local", "cuda", "scheduler"]
    state: Literal["off", "idle", "starting", "ready", "failed"]
    slots: int = 0
    busy: int = 0
    message: str = ""


class ServiceInfo(Record, frozen=True, kw_only=True):
    """The background process that runs sweeps.

    Attributes:
        state: ``off`` means that it starts with the next sweep.
        doing: one line.
        python: the interpreter that it runs in.
        build: version and digest of the source that it runs; empty for releases that named none.
        mlflow: ``off``, ``starting``, ``ready`` or ``failed``; ``mlflow_message`` says why.
        mlflow_address: of an MLflow elsewhere; empty where the service runs its own.
    """

    state: Literal["off", "starting", "ready"]
    pid: int | None = None
    host: str = ""
    started_at: str | None = None
    doing: str = ""
    python: str = ""
    build: str = ""
    mlflow: Literal["off", "starting", "ready", "failed"] = "off"
    mlflow_message: str = ""
    mlflow_address: str = ""
    targets: list[TargetInfo] = []


class Status(Record, frozen=True, kw_only=True):
    """How everything stands.

    Attributes:
        confirm_runs: starting more runs than this is worth a question first.
        warnings: sentences on what a person should mend, such as where the store lies.
    """

    version: str
    service: ServiceInfo
    targets: list[TargetInfo]
    store_path: str
    store_bytes: int
    confirm_runs: int = 100
    warnings: list[str] = []


class ServiceKeep(Record, frozen=True, kw_only=True):
    """Whether the service outlives the login, and who sees to that.

    Attributes:
        installed: whether a systemd user unit starts it.
        possible: whether one can be installed here; ``message`` says why not, or what is still to be done by a person.
        unit: path of the unit's file.
    """

    installed: bool
    possible: bool
    unit: str = ""
    message: str = ""


class ServiceLog(Record, frozen=True, kw_only=True):
    """The end of the service's log."""

    text: str


class ErrorBody(Record, frozen=True, kw_only=True):
    """What every refused request answers."""

    message: str
    fields: dict[str, str] = {}
