"""What must hold after everything was killed again and again, and what of it does not."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kill_load import ONCE, Load

from jupyter_mlops.core.pipelines.records import PipelineRun, StepRun
from jupyter_mlops.core.runs import Run
from jupyter_mlops.core.states import PIPELINE_RUN_OVER, RUN_OVER, STEP_OVER, SWEEP_OVER, PipelineRunState, StepState
from jupyter_mlops.core.sweeps import Sweep

Effect = dict[str, Any]
_MLFLOW_ENDS = {"succeeded": "FINISHED", "failed": "FAILED", "stopped": "KILLED"}


class Findings:
    """All that is in the store, in MLflow and in the file of effects, read once.

    Args:
        load: that went on.
        data: the service's data folder.
    """

    def __init__(self, load: Load, data: Path) -> None:
        self.load = load
        self.data = data
        store = load.store
        self.runs: list[PipelineRun] = store.pipeline_runs.find()
        self.steps: dict[str, list[StepRun]] = {run.id: store.pipeline_runs.steps(run.id) for run in self.runs}
        self.sweeps: dict[str, Sweep] = {sweep.id: sweep for sweep in store.sweeps.find(deleted=None)}
        self.notebooks: dict[str, list[Run]] = {sweep_id: store.runs.of_sweep(sweep_id) for sweep_id in self.sweeps}
        lines = (load.folder / "effects.jsonl").read_text(encoding="utf-8").splitlines()
        self.effects: list[Effect] = [json.loads(line) for line in lines]
        self.names = {pipeline_id: name for name, pipeline_id in load.ids.items()}

    def all(self) -> dict[str, list[str]]:
        """Defects by what was promised."""
        checks = {
            "lost": [*self._fires(), *self._by_hand(), *self._followers(), *self._results()],
            "twice": [*self._doubles(), *self._effects(), *self._once()],
            "left running": [*self._unfinished(), *self._counts()],
            "MLflow": list(self._mlflow()),
            "store": [*_integrity(self.data / "store.sqlite"), *_integrity(self.data / "mlflow.sqlite")],
        }
        return {name: list(found) for name, found in checks.items()}

    # -- nothing is lost -------------------------------------------------------------------------

    def _fires(self) -> Iterator[str]:
        known = {run.id for run in self.runs}
        for name, trigger_id in self.load.triggers.items():
            fires = self.load.store.triggers.fired(trigger_id)
            times = {fire.scheduled_at for fire in fires}
            yield from (f"{name} did not fire at {at}" for at in self.load.minutes if at not in times)
            yield from (f"{name}, {fire.scheduled_at}: no run" for fire in fires if fire.run_id not in known)

    def _by_hand(self) -> Iterator[str]:
        known = {run.id for run in self.runs}
        yield from (f"run {run_id} is gone" for run_id in self.load.by_hand if run_id not in known)

    def _followers(self) -> Iterator[str]:
        times = Counter(fire.scheduled_at for fire in self.load.store.triggers.fired(self.load.follows))
        ended = [run for run in self.runs if run.pipeline_id == self.load.ids["chain"] and run.state != "skipped"]
        for run in ended:
            if run.ended_at not in times:
                yield f"nothing followed {self._called(run)}"
        if len(times) != len(ended):
            yield f"{len(times)} runs followed {len(ended)}"

    def _results(self) -> Iterator[str]:
        """What may be repeated succeeds in the end, and hands on what it did."""
        for run in self.runs:
            if self.names[run.pipeline_id] != ONCE and run.state not in ("succeeded", "skipped"):
                yield f"{self._called(run)} is {run.state}: {run.message}"
            before = ""
            for step in self.steps[run.id]:
                if step.state is not StepState.SUCCEEDED:
                    continue
                if step.parameters.get("before", "") != before:
                    yield f"{self._called(run)}: {step.step} got {step.parameters.get('before')}, not {before}"
                before = step.outputs["token"]
                if not any(effect["attempt"] == before and effect["event"] == "end" for effect in self.effects):
                    yield f"{self._called(run)}: {step.step} hands on what was never done"

    # -- nothing happens twice ---------------------------------------------------------------------

    def _doubles(self) -> Iterator[str]:
        fired = Counter((run.trigger_id, run.scheduled_at) for run in self.runs if run.trigger_id)
        yield from (f"{count} runs of {key}" for key, count in fired.items() if count > 1)
        numbers = Counter((run.pipeline_id, run.number) for run in self.runs)
        yield from (f"{count} runs have the number {key[1]}" for key, count in numbers.items() if count > 1)
        for run in self.runs:
            for step in self.steps[run.id]:
                done = [sweep for sweep in step.sweeps if sweep in self.sweeps and self._succeeded(sweep)]
                if len(done) > 1:
                    yield f"{self._called(run)}: {step.step} succeeded {len(done)} times"

    def _succeeded(self, sweep_id: str) -> bool:
        return bool(self.notebooks[sweep_id]) and self.sweeps[sweep_id].state == "succeeded"

    def _effects(self) -> Iterator[str]:
        begun = Counter((effect["attempt"], effect["event"]) for effect in self.effects)
        yield from (f"attempt {key[0]}: {count} times “{key[1]}”" for key, count in begun.items() if count > 1)
        # whoever was given up must not go on beside the one that took its place
        last: dict[str, str] = {}
        for effect in self.effects:
            run_id, _, _ = effect["attempt"].rpartition(".")
            name = run_id if "-train" in effect["key"] else effect["key"]
            if effect["event"] == "begin":
                last[name] = effect["attempt"]
            elif last.get(name) != effect["attempt"]:
                yield f"{effect['key']}: attempt {effect['attempt']} went on though {last.get(name)} had begun"

    def _once(self) -> Iterator[str]:
        begun: dict[str, set[str]] = defaultdict(set)
        for effect in self.effects:
            begun[effect["key"]].add(effect["attempt"])
        for run in self.runs:
            if self.names[run.pipeline_id] == ONCE:
                for step in self.steps[run.id]:
                    attempts = begun[f"{run.id}-{step.step}"]
                    if len(attempts) > 1:
                        yield f"{self._called(run)}: {step.step} was done by {sorted(attempts)}"

    # -- nothing is left ---------------------------------------------------------------------------

    def _unfinished(self) -> Iterator[str]:
        for run in self.runs:
            if run.state not in PIPELINE_RUN_OVER:
                yield f"{self._called(run)} is {run.state}: {run.message}"
            for step in self.steps[run.id]:
                if step.state not in STEP_OVER:
                    yield f"{self._called(run)}: step {step.step} is {step.state}: {step.message}"
        for sweep in self.sweeps.values():
            if sweep.state not in SWEEP_OVER:
                yield f"sweep {sweep.id} of {sweep.step} is {sweep.state}: {sweep.message}"
            for one in self.notebooks[sweep.id]:
                if one.state not in RUN_OVER or not one.tracked:
                    yield f"run {one.id} is {one.state}, told to MLflow: {one.tracked}"

    def _counts(self) -> Iterator[str]:
        for sweep in self.sweeps.values():
            if dict(Counter(run.state.value for run in self.notebooks[sweep.id])) != sweep.counts:
                yield f"sweep {sweep.id} counts {sweep.counts}"
        for run in self.runs:
            if dict(Counter(step.state.value for step in self.steps[run.id])) != run.steps:
                yield f"{self._called(run)} counts {run.steps}"
        states = {run.id: run.state for run in self.runs}
        for pipeline_id in self.names:
            for mark in self.load.store.pipelines.get(pipeline_id).recent:
                if states[mark.id] is not mark.state:
                    yield f"{self.names[pipeline_id]} shows {mark.number} as {mark.state}, it is {states[mark.id]}"

    # -- MLflow --------------------------------------------------------------------------------------

    def _mlflow(self) -> Iterator[str]:
        from mlflow import MlflowClient

        client = MlflowClient(tracking_uri=f"sqlite:///{self.data / 'mlflow.sqlite'}")
        experiments = [found.experiment_id for found in client.search_experiments()]
        kept: list[Any] = []
        token = None
        while True:
            page = client.search_runs(experiments, max_results=5000, page_token=token)
            kept += page
            token = page.token
            if not token:
                break
        open_ = [run for run in kept if run.info.status not in _MLFLOW_ENDS.values()]
        yield from (f"“{run.info.run_name}” is {run.info.status}" for run in open_)
        states = {run.info.run_id: run.info.status for run in kept}
        for run in self.runs:
            wanted = _MLFLOW_ENDS.get(run.state.value)
            if run.state is not PipelineRunState.SKIPPED and states.get(run.mlflow_run_id) != wanted:
                yield f"{self._called(run)} is {run.state}, in MLflow {states.get(run.mlflow_run_id)}"
        for kind, tag in (("pipeline", "mlops.pipeline_run"), ("sweep", "mlops.sweep_id"), ("run", "mlops.run_id")):
            of = Counter(run.data.tags[tag] for run in kept if run.data.tags.get("mlops.kind") == kind)
            yield from (f"{count} runs of {kind} {name}" for name, count in of.items() if count > 1)
        known = {run.data.tags.get("mlops.run_id") for run in kept}
        for runs in self.notebooks.values():
            yield from (f"{run.id} is not there" for run in runs if run.started_at and run.id not in known)

    def _called(self, run: PipelineRun) -> str:
        return f"{self.names[run.pipeline_id]} {run.number}"


def _integrity(file: Path) -> Iterator[str]:
    connection = sqlite3.connect(file)
    try:
        for pragma in ("integrity_check", "foreign_key_check"):
            found = connection.execute(f"PRAGMA {pragma}").fetchall()
            yield from (f"{file.name}: {row}" for row in found if row != ("ok",))
    finally:
        connection.close()
