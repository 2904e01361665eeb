"""What monitoring asks for: health, and metrics for Prometheus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from ..core.messages import Message
from ..core.service import Health, Status
from ..core.states import PipelineRunState
from ..services.process.launch import has_work

if TYPE_CHECKING:
    from ..services.pipelines.requests import Pipelines
    from ..services.sweeps.requests import Sweeps

CONTENT_TYPE = CONTENT_TYPE_LATEST


def health(sweeps: Sweeps, status: Status) -> Health:
    """What a person should look at."""
    service, problems = status.service, list(status.warnings)
    if service.state == "off" and has_work(sweeps.store, sweeps.layout.service):
        problems.append(Message("Sweeps or pipeline runs wait, and no service is running."))
    if service.mlflow == "failed":
        problems.append(Message("MLflow: {why}", why=service.mlflow_message))
    problems += [
        Message("Target {name}: {why}", name=target.name, why=target.message)
        for target in status.targets
        if target.state == "failed"
    ]
    return Health(healthy=not problems, problems=problems)


def metrics(sweeps: Sweeps, pipelines: Pipelines, status: Status) -> bytes:
    """Counts of what the server's root holds, and states, in Prometheus' text format."""
    registry = CollectorRegistry()

    def gauge(name: str, text: str, label: str, values: Mapping[str, float]) -> None:
        family = Gauge(f"mlops_{name}", text, [label], registry=registry)
        for key, value in values.items():
            family.labels(key).set(value)

    service = status.service
    up = {"service": service.state == "ready", "mlflow": service.mlflow == "ready"}
    gauge("up", "Whether a part is ready.", "part", up)
    gauge("target_slots", "Slots of a target.", "target", {target.name: target.slots for target in status.targets})
    gauge("target_busy", "Slots in use.", "target", {target.name: target.busy for target in status.targets})
    listed = sweeps.listed()
    gauge("sweeps", "Sweeps by state.", "state", Counter(str(sweep.state) for sweep in listed))
    runs: Counter[str] = Counter()
    for sweep in listed:
        runs.update(sweep.counts)
    gauge("runs", "Runs of sweeps by state.", "state", runs)
    known = {pipeline.id for pipeline in pipelines.listed()}
    live = pipelines.store.pipeline_runs.find(states=[PipelineRunState.QUEUED, PipelineRunState.RUNNING])
    states = Counter(str(run.state) for run in live if run.pipeline_id in known)
    gauge("pipeline_runs", "Queued and running pipeline runs by state.", "state", states)
    Gauge("mlops_store_bytes", "Size of the data folder.", registry=registry).set(status.store_bytes)
    return generate_latest(registry)
