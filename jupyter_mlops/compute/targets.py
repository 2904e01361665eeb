"""Targets: start them, hand attempts to them, hear how those go."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import psutil

from ..core.errors import InvalidInputError, MlopsError, UnavailableError
from ..core.records import RunResult, RunSpec, TargetInfo
from . import hardware
from .host import security_of, write_private

if TYPE_CHECKING:
    from distributed import Client

TOPIC = "jupyter-mlops"
BEAT_SECONDS = 5.0
START_SECONDS = 60.0
CONNECT_SECONDS = 10.0

OnEvent = Callable[[dict[str, Any]], None]


class WorkerLostError(MlopsError):
    """The worker, or the whole target, went away in the middle of an attempt."""

    status = 503


class Target:
    """A place that lends slots. One for each Dask scheduler in use.

    Args:
        name: ``local``, ``cuda`` or a scheduler's address.
    """

    kind: Literal["local", "cuda", "scheduler"] = "scheduler"

    def __init__(self, name: str) -> None:
        self.name = name
        self.slots = 0
        self.message = ""
        self.state: Literal["off", "idle", "starting", "ready", "failed"] = "idle"
        self.used_at = time.monotonic()
        self._client: Client | None = None
        self._listeners: dict[tuple[str, int], OnEvent] = {}
        self._lock = asyncio.Lock()

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
            if self._client is not None and self._client.status == "running":
                return
            self.state, self.message = "starting", ""
            try:
                self._client = await self._connect(progress)
                self._client.subscribe_topic(TOPIC, self._on_event)
                await self._count_slots()
            except MlopsError as error:
                self.state, self.message = "failed", error.message
                raise
            self.state = "ready"

    async def _connect(self, progress: Callable[[str], None]) -> Client:
        progress(f"Connecting to {self.name}")
        return await _client(self.name, None)

    async def _count_slots(self) -> None:
        assert self._client is not None
        workers = self._client.scheduler_info(n_workers=-1)["workers"].values()
        self.slots = sum(worker["nthreads"] for worker in workers)
        if not self.slots:
            raise UnavailableError(f"The scheduler at {self.name} has no workers; start some and try again.")

    async def check(self, kernel: str, paths: list[str], urls: list[str]) -> None:
        """Refuse, with a sentence, a target whose workers cannot execute a sweep's runs.

        Raises:
            InvalidInputError: they lack something.
        """

    async def close(self) -> None:
        """Let go of the target; its workers go on where they are not ours."""
        if self._client is not None:
            await self._client.close(timeout=2)
        self._client = None
        self.state = "idle"

    detach = close

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

    # -- attempts ----------------------------------------------------------------------------

    async def run(self, spec: RunSpec, on_event: OnEvent) -> RunResult:
        """Execute an attempt on a worker.

        Args:
            spec: what to execute.
            on_event: called with the worker's progress.

        Raises:
            WorkerLostError: the attempt ended without a result.
        """
        from distributed import CancelledError, KilledWorker, fire_and_forget

        from ..worker import run_attempt

        if self._client is None or self._client.status != "running":
            raise WorkerLostError("The target went away before the run reached a worker.")
        key = (spec.run_id, spec.attempt)
        self._listeners[key] = on_event
        try:
            future = self._client.submit(run_attempt, spec, key=f"{spec.run_id}-{spec.attempt}", pure=False, retries=0)
            # it must finish on its worker even when this process does not live to see it
            fire_and_forget(future)
            result: RunResult = await future
            return result
        except (KilledWorker, CancelledError, asyncio.CancelledError, OSError) as error:
            spooled = spooled_result(spec)
            if spooled is not None:
                return spooled
            if isinstance(error, asyncio.CancelledError) and not isinstance(error, CancelledError):
                raise
            raise WorkerLostError("The worker ended in the middle of the run.") from error
        finally:
            self._listeners.pop(key, None)
            self.used_at = time.monotonic()

    async def adopt(self, spec: RunSpec, on_event: OnEvent) -> RunResult:
        """Wait for an attempt that an earlier service handed out.

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
                missing = 0 if key in await self.live() else missing + 1
        finally:
            self._listeners.pop(key, None)
            self.used_at = time.monotonic()
        raise WorkerLostError("The worker ended in the middle of the run.")

    async def live(self) -> set[tuple[str, int]]:
        """Attempts that workers have at present."""
        from ..worker import live_attempts

        replies = await self._ask(live_attempts)
        return {(run_id, attempt) for reply in replies for run_id, attempt in reply}

    async def stop(self, run_id: str, attempt: int) -> bool:
        """End an attempt's kernel; False where no worker has it."""
        from ..worker import stop_attempt

        return any(await self._ask(stop_attempt, run_id, attempt))

    async def _ask(self, function: Callable[..., Any], *arguments: Any) -> list[Any]:
        if self._client is None or self._client.status != "running":
            return []
        replies = await self._client.run(function, *arguments, on_error="ignore")
        return list(replies.values())

    def _on_event(self, event: tuple[float, dict[str, Any]]) -> None:
        _, message = event
        listener = self._listeners.get((message["run_id"], message["attempt"]))
        if listener is not None:
            listener(message)


