"""The handlers, and at the end the one table of routes.

``@authorized`` stands on each verb by itself: shared, it would remember the first request it saw.
"""

from __future__ import annotations

from typing import Any

from jupyter_server.auth.decorator import authorized
from tornado import web

from .. import __version__
from ..core.parameters import NotebookInfo
from ..core.pipelines.requests import Changes
from ..core.runs import Run, RunsPage
from ..core.service import ServiceKeep, ServiceLog, Status
from ..core.sweeps import SpaceCheck, SpaceRequest, Sweep, SweepChange, SweepRequest
from .boundary import Boundary, UnknownHandler
from .mlflow_proxy import MlflowProxyHandler
from .pipelines import PIPELINE_ROUTES
from .routes import Operation, Route

ACTIONS = ("stop", "pause", "resume", "retry", "restore")


class StatusHandler(Boundary):
    """How everything stands."""

    @web.authenticated
    @authorized("read", "mlops")
    async def get(self) -> None:
        """Answer it."""
        sweeps = await self.sweeps()
        self.answer(await self.call(self._status, sweeps))

    def _status(self, sweeps: Any) -> Status:
        from ..compute.catalog import merge
        from ..services.process.disk import store_bytes, store_warnings
        from ..services.process.launch import service_info

        settings = self.backend.settings
        info = service_info(sweeps.store, settings)
        targets = merge(
            {target.name: target for target in info.targets}, settings.local_slots, settings.slots_per_device
        )
        return Status(
            version=__version__,
            service=info,
            targets=list(targets.values()),
            store_path=str(settings.data_path),
            store_bytes=store_bytes(settings.data_path),
            confirm_runs=settings.confirm_runs,
            warnings=store_warnings(settings.data_path),
        )


class ServiceLogHandler(Boundary):
    """The end of the service's log."""

    @web.authenticated
    @authorized("read", "mlops")
    async def get(self) -> None:
        """Answer it."""
        from ..services.process.launch import service_log

        self.answer(ServiceLog(text=await self.call(service_log, self.backend.settings)))


class ServiceKeepHandler(Boundary):
    """The service as a unit of the login's systemd."""

    @web.authenticated
    @authorized("read", "mlops")
    async def get(self) -> None:
        """Say whether there is one."""
        from ..services.process.systemd import look

        self.answer(await self.call(look, self.backend.settings))

    @web.authenticated
    @authorized("write", "mlops")
    async def post(self) -> None:
        """Install it."""
        from ..services.process.systemd import install

        self.answer(await self.call(install, self.backend.settings))

    @web.authenticated
    @authorized("write", "mlops")
    async def delete(self) -> None:
        """Remove it."""
        from ..services.process.systemd import uninstall

        await self.call(uninstall, self.backend.settings)
        self.answer(None, 204)


class NotebookHandler(Boundary):
    """What is known of a notebook."""

    @web.authenticated
    @authorized("read", "mlops")
    async def get(self) -> None:
        """Answer it for the query's ``path``."""
        file = self.file(self.get_query_argument("path", ""))
        sweeps = await self.sweeps()
        self.answer(await self.call(sweeps.inspect, file, await self.kernelspecs()))


class DraftHandler(Boundary):
    """The remembered form of a notebook."""

    @web.authenticated
    @authorized("write", "mlops")
    async def put(self) -> None:
        """Remember it."""
        request = self.body(SweepRequest)
        sweeps = await self.sweeps()
        await self.call(sweeps.save_draft, self.file(request.path), request)
        self.answer(None, 204)


class SpaceHandler(Boundary):
    """A space while it is typed."""

    @web.authenticated
    @authorized("read", "mlops")
    async def post(self) -> None:
        """Count its runs and say what is wrong."""
        request = self.body(SpaceRequest)
        sweeps = await self.sweeps()
        self.answer(await self.call(sweeps.check, self.file(request.path), request))


class SweepsHandler(Boundary):
    """All sweeps."""

    @web.authenticated
    @authorized("read", "mlops")
    async def get(self) -> None:
        """List them, newest first."""
        sweeps = await self.sweeps()
        revision = await self.call(sweeps.store.revision)
        found = await self.call(sweeps.listed, archived=self.flag("archived"), deleted=bool(self.flag("deleted")))
        self.answer(Changes(sweeps=[self.outward(sweep) for sweep in found], revision=revision))

    @web.authenticated
    @authorized("write", "mlops")
    async def post(self) -> None:
        """Start one."""
        request = self.body(SweepRequest)
        file = self.file(request.path)
        sweeps = await self.sweeps()
        sweep = await self.call(sweeps.create, file, request, await self.kernelspecs())
        await self.call(self.backend.wake)
        self.answer(sweep, 201)


class ChangesHandler(Boundary):
    """Sweeps that changed."""

    @web.authenticated
    @authorized("read", "mlops")
    async def get(self) -> None:
        """List those after the query's ``since``, archived and deleted ones too."""
        sweeps = await self.sweeps()
        changes = await self.call(sweeps.changes, self.number("since"))
        self.answer(
            Changes(
                sweeps=[self.outward(sweep) for sweep in changes.sweeps],
                pipelines=[self.outward(pipeline) for pipeline in changes.pipelines],
                revision=changes.revision,
            )
        )


