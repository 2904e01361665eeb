"""Stores of earlier releases: they open, all that is in them is shown, and what was under way goes on."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from api_helpers import Api
from conftest import serving
from postgresql_helpers import Server
from upgrade_helpers import RELEASES, Earlier, into_postgresql, lay_out

from jupyter_mlops.settings import MlopsSettings
from jupyter_mlops.store import Store

NOBODY = "tcp://127.0.0.1:9"
OBJECTIVE = {"metric": "accuracy", "direction": "maximize"}
# stamped when steps change; shown to nobody
UNCOMPARED = {"revision", "token_hash"}


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=RELEASES)
def earlier(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Earlier:
    found = lay_out(request.param, tmp_path / "home" / "ada")
    if kind == "postgresql":
        server: Server = request.getfixturevalue("postgresql")
        into_postgresql(found, server)
    return found


@pytest.fixture
def jp_root_dir(earlier: Earlier) -> Path:
    return earlier.project


@pytest.fixture
def jp_server_config(earlier: Earlier) -> dict[str, Any]:
    settings = {"data_dir": str(earlier.data), "start_service": False, "store": earlier.store}
    return {"ServerApp": {"jpserver_extensions": {"jupyter_mlops": True}}, "MlopsSettings": settings}


def text(said: Any) -> Any:
    """What a person reads of a message, which earlier releases kept as a bare sentence."""
    return said["text"] if isinstance(said, dict) and "text" in said else said


def check_kept(now: Any, before: Any, project: Path, place: str = "") -> None:
    """All that a record said is said now, by the same names; what was added since does not count."""
    if isinstance(before, dict):
        assert isinstance(now, dict), place
        for name, value in before.items():
            if name not in UNCOMPARED:
                check_kept(now.get(name), value, project, f"{place}.{name}")
    elif isinstance(before, list):
        assert isinstance(now, list) and len(now) == len(before), place
        for number, (one, other) in enumerate(zip(now, before, strict=True)):
            check_kept(one, other, project, f"{place}[{number}]")
    elif isinstance(before, str) and before.startswith(str(project)):
        assert now in (before, os.path.relpath(before, project)), place
    else:
        assert text(now) == before, place


# -- what is shown -----------------------------------------------------------------------------------


async def test_all_sweeps_are_shown_with_their_runs_and_notebooks(earlier: Earlier, api: Api) -> None:
    project = earlier.project
    listed = {sweep["id"]: sweep for sweep in (await api.done("GET", "changes", params={"since": 0}))["sweeps"]}
    for sweep in earlier.rows["sweeps"]:
        check_kept(await api.done("GET", f"sweeps/{sweep['id']}"), sweep, project, sweep["name"])
        assert (sweep["id"] in listed) is (sweep["pipeline_run"] == "")
        assert (await api.done("GET", f"sweeps/{sweep['id']}/notebook"))["cells"]
        listed_runs = (await api.done("GET", f"sweeps/{sweep['id']}/runs"))["runs"]
        assert {run["id"] for run in listed_runs} == {
            run["id"] for run in earlier.rows["runs"] if run["sweep_id"] == sweep["id"]
        }
    for run in earlier.rows["runs"]:
        check_kept(await api.done("GET", f"runs/{run['id']}"), run, project, run["id"])
        if run["metrics"]:
            notebook = await api.done("GET", f"runs/{run['id']}/notebook")
            assert any(cell.get("outputs") for cell in notebook["cells"])


async def test_all_pipelines_are_shown_with_their_versions_triggers_and_runs(earlier: Earlier, api: Api) -> None:
    project = earlier.project
    for pipeline in earlier.rows["pipelines"]:
        details = await api.done("GET", f"pipelines/{pipeline['id']}")
        check_kept(details["pipeline"], pipeline, project, pipeline["name"])
        assert len(details["versions"]) == pipeline["versions"]
        assert details["graph"]
        triggers = [trigger for trigger in earlier.rows["triggers"] if trigger["pipeline_id"] == pipeline["id"]]
        for shown in details["triggers"]:
            (trigger,) = (trigger for trigger in triggers if trigger["id"] == shown["id"])
            # a pattern is shown as it was typed
            assert trigger["pattern"].endswith(shown["pattern"])
            check_kept(shown | {"pattern": trigger["pattern"]}, trigger, project, trigger["kind"])
        assert len(details["triggers"]) == len(triggers)
    for version in earlier.rows["versions"]:
        shown = await api.done("GET", f"pipelines/{version['pipeline_id']}/versions/{version['number']}")
        check_kept(shown, version, project, f"version {version['number']}")
    for run in earlier.rows["pipeline_runs"]:
        shown = await api.done("GET", f"pipeline-runs/{run['id']}")
        check_kept(shown["run"], run, project, run["id"])
        steps = [step for step in earlier.rows["step_runs"] if step["run_id"] == run["id"]]
        check_kept(shown["steps"], sorted(steps, key=lambda step: step["position"]), project, run["id"])
    params = {"older": 1, "newer": 2}
    found = await api.done("GET", f"pipelines/{earlier.facts['nightly']}/diff", params=params)
    # of frozen files alone: the notebook's source was changed between them
    assert list(found["notebooks"]) == ["prepare.ipynb"]


async def test_old_forms_objectives_and_targets_are_read_wherever_they_were_kept(earlier: Earlier, api: Api) -> None:
    drafted = (await api.done("GET", "notebook", params={"path": "train.ipynb"}))["draft"]
    saved = (await api.done("GET", "notebook", params={"path": "remembered.ipynb"}))["saved"]
    for form in (drafted, saved):
        assert form["space"] == {"depth": "3:6"}
        check_kept(form["objective"], OBJECTIVE, earlier.project)
        assert form["target"] == NOBODY
    # a target that is gone is said where it is used, and what was said of it is still read
    gone = await api.done("GET", f"sweeps/{earlier.facts['nowhere']}")
    assert text(gone["message"]).startswith(f"No Dask scheduler answers at {NOBODY}")
    for name in ("nightly", "elsewhere"):
        path = f"{name}.pipeline.yaml"
        body = {"path": path, "text": (earlier.project / path).read_text()}
        check = await api.done("POST", "pipeline-text/check", body)
        assert check["problems"] == []
        version = await api.done("GET", f"pipelines/{earlier.facts[name]}/versions/1")
        for definition in (check["definition"], version["definition"]):
            assert definition["target"] == (NOBODY if name == "elsewhere" else "local")
            if name == "nightly":
                check_kept(definition["steps"]["train"]["sweep"]["objective"], OBJECTIVE, earlier.project)


# -- what goes on ------------------------------------------------------------------------------------


@pytest.fixture
def settings(earlier: Earlier) -> MlopsSettings:
    return MlopsSettings(data_dir=str(earlier.data), store=earlier.store, local_slots=2, service_idle_timeout=60.0)


async def until(api: Api, path: str, holds: Callable[[Any], Any], seconds: float = 120) -> Any:
    """Ask until the answer is as it should be."""
    deadline = time.monotonic() + seconds
    while not holds(answer := await api.done("GET", path)):
        assert time.monotonic() < deadline, f"{path}: {answer}"
        await asyncio.sleep(0.2)
    return answer


def over(answer: Any) -> bool:
    return bool(answer.get("run", answer)["ended_at"])


@pytest.mark.parametrize("kind", ["sqlite"])
async def test_what_was_under_way_goes_on_and_what_was_scheduled_fires(
    earlier: Earlier, settings: MlopsSettings, api: Api
) -> None:
    facts = earlier.facts
    (earlier.project / "go").touch()
    new_file = earlier.project / "incoming" / "new.csv"
    new_file.write_text("2\n")
    with serving(settings):
        await api.done("POST", f"sweeps/{facts['paused']}/resume")
        await _sweeps_end(earlier, api)
        await _pipelines_run(earlier, api, str(new_file))
        headers = {"Authorization": f"Bearer {facts['token']}"}
        called = await api.done("POST", f"triggers/{facts['http']}/call", {}, headers=headers)
        run = (await until(api, f"pipeline-runs/{called['id']}", over))["run"]
        assert (run["state"], run["parameters"]["depth"]) == ("succeeded", 5)
        # a target that was gone before still is, and its step waits for it as it did, until a person stops it
        waiting = f"pipeline-runs/{facts['elsewhere_waiting']}"
        (step,) = (await api.done("GET", waiting))["steps"]
        assert (step["state"], text(step["message"]).startswith("Waiting: ")) == ("running", True)
        await api.done("POST", f"{waiting}/stop")
        assert (await until(api, waiting, over))["run"]["state"] == "stopped"


async def _sweeps_end(earlier: Earlier, api: Api) -> None:
    attempts = {}
    for name in ("paused", "live", "queued"):
        sweep = await until(api, f"sweeps/{earlier.facts[name]}", over)
        assert (sweep["state"], sweep["counts"]) == ("succeeded", {"succeeded": sweep["total"]}), sweep
        runs = (await api.done("GET", f"sweeps/{sweep['id']}/runs"))["runs"]
        attempts[name] = [run["attempt"] for run in runs]
        best = max(run["metrics"]["accuracy"] for run in runs)
        assert sweep["objective"] is None or sweep["best_value"] == pytest.approx(best)
    # what was with a worker that is gone is repeated; nothing else is
    assert attempts == {"paused": [1, 1, 1, 1], "live": [2, 1, 1], "queued": [1, 1]}


async def _pipelines_run(earlier: Earlier, api: Api, new_file: str) -> None:
    facts = earlier.facts
    for name in ("gated_running", "single_queued"):
        details = await until(api, f"pipeline-runs/{facts[name]}", over)
        assert details["run"]["state"] == "succeeded", details
    for pipeline, trigger in (("nightly", "cron"), ("single", "files"), ("failing", "follower")):
        path = f"pipelines/{facts[pipeline]}/runs"

        def fired(page: Any, trigger: str = trigger) -> Any:
            return next((run for run in page["runs"] if run["trigger_id"] == facts[trigger] and over(run)), None)

        run = fired(await until(api, path, fired))
        assert run["state"] == "succeeded", run
        # of a version that the earlier release froze
        assert run["version"] == (2 if pipeline == "nightly" else 1)
        if trigger == "files":
            assert run["parameters"]["trigger_files"] == [new_file]
    resting = await api.done("GET", f"pipelines/{facts['resting']}/runs")
    assert [run["id"] for run in resting["runs"]] == [facts["stopped_run"]], "what is paused does not fire"


async def test_an_earlier_store_is_migrated_once_by_all_who_open_it(earlier: Earlier, settings: MlopsSettings) -> None:
    before = {row["id"] for row in earlier.rows["sweeps"]}
    stores = await asyncio.gather(*(asyncio.to_thread(Store, settings.store_url) for _ in range(4)))
    for store in stores:
        assert {sweep.id for sweep in store.sweeps.find(deleted=None)} == before
        store.close()