class SchedulerTarget(Target):
    """Any running Dask scheduler, by its address."""

    async def check(self, kernel: str, paths: list[str], urls: list[str]) -> None:
        """See :meth:`Target.check`."""
        from .. import __version__
        from ..worker import worker_report

        assert self._client is not None
        try:
            reports = await self._client.run(worker_report, kernel, paths, urls)
        # whatever a foreign environment raises while unpickling is the answer to the question asked
        except Exception as error:
            raise InvalidInputError(
                f"The workers at {self.name} cannot load jupyter-mlops {__version__}; install it in their "
                f"environment. ({type(error).__name__}: {error})"
            ) from error
        for worker, report in reports.items():
            problem = _problem(report, kernel, __version__)
            if problem:
                raise InvalidInputError(f"The worker {worker} {problem}")


class HostTarget(Target):
    """Workers on this machine, in a host process of their own.

    Args:
        kind: ``local`` or ``cuda``.
        data_dir: where the host's address and keys are kept.
        slots: 0 lets the machine decide.
        grace: seconds after which a host that nobody asks for ends itself.
    """

    def __init__(self, kind: Literal["local", "cuda"], data_dir: Path, slots: int, grace: float) -> None:
        super().__init__(kind)
        self.kind = kind
        self.grace = grace
        self.wanted = slots or hardware.default_slots()
        folder = data_dir / "targets"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.file = folder / f"{kind}.json"
        self.wish = folder / f"{kind}.wish"
        self.log = folder / f"{kind}.log"
        self._beating: asyncio.Task[None] | None = None

    @property
    def threads(self) -> int:
        """See :class:`Target`."""
        return max(1, hardware.cores() // max(1, self.slots))

    async def _connect(self, progress: Callable[[str], None]) -> Client:
        if self.kind == "cuda" and (problem := hardware.cuda_problem()):
            raise UnavailableError(problem)
        if self._beating is not None:
            self._beating.cancel()
        self._beating = asyncio.create_task(self._beat())
        known = self._host()
        if known is None:
            progress("Starting workers on this machine")
            known = await self._launch()
        return await _client(known["address"], security_of(known["security"]))

    async def _launch(self) -> dict[str, Any]:
        self.file.unlink(missing_ok=True)
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                [
                    sys.executable,
                    *("-m", "jupyter_mlops.compute.host", self.kind, str(self.file)),
                    *("--slots", str(self.wanted), "--grace", str(self.grace)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd="/",
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            await asyncio.sleep(0.1)
            known = self._host()
            if known is not None:
                return known
            if process.poll() is not None:
                break
        end = self.log.read_text(errors="replace").strip().splitlines()[-1:] or ["no word"]
        raise UnavailableError(f"The workers on this machine did not start ({end[0]}); the log is {self.log}.")

    def _host(self) -> dict[str, Any] | None:
        """What a living host wrote of itself."""
        try:
            known: dict[str, Any] = json.loads(self.file.read_text(encoding="utf-8"))
            process = psutil.Process(known["pid"])
        except (FileNotFoundError, psutil.NoSuchProcess):
            return None
        living = process.status() != psutil.STATUS_ZOMBIE and "jupyter_mlops.compute.host" in process.cmdline()
        return known if living else None

    async def _beat(self) -> None:
        while True:
            # only told apart from the last one, never compared with a clock: laptops sleep
            write_private(self.wish, {"beat": time.time_ns(), "slots": self.wanted})
            await asyncio.sleep(BEAT_SECONDS)

    async def _count_slots(self) -> None:
        assert self._client is not None
        known = self._host()
        self.slots = known["slots"] if known else self.wanted
        await self._client.wait_for_workers(1, timeout=START_SECONDS)

    async def detach(self) -> None:
        """Leave the workers to the next service."""
        if self._beating is not None:
            self._beating.cancel()
        await super().close()

    async def close(self) -> None:
        """End the workers and their host."""
        known = self._host()
        await self.detach()
        if known is None:
            return
        write_private(self.wish, {"beat": 0, "close": known["pid"]})
        deadline = time.monotonic() + 15
        while self._host() is not None and time.monotonic() < deadline:
            await asyncio.sleep(0.1)


class Targets:
    """All targets by name.

    Args:
        data_dir: the data folder.
        local_slots: runs at once on this machine; 0 lets the machine decide.
        grace: seconds after which workers that nobody asks for end themselves.
    """

    def __init__(self, data_dir: Path, local_slots: int = 0, grace: float = 60.0) -> None:
        self._data_dir = data_dir
        self._local_slots = local_slots
        self._grace = grace
        self._known: dict[str, Target] = {}

    def get(self, name: str) -> Target:
        """The target of a name.

        Raises:
            InvalidInputError: the name is none.
        """
        if name not in self._known:
            if name == "local":
                self._known[name] = HostTarget("local", self._data_dir, self._local_slots, self._grace)
            elif name == "cuda":
                devices = len(hardware.cuda_devices())
                self._known[name] = HostTarget("cuda", self._data_dir, devices, self._grace)
            elif name.startswith(("tcp://", "tls://")):
                self._known[name] = SchedulerTarget(name)
            else:
                raise InvalidInputError(f"“{name}” is no target; use local, cuda or tcp://host:port.")
        return self._known[name]

    def infos(self) -> list[TargetInfo]:
        """How all stand, ``local`` and ``cuda`` first."""
        known = {target.name: target.info() for target in self._known.values()}
        return [*merge(known, self._local_slots).values()]

    def used(self) -> list[Target]:
        """Those that were started and not closed since."""
        return [target for target in self._known.values() if target.state == "ready"]


def merge(known: dict[str, TargetInfo], local_slots: int) -> dict[str, TargetInfo]:
    """Targets by name, with those of this machine added where nothing is known of them yet."""
    problem = hardware.cuda_problem()
    local = TargetInfo(name="local", kind="local", state="idle", slots=local_slots or hardware.default_slots())
    cuda = TargetInfo(
        name="cuda",
        kind="cuda",
        state="off" if problem else "idle",
        slots=len(hardware.cuda_devices()),
        message=problem,
    )
    first = {"local": known.get("local", local), "cuda": cuda if problem else known.get("cuda", cuda)}
    return {**first, **{name: info for name, info in known.items() if name not in first}}


def spooled_result(spec: RunSpec) -> RunResult | None:
    """What the worker wrote of a finished attempt, None where it has not finished."""
    try:
        data = (Path(spec.directory) / str(spec.attempt) / "result.json").read_bytes()
    except FileNotFoundError:
        return None
    return msgspec.json.decode(data, type=RunResult)


async def _client(address: str, security: Any) -> Client:
    from distributed import Client

    try:
        client: Client = await Client(
            address, security=security, asynchronous=True, timeout=CONNECT_SECONDS, set_as_default=False
        )
    except (OSError, TimeoutError, ValueError) as error:
        raise UnavailableError(
            f"No Dask scheduler answers at {address}; check the address and that it runs. ({error})"
        ) from error
    return client


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
