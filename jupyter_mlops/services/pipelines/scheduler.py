"""Fires due triggers. Any number of services on one store may do so concurrently."""

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

BATCH = 25  # schedules fired, and listings begun, per turn, so that a turn stays short
FILES_SECONDS = 10.0
LOOK_SECONDS = 30.0  # s within which files must be listed
_SELDOM = 600.0  # s, the longest pause after repeated failures
_LOOKS = 16  # concurrent listings
_LATE = 4  # hanging listings of one trigger, after which no other starts


class Scheduler:
    """Fires due triggers."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.store = context.store
        self._looking: dict[str, asyncio.Task[None]] = {}
        self._places = asyncio.Semaphore(_LOOKS)
        self._under_way: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()

    @property
    def next_due(self) -> float | None:
        """Seconds until the next trigger is due, None if there is none."""
        at = self.store.triggers.next_due()
        if at is None:
            return None
        return (datetime.fromisoformat(at) - datetime.now(UTC)).total_seconds()

    def turn(self) -> bool:
        """Fire due triggers; whether more of them may be due."""
        moment = datetime.now(UTC)
        at, find = moment.isoformat(timespec="microseconds"), self.store.triggers.find
        # those whose files are being listed are still due, and must not hide the others
        for trigger in find(kind="files", due=at, limit=BATCH + len(self._looking)):
            self._look(trigger)
        found = find(kind="cron", due=at, limit=BATCH)
        if found:
            self.store.triggers.fire([due(trigger, moment) for trigger in found], now(), self.context.service)
        return len(found) == BATCH

    def _look(self, trigger: Trigger) -> None:
        if trigger.id in self._looking:
            return
        task = asyncio.create_task(self._look_at_files(trigger))
        self._looking[trigger.id] = task
        task.add_done_callback(lambda _: self._looking.pop(trigger.id, None))

    async def _look_at_files(self, trigger: Trigger) -> None:
        """Create one run if files are new or changed; back off after failures."""
        following = datetime.now(UTC) + timedelta(seconds=FILES_SECONDS)
        try:
            state, run = await self._look_with_timeout(trigger)
            self._failures.pop(trigger.id, None)
            fires, message = [(run.scheduled_at, run, Message())] if run else [], Message()
        except MlopsError as error:
            self._failures[trigger.id] += 1
            state, fires, message = None, [], error.message
            pause = min(_SELDOM, FILES_SECONDS * 2 ** min(10, self._failures[trigger.id]))
            following = datetime.now(UTC) + timedelta(seconds=pause)
        firing = Firing(trigger, following.isoformat(timespec="microseconds"), fires, message, state=state)
        try:
            self.store.triggers.fire([firing], now(), self.context.service)
        except MlopsError as error:
            # the trigger is due again at once
            log.warning("What is new for a trigger could not be written down: %s", error.message)

    async def _look_with_timeout(self, trigger: Trigger) -> tuple[dict[str, Any], PipelineRun | None]:
        """Call :func:`~.new_files.look` with a time limit.

        Raises:
            MlopsError: the files cannot be listed, or the storage does not answer.
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
