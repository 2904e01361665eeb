"""An environment in which programs that trust theirs break."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest


@contextlib.contextmanager
def hostile(folder: Path) -> Iterator[None]:
    """Variables for what is started meanwhile; a proxy that accepts connections and never answers among them."""
    temporary = folder / "-".join(["a long path for temporary files"] * 5)
    temporary.mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0), backlog=100) as proxy:
        address = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        variables = {
            **dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), address),
            "PYTHONWARNINGS": "error",
            "PYTHONOPTIMIZE": "2",
            "LANG": "C",
            "LC_ALL": "C",
            "TZ": "Pacific/Chatham",
            "TMPDIR": str(temporary),
        }
        with mock.patch.dict(os.environ, variables):
            for name in ("no_proxy", "NO_PROXY"):
                os.environ.pop(name, None)
            yield


@pytest.fixture(scope="session", autouse=True)
def _hostile_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """All of a session's services in a hostile environment, where ``./dev test-hostile`` asks for that."""
    if not os.environ.get("MLOPS_TEST_HOSTILE"):
        yield
        return
    # what the tests themselves ask servers on this machine
    urllib.request.install_opener(urllib.request.build_opener(urllib.request.ProxyHandler({})))
    with hostile(tmp_path_factory.mktemp("hostile")):
        yield


class SilentServer:
    """Accepts connections and reads requests; answers only once it is told to."""

    def __init__(self) -> None:
        self.requests = 0
        self.answers = False
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.uri = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        kept = []
        while True:
            connection, _ = self._listening.accept()
            kept.append(connection)
            threading.Thread(target=self._hear, args=[connection], daemon=True).start()

    def _hear(self, connection: socket.socket) -> None:
        while piece := connection.recv(65536):
            if b"HTTP/1.1" not in piece:
                # a request's body may come in a packet of its own
                continue
            self.requests += 1
            if self.answers:
                body = json.dumps({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "No such run."}).encode()
                head = (
                    f"HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                )
                connection.sendall(head.encode() + body)
