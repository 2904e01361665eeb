"""Base class of all compute targets."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Collection, Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from ..core.errors import MlopsError, UnavailableError
from ..core.lenient import decode
from ..core.messages import Message
from ..core.runs import RunResult, RunSpec
from ..core.service import TargetInfo

if TYPE_CHECKING:
    from distributed import Client

TOPIC = "jupyter-mlops"
CONNECT_SECONDS = 5.0
CHECK_AGAIN = 60.0  # s
_TASK_OVER = (None, "memory", "erred", "released", "forgotten")

OnEvent = Callable[[dict[str, Any]], None]

log = logging.getLogger(__name__)


class WorkerLostError(MlopsError):
    """The worker or the target was lost during an attempt."""

    status = 503


class Target:
    """A Dask cluster with a limited number of slots.

    Args:
        name: ``local``, ``cuda`` or a scheduler's address.

    Attributes:
        outdated: whether no host of this process's build can be started any more.
        here: whether its workers run on this machine, so that runs use the requester's kernel environments.
    """

    kind: Literal["local", "cuda", "scheduler"] = "scheduler"
    here = True
    outdated = False

    def __init__(self, name: str) -> None:
        self.name = name
        self.slots = 0
        self.message = Message()
        self.state: Literal["off", "idle", "starting", "ready", "failed"] = "idle"
        self.used_at = time.monotonic()
        self._client: Client | None = None
        self._listeners: dict[tuple[str, int], OnEvent] = {}
        self._queue: dict[str, Callable[[], None]] = {}  # by sweep
        self._lock = asyncio.Lock()
        self._checked: dict[tuple[str, ...], float] = {}

    # -- life cycle --------------------------------------------------------------------------

    async def start(self, progress: Callable[[Message], None]) -> None:
        """Connect the target if necessary.

        Args:
            progress: called with progress messages.

        Raises:
            UnavailableError: it cannot be used; the message says why.
        """
        async with self._lock:
            self.used_at = time.monotonic()
            try:
                if not self.connected:
                    await self._let_go()
                    self.state, self.message = "starting", Message()
                    await asyncio.to_thread(_import_slow_modules)
                    self._client = await self._connect(progress)
                    self._client.subscribe_topic(TOPIC, self._on_event)
                with self._told():
                    self.slots = await self._count_slots()
            except MlopsError as error:
                await self._let_go()
                self.state, self.message = "failed", error.message
                raise
            self.state, self.message = "ready", Message()

    @property
    def connected(self) -> bool:
        """Whether its scheduler is connected."""
        return self._client is not None and self._client.status == "running"

    async def _connect(self, progress: Callable[[Message], None]) -> Client:
        progress(Message("Connecting to {name}", name=self.name))
        return await connect(self.name, None)

    async def _count_slots(self) -> int:
        raise NotImplementedError

    async def check(self, kernel: str, paths: list[str], urls: list[str]) -> None:
        """Check that the workers can execute a sweep's runs.

        Raises:
            InvalidInputError: they lack something.
            UnavailableError: there are no workers.
        """

    async def check_once(self, kernel: str, paths: list[str], urls: list[str]) -> None:
        """As :meth:`check`, unless that succeeded within the last minute."""
        what = (kernel, *paths, *urls)
        if time.monotonic() - self._checked.get(what, -CHECK_AGAIN) < CHECK_AGAIN:
            return
        await self.check(kernel, paths, urls)
        self._checked[what] = time.monotonic()

    async def close(self) -> None:
        """Disconnect, and end the workers if they are this service's own."""
        await self.detach()

    async def detach(self) -> None:
        """Disconnect and leave the workers running."""
        async with self._lock:
            await self._let_go()
            self.state = "idle"

    async def _let_go(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await let_go(client)

    def info(self) -> TargetInfo:
        """The target's state."""
        return TargetInfo(
            name=self.name,
            kind=self.kind,
            state=self.state,
            slots=self.slots,
            busy=len(self._listeners),
            message=self.message,
        )

    @property
    def threads(self) -> int:
        """Number of threads for each run's libraries."""
        return 1

    # -- slots -------------------------------------------------------------------------------

    @property
    def free(self) -> int:
        """Number of free slots."""
        return self.slots - len(self._listeners)

    def reserve(self, run_id: str, attempt: int) -> None:
        """Take a slot for an attempt that is about to be submitted."""
        self._listeners.setdefault((run_id, attempt), lambda event: None)

    def release(self, run_id: str, attempt: int) -> None:
        """Free an attempt's slot if it still has one."""
        if self._listeners.pop((run_id, attempt), None) is not None:
            self.used_at = time.monotonic()
            self.wake_next()

    def wait_for_slot(self, sweep_id: str, wake: Callable[[], None]) -> None:
        """Call ``wake`` once a slot is free and it is this sweep's turn."""
        self._queue.setdefault(sweep_id, wake)

    def wake_next(self) -> None:
        """Wake the first waiting sweep if a slot is free; a sweep that needs none calls this in turn."""
        if self._queue and self.free > 0:
            self._queue.pop(next(iter(self._queue)))()

    def stop_waiting(self, sweep_id: str) -> None:
        """Remove a sweep from the queue."""
        self._queue.pop(sweep_id, None)
        self.wake_next()

    # -- attempts ----------------------------------------------------------------------------

    async def run(self, spec: RunSpec, on_event: OnEvent) -> RunResult:
        """Execute an attempt on a worker.

        Args:
            spec: what to execute.
            on_event: called with the worker's progress.

        Raises:
            WorkerLostError: the outcome is unknown; if only the connection was lost, the attempt may go on.
        """
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
        """Wait for an attempt that was submitted over another connection.

        Raises:
            WorkerLostError: no worker has it, and there is no result.
        """
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
        """Attempts that workers are executing, and those of ``asked`` that the scheduler has not assigned yet.

        Raises:
            UnavailableError: the target cannot be reached.
        """
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
        """End an attempt's kernel; False if no worker is known to have it.

        Args:
            why: the state in which the run ends.
        """
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


def spooled_result(spec: RunSpec) -> RunResult | None:
    """The result that the worker wrote, None if the attempt has not finished."""
    try:
        data = (Path(spec.directory) / str(spec.attempt) / "result.json").read_bytes()
    except FileNotFoundError:
        return None
    return decode(msgspec.json.decode(data), RunResult)


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
