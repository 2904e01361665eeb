"""Past runs that are not to be kept are removed with all that is theirs, and nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from conftest import wait_until
from mlflow_helpers import mlflow_client, tagged
from pipeline_helpers import PipelineService
from sqlalchemy import event

from jupyter_mlops.compute import Targets
from jupyter_mlops.core.errors import NotFoundError
from jupyter_mlops.core.messages import Message
from jupyter_mlops.core.pipelines.definition import PipelineDefinition, Retention, Step
from jupyter_mlops.core.pipelines.records import Pipeline, PipelineRun, StepRun, Trigger, Version
from jupyter_mlops.core.record import now
from jupyter_mlops.core.runs import Run
from jupyter_mlops.core.states import PipelineRunState, RunState, StepState, SweepState
from jupyter_mlops.core.sweeps import Sweep
from jupyter_mlops.services.context import Context
from jupyter_mlops.services.pipelines import retention as module
from jupyter_mlops.services.pipelines.retention import apply
from jupyter_mlops.services.process.layout import Layout
from jupyter_mlops.settings import MlopsSettings
from jupyter_mlops.store import Firing, Store, health_key
from jupyter_mlops.tracking import Tracking

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


# -- which -------------------------------------------------------------------------------------------


def past(store: Store, number: int, days: float, state: PipelineRunState = PipelineRunState.SUCCEEDED) -> None:
    at = (NOON - timedelta(days=days)).isoformat()
    made = PipelineRun(id=f"r{number}", pipeline_id="p", version=1, state=state, service="here", ended_at=at)
    assert store.pipeline_runs.create(made).number == number


@pytest.mark.parametrize(
    ("retention", "removed"),
    [
        (Retention(), []),
        (Retention(runs=10), []),
        (Retention(runs=2), ["r3", "r2", "r1"]),
        (Retention(runs=0), ["r6", "r5", "r4", "r3", "r2", "r1"]),
        (Retention(days=3.5), ["r2", "r1"]),
        (Retention(days=100), []),
        (Retention(runs=3, days=1.5), ["r4", "r3", "r2", "r1"]),
        (Retention(runs=1, days=100), ["r5", "r4", "r3", "r2", "r1"]),
    ],
)
def test_runs_beyond_number_or_age_are_surplus(any_store: Store, retention: Retention, removed: list[str]) -> None:
    made = Pipeline(id="p", name="delays", path="/x/delays.pipeline.yaml", project="/x")
    any_store.pipelines.create(made, Version(pipeline_id="p", number=1, definition=PipelineDefinition(steps={})))
    for number, days in ((1, 5), (2, 4), (3, 3)):
        past(any_store, number, days)
    past(any_store, 4, 2, PipelineRunState.FAILED)
    past(any_store, 5, 1, PipelineRunState.SKIPPED)
    past(any_store, 6, 1)
    past(any_store, 7, 0, PipelineRunState.RUNNING)
    before = None if retention.days is None else (NOON - timedelta(days=retention.days)).isoformat()
    asked = {"newest": retention.runs, "before": before}
    assert [run.id for run in any_store.pipeline_runs.surplus("p", "here", 99, **asked)] == removed
    assert [run.id for run in any_store.pipeline_runs.surplus("p", "here", 2, **asked)] == removed[-2:]
    assert any_store.pipeline_runs.surplus("p", "there", 99, **asked) == []


# -- how ---------------------------------------------------------------------------------------------


class Kept:
    """A pipeline with past runs, in a real store, a real MLflow and on a real disk."""

    def __init__(self, store: Store, settings: MlopsSettings, service: str = "here") -> None:
        self.store = store
        data = settings.data_path
        self.layout = Layout(data)
        self.tracking = Tracking(data)
        epoch = store.leases.acquire(f"service:{service}", service)
        self.context = Context(
            store, service, epoch, settings, self.layout, Targets(settings, store.targets), self.tracking
        )

    def pipeline(self, retention: Retention) -> None:
        definition = PipelineDefinition(steps={"train": Step(notebook="train.ipynb", reuse=True)}, retention=retention)
        made = Pipeline(id="p", name="delays", path="/x/delays.pipeline.yaml", project="/x", service="here")
        self.store.pipelines.create(made, Version(pipeline_id="p", number=1, definition=definition))

    def run(
        self,
        number: int,
        *,
        reused: int = 0,
        service: str = "here",
        state: PipelineRunState = PipelineRunState.SUCCEEDED,
        version: int = 1,
    ) -> PipelineRun:
        """A run whose only step was executed, or took another's result, with the files and MLflow runs it leaves."""
        run = self.store.pipeline_runs.create(PipelineRun(id=f"r{number}", pipeline_id="p", version=version))
        tags = {"mlops.pipeline_run": run.id}
        experiment, parent = self.tracking.begin_pipeline("delays", f"delays · {number}", tags, {})
        sweep_id = f"s{reused or number}"
        if not reused:
            self._sweep(run.id, sweep_id, experiment, parent)
        step = StepRun(
            id=f"r{number}-0",
            run_id=run.id,
            pipeline_id="p",
            step="train",
            sweeps=[sweep_id],
            reused=f"r{reused}" if reused else "",
            fingerprint="" if reused else f"print-{number}",
        )
        self.store.pipeline_runs.add_steps(run.id, [step])
        self.store.pipeline_runs.change_step(step.id, state=StepState.REUSED if reused else StepState.SUCCEEDED)
        ends = [PipelineRunState.RUNNING, state] if state is not PipelineRunState.RUNNING else [state]
        for each in ends:
            run = self.store.pipeline_runs.change(
                run.id,
                state=each,
                service=service,
                mlflow_run_id=parent,
                mlflow_experiment_id=experiment,
                ended_at=now() if each is state else None,
            )
        return run

    def _sweep(self, run_id: str, sweep_id: str, experiment: str, parent: str) -> None:
        sweep = Sweep(
            id=sweep_id,
            name="train",
            path="/x/train.ipynb",
            notebook_hash="",
            kernel="python3",
            language="python",
            space={},
            varied=[],
            experiment="delays",
            total=1,
            created_at=now(),
            pipeline_run=run_id,
            step="train",
            service="here",
            mlflow_experiment_id=experiment,
            mlflow_run_id=parent,
        )
        self.store.sweeps.create(sweep, b"{}")
        run = Run(id=f"{sweep_id}-1", sweep_id=sweep_id, index=0, parameters={}, state=RunState.QUEUED)
        child = self.tracking.begin_run(sweep, run)
        self.store.runs.add(sweep_id, [msgspec.structs.replace(run, mlflow_run_id=child)])
        self.store.runs.change(run.id, state=RunState.STOPPED)
        self.store.sweeps.change(sweep_id, state=SweepState.STOPPED)
        for folder in (self.layout.run(run.id) / "files", self.layout.sweep(sweep_id)):
            folder.mkdir(parents=True)
            (folder / "table.csv").write_text("a,b")

    @property
    def left(self) -> list[str]:
        return [run.id for run in self.store.pipeline_runs.find("p")]

    def assert_left(self, *numbers: int, executed: set[int] | None = None) -> None:
        """These runs, and of them all; of others nothing, neither in store nor on disk nor in MLflow."""
        assert self.left == [f"r{number}" for number in numbers]
        executed = set(numbers) if executed is None else executed
        assert {sweep.id for sweep in self.store.sweeps.find()} == {f"s{number}" for number in executed}
        assert {path.name for path in (self.layout.data / "sweeps").iterdir()} == {f"s{n}" for n in executed}
        assert {path.name for path in (self.layout.data / "runs").iterdir()} == {f"s{n}-1" for n in executed}
        client = self.tracking._client()
        parents = tagged(client, "tags.`mlops.kind` = 'pipeline'")
        assert {run.data.tags["mlops.pipeline_run"] for run in parents} == set(self.left)
        children = tagged(client, "tags.`mlops.kind` = 'run'")
        assert {run.data.tags["mlops.sweep_id"] for run in children} == {f"s{number}" for number in executed}
        assert [mark.id for mark in self.store.pipelines.get("p").recent] == self.left[::-1]

    def mlflow_run(self, number: int) -> str:
        found = self.store.runs.get(f"s{number}-1").mlflow_run_id
        assert found is not None
        return found

    def register(self, mlflow_run_id: str | None, name: str = "delays") -> None:
        client = self.tracking._client()
        if not client.search_registered_models(f"name='{name}'"):
            client.create_registered_model(name)
        client.create_model_version(name, "/nowhere", mlflow_run_id)


