"""The service's own life: what keeps it, and what it clears away."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Service, serving, wait_until
from mlflow_helpers import mlflow_runs

from jupyter_mlops.core.errors import NotFoundError
from jupyter_mlops.core.states import SweepState
from jupyter_mlops.settings import MlopsSettings


@pytest.mark.slow
def test_a_paused_sweep_keeps_no_service_and_goes_on_with_the_next(data_dir: Path, notebook: Path) -> None:
    settings = MlopsSettings(data_dir=str(data_dir), local_slots=1, service_idle_timeout=1.0)
    with serving(settings) as service:
        sweep_id = service.sweep(notebook, "a = 1", "import time; time.sleep(1)", space={"a": "1:3"})
        service.wait(sweep_id, lambda sweep: sweep.counts.get("running", 0) == 1)
        service.sweeps.pause(sweep_id)
        service.wait(sweep_id, lambda sweep: sweep.state is SweepState.PAUSED)
        wait_until(lambda: service.pid is None)
        assert service.store.sweeps.get(sweep_id).counts["succeeded"] >= 1
        service.sweeps.resume(sweep_id)
        service.start()
        assert service.wait(sweep_id).counts == {"succeeded": 3}


@pytest.mark.slow
def test_what_was_deleted_long_ago_is_removed_with_its_files(own_service: Service, notebook: Path) -> None:
    sweep = own_service.run_until_over(notebook, "a = 1", "score = a", space={"a": "1:2"}, metrics=["score"])
    runs = own_service.store.runs.of_sweep(sweep.id)
    folders = [own_service.sweeps.layout.run(run.id) for run in runs]
    assert all(folder.exists() for folder in folders)
    assert len(mlflow_runs(own_service, sweep.id)) == 2
    own_service.sweeps.delete(sweep.id)
    own_service.store.sweeps.change(sweep.id, deleted_at="2020-01-01T00:00:00+00:00")
    own_service.end()
    own_service.start()
    wait_until(lambda: not any(folder.exists() for folder in folders))

    def gone() -> bool:
        try:
            own_service.store.sweeps.get(sweep.id)
        except NotFoundError:
            return True
        return False

    wait_until(gone)
    assert mlflow_runs(own_service, sweep.id) == []
    with pytest.raises(NotFoundError):
        own_service.store.sweeps.notebook(sweep.id)
