"""The REST API of a real server under a base URL: every route, what it refuses, and in which words."""

from __future__ import annotations

import contextlib
import copy
import functools
import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from api_helpers import DOCUMENT, OPERATIONS, PIPELINE_OPERATIONS, Api, as_read
from conftest import write_notebook
from jupyter_server.auth.authorizer import Authorizer
from prometheus_client.parser import text_string_to_metric_families

from jupyter_mlops import __version__
from jupyter_mlops.api.handlers import ROUTES
from jupyter_mlops.core.pipelines.definition import PipelineDefinition, Step
from jupyter_mlops.core.pipelines.records import Pipeline, PipelineRun, Trigger, Version
from jupyter_mlops.core.pipelines.requests import ScheduleRequest
from jupyter_mlops.core.record import now
from jupyter_mlops.core.runs import Run, RunError
from jupyter_mlops.core.service import API_HEADER, API_VERSION
from jupyter_mlops.core.states import RunState, SweepState
from jupyter_mlops.services.process.layout import Layout
from jupyter_mlops.settings import MlopsSettings
from jupyter_mlops.store import Store

WRITES = {("notebook/draft", "PUT"), ("sweeps", "POST"), ("sweeps/{sweep_id}", "PATCH")} | {
    ("sweeps/{sweep_id}", "DELETE"),
    ("sweeps/{sweep_id}/{action}", "POST"),
    ("runs/{run_id}/stop", "POST"),
    ("service", "POST"),
    ("service/keep", "POST"),
    ("service/keep", "DELETE"),
    *(operation for operation in PIPELINE_OPERATIONS if operation[1] != "GET"),
} - {("cron", "POST"), ("pipeline-text/check", "POST"), ("pipeline-text/step", "POST")}
# whoever calls it has the trigger's token instead of an account
BY_TOKEN = ("triggers/{trigger_id}/call", "POST")


PATH = "sub/train.ipynb"
REQUEST = {"path": PATH, "space": {"depth": "1:3"}}


async def with_a_run(api: Api, store: Store) -> tuple[str, str]:
    """Ids of a sweep and of its first run, as if a service had planned it."""
    sweep = await api.done("POST", "sweeps", REQUEST)
    run_id = sweep["id"] + "-1"
    store.runs.add(sweep["id"], [Run(id=run_id, sweep_id=sweep["id"], index=0, parameters={"depth": 1})])
    return sweep["id"], run_id


def test_the_description_is_that_of_the_code() -> None:
    root = Path(__file__).parents[1]
    assert json.loads((root / "openapi.json").read_text()) == DOCUMENT
    assert DOCUMENT["info"]["version"] == __version__
    routes = {(route.path, verb.upper()) for route in ROUTES for verb in route.operations}
    assert routes == OPERATIONS
    for route in ROUTES:
        # what a handler can do and what is described are the same
        verbs = {verb for verb in ("get", "post", "put", "patch", "delete") if verb in vars(route.handler)}
        assert verbs == set(route.operations), route.path


async def test_every_answer_names_the_version_of_the_api(jp_fetch: Any, api: Api, train: Path) -> None:
    assert DOCUMENT["info"]["x-api-version"] == API_VERSION
    for path, code in (("status", 200), ("sweeps/none", 404), ("nothing", 404)):
        answer = await jp_fetch("mlops", path, raise_error=False)
        assert (answer.code, answer.headers[API_HEADER]) == (code, str(API_VERSION))
    assert (await api.done("POST", "sweeps", REQUEST, headers={API_HEADER: str(API_VERSION)}))["total"] == 3


