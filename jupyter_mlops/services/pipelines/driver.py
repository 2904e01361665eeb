"""Drives one pipeline run from its first step to its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from ...core.errors import ConflictError, MlopsError, NotFoundError, UnavailableError
from ...core.messages import Message
from ...core.pipelines.conditions import Condition
from ...core.pipelines.definition import Step
from ...core.pipelines.order import edges, references_of
from ...core.pipelines.records import LogLine, PipelineRun, StepRun
from ...core.pipelines.references import SCHEDULED_TIME, NotFinite
from ...core.record import MAX_SECONDS, now
from ...core.runs import RunError
from ...core.states import STEP_OVER, SWEEP_OVER, PipelineRunState, Reason, StepState
from ...core.sweeps import Sweep
from ...store import StaleEpochError, StoreFailedError
from ..context import Context
from ..sweeps.manager import Drivers
from .dependencies import Verdict, judge
from .lost_steps import abandon_lost_attempt
from .packages import Environments
from .project import prepared
from .steps import Outcome, Place, asked_of_steps, fingerprint, make_sweep, outcome_of, refusal, unchanged, values_of

log = logging.getLogger(__name__)

NAP_SECONDS = 5.0
LOOK_SECONDS = 1.0
_GOOD = frozenset({StepState.SUCCEEDED, StepState.REUSED})


class PipelineDriver:
    """Starts each step of a run as soon as its dependencies are met, and stores the outcome.

    The store is the only source of truth: all state kept here may be lost with the process.

    Args:
        drivers: execute the sweeps behind the steps.
        run: claimed by this service.
    """

    def __init__(self, context: Context, drivers: Drivers, environments: Environments, run: PipelineRun) -> None:
        self.context = context
        self.store = context.store
        self.drivers = drivers
        self.environments = environments
        self.run = run
        self.wake = asyncio.Event()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._steps: dict[str, StepRun] = {}
        self._place: Place
        self._ending: tuple[PipelineRunState, Message] | None = None

    # -- the whole way -----------------------------------------------------------------------

    async def drive(self) -> None:
        """Work until the run is over; errors of the run itself fail it with a message."""
        try:
            await self._begin()
            while not await self._turn():
                await self._nap()
        except (StoreFailedError, StaleEpochError):
            raise
        except ConflictError:
            log.info("Run %s now belongs to another service", self.run.id, exc_info=True)
        except MlopsError as error:
            await self._finish(PipelineRunState.FAILED, error.message)
        finally:
            for task in self._tasks.values():
                task.cancel()

    async def _begin(self) -> None:
        store, run = self.store, self.run
        pipeline = store.pipelines.get(run.pipeline_id)
        version = store.pipelines.version(run.pipeline_id, run.version)
        at = run.scheduled_at or run.created_at
        parameters = {**version.definition.parameters, SCHEDULED_TIME: at, **run.parameters}
        self._change(parameters=parameters, started_at=run.started_at or now(), message=Message())
        project = await asyncio.to_thread(prepared, self.context, pipeline, version)
        await self._begin_in_mlflow(pipeline.name, version.definition.experiment or pipeline.name)
        self._place = Place(
            pipeline=pipeline,
            version=version,
            run=self.run,
            service=self.context.service,
            project=project.path,
            live=project.live,
            settings=self.context.settings,
            targets=self.context.targets,
            import_paths=tuple(project.import_paths),
            asked=asked_of_steps(version.definition),
        )
        self._project = project
        self._waits = edges(version.definition)
        self._check_environment = asyncio.create_task(self._look_at_environment())
        if version.definition.environment == "refuse":
            await self._check_environment
        new = [
            StepRun(id=f"{run.id}-{i}", run_id=run.id, pipeline_id=run.pipeline_id, step=name, position=i)
            for i, name in enumerate(version.definition.steps)
        ]
        store.pipeline_runs.add_steps(run.id, new)
        self._steps = {
            step.step: abandon_lost_attempt(self.context, step) for step in store.pipeline_runs.steps(run.id)
        }
        for step in self._steps.values():
            if step.state is StepState.RUNNING:
                self._attend_to(step, self._attend(step))

    async def _begin_in_mlflow(self, name: str, experiment: str) -> None:
        run = self.run
        tags = {"mlops.pipeline_run": run.id, "mlops.pipeline": name, "mlops.version": str(run.version)}
        title = f"{name} · {run.number}"
        tracking = self.context.tracking
        try:
            number, child = await self.context.call(tracking.begin_pipeline, experiment, title, tags, run.parameters)
        except UnavailableError as error:
            log.warning("Pipeline run %s goes on without MLflow: %s", run.id, error.message)
            self._say(Message("MLflow does not know of this run: {message}", message=error.message))
            return
        if (number, child) != (run.mlflow_experiment_id, run.mlflow_run_id):
            # new, or taken over from a service that has another MLflow
            self._change(mlflow_experiment_id=number, mlflow_run_id=child)

    async def _look_at_environment(self) -> None:
        """Record differences between the installed packages and those at promotion.

        Raises:
            UnavailableError: there are some, and the pipeline refuses to run then.
        """
        version = self._place.version
        policy = version.definition.environment
        if policy == "ignore":
            return
        drift = await asyncio.to_thread(self.environments.drift, version)
        if not drift:
            return
        self._change(drift=drift)
        self._say(Message("The environment differs from the one at promotion: {drift}", drift=drift))
        if policy == "refuse":
            raise UnavailableError(
                Message("The environment differs from the one at promotion ({drift}); promote anew.", drift=drift)
            )

    # -- turn by turn --------------------------------------------------------------------------

    async def _turn(self) -> bool:
        """One turn of work; True when the run is over."""
        self._reap()
        self.run = run = self.store.pipeline_runs.get(self.run.id)
        if run.service != self.context.service or run.state is not PipelineRunState.RUNNING:
            raise ConflictError(Message("Another service has taken this run over."))
        self._place = replace(self._place, run=run)
        if run.stop_requested and self._ending is None:
            self._end(PipelineRunState.STOPPED, run.message or Message("Stopped"))
        if self._ending is None and self._is_late():
            limit = self._place.version.definition.deadline
            self._end(PipelineRunState.FAILED, Message("It took longer than its deadline of {limit:g} s", limit=limit))
        if self._ending is not None:
            self._begin_nothing()
        else:
            # a step that ends at once may unblock others
            while self._start_ready():
                pass
        if any(step.state not in STEP_OVER for step in self._steps.values()):
            return False
        await self._close()
        return True

    def _is_late(self) -> bool:
        limit = self._place.version.definition.deadline
        if limit is None or self.run.started_at is None:
            return False
        return datetime.now(UTC) - datetime.fromisoformat(self.run.started_at) > timedelta(seconds=limit)

    def _end(self, state: PipelineRunState, message: Message) -> None:
        """Stop what runs and begin nothing more."""
        self._ending = (state, message)
        for step in self._steps.values():
            self._stop_step(step)

    def _stop_step(self, step: StepRun) -> None:
        if step.state is StepState.RUNNING and step.sweeps:
            self.drivers.stop(step.sweeps[-1])

    def _begin_nothing(self) -> None:
        """Stop waiting steps; a running step may return to waiting if its sweep turns out not to exist."""
        for step in list(self._steps.values()):
            if step.state is StepState.WAITING:
                self._set(step, state=StepState.STOPPED, message=Message("It was not begun"), retry_at=None)

    def _start_ready(self) -> int:
        """Start, skip or fail each step whose dependencies are settled; how many changed."""
        moved = 0
        for name, step in list(self._steps.items()):
            if step.state is not StepState.WAITING or name in self._tasks:
                continue
            if step.retry_at is not None and step.retry_at > now():
                continue
            definition = self._place.version.definition.steps[name]
            verdict, why = judge(name, definition, self._waits, self._steps)
            if verdict is Verdict.WAIT:
                continue
            moved += 1
            if verdict is Verdict.SKIP:
                self._set(step, state=StepState.SKIPPED, message=why, ended_at=now())
            else:
                self._begin_step(name, definition, step)
        return moved

    def _begin_step(self, name: str, definition: Step, step: StepRun) -> None:
        outputs = self._outputs(definition)
        try:
            condition = Condition(definition.when) if definition.when else None
            if condition and not condition.holds(outputs, self.run.parameters, name):
                message = Message("Its condition does not hold: {when}", when=definition.when)
                self._set(step, state=StepState.SKIPPED, message=message, ended_at=now())
                return
            values = values_of(name, definition, self._place, outputs)
            data = self.store.blobs.get(self._place.version.files[self._place.notebook(definition)])
            sweep = make_sweep(name, definition, self._place, values=values, outputs=outputs, data=data)
        except MlopsError as error:
            self._take(step, refusal(error))
            return
        if definition.reuse:
            self._attend_to(step, self._reuse_or_begin(step, definition, sweep, data))
        else:
            step = self._begin_attempt(step, sweep, data)
            self._attend_to(step, self._attend(step))

    def _begin_attempt(self, step: StepRun, sweep: Sweep, data: bytes, mark: str = "") -> StepRun:
        """Store the start of an attempt, and its sweep.

        Args:
            mark: its fingerprint, empty if the result is not reusable.
        """
        step = self._set(
            step,
            state=StepState.RUNNING,
            sweeps=[*step.sweeps, sweep.id],
            parameters=sweep.fixed,
            defaults=sweep.defaults,
            fingerprint=mark,
            started_at=now(),
            ended_at=None,
            retry_at=None,
            error=None,
            message=Message(),
        )
        self.store.sweeps.create(sweep, data)
        return step

    async def _reuse_or_begin(self, step: StepRun, definition: Step, sweep: Sweep, data: bytes) -> None:
        place = self._place
        mark = fingerprint(definition, place, sweep.fixed, place.version.lock.get(sweep.kernel, ""))
        earlier = self.store.pipeline_runs.reusable(self.run.pipeline_id, mark)
        # hashing its inputs may take long
        if earlier is not None and await asyncio.to_thread(unchanged, earlier, place):
            self._reuse(step, earlier, sweep.fixed)
            return
        await self._attend(self._begin_attempt(step, sweep, data, mark))

    def _reuse(self, step: StepRun, earlier: StepRun, parameters: dict[str, Any]) -> None:
        number = self.store.pipeline_runs.get(earlier.run_id).number
        self._set(
            step,
            state=StepState.REUSED,
            reused=earlier.run_id,
            sweeps=earlier.sweeps[-1:],
            notebook_run=earlier.notebook_run,
            outputs=earlier.outputs,
            inputs=earlier.inputs,
            parameters=parameters,
            defaults=earlier.defaults,
            started_at=now(),
            ended_at=now(),
            message=Message("Taken from run {number}: nothing that it depends on has changed", number=number),
        )

    def _outputs(self, definition: Step) -> dict[str, dict[str, Any]]:
        """By step what it handed on, with the metrics that ``definition`` refers to and that are not finite."""
        outputs = {name: dict(step.outputs) for name, step in self._steps.items() if step.state in _GOOD}
        for source, name in references_of(definition):
            if source in outputs and name not in outputs[source]:
                # retention may have removed the run
                with contextlib.suppress(NotFoundError):
                    not_finite = self.store.runs.get(self._steps[source].notebook_run).not_finite
                    outputs[source] |= {name: NotFinite(not_finite[name])} if name in not_finite else {}
        return outputs

    # -- a step's attempt ------------------------------------------------------------------------

    def _attend_to(self, step: StepRun, attempt: Coroutine[Any, Any, None]) -> None:
        self._tasks[step.step] = asyncio.create_task(attempt)
        self._tasks[step.step].add_done_callback(lambda _: self.wake.set())

    async def _attend(self, step: StepRun) -> None:
        """Follow one attempt and store its outcome."""
        sweep_id = step.sweeps[-1]
        said = step.message
        while True:
            try:
                sweep = self.store.sweeps.get(sweep_id)
            except NotFoundError:
                # the service ended between storing the step and its sweep
                self._set(step, state=StepState.WAITING, sweeps=step.sweeps[:-1])
                return
            if sweep.state in SWEEP_OVER:
                break
            reason = sweep.reason if sweep.reason is Reason.UNREACHABLE else Reason.NONE
            message = sweep.message if reason else Message()
            if message != said:
                step = self._set(step, message=message, reason=reason)
                said = message
            task = self.drivers.drive(sweep)
            if task is not None:
                await asyncio.wait({task}, timeout=LOOK_SECONDS)
            if task is None or (task.done() and not task.cancelled() and task.exception()):
                # give the manager time to store the error
                await asyncio.sleep(LOOK_SECONDS)
        definition = self._place.version.definition.steps[step.step]
        lines = await asyncio.to_thread(self._project.bring_back)
        for line in lines:
            self._say(line, step.step)
        self._take(step, outcome_of(self.store, sweep, definition))

    def _take(self, step: StepRun, outcome: Outcome) -> None:
        """Store the outcome of an attempt, and schedule the next one if there is one."""
        if outcome.remark:
            self._say(outcome.remark, step.step)
        definition = self._place.version.definition.steps[step.step]
        fields: dict[str, Any] = {
            "message": outcome.message,
            "error": outcome.error,
            "inputs": list(outcome.inputs),
            "notebook_run": outcome.notebook_run,
            "ended_at": now(),
        }
        state = outcome.state
        if state is StepState.STOPPED and self._ending is None and not self.run.stop_requested:
            # a user stopped only this step; the steps behind it cannot run
            state = StepState.FAILED
        elif state is StepState.FAILED and self._ending is None and step.failures < definition.retries:
            self._repeat_later(step, definition, outcome)
            return
        if state is StepState.FAILED:
            fields["failures"] = step.failures + 1
        self._set(step, state=state, outputs=outcome.outputs or {}, **fields)

    def _repeat_later(self, step: StepRun, definition: Step, outcome: Outcome) -> None:
        delay = min(definition.retry_delay * definition.retry_backoff ** min(step.failures, 50), MAX_SECONDS)
        retry_at = (datetime.now(UTC) + timedelta(seconds=delay)).isoformat(timespec="microseconds")
        text = Message(
            "Attempt {attempt} failed: {message} It is repeated in {delay:g} s.",
            attempt=step.attempt,
            message=outcome.message,
            delay=delay,
        )
        self._say(text, step.step)
        self._set(
            step,
            state=StepState.WAITING,
            attempt=step.attempt + 1,
            failures=step.failures + 1,
            retry_at=retry_at,
            error=outcome.error,
            notebook_run=outcome.notebook_run,
            message=Message("{message} It is repeated.", message=outcome.message),
        )

    # -- storing ---------------------------------------------------------------------------------

    def _set(self, step: StepRun, **fields: Any) -> StepRun:
        changed = self.store.pipeline_runs.change_step(step.id, expect_attempt=step.attempt, **fields)
        self._steps[changed.step] = changed
        return changed

    def _change(self, **fields: Any) -> None:
        self.run = self.store.pipeline_runs.change(self.run.id, expect_service=self.context.service, **fields)

    def _say(self, text: Message, step: str = "") -> None:
        self._change(say=[LogLine(at=now(), text=text, step=step)])

    def _reap(self) -> None:
        for name, task in list(self._tasks.items()):
            if task.done():
                del self._tasks[name]
                # raises what a step did not expect; that ends this driver, too
                task.result()

    async def _nap(self) -> None:
        seconds = NAP_SECONDS
        moments = [step.retry_at for step in self._steps.values() if step.retry_at and step.state is StepState.WAITING]
        if moments:
            until = datetime.fromisoformat(min(moments)) - datetime.now(UTC)
            seconds = min(seconds, max(0.05, until.total_seconds()))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.wake.wait(), timeout=seconds)
        self.wake.clear()

    # -- the end -----------------------------------------------------------------------------------

    async def _close(self) -> None:
        # its result belongs to the run's history
        await self._check_environment
        failed = [step for step in self._steps.values() if step.state is StepState.FAILED]
        if self._ending is not None:
            await self._finish(*self._ending)
        elif failed:
            line = Message("{step}: {why}", step=failed[0].step, why=failed[0].message or Message("failed"))
            await self._finish(PipelineRunState.FAILED, line, Reason.STEP)
        elif any(step.state is StepState.STOPPED for step in self._steps.values()):
            await self._finish(PipelineRunState.STOPPED, Message("Stopped"))
        else:
            await self._finish(PipelineRunState.SUCCEEDED, Message())

    async def _finish(self, state: PipelineRunState, message: Message, reason: Reason = Reason.NONE) -> None:
        for step in self.store.pipeline_runs.steps(self.run.id):
            if step.state not in STEP_OVER:
                self._stop_step(step)
                error = RunError(name="Internal", message=message)
                self._set(step, state=StepState.STOPPED, message=message, error=error, ended_at=now())
        await self.context.wait_until_tracked(self.run.id)
        fields: dict[str, Any] = {"state": state, "message": message, "reason": reason, "ended_at": now()}
        fields["stop_requested"] = False
        # in this order: repeated if the service is killed in between
        await self.context.finish_pipeline(msgspec.structs.replace(self.run, **fields))
        self._change(**fields)
