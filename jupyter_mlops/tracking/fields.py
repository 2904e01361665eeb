"""Parameters, metrics and tags of sweeps and runs in MLflow."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from ..core.runs import Run, RunResult, not_finite
from ..core.sweeps import Sweep

if TYPE_CHECKING:
    from mlflow import MlflowClient

PARENT = "mlflow.parentRunId"  # MLflow shows a run below its parent
OWNER = "mlops.owner"  # on runs that a notebook starts itself: whose they are
_MAX_PARAM = 6000


def log_values(
    client: MlflowClient, run: Run, result: RunResult, data: Any, *, defaults: dict[str, Any], environment: str
) -> None:
    """Write those parameters, metrics and tags of a finished run that MLflow lacks.

    Args:
        client: to write with.
        run: with its child run's id.
        result: how it ended.
        data: of the child run in MLflow.
        defaults: of the parameters without a value.
        environment: hash of the kernel's package list.
    """
    from mlflow.entities import Metric, Param, RunTag

    assert run.mlflow_run_id is not None
    ended = milliseconds(result.ended_at)
    # equal values exist if the notebook logged them, or if this call is a retry
    there = {**data.metrics, **not_finite(data.metrics)}
    fresh = {name: value for name, value in (result.metrics | result.not_finite).items() if there.get(name) != value}
    metrics = [Metric(name, float(value), ended, 0) for name, value in fresh.items()]
    params = []
    tags = [RunTag("mlops.environment", environment)] if environment else []
    for name, value in run.parameters.items():
        text = str(value)[:_MAX_PARAM]
        if name not in data.params:
            params.append(Param(name, text))
        elif data.params[name] != text:
            # the notebook logged this parameter itself, and MLflow keeps the first value
            tags.append(RunTag(f"mlops.parameter.{name}", text))
    params += [
        Param(name, str(value)[:_MAX_PARAM])
        for name, value in defaults.items()
        if name not in data.params and name not in run.parameters
    ]
    if result.error is not None:
        tags.append(RunTag("mlops.error", result.error.message))
    tags += [RunTag(f"mlops.{name}", str(value)) for name, value in _costs(run, result).items() if value is not None]
    client.log_batch(run.mlflow_run_id, metrics=metrics, params=params, tags=tags)


def _costs(run: Run, result: RunResult) -> dict[str, Any]:
    """An attempt's resource use and how its kernel started; None if unknown."""
    timing = run.timing or result.timing
    return {
        "peak_memory": result.peak_memory,
        "cpu_seconds": result.cpu_seconds,
        **({f"{name}_seconds": getattr(timing, name) for name in timing.__struct_fields__} if timing else {}),
        "kernel_start": result.kernel_start or None,
        "kernel_reason": result.kernel_reason or None,
    }


def log_parameters(client: MlflowClient, run_id: str, parameters: dict[str, Any]) -> None:
    """Log values as MLflow parameters, cut to MLflow's limit."""
    from mlflow.entities import Param

    params = [Param(name, str(value)[:_MAX_PARAM]) for name, value in parameters.items()]
    if params:
        client.log_batch(run_id, params=params)


def parent_tag(parent: str) -> dict[str, str]:
    """The tag that makes MLflow show a run below its parent; empty without one."""
    return {PARENT: parent} if parent else {}


def sweep_tags(sweep: Sweep) -> dict[str, str]:
    """Tags of a sweep and of each of its runs."""
    commit = sweep.git_commit.rstrip("+")
    tags = {
        "mlops.sweep_id": sweep.id,
        "mlops.notebook_path": sweep.path,
        "mlops.notebook_hash": sweep.notebook_hash,
        "mlops.target": sweep.target,
        "mlops.kernel": sweep.kernel,
        "mlflow.source.name": sweep.path,
        "mlflow.source.type": "NOTEBOOK",
    }
    if sweep.pipeline_run:
        tags |= {"mlops.pipeline_run": sweep.pipeline_run, "mlops.step": sweep.step}
    if sweep.prefix:
        tags["mlops.shared_prefix"] = str(sweep.prefix)
    if commit:
        tags["mlflow.source.git.commit"] = commit
        tags["mlops.git_dirty"] = str(sweep.git_commit.endswith("+")).lower()
    return tags


def milliseconds(iso: str) -> int:
    """An ISO time as MLflow writes it."""
    return int(datetime.fromisoformat(iso).timestamp() * 1000)


def file_name(name: str) -> str:
    """A name as a valid folder name."""
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name)