async def test_runs_are_listed_in_pages_of_what_a_table_shows(
    api: Api, train: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyter_mlops.services.sweeps.requests.PAGE_LENGTH", 2)
    sweep_id = (await api.done("POST", "sweeps", REQUEST))["id"]
    error = RunError(name="ValueError", message="too deep", cell=1, traceback="line 1: too deep")
    runs = [Run(id=f"{sweep_id}-{index + 1}", sweep_id=sweep_id, index=index) for index in range(3)]
    failed = {"error": error, "message": "Repeated", "code": {"a.py": "0"}}
    store.runs.add(sweep_id, [msgspec.structs.replace(runs[0], **failed), *runs[1:]])
    place = f"sweeps/{sweep_id}/runs"
    page = await api.done("GET", place)
    assert ([run["index"] for run in page["runs"]], page["next"]) == ([0, 1], 2)
    assert page["runs"][0]["message"] == "too deep"
    assert not {"error", "code", "timing", "warnings"} & set(page["runs"][0])
    # what changes between two pages comes with the look after them
    store.runs.change(runs[0].id, message="Changed", error=None)
    rest = await api.done("GET", place, params={"first": page["next"]})
    assert ([run["index"] for run in rest["runs"]], rest["next"]) == ([2], None)
    changed = await api.done("GET", place, params={"since": page["revision"]})
    assert [(run["index"], run["message"]) for run in changed["runs"]] == [(0, "Changed")]
    details = await api.done("GET", f"runs/{runs[0].id}")
    assert (details["message"], details["code"], details["error"]) == ("Changed", {"a.py": "0"}, None)


async def test_what_is_of_another_version_of_the_api_is_refused(api: Api, train: Path) -> None:
    older, newer = "newer than what sent this request: reload the page", "older than what sent this request: update it"
    for version, sentence in ((API_VERSION - 1, older), (API_VERSION + 1, newer), ("x", newer)):
        code, message = await api.refused("POST", "sweeps", REQUEST, headers={API_HEADER: str(version)})
        assert (code, sentence in message) == (409, True), message
    assert (await api.done("GET", "sweeps"))["sweeps"] == []


async def test_every_route(api: Api, train: Path, store: Store, data_dir: Path) -> None:
    status = await api.done("GET", "status")
    assert (status["version"], status["service"]["state"], status["store_path"]) == (__version__, "off", str(data_dir))
    assert (status["confirm_runs"], status["warnings"]) == (100, [])
    assert {target["name"]: target["state"] for target in status["targets"]}["local"] == "idle"
    assert (await api.done("GET", "health")) == {"healthy": True, "problems": []}
    await api.done("POST", "service")
    assert (await api.done("GET", "service/log")) == {"text": ""}
    assert (await api.done("GET", "service/keep"))["installed"] is False
    assert (await api.done("GET", "openapi.json")) == DOCUMENT

    info = await api.done("GET", "notebook", params={"path": PATH})
    assert (info["path"], info["kernel_problem"], info["metrics"]) == (PATH, "", ["auc"])
    assert [(parameter["name"], parameter["help"]) for parameter in info["parameters"]] == [
        ("depth", "how deep"),
        ("rate", ""),
    ]
    await api.done("PUT", "notebook/draft", REQUEST)
    check = await api.done("POST", "space", {"path": PATH, "space": {"depth": "1:3", "rate": "x"}})
    assert (check["fields"]["depth"]["count"], check["error"]) == (3, "Mend rate first.")

    sweep = await api.done("POST", "sweeps", REQUEST)
    sweep_id = sweep["id"]
    assert (sweep["path"], sweep["total"], sweep["state"], sweep["varied"]) == (PATH, 3, "queued", ["depth"])
    assert sweep["space"] == {"depth": "1:3"}
    listed = await api.done("GET", "sweeps")
    assert [found["id"] for found in listed["sweeps"]] == [sweep_id]
    assert listed["revision"] == sweep["revision"]
    assert (await api.done("GET", f"sweeps/{sweep_id}")) == sweep
    changed = await api.done("PATCH", f"sweeps/{sweep_id}", {"name": " deep ", "slots": 2, "archived": True})
    assert (changed["name"], changed["slots"], changed["archived"]) == ("deep", 2, True)
    assert (await api.done("GET", "sweeps", params={"archived": 0}))["sweeps"] == []
    changes = await api.done("GET", "changes", params={"since": sweep["revision"]})
    assert [found["name"] for found in changes["sweeps"]] == ["deep"]
    assert (await api.done("GET", "changes", params={"since": changes["revision"]}))["sweeps"] == []
    assert (await api.done("GET", f"sweeps/{sweep_id}/notebook")) == json.loads(train.read_text())

    run = Run(id="run0", sweep_id=sweep_id, index=0, parameters={"depth": 1})
    store.runs.add(sweep_id, [run])
    (problem,) = (await api.done("GET", "health"))["problems"]
    assert problem == "Sweeps or pipeline runs wait, and no service is running."
    families = {
        family.name: family.samples for family in text_string_to_metric_families(await api.done("GET", "metrics"))
    }
    samples = {(name, *each.labels.values()): each.value for name, found in families.items() for each in found}
    assert samples["mlops_up", "service"] == 0
    assert samples["mlops_sweeps", "queued"] == samples["mlops_runs", "queued"] == 1
    assert samples["mlops_target_slots", "local"] >= 1
    page = await api.done("GET", f"sweeps/{sweep_id}/runs")
    assert [found["id"] for found in page["runs"]] == ["run0"]
    assert (await api.done("GET", f"sweeps/{sweep_id}/runs", params={"since": page["revision"]}))["runs"] == []
    assert (await api.done("GET", "runs/run0"))["parameters"] == {"depth": 1}
    assert (await api.done("GET", "runs/run0/curves")) == {"attempt": 1, "curves": []}
    output = Layout(data_dir).output("run0", 1)
    output.parent.mkdir(parents=True)
    output.write_text('{"cells": []}')
    assert (await api.done("GET", "runs/run0/notebook")) == {"cells": []}
    assert (await api.done("POST", "runs/run0/stop"))["stop_requested"] is True

    assert (await api.done("POST", f"sweeps/{sweep_id}/pause"))["pause_requested"] is True
    resumed = await api.done("POST", f"sweeps/{sweep_id}/resume")
    assert (resumed["pause_requested"], resumed["confirmed"]) == (False, True)
    assert (await api.done("POST", f"sweeps/{sweep_id}/stop"))["stop_requested"] is True
    store.runs.change("run0", state=RunState.STOPPED)
    store.sweeps.change(sweep_id, state=SweepState.STOPPED)
    again = await api.done("POST", f"sweeps/{sweep_id}/retry")
    assert (again["state"], again["stop_requested"], again["counts"]) == ("queued", False, {"queued": 1})
    assert (await api.done("GET", "runs/run0"))["attempt"] == 2
    store.sweeps.change(sweep_id, state=SweepState.STOPPED)
    await api.done("DELETE", f"sweeps/{sweep_id}")
    assert (await api.done("GET", "sweeps"))["sweeps"] == []
    assert [found["id"] for found in (await api.done("GET", "sweeps", params={"deleted": 1}))["sweeps"]] == [sweep_id]
    assert (await api.done("POST", f"sweeps/{sweep_id}/restore"))["deleted_at"] is None

    assert api.succeeded == OPERATIONS - PIPELINE_OPERATIONS - {("service/keep", "POST"), ("service/keep", "DELETE")}


async def test_the_form_is_remembered_and_the_notebooks_own_is_read(api: Api, train: Path) -> None:
    draft = {"path": PATH, "space": {"depth": "1:9"}, "objective": {"metric": "auc"}, "slots": 3}
    await api.done("PUT", "notebook/draft", draft)
    notebook = json.loads(train.read_text())
    notebook["metadata"]["mlops"] = {"space": {"rate": "log:0.01:1:3"}, "metrics": ["auc"]}
    train.write_text(json.dumps(notebook))
    info = await api.done("GET", "notebook", params={"path": PATH})
    assert {name: info["draft"][name] for name in draft} == draft | {
        "objective": {"metric": "auc", "direction": "maximize"}
    }
    assert (info["saved"]["path"], info["saved"]["space"]) == (PATH, {"rate": "log:0.01:1:3"})
    # starting remembers the form, too
    await api.done("POST", "sweeps", REQUEST)
    assert (await api.done("GET", "notebook", params={"path": PATH}))["draft"]["space"] == REQUEST["space"]


async def test_starting_freezes_the_bytes(api: Api, train: Path, store: Store) -> None:
    before = train.read_bytes()
    sweep = await api.done("POST", "sweeps", REQUEST)
    train.write_text("something else")
    assert store.sweeps.notebook(sweep["id"]) == before
    train.unlink()
    assert (await api.done("GET", f"sweeps/{sweep['id']}/notebook")) == json.loads(before)


async def test_choosing_the_metric_finds_the_best(api: Api, train: Path, store: Store) -> None:
    sweep = await api.done("POST", "sweeps", REQUEST)
    runs = [
        Run(id=f"r{i}", sweep_id=sweep["id"], index=i, state=RunState.SUCCEEDED, metrics={"loss": 1.0 * i})
        for i in range(3)
    ]
    store.runs.add(sweep["id"], runs)
    for direction, best in (("maximize", "r2"), ("minimize", "r0")):
        change = {"objective": {"metric": "loss", "direction": direction}}
        found = await api.done("PATCH", f"sweeps/{sweep['id']}", change)
        assert found["best_run_id"] == best


async def test_outputs_are_trusted_where_this_account_started_the_run(
    api: Api, train: Path, store: Store, data_dir: Path
) -> None:
    """On a team's store a service takes over what others started, and keeps their notebooks in its own folder."""
    sweep_id, run_id = await with_a_run(api, store)
    executed = {"cell_type": "code", "execution_count": 1, "metadata": {}, "source": "", "outputs": []}
    others = [executed | {"execution_count": None, "metadata": {"trusted": True}}, {"cell_type": "markdown"}]
    output = Layout(data_dir).output(run_id, 1)
    output.parent.mkdir(parents=True)
    output.write_text(json.dumps({"cells": [executed, *others]}))

    async def trusted() -> list[bool]:
        cells = (await api.done("GET", f"runs/{run_id}/notebook"))["cells"]
        return [cell.get("metadata", {}).get("trusted", False) for cell in cells]

    assert await trusted() == [True, False, False]
    store.sweeps.change(sweep_id, started_by="another")
    assert await trusted() == [False, False, False]
    # of before it was recorded: on the SQLite file of one account
    store.sweeps.change(sweep_id, started_by="")
    assert await trusted() == [True, False, False]


# -- who may -------------------------------------------------------------------------------------


def concrete(path: str, sweep_id: str, run_id: str) -> str:
    if path.startswith("pipeline-runs"):
        run_id = "prun"
    return path.format(
        sweep_id=sweep_id, run_id=run_id, action="pause", pipeline_id="pipe", trigger_id="trig", number="1"
    )


def with_a_pipeline(store: Store, folder: Path) -> None:
    """A pipeline of a notebook below a folder, with a run and a schedule."""
    definition = PipelineDefinition(steps={"train": Step(notebook="train.ipynb")})
    pipeline = Pipeline(id="pipe", name="depth", path=str(folder / "train.ipynb"), project=str(folder))
    store.pipelines.create(pipeline, Version(pipeline_id="", number=0, definition=definition))
    store.pipeline_runs.create(PipelineRun(id="prun", pipeline_id="pipe", version=1, created_at=now()))
    store.triggers.create(Trigger(id="trig", pipeline_id="pipe", cron="0 6 * * *", created_at=now()))


BODIES = {
    ("notebook/draft", "PUT"): REQUEST,
    ("space", "POST"): REQUEST,
    ("sweeps", "POST"): REQUEST,
    ("sweeps/{sweep_id}", "PATCH"): {"name": "x"},
    ("pipelines", "POST"): {"path": PATH},
    ("pipelines/{pipeline_id}/backfill", "POST"): {"start": "2026-01-01", "end": "2026-01-02"},
    ("pipelines/{pipeline_id}/triggers", "POST"): {"cron": "0 6 * * *"},
    ("cron", "POST"): {"cron": "0 6 * * *"},
    ("pipeline-text/check", "POST"): {"path": "sub/x.pipeline.yaml", "text": ""},
    ("pipeline-text/step", "POST"): {
        "path": "sub/x.pipeline.yaml",
        "text": "",
        "name": "a",
        "step": {"notebook": "train.ipynb"},
    },
}
QUERIES = {"notebook": {"path": PATH}, "pipelines/{pipeline_id}/diff": {"older": "1", "newer": "1"}}


async def test_who_is_not_signed_in_gets_nothing(api: Api, train: Path, store: Store) -> None:
    sweep_id, run_id = await with_a_run(api, store)
    with_a_pipeline(store, train.parent)
    before = store.revision()
    for path, method in [*OPERATIONS, ("mlflow/", "GET"), ("mlflow/ajax-api/x", "POST")]:
        code, content = await api.ask(
            method,
            concrete(path, sweep_id, run_id),
            BODIES.get((path, method)),
            params=QUERIES.get(path),
            headers={"Authorization": "token wrong"},
        )
        assert code in (401, 403), (method, path, content)
        assert "_xsrf" not in content["message"]
        assert "depth" not in content["message"]
    assert store.revision() == before


# of MLflow's own table, what changes nothing
READS = {
    f"{prefix}{version}/mlflow/{route}"
    for prefix in ("api/", "ajax-api/")
    for version, routes in {
        "2.0": ("experiments/search", "runs/search", "logged-models/search", "registered-models/get-latest-versions"),
        "3.0": (
            *("datasets/search", "issues/search", "traces/search", "traces/batchGetInfos", "traces/metrics"),
            *("traces/calculate-filter-correlation", "prompt-optimization/jobs/search"),
        ),
    }.items()
    for route in routes
} | {"graphql", *(f"{prefix}/2.0mlflow/experiments/search-datasets" for prefix in ("api", "ajax-api"))}


@functools.cache
def mlflow_posts() -> frozenset[str]:
    """All that the installed MLflow takes as POST; asked in a process of its own, as MLflow sets the environment."""
    code = "from mlflow.server.handlers import get_endpoints\n"
    code += "for path, _, verbs in get_endpoints():\n    if 'POST' in verbs: print(path)"
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    paths = (re.sub(r"<[^>]+>", "x", line).strip("/") for line in said.splitlines() if line.startswith("/"))
    return frozenset(path for path in paths if path.startswith(("ajax-api", "api", "graphql")))


class ReadOnly(Authorizer):
    """Lets everybody read what is ours, and nobody change it."""

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        return (action, resource) == ("read", "mlops")


class WriteOnly(Authorizer):
    """The other way round."""

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        return (action, resource) == ("write", "mlops")


class TestFullDisk:
    @pytest.fixture
    def data_dir(self, small_disk: Path) -> Path:
        return small_disk / "data"

    async def test_it_is_said_while_it_lasts(self, api: Api, data_dir: Path) -> None:
        assert (await api.done("GET", "status"))["warnings"] == []
        with (data_dir / "big").open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"x" * 4096)
        (warning,) = (await api.done("GET", "status"))["warnings"]
        assert warning.startswith(f"The disk of {data_dir} is full (0.0 MB free)")
        (data_dir / "big").unlink()
        assert (await api.done("GET", "status"))["warnings"] == []


