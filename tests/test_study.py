"""The study port: samplers found by their entry points, one that learns and one that prunes; sweeps given more runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import Service, install_plugin, serving, wait_until

from jupyter_mlops.core.errors import ConflictError, InvalidInputError
from jupyter_mlops.core.states import RunState, SweepState
from jupyter_mlops.core.sweeps import Objective, Sampler, SweepChange
from jupyter_mlops.services.sweeps.planner import trial_of
from jupyter_mlops.settings import MlopsSettings

# Kiefer, Sequential minimax search for a maximum, Proc. AMS 4 (1953): of a function with one maximum, two values inside
# an interval tell which end cannot hold it
TERNARY = """
    import json, os
    from collections import Counter

    class Ternary:
        looks_ahead = False
        limit = None

        def __init__(self, space, sampler, objectives, trials):
            (self.name, self.values), = space.values.items()
            self.known, self.open = {}, Counter()
            for trial in trials():
                self.open[trial.parameters[self.name]] += 1
                if trial.state in ("succeeded", "failed", "stopped"):
                    self._take(trial)
            self._log("made", [trial.number for trial in trials()])

        def _take(self, trial):
            x = trial.parameters[self.name]
            self.open[x] -= 1
            self.known[x] = trial.values[0] if trial.values else float("-inf")

        def _log(self, what, value):
            with open(os.environ["SAMPLER_LOG"], "a") as log:
                log.write(json.dumps([what, value]) + "\\n")

        def ask(self, n):
            low, high = 0, len(self.values) - 1
            while low < high:
                third = (high - low) // 3
                pair = {self.values[low + third], self.values[high - third]}
                if unknown := [x for x in sorted(pair) if x not in self.known]:
                    asked = [x for x in unknown if not self.open[x]][:n]
                    self.open.update(asked)
                    self._log("asked", [n, asked])
                    return [{self.name: x} for x in asked]
                if self.known[self.values[low + third]] < self.known[self.values[high - third]]:
                    low += third + 1
                else:
                    high -= third + (third == 0)
            return []

        def tell(self, trial):
            self._log("told", trial.number)
            self._take(trial)
    """

# ends a trial once its last value is above 5
THRESHOLD = """
    import json, os

    class Threshold:
        looks_ahead = True
        limit = None

        def __init__(self, space, sampler, objectives, trials):
            (self.name, self.values), = space.values.items()
            self.asked = len(list(trials()))
            self._log("made", 0)

        def _log(self, what, value):
            with open(os.environ["SAMPLER_LOG"], "a") as log:
                log.write(json.dumps([what, value]) + "\\n")

        def ask(self, n):
            first, self.asked = self.asked, self.asked + n
            return [{self.name: x} for x in self.values[first:first + n]]

        def tell(self, trial):
            self._log("told", [trial.number, trial.state])

        def report(self, report):
            self._log("reported", [report.number, report.attempt, report.metric, report.points])
            return report.points[-1][1] > 5
    """


@pytest.fixture
def samplers(tmp_path: Path, settings: MlopsSettings, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, MlopsSettings]:
    """Packages that add the samplers, for this process and for the service."""
    for name, source in (("ternary", TERNARY), ("threshold", THRESHOLD)):
        install_plugin(tmp_path / name, "jupyter_mlops.samplers", name, name.title(), source, monkeypatch)
    monkeypatch.setenv("SAMPLER_LOG", str(tmp_path / "log"))
    return tmp_path / "log", settings


def said_in(log: Path, what: str) -> list[Any]:
    return [value for kind, value in map(json.loads, log.read_text().splitlines()) if kind == what]


def test_a_study_that_learns_finds_the_best_also_when_the_service_is_killed(
    samplers: tuple[Path, MlopsSettings], notebook: Path
) -> None:
    log, settings = samplers

    def said(what: str) -> list[list[int]]:
        return said_in(log, what)

    with serving(settings) as service:
        sweep_id = service.sweep(
            notebook,
            "x: int = 0",
            "height = -(x - 37) ** 2",
            space={"x": "0:100"},
            sampler=Sampler(kind="ternary", count=40),
            objective=Objective(metric="height"),
        )
        service.wait(sweep_id, lambda sweep: sweep.counts.get("succeeded", 0) >= 4)
        told_at_first = len(said("told"))
        service.kill()
        service.start()
        sweep = service.wait(sweep_id)
    assert sweep.state is SweepState.SUCCEEDED, sweep.message
    assert sweep.best_value == 0.0
    runs = service.store.runs.of_sweep(sweep_id)
    assert {run.state for run in runs} == {RunState.SUCCEEDED}
    tried = [run.parameters["x"] for run in runs]
    # log(101, 3/2) rounds of two would be 23; the grid has 101
    assert 37 in tried and len(tried) == len(set(tried)) <= 24
    assert sweep.total == sweep.planned == len(runs)
    # never more than there are slots, and never the same twice
    assert all(len(points) <= n <= 2 for n, points in said("asked"))
    first, second = said("made")[-2:]
    assert len(first) < len(second)
    # each result once: before the end of the first service, in what the second read, or told to it
    told = [int(number) for number in map(str, said("told"))]
    assert len(set(told[:told_at_first])) == told_at_first
    assert len(set(told[told_at_first:])) == len(told[told_at_first:])
    assert set(told[told_at_first:]) | {run.index for run in runs[: len(second)]} == {run.index for run in runs}


def test_a_study_that_prunes_ends_a_run_by_what_it_logs(samplers: tuple[Path, MlopsSettings], notebook: Path) -> None:
    log, settings = samplers
    code = """
