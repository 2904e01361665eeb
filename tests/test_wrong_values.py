"""One set of wrong values, brought to every door through which values, targets and addresses come in."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import write_notebook

from jupyter_mlops.cli.pipeline_runs import parse_values
from jupyter_mlops.compute import Targets
from jupyter_mlops.core.errors import InvalidInputError
from jupyter_mlops.core.messages import Message
from jupyter_mlops.core.pipelines.definition import Alerts, Step
from jupyter_mlops.core.pipelines.records import PipelineRun
from jupyter_mlops.core.pipelines.requests import PromoteRequest, RunRequest, ScheduleRequest, TriggerChange
from jupyter_mlops.core.runs import Run
from jupyter_mlops.core.states import RunState
from jupyter_mlops.core.sweeps import SweepRequest
from jupyter_mlops.services.pipelines.pipeline_file import check
from jupyter_mlops.services.pipelines.requests import Pipelines
from jupyter_mlops.services.pipelines.steps import Place, make_sweep, values_of
from jupyter_mlops.services.sweeps.requests import Sweeps
from jupyter_mlops.settings import MlopsSettings
from jupyter_mlops.store import Store

WRONG = {"x": ["text", 1.5, True, [1], {"a": 1}], "mode": ["slow", 3], "flag": ["maybe", 7]}
GOOD: list[dict[str, Any]] = [{"x": 3}, {"x": 3.0}, {"mode": "fast"}, {"flag": False}, {"free": "text"}, {"free": [1]}]
CELL = 'from typing import Literal\nx: int = 1\nmode: Literal["fast", "exact"] = "fast"\nflag: bool = True\nfree = None'
# defaults say no type, so that only the notebook's own declarations do
OPEN = "parameters: {x: null, mode: null, flag: null, free: null}\n"
HANDED = "{x: '${x}', mode: '${mode}', flag: '${flag}', free: '${free}'}"
OUTPUTS = {name: f"${{before.{name}}}" for name in WRONG}


class Doors:
    """Every way in which values reach a notebook; each raises InvalidInputError or returns."""

    def __init__(self, folder: Path, store: Store, settings: MlopsSettings, specs: dict[str, Any]) -> None:
        self.file, self.specs = write_notebook(folder / "job.ipynb", CELL), specs
        self.pipelines, self.sweeps = Pipelines(store, settings), Sweeps(store, settings)
        job = "{notebook: job.ipynb, parameters: {x: 1, mode: fast, flag: true, free: 1}}"
        self.text = f"{OPEN}steps:\n  first: {job}\n  job:\n    notebook: job.ipynb\n    parameters: {HANDED}\n"
        good = self.text.replace(OPEN, "parameters: {x: 1, mode: fast, flag: true, free: null}\n")
        self.pipeline = self._promoted(good)
        # as a release that did not check may have frozen it
        self.open = store.pipelines.version(self.pipeline, 1)
        self.trigger = self.pipelines.add_trigger(self.pipeline, ScheduleRequest(kind="http")).trigger

    def _promoted(self, text: str) -> str:
        file = self.file.with_name("job.pipeline.yaml")
        file.write_text(text)
        return self.pipelines.promote(PromoteRequest(path=str(file)), self.specs).pipeline.id

    def _checked(self, text: str) -> None:
        found = check(self.file.with_name("other.pipeline.yaml"), text, targets=self.pipelines.targets)
        if found.problems:
            raise InvalidInputError(Message.verbatim(str(found.problems[0].message)))

    def a_sweep(self, values: dict[str, Any]) -> None:
        space = {name: value if isinstance(value, str) else json.dumps([value]) for name, value in values.items()}
        self.sweeps.create(self.file, SweepRequest(path=str(self.file), space=space), self.specs)

    def a_steps_text(self, values: dict[str, Any]) -> None:
        self._checked(f"steps: {{job: {{notebook: job.ipynb, parameters: {json.dumps(values)}}}}}")

    def a_default_in_a_text(self, values: dict[str, Any]) -> None:
        named = json.dumps({name: f"${{{name}}}" for name in values})
        self._checked(f"parameters: {json.dumps(values)}\nsteps: {{job: {{notebook: job.ipynb, parameters: {named}}}}}")

    def a_sweep_in_a_text(self, values: dict[str, Any]) -> None:
        space = {name: value if isinstance(value, str) else json.dumps([value]) for name, value in values.items()}
        sweep = json.dumps({"space": space, "objective": {"metric": "m"}})
        self._checked(f"steps: {{job: {{notebook: job.ipynb, sweep: {sweep}}}}}")

    def a_promotion(self, values: dict[str, Any]) -> None:
        self._promoted(f"steps: {{job: {{notebook: job.ipynb, parameters: {json.dumps(values)}}}}}")

    def a_run_by_hand(self, values: dict[str, Any]) -> None:
        self.pipelines.start(self.pipeline, RunRequest(parameters=values, version=1))

    def a_call(self, values: dict[str, Any]) -> None:
        self.pipelines.change(self.pipeline, _version(1))
        self.pipelines.fire_by_call(self.pipelines.store.triggers.get(self.trigger.id), RunRequest(parameters=values))

    def a_new_schedule(self, values: dict[str, Any]) -> None:
        self.pipelines.change(self.pipeline, _version(1))
        self.pipelines.add_trigger(self.pipeline, ScheduleRequest(cron="0 6 * * *", parameters=values))

    def a_changed_schedule(self, values: dict[str, Any]) -> None:
        self.pipelines.change(self.pipeline, _version(1))
        self.pipelines.change_trigger(self.trigger.id, TriggerChange(parameters=values))

    def the_command_line(self, values: dict[str, Any]) -> None:
        words = [f"{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in values.items()]
        defaults = self.open.definition.parameters
        self.pipelines.start(self.pipeline, RunRequest(parameters=parse_values(words, defaults), version=1))

    def an_earlier_steps_output(self, values: dict[str, Any]) -> None:
        step = Step(notebook="job.ipynb", parameters={name: f"${{before.{name}}}" for name in values})
        run = PipelineRun(id="r", pipeline_id=self.pipeline, version=1, parameters={"scheduled_time": "2026-01-01"})
        pipeline = self.pipelines.pipeline(self.pipeline)
        folder = self.file.parent
        place = Place(
            pipeline, self.open, run, "here", folder, folder, self.pipelines.settings, targets=self.pipelines.targets
        )
        found = values_of("job", step, place, {"before": values})
        make_sweep("job", step, place, values=found, outputs={"before": values}, data=self.file.read_bytes())


def _version(number: int) -> Any:
    from jupyter_mlops.core.pipelines.requests import PipelineChange

    return PipelineChange(version=number)


DOORS = [name for name in vars(Doors) if not name.startswith("_")]


@pytest.fixture
def doors(tmp_path: Path, store: Store, settings: MlopsSettings, kernelspecs: dict[str, Any]) -> Doors:
    return Doors(tmp_path / "work", store, settings, kernelspecs)


@pytest.mark.parametrize("door", DOORS)
def test_every_door_refuses_the_same_values(doors: Doors, door: str) -> None:
    """``x: int`` got a text from a file or by HTTP, and the run succeeded."""
    way: Callable[[dict[str, Any]], None] = getattr(doors, door)
    for values in GOOD:
        way(values)
    for name, wrong in WRONG.items():
        for value in wrong:
            with pytest.raises(InvalidInputError, match=f"{name} must be") as refused:
                way({name: value})
            assert "is not" in str(refused.value)
    with pytest.raises(InvalidInputError, match="has no parameter “xx”"):
        way({"xx": 1})


def test_all_that_is_wrong_is_said_at_once(doors: Doors) -> None:
    with pytest.raises(InvalidInputError) as refused:
        doors.a_run_by_hand({"x": "text", "mode": "slow"})
    assert str(refused.value).count("x must be") == str(refused.value).count("mode must be one of") == 1


@pytest.mark.parametrize("target", ["nowhere", "Local", "http://host", "tcp:host", " "])
def test_every_door_refuses_the_same_targets(doors: Doors, target: str) -> None:
    """``validate`` let ``target: nowhere`` pass, and each run failed."""
    shown = json.dumps(target)
    ways: list[Callable[[], Any]] = [
        lambda: doors.sweeps.create(doors.file, SweepRequest(path=str(doors.file), target=target), doors.specs),
        lambda: doors._checked(f"target: {shown}\nsteps: {{job: {{notebook: job.ipynb}}}}"),
        lambda: doors._checked(f"steps: {{job: {{notebook: job.ipynb, target: {shown}}}}}"),
        lambda: Targets(doors.sweeps.settings, doors.sweeps.store.targets).get(target),
    ]
    for way in ways:
        with pytest.raises(InvalidInputError, match="is no target; use local, cuda or a Dask scheduler's address"):
            way()
    for known in ("local", "cuda", "tcp://127.0.0.1:8786", "tls://host:1"):
        doors._checked(f"target: {json.dumps(known)}\nsteps: {{job: {{notebook: job.ipynb}}}}")


@pytest.mark.parametrize("address", ["nowhere", "me@example.org", "slak://token", "slack://a", "jsn://localhost"])
def test_every_door_refuses_the_same_addresses(doors: Doors, address: str) -> None:
    with pytest.raises(InvalidInputError, match="is no address that apprise knows"):
        doors._checked(f"alerts: {{to: [{json.dumps(address)}]}}\nsteps: {{job: {{notebook: job.ipynb}}}}")
    asked = PromoteRequest(path=str(doors.file), alerts=Alerts(to=[address]))
    with pytest.raises(InvalidInputError, match="is no address that apprise knows"):
        doors.pipelines.promote(asked, doors.specs)
    doors._checked("alerts: {to: ['json://localhost/x', {env: WHERE}]}\nsteps: {job: {notebook: job.ipynb}}")


def test_a_notebooks_own_default_is_never_refused(doors: Doors) -> None:
    """``x: int = 0.5`` is the author's business: it runs so, and is promoted so."""
    odd = write_notebook(doors.file.with_name("odd.ipynb"), "x: int = 0.5\ny: int = None\nz: bool = 1")
    assert doors.pipelines.promote(PromoteRequest(path=str(odd)), doors.specs).version.definition.parameters == {
        "x": 0.5,
        "y": None,
        "z": 1,
    }


