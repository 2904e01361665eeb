"""Warm kernels as a provisioner for jupyter_client.

``JUPYTER_DEFAULT_PROVISIONER_NAME=mlops-warm`` makes everything that starts kernels through jupyter_client fork them,
including nbclient and papermill; ``papermill.execute_notebook(…, engine_name="mlops-warm")`` also imports the
notebook's modules before the fork. Both speed up all but the first notebook of a process.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast
from uuid import uuid4

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from traitlets import List, Unicode

from ..fork.client import Forked, ForkServer, ForkServerLostError, NoForkError, start_server
from ..fork.identity import Identity, split_environ
from ..fork.pool import fork_servers

_LAUNCHERS = ("ipykernel_launcher", "ipykernel")
_LOCAL = "local-provisioner"


class WarmProvisioner(LocalProvisioner):
    """Forks a kernel from a process that has done the imports; otherwise starts a new process.

    Attributes:
        reason: why a new process was started, empty for a forked kernel.
        line: makes the kernel a template: the socket for fork requests to it.
        source: template to fork from, instead of a fork server.
        own: environment variables of this kernel only; None removes one.
        folders: where its modules may lie, besides its own folder.
        imported: name of the last module imported before the fork, empty for a new process.
    """

    imports = List(Unicode(), help="Import statements to execute before the fork.").tag(config=True)
    patience = 120.0  # s until a fork server must be ready
    line: socket.socket | None = None
    source: ForkServer | None = None
    own: Mapping[str, str | None] = MappingProxyType({})
    folders: tuple[str, ...] = ()
    imported = ""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.reason = ""
        self._identity: Identity | None = None
        self._server: ForkServer | None = None

    @property
    def forked(self) -> Forked | None:
        """The kernel's process if it was forked and not waited for yet."""
        return self.process if isinstance(self.process, Forked) else None

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Fork a kernel, or start one from its kernelspec."""
        try:
            process = await self._fork(cmd, kwargs)
        except NoForkError as error:
            self.release()
            self.reason = str(error)
            if self.line is not None or self.source is not None:
                raise
            environ = dict(kwargs.get("env") or os.environ)
            return await super().launch_kernel(cmd, **{**kwargs, "env": with_own(environ, self.own)})
        # Forked has the methods of subprocess.Popen that are used
        self.process = cast("Any", process)
        self.pid = self.pgid = cast("Any", process.pid)
        self.cwd = kwargs.get("cwd") or Path.cwd()
        return self.connection_info

    async def wait(self) -> int | None:
        """Wait until the kernel has ended."""
        forked = self.forked
        if forked is None:
            return await super().wait()
        code = await asyncio.shield(asyncio.wrap_future(forked.ended))
        self.process = None
        self.release("the fork server ended" if forked.lost else "")
        return code

    async def cleanup(self, restart: bool = False) -> None:
        """Clean up, and return the fork server to the pool."""
        await super().cleanup(restart)
        self.release()

    def release(self, failure: str = "") -> None:
        """Return the fork server to the pool.

        Args:
            failure: what went wrong with it, empty if nothing did.
        """
        if self._server is not None and self._identity is not None:
            fork_servers.give_back(self._identity, self._server, failure)
            self._server = None

    def kill_server(self) -> None:
        """Kill the kernel's parent process, which does not report the kernel's end."""
        server = self._server or self.source
        if server is not None:
            server.kill()
        self.release("the fork server did not answer any more")

    async def _fork(self, cmd: list[str], kwargs: dict[str, Any]) -> Forked:
        environ = dict(kwargs.get("env") or os.environ)
        environ["JPY_PARENT_PID"] = str(os.getpid())
        folder = str(kwargs.get("cwd") or Path.cwd())
        common, per_run = split_environ(environ)
        own = {**per_run, **self.own}
        command, module, connection_file, arguments = _parts(cmd)
        server = self.source
        if server is None:
            self._identity = identity = Identity(
                command, module, arguments, folder, common, tuple(self.imports), tuple(sorted(own))
            )
            server = self._server = await fork_servers.take(identity, lambda: start_server(identity, self.patience))
        for place in (folder, *self.folders):
            server.refuse_hidden(place)
        self.imported = server.ready.result()["last"]
        request = {
            "connection_file": connection_file,
            "folder": folder,
            "environ": own,
            "argv": cmd[cmd.index("-m") + 2 :],
            "template": self.line is not None,
        }
        descriptors = [_descriptor(kwargs.get("stdout"), 1), _descriptor(kwargs.get("stderr"), 2)]
        if self.line is not None:
            descriptors.append(self.line.fileno())
        try:
            # shielded: the future must not be cancelled with its waiter
            answer = asyncio.shield(asyncio.wrap_future(server.fork(request, descriptors)))
            return await asyncio.wait_for(answer, self.patience)
        except (ForkServerLostError, TimeoutError) as error:
            server.close()
            reason = str(error) or f"the fork server did not answer within {self.patience:g} s"
            self.release(reason)
            raise NoForkError(reason) from error
        except BaseException:
            # nobody knows the new kernel's pid; it ends with its server
            server.close()
            self.release()
            raise


class WarmManager(AsyncKernelManager):
    """A kernel manager whose kernels are forked, regardless of the default provisioner."""

    async def _async_pre_start_kernel(self, **kwargs: Any) -> tuple[list[str], dict[str, Any]]:
        assert self.kernel_spec is not None
        if self.provisioner is None and not own_provisioner(self.kernel_spec):
            self.provisioner = WarmProvisioner(kernel_id=uuid4().hex, kernel_spec=self.kernel_spec, parent=self)
        return await super()._async_pre_start_kernel(**kwargs)

    pre_start_kernel = _async_pre_start_kernel


def with_own(environ: Mapping[str, str], own: Mapping[str, str | None]) -> dict[str, str]:
    """Add a kernel's own variables to an environment; None removes one."""
    return {name: value for name, value in {**environ, **own}.items() if value is not None}


def own_provisioner(spec: KernelSpec) -> str:
    """Name of a kernelspec's special provisioner, empty for the default."""
    name = str((spec.metadata or {}).get("kernel_provisioner", {}).get("provisioner_name", _LOCAL))
    return "" if name in (_LOCAL, "mlops-warm") else name


def _parts(cmd: list[str]) -> tuple[tuple[str, ...], str, str, tuple[str, ...]]:
    """Split an ipykernel's command line into interpreter, module, connection file and further arguments.

    Raises:
        NoForkError: it is no ipykernel's command line.
    """
    if not sys.platform.startswith("linux"):
        raise NoForkError("kernels are forked on Linux only")
    if "-m" not in cmd or cmd[cmd.index("-m") + 1 : cmd.index("-m") + 2][0] not in _LAUNCHERS or "-f" not in cmd:
        raise NoForkError("the kernel is not started as an ipykernel")
    module, file = cmd.index("-m"), cmd.index("-f")
    arguments = [*cmd[module + 2 : file], *cmd[file + 2 :]]
    return tuple(cmd[:module]), cmd[module + 1], cmd[file + 1], tuple(arguments)


def _descriptor(stream: Any, otherwise: int) -> int:
    if stream is None:
        return otherwise
    return stream if isinstance(stream, int) else int(stream.fileno())
