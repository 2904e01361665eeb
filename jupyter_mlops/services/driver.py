"""Brings one sweep from its first run to its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

from ..compute import WorkerLostError
from ..compute.hardware import memory_free
from ..compute.targets import spooled_result
from ..core.errors import MlopsError
from ..core.notebook import inspect, mlflow_usage, read_notebook
from ..core.records import Run, RunError, RunResult, RunSpec, Sweep, now
from ..core.samplers import make_sampler
from ..core.space import build_space
from ..core.states import RUN_LIVE, RUN_OVER, RunState, SweepState
from .context import Context
from .layout import size_of
from .requests import best_run, fresh_attempt

log = logging.getLogger(__name__)

PLAN_AHEAD = 200
SAME_FAILURES = 3
CELL_SECONDS = 0.3
INTERNAL = "An internal error ended it"


class SweepDriver:
    """Plans a sweep's runs, hands them to its target, and acts on what people ask of it.

    The store is the truth: whatever is kept here can be lost with the process.
    """

    def __init__(self, context: Context, sweep: Sweep) -> None:
        self.context = context
        self.store = context.store
        self.epoch = context.epoch
        self.id = sweep.id
        self.sweep = sweep
        self.target = context.targets.get(sweep.target)
        notebook = read_notebook(self.store.notebook(sweep.id))
        info = inspect(notebook, sweep.path)
        space = build_space(
            sweep.space,
            info.parameters,
            sweep.sampler,
            open_names=info.open_names,
            max_runs=max(sweep.total, context.settings.max_runs),
        )
        self.sampler = make_sampler(space, sweep.sampler)
        self.usage = mlflow_usage(notebook)
        self.wake = asyncio.Event()
        self._attempts: dict[str, asyncio.Task[None]] = {}
        self._failures: Counter[str] = Counter()
        self._succeeded = sweep.counts.get(RunState.SUCCEEDED, 0)
        self._written: dict[str, str] = {}
        self._lost: Counter[str] = Counter()

    # -- the whole way -----------------------------------------------------------------------

    async def drive(self) -> None:
        """Work until the sweep is over; what goes wrong with the sweep itself ends it with a sentence."""
        try:
            if self.sweep.stop_requested:
                self._set(state=self._stopping(), message="Stopped")
            else:
                await self._start()
            while not await self._step():
                await self._nap()
        except MlopsError as error:
            await self._give_up(error.message)

    async def _start(self) -> None:
        sweep = self.sweep
        if sweep.state is SweepState.QUEUED:
            self._set(state=SweepState.STARTING, message="Starting")
        await self.target.start(self._say)
        urls = await self.context.call(self.context.tracking.urls)
        frozen = self.context.layout.frozen(self.id)
        if not frozen.exists():
            frozen.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            frozen.write_bytes(self.store.notebook(self.id))
        await self.target.check(sweep.kernel, [str(frozen), str(Path(sweep.path).parent)], urls)
        experiment, parent = await self.context.call(self.context.tracking.begin_sweep, self.sweep)
        fields: dict[str, Any] = {"mlflow_experiment_id": experiment, "mlflow_run_id": parent}
        if self.sweep.state is SweepState.STARTING:
            fields["state"] = SweepState.RUNNING
            fields["started_at"] = sweep.started_at or now()
        self._set(message="", **fields)
        await self._recover()

    async def _recover(self) -> None:
        """Take up the attempts that an earlier service handed out."""
        live = self.store.runs(self.id, states=RUN_LIVE)
        if not live:
            return
        with_workers = await self.target.live()
        for run in live:
            spec = self._spec(run, {})
            if spooled_result(spec) is not None or (run.id, run.attempt) in with_workers:
                self._launch(run, self.target.adopt(spec, self._listener(run)))
            else:
                self._again(run, "The service ended in the middle of it")

    async def _step(self) -> bool:
        """Do what there is to do; whether the sweep is over."""
        self.sweep = sweep = self.store.sweep(self.id)
        if sweep.stop_requested and sweep.state is not SweepState.STOPPING:
            self._set(state=self._stopping(), message=self._last_word("Stopping"))
        if self.sweep.state is SweepState.STOPPING:
            return await self._step_stopping()
        await self._stop_asked_runs()
        if sweep.pause_requested and sweep.state is SweepState.RUNNING:
            self._set(state=SweepState.PAUSED, message=sweep.message or "Paused; resume it to go on")
        elif not sweep.pause_requested and sweep.state is SweepState.PAUSED:
            self._failures.clear()
            self._set(state=SweepState.RUNNING, message="")
        if self.sweep.state is SweepState.RUNNING:
            # at once where it is ready; it was lost where it is not
            await self.target.start(self._say)
            self._plan()
            await self._hand_out()
        return await self._finish_if_over()

    async def _nap(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.wake.wait(), timeout=5)
        self.wake.clear()

    def _say(self, line: str) -> None:
        self._set(message=line)

    def _set(self, **fields: Any) -> Sweep:
        self.sweep = self.store.change_sweep(self.id, epoch=self.epoch, **fields)
        return self.sweep

    def _last_word(self, otherwise: str) -> str:
        message = self.sweep.message
        return message if message.startswith(INTERNAL) else otherwise

    def _stopping(self) -> SweepState:
        queued = self.sweep.state is SweepState.QUEUED
        return SweepState.STOPPED if queued else SweepState.STOPPING

    # -- planning and handing out ------------------------------------------------------------

    def _plan(self) -> None:
        sweep = self.sweep
        queued = sweep.counts.get(RunState.QUEUED, 0)
        if sweep.planned >= sweep.total or queued >= PLAN_AHEAD // 2:
            return
        points = self.sampler.ask(PLAN_AHEAD, sweep.planned)
        planned = [
            Run(
                # the same id when planning is repeated after a crash: a run exists once
                id=f"{self.id[:12]}-{sweep.planned + i}",
                sweep_id=self.id,
                index=sweep.planned + i,
                parameters=point,
                queued_at=now(),
            )
            for i, point in enumerate(points)
        ]
        self.store.add_runs(self.id, planned, epoch=self.epoch)
        self.sweep = self.store.sweep(self.id)

    async def _hand_out(self) -> None:
        slots = self._slots()
        if slots != self.sweep.slots_open:
            self._set(slots_open=slots)
        free = min(slots - len(self._attempts), self.context.free_slots(self.target))
        if free <= 0:
            return
        for run in self.store.runs(self.id, states=[RunState.QUEUED], limit=free):
            await self._begin(run)

    def _slots(self) -> int:
        """Runs at once: one alone first, then what target, person and memory allow."""
        if not self.sweep.confirmed:
            return 1
        slots = self.target.slots
        if self.sweep.slots:
            slots = min(slots, self.sweep.slots)
        if self.target.kind != "scheduler" and self.sweep.run_memory:
            fits = len(self._attempts) + memory_free() // self.sweep.run_memory
            slots = min(slots, max(1, int(fits)))
        return slots

    async def _begin(self, run: Run) -> None:
        if run.stop_requested:
            self._over(run, state=RunState.STOPPED, message="Stopped before it started")
            return
        run = self.store.change_run(
            run.id,
            expect=[RunState.QUEUED],
            expect_attempt=run.attempt,
            epoch=self.epoch,
            state=RunState.STARTING,
            message="",
        )
        mlflow_run, env = await self.context.begin_run(self.sweep, run, self.usage)
        if mlflow_run is not None:
            run = self.store.change_run(run.id, expect_attempt=run.attempt, epoch=self.epoch, mlflow_run_id=mlflow_run)
        self._launch(run, self.target.run(self._spec(run, env), self._listener(run)))

    def _spec(self, run: Run, env: dict[str, str]) -> RunSpec:
        sweep, layout = self.sweep, self.context.layout
        return RunSpec(
            run_id=run.id,
            sweep_id=self.id,
            index=run.index,
            attempt=run.attempt,
            notebook=str(layout.frozen(self.id)),
            folder=str(Path(sweep.path).parent),
            directory=str(layout.run(run.id)),
            kernel=sweep.kernel,
            parameters=run.parameters,
            env=env,
            metrics=sweep.metrics,
            threads=self.target.threads,
            cell_timeout=sweep.cell_timeout,
            run_timeout=sweep.run_timeout,
            max_output=sweep.max_output,
            epoch=self.epoch.number,
        )

    # -- one attempt -------------------------------------------------------------------------

    def _launch(self, run: Run, attempt: Any) -> None:
        self._attempts[run.id] = asyncio.create_task(self._attend(run, attempt))

    async def _attend(self, run: Run, attempt: Any) -> None:
        try:
            try:
                result = await attempt
            except WorkerLostError as error:
                self._lose(run, error.message)
            else:
                await self._take(run, result)
        except MlopsError:
            # the run moved on without this attempt: another attempt, or another service, owns it
            log.info("The result of run %s, attempt %s, was refused", run.id, run.attempt, exc_info=True)
        finally:
            self._attempts.pop(run.id, None)
            self.wake.set()

    def _listener(self, run: Run) -> Any:
        """Write where a run stands: its begin at once, finished cells together, none of them left out."""
        loop = asyncio.get_running_loop()
        latest: dict[str, Any] = {}

        def write() -> None:
            fields = dict(latest)
            latest.clear()
            if not fields or run.id not in self._attempts:
                return
            try:
                self.store.change_run(run.id, expect=RUN_LIVE, expect_attempt=run.attempt, epoch=self.epoch, **fields)
            except MlopsError:
                log.info("Progress of run %s came late", run.id)

        def listen(event: dict[str, Any]) -> None:
            if event["kind"] not in ("started", "cell"):
                return
            if not latest:
                loop.call_later(CELL_SECONDS, write)
            latest.update(cell=event["cell"], cells=event["cells"])
            if event["kind"] == "started":
                latest.update(state=RunState.RUNNING, started_at=now(), worker=event["worker"])
                write()

        return listen

    async def _take(self, run: Run, result: RunResult) -> None:
        """Write down how an attempt ended; MLflow is told in its own time."""
        fields = {
            name: getattr(result, name)
            for name in ("metrics", "error", "cell", "cells", "peak_memory", "cpu_seconds", "warnings")
        }
        fields["warnings"] = [*result.warnings, *self._shared_files(run, result)]
        self._over(
            run,
            state=result.state,
            started_at=result.started_at,
            ended_at=result.ended_at,
            worker=result.worker,
            message=result.error.message if result.error else "",
            **fields,
        )
        await self.context.track(self.sweep, run.id)
        self._note(self.store.run(run.id))

    def _over(self, run: Run, **fields: Any) -> None:
        fields.setdefault("ended_at", now())
        self.store.change_run(run.id, expect_attempt=run.attempt, epoch=self.epoch, **fields)

    def _lose(self, run: Run, why: str) -> None:
        self._lost[run.id] += 1
        if self.store.run(run.id).stop_requested or self.sweep.stop_requested:
            self._over(run, state=RunState.STOPPED, message="Stopped")
        elif self._lost[run.id] >= self.context.settings.max_attempts:
            error = RunError(name="WorkerLost", message=f"{why} It was tried {self._lost[run.id]} times.")
            self._over(run, state=RunState.FAILED, error=error, message=error.message)
        else:
            self._again(run, why)

    def _again(self, run: Run, why: str) -> None:
        self.store.change_run(
            run.id,
            expect=RUN_LIVE,
            expect_attempt=run.attempt,
            epoch=self.epoch,
            state=RunState.QUEUED,
            **fresh_attempt(run, f"{why.rstrip('.')}; it is repeated"),
        )

    def _shared_files(self, run: Run, result: RunResult) -> list[str]:
        warnings = []
        for name in result.written:
            other = self._written.setdefault(name, run.id)
            if other != run.id:
                index = int(other.rsplit("-", 1)[1]) + 1
                warnings.append(
                    f"Run {index} wrote {name} in the notebook's folder too, so one overwrote the other; "
                    "write to MLOPS_RUN_DIR instead."
                )
        return warnings

    def _note(self, run: Run) -> None:
        """Learn from a finished run: open the slots, find the best, or pause."""
        sweep = self.sweep = self.store.sweep(self.id)
        self.sampler.tell(run.index, run.parameters, None)
        if run.state is RunState.SUCCEEDED:
            self._succeeded += 1
            fields: dict[str, Any] = {"confirmed": True, **self._measured(run)}
            best = best_run([run], sweep.objective) if sweep.objective else (None, None)
            if (
                best[1] is not None
                and sweep.objective
                and (
                    sweep.best_value is None
                    or (best[1] > sweep.best_value) == (sweep.objective.direction == "maximize")
                )
            ):
                fields |= {"best_run_id": best[0], "best_value": best[1]}
            self._set(**fields)
        elif run.state is RunState.FAILED and run.error is not None:
            kind = f"{run.error.name}: {run.error.message}"
            self._failures[kind] += 1
            alike = not self._succeeded and self._failures[kind] >= SAME_FAILURES
            if alike and sweep.state is SweepState.RUNNING and self._left():
                self._set(
                    pause_requested=True,
                    state=SweepState.PAUSED,
                    message=f"{SAME_FAILURES} runs failed alike and none succeeded: {run.error.message}",
                )

    def _measured(self, run: Run) -> dict[str, Any]:
        """What a run costs, with one more that succeeded."""
        sweep = self.sweep
        fields: dict[str, Any] = {"run_memory": max(sweep.run_memory or 0, run.peak_memory or 0) or None}
        if run.started_at and run.ended_at:
            took = (datetime.fromisoformat(run.ended_at) - datetime.fromisoformat(run.started_at)).total_seconds()
            mean = took if sweep.run_seconds is None else sweep.run_seconds
            fields["run_seconds"] = mean + (took - mean) / max(1, sweep.counts.get(RunState.SUCCEEDED, 1))
        return fields

    def _left(self) -> bool:
        sweep = self.store.sweep(self.id)
        return sweep.planned < sweep.total or bool(sweep.counts.get(RunState.QUEUED))

    # -- stopping and ending -----------------------------------------------------------------

    async def _stop_asked_runs(self) -> None:
        for run in self.store.runs(self.id, states=[RunState.QUEUED, *RUN_LIVE]):
            if not run.stop_requested:
                continue
            if run.state is RunState.QUEUED:
                self._over(run, state=RunState.STOPPED, message="Stopped before it started")
            else:
                await self.target.stop(run.id, run.attempt)

    async def _step_stopping(self) -> bool:
        for run in self.store.runs(self.id, states=[RunState.QUEUED]):
            self._over(run, state=RunState.STOPPED, message="Stopped before it started")
        for run in self.store.runs(self.id, states=RUN_LIVE):
            stopped = await self.target.stop(run.id, run.attempt)
            if not stopped and run.id not in self._attempts:
                self._over(run, state=RunState.STOPPED, message="Stopped")
        if self._attempts:
            return False
        await self._close(SweepState.STOPPED, self._last_word("Stopped"))
        return True

    async def _finish_if_over(self) -> bool:
        sweep = self.sweep = self.store.sweep(self.id)
        over = sum(sweep.counts.get(state, 0) for state in RUN_OVER)
        if self._attempts or sweep.planned < sweep.total or over < sweep.planned:
            return False
        if sweep.state is SweepState.PAUSED:
            self._set(state=SweepState.RUNNING, pause_requested=False)
        failed = sweep.counts.get(RunState.FAILED, 0)
        stopped = sweep.counts.get(RunState.STOPPED, 0)
        parts = [f"{failed} failed"] * bool(failed) + [f"{stopped} stopped"] * bool(stopped)
        await self._close(SweepState.FAILED if parts else SweepState.SUCCEEDED, ", ".join(parts))
        return True

    async def _close(self, state: SweepState, message: str) -> None:
        layout = self.context.layout
        runs = self.store.runs(self.id)
        folders = [layout.sweep(self.id), *(layout.run(run.id) for run in runs)]
        occupies = await asyncio.to_thread(size_of, *folders)
        fields: dict[str, Any] = {}
        if self.sweep.objective:
            best_id, best_value = best_run(runs, self.sweep.objective)
            fields = {"best_run_id": best_id, "best_value": best_value}
        self._set(state=state, message=message, ended_at=now(), occupies=occupies, **fields)
        await self.context.finish_sweep(self.sweep)

    async def _give_up(self, why: str) -> None:
        self.sweep = self.store.sweep(self.id)
        if self.sweep.state in (SweepState.QUEUED, SweepState.STARTING, SweepState.RUNNING):
            for task in list(self._attempts.values()):
                task.cancel()
            self._set(state=SweepState.FAILED, message=why, ended_at=now())
        else:
            log.error("Sweep %s: %s", self.id, why)