class TestAuthorizers:
    @pytest.fixture(params=[ReadOnly, WriteOnly])
    def jp_server_config(self, jp_server_config: dict[str, Any], request: Any) -> dict[str, Any]:
        config = copy.deepcopy(jp_server_config)
        config["ServerApp"]["authorizer_class"] = request.param
        return config

    # both directions, as what the first request was checked for must not count for the next
    @pytest.mark.parametrize("backwards", [False, True])
    async def test_each_verb_is_checked_by_itself(
        self, api: Api, train: Path, sweeps: Any, kernelspecs: Any, jp_serverapp: Any, backwards: bool
    ) -> None:
        from jupyter_mlops.core.sweeps import SweepRequest

        sweep = sweeps.create(train, SweepRequest(path=str(train)), kernelspecs)
        sweeps.store.runs.add(sweep.id, [Run(id="run0", sweep_id=sweep.id, index=0)])
        with_a_pipeline(sweeps.store, train.parent)
        reads = isinstance(jp_serverapp.authorizer, ReadOnly)
        for path, method in sorted(OPERATIONS - {BY_TOKEN}, reverse=backwards):
            code, content = await api.ask(
                method, concrete(path, sweep.id, "run0"), BODIES.get((path, method)), params=QUERIES.get(path)
            )
            allowed = ((path, method) in WRITES) is not reads
            assert (code != 403) is allowed, (method, path, content)
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            code, _ = await api.refused(method, "mlflow/x", None if method == "GET" else {})
            assert (code == 503) is (reads is (method == "GET")), method
        for path in READS:
            assert ((await api.refused("POST", f"mlflow/{path}", {}))[0] == 503) is reads, path
        for path in mlflow_posts() - READS | {
            "ajax-api/2.0/mlflow/runs/create%23/runs/search",
            "x/graphql",
            "graphql/x",
        }:
            assert ((await api.refused("POST", f"mlflow/{path}", {}))[0] == 503) is not reads, path