@pytest.fixture
def kept(store: Store, settings: MlopsSettings) -> Iterator[Kept]:
    made = Kept(store, settings)
    yield made
    made.context.thread.shutdown()
    made.tracking.close()


async def test_a_surplus_run_goes_with_all_that_is_its_own(kept: Kept) -> None:
    kept.pipeline(Retention(runs=2))
    for number in range(1, 5):
        kept.run(number)
    await apply(kept.context)
    kept.assert_left(4, 3)
    await apply(kept.context)
    kept.assert_left(4, 3)
    # numbers are not given anew
    assert kept.run(5).number == 5


async def test_without_retention_all_stays(kept: Kept) -> None:
    kept.pipeline(Retention())
    for number in range(1, 4):
        kept.run(number)
    await apply(kept.context)
    kept.assert_left(3, 2, 1)


async def test_what_a_model_comes_from_stays(kept: Kept) -> None:
    kept.pipeline(Retention(runs=1))
    for number in range(1, 7):
        kept.run(number)
    client = kept.tracking._client()
    # by the notebook's own run, by the pipeline's, and by one that the notebook began in another experiment
    kept.register(kept.mlflow_run(1))
    kept.register(kept.store.pipeline_runs.get("r2").mlflow_run_id)
    elsewhere = client.create_experiment("elsewhere")
    owner = kept.mlflow_run(3)
    begun = client.create_run(elsewhere, tags={"mlops.owner": owner, "mlflow.parentRunId": owner})
    below = client.create_run(elsewhere, tags={"mlflow.parentRunId": begun.info.run_id})
    kept.register(below.info.run_id, "other")
    # one that no run here made
    kept.register(None)
    kept.register("0" * 32)
    await apply(kept.context)
    kept.assert_left(6, 3, 2, 1)
    for name in ("delays", "other"):
        for version in client.search_model_versions(f"name='{name}'"):
            client.delete_model_version(name, version.version)
    await apply(kept.context)
    kept.assert_left(6)


