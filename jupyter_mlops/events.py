"""Publishes the store's revisions on Jupyter's event bus, and keeps the service alive."""

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
REVIVE_SECONDS = 10.0
ACTIVITY_SECONDS = 20.0


class RevisionTail:
    """Polls the store from the first request on, and emits an event for each change.

    Args:
        news: returns the store's revision and the ids of the sweeps changed after the given revision; None before the
            first request. Called in a thread.
        emit: puts data on the bus; called in the event loop's thread.
        revive: starts the service if work waits. Called in a thread, at once and then periodically.
        show_activity: called periodically in a thread.
    """

    def __init__(
        self,
        news: Callable[[int | None], tuple[int, list[str]] | None],
        emit: Callable[[dict[str, Any]], None],
        revive: Callable[[], None],
        show_activity: Callable[[], None] = lambda: None,
    ) -> None:
        self._news = news
        self._emit = emit
        self._revive = revive
        self._show_activity = show_activity
        self._seen: int | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start polling in the running event loop."""
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(_repeat(seconds, work, error, first))
            for seconds, first, work, error in (
                (POLL_SECONDS, POLL_SECONDS, self._poll, "jupyter-mlops cannot read changes from its store"),
                (
                    REVIVE_SECONDS,
                    0.0,
                    partial(asyncio.to_thread, self._revive),
                    "jupyter-mlops cannot start its service",
                ),
                (
                    ACTIVITY_SECONDS,
                    ACTIVITY_SECONDS,
                    partial(asyncio.to_thread, self._show_activity),
                    "jupyter-mlops cannot tell whether it is busy",
                ),
            )
        ]

    async def stop(self) -> None:
        """Stop polling."""
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _poll(self) -> None:
        news = await asyncio.to_thread(self._news, self._seen)
        if news is None:
            return
        revision, sweeps = news
        if sweeps or (self._seen is not None and revision > self._seen):
            self._emit({"revision": revision, "sweeps": sweeps[:500]})
        self._seen = revision


async def _repeat(seconds: float, turn: Callable[[], Awaitable[None]], complaint: str, pause: float) -> None:
    failing = False
    while True:
        await asyncio.sleep(pause)
        pause = seconds
        try:
            await turn()
            failing = False
        except Exception:
            # try again later, but log an unbroken series of failures once
            if not failing:
                log.exception("%s", complaint)
            failing = True