# -- what is refused -----------------------------------------------------------------------------


@pytest.fixture
def places(jp_root_dir: Path, tmp_path: Path) -> dict[str, int]:
    """Paths that lead astray, and the status each gets."""
    outside = write_notebook(tmp_path / "outside" / "secret.ipynb", "a = 1")
    (jp_root_dir / "link.ipynb").symlink_to(outside)
    (jp_root_dir / "linked").symlink_to(outside.parent)
    (jp_root_dir / "round").symlink_to(jp_root_dir / "round")
    (jp_root_dir / "folder.ipynb").mkdir()
    (jp_root_dir / "file.ipynb").write_text("{}")
    os.mkfifo(jp_root_dir / "pipe.ipynb")
    return {
        "": 400,
        "../outside/secret.ipynb": 403,
        "sub/../../outside/secret.ipynb": 403,
        "link.ipynb": 403,
        "linked/secret.ipynb": 403,
        "..": 403,
        str(outside): 404,
        "/etc/passwd": 404,
        "missing.ipynb": 404,
        "file.ipynb/inner.ipynb": 404,
        "folder.ipynb": 400,
        "pipe.ipynb": 400,
        "round/a.ipynb": 400,
        "x" * 5000: 400,
        "~/secret.ipynb": 404,
        "%2e%2e/outside/secret.ipynb": 404,
        "\\..\\outside": 404,
    }