import pathlib, time, mlflow
for step in range(3):
    mlflow.log_metric("loss", x * step, step=step)
    mlflow.log_metric("other", 100, step=step)
while x * step > 5 or x == 1 and not pathlib.Path("go").exists():
    time.sleep(0.05)
"""
    with serving(settings) as service:
        sweep_id = service.sweep(
            notebook,
            "x: int = 0",
            code,
            space={"x": "0,3,1"},
            sampler=Sampler(kind="threshold", count=3),
            objective=Objective(metric="loss", direction="minimize"),
        )
        # the second would never end by itself
        service.wait(sweep_id, lambda sweep: sweep.counts.get("pruned") == 1)
        wait_until(lambda: [2, 1, "loss"] in [told[:3] for told in said_in(log, "reported")])
        before = len(said_in(log, "reported"))
        service.kill()
        service.start()
        wait_until(lambda: [2, 1, "loss"] in [told[:3] for told in said_in(log, "reported")[before:]])
        (notebook.parent / "go").touch()
        sweep = service.wait(sweep_id)
        assert (sweep.state, sweep.counts) == (SweepState.SUCCEEDED, {"succeeded": 2, "pruned": 1})
        first, pruned, third = service.store.runs.of_sweep(sweep_id)
        assert (pruned.state, pruned.error, pruned.metrics["loss"]) == (RunState.PRUNED, None, 6.0)
        assert sweep.best_run_id == first.id
        (loss,) = [curve for curve in service.store.curves.of_run(pruned.id, 1) if curve.name == "loss"]
        assert loss.points == [(0, 0.0), (1, 3.0), (2, 6.0)]
    assert [1, "pruned"] in said_in(log, "told")
    reports = said_in(log, "reported")
    assert {metric for _, _, metric, _ in reports} == {"loss"}
    # made anew, it is told of what is over and of what goes on, from the beginning
    whole = {number: points for number, attempt, _, points in reports[before:] if attempt == 1}
    assert whole == {0: [[0, 0], [1, 0], [2, 0]], 1: [[0, 0], [1, 3], [2, 6]], 2: [[0, 0], [1, 1], [2, 2]]}
    assert third.state is RunState.SUCCEEDED


def test_a_finished_sweep_is_given_more_runs(service: Service, notebook: Path) -> None:
    sweep = service.run_until_over(
        notebook, "a = 1", "b = a", space={"a": "1:5"}, sampler=Sampler(kind="random", count=2, seed=4)
    )
    assert (sweep.state, sweep.total) == (SweepState.SUCCEEDED, 2)
    first = service.store.runs.of_sweep(sweep.id)
    extended = service.sweeps.change(sweep.id, SweepChange(total=4))
    assert (extended.state, extended.total, extended.ended_at) == (SweepState.QUEUED, 4, None)
    sweep = service.wait(sweep.id)
    assert sweep.state is SweepState.SUCCEEDED
    runs = service.store.runs.of_sweep(sweep.id)
    assert runs[:2] == first
    assert len({run.parameters["a"] for run in runs}) == len(runs) == 4
    for total, why in [(4, "has 4 runs already"), (6, "Its space holds 5 combinations")]:
        with pytest.raises(InvalidInputError, match=why):
            service.sweeps.change(sweep.id, SweepChange(total=total))
    service.sweeps.delete(sweep.id)
    with pytest.raises(ConflictError, match="neither deleted"):
        service.sweeps.change(sweep.id, SweepChange(total=5))


def test_a_sweep_has_several_objectives_and_is_ranked_by_the_first(service: Service, notebook: Path) -> None:
    both = [Objective(metric="a"), Objective(metric="cost", direction="minimize")]
    sweep = service.run_until_over(notebook, "x = 1", "a = x; cost = x / 2", space={"x": "1:2"}, objectives=both)
    assert (sweep.objectives, sweep.objective, sweep.best_value) == (both, both[0], 2.0)
    assert [trial_of(run, both).values for run in service.store.runs.of_sweep(sweep.id)] == [[1.0, 0.5], [2.0, 1.0]]
    changed = service.sweeps.change(sweep.id, SweepChange(objective=both[1]))
    assert (changed.objectives, changed.best_value) == ([both[1]], 0.5)
    with pytest.raises(InvalidInputError, match="a metric of its own"):
        service.sweeps.change(sweep.id, SweepChange(objectives=[both[0], both[0]]))


def test_a_running_sweep_is_given_more_runs(service: Service, notebook: Path) -> None:
    gate = notebook.parent / "gate"
    sweep_id = service.sweep(
        notebook,
        "a = 1",
        f"import pathlib, time\nwhile not pathlib.Path({str(gate)!r}).exists(): time.sleep(0.05)",
        space={"a": "1:9"},
        sampler=Sampler(kind="random", count=1),
    )
    wait_until(lambda: service.store.runs.of_sweep(sweep_id, states=[RunState.RUNNING]))
    service.sweeps.change(sweep_id, SweepChange(total=3))
    gate.touch()
    sweep = service.wait(sweep_id)
    assert (sweep.state, sweep.total, sweep.counts) == (SweepState.SUCCEEDED, 3, {"succeeded": 3})
