"""A service that died in the middle of its work is followed by another, unless a person wants none."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Service, write_notebook

from jupyter_mlops import events
from jupyter_mlops.api import backend
from jupyter_mlops.api.backend import Backend
from jupyter_mlops.core.runs import Run
from jupyter_mlops.core.states import SWEEP_OVER, RunState, SweepState
from jupyter_mlops.core.sweeps import SweepRequest
from jupyter_mlops.services.process import launch
from jupyter_mlops.services.process.launch import ensure_service, is_suspended, revive_service, suspend_service
from jupyter_mlops.services.sweeps.requests import Sweeps
from jupyter_mlops.settings import MlopsSettings
from jupyter_mlops.store import Store

# -- a real server and a real service ------------------------------------------------------------


@pytest.fixture
def jp_server_config(data_dir: Path) -> dict[str, Any]:
    """The server starts the service, as it does for people."""
    return {
        "ServerApp": {"jpserver_extensions": {"jupyter_mlops": True}},
        "MlopsSettings": {"data_dir": str(data_dir), "local_slots": 1},
    }


@pytest.fixture
def looking_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "REVIVE_SECONDS", 0.5)
    monkeypatch.setattr(backend, "RETRY_SECONDS", 0.5)


@pytest.fixture
def service(jp_serverapp: Any, jp_asyncio_loop: asyncio.AbstractEventLoop, data_dir: Path) -> Iterator[Service]:
    """Whatever the server starts; ended with all it has started."""
    # what a server does once its loop runs, which the test's server leaves out
    jp_asyncio_loop.run_until_complete(jp_serverapp.extension_manager.start_all_extensions())
    settings = MlopsSettings(data_dir=str(data_dir), local_slots=1)
    service = Service(settings, Store(settings.store_url))
    yield service
    suspend_service(settings)
    service.end()
    service.store.close()


async def until(what: Callable[[], Any]) -> None:
    async with asyncio.timeout(120):
        while not await asyncio.to_thread(what):
            await asyncio.sleep(0.1)


async def start(jp_fetch: Any, folder: Path) -> str:
    """A sweep of some seconds that waits for a file in its third run."""
    cell = "import os, time\ntime.sleep(0.5)\nwhile a == 3 and not os.path.exists('go'): time.sleep(0.1)\nscore = a"
    write_notebook(folder / "train.ipynb", "a = 1", cell)
    body = json.dumps({"path": "train.ipynb", "space": {"a": "1:5"}, "metrics": ["score"]})
    answer = await jp_fetch("mlops", "sweeps", method="POST", body=body)
    sweep_id: str = json.loads(answer.body)["id"]
    return sweep_id


def in_third_run(service: Service, sweep_id: str) -> Callable[[], bool]:
    def there() -> bool:
        counts = service.store.sweeps.get(sweep_id).counts
        return counts.get("succeeded") == 2 and counts.get("running") == 1

    return there


async def test_a_service_killed_in_mid_sweep_is_followed_by_another_with_nobody_asking(
    looking_often: None, jp_fetch: Any, jp_root_dir: Path, service: Service
) -> None:
    sweep_id = await start(jp_fetch, jp_root_dir)
    await until(in_third_run(service, sweep_id))
    first = service.pid
    await asyncio.to_thread(service.kill)
    (jp_root_dir / "go").touch()
    await until(lambda: service.store.sweeps.get(sweep_id).state in SWEEP_OVER)
    sweep = service.store.sweeps.get(sweep_id)
    assert sweep.state is SweepState.SUCCEEDED, sweep.message
    assert [run.metrics for run in service.store.runs.of_sweep(sweep_id)] == [{"score": a} for a in (1, 2, 3, 4, 5)]
    assert service.pid not in (None, first)


async def test_a_service_that_a_person_stopped_stays_stopped_until_they_ask_for_something(
    looking_often: None, jp_fetch: Any, jp_root_dir: Path, service: Service
) -> None:
    sweep_id = await start(jp_fetch, jp_root_dir)
    await until(in_third_run(service, sweep_id))
    command = [sys.executable, "-m", "jupyter_mlops.cli.main", "service", "stop"]
    words = [f"--MlopsSettings.data_dir={service.settings.data_dir}"]
    await asyncio.to_thread(subprocess.run, [*command, *words], check=True, stdout=subprocess.DEVNULL)
    # the lock is free when it has done its work; then the process ends
    await until(lambda: service.pid is None)
    (jp_root_dir / "go").touch()
    for _ in range(12):
        await asyncio.sleep(events.REVIVE_SECONDS)
        # looking is no asking
        await jp_fetch("mlops", "sweeps")
        assert service.pid is None
    assert service.store.sweeps.get(sweep_id).state is SweepState.RUNNING
    await jp_fetch("mlops", "sweeps", sweep_id, "resume", method="POST", body="")
    await until(lambda: service.store.sweeps.get(sweep_id).state in SWEEP_OVER)
    assert service.store.sweeps.get(sweep_id).counts == {"succeeded": 5}
    # and from now on it is looked after again
    assert not is_suspended(service.settings)


# -- when it is started, and when not ------------------------------------------------------------


@pytest.fixture
def launched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How often a service was started; each of them ends at once."""
    log, program = tmp_path / "launched", tmp_path / "program"
    program.write_text(f"#!/bin/sh\necho started >> {log}\nexit 1\n")
    program.chmod(0o700)
    monkeypatch.setattr(launch, "PYTHON", (str(program),))
    processes: list[subprocess.Popen[bytes]] = []
    real = launch._launch

    def remembered(settings: MlopsSettings) -> subprocess.Popen[bytes]:
        processes.append(real(settings))
        return processes[-1]

    monkeypatch.setattr(launch, "_launch", remembered)

    def count() -> int:
        for process in processes:
            process.wait()
        return len(log.read_text().splitlines()) if log.exists() else 0

    return count


