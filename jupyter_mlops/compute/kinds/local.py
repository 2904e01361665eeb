"""Workers on this machine, in a host process that outlives the service."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import psutil

from ...core.errors import UnavailableError
from ...core.messages import Message
from ...core.processes import PYTHON
from ...private import private, write_private
from .. import hardware
from ..target import Target, connect, let_go

if TYPE_CHECKING:
    from distributed import Client

BEAT_SECONDS = 5.0
START_SECONDS = 60.0
CLOSE_SECONDS = 15.0


class HostTarget(Target):
    """Workers on this machine, in their own host process.

    Args:
        slots: 0 depends on cores and memory.
        grace: seconds without heartbeat after which an idle host ends itself.
        per_worker: parallel runs in each worker process.
    """

    def __init__(
        self, kind: Literal["local", "cuda"], data_dir: Path, slots: int, grace: float, per_worker: int = 1
    ) -> None:
        super().__init__(kind)
        self.kind = kind
        self.grace = grace
        self.per_worker = per_worker
        self.wanted = slots or hardware.default_slots()
        folder = data_dir / "targets"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.file = folder / f"{kind}.json"
        self.wish = folder / f"{kind}.wish"
        self.log = folder / f"{kind}.log"
        self._beating: asyncio.Task[None] | None = None

    @property
    def threads(self) -> int:
        """See :class:`~.target.Target`."""
        return max(1, hardware.cores() // max(1, self.slots))

    async def _connect(self, progress: Callable[[str], None]) -> Client:
        if self.kind == "cuda" and (problem := hardware.cuda_problem()):
            raise UnavailableError(Message.verbatim(problem))
        if self._beating is None or self._beating.done():
            self._beating = asyncio.create_task(self._beat())
        known = self._host()
        if known is None:
            progress("Starting workers on this machine")
            known = await self._launch()
        client = await connect(known["address"], _security_of(known["security"]))
        try:
            await client.wait_for_workers(1, timeout=START_SECONDS)
        except TimeoutError as error:
            await let_go(client)
            raise UnavailableError(
                Message("No worker on this machine came up; the log is {log}.", log=self.log)
            ) from error
        return client

    async def _launch(self) -> dict[str, Any]:
        self.file.unlink(missing_ok=True)
        with open(self.log, "wb", opener=private) as log:
            process = subprocess.Popen(
                [
                    *PYTHON,
                    *("-m", "jupyter_mlops.compute.kinds.host", self.kind, str(self.file)),
                    *("--slots", str(self.wanted), "--grace", str(self.grace)),
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
        """The file of the running host, None if there is none."""
        try:
            known: dict[str, Any] = json.loads(self.file.read_text(encoding="utf-8"))
            process = psutil.Process(known["pid"])
            ours = str(self.file) in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE
        except (FileNotFoundError, psutil.Error):
            return None
        return known if ours else None

    async def _beat(self) -> None:
        while True:
            # the host only checks that the value changes: comparing clocks fails when laptops sleep
            write_private(self.wish, {"beat": time.time_ns(), "slots": self.wanted})
            await asyncio.sleep(BEAT_SECONDS)

    async def _count_slots(self) -> int:
        known = self._host()
        return int(known["slots"]) if known else self.wanted

    async def _let_go(self) -> None:
        if self._beating is not None:
            self._beating.cancel()
            self._beating = None
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


def _security_of(values: dict[str, str]) -> Any:
    """Dask's security settings with a host's keys."""
    from distributed import Security

    return Security(require_encryption=True, **values)
