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

    @property
    def opened(self) -> Sweeps | None:
        """The services where a request opened them already."""
        return self._sweeps

    def open(self) -> Sweeps:
        """The services."""
        with self._lock:
            if self._sweeps is None:
                from ..services.requests import Sweeps
                from ..store import Store

                self._sweeps = Sweeps(Store(self.settings.store_url), self.settings)
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
