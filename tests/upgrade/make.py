"""Makes a store and data folder with an older release, for tests/test_upgrade.py.

Run it with that release's code, from a checkout of it, and with PostgreSQL installed::

    git worktree add --detach OLD b42e39f
    PYTHONPATH=OLD:OLD/tests python tests/upgrade/make.py tests/upgrade/b42e39f.tar.xz

The archive holds the folders ``data`` and ``project``, the store as SQL for SQLite and for PostgreSQL, MLflow's file
as SQL, and ``facts.json``: ids by the names given below. @ROOT@ stands for the folder in which all of it was made.
"""

# ruff: noqa: I001  modules of the older release may lie elsewhere by now

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import psutil
from jupyter_client.kernelspec import KernelSpecManager
from postgresql_helpers import Server, newest_programs
from sqlalchemy import create_engine, delete, insert, select

import jupyter_mlops
from jupyter_mlops.core.pipeline_requests import PipelineChange, PromoteRequest, RunRequest, ScheduleRequest
from jupyter_mlops.core.records import Objective, Sampler, SweepChange, SweepRequest, now
from jupyter_mlops.core.states import PipelineRunState
from jupyter_mlops.services.launch import ensure_service, service_log
from jupyter_mlops.services.pipelines.requests import Pipelines
from jupyter_mlops.services.requests import Sweeps
from jupyter_mlops.settings import MlopsSettings
from jupyter_mlops.store import Store
from jupyter_mlops.store.tables import metadata

NOBODY = "tcp://127.0.0.1:9"
PARAMETERS = "depth = 3  # of the tree\nrate = 0.1"
SCORE = "import helper\naccuracy = helper.score(depth, rate)\nprint(accuracy)"
# goes on once the file is there
GATE = "import pathlib, time\nwhile not pathlib.Path('go').exists():\n    time.sleep(0.05)"
FAIL = "if depth > 3:\n    raise ValueError('too deep')"
PIPELINE = """\
name: nightly
parameters: { rows: 10 }
steps:
  prepare:
    notebook: prepare.ipynb
    parameters: { rows: "${rows}" }
    outputs: [count]
    reuse: true
    env: { LEVEL: "1" }
  train:
    notebook: train.ipynb
    when: prepare.count > 5
    target: local
    sweep:
      space: { depth: "3, 4" }
      objective: { metric: accuracy, direction: maximize }
alerts:
  to: ["json://127.0.0.1:9/nowhere"]
  on: [slow]
  slow: 90000
"""
ELSEWHERE = f"name: elsewhere\ntarget: {NOBODY}\nsteps:\n  far: {{ notebook: train.ipynb }}\n"
GATED = "name: gated\nsteps:\n  wait: { notebook: gated.ipynb }\n  report: { notebook: prepare.ipynb, after: [wait] }\n"


