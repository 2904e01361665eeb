"""A Jupyter server in a process of its own, for what a server in the test's process cannot show."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
from api_helpers import as_read
from conftest import wait_until
from mlflow_helpers import free_port
from session_helpers import kill

SIGNED_IN = {"Authorization": "token secret"}


class Jupyter:
    """A real Jupyter server on a folder of its own, which starts the service by itself.

    Args:
        folder: of its notebooks, its log and all that Jupyter writes.
        data: the data folder; without it, one of its own.
        settings: more of them.
    """

    def __init__(self, folder: Path, data: Path | None = None, *settings: str) -> None:
        self.root = folder / "root"
        self.root.mkdir(parents=True)
        self.data = data or folder / "mlops-data"
        self.port = free_port()
        self.log = folder / "jupyter.log"
        places = {f"JUPYTER_{name}_DIR": str(folder / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
        words = [
            *(sys.executable, "-m", "jupyter", "server", "--no-browser", "--allow-root"),
            *(f"--ServerApp.port={self.port}", "--ServerApp.port_retries=0", "--IdentityProvider.token=secret"),
            *("--ServerApp.base_url=/user/ada/", f"--ServerApp.root_dir={self.root}"),
            *("--ServerApp.jpserver_extensions={'jupyter_mlops': True}", f"--MlopsSettings.data_dir={self.data}"),
            *settings,
        ]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(words, stdout=log, stderr=log, env=os.environ | places)
        wait_until(self._answers, 180, self.log.read_text)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.ask("GET", "api")[0] == 200
        return False

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=180)

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        with contextlib.closing(self.connect()) as connection:
            text = None if body is None else json.dumps(body)
            connection.request(method, f"/user/ada/{path}", text, SIGNED_IN)
            answer = connection.getresponse()
            return answer.status, as_read(answer.read() or b"null")

    def kill(self) -> None:
        kill(psutil.Process(self.process.pid))
        self.process.wait()
