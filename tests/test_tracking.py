"""What reaches MLflow, whatever a notebook does with it and whether it is there or not."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from conftest import Service, serving, wait_until
from hostile_helpers import SilentServer
from mlflow_helpers import MlflowServer, Stalling, embedded, free_port, mlflow_client, mlflow_runs, status_of, tagged

from jupyter_mlops.cli.sweep_tables import run_details
from jupyter_mlops.compute import Targets
from jupyter_mlops.core.errors import UnavailableError
from jupyter_mlops.core.runs import Run
from jupyter_mlops.core.states import SweepState
from jupyter_mlops.core.sweeps import Objective, Sweep
from jupyter_mlops.services.context import Context
from jupyter_mlops.services.process.launch import service_info
from jupyter_mlops.services.process.layout import Layout
from jupyter_mlops.settings import MlopsSettings
from jupyter_mlops.store import Store
from jupyter_mlops.tracking import runs


def swept(service: Service, notebook: Path, *sources: str, **request: Any) -> tuple[Sweep, Run, Any]:
    """A sweep of a = 2 alone: itself, its run, its child in MLflow."""
    sweep = service.run_until_over(notebook, "a = 1", *sources, space={"a": "2"}, **request)
    (run,) = service.store.runs.of_sweep(sweep.id)
    assert sweep.state is SweepState.SUCCEEDED, run.message
    assert run.warnings == []
    (child,) = mlflow_runs(service, sweep.id)
    assert child.data.metrics == run.metrics
    return sweep, run, child


def below(service: Service, child: Any) -> list[Any]:
    """Runs that a notebook started itself."""
    return tagged(mlflow_client(service), f"tags.`mlflow.parentRunId` = '{child.info.run_id}'")


# -- notebooks that use MLflow as they like ------------------------------------------------------


def test_a_notebook_that_chooses_its_experiment(service: Service, notebook: Path) -> None:
    name = f"elsewhere-{notebook.parent.parent.name}"
    cell = f"import mlflow\nmlflow.set_experiment({name!r})\nmlflow.log_metric('loss', a / 4)"
    _, run, child = swept(service, notebook, cell)
    assert run.metrics == {"loss": 0.5}
    # what it asked for is there as well, below our run
    client = mlflow_client(service)
    (own,) = client.search_runs([client.get_experiment_by_name(name).experiment_id])
    assert own.data.metrics == {"loss": 0.5}
    assert own.data.tags["mlflow.parentRunId"] == child.info.run_id


def test_a_notebook_that_chooses_its_server(service: Service, notebook: Path) -> None:
    uri = f"sqlite:///{notebook.parent}/own.sqlite"
    cell = f"import mlflow\nmlflow.set_tracking_uri({uri!r})\nmlflow.log_metric('loss', a / 4)"
    sweep, run, _ = swept(service, notebook, cell)
    assert run.metrics == {"loss": 0.5}
    own = mlflow_client(service, uri)
    experiment = own.get_experiment_by_name(sweep.experiment)
    assert [run.data.metrics for run in own.search_runs([experiment.experiment_id])] == [{"loss": 0.5}]


def test_a_notebook_that_starts_several_runs(service: Service, notebook: Path) -> None:
    cell = (
        "import mlflow\nfor depth in (1, 2):\n    with mlflow.start_run(run_name=f'depth {depth}'):\n"
        "        mlflow.log_param('a', a * 100)\n        mlflow.log_metric('loss', a / depth)\n"
        "        with mlflow.start_run(nested=True):\n            mlflow.log_metrics({'loss': 99, f'fold_{depth}': a})"
    )
    _, run, child = swept(service, notebook, cell)
    assert run.metrics == {"loss": 1, "fold_1": 2, "fold_2": 2}
    assert child.data.params == {"a": "2"}
    own = below(service, child)
    assert [run.info.run_name for run in own] == ["depth 1", "depth 2"]
    assert {run.info.experiment_id for run in own} == {child.info.experiment_id}


def test_a_notebook_whose_helper_starts_more_runs_than_one_can_see(service: Service, notebook: Path) -> None:
    notebook.parent.mkdir()
    (notebook.parent / "helper.py").write_text(
        "import mlflow\ndef fit(a):\n    for n in (1, 2):\n        with mlflow.start_run():\n"
        "            mlflow.log_metric(f'loss_{n}', a * n)\n"
    )
    _, run, child = swept(service, notebook, "import helper, mlflow\nhelper.fit(a)")
    assert run.metrics == {"loss_1": 2, "loss_2": 4}
    # the first is ours
    assert [run.data.metrics for run in below(service, child)] == [{"loss_2": 4}]


def test_a_notebook_with_one_run_and_folds_below_it(service: Service, notebook: Path) -> None:
    cell = (
        "import mlflow\nwith mlflow.start_run():\n    mlflow.log_metric('loss', a)\n"
        "    with mlflow.start_run(nested=True):\n        mlflow.log_metric('loss', 50)"
    )
    _, run, child = swept(service, notebook, cell)
    assert run.metrics == {"loss": 2}
    (outer,) = below(service, child)
    assert outer.data.metrics == {"loss": 2}
    assert [run.data.metrics for run in below(service, outer)] == [{"loss": 50}]


@pytest.mark.parametrize(("value", "kept", "given"), [("a", "2", None), ("a * 100", "200", "2")])
def test_a_notebook_that_logs_its_parameter_itself(
    service: Service, notebook: Path, value: str, kept: str, given: str | None
) -> None:
    cell = f"import mlflow\nmlflow.log_param('a', {value})\nmlflow.log_metric('m', a)"
    _, run, child = swept(service, notebook, cell)
    assert run.metrics == {"m": 2}
    assert child.data.params == {"a": kept}
    # what the run was given is said where the name is taken
    assert child.data.tags.get("mlops.parameter.a") == given


@pytest.mark.skipif(find_spec("sklearn") is None, reason="scikit-learn comes with the examples extra")
def test_autologging_reaches_the_sweep(service: Service, notebook: Path) -> None:
    cell = (
        "import mlflow\nmlflow.autolog(log_models=False, log_input_examples=False, silent=True)\n"
        "from sklearn.linear_model import LogisticRegression\nX, y = [[0], [1], [2], [3]], [0, 0, 1, 1]\n"
        "LogisticRegression(C=a).fit(X, y)\nLogisticRegression(C=a * 10).fit(X, y)"
    )
    _, run, child = swept(service, notebook, cell)
    assert run.metrics["training_accuracy_score"] == 1.0
    # the first fit is in our run, the second in one below it
    assert (child.data.params["a"], child.data.params["C"]) == ("2", "2")
    assert [run.data.params["C"] for run in below(service, child)] == ["20"]


# -- what MLflow holds ---------------------------------------------------------------------------


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    done = subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_what_mlflow_holds_of_a_sweep(service: Service, notebook: Path) -> None:
    notebook.parent.mkdir()
    git(notebook.parent, "init", "-q")
    git(notebook.parent, "commit", "-q", "--allow-empty", "-m", "first")
    cell = "import os\nopen(os.environ['MLOPS_RUN_DIR'] + '/model.txt', 'w').write(str(a))\nauc = a / 4"
    sweep = service.run_until_over(
        notebook, "a = 1", cell, space={"a": "1:2"}, objective=Objective(metric="auc"), name="a name"
    )
    runs = service.store.runs.of_sweep(sweep.id)
    children = sorted(mlflow_runs(service, sweep.id), key=lambda run: run.data.params["a"])
    client = mlflow_client(service)
    experiment = client.get_experiment(sweep.mlflow_experiment_id)
    assert experiment.name == "work/train"
    (parent,) = mlflow_runs(service, sweep.id, "sweep")
    assert (parent.info.run_id, parent.info.run_name) == (sweep.mlflow_run_id, "a name")
    assert parent.info.status == "FINISHED"
    assert json.loads(parent.data.tags["mlops.space"]) == {"a": "1:2"}
    assert parent.data.tags["mlops.best_run_id"] == runs[1].id
    for child, run in zip(children, runs, strict=True):
        assert child.info.experiment_id == experiment.experiment_id
        assert child.data.metrics == run.metrics == {"auc": run.parameters["a"] / 4}
        expected = {
            "mlflow.parentRunId": sweep.mlflow_run_id,
            "mlops.run_id": run.id,
            "mlops.attempt": "1",
            "mlops.notebook_path": str(notebook),
            "mlops.notebook_hash": sweep.notebook_hash,
            "mlops.target": "local",
            "mlops.kernel": "python3",
            "mlflow.source.name": str(notebook),
            "mlflow.source.git.commit": git(notebook.parent, "rev-parse", "HEAD"),
            "mlops.git_dirty": "true",
        }
        assert expected.items() <= child.data.tags.items()
        path = Path(client.download_artifacts(child.info.run_id, "output.ipynb"))
        assert f"a = {run.parameters['a']}" in path.read_text()
        model = Path(client.download_artifacts(child.info.run_id, "files/model.txt"))
        assert model.read_text() == str(run.parameters["a"])
    # one list for the environment, which each run names
    (listed,) = client.list_artifacts(sweep.mlflow_run_id, "environments")
    assert {child.data.tags["mlops.environment"] for child in children} == {Path(listed.path).stem}
    packages = Path(client.download_artifacts(sweep.mlflow_run_id, listed.path)).read_text()
    assert "ipykernel==" in packages
    (notebook.parent / ".git" / "info" / "exclude").write_text("*")
    _, _, clean = swept(service, notebook, cell, experiment="chosen")
    assert clean.data.tags["mlops.git_dirty"] == "false"
    assert client.get_experiment(clean.info.experiment_id).name == "chosen"


def test_parameters_left_at_their_defaults_are_recorded_too(service: Service, notebook: Path) -> None:
    declared = "a = 1\nrate = 0.5\nlayers = (64, 32)\nclip = 2.0 ** 3\nlogged = 1\ntoken = 'abc'"
    cell = "import mlflow\nmlflow.log_param('logged', logged * 2)\nkind = float(isinstance(layers, tuple))"
    sweep = service.run_until_over(notebook, declared, cell, space={"a": "2:3"}, metrics=["kind"])
    defaults = {"rate": 0.5, "layers": [64, 32], "clip": "2.0 ** 3", "logged": 1}
    assert sweep.defaults == defaults
    runs = service.store.runs.of_sweep(sweep.id)
    assert [(run.parameters, run.metrics) for run in runs] == [({"a": a}, {"kind": 1}) for a in (2, 3)]
    for child in mlflow_runs(service, sweep.id):
        assert child.data.params.pop("a") in ("2", "3")
        # what the notebook logged itself counts
        assert child.data.params == {name: str(value) for name, value in defaults.items()} | {"logged": "2"}
    names, texts = (
        list(map(str, column.cells)) for column in run_details(runs[0], sweep, service.sweeps.layout).columns
    )
    shown = dict(zip(names, texts, strict=True))
    assert (shown["  a"], shown["  rate"], shown["  layers"]) == ("2", "0.5 (default)", "[64, 32] (default)")
    assert "  token" not in shown


# -- the embedded server -------------------------------------------------------------------------


def test_the_embedded_server_answers_nobody_without_its_token_and_is_one_process(service: Service) -> None:
    known = embedded(service)
    url = f"http://127.0.0.1:{known['port']}"
    wait_until(lambda: status_of(url, known["token"]) == 200)
    for path in (
        "/",
        "/health",
        "/version",
        "/api/2.0/mlflow/experiments/search",
        "/api/2.0/mlflow-artifacts/artifacts",
    ):
        assert status_of(url + path) == 401
        assert status_of(url + path, "wrong") == 401
    (process,) = service.mlflow_processes()
    assert process.children(recursive=True) == []
    assert {connection.laddr.ip for connection in process.net_connections("inet")} == {"127.0.0.1"}
    file = service.settings.data_path / "mlflow.json"
    assert file.stat().st_mode & 0o077 == 0
    for hidden in (known["token"], str(known["port"])):
        assert hidden not in str(process.cmdline())


@pytest.mark.slow
def test_the_port_survives_and_so_do_notebooks_that_log(own_service: Service, notebook: Path) -> None:
    service = own_service
    cell = (
        "import mlflow, os, time\nmlflow.log_metric('before', a)\nopen('first', 'w').close()\n"
        "while not os.path.exists('on'): time.sleep(0.1)\nmlflow.log_metric('after', a)"
    )
    sweep_id = service.sweep(notebook, "a = 1", cell, space={"a": "2"})
    wait_until((notebook.parent / "first").exists)
    known = embedded(service)
    service.kill_mlflow()
    (notebook.parent / "on").touch()
    sweep = service.wait(sweep_id)
    assert sweep.state is SweepState.SUCCEEDED, [run.message for run in service.store.runs.of_sweep(sweep_id)]
    assert [run.metrics for run in service.store.runs.of_sweep(sweep_id)] == [{"before": 2, "after": 2}]
    service.end()
    assert service.mlflow_processes() == []
    service.start()
    url = f"http://127.0.0.1:{known['port']}/health"
    wait_until(lambda: status_of(url) == 401)
    again = embedded(service)
    assert again["port"] == known["port"]
    assert (again["token"] != known["token"], again["pid"] != known["pid"]) == (True, True)


# -- an MLflow of one's own ----------------------------------------------------------------------


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MlflowServer]:
    server = MlflowServer(tmp_path / "mlflow")
    server.start()
    yield server
    server.kill()


@pytest.mark.slow
def test_an_external_mlflow_that_is_gone_for_a_while(server: MlflowServer, data_dir: Path, notebook: Path) -> None:
    settings = MlopsSettings(data_dir=str(data_dir), mlflow_tracking_uri=server.uri, local_slots=1)
    with serving(settings) as service:
        # its import takes longer than the second run
        client = mlflow_client(service, server.uri)
        cell = (
            "import time\nscore = a\nif a == 4:\n    import mlflow\n    mlflow.log_metric('logged', a)\n"
            "time.sleep(1 if a < 3 else 0)"
        )
        sweep_id = service.sweep(notebook, "a = 1", cell, space={"a": "1:4"}, metrics=["score"])
        service.wait(sweep_id, lambda sweep: sweep.counts.get("succeeded", 0) >= 1)
        wait_until(lambda: service.store.runs.of_sweep(sweep_id)[0].tracked)
        # a server may do what it is asked and end before it says so
        sweep = service.store.sweeps.get(sweep_id)
        unsaid = {"mlops.sweep_id": sweep_id, "mlops.kind": "run", "mlops.run_id": f"{sweep_id[:12]}-4"}
        client.create_run(sweep.mlflow_experiment_id, tags=unsaid)
        server.kill()
        service.wait(sweep_id, lambda sweep: sweep.counts.get("succeeded", 0) >= 2)
        # an outage does not end a sweep that is taken up in it, either
        service.kill()
        service.start()
        sweep = service.wait(sweep_id)
        assert sweep.state is SweepState.SUCCEEDED, sweep.message
        runs = service.store.runs.of_sweep(sweep_id)
        assert [run.metrics for run in runs] == [
            {"score": a} | ({"logged": 4.0} if a == 4 else {}) for a in (1, 2, 3, 4)
        ]
        assert "Not in MLflow yet: MLflow at http://127.0.0.1" in runs[3].message
        server.start()
        wait_until(lambda: not service.store.runs.of_sweep(sweep_id, tracked=False))
        children = mlflow_runs(service, sweep_id, uri=server.uri)
        assert sorted(run.data.tags["mlops.run_id"] for run in children) == sorted(run.id for run in runs)
        by_id = {run.data.tags["mlops.run_id"]: run for run in children}
        assert [by_id[run.id].data.metrics for run in runs] == [run.metrics for run in runs]
        assert {run.message for run in service.store.runs.of_sweep(sweep_id)} == {""}
        wait_until(lambda: mlflow_runs(service, sweep_id, "sweep", server.uri)[0].info.status == "FINISHED")
        assert {run.info.status for run in children} == {"FINISHED"}
        names = {item.path for item in mlflow_client(service, server.uri).list_artifacts(children[3].info.run_id)}
        assert "output.ipynb" in names


def test_an_external_mlflow_that_never_answers_is_left_alone_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = SilentServer()
    tracking = runs.Tracking(tmp_path, silent.uri)
    with pytest.raises(UnavailableError) as first:
        tracking.drop_runs(["one"])
    asked = silent.requests
    assert asked > 0
    for _ in range(20):
        # runs that begin and end meanwhile
        with pytest.raises(UnavailableError) as again:
            tracking.drop_runs(["one"])
        assert again.value.message == first.value.message
    assert silent.requests == asked
    # what it could not be told is told when it answers again
    silent.answers = True
    monkeypatch.setattr(tracking, "_retry_at", time.monotonic())
    tracking.drop_runs(["one"])
    assert silent.requests > asked


async def test_no_run_waits_while_an_mlflow_that_never_answers_is_tried_again(
    store: Store, settings: MlopsSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first run after each pause waited until the attempt had failed, and those behind it, too."""
    silent = SilentServer()
    tracking = runs.Tracking(settings.data_path, silent.uri)
    epoch, data = store.leases.acquire("service:here", "here"), settings.data_path
    context = Context(store, "here", epoch, settings, Layout(data), Targets(data, 1), tracking)
    with pytest.raises(UnavailableError):
        await context.call(tracking.drop_runs, ["one"])
    assert tracking.info()[0] == "failed"
    assert "takes requests and does not answer them. Runs go on" in tracking.info()[1]
    monkeypatch.setattr(tracking, "_retry_at", time.monotonic())
    asked = silent.requests
    with pytest.raises(UnavailableError, match="does not answer"):
        await context.call(tracking.drop_runs, ["one"])
    assert silent.requests == asked
    await context.catch_up()
    assert silent.requests > asked and tracking.outage
    silent.answers = True
    monkeypatch.setattr(tracking, "_retry_at", time.monotonic())
    await context.catch_up()
    assert tracking.info() == ("ready", silent.uri)
    await context.call(tracking.drop_runs, ["one"])
    context.thread.shutdown()