async def test_what_a_run_that_stays_took_a_result_of_stays(kept: Kept) -> None:
    kept.pipeline(Retention(runs=2))
    kept.run(1)
    kept.run(2)
    kept.run(3, reused=1)
    kept.run(4, reused=2)
    kept.run(5, reused=1)
    await apply(kept.context)
    # 2 was taken by 4, which stays; 3 took of 1 and goes without it
    kept.assert_left(5, 4, 2, 1, executed={1, 2})
    # and it can be taken again
    assert kept.store.pipeline_runs.reusable("p", "print-1") is not None
    for number in (6, 7):
        kept.run(number)
    await apply(kept.context)
    kept.assert_left(7, 6)
    assert kept.store.pipeline_runs.reusable("p", "print-1") is None


async def test_live_runs_and_runs_of_other_services_stay(kept: Kept) -> None:
    kept.pipeline(Retention(runs=0))
    kept.run(1, state=PipelineRunState.RUNNING)
    kept.run(2, service="there")
    kept.run(3)
    kept.store.pipeline_runs.create(PipelineRun(id="r4", pipeline_id="p", version=1))
    await apply(kept.context)
    assert kept.left == ["r4", "r2", "r1"]


async def test_nothing_goes_while_mlflow_cannot_be_asked(kept: Kept) -> None:
    kept.pipeline(Retention(runs=1))
    for number in range(1, 4):
        kept.run(number)
    real, kept.context.tracking = kept.tracking, Tracking(kept.layout.data, "http://127.0.0.1:9")
    await apply(kept.context)
    kept.context.tracking = real
    kept.assert_left(3, 2, 1)
    await apply(kept.context)
    kept.assert_left(3)


