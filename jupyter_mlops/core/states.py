"""The states of runs, sweeps and pipelines, and all allowed transitions between them."""

from __future__ import annotations

from enum import StrEnum


class StoredState(StrEnum):
    """A state or reason in the store. Values of newer versions are shown as they are and have no transitions."""

    @classmethod
    def _missing_(cls, value: object) -> StoredState | None:
        if not isinstance(value, str):
            return None
        state = str.__new__(cls, value)
        state._name_ = state._value_ = value
        return state

    @property
    def is_known(self) -> bool:
        """Whether this version knows it."""
        return self._name_ in type(self).__members__


class RunState(StoredState):
    """State of a run."""

    QUEUED = "queued"  # planned; waits for a slot
    STARTING = "starting"  # handed to a worker, its kernel is not ready yet
    RUNNING = "running"  # cells are being executed
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"  # by a user
    PRUNED = "pruned"  # stopped by its study as unpromising


class SweepState(StoredState):
    """State of a sweep."""

    QUEUED = "queued"  # stored, not yet claimed by a service
    STARTING = "starting"  # its target is starting
    RUNNING = "running"
    PAUSED = "paused"  # starts no new runs; ``Sweep.message`` says why
    STOPPING = "stopping"  # stop requested; kernels are shutting down
    SUCCEEDED = "succeeded"  # every run succeeded, or was pruned
    FAILED = "failed"  # finished with failed runs, or it could not start
    STOPPED = "stopped"  # by a user


class PipelineRunState(StoredState):
    """State of a pipeline run."""

    QUEUED = "queued"  # waits for its turn, or for a service
    RUNNING = "running"
    SUCCEEDED = "succeeded"  # every step succeeded, was reused, or was skipped by its condition
    FAILED = "failed"  # a step failed, the deadline passed, or it could not start
    STOPPED = "stopped"  # by a user, or replaced by the next run
    SKIPPED = "skipped"  # an earlier run had not finished


class StepState(StoredState):
    """State of a step in a pipeline run."""

    WAITING = "waiting"  # for earlier steps, or for its next try
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    REUSED = "reused"  # has an earlier result
    FAILED = "failed"
    STOPPED = "stopped"
    SKIPPED = "skipped"  # its condition was false, or a step before it did not succeed


class Reason(StoredState):
    """The part of a record's message that the program acts on."""

    NONE = ""
    UNREACHABLE = "unreachable"  # the target is not available now; the service retries
    INTERNAL = "internal"  # an unexpected exception ended it
    UNTRACKED = "untracked"  # not in MLflow yet
    STEP = "step"  # a step failed; its own message says why

    @classmethod
    def of_text(cls, message: object) -> Reason:
        """The reason in a message of an earlier version, which stored none."""
        # a newer version may keep messages in another form
        text = message if isinstance(message, str) else ""
        return next((reason for words, reason in _FIRST_WORDS.items() if text.startswith(words)), cls.NONE)


_FIRST_WORDS = {
    "Waiting: ": Reason.UNREACHABLE,
    "An internal error ended it": Reason.INTERNAL,
    "Not in MLflow yet": Reason.UNTRACKED,
}

RUN_OVER = frozenset({RunState.SUCCEEDED, RunState.FAILED, RunState.STOPPED, RunState.PRUNED})
RUN_LIVE = frozenset({RunState.STARTING, RunState.RUNNING})
SWEEP_OVER = frozenset({SweepState.SUCCEEDED, SweepState.FAILED, SweepState.STOPPED})
SWEEP_LIVE = frozenset(SweepState) - SWEEP_OVER
PIPELINE_RUN_OVER = frozenset(PipelineRunState) - {PipelineRunState.QUEUED, PipelineRunState.RUNNING}
STEP_OVER = frozenset(StepState) - {StepState.WAITING, StepState.RUNNING}

RUN_MOVES: dict[RunState, frozenset[RunState]] = {
    RunState.QUEUED: frozenset({RunState.STARTING, RunState.STOPPED}),
    # back to queued: the worker was lost, a new attempt follows
    RunState.STARTING: RUN_OVER | {RunState.RUNNING, RunState.QUEUED},
    RunState.RUNNING: RUN_OVER | {RunState.QUEUED},
    RunState.SUCCEEDED: frozenset(),
    RunState.PRUNED: frozenset(),
    # a user may retry failed and stopped runs
    RunState.FAILED: frozenset({RunState.QUEUED}),
    RunState.STOPPED: frozenset({RunState.QUEUED}),
}

SWEEP_MOVES: dict[SweepState, frozenset[SweepState]] = {
    SweepState.QUEUED: frozenset({SweepState.STARTING, SweepState.STOPPED, SweepState.FAILED}),
    SweepState.STARTING: frozenset(
        {SweepState.RUNNING, SweepState.FAILED, SweepState.STOPPING, SweepState.STOPPED, SweepState.QUEUED}
    ),
    SweepState.RUNNING: SWEEP_OVER | {SweepState.PAUSED, SweepState.STOPPING},
    SweepState.PAUSED: frozenset({SweepState.RUNNING, SweepState.STOPPING, SweepState.STOPPED}),
    SweepState.STOPPING: frozenset({SweepState.STOPPED}),
    # a user may extend a finished sweep, or retry its failed or stopped runs
    SweepState.SUCCEEDED: frozenset({SweepState.QUEUED}),
    SweepState.FAILED: frozenset({SweepState.QUEUED}),
    SweepState.STOPPED: frozenset({SweepState.QUEUED}),
}

PIPELINE_RUN_MOVES: dict[PipelineRunState, frozenset[PipelineRunState]] = {
    PipelineRunState.QUEUED: frozenset(
        {PipelineRunState.RUNNING, PipelineRunState.STOPPED, PipelineRunState.SKIPPED, PipelineRunState.FAILED}
    ),
    PipelineRunState.RUNNING: PIPELINE_RUN_OVER - {PipelineRunState.SKIPPED},
    PipelineRunState.SUCCEEDED: frozenset(),
    # a user may retry it from the failed step
    PipelineRunState.FAILED: frozenset({PipelineRunState.QUEUED}),
    PipelineRunState.STOPPED: frozenset({PipelineRunState.QUEUED}),
    PipelineRunState.SKIPPED: frozenset(),
}

_STEP_ENDS = frozenset({StepState.SUCCEEDED, StepState.FAILED, StepState.STOPPED})
STEP_MOVES: dict[StepState, frozenset[StepState]] = {
    StepState.WAITING: frozenset({StepState.RUNNING, StepState.SKIPPED, StepState.REUSED}) | _STEP_ENDS,
    # back to waiting: it is retried
    StepState.RUNNING: frozenset({StepState.WAITING}) | _STEP_ENDS,
    StepState.SUCCEEDED: frozenset({StepState.WAITING}),
    StepState.REUSED: frozenset({StepState.WAITING}),
    StepState.FAILED: frozenset({StepState.WAITING}),
    StepState.STOPPED: frozenset({StepState.WAITING}),
    StepState.SKIPPED: frozenset({StepState.WAITING}),
}
