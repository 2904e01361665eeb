"""Grid and random search."""

from __future__ import annotations

import random
from typing import Any

from .space import Space
from .study import Trial

_LISTED = 2**20  # in spaces up to this size, the remaining combinations are shuffled instead of sampled


class GridStudy:
    """Every combination once, the last name varying fastest."""

    looks_ahead = True

    def __init__(self, space: Space, asked: int = 0) -> None:
        self.space = space
        self.limit: int | None = space.combinations
        self._asked = asked

    def ask(self, n: int) -> list[dict[str, Any]]:
        """See :class:`.study.Study`."""
        first, self._asked = self._asked, min(self._asked + n, self.space.combinations)
        return [self.space.point(index) for index in range(first, self._asked)]

    def tell(self, trial: Trial) -> None:
        """Ignore the result."""


class RandomStudy:
    """Different combinations, drawn without replacement from a seed.

    Args:
        count: initial number; an extended sweep draws more.
    """

    looks_ahead = True

    def __init__(self, space: Space, count: int, seed: int, asked: int = 0) -> None:
        self.space = space
        self.limit: int | None = space.combinations
        self._asked = asked
        self._generator = random.Random(seed)
        self._order = _draw(self._generator, space.combinations, min(count, space.combinations))
        self._drawn: set[int] = set()

    def ask(self, n: int) -> list[dict[str, Any]]:
        """See :class:`.study.Study`."""
        first, self._asked = self._asked, min(self._asked + n, self.space.combinations)
        self._draw_up_to(self._asked)
        return [self.space.point(index) for index in self._order[first : self._asked]]

    def tell(self, trial: Trial) -> None:
        """Ignore the result."""

    def _draw_up_to(self, count: int) -> None:
        if count <= len(self._order):
            return
        size = self.space.combinations
        drawn = self._drawn = self._drawn or set(self._order)
        if size <= _LISTED:
            rest = [index for index in range(size) if index not in drawn]
            self._generator.shuffle(rest)
            self._order += rest
        while len(self._order) < count:
            index = self._generator.randrange(size)
            if index not in drawn:
                drawn.add(index)
                self._order.append(index)


def _draw(generator: random.Random, size: int, count: int) -> list[int]:
    # random.sample is limited to C's ssize_t
    if size < 2**62:
        return generator.sample(range(size), count)
    drawn: dict[int, None] = {}
    while len(drawn) < count:
        drawn[generator.randrange(size)] = None
    return list(drawn)