async def test_what_was_deleted_long_ago_goes_while_the_service_runs(kept: Kept) -> None:
    old = "2020-01-01T00:00:00.000000+00:00"
    for number, deleted_at, service in ((1, old, "here"), (2, now(), "here"), (3, None, "here"), (4, old, "there")):
        sweep = Sweep(id=f"s{number}", name="a", path="/x/a.ipynb", notebook_hash="h", state=SweepState.STOPPED)
        fields = {"deleted_at": deleted_at, "service": service}
        kept.store.sweeps.create(msgspec.structs.replace(sweep, **fields), f"notebook {number}".encode())
    kept.pipeline(Retention())
    trigger = kept.store.triggers.create(Trigger(id="t", pipeline_id="p", next_at=old))
    recent = now()
    for time in (old, recent):
        kept.store.triggers.fire(
            [Firing(kept.store.triggers.get(trigger.id), recent, [(time, None, Message("missed"))])], recent, "here"
        )
    await apply(kept.context)
    assert {sweep.id for sweep in kept.store.sweeps.find(deleted=None)} == {"s2", "s3", "s4"}
    with pytest.raises(NotFoundError):
        kept.store.blobs.get(hashlib.sha256(b"notebook 1").hexdigest())
    assert [fire.scheduled_at for fire in kept.store.triggers.fired("t")] == [recent]


async def test_mlflow_keeps_the_runs_of_a_deleted_sweep_that_a_model_comes_from(kept: Kept) -> None:
    experiment = kept.tracking._client().create_experiment("sweeps")
    for name in ("plain", "kept"):
        sweep = Sweep(id=name, name=name, path="/x/a.ipynb", notebook_hash="", experiment="sweeps", service="here")
        sweep = msgspec.structs.replace(sweep, mlflow_experiment_id=experiment, state=SweepState.STOPPED)
        kept.store.sweeps.create(msgspec.structs.replace(sweep, deleted_at="2020-01-01T00:00:00+00:00"), b"{}")
        runs = [Run(id=f"{name}-{number}", sweep_id=name, index=number) for number in range(2)]
        children = [kept.tracking.begin_run(sweep, run) for run in runs]
        runs = [msgspec.structs.replace(run, mlflow_run_id=child) for run, child in zip(runs, children, strict=True)]
        kept.store.runs.add(name, runs)
    kept.register(children[0])
    await apply(kept.context)
    assert kept.store.sweeps.find(deleted=None) == []
    found = tagged(kept.tracking._client(), "tags.`mlops.kind` = 'run'")
    # all of them, as those that lost are what the model was chosen from
    assert sorted(run.info.run_id for run in found) == sorted(children)


async def test_what_stays_is_not_read(kept: Kept) -> None:
    kept.pipeline(Retention(runs=3, days=30))
    for number in range(1, 4):
        kept.run(number)
        kept.layout.project("p", number).mkdir(parents=True)
    said: list[str] = []
    event.listen(kept.store._database.engine, "before_cursor_execute", lambda *call: said.append(call[2]))
    await apply(kept.context)
    looks = [each for each in said if "SELECT pipeline_runs.record" in each and "WHERE pipeline_runs.id =" not in each]
    assert looks and all("LIMIT" in each for each in looks), looks
    kept.assert_left(3, 2, 1)


