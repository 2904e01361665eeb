"""A number that is not finite is kept and shown, is never the best, and is no null where types say number."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import msgspec
import pytest
from conftest import Service
from pipeline_helpers import PipelineService

from jupyter_mlops.cli.sweep_tables import best_first, run_details, runs_table
from jupyter_mlops.core.errors import InvalidInputError
from jupyter_mlops.core.lenient import decode, encode
from jupyter_mlops.core.notebook.declared import read_parameters
from jupyter_mlops.core.runs import Run
from jupyter_mlops.core.search.space import parse_field
from jupyter_mlops.core.states import RunState
from jupyter_mlops.core.sweeps import Objective, Sweep, SweepChange
from jupyter_mlops.services.sweeps.planner import best_run

INFINITE = "import mlflow\nodd = {1: 1.0, 2: float('inf'), 3: -float('inf'), 4: float('nan'), 5: 2.0}[n]\n"


@pytest.mark.parametrize("code", [f"{INFINITE}ratio = odd", f"{INFINITE}mlflow.log_metric('ratio', odd)"])
def test_it_is_never_the_best_whichever_way_it_came(service: Service, notebook: Path, code: str) -> None:
    sweep = service.run_until_over(
        notebook, "n: int = 1", code, space={"n": "1:5"}, metrics=["ratio"], objective=Objective(metric="ratio")
    )
    runs = service.store.runs.of_sweep(sweep.id)
    assert [run.metrics.get("ratio") for run in runs] == [1, None, None, None, 2]
    assert [run.not_finite for run in runs] == [
        {},
        {"ratio": "Infinity"},
        {"ratio": "-Infinity"},
        {"ratio": "NaN"},
        {},
    ]
    assert sweep.best_value == 2
    changed = service.sweeps.change(sweep.id, SweepChange(objective=Objective(metric="ratio", direction="minimize")))
    assert changed.best_value == 1
    assert ["ranks behind every number" in " ".join(run.warnings) for run in runs] == [False, True, True, True, False]
    # what the API and --json print
    assert b"null" not in msgspec.json.encode([run.metrics for run in runs])
    for table in (runs_table(sweep, [runs[1]]), run_details(runs[1], sweep, service.sweeps.layout)):
        assert any("Infinity" in str(cell) for column in table.columns for cell in column.cells)
    ordered = [run.index for run in best_first(changed, runs)]
    assert ordered[:2] == [0, 4]


def test_any_run_that_is_read_has_them_apart() -> None:
    """As an earlier version stored them, and as MLflow gives infinity back (mlflow.store.tracking.sqlalchemy_store)."""
    kept = json.loads(json.dumps({"a": math.nan, "b": sys.float_info.max, "c": -math.inf, "d": 1.5}))
    run = msgspec.convert({"id": "r", "sweep_id": "s", "index": 0, "metrics": kept}, Run)
    assert run.metrics == {"d": 1.5}
    assert run.not_finite == {"a": "NaN", "b": "Infinity", "c": "-Infinity"}
    assert decode(encode(run), Run) == run
    again = msgspec.structs.replace(run, metrics={"d": math.inf})
    assert (again.metrics, again.not_finite["d"]) == ({}, "Infinity")


def test_the_best_of_runs_without_a_finite_metric_is_none() -> None:
    runs = [Run(id="r", sweep_id="s", index=0, state=RunState.SUCCEEDED, metrics={"m": math.inf})]
    assert best_run(runs, Objective(metric="m")) == (None, None)


@pytest.mark.parametrize("default", ["float('inf')", "-float('inf')", "math.inf", "np.nan", "1e999", "-1e999"])
def test_a_default_that_is_not_finite_is_a_float_and_no_text_can_take_its_place(default: str) -> None:
    (parameter,) = read_parameters(f"clip = {default}", "python")
    assert (parameter.type, parameter.default, parameter.default_text) == ("float", None, default)
    assert parse_field("1, 0.5", parameter) == [1.0, 0.5]
    for text in ("inf", "1, -inf", "NaN", "Infinity"):
        with pytest.raises(InvalidInputError, match="is not finite, and values to try are"):
            parse_field(text, parameter)
    with pytest.raises(InvalidInputError):
        parse_field("[Infinity]", parameter)


def test_a_text_that_reads_so_stays_a_text() -> None:
    (parameter,) = read_parameters('mode = "nan"', "python")
    assert parse_field("inf, nan", parameter) == ["inf", "nan"]
    (untyped,) = read_parameters("mode = None", "python")
    assert parse_field('["inf"]', untyped) == ["inf"]
    with pytest.raises(InvalidInputError, match="write it in quotes where a text is meant"):
        parse_field("inf", untyped)


def test_a_step_that_refers_to_one_is_told_that_it_is_not_finite(piped: PipelineService) -> None:
    """It was told that the earlier step left no such metric, which the run's page showed."""
    piped.notebook("train.ipynb", "a = 1", "auc = float('nan')")
    piped.notebook("after.ipynb", "a = 1")
    text = "steps:\n  train: {notebook: train.ipynb}\n  after: {notebook: after.ipynb, when: train.auc > 0.7}\n"
    _, steps = piped.run(piped.promote(text))
    assert "“auc” of “train” is NaN, which is no finite number" in steps["after"].message


@pytest.mark.parametrize("value", [sys.float_info.max, -sys.float_info.max, math.inf, math.nan])
def test_a_best_value_of_an_earlier_version_that_is_not_finite_is_none(value: float) -> None:
    kept = {"id": "s", "name": "s", "path": "/a.ipynb", "notebook_hash": "", "best_run_id": "r", "best_value": value}
    sweep = msgspec.convert(kept, Sweep)
    assert (sweep.best_run_id, sweep.best_value) == (None, None)
    assert msgspec.convert(kept | {"best_value": 0.5}, Sweep).best_run_id == "r"
