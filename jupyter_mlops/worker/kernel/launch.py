"""Starts and ends kernels.

Kernels use sockets in the file system, because ports collide when many kernels start at once.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import msgspec
import zmq
import zmq.asyncio
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager, NoSuchKernel
from jupyter_client.manager import AsyncKernelManager

from ...core.errors import InvalidInputError, UnavailableError
from ...core.messages import Message
from ...core.runs import Kernelspec, KernelStart
from ..attempt_files import last_line, write_atomically
from ..fork.client import Forked, ForkServer, NoForkError
from ..processes.groups import ProcessGroup
from ..processes.guardian import guard
from .client import Client, Manager
from .provisioner import WarmProvisioner, own_provisioner, with_own

_LONGEST_FOLDER = 70  # characters; a socket's path may have 107 on Linux and 103 on macOS
_RETRY_SECONDS = 0.3  # after an error a kernel discards the requests that are queued
# ipykernel drops output once a thousand messages wait, the one that says that a cell is done included
_LOSE_NOTHING = (
    "(lambda output: output.schedule(lambda: output.socket.setsockopt(__import__('zmq').SNDHWM, 0)))"
    "(get_ipython().kernel.iopub_thread)"
)


@dataclass(frozen=True)
class Launch:
    """How to start a kernel.

    Attributes:
        name: of its kernelspec.
        folder: its working directory.
        environ: its whole environment.
        log: file for the output of the kernel's process itself.
        imports: statements to execute before the fork.
        fresh: why it must be a new process; empty if it may be forked.
        line: makes it a template; see :class:`~.provisioner.WarmProvisioner`.
        source: template to fork from, instead of a fork server.
        own: variables besides ``environ``, such as secrets; None removes one.
        folders: where its modules may lie, besides ``folder``.
        hide: removes secrets from the log, which is then written only at the end; None if there are none.
        patience: seconds within which it must be ready.
    """

    name: str
    spec: KernelSpec
    folder: Path
    environ: dict[str, str]
    log: Path
    imports: tuple[str, ...] = ()
    fresh: str = ""
    line: socket.socket | None = None
    source: ForkServer | None = None
    own: Mapping[str, str | None] = field(default_factory=dict)
    folders: tuple[str, ...] = ()
    hide: Callable[[str], str] | None = None
    patience: float = 120.0


@dataclass
class Kernel:
    """A kernel's process, its client, and the folder of its sockets.

    Attributes:
        start: how it was started.
        reason: why it was not started in a faster way.
        forked: its process if it was forked.
        imported: name of the last module imported before the fork, empty for a new process.
        keep_log: writes the log at the end, if it holds secrets until then.
    """

    manager: AsyncKernelManager
    client: Client
    group: ProcessGroup
    sockets: Path
    start: KernelStart = "fresh"
    reason: str = ""
    forked: Forked | None = None
    imported: str = ""
    keep_log: Callable[[], None] = lambda: None

    @property
    def lost(self) -> bool:
        """Whether it died with its fork server."""
        return self.forked is not None and self.forked.lost

    async def exit_code(self) -> int | None:
        """Exit code, negative for a signal; None while it lives."""
        assert self.manager.provisioner is not None
        return await self.manager.provisioner.poll()

    async def ask_to_end(self, patience: float) -> None:
        """Request a clean shutdown, which runs ``atexit`` handlers, and wait at most ``patience`` seconds."""
        deadline = time.monotonic() + patience
        next_request = 0.0
        while await self.exit_code() is None and (present := time.monotonic()) < deadline:
            if present >= next_request:
                await self._request_end()
                next_request = present + _RETRY_SECONDS
            if self.forked is None:
                await asyncio.sleep(0.01)
            else:
                await asyncio.wait(
                    [asyncio.wrap_future(self.forked.ended)], timeout=min(_RETRY_SECONDS, deadline - present)
                )

    async def _request_end(self) -> None:
        spec = self.manager.kernel_spec
        if spec is not None and _is_ipykernel(spec):
            # ipykernel's control thread may wait ten seconds for an output thread that has already ended
            self.client.shell_channel.send(self.client.session.msg("shutdown_request", {"restart": False}))
        else:
            await self.manager.request_shutdown()

    async def close(self) -> None:
        """Kill what is left of it and free its resources."""
        # a fork server ends the remaining children of its kernels, if it still lives
        self.group.reaped = self.forked is not None and not self.lost
        if await self.exit_code() is None or not self.group.reaped:
            await asyncio.to_thread(self.group.kill)
        assert self.manager.provisioner is not None
        try:
            await asyncio.wait_for(self.manager.provisioner.wait(), 5.0)
        except TimeoutError:
            if not isinstance(self.manager.provisioner, WarmProvisioner) or self.forked is None:
                raise
            self.manager.provisioner.kill_server()
        if self.forked is not None:
            # more exact than the process table's hundredths
            self.group.cpu_seconds = max(self.group.cpu_seconds, self.forked.cpu_seconds)
        guard.remove(self.group)
        try:
            self.keep_log()
        finally:
            self.client.stop_channels()
            await self.manager.cleanup_resources()
            self.manager.context.destroy(linger=0)
            shutil.rmtree(self.sockets, ignore_errors=True)

    def detach(self) -> None:
        """Disconnect and leave the kernel alive."""
        self.keep_log()
        self.client.stop_channels()
        self.manager.context.destroy(linger=0)
        shutil.rmtree(self.sockets, ignore_errors=True)

    def release(self) -> None:
        """Return its fork server to the pool, after the kernel was detached and ended."""
        assert isinstance(self.manager.provisioner, WarmProvisioner)
        self.manager.provisioner.release()


async def start_kernel(launch: Launch, started: Callable[[ProcessGroup], None]) -> Kernel:
    """Fork a kernel or start one from its kernelspec, and wait until it is ready.

    Args:
        started: called with the process group at once, so that a starting kernel can be ended.

    Raises:
        UnavailableError: it could not be started, ended at once or did not answer.
        NoForkError: it cannot become a template, or cannot be forked from one.
    """
    try:
        if (own := own_provisioner(launch.spec)) and not launch.fresh:
            raise NoForkError(f"the kernel has a provisioner of its own, {own}")
        return await _start(launch, started)
    except NoForkError as error:
        if launch.line is not None or launch.source is not None:
            raise
        return await _start(replace(launch, fresh=str(error)), started)


async def _start(launch: Launch, started: Callable[[ProcessGroup], None]) -> Kernel:
    sockets = _sockets_folder()
    # no limit, so that no message is lost; reconnect fast to a kernel that has just come up
    context = zmq.asyncio.Context(io_threads=1)
    context.setsockopt(zmq.RCVHWM, 0)
    context.setsockopt(zmq.RECONNECT_IVL, 10)
    manager = Manager(
        kernel_name=launch.name,
        transport="ipc",
        connection_file=str(sockets / "k.json"),
        context=context,
    )
    manager._kernel_spec = launch.spec  # avoids repeated lookups
    warm = _provisioner(launch, manager)
    # a log with secrets lies beside the sockets, which the guardian removes
    log_path = launch.log if launch.hide is None else sockets / "log"
    try:
        with log_path.open("wb") as log:
            await manager.start_kernel(
                extra_arguments=_arguments(launch.spec),
                cwd=str(launch.folder),
                env=launch.environ if warm is not None else with_own(launch.environ, launch.own),
                stdout=log,
                stderr=log,
            )
    except BaseException as error:
        context.destroy(linger=0)
        shutil.rmtree(sockets, ignore_errors=True)
        if isinstance(error, NoForkError) or not isinstance(error, Exception):
            raise
        raise UnavailableError(
            Message("The kernel '{name}' could not be started: {error}", name=launch.name, error=error)
        ) from error
    # both provisioners of local processes have a pid
    group = ProcessGroup(cast("Any", manager.provisioner).pid)
    guard.add(group, sockets)
    forked = warm.forked if warm is not None else None
    if forked is None:
        group.step_back()
    reason = launch.fresh or (warm.reason if warm is not None else "")
    kernel = Kernel(
        manager, cast("Client", manager.client()), group, sockets, "fresh" if forked is None else "warm", reason, forked
    )
    if warm is not None and forked is not None:
        kernel.imported = warm.imported
    if launch.hide is not None:
        kernel.keep_log = partial(_keep_log, log_path, launch.log, launch.hide)
    started(group)
    try:
        kernel.client.start_channels()
        await kernel.client.wait_for_ready(timeout=launch.patience)
        if forked is None and _is_ipykernel(launch.spec):
            # requests are handled in order, so the reply need not be awaited
            kernel.client.execute("", silent=True, store_history=False, user_expressions={"all": _LOSE_NOTHING})
    except RuntimeError as error:
        why = last_line(log_path) or str(error)
        if warm is not None and forked is not None:
            warm.release(why)
            await kernel.close()
            raise NoForkError(f"a forked kernel did not start: {why}") from error
        await kernel.close()
        raise UnavailableError(
            Message("The kernel '{name}' did not start: {why}", name=launch.name, why=why)
        ) from error
    except BaseException:
        await kernel.close()
        raise
    return kernel


def _provisioner(launch: Launch, manager: Manager) -> WarmProvisioner | None:
    if launch.fresh:
        return None
    warm = WarmProvisioner(
        kernel_id=manager.kernel_id or uuid4().hex,
        kernel_spec=launch.spec,
        parent=manager,
        imports=list(launch.imports),
    )
    warm.line, warm.source = launch.line, launch.source
    warm.own, warm.folders = launch.own, launch.folders
    manager.provisioner = warm
    return warm


def find_kernel(name: str, resolved: Kernelspec | None = None) -> KernelSpec:
    """The kernelspec of that name.

    Args:
        resolved: spec from the requester's environment; None uses the worker's own.

    Raises:
        InvalidInputError: it is not installed here; the message names those that are.
    """
    # on other machines the worker's own kernel is the fallback; on the same machine that would be wrong
    if resolved is not None and (shutil.which(resolved.argv[0]) or resolved.host == socket.gethostname()):
        if not shutil.which(resolved.argv[0]):
            raise InvalidInputError(
                Message(
                    "The environment of the kernel '{name}' is gone: there is no {argv} any more. Start or "
                    "promote it again from an environment that is there.",
                    name=name,
                    argv=resolved.argv[0],
                )
            )
        fields = {field: value for field, value in msgspec.structs.asdict(resolved).items() if field != "host"}
        return KernelSpec(display_name=name, **fields)
    manager = KernelSpecManager()
    try:
        return manager.get_kernel_spec(name)
    except NoSuchKernel:
        found = manager.find_kernel_specs()
        if name in found:
            own = own_provisioner(KernelSpec.from_resource_dir(found[name]))
            raise InvalidInputError(
                Message(
                    "The kernel '{name}' is to be started by the provisioner '{own}', which is not installed here.",
                    name=name,
                    own=own,
                )
            ) from None
        known = ", ".join(sorted(found)) or "none"
        raise InvalidInputError(
            Message("The kernel '{name}' is not installed here; installed are: {known}.", name=name, known=known)
        ) from None


def _arguments(spec: KernelSpec) -> list[str]:
    # all runs would write to one history database
    return ["--HistoryManager.enabled=False"] if _is_ipykernel(spec) else []


def _is_ipykernel(spec: KernelSpec) -> bool:
    return any("ipykernel" in part for part in spec.argv)


def _sockets_folder() -> Path:
    base = tempfile.gettempdir()
    return Path(tempfile.mkdtemp(prefix="mlops-", dir=base if len(base) <= _LONGEST_FOLDER else "/tmp"))


def _keep_log(raw: Path, kept: Path, hide: Callable[[str], str]) -> None:
    """Store a kernel's log without secrets."""
    text = raw.read_text(errors="replace")
    if text:
        write_atomically(kept, hide(text).encode("utf-8", "replace"))


def log_is_empty(log: Path) -> bool:
    """Whether the kernel's process printed nothing."""
    return not log.exists() or os.path.getsize(log) == 0
