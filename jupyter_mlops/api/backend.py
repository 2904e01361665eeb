"""The store and the services behind the handlers, opened with the first request that needs them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from ..settings import MlopsSettings

if TYPE_CHECKING:
    from ..services.requests import Sweeps


class Backend:
    """Opened once, from whichever thread asks first: opening imports SQLAlchemy."""

    def __init__(self, settings: MlopsSettings) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._sweeps: Sweeps | None = None
        self._opened_at = 0

    def news(self, since: int | None, folder: str) -> tuple[int, list[str]] | None:
        """Number of the last change, and ids of the sweeps below a folder that changed after another.

        None where no request opened the store yet.

        Args:
            since: number of that other change; None for the one before the first request.
            folder: absolute.
        """
        sweeps = self._sweeps
        if sweeps is None:
            return None
        since = self._opened_at if since is None else since
        revision = sweeps.store.revision()
        if revision == since:
            return revision, []
        return revision, [sweep.id for sweep in sweeps.store.sweeps(since=since, deleted=None, folder=folder)]

    def open(self) -> Sweeps:
        """The services."""
        with self._lock:
            if self._sweeps is None:
                from ..services.requests import Sweeps
                from ..store import Store

                store = Store(self.settings.store_url)
                # before any request changes it: what comes after is news
                self._opened_at = store.revision()
                self._sweeps = Sweeps(store, self.settings)
            return self._sweeps

    def wake(self) -> None:
        """Start the service where there is work and none lives."""
        from ..services.launch import ensure_service

        ensure_service(self.settings)

    def close(self) -> None:
        """Close the store."""
        with self._lock:
            if self._sweeps is not None:
                self._sweeps.store.close()
                self._sweeps = None
