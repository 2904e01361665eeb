"""Users' requests on pipelines, for the API and the command line. It stores requests; the service acts on them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec

from ...core.errors import ConflictError, InvalidInputError
from ...core.messages import Message
from ...core.pipelines.order import graph
from ...core.pipelines.records import Pipeline, Version
from ...core.pipelines.requests import (
    AlertTest,
    PipelineChange,
    PipelineDetails,
    PromoteAnswer,
    PromoteRequest,
    VersionDiff,
)
from ...core.record import now
from ...core.states import PipelineRunState
from ..user_files import KernelSpecs
from .alert_texts import trial
from .delivery import deliver
from .firing import next_at
from .promotion import Source, check_policies, freeze, source_of
from .run_requests import RunRequests
from .trigger_requests import TriggerRequests
from .uploads import uploaded


class Pipelines(TriggerRequests, RunRequests):
    """Requests on pipelines, their schedules and runs."""

    # -- promotion and versions --------------------------------------------------------------

    def promote(self, request: PromoteRequest, kernelspecs: KernelSpecs) -> PromoteAnswer:
        """Create a pipeline, or the next version of the one promoted from the same file.

        Raises:
            InvalidInputError: the pipeline could not run.
            NotFoundError: the request names something that does not exist.
        """
        if request.files or request.commit:
            with uploaded(self, request) as (source, project):
                _, version = freeze(self.store, source, source.project, kernelspecs, request)
        else:
            source = source_of(self, request)
            project, version = freeze(self.store, source, self.root, kernelspecs, request)
        return self._store(request, source, project, version)

    def _store(self, request: PromoteRequest, source: Source, project: Path, version: Version) -> PromoteAnswer:
        definition = version.definition
        known = self._known(request, str(source.path))
        if request.schedule is not None:
            # before anything is stored
            self._check(request.schedule, source.path.parent, known.id if known else "", version)
        fields: dict[str, Any] = {
            "name": request.name.strip() or definition.name or source.path.name.partition(".")[0],
            "project": str(project),
            "target": definition.target,
            "steps": len(definition.steps),
            "service": self.layout.service,
        }
        if known is None:
            made = Pipeline(id=uuid4().hex, path=str(source.path), created_at=now(), **fields)
            pipeline = self.store.pipelines.create(made, version)
            version = msgspec.structs.replace(version, pipeline_id=pipeline.id, number=1)
        else:
            if not request.name.strip():
                del fields["name"]
            pipeline, version = self.store.pipelines.add_version(known.id, version, **fields)
        trigger = None
        if request.schedule is not None:
            trigger = self.add_trigger(pipeline.id, request.schedule).trigger
            pipeline = self.store.pipelines.get(pipeline.id)
        return PromoteAnswer(pipeline=pipeline, version=version, trigger=trigger)

    def _known(self, request: PromoteRequest, path: str) -> Pipeline | None:
        if request.pipeline_id:
            return self.pipeline(request.pipeline_id)
        wanted = request.name.strip()
        same = [p for p in self.store.pipelines.find(path=path) if not wanted or p.name == wanted]
        return same[0] if same else None

    def version(self, pipeline_id: str, number: int) -> Version:
        """One version."""
        return self.store.pipelines.version(self.pipeline(pipeline_id).id, number)

    def diff(self, pipeline_id: str, older: int, newer: int) -> VersionDiff:
        """The differences between two versions."""
        from .diff import diff

        self.pipeline(pipeline_id)
        return diff(
            self.store.pipelines.version(pipeline_id, older),
            self.store.pipelines.version(pipeline_id, newer),
            self.store.blobs.get,
        )

    # -- pipelines -----------------------------------------------------------------------------

    def listed(self, *, deleted: bool | None = False) -> list[Pipeline]:
        """Pipelines of files below the root, oldest first."""
        return self.store.pipelines.find(folder=str(self.root), deleted=deleted)

    def details(self, pipeline_id: str) -> PipelineDetails:
        """A pipeline with its versions, triggers and graph."""
        from ..process.systemd import keeper

        pipeline = self.pipeline(pipeline_id)
        versions = self.store.pipelines.versions(pipeline_id)
        current = next(version for version in versions if version.number == pipeline.version)
        sentence, ends = keeper(self.settings, self.store)
        return PipelineDetails(
            pipeline=pipeline,
            triggers=[self._outward(trigger) for trigger in self.store.triggers.find(pipeline_id)],
            versions=versions,
            graph=graph(current.definition),
            keeper=sentence,
            keeper_ends=ends,
        )

    def change(self, pipeline_id: str, change: PipelineChange) -> Pipeline:
        """Rename or pause a pipeline, or change its live version."""
        self.pipeline(pipeline_id)
        fields: dict[str, Any] = {
            name: value for name in ("name", "paused", "version") if (value := getattr(change, name)) is not None
        }
        if "name" in fields:
            fields["name"] = fields["name"].strip()
            if not fields["name"]:
                raise InvalidInputError(Message("Give the pipeline a name."), {"name": Message("is empty")})
        if "version" in fields:
            definition = self.store.pipelines.version(pipeline_id, fields["version"]).definition
            fields |= {"target": definition.target, "steps": len(definition.steps)}
        pipeline = self.store.pipelines.change(pipeline_id, **fields)
        if "paused" in fields:
            self._set_triggers(pipeline)
        self._change_policies(pipeline, change)
        return self.store.pipelines.get(pipeline_id)

    def _change_policies(self, pipeline: Pipeline, change: PipelineChange) -> None:
        """Make a version that differs from the live one in its alerts and in what is kept."""
        policies = {name: value for name in ("alerts", "retention") if (value := getattr(change, name)) is not None}
        if not policies:
            return
        if not pipeline.path.endswith(".ipynb"):
            raise ConflictError(
                Message(
                    "Alerts and retention are said in {path}: change them there, and promote it.", path=pipeline.path
                )
            )
        live = self.store.pipelines.version(pipeline.id, pipeline.version)
        definition = msgspec.structs.replace(live.definition, **policies)
        check_policies(definition)
        version = msgspec.structs.replace(
            live, definition=definition, source=f"version {live.number}", note="", warnings=[], created_at=now()
        )
        self.store.pipelines.add_version(pipeline.id, version)

    def test_alert(self, pipeline_id: str) -> AlertTest:
        """Send a test alert to the addresses of the live version, from this process.

        Raises:
            ConflictError: it has none.
        """
        pipeline = self.pipeline(pipeline_id)
        to = self.store.pipelines.version(pipeline_id, pipeline.version).definition.alerts.to
        if not to:
            raise ConflictError(Message("“{name}” has no address to send alerts to.", name=pipeline.name))
        problems = asyncio.run(deliver(trial(pipeline), list(enumerate(to))))
        told = [f"Address {number + 1}: {why}" for number, why in sorted(problems.items())]
        return AlertTest(addresses=len(to), problems=told)

    def delete(self, pipeline_id: str) -> None:
        """Delete a pipeline; it can be restored, and nothing fires it until then."""
        self.pipeline(pipeline_id)
        live = self.store.pipeline_runs.find(
            pipeline_id, states=[PipelineRunState.QUEUED, PipelineRunState.RUNNING], limit=1
        )
        if live:
            raise ConflictError(Message("Run {number} of this pipeline goes on; stop it first.", number=live[0].number))
        self._set_triggers(self.store.pipelines.change(pipeline_id, deleted_at=now()))

    def restore(self, pipeline_id: str) -> Pipeline:
        """Restore a deleted pipeline."""
        self._set_triggers(self.store.pipelines.change(self.pipeline(pipeline_id).id, deleted_at=None))
        return self.store.pipelines.get(pipeline_id)

    def _set_triggers(self, pipeline: Pipeline) -> None:
        """Recompute when triggers are due: never while the pipeline is paused or deleted."""
        rests = pipeline.paused or pipeline.deleted_at is not None
        for trigger in self.store.triggers.find(pipeline.id):
            self.store.triggers.change(trigger.id, next_at=None if rests else next_at(trigger))
