"""Whether it is a step's turn."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from ...core.pipelines.definition import Step
from ...core.pipelines.records import StepRun
from ...core.states import STEP_OVER, StepState

_BAD = frozenset({StepState.FAILED, StepState.STOPPED})
_GOOD = frozenset({StepState.SUCCEEDED, StepState.REUSED})


class Verdict(Enum):
    """What is to be done with a step that waits."""

    WAIT = "wait"
    RUN = "run"
    SKIP = "skip"


def judge(name: str, step: Step, waits: Mapping[str, list[str]], steps: Mapping[str, StepRun]) -> tuple[Verdict, str]:
    """Whether a step runs now, later or not at all, and why not.

    What it waits for has to be over first, whatever its ``run_if``. A step that was skipped takes those behind it
    along, but for those that run always; one that runs if something failed looks at all that lies before it.

    Args:
        name: of the step.
        waits: by step, those it waits for.
        steps: as they stand.
    """
    before = [steps[other] for other in waits[name]]
    if any(other.state not in STEP_OVER for other in before):
        return Verdict.WAIT, ""
    if step.run_if == "always":
        return Verdict.RUN, ""
    bad = [steps[other] for other in _all_before(name, waits) if steps[other].state in _BAD]
    if step.run_if == "failed":
        return (Verdict.RUN, "") if bad else (Verdict.SKIP, "Nothing before it failed")
    missing = [other for other in before if other.state not in _GOOD]
    if not missing:
        return Verdict.RUN, ""
    if bad:
        return Verdict.SKIP, f"“{bad[0].step}” did not succeed"
    return Verdict.SKIP, f"“{missing[0].step}” was skipped"


def _all_before(name: str, waits: Mapping[str, list[str]]) -> list[str]:
    found: dict[str, None] = {}
    todo = list(waits[name])
    while todo:
        other = todo.pop(0)
        if other not in found:
            found[other] = None
            todo += waits[other]
    return list(found)
