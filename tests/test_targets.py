"""Where runs execute: this machine, a foreign scheduler; and how each refuses, in one sentence."""

from __future__ import annotations

import asyncio
import http.server
import json
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from conftest import PATIENCE, Service, kernels_of, processes_with, serving, wait_until
from dask_helpers import Scheduler
from mlflow_helpers import free_port, mlflow_runs
from worker_helpers import run

import jupyter_mlops
from jupyter_mlops.compute import hardware
from jupyter_mlops.compute.catalog import Catalog
from jupyter_mlops.compute.dask_runs import task_key
from jupyter_mlops.compute.kinds.address import AddressTarget
from jupyter_mlops.compute.kinds.local import LocalTarget
from jupyter_mlops.core.errors import UnavailableError
from jupyter_mlops.core.states import SweepState
from jupyter_mlops.core.targets import TargetRecord
from jupyter_mlops.services.process.launch import is_running, service_info
from jupyter_mlops.services.sweeps.planner import slots_by_memory
from jupyter_mlops.settings import MlopsSettings
from jupyter_mlops.store import Store


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scheduler]:
    """One without workers; each test adds those it needs."""
    scheduler = Scheduler(tmp_path_factory.mktemp("dask"))
    scheduler.start()
    yield scheduler
    scheduler.kill()


@pytest.fixture
def foreign(scheduler: Scheduler) -> Iterator[Scheduler]:
    yield scheduler
    scheduler.kill_workers()


def refusal(service: Service, notebook: Path, target: str, kernel: str = "python3") -> str:
    """Why a sweep is refused there."""
    sweep = service.run_until_over(notebook, "a = 1", "a", space={"a": "1:2"}, target=target, kernel=kernel)
    assert sweep.state is SweepState.FAILED
    assert service.store.runs.of_sweep(sweep.id) == []
    return sweep.message


def info(service: Service, name: str) -> Any:
    return {target.name: target for target in service_info(service.store, service.settings).targets}.get(name)


# -- a foreign scheduler -------------------------------------------------------------------------


def test_a_sweep_on_a_foreign_scheduler(service: Service, foreign: Scheduler, notebook: Path) -> None:
    foreign.add_worker("--nthreads", "2", "--name", "far")
    cell = "import mlflow, time\nscore = a\nmlflow.log_metric('logged', a)\ntime.sleep(0.5)"
    sweep = service.run_until_over(
        notebook, "a = 1", cell, space={"a": "1:4"}, metrics=["score"], target=foreign.address
    )
    assert sweep.state is SweepState.SUCCEEDED, sweep.message
    assert sweep.slots_open == 2
    runs = service.store.runs.of_sweep(sweep.id)
    assert [run.metrics for run in runs] == [{"score": a, "logged": a} for a in (1, 2, 3, 4)]
    assert all(run.worker.startswith("far") and run.cell == run.cells for run in runs)
    assert len(mlflow_runs(service, sweep.id)) == 4
    target = info(service, foreign.address)
    assert (target.kind, target.state, target.slots) == ("address", "ready", 2)


@pytest.mark.slow
def test_slots_follow_the_workers_of_a_scheduler(service: Service, foreign: Scheduler, notebook: Path) -> None:
    foreign.add_worker()
    sweep_id = service.sweep(
        notebook, "a = 1", "import time; time.sleep(1)", space={"a": "1:30"}, target=foreign.address
    )
    service.wait(sweep_id, lambda sweep: sweep.confirmed)
    assert service.store.sweeps.get(sweep_id).slots_open == 1
    foreign.add_worker()
    service.wait(sweep_id, lambda sweep: sweep.slots_open == 2 and sweep.counts.get("running", 0) == 2)
    kernels = kernels_of(sweep_id)
    service.sweeps.stop(sweep_id)
    _, alive = psutil.wait_procs(kernels, timeout=180)
    assert not alive
    assert service.wait(sweep_id).state is SweepState.STOPPED


def test_a_scheduler_without_workers(service: Service, foreign: Scheduler, notebook: Path) -> None:
    expected = f"The scheduler at {foreign.address} has no workers; start some and try again."
    # the second time just as the first, and once that is known to last the target says so, too
    wait_until(
        lambda: (
            refusal(service, notebook, foreign.address) == expected
            and info(service, foreign.address).message == expected
        )
    )
    assert info(service, foreign.address).state == "failed"


def shadow(folder: Path, text: str) -> dict[str, str]:
    """Environment in which a package of our name stands before ours."""
    package = Path(jupyter_mlops.__file__).parent
    shutil.copytree(package, folder / "jupyter_mlops", ignore=shutil.ignore_patterns("labextension", "__pycache__"))
    (folder / "jupyter_mlops" / "__init__.py").write_text(text)
    return {"PYTHONPATH": str(folder)}


