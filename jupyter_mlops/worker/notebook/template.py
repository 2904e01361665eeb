"""Cells that a sweep's runs share: executed once a slot, in a kernel that each run is then forked from."""

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
    """A kernel that has executed the shared cells, and what they put out.

    Attributes:
        kernel: it is no longer spoken to as one.
        server: the same process, which forks now.
        cells: as executed, the injected parameters among them.
        outputs: what an executing client knows of outputs that may change later, by attribute.
    """

    kernel: Kernel
    server: ForkServer
    cells: list[NotebookNode]
    outputs: dict[str, Any]

    def still_good(self) -> bool:
        """See :class:`~.pool.Keepable`."""
        return self.server.still_good()

    def close(self) -> None:
        """End it, and whatever was forked from it."""
        self.server.close()
        end(self.kernel)


templates: Pool[Template] = Pool("the kernel with the shared cells", most_idle=2)


def key_of(spec: RunSpec, launch: Launch) -> Hashable:
    """Equal for runs that can be forked from one template."""
    fixed = {name: value for name, value in spec.parameters.items() if name not in spec.varied}
    common, _ = split_environ(launch.environ)
    # by sweep: modules of the project may be edited before the next one
    return spec.sweep_id, spec.notebook, spec.prefix, json.dumps(fixed, sort_keys=True), spec.kernel, common


async def make_template(
    launch: Launch,
    started: Callable[[ProcessGroup], None],
    execute: Callable[[Kernel], Awaitable[CellClient]],
    end_cell: int,
) -> Template:
    """Start a kernel, have the shared cells executed in it, and make it what runs are forked from.

    Args:
        started: told of the process.
        execute: executes the cells, and returns the client that did.
        end_cell: index of the first cell that is not shared.

    Raises:
        NoForkError: it cannot be forked from; says why. What a cell raises is raised as it is.
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
    """End a kernel that is no longer spoken to."""
    kernel.group.kill()
    guard.remove(kernel.group)
    kernel.release()


def fill(notebook: NotebookNode, template: Template, injected: int | None) -> None:
    """Put the shared cells' outputs where they belong; the run's own parameters, at ``injected``, stay."""
    for index, (cell, executed) in enumerate(zip(notebook.cells, template.cells, strict=False)):
        if index != injected and cell.cell_type == "code":
            cell.outputs = deepcopy(executed.outputs)
            cell.execution_count = executed.execution_count
        if "papermill" in executed.metadata:
            cell.metadata["papermill"] = deepcopy(executed.metadata["papermill"])


async def execute_injected(client: CellClient, template: Template, injected: int | None) -> None:
    """Execute the run's own parameters in a kernel that had another run's; it does not count as a cell."""
    if injected is None or injected >= len(template.cells):
        return
    cell = client.nb.cells[injected]
    await client.run_cell(cell, injected, store_history=False)
    cell.execution_count = template.cells[injected].execution_count
