"""A Dask scheduler and workers that a person would run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
from conftest import wait_until
from mlflow_helpers import free_port
from session_helpers import kill


class Scheduler:
    """On a port that stays the same when it comes back."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.file = folder / "log"
        self.address = f"tcp://127.0.0.1:{free_port()}"
        self.workers: list[subprocess.Popen[bytes]] = []
        self._since = 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._since = len(self.log)
        host, port = self.address.removeprefix("tcp://").split(":")
        self._process = self._launch("scheduler", "--host", host, "--port", port, "--no-dashboard")

    def add_worker(self, *options: str, env: dict[str, str] | None = None, within: tuple[str, ...] = ()) -> None:
        """Start one, by a command that starts commands where ``within`` is given, and wait until it has joined."""
        before = self.present
        place = self.folder / f"worker-{len(self.workers)}"
        place.mkdir(exist_ok=True)
        words = ("worker", self.address, "--no-dashboard", "--local-directory", str(place), *options)
        if "--nthreads" not in options:
            words += ("--nthreads", "1")
        self.workers.append(self._launch(*words, env=env, within=within))
        wait_until(lambda: self.present > before, 180, lambda: self.log)

    @property
    def present(self) -> int:
        """How many workers the scheduler has."""
        log = self.log[self._since :]
        return log.count("Register worker addr:") - log.count("Remove worker addr:")

    @property
    def log(self) -> str:
        return self.file.read_text() if self.file.exists() else ""

    def _launch(self, *words: str, env: dict[str, str] | None = None, within: tuple[str, ...] = ()) -> Any:
        command = [*within, sys.executable, "-m", "dask", *words]
        with self.file.open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, cwd="/", env=os.environ | (env or {}))

    def kill_workers(self) -> None:
        """End them with signal 9, the nannies first: they would start others."""
        for process in self.workers:
            if process.poll() is None:
                nanny = psutil.Process(process.pid)
                kill(nanny, *nanny.children(recursive=True))
                process.wait()
        wait_until(lambda: not self.running or not self.present, why=lambda: self.log)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self.kill_workers()