class Maker:
    """Makes everything in a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.project = root / "project"
        self.project.mkdir()
        self.settings = MlopsSettings(data_dir=str(root / "data"), local_slots=2, service_idle_timeout=600.0)
        self.store = Store(self.settings.store_url)
        self.sweeps = Sweeps(self.store, self.settings)
        self.pipelines = Pipelines(self.store, self.settings)
        self.specs = KernelSpecManager().get_all_specs()
        self.facts: dict[str, str] = {}

    def make(self) -> None:
        """The whole, in the order in which a person would have done it."""
        self._write_project()
        self._use()
        self._end_in_the_middle()
        self._ask_without_service()
        self.store.close()

    def _write_project(self) -> None:
        (self.project / "helper.py").write_text("def score(depth, rate):\n    return depth / 10 + rate\n")
        self._notebook("train.ipynb", PARAMETERS, SCORE)
        self._notebook("gated.ipynb", PARAMETERS, GATE, SCORE)
        self._notebook("failing.ipynb", PARAMETERS, FAIL, SCORE)
        self._notebook("prepare.ipynb", "rows = 3", "count = rows")
        self._notebook("remembered.ipynb", PARAMETERS, SCORE, mlops=_form(self.project / "remembered.ipynb"))
        for name, text in (("nightly", PIPELINE), ("elsewhere", ELSEWHERE), ("gated", GATED)):
            (self.project / f"{name}.pipeline.yaml").write_text(text)

    def _notebook(self, name: str, *sources: str, **extra: Any) -> Path:
        cells = [nbformat.v4.new_code_cell(source, id=f"cell-{number}") for number, source in enumerate(sources)]
        cells[0].metadata["tags"] = ["parameters"]
        kernelspec = {"name": "python3", "language": "python", "display_name": "Python 3"}
        path = self.project / name
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernelspec, **extra}), path)
        return path

    # -- while a service lives ---------------------------------------------------------------

    def _use(self) -> None:
        ensure_service(self.settings, wait=20)
        best = Objective(metric="accuracy")
        finished = self.sweep("finished", "train.ipynb", space={"depth": "3, 4", "rate": "0.1"}, objective=best)
        failed = self.sweep("failed", "failing.ipynb", space={"depth": "3, 4"}, metrics=["accuracy"])
        stopped = self.sweep("stopped", "gated.ipynb", space={"depth": "3, 4"})
        nowhere = self.sweep(
            "nowhere", "train.ipynb", target=NOBODY, objective=Objective(metric="a", direction="minimize")
        )
        removed = self.sweep("removed", "train.ipynb")
        for sweep_id in (finished, failed, nowhere, removed):
            self.until(lambda sweep_id=sweep_id: self.store.sweep(sweep_id).ended_at)
        self.until(lambda: self.store.sweep(stopped).counts.get("running"))
        self.sweeps.stop(stopped)
        self.until(lambda: self.store.sweep(stopped).ended_at)
        self.sweeps.change(failed, SweepChange(archived=True))
        self.sweeps.delete(removed)
        alike = self.sweep("alike", "failing.ipynb", space={"depth": "4:9"})
        self.until(lambda: self.store.sweep(alike).state == "paused")
        self._use_pipelines(finished)

    def _use_pipelines(self, finished: str) -> None:
        nightly = self.promote("nightly", path="nightly.pipeline.yaml", note="the first")
        self.run("nightly_succeeded", nightly)
        self._notebook("prepare.ipynb", "rows = 3", "count = rows * 2")
        self.promote("nightly", path="nightly.pipeline.yaml", note="twice as many")
        self.run("nightly_skipping", nightly, parameters={"rows": 1})
        self.run("nightly_reusing", nightly, version=1)
        single = self.promote("single", sweep_id=finished, name="single")
        self.run("single_succeeded", single)
        failing = self.promote("failing", path="failing.ipynb", name="failing")
        self.run("failing_failed", failing, parameters={"depth": 5})
        self.trigger("cron", nightly, cron="*/10 * * * *", zone="Europe/Berlin", parameters={"rows": 7})
        self.facts["token"] = self.trigger("http", single, kind="http", parameters={"depth": 5})
        (self.project / "incoming").mkdir()
        (self.project / "incoming" / "known.csv").write_text("1\n")
        self.trigger("files", single, kind="files", pattern="incoming/*.csv")
        self.until(lambda: self.store.trigger_state(self.facts["files"]))
        self.trigger("follower", failing, kind="pipeline", upstream=single, on="ended")

    # -- the machine is lost -----------------------------------------------------------------

    def _end_in_the_middle(self) -> None:
        paused = self.sweep("paused", "gated.ipynb", space={"depth": "3, 4, 5, 6"}, slots=1)
        self.until(lambda: self.store.sweep(paused).counts.get("running"))
        (self.project / "go").touch()
        self.until(lambda: self.store.sweep(paused).counts.get("succeeded"))
        (self.project / "go").unlink()
        self.until(lambda: self.store.sweep(paused).counts.get("running"))
        self.sweeps.pause(paused)
        self.until(lambda: self.store.sweep(paused).state == "paused")
        (self.project / "go").touch()
        self.until(lambda: not self.store.sweep(paused).counts.get("running"))
        (self.project / "go").unlink()
        gated = self.promote("gated", path="gated.pipeline.yaml")
        self.start("gated_running", gated)
        live = self.sweep("live", "gated.ipynb", space={"depth": "3, 4, 5"}, objective=Objective(metric="accuracy"))
        self.until(lambda: self.store.sweep(live).counts.get("running"))
        elsewhere = self.promote("elsewhere", path="elsewhere.pipeline.yaml")
        waiting = self.start("elsewhere_waiting", elsewhere)
        call = ScheduleRequest(kind="http", overlap="skip")
        trigger = self.store.trigger(self.pipelines.add_trigger(gated, call).trigger.id)
        self.facts["gated_skipped"] = self.pipelines.fire_by_call(trigger, RunRequest()).id
        self.until(lambda: any("Waiting: " in step.message for step in self.store.steps(waiting)))
        self.until(lambda: any(step.state == "running" for step in self.store.steps(self.facts["gated_running"])))
        self.until(lambda: not self.store.untracked(1))
        self.end()

    def end(self) -> None:
        """End all that works on the data folder as a power cut would."""
        ours = [process for process in psutil.process_iter() if process.pid != os.getpid() and self._is_ours(process)]
        ours += [child for process in ours for child in process.children(recursive=True)]
        for process in ours:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(ours, timeout=10)

    def _is_ours(self, process: psutil.Process) -> bool:
        with contextlib.suppress(psutil.Error):
            said = [*process.cmdline(), process.environ().get("JUPYTER_MLOPS_SETTINGS", "")]
            return any(str(self.root) in part for part in said)
        return False

    # -- while none lives --------------------------------------------------------------------

    def _ask_without_service(self) -> None:
        drawn = Sampler(kind="random", count=2, seed=1)
        best = Objective(metric="accuracy")
        self.sweep("queued", "train.ipynb", space={"depth": "3:9"}, sampler=drawn, objective=best)
        self.facts["single_queued"] = self.pipelines.run(self.facts["single"], RunRequest(parameters={"depth": 6})).id
        resting = self.promote("resting", path="train.ipynb", name="resting")
        self.trigger("resting_cron", resting, cron="* * * * *", missed="all")
        self.pipelines.change(resting, PipelineChange(paused=True))
        self.facts["stopped_run"] = self.pipelines.run(resting, RunRequest()).id
        self.store.change_pipeline_run(self.facts["stopped_run"], state=PipelineRunState.STOPPED, ended_at=now())
        self.pipelines.delete(self.promote("deleted", path="train.ipynb", name="deleted"))
        self.sweeps.save_draft(self.project / "train.ipynb", _request(self.project / "train.ipynb"))

    # -- one thing each ----------------------------------------------------------------------

    def sweep(self, name: str, notebook: str, /, **request: Any) -> str:
        path = self.project / notebook
        sweep = self.sweeps.create(path, SweepRequest(path=str(path), name=name, **request), self.specs)
        self.facts[name] = sweep.id
        return sweep.id

    def promote(self, name: str, /, **request: Any) -> str:
        answer = self.pipelines.promote(PromoteRequest(**request), self.project, self.specs)
        self.facts[name] = answer.pipeline.id
        return answer.pipeline.id

    def start(self, name: str, pipeline_id: str, **request: Any) -> str:
        self.facts[name] = self.pipelines.run(pipeline_id, RunRequest(**request)).id
        return self.facts[name]

    def run(self, name: str, pipeline_id: str, **request: Any) -> None:
        self.start(name, pipeline_id, **request)
        self.until(lambda: self.ended(pipeline_id))

    def ended(self, pipeline_id: str) -> bool:
        return all(run.ended_at for run in self.store.pipeline_runs(pipeline_id))

    def trigger(self, name: str, pipeline_id: str, /, **request: Any) -> str:
        answer = self.pipelines.add_trigger(pipeline_id, ScheduleRequest(**request))
        self.facts[name] = answer.trigger.id
        return answer.token

    def until(self, what: Callable[[], Any]) -> None:
        deadline = time.monotonic() + 120
        while not what():
            if time.monotonic() > deadline:
                raise AssertionError(service_log(self.settings, 4000), self.store.pipeline_runs(), self.store.sweeps())
            time.sleep(0.05)


def _request(path: Path) -> SweepRequest:
    return SweepRequest(
        path=str(path),
        space={"depth": "3:6"},
        objective=Objective(metric="accuracy", direction="maximize"),
        target=NOBODY,
        slots=2,
    )


def _form(path: Path) -> dict[str, Any]:
    """As the panel keeps a form in a notebook's metadata."""
    import msgspec

    form = msgspec.to_builtins(_request(path))
    del form["path"]
    return form


