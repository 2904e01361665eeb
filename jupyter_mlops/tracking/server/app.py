"""The embedded MLflow server: one process, for its own user on this machine only.

MLflow itself authenticates nobody, and on a shared machine every user can reach its port. JupyterLab authenticates with
a token. Kernels have none: MLflow's client would send it to any server a notebook uses, and an address with the token
would be printed into outputs. They are identified by the user who opened the connection.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import hmac
import os
import socket
import threading
import time
from pathlib import Path
from typing import Any

from .peer import is_same_user
from .process import STARTUP_VARIABLE

LONELY_SECONDS = 120.0
_POLL_SECONDS = 5.0
_REFUSAL = b"This MLflow answers JupyterLab, and MLflow's clients of the user who runs it."


class Guard:
    """ASGI middleware that admits holders of the token, and MLflow clients of the same user."""

    def __init__(self, app: Any, token: str) -> None:
        self.app = app
        self.wanted = f"Bearer {token}".encode()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Pass a request on, or answer 401."""
        if scope["type"] == "lifespan" or await self._admits(scope):
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await send({"type": "http.response.start", "status": 401, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": _REFUSAL})
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _admits(self, scope: dict[str, Any]) -> bool:
        headers = dict(scope["headers"])
        if hmac.compare_digest(headers.get(b"authorization", b""), self.wanted):
            return True
        # any web page in the user's browser connects as this user, but cannot set this header
        if not headers.get(b"user-agent", b"").lower().startswith(b"mlflow-"):
            return False
        return await asyncio.to_thread(is_same_user, tuple(scope["client"]), tuple(scope["server"]))


def _exit_when_orphaned(lock: Path) -> None:
    """Exit after a while without a service; a killed service may come back."""
    alone_since: float | None = None
    while True:
        time.sleep(_POLL_SECONDS)
        with lock.open("a+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                alone_since = None
                continue
        alone_since = alone_since or time.monotonic()
        if time.monotonic() - alone_since > LONELY_SECONDS:
            os._exit(0)


def main() -> None:
    """Entry point; token and socket come in the environment, as other users can read command lines."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    options = parser.parse_args()
    descriptor, token = os.environ.pop(STARTUP_VARIABLE).split()
    os.umask(0o077)
    os.environ.update(
        {
            "_MLFLOW_SERVER_FILE_STORE": f"sqlite:///{options.data / 'mlflow.sqlite'}",
            "_MLFLOW_SERVER_ARTIFACT_ROOT": (options.data / "mlartifacts").as_uri(),
            "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
            "_MLFLOW_SERVER_ARTIFACT_DESTINATION": (options.data / "mlartifacts").as_uri(),
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        }
    )
    threading.Thread(target=_exit_when_orphaned, args=[options.data / "service.lock"], daemon=True).start()

    import uvicorn
    from mlflow.server.fastapi_app import app

    # proxy headers would let clients forge the address they connect from
    config = uvicorn.Config(Guard(app, token), proxy_headers=False, log_level="warning", access_log=False)
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(descriptor))])


if __name__ == "__main__":
    main()
