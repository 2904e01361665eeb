"""People are told what became of runs: through the real apprise, by a real server of HTTP, out of a real store."""

from __future__ import annotations

import asyncio
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import PATIENCE, wait_until
from pipeline_helpers import PipelineService

from jupyter_mlops.compute import Targets
from jupyter_mlops.core.errors import ConflictError, InvalidInputError
from jupyter_mlops.core.pipelines.definition import AlertKind, PipelineDefinition, Retention, Step
from jupyter_mlops.core.pipelines.definition import Alerts as Wanted
from jupyter_mlops.core.pipelines.records import Pipeline, PipelineRun, StepRun, Version
from jupyter_mlops.core.pipelines.requests import PipelineChange
from jupyter_mlops.core.runs import RunError, SecretRef
from jupyter_mlops.core.states import PipelineRunState, StepState
from jupyter_mlops.services.context import Context
from jupyter_mlops.services.pipelines import alerts as module
from jupyter_mlops.services.pipelines.alerts import Alerts
from jupyter_mlops.services.pipelines.requests import Pipelines
from jupyter_mlops.services.process.layout import Layout
from jupyter_mlops.settings import MlopsSettings
from jupyter_mlops.store import Store
from jupyter_mlops.tracking import Tracking

ALL: list[AlertKind] = ["failure", "success", "slow", "recovery", "drift"]
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


