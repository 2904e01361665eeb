"""A look into MLflow, and an MLflow server that a person would run."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from conftest import Service, wait_until


def mlflow_client(service: Service, uri: str = "") -> Any:
    """Of the embedded MLflow's own file, or of a server."""
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri or f"sqlite:///{service.settings.data_path / 'mlflow.sqlite'}")


def tagged(client: Any, query: str) -> list[Any]:
    """Runs of all experiments that a filter finds, oldest first."""
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    return list(client.search_runs(experiments, query, order_by=["attributes.start_time ASC"], max_results=1000))


def mlflow_runs(service: Service, sweep_id: str, kind: str = "run", uri: str = "") -> list[Any]:
    """Runs of one sweep."""
    query = f"tags.`mlops.sweep_id` = '{sweep_id}' and tags.`mlops.kind` = '{kind}'"
    return tagged(mlflow_client(service, uri), query)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def embedded(service: Service) -> dict[str, Any]:
    """What the embedded server wrote of itself, once it answers."""
    file = service.settings.data_path / "mlflow.json"
    wait_until(file.exists)

    def known() -> Any:
        known = json.loads(file.read_text())
        return status_of(f"http://127.0.0.1:{known['port']}/health", known["token"]) == 200 and known

    found: dict[str, Any] = wait_until(known)
    return found


def status_of(url: str, token: str = "") -> int:
    """How a server answers, 0 where it does not."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    try:
        with urllib.request.urlopen(request, timeout=180) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


class Stalling:
    """Stands before a server on this machine; while it is stalled it takes what comes, and passes nothing on."""

    def __init__(self, port: int) -> None:
        self.stalled = False
        self.unanswered = 0
        self._port = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.uri = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            client, _ = self._listening.accept()
            server = socket.create_connection(("127.0.0.1", self._port))
            for ends in ((client, server), (server, client)):
                threading.Thread(target=self._pass_on, args=ends, daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if self.stalled:
                    self.unanswered += 1
                else:
                    sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)


class MlflowServer:
    """An MLflow without a token, on a port and a file of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        env = os.environ | {
            "_MLFLOW_SERVER_FILE_STORE": f"sqlite:///{self.folder / 'external.sqlite'}",
            "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
            "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
            "_MLFLOW_SERVER_ARTIFACT_DESTINATION": (self.folder / "artifacts").as_uri(),
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        }
        command = [sys.executable, "-m", "uvicorn", "mlflow.server.fastapi_app:app", "--port", str(self.port)]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, env=env, cwd=self.folder, stdout=log, stderr=log)
        wait_until(lambda: status_of(f"{self.uri}/health") == 200, 180, (self.folder / "log").read_text)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
