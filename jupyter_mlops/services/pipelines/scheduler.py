"""Fires what is due. Any number of services on one store may do so at the same time."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from ...core.errors import MlopsError, UnavailableError
from ...core.messages import Message
from ...core.pipelines.records import PipelineRun, Trigger
from ...core.record import now
from ...store import Firing
from ..context import Context
from ..timeouts import call_with_timeout
from .firing import due
from .new_files import look

log = logging.getLogger(__name__)

BATCH = 250
FILES_SECONDS = 10.0
LOOK_SECONDS = 30.0  # s that a look at files may take
_SELDOM = 600.0  # s between two looks at what fails again and again
_LOOKS = 16  # at once
_LATE = 4  # looks at one trigger's files that hang, before no other is begun


class Scheduler:
    """Looks which triggers are due, and fires them.

    Args:
        context: of the service.
    """

    def __init__(self, context: Context) -> None:
        self.context = context
        self.store = context.store
        self._looking: dict[str, asyncio.Task[None]] = {}
        self._places = asyncio.Semaphore(_LOOKS)
        self._under_way: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()

    @property
    def next_due(self) -> float | None:
        """Seconds until the next trigger is due, None where none ever is."""
        at = self.store.triggers.next_due()
        if at is None:
            return None
        return (datetime.fromisoformat(at) - datetime.now(UTC)).total_seconds()

    def turn(self) -> int:
        """Fire all that is due; how many runs that made."""
        made = 0
        while True:
            moment = datetime.now(UTC)
            found = self.store.triggers.find(due=moment.isoformat(timespec="microseconds"), limit=BATCH)
            crons = [trigger for trigger in found if trigger.kind == "cron"]
            for trigger in found:
                if trigger.kind == "files":
                    self._look(trigger)
            if not crons:
                return made
            made += len(
                self.store.triggers.fire([due(trigger, moment) for trigger in crons], now(), self.context.service)
            )

    def _look(self, trigger: Trigger) -> None:
        if trigger.id in self._looking:
            return
        task = asyncio.create_task(self._look_at_files(trigger))
        self._looking[trigger.id] = task
        task.add_done_callback(lambda _: self._looking.pop(trigger.id, None))

    async def _look_at_files(self, trigger: Trigger) -> None:
        """Fire where files are new or have changed; however many, that is one run.

        What fails is looked at less and less often.
        """
        following = datetime.now(UTC) + timedelta(seconds=FILES_SECONDS)
        try:
            state, run = await self._see(trigger)
            self._failures.pop(trigger.id, None)
            fires, message = [(run.scheduled_at, run, "")] if run else [], ""
        except MlopsError as error:
            self._failures[trigger.id] += 1
            state, fires, message = None, [], str(error)
            pause = min(_SELDOM, FILES_SECONDS * 2 ** min(10, self._failures[trigger.id]))
            following = datetime.now(UTC) + timedelta(seconds=pause)
        firing = Firing(trigger, following.isoformat(timespec="microseconds"), fires, message, state=state)
        try:
            self.store.triggers.fire([firing], now(), self.context.service)
        except MlopsError as error:
            # as it stands it is due again at once
            log.warning("What is new for a trigger could not be written down: %s", error.message)

    async def _see(self, trigger: Trigger) -> tuple[dict[str, Any], PipelineRun | None]:
        """Look at a trigger's files; see :func:`~.new_files.look`.

        Raises:
            MlopsError: they cannot be read, or their place does not answer.
        """
        state = self.store.triggers.state(trigger.id)

        def see() -> tuple[dict[str, Any], PipelineRun | None]:
            try:
                return look(trigger, state)
            finally:
                self._under_way[trigger.id] -= 1

        try:
            if self._under_way[trigger.id] >= _LATE:
                raise TimeoutError
            async with self._places:
                self._under_way[trigger.id] += 1
                return await call_with_timeout(LOOK_SECONDS, see)
        except TimeoutError:
            raise UnavailableError(
                Message(
                    "“{pattern}” has not answered for {look_seconds:g} s; it is tried again less and less "
                    "often, every {seldom:g} minutes in the end.",
                    pattern=trigger.pattern,
                    look_seconds=LOOK_SECONDS,
                    seldom=_SELDOM / 60,
                )
            ) from None
