"""The worker's side of fork servers: started, spoken to, kept, renewed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from ..processes.groups import ProcessGroup, resident_memory
from ..processes.guardian import guard
from . import server as forkserver
from .identity import Identity
from .server import Line

# opened by whatever initialises a device: CUDA, ROCm, TPUs
DEVICE_FILES = ("/dev/nvidia", "/dev/kfd", "/dev/accel")
_IDLE = 300.0  # s after which a server that nobody asks ends
_GROWTH = 1.5  # of its memory after which a server is renewed, and
_GROWTH_BYTES = 100_000_000  # at least by this


class NoForkError(Exception):
    """No kernel can be forked; says why."""


class ForkServerLostError(Exception):
    """The process that a run's kernel was forked from is gone, and the kernel with it."""


class Forked:
    """A forked kernel's process, with what is used of :class:`subprocess.Popen`.

    Attributes:
        ended: its exit code, negative for a signal.
        lost: whether its server ended before it.
        cpu_seconds: its own, known once it has ended.
    """

    stdin = stdout = stderr = None

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.ended: Future[int] = Future()
        self.lost = False
        self.cpu_seconds = 0.0

    @property
    def returncode(self) -> int | None:
        """See :attr:`subprocess.Popen.returncode`."""
        return self.poll()

    def poll(self) -> int | None:
        """Its exit code, None while it lives."""
        return self.ended.result() if self.ended.done() else None

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended."""
        return self.ended.result(timeout)

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """End it with signal 9."""
        self.send_signal(9)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(15)


class ForkServer:
    """One process that forks kernels, and the thread that listens to it.

    Args:
        sock: to the process.
        pid: of the process.

    Attributes:
        ready: done once it may be asked; refused with :class:`NoForkError`.
        used: whether a kernel was forked from it yet.
    """

    def __init__(self, sock: socket.socket, pid: int) -> None:
        self.pid = pid
        self.ready: Future[dict[str, Any]] = Future()
        self.without: str | None = None
        self.refused = False
        self.used = False
        self.alive = True
        self.memory = 0
        self._sock = sock
        self._line = Line(sock)
        self._lock = threading.Lock()
        self._asked: dict[int, Future[Forked]] = {}
        self._forked: dict[int, Forked] = {}
        self._number = 0
        threading.Thread(target=self._listen, name="fork-server", daemon=True).start()

    def order(self, message: dict[str, Any]) -> None:
        """Say what kind of kernels it is to fork."""
        with contextlib.suppress(OSError):  # the listening thread notices
            self._line.send(message)

    def fork(self, request: dict[str, Any], descriptors: Sequence[int]) -> Future[Forked]:
        """Have a kernel forked.

        Args:
            request: see ``forkserver.ForkedKernel``.
            descriptors: for the kernel; duplicated.
        """
        answer: Future[Forked] = Future()
        with self._lock:
            self._number += 1
            if not self.alive:
                answer.set_exception(ForkServerLostError("The fork server is gone."))
                return answer
            self._asked[self._number] = answer
            with contextlib.suppress(OSError):  # the listening thread notices, and answers all that is asked
                self._line.send({**request, "id": self._number}, descriptors)
        self.used = True
        return answer

    def settle(self, idle: float) -> Future[dict[str, Any]]:
        """Have a template become a server; the answer is that of :attr:`ready`.

        Args:
            idle: seconds after which it ends when nobody asks.
        """
        self.order({"idle": idle})
        return self.ready

    def close(self) -> None:
        """End it, and every kernel that was forked from it."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def kill(self) -> None:
        """End it where it may be too busy to hear of its end, with all it has started."""
        if self.alive:
            ProcessGroup(self.pid).kill()

    def _listen(self) -> None:
        try:
            while True:
                message, _ = self._line.receive()
                if message is None:
                    return
                self._take(message)
        except OSError:
            return
        finally:
            self._lose()

    def _take(self, message: dict[str, Any]) -> None:
        if "ready" in message:
            self.memory = resident_memory(self.pid)
            self.ready.set_result(message)
        elif "unfit" in message:
            self.without, self.refused = message["without"], True
            self.ready.set_exception(NoForkError(message["unfit"]))
        elif "forked" in message:
            forked = Forked(message["pid"])
            with self._lock:
                self._forked[forked.pid] = forked
                answer = self._asked.pop(message["forked"])
            answer.set_result(forked)
        elif "ended" in message:
            with self._lock:
                ended = self._forked.pop(message["ended"])
            ended.cpu_seconds = message["cpu"]
            ended.ended.set_result(message["code"])

    def _lose(self) -> None:
        with self._lock:
            self.alive = False
            asked, self._asked = self._asked, {}
            forked, self._forked = self._forked, {}
        self._sock.close()
        if not self.ready.done():
            self.ready.set_exception(NoForkError("the fork server ended before it was ready"))
        for answer in asked.values():
            answer.set_exception(ForkServerLostError("The fork server ended."))
        for process in forked.values():
            process.lost = True
            process.ended.set_result(-9)

    def still_good(self) -> bool:
        """Whether kernels forked now are as good as those forked when it was ready."""
        if not self.alive:
            return False
        for root, modified in self.ready.result()["installed"]:
            try:
                if os.stat(root).st_mtime_ns != modified:
                    return False
            except OSError:
                return False
        memory = resident_memory(self.pid)
        return memory <= max(self.memory * _GROWTH, self.memory + _GROWTH_BYTES)

    def refuse_hidden(self, folder: str) -> None:
        """See whether a file of a folder would hide, from a fresh kernel that looks there, what was imported here.

        Raises:
            NoForkError: one does.
        """
        names = set(self.ready.result()["names"])
        for entry in os.listdir(folder):
            name, dot, suffix = entry.partition(".")
            if name in names and (
                suffix == "py" or suffix.endswith(".so") or (not dot and Path(folder, entry, "__init__.py").exists())
            ):
                raise NoForkError(f"{entry} in the notebook's folder hides an installed module of that name")