class SweepHandler(Boundary):
    """One sweep."""

    @web.authenticated
    @authorized("read", "mlops")
    async def get(self, sweep_id: str) -> None:
        """Answer it."""
        sweeps = await self.sweeps()
        self.answer(await self.call(sweeps.sweep, sweep_id))

    @web.authenticated
    @authorized("write", "mlops")
    async def patch(self, sweep_id: str) -> None:
        """Change its name, archive it, choose its metric, or how many runs go at once."""
        change = self.body(SweepChange)
        sweeps = await self.sweeps()
        self.answer(await self.call(sweeps.change, sweep_id, change))

    @web.authenticated
    @authorized("write", "mlops")
    async def delete(self, sweep_id: str) -> None:
        """Put it aside."""
        sweeps = await self.sweeps()
        await self.call(sweeps.delete, sweep_id)
        self.answer(None, 204)


class SweepActionHandler(Boundary):
    """Stop, pause, resume, retry or restore a sweep."""

    @web.authenticated
    @authorized("write", "mlops")
    async def post(self, sweep_id: str, action: str) -> None:
        """Do it."""
        sweeps = await self.sweeps()
        sweep = await self.call(getattr(sweeps, action), sweep_id)
        await self.call(self.backend.wake)
        self.answer(sweep)


class RunsHandler(Boundary):
    """Runs of a sweep."""

    @web.authenticated
    @authorized("read", "mlops")
    async def get(self, sweep_id: str) -> None:
        """List those changed after the query's ``since``."""
        sweeps = await self.sweeps()
        self.answer(await self.call(sweeps.runs, sweep_id, self.number("since")))


class SweepNotebookHandler(Boundary):
    """The notebook a sweep was started with."""

    @web.authenticated
    @authorized("read", "mlops")
    async def get(self, sweep_id: str) -> None:
        """Answer it as JSON."""
        sweeps = await self.sweeps()
        self.answer(await self.call(sweeps.sweep_notebook, sweep_id))


class RunHandler(Boundary):
    """One run."""

    @web.authenticated
    @authorized("read", "mlops")
    async def get(self, run_id: str) -> None:
        """Answer it."""
        sweeps = await self.sweeps()
        self.answer(await self.call(sweeps.run, run_id))


class RunStopHandler(Boundary):
    """Ending one run."""

    @web.authenticated
    @authorized("write", "mlops")
    async def post(self, run_id: str) -> None:
        """Ask for it."""
        sweeps = await self.sweeps()
        run = await self.call(sweeps.stop_run, run_id)
        await self.call(self.backend.wake)
        self.answer(run)


class RunNotebookHandler(Boundary):
    """The executed notebook of a run."""

    @web.authenticated
    @authorized("read", "mlops")
    async def get(self, run_id: str) -> None:
        """Answer it as JSON, as far as it has got."""
        sweeps = await self.sweeps()
        self.answer(await self.call(sweeps.run_notebook, run_id))


class OpenApiHandler(Boundary):
    """This description."""

    @web.authenticated
    @authorized("read", "mlops")
    async def get(self) -> None:
        """Answer it."""
        self.answer(self.settings["mlops_openapi"]())


ROUTES = (
    Route("status", StatusHandler, {"get": Operation("How everything stands", Status)}),
    Route("service/log", ServiceLogHandler, {"get": Operation("The end of the service's log", ServiceLog)}),
    Route(
        "service/keep",
        ServiceKeepHandler,
        {
            "get": Operation("Whether the service outlives the login", ServiceKeep),
            "post": Operation("Install the service as a systemd user unit", ServiceKeep),
            "delete": Operation("Remove that unit", None, status=204),
        },
    ),
    Route("openapi.json", OpenApiHandler, {"get": Operation("This description", dict)}),
    Route(
        "notebook",
        NotebookHandler,
        {"get": Operation("What is known of a notebook", NotebookInfo, query=("path",))},
    ),
    Route(
        "notebook/draft",
        DraftHandler,
        {"put": Operation("Remember a notebook's form", None, SweepRequest, 204)},
    ),
    Route("space", SpaceHandler, {"post": Operation("Check a space", SpaceCheck, SpaceRequest)}),
    Route(
        "sweeps",
        SweepsHandler,
        {
            "get": Operation("List sweeps", Changes, query=("archived", "deleted")),
            "post": Operation("Start a sweep", Sweep, SweepRequest, 201),
        },
    ),
    Route("changes", ChangesHandler, {"get": Operation("Sweeps that changed", Changes, query=("since",))}),
    Route(
        "sweeps/{sweep_id}",
        SweepHandler,
        {
            "get": Operation("One sweep", Sweep),
            "patch": Operation("Change a sweep", Sweep, SweepChange),
            "delete": Operation("Delete a sweep, recoverably", None, status=204),
        },
    ),
    Route(
        "sweeps/{sweep_id}/runs",
        RunsHandler,
        {"get": Operation("Runs that changed", RunsPage, query=("since",))},
    ),
    Route(
        "sweeps/{sweep_id}/notebook",
        SweepNotebookHandler,
        {"get": Operation("The notebook a sweep was started with", dict)},
    ),
    Route(
        "sweeps/{sweep_id}/{action}",
        SweepActionHandler,
        {"post": Operation("Stop, pause, resume, retry or restore a sweep", Sweep)},
        {"action": ACTIONS},
    ),
    Route("runs/{run_id}", RunHandler, {"get": Operation("One run", Run)}),
    Route("runs/{run_id}/stop", RunStopHandler, {"post": Operation("Stop a run", Run)}),
    Route(
        "runs/{run_id}/notebook",
        RunNotebookHandler,
        {"get": Operation("A run's executed notebook", dict)},
    ),
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
