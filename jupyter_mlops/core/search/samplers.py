"""Choosing combinations from a space: asked for the next ones, told their results."""

from __future__ import annotations

import random
from typing import Any, Protocol

from ..sweeps import Sampler
from .space import Space


class SweepSampler(Protocol):
    """Chooses what a sweep runs next.

    ``ask`` depends on nothing but its arguments and what was told, so that a restarted service goes
    on where the table of runs ends.
    """

    total: int

    def ask(self, n: int, start: int) -> list[dict[str, Any]]:
        """Parameter values of runs ``start`` to ``start + n - 1``, fewer at the end."""

    def tell(self, index: int, parameters: dict[str, Any], value: float | None) -> None:
        """The objective's value of a finished run, None where it has none."""


class GridSampler:
    """Every combination once, the last name varying fastest."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self.total = space.combinations

    def ask(self, n: int, start: int) -> list[dict[str, Any]]:
        """See :class:`SweepSampler`."""
        return [self.space.point(index) for index in range(start, min(start + n, self.total))]

    def tell(self, index: int, parameters: dict[str, Any], value: float | None) -> None:
        """A grid learns nothing."""


class RandomSampler:
    """``count`` different combinations, drawn without replacement from a seed."""

    def __init__(self, space: Space, count: int, seed: int) -> None:
        self.space = space
        self.total = min(count, space.combinations)
        self._order = _draw(random.Random(seed), space.combinations, self.total)

    def ask(self, n: int, start: int) -> list[dict[str, Any]]:
        """See :class:`SweepSampler`."""
        return [self.space.point(index) for index in self._order[start : start + n]]

    def tell(self, index: int, parameters: dict[str, Any], value: float | None) -> None:
        """Independent draws learn nothing."""


def _draw(generator: random.Random, size: int, count: int) -> list[int]:
    # random.sample takes a range only up to the platform's C ssize_t
    if size < 2**62:
        return generator.sample(range(size), count)
    drawn: dict[int, None] = {}
    while len(drawn) < count:
        drawn[generator.randrange(size)] = None
    return list(drawn)


def make_sampler(space: Space, sampler: Sampler) -> SweepSampler:
    """The sampler that a record describes."""
    if sampler.kind == "random":
        return RandomSampler(space, sampler.count or 1, sampler.seed)
    return GridSampler(space)
