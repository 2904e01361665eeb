"""What the store promises of pipelines, on each back end: fires, turns, claims, revisions, what is removed."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from postgresql_helpers import new_url

from jupyter_mlops.core.errors import ConflictError, NotFoundError
from jupyter_mlops.core.messages import Message
from jupyter_mlops.core.pipelines.definition import PipelineDefinition, Step
from jupyter_mlops.core.pipelines.records import LogLine, Pipeline, PipelineRun, StepRun, Trigger, Version
from jupyter_mlops.core.states import (
    PIPELINE_RUN_MOVES,
    PIPELINE_RUN_OVER,
    STEP_MOVES,
    STEP_OVER,
    PipelineRunState,
    StepState,
)
from jupyter_mlops.core.sweeps import Sweep
from jupyter_mlops.store import Epoch, Firing, StaleEpochError, Store
from jupyter_mlops.store.pipeline_queue import MAX_LOG_LINES, RECENT

NUMBERS = itertools.count()
NOON = "2026-11-24T12:00:00.000000+00:00"
ONE = "2026-11-24T13:00:00.000000+00:00"
TWO = "2026-11-24T14:00:00.000000+00:00"
DEFINITION = PipelineDefinition(name="a", steps={"train": Step(notebook="train.ipynb")})


@pytest.fixture
def store(any_store: Store) -> Store:
    return any_store


def new_pipeline(store: Store, path: str = "/srv/a.ipynb", **fields: Any) -> Pipeline:
    number = next(NUMBERS)
    fields = {"created_at": f"2026-01-01T00:00:00.{number:06}+00:00"} | fields
    pipeline = Pipeline(id=f"pipeline{number}", name="a", path=path, project="/srv", **fields)
    return store.pipelines.create(pipeline, Version(pipeline_id="", number=0, definition=DEFINITION))


def new_trigger(store: Store, pipeline: Pipeline, next_at: str | None = NOON, **fields: Any) -> Trigger:
    trigger = Trigger(id=f"trigger{next(NUMBERS)}", pipeline_id=pipeline.id, next_at=next_at, **fields)
    return store.triggers.create(trigger)


def a_run(pipeline: Pipeline, **fields: Any) -> PipelineRun:
    fields = {"created_at": NOON} | fields
    return PipelineRun(id=f"run{next(NUMBERS)}", pipeline_id=pipeline.id, version=1, **fields)


def new_run(store: Store, pipeline: Pipeline, **fields: Any) -> PipelineRun:
    return store.pipeline_runs.create(a_run(pipeline, **fields))


def new_steps(store: Store, run: PipelineRun, *states: StepState, **fields: Any) -> list[StepRun]:
    steps = [
        StepRun(
            id=f"{run.id}-{position}",
            run_id=run.id,
            pipeline_id=run.pipeline_id,
            step=f"s{position}",
            position=position,
            state=state,
            **fields,
        )
        for position, state in enumerate(states)
    ]
    store.pipeline_runs.add_steps(run.id, steps)
    return store.pipeline_runs.steps(run.id)


def fire_at(trigger: Trigger, *times: str, next_at: str | None = TWO, **fields: Any) -> Firing:
    fields = {"cause": "cron", "overlap": trigger.overlap, "created_at": NOON} | fields
    runs = [
        PipelineRun(id=f"run{next(NUMBERS)}", pipeline_id=trigger.pipeline_id, version=0, scheduled_at=time, **fields)
        for time in times
    ]
    return Firing(trigger, next_at, [(run.scheduled_at, run, Message()) for run in runs])


def together(function: Callable[[int], None], count: int) -> None:
    failed: list[BaseException] = []

    def guarded(number: int) -> None:
        try:
            function(number)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=guarded, args=[number]) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


# -- moves -----------------------------------------------------------------------------------------


def test_every_state_has_its_row() -> None:
    assert set(PIPELINE_RUN_MOVES) == set(PipelineRunState)
    assert set(STEP_MOVES) == set(StepState)
    assert PipelineRunState.RUNNING not in PIPELINE_RUN_OVER
    assert StepState.WAITING not in STEP_OVER


@pytest.fixture(scope="module")
def shared(back_end: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = Store(new_url(back_end, request, tmp_path_factory.mktemp("shared")))
    yield store
    store.close()


@pytest.mark.parametrize(("before", "after"), itertools.product(PipelineRunState, PipelineRunState))
def test_runs_move_along_the_table_only(shared: Store, before: PipelineRunState, after: PipelineRunState) -> None:
    pipeline = new_pipeline(shared)
    run = new_run(shared, pipeline, state=before)
    if after is before or after in PIPELINE_RUN_MOVES[before]:
        assert shared.pipeline_runs.change(run.id, state=after).state is after
        assert [mark.state for mark in shared.pipelines.get(pipeline.id).recent] == [after]
    else:
        with pytest.raises(ConflictError, match=f"A run that is {before} cannot become {after}"):
            shared.pipeline_runs.change(run.id, state=after)
        assert shared.pipeline_runs.get(run.id) == run


@pytest.mark.parametrize(("before", "after"), itertools.product(StepState, StepState))
def test_steps_move_along_the_table_only(shared: Store, before: StepState, after: StepState) -> None:
    run = new_run(shared, new_pipeline(shared))
    (step,) = new_steps(shared, run, before)
    if after is before or after in STEP_MOVES[before]:
        assert shared.pipeline_runs.change_step(step.id, state=after).state is after
        assert shared.pipeline_runs.get(run.id).steps == {after.value: 1}
    else:
        with pytest.raises(ConflictError, match=f"A step that is {before} cannot become {after}"):
            shared.pipeline_runs.change_step(step.id, state=after)
        assert shared.pipeline_runs.get(run.id).steps == {before.value: 1}


def test_compare_and_set(store: Store) -> None:
    run = new_run(store, new_pipeline(store), state=PipelineRunState.RUNNING, service="a")
    (step,) = new_steps(store, run, StepState.RUNNING)
    before = store.revision()
    with pytest.raises(ConflictError, match="The run is running by now"):
        store.pipeline_runs.change(run.id, expect=[PipelineRunState.QUEUED], message="x")
    with pytest.raises(ConflictError, match="Another service has this run by now"):
        store.pipeline_runs.change(run.id, expect_service="b", message="x")
    with pytest.raises(ConflictError, match="The step is running by now"):
        store.pipeline_runs.change_step(step.id, expect=[StepState.WAITING], message="x")
    with pytest.raises(ConflictError, match="Attempt 2 of this step was given up; attempt 1 counts"):
        store.pipeline_runs.change_step(step.id, expect_attempt=2, message="x")
    assert store.revision() == before
    store.pipeline_runs.change(run.id, expect=[PipelineRunState.RUNNING], expect_service="a", message="y")
    store.pipeline_runs.change_step(step.id, expect=[StepState.RUNNING], expect_attempt=1, message="y")
    assert (store.pipeline_runs.get(run.id).message, store.pipeline_runs.step(step.id).message) == ("y", "y")


def test_writes_under_an_old_epoch_are_refused(store: Store) -> None:
    run = new_run(store, new_pipeline(store))
    (step,) = new_steps(store, run, StepState.WAITING)
    late = store.under(store.leases.acquire("service:a", "first"))
    late.pipeline_runs.change_step(step.id, message="x")
    store.leases.acquire("service:a", "second")
    before = store.revision()
    for write in (
        lambda: late.pipeline_runs.change(run.id, message="y"),
        lambda: late.pipeline_runs.change_step(step.id, message="y"),
        lambda: late.pipeline_runs.add_steps(run.id, [step]),
        lambda: late.pipeline_runs.claim(run.id, 1, "a"),
        late.leases.beat,
    ):
        with pytest.raises(StaleEpochError, match="“service:a” was taken over"):
            write()
    assert store.revision() == before


def test_heartbeats_count_within_an_epoch(store: Store) -> None:
    assert store.leases.beats() == {}
    first = store.leases.acquire("service:a", "first")
    other = store.leases.acquire("service:b", "other")
    for _ in range(3):
        store.under(first).leases.beat()
    store.under(other).leases.beat()
    assert store.leases.beats() == {"service:a": (1, 3), "service:b": (1, 1)}
    second = store.leases.acquire("service:a", "second")
    assert store.leases.beats() == {"service:a": (2, 0), "service:b": (1, 1)}
    store.under(second).leases.beat()
    assert store.leases.beats()["service:a"] == (2, 1)
    assert store.revision() == 0


# -- pipelines and versions ------------------------------------------------------------------------


def test_versions_count_and_never_change(store: Store) -> None:
    pipeline = new_pipeline(store)
    assert (pipeline.version, pipeline.versions) == (1, 1)
    other = PipelineDefinition(name="b", steps={"s \0 ü": Step(notebook="ü.ipynb", parameters={"x": [1.5, None]})})
    new = Version(pipeline_id="", number=0, definition=other, note="n", files={"ü.ipynb": store.blobs.put(b"00")})
    changed, version = store.pipelines.add_version(pipeline.id, new, name="b", steps=2)
    assert (changed.version, changed.versions, changed.name, changed.steps) == (2, 2, "b", 2)
    assert store.pipelines.version(pipeline.id, 2) == version
    assert (version.number, version.pipeline_id, version.definition) == (2, pipeline.id, other)
    assert [found.number for found in store.pipelines.versions(pipeline.id)] == [2, 1]
    # back to the first, and on: numbers are never used twice
    store.pipelines.change(pipeline.id, version=1)
    assert store.pipelines.add_version(pipeline.id, new)[1].number == 3
    with pytest.raises(NotFoundError, match="has no version 4"):
        store.pipelines.version(pipeline.id, 4)
    with pytest.raises(NotFoundError, match="There is no pipeline zzz"):
        store.pipelines.add_version("zzz", new)


def test_no_two_versions_have_one_number(store: Store) -> None:
    pipeline = new_pipeline(store)
    numbers: list[int] = []
    version = Version(pipeline_id="", number=0, definition=DEFINITION)
    together(lambda _: numbers.append(store.pipelines.add_version(pipeline.id, version)[1].number), 8)
    assert sorted(numbers) == list(range(2, 10))


def test_listing_pipelines(store: Store) -> None:
    first = new_pipeline(store, "/srv/ada/a.ipynb")
    second = new_pipeline(store, "/srv/ada/b.pipeline.yaml")
    other = new_pipeline(store, "/srv/Ada/a.ipynb")
    gone = new_pipeline(store, "/srv/ada/c.ipynb", deleted_at=NOON)

    def ids(**options: Any) -> list[str]:
        return [pipeline.id for pipeline in store.pipelines.find(**options)]

    assert ids() == [first.id, second.id, other.id]
    assert ids(folder="/srv/ada") == ids(folder="/srv/ada/") == [first.id, second.id]
    assert ids(path="/srv/ada/b.pipeline.yaml") == [second.id]
    assert ids(deleted=True) == [gone.id]
    assert len(ids(deleted=None)) == 4
    store.pipelines.change(first.id, name="b")
    assert ids(since=gone.revision) == [first.id]


def test_what_is_not_there(store: Store) -> None:
    for ask in (store.pipelines.get, store.pipelines.change):
        with pytest.raises(NotFoundError, match="There is no pipeline zzz"):
            ask("zzz")
    for ask_run in (store.pipeline_runs.get, store.pipeline_runs.change, store.pipeline_runs.purge):
        with pytest.raises(NotFoundError, match="There is no pipeline run zzz"):
            ask_run("zzz")
    for ask_step in (store.pipeline_runs.step, store.pipeline_runs.change_step):
        with pytest.raises(NotFoundError, match="There is no step zzz"):
            ask_step("zzz")
    for ask_trigger in (store.triggers.get, store.triggers.change, store.triggers.delete):
        with pytest.raises(NotFoundError, match="There is no schedule or trigger"):
            ask_trigger("zzz")
    nowhere = Pipeline(id="zzz", name="a", path="/a", project="/")
    step = StepRun(id="s", run_id="zzz", pipeline_id="zzz", step="s")
    for make in (
        lambda: new_trigger(store, nowhere),
        lambda: new_run(store, nowhere),
        lambda: store.pipeline_runs.add_steps("zzz", [step]),
    ):
        with pytest.raises(NotFoundError, match="zzz"):
            make()
    assert store.revision() == 0


# -- triggers --------------------------------------------------------------------------------------


def test_what_is_due(store: Store) -> None:
    pipeline = new_pipeline(store)
    late = new_trigger(store, pipeline, ONE)
    whole = new_trigger(store, pipeline, "2026-11-24T12:00:00+00:00")
    half = new_trigger(store, pipeline, "2026-11-24T12:00:00.500000+00:00")
    never = new_trigger(store, pipeline, None, kind="http")
    off = new_trigger(store, pipeline, NOON, enabled=False)

    def ids(**options: Any) -> list[str]:
        return [trigger.id for trigger in store.triggers.find(**options)]

    assert ids(due="2026-11-24T12:00:00.700000+00:00") == [whole.id, half.id]
    assert ids(due="2026-11-24T12:00:00.700000+00:00", limit=1) == [whole.id]
    assert ids(due=ONE) == [whole.id, half.id, late.id]
    assert store.triggers.next_due() == whole.next_at
    assert ids(pipeline_id=pipeline.id)[:3] == [whole.id, half.id, late.id]
    assert set(ids()[3:]) == {never.id, off.id}
    # a disabled one keeps its time, and is due again when it is enabled
    assert store.triggers.get(off.id).next_at == NOON
    store.triggers.change(off.id, enabled=True)
    assert off.id in ids(due=ONE)


def test_a_pipeline_shows_when_a_schedule_fires_it_next(store: Store) -> None:
    pipeline = new_pipeline(store)
    assert store.pipelines.get(pipeline.id).next_at is None
    assert store.pipelines.get(pipeline.id).triggers == 0
    later = new_trigger(store, pipeline, ONE)
    sooner = new_trigger(store, pipeline, NOON)
    files = new_trigger(store, pipeline, "2026-01-01", kind="files")
    known = store.revision()
    assert store.pipelines.get(pipeline.id).next_at == NOON
    assert store.pipelines.get(pipeline.id).triggers == 3
    store.triggers.fire([Firing(files, ONE, [])], NOON, "a")
    assert store.pipelines.get(pipeline.id).triggers == 3
    store.triggers.change(sooner.id, enabled=False)
    assert store.pipelines.get(pipeline.id).triggers == 2
    assert [(found.id, found.next_at) for found in store.pipelines.find(since=known)] == [(pipeline.id, ONE)]
    store.triggers.delete(later.id)
    assert store.pipelines.get(pipeline.id).next_at is None
    store.triggers.change(sooner.id, enabled=True)
    assert store.pipelines.get(pipeline.id).next_at == NOON


@pytest.mark.parametrize("how", [{"paused": True}, {"deleted_at": NOON}])
def test_what_is_paused_or_deleted_is_not_due(store: Store, how: dict[str, Any]) -> None:
    pipeline = new_pipeline(store)
    trigger = new_trigger(store, pipeline)
    files = new_trigger(store, pipeline, kind="files")
    assert len(store.triggers.find(due=ONE)) == 2
    changed = store.pipelines.change(pipeline.id, **how)
    assert changed.next_at is None and changed == store.pipelines.get(pipeline.id)
    assert (store.triggers.find(due=ONE), store.triggers.next_due()) == ([], None)
    # a service that had read it as due before, and what is set meanwhile
    assert store.triggers.fire([fire_at(trigger, NOON)], NOON, "a") == []
    trigger = store.triggers.change(trigger.id, next_at=ONE)
    new_trigger(store, pipeline)
    assert store.triggers.next_due() is None
    # what a person asks for while it is paused is done
    wanted = store.triggers.fire([fire_at(trigger, NOON, cause="backfill")], NOON, "a")
    assert len(wanted) == (1 if "paused" in how else 0)
    changed = store.pipelines.change(pipeline.id, **dict.fromkeys(how))
    assert {found.id for found in store.triggers.find(due=NOON)} >= {files.id}
    assert changed.next_at == NOON


# -- fires -----------------------------------------------------------------------------------------


def test_a_fire_makes_a_run_and_moves_its_trigger_in_one_step(store: Store) -> None:
    pipeline = new_pipeline(store)
    trigger = new_trigger(store, pipeline, parameters={"a": 1})
    known = store.revision()
    (run,) = store.triggers.fire([fire_at(trigger, NOON, parameters={"a": 1})], ONE, "service a")
    assert store.revision() == known + 1
    assert (run.number, run.version, run.state, run.scheduled_at) == (1, 1, PipelineRunState.QUEUED, NOON)
    assert store.pipeline_runs.find(pipeline.id, since=known) == [run]
    moved = store.triggers.get(trigger.id)
    assert (moved.next_at, moved.last_at, moved.revision) == (TWO, NOON, known + 1)
    (fire,) = store.triggers.fired(trigger.id)
    assert (fire.scheduled_at, fire.fired_at, fire.service, fire.run_id) == (NOON, ONE, "service a", run.id)
    shown = store.pipelines.get(pipeline.id)
    assert (shown.runs, shown.next_at, [mark.id for mark in shown.recent]) == (1, TWO, [run.id])


def test_who_read_it_before_another_fired_it_fires_nothing(store: Store) -> None:
    trigger = new_trigger(store, new_pipeline(store))
    firings = [fire_at(trigger, NOON), fire_at(trigger, NOON, next_at=ONE)]
    assert len(store.triggers.fire(firings[:1], NOON, "a")) == 1
    before = store.triggers.get(trigger.id)
    assert store.triggers.fire(firings[1:], NOON, "b") == []
    assert store.triggers.get(trigger.id) == before
    assert [fire.service for fire in store.triggers.fired(trigger.id)] == ["a"]


def test_one_trigger_twice_in_one_transaction_fires_once(store: Store) -> None:
    pipeline = new_pipeline(store)
    first, second = new_trigger(store, pipeline), new_trigger(store, pipeline, ONE, overlap="skip")
    made = store.triggers.fire(
        [fire_at(first, NOON), fire_at(first, ONE), fire_at(second, ONE, next_at=ONE)], NOON, "a"
    )
    assert [(run.trigger_id, run.scheduled_at, run.number) for run in made] == [("", NOON, 1), ("", ONE, 2)]
    # what the first of them made goes on while the second begins
    assert [run.state for run in made] == [PipelineRunState.QUEUED, PipelineRunState.SKIPPED]
    shown = store.pipelines.get(pipeline.id)
    assert (shown.runs, shown.next_at, [mark.number for mark in shown.recent]) == (2, ONE, [1, 2])


def test_what_was_changed_or_deleted_meanwhile_is_not_fired(store: Store) -> None:
    pipeline = new_pipeline(store)
    changed, deleted, kept = (new_trigger(store, pipeline) for _ in range(3))
    store.triggers.change(changed.id, enabled=False)
    store.triggers.delete(deleted.id)
    (run,) = store.triggers.fire([fire_at(trigger, NOON) for trigger in (changed, deleted, kept)], NOON, "a")
    assert store.triggers.fired(kept.id)[0].run_id == run.id
    assert store.triggers.fired(changed.id) == store.triggers.fired(deleted.id) == []


def test_a_time_fires_once_also_when_it_is_filled_in(store: Store) -> None:
    trigger = new_trigger(store, new_pipeline(store))
    store.triggers.fire([fire_at(trigger, NOON)], NOON, "a")
    trigger = store.triggers.get(trigger.id)
    made = store.triggers.fire([fire_at(trigger, ONE, NOON, "2026-11-24T11", ONE)], TWO, "a")
    assert [run.scheduled_at for run in made] == [ONE, "2026-11-24T11"]
    assert [fire.scheduled_at for fire in store.triggers.fired(trigger.id)] == [ONE, NOON, "2026-11-24T11"]
    assert [fire.scheduled_at for fire in store.triggers.fired(trigger.id, since=NOON, limit=1)] == [ONE]
    assert len(store.triggers.fired(trigger.id, since=NOON)) == 2
    assert store.triggers.get(trigger.id).last_at == ONE


def test_why_nothing_was_started_is_kept(store: Store) -> None:
    trigger = new_trigger(store, new_pipeline(store))
    assert (
        store.triggers.fire(
            [Firing(trigger, TWO, [(NOON, None, Message("It was missed"))], message=Message("m"))], ONE, "a"
        )
        == []
    )
    (fire,) = store.triggers.fired(trigger.id)
    assert (fire.run_id, fire.reason) == ("", "It was missed")
    assert store.triggers.get(trigger.id).message == "m"
    # a look that found nothing
    trigger = store.triggers.get(trigger.id)
    store.triggers.fire([Firing(trigger, ONE, [], state={"seen": 1})], ONE, "a")
    assert (store.triggers.get(trigger.id).next_at, store.triggers.state(trigger.id)) == (ONE, {"seen": 1})
    store.triggers.delete(trigger.id)
    assert store.triggers.state(trigger.id) is None


def test_a_backfill_of_years_is_one_transaction(store: Store) -> None:
    pipeline = new_pipeline(store)
    trigger = new_trigger(store, pipeline)
    times = [f"{year}-{month:02}-{day:02}" for year in range(2000, 2010) for month in range(1, 13) for day in range(28)]
    known = store.revision()
    made = store.triggers.fire([fire_at(trigger, *times, cause="backfill", overlap="queue")], NOON, "a")
    assert [run.number for run in made] == list(range(1, len(times) + 1))
    assert store.revision() == known + 1
    assert store.pipeline_runs.first_queued() == {made[0].id: 0}
    assert store.pipelines.get(pipeline.id).runs == len(times)


FIRER = """
import sys
from uuid import uuid4
from jupyter_mlops.core.messages import Message
from jupyter_mlops.core.pipelines.records import PipelineRun
from jupyter_mlops.store import Firing, Store

