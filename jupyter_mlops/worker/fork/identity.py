"""The properties that kernels of one fork server share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# environment variables that differ between runs
PER_RUN = (
    "MLOPS_RUN_DIR",
    "MLOPS_RUN_ID",
    "MLOPS_SWEEP_ID",
    "MLOPS_ATTEMPT",
    "MLOPS_MLFLOW_OWNER",
    "MLFLOW_RUN_ID",
    "MLFLOW_RUN_CONTEXT",
    "MLFLOW_EXPERIMENT_NAME",
    "MLFLOW_TRACKING_URI",
    "MLFLOW_TRACKING_TOKEN",
    "JPY_PARENT_PID",
    "JPY_SESSION_NAME",
)
_OURS = "MLOPS_"  # prefix of further variables that differ between runs


@dataclass(frozen=True)
class Identity:
    """What all kernels of a fork server have in common.

    Attributes:
        command: interpreter and its options.
        module: that starts a kernel.
        arguments: of the kernel, without the connection file.
        folder: working directory.
        environ: sorted, without variables that differ between runs.
        imports: statements to execute before the fork.
        own: names of variables that differ between runs, so that no import may read them.
    """

    command: tuple[str, ...]
    module: str
    arguments: tuple[str, ...]
    folder: str
    environ: tuple[tuple[str, str], ...]
    imports: tuple[str, ...]
    own: tuple[str, ...] = PER_RUN


def split_environ(environ: Mapping[str, str]) -> tuple[tuple[tuple[str, str], ...], dict[str, str | None]]:
    """Split an environment into the fork server's part and the kernel's own variables."""
    names = [*PER_RUN, *(name for name in environ if name.startswith(_OURS) and name not in PER_RUN)]
    common = tuple(sorted((name, value) for name, value in environ.items() if name not in names))
    return common, {name: environ.get(name) for name in names}