async def test_paths_that_lead_astray(api: Api, places: dict[str, int], store: Store) -> None:
    codes = {}
    for path in places:
        codes[path] = {
            (await api.refused("GET", "notebook", params={"path": path}))[0],
            (await api.refused("POST", "space", {"path": path}))[0],
            (await api.refused("POST", "sweeps", {"path": path}))[0],
        }
    # 3.13 follows links that lead round as far as they go
    assert codes.pop("round/a.ipynb") <= {400, 404}
    places.pop("round/a.ipynb")
    assert codes == {path: {code} for path, code in places.items()}
    for path in ("../outside/secret.ipynb", "link.ipynb", "a\0b", ""):
        assert (await api.refused("PUT", "notebook/draft", {"path": path}))[0] in (400, 403)
    assert store.sweeps.find() == []


async def test_a_path_that_is_not_unicode(api: Api) -> None:
    answer = await api.fetch("mlops", "notebook", params={"path": b"\xff.ipynb"}, raise_error=False)
    assert answer.code == 400
    assert as_read(answer.body)["message"]


def cells(*sources: str, tagged: bool = True) -> str:
    made = [{"cell_type": "code", "metadata": {}, "source": s, "outputs": [], "execution_count": None} for s in sources]
    if tagged:
        made[0]["metadata"] = {"tags": ["parameters"]}
    metadata = {"kernelspec": {"name": "python3", "language": "python"}}
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": made})


async def test_notebooks_that_cannot_be_run(api: Api, jp_root_dir: Path, store: Store) -> None:
    plain = cells("depth: int = 3\ntoken = 'x'")
    cases = {
        "not JSON": ('{"cells": [', {}, "not valid JSON. Restore it"),
        "jupytext": ("# %%\na = 1", {}, "jupytext --to ipynb"),
        "nbformat 3": ('{"nbformat": 3, "worksheets": []}', {}, "save it"),
        "no parameters cell": (cells("a = 1", tagged=False), {"a": "1:3"}, "No cell is tagged “parameters”; tag"),
        "assigns nothing": (cells("import os"), {"a": "1:3"}, "assigns nothing"),
        "does not parse": (cells("a = 1\nb = ("), {"a": "1:3"}, "not valid Python (line 2"),
        "does not parse, nothing searched": (cells("a = 1\nb = ("), {}, "not valid Python (line 2"),
        "wrong type": (plain, {"depth": "deep"}, "depth must be a whole number; “deep” is not."),
        "unknown name": (plain, {"dept": "1"}, "no parameter “dept”; did you mean “depth”?"),
        "empty": (plain, {"depth": "[]"}, "at least one value"),
        "blank": (plain, {"depth": " "}, "Give a value"),
        "a million": (plain, {"depth": "1:1000000"}, "1,000,000 runs, more than the 100,000 allowed; narrow it"),
        "a secret": (plain, {"token": "abc"}, "looks like a secret"),
        "unknown kernel": (plain.replace("python3", "gone"), {}, "The kernel “gone” is not installed here; choose"),
        "no kernel": (plain.replace('"name": "python3"', '"name": ""'), {}, "names no kernel; choose"),
    }
    for name, (text, space, sentence) in cases.items():
        (jp_root_dir / "case.ipynb").write_text(text)
        code, content = await api.ask("POST", "sweeps", {"path": "case.ipynb", "space": space})
        assert (code, sentence in content["message"]) == (400, True), (name, content)
        assert set(content["fields"]) <= set(space)
    assert store.sweeps.find() == []
    # and those that a form can show are shown
    (jp_root_dir / "case.ipynb").write_text(cells("a = (").replace("python3", "gone"))
    info = await api.done("GET", "notebook", params={"path": "case.ipynb"})
    assert "line 1" in info["problem"]
    assert "“gone” is not installed" in info["kernel_problem"]
    (jp_root_dir / "case.ipynb").write_text(cells("a = 1", tagged=False))
    assert "tag the cell" in (await api.done("GET", "notebook", params={"path": "case.ipynb"}))["problem"]


