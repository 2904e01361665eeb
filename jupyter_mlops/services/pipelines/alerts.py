"""Sends alerts on pipeline runs through apprise."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable

from ...core.errors import ConflictError, MlopsError, NotFoundError
from ...core.messages import Message
from ...core.pipelines.definition import AlertKind
from ...core.pipelines.records import LogLine, PipelineRun, StepRun, Version
from ...core.record import now
from ...core.states import PIPELINE_RUN_OVER, PipelineRunState, Reason, StepState
from ...store import StaleEpochError, StoreFailedError, health_key
from ..context import Context
from .alert_texts import Alert, alert, seconds_of, slow_after
from .delivery import deliver

log = logging.getLogger(__name__)

WAIT_SECONDS = 300.0  # after which a step that waits for its target causes an alert
LOST_SECONDS = 60.0  # within which another service normally takes over a lost one's runs
PAUSES = (5.0, 30.0)  # before delivery is retried
_LIVE = (PipelineRunState.RUNNING, PipelineRunState.QUEUED)
_TOLD = "alerts:told:"


class Alerts:
    """Finds due alerts from the store alone, so that none is lost when a process is killed.

    Each kind is sent once per run; it is repeated only if the service is killed between sending and storing that.
    Each service handles its own runs, and the first living one by name those of lost services.

    Args:
        lost: returns the names of the services without heartbeat.
    """

    def __init__(self, context: Context, lost: Callable[[], set[str]] = set) -> None:
        self.context = context
        self.store = context.store
        self._lost = lost
        self._telling: dict[str, asyncio.Task[None]] = {}  # by pipeline: its runs are told of in their order
        self._waits: dict[tuple[str, str, int], float] = {}  # since when, by run, step and attempt
        self._marks: dict[str, int] = {}

    async def turn(self) -> None:
        """Start sending due alerts in the background."""
        owners = self._owners()
        for pipeline_id, task in list(self._telling.items()):
            if task.done():
                del self._telling[pipeline_id]
                task.result()
        todo = await asyncio.to_thread(self._find, owners)
        for pipeline_id, tales in todo.items():
            self._telling[pipeline_id] = asyncio.create_task(self._tell_all(tales), name=f"alerts-{pipeline_id}")

    async def close(self) -> None:
        """Stop sending; the next service goes on."""
        tasks = list(self._telling.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- due alerts ----------------------------------------------------------------------------

    def _owners(self) -> set[str]:
        """The services whose alerts this service sends."""
        own, lost = self.context.service, self._lost() - {self.context.service}
        living = {name.removeprefix("service:") for name in self.store.leases.beats()} - lost
        return {own, *lost} if own == min(living, default=own) else {own}

    def _find(self, owners: set[str]) -> dict[str, list[tuple[PipelineRun, list[Alert]]]]:
        """Runs with due alerts, by pipeline and in the order in which they ended."""
        found: dict[str, list[tuple[PipelineRun, list[Alert]]]] = defaultdict(list)
        for owner in owners:
            for run in self._ended(owner):
                if run.pipeline_id not in self._telling:
                    # also runs without alerts, because a recovery depends on the runs before it
                    found[run.pipeline_id].append((run, []))
        live = [run for run in self.store.pipeline_runs.find(states=_LIVE) if self._owner(run) in owners]
        known = {run.id for run in live}
        self._waits = {key: since for key, since in self._waits.items() if key[0] in known}
        for run in live:
            if run.pipeline_id in self._telling or run.pipeline_id in found:
                continue
            alerts = self._of_live(run)
            if alerts:
                found[run.pipeline_id].append((run, alerts))
        return found

    def _ended(self, owner: str) -> list[PipelineRun]:
        """Ended runs of a service with alerts that were not sent yet, oldest first."""
        mark = self._marks.get(owner)
        if mark is None:
            mark = self._marks[owner] = self.store.infos.get(f"{_TOLD}{owner}") or 0
        revision = self.store.revision()
        if revision == mark:
            return []
        runs = self.store.pipeline_runs.find(since=mark, states=PIPELINE_RUN_OVER)
        ours = [run for run in reversed(runs) if self._owner(run) == owner]
        untold = [run for run in ours if run.revision <= revision and not self._is_told(run)]
        mark = min([run.revision - 1 for run in untold], default=revision)
        if mark != self._marks[owner]:
            self._marks[owner] = mark
            self.store.infos.put(f"{_TOLD}{owner}", mark)
        return untold

    def _owner(self, run: PipelineRun) -> str:
        return run.service or self.store.pipelines.get(run.pipeline_id).service

    def _is_told(self, run: PipelineRun) -> bool:
        """Whether an ended run needs no more alerts and does not change the pipeline's health."""
        return self._health(run) is None and not self._of_ended(run)

    def _of_live(self, run: PipelineRun) -> list[Alert]:
        version = self._version(run)
        wanted = set(version.definition.alerts.on) - set(run.alerted)
        found: list[Alert] = []
        if not version.definition.alerts.to or not wanted:
            return found
        if "drift" in wanted and self._has_new_drift(run):
            found.append(self._alert(run, "drift"))
        if run.state is PipelineRunState.RUNNING and "slow" in wanted:
            limit = slow_after(self.store, run, version)
            if limit is not None and seconds_of(run) > limit:
                found.append(self._alert(run, "slow", f"It has taken longer than {limit:,.0f} s and goes on."))
        if "failure" in wanted and (why := self._held_up(run)):
            found.append(self._alert(run, "failure", why))
        return found

    def _held_up(self, run: PipelineRun) -> str:
        """Why a run is blocked; empty if it is not."""
        if self._owner(run) != self.context.service:
            since = self._waits.setdefault((run.id, "", 0), time.monotonic())
            lost = "The service that has it is lost, and no other one goes on with it: start that service again."
            return lost if time.monotonic() - since > LOST_SECONDS else ""
        steps = self.store.pipeline_runs.steps(run.id) if run.state is PipelineRunState.RUNNING else []
        waiting = {(run.id, step.id, step.attempt): step for step in steps if _waits(step)}
        for key in [key for key in self._waits if key[0] == run.id and key not in waiting]:
            # it goes on
            del self._waits[key]
        for key, step in waiting.items():
            since = self._waits.setdefault(key, time.monotonic())
            if time.monotonic() - since > WAIT_SECONDS:
                return Message(
                    "Step {step} waits for more than {wait_seconds:g} minutes. {message}",
                    step=step.step,
                    wait_seconds=WAIT_SECONDS / 60,
                    message=step.message,
                )
        return ""

    def _of_ended(self, run: PipelineRun) -> list[Alert]:
        version = self._version(run)
        wanted = set(version.definition.alerts.on) - set(run.alerted)
        if not version.definition.alerts.to:
            return []
        kinds: list[tuple[AlertKind, str]] = []
        if self._has_new_drift(run):
            kinds.append(("drift", ""))
        if run.state is PipelineRunState.FAILED:
            kinds.append(("failure", ""))
        if run.state is PipelineRunState.SUCCEEDED:
            failed = self._failed_before(run)
            if failed and "recovery" in wanted:
                # replaces the alert of success
                kinds.append(("recovery", f"Run {failed} had failed." if failed < run.number else ""))
            elif "recovery" not in run.alerted:
                kinds.append(("success", ""))
            limit = slow_after(self.store, run, version) if "slow" in wanted else None
            if limit is not None and seconds_of(run) > limit:
                kinds.append(("slow", f"It took longer than {limit:,.0f} s."))
        return [self._alert(run, kind, why) for kind, why in kinds if kind in wanted]

    def _has_new_drift(self, run: PipelineRun) -> bool:
        """Whether the environment's drift differs from that of the previous run, whose alert covered it."""
        if not run.drift:
            return False
        for earlier in self.store.pipeline_runs.find(run.pipeline_id, limit=50):
            if earlier.number < run.number and earlier.started_at is not None:
                return earlier.drift != run.drift or earlier.version != run.version
        return True

    def _version(self, run: PipelineRun) -> Version:
        return self.store.pipelines.version(run.pipeline_id, run.version)

    def _alert(self, run: PipelineRun, kind: AlertKind, why: str = "") -> Alert:
        pipeline = self.store.pipelines.get(run.pipeline_id)
        return alert(kind, pipeline, run, self.store.pipeline_runs.steps(run.id), why)

    # -- sending ---------------------------------------------------------------------------------

    async def _tell_all(self, tales: list[tuple[PipelineRun, list[Alert]]]) -> None:
        for run, alerts in tales:
            try:
                await self._tell(run, alerts)
            except (StoreFailedError, StaleEpochError):
                raise
            except (NotFoundError, ConflictError):
                log.info("Run %s is gone, or went on", run.id, exc_info=True)
            except MlopsError as error:
                log.error("Alerts on run %s could not be sent: %s", run.id, error.message)

    async def _tell(self, run: PipelineRun, alerts: list[Alert]) -> None:
        over = run.state in PIPELINE_RUN_OVER
        if over:
            # alerts sent for earlier runs meanwhile affect this one
            run = self.store.pipeline_runs.get(run.id)
            alerts = self._of_ended(run) if run.state in PIPELINE_RUN_OVER else []
        failing = any(item.kind == "failure" for item in alerts)
        health = self._health(run, failing=failing)
        if health is not None and failing:
            self.store.infos.put(health_key(run.pipeline_id), health)
        for item in alerts:
            await self._send(run, item)
        if health is not None:
            self.store.infos.put(health_key(run.pipeline_id), health)

    def _failed_before(self, run: PipelineRun) -> int:
        """Number of the last failed run if no later run has succeeded since, else 0."""
        failed, fine = self.store.infos.get(health_key(run.pipeline_id)) or (0, 0)
        return failed if fine < failed <= run.number else 0

    def _health(self, run: PipelineRun, *, failing: bool = False) -> tuple[int, int] | None:
        """The updated numbers of the last failure and recovery; None if the run does not change them."""
        failed, fine = self.store.infos.get(health_key(run.pipeline_id)) or (0, 0)
        if failing or run.state is PipelineRunState.FAILED:
            return (run.number, fine) if run.number > max(failed, fine) else None
        if run.state is PipelineRunState.SUCCEEDED and fine < failed <= run.number:
            return failed, run.number
        return None

    async def _send(self, run: PipelineRun, item: Alert) -> None:
        """Deliver one alert, and store the outcome."""
        to = self._version(run).definition.alerts.to
        problems: dict[int, str] = {}
        left = list(enumerate(to))
        for pause in (*PAUSES, None):
            problems = await deliver(item, left)
            left = [(number, address) for number, address in left if number in problems]
            if not left or pause is None:
                break
            await asyncio.sleep(pause)
        say = [
            LogLine(
                at=now(),
                text=Message(
                    "The alert “{kind}” could not be delivered to address {number}: {why}",
                    kind=item.kind,
                    number=number + 1,
                    why=why,
                ),
            )
            for number, why in problems.items()
        ]
        if len(left) < len(to):
            say.append(LogLine(at=now(), text=Message("Told: {title}", title=item.title)))
        present = self.store.pipeline_runs.get(run.id)
        self.store.pipeline_runs.change(
            run.id,
            # a run that is repeated meanwhile gets new alerts
            expect=PIPELINE_RUN_OVER if run.state in PIPELINE_RUN_OVER else None,
            say=say,
            alerted=[*present.alerted, item.kind],
        )


def _waits(step: StepRun) -> bool:
    return step.state is StepState.RUNNING and step.reason is Reason.UNREACHABLE