# -- the archive -------------------------------------------------------------------------------------


def sql_of(file: Path) -> str:
    """A SQLite file as statements."""
    with contextlib.closing(sqlite3.connect(file)) as connection:
        return "\n".join(connection.iterdump()) + "\n"


def postgresql_of(url: str) -> str:
    """The same store in a PostgreSQL database, as statements that each version of its server takes."""
    programs = newest_programs()
    assert programs is not None
    server = Server(programs)
    try:
        server.make()
        server.start()
        name = server.empty()
        Store(server.url(name)).close()
        _copy(url, server.url(name).replace("postgresql:", "postgresql+psycopg:"))
        order = [str(programs / "pg_dump"), "--inserts", "--no-owner", "--no-privileges", "--no-comments"]
        order += ["-h", str(server.folder), "-p", str(server.port), "-U", "postgres", name]
        text = subprocess.run(order, check=True, capture_output=True, text=True).stdout
    finally:
        server.stop()
        shutil.rmtree(server.folder)
    # settings that other versions do not know, and words for psql alone
    return re.sub(r"^(SET|SELECT pg_catalog\.set_config|\\|--).*\n", "", text, flags=re.MULTILINE)


def _copy(source: str, target: str) -> None:
    old, new = create_engine(source), create_engine(target)
    with old.connect() as reading, new.begin() as writing:
        writing.execute(delete(metadata.tables["revisions"]))
        for table in metadata.sorted_tables:
            rows = [dict(row._mapping) for row in reading.execute(select(table))]
            if rows:
                writing.execute(insert(table), rows)
    old.dispose()
    new.dispose()


