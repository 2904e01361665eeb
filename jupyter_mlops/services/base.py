"""Base of the classes that serve users' requests."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from ..compute import Catalog
from ..core.errors import NotFoundError
from ..core.messages import Message
from ..core.pipelines.records import Pipeline, PipelineRun, Trigger
from ..core.runs import Run
from ..core.sweeps import Sweep
from ..settings import MlopsSettings
from ..store import Store
from .process.layout import Layout

T = TypeVar("T", Sweep, Run, Pipeline, PipelineRun, Trigger)
_NOUNS = {Sweep: "sweep", Run: "run", Pipeline: "pipeline", PipelineRun: "pipeline run", Trigger: "schedule or trigger"}


class RequestsBase:
    """Requests about the files below one folder.

    All methods block on the store. Look up ids given by a user only with the methods of this class, never in the
    store: they hide what belongs to other folders.

    Args:
        root: absolute; sweeps and pipelines of files outside it are not found.
    """

    def __init__(self, store: Store, settings: MlopsSettings, root: Path = Path("/")) -> None:
        self.store = store
        self.settings = settings
        self.root = root
        self.layout = Layout(settings.data_path)
        self.targets = Catalog(settings, store.targets)

    def sweep(self, sweep_id: str) -> Sweep:
        """One sweep. Like the methods below, raises :class:`NotFoundError` for ids of other folders."""
        return self._below_root(self.store.sweeps.get(sweep_id))

    def run(self, run_id: str) -> Run:
        """One run of a sweep."""
        return self._below_root(self.store.runs.get(run_id))

    def pipeline(self, pipeline_id: str) -> Pipeline:
        """One pipeline."""
        return self._below_root(self.store.pipelines.get(pipeline_id))

    def pipeline_run(self, run_id: str) -> PipelineRun:
        """One run of a pipeline."""
        return self._below_root(self.store.pipeline_runs.get(run_id))

    def trigger(self, trigger_id: str) -> Trigger:
        """One schedule or trigger."""
        return self._below_root(self.store.triggers.get(trigger_id))

    def _below_root(self, record: T) -> T:
        match record:
            case Run():
                path = self.store.sweeps.get(record.sweep_id).path
            case PipelineRun() | Trigger():
                path = self.store.pipelines.get(record.pipeline_id).path
            case _:
                path = record.path
        if not Path(path).is_relative_to(self.root):
            # the same words as for an id that does not exist
            raise NotFoundError(Message("There is no {nouns} {id}.", nouns=_NOUNS[type(record)], id=record.id))
        return record
