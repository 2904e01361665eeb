"""Cells shared by a sweep's runs: executed once per slot, in a template kernel from which each run is forked."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Hashable
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

from nbformat import NotebookNode

from ...core.runs import RunSpec
from ..fork.client import ForkServer, NoForkError
from ..fork.identity import split_environ
from ..fork.pool import Pool
from ..kernel.cells import CellClient, NotebookExitError
from ..kernel.launch import Kernel, Launch, start_kernel
from ..processes.groups import ProcessGroup
from ..processes.guardian import guard

_IDLE = 60.0  # s; it may hold much data


@dataclass
class Template:
    """A process that has executed the shared cells, and their outputs.

    Attributes:
        kernel: no longer used as a kernel.
        server: the same process, now a fork server.
        cells: as executed, including the injected parameters.
        outputs: the executing client's state of widgets and updatable displays.
    """

    kernel: Kernel
    server: ForkServer
    cells: list[NotebookNode]
    outputs: dict[str, Any]

    def still_good(self) -> bool:
        """See :class:`~.pool.Keepable`."""
        return self.server.still_good()

    def close(self) -> None:
        """End it and all kernels forked from it."""
        self.server.close()
        end(self.kernel)


templates: Pool[Template] = Pool("the kernel with the shared cells", most_idle=2)


def key_of(spec: RunSpec, launch: Launch) -> Hashable:
    """Key that is equal for runs that can share a template."""
    fixed = {name: value for name, value in spec.parameters.items() if name not in spec.varied}
    common, _ = split_environ(launch.environ)
    # includes the sweep: project modules may change before the next one
    return spec.sweep_id, spec.notebook, spec.prefix, json.dumps(fixed, sort_keys=True), spec.kernel, common


async def make_template(
    launch: Launch,
    started: Callable[[ProcessGroup], None],
    execute: Callable[[Kernel], Awaitable[CellClient]],
    end_cell: int,
) -> Template:
    """Start a kernel, execute the shared cells in it, and turn it into a fork server.

    Args:
        started: called with the process group.
        execute: executes the cells and returns its client; its exceptions propagate.
        end_cell: index of the first cell that is not shared.

    Raises:
        NoForkError: the process cannot be forked; the message says why.
    """
    ours, theirs = socket.socketpair()
    try:
        with theirs:
            kernel = await start_kernel(replace(launch, line=theirs), started)
        server = ForkServer(ours, kernel.group.pid)
    except BaseException:
        ours.close()
        raise
    try:
        try:
            client = await execute(kernel)
        except NotebookExitError:
            raise NoForkError("the shared cells end the notebook") from None
        await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(server.settle(_IDLE))), launch.patience)
    except BaseException as error:
        server.close()
        await kernel.close()
        if isinstance(error, TimeoutError):
            raise NoForkError(f"the kernel was not ready to be forked within {launch.patience:g} s") from None
        raise
    kernel.detach()
    return Template(kernel, server, deepcopy(client.nb.cells[:end_cell]), client.outputs_known())


def end(kernel: Kernel) -> None:
    """End a detached kernel."""
    kernel.group.kill()
    guard.remove(kernel.group)
    kernel.release()


def fill(notebook: NotebookNode, template: Template, injected: int | None) -> None:
    """Copy the shared cells' outputs to a run's notebook, except for the cell at ``injected``."""
    for index, (cell, executed) in enumerate(zip(notebook.cells, template.cells, strict=False)):
        if index != injected and cell.cell_type == "code":
            cell.outputs = deepcopy(executed.outputs)
            cell.execution_count = executed.execution_count
        if "papermill" in executed.metadata:
            cell.metadata["papermill"] = deepcopy(executed.metadata["papermill"])


async def execute_injected(client: CellClient, template: Template, injected: int | None) -> None:
    """Execute the run's parameters in a kernel that had another run's, without counting the cell."""
    if injected is None or injected >= len(template.cells):
        return
    cell = client.nb.cells[injected]
    await client.run_cell(cell, injected, store_history=False)
    cell.execution_count = template.cells[injected].execution_count