async def start_server(identity: Identity, patience: float) -> ForkServer:
    """Start a fork server and wait until it is ready; imports that it must not do are left out.

    Raises:
        NoForkError: there can be none; says why.
    """
    left_out = _left_out.setdefault((*identity.command, identity.folder), set())
    while True:
        server, log = _launch(identity, [line for line in identity.imports if line not in left_out])
        try:
            await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(server.ready)), patience)
            return server
        except TimeoutError:
            server.kill()
            raise NoForkError(f"the fork server was not ready within {patience:g} s") from None
        except NoForkError as error:
            if server.without is None:
                raise NoForkError(str(error) + ("" if server.refused else _last_line(log))) from error
            left_out.add(server.without)
        except BaseException:
            server.kill()
            raise


# import statements that turned out to have to be left to the notebook, by interpreter and folder
_left_out: dict[tuple[str, ...], set[str]] = {}


def _launch(identity: Identity, imports: list[str]) -> tuple[ForkServer, Path]:
    ours, theirs = socket.socketpair()
    folder = Path(tempfile.mkdtemp(prefix="mlops-"))
    log = folder / "log"
    with theirs, log.open("wb") as output:
        try:
            process = subprocess.Popen(
                [*identity.command, forkserver.__file__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=identity.folder,
                env=dict(identity.environ),
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            shutil.rmtree(folder, ignore_errors=True)
            raise NoForkError(f"the fork server could not be started: {error}") from error
    group = ProcessGroup(process.pid)
    guard.add(group, folder)
    group.step_back()
    server = ForkServer(ours, process.pid)
    threading.Thread(target=_bury, args=(process, group, folder), name="fork-server-end", daemon=True).start()
    server.order(
        {
            "imports": imports,
            "per_run": identity.own,
            "module": identity.module,
            "arguments": identity.arguments,
            "device_files": DEVICE_FILES,
            "idle": _IDLE,
        }
    )
    return server, log


def _bury(process: subprocess.Popen[bytes], group: ProcessGroup, folder: Path) -> None:
    """Wait for a server's end, then clear away what it leaves."""
    process.wait()
    guard.remove(group)
    shutil.rmtree(folder, ignore_errors=True)


def _last_line(log: Path) -> str:
    with contextlib.suppress(OSError):
        lines = log.read_text(errors="replace").strip().splitlines()
        if lines:
            return f" ({lines[-1].strip()[:300]})"
    return ""
