"""Kinds of targets by entry point: one of the tests' own runs a sweep; and targets that are records in the store."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from conftest import Service, install_plugin, serving, wait_until, write_notebook

from jupyter_mlops.compute import Catalog, Targets
from jupyter_mlops.core.errors import InvalidInputError, NotFoundError
from jupyter_mlops.core.pipelines.definition import PipelineDefinition, Step
from jupyter_mlops.core.states import SweepState
from jupyter_mlops.core.targets import Resources, TargetInfo, TargetRecord
from jupyter_mlops.services.pipelines.pipeline_file import check, wrong_targets
from jupyter_mlops.services.process.launch import service_info
from jupyter_mlops.settings import MlopsSettings
from jupyter_mlops.store import Store

PACKAGE = Path(__file__).parents[1] / "jupyter_mlops"
# Dask's own cluster, as a kind of another package would use one
POND = """
    from jupyter_mlops.compute.dask_runs import DaskTarget
    from jupyter_mlops.core.record import Record
    from jupyter_mlops.core.targets import Resources


    class PondOptions(Record, frozen=True, kw_only=True):
        ducks: int
        devices: int = 0


    class Pond(DaskTarget):
        Options = PondOptions
        schemes = ("pond",)
        example = "a pond such as pond://north"
        cluster = None

        @classmethod
        def offer(cls, record):
            return Resources(cores=3, accelerators=cls.options_of(record).devices)

        async def _connect(self, progress):
            from distributed import Client, LocalCluster

            progress(f"Filling {self.name}")
            self.cluster = await LocalCluster(
                n_workers=self.options.ducks, threads_per_worker=1, dashboard_address=None, asynchronous=True
            )
            return await Client(self.cluster, asynchronous=True, set_as_default=False)

        async def _count_slots(self):
            return len(self.cluster.workers)

        async def check(self, kernel, paths, urls):
            assert urls == [], "workers on this machine reach MLflow"

        async def _let_go(self):
            await super()._let_go()
            if self.cluster is not None:
                await self.cluster.close()
                self.cluster = None
    """


@pytest.fixture
def pond(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_plugin(tmp_path / "site", "jupyter_mlops.targets", "pond", "Pond", POND, monkeypatch)


@pytest.fixture
def catalog(settings: MlopsSettings, store: Store) -> Catalog:
    return Catalog(settings, store.targets)


def why(catalog: Catalog, name: str, needs: Resources | None = None) -> str:
    with pytest.raises(InvalidInputError) as refused:
        catalog.check(name, needs)
    return str(refused.value)


def test_a_sweep_on_a_kind_of_another_package(pond: None, settings: MlopsSettings, notebook: Path) -> None:
    with serving(settings) as service:
        service.store.targets.put(TargetRecord(name="north", kind="pond", options={"ducks": 2}))
        cell = "import os\nscore = a\nthreads = int(os.environ['OMP_NUM_THREADS'])"
        sweep = service.run_until_over(
            notebook, "a = 1", cell, space={"a": "1:4"}, metrics=["score", "threads"], target="north"
        )
        assert sweep.state is SweepState.SUCCEEDED, sweep.message
        assert sweep.slots_open == 2
        runs = service.store.runs.of_sweep(sweep.id)
        assert [run.metrics for run in runs] == [{"score": a, "threads": 3} for a in (1, 2, 3, 4)]
        ready = [TargetInfo(name="north", kind="pond", state="ready", slots=2)]
        # a slot is free a moment after its run is over
        wait_until(lambda: service_info(service.store, settings).targets == ready)
        _is_stopped_everywhere(service, notebook)


def _is_stopped_everywhere(service: Service, notebook: Path) -> None:
    sweep_id = service.sweep(notebook, "a = 1", "import time; time.sleep(600)", space={"a": "1:2"}, target="north")
    service.wait(sweep_id, lambda sweep: sweep.counts.get("running", 0) == 1)
    service.sweeps.stop(sweep_id)
    assert service.wait(sweep_id).state is SweepState.STOPPED


def test_targets_are_those_that_are_always_there_and_those_in_the_store(
    pond: None, catalog: Catalog, store: Store
) -> None:
    assert [(info.name, info.kind) for info in catalog.infos()] == [("local", "local"), ("cuda", "cuda")]
    store.targets.put(TargetRecord(name="north", kind="pond", options={"ducks": 2}))
    store.targets.put(TargetRecord(name="few", kind="local", options={"slots": 3}))
    store.targets.put(TargetRecord(name="local", kind="local", options={"slots": 7}))
    south = TargetInfo(name="pond://south", kind="pond", state="ready")
    assert [(info.name, info.slots) for info in catalog.infos([south])] == [
        ("local", 7),
        *[("cuda", info.slots) for info in catalog.infos() if info.name == "cuda"],
        ("few", 3),
        ("north", 0),
        ("pond://south", 0),
    ]
    assert why(catalog, "moon") == (
        "“moon” is no target; use local, cuda, few, north or a Dask scheduler's address such as tcp://host:8786, "
        "a pond such as pond://north."
    )
    store.targets.remove("few")
    assert "use local, cuda, north or" in why(catalog, "few")
    with pytest.raises(NotFoundError, match="There is no target “few”"):
        store.targets.remove("few")
    for name in ("", "../x", "tcp://host", "a b", "x" * 65):
        with pytest.raises(InvalidInputError, match="cannot name a target"):
            store.targets.put(TargetRecord(name=name, kind="local"))


def test_names_of_earlier_releases_mean_what_they_did(catalog: Catalog) -> None:
    assert catalog.record("local") == TargetRecord(name="local", kind="local")
    assert catalog.record("cuda") == TargetRecord(name="cuda", kind="cuda")
    for address in ("tcp://127.0.0.1:8786", "tls://host:1"):
        assert catalog.record(address) == TargetRecord(name=address, kind="address", options={"address": address})


def test_a_kind_that_is_not_here_and_options_that_are_not_its_own(pond: None, catalog: Catalog, store: Store) -> None:
    store.targets.put(TargetRecord(name="later", kind="slurm", options={"partition": "main"}))
    store.targets.put(TargetRecord(name="dry", kind="pond"))
    store.targets.put(TargetRecord(name="odd", kind="local", options={"slots": "many"}))
    assert why(catalog, "later") == (
        "The target “later” is of the kind “slurm”, which is not installed here; there are address, cuda, local, pond."
    )
    assert why(catalog, "dry") == "The options of the target “dry” are wrong: Object missing required field `ducks`."
    assert why(catalog, "odd").startswith("The options of the target “odd” are wrong: Expected `int`, got `str`")
    states = {info.name: (info.state, info.message) for info in catalog.infos()}
    assert states["later"] == ("off", why(catalog, "later"))
    assert states["odd"] == ("off", why(catalog, "odd"))


def test_a_kind_that_cannot_be_imported_hides_no_other(
    catalog: Catalog, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_plugin(tmp_path / "site", "jupyter_mlops.targets", "lame", "Lame", "import no_such_engine", monkeypatch)
    store.targets.put(TargetRecord(name="north", kind="lame"))
    assert catalog.record("tcp://host:1").kind == "address"
    states = {info.name: info.message for info in catalog.infos()}
    assert states["north"] == (
        "“lame” (lame:Lame) cannot be loaded (ModuleNotFoundError: No module named 'no_such_engine')."
    )
    assert catalog.choose(Resources(accelerators=1), "local") == "cuda"


def test_a_changed_record_is_taken_up(catalog: Catalog, settings: MlopsSettings, store: Store) -> None:
    targets = Targets(settings, store.targets)
    store.targets.put(TargetRecord(name="few", kind="local", options={"slots": 2}))
    few = targets.get("few")
    assert targets.get("few") is few
    store.targets.put(TargetRecord(name="few", kind="local", options={"slots": 3}))
    assert targets.get("few").record.options == {"slots": 3}


def test_what_a_step_needs_decides_where_it_may_run(pond: None, catalog: Catalog, store: Store) -> None:
    store.targets.put(TargetRecord(name="north", kind="pond", options={"ducks": 2, "devices": 1}))
    assert Step(notebook="a.ipynb", cpus=2, gpus=1, memory=5).needs == Resources(cores=2, memory=5, accelerators=1)
    one, none = Resources(accelerators=1), Resources(cores=64, memory=10**15)
    # as before there were other kinds
    assert catalog.choose(one, "local") == catalog.choose(one, "tcp://host:1") == "cuda"
    assert catalog.choose(one, "north") == "north"
    assert catalog.choose(none, "local") == "local"
    steps = {
        name: Step(notebook="a.ipynb", gpus=1, target=name if name != "unnamed" else "")
        for name in ("local", "cuda", "north", "unnamed")
    }
    steps["address"] = Step(notebook="a.ipynb", gpus=1, target="tcp://host:1")
    assert [*wrong_targets(PipelineDefinition(steps=steps), catalog)] == [
        (
            ("steps", "local", "gpus"),
            "The target local has no devices for this; leave the target out, or name one that has.",
        )
    ]


def test_an_unknown_target_is_said_with_its_place(catalog: Catalog, notebook: Path) -> None:
    write_notebook(notebook, "a = 1")
    text = f"target: nowhere\nsteps:\n  a:\n    notebook: {notebook.name}\n    target: moon\n"
    found = check(notebook.with_name("x.pipeline.yaml"), text, targets=catalog).problems
    assert [(problem.line, problem.column) for problem in found] == [(1, 9), (5, 13)]
    assert all("is no target; use local, cuda or" in problem.message for problem in found)


def branches(package: Path) -> list[str]:
    """Where a kind's name, or how an address begins, decides something outside its file."""
    kinds = {path.stem for path in (PACKAGE / "compute" / "kinds").glob("*.py")} - {"__init__"}
    kinds |= {"scheduler", "tcp://", "tls://"}
    found = []
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if path.parent.name != "kinds" else ():
            parts: list[ast.expr] = []
            match node:
                case ast.Compare():
                    parts = [node.left, *node.comparators]
                case ast.IfExp():
                    parts = [node.body, node.orelse]
                case ast.MatchValue():
                    parts = [node.value]
                case ast.Call(func=ast.Attribute(attr="startswith" | "removeprefix" | "get")):
                    parts = node.args
            words = [word.value for part in parts for word in ast.walk(part) if isinstance(word, ast.Constant)]
            found += [f"{path.relative_to(package)} {word}" for word in words if word in kinds]
    return found


def test_nothing_branches_on_a_kinds_name() -> None:
    """The driver asked ``target.kind == "scheduler"``, the check of pipelines ``step.target == "local"``."""
    assert branches(PACKAGE) == []
