"""Pipelines that meet what goes wrong: a target that is gone, a full disk, an environment that drifted."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

import msgspec
from conftest import serving, wait_until
from dask_helpers import Scheduler
from mlflow_helpers import free_port
from pipeline_helpers import PipelineService

from jupyter_mlops.core.pipelines.requests import RetryRequest
from jupyter_mlops.core.states import PipelineRunState, StepState
from jupyter_mlops.settings import MlopsSettings


def test_a_step_waits_for_a_target_that_is_gone_and_goes_on_when_it_is_back(
    piped: PipelineService, tmp_path: Path
) -> None:
    scheduler = Scheduler(tmp_path / "dask")
    piped.notebook("job.ipynb", "a = 1", "b = a")
    pipeline = piped.promote(f'target: "{scheduler.address}"\nsteps:\n  job: {{notebook: job.ipynb, outputs: [b]}}\n')
    run = piped.start(pipeline)
    steps = wait_until(
        lambda: [s for s in piped.store.pipeline_runs.steps(run.id) if s.message.startswith("Waiting:")], 180
    )
    assert scheduler.address in steps[0].message
    assert steps[0].state is StepState.RUNNING
    try:
        scheduler.start()
        scheduler.add_worker()
        ended = piped.wait(run.id)
        assert ended.state is PipelineRunState.SUCCEEDED, piped.store.pipeline_runs.steps(run.id)
        assert piped.steps(run.id)["job"].message == ""
    finally:
        scheduler.kill()


def test_a_run_that_waits_for_a_target_can_be_stopped(piped: PipelineService) -> None:
    piped.notebook("job.ipynb", "a = 1", "b = a")
    pipeline = piped.promote(f'target: "tcp://127.0.0.1:{free_port()}"\nsteps:\n  job: {{notebook: job.ipynb}}\n')
    run = piped.start(pipeline)
    wait_until(lambda: [s for s in piped.store.pipeline_runs.steps(run.id) if s.message.startswith("Waiting:")])
    piped.pipelines.stop(run.id)
    assert piped.wait(run.id).state is PipelineRunState.STOPPED


def test_a_full_disk_fails_the_run_and_leaves_the_store_whole(small_disk: Path, tmp_path: Path) -> None:
    with serving(MlopsSettings(data_dir=str(small_disk / "data"), local_slots=2)) as service:
        piped = PipelineService(service, tmp_path / "project")
        piped.notebook(
            "fill.ipynb",
            "a = 1",
            "import os\nwith open(os.environ['MLOPS_RUN_DIR'] + '/big', 'wb', buffering=0) as file:\n"
            "    while not os.path.exists('stop'): file.write(b'x' * 4096)",
        )
        piped.notebook("next.ipynb", "a = 1", "b = a")
        pipeline = piped.promote(
            "steps:\n  fill: {notebook: fill.ipynb}\n  next: {notebook: next.ipynb, after: [fill]}\n"
        )
        run = piped.start(pipeline)
        wait_until(lambda: list(small_disk.glob("data/runs/*/files/big")))
        wait_until(lambda: not _takes(small_disk))
        wait_until(lambda: _takes(small_disk) or _free(small_disk))
        ended = piped.wait(run.id)
        assert ended.state is PipelineRunState.FAILED
        assert "space" in piped.steps(run.id)["fill"].message
        (piped.folder / "stop").touch()
        piped.pipelines.retry(run.id, RetryRequest())
        assert piped.wait(run.id).state is PipelineRunState.SUCCEEDED, piped.store.pipeline_runs.steps(run.id)


def _takes(disk: Path) -> bool:
    try:
        (disk / "try").write_bytes(b"x" * 8192)
    except OSError:
        return False
    finally:
        with contextlib.suppress(OSError):
            (disk / "try").unlink(missing_ok=True)
    return True


def _free(disk: Path) -> bool:
    """What filled the disk is removed, as a person would do once they see why nothing goes on."""
    for file in disk.glob("data/runs/*/files/big"):
        file.unlink()
    return True


def drifted(piped: PipelineService, pipeline_id: str) -> None:
    """Make it seem that another version of a package was installed at promotion."""
    store = piped.store
    version = store.pipelines.version(pipeline_id, 1)
    (kernel, locked), *_ = version.lock.items()
    lines = store.blobs.get(locked).decode().splitlines()
    lines = ["papermill==0.0.1" if line.startswith("papermill==") else line for line in lines]
    other = store.blobs.put("\n".join(lines).encode())
    assert other != locked == hashlib.sha256(store.blobs.get(locked)).hexdigest()
    store.pipelines.add_version(pipeline_id, msgspec.structs.replace(version, lock={kernel: other}))


def test_an_environment_that_drifted_is_told(piped: PipelineService) -> None:
    piped.notebook("job.ipynb", "a = 1", "b = a")
    pipeline = piped.promote("steps:\n  job: {notebook: job.ipynb}\n")
    drifted(piped, pipeline)
    run, _ = piped.run(pipeline)
    assert run.state is PipelineRunState.SUCCEEDED
    assert "papermill 0.0.1 →" in run.drift
    assert any("papermill" in line.text for line in run.log)


def test_an_environment_that_drifted_can_refuse(piped: PipelineService) -> None:
    piped.notebook("job.ipynb", "a = 1", "b = a")
    pipeline = piped.promote("environment: refuse\nsteps:\n  job: {notebook: job.ipynb}\n")
    drifted(piped, pipeline)
    run, steps = piped.run(pipeline)
    assert run.state is PipelineRunState.FAILED
    assert "papermill 0.0.1" in run.message and "promote anew" in run.message
    assert all(step.state is StepState.STOPPED and not step.sweeps for step in steps.values())