def test_workers_with_another_version(service: Service, foreign: Scheduler, notebook: Path, tmp_path: Path) -> None:
    foreign.add_worker(env=shadow(tmp_path / "shadow", "__version__ = '0.0.1'\n"))
    message = refusal(service, notebook, foreign.address)
    assert message.startswith("The worker tcp://127.0.0.1:")
    assert message.endswith(f" has jupyter-mlops 0.0.1, here it is {jupyter_mlops.__version__}; install the same.")


def test_workers_without_our_package(service: Service, foreign: Scheduler, notebook: Path, tmp_path: Path) -> None:
    foreign.add_worker(env=shadow(tmp_path / "shadow", "raise ImportError('not for this Python')\n"))
    message = refusal(service, notebook, foreign.address)
    assert message.startswith(f"The workers at {foreign.address} cannot load jupyter-mlops")
    assert "install it in their environment" in message and "not for this Python" in message


def test_workers_without_the_kernel(
    service: Service, foreign: Scheduler, notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign.add_worker()
    here = tmp_path / "share" / "kernels" / "only-here"
    here.mkdir(parents=True)
    (here / "kernel.json").write_text(json.dumps({"argv": ["python3"], "display_name": "x", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "share"))
    message = refusal(service, notebook, foreign.address, kernel="only-here")
    assert "has no kernel “only-here”; install it there, it has" in message and "python3" in message


def test_workers_that_cannot_read_the_notebook(service: Service, foreign: Scheduler, notebook: Path) -> None:
    # another machine's file system: one on which the store's folder is empty
    place = service.settings.data_path / "sweeps"
    place.mkdir(exist_ok=True)
    script = 'mount -t tmpfs none "$0" && exec "$@"'
    within = ("unshare", "--mount", *("--map-root-user",) * (os.geteuid() != 0), "sh", "-c", script, str(place))
    if subprocess.run([*within, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("file systems cannot be mounted here")
    foreign.add_worker(within=within)
    message = refusal(service, notebook, foreign.address)
    assert f"cannot read {place}" in message
    assert message.endswith("notebook and store must lie on a shared file system.")


def test_workers_that_cannot_reach_mlflow(foreign: Scheduler, data_dir: Path, notebook: Path) -> None:
    foreign.add_worker()
    port = free_port()
    settings = MlopsSettings(data_dir=str(data_dir), mlflow_tracking_uri=f"http://127.0.0.1:{port}")
    with serving(settings) as service:
        with socket.create_server(("127.0.0.1", port)):
            sweep_id = service.sweep(notebook, "a = 1", "a", space={"a": "1:2"}, target=foreign.address)
        sweep = service.wait(sweep_id)
        assert sweep.state is SweepState.FAILED
        assert f"cannot reach MLflow at http://127.0.0.1:{port}; set MlopsSettings.mlflow_tracking_uri" in sweep.message


def test_an_address_where_nothing_is(service: Service, notebook: Path) -> None:
    message = refusal(service, notebook, f"tcp://127.0.0.1:{free_port()}")
    assert message.startswith("No Dask scheduler answers at tcp://127.0.0.1:")
    assert "\n" not in message


def test_an_address_where_something_else_is(service: Service, notebook: Path) -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        for protocol in ("tcp", "tls"):
            address = f"{protocol}://127.0.0.1:{server.server_port}"
            message = refusal(service, notebook, address)
            assert message.startswith(f"No Dask scheduler answers at {address}; check the address")
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.slow
def test_a_scheduler_that_goes_away_and_comes_back(service: Service, tmp_path: Path, notebook: Path) -> None:
    scheduler = Scheduler(tmp_path / "dask")
    try:
        scheduler.start()
        scheduler.add_worker()
        cell = "import time; time.sleep(1.5); score = a"
        sweep_id = service.sweep(
            notebook, "a = 1", cell, space={"a": "1:4"}, metrics=["score"], target=scheduler.address
        )
        service.wait(sweep_id, lambda sweep: sweep.counts.get("succeeded", 0) == 1)
        service.wait(sweep_id, lambda sweep: sweep.counts.get("running", 0) == 1)
        scheduler.kill()
        waiting = service.wait(sweep_id, lambda sweep: sweep.message.startswith("Waiting: No Dask scheduler answers"))
        assert waiting.state is SweepState.RUNNING
        scheduler.start()
        scheduler.add_worker()
        sweep = service.wait(sweep_id)
        assert (sweep.state, sweep.message) == (SweepState.SUCCEEDED, "")
        runs = service.store.runs.of_sweep(sweep_id)
        assert [run.metrics["score"] for run in runs] == [1, 2, 3, 4]
        assert [run.attempt for run in runs] == [1, 2, 1, 1]
        children = mlflow_runs(service, sweep_id)
        assert sorted(run.data.tags["mlops.run_id"] for run in children) == sorted(run.id for run in runs)
    finally:
        scheduler.kill()


@pytest.mark.slow
def test_a_sweep_that_waits_for_its_scheduler_can_be_stopped(service: Service, tmp_path: Path, notebook: Path) -> None:
    scheduler = Scheduler(tmp_path / "dask")
    try:
        scheduler.start()
        scheduler.add_worker()
        sweep_id = service.sweep(
            notebook, "a = 1", "import time; time.sleep(60)", space={"a": "1:4"}, target=scheduler.address
        )
        service.wait(sweep_id, lambda sweep: sweep.counts.get("running", 0) == 1)
    finally:
        scheduler.kill()
    service.wait(sweep_id, lambda sweep: sweep.message.startswith("Waiting"))
    service.sweeps.stop(sweep_id)
    sweep = service.wait(sweep_id)
    assert (sweep.state, sweep.counts) == (SweepState.STOPPED, {"stopped": 4})


# -- this machine --------------------------------------------------------------------------------


@pytest.mark.slow
def test_workers_and_service_end_by_themselves_when_idle(data_dir: Path, notebook: Path) -> None:
    settings = MlopsSettings(data_dir=str(data_dir), target_idle_timeout=1.0, service_idle_timeout=12.0)
    with serving(settings) as service:
        assert service.run_until_over(notebook, "a = 1", "a", space={"a": "1"}).state is SweepState.SUCCEEDED
        wait_until(lambda: not processes_with(str(data_dir / "targets")))
        wait_until(lambda: info(service, "local").state == "idle")
        assert is_running(settings)
        wait_until(lambda: not is_running(settings))
        wait_until(lambda: not processes_with(str(data_dir)))
        assert service_info(service.store, settings).state == "off"


@pytest.mark.slow
def speaks_http(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=180) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        try:
            return connection.recv(100).startswith(b"HTTP/")
        except OSError:
            return False


def asks_for_a_certificate(port: int) -> bool:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), timeout=180) as connection:
        try:
            # with TLS 1.3 the refusal comes after the handshake
            with context.wrap_socket(connection) as wrapped:
                return wrapped.recv(1) == b""
        except ssl.SSLError as error:
            return "CERTIFICATE_REQUIRED" in str(error) or "HANDSHAKE_FAILURE" in str(error)


def test_nothing_that_a_host_and_its_workers_listen_on_answers_without_a_certificate(
    service: Service, notebook: Path
) -> None:
    service.run_until_over(notebook, "a = 1", "a", space={"a": "1:2"})
    (host,) = processes_with(str(service.settings.data_path / "targets" / "local"))
    processes = [host, *host.children(recursive=True)]
    listening = {
        (found.laddr.ip, found.laddr.port)
        for process in processes
        for found in process.net_connections("inet")
        if found.status == psutil.CONN_LISTEN
    }
    # scheduler, nannies and workers
    assert len(listening) >= 3
    for address, port in listening:
        assert address == "127.0.0.1"
        assert not speaks_http(port)
        assert asks_for_a_certificate(port)


def test_a_host_that_is_lost_is_started_again(own_service: Service, notebook: Path) -> None:
    service = own_service
    sweep_id = service.sweep(notebook, "a = 1", "import time; time.sleep(1); score = a", space={"a": "1:3"})
    service.wait(sweep_id, lambda sweep: sweep.counts.get("running", 0) >= 1)
    service.kill_workers()
    sweep = service.wait(sweep_id)
    assert (sweep.state, sweep.message) == (SweepState.SUCCEEDED, "")
    assert [run.metrics["score"] for run in service.store.runs.of_sweep(sweep_id)] == [1, 2, 3]
    assert len(mlflow_runs(service, sweep_id)) == 3


# -- slots -----------------------------------------------------------------------------------------


def at(address: str, settings: MlopsSettings) -> AddressTarget:
    return AddressTarget(TargetRecord(name=address, kind="address", options={"address": address}), settings)


def test_a_free_slot_is_offered_to_who_has_waited_longest(settings: MlopsSettings) -> None:
    target = at("tcp://127.0.0.1:1", settings)
    target.slots = 1
    woken: list[str] = []
    target.reserve("a", 1)
    for name in ("x", "y", "z"):
        target.wait_for_slot(name, lambda name=name: woken.append(name))
    target.wake_next()
    assert woken == []
    target.stop_waiting("y")
    target.release("a", 1)
    target.release("a", 1)
    assert woken == ["x"]
    # x has nothing to do by now
    target.wake_next()
    assert woken == ["x", "z"]


def test_what_cannot_be_asked_knows_nothing_of_any_attempt(settings: MlopsSettings) -> None:
    target = at("tcp://127.0.0.1:1", settings)
    with pytest.raises(UnavailableError, match="cannot be reached now"):
        asyncio.run(target.live([("a", 1)]))
    assert not asyncio.run(target.stop("a", 1))


def test_a_task_that_waits_at_the_scheduler_is_no_lost_attempt(
    foreign: Scheduler, settings: MlopsSettings, tmp_path: Path
) -> None:
    foreign.add_worker()
    free = tmp_path / "free"

    def hold() -> None:
        while not free.exists():
            time.sleep(0.05)

    async def ask() -> set[tuple[str, int]]:
        target = at(foreign.address, settings)
        await target.start(lambda _: None)
        client = target._client
        assert client is not None
        busy = client.submit(hold, pure=False)
        waiting = client.submit(time.sleep, 0, key=task_key("a", 1), pure=False)
        try:
            async with asyncio.timeout(PATIENCE):
                # what is submitted is on its way to the scheduler first
                while not (found := await target.live([("a", 1), ("b", 1)])):
                    await asyncio.sleep(0.05)
            return found
        finally:
            free.touch()
            await client.gather([busy, waiting])
            await target.close()

    assert asyncio.run(ask()) == {("a", 1)}


@pytest.mark.parametrize(
    ("running", "free", "need", "slots"),
    [(0, 100, 200, 1), (1, 100, 200, 1), (0, 400, 200, 2), (2, 200, 200, 3), (3, 0, 200, 3), (1, 10_000, 1, 10_001)],
)
def test_slots_that_memory_allows(running: int, free: int, need: int, slots: int) -> None:
    assert slots_by_memory(running, free, need) == slots


def test_a_machine_has_a_slot_a_core_and_a_gigabyte(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert 1 <= hardware.default_slots() <= (os.cpu_count() or 1)
    monkeypatch.setattr(hardware, "_CGROUP", tmp_path)
    (tmp_path / "cpu.max").write_text("150000 100000")
    assert hardware.cores() == 1
    (tmp_path / "memory.max").write_text("900000000")
    (tmp_path / "memory.current").write_text("700000000")
    assert hardware.memory() == 900_000_000
    assert hardware.memory_free() == 200_000_000
    assert hardware.default_slots() == 1


# -- cuda ----------------------------------------------------------------------------------------


def test_a_kernel_sees_its_own_device_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # as dask-cuda's third worker of three finds it
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,0,1")
    cell = "import os\ndevice = int(os.environ['CUDA_VISIBLE_DEVICES'])\nrest = 'MLOPS_ONE_DEVICE' in os.environ"
    monkeypatch.setenv("MLOPS_ONE_DEVICE", "1")
    assert run(tmp_path, cell, metrics=["device", "rest"]).metrics == {"device": 2, "rest": 0}
    monkeypatch.delenv("MLOPS_ONE_DEVICE")
    cell = "import os\ncount = len(os.environ['CUDA_VISIBLE_DEVICES'].split(','))"
    assert run(tmp_path, cell, run_id="r2", metrics=["count"]).metrics == {"count": 3}


@pytest.mark.skipif(bool(hardware.cuda_problem()), reason="needs an NVIDIA device and dask-cuda")
def test_a_sweep_on_cuda_devices(service: Service, notebook: Path) -> None:
    cell = "import os\nseen = len(os.environ['CUDA_VISIBLE_DEVICES'].split(','))"
    sweep = service.run_until_over(notebook, "a = 1", cell, space={"a": "1:2"}, metrics=["seen"], target="cuda")
    assert sweep.state is SweepState.SUCCEEDED, sweep.message
    assert [run.metrics for run in service.store.runs.of_sweep(sweep.id)] == [{"seen": 1}, {"seen": 1}]


def test_runs_that_share_a_device_are_threads_of_its_worker(store: Store, settings: MlopsSettings) -> None:
    async def shared() -> list[tuple[int, int]]:
        target = LocalTarget(TargetRecord(name="local", kind="local", options={"slots": 2}), settings)
        target.per_worker = 3
        try:
            await target.start(print)
            assert target._client is not None
            workers = (await target._client.scheduler.identity())["workers"].values()
            return [(target.slots, worker["nthreads"]) for worker in workers]
        finally:
            await target.close()

    # the same host and the same arguments, but for the devices
    assert asyncio.run(shared()) == [(6, 3), (6, 3)]
    settings.slots_per_device = 4
    infos = {info.name: info.slots for info in Catalog(settings, store.targets).infos()}
    assert infos["cuda"] == 4 * len(hardware.cuda_devices())
