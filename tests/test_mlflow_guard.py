"""Who reaches the embedded MLflow, and that nothing which opens it goes anywhere else."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Awaitable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest
from api_helpers import as_read
from conftest import BASE_URL, Service, put_mlflow, serving, wait_until
from mlflow_helpers import embedded, mlflow_runs, status_of
from session_helpers import kill
from tornado.httpclient import HTTPClientError, HTTPResponse

from jupyter_mlops.core.states import SweepState
from jupyter_mlops.settings import MlopsSettings
from jupyter_mlops.tracking.server import peer
from jupyter_mlops.tracking.server.process import EmbeddedServer

AGENT = "mlflow-python-client/3.0.0"
SEARCH = "/api/2.0/mlflow/experiments/search?max_results=1"


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Sockets made meanwhile belong to another user."""
    if os.geteuid() != 0:
        pytest.skip("root alone can become another user")
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def connect(port: int) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=180)
    connection.connect()
    return connection


def ask(connection: http.client.HTTPConnection, **headers: str) -> int:
    """Status by which a server answers."""
    with contextlib.closing(connection):
        connection.request("GET", SEARCH, headers={name.replace("_", "-"): value for name, value in headers.items()})
        return connection.getresponse().status


class Foreign:
    """A server of somebody else's, which writes down what it is sent."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        heard = self.heard

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                heard.append(f"{self.requestline}\n{self.headers}{body.decode()}")
                self.send_response(404)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_POST = do_GET

            def log_message(self, *words: object) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.uri = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def authorizations(self) -> list[str]:
        """What each request showed, empty where it was nothing."""
        return [found[1] if (found := re.search("^Authorization: (.*)$", text, re.M)) else "" for text in self.heard]


def basic(words: str) -> str:
    return f"Basic {base64.b64encode(words.encode()).decode()}"


@pytest.fixture
def foreign() -> Iterator[Foreign]:
    foreign = Foreign()
    yield foreign
    foreign.server.shutdown()
    foreign.server.server_close()


# -- who is let in -------------------------------------------------------------------------------


def test_mlflows_client_of_this_user_is_let_in_and_nothing_else_without_the_token(service: Service) -> None:
    known = embedded(service)
    expected: list[tuple[int, dict[str, str]]] = [
        (200, {"User_Agent": AGENT}),
        # what a person has set for a server of their own is sent here, too
        (200, {"User_Agent": AGENT, "Authorization": "Bearer another"}),
        (200, {"Authorization": f"Bearer {known['token']}"}),
        (401, {}),
        (401, {"User_Agent": f"Mozilla/5.0 {AGENT}"}),
        (401, {"User_Agent": "Mozilla/5.0", "Authorization": "Bearer another"}),
    ]
    for status, headers in expected:
        assert ask(connect(known["port"]), **headers) == status, headers


def test_another_user_of_this_machine_is_refused_whatever_they_say(service: Service) -> None:
    known = embedded(service)
    ours = connect(known["port"])
    host, port = ours.sock.getsockname()
    for said in (
        {},
        # the address of a connection that is the owner's
        {"X_Forwarded_For": f"{host}:{port}", "X_Forwarded_Port": str(port)},
        {"Forwarded": f"for={host}:{port}"},
        {"Authorization": "Bearer another"},
        {"Authorization": basic("ada:another")},
    ):
        with as_nobody():
            theirs = connect(known["port"])
        assert ask(theirs, User_Agent=AGENT, **said) == 401, said
    assert ask(ours, User_Agent=AGENT) == 200


@pytest.fixture(params=["as everywhere", "where Linux is not to be asked"])
def asked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways in which it is found out whose a connection is."""
    if request.param != "as everywhere":
        monkeypatch.setattr(peer, "_NETLINK_SOCK_DIAG", 9999)