url, name, last = sys.argv[1:]
store = Store(url)
print("ready", flush=True)
sys.stdin.readline()
while found := store.triggers.find(due=last, limit=5):
    firings = []
    for trigger in found:
        minute = int(trigger.next_at[-2:])
        run = PipelineRun(id=uuid4().hex, pipeline_id=trigger.pipeline_id, version=0, cause="cron",
                          scheduled_at=trigger.next_at, overlap="queue")
        firings.append(Firing(trigger, f"2026-01-01T00:{minute + 1:02}", [(trigger.next_at, run, Message())]))
    store.triggers.fire(firings, "now", name)
store.close()
"""


def test_many_services_fire_each_time_exactly_once(store: Store, store_url: str) -> None:
    pipelines = [new_pipeline(store) for _ in range(3)]
    triggers = [new_trigger(store, pipelines[i % 3], "2026-01-01T00:00") for i in range(12)]
    last, minutes = "2026-01-01T00:11", 12
    services = [
        subprocess.Popen(
            [sys.executable, "-c", FIRER, store_url, f"service {number}", last],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for number in range(3)
    ]
    for service in services:
        assert service.stdout is not None and service.stdout.readline() == b"ready\n"
    for service in services:
        assert service.stdin is not None
        service.stdin.write(b"\n")
        service.stdin.close()

    def serve(number: int) -> None:
        own = Store(store_url)
        while found := own.triggers.find(due=last, limit=7):
            firings = [
                fire_at(trigger, str(trigger.next_at), next_at=f"2026-01-01T00:{int(str(trigger.next_at)[-2:]) + 1:02}")
                for trigger in found
            ]
            own.triggers.fire(firings, "now", f"thread {number}")
        own.close()

    together(serve, 4)
    assert [service.wait(180) for service in services] == [0, 0, 0]
    times = [f"2026-01-01T00:{minute:02}" for minute in range(minutes)]
    for trigger in triggers:
        assert [fire.scheduled_at for fire in store.triggers.fired(trigger.id)] == times[::-1]
    for pipeline in pipelines:
        runs = store.pipeline_runs.find(pipeline.id)
        assert [run.number for run in runs] == list(range(4 * minutes, 0, -1))
        assert Counter(run.scheduled_at for run in runs) == dict.fromkeys(times, 4)
        assert store.pipelines.get(pipeline.id).runs == 4 * minutes
    fired = {fire.run_id for trigger in triggers for fire in store.triggers.fired(trigger.id)}
    assert fired == {run.id for run in store.pipeline_runs.find()}


# -- whose turn it is ------------------------------------------------------------------------------


def test_skip_leaves_a_run_that_says_why(store: Store) -> None:
    pipeline = new_pipeline(store)
    trigger = new_trigger(store, pipeline, overlap="skip")
    (first,) = store.triggers.fire([fire_at(trigger, NOON)], NOON, "a")
    (second,) = store.triggers.fire([fire_at(store.triggers.get(trigger.id), ONE)], NOON, "a")
    assert (first.state, second.state) == (PipelineRunState.QUEUED, PipelineRunState.SKIPPED)
    assert (second.message, second.ended_at) == ("Run 1 went on, and runs do not overlap", second.created_at)
    assert store.triggers.fired(trigger.id)[0].reason == second.message
    store.pipeline_runs.change(first.id, state=PipelineRunState.STOPPED)
    (third,) = store.triggers.fire([fire_at(store.triggers.get(trigger.id), TWO)], NOON, "a")
    assert (third.state, third.number) == (PipelineRunState.QUEUED, 3)


def test_replace_has_what_goes_on_stopped(store: Store) -> None:
    pipeline, other = new_pipeline(store), new_pipeline(store)
    running = new_run(store, pipeline, state=PipelineRunState.RUNNING)
    queued = new_run(store, pipeline)
    elsewhere = new_run(store, other)
    first = new_run(store, pipeline, overlap="replace")
    second = new_run(store, pipeline, overlap="replace")
    for run, by in ((running, first), (queued, first), (first, second)):
        found = store.pipeline_runs.get(run.id)
        assert found.stop_requested and found.message == f"Replaced by run {by.number}"
        assert [line.text for line in found.log] == [f"Run {by.number} takes its place"]
    assert not store.pipeline_runs.get(second.id).stop_requested
    assert store.pipeline_runs.get(elsewhere.id) == elsewhere
    assert [mark.id for mark in store.pipelines.get(pipeline.id).recent] == [running.id, queued.id, first.id, second.id]


@pytest.mark.parametrize("overlap", ["skip", "replace", "queue"])
def test_several_times_at_once_are_as_one_after_the_other(store: Store, overlap: str) -> None:
    def shape(*batches: list[str]) -> list[tuple[Any, ...]]:
        pipeline = new_pipeline(store)
        new_run(store, pipeline)
        trigger = new_trigger(store, pipeline, overlap=overlap)
        for times in batches:
            store.triggers.fire([fire_at(store.triggers.get(trigger.id), *times)], NOON, "a")
        runs = store.pipeline_runs.find(pipeline.id)
        assert [mark.id for mark in store.pipelines.get(pipeline.id).recent] == [run.id for run in runs[::-1]]
        reasons = [fire.reason for fire in store.triggers.fired(trigger.id)]
        assert [run.id for run in runs[:-1]] == [fire.run_id for fire in store.triggers.fired(trigger.id)]
        return [(run.number, run.state, run.message, run.stop_requested, run.log) for run in runs] + [(*reasons,)]

    assert shape([NOON, ONE, TWO]) == shape([NOON], [ONE], [TWO])


def test_queue_waits_for_its_turn(store: Store) -> None:
    pipeline = new_pipeline(store)
    runs = [new_run(store, pipeline, overlap="queue") for _ in range(4)]

    def claim(run: PipelineRun, concurrency: int = 2) -> bool:
        taken = store.pipeline_runs.claim(run.id, concurrency, "a")
        assert taken is None or taken == store.pipeline_runs.get(run.id)
        assert taken is None or (taken.state, taken.service) == (PipelineRunState.RUNNING, "a")
        return taken is not None

    assert [claim(run) for run in (runs[1], runs[0], runs[0], runs[1], runs[2])] == [False, True, False, True, False]
    store.pipeline_runs.change(runs[1].id, state=PipelineRunState.SUCCEEDED)
    assert store.pipeline_runs.first_queued() == {runs[2].id: 1}
    assert [claim(run) for run in (runs[3], runs[2], runs[3])] == [False, True, False]
    assert claim(runs[3], concurrency=3)


def test_one_of_many_claims_a_run(store: Store) -> None:
    pipeline = new_pipeline(store)
    runs = [new_run(store, pipeline) for _ in range(6)]
    services = [store.under(store.leases.acquire(f"service:{number}", "me")) for number in range(6)]
    won: list[tuple[str, str]] = []

    def claim(number: int) -> None:
        taken = [services[number].pipeline_runs.claim(run.id, 4, f"s{number}") for run in runs]
        won.extend((run.id, f"s{number}") for run in taken if run is not None)

    together(claim, 6)
    assert sorted(run_id for run_id, _ in won) == sorted(run.id for run in runs[:4])
    assert all(store.pipeline_runs.get(run_id).service == service for run_id, service in won)


def test_no_two_runs_have_one_number(store: Store) -> None:
    pipeline = new_pipeline(store)
    together(lambda _: [new_run(store, pipeline) for _ in range(5)] and None, 6)
    assert [run.number for run in store.pipeline_runs.find(pipeline.id)] == list(range(30, 0, -1))
    assert store.pipelines.get(pipeline.id).runs == 30


def test_what_follows_a_run_is_fired_with_its_end(store: Store) -> None:
    first = new_pipeline(store)
    after = {on: new_pipeline(store) for on in ("succeeded", "failed", "ended")}
    triggers = {
        on: new_trigger(store, pipeline, None, kind="pipeline", upstream=first.id, on=on, parameters={"on": on})
        for on, pipeline in after.items()
    }
    resting = new_pipeline(store, paused=True)
    new_trigger(store, resting, None, kind="pipeline", upstream=first.id, on="ended")
    store.pipelines.add_version(after["ended"].id, Version(pipeline_id="", number=0, definition=DEFINITION))

    def end(state: PipelineRunState, at: str) -> set[str]:
        known = store.revision() + 1
        run = new_run(store, first, state=PipelineRunState.RUNNING)
        store.pipeline_runs.change(run.id, state=state, ended_at=at)
        # told again, it is no second end
        store.pipeline_runs.change(run.id, message="x")
        return {on for on, pipeline in after.items() if store.pipeline_runs.find(pipeline.id, since=known)}

    assert end(PipelineRunState.SUCCEEDED, NOON) == {"succeeded", "ended"}
    assert end(PipelineRunState.FAILED, ONE) == {"failed", "ended"}
    assert end(PipelineRunState.STOPPED, TWO) == {"ended"}
    found = store.pipeline_runs.find(after["ended"].id)
    assert [(run.number, run.scheduled_at, run.cause) for run in found] == [
        (3, TWO, "pipeline"),
        (2, ONE, "pipeline"),
        (1, NOON, "pipeline"),
    ]
    assert (found[0].version, found[0].parameters) == (2, {"on": "ended"})
    assert len(store.triggers.fired(triggers["ended"].id)) == 3
    assert store.pipeline_runs.find(resting.id) == []


# -- what is shown ---------------------------------------------------------------------------------


def test_the_last_runs_of_a_pipeline(store: Store) -> None:
    pipeline = new_pipeline(store)
    runs = [new_run(store, pipeline) for _ in range(RECENT + 3)]
    marks = store.pipelines.get(pipeline.id).recent
    assert [mark.number for mark in marks] == list(range(4, RECENT + 4))
    last = runs[-1]
    store.pipeline_runs.change(last.id, state=PipelineRunState.RUNNING, started_at=NOON)
    store.pipeline_runs.change(last.id, state=PipelineRunState.FAILED, ended_at="2026-11-24T12:00:01.2345+00:00")
    mark = store.pipelines.get(pipeline.id).recent[-1]
    assert (mark.id, mark.state, mark.at, mark.seconds) == (last.id, PipelineRunState.FAILED, NOON, 1.234)
    # one that is not shown any more
    store.pipeline_runs.change(runs[0].id, state=PipelineRunState.STOPPED)
    assert [mark.number for mark in store.pipelines.get(pipeline.id).recent] == list(range(4, RECENT + 4))


def test_the_log_of_a_run_keeps_its_last_lines(store: Store) -> None:
    run = new_run(store, new_pipeline(store))
    for number in range(3):
        lines = [LogLine(at=NOON, text=f"{number} {line} \0 \ud800", step="s") for line in range(MAX_LOG_LINES - 80)]
        store.pipeline_runs.change(run.id, say=lines)
    log = store.pipeline_runs.get(run.id).log
    assert len(log) == MAX_LOG_LINES
    assert log[-1].text == f"2 {MAX_LOG_LINES - 81} \0 \ud800"


def test_a_change_of_a_step_shows_in_its_run_and_pipeline(store: Store) -> None:
    pipeline, other = new_pipeline(store), new_pipeline(store)
    run, idle = new_run(store, pipeline), new_run(store, other)
    steps = new_steps(store, run, StepState.WAITING, StepState.WAITING)
    known = store.revision()
    assert store.pipelines.find(since=known) == store.pipeline_runs.find(since=known) == []
    for fields in ({"state": StepState.RUNNING}, {"message": "x"}, {"outputs": {"a": 1}}, {"state": StepState.FAILED}):
        changed = store.pipeline_runs.change_step(steps[0].id, **fields)
        assert changed.revision == store.revision() == known + 1
        (shown,) = store.pipelines.find(since=known)
        (shown_run,) = store.pipeline_runs.find(since=known)
        assert (shown.id, shown.revision, shown_run.id, shown_run.revision) == (
            pipeline.id,
            known + 1,
            run.id,
            known + 1,
        )
        assert store.pipelines.get(pipeline.id) == shown and store.pipeline_runs.get(run.id) == shown_run
        known += 1
    assert store.pipeline_runs.get(run.id).steps == {"failed": 1, "waiting": 1}
    assert store.pipeline_runs.get(idle.id).steps == {}
    assert [step.position for step in store.pipeline_runs.steps(run.id)] == [0, 1]


def test_steps_are_added_once(store: Store) -> None:
    run = new_run(store, new_pipeline(store))
    first = new_steps(store, run, StepState.WAITING)
    store.pipeline_runs.change_step(first[0].id, state=StepState.RUNNING)
    steps = new_steps(store, run, StepState.WAITING, StepState.WAITING)
    assert [step.state for step in steps] == [StepState.RUNNING, StepState.WAITING]
    assert store.pipeline_runs.get(run.id).steps == {"running": 1, "waiting": 1}
    known = store.revision()
    store.pipeline_runs.add_steps(run.id, steps)
    assert store.pipeline_runs.find(since=known) == []


def test_steps_counted_by_many_at_once(store: Store) -> None:
    run = new_run(store, new_pipeline(store))
    steps = new_steps(store, run, *[StepState.WAITING] * 12)

    def work(number: int) -> None:
        for step in steps[number::4]:
            store.pipeline_runs.change_step(step.id, state=StepState.RUNNING)
            store.pipeline_runs.change_step(step.id, state=StepState.SUCCEEDED if number else StepState.FAILED)

    together(work, 4)
    assert store.pipeline_runs.get(run.id).steps == {"succeeded": 9, "failed": 3}


def test_listing_runs(store: Store) -> None:
    pipeline, other = new_pipeline(store), new_pipeline(store)
    first, second = new_run(store, pipeline), new_run(store, pipeline)
    third = new_run(store, other)
    assert [run.id for run in store.pipeline_runs.find(pipeline.id)] == [second.id, first.id]
    assert [run.id for run in store.pipeline_runs.find(limit=2)] == [third.id, second.id]
    store.pipeline_runs.change(first.id, state=PipelineRunState.RUNNING)
    assert [run.id for run in store.pipeline_runs.find()] == [first.id, third.id, second.id]
    assert [run.id for run in store.pipeline_runs.find(states=[PipelineRunState.RUNNING])] == [first.id]
    assert [run.id for run in store.pipeline_runs.find(pipeline.id, since=third.revision)] == [first.id]


def test_what_can_be_reused(store: Store) -> None:
    pipeline, other = new_pipeline(store), new_pipeline(store)

    def step(of: Pipeline, state: StepState, fingerprint: str = "f") -> StepRun:
        return new_steps(store, new_run(store, of), state, fingerprint=fingerprint)[0]

    step(other, StepState.SUCCEEDED)
    step(pipeline, StepState.FAILED)
    step(pipeline, StepState.REUSED)
    step(pipeline, StepState.SUCCEEDED, "")
    assert store.pipeline_runs.reusable(pipeline.id, "f") is None
    assert store.pipeline_runs.reusable(pipeline.id, "") is None
    step(pipeline, StepState.SUCCEEDED)
    newest = step(pipeline, StepState.SUCCEEDED)
    assert store.pipeline_runs.reusable(pipeline.id, "f") == newest


# -- what is removed -------------------------------------------------------------------------------


def test_a_run_is_removed_with_its_steps(store: Store) -> None:
    pipeline = new_pipeline(store)
    trigger = new_trigger(store, pipeline)
    (run,) = store.triggers.fire([fire_at(trigger, NOON)], NOON, "a")
    kept = new_run(store, pipeline)
    (step,) = new_steps(store, run, StepState.SUCCEEDED, fingerprint="f")
    with pytest.raises(ConflictError, match="This run goes on; stop it first"):
        store.pipeline_runs.purge(run.id)
    store.pipeline_runs.change(run.id, state=PipelineRunState.STOPPED)
    known = store.revision()
    store.pipeline_runs.purge(run.id)
    for gone in (lambda: store.pipeline_runs.get(run.id), lambda: store.pipeline_runs.step(step.id)):
        with pytest.raises(NotFoundError):
            gone()
    assert store.pipeline_runs.reusable(pipeline.id, "f") is None
    (shown,) = store.pipelines.find(since=known)
    assert ([mark.id for mark in shown.recent], shown.runs) == ([kept.id], 2)
    # its time does not fire again, and its number is not given again
    assert store.triggers.fire([fire_at(store.triggers.get(trigger.id), NOON)], NOON, "a") == []
    assert new_run(store, pipeline).number == 3


def test_a_pipeline_is_removed_with_all_it_had(store: Store) -> None:
    pipeline, other = new_pipeline(store, deleted_at=NOON), new_pipeline(store)
    trigger = new_trigger(store, pipeline)
    store.infos.put(f"trigger:{trigger.id}", {"seen": 1})
    run, kept = new_run(store, pipeline), new_run(store, other)
    (step,) = new_steps(store, run, StepState.WAITING)
    assert store.pipelines.purgeable(NOON) == []
    assert store.pipelines.purgeable(ONE) == [pipeline.id]
    known = store.revision()
    store.pipelines.purge([pipeline.id])
    assert store.revision() > known
    for gone in (
        lambda: store.pipelines.get(pipeline.id),
        lambda: store.pipelines.version(pipeline.id, 1),
        lambda: store.triggers.get(trigger.id),
        lambda: store.pipeline_runs.get(run.id),
        lambda: store.pipeline_runs.step(step.id),
    ):
        with pytest.raises(NotFoundError):
            gone()
    assert store.triggers.state(trigger.id) is None
    assert store.pipeline_runs.find() == [kept]


def test_frozen_files_go_with_the_last_pipeline_that_has_them(store: Store) -> None:
    alone, shared, lock, diff = (store.blobs.put(data) for data in (b"alone", b"shared", b"lock", b"diff"))
    version = Version(pipeline_id="", number=0, definition=DEFINITION, files={"a.ipynb": shared})
    first, second = new_pipeline(store), new_pipeline(store)
    store.pipelines.add_version(first.id, msgspec.structs.replace(version, lock={"python3": lock}, git_diff=diff))
    store.pipelines.add_version(first.id, msgspec.structs.replace(version, files={"a.ipynb": shared, "b.py": alone}))
    store.pipelines.add_version(second.id, version)
    waiting = store.blobs.put(b"of a promotion that goes on")
    store.pipelines.purge([first.id])
    for gone in (alone, lock, diff):
        with pytest.raises(NotFoundError):
            store.blobs.get(gone)
    assert (store.blobs.get(shared), store.blobs.get(waiting)) == (b"shared", b"of a promotion that goes on")
    # one that was promoted at the same time, and found them there
    with pytest.raises(ConflictError, match="promote it once more"):
        store.pipelines.add_version(second.id, msgspec.structs.replace(version, lock={"python3": lock}))
    assert store.pipelines.get(second.id).version == 2
    store.pipelines.purge([second.id])
    with pytest.raises(NotFoundError):
        store.blobs.get(shared)


@pytest.mark.parametrize("first", ["pipeline", "sweep", "other sweep"])
def test_what_a_pipeline_and_sweeps_share_goes_with_the_last_of_them(store: Store, first: str) -> None:
    notebook = b'{"cells": []}'
    shared = store.blobs.put(notebook)
    pipeline = new_pipeline(store)
    version = Version(pipeline_id="", number=0, definition=DEFINITION, files={"a.ipynb": shared})
    store.pipelines.add_version(pipeline.id, version)
    for sweep_id in ("s1", "s2"):
        store.sweeps.create(Sweep(id=sweep_id, name="a", path="/a.ipynb", notebook_hash="h"), notebook)
    purges = {
        "pipeline": lambda: store.pipelines.purge([pipeline.id]),
        "sweep": lambda: store.sweeps.purge("s1"),
        "other sweep": lambda: store.sweeps.purge("s2"),
    }
    purges.pop(first)()
    while purges:
        assert store.blobs.get(shared) == notebook
        if "sweep" in purges:
            assert store.sweeps.notebook("s1") == notebook
        purges.popitem()[1]()
    with pytest.raises(NotFoundError):
        store.blobs.get(shared)


# -- many at once ----------------------------------------------------------------------------------

WRITER = """
import sys
from jupyter_mlops.core.states import StepState
from jupyter_mlops.store import Store
url, run = sys.argv[1:]
store = Store(url)
for number in range(25):
    store.pipeline_runs.change_step(f"{run}-{number % 3}", state=StepState.RUNNING, message=str(number))
    store.pipeline_runs.change_step(f"{run}-{number % 3}", state=StepState.WAITING)
    store.pipeline_runs.change(run, message=str(number))
