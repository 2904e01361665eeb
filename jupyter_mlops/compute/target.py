"""The port for targets: what every kind of them does."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, ClassVar, Literal

import msgspec

from ..core.errors import InvalidInputError, MlopsError
from ..core.lenient import decode
from ..core.messages import Message
from ..core.record import Record
from ..core.runs import RunResult, RunSpec
from ..core.targets import Resources, TargetInfo, TargetRecord
from ..settings import MlopsSettings

CHECK_AGAIN = 60.0  # s

OnEvent = Callable[[dict[str, Any]], None]


class WorkerLostError(MlopsError):
    """The worker or the target was lost during an attempt."""

    status = 503


class NoOptions(Record, frozen=True, kw_only=True):
    """Of a kind without options."""


class Target(ABC):
    """A named place with a limited number of slots. Each kind is a subclass, found by its entry point.

    Attributes:
        Options: what a record's options are decoded as.
        has_default: whether a target of the kind's own name exists without a record.
        schemes: an address with one of these is a target without a record; it is the option ``address``.
        example: what such an address looks like, for people.
        outdated: whether only a service of another build could start it.
        here: whether its workers run on this machine, so that runs use the requester's kernel environments.
    """

    Options: ClassVar[type[Record]] = NoOptions
    has_default: ClassVar[bool] = False
    schemes: ClassVar[tuple[str, ...]] = ()
    example: ClassVar[str] = ""
    here = True
    outdated = False

    def __init__(self, record: TargetRecord, settings: MlopsSettings) -> None:
        self.record = record
        self.name = record.name
        self.settings = settings
        self.options = self.options_of(record)
        self.slots = 0
        self.message = Message()
        self.state: Literal["off", "idle", "starting", "ready", "failed"] = "idle"
        self.used_at = time.monotonic()
        self._listeners: dict[tuple[str, int], OnEvent] = {}
        self._queue: dict[str, Callable[[], None]] = {}  # by sweep
        self._lock = asyncio.Lock()
        self._checked: dict[tuple[str, ...], float] = {}

    # -- before it is started ----------------------------------------------------------------

    @classmethod
    def options_of(cls, record: TargetRecord) -> Any:
        """A record's options.

        Raises:
            InvalidInputError: they are not those of this kind.
        """
        try:
            return msgspec.convert(record.options, cls.Options)
        except msgspec.ValidationError as error:
            raise InvalidInputError(
                Message("The options of the target “{name}” are wrong: {error}.", name=record.name, error=error)
            ) from error

    @classmethod
    def idle_info(cls, record: TargetRecord, settings: MlopsSettings) -> TargetInfo:
        """The state of a target that no service uses."""
        return TargetInfo(name=record.name, kind=record.kind, state="idle")

    @classmethod
    def offer(cls, record: TargetRecord) -> Resources | None:
        """What a slot will have, None if only the started target knows."""
        return None

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
                    await self._open(progress)
                self.slots = await self._capacity()
            except MlopsError as error:
                await self._let_go()
                self.state, self.message = "failed", error.message
                raise
            self.state, self.message = "ready", Message()

    @property
    @abstractmethod
    def connected(self) -> bool:
        """Whether runs can be handed out now."""

    @abstractmethod
    async def _open(self, progress: Callable[[Message], None]) -> None:
        """Connect, and start workers if necessary; raises as :meth:`start`."""

    @abstractmethod
    async def _capacity(self) -> int:
        """The present number of slots; raises as :meth:`start`."""

    @abstractmethod
    async def _let_go(self) -> None:
        """Disconnect, if connected."""

    @abstractmethod
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

    def info(self) -> TargetInfo:
        """The target's state."""
        return TargetInfo(
            name=self.name,
            kind=self.record.kind,
            state=self.state,
            slots=self.slots,
            busy=len(self._listeners),
            message=self.message,
        )

    # -- slots -------------------------------------------------------------------------------

    @property
    def slot(self) -> Resources:
        """What each slot has."""
        return self.offer(self.record) or Resources(cores=1)

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

    @abstractmethod
    async def run(self, spec: RunSpec, on_event: OnEvent) -> RunResult:
        """Execute an attempt on a worker.

        Args:
            spec: what to execute.
            on_event: called with the worker's progress.

        Raises:
            WorkerLostError: the outcome is unknown; if only the connection was lost, the attempt may go on.
        """

    @abstractmethod
    async def adopt(self, spec: RunSpec, on_event: OnEvent) -> RunResult:
        """Wait for an attempt that was submitted over another connection.

        Raises:
            WorkerLostError: no worker has it, and there is no result.
        """

    @abstractmethod
    async def live(self, asked: Collection[tuple[str, int]] = ()) -> set[tuple[str, int]]:
        """Attempts that workers are executing, and those of ``asked`` that are yet to be assigned to one.

        Raises:
            UnavailableError: the target cannot be reached.
        """

    @abstractmethod
    async def stop(self, run_id: str, attempt: int, why: Literal["stopped", "pruned"] = "stopped") -> bool:
        """End an attempt's kernel; False if no worker is known to have it.

        Args:
            why: the state in which the run ends.
        """


def spooled_result(spec: RunSpec) -> RunResult | None:
    """The result that the worker wrote, None if the attempt has not finished."""
    try:
        data = (Path(spec.directory) / str(spec.attempt) / "result.json").read_bytes()
    except FileNotFoundError:
        return None
    return decode(msgspec.json.decode(data), RunResult)
