"""Runs as tasks of a Dask cluster; nothing else knows futures."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from ..core.errors import MlopsError, UnavailableError
from ..core.messages import Message
from ..core.runs import RunResult, RunSpec
from ..core.targets import TargetRecord
from ..settings import MlopsSettings
from .target import OnEvent, Target, WorkerLostError, spooled_result

if TYPE_CHECKING:
    from distributed import Client

TOPIC = "jupyter-mlops"
CONNECT_SECONDS = 5.0
_TASK_OVER = (None, "memory", "erred", "released", "forgotten")

log = logging.getLogger(__name__)


class DaskTarget(Target):
    """A target that is a Dask cluster; its kinds say how a client is got, and how many slots there are."""

    def __init__(self, record: TargetRecord, settings: MlopsSettings) -> None:
        super().__init__(record, settings)
        self._client: Client | None = None

    async def _connect(self, progress: Callable[[Message], None]) -> Client:
        """A client of the cluster, which is started if necessary.

        Args:
            progress: called with progress messages.

        Raises:
            UnavailableError: it cannot be used; the message says why.
        """
        raise NotImplementedError

    async def _count_slots(self) -> int:
        """How many runs the cluster takes at once.

        Raises:
            UnavailableError: none at all.
        """
        raise NotImplementedError

    @property
    def connected(self) -> bool:
        """Whether the scheduler is connected."""
        return self._client is not None and self._client.status == "running"

    async def _open(self, progress: Callable[[Message], None]) -> None:
        await asyncio.to_thread(_import_slow_modules)
        self._client = await self._connect(progress)
        self._client.subscribe_topic(TOPIC, self._on_event)

    async def _capacity(self) -> int:
        with self._told():
            return await self._count_slots()

    async def _let_go(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await let_go(client)

    # -- attempts ----------------------------------------------------------------------------

    async def run(self, spec: RunSpec, on_event: OnEvent) -> RunResult:
        """See :class:`~.target.Target`."""
        from distributed import CancelledError, KilledWorker, fire_and_forget, wait
        from distributed.comm import CommClosedError

        from ..worker import ForkServerLostError, run_attempt

        if self._client is None or not self.connected:
            raise WorkerLostError(Message("The target went away before the run reached a worker."))
        key = (spec.run_id, spec.attempt)
        self._listeners[key] = on_event
        try:
            future = self._client.submit(run_attempt, spec, key=task_key(*key), pure=False, retries=0)
            # it must finish even if this process ends first
            fire_and_forget(future)
            with self._client.as_current():
                await wait(future)
            # reading the file saves two round trips to the worker
            spooled = spooled_result(spec) if future.status == "finished" else None
            result: RunResult = await future if spooled is None else spooled
            return result
        except (KilledWorker, CancelledError, CommClosedError) as error:
            spooled = spooled_result(spec)
            if spooled is not None:
                return spooled
            raise WorkerLostError(Message("The worker ended in the middle of the run.")) from error
        except ForkServerLostError as error:
            raise WorkerLostError(Message.verbatim(str(error))) from error
        # a full disk, or any error of a foreign environment that cannot load the task
        except Exception as error:
            log.warning("Attempt %s of run %s failed outside its notebook", spec.attempt, spec.run_id, exc_info=True)
            raise WorkerLostError(
                Message(
                    "The worker could not execute the run ({name}: {error}).", name=type(error).__name__, error=error
                )
            ) from error
        finally:
            self.release(*key)

    async def adopt(self, spec: RunSpec, on_event: OnEvent) -> RunResult:
        """See :class:`~.target.Target`."""
        key = (spec.run_id, spec.attempt)
        self._listeners[key] = on_event
        missing = 0
        try:
            while missing < 2:
                for _ in range(4):
                    spooled = spooled_result(spec)
                    if spooled is not None:
                        return spooled
                    await asyncio.sleep(0.5)
                missing = 0 if key in await self.live([key]) else missing + 1
        except UnavailableError as error:
            raise WorkerLostError(error.message) from error
        finally:
            self.release(*key)
        raise WorkerLostError(Message("The worker ended in the middle of the run."))

    async def live(self, asked: Collection[tuple[str, int]] = ()) -> set[tuple[str, int]]:
        """See :class:`~.target.Target`."""
        from ..worker import live_attempts

        # scheduler first: an attempt that moves to a worker in between is seen twice, never missed
        waiting = await self._scheduled(asked)
        replies = await self._run_on_workers(live_attempts)
        return waiting | {(run_id, attempt) for reply in replies for run_id, attempt in reply}

    async def _scheduled(self, asked: Collection[tuple[str, int]]) -> set[tuple[str, int]]:
        keys = {task_key(*attempt): attempt for attempt in asked}
        found: set[tuple[str, int]] = set()
        for client in await self._clients():
            with self._told():
                states = await client.scheduler.get_task_status(keys=list(keys))
            found |= {keys[key] for key, state in states.items() if state not in _TASK_OVER}
        return found

    async def stop(self, run_id: str, attempt: int, why: Literal["stopped", "pruned"] = "stopped") -> bool:
        """See :class:`~.target.Target`."""
        from ..worker import stop_attempt

        try:
            # workers of earlier builds know no reason
            reason = [] if why == "stopped" else [why]
            return any(await self._run_on_workers(stop_attempt, run_id, attempt, *reason))
        except UnavailableError as error:
            log.info("%s", error.message)
            return False

    async def _run_on_workers(self, function: Callable[..., Any], *arguments: Any) -> list[Any]:
        found: list[Any] = []
        for client in await self._clients():
            with self._told():
                found += (await client.run(function, *arguments, on_error="ignore")).values()
        return found

    async def _clients(self) -> list[Client]:
        """Of all schedulers that may have attempts of this target; the first is the one that gets new ones."""
        if self._client is None or not self.connected:
            raise UnavailableError(Message("The target {name} cannot be reached now.", name=self.name))
        return [self._client]

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Translate errors: Dask raises all kinds of exceptions when a connection breaks."""
        try:
            yield
        except MlopsError:
            raise
        except Exception as error:
            raise UnavailableError(
                Message(
                    "The target {name} cannot be reached now ({first_line}).",
                    name=self.name,
                    first_line=_first_line(error),
                )
            ) from error

    def _on_event(self, event: tuple[float, dict[str, Any]]) -> None:
        _, message = event
        listener = self._listeners.get((message["run_id"], message["attempt"]))
        if listener is not None:
            listener(message)


