"""A thousand schedules, and three services on one PostgreSQL: how late each fires, and whether it does so once.

Each service has a data folder, workers and an embedded MLflow of its own, and drives the runs that are fired while
others are due. Cron knows no seconds: schedules that are spread over a minute are in sixty zones whose clocks differ
by a second each. Late is counted until PostgreSQL has committed the fire, by its own word.
"""

from __future__ import annotations

import argparse
import os
import shutil
import struct
import sys
import tempfile
import time
import zoneinfo
from collections import Counter
from collections.abc import Callable, Container
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import msgspec
import psutil
from common import ROOT, machine, parser, publish, table, write_notebook
from jupyter_client.kernelspec import KernelSpecManager
from kill_victims import SERVICE, alive, family, kill

from jupyter_mlops.core.cron import iso
from jupyter_mlops.core.errors import ConflictError
from jupyter_mlops.core.pipelines.records import Pipeline, PipelineRun, Version
from jupyter_mlops.core.pipelines.requests import PromoteRequest, RunRequest, ScheduleRequest
from jupyter_mlops.core.states import PIPELINE_RUN_OVER
from jupyter_mlops.services.pipelines.requests import Pipelines
from jupyter_mlops.services.process.launch import ensure_service
from jupyter_mlops.settings import MlopsSettings
from jupyter_mlops.store import Store

sys.path.insert(0, str(ROOT / "tests"))
from postgresql_helpers import Server, newest_programs

SERVICES = 3
LEAD_SECONDS = 25.0  # between the last schedule's making and the first that is due
PATIENCE_SECONDS = 600.0
WANTED = {"spread over a minute": 1.0, "all at one second": 5.0}
TEXT = "steps:\n  only: {notebook: small.ipynb, outputs: [b]}\n"


class Fire(NamedTuple):
    """One fire, as PostgreSQL has it."""

    trigger_id: str
    scheduled_at: datetime
    committed_at: datetime
    service: str


class Place:
    """Services on one database, and pipelines of each.

    Args:
        folder: below it everything is kept.
        server: PostgreSQL.
        chosen: options.
    """

    def __init__(self, folder: Path, server: Server, chosen: argparse.Namespace) -> None:
        self.server = server
        self.database = server.empty()
        url = server.url(self.database)
        self.settings = [
            MlopsSettings(data_dir=str(folder / f"service-{n}"), store=url, local_slots=chosen.slots)
            for n in range(SERVICES)
        ]
        self.store = Store(url)
        self.pipelines = [Pipelines(self.store, settings) for settings in self.settings]
        self.ids: list[str] = []
        specs = KernelSpecManager().get_all_specs()
        for number, pipelines in enumerate(self.pipelines):
            project = folder / f"project-{number}"
            project.mkdir()
            write_notebook(project / "small.ipynb", "a = 1", "b = a + 1")
            (project / "small.pipeline.yaml").write_text(TEXT, encoding="utf-8")
            request = PromoteRequest(path=str(project / "small.pipeline.yaml"))
            answer = pipelines.promote(request, specs)
            self._copy(answer.pipeline, answer.version, len(range(number, chosen.schedules, SERVICES)))

    def _copy(self, pipeline: Pipeline, version: Version, count: int) -> None:
        """To freeze a thousand times what is the same is not what is measured."""
        self.ids.append(pipeline.id)
        for number in range(1, count):
            copy = msgspec.structs.replace(pipeline, id=uuid4().hex, name=f"{pipeline.name} {number}")
            self.ids.append(self.store.pipelines.create(copy, version).id)

    def start(self) -> None:
        """Start the services, and have each run something, so that workers and kernels are there."""
        for settings in self.settings:
            ensure_service(settings)
        first = {self.store.pipelines.get(pipeline_id).service: pipeline_id for pipeline_id in reversed(self.ids)}
        runs = [self.pipelines[0].run(pipeline_id, RunRequest()).id for pipeline_id in first.values()]
        self.wait(lambda: all(self.store.pipeline_runs.get(run_id).state in PIPELINE_RUN_OVER for run_id in runs))

    def wait(self, what: Callable[[], bool]) -> None:
        """Wait until something is true."""
        began = time.monotonic()
        while not what():
            if time.monotonic() - began > PATIENCE_SECONDS:
                raise SystemExit("It takes too long.")
            time.sleep(1.0)

    def fires(self, triggers: set[str]) -> list[Fire]:
        """What was fired of some triggers."""
        rows = self.server.run(
            "SELECT trigger_id, scheduled_at, pg_xact_commit_timestamp(xmin), record::json->>'service' FROM fires",
            database=self.database,
        )
        return [
            Fire(str(trigger), datetime.fromisoformat(str(at)), committed, str(service))
            for trigger, at, committed, service in rows
            if trigger in triggers
        ]

    def runs(self, triggers: Container[str]) -> list[PipelineRun]:
        """What some triggers made."""
        return [run for run in self.store.pipeline_runs.find() if run.trigger_id in triggers]

    def stop(self, triggers: Container[str]) -> None:
        """Stop what has not ended yet, and wait until it has."""
        for run in self.runs(triggers):
            if run.state not in PIPELINE_RUN_OVER:
                with suppress(ConflictError):  # it has ended meanwhile
                    self.pipelines[0].stop(run.id)
        self.wait(lambda: all(run.state in PIPELINE_RUN_OVER for run in self.runs(triggers)))

    def close(self) -> None:
        """End all services with all that they have started."""
        for settings in self.settings:
            services = family(settings.data_path)[SERVICE]
            for process in services:
                process.terminate()
            psutil.wait_procs(services, timeout=60)
            kill(alive(family(settings.data_path)))
        self.store.close()


