"""Puts the store's revisions onto Jupyter's event bus."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
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


class RevisionTail:
    """Watches the store from the first request on, and tells the bus of each change.

    Args:
        news: number of the last change in the store, and ids of the sweeps changed after the given one,
            None for the one before the first request; None where no request came yet. Called in a thread.
        emit: puts data on the bus; called in the event loop's thread.
    """

    def __init__(
        self, news: Callable[[int | None], tuple[int, list[str]] | None], emit: Callable[[dict[str, Any]], None]
    ) -> None:
        self._news = news
        self._emit = emit
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; the running event loop is needed."""
        self._task = asyncio.get_running_loop().create_task(self._tail())

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _tail(self) -> None:
        seen: int | None = None
        failing = False
        while True:
            await asyncio.sleep(POLL_SECONDS)
            try:
                news = await asyncio.to_thread(self._news, seen)
                failing = False
            except Exception:
                # a store that cannot be read now may be read again later; said once, not twice a second
                if not failing:
                    log.exception("The store of jupyter-mlops cannot be read for changes")
                failing = True
                continue
            if news is None:
                continue
            revision, sweeps = news
            if sweeps or (seen is not None and revision > seen):
                self._emit({"revision": revision, "sweeps": sweeps[:500]})
            seen = revision
