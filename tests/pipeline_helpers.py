"""Pipelines in a real service."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conftest import PATIENCE, Service, wait_until, write_notebook
from jupyter_client.kernelspec import KernelSpecManager

from jupyter_mlops.core.pipelines.records import PipelineRun, StepRun
from jupyter_mlops.core.pipelines.requests import PromoteRequest, RunRequest
from jupyter_mlops.core.states import PIPELINE_RUN_OVER
from jupyter_mlops.services.pipelines.requests import Pipelines
from jupyter_mlops.services.process.launch import ensure_service, service_log


class PipelineService:
    """A service, and a folder with notebooks that it runs."""

    def __init__(self, service: Service, folder: Path) -> None:
        self.service = service
        self.store = service.store
        self.folder = folder
        self.pipelines = Pipelines(service.store, service.settings)
        folder.mkdir(parents=True, exist_ok=True)

    def notebook(self, name: str, *sources: str, **options: Any) -> Path:
        """A notebook in the folder."""
        return write_notebook(self.folder / name, *sources, **options)

    def promote(self, text: str = "", **request: Any) -> str:
        """Make a pipeline, of a file with this text where there is one; its id."""
        if text:
            file = self.folder / request.pop("file", "test.pipeline.yaml")
            file.write_text(text, encoding="utf-8")
            request["path"] = str(file)
        specs = KernelSpecManager().get_all_specs()
        return self.pipelines.promote(PromoteRequest(**request), specs).pipeline.id

    def start(self, pipeline_id: str, **request: Any) -> PipelineRun:
        """Run it now."""
        run = self.pipelines.start(pipeline_id, RunRequest(**request))
        ensure_service(self.service.settings)
        return run

    def wait(self, run_id: str, seconds: float = PATIENCE) -> PipelineRun:
        """The run once it is over."""

        def over() -> PipelineRun | None:
            run = self.store.pipeline_runs.get(run_id)
            return run if run.state in PIPELINE_RUN_OVER else None

        def why() -> str:
            log = service_log(self.service.settings, 3000)
            return f"{self.store.pipeline_runs.get(run_id)}\n{self.store.pipeline_runs.steps(run_id)}\n{log}"

        found: PipelineRun = wait_until(over, seconds, why)
        return found

    def run(self, pipeline_id: str, **request: Any) -> tuple[PipelineRun, dict[str, StepRun]]:
        """Run it to its end; the run and its steps by name."""
        run = self.wait(self.start(pipeline_id, **request).id)
        return run, self.steps(run.id)

    def steps(self, run_id: str) -> dict[str, StepRun]:
        """The steps of a run by name."""
        return {step.step: step for step in self.store.pipeline_runs.steps(run_id)}


@pytest.fixture
def piped(service: Service, tmp_path: Path) -> PipelineService:
    """The shared service with a folder for this test."""
    return PipelineService(service, tmp_path / "project")


@pytest.fixture
def own_piped(own_service: Service, tmp_path: Path) -> PipelineService:
    """A service of this test alone, that it may kill."""
    return PipelineService(own_service, tmp_path / "project")