def parts(maker: Maker) -> Iterator[tuple[str, bytes, int, float]]:
    """Name, content, mode and time of change of the archive's files."""
    data = maker.settings.data_path
    made = {
        "facts.json": json.dumps(maker.facts, indent=1),
        "sqlite.sql": sql_of(data / "store.sqlite"),
        "postgresql.sql": postgresql_of(maker.settings.store_url),
        "mlflow.sql": sql_of(data / "mlflow.sqlite"),
    }
    yield from ((name, text.encode(), 0o600, 0) for name, text in made.items())
    for path in sorted(maker.root.rglob("*")):
        kept = path.is_file() and not path.is_symlink() and ".sqlite" not in path.name
        if kept and path.suffix not in (".lock", ".log") and "__pycache__" not in path.parts:
            content = path.read_bytes()
            if path.parent.name == "targets":
                # of a scheduler that is gone
                content = re.sub(rb"-----BEGIN .*?-----END [A-Z ]*-----", b"", content)
            yield str(path.relative_to(maker.root)), content, path.stat().st_mode & 0o777, path.stat().st_mtime


def links(maker: Maker) -> Iterator[tuple[str, str]]:
    """Names and targets of the symbolic links."""
    for path in sorted(maker.root.rglob("*")):
        if path.is_symlink():
            yield str(path.relative_to(maker.root)), os.readlink(path)


def write(maker: Maker, archive: Path) -> None:
    """Everything, with @ROOT@ in the folder's place, and no word of this machine."""
    root = str(maker.root)
    elsewhere = {root: "@ROOT@", sys.prefix: "/opt/jupyter", str(Path(jupyter_mlops.__file__).parent): "/opt/mlops"}
    elsewhere |= {f":{os.environ['PYTHONPATH']}": ""}
    elsewhere |= {f"{socket.gethostname()}:": "laptop:", f'"host": "{socket.gethostname()}"': '"host": "laptop"'}
    with tarfile.open(archive, "w:xz", preset=9) as tar:
        for name, content, mode, changed in parts(maker):
            moved = content
            for here, there in elsewhere.items():
                moved = moved.replace(here.encode(), there.encode())
            member = tarfile.TarInfo(name)
            member.size, member.mode, member.mtime = len(moved), mode, changed
            tar.addfile(member, io.BytesIO(moved))
        for name, target in links(maker):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target.replace(root, "@ROOT@")
            tar.addfile(member)


def main() -> None:
    """Make the archive."""
    with tempfile.TemporaryDirectory(prefix="mlops-upgrade-") as folder:
        # a version's folder shows what lies up to two folders above the project
        root = Path(folder, "home", "ada")
        root.mkdir(parents=True)
        maker = Maker(root)
        try:
            maker.make()
        finally:
            maker.end()
        write(maker, Path(sys.argv[1]))


if __name__ == "__main__":
    main()
