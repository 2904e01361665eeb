"""The REST API of pipelines on a real server; no service runs, so what is asked for stays as it was written down."""

from __future__ import annotations

import asyncio
import copy
from pathlib import Path
from typing import Any

import pytest
from api_helpers import PIPELINE_OPERATIONS, Api, as_read
from conftest import write_notebook

from jupyter_mlops.core.record import now
from jupyter_mlops.core.states import PipelineRunState, RunState, StepState, SweepState
from jupyter_mlops.store import Store

TEXT = """\
name: delays
parameters: {depth: 3}
steps:
  train: {notebook: train.ipynb, parameters: {depth: "${depth}"}, outputs: [auc]}
  report: {notebook: report.ipynb, parameters: {auc: "${train.auc}"}}
"""


@pytest.fixture
def project(jp_root_dir: Path, train: Path) -> Path:
    write_notebook(train.parent / "report.ipynb", "auc = 0.0", "print(auc)")
    (train.parent / "delays.pipeline.yaml").write_text(TEXT)
    return train.parent


FILE = "sub/delays.pipeline.yaml"


async def test_every_route_of_pipelines(api: Api, project: Path, store: Store) -> None:
    words = await api.done("POST", "cron", {"cron": "0 6 * * *", "zone": "Europe/Berlin"})
    assert "06:00" in words["words"] and len(words["next"]) == 5
    checked = await api.done("POST", "pipeline-text/check", {"path": FILE, "text": TEXT})
    assert checked["problems"] == [] and [step["layer"] for step in checked["graph"]] == [0, 1]
    step = {"notebook": "train.ipynb", "after": ["report"]}
    added = await api.done("POST", "pipeline-text/step", {"path": FILE, "text": TEXT, "name": "again", "step": step})
    assert added["text"].startswith(TEXT) and "again:" in added["text"]

    promoted = await api.done("POST", "pipelines", {"path": FILE, "schedule": {"cron": "0 6 * * *"}, "note": "first"})
    pipeline = promoted["pipeline"]
    place = f"pipelines/{pipeline['id']}"
    assert (pipeline["path"], pipeline["project"], pipeline["name"]) == (FILE, "sub", "delays")
    assert pipeline["next_at"] == promoted["trigger"]["next_at"]
    assert set(promoted["version"]["files"]) == {"train.ipynb", "report.ipynb"}
    again = await api.done("POST", "pipelines", {"path": FILE})
    assert (again["pipeline"]["id"], again["version"]["number"], again["trigger"]) == (pipeline["id"], 2, None)
    details = await api.done("GET", place)
    assert [version["number"] for version in details["versions"]] == [2, 1]
    assert details["keeper"]
    assert (await api.done("GET", f"{place}/versions/1"))["note"] == "first"
    assert (await api.done("GET", f"{place}/diff", params={"older": 1, "newer": 2}))["notebooks"] == {}
    changed = await api.done("PATCH", place, {"version": 1, "paused": True, "name": "late"})
    assert (changed["version"], changed["paused"], changed["name"], changed["next_at"]) == (1, True, "late", None)
    await api.done("PATCH", place, {"paused": False})

    trigger = (await api.done("POST", f"{place}/triggers", {"kind": "files", "pattern": "in/*.csv"}))["trigger"]
    assert trigger["pattern"] == "in/*.csv"
    paused = await api.done("PATCH", f"triggers/{trigger['id']}", {"enabled": False})
    assert (paused["next_at"], paused["pattern"]) == (None, "in/*.csv")
    await api.done("DELETE", f"triggers/{trigger['id']}")
    called = await api.done("POST", f"{place}/triggers", {"kind": "http"})
    headers = {"Authorization": f"Bearer {called['token']}"}
    run = await api.done(
        "POST", f"triggers/{called['trigger']['id']}/call", {"parameters": {"depth": 4}}, headers=headers
    )
    assert (run["cause"], run["parameters"], run["number"], run["version"]) == ("http", {"depth": 4}, 1, 1)

    by_hand = await api.done("POST", f"{place}/runs", {"scheduled_time": "2026-01-31T06:00+01:00", "version": 2})
    assert (by_hand["scheduled_at"][:16], by_hand["version"]) == ("2026-01-31T05:00", 2)
    past = await api.done("POST", f"{place}/backfill", {"start": "2026-03-01", "end": "2026-03-03", "dry_run": True})
    assert (len(past["times"]), past["known"]) == (3, 0)
    page = await api.done("GET", f"{place}/runs")
    assert [found["number"] for found in page["runs"]] == [2, 1]
    assert (await api.done("GET", f"{place}/runs", params={"since": page["revision"]}))["runs"] == []
    changes = await api.done("GET", "changes", params={"since": 0})
    assert [found["path"] for found in changes["pipelines"]] == [FILE]

    at = f"pipeline-runs/{run['id']}"
    shown = await api.done("GET", at)
    assert [step["name"] for step in shown["graph"]] == ["train", "report"]
    assert (await api.done("POST", f"{at}/stop"))["stop_requested"] is True
    store.pipeline_runs.change(run["id"], state=PipelineRunState.STOPPED, ended_at=now())
    assert (await api.done("POST", f"{at}/retry", {}))["state"] == "queued"
    for found in (run, by_hand):
        store.pipeline_runs.change(found["id"], state=PipelineRunState.STOPPED, ended_at=now())
    await api.done("DELETE", place)
    assert (await api.done("POST", f"{place}/restore"))["deleted_at"] is None

    told = {"path": "sub/train.ipynb", "name": "told", "alerts": {"to": ["json://127.0.0.1:1/"]}}
    told_id = (await api.done("POST", "pipelines", told))["pipeline"]["id"]
    tried = await api.done("POST", f"pipelines/{told_id}/test-alert")
    assert tried == {"addresses": 1, "problems": ["Address 1: json:// did not take it."]}

    assert api.succeeded >= PIPELINE_OPERATIONS