@pytest.mark.usefixtures("asked")
def test_whose_a_connection_is() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        client = socket.create_connection(listening.getsockname())
        accepted, address = listening.accept()
        with accepted:
            assert peer.is_same_user(address, accepted.getsockname())
            # neither one that does not exist, nor a half of another
            for other in ((address[0], 1), ("127.0.0.2", address[1]), listening.getsockname()):
                assert not peer.is_same_user(other, accepted.getsockname())
                assert not peer.is_same_user(address, (other[0], 1))
            client.close()
            # its owner left, and whose it is cannot be known any more
            wait_until(lambda: not peer.is_same_user(address, accepted.getsockname()))


@pytest.mark.usefixtures("asked")
def test_a_connection_of_another_users_process_is_not_ours() -> None:
    if os.geteuid() != 0:
        pytest.skip("root alone can become another user")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        place = listening.getsockname()
        theirs = subprocess.Popen(
            ["/bin/sh", "-c", f"exec 3<>/dev/tcp/{place[0]}/{place[1]}; read line <&3"], executable="bash", user=65534
        )
        listening.settimeout(20)
        accepted, address = listening.accept()
        with accepted:
            assert not peer.is_same_user(address, accepted.getsockname())
        assert theirs.wait() == 1


# -- who answers -----------------------------------------------------------------------------------

STRANGER = """
import os, socket, sys
os.setuid(65534)
with socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=5) as server:
    print(server.getsockname()[1], flush=True)
    while sys.argv[2] == "accepts":
        connection, _ = server.accept()
        print(connection.recv(65536), flush=True)
        page = b"<script>parent.document.cookie</script>"
        head = b"HTTP/1.1 200 OK\\r\\nContent-Type: text/html\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(page)
        connection.sendall(head + page)
        connection.close()
    sys.stdin.read()
"""


