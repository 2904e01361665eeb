"""A running Dask scheduler, by its address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...core.errors import InvalidInputError, UnavailableError

if TYPE_CHECKING:
    pass
from ..target import Target


class SchedulerTarget(Target):
    """Any running Dask scheduler, by its address."""

    here = False

    async def _count_slots(self) -> int:
        assert self._client is not None
        # the client keeps it fresh; an asynchronous one knows of totals only, not of single workers
        slots = int(self._client.scheduler_info()["total_threads"])
        if not slots:
            slots = int((await self._client.scheduler.identity(n_workers=0))["total_threads"])
        if not slots:
            raise self._no_workers()
        return slots

    def _no_workers(self) -> UnavailableError:
        return UnavailableError(f"The scheduler at {self.name} has no workers; start some and try again.")

    async def check(self, kernel: str, paths: list[str], urls: list[str]) -> None:
        """See :meth:`Target.check`."""
        from ... import __version__
        from ...worker import worker_report

        assert self._client is not None
        try:
            reports = await self._client.run(worker_report, kernel, paths, urls)
        except ImportError as error:
            raise InvalidInputError(
                f"The workers at {self.name} cannot load jupyter-mlops {__version__}; install it in their "
                f"environment. ({type(error).__name__}: {error})"
            ) from error
        # a foreign environment may raise anything while it loads the question
        except Exception as error:
            raise InvalidInputError(
                f"The workers at {self.name} cannot say what they have ({type(error).__name__}: {error})."
            ) from error
        if not reports:
            raise self._no_workers()
        for worker, report in reports.items():
            problem = _problem(report, kernel, __version__)
            if problem:
                raise InvalidInputError(f"The worker {worker} {problem}")


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
