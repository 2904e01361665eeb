"""The store and the services behind the handlers, opened on first use."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ..services.process.layout import Layout
from ..settings import MlopsSettings

if TYPE_CHECKING:
    from ..services.pipelines.requests import Pipelines
    from ..services.sweeps.requests import Sweeps


log = logging.getLogger(__name__)
RETRY_SECONDS = 30.0


class Backend:
    """Opened once, by the first thread that asks: opening imports SQLAlchemy.

    Args:
        root: absolute, without links: the folder that the Jupyter server serves.
    """

    def __init__(self, settings: MlopsSettings, root: Path = Path("/")) -> None:
        self.settings = settings
        self.root = root
        self._lock = threading.Lock()
        self._sweeps: Sweeps | None = None
        self._opened_at = 0
        self._started_at = -RETRY_SECONDS

    def news(self, since: int | None) -> tuple[int, list[str]] | None:
        """Current revision, and ids of the sweeps below the root that changed since an earlier one.

        None if no request has opened the store yet.

        Args:
            since: the earlier revision; None for the one before the first request.
        """
        sweeps = self._sweeps
        if sweeps is None:
            return None
        since = self._opened_at if since is None else since
        revision = sweeps.store.revision()
        if revision == since:
            return revision, []
        changed = sweeps.store.sweeps.find(since=since, deleted=None, folder=str(self.root), steps=False)
        return revision, [sweep.id for sweep in changed]

    def open(self) -> Sweeps:
        """The service for notebooks, sweeps and runs."""
        with self._lock:
            if self._sweeps is None:
                from ..services.process.launch import open_store
                from ..services.sweeps.requests import Sweeps

                store = open_store(self.settings)
                # read before the first request can change it
                self._opened_at = store.revision()
                self._sweeps = Sweeps(store, self.settings, self.root)
            return self._sweeps

    def open_pipelines(self) -> Pipelines:
        """The service for pipelines."""
        from ..services.pipelines.requests import Pipelines

        return Pipelines(self.open().store, self.settings, self.root)

    def wake(self) -> None:
        """Start the background service if none is running, at a user's request."""
        from ..services.process.launch import ensure_service

        self._started_at = time.monotonic()
        ensure_service(self.settings)

    def revive(self) -> None:
        """Restart the background service if work or a schedule waits for it, at most every ``RETRY_SECONDS``.

        It may have died, or the machine may have rebooted.
        """
        sweeps = self._sweeps
        if time.monotonic() - self._started_at < RETRY_SECONDS:
            return
        if sweeps is None and not Layout(Path(self.settings.data_dir)).scheduled.exists():
            return
        from ..services.process.launch import revive_service

        if revive_service(sweeps.store if sweeps else None, self.settings):
            self._started_at = time.monotonic()
            log.warning("Work or a schedule waits for the service of jupyter-mlops, which does not run; it is started")

    def is_busy(self) -> bool:
        """Whether the background service has work; opens the store if the service is running."""
        if not Layout(Path(self.settings.data_dir)).lock.exists():
            return False
        from ..services.process.launch import has_work, is_running

        if not is_running(self.settings):
            return False
        sweeps = self.open()
        return has_work(sweeps.store, sweeps.layout.service)

    def close(self) -> None:
        """Close the store."""
        with self._lock:
            if self._sweeps is not None:
                self._sweeps.store.close()
                self._sweeps = None