def test_every_door_refuses_a_sweep_with_more_runs_than_allowed(doors: Doors) -> None:
    """``validate`` and promotion let it pass, and the step failed as it began."""
    doors.pipelines.settings.max_runs = 100
    text = """\
parameters: {last: 60}
steps:
  job:
    notebook: job.ipynb
    sweep:
      space: {x: "1:${last}", mode: "fast, exact"}
      objective: {metric: m}
"""
    says = "This makes 120 runs, more than the 100 allowed; narrow it, or draw a random sample."
    found = check(doors.file, text, 100).problems
    assert [(problem.line, problem.column, problem.message) for problem in found] == [(6, 7, says)]
    with pytest.raises(InvalidInputError, match=f"line 6, column 7: {says}"):
        doors._promoted(text)
    fitting = doors._promoted(text.replace("60", "50"))
    with pytest.raises(InvalidInputError, match="This makes 200 runs"):
        doors.pipelines.start(fitting, RunRequest(parameters={"last": 100}))


def test_a_promoted_run_keeps_the_kernel_it_had(doors: Doors, tmp_path: Path) -> None:
    """It ran with the kernel that the notebook names, although ``--kernel`` had chosen another for the run."""
    specs = {**doors.specs, "other": doors.specs["python3"]}
    request = SweepRequest(path=str(doors.file), kernel="other")
    store = doors.pipelines.store
    sweep = doors.sweeps.create(doors.file, request, specs)
    store.runs.add(sweep.id, [Run(id="r", sweep_id=sweep.id, index=0)])
    store.runs.change("r", state=RunState.STARTING)
    store.runs.change("r", state=RunState.RUNNING)
    store.runs.change("r", state=RunState.SUCCEEDED)
    file = doors.file.with_name("job.pipeline.yaml")
    for asked in (PromoteRequest(run_id="r"), PromoteRequest(path=str(file), kernel="other")):
        made = doors.pipelines.promote(asked, specs)
        step = next(iter(made.version.definition.steps.values()))
        run = PipelineRun(id="r", pipeline_id="p", version=1, parameters={"scheduled_time": "2026-01-01"})
        place = Place(
            made.pipeline,
            made.version,
            run,
            "here",
            tmp_path,
            tmp_path,
            doors.pipelines.settings,
            doors.pipelines.targets,
        )
        begun = make_sweep("job", step, place, values={}, outputs={}, data=doors.file.read_bytes())
        assert begun.kernel == "other" and begun.kernelspec == made.version.kernelspecs["other"]
    with pytest.raises(InvalidInputError, match="The kernel “none” is not installed here"):
        doors.pipelines.promote(PromoteRequest(path=str(file), kernel="none"), specs)


def test_a_sweep_in_a_text_that_makes_no_sense_is_refused(doors: Doors) -> None:
    for space, sampler, says in (
        ({"x": "1:3:0"}, {}, "The count must be 1 or more"),
        ({"x": ""}, {}, "Give a value"),
        ({"x": "1:3"}, {"kind": "best", "count": 3}, "There is no sampler “best”"),
    ):
        sweep = json.dumps({"space": space, "objective": {"metric": "m"}, "sampler": sampler})
        with pytest.raises(InvalidInputError, match=says):
            doors._checked(f"steps: {{job: {{notebook: job.ipynb, sweep: {sweep}}}}}")
