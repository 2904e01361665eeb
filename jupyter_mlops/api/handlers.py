"""The handlers, and at the end the one table of routes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import __version__
from ..core.curves import RunCurves
from ..core.parameters import NotebookInfo
from ..core.pipelines.requests import Changes
from ..core.runs import Run, RunsPage
from ..core.service import Health, ServiceKeep, ServiceLog, Status
from ..core.sweeps import SpaceCheck, SpaceRequest, Sweep, SweepChange, SweepRequest
from .boundary import Boundary, UnknownHandler
from .mlflow_proxy import MlflowProxyHandler
from .pipelines import PIPELINE_ROUTES
from .routes import Route, operation

if TYPE_CHECKING:
    from ..services.sweeps.requests import Sweeps

ACTIONS = ("stop", "pause", "resume", "retry", "restore")


class StatusHandler(Boundary):
    """The service, its targets and the store."""

    @operation("read", Status)
    async def get(self) -> None:
        """State of the service, its targets and the store."""
        await self.from_sweeps(status_of)


def status_of(sweeps: Sweeps) -> Status:
    """State of the service, its targets and the store."""
    from ..services.process.disk import store_bytes, store_warnings
    from ..services.process.launch import service_info

    settings = sweeps.settings
    info = service_info(sweeps.store, settings)
    return Status(
        version=__version__,
        service=info,
        targets=sweeps.targets.infos(info.targets),
        store_path=str(settings.data_path),
        store_bytes=store_bytes(settings.data_path),
        confirm_runs=settings.confirm_runs,
        warnings=store_warnings(settings.data_path),
    )


class HealthHandler(Boundary):
    """Health, for monitoring."""

    @operation("read", Health)
    async def get(self) -> None:
        """Whether everything works."""
        from .monitoring import health

        await self.from_sweeps(lambda sweeps: health(sweeps, status_of(sweeps)))


class MetricsHandler(Boundary):
    """Metrics, for Prometheus."""

    @operation("read", str)
    async def get(self) -> None:
        """Service, targets, sweeps and runs in Prometheus' text format."""
        from .monitoring import CONTENT_TYPE, metrics

        sweeps, pipelines = await self.call(self.backend.open), await self.call(self.backend.open_pipelines)
        text = await self.call(lambda: metrics(sweeps, pipelines, status_of(sweeps)))
        self.finish(text, set_content_type=CONTENT_TYPE)


class ServiceHandler(Boundary):
    """Starting the service on request, for example to look at MLflow."""

    @operation("write", status=204)
    async def post(self) -> None:
        """Start the service, and with it MLflow, unless it runs."""
        await self.call(self.backend.wake)
        self.answer(None)


class ServiceLogHandler(Boundary):
    """The service's log."""

    @operation("read", ServiceLog)
    async def get(self) -> None:
        """The end of the service's log."""
        from ..services.process.launch import service_log

        self.answer(ServiceLog(text=await self.call(service_log, self.backend.settings)))


class ServiceKeepHandler(Boundary):
    """The service as a systemd user unit."""

    @operation("read", ServiceKeep)
    async def get(self) -> None:
        """Whether the service outlives the login."""
        from ..services.process.systemd import unit_status

        self.answer(await self.call(unit_status, self.backend.settings))

    @operation("write", ServiceKeep)
    async def post(self) -> None:
        """Install the service as a systemd user unit."""
        from ..services.process.systemd import install

        self.answer(await self.call(install, self.backend.settings))

    @operation("write", status=204)
    async def delete(self) -> None:
        """Remove that unit."""
        from ..services.process.systemd import uninstall

        await self.call(uninstall, self.backend.settings)
        self.answer(None)


class NotebookHandler(Boundary):
    """A notebook before anything runs."""

    @operation("read", NotebookInfo, query=("path",))
    async def get(self) -> None:
        """What is known of a notebook."""
        file, specs = self.file(self.get_query_argument("path", "")), await self.kernelspecs()
        await self.from_sweeps(lambda sweeps: sweeps.inspect(file, specs))


class DraftHandler(Boundary):
    """A notebook's form as it was last left."""

    @operation("write", takes=SweepRequest, status=204)
    async def put(self) -> None:
        """Remember a notebook's form."""
        request = self.body(SweepRequest)
        file = self.file(request.path)
        await self.from_sweeps(lambda sweeps: sweeps.save_draft(file, request))


class SpaceHandler(Boundary):
    """A space while it is typed."""

    @operation("read", SpaceCheck, SpaceRequest)
    async def post(self) -> None:
        """Check a space."""
        request = self.body(SpaceRequest)
        file = self.file(request.path)
        await self.from_sweeps(lambda sweeps: sweeps.check(file, request))


class SweepsHandler(Boundary):
    """All sweeps."""

    @operation("read", Changes, query=("archived", "deleted"))
    async def get(self) -> None:
        """List sweeps."""
        archived, deleted = self.flag("archived"), bool(self.flag("deleted"))
        await self.from_sweeps(
            # the revision first: what changes meanwhile is then listed twice, not missed
            lambda sweeps: Changes(
                revision=sweeps.store.revision(), sweeps=sweeps.listed(archived=archived, deleted=deleted)
            )
        )

    @operation("write", Sweep, SweepRequest, status=201)
    async def post(self) -> None:
        """Start a sweep."""
        request = self.body(SweepRequest)
        file, specs = self.file(request.path), await self.kernelspecs()
        await self.from_sweeps(lambda sweeps: sweeps.create(file, request, specs), wake=True)


