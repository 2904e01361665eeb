"""The interface of search algorithms: a study proposes trials and receives their results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, runtime_checkable

from ..curves import Point
from ..record import Record
from ..states import RunState
from ..sweeps import Objective, Sampler
from .space import Space


class Trial(Record, frozen=True, kw_only=True):
    """One point of the space that a study proposed.

    Attributes:
        number: position in the study, from 0.
        parameters: the point.
        state: of its run.
        values: of the objectives, in order; None unless the run succeeded and all values are finite.
    """

    number: int
    parameters: dict[str, Any]
    state: RunState
    values: list[float] | None = None


class Report(Record, frozen=True, kw_only=True):
    """What a trial logged of an objective while it ran.

    Attributes:
        number: of the trial.
        attempt: of its run, from 1; a later one begins anew.
        metric: the objective.
        points: step and value of each new point. Values may be NaN or infinite, steps may repeat or go backwards.
    """

    number: int
    attempt: int
    metric: str
    points: list[Point]


class Study(Protocol):
    """The search of one sweep.

    It is rebuilt from the stored trials whenever a service takes over the sweep, so it must depend only on these, on
    its arguments and on what it is told.

    Attributes:
        limit: number of trials in the space, None if unlimited.
        looks_ahead: whether trials are independent of results, so that they can be planned in advance.
    """

    limit: int | None
    looks_ahead: bool

    def ask(self, n: int) -> list[dict[str, Any]]:
        """Up to ``n`` new points, fewer while waiting for results; none with no open trial means done."""

    def tell(self, trial: Trial) -> None:
        """Report a finished trial, once."""


@runtime_checkable
class PruningStudy(Study, Protocol):
    """A study that also judges trials while they run."""

    def report(self, report: Report) -> bool:
        """Take what a trial logged; True ends its run as pruned.

        Points come about once a second; the last of a trial may come after it was told as failed. A study made anew is
        first told of all trials that are over, and of those under way from their beginning. At most 1,000 points are
        passed at once; of more, those are that :class:`~..curves.Curve` keeps.
        """


class StudyFactory(Protocol):
    """Creates a study from stored trials."""

    def __call__(
        self, space: Space, sampler: Sampler, objectives: Sequence[Objective], trials: Callable[[], Iterable[Trial]]
    ) -> Study:
        """A study that continues after ``trials``, which it calls only if it learns from them."""