async def test_a_notebook_without_parameters_is_one_run(api: Api, jp_root_dir: Path) -> None:
    (jp_root_dir / "case.ipynb").write_text(cells("a = 1", tagged=False))
    assert (await api.done("POST", "sweeps", {"path": "case.ipynb"}))["total"] == 1


async def test_a_space_is_checked_while_it_is_typed(api: Api, train: Path) -> None:
    space = {"depth": "1:1000", "rate": "0:1:1000"}
    check = await api.done("POST", "space", {"path": PATH, "space": space})
    assert (check["total"], check["combinations"]) == (1_000_000, 1_000_000)
    assert "1,000,000 runs" in check["error"]
    sampler = {"kind": "random", "count": 7}
    check = await api.done("POST", "space", {"path": PATH, "space": space, "sampler": sampler})
    assert (check["total"], check["error"]) == (7, "")
    check = await api.done("POST", "space", {"path": PATH, "space": {"depht": "1", "rate": "", "depth": "1e400"}})
    assert {name: entry["count"] for name, entry in check["fields"].items()} == {"depht": 0, "rate": 0, "depth": 0}
    assert "did you mean “depth”" in check["fields"]["depht"]["error"]


SWEEP_BODIES = [
    (b"{", "not valid JSON", []),
    (b"\xff\xfe", "not valid JSON", []),
    (b"[" * 100_000, "nested more than 40 deep", []),
    (b"", "missing required field `path`", ["path"]),
    (b"[]", "Expected `object`", []),
    (b"null", "Expected `object`", []),
    (b'{"path": 3}', "path: Expected `str`", ["path"]),
    (b'{"path": "%s", "colour": 1}', "unknown field `colour`", ["colour"]),
    (b'{"path": "%s", "sampler": {"sort": 1}}', "unknown field `sort`", ["sampler.sort"]),
    (b'{"path": "%s", "sampler": {"kind": "best", "count": 3}}', "There is no sampler “best” here; choose one", []),
    (b'{"path": "%s", "space": {"depth": 1}}', "Expected `str`, got `int`", ["space[...]"]),
    (b'{"path": "%s", "metrics": "auc"}', "metrics: Expected `array`", ["metrics"]),
    (b'{"path": "%s", "slots": "two"}', "slots: Expected", ["slots"]),
    (b'{"path": "%s", "slots": 0}', "slots must be more than 0", ["slots"]),
    (b'{"path": "%s", "cell_timeout": -1}', "cell_timeout must be more than 0", ["cell_timeout"]),
    (b'{"path": "%s", "run_timeout": 1e400}', "run_timeout: Number out of range", ["run_timeout"]),
    (b'{"path": "%s", "max_output": 0}', "max_output must be", ["max_output"]),
    (b'{"path": "%s", "target": "moon"}', "“moon” is no target; use local, cuda or", ["target"]),
    (b'{"path": "%s", "objective": {"metric": " "}}', "Name the metric", ["objective"]),
    (b'{"path": "%s", "objective": {"metric": "a", "direction": "up"}}', "'up'", ["objective.direction"]),
    (b'{"path": "%s", "sampler": {"kind": "random"}}', "Say how many combinations", []),
    (b'{"path": "%s", "sampler": {"kind": "random", "count": -1}}', "Say how many combinations", []),
    (b'{"path": "\\ud800"}', "not valid JSON", []),
    (
        b'{"path": "%s", "experiment": "' + b"x" * 100_000 + b'"}',
        "experiment: it may be 250 characters",
        ["experiment"],
    ),
    (b'{"path": "%s", "run_timeout": 1e300}', "run_timeout: it may be 315360000", ["run_timeout"]),
    (b'{"path": "%s", "slots": 9223372036854775808}', "slots: it may be 2147483647 at most", ["slots"]),
    (b'{"path": "%s", "space": {"depth": "' + b"1," * 60_000 + b'"}}', "100000 characters at most", ["space[...]"]),
]


async def test_bodies_that_do_not_fit(api: Api, train: Path, store: Store) -> None:
    for raw, sentence, fields in SWEEP_BODIES:
        code, content = await api.ask("POST", "sweeps", raw=raw.replace(b"%s", PATH.encode()))
        assert (code, list(content["fields"])) == (400, fields), (raw, content)
        assert sentence in content["message"], (raw, content)
    assert store.sweeps.find() == []
    for method, path in (("PUT", "notebook/draft"), ("POST", "space")):
        for raw in (b"{", b"[]", b'{"path": 3}', b'{"path": "a", "colour": 1}'):
            assert (await api.refused(method, path, raw=raw))[0] == 400


async def test_a_space_is_read_in_a_moment_however_much_of_it_there_is(api: Api, train: Path) -> None:
    """It took more than a minute for 10 MB, in which the server could do nothing for this person."""
    text = ",".join(map(str, range(17_000)))[:99_000]
    most = {"depth": text, "rate": text}
    started = time.process_time()
    check = await api.done("POST", "space", {"path": PATH, "space": most})
    assert "runs, more than the 100,000 allowed" in check["error"]
    more = {f"p{i}": text for i in range(100)}
    assert "All fields together" in (await api.refused("POST", "space", {"path": PATH, "space": more}))[1]
    deep = {"rate": "[" * 900 + "]" * 900}
    assert "nested" in (await api.done("POST", "space", {"path": PATH, "space": deep}))["fields"]["rate"]["error"]
    assert time.process_time() - started < 10


