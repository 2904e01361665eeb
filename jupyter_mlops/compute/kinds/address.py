"""A running Dask scheduler, by its address."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...core.errors import InvalidInputError, UnavailableError
from ...core.messages import Message
from ...core.record import Record
from ..dask_runs import DaskTarget, connect

if TYPE_CHECKING:
    from distributed import Client


class AddressOptions(Record, frozen=True, kw_only=True):
    """Options of the kind ``address``.

    Attributes:
        address: such as ``tcp://host:8786``.
    """

    address: str


class AddressTarget(DaskTarget):
    """Any running Dask scheduler, by its address."""

    Options = AddressOptions
    schemes = ("tcp", "tls")
    example = "a Dask scheduler's address such as tcp://host:8786"
    here = False

    async def _connect(self, progress: Callable[[Message], None]) -> Client:
        progress(Message("Connecting to {name}", name=self.name))
        return await connect(self.options.address, None)

    async def _count_slots(self) -> int:
        assert self._client is not None
        # an asynchronous client knows only totals, not single workers
        slots = int(self._client.scheduler_info()["total_threads"])
        if not slots:
            slots = int((await self._client.scheduler.identity(n_workers=0))["total_threads"])
        if not slots:
            raise self._no_workers()
        return slots

    def _no_workers(self) -> UnavailableError:
        return UnavailableError(
            Message("The scheduler at {name} has no workers; start some and try again.", name=self.options.address)
        )

    async def check(self, kernel: str, paths: list[str], urls: list[str]) -> None:
        """See :class:`~jupyter_mlops.compute.target.Target`."""
        from ... import __version__
        from ...worker import worker_report

        assert self._client is not None
        try:
            reports = await self._client.run(worker_report, kernel, paths, urls)
        # a foreign environment may raise anything while it loads the function
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
            # Dask sends the text of errors that it cannot pickle
            if isinstance(error, ImportError) or "ImportError(" in str(error) or "ModuleNotFoundError(" in str(error):
                raise InvalidInputError(
                    Message(
                        "The workers at {name} cannot load jupyter-mlops {version}; install it in their "
                        "environment. ({said})",
                        name=self.name,
                        version=__version__,
                        said=said,
                    )
                ) from error
            raise InvalidInputError(
                Message("The workers at {name} cannot say what they have ({said}).", name=self.name, said=said)
            ) from error
        if not reports:
            raise self._no_workers()
        for worker, report in reports.items():
            problem = _problem(report, kernel, __version__)
            if problem:
                raise InvalidInputError(Message("The worker {worker} {problem}", worker=worker, problem=problem))


def _problem(report: dict[str, Any], kernel: str, version: str) -> str:
    if report["version"] != version:
        return f"has jupyter-mlops {report['version']}, here it is {version}; install the same."
    if kernel not in report["kernels"]:
        return f"has no kernel “{kernel}”; install it there, it has {', '.join(report['kernels']) or 'none'}."
    if report["unreadable"]:
        return f"cannot read {report['unreadable'][0]}; notebook and store must lie on a shared file system."
    if report["unreachable"]:
        url = report["unreachable"][0]
        return f"cannot reach MLflow at {url}; set MlopsSettings.mlflow_tracking_uri to a server it can."
    return ""