async def test_a_finished_run_is_promoted_with_two_clicks(api: Api, train: Path, store: Store) -> None:
    from jupyter_mlops.core.runs import Run

    sweep = await api.done("POST", "sweeps", {"path": "sub/train.ipynb", "space": {"depth": "1:3"}})
    made = Run(id="r1", sweep_id=sweep["id"], index=0, parameters={"depth": 2}, state=RunState.SUCCEEDED)
    store.runs.add(sweep["id"], [made, Run(id="r2", sweep_id=sweep["id"], index=1, state=RunState.FAILED)])
    code, said = await api.refused("POST", "pipelines", {"run_id": "r2"})
    assert code == 409 and "failed" in said
    code, said = await api.refused("POST", "pipelines", {"sweep_id": sweep["id"]})
    assert code == 409 and "best" in said
    # what was run counts, and not what the file has become
    train.write_text("broken")
    request = {"run_id": "r1", "name": "nightly", "schedule": {"cron": "30 4 * * 1-5", "zone": "Asia/Tokyo"}}
    answer = await api.done("POST", "pipelines", request)
    assert answer["version"]["definition"]["parameters"] == {"depth": 2, "rate": 0.1}
    assert answer["version"]["source"] == "run r1"
    assert answer["trigger"]["zone"] == "Asia/Tokyo"
    store.sweeps.change(sweep["id"], state=SweepState.STARTING)
    train.unlink()
    assert (await api.done("POST", "pipelines", {"run_id": "r1", "name": "nightly"}))["version"]["number"] == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (TEXT.replace("report.ipynb", "gone.ipynb"), "gone.ipynb"),
        (TEXT.replace("[auc]", "[other]"), "auc"),
        (TEXT.replace('depth: "${depth}"', "deep: 3"), "deep"),
        (TEXT.replace("train.ipynb, p", "train.ipynb, retries: often, p"), "line 4"),
        (TEXT + "  loop: {notebook: train.ipynb, after: [loop]}\n", "loop"),
        ("steps: [", "line 1"),
        ("", "nothing here"),
    ],
)
async def test_a_file_that_cannot_run_is_refused_with_its_place(
    api: Api, project: Path, store: Store, text: str, says: str
) -> None:
    (project / "delays.pipeline.yaml").write_text(text)
    code, said = await api.refused("POST", "pipelines", {"path": FILE})
    assert code == 400 and says in said, said
    assert store.pipelines.find() == []
    problems = (await api.done("POST", "pipeline-text/check", {"path": FILE, "text": text}))["problems"]
    assert problems and says.removeprefix("line 4") in problems[0]["message"] + f"line {problems[0]['line']}"


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