class Clock:
    """The only one that alerts look at."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


class Receiver:
    """A server that takes what apprise sends to ``json://``, and refuses it as often as it is told to."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.refusals = 0
        self.seen = 0
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.seen += 1
                refuse = receiver.refusals > 0
                receiver.refusals -= refuse
                if not refuse:
                    receiver.told.append(json.loads(body))
                self.send_response(503 if refuse else 200)
                self.end_headers()

            def log_message(self, *words: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"json://127.0.0.1:{self.server.server_port}/secret-path"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def titles(self) -> list[str]:
        return [message["title"] for message in self.told]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


class Watched:
    """A pipeline in a store, its runs, and what tells of them."""

    def __init__(self, store: Store, settings: MlopsSettings, *, service: str = "here") -> None:
        self.store = store
        self.settings = settings
        self.epoch = store.leases.acquire(f"service:{service}", service)
        data = settings.data_path
        layout = Layout(data)
        self.context = Context(
            store,
            service,
            self.epoch,
            settings,
            layout,
            Targets(settings, store.targets),
            Tracking(data, "http://127.0.0.1:9"),
        )
        self.lost: set[str] = set()
        self.alerts = Alerts(self.context, lambda: self.lost)
        self.definition = PipelineDefinition(steps={"train": Step(notebook="train.ipynb")})

    def pipeline(self, to: Any, on: list[AlertKind], slow: float | None = None, service: str = "here") -> None:
        wanted = Wanted(to=to if isinstance(to, list) else [to], on=on, slow=slow)
        definition = PipelineDefinition(steps=self.definition.steps, alerts=wanted)
        version = Version(pipeline_id="p", number=1, definition=definition)
        made = Pipeline(
            id="p", name="delays", path="/home/ada/flights/delays.pipeline.yaml", project="/", service=service
        )
        self.store.pipelines.create(made, version)

    def run(
        self,
        number: int,
        state: PipelineRunState | None = None,
        *,
        seconds: float = 10.0,
        service: str = "here",
        **fields: Any,
    ) -> PipelineRun:
        """A run of so many seconds, ended where a state is given."""
        start = NOON if state else datetime.now(UTC) - timedelta(seconds=seconds)
        run = PipelineRun(id=f"r{number}", pipeline_id="p", version=1, cause="cron", created_at=start.isoformat())
        self.store.pipeline_runs.create(run)
        step = StepRun(id=f"r{number}-0", run_id=run.id, pipeline_id="p", step="train")
        self.store.pipeline_runs.add_steps(run.id, [step])
        self.store.pipeline_runs.change(
            run.id, state=PipelineRunState.RUNNING, service=service, started_at=start.isoformat(), **fields
        )
        if state is not None:
            self.end(number, state, start + timedelta(seconds=seconds))
        return self.store.pipeline_runs.get(run.id)

    def end(self, number: int, state: PipelineRunState, at: datetime | None = None) -> None:
        error = None
        if state is PipelineRunState.FAILED:
            error = RunError(name="ValueError", message="no flights in January\nand much more", traceback="Traceback")
        self.store.pipeline_runs.change_step(
            f"r{number}-0",
            state=StepState.FAILED if error else StepState.SUCCEEDED,
            error=error,
            message="It failed" if error else "",
        )
        ended = (at or datetime.now(UTC)).isoformat()
        self.store.pipeline_runs.change(f"r{number}", state=state, ended_at=ended)

    async def tell(self) -> None:
        """Look once, and wait until all is told."""
        await self.alerts.turn()
        while self.alerts._telling:
            await asyncio.gather(*self.alerts._telling.values())
            await self.alerts.turn()

    def log(self, number: int) -> list[str]:
        return [line.text for line in self.store.pipeline_runs.get(f"r{number}").log]


@pytest.fixture
def watched(store: Store, settings: MlopsSettings) -> Watched:
    return Watched(store, settings)


FAILED, SUCCEEDED, STOPPED = PipelineRunState.FAILED, PipelineRunState.SUCCEEDED, PipelineRunState.STOPPED


# -- what is told ------------------------------------------------------------------------------------


async def test_a_failure_says_where_and_why_and_how_to_find_it(watched: Watched, receiver: Receiver) -> None:
    watched.pipeline(receiver.address, ["failure"])
    watched.run(1, FAILED, seconds=75, scheduled_at=NOON.isoformat(), drift="pandas 2.2 → 3.0")
    await watched.tell()
    [message] = receiver.told
    assert message["title"] == "delays · run 1 failed"
    assert message["type"] == "failure"
    assert message["message"].splitlines() == [
        "Step train: ValueError: no flights in January",
        "The environment differs from the one at promotion: pandas 2.2 → 3.0",
        "Run 1 (cron, for 2026-01-31T12:00:00+00:00): failed, took 1 min 15 s",
        "Pipeline: /home/ada/flights/delays.pipeline.yaml (version 1)",
    ]
    assert watched.store.pipeline_runs.get("r1").alerted == ["failure"]
    assert watched.log(1) == ["Told: delays · run 1 failed"]


async def test_each_kind_is_told_once_though_the_service_is_started_anew(
    watched: Watched, receiver: Receiver, store: Store, settings: MlopsSettings
) -> None:
    watched.pipeline(receiver.address, ALL)
    for number, state in enumerate((SUCCEEDED, FAILED, STOPPED, FAILED, SUCCEEDED, SUCCEEDED), 1):
        watched.run(number, state)
    for _ in range(3):
        await watched.tell()
    next_service = Watched(store, settings)
    await next_service.tell()
    next_service.run(7, SUCCEEDED)
    await next_service.tell()
    assert receiver.titles == [
        "delays · run 1 succeeded",
        "delays · run 2 failed",
        "delays · run 4 failed",
        "delays · run 5 works again",
        "delays · run 6 succeeded",
        "delays · run 7 succeeded",
    ]
    assert "Run 4 had failed." in receiver.told[3]["message"]


async def test_a_run_repeated_by_a_person_is_told_of_anew(watched: Watched, receiver: Receiver) -> None:
    watched.pipeline(receiver.address, ["failure", "recovery"])
    for state in (FAILED, FAILED, SUCCEEDED):
        if state is FAILED and not receiver.told:
            watched.run(1, state)
        else:
            # as a person's “retry” does
            watched.store.pipeline_runs.change_step("r1-0", state=StepState.WAITING, error=None)
            watched.store.pipeline_runs.change("r1", state=PipelineRunState.QUEUED, alerted=[], ended_at=None)
            watched.store.pipeline_runs.change("r1", state=PipelineRunState.RUNNING)
            watched.end(1, state)
        await watched.tell()
    assert receiver.titles == ["delays · run 1 failed", "delays · run 1 failed", "delays · run 1 works again"]
    watched.run(2, SUCCEEDED)
    await watched.tell()
    assert len(receiver.told) == 3


async def test_nothing_is_told_where_nobody_wants_to_know(watched: Watched, receiver: Receiver) -> None:
    watched.pipeline(receiver.address, ["recovery"])
    watched.run(1, FAILED)
    watched.run(2, STOPPED)
    await watched.tell()
    assert receiver.told == []
    # that it had failed is remembered all the same
    watched.run(3, SUCCEEDED)
    await watched.tell()
    assert receiver.titles == ["delays · run 3 works again"]


async def test_a_run_is_slow_by_its_limit_while_it_goes_on(watched: Watched, receiver: Receiver) -> None:
    watched.pipeline(receiver.address, ["slow"], slow=60)
    watched.run(1, seconds=50)
    watched.run(2, seconds=70)
    await watched.tell()
    assert receiver.titles == ["delays · run 2 is slow"]
    assert receiver.told[0]["type"] == "warning"
    assert receiver.told[0]["message"].startswith("It has taken longer than 60 s and goes on.\n")
    watched.end(2, SUCCEEDED)
    watched.run(3, SUCCEEDED, seconds=61)
    await watched.tell()
    assert receiver.titles[1:] == ["delays · run 3 is slow"]


async def test_without_a_limit_a_run_is_slow_by_three_times_what_is_usual(watched: Watched, receiver: Receiver) -> None:
    watched.pipeline(receiver.address, ["slow"])
    watched.run(1, SUCCEEDED, seconds=10)
    watched.run(2, SUCCEEDED, seconds=500)
    watched.run(3, FAILED, seconds=9000)
    # two say nothing of what is usual
    watched.run(4, seconds=5000)
    await watched.tell()
    assert receiver.told == []
    watched.end(4, STOPPED)
    watched.run(5, SUCCEEDED, seconds=12)
    watched.run(6, seconds=35)
    await watched.tell()
    assert receiver.told == []
    watched.run(7, seconds=37)
    await watched.tell()
    assert receiver.titles == ["delays · run 7 is slow"]


async def test_an_environment_that_drifted_is_told_while_the_run_goes_on_and_not_each_time_the_same(
    watched: Watched, receiver: Receiver
) -> None:
    watched.pipeline(receiver.address, ["drift"])
    watched.run(1, drift="numpy 1 → 2")
    await watched.tell()
    watched.end(1, SUCCEEDED)
    watched.run(2, SUCCEEDED, drift="numpy 1 → 2")
    watched.run(3, SUCCEEDED, drift="numpy 1 → 3")
    watched.run(4, SUCCEEDED)
    await watched.tell()
    assert receiver.titles == [f"delays · run {number} runs in a changed environment" for number in (1, 3)]
    assert "numpy 1 → 3" in receiver.told[1]["message"]


async def test_a_step_that_waits_too_long_for_its_target_is_told(
    watched: Watched, receiver: Receiver, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.3)
    watched.pipeline(receiver.address, ["failure", "recovery"])
    watched.run(1)
    watched.run(2)
    for number, message in ((1, "Waiting: tcp://gpu:8786 does not answer"), (2, "Waiting for its turn")):
        watched.store.pipeline_runs.change_step(f"r{number}-0", state=StepState.RUNNING, message=message)
    await watched.tell()
    assert receiver.told == []
    clock.now += 0.4
    await watched.tell()
    await watched.tell()
    assert receiver.titles == ["delays · run 1 does not go on"]
    assert "Waiting: tcp://gpu:8786 does not answer" in receiver.told[0]["message"]
    # it came back
    watched.end(1, SUCCEEDED)
    await watched.tell()
    assert receiver.titles[1:] == ["delays · run 1 works again"]


async def test_a_wait_that_ends_in_time_is_not_told(
    watched: Watched, receiver: Receiver, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.3)
    watched.pipeline(receiver.address, ["failure"])
    watched.run(1)
    for _ in range(3):
        watched.store.pipeline_runs.change_step("r1-0", state=StepState.RUNNING, message="Waiting: it is gone")
        await watched.tell()
        clock.now += 0.2
        watched.store.pipeline_runs.change_step("r1-0", message="")
        await watched.tell()
    assert receiver.told == []


# -- where it is told, and where not ---------------------------------------------------------------


async def test_addresses_come_from_secrets_and_are_shown_nowhere(
    watched: Watched, receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALERT_ADDRESS", receiver.address)
    file = tmp_path / "address"
    file.write_text(f"{receiver.address}-file\n")
    monkeypatch.setattr(module, "PAUSES", ())
    missing = SecretRef(env="ALERT_MISSING")
    gone = "json://user:passw0rd@127.0.0.1:1/x"
    to = [SecretRef(env="ALERT_ADDRESS"), SecretRef(file=str(file)), missing, "nonsense", gone]
    watched.pipeline(to, ["failure"])
    watched.run(1, FAILED)
    await watched.tell()
    assert receiver.titles == ["delays · run 1 failed"] * 2
    assert watched.log(1) == [
        "The alert “failure” could not be delivered to address 3: The secret “address 3” could not be found: "
        "the service's environment has no variable ALERT_MISSING.",
        "The alert “failure” could not be delivered to address 4: it is no address that apprise knows.",
        "The alert “failure” could not be delivered to address 5: json:// did not take it.",
        "Told: delays · run 1 failed",
    ]
    # what is given up is not tried for ever
    await watched.tell()
    assert len(receiver.told) == 2


async def test_what_is_refused_is_tried_twice_more(
    watched: Watched, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSES", (0.05, 0.1))
    watched.pipeline([receiver.address], ["failure"])
    receiver.refusals = 2
    watched.run(1, FAILED)
    await watched.tell()
    assert (receiver.titles, receiver.seen) == (["delays · run 1 failed"], 3)
    receiver.refusals = 3
    watched.run(2, FAILED)
    await watched.tell()
    assert (len(receiver.told), receiver.seen) == (1, 6)
    assert watched.log(2) == ["The alert “failure” could not be delivered to address 1: json:// did not take it."]
    assert watched.store.pipeline_runs.get("r2").state is FAILED


async def test_one_address_that_hangs_holds_up_no_other_pipeline(
    watched: Watched, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSES", (60.0,))
    watched.pipeline("json://127.0.0.1:1/", ["failure"])
    wanted = Wanted(to=[receiver.address], on=["success"])
    definition = PipelineDefinition(steps=watched.definition.steps, alerts=wanted)
    other = Pipeline(id="q", name="other", path="/q.ipynb", project="/", service="here")
    watched.store.pipelines.create(other, Version(pipeline_id="q", number=1, definition=definition))
    watched.run(1, FAILED)
    watched.store.pipeline_runs.create(PipelineRun(id="q1", pipeline_id="q", version=1))
    for state in (PipelineRunState.RUNNING, SUCCEEDED):
        watched.store.pipeline_runs.change("q1", state=state, service="here")
    await watched.alerts.turn()
    async with asyncio.timeout(PATIENCE):
        while not receiver.told:
            await asyncio.sleep(0.05)
            await watched.alerts.turn()
    assert receiver.titles == ["other · run 1 succeeded"]
    assert watched.store.pipeline_runs.get("r1").alerted == []
    await watched.alerts.close()


# -- which service tells -----------------------------------------------------------------------------


async def test_each_service_tells_of_its_own_runs(
    watched: Watched, receiver: Receiver, store: Store, settings: MlopsSettings
) -> None:
    watched.pipeline(receiver.address, ["failure"])
    there = Watched(store, settings, service="there")
    watched.run(1, FAILED, service="here")
    watched.run(2, FAILED, service="there")
    await watched.tell()
    assert receiver.titles == ["delays · run 1 failed"]
    await there.tell()
    assert receiver.titles == ["delays · run 1 failed", "delays · run 2 failed"]


async def test_of_the_runs_of_a_lost_service_one_of_the_others_tells(
    watched: Watched,
    receiver: Receiver,
    store: Store,
    settings: MlopsSettings,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LOST_SECONDS", 0.2)
    watched.pipeline(receiver.address, ["failure"], service="gone")
    others = [watched, Watched(store, settings, service="there"), Watched(store, settings, service="gone")]
    watched.run(1, FAILED, service="gone")
    watched.run(2, service="gone")
    for each in others[:2]:
        await each.tell()
    assert receiver.told == []
    for each in others[:2]:
        each.lost = {"gone"}
        await each.tell()
    assert receiver.titles == ["delays · run 1 failed"]
    # time for another one to take over what goes on
    clock.now += 0.3
    for each in others[:2]:
        await each.tell()
    assert receiver.titles[1:] == ["delays · run 2 does not go on"]
    assert "The service that has it is lost" in receiver.told[1]["message"]


TELLER = """
import asyncio, sys
from test_alerts import Store, Watched, MlopsSettings
settings = MlopsSettings(data_dir=sys.argv[1])
watched = Watched(Store(settings.store_url), settings)

async def main():
    while True:
        await watched.alerts.turn()
        await asyncio.sleep(0.02)

asyncio.run(main())
"""


async def test_a_service_killed_at_any_moment_tells_all_the_same(
    watched: Watched, receiver: Receiver, settings: MlopsSettings
) -> None:
    watched.pipeline(receiver.address, ["failure"])
    for number in range(1, 13):
        watched.run(number, FAILED)
    words = [sys.executable, "-c", TELLER, settings.data_dir]
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    for kills in range(3):
        process = subprocess.Popen(words, env=env)
        wait_until(_more_than(receiver, kills * 3))
        process.kill()
        process.wait()
    # the last one is this process
    again = Watched(watched.store, settings)
    await again.tell()
    assert set(receiver.titles) == {f"delays · run {number} failed" for number in range(1, 13)}
    # twice only what was being told when it was killed
    assert len(receiver.told) <= 12 + 3
    assert all(watched.store.pipeline_runs.get(f"r{number}").alerted == ["failure"] for number in range(1, 13))


def _more_than(receiver: Receiver, count: int) -> Callable[[], bool]:
    return lambda: len(receiver.told) > count


async def test_many_old_runs_cost_nothing_each_time(watched: Watched, receiver: Receiver) -> None:
    watched.pipeline(receiver.address, ["failure"])
    for number in range(1, 40):
        watched.run(number, SUCCEEDED)
    await watched.tell()
    read: list[int] = []
    real = watched.context.store.pipeline_runs.find

    def counted(*arguments: Any, **options: Any) -> list[PipelineRun]:
        found = real(*arguments, **options)
        read.append(len(found))
        return found

    watched.context.store.pipeline_runs.find = counted  # type: ignore[method-assign]
    for _ in range(5):
        await watched.tell()
    assert read and sum(read) == 0


# -- in a real service -------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_service_that_is_killed_before_it_could_tell_is_followed_by_one_that_does(
    own_piped: PipelineService, receiver: Receiver
) -> None:
    own_piped.notebook("train.ipynb", "x = 1", "raise ValueError('no flights in January')")
    receiver.refusals = 1
    text = f"name: delays\nsteps:\n  train:\n    notebook: train.ipynb\nalerts:\n  to: ['{receiver.address}']\n"
    run, _ = own_piped.run(own_piped.promote(text))
    assert run.state is FAILED
    wait_until(lambda: receiver.seen)
    # it waits before it tries again
    own_piped.service.kill()
    assert receiver.told == []
    own_piped.service.start()
    wait_until(lambda: receiver.told)
    assert receiver.titles == ["delays · run 1 failed"]
    assert receiver.told[0]["message"].startswith("Step train: Cell 2 of 2 raised ValueError: no flights in January\n")
    wait_until(lambda: own_piped.store.pipeline_runs.get(run.id).alerted == ["failure"])


def test_a_test_alert_reaches_its_addresses_and_says_which_it_does_not(
    watched: Watched, receiver: Receiver, store: Store, settings: MlopsSettings
) -> None:
    watched.pipeline([receiver.address, "json://127.0.0.1:1/"], ["failure"])
    test = Pipelines(store, settings).test_alert("p")
    assert (test.addresses, test.problems) == (2, ["Address 2: json:// did not take it."])
    assert receiver.titles == ["delays · a test alert"]


def test_policies_of_a_notebooks_pipeline_are_changed_in_a_version_of_their_own(
    watched: Watched, receiver: Receiver, store: Store, settings: MlopsSettings
) -> None:
    made = Pipeline(id="n", name="train", path="/home/ada/train.ipynb", project="/home/ada")
    store.pipelines.create(made, Version(pipeline_id="n", number=1, definition=watched.definition, note="first"))
    pipelines = Pipelines(store, settings)
    with pytest.raises(ConflictError, match="no address"):
        pipelines.test_alert("n")
    wanted = Wanted(to=[receiver.address], on=["success"])
    assert pipelines.change("n", PipelineChange(alerts=wanted, retention=Retention(runs=7))).version == 2
    version = store.pipelines.version("n", 2)
    assert (version.definition.alerts, version.definition.retention) == (wanted, Retention(runs=7))
    assert (version.definition.steps, version.source, version.note) == (watched.definition.steps, "version 1", "")
    with pytest.raises(InvalidInputError, match="apprise") as refused:
        pipelines.change("n", PipelineChange(alerts=Wanted(to=["nowhere"])))
    assert list(refused.value.fields) == ["alerts.to"]
    assert store.pipelines.get("n").version == 2
    # a file says them itself
    watched.pipeline(receiver.address, ["failure"])
    with pytest.raises(ConflictError, match=r"said in .*delays\.pipeline\.yaml"):
        pipelines.change("p", PipelineChange(retention=Retention(days=1)))
