"""What all targets have in common, and the plainest of them: a Dask scheduler by its address."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Collection, Iterator
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
    """The worker, or the whole target, went away in the middle of an attempt."""

    status = 503


class Target:
    """A place that lends slots. One for each Dask scheduler in use.

    Args:
        name: ``local``, ``cuda`` or a scheduler's address.

    Attributes:
        here: whether its workers belong to this service, and kernels are those of the environment that asked for a run.
    """

    kind: Literal["local", "cuda", "scheduler"] = "scheduler"
    here = True

    def __init__(self, name: str) -> None:
        self.name = name
        self.slots = 0
        self.message = ""
        self.state: Literal["off", "idle", "starting", "ready", "failed"] = "idle"
        self.used_at = time.monotonic()
        self._client: Client | None = None
        self._listeners: dict[tuple[str, int], OnEvent] = {}
        self._line: dict[str, Callable[[], None]] = {}
        self._lock = asyncio.Lock()
        self._checked: dict[tuple[str, ...], float] = {}

    # -- life --------------------------------------------------------------------------------

    async def start(self, progress: Callable[[str], None]) -> None:
        """Make the target ready; at once where it is.

        Args:
            progress: called with lines on what is going on.

        Raises:
            UnavailableError: it cannot be used; says why.
        """
        async with self._lock:
            self.used_at = time.monotonic()
            try:
                if not self.connected:
                    await self._let_go()
                    self.state, self.message = "starting", ""
                    self._client = await self._connect(progress)
                    self._client.subscribe_topic(TOPIC, self._on_event)
                with self._told():
                    self.slots = await self._count_slots()
            except MlopsError as error:
                await self._let_go()
                self.state, self.message = "failed", str(error)
                raise
            self.state, self.message = "ready", ""

    @property
    def connected(self) -> bool:
        """Whether its scheduler can be spoken to now."""
        return self._client is not None and self._client.status == "running"

    async def _connect(self, progress: Callable[[str], None]) -> Client:
        progress(f"Connecting to {self.name}")
        return await connect(self.name, None)

    async def _count_slots(self) -> int:
        raise NotImplementedError

    async def check(self, kernel: str, paths: list[str], urls: list[str]) -> None:
        """Refuse, with a sentence, a target whose workers cannot execute a sweep's runs.

        Raises:
            InvalidInputError: they lack something.
            UnavailableError: there are none.
        """

    async def check_once(self, kernel: str, paths: list[str], urls: list[str]) -> None:
        """Check as :meth:`check` does, where that was not done a short while ago; raises as it does."""
        what = (kernel, *paths, *urls)
        if time.monotonic() - self._checked.get(what, -CHECK_AGAIN) < CHECK_AGAIN:
            return
        await self.check(kernel, paths, urls)
        self._checked[what] = time.monotonic()

    async def close(self) -> None:
        """Let go of the target; its workers go on where they are not ours."""
        await self.detach()

    async def detach(self) -> None:
        """Let go of the target and leave its workers as they are."""
        async with self._lock:
            await self._let_go()
            self.state = "idle"

    async def _let_go(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await let_go(client)

    def info(self) -> TargetInfo:
        """How it stands, for people."""
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
        """Threads for one run's libraries."""
        return 1

    # -- slots -------------------------------------------------------------------------------

    @property
    def free(self) -> int:
        """Slots that nobody uses."""
        return self.slots - len(self._listeners)

    def reserve(self, run_id: str, attempt: int) -> None:
        """Take a slot for an attempt that is about to be handed over."""
        self._listeners.setdefault((run_id, attempt), _nobody)

    def release(self, run_id: str, attempt: int) -> None:
        """Give an attempt's slot back, where it still has one."""
        if self._listeners.pop((run_id, attempt), None) is not None:
            self.used_at = time.monotonic()
            self.wake_next()

    def wait_for_slot(self, who: str, wake: Callable[[], None]) -> None:
        """Have somebody woken when it is their turn to take a slot."""
        self._line.setdefault(who, wake)

    def wake_next(self) -> None:
        """Wake the first in the line where a slot is free; who does not take it passes it on."""
        if self._line and self.free > 0:
            self._line.pop(next(iter(self._line)))()

    def stop_waiting(self, who: str) -> None:
        """Wait no more."""
        self._line.pop(who, None)
        self.wake_next()

    # -- attempts ----------------------------------------------------------------------------

    async def run(self, spec: RunSpec, on_event: OnEvent) -> RunResult:
        """Execute an attempt on a worker.

        Args:
            spec: what to execute.
            on_event: called with the worker's progress.

        Raises:
            WorkerLostError: nothing is known of its end; it may go on where only the connection was lost.
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
            # it must finish on its worker even when this process does not live to see it
            fire_and_forget(future)
            with self._client.as_current():
                await wait(future)
            # it lies there; to fetch it from the worker would take two more rounds
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
        # a full disk there, or whatever a foreign environment raises while it loads the task
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
        """Wait for an attempt that was handed out over another connection.

        Raises:
            WorkerLostError: no worker has it any more, and there is no result.
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
        """Attempts that workers have at present.

        Args:
            asked: attempts of which it is to be told, too, whether they are still on their way to a worker.

        Raises:
            UnavailableError: it cannot be asked now, so that nothing is known of any.
        """
        from ..worker import live_attempts

        # in this order: what a worker takes from the scheduler in between is seen by either
        waiting = await self._on_their_way(asked)
        replies = await self._ask(live_attempts)
        return waiting | {(run_id, attempt) for reply in replies for run_id, attempt in reply}

    async def _on_their_way(self, asked: Collection[tuple[str, int]]) -> set[tuple[str, int]]:
        keys = {task_key(*attempt): attempt for attempt in asked}
        with self._told():
            states = await self._reached().scheduler.get_task_status(keys=list(keys))
        return {keys[key] for key, state in states.items() if state not in _TASK_OVER}

    async def stop(self, run_id: str, attempt: int) -> bool:
        """End an attempt's kernel; False where no worker is known to have it."""
        from ..worker import stop_attempt

        try:
            return any(await self._ask(stop_attempt, run_id, attempt))
        except UnavailableError as error:
            log.info("%s", error.message)
            return False

    async def _ask(self, function: Callable[..., Any], *arguments: Any) -> list[Any]:
        with self._told():
            replies = await self._reached().run(function, *arguments, on_error="ignore")
        return list(replies.values())

    def _reached(self) -> Client:
        if self._client is None or not self.connected:
            raise UnavailableError(Message("The target {name} cannot be reached now.", name=self.name))
        return self._client

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """A connection that breaks while it is used, or is being made, raises whatever it happens to stumble over."""
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


