"""Random kills with signal 9 while pipelines run, and what has become of their runs afterwards.

Killed are the Jupyter server, the service, Dask's host and workers, kernels, their fork servers and MLflow, one of
them or all at once. A supervisor, as systemd is one, starts server and service again; everything else is theirs.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil
from common import Server, machine, parser, publish, table
from kill_checks import Findings
from kill_load import LIVE, Load
from kill_victims import ALL, JUPYTER, SERVICE, WEIGHTS, Victims, alive, family, is_running, kill

from jupyter_mlops.core.errors import UnavailableError
from jupyter_mlops.core.states import PipelineRunState
from jupyter_mlops.services.process.launch import ensure_service
from jupyter_mlops.services.process.layout import Layout
from jupyter_mlops.settings import MlopsSettings
from jupyter_mlops.store import Store

AGAIN_SECONDS = 2.0  # until the supervisor starts again what was killed
DRAIN_SECONDS = 900.0
LEFT_SECONDS = 90.0  # after which nothing may be left of what was killed


class Place:
    """A store with all that works on it, and a supervisor.

    Args:
        folder: below it everything is kept.
        slots: of the local target.
    """

    def __init__(self, folder: Path, slots: int) -> None:
        self.folder = folder
        self.slots = slots
        self.settings = MlopsSettings(data_dir=str(folder / "mlops"), local_slots=slots)
        self.data = self.settings.data_path
        self.store = Store(self.settings.store_url)
        self.service = Layout(self.data).service
        self.seen: set[psutil.Process] = set()
        self._gone_since: float | None = None
        self.server = self._new_server()

    def _new_server(self) -> Server:
        return Server(self.folder, settings={"local_slots": self.slots})

    def look(self) -> Victims:
        """Everything that lives."""
        found = family(self.data)
        if self.server.popen.poll() is None:
            found[JUPYTER].append(self.server.process)
        self.seen.update(alive(found))
        return found

    def supervise(self) -> Victims:
        """Start again what is gone for a while."""
        found = self.look()
        if found[JUPYTER] and found[SERVICE]:
            self._gone_since = None
        elif self._gone_since is None:
            self._gone_since = time.monotonic()
        elif time.monotonic() - self._gone_since > AGAIN_SECONDS:
            self._gone_since = None
            if not found[JUPYTER]:
                self.server = self._new_server()
            try:
                ensure_service(self.settings)
            except UnavailableError as error:
                print(error.message, file=sys.stderr)
        return found

    def left(self) -> list[str]:
        """Processes that live on after all was ended."""
        self.look()
        self.server.close()
        deadline = time.monotonic() + LEFT_SECONDS
        while (found := [one for one in self.seen if is_running(one)]) and time.monotonic() < deadline:
            time.sleep(0.5)
        return [f"process {one.pid} lives: {' '.join(one.cmdline())[:200]}" for one in found]


def begin(place: Place, load: Load) -> None:
    """Wait until the load goes on: the first run has succeeded."""
    while not place.store.pipeline_runs.find(states=[PipelineRunState.SUCCEEDED], limit=1):
        place.supervise()
        load.add()
        time.sleep(0.2)


def kill_at_random(place: Place, load: Load, chance: random.Random, chosen: argparse.Namespace) -> Counter[str]:
    """Kill so many times; how often what."""
    killed: Counter[str] = Counter()
    while killed.total() < chosen.kills:
        until = time.monotonic() + chance.uniform(chosen.shortest, chosen.longest)
        while time.monotonic() < until:
            place.supervise()
            load.add()
            time.sleep(0.2)
        kind = chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        found = place.look()
        victims = alive(found) if kind == ALL else found[kind]
        if not victims:
            # it is on its way; another one then, at another moment
            continue
        kill(victims if kind == ALL else [chance.choice(sorted(victims, key=lambda one: one.pid))])
        killed[kind] += 1
        if killed.total() % 10 == 0:
            print(f"{killed.total()} kills, {len(load.by_hand)} runs by hand", file=sys.stderr)
    return killed


def drain(place: Place, load: Load) -> None:
    """Wait until all is over that was begun, or for long enough."""
    load.stop()
    deadline = time.monotonic() + DRAIN_SECONDS
    while time.monotonic() < deadline:
        place.supervise()
        untold = place.store.runs.untracked(1, place.service)
        if not place.store.pipeline_runs.find(states=LIVE) and not place.store.sweeps.find(live=True) and not untold:
            return
        time.sleep(0.5)


def report(findings: Findings, defects: dict[str, list[str]], killed: Counter[str], seed: int) -> str:
    """What happened, in tables."""
    names = sorted(set(findings.names.values()))
    runs = {name: [run for run in findings.runs if findings.names[run.pipeline_id] == name] for name in names}
    states = sorted({run.state.value for run in findings.runs})
    rows = [(name, len(of), *(sum(run.state == state for run in of) for state in states)) for name, of in runs.items()]
    text = table(("kills", *killed), [(killed.total(), *killed.values())])
    text += "\n\n" + table(("pipeline", "runs", *states), rows)
    notebooks = [run for of in findings.notebooks.values() for run in of]
    steps = [step for of in findings.steps.values() for step in of]
    lines = [line.text for run in findings.runs for line in run.log]
    facts = (
        ("steps", len(steps)),
        ("attempts of steps by their policy", sum(step.attempt for step in steps)),
        ("notebooks executed to an end", sum(effect["event"] == "end" for effect in findings.effects)),
        ("notebooks begun", sum(effect["event"] == "begin" for effect in findings.effects)),
        ("runs repeated because they were lost", sum(run.attempt > 1 for run in notebooks)),
        ("lines of history on losses and failures", sum("lost" in line or "failed" in line for line in lines)),
        ("fires by time", sum(run.cause == "cron" for run in findings.runs)),
        ("fires by another pipeline's end", sum(run.cause == "pipeline" for run in findings.runs)),
    )
    text += "\n\n" + table(("what went on", "how many"), facts)
    wanted = table(
        ("wanted", "defects", "met"),
        [(f"nothing {name}" if name in ("lost", "twice", "left running") else f"{name} whole", len(found), _met(found))
         for name, found in defects.items()],
    )  # fmt: skip
    return f"{text}\n\n{wanted}\n\nSeed {seed}."


def _met(found: list[str]) -> str:
    return "**no**" if found else "yes"


def main() -> None:
    """Kill, wait, check, print."""
    options = parser(__doc__)
    options.add_argument("--kills", type=int, default=200)
    options.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    options.add_argument("--shortest", type=float, default=1.0, help="seconds between two kills at least")
    options.add_argument("--longest", type=float, default=6.0, help="and at most")
    options.add_argument("--slots", type=int, default=2)
    options.add_argument("--keep", type=Path, help="a folder to work in, which stays")
    chosen = options.parse_args()
    where = machine()
    print(f"seed {chosen.seed}", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="mlops-kills-") as made:
        folder = chosen.keep or Path(made)
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
        place = Place(folder, chosen.slots)
        load = Load(folder / "work", place.store, place.settings)
        begin(place, load)
        killed = kill_at_random(place, load, random.Random(chosen.seed), chosen)
        drain(place, load)
        left = place.left()
        findings = Findings(load, place.data)
        defects = findings.all()
        defects["left running"] += left
        for name, found in defects.items():
            for defect in found:
                print(f"{name}: {defect}", file=sys.stderr)
        publish("kills", report(findings, defects, killed, chosen.seed), where, write=chosen.write)
    if any(defects.values()):
        raise SystemExit("What was promised does not hold.")


if __name__ == "__main__":
    main()
