"""Recovery of steps whose service was lost."""

from __future__ import annotations

import logging

from ...core.errors import NotFoundError
from ...core.messages import Message
from ...core.pipelines.records import StepRun
from ...core.record import now
from ...core.runs import RunError
from ...core.states import SWEEP_OVER, StepState
from ...core.sweeps import Sweep
from ..context import Context

log = logging.getLogger(__name__)

_WHY = Message("The service that ran it was lost")


def abandon_lost_attempt(context: Context, step: StepRun) -> StepRun:
    """Abandon a step's attempt that a lost service was running, and return the changed step.

    Safe to interrupt: the step changes first, and its sweep still names the lost service.
    """
    sweep = _lost_sweep(context, step)
    if sweep is None:
        return step
    if step.state is StepState.RUNNING:
        step = _requeue_or_fail(context, step, sweep)
    owner = sweep.service
    if context.shares_mlflow(owner):
        # this service must now report the runs to MLflow: the lost one may never come back
        context.store.sweeps.change(sweep.id, service=context.service)
        owner = ""
    context.settle(sweep.id, _WHY, owner)
    return step


def _lost_sweep(context: Context, step: StepRun) -> Sweep | None:
    if not step.sweeps or step.state is StepState.REUSED:
        return None
    try:
        sweep = context.store.sweeps.get(step.sweeps[-1])
    except NotFoundError:
        log.info("Step %s was lost before it began", step.id)
        return None
    ours = sweep.service in ("", context.service)
    return None if ours or sweep.state in SWEEP_OVER else sweep


def _requeue_or_fail(context: Context, step: StepRun, sweep: Sweep) -> StepRun:
    if sweep.extras is None or sweep.extras.repeat_lost:
        return context.store.pipeline_runs.change_step(
            step.id,
            state=StepState.WAITING,
            attempt=step.attempt + 1,
            message=Message("{why}; it is repeated", why=_WHY),
        )
    error = RunError(name="WorkerLost", message=Message("{why}. It is not to be repeated.", why=_WHY))
    return context.store.pipeline_runs.change_step(
        step.id, state=StepState.FAILED, error=error, message=error.message, ended_at=now()
    )
