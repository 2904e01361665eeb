"""Pipelines as DAGs for Airflow: the file is run without Airflow here, and with it in the slow test."""

from __future__ import annotations

import inspect
import json
import os
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from conftest import write_notebook
from pipeline_helpers import PipelineService

from jupyter_mlops.cli.main import main
from jupyter_mlops.core.pipelines.conditions import Condition
from jupyter_mlops.core.pipelines.records import Trigger
from jupyter_mlops.core.pipelines.text import check_text
from jupyter_mlops.core.search.samplers import make_study, planned_total
from jupyter_mlops.core.search.space import Space
from jupyter_mlops.core.sweeps import Sampler
from jupyter_mlops.services.pipelines.airflow import export as airflow
from jupyter_mlops.services.pipelines.airflow import tasks as airflow_steps
from jupyter_mlops.services.pipelines.airflow.remarks import airflow_cron
from jupyter_mlops.services.pipelines.exporters import Export, ExportSource
from jupyter_mlops.worker.probes import variables

CHAIN = """\
name: The chain
description: 'Says "hello", and \\ too'
parameters: {start: 3, word: 'it''s "so"'}
steps:
  collect:
    notebook: collect.ipynb
    parameters: {start: "${start}", text: "${word}: ${start} $${x}", nested: {list: ["${start}", 1.5, null]}}
    outputs: [numbers, said, named]
    files: {table: "*.csv"}
    env: {GREETING: "hello ${start}"}
    secrets: {PASSWORD: {env: THE_PASSWORD}}
    retries: 2
    retry_delay: 1
    timeout: 600
    cell_timeout: 300
  train-it:
    notebook: train.ipynb
    parameters: {numbers: "${collect.numbers}", table: "${collect.table}"}
    sweep:
      space: {power: "1:3", extra: "${collect.numbers}"}
      objective: {metric: score}
      slots: 2
    reuse: true
  report:
    notebook: report.ipynb
    parameters: {power: "${train-it.power}", score: "${train-it.score}"}
    when: train-it.score > 10 and collect.said in ["other", "hello 3"]
    outputs: [said]
  sorry:
    notebook: report.ipynb
    when: train-it.score < 10
  behind-sorry: {notebook: report.ipynb, after: [sorry]}
  never: {notebook: report.ipynb, after: [report], run_if: failed}
  tidy: {notebook: report.ipynb, after: [sorry], run_if: always}
alerts: {to: ["mailto://ada@example.org"]}
"""
BAD = """\
name: bad
steps:
  bad: {notebook: bad.ipynb}
  next: {notebook: report.ipynb, after: [bad]}
  behind: {notebook: report.ipynb, after: [next]}
  beside: {notebook: report.ipynb}
  sorry: {notebook: report.ipynb, after: [behind], run_if: failed}
  fine: {notebook: report.ipynb, after: [beside], run_if: failed}
  always: {notebook: report.ipynb, after: [next], run_if: always}
"""
DAILY = Trigger(id="t", pipeline_id="p", cron="0 6 * * 5L", zone="Europe/Vienna", missed="all")


def write_notebooks(folder: Path) -> None:
    write_notebook(
        folder / "collect.ipynb",
        "start = 1\ntext = ''\nnested = {}\nscheduled_time = ''",
        "import os, pathlib\nnumbers = (start, start + 1)\nsaid = os.environ['GREETING']\n"
        "assert os.environ['PASSWORD'] == 'swordfish' and os.environ['MLOPS_SCHEDULED_TIME'] == scheduled_time\n"
        "folder = pathlib.Path(os.environ['MLOPS_RUN_DIR'])\n(folder / 'table.csv').write_text('a,b')\n"
        "pathlib.Path(os.environ['MLOPS_OUTPUTS']).write_text('{\"named\": \"' + text.replace('\"', '') + '\"}')",
    )
    write_notebook(
        folder / "train.ipynb",
        "numbers = [1]\ntable = ''\npower = 1\nextra = 0",
        "assert open(table).read() == 'a,b'\nassert power != 2, 'never 2'\n"
        "score = float(sum(number ** power for number in numbers)) + extra / 10",
    )
    write_notebook(folder / "report.ipynb", "power = 0\nscore = 0.0", "said = f'{power} gives {score}'")
    write_notebook(folder / "bad.ipynb", "a = 1", "raise ValueError('no rows')")