def make_zones(folder: Path) -> None:
    """Zones whose clocks are ahead of UTC by 0 to 59 seconds, for this process and those that it starts."""
    (folder / "Ahead").mkdir(parents=True)
    for seconds in range(60):
        head = b"TZif" + bytes(16) + struct.pack(">6l", 0, 0, 0, 0, 1, 4)
        (folder / "Ahead" / f"S{seconds:02}").write_bytes(head + struct.pack(">lbB", seconds, 0, 0) + b"LMT\0")
    path = [str(folder), *zoneinfo.TZPATH]
    os.environ["PYTHONTZPATH"] = os.pathsep.join(path)
    zoneinfo.reset_tzpath(path)


def schedule(place: Place, spread: bool) -> dict[str, datetime]:
    """A schedule for each pipeline; when each trigger is due, all within a minute that is to come."""
    began = time.monotonic()
    # made within a minute or so; the hour may change meanwhile
    minute = (datetime.now(UTC) + timedelta(seconds=LEAD_SECONDS + 0.06 * len(place.ids))).replace(
        second=0, microsecond=0
    ) + timedelta(minutes=2)
    due = {}
    for number, pipeline_id in enumerate(place.ids):
        seconds = number % 60 if spread else 0
        request = ScheduleRequest(cron=f"{minute.minute} {minute.hour} * * *", zone=f"Ahead/S{seconds:02}")
        trigger = place.pipelines[0].add_trigger(pipeline_id, request).trigger
        due[trigger.id] = minute - timedelta(seconds=seconds)
        assert trigger.next_at == iso(due[trigger.id]), trigger
    left = (min(due.values()) - datetime.now(UTC)).total_seconds()
    print(f"{len(due)} schedules in {time.monotonic() - began:.0f} s; {left:.0f} s until the first", file=sys.stderr)
    if left < LEAD_SECONDS / 2:
        raise SystemExit("To make the schedules took too long.")
    return due