async def test_changes_that_make_no_sense(api: Api, train: Path) -> None:
    sweep = await api.done("POST", "sweeps", REQUEST)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"name": " "}, "Give the sweep a name"),
        ({"slots": 0}, "At least one run"),
        ({"objective": {"metric": ""}}, "Name the metric"),
        ({"state": "succeeded"}, "unknown field `state`"),
        ({"archived": "yes"}, "archived: Expected `bool | null`"),
    ]
    for change, sentence in cases:
        code, message = await api.refused("PATCH", f"sweeps/{sweep['id']}", change)
        assert (code, sentence in message) == (400, True), message
    assert (await api.done("GET", f"sweeps/{sweep['id']}")) == sweep
    assert (await api.done("PATCH", f"sweeps/{sweep['id']}", {}))["name"] == sweep["name"]


@pytest.mark.parametrize("value", ["x", "-1", "1.5", "²", "9" * 30, "9" * 5000, "1 or 1=1"])
async def test_a_revision_is_a_number(api: Api, value: str) -> None:
    assert (await api.refused("GET", "changes", params={"since": value})) == (400, "since must be a whole number.")


async def test_queries_that_make_no_sense(api: Api) -> None:
    assert (await api.refused("GET", "sweeps", params={"archived": "maybe"})) == (400, "archived must be 0 or 1.")
    assert (await api.refused("GET", "sweeps", params={"deleted": "2"}))[0] == 400


async def test_what_is_not_there(api: Api, train: Path) -> None:
    sweep_id = "0" * 32
    codes = {}
    for path, method in OPERATIONS - {BY_TOKEN}:
        if "{" in path:
            answer = await api.refused(method, concrete(path, sweep_id, "none"), BODIES.get((path, method)))
            codes[path, method] = answer
    assert {code for code, _ in codes.values()} == {404}
    assert codes["sweeps/{sweep_id}", "GET"][1] == f"There is no sweep {sweep_id}."
    assert codes["runs/{run_id}", "GET"][1] == "There is no run none."
    for path in ("", "nothing", "sweeps/a/b/c", f"sweeps/{sweep_id}/explode", "sweeps/a.b", "runs/"):
        for method in ("GET", "POST"):
            assert (await api.refused(method, path))[0] in (404, 405), path
    for method, path in (("DELETE", "status"), ("POST", "notebook"), ("GET", "runs/x/stop"), ("PUT", "sweeps")):
        code, message = await api.refused(method, path)
        assert (code, message) == (405, "This address does not take requests of this kind.")


async def test_what_its_state_does_not_allow(api: Api, train: Path, store: Store) -> None:
    sweep_id, run_id = await with_a_run(api, store)
    for method, path in (("DELETE", f"sweeps/{sweep_id}"), ("POST", f"sweeps/{sweep_id}/retry")):
        assert (await api.refused(method, path))[0] == 409
    assert (await api.refused("GET", f"runs/{run_id}/notebook")) == (
        404,
        "This run has not started yet, so there is no executed notebook.",
    )
    store.runs.change(run_id, state=RunState.STOPPED)
    store.sweeps.change(sweep_id, state=SweepState.STOPPED)
    for path in (f"sweeps/{sweep_id}/stop", f"sweeps/{sweep_id}/pause", f"sweeps/{sweep_id}/resume"):
        code, message = await api.refused("POST", path)
        assert (code, message.startswith("This sweep is over; ")) == (409, True)
    assert (await api.refused("POST", f"runs/{run_id}/stop")) == (409, "This run is over; there is nothing to stop.")
    assert (await api.refused("GET", f"runs/{run_id}/notebook"))[1].startswith("This run was never executed")
    await api.done("DELETE", f"sweeps/{sweep_id}")
    assert (await api.refused("POST", f"sweeps/{sweep_id}/retry"))[1] == (
        "This sweep is deleted; restore it before repeating its runs."
    )


# what stands beside a field that names a record, where that is not what BODIES has
BESIDE_ID: dict[tuple[str, str], dict[str, Any]] = {
    ("pipelines", "run_id"): {},
    ("pipelines", "sweep_id"): {},
    ("pipelines", "schedule.upstream"): {"path": PATH, "schedule": {"kind": "pipeline"}},
    ("pipelines/{pipeline_id}/triggers", "upstream"): {"kind": "pipeline"},
}


def id_fields(schema: dict[str, Any], at: str = "") -> list[str]:
    """Fields of a request's body that name a record, with dots where they are inside another."""
    found = []
    if "$ref" in schema:
        return id_fields(DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]], at)
    for inner in schema.get("anyOf", ()):
        found += id_fields(inner, at)
    for name, inner in schema.get("properties", {}).items():
        assert inner.get("format") == "id" or not name.endswith("_id"), f"{at}{name} is no Id"
        found += [f"{at}{name}"] if inner.get("format") == "id" else id_fields(inner, f"{at}{name}.")
    return found