def exported(folder: Path, text: str, *triggers: Trigger) -> Export:
    """The DAG of a pipeline whose notebooks lie in a folder."""
    found = check_text(text)
    assert found.definition is not None and not found.problems, found.problems
    source = ExportSource(
        definition=found.definition,
        name=found.definition.name,
        origin="a test",
        folder=folder,
        notebooks={step.notebook: (folder / step.notebook).read_bytes() for step in found.definition.steps.values()},
        triggers=list(triggers),
        day=date(2026, 1, 1),
    )
    return airflow.export(source)


def plain(text: str) -> dict[str, Any]:
    """What the file defines above its DAG, which needs Airflow."""
    compile(text, "dag.py", "exec")
    module: dict[str, Any] = {"__name__": "dag", "__file__": "dag.py"}
    # a dataclass looks for its module
    sys.modules["dag"] = type(sys)("dag")
    exec(text.partition(airflow.MARK)[0], module)
    return module


def test_the_steps_of_a_dag_run_the_notebooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_notebooks(tmp_path)
    monkeypatch.setenv("MLOPS_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("THE_PASSWORD", "swordfish")
    dag = plain(exported(tmp_path, CHAIN, DAILY).text)
    parameters = {**dag["PARAMETERS"], "scheduled_time": "2026-01-01T06:00:00+00:00"}
    run = dag["Run"](pipeline="chain", run_id="manual/1", attempt=1, parameters=parameters)
    collected = dag["step_collect"](run)
    assert collected["numbers"] == [3, 4]
    assert collected["said"] == "hello 3"
    assert collected["named"] == "it's so: 3 ${x}"
    assert collected["table"] == str(tmp_path / "runs" / "chain" / "manual-1" / "collect" / "1" / "files" / "table.csv")
    assert "GREETING" not in os.environ
    run.outputs["collect"] = collected
    points = dag["step_train_it_points"](run)
    assert [(point["power"], point["extra"]) for point in points] == [(a, b) for a in (1, 2, 3) for b in (3, 4)]
    run.index = 5
    found = dag["step_train_it"](run, points[5])
    assert found["metrics"] == {"score": 27 + 64 + 0.4}
    run.outputs["train-it"] = dag["best_of"]([None, found], "score", "maximize")
    assert run.outputs["train-it"]["power"] == 3
    assert dag["step_report"](run) == {"said": "3 gives 91.4"}
    with pytest.raises(dag["SkippedError"], match=r"train-it\.score < 10"):
        dag["step_sorry"](run)


def test_what_a_step_does_not_leave_is_said(tmp_path: Path) -> None:
    notebook = write_notebook(tmp_path / "n.ipynb", "a = 1", "import os\nframe = object()")
    run = airflow_steps.Run("p", "r", 1, {})
    reader = inspect.getsource(variables)

    def ran(**options: Any) -> Any:
        return airflow_steps.run_notebook(
            run, "s", notebook, runs=tmp_path / "runs", parameters={}, reader=reader, **options
        )

    with pytest.raises(LookupError, match="“frame” is an object, which cannot be handed on"):
        ran(outputs=["frame"])
    with pytest.raises(LookupError, match=r"“x” is to be one file \*.csv in MLOPS_RUN_DIR; 0 are there"):
        ran(files={"x": "*.csv"})
    with pytest.raises(LookupError, match="“TOKEN” is not where it should be"):
        ran(secrets={"TOKEN": {"env": "NOT_SET_HERE"}})
    with pytest.raises(LookupError, match="“s” left no “b”; it left a"):
        airflow_steps.Run("p", "r", 1, {}, {"s": {"a": 1}}).value("s", "b")


@pytest.mark.parametrize("sampler", [Sampler(), Sampler(kind="random", count=4, seed=7)])
def test_points_are_those_of_a_sweep(sampler: Sampler) -> None:
    space: dict[str, list[Any]] = {"a": [1, 2, 3], "b": ["x", "y"]}
    ours = make_study(Space(space), sampler)
    assert airflow_steps.points(space, sampler.count, sampler.seed) == ours.ask(planned_total(ours, sampler))


def test_fields_that_are_known_only_at_run_time_are_lists() -> None:
    assert airflow_steps.listed("[1, 2]") == [1, 2]
    assert airflow_steps.listed("1, x, 0.5") == [1, "x", 0.5]
    assert airflow_steps.listed("7") == [7]


def test_the_best_has_a_number_as_its_metric() -> None:
    results = [
        {"parameters": {"a": a}, "metrics": {"m": m}, "outputs": {}} for a, m in ((1, 3), (2, 1), (3, float("nan")))
    ]
    assert airflow_steps.best_of([None, *results], "m", "maximize") == {"m": 3, "a": 1}
    assert airflow_steps.best_of(results, "m", "minimize")["a"] == 2
    with pytest.raises(LookupError, match="No run of the sweep has the metric “n”"):
        airflow_steps.best_of(results, "n", "maximize")
    with pytest.raises(LookupError, match="No run of the sweep succeeded"):
        airflow_steps.best_of([None], "m", "maximize")


@pytest.mark.parametrize(
    "condition",
    [
        "a-b.auc > 0.7 and not start == 3",
        "a-b.auc - 0.5 > 0 or a-b.gone",
        "'it''s' == \"x\" or start in (1, 2, 3)",
        "${a-b.val/auc} is not None and -start < 0 <= start % 2",
        "[1, start] == a-b.list",
    ],
)
def test_a_condition_means_the_same(condition: str) -> None:
    outputs = {"a-b": {"auc": 0.8, "val/auc": None, "list": [1, 3]}}
    run = airflow_steps.Run("p", "r", 1, {"start": 3}, {"a-b": dict(outputs["a-b"])})
    assert eval(airflow._condition(condition), {"run": run}) == Condition(condition).holds(outputs, {"start": 3})


def test_what_is_not_translated_is_said(tmp_path: Path) -> None:
    write_notebooks(tmp_path)
    others = [Trigger(id="o", pipeline_id="p", kind="http"), Trigger(id="s", pipeline_id="p", cron="5 5 * * *")]
    text = CHAIN.replace('extra: "${collect.numbers}"', 'extra: "0:${start}"')
    written = exported(tmp_path, text, DAILY, *others)
    said = "\n".join(written.remarks)
    for text in (
        "Alerts are not sent",
        "Secrets are given to notebooks, but not taken out",
        "The schedule 5 5 * * * (UTC) is left out",
        "Airflow's REST API",
        "clocks are changed",
        "Step “train-it”: it always runs",
        "the space of extra is a range with a reference",
    ):
        assert text in said
    assert all(f"- {remark}" in written.text for remark in written.remarks)
    assert "catchup=True" in written.text
    assert "CronTriggerTimetable('0 6 * * L5', timezone='Europe/Vienna')" in written.text
    assert "schedule=None" in exported(tmp_path, BAD).text


def test_cron_lines_as_airflow_has_them() -> None:
    assert airflow_cron("0 6 * * mon-fri") == "0 6 * * mon-fri"
    assert airflow_cron("0 6 * * 1,5L") == "0 6 * * 1,L5"
    assert airflow_cron("@daily") == "@daily"
    assert airflow_cron("0 6 LW * *") is None


def test_a_promoted_pipeline_is_exported_with_its_frozen_files(
    piped: PipelineService, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_notebooks(piped.folder)
    pipeline = piped.promote(CHAIN)
    (piped.folder / "report.ipynb").unlink()
    data = f"--data-dir={piped.service.settings.data_path}"
    out = tmp_path / "dags" / "chain.py"
    assert main(["pipeline", "export", "--to", "airflow", pipeline, "-o", str(out), "--cron", "0 6 * * *", data]) == 0
    assert "Not translated: Alerts are not sent" in capfd.readouterr().err
    assert {file.name for file in (out.parent / "chain_files").iterdir()} == {
        f"{name}.ipynb" for name in ("collect", "train", "report")
    }
    assert "Path(__file__).resolve().parent / 'chain_files'" in out.read_text()
    assert "CronTriggerTimetable('0 6 * * *'" in out.read_text()
    assert main(["pipeline", "export", "--to", "airflow", pipeline, data]) == 2
    assert "Say with --output" in capfd.readouterr().err


# -- with Airflow itself -----------------------------------------------------------------------

RUN = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(sys.argv[1])
found = {"errors": {str(path): str(error) for path, error in bag.import_errors.items()}, "dags": {}}
for name, dag in bag.dags.items():
    run = dag.test()
    found["dags"][name] = {
        "state": str(run.state),
        "waits": {task.task_id: sorted(task.upstream_task_ids) for task in dag.tasks},
        "tasks": {
            f"{task.task_id}{task.map_index if task.map_index >= 0 else ''}": str(task.state)
            for task in run.get_task_instances()
        },
    }
open(sys.argv[2], "w").write(json.dumps(found))
"""


@pytest.fixture(scope="module")
def airflow_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of an environment that has Airflow, papermill and a kernel."""
    folder = tmp_path_factory.mktemp("airflow") / "venv"
    python = folder / "bin" / "python"
    packages = ["apache-airflow==3.3.2", "papermill>=2.6", "ipykernel>=6.29"]
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    subprocess.run([sys.executable, "-m", "venv", *(["--without-pip"] if uv else []), str(folder)], check=True)
    install = [uv, "pip", "install", "-q", "--python"] if uv else []
    words = [*install, str(python)] if uv else [str(python), "-m", "pip", "install", "-q"]
    subprocess.run([*words, *packages], check=True)
    return python


@pytest.mark.slow
def test_airflow_parses_and_runs_what_is_written(airflow_python: Path, tmp_path: Path) -> None:
    write_notebooks(tmp_path / "work")
    dags = tmp_path / "dags"
    dags.mkdir()
    (dags / "chain.py").write_text(exported(tmp_path / "work", CHAIN, DAILY).text)
    (dags / "bad.py").write_text(exported(tmp_path / "work", BAD).text)
    (tmp_path / "run.py").write_text(RUN)
    env = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "PYTHON", "MLOPS"))}
    env |= {
        "AIRFLOW_HOME": str(tmp_path / "home"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "THE_PASSWORD": "swordfish",
        "PATH": f"{airflow_python.parent}:{os.environ['PATH']}",
        # the kernel's, not another environment's of this machine
        "JUPYTER_PATH": str(airflow_python.parents[1] / "share" / "jupyter"),
    }
    for words in (
        ["-m", "airflow", "db", "migrate"],
        ["-m", "airflow", "dags", "reserialize"],
        [str(tmp_path / "run.py"), str(dags), str(tmp_path / "found.json")],
    ):
        done = subprocess.run([airflow_python, *words], env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{done.stdout[-5000:]}{done.stderr[-5000:]}"
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["errors"] == {}
    chain, bad = found["dags"]["The-chain"], found["dags"]["bad"]
    assert chain["waits"] == {
        "collect": [],
        "train-it.points": ["collect"],
        "train-it.run": ["train-it.points"],
        "train-it": ["train-it.points", "train-it.run"],
        "report": ["collect", "train-it"],
        "sorry": ["train-it"],
        "behind-sorry": ["sorry"],
        "never.if-failed": ["collect", "report", "train-it"],
        "never": ["never.if-failed", "report"],
        "tidy": ["sorry"],
        "run.failed": ["behind-sorry", "collect", "never", "report", "sorry", "tidy", "train-it"],
    }
    # two of the sweep's runs failed, and the best of the others is taken
    assert chain["state"] == "success", done.stdout[-5000:]
    assert chain["tasks"] == {
        "collect": "success",
        "train-it.points": "success",
        **{f"train-it.run{index}": "failed" if index in (2, 3) else "success" for index in range(6)},
        "train-it": "success",
        "report": "success",
        **dict.fromkeys(("sorry", "behind-sorry", "never.if-failed", "never", "run.failed"), "skipped"),
        "tidy": "success",
    }
    assert bad["state"] == "failed"
    assert {name: bad["tasks"][name] for name in ("bad", "next", "behind", "beside", "sorry", "fine", "always")} == {
        "bad": "failed",
        "next": "upstream_failed",
        "behind": "upstream_failed",
        "beside": "success",
        "sorry": "success",
        "fine": "skipped",
        "always": "success",
    }
    runs = sorted((tmp_path / "home" / "mlops-runs" / "The-chain").glob("*/report/1/output.ipynb"))
    assert len(runs) == 1
    assert "score = 91.4" in runs[0].read_text()