class Outcome(NamedTuple):
    """What became of the schedules of one kind."""

    late: list[float]
    twice: int
    missing: int
    runs_twice: int
    runs_missing: int
    by_service: Counter[str]
    ended: Counter[str]


def measure(place: Place, spread: bool) -> Outcome:
    """Wait until all fired and all their runs are over, and look at both."""
    due = schedule(place, spread)
    last = max(due.values())
    place.wait(lambda: datetime.now(UTC) > last and len(place.fires(set(due))) >= len(due))
    # whoever fires once more does it by now
    time.sleep(5.0)
    fires = place.fires(set(due))
    runs = place.runs(due)
    place.stop(due)
    of_trigger = Counter(fire.trigger_id for fire in fires)
    right = {fire.trigger_id for fire in fires if fire.scheduled_at == due[fire.trigger_id]}
    run_of = Counter(run.trigger_id for run in runs)
    return Outcome(
        late=sorted((fire.committed_at - fire.scheduled_at).total_seconds() for fire in fires),
        twice=sum(count - 1 for count in of_trigger.values()),
        missing=len(due) - len(right),
        runs_twice=sum(count - 1 for count in run_of.values()),
        runs_missing=len(due) - len(run_of),
        by_service=Counter(fire.service for fire in fires),
        ended=Counter(run.state.value for run in runs),
    )


def report(outcomes: dict[str, Outcome]) -> str:
    """In tables."""
    rows = []
    for name, found in outcomes.items():
        p50, p99 = (found.late[int(share * (len(found.late) - 1))] for share in (0.5, 0.99))
        met = "yes" if p99 < WANTED[name] else "**no**"
        rows.append(
            (name, len(found.late), f"{p50:.3f} s", f"**{p99:.3f} s**", f"{found.late[-1]:.3f} s",
             f"p99 below {WANTED[name]:g} s", met)
        )  # fmt: skip
    text = table(("schedules", "fires", "late: p50", "p99", "most", "wanted", "met"), rows)
    head = ("schedules", "fired twice", "not fired", "two runs", "no run", "fired by", "runs, 5 s after the last fire")
    counts = [
        (
            *(name, found.twice, found.missing, found.runs_twice, found.runs_missing),
            " + ".join(str(count) for count in sorted(found.by_service.values())),
            ", ".join(f"{count} {state}" for state, count in sorted(found.ended.items())),
        )
        for name, found in outcomes.items()
    ]
    return f"{text}\n\n{table(head, counts)}"


def main() -> None:
    """Measure both, print."""
    options = parser(__doc__)
    options.add_argument("--schedules", type=int, default=1000)
    options.add_argument("--slots", type=int, default=1, help="runs at once of each service")
    options.add_argument("--only", choices=list(WANTED), help="measure one of both")
    options.add_argument("--keep", type=Path, help="a folder to work in, which stays")
    chosen = options.parse_args()
    programs = newest_programs()
    if programs is None:
        raise SystemExit("PostgreSQL is not installed (Debian's package postgresql).")
    where = machine()
    with tempfile.TemporaryDirectory(prefix="mlops-schedules-") as made:
        folder = chosen.keep or Path(made)
        folder.mkdir(exist_ok=True)
        make_zones(folder / "zones")
        server = Server(programs)
        try:
            server.make()
            server.start()
            server.run("ALTER SYSTEM SET track_commit_timestamp = on")
            server.stop()
            server.start()
            place = Place(folder, server, chosen)
            try:
                place.start()
                names = [chosen.only] if chosen.only else list(WANTED)
                outcomes = {name: measure(place, spread=name == "spread over a minute") for name in names}
            finally:
                place.close()
        finally:
            server.stop()
            shutil.rmtree(server.folder)
    publish("schedules", report(outcomes), where, write=chosen.write)
    if any(found.twice or found.missing or found.runs_twice or found.runs_missing for found in outcomes.values()):
        raise SystemExit("Not each fired exactly once.")


if __name__ == "__main__":
    main()
