"""Sweeps run whatever the environment holds: the core of ``./dev test-hostile``."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import serving
from hostile_helpers import hostile
from mlflow_helpers import mlflow_runs

from jupyter_mlops.core.processes import proxy_bypass
from jupyter_mlops.core.states import SweepState
from jupyter_mlops.services.process.launch import service_log
from jupyter_mlops.settings import MlopsSettings


def test_a_sweep_that_logs_to_mlflow_in_a_hostile_environment(tmp_path: Path, data_dir: Path, notebook: Path) -> None:
    notebook.parent.mkdir()
    # papermill, nbclient and their like must not take it for the standard library's
    (notebook.parent / "random.py").write_text("raise ImportError('this is the random of the notebook')")
    # MLflow itself cannot be imported where each warning is an error; what a notebook is told to do stays its own
    quiet = "import warnings; warnings.simplefilter('default')"
    cell = f"{quiet}\nimport mlflow, os\nmlflow.log_metric('loss', a / 4)\nname = 'Größe'\nzone = os.environ['TZ']"
    with (
        hostile(tmp_path / "hostile"),
        serving(MlopsSettings(data_dir=str(data_dir), local_slots=1)) as service,
    ):
        sweep = service.run_until_over(notebook, "a = 1", cell, space={"a": "1:2"}, metrics=["zone"])
        runs = service.store.runs.of_sweep(sweep.id)
        assert sweep.state is SweepState.SUCCEEDED, [run.message for run in runs] + [service_log(service.settings)]
        assert [run.metrics["loss"] for run in runs] == [0.25, 0.5]
        assert {run.data.metrics["loss"] for run in mlflow_runs(service, sweep.id)} == {0.25, 0.5}


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        ({"NO_PROXY": "example.org"}, None),
        ({"http_proxy": "http://proxy"}, "localhost,127.0.0.1,::1"),
        ({"HTTPS_PROXY": "http://proxy", "NO_PROXY": "a.org, localhost"}, "a.org,localhost,127.0.0.1,::1"),
        ({"http_proxy": "http://proxy", "no_proxy": "a.org", "NO_PROXY": "b.org"}, "a.org,localhost,127.0.0.1,::1"),
        ({"http_proxy": "http://proxy", "no_proxy": "*"}, None),
    ],
)
def test_servers_of_this_machine_are_reached_past_a_proxy(environ: dict[str, str], expected: str | None) -> None:
    assert proxy_bypass(environ) == ({} if expected is None else {"no_proxy": expected, "NO_PROXY": expected})
