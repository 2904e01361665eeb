"""What a service does to the store, on each back end: what its turns cost where there is much, whose writes count."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from pathlib import Path
from typing import Any

import msgspec
import nbformat
import pytest
from sqlalchemy import event

from jupyter_mlops.compute import Targets
from jupyter_mlops.core.pipelines.definition import PipelineDefinition, Step
from jupyter_mlops.core.pipelines.records import Pipeline, PipelineRun, StepRun, Trigger, Version
from jupyter_mlops.core.runs import Run
from jupyter_mlops.core.states import PipelineRunState
from jupyter_mlops.core.sweeps import Sweep, SweepRequest
from jupyter_mlops.core.targets import TargetRecord
from jupyter_mlops.services.context import Context
from jupyter_mlops.services.pipelines.driver import PipelineDriver
from jupyter_mlops.services.pipelines.manager import MOST_BEGUN, PipelineRuns
from jupyter_mlops.services.process.layout import Layout
from jupyter_mlops.services.sweeps.driver import SweepDriver
from jupyter_mlops.services.sweeps.manager import Drivers
from jupyter_mlops.settings import MlopsSettings
from jupyter_mlops.store import StaleEpochError, Store
from jupyter_mlops.tracking import Tracking

NOON = "2026-11-24T12:00:00.000000+00:00"


def new_context(store: Store, settings: MlopsSettings, service: str = "here") -> Context:
    data = settings.data_path
    epoch = store.leases.acquire(f"service:{service}", service)
    targets, tracking = Targets(settings, store.targets), Tracking(data, "http://127.0.0.1:9")
    return Context(store, service, epoch, settings, Layout(data), targets, tracking)


@pytest.fixture
def context(any_store: Store, settings: MlopsSettings) -> Iterator[Context]:
    made = new_context(any_store, settings)
    yield made
    made.thread.shutdown()


def new_pipeline(
    store: Store, pipeline_id: str, concurrency: int = 1, service: str = "here", project: str = "/"
) -> None:
    definition = PipelineDefinition(steps={"a": Step(notebook="a.ipynb")}, concurrency=concurrency)
    made = Pipeline(id=pipeline_id, name="a", path="/a.pipeline.yaml", project=project, service=service)
    store.pipelines.create(made, Version(pipeline_id=pipeline_id, number=1, definition=definition))


def new_runs(store: Store, pipeline_id: str, count: int = 1) -> list[str]:
    # longer ago than another service waits
    at = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    ids = [f"{pipeline_id}-{number}" for number in range(count)]
    for run_id in ids:
        store.pipeline_runs.create(PipelineRun(id=run_id, pipeline_id=pipeline_id, version=1, created_at=at))
    return ids


@contextmanager
def statements(store: Store) -> Iterator[list[str]]:
    """What is executed meanwhile."""
    said: list[str] = []

    def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
        said.append(statement)

    event.listen(store._database.engine, "before_cursor_execute", note)
    yield said
    event.remove(store._database.engine, "before_cursor_execute", note)


async def test_a_long_queue_neither_costs_more_nor_hides_other_pipelines(context: Context) -> None:
    store = context.store
    new_pipeline(store, "long")
    first, *others = new_runs(store, "long", 600)
    store.pipeline_runs.change(first, state=PipelineRunState.RUNNING, service="elsewhere")
    new_pipeline(store, "quick", concurrency=3)
    quick = new_runs(store, "quick", 4)
    runs = PipelineRuns(context, Drivers(context))
    runs.take_up()
    while runs.waiting:
        runs.take_up()
    states = [store.pipeline_runs.get(run_id).state for run_id in quick]
    assert states == [PipelineRunState.RUNNING] * 3 + [PipelineRunState.QUEUED]
    assert {run.id for run in store.pipeline_runs.find("long", states=[PipelineRunState.QUEUED])} == set(others)
    with statements(store) as said:
        runs.take_up()
    assert len(said) <= 8 and not [each for each in said if each.startswith(("UPDATE", "INSERT"))]
    # one in the middle is asked to stop
    store.pipeline_runs.change(others[300], stop_requested=True)
    runs.take_up()
    assert store.pipeline_runs.get(others[300]).state is PipelineRunState.STOPPED
    await runs.close()


async def test_what_only_other_machines_can_run_hides_nothing(context: Context, tmp_path: Path) -> None:
    store = context.store
    for number in range(120):
        new_pipeline(store, f"far{number}", service="elsewhere", project=str(tmp_path / "missing"))
        new_runs(store, f"far{number}")
    new_pipeline(store, "left", service="elsewhere", project=str(tmp_path))
    (run_id,) = new_runs(store, "left")
    runs = PipelineRuns(context, Drivers(context))
    turns = 0
    while store.pipeline_runs.get(run_id).state is PipelineRunState.QUEUED:
        runs.take_up()
        turns += 1
        assert turns < 10
    with statements(store) as said:
        runs.take_up()
    assert runs.waiting and len(said) < 20, "each of them is looked at in each turn"
    await runs.close()


LOOKS: dict[str, tuple[Callable[[Store], object], str]] = {
    "live sweeps": (lambda store: store.sweeps.find(live=True, service="here"), "sweeps_live"),
    "live runs": (lambda store: store.runs.live("here"), "sweeps_live"),
    "what MLflow lacks": (lambda store: store.runs.untracked(100, "here"), "runs_untracked"),
    "first in their queues": (lambda store: store.pipeline_runs.first_queued(), "pipeline_runs_line"),
    "asked to stop": (
        lambda store: store.pipeline_runs.find(states=[PipelineRunState.QUEUED], stop_requested=True, limit=9),
        "pipeline_runs_line",
    ),
}


@pytest.mark.parametrize("look", LOOKS)
def test_what_is_looked_for_in_each_turn_scans_no_table(store: Store, look: str) -> None:
    # of SQLite; PostgreSQL plans by how much there is
    ask, index = LOOKS[look]
    with statements(store) as said:
        ask(store)
    (query,) = [each for each in said if each.startswith("SELECT")]
    with store._database.engine.connect() as connection:
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", (0,) * query.count("?")).all()
    plan = [str(row[-1]) for row in rows]
    assert any(f"INDEX {index} " in f"{step} " for step in plan), plan
    # a list of rows that were found already may be gone through
    assert not [step for step in plan if step.startswith("SCAN") and "INDEX" not in step and "anon" not in step], plan


async def test_a_turn_begins_few(context: Context) -> None:
    for number in range(MOST_BEGUN + 1):
        new_pipeline(context.store, f"p{number}")
        new_runs(context.store, f"p{number}")
    runs = PipelineRuns(context, Drivers(context))
    begun = []
    for _ in range(2):
        runs.take_up()
        begun.append((runs.working, runs.waiting))
    assert begun == [(MOST_BEGUN, True), (MOST_BEGUN + 1, False)]
    await runs.close()


# -- whose writes count ------------------------------------------------------------------------------


def test_all_that_a_replaced_service_writes_is_refused(
    any_store: Store, context: Context, settings: MlopsSettings
) -> None:
    new_pipeline(any_store, "p")
    (run_id,) = new_runs(any_store, "p")
    run, pipeline = any_store.pipeline_runs.get(run_id), any_store.pipelines.get("p")
    sweep = any_store.sweeps.create(Sweep(id="s", name="a", path="/a.ipynb", notebook_hash="h"), b"{}")
    trigger = any_store.triggers.create(Trigger(id="t", pipeline_id="p"))
    step = StepRun(id="step", run_id=run_id, pipeline_id="p", step="a")
    any_store.pipeline_runs.add_steps(run_id, [step])
    any_store.runs.add("s", [Run(id="run", sweep_id="s", index=0)])
    version = any_store.pipelines.version("p", 1)
    context.store.infos.add_unclosed("here", "s")
    late, other = context.store, new_context(any_store, settings, "there")
    new_context(any_store, settings)
    arguments: dict[str, tuple[Any, ...]] = {
        "runs.add": ("s", [Run(id="x", sweep_id="s", index=1)]),
        "pipeline_runs.add_steps": (run_id, [msgspec.structs.replace(step, id="x")]),
        "infos.add_unclosed": ("there", "s"),
        "pipelines.add_version": ("p", version),
        "leases.beat": (),
        "pipelines.change": ("p",),
        "pipeline_runs.change": (run_id,),
        "runs.change": ("run",),
        "pipeline_runs.change_step": ("step",),
        "sweeps.change": ("s",),
        "triggers.change": ("t",),
        "pipeline_runs.claim": (run_id, 1, "here"),
        "pipelines.create": (pipeline, version),
        "pipeline_runs.create": (run,),
        "sweeps.create": (sweep, b"{}"),
        "triggers.create": (trigger,),
        "triggers.delete": ("t",),
        "triggers.fire": ([], NOON, "here"),
        "triggers.purge_fires": (NOON,),
        "pipeline_runs.purge": (run_id,),
        "pipelines.purge": (["p"],),
        "sweeps.purge": ("s",),
        "blobs.put": (b"new",),
        "curves.put": ("run", 1, []),
        "infos.put": ("service:there", {}),
        "infos.remove_unclosed": ("here", "s"),
        "runs.request_stop": ("run",),
        "sweeps.request_stop": ("s",),
        "targets.put": (TargetRecord(name="t", kind="local"),),
        "targets.remove": ("t",),
        "sweeps.set_draft": ("/a.ipynb", SweepRequest(path="a.ipynb", space={})),
    }
    writing = {
        f"{noun}.{name}"
        for noun, part in vars(late).items()
        for name, function in inspect.getmembers(type(part), inspect.isfunction)
        if "self._write(" in inspect.getsource(function)
    }
    assert writing - {"leases.acquire"} == set(arguments)
    before = any_store.revision()
    for name, values in arguments.items():
        with pytest.raises(StaleEpochError, match="“service:here” was taken over"):
            attrgetter(name)(late)(*values)
    assert (any_store.revision(), any_store.infos.get("service:there")) == (before, None)
    other.store.infos.put("service:there", {"pid": 1})
    other.thread.shutdown()


def test_what_is_to_be_closed_is_remembered_by_many_at_once(
    any_store: Store, context: Context, settings: MlopsSettings
) -> None:
    """A service that takes over tells the one whose MLflow holds a run, while that one closes others."""
    other = new_context(any_store, settings, "there")
    sweeps = [Sweep(id=f"s{number}", name="a", path="/a.ipynb", notebook_hash="h") for number in range(24)]

    def remember(number: int) -> None:
        (context if number % 2 else other).finish_later(sweeps[number], "there")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(remember, range(len(sweeps))))
    assert set(any_store.infos.unclosed("there")) == {sweep.id for sweep in sweeps}
    assert any_store.infos.unclosed("here") == []
    other.thread.shutdown()


async def test_what_a_crashed_driver_drove_does_not_hang(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    store = context.store

    async def crash(driver: object) -> None:
        raise KeyError("x")

    for kind in (SweepDriver, PipelineDriver):
        monkeypatch.setattr(kind, "drive", crash)
    new_pipeline(store, "p")
    (run_id,) = new_runs(store, "p")
    notebook = nbformat.writes(nbformat.v4.new_notebook()).encode()
    store.sweeps.create(Sweep(id="s", name="s", path="/a.ipynb", notebook_hash="", service="here"), notebook)
    sweeps = Drivers(context)
    runs = PipelineRuns(context, sweeps)
    sweeps.take_up()
    runs.take_up()
    assert not sweeps.reap() and not runs.reap()
    await asyncio.sleep(0)
    assert sweeps.reap() and runs.reap()
    sweep, run = store.sweeps.get("s"), store.pipeline_runs.get(run_id)
    says = "An internal error ended it (KeyError: 'x'); see the service's log"
    assert (sweep.stop_requested, sweep.message) == (True, says)
    assert (run.state, run.message) == (PipelineRunState.FAILED, says)
    assert not sweeps.reap() and not runs.reap()
    await sweeps.close()
    await runs.close()
