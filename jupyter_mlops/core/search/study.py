"""The study, the search of one sweep: it is asked for trials and told their results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from ..record import Record
from ..states import RunState
from ..sweeps import Objective, Sampler
from .space import Space


class Trial(Record, frozen=True, kw_only=True):
    """One point of the space that was asked for.

    Attributes:
        number: position in the study, from 0.
        parameters: the point.
        state: of its run.
        values: of the objectives, in their order; None until it succeeded with all of them as finite numbers.
    """

    number: int
    parameters: dict[str, Any]
    state: RunState
    values: list[float] | None = None


class Study(Protocol):
    """The search of one sweep.

    It is made anew whenever a service takes up the sweep, from the trials in the store; so what it asks next may depend
    on these, its arguments and what it is told, and on nothing else.

    Attributes:
        limit: trials that the space holds at most, None where there is no end.
        looks_ahead: whether the next trials depend on no result, so that they can be planned long before their turn.
    """

    limit: int | None
    looks_ahead: bool

    def ask(self, n: int) -> list[dict[str, Any]]:
        """At most ``n`` further points; fewer while it waits for results. None while no trial is open: it is done."""

    def tell(self, trial: Trial) -> None:
        """The end of a trial; each is told once."""


class StudyFactory(Protocol):
    """Makes a study of the trials that the store has."""

    def __call__(
        self, space: Space, sampler: Sampler, objectives: Sequence[Objective], trials: Callable[[], Iterable[Trial]]
    ) -> Study:
        """A study that continues behind ``trials``, which it reads only where it learns from them."""
