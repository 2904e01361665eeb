"""Puts the store's revisions onto Jupyter's event bus."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .services.requests import Sweeps

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
        opened: the services where a request opened them, else None.
        emit: puts data on the bus; called in the event loop's thread.
    """

    def __init__(self, opened: Callable[[], Any], emit: Callable[[dict[str, Any]], None]) -> None:
        self._opened = opened
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
        while True:
            await asyncio.sleep(POLL_SECONDS)
            sweeps: Sweeps | None = self._opened()
            if sweeps is None:
                continue
            revision = await asyncio.to_thread(sweeps.store.revision)
            if seen is not None and revision > seen:
                changed = await asyncio.to_thread(sweeps.store.sweeps, since=seen, deleted=None)
                self._emit({"revision": revision, "sweeps": [sweep.id for sweep in changed][:500]})
            seen = revision