@pytest.mark.slow
def test_an_mlflow_that_stops_answering_holds_no_run_up_and_lacks_nothing_afterwards(
    server: MlflowServer, data_dir: Path, notebook: Path
) -> None:
    front = Stalling(server.port)
    settings = MlopsSettings(data_dir=str(data_dir), mlflow_tracking_uri=front.uri, local_slots=1)
    with serving(settings) as service:
        sweep_id = service.sweep(notebook, "a = 1", "score = a", space={"a": "1:20"})
        service.wait(sweep_id, lambda sweep: sweep.counts.get("succeeded", 0) >= 2)
        front.stalled = True
        sweep = service.wait(sweep_id)
        assert sweep.counts == {"succeeded": 20}
        # two were told of when it began, and no other run was held up by an attempt
        assert front.unanswered < 10
        info = service_info(service.store, settings)
        assert (info.mlflow, "does not answer" in info.mlflow_message) == ("failed", True)
        front.stalled = False
        wait_until(lambda: not service.store.runs.of_sweep(sweep_id, tracked=False))
        found = service.store.runs.of_sweep(sweep_id)
        children = {run.data.tags["mlops.run_id"]: run for run in mlflow_runs(service, sweep_id, uri=server.uri)}
        assert len(mlflow_runs(service, sweep_id, uri=server.uri)) == 20
        assert {run.id: run.metrics for run in found} == {name: run.data.metrics for name, run in children.items()}
        wait_until(lambda: mlflow_runs(service, sweep_id, "sweep", server.uri)[0].info.status == "FINISHED")
        wait_until(lambda: service_info(service.store, settings).mlflow == "ready")


