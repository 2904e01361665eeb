"""Artifacts larger than memory should be, through JupyterLab's MLflow: whole, in pieces, both ways."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from conftest import Service, wait_until
from jupyter_helpers import SIGNED_IN, Jupyter
from mlflow_helpers import embedded

from jupyter_mlops.core.states import SweepState

MB = 1_000_000
SIZE = 150 * MB
MOST = 40 * MB
ADDRESS = "/user/ada/mlops/mlflow/"
SEARCH = "mlops/mlflow/ajax-api/2.0/mlflow/experiments/search?max_results=1"
FOLDER = "api/2.0/mlflow-artifacts/artifacts/sent"


@pytest.fixture(scope="module")
def jupyter(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    """On the shared service's MLflow."""
    embedded(service)
    folder = tmp_path_factory.mktemp("jupyter")
    jupyter = Jupyter(folder, service.settings.data_path, f"--ServerApp.max_body_size={SIZE}")
    yield jupyter
    jupyter.kill()


@pytest.fixture(scope="module")
def big(service: Service, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Where a large artifact is asked for, and the hash of what it holds."""
    notebook = tmp_path_factory.mktemp("big") / "n.ipynb"
    sweep = service.run_until_over(notebook, "a = 1", "a", space={"a": "1"})
    assert sweep.state is SweepState.SUCCEEDED, sweep.message
    (run,) = service.store.runs.of_sweep(sweep.id)
    (output,) = service.settings.data_path.glob(f"mlartifacts/*/{run.mlflow_run_id}/artifacts/output.ipynb")
    with output.with_name("big.bin").open("wb") as file:
        for place in range(0, SIZE, SIZE // 10):
            file.seek(place)
            file.write(os.urandom(1000))
        file.truncate(SIZE)
    return f"{ADDRESS}get-artifact?run_uuid={run.mlflow_run_id}&path=big.bin", hash_of(output.with_name("big.bin"))


def hash_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def little_memory(jupyter: Jupyter) -> Iterator[None]:
    """What happens meanwhile makes the Jupyter server grow by little."""
    process = psutil.Process(jupyter.process.pid)
    # what the first request imports is no growth
    assert jupyter.ask("GET", SEARCH)[0] == 200
    seen = [process.memory_info().rss]
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.02):
            seen.append(process.memory_info().rss)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield
    finally:
        over.set()
        looking.join()
    assert len(seen) > 5
    assert max(seen) - seen[0] < MOST


@contextlib.contextmanager
def asked(jupyter: Jupyter, address: str) -> Iterator[http.client.HTTPResponse]:
    with contextlib.closing(jupyter.connect()) as connection:
        connection.request("GET", address, headers=SIGNED_IN)
        yield connection.getresponse()


def connections(jupyter: Jupyter, service: Service) -> int:
    """How many requests the Jupyter server has open to MLflow."""
    found = psutil.Process(jupyter.process.pid).net_connections("tcp4")
    port = embedded(service)["port"]
    return sum(bool(one.raddr) and one.raddr.port == port for one in found)


def test_a_large_artifact_comes_whole_and_needs_little_memory(jupyter: Jupyter, big: tuple[str, str]) -> None:
    address, expected = big
    found = hashlib.sha256()
    with little_memory(jupyter), asked(jupyter, address) as answer:
        assert (answer.status, answer.headers["Content-Length"]) == (200, str(SIZE))
        assert answer.headers["Content-Security-Policy"] == "sandbox"
        while piece := answer.read(MB):
            found.update(piece)
    assert found.hexdigest() == expected


def test_who_reads_slowly_fills_nothing_and_who_goes_away_leaves_nothing(
    jupyter: Jupyter, service: Service, big: tuple[str, str]
) -> None:
    wait_until(lambda: connections(jupyter, service) == 0)
    with little_memory(jupyter), contextlib.ExitStack() as readers:
        answers = [readers.enter_context(asked(jupyter, big[0])) for _ in range(3)]
        for answer in answers:
            assert len(answer.read(MB)) == MB
        for _ in range(20):
            # others are served meanwhile
            assert jupyter.ask("GET", "api")[0] == 200
        assert connections(jupyter, service) == 3
    wait_until(lambda: connections(jupyter, service) == 0)
    with asked(jupyter, f"{ADDRESS}health") as answer:
        assert answer.read() == b"OK"
    assert "Traceback" not in jupyter.log.read_text()


def test_what_is_sent_arrives_whole_and_needs_little_memory(jupyter: Jupyter, service: Service) -> None:
    content = hashlib.sha256()

    def pieces() -> Iterator[bytes]:
        for number in range(SIZE // MB):
            piece = bytes([number]) * MB
            content.update(piece)
            yield piece

    with little_memory(jupyter), contextlib.closing(jupyter.connect()) as connection:
        # with what an address cannot hold as it is
        headers = {**SIGNED_IN, "Content-Length": str(SIZE)}
        connection.request("PUT", f"{ADDRESS}{FOLDER}/a%20b.bin", pieces(), headers)
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
    assert hash_of(service.settings.data_path / "mlartifacts" / "sent" / "a b.bin") == content.hexdigest()


@pytest.mark.parametrize(
    ("headers", "size", "expected"), [({}, 10, 403), (SIGNED_IN, SIZE + 1, 400)], ids=["unknown", "too large"]
)
def test_what_may_not_be_sent_is_not_kept(
    jupyter: Jupyter, service: Service, headers: dict[str, str], size: int, expected: int
) -> None:
    with contextlib.closing(jupyter.connect()) as connection:
        connection.putrequest("PUT", f"{ADDRESS}{FOLDER}/refused.bin")
        for name, value in {**headers, "Content-Length": str(size)}.items():
            connection.putheader(name, value)
        connection.endheaders(b"x" * 10)
        assert connection.getresponse().status == expected
    assert not (service.settings.data_path / "mlartifacts" / "sent" / "refused.bin").exists()


def test_an_answer_that_breaks_off_does_not_look_whole(
    jupyter: Jupyter, service: Service, big: tuple[str, str]
) -> None:
    with asked(jupyter, big[0]) as answer:
        answer.read(MB)
        service.kill_mlflow()
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            answer.read()
    status, body = jupyter.ask("GET", SEARCH)
    # a request waits some seconds for the next MLflow; on a busy machine it is told that this is not ready
    assert status == 200 or body["message"] == "MLflow is starting, or has ended; try again in a moment."
    embedded(service)
    assert jupyter.ask("GET", SEARCH)[0] == 200
