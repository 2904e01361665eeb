"""Where things lie below the data folder."""

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
    """Paths below the data folder; nothing is created by asking for one."""

    data: Path

    def run(self, run_id: str) -> Path:
        """Folder of one run over all its attempts."""
        return self.data / "runs" / run_id

    def output(self, run_id: str, attempt: int) -> Path:
        """The executed notebook of one attempt, as far as it has got."""
        return self.run(run_id) / str(attempt) / "output.ipynb"

    def result(self, run_id: str, attempt: int) -> Path:
        """What the worker said of one finished attempt."""
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
        """Name of the service of this data folder among those on one store; made where there is none.

        Raises:
            UnavailableError: it cannot be.
        """
        path = self.data / "service.id"
        try:
            return path.read_text(encoding="utf-8")
        except FileNotFoundError:
            pass
        # whole or not there, whoever is killed in between; who comes second finds it
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
        """There while something is to be fired: a Jupyter server that starts sees to it that a service lives."""
        return self.data / "schedules"

    @property
    def lock(self) -> Path:
        """Held by the service for as long as it lives."""
        return self.data / "service.lock"

    @property
    def held_back(self) -> Path:
        """There while a person wants no service; see :func:`~jupyter_mlops.services.process.launch.hold_back`."""
        return self.data / "service.stopped"

    @property
    def unit_environment(self) -> Path:
        """Variables that a systemd unit gives to the service, for its owner alone."""
        return self.data / "service.env"

    @property
    def unit_secrets(self) -> Path:
        """The same, written by a person, where there is one."""
        return self.data / "secrets.env"

    @property
    def log(self) -> Path:
        """Standard output and error of the service."""
        return self.data / "service.log"


def size_of(*folders: Path) -> int:
    """Bytes held by the files below some folders; what vanishes meanwhile counts nothing."""
    total = 0
    for folder in folders:
        for path in folder.rglob("*"):
            try:
                if path.is_file() and not path.is_symlink():
                    total += path.stat().st_size
            except FileNotFoundError:
                continue
    return total