def task_key(run_id: str, attempt: int) -> str:
    """Dask's key of an attempt."""
    return f"{run_id}-{attempt}"


def _import_slow_modules() -> None:
    """Import what a run needs; it takes seconds, in which the event loop must go on."""
    for name in ("distributed", f"{__package__.rpartition('.')[0]}.worker.run"):
        import_module(name)


async def connect(address: str, security: Any) -> Client:
    """Connect to a scheduler.

    Raises:
        UnavailableError: no scheduler answers.
    """
    from distributed import Client

    client: Client | None = None
    try:
        client = Client(address, security=security, asynchronous=True, timeout=CONNECT_SECONDS, set_as_default=False)
        # Dask's timeout covers only connecting; a server that is no scheduler may accept and stay silent
        await asyncio.wait_for(client, CONNECT_SECONDS + 2)
    # any server may answer there, and Dask may raise anything on its reply
    except Exception as error:
        if client is not None:
            await let_go(client)
        raise UnavailableError(
            Message(
                "No Dask scheduler answers at {address}; check the address and that it runs. ({first_line})",
                address=address,
                first_line=_first_line(error),
            )
        ) from error
    return client


async def let_go(client: Client) -> None:
    """Close a client, waiting at most some seconds; one that is reconnecting ends later."""
    with contextlib.suppress(TimeoutError, OSError):
        await asyncio.wait_for(client.close(timeout=2), 4)


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).strip().splitlines()[0][:300]
