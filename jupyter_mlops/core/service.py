"""Records of the service and the server's status."""

from __future__ import annotations

from typing import Literal

from .messages import Message
from .record import Record, no_message
from .targets import TargetInfo

# raised when an older page or command line would misread an answer, or be misread; additions do not raise it
API_VERSION = 1
API_HEADER = "X-Jupyter-Mlops-Api"


class ServiceInfo(Record, frozen=True, kw_only=True):
    """The background process that runs sweeps.

    Attributes:
        state: ``off`` means that it starts with the next sweep.
        doing: its present activity in one line.
        python: path of its interpreter.
        build: version and digest of its source; empty for releases without this field.
        mlflow: ``off``, ``starting``, ``ready`` or ``failed``; ``mlflow_message`` says why.
        mlflow_address: of an MLflow elsewhere; empty where the service runs its own.
        targets: those that it has used.
    """

    state: Literal["off", "starting", "ready"]
    pid: int | None = None
    host: str = ""
    started_at: str | None = None
    doing: Message = no_message()
    python: str = ""
    build: str = ""
    mlflow: Literal["off", "starting", "ready", "failed"] = "off"
    mlflow_message: Message = no_message()
    mlflow_address: str = ""
    targets: list[TargetInfo] = []


class Status(Record, frozen=True, kw_only=True):
    """State of the service, its targets and the store.

    Attributes:
        confirm_runs: number of runs above which the user is asked before a sweep starts.
        warnings: one sentence for each problem that the user should fix, such as a full disk.
    """

    version: str
    service: ServiceInfo
    targets: list[TargetInfo]
    store_path: str
    store_bytes: int
    confirm_runs: int = 100
    warnings: list[Message] = []


class Health(Record, frozen=True, kw_only=True):
    """Whether the service, MLflow, the targets and the store work.

    Attributes:
        problems: one sentence each on what a person should look at; empty if healthy.
    """

    healthy: bool
    problems: list[Message] = []


class ServiceKeep(Record, frozen=True, kw_only=True):
    """Whether systemd keeps the service running after logout.

    Attributes:
        installed: whether a systemd user unit starts it.
        possible: whether one can be installed here; ``message`` says why not, or what the user still has to do.
        unit: path of the unit's file.
    """

    installed: bool
    possible: bool
    unit: str = ""
    message: Message = no_message()


class ServiceLog(Record, frozen=True, kw_only=True):
    """The end of the service's log."""

    text: str


class ErrorBody(Record, frozen=True, kw_only=True):
    """The body of every error response."""

    message: Message
    fields: dict[str, Message] = {}
