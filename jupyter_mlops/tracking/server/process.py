"""Starting, finding and ending the embedded MLflow server."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Literal

import psutil

State = Literal["off", "starting", "ready", "failed"]
START_SECONDS = 90.0


class EmbeddedServer:
    """One server a data folder. Its port and token stay the same over restarts where they can."""

    def __init__(self, data_dir: Path) -> None:
        self.data = data_dir
        self.file = data_dir / "mlflow.json"
        self.state: State = "off"
        self.message = ""
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        known = self._read()
        self.port: int = known.get("port") or _free_port()
        self.token: str = known.get("token") or secrets.token_urlsafe(32)

    @property
    def uri(self) -> str:
        """Where kernels on this machine reach it."""
        return f"http://127.0.0.1:{self.port}"

    def ensure(self) -> None:
        """Start the server where it does not live, without waiting for it."""
        with self._lock:
            if self.state in ("starting", "ready") and self._alive():
                return
            self.state, self.message = "starting", ""
            if not self._alive():
                self._launch()
            threading.Thread(target=self._wait, daemon=True, name="mlflow-start").start()

    def wait(self) -> None:
        """Wait until a server that was started answers, or has failed to."""
        while self.state == "starting":
            time.sleep(0.1)

    def close(self) -> None:
        """End the server."""
        if self._alive():
            process = psutil.Process(self._read()["pid"])
            process.terminate()
            try:
                process.wait(5)
            except psutil.TimeoutExpired:
                process.kill()
        self.state = "off"

    def _launch(self) -> None:
        if not _is_free(self.port):
            self.port = _free_port()
        log = self.data / "mlflow.log"
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "jupyter_mlops.tracking.server.app", str(self.data), str(self.port)],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
                cwd=self.data,
                env=os.environ | {"JUPYTER_MLOPS_MLFLOW_TOKEN": self.token},
            )
        self._write({"port": self.port, "token": self.token, "pid": self._process.pid})

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._alive():
            if self._answers():
                self.state = "ready"
                return
            time.sleep(0.2)
        self.state = "failed"
        self.message = f"MLflow's server did not start; its log is {self.data / 'mlflow.log'}."

    def _answers(self) -> bool:
        request = urllib.request.Request(f"{self.uri}/health", headers={"Authorization": f"Bearer {self.token}"})
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _alive(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            return False
        pid = self._read().get("pid")
        if not pid:
            return False
        try:
            process = psutil.Process(pid)
            command = process.cmdline()
            living = process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            # gone, or the number is by now another user's process
            return False
        return living and "jupyter_mlops.tracking.server.app" in command and str(self.data) in command

    def _read(self) -> dict[str, Any]:
        try:
            known: dict[str, Any] = json.loads(self.file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        return known

    def _write(self, known: dict[str, Any]) -> None:
        beside = self.file.with_suffix(".tmp")
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(known, file)
        beside.replace(self.file)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