REFUSED: list[tuple[str, str, Any, int]] = [
    ("POST", "pipelines", {}, 400),
    ("POST", "pipelines", {"path": FILE, "run_id": "x"}, 400),
    ("POST", "pipelines", {"path": "../outside.ipynb"}, 403),
    ("POST", "pipelines", {"path": "sub/none.pipeline.yaml"}, 404),
    ("POST", "pipelines", {"path": "sub/train.txt"}, 400),
    ("POST", "pipelines", {"path": FILE, "schedule": {"cron": "0 0 31 2 *"}}, 400),
    ("POST", "pipelines", {"path": FILE, "schedule": {"cron": "0 6 * * *", "zone": "Nowhere"}}, 400),
    ("POST", "pipelines", {"path": FILE, "pipeline_id": "none"}, 404),
    ("POST", "pipeline-text/check", {"path": "../x.pipeline.yaml", "text": ""}, 403),
    ("GET", "pipelines/none", None, 404),
    ("GET", "pipeline-runs/none", None, 404),
    ("PATCH", "triggers/none", {}, 404),
    ("POST", "triggers/none/call", {}, 403),
    ("PATCH", "pipelines/{id}", {"name": " "}, 400),
    ("PATCH", "pipelines/{id}", {"version": 7}, 404),
    ("GET", "pipelines/{id}/versions/x", None, 404),
    ("GET", "pipelines/{id}/versions/99999999999999999999", None, 404),
    ("POST", "pipelines/{id}/runs", {"parameters": {"deep": 3}}, 400),
    ("POST", "pipelines/{id}/runs", {"scheduled_time": "soon"}, 400),
    ("POST", "pipelines/{id}/runs", {"version": 9}, 404),
    ("POST", "pipelines/{id}/backfill", {"start": "2026-01-01", "end": "2026-01-02"}, 400),
    ("POST", "pipelines/{id}/triggers", {"kind": "sometimes"}, 400),
    ("POST", "pipelines/{id}/triggers", {"cron": "* * * * * *"}, 400),
    *(("POST", "pipelines/{id}/runs", {"version": number}, 400) for number in (2**31, 2**63, 2**64, 10**30)),
    *(("PATCH", "pipelines/{id}", {"version": number}, 400) for number in (2**31, 2**63, 2**64)),
    *(
        ("POST", f"pipelines/{{id}}/{route}", fields, 400)
        for moment in ("0001-01-01T00:00+14:00", "9999-12-31T23:59-12:00", "9999-12-31", "0001-01-01")
        for route, fields in (
            ("runs", {"scheduled_time": moment}),
            ("backfill", {"start": moment, "end": "2026-01-02"}),
            ("backfill", {"start": "2026-01-02", "end": moment}),
        )
    ),
    *(
        ("POST", "pipelines/{id}/triggers", {"kind": "files", "pattern": pattern}, 400)
        for pattern in (
            *("zip://*::in/a.zip", "zip://*.csv", "reference://x", "ftp://", "s3://", "github://a:b@c/*", "a\0b"),
            *("filecache::s3://a/*", "simplecache://x", "blockcache::http://host/*", "tar://*::http://127.0.0.1:1/a"),
            *("nosuch://x/*", "://x", "data://,x", "x" * 5_000),
        )
    ),
    ("POST", "pipelines/{id}/triggers", {"cron": "0 6 * * *", "grace": 1e300}, 400),
    ("POST", "pipelines", {"path": "sub/train.ipynb", "timeout": 1e300}, 400),
    ("POST", "pipelines", {"path": "sub/train.ipynb", "retries": -1}, 400),
    ("POST", "pipelines", {"path": "sub/train.ipynb", "retention": {"days": 1e300}}, 400),
    ("POST", "pipelines", {"path": "sub/train.ipynb", "alerts": {"slow": 1e300}}, 400),
    ("POST", "pipelines", {"path": FILE, "note": "x" * 200_000}, 400),
    ("PATCH", "pipelines/{id}", {"name": "x" * 100_000}, 400),
    ("POST", "pipelines/{id}/runs", {"parameters": {"depth": nested(900)}}, 400),
    ("POST", "pipelines/{id}/runs", {"parameters": {"depth": nested(60)}}, 400),
]


