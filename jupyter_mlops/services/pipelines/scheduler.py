"""Fires what is due. Any number of services on one store may do so at the same time."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta

from ...core.errors import MlopsError
from ...core.pipelines.records import Trigger
from ...core.record import now
from ...store import Firing
from ..context import Context
from .firing import due
from .new_files import look

log = logging.getLogger(__name__)

BATCH = 250
FILES_SECONDS = 10.0


class Scheduler:
    """Looks which triggers are due, and fires them.

    Args:
        context: of the service.
    """

    def __init__(self, context: Context) -> None:
        self.context = context
        self.store = context.store
        self._looking: dict[str, asyncio.Task[None]] = {}

    @property
    def next_due(self) -> float | None:
        """Seconds until the next trigger is due, None where none ever is."""
        at = self.store.next_due()
        if at is None:
            return None
        return (datetime.fromisoformat(at) - datetime.now(UTC)).total_seconds()

    def turn(self) -> int:
        """Fire all that is due; how many runs that made."""
        made = 0
        while True:
            moment = datetime.now(UTC)
            found = self.store.triggers(due=moment.isoformat(timespec="microseconds"), limit=BATCH)
            crons = [trigger for trigger in found if trigger.kind == "cron"]
            for trigger in found:
                if trigger.kind == "files":
                    self._look(trigger)
            if not crons:
                return made
            made += len(self.store.fire([due(trigger, moment) for trigger in crons], now(), self.context.service))

    def _look(self, trigger: Trigger) -> None:
        if trigger.id in self._looking:
            return
        task = asyncio.create_task(self._look_at_files(trigger))
        self._looking[trigger.id] = task
        task.add_done_callback(lambda _: self._looking.pop(trigger.id, None))

    async def _look_at_files(self, trigger: Trigger) -> None:
        """Fire where files are new or have changed; however many, that is one run."""
        following = (datetime.now(UTC) + timedelta(seconds=FILES_SECONDS)).isoformat(timespec="microseconds")
        try:
            state, run = await asyncio.to_thread(look, trigger, self.store.trigger_state(trigger.id))
            fires = [(run.scheduled_at, run, "")] if run else []
            firing = Firing(trigger, following, fires, state=state)
        except MlopsError as error:
            firing = Firing(trigger, following, [], error.message)
        try:
            self.store.fire([firing], now(), self.context.service)
        except MlopsError as error:
            # as it stands it is due again at once
            log.warning("What is new for a trigger could not be written down: %s", error.message)
