"""The event loops of the service and of a Jupyter server stay free: no callback works or waits for long."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest
from conftest import serving, wait_until
from jupyter_helpers import Jupyter
from pipeline_helpers import PipelineService

from jupyter_mlops.core.pipelines.records import Trigger
from jupyter_mlops.core.states import SweepState
from jupyter_mlops.core.sweeps import Sweep
from jupyter_mlops.settings import MlopsSettings
from jupyter_mlops.store import Store

# As asyncio's debug mode does with slow_callback_duration, but without the time in which the thread waited for a core.
# Waiting for a lock whose holder waits for a core looks like waiting for a disk: it may take longer.
WATCH = """
import os, sys

if any(word.endswith(("jupyter_mlops.service", "jupyter-server")) for word in sys.orig_argv):
    import asyncio.events, time

    run = asyncio.events.Handle._run

    def spent():
        with open("/proc/thread-self/schedstat") as file:
            return time.thread_time(), time.monotonic() - int(file.read().split()[1]) / 1e9

    def timed(self):
        begun = spent()
        run(self)
        worked, took = (after - before for before, after in zip(begun, spent()))
        if worked > 0.1 or took > 2.0:
            with open(os.environ["MLOPS_TEST_SLOW"], "a") as file:
                file.write(f"{self!r} worked {worked:.3f} s and took {took:.3f} s\\n")

    asyncio.events.Handle._run = timed
"""


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the event loops that begin meanwhile name their slow callbacks."""
    (tmp_path / "watch").mkdir()
    (tmp_path / "watch" / "sitecustomize.py").write_text(WATCH)
    found = [str(tmp_path / "watch"), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(found))
    file = tmp_path / "slow"
    file.touch()
    monkeypatch.setenv("MLOPS_TEST_SLOW", str(file))
    return file


@pytest.fixture
def settings(tmp_path: Path) -> MlopsSettings:
    """A store with 3,000 sweeps."""
    settings = MlopsSettings(data_dir=str(tmp_path / "data"), local_slots=2, service_idle_timeout=600.0)
    store = Store(settings.store_url)
    path = str(tmp_path / "work" / "past.ipynb")
    past = Sweep(id="", name="past", path=path, notebook_hash="", state=SweepState.SUCCEEDED, service="elsewhere")
    for number in range(3_000):
        store.sweeps.create(msgspec.structs.replace(past, id=f"{number:032}"), b"{}")
    store.close()
    return settings


def test_a_busy_service_keeps_its_event_loop_free(tmp_path: Path, settings: MlopsSettings, slow: Path) -> None:
    """Importing what a run needs took 1.4 s of it, and firing 250 schedules a third of a second."""
    with serving(settings) as service:
        piped = PipelineService(service, tmp_path / "work")
        piped.notebook("job.ipynb", "x = 1", "m = x")
        steps = "steps: {one: {notebook: job.ipynb}, two: {notebook: job.ipynb, after: [one]}}"
        address = "json://127.0.0.1:9/"
        pipeline = piped.promote(f"concurrency: 2\nalerts: {{on: [success], to: ['{address}']}}\n{steps}")
        runs = [piped.start(pipeline).id for _ in range(2)]
        backlog = piped.promote(steps, file="backlog.pipeline.yaml")
        piped.pipelines.store.pipelines.change(backlog, service="elsewhere")
        for number in range(200):
            due = {"cron": "0 6 * * *", "next_at": "2026-01-01T06:00:00+00:00", "overlap": "queue"}
            service.store.triggers.create(Trigger(id=f"t{number}", pipeline_id=backlog, **due))
        sweep = service.run_until_over(tmp_path / "work" / "now.ipynb", "a = 1", "score = a", space={"a": "1:6"})
        assert sweep.counts == {"succeeded": 6}
        assert [piped.wait(run).state for run in runs] == ["succeeded", "succeeded"]
        wait_until(lambda: len(service.store.pipeline_runs.find(backlog)) == 200)
        assert slow.read_text() == ""


def test_a_jupyter_server_keeps_its_event_loop_free(tmp_path: Path, settings: MlopsSettings, slow: Path) -> None:
    server = Jupyter(tmp_path / "server", Path(settings.data_dir), "--MlopsSettings.start_service=False")
    try:
        # what was slow as it started is Jupyter's own
        slow.write_text("")
        for path in ("status", "health", "changes?since=0", "sweeps"):
            assert server.ask("GET", f"mlops/{path}")[0] == 200
        assert slow.read_text() == ""
    finally:
        server.kill()