class ChangesHandler(Boundary):
    """Changes since a revision, archived and deleted sweeps included."""

    @operation("read", Changes, query=("since",))
    async def get(self) -> None:
        """Sweeps that changed."""
        since = self.number("since")
        await self.from_sweeps(lambda sweeps: sweeps.changes(since))


class SweepHandler(Boundary):
    """A sweep by its id."""

    @operation("read", Sweep)
    async def get(self, sweep_id: str) -> None:
        """One sweep."""
        await self.from_sweeps(lambda sweeps: sweeps.sweep(sweep_id))

    @operation("write", Sweep, SweepChange)
    async def patch(self, sweep_id: str) -> None:
        """Change a sweep."""
        change = self.body(SweepChange)
        await self.from_sweeps(lambda sweeps: sweeps.change(sweep_id, change))

    @operation("write", status=204)
    async def delete(self, sweep_id: str) -> None:
        """Delete a sweep, recoverably."""
        await self.from_sweeps(lambda sweeps: sweeps.delete(sweep_id))


class SweepActionHandler(Boundary):
    """What a person does to a sweep."""

    @operation("write", Sweep)
    async def post(self, sweep_id: str, action: str) -> None:
        """Stop, pause, resume, retry or restore a sweep."""
        await self.from_sweeps(lambda sweeps: getattr(sweeps, action)(sweep_id), wake=True)


class RunsHandler(Boundary):
    """Runs of a sweep."""

    @operation("read", RunsPage, query=("since", "first"))
    async def get(self, sweep_id: str) -> None:
        """A page of the runs that changed."""
        since, first = self.number("since"), self.number("first", 9)
        await self.from_sweeps(lambda sweeps: sweeps.runs_page(sweep_id, since, first))


class SweepNotebookHandler(Boundary):
    """A sweep's frozen notebook."""

    @operation("read", dict)
    async def get(self, sweep_id: str) -> None:
        """The notebook a sweep was started with."""
        await self.from_sweeps(lambda sweeps: sweeps.sweep_notebook(sweep_id))


class RunHandler(Boundary):
    """A run by its id."""

    @operation("read", Run)
    async def get(self, run_id: str) -> None:
        """One run."""
        await self.from_sweeps(lambda sweeps: sweeps.run(run_id))


class RunCurvesHandler(Boundary):
    """What a run logged while it ran."""

    @operation("read", RunCurves, query=("attempt",))
    async def get(self, run_id: str) -> None:
        """Curves of a run's metrics, of its present attempt or an earlier one."""
        attempt = self.number("attempt", 9)
        await self.from_sweeps(lambda sweeps: sweeps.curves(run_id, attempt))


class RunStopHandler(Boundary):
    """Ending one run."""

    @operation("write", Run)
    async def post(self, run_id: str) -> None:
        """Stop a run."""
        await self.from_sweeps(lambda sweeps: sweeps.stop_run(run_id), wake=True)


class RunNotebookHandler(Boundary):
    """A run's notebook, complete or not."""

    @operation("read", dict)
    async def get(self, run_id: str) -> None:
        """A run's executed notebook."""
        await self.from_sweeps(lambda sweeps: sweeps.run_notebook(run_id))


class OpenApiHandler(Boundary):
    """The API's own description."""

    @operation("read", dict)
    async def get(self) -> None:
        """This description."""
        self.answer(self.settings["mlops_openapi"]())


ROUTES = (
    Route("status", StatusHandler),
    Route("health", HealthHandler),
    Route("metrics", MetricsHandler),
    Route("service", ServiceHandler),
    Route("service/log", ServiceLogHandler),
    Route("service/keep", ServiceKeepHandler),
    Route("openapi.json", OpenApiHandler),
    Route("notebook", NotebookHandler),
    Route("notebook/draft", DraftHandler),
    Route("space", SpaceHandler),
    Route("sweeps", SweepsHandler),
    Route("changes", ChangesHandler),
    Route("sweeps/{sweep_id}", SweepHandler),
    Route("sweeps/{sweep_id}/runs", RunsHandler),
    Route("sweeps/{sweep_id}/notebook", SweepNotebookHandler),
    Route("sweeps/{sweep_id}/{action}", SweepActionHandler, {"action": ACTIONS}),
    Route("runs/{run_id}", RunHandler),
    Route("runs/{run_id}/curves", RunCurvesHandler),
    Route("runs/{run_id}/stop", RunStopHandler),
    Route("runs/{run_id}/notebook", RunNotebookHandler),
    *PIPELINE_ROUTES,
)


def handlers(base_url: str) -> list[tuple[str, Any]]:
    """The routes below a server's base URL, for tornado."""
    start = base_url.rstrip("/") + "/mlops/"
    return [
        *((start + route.pattern, route.handler) for route in ROUTES),
        (start + r"mlflow(?:/(.*))?", MlflowProxyHandler),
        (start.rstrip("/") + "(?:/.*)?", UnknownHandler),
    ]