class Stranger:
    """Another user's server."""

    def __init__(self, port: int = 0, *, accepts: bool = True) -> None:
        if os.geteuid() != 0:
            pytest.skip("root alone can become another user")
        command = [sys.executable, "-c", STRANGER, str(port), "accepts" if accepts else "never accepts"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def end(self) -> str:
        """What it was sent, in its words; it ends."""
        self.process.kill()
        return self.process.communicate()[0]


@pytest.fixture
def started(data_dir: Path) -> Iterator[EmbeddedServer]:
    """An embedded MLflow in a folder of its own."""
    put_mlflow(data_dir)
    server = EmbeddedServer(data_dir)
    server.ensure()
    server.wait()
    assert server.state == "ready", (data_dir / "mlflow.log").read_text()
    yield server
    server.close()


def known_of(server: EmbeddedServer) -> dict[str, Any]:
    known: dict[str, Any] = json.loads(server.file.read_text())
    return known


def test_the_port_of_an_mlflow_that_died_stays_ours_while_its_service_lives(started: EmbeddedServer) -> None:
    before = known_of(started)
    (process,) = (psutil.Process(before["pid"]),)
    assert str(before["port"]) not in process.cmdline()
    kill(process)
    with pytest.raises(OSError, match="in use"):
        socket.create_server(("127.0.0.1", before["port"]))
    # who asks meanwhile waits for the next server
    answer: list[int] = []
    asking = threading.Thread(target=lambda: answer.append(ask(connect(before["port"]), User_Agent=AGENT)))
    asking.start()
    started.ensure()
    started.wait()
    asking.join()
    after = known_of(started)
    assert answer == [200]
    assert after["port"] == before["port"] and after["token"] != before["token"]
    assert status_of(f"http://127.0.0.1:{after['port']}/health", before["token"]) == 401


async def test_a_stranger_on_the_port_of_a_dead_mlflow_learns_nothing_and_shows_nothing(
    started: EmbeddedServer, http_server_client: Any, jp_serverapp: Any, jp_auth_header: dict[str, str]
) -> None:
    def page() -> Awaitable[HTTPResponse]:
        found: Awaitable[HTTPResponse] = http_server_client.fetch(f"{BASE_URL}mlops/mlflow/", headers=jp_auth_header)
        return found

    assert b"<html" in (await page()).body
    before = known_of(started)
    # its service ends, too
    started.close()
    stranger = Stranger(before["port"])
    with pytest.raises(HTTPClientError) as caught:
        await page()
    assert caught.value.response is not None
    assert (caught.value.code, b"script" in caught.value.response.body) == (503, False)
    assert as_read(caught.value.response.body)["message"].startswith("MLflow is starting, or has ended")
    # the next service finds another port
    following = EmbeddedServer(started.data)
    try:
        following.ensure()
        following.wait()
        assert following.state == "ready", (started.data / "mlflow.log").read_text()
        after = known_of(following)
        assert after["port"] != before["port"]
        assert b"<html" in (await page()).body
        assert set(stranger.end().split()) <= {"b''"}
    finally:
        following.close()


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize("accepts", [True, False])
def test_a_stranger_who_answers_is_told_from_a_server_of_ours(accepts: bool) -> None:
    stranger = Stranger(accepts=accepts)
    with socket.create_connection(("127.0.0.1", stranger.port)) as connection:
        assert not peer.is_accepted_by_same_user(connection, 0.5)
    stranger.end()


@pytest.mark.usefixtures("asked")
def test_a_server_of_ours_is_known_once_it_accepts() -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    with listening, socket.create_connection(listening.getsockname()) as connection:
        assert not peer.is_accepted_by_same_user(connection, 0)
        accepted, _ = listening.accept()
        with accepted:
            assert peer.is_accepted_by_same_user(connection)


# -- what leaves a kernel ------------------------------------------------------------------------

VISIT = """
import mlflow, os, sys, subprocess
print(mlflow.get_tracking_uri(), dict(os.environ))
def visit(uri):
    try:
        mlflow.MlflowClient(uri).search_experiments()
    except Exception as error:
        print(error)
visit(FOREIGN)
visit(FOREIGN.replace('http://', 'http://me:mine@'))
code = f'import mlflow; mlflow.set_tracking_uri({FOREIGN!r}); mlflow.search_experiments()'
subprocess.run([sys.executable, '-c', code], stderr=subprocess.DEVNULL)
mlflow.log_metric('loss', a / 4)
mlflow.log_text('text', 'file.txt')
mlflow.log_param('where', mlflow.get_artifact_uri())
"""


def test_a_notebook_that_turns_to_a_foreign_server_tells_it_nothing_of_ours(
    service: Service, notebook: Path, foreign: Foreign
) -> None:
    token = embedded(service)["token"]
    cell = f"FOREIGN = {foreign.uri!r}{VISIT}"
    sweep = service.run_until_over(notebook, "a = 1", cell, space={"a": "2"})
    (run,) = service.store.runs.of_sweep(sweep.id)
    assert (sweep.state, run.metrics) == (SweepState.SUCCEEDED, {"loss": 0.5}), run.message
    (child,) = mlflow_runs(service, sweep.id)
    assert child.data.metrics == {"loss": 0.5}
    assert len(foreign.heard) == 3
    # what the notebook itself put into an address is sent, and nothing else
    assert foreign.authorizations == ["", basic("me:mine"), ""]
    # the executed notebook is shown to others, and this one printed its whole environment
    output = service.sweeps.run_output(run.id).read_text()
    assert "MLFLOW_TRACKING_URI" in output
    for text in (*foreign.heard, output, str(child.data)):
        assert token not in text


def test_a_persons_own_credentials_stay_as_they_are_and_ours_is_reached_all_the_same(
    data_dir: Path, notebook: Path, foreign: Foreign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "her-token")
    cell = f"FOREIGN = {foreign.uri!r}{VISIT}"
    with serving(MlopsSettings(data_dir=str(data_dir), local_slots=1)) as service:
        sweep = service.run_until_over(notebook, "a = 1", cell, space={"a": "2"})
        (run,) = service.store.runs.of_sweep(sweep.id)
        assert (sweep.state, run.metrics) == (SweepState.SUCCEEDED, {"loss": 0.5}), run.message
        assert foreign.authorizations == ["Bearer her-token", basic("me:mine"), "Bearer her-token"]
