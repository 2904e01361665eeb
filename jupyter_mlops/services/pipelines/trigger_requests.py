"""Users' requests on schedules and triggers."""

from __future__ import annotations

import hashlib
import hmac
import math
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_OID, uuid4, uuid5

import msgspec

from ...core.cron import iso
from ...core.errors import ConflictError, InvalidInputError, NotFoundError, TooManyCallsError
from ...core.messages import Message
from ...core.pipelines.records import Pipeline, PipelineRun, Trigger, Version
from ...core.pipelines.requests import MAX_KEY_LENGTH, RunRequest, ScheduleAnswer, ScheduleRequest, TriggerChange
from ...core.record import now
from ...store import Firing
from ..base import RequestsBase
from .firing import run_of
from .run_checks import check_parameters, moment_of
from .triggers import check_trigger, short_pattern, trigger_of


class TriggerRequests(RequestsBase):
    """Requests on schedules and triggers."""

    def shown_trigger(self, trigger_id: str) -> Trigger:
        """One schedule or trigger, as people see it."""
        return self._outward(self.trigger(trigger_id))

    def add_trigger(self, pipeline_id: str, request: ScheduleRequest) -> ScheduleAnswer:
        """Add a schedule or trigger.

        Raises:
            InvalidInputError: it would never fire, or cannot be understood.
        """
        pipeline = self.pipeline(pipeline_id)
        folder = Path(pipeline.path).parent
        self._check(request, folder, pipeline_id, self.store.pipelines.version(pipeline_id, pipeline.version))
        token = secrets.token_urlsafe(32) if request.kind == "http" else ""
        trigger = trigger_of(pipeline_id, request, folder, _hash(token) if token else "")
        if pipeline.paused or pipeline.deleted_at:
            trigger = msgspec.structs.replace(trigger, next_at=None)
        return ScheduleAnswer(trigger=self._outward(self.store.triggers.create(trigger)), token=token)

    def _check_parameters(self, pipeline: Pipeline, parameters: dict[str, Any]) -> None:
        check_parameters(self, self.store.pipelines.version(pipeline.id, pipeline.version), parameters)

    def _check(self, request: ScheduleRequest, folder: Path, pipeline_id: str, version: Version) -> None:
        """Refuse a schedule or trigger that makes no sense; ``pipeline_id`` is empty for a pipeline yet to be made."""
        check_trigger(request, folder)
        check_parameters(self, version, request.parameters)
        if request.kind == "pipeline":
            self._check_upstream(pipeline_id, self.pipeline(request.upstream))

    def _check_upstream(self, pipeline_id: str, upstream: Pipeline) -> None:
        followed, todo = {pipeline_id}, [upstream.id]
        while todo:
            current = todo.pop()
            if current in followed:
                if current == pipeline_id:
                    message = Message(
                        "“{name}” follows this pipeline already, so that they would fire each other for ever.",
                        name=upstream.name,
                    )
                    raise InvalidInputError(
                        message if upstream.id != pipeline_id else Message("A pipeline cannot follow itself."),
                        {"upstream": Message("a circle")},
                    )
                continue
            followed.add(current)
            todo += [t.upstream for t in self.store.triggers.find(current) if t.kind == "pipeline"]

    def change_trigger(self, trigger_id: str, change: TriggerChange) -> Trigger:
        """Change a schedule or trigger."""
        trigger = self.trigger(trigger_id)
        pipeline = self.store.pipelines.get(trigger.pipeline_id)
        fields = {name: value for name, value in msgspec.structs.asdict(change).items() if value is not None}
        changed = msgspec.structs.replace(trigger, **fields, message=Message())
        folder = Path(pipeline.path).parent
        asked = ScheduleRequest(**{name: getattr(changed, name) for name in ScheduleRequest.__struct_fields__})
        check_trigger(asked, folder)
        if change.parameters is not None:
            self._check_parameters(pipeline, change.parameters)
        checked = trigger_of(trigger.pipeline_id, asked, folder, trigger.token_hash)
        rests = pipeline.paused or pipeline.deleted_at is not None
        moved = {"cron", "zone", "enabled", "pattern"} & set(fields)
        at = (None if rests else checked.next_at) if moved else trigger.next_at
        return self._outward(
            self.store.triggers.change(
                trigger_id, **fields | {"pattern": checked.pattern}, next_at=at, message=Message()
            )
        )

    def _outward(self, trigger: Trigger) -> Trigger:
        folder = Path(self.store.pipelines.get(trigger.pipeline_id).path).parent
        # not even the hash of a token leaves the server
        return msgspec.structs.replace(trigger, token_hash="", pattern=short_pattern(trigger.pattern, folder))

    def delete_trigger(self, trigger_id: str) -> None:
        """Remove a schedule or trigger; what it fired stays."""
        self.store.triggers.delete(self.trigger(trigger_id).id)

    def checked_trigger(self, trigger_id: str, token: str) -> Trigger:
        """The trigger, if the token is its own.

        Raises:
            NotFoundError: there is none, or the token is another.
        """
        trigger = self.trigger(trigger_id)
        # compared in constant time, also where there is nothing to compare with
        if not hmac.compare_digest(_hash(token), trigger.token_hash or _hash(secrets.token_hex())):
            raise NotFoundError(Message("There is no such trigger."))
        return trigger

    def fire_by_call(self, trigger: Trigger, request: RunRequest, key: str = "") -> PipelineRun:
        """Fire a trigger of kind ``http``.

        Args:
            key: of the caller's own; a call that repeats it, or without one the scheduled time, makes no second run.

        Returns:
            the run that was made, by this call or by the one that it repeats.

        Raises:
            ConflictError: the pipeline is paused, or the key was used with other parameters.
            TooManyCallsError: the last minute had as many calls as the settings allow.
        """
        if len(key) > MAX_KEY_LENGTH:
            raise InvalidInputError(
                Message("An Idempotency-Key may have {most_key} characters at most.", most_key=MAX_KEY_LENGTH)
            )
        time = iso(moment_of(request.scheduled_time)) if request.scheduled_time else ""
        # a run's id follows from what must not be repeated, so that the store itself refuses a second one
        once = f"key {key}" if key else time and f"time {time}"
        run_id = uuid5(NAMESPACE_OID, f"{trigger.id} {once}").hex if once else uuid4().hex
        parameters = {**trigger.parameters, **request.parameters}
        for _ in range(10):
            if once and (earlier := self._repeated(run_id, parameters)):
                return earlier
            self._check_call(trigger, request)
            at = now()
            run = run_of(trigger, "http", time or at, at)
            run = msgspec.structs.replace(run, id=run_id, parameters=parameters)
            made = self.store.triggers.fire([Firing(trigger, None, [(at, run, Message())])], at, self.layout.service)
            if made:
                return made[0]
            # another call was written down at the same time
            trigger = self.store.triggers.get(trigger.id)
        raise ConflictError(Message("This trigger is called too often at once; call it again."))

    def _repeated(self, run_id: str, parameters: dict[str, Any]) -> PipelineRun | None:
        try:
            earlier = self.store.pipeline_runs.get(run_id)
        except NotFoundError:
            return None
        if any(earlier.parameters.get(name) != value for name, value in parameters.items()):
            raise ConflictError(
                Message(
                    "Run {number} was made by a call of this key or time with other parameters; take another key.",
                    number=earlier.number,
                )
            )
        return earlier

    def _check_call(self, trigger: Trigger, request: RunRequest) -> None:
        pipeline = self.store.pipelines.get(trigger.pipeline_id)
        if not trigger.enabled or pipeline.paused or pipeline.deleted_at:
            raise ConflictError(Message("“{name}” is paused; resume it, or this trigger, first.", name=pipeline.name))
        self._check_parameters(pipeline, request.parameters)
        most = self.settings.calls_per_minute
        fires = self.store.triggers.fired(trigger.id, since=iso(datetime.now(UTC) - timedelta(minutes=1)), limit=most)
        if len(fires) < most:
            return
        passed = datetime.now(UTC) - datetime.fromisoformat(fires[-1].scheduled_at)
        seconds = max(1, math.ceil(60 - passed.total_seconds()))
        raise TooManyCallsError(
            Message(
                "This trigger was called {most} times within a minute, which is the limit; call again in {seconds} s.",
                most=most,
                seconds=seconds,
            ),
            seconds,
        )


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