def _nobody(event: dict[str, Any]) -> None:
    """For an attempt of which there is nothing to hear yet."""


def task_key(run_id: str, attempt: int) -> str:
    """By which Dask knows an attempt."""
    return f"{run_id}-{attempt}"


def spooled_result(spec: RunSpec) -> RunResult | None:
    """What the worker wrote of a finished attempt, None where it has not finished."""
    try:
        data = (Path(spec.directory) / str(spec.attempt) / "result.json").read_bytes()
    except FileNotFoundError:
        return None
    return decode(msgspec.json.decode(data), RunResult)


async def connect(address: str, security: Any) -> Client:
    """A client of a scheduler.

    Raises:
        UnavailableError: none answers there.
    """
    from distributed import Client

    client: Client | None = None
    try:
        client = Client(address, security=security, asynchronous=True, timeout=CONNECT_SECONDS, set_as_default=False)
        # its own limit ends with the connection; what is no scheduler may accept one and say nothing
        await asyncio.wait_for(client, CONNECT_SECONDS + 2)
    # what answers there may be anything, and so may be what Dask makes of its answer
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
    """Close a client, at the latest after some seconds: one that looks for its scheduler ends in its own time."""
    with contextlib.suppress(TimeoutError, OSError):
        await asyncio.wait_for(client.close(timeout=2), 4)


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).strip().splitlines()[0][:300]
