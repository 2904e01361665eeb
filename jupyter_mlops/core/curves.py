"""Curves: what a run logged of its metrics while it ran."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from typing import Literal

import msgspec

from .record import Record

MAX_POINTS = 1_000  # of one curve
MAX_CURVES = 200  # of one attempt
_BUCKETS = MAX_POINTS // 4

Point = tuple[int, float]  # step and value
Logged = list[tuple[str, int, float]]  # metric, step and value
_Numbered = tuple[int, int, float]
Number = float | Literal["NaN", "Infinity", "-Infinity"]


def word_for(value: float) -> Literal["", "NaN", "Infinity", "-Infinity"]:
    """The word for a number that is not finite, which JSON cannot hold; empty for any other.

    MLflow stores infinity as the largest number there is, so that number counts as infinite too.
    """
    if -sys.float_info.max < value < sys.float_info.max:
        return ""
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


class Curve(Record, frozen=True, kw_only=True):
    """One metric of one attempt, in the order in which it was logged.

    Up to 1,000 points are kept as they are. Beyond, older points are thinned evenly: of neighbours, the lowest and the
    highest stay; and always the first, the last, the lowest, the highest, and the first that is not finite.

    Attributes:
        name: of the metric.
        logged: how many points the notebook logged.
        numbers: position of each kept point among those logged, from 0.
        steps: as the notebook gave them; they may repeat or go backwards.
        values: JSON has no words for NaN and infinity, so these are texts.
    """

    name: str
    logged: int = 0
    numbers: list[int] = []
    steps: list[int] = []
    values: list[Number] = []

    @property
    def points(self) -> list[Point]:
        """Step and value of each kept point."""
        return [(step, float(value)) for step, value in zip(self.steps, self.values, strict=True)]

    @property
    def is_trivial(self) -> bool:
        """Whether it is a single number logged without a step."""
        return self.logged == 1 and self.steps == [0]

    def extended(self, points: Iterable[Point]) -> Curve:
        """The curve with further points."""
        return self._with([(number, *point) for number, point in enumerate(points, self.logged)])

    def joined(self, later: Curve) -> Curve:
        """The curve with those points of another one that come after its own."""
        pairs = zip(later.numbers, later.points, strict=True)
        return self._with([(number, *point) for number, point in pairs if number >= self.logged])

    def since(self, number: int) -> Curve:
        """The curve without its points before one."""
        return Curve(name=self.name)._with([point for point in self._numbered if point[0] >= number])

    @property
    def _numbered(self) -> list[_Numbered]:
        return [(number, *point) for number, point in zip(self.numbers, self.points, strict=True)]

    def _with(self, later: list[_Numbered]) -> Curve:
        kept = self._numbered + later
        logged = kept[-1][0] + 1 if kept else 0
        if len(kept) > MAX_POINTS:
            kept = _thinned(kept, logged)
        return msgspec.structs.replace(
            self,
            logged=logged,
            numbers=[number for number, _, _ in kept],
            steps=[step for _, step, _ in kept],
            values=[word_for(value) or value for _, _, value in kept],
        )


class RunCurves(Record, frozen=True, kw_only=True):
    """The curves of one attempt of a run, by name.

    Attributes:
        attempt: whose curves they are.
        curves: of metrics logged with a step, or more than once; of at most 200 metrics.
    """

    attempt: int
    curves: list[Curve]


def by_name(logged: Logged) -> dict[str, list[Point]]:
    """The points of each metric."""
    found: dict[str, list[Point]] = {}
    for name, step, value in logged:
        found.setdefault(name, []).append((step, value))
    return found


def _thinned(points: list[_Numbered], logged: int) -> list[_Numbered]:
    """At most half of ``MAX_POINTS`` points and the exceptional ones."""
    # powers of two: buckets of an earlier thinning lie inside those of a later one
    width = 1 << max(0, math.ceil(math.log2(logged / _BUCKETS)))
    finite = [point for point in points if not word_for(point[2])]
    kept = {points[0], points[-1], *_extremes(finite), *[point for point in points if word_for(point[2])][:1]}
    buckets: dict[int, list[_Numbered]] = {}
    for point in finite:
        buckets.setdefault(point[0] // width, []).append(point)
    for bucket in buckets.values():
        kept.update(_extremes(bucket))
    return sorted(kept, key=lambda point: point[0])


def _extremes(points: list[_Numbered]) -> list[_Numbered]:
    """The lowest and the highest of finite points."""
    if not points:
        return []
    return [min(points, key=lambda point: point[2]), max(points, key=lambda point: point[2])]
