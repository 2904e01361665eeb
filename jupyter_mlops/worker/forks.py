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
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import forkserver
from .forkserver import Line
from .guard import guard
from .processes import ProcessGroup, resident_memory

# environment variables that belong to a run, not to its sweep or its slot
PER_RUN = (
    "MLOPS_RUN_DIR",
    "MLOPS_RUN_ID",
    "MLOPS_SWEEP_ID",
    "MLOPS_ATTEMPT",
    "MLOPS_MLFLOW_OWNER",
    "MLFLOW_RUN_ID",
    "MLFLOW_RUN_CONTEXT",
    "MLFLOW_EXPERIMENT_NAME",
    "MLFLOW_TRACKING_URI",
    "MLFLOW_TRACKING_TOKEN",
    "JPY_PARENT_PID",
    "JPY_SESSION_NAME",
)
# opened by whatever initialises a device: CUDA, ROCm, TPUs
DEVICE_FILES = ("/dev/nvidia", "/dev/kfd", "/dev/accel")
_IDLE = 300.0  # s after which a server that nobody asks ends
_ASK_AGAIN = 600.0  # s for which a refusal holds
_FAILURES = 2  # in a row; then kernels are started afresh
_MOST_IDLE = 2  # servers that are kept beside those in use
_GROWTH = 1.5  # of its memory after which a server is renewed, and
_GROWTH_BYTES = 100_000_000  # at least by this


class NoForkError(Exception):
    """No kernel can be forked; says why."""


class ForkServerLostError(Exception):
    """The process that a run's kernel was forked from is gone, and the kernel with it."""


@dataclass(frozen=True)
class Identity:
    """All that a fork server's kernels have in common.

    Attributes:
        command: interpreter and its options.
        module: that it executes to start a kernel.
        arguments: of the kernel, the connection file left out.
        folder: working directory.
        environ: sorted, without what differs from run to run.
        imports: statements to execute before the fork.
    """

    command: tuple[str, ...]
    module: str
    arguments: tuple[str, ...]
    folder: str
    environ: tuple[tuple[str, str], ...]
    imports: tuple[str, ...]


def split_environ(environ: Mapping[str, str]) -> tuple[tuple[tuple[str, str], ...], dict[str, str | None]]:
    """What a server gets of an environment, and what each kernel gets beside it."""
    common = tuple(sorted((name, value) for name, value in environ.items() if name not in PER_RUN))
    return common, {name: environ.get(name) for name in PER_RUN}


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

    def settle(self) -> Future[dict[str, Any]]:
        """Have a template become a server; the answer is that of :attr:`ready`."""
        self.order({"settle": True})
        return self.ready

    def close(self) -> None:
        """End it, and every kernel that was forked from it."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

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
            self.without = message["without"]
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


@dataclass
class _Standing:
    """How it went with one identity so far."""

    failures: int = 0
    failure: str = ""
    refused: str = ""
    refused_at: float = 0.0


class ForkServers:
    """The fork servers of this process: each is used by one slot at a time, and kept for its next run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[tuple[Identity, ForkServer]] = []
        self._standing: dict[Identity, _Standing] = {}
        self._left_out: dict[tuple[str, ...], set[str]] = {}

    async def take(self, identity: Identity, patience: float) -> ForkServer:
        """A server that is ready, for its holder alone until it is given back.

        Raises:
            NoForkError: there can be none; says why.
        """
        with self._lock:
            standing = self._standing.setdefault(identity, _Standing())
            if standing.failures >= _FAILURES:
                raise NoForkError(f"the fork server failed {_FAILURES} times in a row: {standing.failure}")
            if standing.refused and time.monotonic() - standing.refused_at < _ASK_AGAIN:
                raise NoForkError(standing.refused)
            mine = [entry for entry in self._idle if entry[0] == identity]
            if mine:
                self._idle.remove(mine[-1])
        for _, server in mine[-1:]:
            if _still_good(server):
                _refuse_hidden(server, identity.folder)
                return server
            server.close()
        server = await self._start(identity, patience)
        _refuse_hidden(server, identity.folder)
        return server

    def give_back(self, identity: Identity, server: ForkServer, failure: str = "") -> None:
        """Say how it went; a server that is well is kept.

        Args:
            failure: what went wrong with the server, empty where nothing did.
        """
        with self._lock:
            standing = self._standing.setdefault(identity, _Standing())
            standing.failures = standing.failures + 1 if failure else 0
            standing.failure = failure
            if failure or not server.alive:
                surplus = [server]
            else:
                self._idle.append((identity, server))
                surplus = [old for _, old in self._idle[:-_MOST_IDLE]]
                self._idle = self._idle[-_MOST_IDLE:]
        for old in surplus:
            old.close()

    def close(self) -> None:
        """End those that nobody uses."""
        with self._lock:
            idle, self._idle = self._idle, []
        for _, server in idle:
            server.close()

    async def _start(self, identity: Identity, patience: float) -> ForkServer:
        left_out = self._left_out.setdefault((*identity.command, identity.folder), set())
        while True:
            server, log = _launch(identity, [line for line in identity.imports if line not in left_out])
            try:
                await asyncio.wait_for(asyncio.wrap_future(server.ready), patience)
                return server
            except TimeoutError:
                server.close()
                self._refuse(identity, f"the fork server was not ready within {patience:g} s")
            except NoForkError as error:
                if server.without is None:
                    self._refuse(identity, str(error) + _last_line(log))
                else:
                    left_out.add(server.without)
            except BaseException:
                server.close()
                raise

    def _refuse(self, identity: Identity, reason: str) -> None:
        with self._lock:
            standing = self._standing.setdefault(identity, _Standing())
            standing.refused, standing.refused_at = reason, time.monotonic()
        raise NoForkError(reason)


fork_servers = ForkServers()


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
            "per_run": PER_RUN,
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


def _still_good(server: ForkServer) -> bool:
    """Whether a server that has been idle may be used again."""
    if not server.alive:
        return False
    ready = server.ready.result()
    for root, modified in ready["installed"]:
        try:
            if os.stat(root).st_mtime_ns != modified:
                return False
        except OSError:
            return False
    memory = resident_memory(server.pid)
    return memory <= max(server.memory * _GROWTH, server.memory + _GROWTH_BYTES)


def _refuse_hidden(server: ForkServer, folder: str) -> None:
    """A file of the notebook's folder may hide, from a fresh kernel, a module that was imported before the fork."""
    names = set(server.ready.result()["names"])
    for entry in os.listdir(folder):
        name, dot, suffix = entry.partition(".")
        if name in names and (
            suffix == "py" or suffix.endswith(".so") or (not dot and Path(folder, entry, "__init__.py").exists())
        ):
            raise NoForkError(f"{entry} in the notebook's folder hides an installed module of that name")


def _last_line(log: Path) -> str:
    with contextlib.suppress(OSError):
        lines = log.read_text(errors="replace").strip().splitlines()
        if lines:
            return f" ({lines[-1].strip()[:300]})"
    return ""
