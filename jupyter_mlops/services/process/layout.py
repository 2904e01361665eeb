"""Paths below the data folder."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from ...core.errors import UnavailableError
from ...core.messages import Message
from ...private import private


@dataclass(frozen=True)
class Layout:
    """Paths below the data folder; a property creates nothing unless it says so."""

    data: Path

    def run(self, run_id: str) -> Path:
        """Folder of one run, shared by its attempts."""
        return self.data / "runs" / run_id

    def output(self, run_id: str, attempt: int) -> Path:
        """The executed notebook of one attempt, updated while it runs."""
        return self.run(run_id) / str(attempt) / "output.ipynb"

    def result(self, run_id: str, attempt: int) -> Path:
        """The result of one finished attempt, written by the worker."""
        return self.run(run_id) / str(attempt) / "result.json"

    def sweep(self, sweep_id: str) -> Path:
        """Folder of one sweep."""
        return self.data / "sweeps" / sweep_id

    def frozen(self, sweep_id: str) -> Path:
        """The notebook as it was when the sweep was started."""
        return self.sweep(sweep_id) / "notebook.ipynb"

    def project(self, pipeline_id: str, version: int) -> Path:
        """Folder in which a pipeline's version runs."""
        return self.data / "pipelines" / pipeline_id / str(version) / "project"

    @property
    def service(self) -> str:
        """Name of this data folder's service, unique on one store; created on first use.

        Raises:
            UnavailableError: the file cannot be written.
        """
        path = self.data / "service.id"
        try:
            return path.read_text(encoding="utf-8")
        except FileNotFoundError:
            pass
        # atomic even if this process is killed; a concurrent second one uses the first one's name
        beside = path.with_name(f"{path.name}.{uuid4().hex}")
        try:
            with open(beside, "w", encoding="utf-8", opener=private) as file:
                file.write(uuid4().hex[:12])
            with contextlib.suppress(FileExistsError):
                os.link(beside, path)
        except OSError as error:
            raise UnavailableError(
                Message("{data} cannot be written ({error}); free disk space.", data=self.data, error=error)
            ) from error
        finally:
            beside.unlink(missing_ok=True)
        return path.read_text(encoding="utf-8")

    @property
    def scheduled(self) -> Path:
        """Exists while any trigger is active; a starting Jupyter server then starts the service."""
        return self.data / "schedules"

    @property
    def lock(self) -> Path:
        """Lock file held by the running service."""
        return self.data / "service.lock"

    @property
    def suspended(self) -> Path:
        """Exists after a user stopped the service; see :func:`.launch.suspend_service`."""
        return self.data / "service.stopped"

    @property
    def unit_environment(self) -> Path:
        """Environment file of the systemd unit, readable only by its owner."""
        return self.data / "service.env"

    @property
    def unit_secrets(self) -> Path:
        """Further environment variables for the unit, maintained by the user."""
        return self.data / "secrets.env"

    @property
    def log(self) -> Path:
        """Standard output and error of the service."""
        return self.data / "service.log"


def size_of(*folders: Path) -> int:
    """Bytes of the files below some folders."""
    total = 0
    for folder in folders:
        for path in folder.rglob("*"):
            try:
                if path.is_file() and not path.is_symlink():
                    total += path.stat().st_size
            except FileNotFoundError:
                continue
    return total
