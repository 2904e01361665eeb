"""The embedded MLflow server: one process, this machine only, a token asked for.

As it comes MLflow asks nobody who they are, and on a shared machine every user can reach its port.
"""

from __future__ import annotations

import argparse
import fcntl
import hmac
import os
import threading
import time
from pathlib import Path
from typing import Any

LONELY_SECONDS = 120.0
_POLL_SECONDS = 5.0


class TokenGuard:
    """ASGI middleware that asks for ``Authorization: Bearer <token>``."""

    def __init__(self, app: Any, token: str) -> None:
        self.app = app
        self.wanted = f"Bearer {token}".encode()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Pass a request on, or answer 401."""
        if scope["type"] == "http":
            given = dict(scope["headers"]).get(b"authorization", b"")
            if not hmac.compare_digest(given, self.wanted):
                await send({"type": "http.response.start", "status": 401, "headers": []})
                await send({"type": "http.response.body", "body": b"A token is needed."})
                return
        await self.app(scope, receive, send)


def _end_when_lonely(lock: Path) -> None:
    """End the process once no service has lived for a while; a service that was killed comes back."""
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
    """Entry of the process; the token comes in its environment, where other users cannot read it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("port", type=int)
    options = parser.parse_args()
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
    threading.Thread(target=_end_when_lonely, args=[options.data / "service.lock"], daemon=True).start()

    import uvicorn
    from mlflow.server.fastapi_app import app

    guarded = TokenGuard(app, os.environ["JUPYTER_MLOPS_MLFLOW_TOKEN"])
    uvicorn.run(guarded, host="127.0.0.1", port=options.port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
