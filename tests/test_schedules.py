"""What fires pipelines: schedules, files, other pipelines, calls, backfills."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from conftest import wait_until
from hostile_helpers import SilentServer
from pipeline_helpers import PipelineService

from jupyter_mlops.compute import Targets
from jupyter_mlops.core.cron import iso
from jupyter_mlops.core.errors import ConflictError, InvalidInputError, NotFoundError
from jupyter_mlops.core.pipelines.definition import PipelineDefinition, Step
from jupyter_mlops.core.pipelines.records import Pipeline, PipelineRun, Trigger, Version
from jupyter_mlops.core.pipelines.requests import (
    BackfillRequest,
    PipelineChange,
    RunRequest,
    ScheduleRequest,
    TriggerChange,
)
from jupyter_mlops.core.record import now
from jupyter_mlops.core.states import PipelineRunState
from jupyter_mlops.services.context import Context
from jupyter_mlops.services.pipelines.firing import due
from jupyter_mlops.services.pipelines.new_files import FILES, look
from jupyter_mlops.services.pipelines.requests import Pipelines
from jupyter_mlops.services.pipelines.scheduler import BATCH, Scheduler
from jupyter_mlops.services.process.layout import Layout
from jupyter_mlops.settings import MlopsSettings
from jupyter_mlops.store import Store
from jupyter_mlops.tracking import Tracking

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


def cron_trigger(line: str = "0 * * * *", **fields: Any) -> Trigger:
    return msgspec.structs.replace(Trigger(id="t", pipeline_id="p", cron=line), **fields)


def fired(trigger: Trigger, moment: datetime) -> list[str]:
    """Scheduled times that make a run, as clocks show them."""
    return [at[11:16] for at, run, _ in due(trigger, moment).due if run is not None]


# -- missed times ----------------------------------------------------------------------------------


def test_what_is_on_time_fires_whatever_the_policy() -> None:
    for policy in ("skip", "one", "all"):
        trigger = cron_trigger(missed=policy, grace=0.0, next_at=iso(NOON))
        firing = due(trigger, NOON + timedelta(milliseconds=20))
        assert [at for at, run, _ in firing.due if run] == [iso(NOON)]
        assert firing.next_at == iso(NOON + timedelta(hours=1))


@pytest.mark.parametrize(("policy", "times"), [("skip", []), ("one", ["11:00"]), ("all", ["09:00", "10:00", "11:00"])])
def test_missed_times_follow_the_policy(policy: str, times: list[str]) -> None:
    trigger = cron_trigger(missed=policy, grace=3 * 3600.0, next_at=iso(NOON - timedelta(hours=5)))
    moment = NOON - timedelta(minutes=30)
    assert fired(trigger, moment) == times
    assert due(trigger, moment).next_at == iso(NOON)


def test_only_the_last_of_a_year_of_minutes_is_made_up_for() -> None:
    trigger = cron_trigger("* * * * *", missed="one", next_at=iso(NOON - timedelta(days=365)))
    firing = due(trigger, NOON + timedelta(seconds=10))
    assert [at for at, run, _ in firing.due if run] == [iso(NOON)]
    assert len(firing.due) == 2
    assert "missed" in firing.due[0][2]


def test_all_missed_times_are_made_up_for_in_turns() -> None:
    trigger = cron_trigger("* * * * *", missed="all", grace=86_400.0, next_at=iso(NOON - timedelta(days=20)))
    first = due(trigger, NOON)
    second = due(msgspec.structs.replace(trigger, next_at=first.next_at), NOON)
    times = [at for firing in (first, second) for at, run, _ in firing.due if run]
    assert len(times) == len(set(times)) == 1441
    assert second.next_at == iso(NOON + timedelta(minutes=1))


def test_beyond_its_grace_a_missed_time_is_over() -> None:
    trigger = cron_trigger("0 6 * * *", missed="one", grace=3600.0, next_at=iso(NOON - timedelta(hours=6)))
    (_, run, reason), *_ = due(trigger, NOON).due
    assert run is None and "grace" in reason


def test_a_zone_that_is_gone_stops_a_schedule_with_a_sentence() -> None:
    firing = due(cron_trigger(zone="Mars/Olympus", next_at=iso(NOON)), NOON)
    assert firing.next_at is None and "Mars/Olympus" in firing.message and not firing.due


# -- requests -------------------------------------------------------------------------------------


@pytest.fixture
def pipelines(store: Store, settings: MlopsSettings) -> Pipelines:
    return Pipelines(store, settings)


def stored(store: Store, folder: Path, **fields: Any) -> Pipeline:
    definition = PipelineDefinition(steps={"a": Step(notebook="a.ipynb")}, parameters={"x": 1})
    version = Version(pipeline_id="", number=0, definition=definition)
    pipeline = Pipeline(id=fields.pop("id", "p"), name="p", path=str(folder / "a.ipynb"), project=str(folder))
    return store.pipelines.create(msgspec.structs.replace(pipeline, **fields), version)


@pytest.mark.parametrize(
    ("request_", "field", "says"),
    [
        (ScheduleRequest(cron="* * * * * *"), "cron", "six"),
        (ScheduleRequest(cron="0 0 31 2 *"), "cron", "never"),
        (ScheduleRequest(cron="61 * * * *"), "cron", "minute"),
        (ScheduleRequest(cron=""), "cron", ""),
        (ScheduleRequest(cron="0 6 * * *", zone="Europe/Atlantis"), "zone", "Atlantis"),
        (ScheduleRequest(cron="0 6 * * *", grace=-1), "grace", "negative"),
        (ScheduleRequest(kind="files"), "pattern", "which files"),
        (ScheduleRequest(kind="files", pattern="nowhere://x/*"), "pattern", "nowhere"),
        (ScheduleRequest(kind="pipeline"), "upstream", "which pipeline"),
        (ScheduleRequest(kind="pipeline", upstream="p"), "upstream", "itself"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(
    pipelines: Pipelines, tmp_path: Path, request_: ScheduleRequest, field: str, says: str
) -> None:
    stored(pipelines.store, tmp_path)
    with pytest.raises(InvalidInputError) as refused:
        pipelines.add_trigger("p", request_)
    assert field in refused.value.fields
    assert says in str(refused.value)
    assert pipelines.store.triggers.find("p") == []


def test_pipelines_may_not_fire_each_other_in_a_circle(pipelines: Pipelines, tmp_path: Path) -> None:
    for name in ("p", "q", "r"):
        stored(pipelines.store, tmp_path, id=name)
    pipelines.add_trigger("q", ScheduleRequest(kind="pipeline", upstream="p"))
    pipelines.add_trigger("r", ScheduleRequest(kind="pipeline", upstream="q"))
    with pytest.raises(InvalidInputError, match="for ever"):
        pipelines.add_trigger("p", ScheduleRequest(kind="pipeline", upstream="r"))


def test_paused_and_deleted_pipelines_are_not_due(pipelines: Pipelines, tmp_path: Path) -> None:
    store = pipelines.store
    stored(store, tmp_path)
    trigger = pipelines.add_trigger("p", ScheduleRequest(cron="* * * * *")).trigger
    assert store.pipelines.get("p").next_at == trigger.next_at is not None
    assert store.triggers.next_due() == trigger.next_at
    pipelines.change("p", PipelineChange(paused=True))
    assert store.triggers.next_due() is None and store.pipelines.get("p").next_at is None
    pipelines.change_trigger(trigger.id, TriggerChange(cron="*/5 * * * *"))
    assert store.triggers.next_due() is None
    pipelines.change("p", PipelineChange(paused=False))
    assert store.triggers.next_due() is not None
    pipelines.change_trigger(trigger.id, TriggerChange(enabled=False))
    assert store.triggers.next_due() is None
    pipelines.change_trigger(trigger.id, TriggerChange(enabled=True))
    pipelines.delete("p")
    assert store.triggers.next_due() is None
    pipelines.restore("p")
    assert store.triggers.next_due() is not None


def test_a_backfill_fires_each_time_once(pipelines: Pipelines, tmp_path: Path) -> None:
    store = pipelines.store
    stored(store, tmp_path)
    pipelines.add_trigger("p", ScheduleRequest(cron="0 6 * * *", zone="Europe/Berlin"))
    asked = BackfillRequest(start="2026-03-27", end="2026-03-30", dry_run=True)
    dry = pipelines.backfill("p", asked)
    # the clocks are put forward in the night to the 29th
    assert [at[:16] for at in dry.times] == [
        "2026-03-27T05:00",
        "2026-03-28T05:00",
        "2026-03-29T04:00",
        "2026-03-30T04:00",
    ]
    assert store.pipeline_runs.find("p") == []
    pipelines.backfill("p", msgspec.structs.replace(asked, dry_run=False))
    again = pipelines.backfill("p", BackfillRequest(start="2026-03-29", end="2026-04-01"))
    assert (len(again.times), again.known) == (4, 2)
    runs = sorted(store.pipeline_runs.find("p"), key=lambda run: run.number)
    assert [run.scheduled_at[:10] for run in runs] == [f"2026-03-{day}" for day in (27, 28, 29, 30, 31)] + [
        "2026-04-01"
    ]
    assert {run.cause for run in runs} == {"backfill"}


@pytest.mark.parametrize(
    ("start", "end", "says"),
    [
        ("2026-03-30", "2026-03-27", "before the start"),
        ("2999-01-01", "2999-01-02", "future"),
        ("yesterday", "2026-03-27", "is no time"),
        ("1900-01-01", "2026-01-01", "More than"),
        ("0001-01-01", "2026-01-01", "out of the calendar"),
    ],
)
def test_a_backfill_that_makes_no_sense_is_refused(
    pipelines: Pipelines, tmp_path: Path, start: str, end: str, says: str
) -> None:
    stored(pipelines.store, tmp_path)
    pipelines.add_trigger("p", ScheduleRequest(cron="0 6 * * *"))
    with pytest.raises(InvalidInputError, match=says):
        pipelines.backfill("p", BackfillRequest(start=start, end=end))


def test_what_was_missed_and_let_go_can_be_filled_in(pipelines: Pipelines, tmp_path: Path) -> None:
    store = pipelines.store
    stored(store, tmp_path)
    trigger = pipelines.add_trigger("p", ScheduleRequest(cron="0 6 * * *", missed="skip")).trigger
    trigger = store.triggers.change(trigger.id, next_at="2026-03-02T06:00:00.000000+00:00")
    assert store.triggers.fire([due(trigger, NOON)], now(), "here") == []
    asked = BackfillRequest(start="2026-03-02", end="2026-03-10")
    assert pipelines.backfill("p", asked).known == 0
    assert pipelines.backfill("p", asked).known == 9
    runs = store.pipeline_runs.find("p")
    assert [run.cause for run in runs] == ["backfill"] * 9
    assert {fire.run_id for fire in store.triggers.fired(trigger.id)} == {run.id for run in runs}


def test_a_call_needs_the_token_and_fires_once_each(pipelines: Pipelines, tmp_path: Path) -> None:
    stored(pipelines.store, tmp_path)
    answer = pipelines.add_trigger("p", ScheduleRequest(kind="http", parameters={"x": 2}))
    assert answer.token and not answer.trigger.token_hash
    assert answer.token not in str(pipelines.store.triggers.get(answer.trigger.id))
    for wrong in ("", "no", answer.token + "x"):
        with pytest.raises(NotFoundError):
            pipelines.checked_trigger(answer.trigger.id, wrong)
    trigger = pipelines.checked_trigger(answer.trigger.id, answer.token)
    first = pipelines.fire_by_call(trigger, RunRequest())
    second = pipelines.fire_by_call(trigger, RunRequest(parameters={"x": 3}))
    assert (first.number, first.parameters, first.cause) == (1, {"x": 2}, "http")
    assert (second.number, second.parameters) == (2, {"x": 3})
    with pytest.raises(InvalidInputError, match="no parameter"):
        pipelines.fire_by_call(trigger, RunRequest(parameters={"y": 3}))
    pipelines.change("p", PipelineChange(paused=True))
    with pytest.raises(ConflictError, match="paused"):
        pipelines.fire_by_call(pipelines.store.triggers.get(trigger.id), RunRequest())


# -- files ------------------------------------------------------------------------------------------


def files_trigger(pattern: str) -> Trigger:
    return Trigger(id="t", pipeline_id="p", kind="files", pattern=pattern, created_at=now())


def test_ten_thousand_files_at_once_make_one_run(tmp_path: Path) -> None:
    trigger = files_trigger(str(tmp_path / "*.csv"))
    (tmp_path / "old.csv").write_text("1")
    state, run = look(trigger, None)
    assert run is None, "what is there at first fires nothing"
    for i in range(10_000):
        (tmp_path / f"{i:05}.csv").touch()
    state, run = look(trigger, state)
    assert run is None, "it may still be written to"
    (tmp_path / "last.csv").write_text("1")
    state, run = look(trigger, state)
    assert run is None, "more are coming"
    state, run = look(trigger, state)
    assert run is not None
    assert len(run.parameters[FILES]) == 1_000
    state, run = look(trigger, state)
    assert run is None
    (tmp_path / "old.csv").write_text("changed")
    (tmp_path / "last.csv").unlink()
    state, _ = look(trigger, state)
    state, run = look(trigger, state)
    assert run is not None and run.parameters[FILES] == [str(tmp_path / "old.csv")]


def test_files_are_watched_at_any_address() -> None:
    import fsspec

    memory = fsspec.filesystem("memory")
    trigger = files_trigger("memory://bucket/in/*.json")
    state, _ = look(trigger, None)
    memory.pipe("/bucket/in/a.json", b"{}")
    memory.pipe("/bucket/in/b.txt", b"")
    state, _ = look(trigger, state)
    state, run = look(trigger, state)
    assert run is not None and run.parameters[FILES] == ["memory:///bucket/in/a.json"]


# -- in a service -----------------------------------------------------------------------------------


def simple(piped: PipelineService, name: str = "job", text: str = "") -> str:
    piped.notebook(f"{name}.ipynb", "scheduled_time = ''", "said = scheduled_time" + (f"\n{text}" if text else ""))
    return piped.promote(
        f"name: {name}\nsteps:\n  {name}: {{notebook: {name}.ipynb, outputs: [said]}}\n", file=f"{name}.pipeline.yaml"
    )


def make_due(piped: PipelineService, trigger_id: str) -> str:
    """Let a schedule of every minute be due at the last full minute."""
    minute = datetime.now(UTC).replace(second=0, microsecond=0)
    piped.store.triggers.change(trigger_id, next_at=iso(minute))
    return iso(minute)


def first_run(piped: PipelineService, pipeline_id: str) -> PipelineRun:
    runs: list[PipelineRun] = wait_until(lambda: piped.store.pipeline_runs.find(pipeline_id))
    return piped.wait(runs[0].id)


def test_a_schedule_fires_and_tells_the_notebook_its_time(piped: PipelineService) -> None:
    pipeline = simple(piped)
    trigger = piped.pipelines.add_trigger(pipeline, ScheduleRequest(cron="* * * * *")).trigger
    piped.service.start()
    at = make_due(piped, trigger.id)
    run = first_run(piped, pipeline)
    piped.pipelines.delete_trigger(trigger.id)
    assert run.state is PipelineRunState.SUCCEEDED, run
    assert (run.cause, run.scheduled_at) == ("cron", at)
    assert piped.steps(run.id)["job"].outputs["said"] == at


def test_files_fire_a_run_that_knows_them(piped: PipelineService, monkeypatch: pytest.MonkeyPatch) -> None:
    piped.notebook("take.ipynb", "files = []", "names = [str(file) for file in files]")
    pipeline = piped.promote(
        "parameters: {trigger_files: []}\n"
        'steps:\n  take: {notebook: take.ipynb, parameters: {files: "${trigger_files}"}, outputs: [names]}\n'
    )
    trigger = piped.pipelines.add_trigger(pipeline, ScheduleRequest(kind="files", pattern="in/*.csv")).trigger
    piped.service.start()
    wait_until(lambda: piped.store.triggers.state(trigger.id))
    (piped.folder / "in").mkdir()
    (piped.folder / "in" / "new.csv").write_text("1")
    for _ in range(2):
        seen = piped.store.triggers.get(trigger.id).revision
        piped.store.triggers.change(trigger.id, next_at=now())
        wait_until(lambda seen=seen: piped.store.triggers.get(trigger.id).revision > seen + 1)
    run = first_run(piped, pipeline)
    piped.pipelines.delete_trigger(trigger.id)
    assert run.cause == "files"
    assert piped.steps(run.id)["take"].outputs["names"] == [str(piped.folder / "in" / "new.csv")]


def test_file_patterns_on_a_host_that_never_answers_hold_nothing_up(piped: PipelineService) -> None:
    pipeline = simple(piped, "other")
    silent = SilentServer()
    request = ScheduleRequest(kind="files", pattern=f"{silent.uri}/in/*.csv")
    # more than threads in asyncio's own pool
    triggers = [piped.pipelines.add_trigger(pipeline, request).trigger for _ in range(8)]
    try:
        piped.service.start()
        wait_until(lambda: silent.requests >= len(triggers))
        run, _ = piped.run(pipeline)
        assert run.state is PipelineRunState.SUCCEEDED
        # each says so, and is looked at again later and later
        found = [wait_until(lambda one=one: _with_message(piped, one.id)) for one in triggers]
        for trigger in found:
            assert "has not answered for 30 s" in trigger.message
            assert trigger.next_at is not None
            later = datetime.fromisoformat(trigger.next_at) - datetime.fromisoformat(trigger.created_at)
            # thirty seconds in vain, then twice the usual ten
            assert later.total_seconds() >= 50
    finally:
        for trigger in triggers:
            piped.pipelines.delete_trigger(trigger.id)


async def test_schedules_fire_behind_more_files_than_one_turn_takes(
    store: Store, settings: MlopsSettings, tmp_path: Path
) -> None:
    """Listings that hang stay due, and the first of all that was due hid every schedule behind them."""
    stored(store, tmp_path)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(BATCH + 1):
        due_at = iso(at + timedelta(seconds=number))
        store.triggers.create(Trigger(id=f"f{number}", pipeline_id="p", kind="files", pattern="/x/*", next_at=due_at))
    store.triggers.create(cron_trigger(id="c", next_at=iso(at + timedelta(days=1))))
    epoch = store.leases.acquire("service:here", "here")
    layout, targets = Layout(settings.data_path), Targets(settings.data_path, 1)
    context = Context(store, "here", epoch, settings, layout, targets, Tracking(settings.data_path))
    scheduler = Scheduler(context)
    assert not scheduler.turn()
    assert len(store.pipeline_runs.find("p")) == 1
    assert len(scheduler._looking) == BATCH
    scheduler.turn()
    assert len(scheduler._looking) == BATCH + 1
    looking = list(scheduler._looking.values())
    for task in looking:
        task.cancel()
    await asyncio.gather(*looking, return_exceptions=True)


def _with_message(piped: PipelineService, trigger_id: str) -> Trigger | None:
    trigger = piped.store.triggers.get(trigger_id)
    return trigger if trigger.message else None


def test_a_pipeline_follows_anothers_end(piped: PipelineService) -> None:
    first, good, bad = simple(piped, "first"), simple(piped, "good"), simple(piped, "bad")
    piped.pipelines.add_trigger(good, ScheduleRequest(kind="pipeline", upstream=first))
    piped.pipelines.add_trigger(bad, ScheduleRequest(kind="pipeline", upstream=first, on="failed"))
    piped.run(first)
    run = first_run(piped, good)
    assert run.cause == "pipeline" and run.state is PipelineRunState.SUCCEEDED
    assert piped.store.pipeline_runs.find(bad) == []


@pytest.mark.parametrize(
    ("overlap", "states"),
    [
        ("skip", ["succeeded", "skipped"]),
        ("queue", ["succeeded", "succeeded"]),
        ("replace", ["stopped", "succeeded"]),
    ],
)
def test_runs_that_overlap_follow_the_policy(piped: PipelineService, overlap: str, states: list[str]) -> None:
    pipeline = simple(piped, text="import time; time.sleep(4)")
    request = ScheduleRequest(cron="* * * * *", overlap=overlap)
    trigger = piped.pipelines.add_trigger(pipeline, request).trigger
    piped.service.start()
    started = piped.start(pipeline)
    wait_until(lambda: piped.store.pipeline_runs.get(started.id).state is PipelineRunState.RUNNING)
    make_due(piped, trigger.id)
    wait_until(lambda: len(piped.store.pipeline_runs.find(pipeline)) == 2)
    piped.pipelines.delete_trigger(trigger.id)
    runs = sorted(piped.store.pipeline_runs.find(pipeline), key=lambda run: run.number)
    ended = [piped.wait(run.id) for run in runs]
    assert [run.state.value for run in ended] == states
    if overlap == "queue":
        assert ended[0].ended_at is not None and ended[1].started_at is not None
        assert ended[1].started_at > ended[0].ended_at
