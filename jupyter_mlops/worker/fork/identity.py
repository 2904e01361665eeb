"""What makes two kernels alike enough to be forked from one process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# environment variables that belong to a run, not to its sweep or its slot
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


_OURS = "MLOPS_"  # all that begin so belong to a run, or to its pipeline's run


@dataclass(frozen=True)
class Identity:
    """All that a fork server's kernels have in common.

    Attributes:
        command: interpreter and its options.
        module: that it executes to start a kernel.
        arguments: of the kernel, the connection file left out.
        folder: working directory.
        environ: sorted, without what differs from run to run.
        imports: statements to execute before the fork.
        own: names of variables that each kernel has for itself, so that no import may read them.
    """

    command: tuple[str, ...]
    module: str
    arguments: tuple[str, ...]
    folder: str
    environ: tuple[tuple[str, str], ...]
    imports: tuple[str, ...]
    own: tuple[str, ...] = PER_RUN


def split_environ(environ: Mapping[str, str]) -> tuple[tuple[tuple[str, str], ...], dict[str, str | None]]:
    """What a server gets of an environment, and what each kernel gets beside it."""
    names = [*PER_RUN, *(name for name in environ if name.startswith(_OURS) and name not in PER_RUN)]
    common = tuple(sorted((name, value) for name, value in environ.items() if name not in names))
    return common, {name: environ.get(name) for name in names}
