"""Workers on this machine, in a host process that outlives the service."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
import psutil

from ..core.errors import UnavailableError
from ..core.messages import Message
from ..core.processes import PYTHON, build_on_disk, is_same_build, own_build
from ..core.targets import Resources, TargetRecord
from ..private import private, write_private
from ..settings import MlopsSettings
from . import hardware
from .dask_runs import TOPIC, DaskTarget, connect, let_go

if TYPE_CHECKING:
    from distributed import Client

BEAT_SECONDS = 5.0
START_SECONDS = 60.0
CLOSE_SECONDS = 15.0
GRACE_SECONDS = 60.0  # without heartbeat, after which an idle host ends itself

log = logging.getLogger(__name__)


class HostTarget(DaskTarget):
    """Workers on this machine, in their own host process.

    A host of another build, which a service before this one left behind, finishes what it has, gets no new run, and
    ends: Dask finds functions by the names of their modules, which may have changed.

    Attributes:
        grows: whether workers can be added to a running cluster.
        workers: how many worker processes there are to be.
        per_worker: slots of each worker process.
    """

    has_default = True
    grows: ClassVar[bool] = False
    workers = 1
    per_worker = 1

    def __init__(self, record: TargetRecord, settings: MlopsSettings) -> None:
        super().__init__(record, settings)
        self._folder = settings.data_path / "targets"
        # hosts of two builds may live at once, and each removes its file
        self.file = self._folder / f"{self.name}-{own_build().partition('+')[2]}.json"
        self.wish = self.file.with_suffix(".wish")
        self.log = self.file.with_suffix(".log")
        self._others: dict[Path, Client] = {}  # of hosts of other builds, by their files
        self._beating: asyncio.Task[None] | None = None

    @staticmethod
    async def make_cluster(workers: int, options: dict[str, Any]) -> Any:
        """Start the cluster, in the host process.

        Args:
            workers: number of worker processes.
            options: what Dask's cluster class takes beside its own options.
        """
        raise NotImplementedError

    @property
    def slot(self) -> Resources:
        """See :class:`~.target.Target`."""
        offer = self.offer(self.record) or Resources()
        return msgspec.structs.replace(offer, cores=max(1, hardware.cores() // max(1, self.slots)))

    @classmethod
    def offer(cls, record: TargetRecord) -> Resources | None:
        """See :class:`~.target.Target`."""
        return Resources()

    async def check(self, kernel: str, paths: list[str], urls: list[str]) -> None:
        """Nothing to check: workers on this machine see what the service sees."""

    async def _connect(self, progress: Callable[[Message], None]) -> Client:
        if self._beating is None or self._beating.done():
            self._beating = asyncio.create_task(self._beat())
        await self._find_others()
        known = self._host()
        if known is None:
            progress(Message("Starting workers on this machine"))
            known = await self._launch(progress)
        client = await connect(known["address"], _security_of(known["security"]))
        try:
            await client.wait_for_workers(1, timeout=START_SECONDS)
        except TimeoutError as error:
            await let_go(client)
            raise UnavailableError(
                Message("No worker on this machine came up; the log is {log}.", log=self.log)
            ) from error
        return client

    async def _find_others(self) -> None:
        """Connect to hosts of other builds that live, and remove what dead ones left."""
        found = {file.with_suffix(".json") for file in self._folder.iterdir()}
        # releases before builds were named left NAME.json
        files = {file for file in found if self.name in (file.stem, file.stem.rpartition("-")[0])}
        for file in files - {self.file} - self._others.keys():
            if known := _host(file):
                client = self._others[file] = await connect(known["address"], _security_of(known["security"]))
                client.subscribe_topic(TOPIC, self._on_event)
            else:
                for suffix in (".json", ".wish", ".log"):
                    file.with_suffix(suffix).unlink(missing_ok=True)

    async def _clients(self) -> list[Client]:
        for file in [file for file in self._others if _host(file) is None]:
            await let_go(self._others.pop(file))
        return [*await super()._clients(), *self._others.values()]

    async def _end_idle_others(self) -> None:
        for file, client in list(self._others.items()):
            try:
                with self._told():
                    is_idle = not any((await client.processing()).values())
            except UnavailableError as error:
                log.info("%s", error.message)
                continue
            if is_idle and (known := _host(file)):
                write_private(file.with_suffix(".wish"), {"beat": 0, "close": known["pid"]})

    async def _launch(self, progress: Callable[[Message], None]) -> dict[str, Any]:
        if not is_same_build(build_on_disk(), own_build()):
            self.outdated = True
            progress(Message("jupyter-mlops was installed anew: the service starts again"))
            # it ends within seconds, and the next one starts the host
            await asyncio.sleep(START_SECONDS)
            raise UnavailableError(Message("jupyter-mlops was installed anew; start the service again."))
        self.file.unlink(missing_ok=True)
        with open(self.log, "wb", opener=private) as log:
            process = subprocess.Popen(
                [
                    *PYTHON,
                    *("-m", "jupyter_mlops.compute.host_process"),
                    *(f"{type(self).__module__}:{type(self).__qualname__}", str(self.file)),
                    *("--workers", str(self.workers), "--grace", str(GRACE_SECONDS)),
                    *("--per-worker", str(self.per_worker)),
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
        else:
            process.kill()
        end = self.log.read_text(errors="replace").strip().splitlines()[-1:] or ["no word"]
        raise UnavailableError(
            Message("The workers on this machine did not start ({end}); the log is {log}.", end=end[0], log=self.log)
        )

    def _host(self) -> dict[str, Any] | None:
        """What a living host of this build wrote of itself."""
        known = _host(self.file)
        return known if known and is_same_build(known["build"], own_build()) else None

    async def _beat(self) -> None:
        while True:
            # the host only checks that the value changes: comparing clocks fails when laptops sleep
            write_private(self.wish, {"beat": time.time_ns(), "slots": self.workers})
            await self._end_idle_others()
            await asyncio.sleep(BEAT_SECONDS)

    async def _count_slots(self) -> int:
        known = self._host()
        return int(known["slots"]) if known else self.workers * self.per_worker

    async def _let_go(self) -> None:
        if self._beating is not None:
            self._beating.cancel()
            self._beating = None
        while self._others:
            await let_go(self._others.popitem()[1])
        await super()._let_go()

    async def close(self) -> None:
        """End the workers and their host."""
        async with self._lock:
            known = self._host()
            await self._let_go()
            self.state = "idle"
            if known is None:
                return
            write_private(self.wish, {"beat": 0, "close": known["pid"]})
            deadline = time.monotonic() + CLOSE_SECONDS
            while self._host() is not None and time.monotonic() < deadline:
                await asyncio.sleep(0.1)


def _host(file: Path) -> dict[str, Any] | None:
    """What a living host wrote of itself."""
    try:
        known: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        process = psutil.Process(known["pid"])
        ours = str(file) in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE
    except (FileNotFoundError, psutil.Error):
        return None
    return known if ours else None


def _security_of(values: dict[str, str]) -> Any:
    """Dask's security settings with a host's keys."""
    from distributed import Security

    return Security(require_encryption=True, **values)
