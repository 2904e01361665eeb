"""Starting, finding and ending the embedded MLflow server."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any, Literal

import psutil

from ...core.messages import Message
from ...core.processes import PYTHON
from ...private import private, write_private
from .peer import is_accepted_by_same_user

State = Literal["off", "starting", "ready", "failed"]
START_SECONDS = 90.0
# environment variable with the descriptor of the listening socket and the token
STARTUP_VARIABLE = "JUPYTER_MLOPS_MLFLOW"


class EmbeddedServer:
    """One server per data folder, with a stable port if possible and a new token at each start.

    The service keeps the listening socket open, so that no other program takes the port during a restart.
    """

    def __init__(self, data_dir: Path) -> None:
        self.data = data_dir
        self.file = data_dir / "mlflow.json"
        self.state: State = "off"
        self.message = Message()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._listening: socket.socket | None = None
        self.port: int = self._read().get("port", 0)

    @property
    def uri(self) -> str:
        """Where kernels on this machine reach it."""
        return f"http://127.0.0.1:{self.port}"

    def ensure(self) -> None:
        """Start the server if it is not running, without waiting for it."""
        with self._lock:
            if self.state in ("starting", "ready") and self._alive():
                return
            self.state, self.message = "starting", Message()
            if not self._alive():
                self._launch()
            threading.Thread(target=self._wait, daemon=True, name="mlflow-start").start()

    def wait(self) -> None:
        """Wait until a starting server answers or has failed."""
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
        self._stop_listening()
        self.state = "off"

    def _launch(self) -> None:
        listening, token = self._listen(), secrets.token_urlsafe(32)
        with open(self.data / "mlflow.log", "wb", opener=private) as log:
            self._process = subprocess.Popen(
                [*PYTHON, "-m", "jupyter_mlops.tracking.server.app", str(self.data)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=[listening.fileno()],
                cwd=self.data,
                env=os.environ | {STARTUP_VARIABLE: f"{listening.fileno()} {token}"},
            )
        write_private(self.file, {"port": self.port, "token": token, "pid": self._process.pid})

    def _listen(self) -> socket.socket:
        if self._listening is None:
            try:
                self._listening = socket.create_server(("127.0.0.1", self.port))
            except OSError:
                # another program took the port
                self._listening = socket.create_server(("127.0.0.1", 0))
            self.port = self._listening.getsockname()[1]
        return self._listening

    def _stop_listening(self) -> None:
        """Close the socket, so that clients are refused instead of waiting."""
        if self._listening is not None:
            self._listening.close()
            self._listening = None

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._alive():
            if self._answers():
                self.state = "ready"
                return
            time.sleep(0.2)
        self._stop_listening()
        self.state = "failed"
        self.message = Message("MLflow's server did not start; its log is {data}.", data=self.data / "mlflow.log")

    def _answers(self) -> bool:
        known = self._read()
        connection = http.client.HTTPConnection("127.0.0.1", known["port"], timeout=5)
        with contextlib.closing(connection):
            try:
                connection.connect()
                if not is_accepted_by_same_user(connection.sock):
                    return False
                connection.request("GET", "/health", headers={"Authorization": f"Bearer {known['token']}"})
                return connection.getresponse().status == 200
            except (http.client.HTTPException, OSError):
                return False

    def _alive(self) -> bool:
        if self._process is not None:
            return self._process.poll() is None
        pid = self._read().get("pid")
        if not pid:
            return False
        try:
            process = psutil.Process(pid)
            command = process.cmdline()
            living = process.uids().real == os.getuid() and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            # gone, or the id belongs to another user's process by now
            return False
        return living and "jupyter_mlops.tracking.server.app" in command and str(self.data) in command

    def _read(self) -> dict[str, Any]:
        try:
            known: dict[str, Any] = json.loads(self.file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        return known