@pytest.mark.parametrize(("method", "path", "body", "code"), REFUSED)
async def test_what_makes_no_sense_is_refused_with_a_sentence(
    api: Api, project: Path, store: Store, method: str, path: str, body: Any, code: int
) -> None:
    made = await api.done("POST", "pipelines", {"path": FILE})
    before = store.revision()
    found, said = await api.refused(method, path.format(id=made["pipeline"]["id"]), body)
    assert (found, said) == (code, said)
    assert "Traceback" not in said and len(said) > 15
    assert store.revision() == before


async def test_a_call_for_no_moment_is_refused_as_a_run_by_hand_is(api: Api, project: Path, store: Store) -> None:
    made = await api.done("POST", "pipelines", {"path": FILE})
    called = await api.done("POST", f"pipelines/{made['pipeline']['id']}/triggers", {"kind": "http"})
    headers = {"Authorization": f"Bearer {called['token']}"}
    before = store.revision()
    for fields in (
        {"scheduled_time": "0001-01-01T00:00+14:00"},
        {"scheduled_time": "9999-12-31T23:59-12:00"},
        {"parameters": {"depth": nested(900)}},
    ):
        code, said = await api.refused("POST", f"triggers/{called['trigger']['id']}/call", fields, headers=headers)
        assert code == 400 and len(said) > 15
    assert store.revision() == before


async def test_a_file_where_no_connection_is_possible_is_watched_without_trying_one(api: Api, project: Path) -> None:
    made = await api.done("POST", "pipelines", {"path": FILE})
    for pattern in ("ftp://127.0.0.1:9/in/*.csv", "~nosuchuser/*.csv", "in/**/*.csv", "http://127.0.0.1:9/*"):
        trigger = {"kind": "files", "pattern": pattern}
        await api.done("POST", f"pipelines/{made['pipeline']['id']}/triggers", trigger)


async def test_a_repeated_call_makes_no_second_run(api: Api, project: Path, store: Store) -> None:
    """The header is that of draft-ietf-httpapi-idempotency-key-header."""
    made = await api.done("POST", "pipelines", {"path": FILE})
    called = await api.done("POST", f"pipelines/{made['pipeline']['id']}/triggers", {"kind": "http"})
    place, token = f"triggers/{called['trigger']['id']}/call", {"Authorization": f"Bearer {called['token']}"}
    keyed = token | {"Idempotency-Key": "order 7"}
    first = await api.done("POST", place, {"parameters": {"depth": 4}}, headers=keyed)
    assert (await api.done("POST", place, {"parameters": {"depth": 4}}, headers=keyed))["id"] == first["id"]
    code, said = await api.refused("POST", place, {"parameters": {"depth": 5}}, headers=keyed)
    assert (code, "other parameters" in said) == (409, True)
    at = {"scheduled_time": "2026-01-31T06:00+01:00"}
    timed = await api.done("POST", place, at, headers=token)
    assert timed["id"] != first["id"]
    # the same moment, written in another zone; several at once, as an impatient client sends them
    same = {"scheduled_time": "2026-01-31T05:00Z"}
    answers = await asyncio.gather(*(api.done("POST", place, same, headers=token) for _ in range(4)))
    assert {answer["id"] for answer in answers} == {timed["id"]}
    other = await api.done("POST", place, at, headers=token | {"Idempotency-Key": "order 8"})
    without = [await api.done("POST", place, {}, headers=token) for _ in range(2)]
    runs = store.pipeline_runs.find(made["pipeline"]["id"])
    assert {run.id for run in runs} == {first["id"], timed["id"], other["id"], *(run["id"] for run in without)}
    assert (await api.refused("POST", place, {}, headers=token | {"Idempotency-Key": "x" * 251}))[0] == 400