def test_an_external_mlflow_that_went_down_before_the_sweep_began(data_dir: Path, notebook: Path) -> None:
    port = free_port()
    uri = f"http://127.0.0.1:{port}"
    settings = MlopsSettings(data_dir=str(data_dir), mlflow_tracking_uri=uri)
    with serving(settings) as service:
        with socket.create_server(("127.0.0.1", port)):
            sweep_id = service.sweep(notebook, "a = 1", "a", space={"a": "1:2"})
        sweep = service.wait(sweep_id)
        assert sweep.state is SweepState.FAILED
        assert sweep.message.startswith(f"MLflow at {uri} does not answer; start it, or clear mlflow_tracking_uri")
        assert service.store.runs.of_sweep(sweep_id) == []


def test_a_package_list_is_taken_anew_for_each_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from jupyter_mlops.environments import packages

    found = packages("python3", "one")
    assert found is not None and packages("python3", "one") is found
    meta = tmp_path / "later_package-1.0.dist-info"
    meta.mkdir()
    (meta / "METADATA").write_text("Metadata-Version: 2.1\nName: later-package\nVersion: 1.0\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    later = packages("python3", "two")
    assert later is not None and "later-package==1.0" in later[0] and "later-package" not in found[0]
    assert later[1] != found[1]


def test_kernels_are_more_patient_than_the_service(service: Service, notebook: Path) -> None:
    names = ("MLFLOW_HTTP_REQUEST_TIMEOUT", "MLFLOW_HTTP_REQUEST_MAX_RETRIES")
    cell = f"import os\ntimeout, retries = (int(os.environ[name]) for name in {names!r})"
    _, run, _ = swept(service, notebook, cell, metrics=["timeout", "retries"])
    assert run.metrics["timeout"] >= 60 and run.metrics["retries"] >= 5
