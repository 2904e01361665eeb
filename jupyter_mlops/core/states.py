"""The states of runs and sweeps, and the only table of moves between them."""

from __future__ import annotations

from enum import StrEnum


class RunState(StrEnum):
    """Where one run stands."""

    QUEUED = "queued"  # planned; waits for a slot
    STARTING = "starting"  # handed to a worker, its kernel is not ready yet
    RUNNING = "running"  # cells are being executed
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"  # by a person


class SweepState(StrEnum):
    """Where one sweep stands."""

    QUEUED = "queued"  # stored; no service has taken it up yet
    STARTING = "starting"  # its target is being started
    RUNNING = "running"
    PAUSED = "paused"  # no new runs are handed out; ``Sweep.message`` says why
    STOPPING = "stopping"  # a person asked; running kernels are being ended
    SUCCEEDED = "succeeded"  # every run succeeded
    FAILED = "failed"  # it is over and at least one run failed, or it could not start
    STOPPED = "stopped"  # a person stopped it


RUN_MOVES: dict[RunState, frozenset[RunState]] = {
    RunState.QUEUED: frozenset({RunState.STARTING, RunState.STOPPED}),
    # back to queued: the attempt was lost with its worker, a new attempt follows
    RunState.STARTING: frozenset(
        {
            RunState.RUNNING,
            RunState.SUCCEEDED,
            RunState.FAILED,
            RunState.STOPPED,
            RunState.QUEUED,
        }
    ),
    RunState.RUNNING: frozenset({RunState.SUCCEEDED, RunState.FAILED, RunState.STOPPED, RunState.QUEUED}),
    RunState.SUCCEEDED: frozenset(),
    # a person may have failed and stopped runs repeated
    RunState.FAILED: frozenset({RunState.QUEUED}),
    RunState.STOPPED: frozenset({RunState.QUEUED}),
}

SWEEP_MOVES: dict[SweepState, frozenset[SweepState]] = {
    SweepState.QUEUED: frozenset({SweepState.STARTING, SweepState.STOPPED, SweepState.FAILED}),
    SweepState.STARTING: frozenset(
        {
            SweepState.RUNNING,
            SweepState.FAILED,
            SweepState.STOPPING,
            SweepState.STOPPED,
            SweepState.QUEUED,
        }
    ),
    SweepState.RUNNING: frozenset(
        {
            SweepState.PAUSED,
            SweepState.STOPPING,
            SweepState.SUCCEEDED,
            SweepState.FAILED,
            SweepState.STOPPED,
        }
    ),
    SweepState.PAUSED: frozenset({SweepState.RUNNING, SweepState.STOPPING, SweepState.STOPPED}),
    SweepState.STOPPING: frozenset({SweepState.STOPPED}),
    # a finished sweep goes on when a person repeats its failed or stopped runs
    SweepState.SUCCEEDED: frozenset(),
    SweepState.FAILED: frozenset({SweepState.QUEUED}),
    SweepState.STOPPED: frozenset({SweepState.QUEUED}),
}

RUN_OVER = frozenset({RunState.SUCCEEDED, RunState.FAILED, RunState.STOPPED})
RUN_LIVE = frozenset({RunState.STARTING, RunState.RUNNING})
SWEEP_OVER = frozenset({SweepState.SUCCEEDED, SweepState.FAILED, SweepState.STOPPED})
SWEEP_LIVE = frozenset(SweepState) - SWEEP_OVER
