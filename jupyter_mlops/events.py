"""Puts the store's revisions onto Jupyter's event bus, and looks whether somebody works on what is there."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

log = logging.getLogger(__name__)
SCHEMA_ID = "https://events.jupyter.org/jupyter_mlops/changes/v1"
SCHEMA = {
    "$id": SCHEMA_ID,
    "version": "1",
    "title": "Something changed in the store of jupyter-mlops",
    "description": "Sent after changes, at most four times a second. Clients fetch what is newer than they know.",
    "personal-data": False,
    "type": "object",
    "required": ["revision"],
    "properties": {
        "revision": {"type": "integer", "description": "Number of the last change"},
        "sweeps": {"type": "array", "items": {"type": "string"}, "description": "Ids of the sweeps that changed"},
    },
}
POLL_SECONDS = 0.5
LOOK_SECONDS = 10.0
ACTIVITY_SECONDS = 20.0


class RevisionTail:
    """Watches the store from the first request on, and tells the bus of each change.

    Args:
        news: number of the last change in the store, and ids of the sweeps changed after the given one,
            None for the one before the first request; None where no request came yet. Called in a thread.
        emit: puts data on the bus; called in the event loop's thread.
        look: asked at once and then from time to time to see to it that what waits is worked on. Called in a thread.
        show_activity: called from time to time, in a thread.
    """

    def __init__(
        self,
        news: Callable[[int | None], tuple[int, list[str]] | None],
        emit: Callable[[dict[str, Any]], None],
        look: Callable[[], None],
        show_activity: Callable[[], None] = lambda: None,
    ) -> None:
        self._news = news
        self._emit = emit
        self._look = look
        self._show_activity = show_activity
        self._seen: int | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin; the running event loop is needed."""
        loop = asyncio.get_running_loop()
        reading = _repeat(POLL_SECONDS, self._tell, "The store of jupyter-mlops cannot be read for changes")
        looking = _repeat(
            LOOK_SECONDS,
            partial(asyncio.to_thread, self._look),
            "The service of jupyter-mlops cannot be looked after",
            0.0,
        )
        showing = _repeat(
            ACTIVITY_SECONDS,
            partial(asyncio.to_thread, self._show_activity),
            "Whether jupyter-mlops is at work cannot be told",
        )
        self._tasks = [loop.create_task(coroutine) for coroutine in (reading, looking, showing)]

    async def stop(self) -> None:
        """End."""
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _tell(self) -> None:
        news = await asyncio.to_thread(self._news, self._seen)
        if news is None:
            return
        revision, sweeps = news
        if sweeps or (self._seen is not None and revision > self._seen):
            self._emit({"revision": revision, "sweeps": sweeps[:500]})
        self._seen = revision


async def _repeat(
    seconds: float, turn: Callable[[], Awaitable[None]], complaint: str, first: float | None = None
) -> None:
    failing = False
    pause = seconds if first is None else first
    while True:
        await asyncio.sleep(pause)
        pause = seconds
        try:
            await turn()
            failing = False
        except Exception:
            # what cannot be done now may be done later; said once, not each time
            if not failing:
                log.exception("%s", complaint)
            failing = True