def with_id(path: str, method: str, field: str, key: str) -> dict[str, Any]:
    """A body in which one field names a record."""
    body = copy.deepcopy(BESIDE_ID[path, field] if (path, field) in BESIDE_ID else BODIES[path, method])
    *outer, last = field.split(".")
    inner = body
    for name in outer:
        inner = inner[name]
    inner[last] = key
    return body


async def test_what_belongs_to_another_root_does_not_exist_here(
    api: Api, train: Path, sweeps: Any, kernelspecs: Any, tmp_path: Path
) -> None:
    """Each id of each route, in its path and in its body: a new route or field is among them by itself."""
    from jupyter_mlops.core.sweeps import SweepRequest
    from jupyter_mlops.services.pipelines.requests import Pipelines

    other = write_notebook(tmp_path / "elsewhere" / "train.ipynb", "depth = 1")
    sweep = sweeps.create(other, SweepRequest(path=str(other)), kernelspecs)
    sweeps.store.runs.add(sweep.id, [Run(id="run0", sweep_id=sweep.id, index=0, state=RunState.SUCCEEDED)])
    sweeps.store.sweeps.change(sweep.id, best_run_id="run0")
    with_a_pipeline(sweeps.store, other.parent)
    called = Pipelines(sweeps.store, sweeps.settings).add_trigger("pipe", ScheduleRequest(kind="http"))
    foreign = {"sweep_id": sweep.id, "run_id": "run0", "pipeline_id": "pipe", "upstream": "pipe", "trigger_id": "trig"}
    own = (await api.done("POST", "pipelines", {"path": PATH, "schedule": {"cron": "0 6 * * *"}}))["pipeline"]
    before = sweeps.store.revision()
    tried = set()
    for path, method in OPERATIONS:
        headers = {"Authorization": f"Bearer {called.token}"} if (path, method) == BY_TOKEN else {}
        place = concrete(path, sweep.id, "run0").replace("triggers/trig/call", f"triggers/{called.trigger.id}/call")
        if "{" in path:
            code, message = await api.refused(method, place, BODIES.get((path, method)), headers=headers)
            assert code == (403 if headers else 404), (method, path)
            assert "elsewhere" not in message
        described = DOCUMENT["paths"][f"/mlops/{path}"][method.lower()]
        if "requestBody" not in described:
            continue
        here = path.format(pipeline_id=own["id"]) if "{pipeline_id}" in path else place
        for field in id_fields(described["requestBody"]["content"]["application/json"]["schema"]):
            body = with_id(path, method, field, foreign[field.rpartition(".")[2]])
            code, message = await api.refused(method, here, body)
            assert (code, message.startswith("There is no ")) == (404, True), (method, path, field, message)
            tried.add(field)
    assert tried >= {"run_id", "sweep_id", "pipeline_id", "upstream", "schedule.upstream", "trigger_id"}
    assert (await api.done("GET", "sweeps"))["sweeps"] == []
    assert [found["id"] for found in (await api.done("GET", "changes"))["pipelines"]] == [own["id"]]
    assert sweeps.store.revision() == before


async def test_an_error_of_ours_is_said_and_no_more(api: Api, data_dir: Path) -> None:
    data_dir.mkdir()
    (data_dir / "store.sqlite").write_bytes(b"no database" * 1000)
    code, message = await api.refused("GET", "sweeps")
    assert code == 503
    assert "cannot be opened (file is not a database); repair or move it" in message


def refusing_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class TestMlflowThatIsGone:
    uri = f"http://127.0.0.1:{refusing_port()}"

    @pytest.fixture(params=["setting", "environment", "nonsense"])
    def jp_server_config(
        self, jp_server_config: dict[str, Any], request: Any, monkeypatch: pytest.MonkeyPatch
    ) -> dict[str, Any]:
        config = copy.deepcopy(jp_server_config)
        if request.param == "environment":
            monkeypatch.setenv("MLFLOW_TRACKING_URI", self.uri)
        else:
            nonsense = "http://127.0.0.1:99999999"
            config["MlopsSettings"]["mlflow_tracking_uri"] = self.uri if request.param == "setting" else nonsense
        return config

    async def test_a_sweep_is_not_started(self, api: Api, train: Path, store: Store) -> None:
        code, message = await api.refused("POST", "sweeps", REQUEST)
        assert code == 503
        assert "does not answer; start it, or clear mlflow_tracking_uri" in message
        assert store.sweeps.find() == []
        # the rest goes on
        assert (await api.done("POST", "space", REQUEST))["total"] == 3


async def test_mlflow_before_there_is_one(api: Api) -> None:
    assert await api.refused("GET", "mlflow/") == (
        503,
        "MLflow has not been started yet.",
    )


async def test_mlflow_takes_writes_of_this_site_and_of_tokens_only(api: Api) -> None:
    ours = {"Sec-Fetch-Site": "same-origin"}
    for headers, code in (({}, 503), (ours, 503), ({"Sec-Fetch-Site": "cross-site"}, 403)):
        assert (await api.refused("POST", "mlflow/ajax-api/x", {}, headers=headers))[0] == code


def test_settings_reach_the_server(jp_serverapp: Any, data_dir: Path) -> None:
    backend = jp_serverapp.web_app.settings["mlops_backend"]
    assert isinstance(backend.settings, MlopsSettings)
    assert backend.settings.data_dir == str(data_dir)
