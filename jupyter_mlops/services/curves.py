"""Follows what running attempts log, and stores its curves."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ..core.curves import Curve, Point, by_name
from ..core.lenient import with_unknown_of
from ..core.runs import Run, RunResult
from ..store import StaleEpochError, Store, StoreFailedError
from ..tracking import NEWEST, MetricLog

log = logging.getLogger(__name__)

PAUSE = 1.0  # s between two looks
SHARE = 20  # at least this multiple of a look's CPU time lies between two

# metric, and its new points
OnPoints = Callable[[str, list[Point]], None]


@dataclass
class _Watched:
    """An attempt on a worker."""

    run: Run
    told: OnPoints
    curves: dict[str, Curve] | None = None  # None until the first look
    sent: list[Curve] = field(default_factory=list)  # by its worker, not yet taken in
    changed: set[str] = field(default_factory=set)  # curves not stored yet
    reported: dict[str, int] = field(default_factory=dict)  # points told of, by metric

    def tell(self, curves: dict[str, Curve]) -> None:
        """Pass points on that are new."""
        for name, curve in curves.items():
            known = self.reported.get(name, 0)
            if curve.logged > known:
                self.reported[name] = curve.logged
                pairs = zip(curve.numbers, curve.points, strict=True)
                self.told(name, [point for number, point in pairs if number >= known])


class LiveCurves:
    """The curves of a service's attempts under way.

    What is logged to the embedded MLflow is read from its file; all else comes from the workers.

    Args:
        metric_log: of the embedded MLflow; None if another one is used.
    """

    def __init__(self, store: Store, metric_log: MetricLog | None) -> None:
        self._store = store
        self._log = metric_log
        self._row = 0
        self._watched: dict[str, _Watched] = {}
        self._task: asyncio.Task[None] | None = None
        self._storing = threading.Lock()

    def watch(self, run: Run, told: OnPoints) -> None:
        """Follow an attempt on a worker until :meth:`finish` or :meth:`leave`.

        Args:
            told: called with each metric's new points; of an attempt found under way, with its earlier ones first.
        """
        self._watched[run.id] = _Watched(run, told)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._follow(), name="curves")

    def join(self, run: Run, curves: list[Curve]) -> None:
        """Take the new points that an attempt's worker has sent."""
        watched = self._watched.get(run.id)
        if watched is not None and watched.run.attempt == run.attempt:
            watched.sent += curves

    def leave(self, run: Run) -> _Watched | None:
        """Stop following an attempt."""
        watched = self._watched.get(run.id)
        return self._watched.pop(run.id) if watched is not None and watched.run.attempt == run.attempt else None

    async def finish(self, run: Run, result: RunResult) -> None:
        """Store the whole curves of an attempt that ended, and tell of the points that came last."""
        watched = self.leave(run)
        try:
            curves = await asyncio.to_thread(self._finish, run, result)
        except sqlite3.Error as error:
            log.warning("The curves of run %s could not be completed: %s", run.id, error)
        else:
            if watched is not None:
                watched.tell(curves)

    def close(self) -> None:
        """Stop following all."""
        self._watched.clear()
        if self._task is not None:
            self._task.cancel()

    async def _follow(self) -> None:
        while self._watched:
            took = 0.0
            try:
                took = await self._look()
            except StaleEpochError:
                return
            except (sqlite3.Error, StoreFailedError) as error:
                log.warning("Curves are not followed now: %s", error)
            await asyncio.sleep(max(PAUSE, SHARE * took))

    async def _look(self) -> float:
        """Take in what is new; CPU seconds that this took."""
        watched = list(self._watched.values())
        took = await asyncio.to_thread(self._read, watched)
        for one in watched:
            if self._watched.get(one.run.id) is one:
                one.tell(one.curves or {})
        return took + await asyncio.to_thread(self._write, watched)

    def _read(self, watched: list[_Watched]) -> float:
        begun = time.thread_time()
        row = 0 if self._log is None else self._log.newest()
        logged = {} if self._log is None or row <= self._row else self._log.between(self._row, row)
        # calls that may fail come first: after a failure the same rows are read again
        found = {one.run.id: self._known(one.run, row) for one in watched if one.curves is None}
        # it shrinks where MLflow removes rows of deleted runs
        self._row = row
        for one in watched:
            if one.curves is None:
                one.curves = found[one.run.id]
                one.changed |= one.curves.keys()
            else:
                for name, points in by_name(logged.get(one.run.mlflow_run_id or "", [])).items():
                    one.curves[name] = one.curves.get(name, Curve(name=name)).extended(points)
                    one.changed.add(name)
            sent, one.sent = one.sent, []
            for curve in sent:
                one.curves[curve.name] = one.curves.get(curve.name, Curve(name=curve.name)).joined(curve)
                one.changed.add(curve.name)
        return time.thread_time() - begun

    def _write(self, watched: list[_Watched]) -> float:
        begun = time.thread_time()
        for one in watched:
            with self._storing:
                # once finished, its stored curves are whole
                if one.changed and self._watched.get(one.run.id) is one:
                    self._put(one.run, [curve for name, curve in (one.curves or {}).items() if name in one.changed])
                    one.changed.clear()
        return time.thread_time() - begun

    def _finish(self, run: Run, result: RunResult) -> dict[str, Curve]:
        curves = self._known(run, ended_at=result.ended_at)
        for curve in result.curves:
            known = curves.get(curve.name, curve)
            # one that was followed may lack what came while no service lived
            curves[curve.name] = with_unknown_of(curve, known) if curve.logged >= known.logged else known
        with self._storing:
            self._put(run, curves.values())
        return curves

    def _put(self, run: Run, curves: Iterable[Curve]) -> None:
        if kept := [curve for curve in curves if not curve.is_trivial]:
            self._store.curves.put(run.id, run.attempt, kept)

    def _known(self, run: Run, row: int = NEWEST, ended_at: str = "") -> dict[str, Curve]:
        """The curves of an attempt so far: as stored, or complete where MLflow's file has them."""
        curves = {curve.name: curve for curve in self._store.curves.of_run(run.id, run.attempt)}
        if self._log is None or run.mlflow_run_id is None:
            return curves
        for name, points in by_name(self._log.of_owner(run.mlflow_run_id, row, ended_at)).items():
            curve = Curve(name=name).extended(points)
            curves[name] = with_unknown_of(curve, curves.get(name, curve))
        return curves
