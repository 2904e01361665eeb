"""The worker's side of fork servers."""

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

from ..attempt_files import last_line
from ..processes.groups import ProcessGroup, resident_memory
from ..processes.guardian import guard
from . import server as forkserver
from .identity import Identity
from .server import Line

# opened when a device is initialised: CUDA, ROCm, TPUs
DEVICE_FILES = ("/dev/nvidia", "/dev/kfd", "/dev/accel")
_IDLE = 300.0  # s without a request after which a server ends
# a server is replaced when its memory has grown by this factor, and by this many bytes
_GROWTH = 1.5
_GROWTH_BYTES = 100_000_000


class NoForkError(Exception):
    """No kernel can be forked; the message says why."""


class ForkServerLostError(Exception):
    """The fork server has died, and its kernels with it."""


class Forked:
    """A forked kernel's process, with the used part of the interface of :class:`subprocess.Popen`.

    Attributes:
        ended: resolves to the exit code, negative for a signal.
        lost: whether its server ended first.
        cpu_seconds: CPU time, known once it has ended.
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
        """Send SIGKILL."""
        self.send_signal(9)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(15)


class ForkServer:
    """A process that forks kernels, and the thread that reads its messages.

    Args:
        sock: connected to the process.
        pid: of the process.

    Attributes:
        ready: resolves once it can fork; fails with :class:`NoForkError` if it cannot.
        used: whether a kernel was forked from it.
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
        """Configure the kernels that it is to fork."""
        with contextlib.suppress(OSError):  # the listening thread notices
            self._line.send(message)

    def fork(self, request: dict[str, Any], descriptors: Sequence[int]) -> Future[Forked]:
        """Fork a kernel.

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
            with contextlib.suppress(OSError):  # the listening thread notices, and fails all requests
                self._line.send({**request, "id": self._number}, descriptors)
        self.used = True
        return answer

    def settle(self, idle: float) -> Future[dict[str, Any]]:
        """Turn a template into a server, and return :attr:`ready`.

        Args:
            idle: seconds without a request after which it ends.
        """
        self.order({"idle": idle})
        return self.ready

    def close(self) -> None:
        """End it and all its kernels."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def kill(self) -> None:
        """Kill it and all its processes, even if it does not read its socket."""
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
        """Whether it may still be used: alive, no package was installed, and its memory has not grown much."""
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
        """Check that no file in a folder shadows a module that was imported before the fork.

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
    """Start a fork server and wait until it is ready, leaving out imports that prove unsafe.

    Raises:
        NoForkError: that is impossible; the message says why.
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
                line = "" if server.refused else last_line(log)[:300]
                raise NoForkError(f"{error} ({line})" if line else str(error)) from error
            left_out.add(server.without)
        except BaseException:
            server.kill()
            raise


# import statements that proved unsafe before the fork, by interpreter and folder
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
    threading.Thread(target=_clean_up_after, args=(process, group, folder), name="fork-server-end", daemon=True).start()
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


def _clean_up_after(process: subprocess.Popen[bytes], group: ProcessGroup, folder: Path) -> None:
    """Wait for a server's end, then remove its registration and folder."""
    process.wait()
    guard.remove(group)
    shutil.rmtree(folder, ignore_errors=True)
