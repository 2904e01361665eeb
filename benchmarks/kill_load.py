"""What goes on while processes are killed: pipelines whose steps write down each thing they do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from common import write_notebook
from jupyter_client.kernelspec import KernelSpecManager

from jupyter_mlops.core.pipelines.requests import PromoteRequest, RunRequest, ScheduleRequest
from jupyter_mlops.core.states import PipelineRunState
from jupyter_mlops.services.pipelines.requests import Pipelines
from jupyter_mlops.settings import MlopsSettings
from jupyter_mlops.store import Store

LIVE = (PipelineRunState.QUEUED, PipelineRunState.RUNNING)
AT_ONCE = 4  # runs by hand are added while fewer than so many go on

# frozen with each version; a line is one write, so that no two of them mix
EFFECTS = """
import json, os, time

def tell(folder, event):
    line = json.dumps({"key": os.environ["MLOPS_STEP_KEY"], "attempt": os.environ["MLOPS_ATTEMPT_ID"],
                       "event": event, "at": time.time()}) + "\\n"
    file = os.open(os.path.join(folder, "effects.jsonl"), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, line.encode())
    os.close(file)

def do_once(folder, seconds):
    tell(folder, "begin")
    time.sleep(seconds)
    tell(folder, "end")
    return os.environ["MLOPS_ATTEMPT_ID"]
"""
WORK = "import effects\ntoken = effects.do_once(folder, seconds)"
PIPELINES = {
    "chain": """\
concurrency: 3
parameters: {folder: FOLDER}
steps:
  a: {notebook: work.ipynb, parameters: {folder: "${folder}"}, outputs: [token], RETRIES}
  b: {notebook: work.ipynb, parameters: {folder: "${folder}", before: "${a.token}"}, outputs: [token], RETRIES}
  c: {notebook: work.ipynb, parameters: {folder: "${folder}", before: "${b.token}"}, outputs: [token], RETRIES}
  d: {notebook: tracked.ipynb, parameters: {folder: "${folder}", before: "${c.token}"}, outputs: [token], RETRIES}
""",
    "tuned": """\
concurrency: 2
parameters: {folder: FOLDER}
steps:
  prepare: {notebook: work.ipynb, parameters: {folder: "${folder}"}, outputs: [token], RETRIES}
  train:
    notebook: train.ipynb
    parameters: {folder: "${folder}", before: "${prepare.token}"}
    outputs: [token]
    sweep: {space: {power: "1:4"}, objective: {metric: score}}
    RETRIES_BELOW
  report: {notebook: work.ipynb, parameters: {folder: "${folder}", before: "${train.token}"}, outputs: [token], RETRIES}
""",
    "once": """\
concurrency: 2
parameters: {folder: FOLDER}
steps:
  first: {notebook: work.ipynb, parameters: {folder: "${folder}"}, outputs: [token], repeat_lost: false}
  second: {notebook: work.ipynb, parameters: {folder: "${folder}", before: "${first.token}"}, outputs: [token],
           repeat_lost: false}
""",
    "follower": """\
concurrency: 4
parameters: {folder: FOLDER}
steps:
  only: {notebook: work.ipynb, parameters: {folder: "${folder}"}, outputs: [token], RETRIES}
""",
}
ONCE = "once"
_RETRIES = ("retries: 20", "retry_delay: 0.3", "retry_backoff: 1.0")


class Load:
    """Pipelines with schedules, and runs by hand beside them.

    Args:
        folder: below which notebooks and the file of effects lie.
        store: of the service.
        settings: of the service.
    """

    def __init__(self, folder: Path, store: Store, settings: MlopsSettings) -> None:
        self.folder = folder
        self.store = store
        self.by_hand: list[str] = []
        self._pipelines = Pipelines(store, settings)
        project = folder / "project"
        project.mkdir(parents=True)
        (project / "effects.py").write_text(EFFECTS, encoding="utf-8")
        values = "folder = ''\nbefore = ''\nseconds = 0.4"
        write_notebook(project / "work.ipynb", values, WORK)
        write_notebook(project / "tracked.ipynb", values, WORK, "import mlflow\nmlflow.log_metric('seen', 1.0)")
        write_notebook(project / "train.ipynb", f"{values}\npower = 1", WORK, "score = float(power)")
        specs = KernelSpecManager().get_all_specs()
        self.ids: dict[str, str] = {}
        for name, text in PIPELINES.items():
            file = project / f"{name}.pipeline.yaml"
            file.write_text(_filled(name, text, folder), encoding="utf-8")
            answer = self._pipelines.promote(PromoteRequest(path=str(file)), specs)
            self.ids[name] = answer.pipeline.id
        self.triggers = {
            name: self._pipelines.add_trigger(self.ids[name], _every_minute(overlap)).trigger.id
            for name, overlap in (("chain", "queue"), ("tuned", "skip"), (ONCE, "queue"))
        }
        after = ScheduleRequest(kind="pipeline", upstream=self.ids["chain"], on="ended")
        self.follows = self._pipelines.add_trigger(self.ids["follower"], after).trigger.id
        self.begun = datetime.now(UTC)
        self.stopped = self.begun

    def add(self) -> None:
        """See to it that there is something to be killed."""
        live = self.store.pipeline_runs.find(states=LIVE)
        for name in list(PIPELINES)[: AT_ONCE - len(live)]:
            self.by_hand.append(self._pipelines.start(self.ids[name], RunRequest()).id)

    def stop(self) -> None:
        """Fire nothing more by time."""
        for trigger_id in self.triggers.values():
            self.store.triggers.change(trigger_id, enabled=False)
        self.stopped = datetime.now(UTC)

    @property
    def minutes(self) -> list[str]:
        """Times at which each schedule had to fire."""
        first = self.begun.replace(second=0, microsecond=0) + timedelta(minutes=1)
        count = int((self.stopped - first).total_seconds() // 60) + 1 if self.stopped > first else 0
        return [(first + timedelta(minutes=n)).isoformat(timespec="microseconds") for n in range(count)]


def _filled(name: str, text: str, folder: Path) -> str:
    text = text.replace("FOLDER", str(folder)).replace("RETRIES_BELOW", "\n    ".join(_RETRIES))
    return f"name: {name}\n{text.replace('RETRIES', ', '.join(_RETRIES))}"


def _every_minute(overlap: str) -> ScheduleRequest:
    return ScheduleRequest(cron="* * * * *", overlap=overlap, missed="all", grace=3600.0)
