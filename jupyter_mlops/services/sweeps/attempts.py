"""Tracks a sweep's attempts on workers, from submission to result."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from ...compute import Target, WorkerLostError, spooled_result
from ...core.curves import Curve, Point
from ...core.errors import ConflictError, UnavailableError
from ...core.lenient import decode
from ...core.messages import Message
from ...core.pipelines.records import LogLine
from ...core.record import now, seconds_between
from ...core.runs import Outcome, Run, RunError, RunResult, RunSpec
from ...core.states import RUN_LIVE, RunState
from ...core.sweeps import Sweep
from ..context import Context
from .requests import fresh_attempt

log = logging.getLogger(__name__)

CELL_SECONDS = 0.3
_COPIED = Outcome.__struct_fields__  # from a result to its run


class Attempts:
    """Follows each attempt in its own task and stores the outcome.

    Args:
        target: where the runs execute.
        over: called with each run that ended.
        logged: called with new points of a metric, of a run under way.
        known: whether a finished run is complete without MLflow, so that nothing need wait for MLflow.
        wake: called whenever a task ends.

    Attributes:
        failure: an internal error, as opposed to a failed run; the sweep's driver raises it.
    """

    def __init__(
        self,
        context: Context,
        sweep_id: str,
        target: Target,
        over: Callable[[Run], None],
        logged: Callable[[Run, str, list[Point]], None],
        *,
        known: Callable[[Run], bool],
        wake: Callable[[], None],
    ) -> None:
        self.context = context
        self.store = context.store
        self.sweep_id = sweep_id
        self.target = target
        self.failure: BaseException | None = None
        self._over = over
        self._logged = logged
        self._known = known
        self._wake = wake
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ended: list[Run] = []
        self._telling: set[asyncio.Task[None]] = set()
        self._orphans: dict[str, tuple[Run, Message]] = {}
        self._written: dict[str, str] = {}
        self._lost: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._tasks) + len(self._orphans)

    @property
    def attended(self) -> int:
        """Number of attempts on workers, or not yet reported to MLflow."""
        return len(self._tasks) + len(self._ended) + len(self._telling)

    @property
    def open(self) -> int:
        """Number of unfinished attempts, including those whose worker cannot be reached."""
        return self.attended + len(self._orphans)

    def __contains__(self, run_id: object) -> bool:
        return run_id in self._tasks

    def hand_out(self, sweep: Sweep, run: Run, env: dict[str, str]) -> None:
        """Submit an attempt to the target."""
        self._attend(run, self.target.run(self.spec(sweep, run, env), self._listener(run)))

    async def recover(self, sweep: Sweep, runs: list[Run], why: Message) -> None:
        """Follow attempts that were submitted over an earlier connection, by this service or another.

        Args:
            why: message for attempts that no worker has.
        """
        if not runs:
            return
        try:
            with_workers = await self.target.live([(run.id, run.attempt) for run in runs])
        except UnavailableError:
            # the target is unreachable, but its workers may still have them
            self._orphans.update({run.id: (run, why) for run in runs})
            return
        for run in runs:
            spec = self.spec(sweep, run, {})
            if spooled_result(spec) is not None or (run.id, run.attempt) in with_workers:
                self._attend(run, self.target.adopt(spec, self._listener(run)))
            else:
                await self._lose(run, why)

    async def recover_orphans(self, sweep: Sweep) -> None:
        """Follow orphaned attempts again, now that the target can be reached."""
        for run_id in list(self._orphans):
            run, why = self._orphans.pop(run_id)
            await self.recover(sweep, [run], why)

    def forget(self) -> None:
        """Stop following attempts; runs on workers go on."""
        for task in (*self._tasks.values(), *self._telling):
            task.cancel()
        self._orphans.clear()
        self._ended.clear()

    def tell(self) -> None:
        """Report ended runs to MLflow. Call it after their slots were reassigned."""
        ended, self._ended = self._ended, []
        for run in ended:
            task = asyncio.create_task(self._tell(run))
            self._telling.add(task)
            task.add_done_callback(self._told)

    def _told(self, task: asyncio.Task[None]) -> None:
        self._telling.discard(task)
        self._wake()

    async def _tell(self, run: Run) -> None:
        try:
            run = await self.context.track(self.store.sweeps.get(self.sweep_id), run)
            if run.state is RunState.SUCCEEDED:
                # the notebook may have logged the objective to MLflow
                self._over(run)
        except ConflictError:
            log.info("Run %s moved on while MLflow was told of it", run.id, exc_info=True)
        except Exception as error:
            self.failure = error

    def spec(self, sweep: Sweep, run: Run, env: dict[str, str]) -> RunSpec:
        """The spec of a run's current attempt, for the worker."""
        layout = self.context.layout
        return RunSpec(
            run_id=run.id,
            sweep_id=sweep.id,
            index=run.index,
            attempt=run.attempt,
            notebook=str(layout.frozen(sweep.id)),
            folder=sweep.folder or str(Path(sweep.path).parent),
            directory=str(layout.run(run.id)),
            kernel=sweep.kernel,
            kernelspec=sweep.kernelspec if self.target.here else None,
            parameters=run.parameters,
            env=env | {"MLOPS_ATTEMPT_ID": f"{run.id}.{run.attempt}"},
            metrics=sweep.metrics,
            threads=self.target.slot.cores or 1,
            cell_timeout=sweep.cell_timeout,
            run_timeout=sweep.run_timeout,
            max_output=sweep.max_output,
            kernel_start="fresh" if self.context.settings.kernel_start == "fresh" else "auto",
            prefix=sweep.prefix,
            varied=sweep.varied,
            extras=sweep.extras,
            epoch=self.context.epoch.number,
        )

    # -- while it runs -----------------------------------------------------------------------

    def _attend(self, run: Run, attempt: Coroutine[Any, Any, RunResult]) -> None:
        self.target.reserve(run.id, run.attempt)
        self.context.curves.watch(run, partial(self._logged, run))
        task = self._tasks[run.id] = asyncio.create_task(self._follow(run, attempt))
        # the callback also runs if the task is cancelled before it starts
        task.add_done_callback(lambda _: self.target.release(run.id, run.attempt))

    async def _follow(self, run: Run, attempt: Coroutine[Any, Any, RunResult]) -> None:
        taken = False
        try:
            try:
                result = await attempt
            except WorkerLostError as error:
                # the attempt may still live; recover_orphans finds out
                self._orphans[run.id] = (run, error.message)
            else:
                self._take(run, result)
                taken = True
        except ConflictError:
            # another attempt or another service owns the run by now
            log.info("The result of run %s, attempt %s, was refused", run.id, run.attempt, exc_info=True)
        except Exception as error:
            self.failure = error
        finally:
            if not taken:
                self.context.curves.leave(run)
            self._tasks.pop(run.id, None)
            self._wake()

    def _listener(self, run: Run) -> Callable[[dict[str, Any]], None]:
        """A listener that stores a run's progress: its start at once, finished cells in batches."""
        loop = asyncio.get_running_loop()
        latest: dict[str, Any] = {}

        def write() -> None:
            fields = dict(latest)
            latest.clear()
            if not fields or run.id not in self._tasks:
                return
            try:
                self.store.runs.change(run.id, expect=RUN_LIVE, expect_attempt=run.attempt, **fields)
            except ConflictError:
                # the run ended first
                log.debug("Progress of run %s came late", run.id)

        def listen(event: dict[str, Any]) -> None:
            if event["kind"] == "metric":
                self.context.curves.join(run, [decode(curve, Curve) for curve in event["curves"]])
            if event["kind"] not in ("started", "cell"):
                return
            if not latest:
                loop.call_later(CELL_SECONDS, write)
            latest.update(cell=event["cell"], cells=event["cells"])
            if event["kind"] == "started":
                latest.update(state=RunState.RUNNING, started_at=now(), worker=event["name"])
                write()

        return listen

    # -- how it ends -------------------------------------------------------------------------

    def _take(self, run: Run, result: RunResult) -> None:
        """Store an attempt's result; :meth:`tell` reports it to MLflow later."""
        fields = {name: getattr(result, name) for name in _COPIED}
        if result.timing is not None:
            queue = max(0.0, seconds_between(run.queued_at, result.started_at))
            fields["timing"] = msgspec.structs.replace(result.timing, queue=round(queue, 3))
        fields["warnings"] = [*result.warnings, *self._shared_files(run, result)]
        run = self.end(
            run,
            state=result.state,
            started_at=result.started_at,
            ended_at=result.ended_at,
            worker=result.worker,
            message=result.error.message if result.error else Message(),
            **fields,
        )
        if self._known(run):
            self._over(run)
            self.context.track_in_background(self.store.sweeps.get(self.sweep_id), run)
            return
        if run.state is not RunState.SUCCEEDED:
            self._over(run)
        self._ended.append(run)

    def end(self, run: Run, **fields: Any) -> Run:
        """Store the end of a run's current attempt."""
        fields.setdefault("ended_at", now())
        return self.store.runs.change(run.id, expect_attempt=run.attempt, **fields)

    async def _lose(self, run: Run, why: Message) -> None:
        self._lost[run.id] += 1
        sweep = self.store.sweeps.get(self.sweep_id)
        if self.store.runs.get(run.id).stop_requested or sweep.stop_requested:
            run = self.end(run, state=RunState.STOPPED, message=Message("Stopped"))
            self._over(await self.context.track(sweep, run))
        elif self._lost[run.id] >= self._most_attempts(sweep):
            times = self._lost[run.id]
            tried = f"It was tried {times} times." if times > 1 else "It is not to be repeated."
            error = RunError(name="WorkerLost", message=Message("{why} {tried}", why=why, tried=tried))
            run = self.end(run, state=RunState.FAILED, error=error, message=error.message)
            self._over(await self.context.track(sweep, run))
        else:
            self.store.runs.change(
                run.id,
                expect=RUN_LIVE,
                expect_attempt=run.attempt,
                state=RunState.QUEUED,
                **fresh_attempt(run, Message("{why} It is repeated.", why=why)),
            )
            self._say_lost(sweep, run, why)

    def _most_attempts(self, sweep: Sweep) -> int:
        repeat = sweep.extras is None or sweep.extras.repeat_lost
        return self.context.settings.max_attempts if repeat else 1

    def _say_lost(self, sweep: Sweep, run: Run, why: Message) -> None:
        """Add the loss to the history of the pipeline run, if there is one."""
        if sweep.pipeline_run:
            line = LogLine(
                at=now(),
                step=sweep.step,
                text=Message("Attempt {attempt} was lost: {why} It is repeated.", attempt=run.attempt, why=why),
            )
            self.store.pipeline_runs.change(sweep.pipeline_run, say=[line])

    def _shared_files(self, run: Run, result: RunResult) -> list[Message]:
        warnings = []
        for name in result.written:
            other = self._written.setdefault(name, run.id)
            if other != run.id:
                number = other.rpartition("-")[2]
                warnings.append(
                    Message(
                        "Run {number} wrote {name} in the notebook's folder too, so one overwrote the other; "
                        "write to MLOPS_RUN_DIR instead.",
                        number=number,
                        name=name,
                    )
                )
        return warnings
