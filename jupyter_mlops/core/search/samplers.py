"""Studies by the name of their sampler.

``grid`` and ``random`` are built in; packages add others through the entry point group ``jupyter_mlops.samplers``, each
a :class:`.study.StudyFactory`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ..errors import InvalidInputError
from ..messages import Message
from ..plugins import Plugins
from ..sweeps import Objective, Sampler
from .grid import GridStudy, RandomStudy
from .space import Space
from .study import Study, StudyFactory, Trial

SAMPLERS = Plugins("jupyter_mlops.samplers")


def make_study(
    space: Space,
    sampler: Sampler,
    objectives: Sequence[Objective] = (),
    *,
    asked: int = 0,
    trials: Callable[[], Iterable[Trial]] = tuple,
) -> Study:
    """The study that a sampler describes.

    Args:
        asked: how many trials were asked for already.
        trials: reads these, in their order.

    Raises:
        InvalidInputError: no such sampler is installed; the message lists those that are.
        UnavailableError: it cannot be imported.
    """
    if sampler.kind == "grid":
        return GridStudy(space, asked)
    if sampler.kind == "random":
        return RandomStudy(space, sampler.count or 1, sampler.seed, asked)
    if sampler.kind not in SAMPLERS:
        known = ", ".join(["grid", "random", *SAMPLERS])
        raise InvalidInputError(
            Message("There is no sampler “{kind}” here; choose one of {known}.", kind=sampler.kind, known=known)
        )
    factory: StudyFactory = SAMPLERS.load(sampler.kind)
    return factory(space, sampler, objectives, trials)


def planned_total(study: Study, sampler: Sampler) -> int:
    """How many trials a new sweep makes: the sampler's count, or the whole space.

    Raises:
        InvalidInputError: the study is unlimited and no count was given.
    """
    if sampler.count is None and study.limit is None:
        raise InvalidInputError(Message("Say how many runs to make."), {"sampler": Message("count is missing")})
    if sampler.count is None or sampler.kind == "grid":
        return study.limit or 1
    return sampler.count if study.limit is None else min(sampler.count, study.limit)
