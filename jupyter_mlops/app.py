"""The Jupyter server extension."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jupyter_server.extension.application import ExtensionApp

from .api.backend import Backend
from .events import SCHEMA, SCHEMA_ID, RevisionTail
from .settings import MlopsSettings


class MlopsApp(ExtensionApp):
    """Opens the store with the first request, and never loads Dask or MLflow."""

    name = "jupyter_mlops"
    app_name = "jupyter-mlops"
    description = "Sweeps, pipelines and models from inside JupyterLab"
    load_other_extensions = True
    classes = [MlopsSettings]

    def initialize_settings(self) -> None:
        """Create settings and backend without opening the store."""
        self.backend = Backend(MlopsSettings(parent=self), Path(self.serverapp.root_dir).expanduser().resolve())
        self.settings["mlops_backend"] = self.backend
        self.settings["mlops_openapi"] = _document
        logger = self.serverapp.event_logger
        if SCHEMA_ID not in logger.schemas:
            logger.register_event_schema(SCHEMA)
        self.tail = RevisionTail(self.backend.news, self._emit, self.backend.revive, self._show_activity)

    def initialize_handlers(self) -> None:
        """Add the routes."""
        from .api.handlers import handlers

        self.handlers.extend(handlers("/"))

    async def _start_jupyter_server_extension(self, serverapp: Any) -> None:
        self.tail.start()

    async def stop_extension(self) -> None:
        """Close the backend."""
        if hasattr(self, "tail"):
            await self.tail.stop()
            self.backend.close()

    def _emit(self, data: dict[str, Any]) -> None:
        self.serverapp.event_logger.emit(schema_id=SCHEMA_ID, data=data)

    def _show_activity(self) -> None:
        """Keep a hub from culling the server while its runs go on."""
        if self.backend.is_busy():
            self.serverapp.web_app.settings["last_activity_times"]["jupyter_mlops"] = datetime.now(UTC)


def _document() -> dict[str, Any]:
    from .api.openapi import document

    return document()