store.close()
"""


def test_no_change_is_missed_by_who_asks_since_a_revision(store: Store, store_url: str) -> None:
    runs = [new_run(store, new_pipeline(store)) for _ in range(3)]
    for run in runs:
        new_steps(store, run, *[StepState.WAITING] * 3)
    processes = [subprocess.Popen([sys.executable, "-c", WRITER, store_url, run.id]) for run in runs]
    known: dict[str, Any] = {}
    since = 0
    over = False
    while not over:
        over = all(process.poll() is not None for process in processes)
        revision = store.revision()
        known |= {pipeline.id: pipeline for pipeline in store.pipelines.find(since=since)}
        known |= {run.id: run for run in store.pipeline_runs.find(since=since)}
        assert revision >= since
        since = revision
        time.sleep(0.005)
    assert [process.returncode for process in processes] == [0, 0, 0]
    for run in runs:
        assert known[run.id] == store.pipeline_runs.get(run.id)
        assert known[run.id].message == "24" and known[run.id].steps == {"waiting": 3}
        assert known[run.pipeline_id] == store.pipelines.get(run.pipeline_id)
    assert store.revision() == 3 * 3 + 3 * 25 * 3


def test_an_epoch_of_nobody(store: Store) -> None:
    run = new_run(store, new_pipeline(store))
    with pytest.raises(StaleEpochError):
        store.under(Epoch(name="service:zzz", number=1)).pipeline_runs.claim(run.id, 1, "a")