@pytest.fixture
def waiting(sweeps: Sweeps, kernelspecs: dict[str, Any], notebook: Path) -> str:
    """A sweep that no service has taken up."""
    write_notebook(notebook, "a = 1")
    return sweeps.create(notebook, SweepRequest(path=str(notebook), space={"a": "1:3"}), kernelspecs).id


def test_a_start_that_fails_is_not_tried_too_often(
    settings: MlopsSettings, waiting: str, launched: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_after = Backend(settings)
    with contextlib.closing(looked_after):
        looked_after.revive()
        # nobody has asked this server for anything yet
        assert launched() == 0
        looked_after.open()
        for _ in range(3):
            looked_after.revive()
        assert launched() == 1
        monkeypatch.setattr(backend, "RETRY_SECONDS", 0.0)
        looked_after.revive()
        assert launched() == 2


def test_a_service_that_the_setting_forbids_is_never_started(
    settings: MlopsSettings, store: Store, waiting: str, launched: Callable[[], int]
) -> None:
    settings.start_service = False
    assert not revive_service(store, settings)
    ensure_service(settings)
    assert launched() == 0
    settings.start_service = True
    assert revive_service(store, settings)
    assert launched() == 1


def test_what_rests_or_is_over_needs_no_service(
    settings: MlopsSettings, store: Store, sweeps: Sweeps, waiting: str, launched: Callable[[], int]
) -> None:
    run = Run(id="r", sweep_id=waiting, index=0, parameters={"a": 1}, state=RunState.RUNNING)
    for state in (SweepState.STARTING, SweepState.RUNNING):
        store.sweeps.change(waiting, state=state)
        assert revive_service(store, settings)
    sweeps.pause(waiting)
    # it is to be told that it pauses
    assert revive_service(store, settings)
    store.sweeps.change(waiting, state=SweepState.PAUSED)
    assert not revive_service(store, settings)
    # a run that was under way is to be brought in
    store.runs.add(waiting, [run])
    assert revive_service(store, settings)
    store.runs.change(run.id, state=RunState.SUCCEEDED)
    assert not revive_service(store, settings)
    sweeps.stop(waiting)
    assert revive_service(store, settings)
    store.sweeps.change(waiting, state=SweepState.STOPPED)
    assert not revive_service(store, settings)
    assert launched() == 5


def test_a_service_that_starts_while_somebody_says_stop_ends(settings: MlopsSettings, waiting: str) -> None:
    suspend_service(settings)
    env = os.environ | {"JUPYTER_MLOPS_SETTINGS": json.dumps(settings.values())}
    done = subprocess.run([sys.executable, "-m", "jupyter_mlops.service"], env=env, timeout=180, check=False)
    assert done.returncode == 0
    store = Store(settings.store_url)
    assert store.sweeps.get(waiting).state is SweepState.QUEUED
    store.close()
