"""A server whose runs go on counts as active; one that starts sees to it that schedules are fired."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from conftest import PATIENCE, Service, wait_until, write_notebook
from jupyter_helpers import Jupyter
from pipeline_helpers import PipelineService

from jupyter_mlops import events
from jupyter_mlops.core.pipelines.definition import PipelineDefinition
from jupyter_mlops.core.pipelines.records import Pipeline, PipelineRun, Trigger, Version
from jupyter_mlops.core.states import PIPELINE_RUN_OVER, SWEEP_OVER, PipelineRunState, SweepState
from jupyter_mlops.services.process.launch import has_work, is_running, is_suspended, suspend_service
from jupyter_mlops.services.process.layout import Layout
from jupyter_mlops.settings import MlopsSettings
from jupyter_mlops.store import Store

WAITS = "import os, time\nwhile not os.path.exists('go'): time.sleep(0.1)"


@pytest.fixture
def jp_server_config(data_dir: Path) -> dict[str, Any]:
    """The server starts the service, as it does for people."""
    return {
        "ServerApp": {"jpserver_extensions": {"jupyter_mlops": True}},
        "MlopsSettings": {"data_dir": str(data_dir), "local_slots": 1},
    }


@pytest.fixture
def service(
    jp_serverapp: Any, jp_asyncio_loop: asyncio.AbstractEventLoop, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Service]:
    """Whatever the server starts; ended with all it has started."""
    monkeypatch.setattr(events, "ACTIVITY_SECONDS", 0.2)
    monkeypatch.setattr(events, "REVIVE_SECONDS", 0.2)
    # what a server does once its loop runs, which the test's server leaves out
    jp_asyncio_loop.run_until_complete(jp_serverapp.extension_manager.start_all_extensions())
    settings = MlopsSettings(data_dir=str(data_dir), local_slots=1)
    service = Service(settings, Store(settings.store_url))
    yield service
    suspend_service(settings)
    service.end()
    service.store.close()


async def last_activity(jp_fetch: Any) -> datetime:
    # as a hub asks: looking is no activity
    answer = await jp_fetch("api", "status", params={"no_track_activity": "1"})
    return datetime.fromisoformat(json.loads(answer.body)["last_activity"])


async def moves(jp_fetch: Any, within: float) -> bool:
    """Whether the server seems active to a hub though nobody asks it for anything."""
    before = await last_activity(jp_fetch)
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        await asyncio.sleep(0.1)
        if await last_activity(jp_fetch) > before:
            return True
    return False


async def until(what: Any) -> None:
    async with asyncio.timeout(120):
        while not await asyncio.to_thread(what):
            await asyncio.sleep(0.1)


async def test_a_live_sweep_counts_as_activity_and_an_ended_one_does_not(
    jp_fetch: Any, jp_root_dir: Path, service: Service
) -> None:
    assert not await moves(jp_fetch, 2)
    write_notebook(jp_root_dir / "train.ipynb", "a = 1", WAITS)
    answer = await jp_fetch("mlops", "sweeps", method="POST", body=json.dumps({"path": "train.ipynb", "space": {}}))
    sweep_id = json.loads(answer.body)["id"]
    await until(lambda: service.store.sweeps.get(sweep_id).counts.get("running") == 1)
    for _ in range(3):
        assert await moves(jp_fetch, PATIENCE)
    (jp_root_dir / "go").touch()
    await until(lambda: service.store.sweeps.get(sweep_id).state in SWEEP_OVER)
    assert service.store.sweeps.get(sweep_id).state is SweepState.SUCCEEDED
    # the service lives on, but is idle
    assert is_running(service.settings)
    async with asyncio.timeout(PATIENCE):
        while await moves(jp_fetch, 3):
            pass


async def test_a_pipelines_run_counts_though_nobody_asked_this_server_for_anything(
    jp_fetch: Any, jp_root_dir: Path, service: Service
) -> None:
    piped = PipelineService(service, jp_root_dir / "project")
    # by its whole path: what appears beside a notebook is not seen by a step under way
    piped.notebook("train.ipynb", "a = 1", WAITS.replace("'go'", repr(str(piped.folder / "go"))))
    pipeline = await asyncio.to_thread(piped.promote, "name: p\nsteps:\n  train:\n    notebook: train.ipynb\n")
    run = await asyncio.to_thread(piped.start, pipeline)
    await until(lambda: service.store.pipeline_runs.get(run.id).state is PipelineRunState.RUNNING)
    for _ in range(3):
        assert await moves(jp_fetch, PATIENCE)
    (piped.folder / "go").touch()
    await until(lambda: service.store.pipeline_runs.get(run.id).state in PIPELINE_RUN_OVER)
    async with asyncio.timeout(PATIENCE):
        while await moves(jp_fetch, 3):
            pass


def test_work_of_other_services_is_not_ours(store: Store) -> None:
    steps = PipelineDefinition(steps={})
    pipeline = Pipeline(id="p", name="p", path="/p.ipynb", project="/", service="there")
    store.pipelines.create(pipeline, Version(pipeline_id="p", number=1, definition=steps))
    assert not has_work(store, "here") and not has_work(store, "there")
    store.pipeline_runs.create(PipelineRun(id="r", pipeline_id="p", version=1))
    assert not has_work(store, "here") and has_work(store, "there")
    store.pipeline_runs.change("r", state=PipelineRunState.RUNNING, service="here")
    assert has_work(store, "here") and not has_work(store, "there")
    store.pipeline_runs.change("r", state=PipelineRunState.FAILED)
    assert not has_work(store, "here") and not has_work(store, "there")


# -- at a server's start ---------------------------------------------------------------------------


def schedule(data: Path) -> None:
    """Something that was due a moment ago, as a service that ran before the machine ended left it."""
    settings = MlopsSettings(data_dir=str(data))
    store = Store(settings.store_url)
    pipeline = Pipeline(id="p", name="p", path=str(data / "p.ipynb"), project=str(data))
    store.pipelines.create(pipeline, Version(pipeline_id="p", number=1, definition=PipelineDefinition(steps={})))
    at = datetime.now(UTC).replace(second=0, microsecond=0).isoformat(timespec="microseconds")
    store.triggers.create(Trigger(id="t", pipeline_id="p", cron="* * * * *", next_at=at))
    store.close()
    Layout(settings.data_path).scheduled.touch()


@pytest.fixture
def places(tmp_path: Path) -> Iterator[Path]:
    """A folder for a server and its service; both are ended."""
    yield tmp_path
    settings = MlopsSettings(data_dir=str(tmp_path / "mlops-data"))
    suspend_service(settings)
    Service(settings, Store(settings.store_url)).end()


def test_a_server_that_starts_has_schedules_fired_with_nobody_asking(places: Path) -> None:
    data = places / "mlops-data"
    schedule(data)
    server = Jupyter(places, data)
    store = Store(MlopsSettings(data_dir=str(data)).store_url)
    try:
        wait_until(lambda: store.triggers.fired("t"), 180, server.log.read_text)
        assert is_running(MlopsSettings(data_dir=str(data)))
    finally:
        server.kill()
        store.close()


@pytest.mark.parametrize("why", ["held back", "nothing scheduled", "the setting"])
def test_a_server_that_starts_starts_nothing_where_that_is_not_wanted(places: Path, why: str) -> None:
    data = places / "mlops-data"
    settings = MlopsSettings(data_dir=str(data))
    schedule(data)
    if why == "nothing scheduled":
        Layout(data).scheduled.unlink()
    if why == "held back":
        suspend_service(settings)
    server = Jupyter(places, data, *(["--MlopsSettings.start_service=False"] if why == "the setting" else []))
    try:
        # the server looks at once when it starts
        for _ in range(10):
            time.sleep(0.25)
            assert not is_running(settings)
        # looking is no asking
        assert is_suspended(settings) == (why == "held back")
    finally:
        server.kill()


def test_looking_for_schedules_imports_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from jupyter_mlops.api.backend import Backend\n"
        "from jupyter_mlops.settings import MlopsSettings\n"
        f"backend = Backend(MlopsSettings(data_dir={str(tmp_path / 'data')!r}, start_service=False))\n"
        "backend.revive()\nassert not backend.is_busy()\n"
        "light = set(sys.modules)\n"
        "backend.settings.data_path\n"
        f"open({str(tmp_path / 'data' / 'schedules')!r}, 'w').close()\n"
        "backend.revive()\n"
        "print(sorted({'sqlalchemy', 'dask', 'mlflow', 'papermill', 'pandas'} & set(sys.modules)))\n"
        "launch = 'jupyter_mlops.services.process.launch'\n"
        "print(launch in light, launch in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\nFalse True\n", done.stderr
