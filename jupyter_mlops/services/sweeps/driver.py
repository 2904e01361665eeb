"""Drives one sweep from its first run to its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from pathlib import Path
from typing import Any, Literal

import msgspec

from ...compute.hardware import memory_free
from ...core.curves import Point
from ...core.errors import MlopsError, UnavailableError
from ...core.messages import Message
from ...core.notebook.reading import mlflow_usage, read_notebook
from ...core.record import now
from ...core.runs import Run
from ...core.states import RUN_LIVE, RUN_OVER, SWEEP_OVER, Reason, RunState, SweepState
from ...core.sweeps import Sweep
from ...store import StoreFailedError
from ..context import Context
from ..process.layout import size_of
from .attempts import Attempts
from .planner import best_run, better, measured, prunes, report_ended, slots_by_memory, study_of, trial_of
from .requests import begun_again

log = logging.getLogger(__name__)

PLAN_AHEAD = 200
SAME_FAILURES = 3
NAP_SECONDS = 5.0
_NEVER_STARTED: dict[str, Any] = {"state": RunState.STOPPED, "message": Message("Stopped before it started")}


class SweepDriver:
    """Plans a sweep's runs, submits them to its target, and acts on users' requests.

    The store is the only source of truth: all state kept here may be lost with the process.
    """

    def __init__(self, context: Context, sweep: Sweep) -> None:
        self.context = context
        self.store = context.store
        self.id = sweep.id
        self.sweep = sweep
        self.target = context.targets.get(sweep.target)
        notebook = read_notebook(self.store.sweeps.notebook(sweep.id))
        self.study = study_of(self.store, context.settings, sweep)
        self.usage = mlflow_usage(notebook)
        self.wake = asyncio.Event()
        self.attempts = Attempts(
            context, sweep.id, self.target, self._note, self._report, known=self._is_known, wake=self.wake.set
        )
        self._failures: Counter[str] = Counter()
        self._succeeded = sweep.counts.get(RunState.SUCCEEDED, 0)
        self._looked_at = 0
        self._to_end: dict[str, tuple[int, Literal["stopped", "pruned"]]] = {}  # attempt and reason by run

    # -- the whole way -----------------------------------------------------------------------

    async def drive(self) -> None:
        """Work until the sweep is over; errors of the sweep itself fail it with a message."""
        try:
            if self.sweep.state in (SweepState.QUEUED, SweepState.STARTING) and not self.sweep.stop_requested:
                await self._start()
            await asyncio.to_thread(report_ended, self.store, self.sweep, self.study)
            await self._take_up()
            while not await self._step():
                await self._nap()
        except StoreFailedError:
            self.attempts.forget()
            raise
        except MlopsError as error:
            await self._give_up(error.message)
        finally:
            self.target.stop_waiting(self.id)

    @property
    def resting(self) -> bool:
        """Whether there is nothing to do until a user acts."""
        return self.sweep.state is SweepState.PAUSED and not self.attempts.open

    async def _start(self) -> None:
        sweep = self.sweep
        if sweep.state is SweepState.QUEUED:
            self._set(state=SweepState.STARTING, message=Message("Starting"))
        if sweep.pipeline_run:
            # no person watches a step and would start it again
            while not await self._reached():
                if self.store.sweeps.get(self.id).stop_requested:
                    return
                await self._nap()
        else:
            await self.target.start(self._say)
        frozen = self.context.layout.frozen(self.id)
        if not frozen.exists():
            try:
                frozen.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                frozen.write_bytes(self.store.sweeps.notebook(self.id))
            except OSError as error:
                frozen.unlink(missing_ok=True)
                raise UnavailableError(
                    Message(
                        "The notebook cannot be stored in {data} ({strerror}); free disk space.",
                        data=self.context.layout.data,
                        strerror=error.strerror,
                    )
                ) from error
        await self._check_target(frozen)
        experiment, parent = sweep.mlflow_experiment_id, sweep.mlflow_run_id
        if parent is None:
            experiment, parent = await self.context.call(
                self.context.tracking.begin_sweep, self.sweep, insist=not sweep.pipeline_run
            )
        self._set(
            message=Message(),
            mlflow_experiment_id=experiment,
            mlflow_run_id=parent,
            state=SweepState.RUNNING,
            started_at=sweep.started_at or now(),
        )

    async def _check_target(self, frozen: Path) -> None:
        sweep = self.sweep
        # workers on this machine always reach MLflow, so do not wait for its start
        urls = [] if self.target.here else await asyncio.to_thread(self.context.tracking.urls)
        folder = sweep.folder or str(Path(sweep.path).parent)
        if sweep.pipeline_run:
            # steps follow each other closely and share folder and kernel
            await self.target.check_once(sweep.kernel, [folder], urls)
        else:
            await self.target.check(sweep.kernel, [str(frozen), folder], urls)

    async def _take_up(self) -> None:
        """Follow the attempts that an earlier service submitted, as soon as the target can be reached."""
        live = self.store.runs.of_sweep(self.id, states=RUN_LIVE)
        while live and not await self._reached():
            if self.store.sweeps.get(self.id).stop_requested:
                return
            await self._nap()
        await self.attempts.recover(self.sweep, live, Message("The service ended in the middle of it."))

    async def _reached(self) -> bool:
        """Whether the target can be used now; if not, the sweep's message says what it waits for."""
        waiting = self.sweep.reason is Reason.UNREACHABLE
        try:
            await self.target.start(_silent if waiting else self._say)
        except UnavailableError as error:
            self._say(Message("Waiting: {message}", message=error.message), Reason.UNREACHABLE)
            return False
        self._say(Message())
        await self.attempts.recover_orphans(self.sweep)
        return True

    async def _step(self) -> bool:
        """One turn of work; True when the sweep is over."""
        if self.attempts.failure is not None:
            raise self.attempts.failure
        self.sweep = sweep = self.store.sweeps.get(self.id)
        if sweep.stop_requested and sweep.state is not SweepState.STOPPING:
            self._set(state=self._stopping(), **self._final(Message("Stopping")))
        if self.sweep.state is SweepState.STOPPING:
            self.target.stop_waiting(self.id)
            return await self._step_stopping()
        if self.sweep.state in SWEEP_OVER:
            await self._leave()
            return True
        await self._end_runs()
        if sweep.pause_requested and sweep.state is SweepState.RUNNING:
            said = {} if sweep.message else {"message": Message("Paused; resume it to go on")}
            self._set(state=SweepState.PAUSED, **said)
        elif not sweep.pause_requested and sweep.state is SweepState.PAUSED:
            self._failures.clear()
            self._set(state=SweepState.RUNNING, message=Message())
        working = self.sweep.state is SweepState.RUNNING and self._left()
        if (working or len(self.attempts)) and await self._reached() and working:
            slots = self._slots()
            self._plan(slots)
            await self._hand_out(slots)
        else:
            # pass an offered slot on
            self.target.stop_waiting(self.id)
        self.attempts.tell()
        return await self._finish_if_over()

    async def _nap(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.wake.wait(), timeout=NAP_SECONDS)
        self.wake.clear()

    def _say(self, line: Message, reason: Reason = Reason.NONE) -> None:
        # a pause or an internal error is said until it is over
        silent = self.sweep.state is SweepState.PAUSED or self.sweep.reason is Reason.INTERNAL
        if not silent and (self.sweep.message, self.sweep.reason) != (line, reason):
            self._set(message=line, reason=reason)

    def _set(self, **fields: Any) -> Sweep:
        self.sweep = self.store.sweeps.change(self.id, **fields)
        return self.sweep

    def _final(self, message: Message) -> dict[str, Any]:
        """The fields that say how it ended; an internal error is said already."""
        return {} if self.sweep.reason is Reason.INTERNAL else {"message": message}

    def _stopping(self) -> SweepState:
        queued = self.sweep.state is SweepState.QUEUED
        return SweepState.STOPPED if queued else SweepState.STOPPING

    # -- planning and handing out ------------------------------------------------------------

    def _plan(self, slots: int) -> None:
        """Ask the study for the next trials; a study that learns gets asked only for as many as slots are free."""
        sweep = self.sweep
        queued = sweep.counts.get(RunState.QUEUED, 0)
        if self.study.looks_ahead:
            wanted = PLAN_AHEAD if queued < PLAN_AHEAD // 2 else 0
        else:
            wanted = min(slots - self.attempts.open - queued, self.target.free)
        wanted = min(wanted, sweep.total - sweep.planned)
        if wanted <= 0:
            return
        points = self.study.ask(wanted)
        if not points:
            if not self.attempts.open and not queued:
                # no result is pending, and the study is exhausted
                self._set(total=sweep.planned)
            return
        planned = [
            Run(
                # deterministic: planning again after a crash creates no run twice
                id=f"{self.id[:12]}-{sweep.planned + i + 1}",
                sweep_id=self.id,
                index=sweep.planned + i,
                parameters={**sweep.fixed, **point},
                queued_at=now(),
            )
            for i, point in enumerate(points)
        ]
        self.store.runs.add(self.id, planned)
        self.sweep = self.store.sweeps.get(self.id)

    async def _hand_out(self, slots: int) -> None:
        if slots != self.sweep.slots_open:
            self._set(slots_open=slots)
        taken = len(self.attempts) if self.sweep.confirmed else self.attempts.open
        wanted = min(slots - taken, self.sweep.counts.get(RunState.QUEUED, 0))
        if wanted > 0 and self.target.free <= 0:
            self.target.wait_for_slot(self.id, self.wake.set)
        free = min(wanted, self.target.free)
        for run in self.store.runs.of_sweep(self.id, states=[RunState.QUEUED], limit=free) if free > 0 else ():
            await self._begin(run)
        self.target.wake_next()

    def _slots(self) -> int:
        """Parallel runs: one at first, then as many as target, user and memory allow."""
        if not self.sweep.confirmed:
            return 1
        slots = self.target.slots
        if self.sweep.slots:
            slots = min(slots, self.sweep.slots)
        if self.target.here and self.sweep.run_memory:
            slots = min(slots, slots_by_memory(len(self.attempts), memory_free(), self.sweep.run_memory))
        return slots

    async def _begin(self, run: Run) -> None:
        if run.stop_requested:
            self._end_unstarted(run)
            return
        if self.target.free <= 0:
            # another sweep took the slot while the previous run was reported to MLflow
            self.target.wait_for_slot(self.id, self.wake.set)
            return
        self.target.reserve(run.id, run.attempt)
        try:
            await self._give(run)
        except BaseException:
            self.target.release(run.id, run.attempt)
            raise

    async def _give(self, run: Run) -> None:
        run = self.store.runs.change(
            run.id,
            expect=[RunState.QUEUED],
            expect_attempt=run.attempt,
            state=RunState.STARTING,
            message=Message(),
        )
        mlflow_run, env = await self.context.begin_run(self.sweep, run, self.usage)
        if mlflow_run != run.mlflow_run_id:
            run = self.store.runs.change(run.id, expect_attempt=run.attempt, mlflow_run_id=mlflow_run)
        self.attempts.hand_out(self.sweep, run, env)

    def _end_unstarted(self, run: Run) -> None:
        self._tell(self.attempts.end(run, tracked=True, **_NEVER_STARTED))

    # -- results -----------------------------------------------------------------------------

    def _note(self, run: Run) -> None:
        """Evaluate a finished run: open the slots, update the best run, or pause."""
        sweep = self.sweep = self.store.sweeps.get(self.id)
        self._tell(run)
        if run.state is RunState.SUCCEEDED:
            self._succeeded += 1
            self._set(confirmed=True, **measured(sweep, run), **better(sweep, run))
        elif run.state is RunState.PRUNED:
            # it worked, so others may begin
            self._set(confirmed=True)
        elif run.state is RunState.FAILED and run.error is not None:
            kind = f"{run.error.name}: {run.error.message}"
            self._failures[kind] += 1
            alike = not self._succeeded and self._failures[kind] >= SAME_FAILURES
            if alike and sweep.state is SweepState.RUNNING and self._left():
                if sweep.pipeline_run:
                    self.store.sweeps.request_stop(self.id)
                    return
                self._set(
                    pause_requested=True,
                    state=SweepState.PAUSED,
                    message=Message(
                        "{same_failures} runs failed alike and none succeeded: {message}",
                        same_failures=SAME_FAILURES,
                        message=run.error.message,
                    ),
                )

    def _report(self, run: Run, metric: str, points: list[Point]) -> None:
        """Tell a study that prunes what a run logged of an objective, and end the run if it says so."""
        try:
            if not prunes(self.study, self.sweep.objectives, run, metric, points):
                return
            self._to_end.setdefault(run.id, (run.attempt, "pruned"))
        except Exception as error:
            # a sampler of another package may raise anything; that ends its own sweep and no other
            self.attempts.failure = error
        self.wake.set()

    def _tell(self, run: Run) -> None:
        self.study.tell(trial_of(run, self.sweep.objectives))

    def _is_known(self, run: Run) -> bool:
        """Whether MLflow adds nothing to a run, because neither its notebook nor its modules log there."""
        sweep = self.sweep
        alone = bool(sweep.pipeline_run) and not sweep.space
        return alone and sweep.language == "python" and not self.usage.uses_mlflow and not run.code

    def _left(self) -> bool:
        return self.sweep.planned < self.sweep.total or bool(self.sweep.counts.get(RunState.QUEUED))

    # -- stopping and ending -----------------------------------------------------------------

    async def _end_runs(self) -> None:
        """End the runs that a person stopped, and those that the study prunes."""
        unfinished = [RunState.QUEUED, *RUN_LIVE]
        if any(self.sweep.counts.get(state) for state in unfinished):
            revision = self.store.revision()
            for run in self.store.runs.of_sweep(self.id, states=unfinished, since=self._looked_at):
                if run.stop_requested:
                    self._to_end[run.id] = (run.attempt, "stopped")
            self._looked_at = revision
        for run_id, (attempt, why) in list(self._to_end.items()):
            run = self.store.runs.get(run_id)
            if run.state in RUN_OVER or run.attempt != attempt:
                del self._to_end[run_id]
            elif run.state is RunState.QUEUED:
                self._end_unstarted(run)
            else:
                await self.target.stop(run.id, run.attempt, why)

    async def _step_stopping(self) -> bool:
        for run in self.store.runs.of_sweep(self.id, states=[RunState.QUEUED]):
            self.attempts.end(run, tracked=True, **_NEVER_STARTED)
        for run in self.store.runs.of_sweep(self.id, states=RUN_LIVE):
            stopped = await self.target.stop(run.id, run.attempt)
            if not stopped and run.id not in self.attempts:
                self.attempts.end(run, state=RunState.STOPPED, message=Message("Stopped"))
                self.context.behind = True
        self.attempts.tell()
        if self.attempts.attended:
            return False
        await self._close(SweepState.STOPPED, **self._final(Message("Stopped")))
        return True

    async def _leave(self) -> None:
        """Stop the workers of a sweep that another service ended while this one was suspended."""
        for run in self.store.runs.of_sweep(self.id):
            if run.id in self.attempts:
                await self.target.stop(run.id, run.attempt)
        self.attempts.forget()

    async def _finish_if_over(self) -> bool:
        sweep = self.sweep = self.store.sweeps.get(self.id)
        over = sum(sweep.counts.get(state, 0) for state in RUN_OVER)
        if self.attempts.open or sweep.planned < sweep.total or over < sweep.planned:
            return False
        if sweep.state is SweepState.PAUSED:
            self._set(state=SweepState.RUNNING, pause_requested=False)
        failed = sweep.counts.get(RunState.FAILED, 0)
        stopped = sweep.counts.get(RunState.STOPPED, 0)
        parts = [Message("{failed} failed", failed=failed)] if failed else []
        parts += [Message("{stopped} stopped", stopped=stopped)] if stopped else []
        said = Message.together(parts, ", ")
        await self._close(SweepState.FAILED if parts else SweepState.SUCCEEDED, message=said)
        return True

    async def _close(self, state: SweepState, **said: Message) -> None:
        layout = self.context.layout
        runs = self.store.runs.of_sweep(self.id)
        folders = [layout.sweep(self.id), *(layout.run(run.id) for run in runs)]
        occupies = await asyncio.to_thread(size_of, *folders)
        fields: dict[str, Any] = {}
        if self.sweep.objective:
            best_id, best_value = best_run(runs, self.sweep.objective)
            fields = {"best_run_id": best_id, "best_value": best_value}
        fields |= {"state": state, **said, "ended_at": now(), "occupies": occupies}
        # in this order: repeated if the service is killed in between
        await self.context.finish_sweep(msgspec.structs.replace(self.sweep, **fields))
        closed = self._set(**fields)
        if state is not SweepState.STOPPED and closed.planned < closed.total:
            # the sweep was extended at this moment
            self._set(**begun_again())

    async def _give_up(self, why: Message) -> None:
        """End a sweep that cannot go on, with a message."""
        self.attempts.forget()
        for run in self.store.runs.of_sweep(self.id, states=RUN_LIVE):
            await self.target.stop(run.id, run.attempt)
        self.sweep = self.context.settle(self.id, why)
        await self.context.finish_sweep(self.sweep)


def _silent(line: Message) -> None:
    """Ignore progress that was shown before."""