async def test_what_was_begun_is_finished_the_next_time(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    kept.pipeline(Retention(runs=1))
    for number in range(1, 4):
        kept.run(number)

    class Killed(BaseException):
        pass

    def killed(*arguments: Any) -> None:
        raise Killed

    # what the service has is the same store, under its epoch
    for part in (kept.context.store.sweeps, kept.context.store.pipeline_runs):
        with monkeypatch.context() as context:
            context.setattr(part, "purge", killed)
            with pytest.raises(Killed):
                await apply(kept.context)
    await apply(kept.context)
    kept.assert_left(3)


# -- folders of versions ---------------------------------------------------------------------------


def folders(kept: Kept) -> set[str]:
    return {path.name for path in (kept.layout.data / "pipelines" / "p").iterdir()}


async def test_folders_in_which_nothing_runs_go_and_what_they_show_stays(
    kept: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.pipeline(Retention())
    live = tmp_path / "live"
    (live / "data").mkdir(parents=True)
    (live / "data" / "flights.csv").write_text("precious")
    for number in range(1, 6):
        if number > 1:
            kept.store.pipelines.add_version("p", kept.store.pipelines.version("p", 1))
        folder = kept.layout.project("p", number)
        folder.mkdir(parents=True)
        (folder / "data").symlink_to(live / "data")
        (folder / "flights.csv").symlink_to(live / "data" / "flights.csv")
        (folder / "train.ipynb").write_text("{}")
        (folder / "train.ipynb").chmod(0o444)
    kept.run(1, version=1)
    kept.run(2, version=2, state=PipelineRunState.RUNNING)
    kept.store.pipeline_runs.create(PipelineRun(id="r3", pipeline_id="p", version=3))
    await apply(kept.context)
    # 1 was in use today, 2 is, 3 is about to be, 5 fires; 4 never ran
    assert folders(kept) == {"1", "2", "3", "5"}
    monkeypatch.setattr(module, "REST", timedelta(0))
    await apply(kept.context)
    assert folders(kept) == {"2", "3", "5"}
    assert (live / "data" / "flights.csv").read_text() == "precious"
    assert kept.left == ["r3", "r2", "r1"]


async def test_a_pipeline_deleted_long_ago_goes_with_all_that_is_its_own_but_not_what_a_model_comes_from(
    kept: Kept,
) -> None:
    kept.pipeline(Retention())
    kept.run(1)
    kept.run(2)
    kept.layout.project("p", 1).mkdir(parents=True)
    kept.register(kept.mlflow_run(1))
    kept.store.infos.put(health_key("p"), (2, 0))
    kept.store.pipelines.change("p", deleted_at=now())
    await apply(kept.context)
    assert kept.left == ["r2", "r1"]
    kept.store.pipelines.change("p", deleted_at="2020-01-01T00:00:00+00:00")
    await apply(kept.context)
    with pytest.raises(NotFoundError):
        kept.store.pipelines.get("p")
    assert kept.store.infos.get(health_key("p")) is None
    assert kept.store.sweeps.find() == []
    assert not (kept.layout.data / "pipelines" / "p").exists()
    assert list((kept.layout.data / "runs").iterdir()) == []
    children = tagged(kept.tracking._client(), "tags.`mlops.kind` = 'run'")
    assert [run.data.tags["mlops.sweep_id"] for run in children] == ["s1"]


# -- after real runs -----------------------------------------------------------------------------


def test_a_model_that_a_notebook_registers_keeps_its_run(piped: PipelineService) -> None:
    """As people do it: a step logs a model by MLflow's own words, and a person registers it."""
    code = (
        "import mlflow\n\nclass Model(mlflow.pyfunc.PythonModel):\n"
        "    def predict(self, context, model_input, params=None):\n        return model_input\n\n"
        "mlflow.pyfunc.log_model(name='model', python_model=Model(), registered_model_name='kept-by-retention')"
    )
    piped.notebook("train.ipynb", "x = 1", code)
    text = "name: registers\nsteps:\n  train:\n    notebook: train.ipynb\n"
    pipeline = piped.promote(text)
    run, steps = piped.run(pipeline)
    assert run.state is PipelineRunState.SUCCEEDED, (run, steps)
    client = mlflow_client(piped.service)
    wait_until(lambda: client.search_model_versions("name='kept-by-retention'"))
    tracking = Tracking(piped.service.settings.data_path)
    assert run.mlflow_run_id is not None
    assert tracking.linked_to_model([run.mlflow_run_id, "0" * 32]) == {run.mlflow_run_id}
    child = piped.store.runs.get(steps["train"].notebook_run).mlflow_run_id
    assert child is not None
    assert tracking.linked_to_model({child}) == {child}
