"""Decides whether a step may run."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from ...core.messages import Message
from ...core.pipelines.definition import Step
from ...core.pipelines.order import ancestors
from ...core.pipelines.records import StepRun
from ...core.states import STEP_OVER, StepState

_BAD = frozenset({StepState.FAILED, StepState.STOPPED})
_GOOD = frozenset({StepState.SUCCEEDED, StepState.REUSED})


class Verdict(Enum):
    """What to do with a waiting step."""

    WAIT = "wait"
    RUN = "run"
    SKIP = "skip"


def judge(
    name: str, step: Step, waits: Mapping[str, list[str]], steps: Mapping[str, StepRun]
) -> tuple[Verdict, Message]:
    """Whether a step runs now, later or not at all, and why not.

    It waits until its dependencies are over, whatever its ``run_if``. If one was skipped it is skipped as well, unless
    it runs always. ``run_if: failed`` considers all ancestors.

    Args:
        name: of the step.
        waits: by step, its direct dependencies.
        steps: current records.
    """
    before = [steps[other] for other in waits[name]]
    if any(other.state not in STEP_OVER for other in before):
        return Verdict.WAIT, Message()
    if step.run_if == "always":
        return Verdict.RUN, Message()
    bad = [steps[other] for other in ancestors(name, waits) if steps[other].state in _BAD]
    if step.run_if == "failed":
        return (Verdict.RUN, Message()) if bad else (Verdict.SKIP, Message("Nothing before it failed"))
    missing = [other for other in before if other.state not in _GOOD]
    if not missing:
        return Verdict.RUN, Message()
    if bad:
        return Verdict.SKIP, Message("“{step}” did not succeed", step=bad[0].step)
    return Verdict.SKIP, Message("“{step}” was skipped", step=missing[0].step)