class TestOfManyCalls:
    @pytest.fixture
    def jp_server_config(self, jp_server_config: dict[str, Any]) -> dict[str, Any]:
        config = copy.deepcopy(jp_server_config)
        config["MlopsSettings"]["calls_per_minute"] = 3
        return config

    async def test_more_calls_than_a_minute_may_have_are_refused_until_later(
        self, api: Api, project: Path, store: Store
    ) -> None:
        made = await api.done("POST", "pipelines", {"path": FILE})
        triggers = [
            await api.done("POST", f"pipelines/{made['pipeline']['id']}/triggers", {"kind": "http"}) for _ in range(2)
        ]
        places = [f"triggers/{called['trigger']['id']}/call" for called in triggers]
        tokens = [{"Authorization": f"Bearer {called['token']}"} for called in triggers]
        keyed = tokens[0] | {"Idempotency-Key": "first"}
        first = await api.done("POST", places[0], {}, headers=keyed)
        for _ in range(2):
            await api.done("POST", places[0], {}, headers=tokens[0])
        answer = await api.fetch("mlops", places[0], method="POST", body=b"{}", headers=tokens[0], raise_error=False)
        assert answer.code == 429 and 1 <= int(answer.headers["Retry-After"]) <= 60
        assert "called 3 times within a minute" in as_read(answer.body)["message"]
        # what was made already is answered, and another trigger has a minute of its own
        assert (await api.done("POST", places[0], {}, headers=keyed))["id"] == first["id"]
        await api.done("POST", places[1], {}, headers=tokens[1])
        assert len(store.pipeline_runs.find(made["pipeline"]["id"])) == 4


async def test_a_call_without_the_token_learns_nothing(api: Api, project: Path) -> None:
    made = await api.done("POST", "pipelines", {"path": FILE})
    called = await api.done("POST", f"pipelines/{made['pipeline']['id']}/triggers", {"kind": "http"})
    answers = set()
    for trigger, token in (
        (called["trigger"]["id"], "wrong"),
        (called["trigger"]["id"], ""),
        ("none", called["token"]),
    ):
        headers = {"Authorization": f"Bearer {token}"}
        answers.add(await api.refused("POST", f"triggers/{trigger}/call", {}, headers=headers))
    assert len(answers) == 1
    assert answers.pop()[0] == 403


async def test_a_retry_from_a_step_repeats_all_behind_it(api: Api, project: Path, store: Store) -> None:
    from jupyter_mlops.core.pipelines.records import StepRun

    made = await api.done("POST", "pipelines", {"path": FILE})
    run = await api.done("POST", f"pipelines/{made['pipeline']['id']}/runs", {})
    steps = [
        StepRun(
            id=f"{run['id']}-{i}", run_id=run["id"], pipeline_id=run["pipeline_id"], step=name, position=i, sweeps=["s"]
        )
        for i, name in enumerate(("train", "report"))
    ]
    store.pipeline_runs.add_steps(run["id"], steps)
    store.pipeline_runs.change(run["id"], state=PipelineRunState.RUNNING)
    for step in steps:
        store.pipeline_runs.change_step(step.id, state=StepState.SUCCEEDED, outputs={"auc": 1})
    assert (await api.refused("POST", f"pipeline-runs/{run['id']}/retry", {}))[0] == 409
    store.pipeline_runs.change(run["id"], state=PipelineRunState.FAILED, ended_at=now())
    assert (await api.refused("POST", f"pipeline-runs/{run['id']}/retry", {"step": "none"}))[0] == 404
    await api.done("POST", f"pipeline-runs/{run['id']}/retry", {"step": "report"})
    states = {step.step: (step.state, step.attempt) for step in store.pipeline_runs.steps(run["id"])}
    assert states == {"train": (StepState.SUCCEEDED, 1), "report": (StepState.WAITING, 2)}
