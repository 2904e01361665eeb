"""Ending a sweep that cannot go on."""

from __future__ import annotations

import logging
from typing import Any

from ..core.messages import Message
from ..core.record import now
from ..core.states import RUN_LIVE, SWEEP_OVER, Reason, RunState, SweepState
from ..core.sweeps import Sweep
from ..store import Store

log = logging.getLogger(__name__)


def internal_error(error: BaseException) -> dict[str, Any]:
    """Message and reason of what an unexpected exception ended."""
    message = Message(
        "An internal error ended it ({name}: {error}); see the service's log", name=type(error).__name__, error=error
    )
    return {"message": message, "reason": Reason.INTERNAL}


def settle(store: Store, sweep_id: str, why: Message) -> Sweep:
    """End a sweep and all its unfinished runs.

    Args:
        why: one sentence, kept with the sweep and each of those runs.
    """
    sweep = store.sweeps.get(sweep_id)
    if sweep.state in SWEEP_OVER:
        log.error("Sweep %s is over already: %s", sweep_id, why)
        return sweep
    for run in store.runs.of_sweep(sweep_id, states=[RunState.QUEUED, *RUN_LIVE]):
        store.runs.change(
            run.id,
            expect_attempt=run.attempt,
            state=RunState.STOPPED,
            message=why,
            ended_at=now(),
            tracked=run.state is RunState.QUEUED,
        )
    if sweep.state is SweepState.PAUSED:
        store.sweeps.change(sweep_id, state=SweepState.RUNNING)
    state = SweepState.STOPPED if sweep.state is SweepState.STOPPING else SweepState.FAILED
    return store.sweeps.change(sweep_id, state=state, message=why, ended_at=now())
